import {
  isSameStream,
  MP3_HEADER_BYTES,
  type Mp3Header,
  parseMp3Header,
  wordAt,
} from '../../../../wire/mp3-frame.ts';
import type { FileBytes, Window } from '../file-bytes.ts';

export interface FrameAt {
  readonly position: number;
  readonly header: Mp3Header;
}

/** How far to look for the next frame when one does not follow. */
const RESYNC_BYTES = 256 * 1024;
/** How every header begins. */
const SYNC = 0xff;
/** Three frames of the largest size, and more. */
const NEAR_BYTES = 8 * 1024;

/** Goes through the frames of one stream. Between them there may be garbage; behind them, tags of other kinds. */
export class Mp3Walk {
  position: number;
  readonly #file: FileBytes;
  readonly #window: Window;
  /** The header of the first frame: all others are like it. */
  readonly #like: number;

  constructor(file: FileBytes, window: Window, position: number, like: number) {
    this.#file = file;
    this.#window = window;
    this.position = position;
    this.#like = like;
  }

  async next(): Promise<FrameAt | undefined> {
    await this.#hold(this.position);
    if (!this.#headerAt(this.position) && !(await this.#resync())) return undefined;
    const { position } = this;
    const header = this.#headerAt(position);
    if (!header) return undefined;
    this.position = position + header.sizeBytes;
    return { position, header };
  }

  /** Has the window hold a frame there, the header of the next one, and more. */
  async #hold(position: number): Promise<void> {
    await this.#window.load(position, Math.min(NEAR_BYTES, this.#file.sizeBytes - position));
  }

  /** Of a frame that is whole, in the window. */
  #headerAt(position: number): Mp3Header | undefined {
    return frameIn(this.#window, position, this.#like, this.#file.sizeBytes);
  }

  async #resync(): Promise<boolean> {
    const end = Math.min(this.#file.sizeBytes, this.position + RESYNC_BYTES);
    for (let at = this.position + 1; at + MP3_HEADER_BYTES <= end; at++) {
      if (!this.#window.holds(at, NEAR_BYTES)) await this.#hold(at);
      if (!this.#window.holds(at, 1) || this.#window.byteAt(at) !== SYNC) continue;
      const header = this.#headerAt(at);
      // One alone may be anything.
      if (!header || !this.#headerAt(at + header.sizeBytes)) continue;
      this.position = at;
      return true;
    }
    return false;
  }
}

/** Where the first frame begins, and its header: three in a row that belong together. */
export async function findFirstFrame(file: FileBytes, window: Window, start: number) {
  const end = Math.min(file.sizeBytes, start + RESYNC_BYTES);
  for (let at = start; at + MP3_HEADER_BYTES <= end; at++) {
    if (!window.holds(at, NEAR_BYTES)) await window.load(at, Math.min(NEAR_BYTES, file.sizeBytes - at));
    if (!window.holds(at, MP3_HEADER_BYTES)) return undefined;
    if (window.byteAt(at) !== SYNC) continue;
    const like = wordAt(window.view(at, MP3_HEADER_BYTES), 0);
    if (areFrames(window, at, like, file.sizeBytes)) return { position: at, like };
  }
  return undefined;
}

function areFrames(window: Window, start: number, like: number, end: number): boolean {
  let position = start;
  for (let count = 0; count < 3 && (count === 0 || position < end); count++) {
    const header = frameIn(window, position, like, end);
    if (!header) return false;
    position += header.sizeBytes;
  }
  return true;
}

function frameIn(window: Window, position: number, like: number, end: number): Mp3Header | undefined {
  if (!window.holds(position, MP3_HEADER_BYTES)) return undefined;
  const word = wordAt(window.view(position, MP3_HEADER_BYTES), 0);
  const header = isSameStream(word, like) ? parseMp3Header(word) : undefined;
  return header && position + header.sizeBytes <= end ? header : undefined;
}
