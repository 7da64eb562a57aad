import type { Clock } from './clock.ts';
import { type Log, printedBytes } from './log.ts';

/** All instances of an application together may print so many times as much as one: names of rooms are without end. */
export const LOUD_INSTANCES = 16;

/** What a record says besides its text: when, how bad, of whom. */
const RECORD_BYTES = 100;

export interface LogBudgetOptions {
  /** Asked at each line, as it may change. */
  readonly bytesPerSecond: () => number;
  /** Where what was left out is told. */
  readonly log: Log;
  readonly clock: Clock;
  /** Of the application, of which this one takes its share. */
  readonly all?: LogBudget;
}

/** How much may be printed per second; what is beyond it is dropped, and counted in one line a second later. */
export class LogBudget {
  readonly #options: LogBudgetOptions;
  #second = 0;
  #used = 0;
  #dropped = 0;

  constructor(options: LogBudgetOptions) {
    this.#options = options;
  }

  /** Whether that may be printed now. */
  takes(text: string): boolean {
    return this.#take(() => RECORD_BYTES + printedBytes(text));
  }

  #take(bytesOf: () => number): boolean {
    const { bytesPerSecond, clock, all } = this.#options;
    const second = Math.floor(clock.monotonic() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#used = 0;
    }
    const most = bytesPerSecond();
    if (this.#used < most) {
      const bytes = bytesOf();
      this.#used += bytes;
      if (this.#used <= most) return all === undefined || all.#take(() => bytes);
    }
    if (this.#dropped === 0) clock.setTimer(() => this.#report(), 1000);
    this.#dropped++;
    return false;
  }

  #report(): void {
    const { bytesPerSecond, log } = this.#options;
    const lines = this.#dropped === 1 ? '1 line was' : `${this.#dropped} lines were`;
    log.warn(`${lines} not printed: over ${bytesPerSecond()} bytes a second`, { code: 'E_LOG_FLOOD' });
    this.#dropped = 0;
  }
}

/** A log that prints no more than the budget has room for. */
export function bounded(log: Log, budget: LogBudget): Log {
  const within =
    (level: 'debug' | 'info' | 'warn' | 'error'): Log['info'] =>
    (message, fields) => {
      if (budget.takes(`${message}${fields?.detail ?? ''}`)) log[level](message, fields);
    };
  return {
    debug: within('debug'),
    info: within('info'),
    warn: within('warn'),
    error: within('error'),
    child: (fields) => bounded(log.child(fields), budget),
    flush: () => log.flush(),
  };
}
