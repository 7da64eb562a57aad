export interface PublisherStats {
  /** FourCCs; empty where there is no such track, or nothing of it yet. */
  readonly videoCodec: string;
  readonly audioCodec: string;
  readonly encodedFrames: number;
  readonly droppedFrames: number;
}
