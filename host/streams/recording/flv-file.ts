import { type FileHandle, open, unlink } from 'node:fs/promises';
import { type Existing, readExisting } from './existing.ts';
import { encodeHead, type FlvContents, HEAD_BYTES } from './flv-head.ts';

/**
 * The file that a recording is written to: a head, and tags that are only ever appended, so that it can be read up to the
 * last batch whatever happens. Its duration and key frames are written into the head when it is complete.
 */
export class FlvFile {
  readonly #file: FileHandle;
  /** A file of other making: its head stays. */
  #isHeadOurs = true;
  #hasHead = false;
  #endAt = HEAD_BYTES;
  #lastMs = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** An empty file. Who plays what was there before goes on with it. */
  static async create(path: string): Promise<FlvFile> {
    await unlink(path).catch(unlessMissing);
    return new FlvFile(await open(path, 'wx+'));
  }

  /** What is there to go on behind, with what a crash left of a tag cut off; an empty file when there is none. */
  static async goOn(path: string): Promise<{ file: FlvFile; existing?: Existing; changedAt: number }> {
    const handle = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
      unlessMissing(error);
      return open(path, 'wx+');
    });
    try {
      const file = new FlvFile(handle);
      const { size, mtimeMs: changedAt } = await handle.stat();
      if (size === 0) return { file, changedAt };
      const existing = await readExisting(handle);
      if (existing.endAt < size) await handle.truncate(existing.endAt);
      file.#hasHead = true;
      file.#isHeadOurs = existing.hasOurHead;
      file.#endAt = existing.endAt;
      file.#lastMs = existing.lastMs;
      return { file, existing, changedAt };
    } catch (error) {
      // Whatever it is, it is not ours to change.
      await handle.close().catch(() => {}); // nothing was written
      throw error;
    }
  }

  get hasHead(): boolean {
    return this.#hasHead;
  }

  /** Where the last batch that was written ends. */
  get endAt(): number {
    return this.#endAt;
  }

  /** The time of the last message in the file. */
  get lastMs(): number {
    return this.#lastMs;
  }

  async empty(): Promise<void> {
    this.#hasHead = false;
    this.#isHeadOurs = true;
    this.#lastMs = 0;
    await this.#file.truncate(0);
  }

  /** Writes the head, unless it has one. */
  async begin(contents: FlvContents): Promise<void> {
    if (this.#hasHead) return;
    await this.#writeHead(contents);
    this.#hasHead = true;
    this.#endAt = HEAD_BYTES;
  }

  /** `lastMs`: of the last of these tags. */
  async append(tags: Uint8Array, lastMs: number): Promise<void> {
    await this.#write(tags, this.#endAt);
    this.#endAt += tags.length;
    this.#lastMs = lastMs;
  }

  /** Half a tag at the end is cut off, and the head told what there is. */
  async complete(contents: FlvContents): Promise<void> {
    const { size } = await this.#file.stat();
    if (size > this.#endAt) await this.#file.truncate(this.#endAt);
    contents.keys.cutAt(this.#endAt);
    if (this.#isHeadOurs && this.#hasHead) await this.#writeHead(contents);
    await this.#file.datasync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #writeHead(contents: FlvContents): Promise<void> {
    return this.#write(encodeHead(contents, { durationMs: this.#lastMs, bytes: this.#endAt }), 0);
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done;
      const { bytesWritten } = await this.#file.write(bytes, done, left, position + done);
      done += bytesWritten;
    }
  }
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
