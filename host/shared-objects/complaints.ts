import type { Log } from '../base/log.ts';

/** Says in the log what clients can bring about as often as they like, once in a while. */
export class Complaints {
  readonly #log: Log;
  readonly #level: 'warn' | 'error';
  readonly #everyMs: number;
  #quietUntil = 0;
  #untold = 0;

  constructor(log: Log, level: 'warn' | 'error', everyMs: number) {
    this.#log = log;
    this.#level = level;
    this.#everyMs = everyMs;
  }

  say(text: string, code: string): void {
    const now = performance.now();
    if (now < this.#quietUntil) return void this.#untold++;
    const more = this.#untold > 0 ? ` (and ${this.#untold} more since it was said last)` : '';
    this.#quietUntil = now + this.#everyMs;
    this.#untold = 0;
    this.#log[this.#level](`${text}${more}`, { code });
  }
}
