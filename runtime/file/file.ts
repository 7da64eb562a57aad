import {
  after,
  append,
  apply,
  ask,
  Bytes,
  describe,
  isArray,
  makeOpaque,
  NativeDate,
  NativeError,
  NativeTypeError,
  reading,
  reportError,
  shown,
  sliceOf,
  wordOf,
} from '../shared.ts';
import { OpenFlag } from '../wall/files.ts';
import { flagsOf, isReadable, isWritable, typeOf } from './mode.ts';
import { OpenFile } from './open-file.ts';
import { encodeBinary, encodeText } from './text.ts';

/** What the host says of a path: what is there, its size, when it was made and last written. */
type Stats = [kind: 'file' | 'folder' | 'other', size: number, madeMs: number, writtenMs: number];

/**
 * A file or folder of the application (Server-Side ActionScript Language Reference, class File). Whatever cannot be
 * done is told to the author and `application.onStatus`, and the member returns false, -1 or undefined.
 */
export class File {
  #path: string;
  #open: OpenFile | undefined;

  constructor(path: unknown) {
    if (typeof path !== 'string')
      throw new NativeTypeError(`File: expected a path in the application's folder, got ${shown(path)}`);
    makeOpaque(this);
    this.#path = path;
  }

  get name(): string {
    return this.#path;
  }

  get exists(): boolean {
    return this.#stat('exists') !== undefined;
  }

  get isFile(): boolean {
    return this.#stat('isFile')?.[0] === 'file';
  }

  get isDirectory(): boolean {
    return this.#stat('isDirectory')?.[0] === 'folder';
  }

  get length(): number {
    const stats = this.#existing('length');
    if (!stats) return -1;
    if (stats[0] !== 'folder') return stats[1];
    return this.#try('length', -1, () => ask('file.count', this.#path) as number);
  }

  get creationTime(): Date | undefined {
    const stats = this.#existing('creationTime');
    return stats && new NativeDate(stats[2]);
  }

  get lastModified(): Date | undefined {
    const stats = this.#existing('lastModified');
    return stats && new NativeDate(stats[3]);
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  get type(): string | undefined {
    return this.#open?.type;
  }

  get mode(): string | undefined {
    return this.#open?.mode;
  }

  get canRead(): boolean | undefined {
    return this.#open && isReadable(this.#open.flags);
  }

  get canWrite(): boolean | undefined {
    return this.#open && isWritable(this.#open.flags);
  }

  get canAppend(): boolean | undefined {
    return this.#open && (this.#open.flags & OpenFlag.append) !== 0;
  }

  get canReplace(): boolean | undefined {
    return this.#open && (this.#open.flags & OpenFlag.create) !== 0;
  }

  get position(): number | undefined {
    return this.#open?.position;
  }

  set position(to: unknown) {
    const isPlace = typeof to === 'number' && to >= 0 && to <= 2 ** 53 && to % 1 === 0;
    if (!isPlace)
      throw new NativeTypeError(`File.position: expected a whole number from 0 on, got ${shown(to)}`);
    if (this.#open) this.#open.position = to;
    else this.#fail('position', 'it is not open');
  }

  open(type: unknown, mode: unknown): boolean {
    const checked = typeOf(type);
    const flags = flagsOf(mode);
    if (this.#open) return this.#fail('open', 'it is open already');
    return this.#try('open', false, () => {
      const open = new OpenFile(this.#path, checked, mode as string, flags);
      this.#open = open;
      if (checked === 'text' && isReadable(flags)) open.skipMark();
      return true;
    });
  }

  close(): boolean {
    const open = this.#open;
    if (!open) return this.#fail('close', 'it is not open');
    this.#open = undefined;
    return this.#try('close', false, () => {
      open.close();
      return true;
    });
  }

  read(count: unknown): string | undefined {
    if (typeof count !== 'number' || !(count >= 0))
      throw new NativeTypeError(`File.read: expected how many characters to read, got ${shown(count)}`);
    return this.#reading('read', undefined, (open) => open.read(count - (count % 1 || 0)));
  }

  readByte(): number {
    return this.#reading('readByte', -1, (open) => open.readByte() ?? -1, 'binary');
  }

  readln(): string | undefined {
    return this.#reading('readln', undefined, (open) => open.readLine(), 'text');
  }

  readAll(): string[] | undefined {
    return this.#reading('readAll', undefined, (open) => open.readLines(), 'text');
  }

  eof(): boolean {
    const open = this.#open;
    if (!open) return true;
    if (isReadable(open.flags)) return this.#try('eof', true, () => open.isAtEnd());
    return open.position >= this.length;
  }

  write(...values: unknown[]): boolean {
    return this.#writeText('write', values, '');
  }

  writeln(...values: unknown[]): boolean {
    return this.#writeText('writeln', values, '\n', 'text');
  }

  writeAll(lines: unknown): boolean {
    if (!isArray(lines))
      throw new NativeTypeError(`File.writeAll: expected an array of lines, got ${shown(lines)}`);
    let text = '';
    const list = reading('File.writeAll', () => after(lines, 0));
    for (let i = 0; i < list.length; i++) text += `${wordOf('File.writeAll', list[i])}\n`;
    return this.#writing('writeAll', () => encodeText(text), 'text');
  }

  writeByte(byte: unknown): boolean {
    if (typeof byte !== 'number' || !(byte >= 0 && byte <= 255) || byte % 1 !== 0)
      throw new NativeTypeError(`File.writeByte: expected a whole number from 0 to 255, got ${shown(byte)}`);
    const bytes = new Bytes(1);
    bytes[0] = byte;
    return this.#writing('writeByte', () => bytes, 'binary');
  }

