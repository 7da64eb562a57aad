import type { Shared } from '../file.ts';

/**
 * What the modules of this folder have of the rest of the runtime. They are a bundle of their own, evaluated after the
 * application has run: an import from elsewhere would be a second copy, which captures what the application left.
 */
declare const shared: Shared;

export const {
  append,
  apply,
  ask,
  Bytes,
  charCodeAt,
  decodeUtf8,
  describe,
  encodeUtf8,
  fromCharCode,
  isArray,
  lengthOf,
  makeOpaque,
  NativeDate,
  NativeError,
  NativeTypeError,
  part,
  reportError,
  setBytes,
  shown,
  sliceOf,
  toText,
  utf8Length,
} = shared;
