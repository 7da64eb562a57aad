import type { RtmpMessage } from '../../wire/messages.ts';
import {
  decodeSharedObject,
  type SharedObjectEvent,
  type SharedObjectMessage,
  SharedObjectEventType as Type,
} from '../../wire/shared-object.ts';
import { NAME_RULE } from '../../wire/stream-name.ts';
import type { AmfLimits } from '../../wire/values.ts';
import { sizeOfEvent, statusMessage } from './messages.ts';
import {
  type AnyObject,
  type Loading,
  Objects,
  type ObjectsHost,
  problem,
  type SharedObjectsLimits,
} from './objects.ts';
import type { ProxiedObject } from './proxied-object.ts';
import type { SharedObject } from './shared-object.ts';
import type { Subscriber } from './subscription.ts';

/** What the objects of an instance need of it. */
export interface SharedObjectsHost extends Pick<ObjectsHost, 'settings' | 'store' | 'appUsage' | 'log'> {
  isName(name: string): boolean;
}

/** How often those who are behind are looked after, and how much they are told then, all together. */
const CATCH_UP_MS = 20;
const CATCH_UP_BYTES = 2 * 1024 * 1024;
/** Telling subscribers takes half of the host's time at the most: what comes meanwhile is told together. */
const LONGEST_PAUSE_MS = 50;
/** Messages of clients for objects that are being read: what is more is refused. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
/** What one counts as besides what is in it. */
const MESSAGE_BYTES = 512;
/** Of the values of one message. */
const AMF_LIMITS: AmfLimits = { depth: 64, values: 65_536 };

