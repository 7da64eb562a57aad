import { type Clock, systemClock, type Timer } from '../base/clock.ts';

/** Notices when a publisher is silent for too long: told once, until it sends again. One timer, however much it sends. */
export class IdleWatch {
  readonly #limitMs: number;
  readonly #onIdle: () => void;
  readonly #clock: Clock;
  #heardAt: number;
  #timer: Timer | undefined;

  /** `limitMs`: 0 for no limit. */
  constructor(limitMs: number, onIdle: () => void, clock = systemClock) {
    this.#limitMs = limitMs;
    this.#onIdle = onIdle;
    this.#clock = clock;
    this.#heardAt = clock.monotonic();
    this.#wait(limitMs);
  }

  heard(): void {
    this.#heardAt = this.#clock.monotonic();
    if (!this.#timer) this.#wait(this.#limitMs);
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
  }

  #wait(ms: number): void {
    if (this.#limitMs > 0) this.#timer = this.#clock.setTimer(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const leftMs = this.#heardAt + this.#limitMs - this.#clock.monotonic();
    // Timers may be a fraction of a millisecond early.
    if (leftMs > 1) this.#wait(leftMs);
    else this.#onIdle();
  }
}
