import { hide, turnTime } from './clock.ts';
import { runHandler } from './handlers.ts';
import type { Outbox } from './outbox.ts';

interface Timer {
  id: number;
  dueMs: number;
  /** Undefined for a timeout. */
  everyMs: number | undefined;
  where: string;
  run(): unknown;
}

const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * `setTimeout` and `setInterval`. The isolate keeps the timers and the host keeps one alarm per instance, for the
 * earliest of them. Each timer that is due runs as an event of its own; missed ticks are not repeated.
 */
export class Timers {
  readonly #outbox: Outbox;
  readonly #max: number;
  readonly #timers = new Map<number, Timer>();
  #nextId = 1;
  #alarmMs = Number.POSITIVE_INFINITY;

  constructor(outbox: Outbox, max: number) {
    this.#outbox = outbox;
    this.#max = max;
  }

  install(global: typeof globalThis): void {
    const clear = (id: unknown) => void this.#timers.delete(Number(id));
    hide(global, 'setTimeout', (fn: unknown, ms?: unknown, ...args: unknown[]) =>
      this.#add('setTimeout', fn, ms, args, false),
    );
    hide(global, 'setInterval', (target: unknown, ...rest: unknown[]) => {
      // FCS: setInterval(object, "method", ms, ...args) looks the method up at each tick.
      if (typeof target === 'object' && target !== null && typeof rest[0] === 'string') {
        const [method, ms, ...args] = rest as [string, unknown, ...unknown[]];
        const call = () => {
          const fn = (target as Record<string, unknown>)[method];
          if (typeof fn !== 'function')
            throw new TypeError(`setInterval: the object has no method "${method}"`);
          return Reflect.apply(fn, target, args);
        };
        return this.#add('setInterval', call, ms, [], true);
      }
      const [ms, ...args] = rest;
      return this.#add('setInterval', target, ms, args, true);
    });
    hide(global, 'clearTimeout', clear);
    hide(global, 'clearInterval', clear);
  }

  /** Runs what is due, one event each, until `mustYield` says that the rest should have an entry of its own. */
  wake(mustYield: () => boolean): void {
    this.#alarmMs = Number.POSITIVE_INFINITY;
    const now = turnTime();
    const due = [...this.#timers.values()].filter((timer) => timer.dueMs <= now);
    due.sort((a, b) => a.dueMs - b.dueMs || a.id - b.id);
    for (const timer of due) {
      if (!this.#timers.has(timer.id)) continue; // cleared by one before it
      if (timer.everyMs === undefined) this.#timers.delete(timer.id);
      else timer.dueMs += timer.everyMs * Math.ceil((now - timer.dueMs + 1) / timer.everyMs);
      runHandler(timer.where, timer.run, undefined, []);
      if (mustYield()) break;
    }
    this.#setAlarm();
  }

  #add(where: string, fn: unknown, ms: unknown, args: unknown[], isRepeated: boolean): number {
    if (typeof fn !== 'function') throw new TypeError(`${where}: expected a function, got ${typeof fn}`);
    if (this.#timers.size >= this.#max) {
      throw new RangeError(`${where}: ${this.#max} timers are running, and that is the limit`);
    }
    const asked = Number(ms);
    const delay = Math.min(Math.max(asked >= 1 ? asked : isRepeated ? 1 : 0, 0), MAX_DELAY_MS);
    const id = this.#nextId++;
    const dueMs = turnTime() + delay;
    const everyMs = isRepeated ? delay : undefined;
    this.#timers.set(id, { id, dueMs, everyMs, where, run: () => Reflect.apply(fn, undefined, args) });
    if (dueMs < this.#alarmMs) this.#send(dueMs);
    return id;
  }

  #setAlarm(): void {
    let earliest = Number.POSITIVE_INFINITY;
    for (const timer of this.#timers.values()) earliest = Math.min(earliest, timer.dueMs);
    if (earliest < this.#alarmMs) this.#send(earliest);
  }

  #send(atMs: number): void {
    this.#alarmMs = atMs;
    this.#outbox.send({ kind: 'wake-at', atMs });
  }
}
