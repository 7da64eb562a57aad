import { randomBytes } from 'node:crypto';
import type { SharedChange } from '../../runtime/wall/sharing.ts';
import {
  type SharedObjectEvent,
  type SharedObjectMessage,
  SharedObjectEventType as Type,
} from '../../wire/shared-object.ts';
import { type SharedValue, sharedValueFrom, sharedValuesFrom } from '../../wire/shared-values.ts';
import { type StatusCode, statusLevels } from '../../wire/status.ts';
import { Audience } from './audience.ts';
import { type Asked, InFlight } from './in-flight.ts';
import { sizeOfEvent, statusEvent, statusMessage } from './messages.ts';
import { ProxyStep } from './proxy-step.ts';
import { type ObjectLimit, type RoomLimits, roomLimitFor } from './room.ts';
import { Slots, type Usage } from './slots.ts';
import type { News, Observer, Subscriber, Subscription } from './subscription.ts';
import { copyOf, isHandlerName, isNothing, isSame } from './values.ts';

/** The instance that has the object, at the other end of a connection. */
export interface Owner {
  /** Sent, and not taken yet. */
  readonly queuedBytes: number;
  send(message: SharedObjectMessage): void;
  /** The object has let go. */
  left(): void;
}

export interface ProxiedObjectHost {
  readonly limits: RoomLimits & { readonly sharedObjectQueueBytes: number };
  /** Of all objects together. */
  readonly usage: Usage;
  /** Of all instances of the application together. */
  readonly appUsage: Usage;
  /** There is something to flush. */
  changed(object: ProxiedObject): void;
  /** There was no room for what a client wanted. */
  refused(object: ProxiedObject, slot: string, limit: ObjectLimit): void;
}

/** `connecting`: to the owner; `asking`: for the object; `answering`: a part of it is here. */
interface Attached {
  at: 'connecting' | 'asking' | 'answering' | 'synced';
  readonly owner: Owner;
}

type State = { readonly at: 'apart' } | Attached;

type Problem = NonNullable<News['status']>;

const APART: State = { at: 'apart' };
/**
 * The code of an event that a proxy sends to the owner behind its `use`, and each proxy on to its own owner: its `level` is the
 * marks of those it came through. Other servers overlook a status that comes from a client.
 */
const PASSAGE = 'Stagewire.Passage';
/** A circle of more instances is not found. */
const MAX_PASSAGE = 32;
/** What may wait on the way to the owner: then more is refused. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** Changes of scripts that wait for the content. */
const MAX_HELD = 8192;
const MAX_HELD_BYTES = 4 * 1024 * 1024;

/**
 * A shared object that another instance has, as those here see it (`SharedObject.get` with a NetConnection): a copy that says
 * what the owner says, and nothing that it has not said. It is one subscriber of the owner, whatever the number of its own. What
 * one of them writes goes to the owner, and who wrote hears of it when the owner has answered.
 *
 * Its versions are its own, so that they rise whatever the owner does. When the connection ends, it stays as it is and refuses
 * what clients write, until a script gives it another connection: then all hear of what is different.
 */
export class ProxiedObject {
  readonly isProxied = true;
  readonly name: string;
  readonly isPersistent: boolean;
  readonly slots: Slots;
  /** The owner's business. */
  readonly durability = undefined;
  readonly isCrowded = false;
  readonly #host: ProxiedObjectHost;
  readonly #audience: Audience;
  readonly #observers = new Set<Observer>();
  /** By it the object knows itself when it leads to itself. */
  readonly #mark = randomBytes(8).toString('hex');
  #version: number;
  #ownerVersion = 0;
  #state: State = APART;
  /** It has been here once. */
  #hasContent = false;
  /** Subscribers who wait for the content. */
  readonly #early = new Map<Subscriber, { isProxy: boolean }>();
  /** The same of scripts' changes. */
  #held: { by: Observer; changes: readonly SharedChange[] }[] = [];
  #heldBytes = 0;
  readonly #inFlight = new InFlight();
  /** The owner answers each change so that it can be told from changes of others (`Subscription.isProxy`). */
  #isExact = false;
  /** Changes before that were asked for before the owner was asked for everything. */
  #askedAt = 0;
  /** Of changes that were, and whose answers could not be told from changes of others. */
  #unclear: readonly Asked[] = [];
  /** Slots that the owner has not mentioned since it was asked for everything. */
  #unconfirmed = new Set<string>();

