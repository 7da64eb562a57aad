import type { Slot, Slots } from './slots.ts';
import type { StoredObject } from './store/database.ts';
import type { SavedState } from './store/store.ts';
import type { Subscription } from './subscription.ts';

/** Somebody who is to hear that what a slot holds is on disk. */
export interface Owed {
  readonly writer: Subscription;
  readonly key: string;
}

export interface Saver {
  readonly version: number;
  /** Resolves once it is on disk. */
  save(state: SavedState): Promise<void>;
  /** They are on disk. */
  saved(owed: readonly Owed[]): void;
  /** These slots could not be written, nor what came later: what they held before is what is on disk. */
  failed(before: ReadonlyMap<string, Slot | undefined>, owed: readonly Owed[], error: unknown): void;
  /** Everything is on disk that can be. */
  settled(): void;
  /** Something could not be written, and the object is no longer there to take it back. */
  lost(error: unknown): void;
}

/** Beyond it, clients that write to the object wait. */
const MAX_OWED = 4096;

/** Writes the slots of one object to disk: at once, and while that goes on, what has changed meanwhile in one go. */
export class Durability {
  /** Whether it is written whenever it has changed; otherwise when the script says so. */
  isAutomatic = true;
  readonly #slots: Slots;
  readonly #saver: Saver;
  #isStored: boolean;
  #storedBytes: number;
  #owed: Owed[] = [];
  #inHand = 0;
  #saving: Promise<boolean> | undefined;
  #isClosed = false;
  #failures = 0;
  /** What had changed by then could not be written, and will not be tried again without being asked for. */
  #failedAt: number | undefined;

  constructor(slots: Slots, { isStored, bytes }: StoredObject, saver: Saver) {
    this.#slots = slots;
    this.#saver = saver;
    this.#isStored = isStored;
    this.#storedBytes = bytes;
  }

  /** What it takes on disk, as far as that is written. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  get isStored(): boolean {
    return this.#isStored;
  }

  /** Not all of it is on disk. */
  get isDirty(): boolean {
    return this.#saving !== undefined || this.#slots.hasUnsaved;
  }

  /** Nothing is being written, and nothing is going to be. */
  get isSettled(): boolean {
    return this.#saving === undefined && (!this.#isAtWork || !this.#slots.hasUnsaved);
  }

  /** Too many wait to hear of it. */
  get isFull(): boolean {
    return this.#owed.length + this.#inHand >= MAX_OWED;
  }

  /** That writer hears of it once what the slot holds now is on disk. */
  owe(writer: Subscription, key: string): void {
    this.#owed.push({ writer, key });
  }

  /** What has changed is to be written. */
  save(): void {
    if (this.#saving) return; // what has changed since comes next
    if (this.#isAtWork && this.#slots.hasUnsaved) this.#saving = this.#save();
    else this.#settle();
  }

  /** Writes what has changed by now. Whether it is on disk. */
  async flush(): Promise<boolean> {
    const failures = this.#failures;
    await this.#saving;
    // It has gone back to what was on disk before, and what was to be written with it.
    if (this.#failures > failures) return false;
    if (!this.#saving && this.#slots.hasUnsaved) this.#saving = this.#save();
    return (await this.#saving) ?? this.#failedAt === undefined;
  }

  /** The object goes from memory: what has changed is handed over to be written, and nobody hears how that went. */
  close(): void {
    const isToBeWritten = this.isAutomatic && this.#slots.hasUnsaved;
    this.#isClosed = true;
    if (!isToBeWritten) return;
    const state = this.#stateOf(this.#slots.takeUnsaved());
    this.#isStored = true;
    this.#storedBytes = state.bytes;
    this.#saver.save(state).catch((error: unknown) => this.#saver.lost(error));
  }

  get #isAtWork(): boolean {
    return this.isAutomatic && this.#failedAt !== this.#slots.changes;
  }

  #settle(): void {
    const owed = this.#owed;
    this.#owed = [];
    if (owed.length > 0) this.#saver.saved(owed);
    this.#saver.settled();
  }

  async #save(): Promise<boolean> {
    const before = this.#slots.takeUnsaved();
    const owed = this.#owed;
    this.#owed = [];
    this.#inHand = owed.length;
    const state = this.#stateOf(before);
    let error: unknown;
    try {
      await this.#saver.save(state);
    } catch (reason) {
      error = reason ?? new Error('unknown');
    }
    this.#saving = undefined;
    this.#inHand = 0;
    if (this.#isClosed) {
      if (error !== undefined) this.#saver.lost(error);
      return error === undefined;
    }
    if (error === undefined) {
      this.#isStored = true;
      this.#storedBytes = state.bytes;
      this.#failedAt = undefined;
      if (owed.length > 0) this.#saver.saved(owed);
      this.save();
      return true;
    }
    this.#failures++;
    const all = [...owed, ...this.#owed];
    this.#owed = [];
    const onDisk = new Map([...this.#slots.takeUnsaved(), ...before]);
    this.#saver.failed(onDisk, all, error);
    this.#slots.setUnsaved(onDisk);
    this.#failedAt = this.#slots.changes;
    this.#saver.settled();
    return false;
  }

  #stateOf(changed: ReadonlyMap<string, unknown>): SavedState {
    const { bytes, knownSince } = this.#slots;
    const slots = this.#slots.stateOf(changed.keys());
    return { version: this.#saver.version, knownSince, bytes, isGone: false, ...slots };
  }
}
