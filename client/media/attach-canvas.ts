import { type Attached, attach, type PlayedStream } from './attach.ts';
import { LowLatencyPlayer } from './low-latency-player.ts';
import type { MediaStatus } from './sink.ts';

/** The entry of `/low-latency.js`. */
export interface CanvasOptions {
  /** What the delay is at best, in milliseconds. Default 60. */
  readonly targetDelayMs?: number;
}

/** As `attachVideo`, on a canvas and by WebCodecs: closer to what is live, at a higher cost for the page. */
export function attachCanvas(
  stream: PlayedStream,
  canvas: HTMLCanvasElement,
  options: CanvasOptions = {},
): Attached {
  return attach(
    stream,
    (onStatus: (status: MediaStatus) => void) => new LowLatencyPlayer({ ...options, canvas, onStatus }),
  );
}
