import { NativeTypeError, shown, sliceOf } from '../shared.ts';
import { OpenFlag } from '../wall/files.ts';

const { read, write, append, create } = OpenFlag;
const MODES = {
  __proto__: null,
  read,
  write,
  readWrite: read | write,
  append,
  create,
} as unknown as Readonly<Record<string, number>>;

export type FileType = 'text' | 'binary';

export function typeOf(type: unknown): FileType {
  if (type === 'text' || type === 'utf8') return 'text';
  if (type === 'binary') return 'binary';
  throw new NativeTypeError(`File.open: expected "text" or "binary" as type, got ${shown(type)}`);
}

/** One mode, or several with commas between them: `read,append`. */
export function flagsOf(mode: unknown): number {
  let flags = 0;
  if (typeof mode !== 'string') throw noMode(mode);
  for (let start = 0; start <= mode.length; ) {
    let end = start;
    while (end < mode.length && mode[end] !== ',') end++;
    const flag = MODES[sliceOf(mode, start, end)];
    if (flag === undefined) throw noMode(mode);
    flags |= flag;
    start = end + 1;
  }
  if ((flags & append) !== 0 && (flags & create) !== 0) throw noMode(mode);
  return flags;
}

function noMode(mode: unknown): TypeError {
  return new NativeTypeError(
    `File.open: expected "read", "write", "readWrite", "append" or "create" as mode, got ${shown(mode)}`,
  );
}

export function isReadable(flags: number): boolean {
  return (flags & read) !== 0;
}

export function isWritable(flags: number): boolean {
  return (flags & (write | append | create)) !== 0;
}
