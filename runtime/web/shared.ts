import type { Shared } from '../web.ts';

/**
 * What the modules of this folder have of the rest of the runtime. They are a bundle of their own, evaluated after the
 * application has run: an import from elsewhere would be a second copy, which captures what the application left.
 */
declare const shared: Shared;

export const {
  after,
  append,
  apply,
  askCore,
  Bytes,
  bytesOfView,
  charCodeAt,
  construct,
  decodeUtf8,
  define,
  encodeUtf8,
  fromCharCode,
  getPrototypeOf,
  hasOwn,
  hide,
  isAncestor,
  isArray,
  isOpaque,
  isView,
  keysOf,
  lengthOf,
  makePromise,
  NativeDate,
  NativeMap,
  NativeRangeError,
  NativeSet,
  NativeTypeError,
  natives,
  reportError,
  SafeMap,
  SafeSet,
  setBytes,
  setEntry,
  setPrototypeOf,
  shown,
  sliceOf,
  sortBy,
  startTimer,
  touch,
  turnMonotonic,
  typedArrayName,
  utf8Length,
} = shared;

export const { iterator, toStringTag } = natives;

/** Throws as browsers do when a member is called with too little. */
export function need(given: number, needed: number, member: string): void {
  if (given < needed)
    throw new NativeTypeError(`${member}: ${needed} argument${needed > 1 ? 's' : ''} required, got ${given}`);
}

/** The bytes of an ArrayBuffer or a view of one; they share its memory. Undefined for anything else. */
export function bytesIn(value: unknown): Uint8Array | undefined {
  if (isView(value)) return bytesOfView(value);
  return isBuffer(value) ? new Bytes(value) : undefined;
}

export function isBuffer(value: unknown): value is ArrayBuffer {
  try {
    apply(natives.byteLengthOf, value, []);
    return true;
  } catch {
    return false;
  }
}
