import type { SharedChange, SharedDecision, SharedSync } from '../../runtime/wall/sharing.ts';
import { type SharedObjectEvent, SharedObjectEventType as Type } from '../../wire/shared-object.ts';
import { type SharedValue, sharedValueFrom, sharedValuesFrom } from '../../wire/shared-values.ts';
import { Durability, type Owed, type Saver } from './durability.ts';
import { type Decided, Guard, MAX_WAITING, MAX_WAITING_BYTES, type Request } from './guard.ts';
import { fitFor, MAX_MESSAGE_BYTES, messageFor, messagesFor, sizeOfEvent, statusEvent } from './messages.ts';
import { costOf, type Slot, Slots, sizeOf, type Usage } from './slots.ts';
import type { StoredObject } from './store/database.ts';
import type { InstanceStore } from './store/store.ts';
import type { News, Observer, Subscriber, Subscription } from './subscription.ts';
import { copyOf, isHandlerName, isNothing, isSame } from './values.ts';

export interface SharedObjectLimits {
  readonly slots: number;
  readonly slotBytes: number;
  /** Of all objects of the instance together. */
  readonly sharedObjectBytes: number;
  /** What may wait for a subscriber before it is told of changes in one go, later. */
  readonly sharedObjectQueueBytes: number;
  /** Of all persistent objects of the application together. */
  readonly persistentBytes: number;
  /** How long a client waits for a lock before that is broken; 0 for as long as it lasts. */
  readonly lockTimeoutMs: number;
}

/** What an object needs of those beside it. */
export interface SharedObjectHost {
  readonly limits: SharedObjectLimits;
  /** Of all objects together. */
  readonly usage: Usage;
  /** There is something to flush. */
  changed(object: SharedObject): void;
  /** Everything is on disk that can be. */
  settled(object: SharedObject): void;
  /** Something could not be written. */
  failed(object: SharedObject, error: unknown): void;
}

/** What a persistent object is made from, and where it is kept. */
export interface Kept {
  readonly stored: StoredObject;
  readonly store: InstanceStore;
}

/** What subscribers are told of one message, or one step of the server, in one message with the version it led to. */
interface Update {
  readonly version: number;
  readonly writer: Subscription | undefined;
  readonly forWriter: readonly SharedObjectEvent[];
  /** Nothing for the others: `undefined`. */
  readonly forOthers: readonly SharedObjectEvent[] | undefined;
}

/** A client has left: the slots that go with it are to go. */
interface Departure {
  readonly client: number;
}

/** How long one waits for a handler to end. For a lock it waits as long as that lasts. */
const LONGEST_WAIT_MS = 50;
/** Of one subscriber. */
const MAX_CORRECTED = 1000;
/** Names that a subscriber who does not read is owed a `success` for; it misses further ones. */
const MAX_OWED_NAMES = 10_000;
/** An object of more is not given at once to whoever asks for it: a few bytes would bring megabytes. */
const SMALL_BYTES = 64 * 1024;
const SMALL_SLOTS = 100;
/** So often in one round: who asks and releases again and again begins anew each time. */
const MAX_GIVEN = 16;

/**
 * The authority over one shared object: applies what subscribers ask for in the order in which it came, the last one
 * wins, and tells each of them. Values are bytes here. What happens in one round of the event loop reaches a
 * subscriber as one write.
 */
export class SharedObject {
  readonly name: string;
  readonly isPersistent: boolean;
  readonly slots: Slots;
  /** Of a persistent one. */
  readonly durability: Durability | undefined;
  readonly #host: SharedObjectHost;
  readonly #subscriptions = new Map<Subscriber, Subscription>();
  #version = 1;
  #lastNumber = 0;
  #updates: Update[] = [];
  readonly #observers = new Set<Observer>();
  /** Of scripts that want changes of clients to wait. */
  readonly #locks = new Set<Observer>();
  /** What clients have asked for meanwhile. */
  #waiting: (Request | Departure)[] = [];
  #waitingBytes = 0;
  #patience: NodeJS.Timeout | undefined;
  /** Runs while clients wait for a lock. */
  #lockPatience: NodeJS.Timeout | undefined;
  /** What scripts want to decide about. */
  readonly #guard = new Guard();
  /** The script whose decision is being carried out: it has done the same already. */
  #decider: Observer | undefined;
  /** Slots of which a script's copy may be wrong: it is told of them when its turn is over. */
  readonly #doubtful = new Set<string>();
  /** Something has changed under the hands of a handler that took too long: what that does comes after it. */
  #isOverrun = false;
  /** How often it was given at once in this round. */
  #given = 0;

