/** At most so many entries a file. */
const MAX_ENTRIES = 262_144;
const FIRST_SPACING_MS = 200;

/**
 * Places of a file by their times, which only grow: what goes back in time is left out. Entries keep a distance, and
 * twice that when there are too many.
 */
export class TimeIndex {
  #times = new Float64Array(256);
  #positions = new Float64Array(256);
  #count = 0;
  spacingMs = FIRST_SPACING_MS;

  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.#times.byteLength * 2;
  }

  timeOf(entry: number): number {
    return this.#times[entry]!;
  }

  positionOf(entry: number): number {
    return this.#positions[entry]!;
  }

  add(timeMs: number, position: number): void {
    if (this.#count > 0 && timeMs < this.#times[this.#count - 1]! + this.spacingMs) return;
    if (this.#count === MAX_ENTRIES) this.#thinOut();
    if (this.#count === this.#times.length) {
      this.#times = doubled(this.#times);
      this.#positions = doubled(this.#positions);
    }
    this.#times[this.#count] = timeMs;
    this.#positions[this.#count] = position;
    this.#count++;
  }

  /** The last entry at or before that time; -1 when there is none. */
  find(timeMs: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#times[middle]! <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Every other entry stays, the first one always. */
  #thinOut(): void {
    this.spacingMs *= 2;
    const kept = Math.ceil(this.#count / 2);
    for (let i = 1; i < kept; i++) {
      this.#times[i] = this.#times[2 * i]!;
      this.#positions[i] = this.#positions[2 * i]!;
    }
    this.#count = kept;
  }
}

function doubled(numbers: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
