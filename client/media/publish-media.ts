import { MessageType } from '../../wire/messages.ts';
import type { MediaSource as StreamSource } from '../sink.ts';
import type { PublisherStats } from './publish/stats.ts';
import { Publisher, type PublisherOptions } from './publisher.ts';
import type { MediaStatus } from './sink.ts';

/** The entry of `/publish.js`: what is needed of a `NetStream` to publish. */
export interface PublishedStream {
  source: StreamSource | undefined;
  report(info: MediaStatus): void;
}

export type MediaOptions = Omit<PublisherOptions, 'stream' | 'onMessage' | 'onStatus' | 'network'>;

export interface Publishing {
  /** Undefined while it is not published. */
  readonly stats: PublisherStats | undefined;
}

/**
 * Has a stream publish a camera, a microphone, the screen or a canvas: as ActionScript's `attachCamera` and `attachAudio`. It
 * begins when the server has let the stream publish, and goes on when a lost connection is there again.
 *
 *     publishMedia(stream, await navigator.mediaDevices.getUserMedia({ video: true, audio: true }));
 *     stream.publish('cam');
 */
export function publishMedia(
  stream: PublishedStream,
  media: MediaStream,
  options: MediaOptions = {},
): Publishing {
  let publisher: Publisher | undefined;
  stream.source = {
    start(output) {
      publisher?.close();
      publisher = new Publisher({
        ...options,
        stream: media,
        onMessage: (type, timestamp, payload) =>
          type === MessageType.Audio ? output.audio(timestamp, payload) : output.video(timestamp, payload),
        network: output,
        onStatus: (status) => stream.report(status),
      });
    },
    stop() {
      publisher?.close();
      publisher = undefined;
    },
    forceKeyFrame: () => publisher?.forceKeyFrame(),
  };
  return {
    get stats() {
      return publisher?.stats;
    },
  };
}
