const MB = 1024 * 1024;
/** V8 holds more of the system's memory than its heap measures: what is not yet swept, or not yet given back. */
const HEAP_OVERHEAD = 2;

/**
 * Whose turns a core has grown in. Memory outside of the heaps belongs to nobody by the operating system's account,
 * and a script may take it in turns that are each too short to be seen. So each reading is charged to those who were
 * at work since the last.
 */
export class MemoryBlame {
  readonly #isolates = new Map<number, { heapMb: number; bytes: number }>();
  readonly #active = new Set<number>();
  #lastBytes: number | undefined;

  isAtWork(isolate: number, heapMb: number): void {
    this.#active.add(isolate);
    const known = this.#isolates.get(isolate);
    if (known) known.heapMb = heapMb;
    else this.#isolates.set(isolate, { heapMb, bytes: 0 });
  }

  forget(isolate: number): void {
    this.#active.delete(isolate);
    this.#isolates.delete(isolate);
  }

  /** What the heaps of these may take from the system. */
  heapBytesOf(isolates: readonly number[]): number {
    let sumMb = 0;
    for (const isolate of isolates) sumMb += this.#isolates.get(isolate)?.heapMb ?? 0;
    return sumMb * HEAP_OVERHEAD * MB;
  }

  /** What is charged to it beyond what its heap may take. */
  excessOf(isolate: number): number {
    const { heapMb = 0, bytes = 0 } = this.#isolates.get(isolate) ?? {};
    return Math.max(0, bytes - heapMb * HEAP_OVERHEAD * MB);
  }

  /** Those to whom at least half as much is charged as to the first. */
  heaviest(): number[] {
    const most = Math.max(0, ...[...this.#isolates.values()].map(({ bytes }) => bytes));
    return [...this.#isolates].filter(([, { bytes }]) => bytes >= most / 2).map(([isolate]) => isolate);
  }

  /**
   * The core measures that much now, and `busy` are still at work. Returns those to whom more is charged than their
   * heap can explain by `mostBytes`, and who else is charged nearly as much.
   */
  weigh(bytes: number, busy: readonly number[], mostBytes: number): number[] {
    const grown = bytes - (this.#lastBytes ?? bytes);
    this.#lastBytes = bytes;
    for (const isolate of this.#active) {
      const charged = this.#isolates.get(isolate);
      if (charged) charged.bytes = Math.max(0, charged.bytes + grown / this.#active.size);
    }
    this.#active.clear();
    for (const isolate of busy) this.#active.add(isolate);

    let most = 0;
    for (const { heapMb, bytes: charged } of this.#isolates.values())
      most = Math.max(most, charged - heapMb * HEAP_OVERHEAD * MB);
    if (most <= mostBytes) return [];
    const isNear = ([, { heapMb, bytes: charged }]: [number, { heapMb: number; bytes: number }]) =>
      charged - heapMb * HEAP_OVERHEAD * MB > mostBytes / 2;
    return [...this.#isolates].filter(isNear).map(([isolate]) => isolate);
  }
}