  constructor(name: string, isPersistent: boolean, host: ProxiedObjectHost, version = 1) {
    this.name = name;
    this.isPersistent = isPersistent;
    this.#host = host;
    this.#version = version;
    this.slots = new Slots([host.usage, host.appUsage]);
    const { slots } = this;
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
  }

  /** For those who have it here. */
  get version(): number {
    return this.#version;
  }

  /** As far as the owner has told. */
  get ownerVersion(): number {
    return this.#ownerVersion;
  }

  get isUnused(): boolean {
    return this.subscriberCount === 0 && this.#observers.size === 0;
  }

  get subscriberCount(): number {
    return this.#audience.size + this.#early.size;
  }

  has(subscriber: Subscriber): boolean {
    return this.#early.has(subscriber) || this.#audience.get(subscriber) !== undefined;
  }

  /** It gets everything, once it is here, whatever it knows: versions of the owner, or of another copy, mean nothing here. */
  subscribe(subscriber: Subscriber, _knownVersion: number, isProxy = false): void {
    if (this.#hasContent) this.#audience.subscribe(subscriber, 0, isProxy);
    else this.#early.set(subscriber, { isProxy });
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#audience.unsubscribe(subscriber);
    this.#early.delete(subscriber);
  }

  /** A script opens it. */
  observe(observer: Observer): void {
    this.#observers.add(observer);
  }

  ignore(observer: Observer): void {
    this.#observers.delete(observer);
    this.#held = this.#held.filter(({ by }) => by !== observer);
  }

  /** From now on that one has the object; `open` follows when it can be asked. */
  attach(owner: Owner): void {
    this.release();
    this.#state = { at: 'connecting', owner };
  }

  open(owner: Owner): void {
    const state = this.#stateOf(owner);
    if (state?.at !== 'connecting') return;
    state.at = 'asking';
    this.#ask(owner);
  }

  /** Whether that owner has been asked for the object and not given it. */
  isWaitingFor(owner: Owner): boolean {
    const at = this.#stateOf(owner)?.at;
    return at === 'asking' || at === 'answering';
  }

  #ask(owner: Owner): void {
    this.#askedAt = this.#inFlight.mark;
    this.#ownerVersion = 0;
    this.#unconfirmed = this.#names();
    this.#send(owner, [{ type: Type.Use }, { type: Type.Status, code: PASSAGE, level: this.#mark }]);
  }

