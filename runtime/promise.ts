import { hide } from './clock.ts';
import { currentEvent, type EventContext, reportError, within } from './events.ts';
import {
  append,
  getPrototypeOf,
  hasOwn,
  NativeTypeError,
  objectPrototype,
  setPrototypeOf,
  uncurry,
} from './primordials.ts';
import { Header } from './wall/boot.ts';

/**
 * Promises that know the event they belong to. Isolates have no asynchronous hooks, so the global `Promise` is a
 * kind of its own (app builds are lowered to it from `async`/`await`): its callbacks run in the context that
 * registered them, and a rejection that nobody handles is reported with the handler that caused it, each one and
 * not only the first.
 */
const NativePromise = Promise;
const nativeThen = uncurry(NativePromise.prototype.then) as <T>(
  promise: Promise<T>,
  onValue: ((value: T) => unknown) | undefined,
  onError?: (reason: unknown) => unknown,
) => Promise<unknown>;

type Executor<T> = (resolve: (value: T | PromiseLike<T>) => void, reject: (reason?: unknown) => void) => void;

let header: Int32Array | undefined;
let isTouched = false;
let rejected: TrackedPromise<unknown>[] = [];

/** The runtime's own. No script gets hold of one, so constructor and species of what `then` makes are these. */
class OwnPromise<T> extends NativePromise<T> {
  static override get [Symbol.species](): PromiseConstructor {
    return OwnPromise;
  }
}

/** What a script's promise is made as: `makePromise` gives it the prototype that the script sees. */
class TrackedPromise<T> extends OwnPromise<T> {
  readonly #event: EventContext = currentEvent();
  #isHandled = false;
  #reason: unknown;

  constructor(executor: Executor<T>) {
    super(executor);
    isTouched = true;
    // With a native handler attached V8 never calls this rejection unhandled: that is decided in `settleRejected`.
    nativeThen(this, undefined, (reason: unknown) => {
      if (this.#isHandled) return;
      this.#reason = reason;
      append(rejected, this);
      if (header) header[Header.again] = 1;
    });
  }

  static handle(promise: object): void {
    if (#isHandled in promise) promise.#isHandled = true;
  }

  report(): void {
    if (!this.#isHandled) within(this.#event, () => reportError(this.#reason));
  }
}
const { handle } = TrackedPromise;
const report = uncurry(TrackedPromise.prototype.report);

/** The global `Promise`. No class: a script may exchange what a class extends, and would be handed the executors. */
function StagePromise(executor: Executor<unknown>): Promise<unknown> {
  if (!new.target) throw new NativeTypeError("Promise constructor cannot be invoked without 'new'");
  return makePromise(executor, new.target.prototype);
}

const stagePrototype = Object.create(NativePromise.prototype, {
  constructor: { value: StagePromise, writable: true, configurable: true },
  // biome-ignore lint/suspicious/noThenProperty: this is what promises inherit.
  then: { value: then, writable: true, configurable: true },
}) as Promise<unknown>;

function then(this: Promise<unknown>, onFulfilled?: unknown, onRejected?: unknown): Promise<unknown> {
  handle(this);
  const event = currentEvent();
  return nativeThen(this, inEvent(event, onFulfilled), inEvent(event, onRejected));
}

function inEvent(event: EventContext, fn: unknown): ((value: unknown) => unknown) | undefined {
  return typeof fn === 'function' ? (value: unknown) => within(event, () => fn(value)) : undefined;
}

/** A promise for the application. */
export function makePromise<T>(executor: Executor<T>, prototype: unknown = stagePrototype): Promise<T> {
  const promise = new TrackedPromise(executor);
  const isUsable = typeof prototype === 'object' && prototype !== null;
  setPrototypeOf(promise, isUsable ? prototype : stagePrototype);
  return promise;
}

export function installPromise(global: typeof globalThis, sharedHeader: Int32Array): void {
  header = sharedHeader;
  const hasInstance = uncurry(Function.prototype[Symbol.hasInstance]);
  Object.setPrototypeOf(StagePromise, NativePromise);
  Object.defineProperty(StagePromise, 'name', { value: 'Promise', configurable: true });
  Object.defineProperty(StagePromise, 'prototype', { value: stagePrototype, writable: false });
  Object.defineProperty(StagePromise, Symbol.hasInstance, {
    // A native promise, as `async` functions that were not lowered return it, is a promise too.
    value(this: unknown, value: unknown) {
      return hasInstance((this === StagePromise ? NativePromise : this) as typeof NativePromise, value);
    },
    writable: true,
    configurable: true,
  });
  hide(global, 'Promise', StagePromise);
}

/** Whether a promise was made since the last call. An event that made one ends its entry (ARCHITECTURE.md, "The wall"). */
export function takeTouched(): boolean {
  const was = isTouched;
  isTouched = false;
  return was;
}

/** What is done now settles a promise: its continuations run before the next event, and belong to this one. */
export function touch(): void {
  isTouched = true;
}

/** Reports the rejections of earlier entries that are still unhandled. */
export function settleRejected(): void {
  if (rejected.length === 0) return;
  const settled = rejected;
  rejected = [];
  for (let i = 0; i < settled.length; i++) report(settled[i]!);
}

/** Hands over what `value` settles to, at once when it is no promise. */
export function whenSettled(
  value: unknown,
  onValue: (value: unknown) => void,
  onError: (error: unknown) => void,
): void {
  if (!isThenable(value)) {
    onValue(value);
    return;
  }
  afterwards(new OwnPromise<unknown>((resolve) => resolve(value)), onValue, onError);
}

/** `queueMicrotask`: what `fn` throws is reported. */
export function runSoon(fn: () => void): void {
  afterwards(new OwnPromise<void>((resolve) => resolve()), fn, reportError);
}

/** The runtime's own `then`, in the event that is current now: `onError` hears what `onValue` throws as well. */
function afterwards<T>(
  promise: OwnPromise<T>,
  onValue: (value: T) => void,
  onError: (error: unknown) => void,
): void {
  isTouched = true;
  const event = currentEvent();
  const fail = (error: unknown) => within(event, () => onError(error));
  const succeed = (value: T) =>
    within(event, () => {
      try {
        onValue(value);
      } catch (error) {
        onError(error);
      }
    });
  nativeThen(promise, succeed, fail);
}

export function isThenable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (hasOwn(objectPrototype, 'then') && !hasThenOfItsOwn(value)) return false;
  return typeof (value as { then?: unknown }).then === 'function';
}

/** A `then` that a script gives to every object makes none of them a promise. */
function hasThenOfItsOwn(value: object): boolean {
  for (let at: object | null = value; at !== null && at !== objectPrototype; at = getPrototypeOf(at)) {
    if (hasOwn(at, 'then')) return true;
  }
  return false;
}
