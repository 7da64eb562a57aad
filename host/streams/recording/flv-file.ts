import { createHash } from 'node:crypto';
import { type FileHandle, lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Existing, readExisting } from './existing.ts';
import { encodeHead, type FlvContents, HEAD_BYTES } from './flv-head.ts';

const HIDDEN = /^\.[\w-]{16}\.new$/;
/** Whatever is hidden for so long, and not by us, is nobody's any more. */
const LEFT_MS = 86_400_000;
/** What this process has hidden, until it is closed. */
const hiddenHere = new Set<string>();

/**
 * The file that a recording is written to: a head, and tags that are only ever appended, so that it can be read up to the
 * last batch whatever happens. Its duration and key frames are written into the head when it is complete. A new one has its
 * name from the first batch on, and is hidden until then: what was there before is there whole, or not at all.
 */
export class FlvFile {
  readonly #path: string;
  #file: FileHandle;
  #isHidden: boolean;
  /** A file of other making: its head stays. */
  #isHeadOurs = true;
  #hasHead = false;
  #endAt = HEAD_BYTES;
  #lastMs = 0;

  private constructor(path: string, file: FileHandle, isHidden: boolean) {
    this.#path = path;
    this.#file = file;
    this.#isHidden = isHidden;
  }

  /** A new file. Who plays what was there before goes on with it. */
  static async create(path: string): Promise<FlvFile> {
    const present = await lstat(path).catch(unlessMissing);
    if (present?.isDirectory()) throw Object.assign(new Error(`${path} is a folder`), { code: 'EISDIR' });
    return new FlvFile(path, await openHidden(path), true);
  }

  /** What is there to go on behind, with what a crash left of a tag cut off; a new file when there is nothing. */
  static async goOn(path: string): Promise<{ file: FlvFile; existing?: Existing; changedAt: number }> {
    const handle = await open(path, 'r+').catch(unlessMissing);
    if (!handle) return { file: await FlvFile.create(path), changedAt: 0 };
    try {
      const file = new FlvFile(path, handle, false);
      const { size, mtimeMs: changedAt } = await handle.stat();
      if (size === 0) {
        await file.#hide();
        return { file, changedAt };
      }
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

  /** It is not to be found under its name yet. */
  get isHidden(): boolean {
    return this.#isHidden;
  }

  /** Where the last batch that was written ends. */
  get endAt(): number {
    return this.#endAt;
  }

  /** The time of the last message in the file. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Begins anew: nothing is left of what was there, but for those who are playing it. */
  async empty(): Promise<void> {
    await this.#hide();
    await unlink(this.#path).catch(unlessMissing);
    this.#hasHead = false;
    this.#isHeadOurs = true;
    this.#endAt = HEAD_BYTES;
    this.#lastMs = 0;
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
    if (this.#isHidden) await rename(hiddenAt(this.#path), this.#path);
    this.#isHidden = false;
    this.#endAt += tags.length;
    this.#lastMs = lastMs;
  }

  /** Half a tag at the end is cut off, and the head told what there is. With nothing in it, it goes. */
  async complete(contents: FlvContents): Promise<void> {
    if (this.#isHidden) return unlink(hiddenAt(this.#path));
    const { size } = await this.#file.stat();
    if (size > this.#endAt) await this.#file.truncate(this.#endAt);
    contents.keys.cutAt(this.#endAt);
    if (this.#isHeadOurs && this.#hasHead) await this.#writeHead(contents);
    await this.#file.datasync();
  }

  close(): Promise<void> {
    hiddenHere.delete(hiddenAt(this.#path));
    return this.#file.close();
  }

  /** Goes on with a new file; the one with the name stays as it is. */
  async #hide(): Promise<void> {
    const hidden = await openHidden(this.#path);
    await this.#file.close();
    this.#file = hidden;
    this.#isHidden = true;
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

/** An empty file, in the place of what a crash has left. What others have left in the folder goes, too. */
async function openHidden(path: string): Promise<FileHandle> {
  const hidden = hiddenAt(path);
  await unlink(hidden).catch(unlessMissing);
  const file = await open(hidden, 'wx+');
  hiddenHere.add(hidden);
  await sweep(dirname(path)).catch(() => {}); // what cannot be removed is in nobody's way
  return file;
}

async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!HIDDEN.test(name)) continue;
    const path = join(folder, name);
    if (!hiddenHere.has(path) && (await isOld(path))) await unlink(path);
  }
}

/** Another server may be at work in the same folder. */
async function isOld(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(unlessMissing);
  return stats !== undefined && Date.now() - stats.mtimeMs > LEFT_MS;
}

/** Scripts cannot name it. Names may be as long as the file system lets them. */
function hiddenAt(path: string): string {
  const name = createHash('sha256').update(basename(path)).digest('base64url').slice(0, 16);
  return join(dirname(path), `.${name}.new`);
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
