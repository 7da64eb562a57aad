import { type SharedValue, sharedValueFrom } from '../../wire/shared-values.ts';
import { Presence } from './presence.ts';
import type { StoredObject, StoredSlot } from './store/database.ts';

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
/**
 * Removed slots are forgotten whatever `resyncDepth` says when there are more of them than slots, and than this: names are
 * without end, no limit counts them, and where there are few slots it is cheap to tell all of them.
 */
const FEW_TOMBSTONES = 64;
const MAX_TOMBSTONES = 10_000;
/** Of their names. */
const MAX_TOMBSTONE_BYTES = 64 * 1024;

/**
 * The slots of a shared object with the versions of their last changes, and of those that were removed, so that a
 * subscriber who was away can be told what it missed (Server-Side ActionScript Language Reference, SharedObject.resyncDepth).
 */
export class Slots {
  /** How many versions of removed slots are remembered; -1 for as many as there is room for. */
  resyncDepth = -1;
  /** Which of them go when a client leaves. */
  readonly presence = new Presence();
  readonly #slots = new Map<string, Slot>();
  /** Names of removed slots by the version that removed them, oldest first. */
  readonly #tombstones = new Map<string, number>();
  #tombstoneBytes = 0;
  /** Whoever knows an older version may have missed that a slot was removed. */
  #knownSince = 0;
  #bytes = 0;
  readonly #usages: readonly Usage[];
  /** What slots held, undefined for nothing, that have changed since they were saved. Only of those on disk. */
  #unsaved: Map<string, Slot | undefined> | undefined;
  #changes = 0;

  /** `usages` are kept current. */
  constructor(usages: readonly Usage[] = []) {
    this.#usages = usages;
  }

  /** As they are on disk, and from now on remembers what has changed since it was last asked. */
  restore({ knownSince, slots }: StoredObject): void {
    const live = slots.flatMap(({ name, version, value: bytes }): [string, Slot][] => {
      const value = bytes && sharedValueFrom(bytes);
      return value ? [[name, { value, version, writer: 0, toldWriter: version }]] : [];
    });
    const removed = slots.filter(({ value }) => value === null).sort((a, b) => a.version - b.version);
    for (const [name, slot] of live) this.set(name, slot);
    for (const { name, version } of removed) this.#bury(name, version);
    this.#knownSince = Math.max(this.#knownSince, knownSince);
    this.#unsaved = new Map();
  }

  get hasUnsaved(): boolean {
    return this.#unsaved !== undefined && this.#unsaved.size > 0;
  }

  /** Rises with everything that is to be saved. */
  get changes(): number {
    return this.#changes;
  }

  /** What each slot held that has changed since the last call. */
  takeUnsaved(): Map<string, Slot | undefined> {
    const unsaved = this.#unsaved ?? new Map();
    this.#unsaved = new Map();
    return unsaved;
  }

  /** What is on disk, of slots that were set back to it: it is to be written again, as their versions are new. */
  setUnsaved(onDisk: ReadonlyMap<string, Slot | undefined>): void {
    this.#unsaved = new Map(onDisk);
  }

  /** What to write of the slots of those names. */
  stateOf(names: Iterable<string>): { slots: StoredSlot[]; forgotten: string[] } {
    const slots: StoredSlot[] = [];
    const forgotten: string[] = [];
    for (const name of names) {
      const slot = this.#slots.get(name);
      const removedAt = this.#tombstones.get(name);
      // Whom it goes with is not there any more when it is read.
      if (slot && !this.presence.has(name))
        slots.push({ name, version: slot.version, value: slot.value.bytes });
      else if (removedAt !== undefined) slots.push({ name, version: removedAt, value: null });
      else forgotten.push(name);
    }
    return { slots, forgotten };
  }

  /** Whoever knows an older version has to be told everything. */
  get knownSince(): number {
    return this.#knownSince;
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
    this.#note(name);
    this.#use(costOf(name, slot.value) - this.#costOf(name));
    this.#slots.set(name, slot);
    this.#forget(name);
  }

  /** It goes when that client leaves; with 0 it is a slot like others. */
  bind(name: string, client: number): void {
    if (!this.#slots.has(name) || (client === 0 && !this.presence.has(name))) return;
    this.#note(name);
    if (client === 0) this.presence.release(name);
    else this.presence.bind(name, client);
  }

  /** Whether there was one. */
  remove(name: string, version: number): boolean {
    if (!this.#slots.has(name)) return false;
    this.#note(name);
    this.#use(-this.#costOf(name));
    this.#slots.delete(name);
    this.presence.release(name);
    this.#bury(name, version);
    return true;
  }

  /** All of them, without a trace: whoever was away then gets the whole. */
  clear(version: number): void {
    for (const name of this.#slots.keys()) this.#note(name);
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

  /** Whether whoever has seen the one version can be told what was removed up to the other, which is now. */
  knowsSince(version: number, now: number): boolean {
    if (this.resyncDepth >= 0 && version + this.resyncDepth < now) return false;
    return version >= this.#knownSince;
  }

  /** Names of removed slots, as far as they are known, with the versions that removed them. */
  get removed(): Iterable<readonly [name: string, version: number]> {
    return this.#tombstones;
  }

  #bury(name: string, version: number): void {
    this.#tombstones.set(name, version);
    this.#tombstoneBytes += name.length;
    if (this.resyncDepth >= 0) this.purge(version - this.resyncDepth);
    const most = Math.min(MAX_TOMBSTONES, Math.max(FEW_TOMBSTONES, this.#slots.size));
    while (this.#tombstones.size > most || this.#tombstoneBytes > MAX_TOMBSTONE_BYTES) this.#forgetOldest();
  }

  #note(name: string): void {
    this.#changes++;
    if (!this.#unsaved || this.#unsaved.has(name)) return;
    // What goes with a client never is on disk.
    this.#unsaved.set(name, this.presence.has(name) ? undefined : this.#slots.get(name));
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
    for (const usage of this.#usages) usage.bytes += bytes;
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
  return costOfBytes(name, value.bytes);
}

export function costOfBytes(name: string, bytes: Uint8Array): number {
  return SLOT_BYTES + name.length + bytes.length;
}
