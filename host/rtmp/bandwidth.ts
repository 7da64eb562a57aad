/** A bandwidth limit saves up to this much of a second's worth. */
const BURST_S = 0.25;

/** Bytes per second, as a bucket that fills with time. It may be overdrawn by one write, and is then empty for longer. */
export class Bandwidth {
  /** 0 for no limit. */
  readonly bytesPerSecond: number;
  #saved: number;
  #at: number;

  constructor(bytesPerSecond: number, now: number) {
    this.bytesPerSecond = bytesPerSecond;
    this.#saved = bytesPerSecond * BURST_S;
    this.#at = now;
  }

  spend(bytes: number): void {
    this.#saved -= bytes;
  }

  /** Milliseconds until something may pass again; 0 when it may now. */
  waitMs(now: number): number {
    if (this.bytesPerSecond === 0) return 0;
    const earned = ((now - this.#at) / 1000) * this.bytesPerSecond;
    this.#saved = Math.min(this.#saved + earned, this.bytesPerSecond * BURST_S);
    this.#at = now;
    return this.#saved > 0 ? 0 : Math.ceil((-this.#saved / this.bytesPerSecond) * 1000) + 1;
  }
}
