import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** How much a script may print per second; what is beyond it is dropped, and counted in one line a second later. */
export class LogBudget {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  #second = 0;
  #used = 0;
  #dropped = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** Whether a line of that length may be printed now. */
  takes(length: number, log: Log): boolean {
    const second = Math.floor(this.#clock.monotonic() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#used = 0;
    }
    this.#used += length;
    if (this.#used <= this.#bytesPerSecond) return true;
    if (this.#dropped === 0) this.#clock.setTimer(() => this.#report(log), 1000);
    this.#dropped++;
    return false;
  }

  #report(log: Log): void {
    const lines = this.#dropped === 1 ? '1 line was' : `${this.#dropped} lines were`;
    log.warn(`${lines} not printed: over ${this.#bytesPerSecond} bytes a second`, { code: 'E_LOG_FLOOD' });
    this.#dropped = 0;
  }
}
