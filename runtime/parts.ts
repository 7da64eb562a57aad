import { decodeUtf8, encodeUtf8, utf8Length } from '../wire/utf8.ts';
import { argumentsOf, decodeRemoting, decodeValues, encodeRemoting, isOpaque, makeOpaque } from './amf.ts';
import { bytesIn, isBuffer, numberOf, reading, textOf, wordOf } from './arguments.ts';
import { ask, askAfterAll, askCore, askForCode } from './ask.ts';
import { hide, turnMonotonic, turnTime } from './clock.ts';
import { randomNumber } from './entropy.ts';
import { describe, realTime, reportError } from './events.ts';
import type { Fetches } from './fetch.ts';
import { functionIn, runHandler } from './handlers.ts';
import type { Handover } from './handover.ts';
import { expectClient, linkNumbers, linkPeers } from './host-side.ts';
import { invocations } from './invocations.ts';
import { natives } from './natives.ts';
import {
  after,
  append,
  apply,
  Bytes,
  bytesOfView,
  charCodeAt,
  construct,
  define,
  findIn,
  fromCharCode,
  getPrototypeOf,
  hasOwn,
  isAncestor,
  isArray,
  isView,
  keysOf,
  lengthOf,
  NativeDate,
  NativeError,
  NativeFunction,
  NativeMap,
  NativeRangeError,
  NativeSet,
  NativeTypeError,
  objectPrototype,
  ownKeys,
  part,
  SafeMap,
  SafeSet,
  SafeWeakMap,
  setBytes,
  setEntry,
  setPrototypeOf,
  shown,
  sliceOf,
  sortBy,
  symbolsOf,
  toNumber,
  toText,
  typedArrayName,
} from './primordials.ts';
import { isThenable, makePromise, touch } from './promise.ts';
import { isReserved, reserveMethod, reserveMethods } from './reserved.ts';
import { RpcError } from './rpc.ts';
import { streams } from './stream.ts';
import { later, type Timers } from './timers.ts';
import type { Command } from './wall/commands.ts';

/**
 * Parts of the runtime that few scripts need: their code stays in the core until a script first reads one of their
 * names, so that those who do not need it have neither its code nor its objects.
 */

let timers: Timers;
let fetches: Fetches;
let isClassic = false;
let handover: Handover;

export function startParts(
  ofScript: Timers,
  ofFetch: Fetches,
  ofHandover: Handover,
  isOfClassic: boolean,
): void {
  handover = ofHandover;
  timers = ofScript;
  fetches = ofFetch;
  isClassic = isOfClassic;
}

/** What parts have of the rest of the runtime (shared.ts takes it apart). */
function share() {
  return {
    after,
    append,
    apply,
    argumentsOf,
    ask,
    askAfterAll,
    askCore,
    Bytes,
    bytesIn,
    bytesOfView,
    charCodeAt,
    construct,
    decodeRemoting,
    decodeValues,
    decodeUtf8,
    define,
    describe,
    encodeRemoting,
    encodeUtf8,
    exchange: ((url, headers, body, done) =>
      fetches.exchange(url, headers, body, done)) as Fetches['exchange'],
    expectClient,
    findIn,
    fromCharCode,
    functionIn,
    getPrototypeOf,
    handover: handover.shared,
    hasOwn,
    hide,
    isAncestor,
    isArray,
    isClassic,
    isBuffer,
    isOpaque,
    isReserved,
    isThenable,
    isView,
    invocations,
    keysOf,
    later,
    lengthOf,
    linkNumbers,
    linkPeers,
    makeOpaque,
    makePromise,
    maxFetchBytes: () => fetches.maxBytes,
    NativeDate,
    NativeError,
    NativeMap,
    NativeRangeError,
    natives,
    NativeSet,
    NativeTypeError,
    numberOf,
    objectPrototype,
    ownKeys,
    part,
    reading,
    randomNumber,
    realTime,
    reportError,
    reserveMethods,
    runHandler,
    send: (command: Command, member?: string) => invocations().send(command, member),
    SafeMap,
    SafeSet,
    SafeWeakMap,
    setBytes,
    setEntry,
    setPrototypeOf,
    shown,
    sliceOf,
    sortBy,
    textOf,
    toNumber,
    toText,
    touch,
    turnMonotonic,
    turnTime,
    typedArrayName,
    utf8Length,
    RpcError,
    wordOf,
    request: ((url, init, done) => fetches.request(url, init, done)) as Fetches['request'],
    streams,
    symbolsOf,
    startTimer: (where: string, run: () => void, ms: number) => timers.start(where, run, ms),
  };
}

export type Shared = ReturnType<typeof share>;

/** Runs the code of a part and returns what it gives. */
export function loadPart<T>(name: string): T {
  const code = `"use strict";${askForCode(name)}\n//# sourceURL=stagewire:runtime`;
  let given: T | undefined;
  const give = (value: T) => {
    given = value;
  };
  apply(new NativeFunction('shared', 'give', code), undefined, [share(), give]);
  return given!;
}

/** An accessor that gives way to what `load` returns when it is first read, and to whatever a script puts there. */
export function defineLazily(global: typeof globalThis, name: string, load: () => unknown): void {
  const set = (value: unknown) => hide(global, name, value);
  const get = () => {
    const value = load();
    reserveMethod(global, value);
    set(value);
    return value;
  };
  Object.defineProperty(global, name, { get, set, enumerable: false, configurable: true });
}