/** The shared objects of one instance. A temporary and a persistent one of the same name are two. */
export class SharedObjects {
  readonly #host: SharedObjectsHost;
  readonly #objects: Objects;
  readonly #bySubscriber = new Map<Subscriber, Set<AnyObject>>();
  /** A mark for each subscriber with messages that wait for an object to be read. */
  readonly #held = new Map<Subscriber, object>();
  #heldBytes = 0;
  readonly #changed = new Set<AnyObject>();
  /** Until the next script has started. */
  readonly #kept = new Set<AnyObject>();
  #scripts = 0;
  /** Those with slots that go when a client leaves. */
  readonly #present = new Set<SharedObject>();
  /** Those with subscribers who are behind. */
  readonly #behind = new Set<AnyObject>();
  #flushing: NodeJS.Immediate | NodeJS.Timeout | undefined;
  #notBefore = 0;
  #catchingUp: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(host: SharedObjectsHost) {
    this.#host = host;
    this.#objects = new Objects({
      get settings() {
        return host.settings;
      },
      ...{ store: host.store, appUsage: host.appUsage, log: host.log },
      changed: (object) => this.#flushSoon(object),
      isKept: (object) => this.#kept.has(object),
      dropped: (object) => {
        this.#changed.delete(object);
        this.#behind.delete(object);
        if (!object.isProxied) this.#present.delete(object);
      },
    });
  }

  get limits(): SharedObjectsLimits {
    return this.#objects.limits;
  }

  /** What there is in memory, and on disk. */
  get objects(): Objects {
    return this.#objects;
  }

  [Symbol.iterator](): Iterator<AnyObject> {
    return this.#objects[Symbol.iterator]();
  }

  /**
   * A message of type 19 or 16 from a client. Throws `E_AMF`, `E_TRUNCATED` or `E_TOO_LONG` for a malformed one, of
   * which nothing has happened then. True when the client is to be read more slowly (`SharedObject.isCrowded`).
   */
  receive(subscriber: Subscriber, { type, payload }: RtmpMessage): boolean {
    if (this.#isClosed) return false;
    const message = decodeSharedObject(type, payload.slice(), AMF_LIMITS);
    this.#act(subscriber, message);
    return this.#objects.get(message.name, message.isPersistent)?.isCrowded === true;
  }

  #act(subscriber: Subscriber, message: SharedObjectMessage): void {
    const { name, isPersistent, events } = message;
    const loading = isPersistent ? this.#objects.loading(name) : undefined;
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
      this.#objects.dropUnused(object);
    }
    this.#held.delete(subscriber);
  }

  /** The slot, if it is there, goes when that client leaves. */
  bind(object: SharedObject, slot: string, client: number): void {
    object.slots.bind(slot, client);
    if (!object.slots.presence.isEmpty) this.#present.add(object);
    if (object.durability) this.#flushSoon(object);
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
  open(name: string, isPersistent: boolean): AnyObject | Promise<AnyObject> {
    if (!this.#host.isName(name)) throw noName(name);
    const object = this.#objects.get(name, isPersistent);
    if (object) return this.#keep(object);
    if (!this.#objects.hasRoom)
      throw problem(`${this.limits.sharedObjects} of them are there (limits.sharedObjects)`);
    if (!isPersistent) return this.#objects.make(name);
    return this.#objects.loaded(name).then((loaded) => this.#keep(loaded));
  }

  #keep<T extends AnyObject>(object: T): T {
    this.#kept.delete(object);
    return object;
  }

  /**
   * The same of one that belongs to another instance. Clients who have that name here already have that one from then on; what
   * scripts have, or is kept on disk, stays what it is: rejects with `E_SHARED_OBJECT`.
   */
  async openProxy(name: string, isPersistent: boolean): Promise<ProxiedObject> {
    const shown = `"${name.slice(0, 80)}"`;
    if (!this.#host.isName(name)) throw noName(name);
    if (isPersistent) await this.#objects.loading(name)?.promise;
    const object = this.#objects.get(name, isPersistent);
    if (object?.isProxied) return this.#keep(object);
    if (object?.isOfScript) throw problem(`${shown} is open already, as an object of this instance`);
    if (object?.durability && (object.slots.size > 0 || object.durability.isStored))
      throw problem(`${shown} is an object of this instance, and kept on its disk`);
    if (!object && !this.#objects.hasRoom)
      throw problem(`${this.limits.sharedObjects} of them are there (limits.sharedObjects)`);
    const subscriptions = [...(object?.subscriptions ?? [])];
    for (const { subscriber } of subscriptions) object?.unsubscribe(subscriber);
    if (object) this.#kept.delete(object);
    if (object) this.#objects.remove(object);
    const proxy = this.#objects.makeProxy(name, isPersistent);
    for (const { subscriber, isProxy } of subscriptions) {
      const own = this.#bySubscriber.get(subscriber);
      if (object) own?.delete(object);
      own?.add(proxy);
      proxy.subscribe(subscriber, 0, isProxy);
    }
    return proxy;
  }

  /** Nobody may have it any more. */
  release(object: AnyObject): void {
    this.#objects.dropUnused(object);
  }

  /** There is one script more: while one takes over from another, two. */
  scriptCame(): void {
    this.#scripts++;
  }

  /** A script is over. What it had open stays, when no other is there: the next one may open it. */
  scriptLeft(objects: readonly AnyObject[]): void {
    this.#scripts--;
    for (const object of objects) {
      if (this.#scripts === 0) this.#kept.add(object);
      else this.#objects.dropUnused(object);
    }
  }

  /** A script has started: what it has not opened, and nobody else has, goes. */
  scriptStarted(): void {
    for (const object of [...this.#kept]) {
      this.#kept.delete(object);
      this.#objects.dropUnused(object);
    }
  }

  /** What has waited for another script to decide about waits no longer. `hasScript`: that there is one. */
  takenOver(hasScript: boolean): void {
    for (const object of [...this.#objects]) object.takenOver(hasScript);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#catchingUp);
    this.#objects.close();
    this.#changed.clear();
    this.#behind.clear();
    this.#present.clear();
    this.#bySubscriber.clear();
  }

  #flushSoon(object: AnyObject): void {
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
    let object = this.#objects.get(name, isPersistent);
    if (!object && !this.#objects.hasRoom) return refuse('SharedObject.ObjectCreationFailed');
    if (!object && isPersistent) {
      this.#objects.load(name);
      return 'later';
    }
    object ??= this.#objects.make(name);
    const own = this.#bySubscriber.get(subscriber) ?? new Set();
    this.#bySubscriber.set(subscriber, own.add(object));
    object.subscribe(subscriber, version, isProxy);
    return undefined;
  }

  /** Until the object has been read. */
  #hold(loading: Loading, subscriber: Subscriber, message: SharedObjectMessage): void {
    const bytes = message.events.reduce((sum, event) => sum + sizeOfEvent(event), MESSAGE_BYTES);
    const { name, isPersistent } = message;
    if (this.#heldBytes + bytes > MAX_HELD_BYTES)
      return statusMessage(subscriber, name, isPersistent, 'SharedObject.NoWriteAccess');
    this.#heldBytes += bytes;
    const held = this.#held.get(subscriber) ?? {};
    this.#held.set(subscriber, held);
    loading.waiting.push((loaded) => {
      this.#heldBytes -= bytes;
      // It has left, or has come again.
      if (this.#held.get(subscriber) !== held || this.#isClosed) return;
      if (typeof loaded !== 'string') this.#act(subscriber, message);
      else statusMessage(subscriber, name, true, 'SharedObject.ObjectCreationFailed');
    });
  }

  #release(subscriber: Subscriber, name: string, isPersistent: boolean): void {
    const object = this.#objects.get(name, isPersistent);
    if (!object?.has(subscriber)) return;
    object.unsubscribe(subscriber);
    this.#bySubscriber.get(subscriber)?.delete(object);
    this.#objects.dropUnused(object);
  }

  #request(
    subscriber: Subscriber,
    { name, isPersistent, version }: SharedObjectMessage,
    events: readonly SharedObjectEvent[],
  ): void {
    const object = this.#objects.get(name, isPersistent);
    if (object?.has(subscriber)) object.request(subscriber, version, events);
    else statusMessage(subscriber, name, isPersistent, 'SharedObject.NoWriteAccess');
  }

  #flush(): void {
    this.#flushing = undefined;
    if (this.#isClosed) return;
    const startedAt = performance.now();
    for (const object of [...this.#changed]) {
      this.#changed.delete(object);
      try {
        if (object.flush().isBehind) this.#behind.add(object);
      } catch (error) {
        // A bug: the others must not wait for what it was to tell.
        this.#host.log.error(`the shared object "${object.name}" cannot be told`, { code: 'E_BUG', error });
      }
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

function noName(name: string): Error {
  return problem(`"${name.slice(0, 80)}" is no name of a shared object: ${NAME_RULE}`);
}
