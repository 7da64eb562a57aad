import type { SharedChange, SharedDecision, SharedSync } from '../../runtime/wall/sharing.ts';
import { type SharedObjectEvent, SharedObjectEventType as Type } from '../../wire/shared-object.ts';
import { type SharedValue, sharedValueFrom, sharedValuesFrom } from '../../wire/shared-values.ts';
import { Audience } from './audience.ts';
import { Durability, type Owed, type Saver } from './durability.ts';
import { type Decided, Guard, MAX_WAITING, MAX_WAITING_BYTES, type Request } from './guard.ts';
import { sizeOfEvent, statusEvent } from './messages.ts';
import { type ObjectLimit, type RoomLimits, roomLimitFor } from './room.ts';
import { Scripts } from './scripts.ts';
import { type Slot, Slots, type Usage } from './slots.ts';
import type { StoredObject } from './store/database.ts';
import type { InstanceStore } from './store/store.ts';
import type { News, Observer, Subscriber, Subscription } from './subscription.ts';
import { copyOf, isHandlerName, isNothing, isSame } from './values.ts';

export interface SharedObjectLimits extends RoomLimits {
  /** What may wait for a subscriber before it is told of changes in one go, later. */
  readonly sharedObjectQueueBytes: number;
  /** How long a client waits for a lock before that is broken; 0 for as long as it lasts. */
  readonly lockTimeoutMs: number;
}

export interface Refusal {
  readonly slot: string;
  readonly limit: ObjectLimit;
}

/** What an object needs of those beside it. */
export interface SharedObjectHost {
  readonly limits: SharedObjectLimits;
  /** Of all objects together. */
  readonly usage: Usage;
  /** Of all instances of the application together. */
  readonly appUsage: Usage;
  /** There is something to flush. */
  changed(object: SharedObject): void;
  /** Everything is on disk that can be. */
  settled(object: SharedObject): void;
  /** Something could not be written. */
  failed(object: SharedObject, error: unknown): void;
  /** There was no room for what a client wanted. */
  refused(object: SharedObject, slot: string, limit: ObjectLimit): void;
}

/** What a persistent object is made from, and where it is kept. */
export interface Kept {
  readonly stored: StoredObject;
  readonly store: InstanceStore;
}

/** A client has left: the slots that go with it are to go. */
interface Departure {
  readonly client: number;
}

/** How long one waits for a handler to end. For a lock it waits as long as that lasts. */
const LONGEST_WAIT_MS = 50;

/**
 * The authority over one shared object: applies what subscribers ask for in the order in which it came, the last one
 * wins, and tells each of them. Values are bytes here. What happens in one round of the event loop reaches a
 * subscriber as one write.
 */
export class SharedObject {
  readonly isProxied = false;
  readonly name: string;
  readonly isPersistent: boolean;
  readonly slots: Slots;
  /** Of a persistent one. */
  readonly durability: Durability | undefined;
  readonly #host: SharedObjectHost;
  readonly #audience: Audience;
  #version: number;
  readonly #scripts = new Scripts();
  /** What clients have asked for meanwhile. */
  #waiting: (Request | Departure)[] = [];
  #waitingBytes = 0;
  #patience: NodeJS.Timeout | undefined;
  /** What scripts want to decide about. */
  readonly #guard = new Guard();
  /** The script whose decision is being carried out: it has done the same already. */
  #decider: Observer | undefined;
  /** On disk. */
  readonly #quota: Usage | undefined;