  /** All that was written is with the operating system already. */
  flush(): boolean {
    return this.#writing('flush', () => new Bytes(0));
  }

  /** From where it is, forwards or backwards. */
  seek(bytes: unknown): number {
    if (typeof bytes !== 'number' || bytes % 1 !== 0)
      throw new NativeTypeError(`File.seek: expected by how many bytes to move, got ${shown(bytes)}`);
    const open = this.#open;
    if (!open) return this.#fail('seek', 'it is not open', -1);
    const to = open.position + bytes;
    if (to < 0 || to > 2 ** 53) return this.#fail('seek', `there is no position ${to}`, -1);
    open.position = to;
    return to;
  }

  list(filter?: unknown): File[] | false {
    if (filter !== undefined && filter !== null && typeof filter !== 'function')
      throw new NativeTypeError(`File.list: expected a function that takes a name, got ${shown(filter)}`);
    const names = this.#try('list', undefined, () => ask('file.list', this.#path) as string);
    if (names === undefined) return false;
    const files: File[] = [];
    for (let start = 0; start < names.length; ) {
      let end = start;
      while (end < names.length && names[end] !== '/') end++;
      const name = sliceOf(names, start, end);
      if (!filter || apply(filter as (name: string) => unknown, undefined, [name]))
        append(files, fileAt(this.#inside(name)));
      start = end + 1;
    }
    return files;
  }

  mkdir(name: unknown): boolean {
    if (typeof name !== 'string')
      throw new NativeTypeError(`File.mkdir: expected the name of the new folder, got ${shown(name)}`);
    return this.#try('mkdir', false, () => ask('file.mkdir', this.#inside(name)) === true);
  }

  copyTo(path: unknown): boolean {
    const target = this.#target('copyTo', path);
    return this.#try('copyTo', false, () => ask('file.copy', this.#path, target) === true);
  }

  renameTo(path: unknown): boolean {
    const target = this.#target('renameTo', path);
    if (this.#open) return this.#fail('renameTo', 'close it first');
    return this.#try('renameTo', false, () => {
      ask('file.rename', this.#path, target);
      this.#path = target;
      return true;
    });
  }

  remove(isRecursive?: unknown): boolean {
    if (isRecursive !== undefined && typeof isRecursive !== 'boolean')
      throw new NativeTypeError(
        `File.remove: expected true for all that is in it, got ${shown(isRecursive)}`,
      );
    if (this.#open) return this.#fail('remove', 'close it first');
    return this.#try('remove', false, () => ask('file.remove', this.#path, isRecursive === true) === true);
  }

  toString(): string {
    return this.#path;
  }

  /** The path that a text or another File stands for. */
  #target(member: string, path: unknown): string {
    if (typeof path === 'string') return path;
    if (typeof path === 'object' && path !== null && #path in path) return path.#path;
    throw new NativeTypeError(
      `File.${member}: expected a path in the application's folder, got ${shown(path)}`,
    );
  }

  /** Undefined when there is nothing of that name. */
  #stat(member: string): Stats | undefined {
    return this.#try(member, undefined, () => (ask('file.stat', this.#path) as Stats | null) ?? undefined);
  }

  #existing(member: string): Stats | undefined {
    return this.#try(member, undefined, () => {
      const stats = ask('file.stat', this.#path) as Stats | null;
      if (!stats) throw new NativeError(`${this.#path}: there is no such file or folder`);
      return stats;
    });
  }

  #inside(name: string): string {
    const end = this.#path.length - 1;
    return this.#path[end] === '/' ? this.#path + name : `${this.#path}/${name}`;
  }

  #reading<T>(member: string, failed: T, read: (open: OpenFile) => T, type?: 'text' | 'binary'): T {
    const open = this.#open;
    if (!open) return this.#fail(member, 'it is not open', failed);
    if (!isReadable(open.flags)) return this.#fail(member, `it is open to ${open.mode}`, failed);
    if (type && open.type !== type) return this.#fail(member, `it is open as ${open.type}`, failed);
    const { position } = open;
    return this.#try(member, failed, () => {
      try {
        return read(open);
      } catch (error) {
        open.position = position;
        throw error;
      }
    });
  }

  #writeText(member: string, values: unknown[], end: string, type?: 'text'): boolean {
    let text = '';
    for (let i = 0; i < values.length; i++) text += wordOf(`File.${member}`, values[i]);
    text += end;
    // Only now: to become text, a value may have closed the file.
    const isBinary = this.#open?.type === 'binary';
    return this.#writing(member, () => (isBinary ? encodeBinary(member, text) : encodeText(text)), type);
  }

  #writing(member: string, encode: () => Uint8Array, type?: 'text' | 'binary'): boolean {
    const open = this.#open;
    if (!open) return this.#fail(member, 'it is not open');
    if (!isWritable(open.flags)) return this.#fail(member, `it is open to ${open.mode}`);
    if (type && open.type !== type) return this.#fail(member, `it is open as ${open.type}`);
    const bytes = encode();
    return this.#try(member, false, () => {
      open.write(bytes);
      return true;
    });
  }

  #try<T>(member: string, failed: T, act: () => T): T {
    try {
      return act();
    } catch (error) {
      reportError(new NativeError(`File.${member}: ${describe(error).message}`));
      return failed;
    }
  }

  #fail<T = false>(member: string, why: string, failed: T = false as T): T {
    return this.#try(member, failed, () => {
      throw new NativeError(`${this.#path}: ${why}`);
    });
  }
}

/** Outside of the class, which the bundler would call otherwise if it named itself. */
function fileAt(path: string): File {
  return new File(path);
}
