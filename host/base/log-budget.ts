import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** All instances of an application together may print so many times as much as one: names of rooms are without end. */
export const LOUD_INSTANCES = 16;

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

  /** Whether a line of that length may be printed now. */
  takes(length: number): boolean {
    const { bytesPerSecond, clock, all } = this.#options;
    const second = Math.floor(clock.monotonic() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#used = 0;
    }
    this.#used += length;
    if (this.#used <= bytesPerSecond()) return all?.takes(length) ?? true;
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
