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

/** Heaps made in advance, for instances with the usual memory limit. Not made again: a core that has many is busy. */
export class HeapStock {
  readonly #memoryMb: number;
  readonly #heaps: Heap[] = [];

  constructor(memoryMb: number) {
    this.#memoryMb = memoryMb;
  }

  async fill(runtime: RuntimeCode, count: number): Promise<void> {
    while (this.#heaps.length < count) this.#heaps.push(await makeHeap(runtime, this.#memoryMb));
  }

  /** Undefined when there is none of that size. */
  take(memoryMb: number): Heap | undefined {
    return memoryMb === this.#memoryMb ? this.#heaps.pop() : undefined;
  }
}
