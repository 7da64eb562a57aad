import type { RtmpMessage } from '../../wire/messages.ts';
import {
  decodeSharedObject,
  type SharedObjectEvent,
  type SharedObjectMessage,
  SharedObjectEventType as Type,
} from '../../wire/shared-object.ts';
import type { AmfLimits } from '../../wire/values.ts';
import { describeError, StagewireError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { sizeOfEvent, statusMessage } from './messages.ts';
import { matches } from './object-path.ts';
import { SharedObject, type SharedObjectLimits } from './shared-object.ts';
import type { Usage } from './slots.ts';
import type { StoredObject } from './store/database.ts';
import type { InstanceStore } from './store/store.ts';
import type { Observer, Subscriber } from './subscription.ts';

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
export interface SharedObjectsHost {
  /** Asked for at each step, as they may change. */
  readonly settings: { readonly limits: SharedObjectsLimits; readonly sharedObjects?: Defaults | undefined };
  readonly store: InstanceStore;
  readonly log: Log;
  isName(name: string): boolean;
}

/** An object that is being read from disk. */
interface Loading {
  /** Or why there is none. */
  readonly promise: Promise<SharedObject | string>;
  /** What clients have asked for meanwhile. */
  held: { readonly subscriber: Subscriber; readonly message: SharedObjectMessage }[];
  heldBytes: number;
}

/** How often those who are behind are looked after, and how much they are told then, all together. */
const CATCH_UP_MS = 20;
const CATCH_UP_BYTES = 2 * 1024 * 1024;
/** Telling subscribers takes half of the host's time at the most: what comes meanwhile is told together. */
const LONGEST_PAUSE_MS = 50;
/** Messages of clients for one object that is being read: what is more is refused. */
const MAX_HELD = 4096;
const MAX_HELD_BYTES = 4 * 1024 * 1024;
/** Of the values of one message. */
const AMF_LIMITS: AmfLimits = { depth: 64, values: 65_536 };

/** The shared objects of one instance. A temporary and a persistent one of the same name are two. */
export class SharedObjects {
  readonly usage: Usage = { bytes: 0 };
  readonly #host: SharedObjectsHost;
  readonly #objects = new Map<string, SharedObject>();
  /** By name: they are persistent ones. */
  readonly #loading = new Map<string, Loading>();
  readonly #bySubscriber = new Map<Subscriber, Set<SharedObject>>();
  readonly #changed = new Set<SharedObject>();
  /** Until the next script has started. */
  readonly #kept = new Set<SharedObject>();
  #scripts = 0;
  /** Those with slots that go when a client leaves. */
  readonly #present = new Set<SharedObject>();
  /** Those with subscribers who are behind. */
  readonly #behind = new Set<SharedObject>();
  #flushing: NodeJS.Immediate | NodeJS.Timeout | undefined;
  #notBefore = 0;
  #catchingUp: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(host: SharedObjectsHost) {
    this.#host = host;
  }

  get limits(): SharedObjectsLimits {
    return this.#host.settings.limits;
  }

  [Symbol.iterator](): Iterator<SharedObject> {
    return this.#objects.values();
  }

  /**
   * A message of type 19 or 16 from a client. Throws `E_AMF`, `E_TRUNCATED` or `E_TOO_LONG` for a malformed one, of
   * which nothing has happened then. True when the client is to be read more slowly (`SharedObject.isCrowded`).
   */
  receive(subscriber: Subscriber, { type, payload }: RtmpMessage): boolean {
    if (this.#isClosed) return false;
    const message = decodeSharedObject(type, payload.slice(), AMF_LIMITS);
    this.#act(subscriber, message);
    return this.#objects.get(keyOf(message.name, message.isPersistent))?.isCrowded === true;
  }

  #act(subscriber: Subscriber, message: SharedObjectMessage): void {
    const { name, isPersistent, events } = message;
    const loading = isPersistent ? this.#loading.get(name) : undefined;
    if (loading) return this.#hold(loading, subscriber, message);
    let requests: SharedObjectEvent[] = [];
    const request = () => {
      if (requests.length > 0) this.#request(subscriber, message, requests);
      requests = [];
    };
    for (const [index, event] of events.entries()) {
      if (event.type !== Type.Use && event.type !== Type.Release) {
        requests.push(event);
        continue;
      }
      request();
      if (event.type === Type.Release) this.#release(subscriber, name, isPersistent);
      else if (this.#use(subscriber, message) === 'later')
        return this.#act(subscriber, { ...message, events: events.slice(index) });
    }
    request();
  }

  /** The client is gone. */
  leave(subscriber: Subscriber): void {
    const objects = this.#bySubscriber.get(subscriber);
    this.#bySubscriber.delete(subscriber);
    for (const object of objects ?? []) {
      object.unsubscribe(subscriber);
      this.#dropUnused(object);
    }
    for (const loading of this.#loading.values())
      loading.held = loading.held.filter((held) => held.subscriber !== subscriber);
  }

  /** The slot, if it is there, goes when that client leaves. */
  bind(object: SharedObject, slot: string, client: number): void {
    object.slots.bind(slot, client);
    if (!object.slots.presence.isEmpty) this.#present.add(object);
  }

  /** No client of that number is connected any more. */
  clientLeft(client: number): void {
    for (const object of this.#present) {
      object.vacate(client);
      if (object.slots.presence.isEmpty) this.#present.delete(object);
    }
  }

  /**
   * For a script, which may do with it as it likes; `release` or `keep` must follow. The promise is one only while the
   * object is being read from disk. Throws or rejects with `E_SHARED_OBJECT`.
   */
  open(name: string, isPersistent: boolean): SharedObject | Promise<SharedObject> {
    if (!this.#host.isName(name)) throw problem(`"${name.slice(0, 80)}" is no name of a shared object`);
    const key = keyOf(name, isPersistent);
    const object = this.#objects.get(key);
    if (object) return this.#keep(object);
    if (!this.#hasRoom)
      throw problem(`${this.limits.sharedObjects} of them are there (limits.sharedObjects)`);
    if (!isPersistent) return this.#make(name);
    return this.#loaded(name).then((loaded) => this.#keep(loaded));
  }

  #keep(object: SharedObject): SharedObject {
    this.#kept.delete(object);
    return object;
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
    const clear = (object: SharedObject) => {
      if (cleared.has(object)) return;
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
      else if (this.#loading.has(name)) clear(await this.#loaded(name));
    }
    if ((await Promise.all(written)).includes(false)) throw problem('not all of them are cleared on disk');
    return new Set([...stored, ...[...cleared].map(({ name }) => name)]);
  }

  /** The persistent one of that name holds these values, and nothing else, once that is on disk. Rejects when it does not. */
  async replace(name: string, values: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const object = this.#objects.get(keyOf(name, true)) ?? (await this.#loaded(name));
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

  /** Nobody may have it any more. */
  release(object: SharedObject): void {
    this.#dropUnused(object);
  }

  /** There is one script more: while one takes over from another, two. */
  scriptCame(): void {
    this.#scripts++;
  }

  /** A script is over. What it had open stays, when no other is there: the next one may open it. */
  scriptLeft(objects: readonly SharedObject[]): void {
    this.#scripts--;
    for (const object of objects) {
      if (this.#scripts === 0) this.#kept.add(object);
      else this.#dropUnused(object);
    }
  }

  /** A script has started: what it has not opened, and nobody else has, goes. */
  scriptStarted(): void {
    for (const object of [...this.#kept]) {
      this.#kept.delete(object);
      this.#dropUnused(object);
    }
  }

  /** What has waited for another script to decide about waits no longer. `hasScript`: that there is one. */
  takenOver(hasScript: boolean): void {
    for (const object of [...this.#objects.values()]) object.takenOver(hasScript);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#catchingUp);
    for (const object of this.#objects.values()) this.#forget(object);
    this.#loading.clear();
    this.#changed.clear();
    this.#behind.clear();
    this.#present.clear();
    this.#objects.clear();
    this.#bySubscriber.clear();
  }

  /** Called by objects that have something to tell. */
  changed(object: SharedObject): void {
    this.#changed.add(object);
    if (this.#flushing) return;
    const waitMs = this.#notBefore - performance.now();
    const flush = () => this.#flush();
    this.#flushing = waitMs > 0 ? setTimeout(flush, waitMs) : setImmediate(flush);
  }

  /** `later`: it is being read from disk. */
  #use(
    subscriber: Subscriber,
    { name, isPersistent, version, isProxy }: SharedObjectMessage,
  ): 'later' | undefined {
    const refuse = (code: Parameters<typeof statusMessage>[3]) =>
      void statusMessage(subscriber, name, isPersistent, code);
    if (!this.#host.isName(name)) return refuse('SharedObject.ObjectCreationFailed');
    if (!subscriber.mayRead(name)) return refuse('SharedObject.NoReadAccess');
    let object = this.#objects.get(keyOf(name, isPersistent));
    if (!object && !this.#hasRoom) return refuse('SharedObject.ObjectCreationFailed');
    if (!object && isPersistent) {
      this.#load(name);
      return 'later';
    }
    object ??= this.#make(name);
    const own = this.#bySubscriber.get(subscriber) ?? new Set();
    this.#bySubscriber.set(subscriber, own.add(object));
    object.subscribe(subscriber, version, isProxy);
    return undefined;
  }

  get #hasRoom(): boolean {
    return this.#objects.size + this.#loading.size < this.limits.sharedObjects;
  }

  #make(name: string): SharedObject {
    const object = new SharedObject(name, this);
    this.#objects.set(keyOf(name, false), object);
    return object;
  }

  #load(name: string): Loading {
    const known = this.#loading.get(name);
    if (known) return known;
    const loading: Loading = { promise: this.#read(name), held: [], heldBytes: 0 };
    this.#loading.set(name, loading);
    return loading;
  }

  /** Rejects with `E_SHARED_OBJECT`. */
  async #loaded(name: string): Promise<SharedObject> {
    const loaded = await this.#load(name).promise;
    if (typeof loaded === 'string') throw problem(loaded);
    return loaded;
  }

  async #read(name: string): Promise<SharedObject | string> {
    const { store, log } = this.#host;
    let object: SharedObject | string;
    try {
      object = this.#restore(name, await store.load(name));
    } catch (error) {
      object = `"${name.slice(0, 80)}" cannot be read from disk`;
      log.error(`the shared object ${object}: ${describeError(error, 300)}`, { code: 'E_DATA' });
    }
    const { held = [] } = this.#loading.get(name) ?? {};
    this.#loading.delete(name);
    if (typeof object !== 'string') this.#objects.set(keyOf(name, true), object);
    for (const { subscriber, message } of held) {
      if (typeof object !== 'string') this.#act(subscriber, message);
      else statusMessage(subscriber, name, true, 'SharedObject.ObjectCreationFailed');
    }
    // Whoever asked for it may have left meanwhile. Scripts take it within this round.
    setImmediate(() => typeof object !== 'string' && this.#dropUnused(object));
    return object;
  }

  #restore(name: string, stored: StoredObject): SharedObject | string {
    const { store, settings } = this.#host;
    const { persistentObjects } = this.limits;
    if (this.#isClosed) return 'the instance is over';
    if (!stored.isStored && store.usage.objects >= persistentObjects)
      return `the application has ${persistentObjects} persistent ones (limits.persistentObjects)`;
    const { sharedObjectBytes } = this.limits;
    if (this.usage.bytes + stored.bytes > sharedObjectBytes)
      return `all of them would take more than ${sharedObjectBytes} bytes of memory (limits.sharedObjectBytes)`;
    const object = new SharedObject(name, this, { stored, store });
    // What it has on disk counts already, and counts in memory from now on.
    if (stored.isStored) store.usage.bytes -= stored.bytes;
    else store.usage.objects++;
    const { autoCommit, resyncDepth } = settings.sharedObjects ?? {};
    if (object.durability) object.durability.isAutomatic = autoCommit ?? true;
    object.slots.resyncDepth = resyncDepth ?? -1;
    return object;
  }

  #hold(loading: Loading, subscriber: Subscriber, message: SharedObjectMessage): void {
    const bytes = message.events.reduce((sum, event) => sum + sizeOfEvent(event), 0);
    loading.heldBytes += bytes;
    if (loading.held.length < MAX_HELD && loading.heldBytes <= MAX_HELD_BYTES)
      loading.held.push({ subscriber, message });
    else statusMessage(subscriber, message.name, message.isPersistent, 'SharedObject.NoWriteAccess');
  }

  #release(subscriber: Subscriber, name: string, isPersistent: boolean): void {
    const object = this.#objects.get(keyOf(name, isPersistent));
    if (!object?.has(subscriber)) return;
    object.unsubscribe(subscriber);
    this.#bySubscriber.get(subscriber)?.delete(object);
    this.#dropUnused(object);
  }

  #request(
    subscriber: Subscriber,
    { name, isPersistent, version }: SharedObjectMessage,
    events: readonly SharedObjectEvent[],
  ): void {
    const object = this.#objects.get(keyOf(name, isPersistent));
    if (object?.has(subscriber)) object.request(subscriber, version, events);
    else statusMessage(subscriber, name, isPersistent, 'SharedObject.NoWriteAccess');
  }

  /** Called by objects that have been written as far as they can be. */
  settled(object: SharedObject): void {
    this.#dropUnused(object);
  }

  /** Called by objects that could not be written. */
  failed(object: SharedObject, error: unknown): void {
    if (this.#isClosed) this.#host.store.losesVersions();
    const text = `what changed in the shared object "${object.name}" is not on disk and taken back: ${describeError(error, 300)}`;
    this.#host.log.error(text, { code: 'E_DATA' });
  }

  #dropUnused(object: SharedObject): void {
    if (this.#isClosed || !object.isUnused || this.#kept.has(object)) return;
    const { durability } = object;
    if (durability && !durability.isSettled) return durability.save();
    const key = keyOf(object.name, object.isPersistent);
    if (this.#objects.get(key) !== object) return;
    this.#forget(object);
    this.#changed.delete(object);
    this.#behind.delete(object);
    this.#present.delete(object);
    this.#objects.delete(key);
  }

  /** It is no longer in memory: what is not on disk is lost, and what is left of an empty one is removed. */
  #forget(object: SharedObject): void {
    object.vacateAll();
    const { slots, durability, version, name } = object;
    this.usage.bytes -= slots.bytes;
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

  #flush(): void {
    this.#flushing = undefined;
    if (this.#isClosed) return;
    const startedAt = performance.now();
    for (const object of [...this.#changed]) {
      this.#changed.delete(object);
      if (object.flush().isBehind) this.#behind.add(object);
    }
    const endedAt = performance.now();
    this.#notBefore = endedAt + Math.min(endedAt - startedAt, LONGEST_PAUSE_MS);
    if (this.#behind.size > 0) this.#catchUpLater();
  }

  #catchUpLater(): void {
    this.#catchingUp ??= setTimeout(() => {
      this.#catchingUp = undefined;
      const room = { bytes: CATCH_UP_BYTES };
      for (const object of [...this.#behind]) {
        if (room.bytes <= 0) break;
        this.#behind.delete(object);
        // At the end: the others come first next time.
        if (object.catchUp(room)) this.#behind.add(object);
      }
      if (this.#behind.size > 0) this.#catchUpLater();
    }, CATCH_UP_MS);
  }
}

function problem(text: string): StagewireError {
  return new StagewireError('E_SHARED_OBJECT', 'app', text);
}

function keyOf(name: string, isPersistent: boolean): string {
  return `${isPersistent ? 'p' : 't'} ${name}`;
}
