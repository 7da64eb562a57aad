/** What the thread is told. Paths are absolute, links resolved. */
export interface RemuxOrder {
  /** The recording, complete. */
  readonly from: string;
  /** Where the MP4 is written. There is nothing yet. */
  readonly to: string;
  /** So much of the disk stays free. */
  readonly freeDiskMb: number;
}

export type RemuxReport =
  | { readonly at: 'working'; readonly percent: number }
  /** The file is on disk. */
  | { readonly at: 'made'; readonly bytes: number; readonly durationMs: number }
  | { readonly at: 'failed'; readonly reason: string };

/** Why there will be no MP4 of a recording: for people to read. */
export class Unfit extends Error {
  override name: string = 'Unfit';
}
