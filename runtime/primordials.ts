/** What the runtime captures beside what it shares with the codec: see wire/primordials.ts for how it is used. */
import { append, isArray, lengthOf, sliceOf, toText, uncurry } from '../wire/primordials.ts';

export * from '../wire/primordials.ts';

/** `buffer.grow(bytes)`. */
export const growBuffer: (buffer: SharedArrayBuffer, bytes: number) => void = uncurry(
  SharedArrayBuffer.prototype.grow,
);
/** `Atomics.wait`, which scripts do not have. */
export const { wait: atomicsWait } = Atomics;
export const symbolsOf: (object: object) => symbol[] = Object.getOwnPropertySymbols;
export const { deleteProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
/** `list.sort(compare)`. `compare` must run no code of the application. */
export const sortBy: <T>(list: T[], compare: (a: T, b: T) => number) => T[] = uncurry(
  Array.prototype.sort,
) as never;
/** `text.indexOf(part, from)`. */
export const findIn: (text: string, part: string, from: number) => number = uncurry(String.prototype.indexOf);
/** `JSON.stringify(text)`: a text in quotes. */
export const quoted = JSON.stringify as (text: string) => string;
/** `date.toISOString()`. */
export const dateText: (date: Date) => string = uncurry(Date.prototype.toISOString);
export const { isFinite: isFiniteNumber } = Number;
export const { ceil, trunc } = Math;
/** `new Function(parameter, ..., body)`. */
export const NativeFunction: FunctionConstructor = Function;
export const NativeError: ErrorConstructor = Error;
export const NativeTypeError: TypeErrorConstructor = TypeError;
export const NativeRangeError: RangeErrorConstructor = RangeError;
/** `Number(value)`: runs code of the application when `value` is an object. */
export const toNumber = Number;

/** Bytes whose length is their own, for those who ask for it as `bytes.length` (runtime/wall/). */
export class OwnBytes extends Uint8Array {}
Object.defineProperty(OwnBytes.prototype, 'length', {
  get(this: Uint8Array) {
    return lengthOf(this);
  },
});

/** A value that is not what was expected, for the message that says so. Runs no code of the application. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value.length > 60 ? `${sliceOf(value, 0, 60)}...` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return isArray(value) ? 'an array' : 'an object';
  return typeof value === 'symbol' ? 'a symbol' : toText(value);
}

/** `[first, ...rest]`. */
export function prepend(first: unknown, rest: readonly unknown[]): unknown[] {
  const list = [first];
  for (let i = 0; i < rest.length; i++) append(list, rest[i]);
  return list;
}

/** `list.slice(start)`. */
export function after(list: readonly unknown[], start: number): unknown[] {
  const rest: unknown[] = [];
  for (let i = start; i < list.length; i++) append(rest, list[i]);
  return rest;
}
