import { type Attached, attach, type PlayedStream } from './attach.ts';
import { LowLatencyPlayer } from './low-latency-player.ts';
import type { MediaStatus, Situation } from './sink.ts';

/** The entry of `/low-latency.js`. */
export interface CanvasOptions {
  /** What the delay is at best, in milliseconds. Default 60. */
  readonly targetDelayMs?: number;
}

export interface AttachedCanvas extends Attached {
  /** Lets it be heard: from a click, where the browser plays no sound before (`NetStream.Play.AutoplayBlocked`). */
  resume(): Promise<void>;
}

/** As `attachVideo`, on a canvas and by WebCodecs: closer to what is live, at a higher cost for the page. */
export function attachCanvas(
  stream: PlayedStream,
  canvas: HTMLCanvasElement,
  options: CanvasOptions = {},
): AttachedCanvas {
  let player: LowLatencyPlayer;
  const attached = attach(stream, (onStatus: (status: MediaStatus) => void, situation: Situation) => {
    player = new LowLatencyPlayer({ ...options, canvas, situation, onStatus });
    return player;
  });
  return {
    get stats() {
      return attached.stats;
    },
    close: () => attached.close(),
    resume: () => player.resume(),
  };
}
