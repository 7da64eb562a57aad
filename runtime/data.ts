import { decodeUtf8, encodeUtf8, utf8Length } from '../wire/utf8.ts';
import { hide } from './clock.ts';
import type { Data } from './data/main.ts';
import { reportError } from './events.ts';
import type { Fetches } from './fetch.ts';
import { runHandler } from './handlers.ts';
import { defineLazily, loadPart } from './parts.ts';
import {
  append,
  apply,
  Bytes,
  charCodeAt,
  define,
  findIn,
  fromCharCode,
  isArray,
  keysOf,
  lengthOf,
  NativeError,
  NativeTypeError,
  shown,
  sliceOf,
  toText,
} from './primordials.ts';

let fetches: Fetches;
let data: Data | undefined;

/** The globals `LoadVars` and `XML` (data/). */
export function installData(global: typeof globalThis, ofScript: Fetches): void {
  fetches = ofScript;
  for (const name of ['LoadVars', 'XML'] as const) defineLazily(global, name, () => loadData()[name]);
}

function loadData(): Data {
  data ??= loadPart<Data>('data', share());
  return data;
}

/** What data/ has of the rest of the runtime (data/shared.ts takes it apart). */
function share() {
  return {
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
    request: ((url, init, done) => fetches.request(url, init, done)) as Fetches['request'],
    runHandler,
    shown,
    sliceOf,
    toText,
    utf8Length,
  };
}

export type Shared = ReturnType<typeof share>;
