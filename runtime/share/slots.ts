import { append, ask, Bytes, lengthOf, SafeMap, SafeSet, setBytes, shown } from '../shared.ts';
import type { SharedChange } from '../wall/sharing.ts';

/** What a slot was before it was changed. */
interface Before {
  readonly name: string;
  readonly bytes: Uint8Array | undefined;
  readonly isBound: boolean;
}

/** What slots held before they were changed, in that order. */
export type Undo = Before[];

/** Names and values of slots, where the rest begins, or 0, and which of them go with a client. */
type Page = [string[], Uint8Array[], number, string[]];

/** The script's copy of a shared object's slots: values as AMF0 bytes, in the order in which they were first set. */
export class Slots {
  readonly #values = new SafeMap<string, Uint8Array>();
  /** Those that go when a client leaves. */
  readonly #bound = new SafeSet<string>();
  readonly #most: number;
  readonly #mostBytes: number;
  #undo: Undo | undefined;

  /** At most so many slots, each of at most so many bytes with its name. */
  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get most(): number {
    return this.#most;
  }

  get size(): number {
    return this.#values.size;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  get(name: string): Uint8Array | undefined {
    return this.#values.get(name);
  }

  isBound(name: string): boolean {
    return this.#bound.has(name);
  }

  get names(): string[] {
    const names: string[] = [];
    this.#values.forEach((_, name) => void append(names, name));
    return names;
  }

  /** All of them anew, as the host has them. */
  load(object: number, askFirst: typeof ask): void {
    let page = askFirst('share.slots', object, 0) as Page;
    this.empty();
    for (;;) {
      for (let i = 0; i < page[0].length; i++) this.#values.set(page[0][i]!, page[1][i]!);
      for (let i = 0; i < page[3].length; i++) this.#bound.add(page[3][i]!);
      if (page[2] === 0) return;
      page = ask('share.slots', object, page[2]) as Page;
    }
  }

  /** Empty when there is room for that. */
  whyNoRoom(name: string, bytes: Uint8Array): string {
    const size = name.length + lengthOf(bytes);
    if (size > this.#mostBytes)
      return `${shown(name)}: name and value measure ${size} bytes, and ${this.#mostBytes} are allowed (limits.slotBytes)`;
    if (!this.#values.has(name) && this.#values.size >= this.#most)
      return `${this.#most} slots are there, and that is the limit (limits.slots)`;
    return '';
  }

  /** From now on what is changed can be taken back by that; undefined: by nothing. Returns what it was until now. */
  record(undo: Undo | undefined): Undo | undefined {
    const before = this.#undo;
    this.#undo = undo;
    return before;
  }

  set(name: string, bytes: Uint8Array, isBound: boolean): void {
    this.#remember(name);
    this.#values.set(name, bytes);
    if (isBound) this.#bound.add(name);
    else this.#bound.delete(name);
  }

  delete(name: string): void {
    this.#remember(name);
    this.#values.delete(name);
    this.#bound.delete(name);
  }

  clear(): void {
    if (this.#undo) this.#values.forEach((_, name) => void this.#remember(name));
    this.empty();
  }

  rollBack(undo: Undo): void {
    for (let i = undo.length - 1; i >= 0; i--) {
      const { name, bytes, isBound } = undo[i]!;
      if (isBound) this.#bound.add(name);
      else this.#bound.delete(name);
      if (bytes) this.#values.set(name, bytes);
      else this.#values.delete(name);
    }
  }

  /** What the host tells, which cannot be taken back. */
  take(change: SharedChange): void {
    if (change.op === 'set') {
      this.#values.set(change.name, copyOf(change.value));
    } else if (change.op === 'remove') {
      this.#values.delete(change.name);
      this.#bound.delete(change.name);
    } else if (change.op === 'clear') {
      this.empty();
    } else if (change.op === 'until') {
      if (change.client === 0) this.#bound.delete(change.name);
      else this.#bound.add(change.name);
    }
  }

  empty(): void {
    this.#values.clear();
    this.#bound.clear();
  }

  #remember(name: string): void {
    if (this.#undo)
      append(this.#undo, { name, bytes: this.#values.get(name), isBound: this.#bound.has(name) });
  }
}

/** What is delivered is a view of what comes in with each turn. */
export function copyOf(delivered: Uint8Array): Uint8Array {
  const bytes = new Bytes(lengthOf(delivered));
  setBytes(bytes, delivered, 0);
  return bytes;
}
