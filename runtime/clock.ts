import { bytesIn } from './arguments.ts';
import { fillRandom, randomNumber } from './entropy.ts';
import {
  apply,
  Bytes,
  construct,
  defineProperty,
  isView,
  lengthOf,
  NativeDate,
  NativeRangeError,
  NativeTypeError,
  shown,
  uncurry,
} from './primordials.ts';
import { loadWeb } from './web.ts';

/**
 * Time enters with the turn: within one turn `Date.now()` stands still, in every turn it moves on. Together with
 * the turn's randomness that makes a script a function of what it was sent.
 */
let nowMs = 0;
let monotonicMs = 0;

export function setTime(now: number, monotonic: number): void {
  nowMs = now;
  monotonicMs = monotonic;
}

/** Milliseconds since 1970 at the start of this turn. */
export function turnTime(): number {
  return nowMs;
}

/** Milliseconds since the host started, at the start of this turn: what `performance.now` tells. */
export function turnMonotonic(): number {
  return monotonicMs;
}

/** Replaces every source of time and randomness that a script can reach. */
export function installClock(global: typeof globalThis): void {
  installDate(global);
  installDateTimeFormat();
  hide(Math, 'random', () => randomNumber());
  hide(global, 'performance', Object.freeze({ now: () => monotonicMs, timeOrigin: 0 }));
  const crypto = {
    getRandomValues,
    randomUUID,
    get subtle() {
      return loadWeb().subtle;
    },
  };
  hide(global, 'crypto', Object.freeze(crypto));
}

/** Defines a writable, configurable property that `for...in` does not show. */
export function hide(target: object, name: PropertyKey, value: unknown): void {
  defineProperty(target, name, {
    __proto__: null, // nothing that a script puts on `Object.prototype` describes it
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  } as PropertyDescriptor);
}

function installDate(global: typeof globalThis): void {
  const dateToText = uncurry(NativeDate.prototype.toString);
  // The native constructor knows the real time: nothing that a script can patch may be given it.
  function StageDate(this: unknown, ...args: unknown[]): unknown {
    if (!new.target) return dateToText(new NativeDate(nowMs));
    return construct(NativeDate, args.length === 0 ? [nowMs] : args, new.target);
  }
  Object.defineProperty(StageDate, 'name', { value: 'Date', configurable: true });
  Object.defineProperty(StageDate, 'length', { value: 7, configurable: true });
  Object.defineProperty(StageDate, 'prototype', { value: NativeDate.prototype, writable: false });
  hide(StageDate, 'now', () => nowMs);
  hide(StageDate, 'parse', NativeDate.parse);
  hide(StageDate, 'UTC', NativeDate.UTC);
  hide(NativeDate.prototype, 'constructor', StageDate);
  hide(global, 'Date', StageDate);
}

function installDateTimeFormat(): void {
  const prototype = Intl.DateTimeFormat.prototype;
  const nativeFormat = Object.getOwnPropertyDescriptor(prototype, 'format')?.get;
  const nativeParts = prototype.formatToParts;
  if (!nativeFormat) return;
  Object.defineProperty(prototype, 'format', {
    configurable: true,
    get(this: Intl.DateTimeFormat) {
      const format = apply(nativeFormat, this, []) as (date?: unknown) => string;
      return (date?: unknown) => format(date === undefined ? nowMs : date);
    },
  });
  hide(prototype, 'formatToParts', function formatToParts(this: Intl.DateTimeFormat, date?: Date | number) {
    return apply(nativeParts, this, [date === undefined ? nowMs : date]);
  });
}

function getRandomValues<T extends ArrayBufferView>(view: T): T {
  if (!isView(view))
    throw new NativeTypeError(`crypto.getRandomValues: expected a typed array, got ${shown(view)}`);
  const bytes = bytesIn(view)!;
  const count = lengthOf(bytes);
  if (count > 65536) {
    throw new NativeRangeError(`crypto.getRandomValues: at most 65536 bytes at once, not ${count}`);
  }
  fillRandom(bytes, count);
  return view;
}

const HEX = '0123456789abcdef';

function randomUUID(): string {
  const bytes = new Bytes(16);
  fillRandom(bytes, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40; // version 4
  bytes[8] = (bytes[8]! & 0x3f) | 0x80; // variant of RFC 9562
  let text = '';
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    text += `${HEX[bytes[i]! >> 4]}${HEX[bytes[i]! & 15]}`;
  }
  return text;
}
