import type { SharedValue } from '../../wire/shared-values.ts';
import { Presence } from './presence.ts';

export interface Slot {
  readonly value: SharedValue;
  /** That of the object when it was changed last. */
  readonly version: number;
  /** The number of the subscription that changed it last; 0 for the server. */
  readonly writer: number;
  /** The last version at which its writer was told a value of it: what it wrote itself it has. */
  readonly toldWriter: number;
}

/** What several objects take together. */
export interface Usage {
  bytes: number;
}

/** What a slot takes besides its name and value, about. */
const SLOT_BYTES = 256;
/** Forgotten beyond this whatever `resyncDepth` says: names of slots are without end. */
const MAX_TOMBSTONES = 10_000;
/** Of their names. */
const MAX_TOMBSTONE_BYTES = 64 * 1024;

/**
 * The slots of a shared object with the versions of their last changes, and of those that were removed, so that a
 * subscriber who was away can be told what it missed (Server-Side ActionScript Language Reference, SharedObject.resyncDepth).
 */
export class Slots {
  /** Which of them go when a client leaves. */
  readonly presence = new Presence();
  readonly #slots = new Map<string, Slot>();
  /** Names of removed slots by the version that removed them, oldest first. */
  readonly #tombstones = new Map<string, number>();
  #tombstoneBytes = 0;
  /** Whoever knows an older version may have missed that a slot was removed. */
  #knownSince = 0;
  #bytes = 0;
  readonly #usage: Usage;

  constructor(usage: Usage = { bytes: 0 }) {
    this.#usage = usage;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** What they take of the limit. */
  get bytes(): number {
    return this.#bytes;
  }

  get(name: string): Slot | undefined {
    return this.#slots.get(name);
  }

  [Symbol.iterator](): Iterator<[string, Slot]> {
    return this.#slots[Symbol.iterator]();
  }

  /** The last version at which that writer was told of this slot by others. */
  toldTo(writer: number, name: string): number {
    const slot = this.#slots.get(name);
    if (slot) return slot.writer === writer ? slot.toldWriter : slot.version;
    return this.#tombstones.get(name) ?? this.#knownSince;
  }

  set(name: string, slot: Slot): void {
    this.#use(costOf(name, slot.value) - this.#costOf(name));
    this.#slots.set(name, slot);
    this.#forget(name);
  }

  /** Whether there was one. */
  remove(name: string, version: number): boolean {
    this.#use(-this.#costOf(name));
    if (!this.#slots.delete(name)) return false;
    this.presence.release(name);
    this.#tombstones.set(name, version);
    this.#tombstoneBytes += name.length;
    while (this.#tombstones.size > MAX_TOMBSTONES || this.#tombstoneBytes > MAX_TOMBSTONE_BYTES)
      this.#forgetOldest();
    return true;
  }

  /** All of them, without a trace: whoever was away then gets the whole. */
  clear(version: number): void {
    this.#use(-this.#bytes);
    this.#slots.clear();
    this.presence.clear();
    this.#tombstones.clear();
    this.#tombstoneBytes = 0;
    this.#knownSince = version;
  }

  /** Forgets what was removed before that version. */
  purge(version: number): void {
    for (const [name, removedAt] of this.#tombstones) {
      if (removedAt >= version) break;
      this.#forget(name);
      this.#knownSince = removedAt;
    }
  }

  /** Whether all that was removed since that version is known. */
  knowsSince(version: number): boolean {
    return version >= this.#knownSince;
  }

  /** Names of removed slots, as far as they are known, with the versions that removed them. */
  get removed(): Iterable<readonly [name: string, version: number]> {
    return this.#tombstones;
  }

  #forgetOldest(): void {
    for (const [name, removedAt] of this.#tombstones) {
      this.#forget(name);
      this.#knownSince = removedAt;
      return;
    }
  }

  #forget(name: string): void {
    if (this.#tombstones.delete(name)) this.#tombstoneBytes -= name.length;
  }

  #use(bytes: number): void {
    this.#bytes += bytes;
    this.#usage.bytes += bytes;
  }

  #costOf(name: string): number {
    const slot = this.#slots.get(name);
    return slot ? costOf(name, slot.value) : 0;
  }
}

export function sizeOf(name: string, { bytes }: SharedValue): number {
  return name.length + bytes.length;
}

/** What a slot counts as in the limit of all. */
export function costOf(name: string, value: SharedValue): number {
  return SLOT_BYTES + sizeOf(name, value);
}
