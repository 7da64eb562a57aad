import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises';
import { MAX_FILE_CHUNK, OpenFlag } from '../../../runtime/wall/files.ts';
import type { Limits } from '../../base/limits.ts';
import type { Answerer } from '../answers.ts';
import type { AppFiles } from './app-files.ts';
import { FileError, MAX_DEPTH, reasonOf, refused } from './paths.ts';
import { assertWritable, lstatIfAny, namesIn, PLAIN, type Spot } from './sandbox.ts';
import { MAX_ENTRIES, measureTree, removeTree } from './trees.ts';

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** Characters of all names in a folder: an answer has a bound. */
const MAX_NAMES = MAX_FILE_CHUNK / 3;
const COPY_CHUNK = 256 * 1024;

interface OpenFile {
  readonly file: FileHandle;
  readonly path: string;
  readonly flags: number;
}

export interface FilesOptions {
  /** Of the application. */
  readonly files: AppFiles;
  readonly limits: Pick<Limits, 'openFiles' | 'fileBytes' | 'files' | 'appFileBytes'>;
  /** Absolute paths of the files that the script was built from. */
  readonly inputs: readonly string[];
}

/**
 * What one script does with its application's files: answers the blocking requests of `File` (runtime/file/) and
 * closes what it has open when it ends.
 */
export class Files {
  readonly #app: AppFiles;
  readonly #limits: FilesOptions['limits'];
  readonly #inputs: ReadonlySet<string>;
  readonly #open = new Map<number, OpenFile>();
  #nextNumber = 1;
  #isClosed = false;

  readonly answerers: Readonly<Record<string, Answerer>> = {
    'file.stat': (path) => this.#inTurn(() => this.#stat(path)),
    'file.count': (path) => this.#inTurn(async () => (await this.#names(path)).length),
    // One text: as a list, each of them would count as a value (limits.amfValues).
    'file.list': (path) => this.#inTurn(async () => (await this.#names(path)).join('/')),
    'file.open': (path, flags) => this.#inTurn(() => this.#openFile(path, Number(flags))),
    'file.read': (number, at, bytes) =>
      this.#inTurn(() => this.#read(this.#file(number), Number(at), Number(bytes))),
    'file.write': (number, at, bytes) =>
      this.#inTurn(() => this.#write(this.#file(number), Number(at), bytes)),
    'file.close': (number) => this.#inTurn(() => this.#close(Number(number))),
    'file.mkdir': (path) => this.#inTurn(() => this.#mkdir(path)),
    'file.copy': (from, to) => this.#inTurn(() => this.#copy(from, to)),
    'file.rename': (from, to) => this.#inTurn(() => this.#rename(from, to)),
    'file.remove': (path, isRecursive) => this.#inTurn(() => this.#remove(path, isRecursive === true)),
  };

  constructor({ files, limits, inputs }: FilesOptions) {
    this.#app = files;
    this.#limits = limits;
    this.#inputs = new Set(inputs);
  }

  /** May be called twice. What is under way ends by itself. */
  close(): void {
    this.#isClosed = true;
    for (const number of this.#open.keys()) void this.#app.inTurn(() => this.#close(number));
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    return this.#app.inTurn(() => {
      if (this.#isClosed) throw new FileError('the script has ended');
      return task();
    });
  }

