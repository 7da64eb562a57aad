import type { RtmpMessage } from '../../wire/messages.ts';
import {
  decodeSharedObject,
  type SharedObjectEvent,
  type SharedObjectMessage,
  SharedObjectEventType as Type,
} from '../../wire/shared-object.ts';
import type { AmfLimits } from '../../wire/values.ts';
import { StagewireError } from '../base/errors.ts';
import { statusMessage } from './messages.ts';
import { SharedObject, type SharedObjectLimits } from './shared-object.ts';
import type { Usage } from './slots.ts';
import type { Subscriber } from './subscription.ts';

export interface SharedObjectsLimits extends SharedObjectLimits {
  /** How many there may be in the instance. */
  readonly sharedObjects: number;
}

/** How often those who are behind are looked after, and how much they are told then, all together. */
const CATCH_UP_MS = 20;
const CATCH_UP_BYTES = 2 * 1024 * 1024;
/** Telling subscribers takes half of the host's time at the most: what comes meanwhile is told together. */
const LONGEST_PAUSE_MS = 50;
/** Of the values of one message. */
const AMF_LIMITS: AmfLimits = { depth: 64, values: 65_536 };

/** The shared objects of one instance. A temporary and a persistent one of the same name are two. */
export class SharedObjects {
  readonly usage: Usage = { bytes: 0 };
  readonly #limits: () => SharedObjectsLimits;
  readonly #isName: (name: string) => boolean;
  readonly #objects = new Map<string, SharedObject>();
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

  /** `limits` are asked for at each step, as they may change. */
  constructor(limits: () => SharedObjectsLimits, isName: (name: string) => boolean) {
    this.#limits = limits;
    this.#isName = isName;
  }

  get limits(): SharedObjectsLimits {
    return this.#limits();
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
    const { name, isPersistent, events } = message;
    let requests: SharedObjectEvent[] = [];
    const request = () => {
      if (requests.length > 0) this.#request(subscriber, message, requests);
      requests = [];
    };
    for (const event of events) {
      if (event.type !== Type.Use && event.type !== Type.Release) {
        requests.push(event);
        continue;
      }
      request();
      if (event.type === Type.Use) this.#use(subscriber, message);
      else this.#release(subscriber, name, isPersistent);
    }
    request();
    return this.#objects.get(keyOf(name, isPersistent))?.isCrowded === true;
  }

  /** The client is gone. */
  leave(subscriber: Subscriber): void {
    const objects = this.#bySubscriber.get(subscriber);
    this.#bySubscriber.delete(subscriber);
    for (const object of objects ?? []) {
      object.unsubscribe(subscriber);
      this.#dropUnused(object);
    }
  }

  /** The slot, if it is there, goes when that client leaves. */
  bind(object: SharedObject, slot: string, client: number): void {
    if (!object.slots.get(slot)) return;
    object.slots.presence.bind(slot, client);
    this.#present.add(object);
  }

  /** No client of that number is connected any more. */
  clientLeft(client: number): void {
    for (const object of this.#present) {
      object.vacate(client);
      if (object.slots.presence.isEmpty) this.#present.delete(object);
    }
  }

  /** For a script, which may do with it as it likes; `release` or `keep` must follow. Throws `E_SHARED_OBJECT`. */
  open(name: string, isPersistent: boolean): SharedObject {
    if (isPersistent)
      throw problem(`"${name}" cannot be persistent: shared objects are not written to disk yet`);
    if (!this.#isName(name)) throw problem(`"${name.slice(0, 80)}" is no name of a shared object`);
    const object = this.#find(name, isPersistent);
    if (!object) throw problem(`${this.limits.sharedObjects} of them are there (limits.sharedObjects)`);
    this.#kept.delete(object);
    return object;
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

  #use(subscriber: Subscriber, { name, isPersistent, version, isProxy }: SharedObjectMessage): void {
    const refuse = (code: Parameters<typeof statusMessage>[3]) =>
      statusMessage(subscriber, name, isPersistent, code);
    // Nothing is written to disk yet, and an object that says it is persistent and is not would lose what it holds.
    if (isPersistent || !this.#isName(name)) return refuse('SharedObject.ObjectCreationFailed');
    if (!subscriber.mayRead(name)) return refuse('SharedObject.NoReadAccess');
    const object = this.#find(name, isPersistent);
    if (!object) return refuse('SharedObject.ObjectCreationFailed');
    const own = this.#bySubscriber.get(subscriber) ?? new Set();
    this.#bySubscriber.set(subscriber, own.add(object));
    object.subscribe(subscriber, version, isProxy);
  }

  /** It is made when there is none, unless there are too many. */
  #find(name: string, isPersistent: boolean): SharedObject | undefined {
    const key = keyOf(name, isPersistent);
    const known = this.#objects.get(key);
    if (known || this.#objects.size >= this.limits.sharedObjects) return known;
    const object = new SharedObject(name, isPersistent, this);
    this.#objects.set(key, object);
    return object;
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

  #dropUnused(object: SharedObject): void {
    if (!object.isUnused || this.#kept.has(object)) return;
    this.#changed.delete(object);
    this.#behind.delete(object);
    this.#present.delete(object);
    this.usage.bytes -= object.slots.bytes;
    this.#objects.delete(keyOf(object.name, object.isPersistent));
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