  readonly #quota: Usage | undefined;

  /** A persistent one with `kept`. Throws `E_AMF` when what was stored is damaged. */
  constructor(name: string, host: SharedObjectHost, kept?: Kept) {
    this.name = name;
    this.isPersistent = kept !== undefined;
    this.#host = host;
    if (!kept) {
      this.slots = new Slots([host.usage]);
      return;
    }
    const { stored, store } = kept;
    this.#quota = store.usage;
    this.slots = new Slots([host.usage, store.usage]);
    this.slots.restore(stored);
    this.#version = stored.version;
    this.durability = new Durability(this.slots, stored, this.#saverTo(store));
  }

  #saverTo(store: InstanceStore): Saver {
    const version = () => this.#version;
    return {
      get version() {
        return version();
      },
      save: (state) => store.save(this.name, state),
      saved: (owed) => this.#acknowledge(owed),
      failed: (before, owed, error) => {
        this.#host.failed(this, error);
        this.#restore(before, owed);
      },
      settled: () => {
        this.settle();
        this.#host.settled(this);
      },
      lost: (error) => {
        store.losesVersions();
        this.#host.failed(this, error);
      },
    };
  }

  /** 1 at first, so that 0 is what one says who has seen nothing. Rises by one with each message, or step of the server, that changes something. */
  get version(): number {
    return this.#version;
  }

  /** Neither a client nor a script has it. */
  get isUnused(): boolean {
    return this.#subscriptions.size === 0 && this.#observers.size === 0;
  }

  get subscriberCount(): number {
    return this.#subscriptions.size;
  }

  /** A script does not come after what clients do: they are to be read more slowly, until it has had a turn. */
  get isCrowded(): boolean {
    return this.#guard.isCrowded;
  }

  has(subscriber: Subscriber): boolean {
    return this.#subscriptions.has(subscriber);
  }

  /** `knownVersion`: what it has kept of a persistent object from earlier; 0 for nothing. */
  subscribe(subscriber: Subscriber, knownVersion: number, isProxy = false): void {
    const since = this.isPersistent && knownVersion > 0 ? knownVersion : undefined;
    const known = this.#subscriptions.get(subscriber);
    const subscription: Subscription = known ?? {
      number: ++this.#lastNumber,
      subscriber,
      isProxy,
      givenAt: 0,
      joinedAt: this.#updates.length,
      told: undefined,
      isBehind: false,
      isUnanswered: false,
      pieces: undefined,
      corrected: new Map(),
      refusedBytes: 0,
      owed: [],
    };
    this.#subscriptions.set(subscriber, subscription);
    const isSmall = this.slots.size <= SMALL_SLOTS && this.slots.bytes <= SMALL_BYTES;
    if (known || !isSmall || this.#given >= MAX_GIVEN) {
      subscription.isUnanswered = true;
      return this.#tellLater(subscription, since);
    }
    this.#given++;
    subscription.givenAt = this.#version;
    this.#tell(subscription, [{ type: Type.UseSuccess }, ...this.#eventsSince(since)]);
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscriptions.delete(subscriber);
  }

  /** A script opens it. */
  observe(observer: Observer): void {
    this.#observers.add(observer);
  }

  /** The script closes it, or is over: then what it was to decide about waits for the next. */
  ignore(observer: Observer, isOver = false): void {
    this.#observers.delete(observer);
    this.#guard.leave(observer, isOver);
    this.#goOn();
    this.lock(observer, false);
  }

  /** From now on that script decides about what clients do, as soon as it is in charge. */
  guard(observer: Observer): void {
    this.#guard.join(observer);
    this.#goOn();
  }

