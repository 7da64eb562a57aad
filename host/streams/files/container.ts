import type { RtmpMessage } from '../../../wire/messages.ts';

export type MediaKind = 'flv' | 'mp4' | 'mp3';

/** What is known of a file once it is open. */
export interface MediaInfo {
  readonly kind: MediaKind;
  readonly durationMs: number;
  readonly bytes: number;
  readonly metadata: Uint8Array | undefined;
  readonly hasVideo: boolean;
  readonly hasAudio: boolean;
}

export interface Place {
  position: number;
  timestampMs: number;
  isBeyondEnd: boolean;
}

/** Messages whose payloads are views of one buffer, which goes to the other thread with them. */
export interface Part {
  messages: RtmpMessage[];
  next: number | undefined;
  endMs: number;
}

/**
 * A recorded file as its format reads it, in the worker. Times are milliseconds as in RTMP, where nothing happens
 * before 0. Everything in the file is hostile: counts and sizes are checked against what is there before memory is
 * taken for them, and no answer takes more than one pass over the file.
 */
export interface Container {
  readonly info: MediaInfo;
  /** What it holds in memory while it is open. */
  readonly memoryBytes: number;
  seek(positionMs: number): Promise<Place>;
  headersAt(position: number): Promise<RtmpMessage[]>;
  read(position: number): Promise<Part>;
}

/** How much of a file is one part. */
export const PART = {
  /** Enough: no further message begins. */
  enoughBytes: 128 * 1024,
  /** One message may be longer, several together may not. */
  maxBytes: 256 * 1024,
  spanMs: 500,
  messages: 1024,
} as const;
