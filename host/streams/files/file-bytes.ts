import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { FileProblem, fromSystem } from './problem.ts';

/** The main thread would not wait for longer, and whoever goes on for nobody keeps others waiting. */
const OPEN_MS = 15_000;

/** An open file, as long as it was when it was opened: what is appended later does not count. */
export class FileBytes {
  readonly sizeBytes: number;
  /** The same for the same content of the same file. */
  readonly identity: string;
  readonly #handle: FileHandle;
  #giveUpAt = performance.now() + OPEN_MS;

  private constructor(handle: FileHandle, stats: Stats) {
    this.#handle = handle;
    this.sizeBytes = stats.size;
    this.identity = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}`;
  }

  /** Rejects with a FileProblem. Does not wait for the other end of a pipe, nor follow a link put there meanwhile. */
  static async open(path: string): Promise<FileBytes> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | (constants.O_NOFOLLOW ?? 0));
      const stats = await handle.stat();
      if (!stats.isFile()) throw new FileProblem('not-found', 'not a file');
      return new FileBytes(handle, stats);
    } catch (error) {
      await handle?.close().catch(() => {});
      throw fromSystem(error);
    }
  }

  /** Fills as much of `target` as there is in the file from `position` on, and says how much. */
  async into(target: Uint8Array, position: number): Promise<number> {
    const wanted = Math.min(target.length, this.sizeBytes - position);
    let done = 0;
    while (done < wanted) {
      const { bytesRead } = await this.#read(target, done, wanted - done, position + done);
      if (bytesRead === 0) break; // It was cut short since.
      done += bytesRead;
    }
    return done;
  }

  /** Bytes of their own, fewer at the end of the file. The caller has bounded `count`. */
  async take(position: number, count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(count, this.sizeBytes - position)));
    const length = await this.into(bytes, position);
    return bytes.subarray(0, length);
  }

  /** Whether it is shorter than when it was opened. */
  async isCut(): Promise<boolean> {
    const stats = await this.#handle.stat().catch(() => undefined);
    return stats === undefined || stats.size < this.sizeBytes;
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }

  /** From now on, reading may take its time. */
  isOpened(): void {
    this.#giveUpAt = Infinity;
  }

  async #read(target: Uint8Array, offset: number, length: number, position: number) {
    if (performance.now() > this.#giveUpAt) throw new FileProblem('io', 'it took too long to open');
    try {
      return await this.#handle.read(target, offset, length, position);
    } catch (error) {
      throw fromSystem(error);
    }
  }
}

/** Enough for half a second of most files, and large enough a read to go through a whole one. */
const WINDOW_BYTES = 256 * 1024;
/** Memory of windows that nobody has. */
const spare: Uint8Array[] = [];
const MAX_SPARE = 8;

/** A part of a file in memory, for those who go through it in small steps. */
export class Window {
  readonly #bytes = spare.pop() ?? new Uint8Array(WINDOW_BYTES);
  readonly #file: FileBytes;
  /** Where in the file the first byte is. */
  #start = 0;
  #length = 0;

  constructor(file: FileBytes) {
    this.#file = file;
  }

  static get sizeBytes(): number {
    return WINDOW_BYTES;
  }

  /** Lends a window; it must not be used afterwards, nor any view of it. */
  static async lend<Result>(file: FileBytes, use: (window: Window) => Promise<Result>): Promise<Result> {
    const window = new Window(file);
    try {
      return await use(window);
    } finally {
      if (spare.length < MAX_SPARE) spare.push(window.#bytes);
    }
  }

  holds(position: number, count: number): boolean {
    return position >= this.#start && position + count <= this.#start + this.#length;
  }

  /** Has the window hold these bytes. Says false when the file ends before. */
  async load(position: number, count: number): Promise<boolean> {
    if (this.holds(position, count)) return true;
    if (position < 0 || position + count > this.#file.sizeBytes || count > WINDOW_BYTES) return false;
    this.#length = 0;
    this.#start = position;
    this.#length = await this.#file.into(this.#bytes, position);
    return count <= this.#length;
  }

  /** One byte that it holds. */
  byteAt(position: number): number {
    return this.#bytes[position - this.#start]!;
  }

  /** A view of bytes that it holds, good until the next load. */
  view(position: number, count: number): Uint8Array {
    const at = position - this.#start;
    return this.#bytes.subarray(at, at + count);
  }
}
