import ivm from 'isolated-vm';
import type { Boot } from '../../runtime/wall/boot.ts';

export const RUNTIME_FILENAME = 'stagewire:runtime';

/** The runtime's bundle, compiled once per core; later heaps start from its code cache. */
export interface RuntimeCode {
  source: string;
  cache?: ivm.ExternalCopy<ArrayBuffer>;
}

/** A V8 heap with the runtime's code in it, which no instance has yet: all with the same memory limit are alike. */
export interface Heap {
  isolate: ivm.Isolate;
  context: ivm.Context;
  /** Makes the runtime an instance's. */
  install: ivm.Reference<Boot>;
}

/** Three quarters of what an instance costs to start, before it is known which. */
export async function makeHeap(runtime: RuntimeCode, memoryMb: number): Promise<Heap> {
  const isolate = new ivm.Isolate({ memoryLimit: memoryMb });
  const context = await isolate.createContext();
  const script = await isolate.compileScript(runtime.source, {
    filename: RUNTIME_FILENAME,
    ...(runtime.cache ? { cachedData: runtime.cache } : { produceCachedData: true }),
  });
  const { cachedData } = script as ivm.CachedDataResult;
  if (cachedData) runtime.cache ??= cachedData;
  const install = (await script.run(context, { reference: true })) as ivm.Reference<Boot>;
  script.release();
  return { isolate, context, install };
}

/** Heaps made in advance, for instances with the usual memory limit; only in a core that has no instance yet. */
export class HeapStock {
  readonly #memoryMb: number;
  readonly #heaps: Heap[] = [];
  #wanted = 0;
  #isFilling = false;

  constructor(memoryMb: number) {
    this.#memoryMb = memoryMb;
  }

  /** Makes heaps one after the other until there are so many, or a smaller number is wanted. */
  async fill(runtime: RuntimeCode, count: number): Promise<void> {
    this.#wanted = count;
    if (this.#isFilling) return;
    this.#isFilling = true;
    while (this.#heaps.length < this.#wanted) this.#heaps.push(await makeHeap(runtime, this.#memoryMb));
    this.#isFilling = false;
  }

  /** An instance comes: the processors are for it. */
  stop(): void {
    this.#wanted = 0;
  }

  /** Undefined when there is none of that size. */
  take(memoryMb: number): Heap | undefined {
    return memoryMb === this.#memoryMb ? this.#heaps.pop() : undefined;
  }
}