  /** Another script is in charge, or there will be none: then what waits is refused. */
  takenOver(hasScript: boolean): void {
    this.#guard.endWait();
    if (!hasScript) for (const request of this.#guard.takeAll()) this.#refuseAll(request);
    this.#goOn();
  }

  /** With those who decide as they are now. */
  #goOn(): void {
    if (!this.#guard.isOn) {
      for (const request of this.#guard.takeAll()) this.#handle(request);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((each) => 'client' in each);
    this.#waitingBytes = 0;
    for (const each of waiting) if (!('client' in each)) this.#take(each);
    this.#ask();
  }

  #ask(): void {
    if (this.#locks.size === 0) this.#guard.ask();
    else if (this.#guard.hasWaiting) this.#waitForLocks();
  }

  /** What a script wants done with a message that it was asked about, event by event; undefined: it will say later. */
  decide(observer: Observer, number: number, decisions: readonly SharedDecision[] | undefined): void {
    if (!decisions) {
      this.#guard.putBack(observer, number);
      return this.#ask();
    }
    const decided = this.#guard.decide(observer, number, decisions, this.slots);
    if (!decided) return;
    const { allowed, refused } = decided;
    this.#decider = observer;
    try {
      if (allowed.events.length > 0) this.#apply(allowed);
    } finally {
      this.#decider = undefined;
    }
    if (refused.events.length > 0) this.#refuseAll(refused);
    this.#doubt(decided);
  }

  /** A script has died, perhaps of that message. */
  giveUp(number: number, isCulprit: boolean): void {
    const request = this.#guard.giveUp(number, isCulprit);
    if (request) this.#refuseAll(request);
  }

  /** What was allowed, and did not come to be: there was no room, or its writer may not write any more, or has left. */
  #doubt({ allowed, gone }: Decided): void {
    for (const name of gone) this.#doubtful.add(name);
    const last = new Map(allowed.events.filter(isSlotRequest).map((event) => [event.key, event]));
    for (const event of last.values()) {
      const value = this.slots.get(event.key)?.value;
      const isNone = event.type !== Type.RequestChange || isNothing(event.value);
      if (isNone ? value !== undefined : !isSame(value, event.value)) this.#doubtful.add(event.key);
    }
  }

  #doubtAll(changes: readonly SharedChange[]): void {
    for (const change of changes) if ('name' in change) this.#doubtful.add(change.name);
  }

  /** Tells scripts what those slots hold. */
  #assure(): void {
    if (this.#isBusy) return;
    this.#isOverrun = false;
    if (this.#doubtful.size === 0) return;
    const changes = [...this.#doubtful].map((name): SharedChange => {
      const slot = this.slots.get(name);
      return slot ? { op: 'set', name, value: slot.value.bytes } : { op: 'remove', name };
    });
    this.#doubtful.clear();
    for (const observer of this.#observers)
      observer.changed({ client: 0, version: this.#version, changes, list: [], sends: [] }, false);
  }

  lock(observer: Observer, isLocked: boolean): void {
    if (isLocked) this.#locks.add(observer);
    else this.#locks.delete(observer);
    if (this.#locks.size === 0) {
      clearTimeout(this.#lockPatience);
      this.#lockPatience = undefined;
    } else if (this.#waiting.length > 0) this.#waitForLocks();
    this.settle();
  }

  /** Scripts that take too long are told to unlock, which they do once they are not busy. */
  #waitForLocks(): void {
    const { lockTimeoutMs } = this.#host.limits;
    if (lockTimeoutMs === 0) return;
    this.#lockPatience ??= setTimeout(() => {
      this.#lockPatience = undefined;
      for (const observer of this.#locks) observer.unlock(lockTimeoutMs);
    }, lockTimeoutMs);
  }

  /** Does what clients have asked for while scripts kept them waiting, unless one still does. */
  settle(): void {
    this.#assure();
    if (this.#guard.hasWaiting) this.#ask();
    if (this.#waiting.length === 0 || this.#isHeld) return;
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#applyWaiting();
  }

  #applyWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const each of waiting) {
      if ('client' in each) this.#vacate(each.client);
      else this.#take(each);
    }
  }

  /** What a subscriber asks for in one message, when it had seen `knownVersion`. */
  request(subscriber: Subscriber, knownVersion: number, events: readonly SharedObjectEvent[]): void {
    const writer = this.#subscriptions.get(subscriber);
    if (!writer) return;
    this.#handle({ writer, knownVersion, events });
  }

  #handle(request: Request): void {
    if (this.#isAsked(request)) return this.#take(request);
    if (this.#waiting.length === 0 && !this.#isHeld) return this.#apply(request);
    const bytes = request.events.reduce((sum, event) => sum + sizeOfEvent(event), 0);
    const isTooMuch = this.#waiting.length >= MAX_WAITING || this.#waitingBytes + bytes > MAX_WAITING_BYTES;
    if (isTooMuch) return this.#refuseAll(request);
    this.#waiting.push(request);
    this.#waitingBytes += bytes;
    this.#waitForScripts();
  }

  /** Whether a script decides about it: there is nothing to decide about a writer without rights. */
  #isAsked({ writer }: Request): boolean {
    return this.#guard.isOn && writer.subscriber.mayWrite(this.name);
  }

  #take(request: Request): void {
    if (!this.#isAsked(request)) return this.#apply(request);
    if (!this.#guard.add(request)) return this.#refuseAll(request);
    this.#ask();
  }

  #waitForScripts(): void {
    if (this.#locks.size > 0) return this.#waitForLocks();
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      // A handler that takes so long finds out about it afterwards: its own changes come last.
      if (this.#locks.size === 0 && !this.durability?.isFull) this.#applyWaiting();
    }, LONGEST_WAIT_MS);
  }

  /** A client has left, and its slots (`slots.presence`) go: after what it has done, and when no script is in their way. */
  vacate(client: number): void {
    const names = this.slots.presence.of(client);
    if (names.length === 0) return;
    this.#guard.forget(client, names);
    if (this.#waiting.length === 0 && !this.#isHeld) return this.#vacate(client);
    this.#waiting.push({ client });
    this.#waitForScripts();
  }

  /** Nobody is there any more. */
  vacateAll(): void {
    this.#removeAll(this.slots.presence.names, 0);
  }

  #vacate(client: number): void {
    this.#removeAll(this.slots.presence.of(client), client);
  }

  #removeAll(names: readonly string[], client: number): void {
    if (names.length === 0) return;
    const version = ++this.#version;
    const list = names.map((name): SharedSync => {
      const oldValue = this.slots.get(name)?.value.bytes ?? NOTHING;
      this.slots.remove(name, version);
      return { code: 'delete', name, oldValue };
    });
    const forOthers = names.map((key) => ({ type: Type.Remove, key }) as const);
    this.#push({ version, writer: undefined, forWriter: [], forOthers });
    const changes = names.map((name): SharedChange => ({ op: 'remove', name }));
    this.#report({ client, version, changes, list, sends: [] });
  }

  /**
   * What a script does, or the server, in one version. Returns the name of a slot that there was no room for. Values that
   * are not AMF throw `E_AMF`.
   */
  change(changes: readonly SharedChange[], by?: Observer): string | undefined {
    const next = this.#version + 1;
    const told: SharedObjectEvent[] = [];
    const list: SharedSync[] = [];
    let isChanged = false;
    let refused: string | undefined;
    for (const change of changes) {
      switch (change.op) {
        case 'set': {
          const { name } = change;
          const value = sharedValueFrom(change.value.slice());
          const known = this.slots.get(name)?.value;
          if (this.#isOverrun) this.#doubtful.add(name);
          if (isSame(known, value)) break;
          if (!this.#hasRoomFor(name, value)) {
            this.#doubtful.add(name);
            refused = name;
            break;
          }
          this.slots.set(name, { value, version: next, writer: 0, toldWriter: next });
          list.push({ code: 'change', name, oldValue: known?.bytes ?? NOTHING });
          told.push({ type: Type.Change, key: name, value });
          isChanged = true;
          break;
        }
        case 'remove': {
          const { name } = change;
          const oldValue = this.slots.get(name)?.value.bytes ?? NOTHING;
          if (this.#isOverrun) this.#doubtful.add(name);
          if (!this.slots.remove(name, next)) break;
          list.push({ code: 'delete', name, oldValue });
          told.push({ type: Type.Remove, key: name });
          isChanged = true;
          break;
        }
        case 'clear':
          this.slots.clear(next);
          list.push({ code: 'clear', name: '', oldValue: NOTHING });
          told.push({ type: Type.Clear });
          isChanged = true;
          break;
        case 'send':
          told.push({ type: Type.Send, values: sharedValuesFrom(change.values.slice()) });
          break;
      }
    }
    if (isChanged) this.#version = next;
    if (told.length > 0)
      this.#push({ version: this.#version, writer: undefined, forWriter: [], forOthers: told });
    if (!isChanged) return refused;
    // Two scripts are there while one takes over from the other: what the one does is no news to the other's handlers.
    const kept = changes.filter(({ op }) => op !== 'send');
    const news = { client: 0, version: next, changes: kept, list: by ? [] : list, sends: [] };
    for (const observer of this.#observers) if (observer !== by) this.#tellObserver(observer, news);
    return refused;
  }

  /** Whether it is written whenever it has changed. */
  setAutomatic(isAutomatic: boolean): void {
    if (!this.durability) return;
    this.durability.isAutomatic = isAutomatic;
    this.#host.changed(this);
  }

  get #isHeld(): boolean {
    return this.#locks.size > 0 || this.#isBusy || this.durability?.isFull === true;
  }

  get #isBusy(): boolean {
    for (const observer of this.#observers) if (observer.isBusy) return true;
    return false;
  }

  /** There is no room for what waits: the writer is told what there is. */
  #refuseAll({ writer, events }: Request): void {
    const forWriter: SharedObjectEvent[] = [];
    for (const event of events) {
      if (isSlotRequest(event)) this.#refuse(writer, event.key, forWriter);
      else if (event.type === Type.RequestClear) this.#refuseClear(writer, forWriter);
    }
    this.#tell(writer, forWriter);
  }

  /**
   * All of a message has the same version, or is refused. Players keep what they write, and `success` has no value: who
   * was told another one meanwhile, and would keep that, gets its own back as a change.
   */
  #apply({ writer, knownVersion, events }: Request): void {
    const { subscriber } = writer;
    const news = { changes: [] as SharedChange[], list: [] as SharedSync[], sends: [] as SharedValue[][] };
    const mayWrite = subscriber.mayWrite(this.name);
    const next = this.#version + 1;
    const forWriter: SharedObjectEvent[] = [];
    const forOthers: SharedObjectEvent[] = [];
    let isChanged = false;
    if (!mayWrite && events.some(({ type }) => WRITING.has(type)))
      forWriter.push(statusEvent('SharedObject.NoWriteAccess'));
    for (const event of events) {
      switch (event.type) {
        case Type.RequestChange: {
          const { key } = event;
          if (mayWrite && isNothing(event.value)) {
            isChanged = this.#remove(writer, key, next, forWriter, forOthers, news) || isChanged;
            break;
          }
          if (!mayWrite || !this.#hasRoomFor(key, event.value)) {
            this.#refuse(writer, key, forWriter);
            break;
          }
          const told = Math.max(writer.givenAt, this.slots.toldTo(writer.number, key));
          const correctedAt = writer.corrected.get(key) ?? -1;
          writer.corrected.delete(key);
          const isOverrun = told > knownVersion || correctedAt >= knownVersion;
          const oldValue = this.slots.get(key)?.value.bytes ?? NOTHING;
          if (isSame(this.slots.get(key)?.value, event.value)) {
            this.#succeed(writer, key, forWriter);
            break;
          }
          const value = copyOf(event.value);
          const toldWriter = isOverrun || writer.isProxy ? next : told;
          this.slots.set(key, { value, version: next, writer: writer.number, toldWriter });
          if (writer.isProxy) forWriter.push({ type: Type.AcceptedChange, key, value });
          else {
            if (isOverrun) forWriter.push({ type: Type.Change, key, value });
            if (!isOverrun || this.durability) this.#succeed(writer, key, forWriter);
          }
          forOthers.push({ type: Type.Change, key, value });
          news.changes.push({ op: 'set', name: key, value: value.bytes });
          news.list.push({ code: 'change', name: key, oldValue });
          isChanged = true;
          break;
        }
        case Type.RequestRemove:
          if (mayWrite)
            isChanged = this.#remove(writer, event.key, next, forWriter, forOthers, news) || isChanged;
          else this.#refuse(writer, event.key, forWriter);
          break;
        case Type.RequestClear:
          if (!mayWrite) {
            this.#refuseClear(writer, forWriter);
            break;
          }
          this.slots.clear(next);
          forWriter.push({ type: Type.Clear });
          forOthers.push({ type: Type.Clear });
          news.changes.push({ op: 'clear' });
          news.list.push({ code: 'clear', name: '', oldValue: NOTHING });
          isChanged = true;
          break;
        case Type.Send: {
          if (!mayWrite || !isHandlerName(event.values[0])) break;
          const sent = { type: event.type, values: event.values.map(copyOf) };
          forWriter.push(sent);
          forOthers.push(sent);
          news.sends.push(sent.values);
          break;
        }
      }
    }
    if (isChanged) this.#version = next;
    this.#push({
      version: this.#version,
      writer,
      forWriter,
      forOthers: forOthers.length > 0 ? forOthers : undefined,
    });
    if (isChanged || news.sends.length > 0)
      this.#report({ client: subscriber.client, version: this.#version, ...news });
  }

  /** Its change of that slot was accepted. `success` of a persistent object means that it is on disk. */
  #succeed(writer: Subscription, key: string, forWriter: SharedObjectEvent[]): void {
    if (!this.durability?.isAutomatic) return void forWriter.push({ type: Type.Success, key });
    this.durability.owe(writer, key);
    this.#host.changed(this);
  }

