import type { RtmpMessage } from '../../../wire/messages.ts';
import type { MediaInfo, Part, Place } from './container.ts';
import type { FileProblemKind } from './problem.ts';

/** What the two threads say to each other. Files have numbers, which the worker gives. */
export type FileRequest =
  /** Applications take turns. */
  | { readonly method: 'open'; readonly path: string; readonly app: string }
  | { readonly method: 'seek'; readonly file: number; readonly positionMs: number }
  | { readonly method: 'headers'; readonly file: number; readonly position: number }
  | { readonly method: 'read'; readonly file: number; readonly position: number }
  | { readonly method: 'close'; readonly file: number }
  /** Only to see whether it answers. */
  | { readonly method: 'ping' };

export interface FileResults {
  /** The number of a file that is open already when it is the same. */
  open: { readonly file: number; readonly info: MediaInfo };
  seek: Place;
  headers: RtmpMessage[];
  read: Part;
  close: undefined;
  ping: undefined;
}

export type NumberedRequest = FileRequest & { readonly number: number };

export type FileAnswer =
  | { readonly number: number; readonly result: FileResults[keyof FileResults] }
  | { readonly number: number; readonly kind: FileProblemKind; readonly message: string };

/** How the worker is set up. */
export interface FileThreadData {
  readonly maxOpen: number;
}
