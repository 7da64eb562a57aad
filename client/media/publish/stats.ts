export interface PublisherStats {
  /** FourCCs; empty where there is no such track, or nothing of it yet. */
  readonly videoCodec: string;
  readonly audioCodec: string;
  readonly encodedFrames: number;
  readonly droppedFrames: number;
  /** Pieces of sound that would have come much too late. */
  readonly droppedSound: number;
  /** Bits a second that the pictures may have now. */
  readonly videoBitrate: number;
  /** How long what is sent now waits on the way. */
  readonly delayMs: number;
}
