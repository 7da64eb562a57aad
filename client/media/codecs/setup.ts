/** What a decoder, and the head of an MP4 track, have to know of a stream's pictures. */
export interface VideoSetup {
  readonly kind: 'video';
  readonly fourCc: string;
  /** As browsers name it (RFC 6381). */
  readonly codec: string;
  /** The configuration record as it came; not all codecs have one. */
  readonly record: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** The same for sound. */
export interface AudioSetup {
  readonly kind: 'audio';
  readonly fourCc: string;
  readonly codec: string;
  /** For codecs without one it is what MP4 wants to have instead, made from the first frame. */
  readonly record: Uint8Array;
  readonly sampleRate: number;
  readonly channels: number;
  /** How many samples a frame stands for, of which there are `sampleRate` in a second. */
  samplesOf(frame: Uint8Array): number;
}

export type Setup = VideoSetup | AudioSetup;
