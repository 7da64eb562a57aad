import { append, NativeRangeError, NativeTypeError, runHandler, SafeMap, shown } from '../shared.ts';

type Listener = (...args: unknown[]) => unknown;

/** More is a leak: somebody watches a slot for each client. */
const MAX_WATCHERS = 1000;

/** Functions that hear of changes of one slot each (`so.watch`). */
export class Watchers {
  readonly #byName = new SafeMap<string, readonly { listener: Listener }[]>();
  #count = 0;

  /** Returns what takes the listener away again. */
  add(name: string, listener: unknown): () => void {
    if (typeof listener !== 'function')
      throw new NativeTypeError(`so.watch: expected a function, got ${shown(listener)}`);
    if (this.#count >= MAX_WATCHERS)
      throw new NativeRangeError(`so.watch: ${MAX_WATCHERS} functions watch, and that is the limit`);
    const watcher = { listener: listener as Listener };
    this.#byName.set(name, listWithout(this.#byName.get(name), undefined, watcher));
    this.#count++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count--;
      const rest = listWithout(this.#byName.get(name), watcher);
      if (rest.length > 0) this.#byName.set(name, rest);
      else this.#byName.delete(name);
    };
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get names(): string[] {
    const names: string[] = [];
    this.#byName.forEach((_, name) => void append(names, name));
    return names;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Each as an event of its own, in the order in which they came. */
  tell(name: string, self: unknown, args: unknown[]): void {
    const watchers = this.#byName.get(name);
    for (let i = 0; watchers && i < watchers.length; i++)
      runHandler(`so.watch(${shown(name)})`, watchers[i]!.listener, self, args);
  }
}

/** A list of its own, so that whoever walks the old one is not disturbed. */
function listWithout<T>(list: readonly T[] | undefined, gone: T | undefined, added?: T): T[] {
  const rest: T[] = [];
  for (let i = 0; list && i < list.length; i++) if (list[i] !== gone) append(rest, list[i]!);
  if (added) append(rest, added);
  return rest;
}
