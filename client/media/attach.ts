import { MessageType } from '../../wire/messages.ts';
import type { MediaSink as StreamSink } from '../sink.ts';
import { MsePlayer } from './mse-player.ts';
import type { MediaStatus, PlayerStats } from './sink.ts';

/** What is needed of a `NetStream`. */
interface PlayedStream {
  sink: StreamSink | undefined;
  report(info: MediaStatus): void;
}

export interface VideoOptions {
  /** What the delay is at best, in milliseconds: it grows while the network is worse. Default 120. */
  readonly targetDelayMs?: number;
}

export interface AttachedVideo {
  readonly stats: PlayerStats;
  /** The stream goes on, and nobody sees it. */
  close(): void;
}

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
): AttachedVideo {
  const begin = () => new MsePlayer({ ...options, element, onStatus: (status) => stream.report(status) });
  let player = begin();
  const sink: StreamSink = {
    audio: (timestamp, payload) => player.message(MessageType.Audio, timestamp, payload),
    video: (timestamp, payload) => player.message(MessageType.Video, timestamp, payload),
    reset() {
      player.close();
      player = begin();
    },
    pause(isPaused) {
      if (isPaused) element.pause();
      else element.play().catch(() => {}); // the player tells when the browser does not allow it
    },
    get played() {
      return player.playedTimestamp;
    },
  };
  stream.sink = sink;
  return {
    get stats() {
      return player.stats;
    },
    close() {
      if (stream.sink === sink) stream.sink = undefined;
      player.close();
    },
  };
}
