/** Where the key frames of a file are, thinned out when there are too many: half as many, twice as far apart. */
export class KeyIndex {
  readonly #max: number;
  #everyMs = 0;
  #positions: number[] = [];
  #times: number[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get positions(): readonly number[] {
    return this.#positions;
  }

  /** Milliseconds. */
  get times(): readonly number[] {
    return this.#times;
  }

  /** Drops those from that position on. */
  cutAt(position: number): void {
    const first = this.#positions.findIndex((one) => one >= position);
    if (first < 0) return;
    this.#positions.length = this.#times.length = first;
  }

  /** `position`: of the tag's first byte. */
  add(position: number, timeMs: number): void {
    const last = this.#times.at(-1);
    if (last !== undefined && timeMs - last < this.#everyMs) return;
    this.#positions.push(position);
    this.#times.push(timeMs);
    if (this.#times.length <= this.#max) return;
    this.#everyMs = Math.max(1, (2 * (this.#times.at(-1)! - this.#times[0]!)) / this.#times.length);
    this.#positions = this.#positions.filter((_, i) => i % 2 === 0);
    this.#times = this.#times.filter((_, i) => i % 2 === 0);
  }
}
