import { describeError, StagewireError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { matches } from '../base/resource-path.ts';
import { Complaints } from './complaints.ts';
import { ProxiedObject } from './proxied-object.ts';
import type { ObjectLimit } from './room.ts';
import { SharedObject, type SharedObjectLimits } from './shared-object.ts';
import { costOfBytes, type Usage } from './slots.ts';
import type { StoredObject } from './store/database.ts';
import type { InstanceStore } from './store/store.ts';
import type { Observer } from './subscription.ts';

/** One that clients and scripts have here: the authority, or a copy of another instance's. */
export type AnyObject = SharedObject | ProxiedObject;

export interface SharedObjectsLimits extends SharedObjectLimits {
  /** How many there may be in the instance. */
  readonly sharedObjects: number;
  /** How many persistent ones the application may have on disk. */
  readonly persistentObjects: number;
}

/** What objects begin with, until a script says otherwise. */
export interface Defaults {
  readonly autoCommit?: boolean | undefined;
  readonly resyncDepth?: number | undefined;
}

/** What the objects of an instance need of it. */
export interface ObjectsHost {
  /** Asked for at each step, as they may change. */
  readonly settings: { readonly limits: SharedObjectsLimits; readonly sharedObjects?: Defaults | undefined };
  readonly store: InstanceStore;
  /** Of all instances of the application together: kept current. */
  readonly appUsage: Usage;
  readonly log: Log;
  /** It has something to tell. */
  changed(object: AnyObject): void;
  /** Though nobody has it, it is to stay. */
  isKept(object: AnyObject): boolean;
  /** It is not in memory any more. */
  dropped(object: AnyObject): void;
}

/** An object that is being read from disk. */
export interface Loading {
  /** Or why there is none. */
  readonly promise: Promise<SharedObject | string>;
  /** Called with it before the promise resolves. */
  readonly waiting: ((loaded: SharedObject | string) => void)[];
}

/** How long a persistent object stays in memory that nobody has. */
const REST_MS = 5000;

/** The shared objects of one instance that are in memory, and on their way between that and the disk. */
export class Objects {
  readonly usage: Usage = { bytes: 0 };
  readonly #host: ObjectsHost;
  /** Of the disk. */
  readonly #failures: Complaints;
  readonly #refusals: Complaints;
  readonly #objects = new Map<string, AnyObject>();
  /** By name: they are persistent ones. */
  readonly #loading = new Map<string, Loading>();
  /** Persistent ones that nobody has, since when. */
  readonly #resting = new Map<AnyObject, number>();
  #rest: NodeJS.Timeout | undefined;
  /** The highest version that a temporary object had: a client may still write to it, and mean the one before. */
  #floor = 0;
  #isClosed = false;

  constructor(host: ObjectsHost) {
    this.#host = host;
    this.#failures = new Complaints(host.log, 'error', 1000);
    this.#refusals = new Complaints(host.log, 'warn', 10_000);
  }

  get limits(): SharedObjectsLimits {
    return this.#host.settings.limits;
  }

  get appUsage(): Usage {
    return this.#host.appUsage;
  }

  [Symbol.iterator](): Iterator<AnyObject> {
    return this.#objects.values();
  }

  get(name: string, isPersistent: boolean): AnyObject | undefined {
    return this.#objects.get(keyOf(name, isPersistent));
  }

  /** The persistent one of that name is being read. */
  loading(name: string): Loading | undefined {
    return this.#loading.get(name);
  }

  /** Whoever waits for an object to be read. */
  get allLoading(): Iterable<Loading> {
    return this.#loading.values();
  }

  /** Whether there may be one more. */
  get hasRoom(): boolean {
    const { sharedObjects } = this.limits;
    if (this.#objects.size + this.#loading.size >= sharedObjects) this.#dropResting();
    return this.#objects.size + this.#loading.size < sharedObjects;
  }

  make(name: string): SharedObject {
    const object = new SharedObject(name, this, undefined, this.#floor + 1);
    this.#objects.set(keyOf(name, false), object);
    return object;
  }

  /** A copy of another instance's; nothing else has that name. */
  makeProxy(name: string, isPersistent: boolean): ProxiedObject {
    const object = new ProxiedObject(name, isPersistent, this, this.#floor + 1);
    this.#objects.set(keyOf(name, isPersistent), object);
    return object;
  }

  /** The name is to stand for something else. */
  remove(object: AnyObject): void {
    this.#drop(object);
  }

  /** Of a persistent one. */
  load(name: string): Loading {
    const known = this.#loading.get(name);
    if (known) return known;
    const loading: Loading = { promise: this.#read(name), waiting: [] };
    this.#loading.set(name, loading);
    return loading;
  }

  /** Rejects with `E_SHARED_OBJECT`. */
  async loaded(name: string): Promise<SharedObject> {
    const loaded = await this.load(name).promise;
    if (typeof loaded === 'string') throw problem(loaded);
    return loaded;
  }

  async #read(name: string): Promise<SharedObject | string> {
    const { store } = this.#host;
    let object: SharedObject | string;
    try {
      object = this.#restore(name, await store.load(name));
    } catch (error) {
      object = `"${name.slice(0, 80)}" cannot be read from disk`;
      this.#failures.say(`the shared object ${object}: ${describeError(error, 300)}`, 'E_DATA');
    }
    const { waiting = [] } = this.#loading.get(name) ?? {};
    this.#loading.delete(name);
    if (typeof object !== 'string') this.#objects.set(keyOf(name, true), object);
    for (const take of waiting) take(object);
    // Whoever asked for it may have left meanwhile. Scripts take it within this round.
    setImmediate(() => typeof object !== 'string' && this.dropUnused(object));
    return object;
  }

  #restore(name: string, stored: StoredObject): SharedObject | string {
    const { store, settings } = this.#host;
    const { persistentObjects } = this.limits;
    if (this.#isClosed) return 'the instance is over';
    if (!stored.isStored && store.usage.objects >= persistentObjects)
      return `the application has ${persistentObjects} persistent ones (limits.persistentObjects)`;
    const { sharedObjectBytes, appSharedObjectBytes } = this.limits;
    if (this.usage.bytes + stored.bytes > sharedObjectBytes) this.#dropResting();
    if (this.usage.bytes + stored.bytes > sharedObjectBytes)
      return `all of them would take more than ${sharedObjectBytes} bytes of memory (limits.sharedObjectBytes)`;
    if (this.appUsage.bytes + stored.bytes > appSharedObjectBytes)
      return `those of the application would take more than ${appSharedObjectBytes} bytes of memory (limits.appSharedObjectBytes)`;
    const object = new SharedObject(name, this, { stored, store });
    // What it has on disk counts already, and counts in memory from now on.
    if (stored.isStored) store.usage.bytes -= stored.bytes;
    else store.usage.objects++;
    const { autoCommit, resyncDepth } = settings.sharedObjects ?? {};
    if (object.durability) object.durability.isAutomatic = autoCommit ?? true;
    object.slots.resyncDepth = resyncDepth ?? -1;
    return object;
  }

  /** Called by objects that have something to tell. */
  changed(object: AnyObject): void {
    this.#host.changed(object);
  }

  /**
   * Removes all slots of those whose name the path stands for (`application.clearSharedObjects`), in memory and on disk.
   * `observerOf`: of the script that wants it. Returns their names once that is on disk; rejects when it is not.
   */
  async clear(
    path: string,
    observerOf: (object: SharedObject) => Observer | undefined,
  ): Promise<ReadonlySet<string>> {
    const { store } = this.#host;
    const cleared = new Set<SharedObject>();
    const written: Promise<unknown>[] = [];
    const clear = (object: AnyObject) => {
      // What belongs to another instance is cleared there.
      if (object.isProxied || cleared.has(object)) return;
      cleared.add(object);
      object.change([{ op: 'clear' }], observerOf(object));
      if (object.durability) written.push(object.durability.flush());
    };
    for (const object of this.#objects.values()) if (matches(path, object.name)) clear(object);
    const stored = (await store.names()).filter((name) => matches(path, name));
    written.push(
      store.remove(
        stored.filter((name) => !this.#objects.has(keyOf(name, true)) && !this.#loading.has(name)),
      ),
    );
    for (const name of stored) {
      // Some have come into memory meanwhile, or are about to.
      const object = this.#objects.get(keyOf(name, true));
      if (object) clear(object);
      else if (this.#loading.has(name)) clear(await this.loaded(name));
    }
    if ((await Promise.all(written)).includes(false)) throw problem('not all of them are cleared on disk');
    return new Set([...stored, ...[...cleared].map(({ name }) => name)]);
  }

  /** The persistent one of that name holds these values, and nothing else, once that is on disk. Rejects when it does not. */
  async replace(name: string, values: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const object = this.#objects.get(keyOf(name, true)) ?? (await this.loaded(name));
    if (object.isProxied) throw problem('it belongs to another instance');
    let more = -object.slots.bytes;
    for (const [slot, value] of values) more += costOfBytes(slot, value);
    const { sharedObjectBytes, appSharedObjectBytes, persistentBytes } = this.limits;
    if (more > 0 && this.appUsage.bytes + more > appSharedObjectBytes)
      throw problem(`it leaves no room in memory (limits.appSharedObjectBytes: ${appSharedObjectBytes})`);
    if (more > 0 && this.usage.bytes + more > sharedObjectBytes)
      throw problem(`it leaves no room in memory (limits.sharedObjectBytes: ${sharedObjectBytes})`);
    if (more > 0 && this.#host.store.usage.bytes + more > persistentBytes)
      throw problem(`it leaves no room on disk (limits.persistentBytes: ${persistentBytes})`);
    const sets = [...values].map(([slot, value]) => ({ op: 'set' as const, name: slot, value }));
    object.change([{ op: 'clear' }, ...sets]);
    const { size } = object.slots;
    const isWritten = await object.durability?.flush();
    if (!isWritten) throw problem('it could not be written');
    if (size < values.size) throw problem(`${size} of its ${values.size} slots have room (see limits)`);
  }

  /** Writes what has changed of the persistent one of that name, or of all. Whether it is on disk. */
  async commit(name?: string): Promise<boolean> {
    const objects = [...this.#objects.values()].filter(
      (object) => name === undefined || object.name === name,
    );
    const written = objects.flatMap(({ durability }) => (durability ? [durability.flush()] : []));
    if (name !== undefined && written.length === 0) return false;
    return !(await Promise.all(written)).includes(false);
  }

  /** Called by objects that have been written as far as they can be. */
  settled(object: SharedObject): void {
    this.dropUnused(object);
  }

  /** Called by objects that could not be written. */
  failed(object: SharedObject, error: unknown): void {
    const what = `what changed in the shared object "${object.name}" is not on disk and taken back`;
    this.#failures.say(`${what}: ${describeError(error, 300)}`, 'E_DATA');
  }

  /** Called by objects that had no room for what a client wanted. */
  refused(object: AnyObject, slot: string, limit: ObjectLimit): void {
    const what = `a client could not set the slot "${slot.slice(0, 80)}" of the shared object "${object.name}"`;
    this.#refusals.say(`${what}: limits.${limit} is ${this.limits[limit]}`, 'E_LIMIT');
  }

  /** Nobody may have it any more: then it goes, a persistent one when it is on disk and nobody has wanted it for a while. */
  dropUnused(object: AnyObject): void {
    if (!this.#mayGo(object)) return;
    const { durability, slots } = object;
    if (durability && !durability.isSettled) return durability.save();
    if (!durability || slots.size === 0) return this.#drop(object);
    this.#resting.set(object, performance.now());
    this.#endRests();
  }

  #mayGo(object: AnyObject): boolean {
    const isThere = this.#objects.get(keyOf(object.name, object.isPersistent)) === object;
    return isThere && object.isUnused && !this.#host.isKept(object);
  }

  /** Reading a large one again and again would keep the host from everything else. */
  #endRests(): void {
    this.#rest ??= setTimeout(() => {
      this.#rest = undefined;
      const before = performance.now() - REST_MS;
      for (const [object, since] of this.#resting) if (since <= before) this.#endRest(object);
      if (this.#resting.size > 0) this.#endRests();
    }, REST_MS / 2);
  }

  /** There is no room for others. */
  #dropResting(): void {
    for (const object of this.#resting.keys()) this.#endRest(object);
  }

  #endRest(object: AnyObject): void {
    this.#resting.delete(object);
    if (this.#mayGo(object) && object.durability?.isSettled) this.#drop(object);
  }

  #drop(object: AnyObject): void {
    if (!object.isPersistent) this.#floor = Math.max(this.#floor, object.version);
    this.#forget(object);
    this.#objects.delete(keyOf(object.name, object.isPersistent));
    this.#host.dropped(object);
  }

  /** It is no longer in memory: what is not on disk is lost, and what is left of an empty one is removed. */
  #forget(object: AnyObject): void {
    object.vacateAll();
    if (object.isProxied) object.release();
    const { slots, durability, version, name } = object;
    this.usage.bytes -= slots.bytes;
    this.appUsage.bytes -= slots.bytes;
    if (!durability) return;
    durability.close();
    const { store } = this.#host;
    const isLost = slots.hasUnsaved;
    const isGone = slots.size === 0 && !isLost;
    store.usage.bytes -= slots.bytes;
    if (isGone || !durability.isStored) store.usage.objects--;
    else store.usage.bytes += durability.storedBytes;
    if (!durability.isStored || !(isGone || isLost)) return;
    // Clients have been told of versions that are not on disk: what they know is none that there was.
    const next = version + 1;
    const bytes = durability.storedBytes;
    const state = { version: next, knownSince: next, bytes, slots: [], forgotten: [], isGone };
    store.save(name, state).catch(() => store.losesVersions());
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#rest);
    for (const object of this.#objects.values()) this.#forget(object);
    this.#loading.clear();
    this.#resting.clear();
    this.#objects.clear();
  }
}

export function problem(text: string): StagewireError {
  return new StagewireError('E_SHARED_OBJECT', 'app', text);
}

function keyOf(name: string, isPersistent: boolean): string {
  return `${isPersistent ? 'p' : 't'} ${name}`;
}
