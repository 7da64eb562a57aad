import { describe } from './events.ts';
import { natives } from './natives.ts';
import {
  apply,
  Bytes,
  bytesOfView,
  isView,
  NativeTypeError,
  shown,
  toNumber,
  toText,
} from './primordials.ts';

/**
 * What is made of an argument, which may run code of the application. What that throws, or V8 says of a value that
 * nothing can be made of, is the caller's TypeError: it begins with the member, as all do.
 */
export function reading<T>(member: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new NativeTypeError(`${member}: ${describe(error).message}`);
  }
}

/** An argument as text, as templates make it: symbols have none. */
export function textOf(member: string, value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return `${value}`;
  } catch (error) {
    throw unfit(member, 'text', value, error);
  }
}

/** As `textOf`, for what is printed or written: there a symbol has a text. */
export function wordOf(member: string, value: unknown): string {
  return typeof value === 'symbol' ? toText(value) : textOf(member, value);
}

/** An argument as a number, as `Number` makes it; NaN for what is none. */
export function numberOf(member: string, value: unknown): number {
  if (typeof value === 'number') return value;
  try {
    return toNumber(value);
  } catch (error) {
    throw unfit(member, 'a number', value, error);
  }
}

/**
 * The bytes of an ArrayBuffer or a view of one; they share its memory. None when that was transferred, as the web's
 * standards have it; undefined for anything else.
 */
export function bytesIn(value: unknown): Uint8Array | undefined {
  if (!isView(value) && !isBuffer(value)) return undefined;
  try {
    return isView(value) ? bytesOfView(value) : new Bytes(value);
  } catch {
    return new Bytes(0);
  }
}

export function isBuffer(value: unknown): value is ArrayBuffer {
  try {
    apply(natives.byteLengthOf, value, []);
    return true;
  } catch {
    return false;
  }
}

function unfit(member: string, wanted: string, value: unknown, error: unknown): TypeError {
  const why = typeof value === 'symbol' ? '' : `: ${describe(error).message}`;
  return new NativeTypeError(`${member}: expected ${wanted}, got ${shown(value)}${why}`);
}
