import { FileProblem } from '../problem.ts';

/** Thirty pictures a second for a day and a half. */
const MAX_SAMPLES = 4_000_000;
const MAX_CHANGES = 1000;
const MAX_TIME_MS = 0x7fffffff;
/** The longest message less the longest head. */
const MAX_SAMPLE_BYTES = 0xffffff - 16;
/** Composition times are signed and have 24 bits. */
const MAX_COMPOSITION_MS = 0x7fffff;

/**
 * The samples of one track in the order of decoding, in columns: twenty bytes each, ten megabytes for two hours of
 * sound and pictures.
 */
export class SampleList {
  readonly #fileBytes: number;
  #offsets: Float64Array<ArrayBuffer>;
  #sizes: Uint32Array<ArrayBuffer>;
  #times: Int32Array<ArrayBuffer>;
  #compositions: Int32Array<ArrayBuffer>;
  #keys: Uint32Array<ArrayBuffer> = new Uint32Array(64);
  #keyCount = 0;
  /** From which sample on which description is in force. */
  readonly #descriptions: { readonly from: number; readonly description: number }[] = [];
  count = 0;
  /** Added to all times. */
  shiftMs = 0;
  /** Where the last sample ends, without the shift. */
  #endMs = 0;

  constructor(fileBytes: number, capacity = 1024) {
    if (capacity > MAX_SAMPLES) throw tooMany();
    this.#fileBytes = fileBytes;
    this.#offsets = new Float64Array(capacity);
    this.#sizes = new Uint32Array(capacity);
    this.#times = new Int32Array(capacity);
    this.#compositions = new Int32Array(capacity);
  }

  get memoryBytes(): number {
    return this.#offsets.length * 20 + this.#keys.byteLength;
  }

  get endMs(): number {
    return this.#endMs + this.shiftMs;
  }

  /** Times are milliseconds and not rounded; what is not in the file is left out. */
  add(
    offset: number,
    bytes: number,
    decodeMs: number,
    showMs: number,
    durationMs: number,
    isKey: boolean,
    description: number,
  ): void {
    if (bytes === 0 || bytes > MAX_SAMPLE_BYTES || offset + bytes > this.#fileBytes) return;
    const i = this.count;
    if (i === this.#offsets.length) this.#grow();
    const before = i > 0 ? this.#times[i - 1]! : -MAX_TIME_MS;
    const time = Math.min(MAX_TIME_MS, Math.max(before, Math.round(decodeMs)));
    const composition = Math.round(showMs) - time;
    this.#offsets[i] = offset;
    this.#sizes[i] = bytes;
    this.#times[i] = time;
    this.#compositions[i] = Math.max(-MAX_COMPOSITION_MS, Math.min(MAX_COMPOSITION_MS, composition));
    this.#endMs = Math.min(MAX_TIME_MS, Math.max(this.#endMs, Math.round(decodeMs + durationMs)));
    if (isKey) this.#addKey(i);
    if (this.#descriptions.at(-1)?.description !== description) this.#change(i, description);
    this.count++;
  }

  offsetOf(sample: number): number {
    return this.#offsets[sample]!;
  }

  bytesOf(sample: number): number {
    return this.#sizes[sample]!;
  }

  timeOf(sample: number): number {
    return this.#times[sample]! + this.shiftMs;
  }

  compositionOf(sample: number): number {
    return this.#compositions[sample]!;
  }

  isKey(sample: number): boolean {
    return this.#keys[this.#keyAt(sample)] === sample;
  }

  /** Which of the track's descriptions a sample has. */
  descriptionOf(sample: number): number {
    return this.#descriptions.findLast(({ from }) => from <= sample)?.description ?? 0;
  }

  /** Whether decoders have to be told of another description before that sample. */
  isChange(sample: number): boolean {
    return sample > 0 && this.#descriptions.some(({ from }) => from === sample);
  }

  /** The last key frame at or before that one in the order of decoding; -1 when there is none. */
  keyBefore(sample: number): number {
    const key = this.#keyAt(sample);
    return key < 0 ? -1 : this.#keys[key]!;
  }

  /** The first sample at or after that time; `count` when there is none. */
  firstFrom(timeMs: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.timeOf(middle) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Which key is the last at or before a sample. */
  #keyAt(sample: number): number {
    let low = 0;
    let high = this.#keyCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! <= sample) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #change(from: number, description: number): void {
    if (this.#descriptions.length === MAX_CHANGES) {
      throw new FileProblem('structure', `a track changes its description more than ${MAX_CHANGES} times`);
    }
    this.#descriptions.push({ from, description });
  }

  #addKey(sample: number): void {
    if (this.#keyCount === this.#keys.length) this.#keys = grown(this.#keys, this.#keyCount * 2, Uint32Array);
    this.#keys[this.#keyCount++] = sample;
  }

  #grow(): void {
    if (this.count === MAX_SAMPLES) throw tooMany();
    const capacity = Math.min(MAX_SAMPLES, Math.max(1024, this.count * 2));
    this.#offsets = grown(this.#offsets, capacity, Float64Array);
    this.#sizes = grown(this.#sizes, capacity, Uint32Array);
    this.#times = grown(this.#times, capacity, Int32Array);
    this.#compositions = grown(this.#compositions, capacity, Int32Array);
  }
}

function grown<Column extends { set(from: Column): void }>(
  from: Column,
  capacity: number,
  Type: new (length: number) => Column,
): Column {
  const larger = new Type(capacity);
  larger.set(from);
  return larger;
}

function tooMany(): FileProblem {
  return new FileProblem('structure', `a track has more than ${MAX_SAMPLES} samples`);
}