  #names(): Set<string> {
    return new Set([...this.slots].map(([name]) => name));
  }

  #send(owner: Owner, events: readonly SharedObjectEvent[]): void {
    const { name, isPersistent } = this;
    owner.send({ name, isPersistent, isProxy: true, version: this.#ownerVersion, events });
  }

  /** The owner has it for itself again. */
  release(problem?: Problem): void {
    const state = this.#state;
    if (state.at === 'apart') return;
    if (state.at !== 'connecting') this.#send(state.owner, [{ type: Type.Release }]);
    this.detach(state.owner, problem);
  }

  /**
   * The connection to that owner is over, or with `problem` there is no object for us: what was asked for, and not answered, is
   * refused; it may have been done all the same.
   */
  detach(owner: Owner, problem?: Problem): void {
    if (!this.#stateOf(owner)) return;
    this.#state = APART;
    owner.left();
    this.#unconfirmed.clear();
    const step = new ProxyStep(this.#version);
    for (const asked of [...this.#unclear, ...this.#inFlight.takeAll()]) step.refuse(asked);
    this.#unclear = [];
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { by, changes } of held) this.#refuseChanges(by, changes, step);
    if (step.refused.length > 0) step.statuses.push('SharedObject.NoWriteAccess');
    step.problem = problem;
    this.#end(step);
    if (!problem) return;
    const { code } = problem;
    for (const subscriber of this.#early.keys())
      statusMessage(subscriber, this.name, this.isPersistent, code);
    this.#early.clear();
  }

  #stateOf(owner: Owner): Attached | undefined {
    return this.#state.at !== 'apart' && this.#state.owner === owner ? this.#state : undefined;
  }

  /** What a subscriber asks for in one message, when it had seen `knownVersion`. */
  request(subscriber: Subscriber, knownVersion: number, events: readonly SharedObjectEvent[]): void {
    for (const event of events)
      if (event.type === Type.Status && event.code === PASSAGE) this.#pass(event.level);
    const writer = this.#audience.get(subscriber);
    const wanted = events.filter(isWanted);
    if (!writer || wanted.length === 0) return;
    const state = this.#state;
    const mayWrite = subscriber.mayWrite(this.name);
    if (!mayWrite || state.at !== 'synced')
      return this.#refuseAll(writer, wanted, 'SharedObject.NoWriteAccess');
    const { owner } = state;
    const fitting = wanted.filter((event) => this.#hasRoomFor(event));
    const asked = fitting.flatMap((event) => askedOf(event, { writer, script: undefined, knownVersion }));
    const isTooMuch = owner.queuedBytes > MAX_QUEUED_BYTES || !this.#inFlight.add(asked);
    if (fitting.length > 0 && !isTooMuch) this.#send(owner, fitting);
    const refused = isTooMuch ? wanted : wanted.filter((event) => !fitting.includes(event));
    if (refused.length > 0) this.#refuseAll(writer, refused);
  }

  #hasRoomFor(event: SharedObjectEvent): boolean {
    if (event.type !== Type.RequestChange || isNothing(event.value)) return true;
    const limit = roomLimitFor(this.slots, this.#room, event.key, event.value);
    if (limit) this.#host.refused(this, event.key, limit);
    return limit === undefined;
  }

  get #room() {
    const { limits, usage, appUsage } = this.#host;
    return { limits, usage, appUsage };
  }

  #refuseAll(writer: Subscription, events: readonly SharedObjectEvent[], status?: StatusCode): void {
    const forWriter: SharedObjectEvent[] = status ? [statusEvent(status)] : [];
    for (const event of events) {
      if ('key' in event) this.#audience.refuse(writer, event.key, forWriter);
      else if (event.type === Type.RequestClear) this.#audience.refuseClear(writer, forWriter);
    }
    this.#audience.tell(writer, forWriter);
  }

  /** A proxy below asks its way to the owner. Whoever finds that it leads back to itself lets go. */
  #pass(marks: string): void {
    const all = marks.split(' ');
    if (all.includes(this.#mark)) {
      const description = `"${this.name.slice(0, 80)}" would be its own owner: the connections lead in a circle`;
      return this.release({ code: 'SharedObject.ObjectCreationFailed', description });
    }
    const state = this.#state;
    if (state.at === 'apart' || state.at === 'connecting' || all.length >= MAX_PASSAGE) return;
    if (state.owner.queuedBytes > MAX_QUEUED_BYTES) return;
    const level = `${marks} ${this.#mark}`;
    this.#send(state.owner, [{ type: Type.Status, code: PASSAGE, level }]);
  }

  /** What a script does. It is told when the owner has done it. */
  change(changes: readonly SharedChange[], by: Observer): void {
    const state = this.#state;
    if (state.at === 'apart') return this.#refuseLater(by, changes);
    if (state.at !== 'synced') return this.#hold(by, changes);
    const events = changes.flatMap(eventOf);
    const asked = events.flatMap((event) =>
      askedOf(event, { writer: undefined, script: by, knownVersion: this.#version }),
    );
    const isTooMuch = state.owner.queuedBytes > MAX_QUEUED_BYTES || !this.#inFlight.add(asked);
    if (isTooMuch) return this.#refuseLater(by, changes);
    this.#send(state.owner, events);
  }

  #hold(by: Observer, changes: readonly SharedChange[]): void {
    const bytes = changes.flatMap(eventOf).reduce((sum, event) => sum + sizeOfEvent(event), 0);
    const isTooMuch = this.#held.length >= MAX_HELD || this.#heldBytes + bytes > MAX_HELD_BYTES;
    if (isTooMuch) return this.#refuseLater(by, changes);
    this.#heldBytes += bytes;
    // They are a view of a batch of commands.
    const own = changes.map((change) => {
      if (change.op === 'set') return { ...change, value: change.value.slice() };
      return change.op === 'send' ? { ...change, values: change.values.slice() } : change;
    });
    this.#held.push({ by, changes: own });
  }

  #refuseLater(by: Observer, changes: readonly SharedChange[]): void {
    const step = new ProxyStep(this.#version);
    this.#refuseChanges(by, changes, step);
    step.statuses.push('SharedObject.NoWriteAccess');
    this.#end(step);
  }

  #refuseChanges(by: Observer, changes: readonly SharedChange[], step: ProxyStep): void {
    step.isRefusedTo(by);
    for (const event of changes.flatMap(eventOf))
      for (const asked of askedOf(event, { writer: undefined, script: by, knownVersion: 0 }))
        step.refuse(asked);
  }

  /** A message of the owner. */
  receive(owner: Owner, { version, isProxy, events }: SharedObjectMessage): void {
    const state = this.#stateOf(owner);
    if (!state || state.at === 'connecting') return;
    const step = new ProxyStep(this.#version + 1);
    for (const [index, event] of events.entries()) {
      if (event.type === Type.UseSuccess && state.at !== 'synced') this.#isExact = isProxy === true;
      this.#take(state, event, step, events[index + 1]);
      if (step.problem) break;
    }
    // Of what comes in pieces all but the last have version 0.
    const isWhole = state.at === 'answering' && (version > 0 || !this.#isExact);
    if (isWhole && !step.problem) this.#complete(state, step);
    if (version > 0) this.#ownerVersion = version;
    const { problem } = step;
    step.problem = undefined;
    this.#end(step);
    if (problem) return this.release(problem);
    if (step.isWhole) this.#begin();
    else if (step.isUnclear && state.at === 'synced') {
      state.at = 'asking';
      this.#ask(owner);
    }
  }

  #take(state: Attached, event: SharedObjectEvent, step: ProxyStep, next?: SharedObjectEvent): void {
    const isSynced = state.at === 'synced';
    switch (event.type) {
      case Type.UseSuccess:
        if (isSynced) return;
        state.at = 'answering';
        this.#unclear = this.#inFlight.takeAll(this.#askedAt);
        return;
      case Type.Clear:
        // While everything is being told, what is told again is still there.
        if (isSynced) return this.#clear(step);
        this.#unconfirmed = this.#names();
        return;
      case Type.Change:
        this.#set(event.key, event.value, undefined, step);
        if (!this.#isExact && this.#inFlight.of(event.key).length > 0) step.isUnclear = true;
        return;
      case Type.AcceptedChange:
        return this.#set(event.key, event.value, this.#inFlight.take(event.key), step);
      case Type.Success: {
        const asked = this.#inFlight.take(event.key);
        if (!asked) return;
        // From others it says that the slot holds now what was asked for.
        if (!this.#isExact && asked.value) return this.#set(event.key, asked.value, asked, step);
        if (!this.#isExact) this.#remove(event.key, asked, step);
        return this.#succeed(asked, step);
      }
      case Type.SlotVersion: {
        const asked = this.#inFlight.take(event.key);
        if (asked) step.refuse(asked);
        return;
      }
      case Type.Remove: {
        const { key } = event;
        const [oldest] = this.#inFlight.of(key);
        if (this.#isExact) {
          const isOurs = next?.type === Type.Success && next.key === key;
          return this.#remove(key, isOurs ? oldest : undefined, step);
        }
        const isOurs = oldest !== undefined && oldest.value === undefined;
        if (oldest && !isOurs) step.isUnclear = true;
        this.#remove(key, isOurs ? this.#inFlight.take(key) : undefined, step);
        return isOurs ? this.#succeed(oldest, step) : undefined;
      }
      case Type.Send:
        if (!isHandlerName(event.values[0])) return;
        return step.send({ type: event.type, values: event.values.map(copyOf) });
      case Type.Status:
        return this.#status(event.code, state, step);
    }
  }

  #status(code: string, state: Attached, step: ProxyStep): void {
    if (!Object.hasOwn(statusLevels, code)) return;
    if (state.at !== 'asking') return void step.statuses.push(code as StatusCode);
    const description = `The owner of "${this.name.slice(0, 80)}" refuses it.`;
    step.problem = { code: code as StatusCode, description };
  }

  #set(key: string, value: SharedValue, asked: Asked | undefined, step: ProxyStep): void {
    if (isNothing(value)) return this.#remove(key, asked, step);
    this.#unconfirmed.delete(key);
    const known = this.slots.get(key)?.value;
    const writer = this.#writerOf(asked);
    if (isSame(known, value)) {
      if (writer) writer.corrected.delete(key);
      if (writer) step.tell(writer, accepted(writer, key, value), undefined);
      if (asked) step.succeed(asked);
      else this.#correct(key, step);
      return;
    }
    const limit = roomLimitFor(this.slots, this.#room, key, value);
    if (limit) {
      const most = `limits.${limit} is ${this.#host.limits[limit]}`;
      const description = `The owner's "${this.name.slice(0, 80)}" has no room here: ${most}.`;
      step.problem = { code: 'SharedObject.ObjectCreationFailed', description };
      return;
    }
    const own = copyOf(value);
    const change = { type: Type.Change, key, value: own } as const;
    const told = writer ? Math.max(writer.givenAt, this.slots.toldTo(writer.number, key)) : step.version;
    let toldWriter = told;
    if (writer && asked) {
      const correctedAt = writer.corrected.get(key) ?? -1;
      writer.corrected.delete(key);
      const isOverrun = told > asked.knownVersion || correctedAt >= asked.knownVersion;
      if (isOverrun || writer.isProxy) toldWriter = step.version;
      const isChange = isOverrun && !writer.isProxy;
      step.tell(writer, isChange ? change : accepted(writer, key, own), change);
    } else step.tell(undefined, undefined, change);
    this.slots.set(key, { value: own, version: step.version, writer: writer?.number ?? 0, toldWriter });
    step.changed({ op: 'set', name: key, value: own.bytes }, known?.bytes, asked);
  }

  #remove(key: string, asked: Asked | undefined, step: ProxyStep): void {
    this.#unconfirmed.delete(key);
    const oldValue = this.slots.get(key)?.value.bytes;
    if (!this.slots.remove(key, step.version)) {
      // Who has asked has put something there.
      const writer = this.#writerOf(asked);
      if (writer && !writer.isProxy) step.correct(writer, key);
      this.#correct(key, step);
      return;
    }
    const event = { type: Type.Remove, key } as const;
    step.tell(undefined, undefined, event);
    step.changed({ op: 'remove', name: key }, oldValue, asked);
  }

  #clear(step: ProxyStep): void {
    this.slots.clear(step.version);
    step.tell(undefined, undefined, { type: Type.Clear });
    step.changed({ op: 'clear' }, undefined, undefined);
  }

  #succeed(asked: Asked, step: ProxyStep): void {
    const writer = this.#writerOf(asked);
    if (writer?.isProxy) step.tell(writer, { type: Type.Success, key: asked.key }, undefined);
    step.succeed(asked);
  }

  /** Nothing is new, but who has written there meanwhile has something else. */
  #correct(key: string, step: ProxyStep): void {
    for (const asked of this.#inFlight.of(key)) {
      const writer = this.#writerOf(asked);
      if (writer && !writer.isProxy) step.correct(writer, key);
    }
  }

  /** The client, if it is still here. */
  #writerOf(asked: Asked | undefined): Subscription | undefined {
    return asked?.writer && this.#audience.has(asked.writer) ? asked.writer : undefined;
  }

  /** All that the owner has is here. */
  #complete(state: Attached, step: ProxyStep): void {
    for (const name of this.#unconfirmed) this.#remove(name, undefined, step);
    this.#unconfirmed.clear();
    for (const asked of this.#unclear) {
      const value = this.slots.get(asked.key)?.value;
      const isDone = asked.value ? isSame(value, asked.value) : value === undefined;
      if (!isDone) step.refuse(asked);
      else if (asked.script) step.succeed(asked);
      else this.#succeedLater(asked);
    }
    this.#unclear = [];
    state.at = 'synced';
    step.isWhole = true;
  }

  #succeedLater(asked: Asked): void {
    const writer = this.#writerOf(asked);
    if (writer) this.#audience.tell(writer, [{ type: Type.Success, key: asked.key }]);
  }

  /** Whoever has waited for that goes on. */
  #begin(): void {
    this.#hasContent = true;
    for (const [subscriber, { isProxy }] of this.#early) this.#audience.subscribe(subscriber, 0, isProxy);
    this.#early.clear();
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { by, changes } of held) this.change(changes, by);
  }

  /** Tells everybody what has come of one message. */
  #end(step: ProxyStep): void {
    if (step.isChange) this.#version = step.version;
    for (const { writer, forWriter, forOthers } of step.runs)
      this.#audience.push({
        version: this.#version,
        writer,
        forWriter,
        forOthers: forOthers.length > 0 ? forOthers : undefined,
      });
    for (const [writer, { isRefused, keys }] of step.answersByClient()) {
      if (!this.#audience.has(writer)) continue;
      const events: SharedObjectEvent[] = isRefused ? step.statuses.map(statusEvent) : [];
      for (const key of keys) this.#audience.refuse(writer, key, events);
      this.#audience.tell(writer, events);
    }
    for (const observer of this.#observers) {
      const news = step.newsFor(observer, this.#ownerVersion, (key) => this.slots.get(key)?.value.bytes);
      if (news) observer.changed(news, false);
    }
  }

  /** There is nothing to settle, to write or to vacate: scripts neither lock it nor decide about it. */
  settle(): void {}
  takenOver(): void {}
  vacate(): void {}
  vacateAll(): void {}

  /** As `SharedObject.flush`. */
  flush(): { told: number; isBehind: boolean } {
    return this.#audience.flush();
  }

  /** As `SharedObject.catchUp`. */
  catchUp(room: { bytes: number }): boolean {
    return this.#audience.catchUp(room);
  }
}

