const WINDOW_MS = 10_000;

/**
 * Holds a script to its share of one processor over 10 seconds: a bucket that fills with time and that turns empty.
 * Whoever has used little may use the whole window's share at once; then each turn is followed by a rest.
 */
export class CpuThrottle {
  readonly #percent: () => number;
  #savedMs = Number.POSITIVE_INFINITY;
  #at = 0;

  /** Asked at each turn, as it may change. 100 is no throttle: a script has one thread. */
  constructor(percent: () => number) {
    this.#percent = percent;
  }

  get #share(): number {
    return this.#percent() / 100;
  }

  /** A turn that ended at `now` used so much. */
  spend(now: number, cpuMs: number): void {
    this.#refill(now);
    this.#savedMs -= cpuMs;
  }

  /** How long the next turn has to wait; 0 when it may begin. */
  restMs(now: number): number {
    if (this.#share >= 1) return 0;
    this.#refill(now);
    return this.#savedMs >= 0 ? 0 : Math.ceil(-this.#savedMs / this.#share);
  }

  #refill(now: number): void {
    this.#savedMs = Math.min(this.#savedMs + (now - this.#at) * this.#share, this.#share * WINDOW_MS);
    this.#at = now;
  }
}
