import { currentEvent, type EventContext, reportError, within } from './events.ts';
import { Header } from './protocol.ts';

/**
 * Promises that know the event they belong to. Isolates have no asynchronous hooks, so the global `Promise` is a
 * subclass (app builds are lowered to it from `async`/`await`): its callbacks run in the context that registered
 * them, and a rejection that nobody handles is reported with the handler that caused it, each one and not only
 * the first.
 */
const NativePromise = Promise;
const nativeThen = NativePromise.prototype.then;

let header: Int32Array | undefined;
let isTouched = false;
let isInternal = false;
const rejected: StagePromise<unknown>[] = [];

export class StagePromise<T> extends NativePromise<T> {
  readonly #event: EventContext = currentEvent();
  #isHandled = false;
  #reason: unknown;

  static override get [Symbol.species](): PromiseConstructor {
    return isInternal ? NativePromise : StagePromise;
  }

  /** A native promise, as `async` functions that were not lowered return it, is a promise too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return Function.prototype[Symbol.hasInstance].call(NativePromise, value);
  }

  constructor(
    executor: (resolve: (value: T | PromiseLike<T>) => void, reject: (reason?: unknown) => void) => void,
  ) {
    super(executor);
    isTouched = true;
    // With a native handler attached V8 never calls this rejection unhandled: that is decided in `settle`.
    isInternal = true;
    nativeThen.call(this, undefined, (reason: unknown) => {
      if (this.#isHandled) return;
      this.#reason = reason;
      rejected.push(this);
      if (header) header[Header.again] = 1;
    });
    isInternal = false;
  }

  // biome-ignore lint/suspicious/noThenProperty: this is a promise.
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isHandled = true;
    const event = currentEvent();
    return nativeThen.call(this, bind(event, onFulfilled), bind(event, onRejected)) as Promise<A | B>;
  }

  /** Reports the rejections of earlier entries that are still unhandled. */
  static settle(): void {
    for (const promise of rejected.splice(0)) {
      if (!promise.#isHandled) within(promise.#event, () => reportError(promise.#reason));
    }
  }
}

function bind(event: EventContext, fn: unknown): never {
  const bound = typeof fn === 'function' ? (value: unknown) => within(event, () => fn(value)) : undefined;
  return bound as never;
}

export function installPromise(global: typeof globalThis, sharedHeader: Int32Array): void {
  header = sharedHeader;
  Object.defineProperty(StagePromise, 'name', { value: 'Promise', configurable: true });
  Object.defineProperty(global, 'Promise', {
    value: StagePromise,
    writable: true,
    configurable: true,
    enumerable: false,
  });
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
  new StagePromise<unknown>((resolve) => resolve(value)).then(onValue, onError);
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
