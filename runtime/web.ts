import { decodeUtf8, encodeUtf8, utf8Length } from '../wire/utf8.ts';
import { isOpaque } from './amf.ts';
import { askCore } from './ask.ts';
import { hide, turnMonotonic } from './clock.ts';
import { reportError } from './events.ts';
import { natives } from './natives.ts';
import { defineLazily, loadPart } from './parts.ts';
import {
  after,
  append,
  apply,
  Bytes,
  bytesOfView,
  charCodeAt,
  construct,
  define,
  fromCharCode,
  getPrototypeOf,
  hasOwn,
  isAncestor,
  isArray,
  isView,
  keysOf,
  lengthOf,
  NativeDate,
  NativeMap,
  NativeRangeError,
  NativeSet,
  NativeTypeError,
  SafeMap,
  SafeSet,
  setBytes,
  setEntry,
  setPrototypeOf,
  shown,
  sliceOf,
  sortBy,
  typedArrayName,
} from './primordials.ts';
import { makePromise, touch } from './promise.ts';
import type { Timers } from './timers.ts';
import type { Web } from './web/main.ts';

/**
 * The web standards that scripts know from elsewhere (web/). Few instances need one, and together they would be a
 * tenth of what an idle one takes: their code stays in the core until a script first reads one of their names.
 */
const NAMES = [
  'URL',
  'URLSearchParams',
  'TextEncoder',
  'TextDecoder',
  'structuredClone',
  'Event',
  'EventTarget',
  'AbortController',
  'AbortSignal',
  'DOMException',
  'atob',
  'btoa',
] as const;

let timers: Timers;
let web: Web | undefined;

export function installWeb(global: typeof globalThis, ofScript: Timers): void {
  timers = ofScript;
  for (const name of NAMES) defineLazily(global, name, () => loadWeb().globals[name]);
}

/** What was loaded so far: without it, nothing that a script holds is of it. */
export function loadedWeb(): Web | undefined {
  return web;
}

export function loadWeb(): Web {
  web ??= loadPart<Web>('web', share());
  return web;
}

/** What web/ has of the rest of the runtime (web/shared.ts takes it apart). */
function share() {
  return {
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
    startTimer: (where: string, run: () => void, ms: number) => timers.start(where, run, ms),
    touch,
    turnMonotonic,
    typedArrayName,
    utf8Length,
  };
}

export type Shared = ReturnType<typeof share>;
