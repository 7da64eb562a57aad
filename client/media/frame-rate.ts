const WINDOW_MS = 1000;

/** How many pictures were shown in a second, of late. It is asked again and again: the caller has the clock. */
export class FrameRate {
  #value = 0;
  #frames = 0;
  #since = 0;

  /** `frames`: how many were shown so far; asked for once a second. */
  at(nowMs: number, frames: () => number): number {
    const passedMs = nowMs - this.#since;
    if (passedMs >= WINDOW_MS) {
      const shown = frames();
      this.#value = (Math.max(0, shown - this.#frames) * 1000) / passedMs;
      this.#frames = shown;
      this.#since = nowMs;
    }
    return this.#value;
  }
}
