/** A frame in an MP4 that comes so much earlier or later than the one before ends was meant to follow it. */
const ROUNDING_MS = 2;

/**
 * When pictures are shown, in milliseconds. Where a recording was continued, the last ones of one source may have been meant for later than
 * the first ones of the next: those come right behind them then.
 */
export class PictureClock {
  /** Nothing from the last key frame on may be shown before. */
  #floorMs = Number.NEGATIVE_INFINITY;
  #latestMs = Number.NEGATIVE_INFINITY;

  map(showMs: number, isKey: boolean): number {
    if (isKey) this.#floorMs = this.#latestMs + 1;
    const at = Math.max(showMs, this.#floorMs);
    if (at === this.#floorMs) this.#floorMs++;
    this.#latestMs = Math.max(this.#latestMs, at);
    return at;
  }
}

/**
 * When sound is heard, in samples. Recordings have whole milliseconds, which frames of sound have not: as long as it is
 * rounding that keeps them apart, each begins where the one before it ends.
 */
export class SoundClock {
  readonly #rate: number;
  #next: number | undefined;

  constructor(rate: number) {
    this.#rate = rate;
  }

  map(timeMs: number, samples: number): number {
    const told = Math.round((timeMs * this.#rate) / 1000);
    const next = this.#next ?? told;
    const isNext = Math.abs(told - next) <= (ROUNDING_MS * this.#rate) / 1000;
    const at = isNext || told < next ? next : told;
    this.#next = at + (isNext || told >= next ? samples : 1);
    return at;
  }
}