function accepted(writer: Subscription, key: string, value: SharedValue): SharedObjectEvent {
  return writer.isProxy ? { type: Type.AcceptedChange, key, value } : { type: Type.Success, key };
}

function isWanted(event: SharedObjectEvent): boolean {
  switch (event.type) {
    case Type.RequestChange:
    case Type.RequestRemove:
    case Type.RequestClear:
      return true;
    default:
      return event.type === Type.Send && isHandlerName(event.values[0]);
  }
}

/** What the owner will answer. */
function askedOf(event: SharedObjectEvent, by: Omit<Asked, 'key' | 'value'>): Asked[] {
  switch (event.type) {
    case Type.RequestChange:
      return [{ ...by, key: event.key, value: isNothing(event.value) ? undefined : copyOf(event.value) }];
    case Type.RequestRemove:
      return [{ ...by, key: event.key, value: undefined }];
    default:
      return [];
  }
}

/** What is asked for in the place of a script's change. Throws `E_AMF` for values that are none. */
function eventOf(change: SharedChange): SharedObjectEvent[] {
  switch (change.op) {
    case 'set':
      return [{ type: Type.RequestChange, key: change.name, value: sharedValueFrom(change.value.slice()) }];
    case 'remove':
      return [{ type: Type.RequestRemove, key: change.name }];
    case 'clear':
      return [{ type: Type.RequestClear }];
    case 'send':
      return [{ type: Type.Send, values: sharedValuesFrom(change.values.slice()) }];
    case 'until':
      return []; // the runtime refuses it
  }
}
