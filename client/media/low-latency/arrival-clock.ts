const WINDOW_MS = 5000;

/**
 * When things are due that come over a network: as long after the most punctual of the last seconds as the delay says. Clocks
 * of two machines may drift apart, so the most punctual is forgotten after a while.
 */
export class ArrivalClock {
  #best = Infinity;
  #bestBefore = Infinity;
  #windowEnd = 0;

  /** Something timed `timeMs` has come. */
  arrived(timeMs: number, nowMs: number): void {
    if (nowMs > this.#windowEnd) {
      this.#bestBefore = this.#best;
      this.#best = Infinity;
      this.#windowEnd = nowMs + WINDOW_MS;
    }
    this.#best = Math.min(this.#best, nowMs - timeMs);
  }

  /** It is `timeMs` now, whatever has come. */
  set(timeMs: number, nowMs: number): void {
    this.#best = nowMs - timeMs;
    this.#bestBefore = Infinity;
  }

  /** The time that would come now, had it been as punctual; `undefined` before the first. */
  at(nowMs: number): number | undefined {
    const best = Math.min(this.#best, this.#bestBefore);
    return best === Infinity ? undefined : nowMs - best;
  }
}
