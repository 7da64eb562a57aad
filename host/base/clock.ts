/** A timer that was set and can be cleared. Opaque: give it back to the clock that made it. */
export type Timer = object;

/** Where the host takes time from, so that tests can turn the hands themselves. */
export interface Clock {
  /** Wall time in milliseconds since 1970. It may jump; use it only for what people read. */
  now(): number;
  /** Milliseconds that only ever grow. Use it for durations and deadlines. */
  monotonic(): number;
  setTimer(callback: () => void, delayMs: number): Timer;
  /** Clearing a timer twice, or after it has run, does nothing. */
  clearTimer(timer: Timer | undefined): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

interface ManualTimer {
  readonly due: number;
  readonly callback: () => void;
}

/** A clock for tests: time stands still until `advance` is called. */
export class ManualClock implements Clock {
  readonly #startedAt: number;
  readonly #timers = new Set<ManualTimer>();
  #elapsedMs = 0;

  constructor(startedAt = Date.UTC(2026, 0, 1)) {
    this.#startedAt = startedAt;
  }

  /** How many timers wait to run. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#startedAt + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: ManualTimer = { due: this.#elapsedMs + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: Timer | undefined): void {
    this.#timers.delete(timer as ManualTimer);
  }

  /** Moves time on and runs what falls due on the way, in order, timers set meanwhile included. */
  advance(byMs: number): void {
    const end = this.#elapsedMs + byMs;
    for (let timer = this.#nextDue(end); timer; timer = this.#nextDue(end)) {
      this.#timers.delete(timer);
      this.#elapsedMs = timer.due;
      timer.callback();
    }
    this.#elapsedMs = end;
  }

  #nextDue(end: number): ManualTimer | undefined {
    let next: ManualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (!next || timer.due < next.due)) next = timer;
    }
    return next;
  }
}
