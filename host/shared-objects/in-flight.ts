import type { SharedValue } from '../../wire/shared-values.ts';
import { sizeOf } from './slots.ts';
import type { Observer, Subscription } from './subscription.ts';

/** One change of a slot that the owner has been asked for. */
export interface Asked {
  readonly key: string;
  /** Undefined: the slot is to go. */
  readonly value: SharedValue | undefined;
  /** The client that wants it, or else the script. */
  readonly writer: Subscription | undefined;
  readonly script: Observer | undefined;
  /** The version of the copy that the client had seen. */
  readonly knownVersion: number;
}

interface Entry extends Asked {
  readonly number: number;
}

/** Of one object. A server that shares it is owed no more answers (audience.ts). */
const MAX_ENTRIES = 8192;
const MAX_BYTES = 4 * 1024 * 1024;
/** What one takes besides its name and value, about. */
const ENTRY_BYTES = 128;

/** The changes of one object that its owner has not answered, by slot, in the order in which it was asked. */
export class InFlight {
  readonly #byKey = new Map<string, Entry[]>();
  #size = 0;
  #sizeBytes = 0;
  #lastNumber = 0;

  /** That of the last one. */
  get mark(): number {
    return this.#lastNumber;
  }

  /** False when there are too many: then it has taken none of them. */
  add(all: readonly Asked[]): boolean {
    const bytes = all.reduce((sum, asked) => sum + costOf(asked), 0);
    if (this.#size + all.length > MAX_ENTRIES || this.#sizeBytes + bytes > MAX_BYTES) return false;
    for (const asked of all) {
      const entries = this.#byKey.get(asked.key) ?? [];
      this.#byKey.set(asked.key, entries);
      entries.push({ ...asked, number: ++this.#lastNumber });
    }
    this.#size += all.length;
    this.#sizeBytes += bytes;
    return true;
  }

  of(key: string): readonly Asked[] {
    return this.#byKey.get(key) ?? [];
  }

  /** The oldest for that slot, which has been answered. */
  take(key: string): Asked | undefined {
    return this.#takeFirst(key, 1)[0];
  }

  /** All up to that mark. */
  takeAll(mark = Number.POSITIVE_INFINITY): readonly Asked[] {
    return [...this.#byKey].flatMap(([key, entries]) => {
      const count = entries.findIndex(({ number }) => number > mark);
      return this.#takeFirst(key, count < 0 ? entries.length : count);
    });
  }

  #takeFirst(key: string, count: number): Entry[] {
    const entries = this.#byKey.get(key);
    if (!entries) return [];
    const taken = entries.splice(0, count);
    if (entries.length === 0) this.#byKey.delete(key);
    this.#size -= taken.length;
    for (const entry of taken) this.#sizeBytes -= costOf(entry);
    return taken;
  }
}

function costOf({ key, value }: Asked): number {
  return ENTRY_BYTES + (value ? sizeOf(key, value) : key.length);
}