  /** What writers were owed a `success` for is on disk. */
  #acknowledge(owed: readonly Owed[]): void {
    for (const [writer, events] of byWriter(owed)) if (this.#isCurrent(writer)) this.#tell(writer, events);
  }

  /** What these slots held is on disk; what came later could not be written, and is taken back. */
  #restore(before: ReadonlyMap<string, Slot | undefined>, owed: readonly Owed[]): void {
    const next = this.#version + 1;
    const told: SharedObjectEvent[] = [];
    const changes: SharedChange[] = [];
    const list: SharedSync[] = [];
    for (const [key, slot] of before) {
      const oldValue = this.slots.get(key)?.value.bytes ?? NOTHING;
      if (slot) {
        const { value } = slot;
        this.slots.set(key, { value, version: next, writer: 0, toldWriter: next });
        told.push({ type: Type.Change, key, value });
        changes.push({ op: 'set', name: key, value: value.bytes });
        list.push({ code: 'change', name: key, oldValue });
      } else if (this.slots.remove(key, next)) {
        told.push({ type: Type.Remove, key });
        changes.push({ op: 'remove', name: key });
        list.push({ code: 'delete', name: key, oldValue });
      }
    }
    this.#version = next;
    this.#push({ version: next, writer: undefined, forWriter: [], forOthers: told });
    for (const writer of byWriter(owed).keys())
      if (this.#isCurrent(writer)) this.#tell(writer, [statusEvent('SharedObject.Flush.Failed')]);
    this.#report({ client: 0, version: next, changes, list, sends: [], status: 'SharedObject.Flush.Failed' });
  }

