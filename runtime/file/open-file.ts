import { append, ask, Bytes, decodeUtf8, lengthOf, NativeError, part, setBytes } from '../shared.ts';
import { MAX_FILE_CHUNK } from '../wall/files.ts';
import type { FileType } from './mode.ts';
import { decodeBinary, endOfCharacters } from './text.ts';

const READ_AHEAD = 32 * 1024;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const EMPTY = new Bytes(0);

/** An open file: what the host has under a number, the position in it, and what was read ahead of that. */
export class OpenFile {
  readonly mode: string;
  readonly type: FileType;
  readonly flags: number;
  readonly #number: number;
  /** The most that is read at once. */
  readonly #most: number;
  #position = 0;
  /** Of the file, from the position `#aheadAt` on. */
  #ahead: Uint8Array = EMPTY;
  #aheadAt = 0;

  constructor(path: string, type: FileType, mode: string, flags: number) {
    const opened = ask('file.open', path, flags) as [number: number, most: number];
    this.mode = mode;
    this.type = type;
    this.flags = flags;
    this.#number = opened[0];
    this.#most = opened[1];
  }

  get position(): number {
    return this.#position;
  }

  set position(position: number) {
    this.#position = position;
  }

  /** A byte order mark is no text. */
  skipMark(): void {
    const start = this.#fill(3);
    const ahead = this.#ahead;
    if (
      this.#left(start) >= 3 &&
      ahead[start] === 0xef &&
      ahead[start + 1] === 0xbb &&
      ahead[start + 2] === 0xbf
    )
      this.#position += 3;
  }

  isAtEnd(): boolean {
    return this.#left(this.#fill(1)) === 0;
  }

  /** So many characters, or bytes as characters; fewer at the end of the file. */
  read(count: number): string {
    const from = this.#position;
    let text = '';
    for (let left = count; left > 0; ) {
      const start = this.#fill(this.type === 'binary' ? smaller(left, READ_AHEAD) : 4);
      const end = lengthOf(this.#ahead);
      if (start >= end) break;
      if (this.type === 'binary') {
        const to = smaller(end, start + left);
        text += decodeBinary(this.#ahead, start, to);
        left -= to - start;
        this.#position += to - start;
      } else {
        const cut = endOfCharacters(this.#ahead, start, end, left);
        // Only the end of the file can be in the middle of a character: `#fill` has brought four bytes if there are.
        const to = cut.seen === 0 ? end : cut.at;
        text += decodeUtf8(this.#ahead, start, to);
        left -= cut.seen === 0 ? left : cut.seen;
        this.#position += to - start;
      }
      this.#checkSize(this.#position - from);
    }
    return text;
  }

  /** Undefined at the end of the file. */
  readByte(): number | undefined {
    const start = this.#fill(1);
    if (this.#left(start) === 0) return undefined;
    this.#position++;
    return this.#ahead[start];
  }

  /** Without what ends it. Undefined at the end of the file. */
  readLine(): string | undefined {
    let start = this.#fill(1);
    if (this.#left(start) === 0) return undefined;
    for (let scanned = 0; ; ) {
      const end = lengthOf(this.#ahead);
      for (let at = start + scanned; at < end; at++) {
        if (this.#ahead[at] !== LINE_FEED) continue;
        this.#position += at + 1 - start;
        return lineOf(this.#ahead, start, at);
      }
      scanned = end - start;
      if (scanned >= MAX_FILE_CHUNK) throw new NativeError(`a line has more than ${MAX_FILE_CHUNK} bytes`);
      start = this.#fill(smaller(MAX_FILE_CHUNK, scanned * 4));
      if (this.#left(start) > scanned) continue;
      this.#position += scanned;
      return lineOf(this.#ahead, start, start + scanned);
    }
  }

  readLines(): string[] {
    const bytes = this.#readRest();
    const lines: string[] = [];
    let start = 0;
    for (let at = 0; at < lengthOf(bytes); at++) {
      if (bytes[at] !== LINE_FEED) continue;
      append(lines, lineOf(bytes, start, at));
      start = at + 1;
    }
    if (start < lengthOf(bytes)) append(lines, lineOf(bytes, start, lengthOf(bytes)));
    return lines;
  }

  write(bytes: Uint8Array): void {
    this.#ahead = EMPTY;
    const length = lengthOf(bytes);
    for (let at = 0; at < length; ) {
      const to = smaller(length, at + MAX_FILE_CHUNK);
      this.#position = ask('file.write', this.#number, this.#position, part(bytes, at, to)) as number;
      at = to;
    }
  }

  close(): void {
    ask('file.close', this.#number);
  }

  #readRest(): Uint8Array {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const chunk = this.#ask(MAX_FILE_CHUNK);
      if (lengthOf(chunk) === 0) break;
      append(chunks, chunk);
      length += lengthOf(chunk);
      this.#position += lengthOf(chunk);
      this.#checkSize(length);
    }
    const bytes = new Bytes(length);
    let at = 0;
    for (let i = 0; i < chunks.length; i++) {
      setBytes(bytes, chunks[i]!, at);
      at += lengthOf(chunks[i]!);
    }
    return bytes;
  }

  #checkSize(bytes: number): void {
    if (bytes > this.#most)
      throw new NativeError(`at most ${this.#most} bytes are read at once (limits.fileBytes)`);
  }

  /** Sees to it that `wanted` bytes from the position on are there, or all up to the end. Returns where they begin. */
  #fill(wanted: number): number {
    const start = this.#position - this.#aheadAt;
    if (start >= 0 && start + wanted <= lengthOf(this.#ahead)) return start;
    this.#ahead = this.#ask(wanted < READ_AHEAD ? READ_AHEAD : wanted);
    this.#aheadAt = this.#position;
    return 0;
  }

  #left(start: number): number {
    return lengthOf(this.#ahead) - start;
  }

  #ask(bytes: number): Uint8Array {
    return ask('file.read', this.#number, this.#position, bytes) as Uint8Array;
  }
}

function lineOf(bytes: Uint8Array, start: number, end: number): string {
  return decodeUtf8(bytes, start, end > start && bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
}

function smaller(a: number, b: number): number {
  return a < b ? a : b;
}
