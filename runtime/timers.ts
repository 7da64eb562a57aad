import { numberOf } from './arguments.ts';
import { hide, turnTime } from './clock.ts';
import { runHandler } from './handlers.ts';
import type { Outbox } from './outbox.ts';
import {
  after,
  append,
  apply,
  ceil,
  isSame,
  NativeRangeError,
  NativeTypeError,
  SafeMap,
  shown,
  sortBy,
  toNumber,
} from './primordials.ts';

interface Timer {
  id: number;
  dueMs: number;
  /** Undefined for a timeout. */
  everyMs: number | undefined;
  where: string;
  /** The script had started when it was set, or what led to it was. */
  isLate: boolean;
  run(): unknown;
}

const TIME_OUT = 'a time-out';
let present: Timers | undefined;

/** Runs something of the runtime after so many milliseconds. Returns what takes that back; the caller bounds how many there are. */
export function later(ms: number, run: () => void): () => void {
  return present!.later(ms, run);
}

const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * `setTimeout` and `setInterval`. The isolate keeps the timers and the host keeps one alarm per instance, for the
 * earliest of them. Each timer that is due runs as an event of its own; missed ticks are not repeated.
 */
export class Timers {
  readonly #outbox: Outbox;
  readonly #max: number;
  readonly #timers = new SafeMap<number, Timer>();
  /** How many of them are the runtime's, which do not count for the limit. */
  #runtimes = 0;
  #nextId = 1;
  #alarmMs = Infinity;
  /** What timers that are set now are. */
  #isLate = false;

  constructor(outbox: Outbox, max: number) {
    this.#outbox = outbox;
    this.#max = max;
  }

  install(global: typeof globalThis): void {
    present = this;
    const clear = (member: string, id: unknown) => {
      const number = numberOf(member, id);
      // A number that a script made up may be that of a time-out of the runtime's.
      if (this.#timers.get(number)?.where !== TIME_OUT) this.#timers.delete(number);
    };
    hide(global, 'setTimeout', (fn: unknown, ms?: unknown, ...args: unknown[]) =>
      this.#add('setTimeout', fn, ms, args, false),
    );
    hide(global, 'setInterval', (target: unknown, first?: unknown, ...rest: unknown[]) => {
      // FCS: setInterval(object, "method", ms, ...args) looks the method up at each tick.
      if (isObjectForm(target, first)) {
        const args = after(rest, 1);
        const call = () => {
          const fn = (target as Record<string, unknown>)[first];
          if (typeof fn !== 'function')
            throw new NativeTypeError(`setInterval: the object has no method "${first}"`);
          return apply(fn, target, args);
        };
        return this.#add('setInterval', call, rest.length > 0 ? rest[0] : undefined, [], true);
      }
      return this.#add('setInterval', target, first, rest, true);
    });
    hide(global, 'clearTimeout', (id: unknown) => clear('clearTimeout', id));
    hide(global, 'clearInterval', (id: unknown) => clear('clearInterval', id));
  }

  /** The script has started. */
  begin(): void {
    this.#isLate = true;
  }

  /** Those that a start of the same code would not set again. */
  get sinceStart(): number {
    let count = 0;
    this.#timers.forEach(({ isLate }) => {
      if (isLate) count++;
    });
    return count;
  }

  /** A timeout of the runtime's own, within the limit as the script's are. */
  start(where: string, run: () => void, ms: number): void {
    this.#add(where, run, ms, [], false);
  }

  /** Runs what is due, one event each, until `mustYield` says that the rest should have an entry of its own. */
  wake(mustYield: () => boolean): void {
    this.#alarmMs = Infinity;
    const now = turnTime();
    const due: Timer[] = [];
    this.#timers.forEach((timer) => {
      if (timer.dueMs <= now) append(due, timer);
    });
    sortBy(due, (a, b) => a.dueMs - b.dueMs || a.id - b.id);
    for (let i = 0; i < due.length; i++) {
      const timer = due[i]!;
      if (!this.#timers.has(timer.id)) continue; // cleared by one before it
      if (timer.everyMs === undefined) {
        this.#timers.delete(timer.id);
        if (timer.where === TIME_OUT) this.#runtimes--;
      } else timer.dueMs += timer.everyMs * ceil((now - timer.dueMs + 1) / timer.everyMs);
      const wasLate = this.#isLate;
      this.#isLate = timer.isLate;
      runHandler(timer.where, timer.run, undefined, []);
      this.#isLate = wasLate;
      if (mustYield()) break;
    }
    this.#setAlarm();
  }

  #add(where: string, fn: unknown, ms: unknown, args: unknown[], isRepeated: boolean): number {
    if (typeof fn !== 'function')
      throw new NativeTypeError(`${where}: expected a function, got ${shown(fn)}`);
    const asked = numberOf(where, ms);
    if (this.#timers.size - this.#runtimes >= this.#max) {
      throw new NativeRangeError(`${where}: ${this.#max} timers are running, and that is the limit`);
    }
    const least = isRepeated ? 1 : 0;
    const delay = asked >= 1 ? (asked < MAX_DELAY_MS ? asked : MAX_DELAY_MS) : least;
    const id = this.#nextId++;
    const dueMs = turnTime() + delay;
    const everyMs = isRepeated ? delay : undefined;
    this.#timers.set(id, {
      id,
      dueMs,
      everyMs,
      where,
      isLate: this.#isLate,
      run: () => apply(fn, undefined, args),
    });
    if (dueMs < this.#alarmMs) this.#send(dueMs);
    return id;
  }

  later(ms: number, run: () => void): () => void {
    const id = this.#nextId++;
    const dueMs = turnTime() + (ms < MAX_DELAY_MS ? ms : MAX_DELAY_MS);
    this.#timers.set(id, { id, dueMs, everyMs: undefined, where: TIME_OUT, isLate: false, run });
    this.#runtimes++;
    if (dueMs < this.#alarmMs) this.#send(dueMs);
    return () => {
      if (this.#timers.delete(id)) this.#runtimes--;
    };
  }

  #setAlarm(): void {
    let earliest = Infinity;
    this.#timers.forEach(({ dueMs }) => {
      if (dueMs < earliest) earliest = dueMs;
    });
    if (earliest < this.#alarmMs) this.#send(earliest);
  }

  #send(atMs: number): void {
    this.#alarmMs = atMs;
    this.#outbox.send({ kind: 'wake-at', atMs });
  }
}

/** A function may be the object, too: a constructor with methods of its own. Its milliseconds may be a text. */
function isObjectForm(target: unknown, first: unknown): first is string {
  if (typeof first !== 'string' || target === null) return false;
  return typeof target === 'object' || (typeof target === 'function' && isSame(toNumber(first), NaN));
}