  #isCurrent(subscription: Subscription): boolean {
    return this.#subscriptions.get(subscription.subscriber) === subscription;
  }

  #report(news: News): void {
    for (const observer of this.#observers) this.#tellObserver(observer, news);
  }

  #tellObserver(observer: Observer, news: News): void {
    const isKnown = observer === this.#decider;
    observer.changed(news, isKnown);
    if (!isKnown && observer.isBusy) this.#isOverrun = true;
    if (this.#isOverrun) this.#doubtAll(news.changes);
  }

  /**
   * Tells everybody what has happened since the last time, and has it written. Returns how many were told, and whether
   * some are behind.
   */
  flush(): { told: number; isBehind: boolean } {
    const flushed = this.#flush();
    this.durability?.save();
    return flushed;
  }

  #flush(): { told: number; isBehind: boolean } {
    const updates = this.#updates;
    this.#updates = [];
    this.#given = 0;
    const writers = new Set(updates.map(({ writer }) => writer));
    const parts = new Map<string, Buffer[]>();
    const whole = new Map<string, Buffer>();
    let told = 0;
    let isBehind = false;
    for (const subscription of this.#subscriptions.values()) {
      const { subscriber, joinedAt } = subscription;
      subscription.joinedAt = 0;
      subscription.refusedBytes = 0;
      if (this.#isBehind(subscription)) {
        isBehind = true;
        if (this.durability && writers.has(subscription)) owe(subscription, updates);
        continue;
      }
      let bytes: Buffer;
      if (joinedAt === 0 && !writers.has(subscription)) {
        // All of these are told the same.
        const { format } = subscriber;
        bytes = whole.get(format) ?? Buffer.concat(this.#partsFor(subscriber, updates, parts));
        whole.set(format, bytes);
      } else {
        const shared = this.#partsFor(subscriber, updates, parts);
        const own = updates.flatMap((update, index) => {
          if (index < joinedAt) return [];
          if (update.writer !== subscription) return [shared[index]!];
          return messagesFor(subscriber, this, update.version, update.forWriter);
        });
        bytes = Buffer.concat(own);
      }
      if (bytes.length > 0) subscriber.deliver(bytes, updates.length);
      subscription.told = this.#version;
      told++;
    }
    return { told, isBehind };
  }

  /**
   * Goes on telling those who are behind, as far as they have read what was there, and `room` goes: all of them
   * together could take long. Returns whether somebody still is behind.
   */
  catchUp(room: { bytes: number }): boolean {
    const most = this.#host.limits.sharedObjectQueueBytes / 4;
    const behind = [...this.#subscriptions.values()].filter(({ isBehind }) => isBehind);
    for (const subscription of behind) {
      const { subscriber } = subscription;
      if (room.bytes <= 0 || subscriber.queuedBytes > most) continue;
      room.bytes -= this.#tellPiece(subscription);
      // The others come first next time.
      this.#subscriptions.delete(subscriber);
      this.#subscriptions.set(subscriber, subscription);
    }
    return behind.some(({ isBehind }) => isBehind);
  }

  #isBehind(subscription: Subscription): boolean {
    subscription.isBehind ||= subscription.subscriber.queuedBytes > this.#host.limits.sharedObjectQueueBytes;
    return subscription.isBehind;
  }

  /** From that version on, or all of it, in pieces, as fast as it reads. */
  #tellLater(subscription: Subscription, since: number | undefined): void {
    subscription.told = since;
    subscription.pieces = undefined;
    subscription.isBehind = true;
    this.#host.changed(this);
  }

  /**
   * The next piece for one that is behind, and, when that was the last, from now on what happens. Until it has the last
   * its version is an old one, so that what it writes without knowing all does not count as written in knowledge of it.
   */
  #tellPiece(subscription: Subscription): number {
    const { subscriber } = subscription;
    const events: SharedObjectEvent[] = subscription.isUnanswered ? [{ type: Type.UseSuccess }] : [];
    subscription.isUnanswered = false;
    subscription.givenAt = this.#version;
    let sizeBytes = 0;
    while (sizeBytes < MAX_MESSAGE_BYTES) {
      subscription.pieces ??= { upTo: this.#version, events: this.#eventsSince(subscription.told) };
      const { upTo, events: more } = subscription.pieces;
      const next = more.next();
      if (!next.done) {
        const event = fitFor(subscriber, next.value);
        sizeBytes += sizeOfEvent(event);
        events.push(event);
        continue;
      }
      // What has changed meanwhile is yet to come.
      subscription.told = upTo;
      subscription.pieces = undefined;
      if (upTo < this.#version) continue;
      subscription.isBehind = false;
      subscription.joinedAt = this.#updates.length;
      for (const key of subscription.owed.splice(0)) events.push({ type: Type.Success, key });
      break;
    }
    const version = subscription.isBehind ? (subscription.told ?? 0) : this.#version;
    if (events.length > 0) subscriber.deliver(messageFor(subscriber, this, version, events), 1);
    return sizeBytes;
  }

  /**
   * From what a subscriber has to what is; everything for one that has nothing, or has been away for too long. What
   * changes while this goes on may be missing.
   */
  *#eventsSince(version: number | undefined): Generator<SharedObjectEvent, undefined> {
    const since =
      version === undefined || version > this.#version || !this.slots.knowsSince(version, this.#version)
        ? -1
        : version;
    if (since < 0) yield { type: Type.Clear };
    for (const [key, slot] of this.slots)
      if (slot.version > since) yield { type: Type.Change, key, value: slot.value };
    if (since < 0) return;
    for (const [key, removedAt] of this.slots.removed)
      if (removedAt > since) yield { type: Type.Remove, key };
  }

  #remove(
    writer: Subscription,
    key: string,
    version: number,
    forWriter: SharedObjectEvent[],
    forOthers: SharedObjectEvent[],
    news: { changes: SharedChange[]; list: SharedSync[] },
  ): boolean {
    const oldValue = this.slots.get(key)?.value.bytes ?? NOTHING;
    const wasThere = this.slots.remove(key, version);
    forWriter.push({ type: Type.Remove, key });
    if (this.durability) this.#succeed(writer, key, forWriter);
    if (!wasThere) {
      this.#correct(writer, key);
      return false;
    }
    forOthers.push({ type: Type.Remove, key });
    news.changes.push({ op: 'remove', name: key });
    news.list.push({ code: 'delete', name: key, oldValue });
    return true;
  }

  /** The writer of a change that is refused is told what the slot holds; of many, or when it is behind, all slots. */
  #refuse(writer: Subscription, key: string, forWriter: SharedObjectEvent[]): void {
    const slot = this.slots.get(key);
    this.#correct(writer, key);
    writer.refusedBytes += slot ? sizeOf(key, slot.value) : 0;
    if (writer.isBehind || writer.refusedBytes > SMALL_BYTES) this.#tellLater(writer, undefined);
    else forWriter.push(slot ? { type: Type.Change, key, value: slot.value } : { type: Type.Remove, key });
  }

  /** The writer has cleared what it has, and is told what there is. */
  #refuseClear(writer: Subscription, forWriter: SharedObjectEvent[]): void {
    // What it writes before it has heard of this was written without knowing it.
    writer.givenAt = this.#version + 1;
    writer.refusedBytes += this.slots.bytes;
    if (writer.isBehind || writer.refusedBytes > SMALL_BYTES) this.#tellLater(writer, undefined);
    else forWriter.push(...this.#eventsSince(undefined));
  }

  #correct(writer: Subscription, key: string): void {
    writer.corrected.set(key, this.#version);
    if (writer.corrected.size <= MAX_CORRECTED) return;
    // As if it had been given all of it: until it has seen a newer version.
    writer.corrected.clear();
    writer.givenAt = this.#version + 1;
  }

  #hasRoomFor(key: string, value: SharedValue): boolean {
    const { limits, usage } = this.#host;
    const slot = this.slots.get(key);
    if (sizeOf(key, value) > limits.slotBytes || (!slot && this.slots.size >= limits.slots)) return false;
    const more = costOf(key, value) - (slot ? costOf(key, slot.value) : 0);
    if (this.#quota && more > 0 && this.#quota.bytes + more > limits.persistentBytes) return false;
    return usage.bytes + more <= limits.sharedObjectBytes;
  }

  /** Tells one subscriber something, after what has happened before. */
  #tell(subscription: Subscription, events: readonly SharedObjectEvent[]): void {
    if (events.length === 0) return;
    this.#push({ version: this.#version, writer: subscription, forWriter: events, forOthers: undefined });
  }

  #push(update: Update): void {
    if (update.forWriter.length === 0 && !update.forOthers) return;
    this.#updates.push(update);
    this.#host.changed(this);
  }

  /** What somebody without a part in them is told of each update, as bytes for that format. */
  #partsFor(
    subscriber: Subscriber,
    updates: readonly Update[],
    known: Map<string, Buffer[]>,
  ): readonly Buffer[] {
    const { format } = subscriber;
    let parts = known.get(format);
    if (!parts) {
      parts = updates.map(({ version, forOthers }) =>
        forOthers ? Buffer.concat(messagesFor(subscriber, this, version, forOthers)) : NOTHING,
      );
      known.set(format, parts);
    }
    return parts;
  }
}

const NOTHING = Buffer.alloc(0);
/** Whose doing nothing is. */
const WRITING: ReadonlySet<SharedObjectEvent['type']> = new Set([
  Type.RequestChange,
  Type.RequestRemove,
  Type.RequestClear,
  Type.Send,
]);

function byWriter(owed: readonly Owed[]): Map<Subscription, SharedObjectEvent[]> {
  const byWriter = new Map<Subscription, SharedObjectEvent[]>();
  for (const { writer, key } of owed) {
    const events = byWriter.get(writer) ?? [];
    events.push({ type: Type.Success, key });
    byWriter.set(writer, events);
  }
  return byWriter;
}

/** One that is behind is told of its successes with the last piece of what it has missed. */
function owe(subscription: Subscription, updates: readonly Update[]): void {
  for (const { writer, forWriter } of updates) {
    if (writer !== subscription) continue;
    for (const event of forWriter) {
      const isOwed = event.type === Type.Success && subscription.owed.length < MAX_OWED_NAMES;
      if (isOwed) subscription.owed.push(event.key);
    }
  }
}

function isSlotRequest(event: SharedObjectEvent): event is SharedObjectEvent & { key: string } {
  return event.type === Type.RequestChange || event.type === Type.RequestRemove;
}