  /** A persistent one with `kept`. `version`: of another. Throws `E_AMF` when what was stored is damaged. */
  constructor(name: string, host: SharedObjectHost, kept?: Kept, version = 1) {
    this.#version = version;
    this.name = name;
    this.isPersistent = kept !== undefined;
    this.#host = host;
    const { usage, appUsage } = host;
    this.slots = new Slots(kept ? [usage, appUsage, kept.store.usage] : [usage, appUsage]);
    const { slots, isPersistent } = this;
    const current = () => this.#version;
    this.#audience = new Audience({
      ...{ name, isPersistent, slots },
      get version() {
        return current();
      },
      get limits() {
        return host.limits;
      },
      changed: () => host.changed(this),
    });
    if (!kept) return;
    const { stored, store } = kept;
    this.#quota = store.usage;
    slots.restore(stored);
    this.#version = stored.version;
    this.durability = new Durability(slots, stored, this.#saverTo(store));
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

  /** 1 or more at first, so that 0 is what one says who has seen nothing. Rises by one with each message, or step of the server, that changes something. */
  get version(): number {
    return this.#version;
  }

  /** Neither a client nor a script has it. */
  get isUnused(): boolean {
    return this.#audience.size === 0 && this.#scripts.size === 0;
  }

  /** A script has it open. */
  get isOfScript(): boolean {
    return this.#scripts.size > 0;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#audience.subscriptions;
  }

  get subscriberCount(): number {
    return this.#audience.size;
  }

  /** A script does not come after what clients do: they are to be read more slowly, until it has had a turn. */
  get isCrowded(): boolean {
    return this.#guard.isCrowded;
  }

  has(subscriber: Subscriber): boolean {
    return this.#audience.get(subscriber) !== undefined;
  }

  /** `knownVersion`: what it has kept of a persistent object from earlier; 0 for nothing. */
  subscribe(subscriber: Subscriber, knownVersion: number, isProxy = false): void {
    this.#audience.subscribe(subscriber, knownVersion, isProxy);
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#audience.unsubscribe(subscriber);
  }

  /** A script opens it. */
  observe(observer: Observer): void {
    this.#scripts.add(observer);
  }

  /** The script closes it, or is over: then what it was to decide about waits for the next. */
  ignore(observer: Observer, isOver = false): void {
    this.#scripts.delete(observer);
    this.#guard.leave(observer, isOver);
    this.#goOn();
    this.settle();
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
    if (!this.#scripts.isLocked) this.#guard.ask();
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
    for (const name of gone) this.#scripts.doubt(name);
    const last = new Map(allowed.events.filter(isSlotRequest).map((event) => [event.key, event]));
    for (const event of last.values()) {
      const value = this.slots.get(event.key)?.value;
      const isNone = event.type !== Type.RequestChange || isNothing(event.value);
      if (isNone ? value !== undefined : !isSame(value, event.value)) this.#scripts.doubt(event.key);
    }
  }

  lock(observer: Observer, isLocked: boolean): void {
    this.#scripts.lock(observer, isLocked);
    if (isLocked && this.#waiting.length > 0) this.#waitForLocks();
    this.settle();
  }

  #waitForLocks(): void {
    this.#scripts.limitLocks(this.#host.limits.lockTimeoutMs);
  }

  /** Does what clients have asked for while scripts kept them waiting, unless one still does. */
  settle(): void {
    this.#scripts.assure(this.slots, this.#version);
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
    const writer = this.#audience.get(subscriber);
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
    if (this.#scripts.isLocked) return this.#waitForLocks();
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      // A handler that takes so long finds out about it afterwards: its own changes come last.
      if (!this.#scripts.isLocked && !this.durability?.isFull) this.#applyWaiting();
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
    this.#audience.push({ version, writer: undefined, forWriter: [], forOthers });
    const changes = names.map((name): SharedChange => ({ op: 'remove', name }));
    this.#report({ client, version, changes, list, sends: [] });
  }

  /**
   * What a script does, or the server, in one version. Returns a slot that there was no room for. Values that
   * are not AMF throw `E_AMF`.
   */
  change(changes: readonly SharedChange[], by?: Observer): Refusal | undefined {
    const next = this.#version + 1;
    const told: SharedObjectEvent[] = [];
    const list: SharedSync[] = [];
    let isChanged = false;
    let refused: Refusal | undefined;
    for (const change of changes) {
      switch (change.op) {
        case 'set': {
          const { name } = change;
          const value = sharedValueFrom(change.value.slice());
          const known = this.slots.get(name)?.value;
          if (isSame(known, value)) break;
          const limit = this.#limitFor(name, value);
          if (limit) {
            this.#scripts.doubt(name);
            refused = { slot: name, limit };
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
      this.#audience.push({ version: this.#version, writer: undefined, forWriter: [], forOthers: told });
    if (!isChanged) return refused;
    if (by) this.#scripts.tellOthers(by, next, changes);
    else this.#report({ client: 0, version: next, changes, list, sends: [] });
    return refused;
  }

  /** Whether it is written whenever it has changed. */
  setAutomatic(isAutomatic: boolean): void {
    if (!this.durability) return;
    this.durability.isAutomatic = isAutomatic;
    this.#host.changed(this);
  }

  get #isHeld(): boolean {
    return this.#scripts.isLocked || this.#scripts.isBusy || this.durability?.isFull === true;
  }

  /** There is no room for what waits: the writer is told what there is. */
  #refuseAll({ writer, events }: Request): void {
    const forWriter: SharedObjectEvent[] = [];
    for (const event of events) {
      if (isSlotRequest(event)) this.#audience.refuse(writer, event.key, forWriter);
      else if (event.type === Type.RequestClear) this.#audience.refuseClear(writer, forWriter);
    }
    this.#audience.tell(writer, forWriter);
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
          const limit = mayWrite ? this.#limitFor(key, event.value) : undefined;
          if (limit) this.#host.refused(this, key, limit);
          if (!mayWrite || limit) {
            this.#audience.refuse(writer, key, forWriter);
            break;
          }
          const told = Math.max(writer.givenAt, this.slots.toldTo(writer.number, key));
          const correctedAt = writer.corrected.get(key) ?? -1;
          writer.corrected.delete(key);
          const isOverrun = told > knownVersion || correctedAt >= knownVersion;
          const oldValue = this.slots.get(key)?.value.bytes ?? NOTHING;
          if (isSame(this.slots.get(key)?.value, event.value)) {
            if (writer.isProxy) forWriter.push({ type: Type.AcceptedChange, key, value: event.value });
            else this.#succeed(writer, key, forWriter);
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
          else this.#audience.refuse(writer, event.key, forWriter);
          break;
        case Type.RequestClear:
          if (!mayWrite) {
            this.#audience.refuseClear(writer, forWriter);
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
    this.#audience.push({
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
    for (const [writer, events] of byWriter(owed))
      if (this.#audience.has(writer)) this.#audience.tell(writer, events);
  }

  /** What these slots held is on disk; what came later could not be written, and is taken back. */
  #restore(before: ReadonlyMap<string, Slot | undefined>, owed: readonly Owed[]): void {
    const next = this.#version + 1;
    const told: SharedObjectEvent[] = [];
    const changes: SharedChange[] = [];
    const list: SharedSync[] = [];
    for (const [key, slot] of before) {
      // Who is here is still here.
      if (this.slots.presence.has(key)) continue;
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
    this.#audience.push({ version: next, writer: undefined, forWriter: [], forOthers: told });
    // What was not to be written is on disk already.
    this.#acknowledge(owed.filter(({ key }) => !before.has(key)));
    const answered = new Set(list.map(({ name }) => name));
    for (const [writer, lost] of byWriter(owed.filter(({ key }) => before.has(key)))) {
      if (!this.#audience.has(writer)) continue;
      // What has not changed by this, since it was cleared meanwhile, or goes with a client: the writer waits for an answer.
      const others = lost.filter(({ key }) => !answered.has(key));
      const answers = others.map(({ key }): SharedObjectEvent => {
        return { type: this.slots.get(key) ? Type.Success : Type.Remove, key };
      });
      this.#audience.tell(writer, [...answers, statusEvent('SharedObject.Flush.Failed')]);
    }
    const description = 'What has changed is not on disk, and was taken back.';
    const failed = { code: 'SharedObject.Flush.Failed', description } as const;
    this.#report({ client: 0, version: next, changes, list, sends: [], status: failed });
  }

  #report(news: News): void {
    this.#scripts.tell(news, this.#decider);
  }

  /**
   * Tells everybody what has happened since the last time, and has it written. Returns how many were told, and whether
   * some are behind.
   */
  flush(): { told: number; isBehind: boolean } {
    const flushed = this.#audience.flush();
    this.durability?.save();
    return flushed;
  }

  /** Goes on telling those who are behind (`Audience.catchUp`). */
  catchUp(room: { bytes: number }): boolean {
    return this.#audience.catchUp(room);
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
    if (writer.isProxy) forWriter.push({ type: Type.Success, key });
    else if (this.durability) this.#succeed(writer, key, forWriter);
    if (!wasThere) {
      this.#audience.correct(writer, key);
      return false;
    }
    forOthers.push({ type: Type.Remove, key });
    news.changes.push({ op: 'remove', name: key });
    news.list.push({ code: 'delete', name: key, oldValue });
    return true;
  }

  /** The limit that leaves no room for it. */
  #limitFor(key: string, value: SharedValue): ObjectLimit | undefined {
    const { limits, usage, appUsage } = this.#host;
    return roomLimitFor(this.slots, { limits, usage, appUsage, quota: this.#quota }, key, value);
  }
}

const NOTHING = Buffer.alloc(0);
const WRITING: ReadonlySet<SharedObjectEvent['type']> = new Set([
  Type.RequestChange,
  Type.RequestRemove,
  Type.RequestClear,
  Type.Send,
]);

function byWriter(owed: readonly Owed[]): Map<Subscription, { type: typeof Type.Success; key: string }[]> {
  const byWriter = new Map<Subscription, { type: typeof Type.Success; key: string }[]>();
  for (const { writer, key } of owed) {
    const events = byWriter.get(writer) ?? [];
    events.push({ type: Type.Success, key });
    byWriter.set(writer, events);
  }
  return byWriter;
}

function isSlotRequest(event: SharedObjectEvent): event is SharedObjectEvent & { key: string } {
  return event.type === Type.RequestChange || event.type === Type.RequestRemove;
}
