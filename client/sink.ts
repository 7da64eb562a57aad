/**
 * What a stream's media go to and come from. Payloads are the bodies of RTMP's audio and video messages, which are those
 * of FLV tags: codec headers, frames, and what Enhanced RTMP makes of them.
 */

/** A publisher hears how many bytes the server has read each time that it has read so many more. */
export const ACKNOWLEDGED_EVERY = 8192;

/** Plays a stream: given to `stream.sink`. */
export interface MediaSink {
  /** Timestamps are milliseconds modulo 2^32; a sequence header comes before its frames. */
  audio(timestamp: number, payload: Uint8Array): void;
  video(timestamp: number, payload: Uint8Array): void;
  /** What comes next does not go on from what came: something else plays, it was sought, or the connection is a new one. */
  reset(): void;
  /** Of a pause that the stream was asked for. */
  pause?(isPaused: boolean): void;
  /** The timestamp up to which it has been played; undefined before anything was. The server is told twice a second. */
  readonly played?: number | undefined;
}

/** Makes a stream: given to `stream.source`. */
export interface MediaSource {
  /** The stream is published, for the first time or anew: headers and a key frame are to come first. */
  start(output: MediaOutput): void;
  /** It is not any more. */
  stop(): void;
  /** A viewer waits: the next picture should be a key frame. Asked for at most once a second, and only of sources that have this. */
  forceKeyFrame?(): void;
}

/** Where a source puts its media. */
export interface MediaOutput {
  audio(timestamp: number, payload: Uint8Array): void;
  video(timestamp: number, payload: Uint8Array): void;
  /** What waits to leave this machine: a source that sees it grow sends less. */
  readonly queuedBytes: number;
  /** By this connection so far, and what of it the server has said to have read, modulo 2^32. */
  readonly sentBytes: number;
  readonly acknowledgedBytes: number;
}
