import { append, apply, NativeTypeError, numberOf, reading, SafeSet, shown, startTimer } from '../shared.ts';
import { DOMException } from './dom-exception.ts';
import { dispatch, Event, EventTarget, setWatch } from './events.ts';
import { need, toStringTag } from './helpers.ts';

/** Only this file makes signals: no script gets hold of it. */
const MAKING = {};
/** Web IDL's `unsigned long long` with `[EnforceRange]`. */
const MAX_MS = 2 ** 53 - 1;

export let isSignal: (value: unknown) => value is AbortSignal;
export let signalState: (signal: AbortSignal) => { isAborted: boolean; reason: unknown };
/** Calls `run` when the signal is aborted, until the function that this returns is called. */
export let watchSignal: (signal: AbortSignal, run: () => void) => () => void;
let depend: (signal: AbortSignal, source: AbortSignal) => void;
let abort: (signal: AbortSignal, reason: unknown) => void;

/** Tells whoever works for a script that the script does not want it any more (DOM, section 3.2). */
export class AbortSignal extends EventTarget {
  #isAborted = false;
  #reason: unknown;
  #onabort: object | null = null;
  #hasHandler = false;
  /** What the runtime does when it is aborted, before any listener. */
  readonly #steps = new SafeSet<() => void>();
  /** Those that it depends on, when `any` made it. */
  #sources: AbortSignal[] | undefined;
  /**
   * Those that depend on it. Strong references: isolates have no weak ones. They go when they are aborted, and one
   * that is never aborted lives as long as its sources.
   */
  readonly #dependents = new SafeSet<AbortSignal>();

  constructor(token?: unknown) {
    if (token !== MAKING)
      throw new NativeTypeError('new AbortSignal: made by AbortController, AbortSignal.timeout and .any');
    super();
  }

  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal(MAKING);
    signal.#isAborted = true;
    signal.#reason = reason === undefined ? aborted() : reason;
    return signal;
  }

  static timeout(ms: unknown): AbortSignal {
    need(arguments.length, 1, 'AbortSignal.timeout');
    const given = numberOf('AbortSignal.timeout', ms);
    if (!(given > -1 && given <= MAX_MS))
      throw new NativeTypeError(`AbortSignal.timeout: expected milliseconds from 0 on, got ${shown(ms)}`);
    const signal = new AbortSignal(MAKING);
    const end = () =>
      abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    startTimer('AbortSignal.timeout', end, given);
    return signal;
  }

  static any(signals: Iterable<unknown>): AbortSignal {
    need(arguments.length, 1, 'AbortSignal.any');
    if (typeof signals !== 'object' || signals === null)
      throw new NativeTypeError(`AbortSignal.any: expected an iterable of signals, got ${shown(signals)}`);
    const list: AbortSignal[] = [];
    const given: unknown[] = [];
    reading('AbortSignal.any', () => {
      for (const signal of signals) {
        append(given, signal);
        if (!isSignal(signal)) break;
      }
    });
    for (let i = 0; i < given.length; i++) {
      const signal = given[i];
      if (!isSignal(signal))
        throw new NativeTypeError(`AbortSignal.any: expected signals, got ${shown(signal)}`);
      append(list, signal);
    }
    const result = new AbortSignal(MAKING);
    for (let i = 0; i < list.length; i++) {
      const { isAborted, reason } = signalState(list[i]!);
      if (!isAborted) continue;
      result.#isAborted = true;
      result.#reason = reason;
      return result;
    }
    result.#sources = [];
    for (let i = 0; i < list.length; i++) {
      const sources = list[i]!.#sources;
      if (!sources) depend(result, list[i]!);
      else for (let j = 0; j < sources.length; j++) depend(result, sources[j]!);
    }
    return result;
  }

  static {
    isSignal = (value): value is AbortSignal =>
      typeof value === 'object' && value !== null && #isAborted in value;
    signalState = (signal) => ({ isAborted: signal.#isAborted, reason: signal.#reason });
    watchSignal = (signal, run) => {
      signal.#steps.add(run);
      return () => void signal.#steps.delete(run);
    };
    depend = (signal, source) => {
      append(signal.#sources!, source);
      source.#dependents.add(signal);
    };
    abort = (signal, reason) => {
      if (signal.#isAborted) return;
      signal.#isAborted = true;
      signal.#reason = reason;
      // All of them are aborted before anybody hears of it.
      const all = [signal];
      signal.#dependents.forEach((dependent) => {
        if (dependent.#isAborted) return;
        dependent.#isAborted = true;
        dependent.#reason = reason;
        append(all, dependent);
      });
      for (let i = 0; i < all.length; i++) all[i]!.#tell();
    };
  }

  #tell(): void {
    const sources = this.#sources;
    this.#sources = undefined;
    if (sources) for (let i = 0; i < sources.length; i++) sources[i]!.#dependents.delete(this);
    this.#dependents.clear();
    const steps: (() => void)[] = [];
    this.#steps.forEach((run) => {
      append(steps, run);
    });
    this.#steps.clear();
    for (let i = 0; i < steps.length; i++) steps[i]!();
    dispatch(new Event('abort'), this, true);
  }

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason;
  }

  get onabort(): object | null {
    return this.#onabort;
  }

  set onabort(value: unknown) {
    const isCallable = typeof value === 'object' || typeof value === 'function';
    this.#onabort = isCallable ? (value as object | null) : null;
    if (this.#hasHandler) return;
    this.#hasHandler = true;
    addListener(this, 'abort', (event: Event) => {
      if (typeof this.#onabort === 'function') apply(this.#onabort as () => unknown, this, [event]);
    });
  }

  get [toStringTag](): string {
    return 'AbortSignal';
  }
}

const { addEventListener } = EventTarget.prototype;
const addListener = (target: EventTarget, type: string, callback: unknown) =>
  apply(addEventListener, target, [type, callback]);

setWatch((signal, run, member) => {
  if (!isSignal(signal))
    throw new NativeTypeError(`${member}: signal: expected an AbortSignal, got ${shown(signal)}`);
  if (signalState(signal).isAborted) return false;
  watchSignal(signal, run);
  return true;
});

function aborted(): DOMException {
  return new DOMException('This operation was aborted', 'AbortError');
}

/** Makes a signal and aborts it (DOM, section 3.1). */
export class AbortController {
  readonly #signal = new AbortSignal(MAKING);

  get signal(): AbortSignal {
    return this.#signal;
  }

  abort(reason?: unknown): void {
    abort(this.#signal, reason === undefined ? aborted() : reason);
  }

  get [toStringTag](): string {
    return 'AbortController';
  }
}