  /** What it is, its size, when it was made and last written; null when there is none. */
  #stat(path: unknown): Promise<unknown> {
    return this.#app.sandbox
      .at(path, async (spot) => {
        const stats = await lstat(spot.at);
        const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
        return [kind, stats.size, stats.birthtimeMs, stats.mtimeMs];
      })
      .catch((error: unknown) => {
        if (isMissing(error)) return null;
        throw error;
      });
  }

  #names(path: unknown): Promise<string[]> {
    return this.#app.sandbox.at(path, async (spot) => {
      if (!(await lstat(spot.at)).isDirectory()) throw refused(path, 'it is no folder');
      const names = await namesIn(spot.at, spot.path, MAX_ENTRIES);
      const length = names.reduce((sum, name) => sum + name.length + 1, 0);
      if (length > MAX_NAMES) throw refused(path, `the names in it have ${length} characters together`);
      return names.sort();
    });
  }

  async #openFile(path: unknown, flags: number): Promise<[number, number]> {
    const { openFiles } = this.#limits;
    if (this.#open.size >= openFiles)
      throw refused(path, `${openFiles} files are open, and that is the limit (limits.openFiles)`);
    return this.#app.sandbox.at(path, async (spot) => {
      const file = await this.#openAt(spot, flags);
      if (this.#isClosed) {
        await this.#letGo(file);
        throw new FileError('the script has ended');
      }
      const number = this.#nextNumber++;
      this.#open.set(number, { file, path: spot.path, flags });
      return [number, this.#limits.fileBytes];
    });
  }

  /** A plain file and nothing else. Whoever gets it calls `#letGo`. */
  async #openAt(spot: Spot, flags: number): Promise<FileHandle> {
    const { path } = spot;
    const isWritten = (flags & (OpenFlag.write | OpenFlag.append | OpenFlag.create)) !== 0;
    if (isWritten) this.#claim(spot);
    // Before it is opened: that alone makes some devices do something.
    const stats = await lstatIfAny(spot.at);
    if (stats && !stats.isFile()) throw refused(path, stats.isDirectory() ? 'it is a folder' : NO_FILE);
    const isRead = (flags & OpenFlag.read) !== 0;
    let mode = PLAIN | (isWritten ? (isRead ? O_RDWR : O_WRONLY) : O_RDONLY);
    if ((flags & OpenFlag.append) !== 0) mode |= O_APPEND;
    const isMade = isWritten && !stats;
    this.#app.opening();
    let file: FileHandle | undefined;
    try {
      if (isMade) this.#app.making(this.#limits.files);
      try {
        file = await open(spot.at, isMade ? mode | O_CREAT | O_EXCL : mode, 0o644);
      } catch (error) {
        if (isMade) this.#app.removed(1);
        throw error;
      }
      const opened = await file.stat();
      if (!opened.isFile()) throw refused(path, NO_FILE);
      // That may be app.json, or lie in another application.
      if (isWritten && opened.nlink > 1)
        throw refused(
          path,
          'the file has another name, somewhere, under which it would change too (a hard link)',
        );
      if ((flags & OpenFlag.create) !== 0) await this.#empty(file, opened.size);
      this.#app.opened(opened);
      return file;
    } catch (error) {
      await file?.close();
      this.#app.closed();
      throw error;
    }
  }

  async #letGo(file: FileHandle): Promise<void> {
    this.#app.closed(await file.stat().catch(() => undefined));
    await file.close();
  }

  async #empty(file: FileHandle, size: number): Promise<void> {
    await file.truncate(0);
    this.#app.shrunk(size);
  }

  /** Does what makes a file longer by so much, or fails on the way: a full disk takes a part. */
  async #growing(file: FileHandle, size: number, bytes: number, grow: () => Promise<void>): Promise<void> {
    this.#app.growing(bytes, this.#limits.appFileBytes);
    try {
      await grow();
    } catch (error) {
      this.#app.shrunk(bytes - Math.max(0, (await file.stat()).size - size));
      throw error;
    }
  }

  #file(number: unknown): OpenFile {
    const found = this.#open.get(Number(number));
    if (!found) throw new FileError('the file is not open');
    return found;
  }

  async #read({ file, path }: OpenFile, at: number, wanted: number): Promise<Uint8Array> {
    if (!isOffset(at) || !(wanted >= 0)) throw refused(path, 'there is no such place');
    const { size } = await file.stat();
    const bytes = new Uint8Array(Math.max(0, Math.min(Math.floor(wanted), MAX_FILE_CHUNK, size - at)));
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file
        .read(bytes, length, bytes.length - length, at + length)
        .catch(failure(path));
      if (bytesRead === 0) break; // it became shorter
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  }

  /** Returns where the next write would go on. */
  async #write({ file, path, flags }: OpenFile, at: number, bytes: unknown): Promise<number> {
    if (!(bytes instanceof Uint8Array) || !isOffset(at)) throw refused(path, 'there is no such place');
    const isAppended = (flags & OpenFlag.append) !== 0;
    const { size } = await file.stat();
    const start = isAppended ? size : at;
    const end = start + bytes.length;
    const { fileBytes } = this.#limits;
    if (end > fileBytes)
      throw refused(path, `it would have ${end} bytes, more than the ${fileBytes} of limits.fileBytes`);
    await this.#growing(file, size, Math.max(0, end - size), async () => {
      for (let written = 0; written < bytes.length; ) {
        const rest = bytes.length - written;
        const result = await file
          .write(bytes, written, rest, isAppended ? null : start + written)
          .catch(failure(path));
        written += result.bytesWritten;
      }
    });
    return end;
  }

  async #close(number: number): Promise<boolean> {
    const found = this.#open.get(number);
    if (!found) return false;
    this.#open.delete(number);
    await this.#letGo(found.file);
    return true;
  }

  #mkdir(path: unknown): Promise<boolean> {
    return this.#app.sandbox.at(path, async (spot) => {
      this.#claim(spot);
      this.#app.making(this.#limits.files);
      try {
        await mkdir(spot.at, 0o755);
      } catch (error) {
        this.#app.removed(1);
        throw error;
      }
      return true;
    });
  }

  #copy(from: unknown, to: unknown): Promise<boolean> {
    const { sandbox } = this.#app;
    return sandbox.at(from, async (source) => {
      const input = await this.#openAt(source, OpenFlag.read);
      try {
        const { size, dev, ino } = await input.stat();
        const { fileBytes } = this.#limits;
        if (size > fileBytes)
          throw refused(from, `it has ${size} bytes, more than the ${fileBytes} of limits.fileBytes`);
        return await sandbox.at(to, async (target) => {
          const output = await this.#openAt(target, OpenFlag.write);
          try {
            const there = await output.stat();
            if (there.dev === dev && there.ino === ino) throw refused(to, 'it is the file itself');
            await this.#empty(output, there.size);
            await this.#growing(output, 0, size, () => copyBytes(input, output, size));
            return true;
          } finally {
            await this.#letGo(output);
          }
        });
      } finally {
        await this.#letGo(input);
      }
    });
  }

  #rename(from: unknown, to: unknown): Promise<boolean> {
    const { sandbox } = this.#app;
    return sandbox.entry(from, (source) =>
      sandbox.entry(to, async (target) => {
        this.#claim(source);
        this.#claim(target);
        const [stats, there] = [await lstat(source.at), await lstatIfAny(target.at)];
        if (!stats.isFile() && !stats.isDirectory()) throw refused(from, NO_FILE);
        if (there && !(there.isFile() && stats.isFile())) throw refused(to, 'it exists already');
        if (stats.isDirectory()) {
          const { depth } = await measureTree(source, this.#inputs);
          if (target.components.length + depth > MAX_DEPTH)
            throw refused(to, `what is moved would lie more than ${MAX_DEPTH} folders deep`);
        }
        // To itself nothing is moved, and nothing is gone.
        const gone = there && !(there.dev === stats.dev && there.ino === stats.ino) ? there : undefined;
        await rename(source.at, target.at);
        if (gone) this.#gone(1, this.#app.freedBy(gone));
        return true;
      }),
    );
  }

  /** Throws for what scripts may only read. What becomes of it is no news for who builds the application. */
  #claim(spot: Spot): void {
    assertWritable(spot, this.#inputs);
    this.#app.written(spot.real);
  }

  #gone(entries: number, bytes: number): void {
    this.#app.removed(entries);
    this.#app.shrunk(bytes);
  }

  #remove(path: unknown, isRecursive: boolean): Promise<boolean> {
    return this.#app.sandbox.entry(path, async (spot) => {
      this.#claim(spot);
      const stats = await lstat(spot.at);
      if (stats.isFile()) {
        await unlink(spot.at);
        this.#gone(1, this.#app.freedBy(stats));
      } else if (!stats.isDirectory()) throw refused(path, NO_FILE);
      else if (isRecursive) {
        const { entries, bytes } = await measureTree(spot, this.#inputs, (each) => this.#app.freedBy(each));
        await removeTree(spot);
        this.#gone(entries + 1, bytes);
      } else {
        await rmdir(spot.at);
        this.#app.removed(1);
      }
      return true;
    });
  }
}

const NO_FILE = 'it is neither a file nor a folder';

async function copyBytes(input: FileHandle, output: FileHandle, size: number): Promise<void> {
  const buffer = new Uint8Array(Math.min(size, COPY_CHUNK));
  for (let at = 0; at < size; ) {
    const { bytesRead } = await input.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) return;
    for (let written = 0; written < bytesRead; ) {
      const { bytesWritten } = await output.write(buffer, written, bytesRead - written, at + written);
      written += bytesWritten;
    }
    at += bytesRead;
  }
}

function isOffset(at: number): boolean {
  return Number.isSafeInteger(at) && at >= 0;
}

function isMissing(error: unknown): boolean {
  return error instanceof FileError && (error.errno === 'ENOENT' || error.errno === 'ENOTDIR');
}

/** For the files that are open: nobody else puts what the operating system says into words. */
function failure(path: string): (error: unknown) => never {
  return (error) => {
    throw reasonOf(path, error);
  };
}
