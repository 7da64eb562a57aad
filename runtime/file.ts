import { decodeUtf8, encodeUtf8, utf8Length } from '../wire/utf8.ts';
import { makeOpaque } from './amf.ts';
import { ask } from './ask.ts';
import { describe, reportError } from './events.ts';
import { defineLazily, loadPart } from './parts.ts';
import {
  append,
  apply,
  Bytes,
  charCodeAt,
  fromCharCode,
  isArray,
  lengthOf,
  NativeDate,
  NativeError,
  NativeTypeError,
  part,
  setBytes,
  shown,
  sliceOf,
  toText,
} from './primordials.ts';

/** The global `File` (file/). */
export function installFile(global: typeof globalThis): void {
  defineLazily(global, 'File', () => loadPart('file', share()));
}

/** What file/ has of the rest of the runtime (file/shared.ts takes it apart). */
function share() {
  return {
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
  };
}

export type Shared = ReturnType<typeof share>;
