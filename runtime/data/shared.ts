import type { Shared } from '../data.ts';

/**
 * What the modules of this folder have of the rest of the runtime. They are a bundle of their own, evaluated after the
 * application has run: an import from elsewhere would be a second copy, which captures what the application left.
 */
declare const shared: Shared;

export const {
  append,
  apply,
  Bytes,
  charCodeAt,
  decodeUtf8,
  define,
  encodeUtf8,
  findIn,
  fromCharCode,
  hide,
  isArray,
  keysOf,
  lengthOf,
  NativeError,
  NativeTypeError,
  reportError,
  request,
  runHandler,
  shown,
  sliceOf,
  toText,
  utf8Length,
} = shared;
