import { type AnyFunction, runHandler } from './handlers.ts';
import { append, NativeRangeError, NativeTypeError, SafeMap, shown } from './primordials.ts';

/** More is a leak: somebody adds a listener for each client. */
const MAX_LISTENERS = 1000;

/** Functions that hear of events beside the one handler that the object's `onX` is. What they return means nothing. */
export class Listeners {
  readonly #member: string;
  readonly #events: readonly string[];
  readonly #listeners = new SafeMap<string, AnyFunction[]>();

  constructor(member: string, events: readonly string[]) {
    this.#member = member;
    this.#events = events;
  }

  /** Returns what takes the listener away again. */
  add(event: unknown, listener: unknown): () => void {
    let known = '';
    for (let i = 0; i < this.#events.length; i++) {
      if (this.#events[i] === event) known = this.#events[i]!;
    }
    if (known === '') {
      let names = '';
      for (let i = 0; i < this.#events.length; i++) names += `${i === 0 ? '' : ', '}${this.#events[i]}`;
      throw new NativeTypeError(`${this.#member}: there is no event ${shown(event)}; known are ${names}`);
    }
    if (typeof listener !== 'function')
      throw new NativeTypeError(`${this.#member}: expected a function, got ${shown(listener)}`);
    const list = this.#listeners.get(known) ?? [];
    if (list.length >= MAX_LISTENERS)
      throw new NativeRangeError(
        `${this.#member}: "${known}" has ${MAX_LISTENERS} listeners, and that is the limit`,
      );
    append(list, listener as AnyFunction);
    this.#listeners.set(known, list);
    return () => this.#remove(known, listener as AnyFunction);
  }

  /** Each as an event of its own, in the order in which they came. */
  emit(event: string, self: unknown, args: unknown[]): void {
    const list = this.#listeners.get(event);
    if (!list) return;
    const present: AnyFunction[] = [];
    for (let i = 0; i < list.length; i++) append(present, list[i]!);
    for (let i = 0; i < present.length; i++)
      runHandler(`${this.#member}("${event}")`, present[i]!, self, args);
  }

  /** A list of its own, so that whoever walks the old one is not disturbed. */
  #remove(event: string, listener: AnyFunction): void {
    const rest: AnyFunction[] = [];
    const list = this.#listeners.get(event) ?? [];
    let isRemoved = false;
    for (let i = 0; i < list.length; i++) {
      if (!isRemoved && list[i] === listener) isRemoved = true;
      else append(rest, list[i]!);
    }
    this.#listeners.set(event, rest);
  }
}
