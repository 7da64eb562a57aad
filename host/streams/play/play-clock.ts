/** What time of a file it is for who plays it: it runs, or stands still. */
export class PlayClock {
  /** `#ms` at `#at`; it stands still while that is undefined. */
  #at: number | undefined;
  #ms = 0;

  get nowMs(): number {
    return this.#at === undefined ? this.#ms : this.#ms + performance.now() - this.#at;
  }

  get isRunning(): boolean {
    return this.#at !== undefined;
  }

  set(ms: number, isRunning: boolean): void {
    this.#ms = ms;
    this.#at = isRunning ? performance.now() : undefined;
  }

  stop(): void {
    this.set(this.nowMs, false);
  }
}
