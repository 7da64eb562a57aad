import { TRACKS } from '../../../wire/codecs.ts';
import type { CodecPolicy } from '../codec-filter.ts';
import type { Voice } from '../voice.ts';

/** What plays at present: a live stream or a file. */
export interface Item {
  /** `positionMs`: where the client is, when it says so. */
  pause(isPaused: boolean, positionMs: number | undefined): void;
  seek(positionMs: number): void;
  receive(medium: 'audio' | 'video', isWanted: boolean): void;
  /** At most so many pictures per second, as far as they can be left out; undefined for all. */
  limitFrames(fps: number | undefined): void;
  /** The client's buffer, in milliseconds. */
  setBuffer(bufferMs: number): void;
  /** The client has played up to that timestamp. */
  played?(timestamp: number): void;
  /** Nothing more is sent. */
  close(): void;
}

/** How an item ends by itself. */
export interface ItemEnd {
  /** Everything was sent. */
  ended(): void;
  failed(description: string): void;
}

/** What the client wants to see and hear; it may say so before it plays. */
export interface Wants {
  audio: boolean;
  video: boolean;
  /** Pictures per second; undefined for all. */
  fps: number | undefined;
}

/**
 * Tells a client that it is not sent a codec, or `TRACKS`, which it did not announce. Where the application wants that a
 * codec ends the play; with further tracks left out there is still the stream.
 */
export function refuseCodec(
  voice: Voice,
  name: string,
  lack: string,
  policy: CodecPolicy,
  end: () => void,
): void {
  const isEnd = policy === 'refuse' && lack !== TRACKS;
  const level = isEnd ? 'error' : 'warning';
  const what = lack === TRACKS ? 'tracks beside track 0' : lack;
  const description = `${name} has ${what}, which the client did not announce when it connected.`;
  voice.status('NetStream.Play.NoSupportedTrackFound', description, name, { level });
  // Whoever calls is in the middle of something.
  if (isEnd) queueMicrotask(end);
}
