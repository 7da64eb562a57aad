import { type Attached, attach, type PlayedStream } from './attach.ts';
import { MsePlayer } from './mse-player.ts';
import type { MediaStatus, Situation } from './sink.ts';

/** The entry of `/media.js`. */
export interface VideoOptions {
  /** What the delay is at best, in milliseconds: it grows while the network is worse. Default 120. */
  readonly targetDelayMs?: number;
}

/** An element shows one stream: whoever is given it last. */
const shown = new WeakMap<HTMLMediaElement, Attached>();

/**
 * Shows what a stream plays in a `<video>`, or lets it be heard in an `<audio>`: as ActionScript's `Video.attachNetStream`.
 * What goes wrong, such as a codec that the browser cannot play, the stream's `onStatus` hears.
 *
 *     attachVideo(stream, document.querySelector('video'));
 *     stream.play('cam');
 */
export function attachVideo(
  stream: PlayedStream,
  element: HTMLMediaElement,
  options: VideoOptions = {},
): Attached {
  const begin = (onStatus: (status: MediaStatus) => void, situation: Situation) =>
    new MsePlayer({ ...options, element, situation, onStatus });
  shown.get(element)?.close();
  const attached = attach(stream, begin, (isPaused) => {
    if (isPaused) element.pause();
    else element.play().catch(() => {}); // the player tells when the browser does not allow it
  });
  shown.set(element, attached);
  return attached;
}
