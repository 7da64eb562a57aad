import {
  MAX_EVENTS,
  type SharedObjectEvent,
  SharedObjectEventType as Type,
} from '../../wire/shared-object.ts';
import { fitFor, isFull, messageFor, messagesFor, sizeOfEvent } from './messages.ts';
import { type Slots, sizeOf } from './slots.ts';
import type { Subscriber, Subscription } from './subscription.ts';

/** The object that they have subscribed to. */
export interface Told {
  readonly name: string;
  readonly isPersistent: boolean;
  readonly version: number;
  readonly slots: Slots;
  readonly limits: {
    /** What may wait for a subscriber before it is told of changes in one go, later. */
    readonly sharedObjectQueueBytes: number;
  };
  /** There is something to flush. */
  changed(): void;
}

/** What subscribers are told of one message, or one step of the server, in one message with the version it led to. */
export interface Update {
  readonly version: number;
  readonly writer: Subscription | undefined;
  readonly forWriter: readonly SharedObjectEvent[];
  /** Nothing for the others: `undefined`. */
  readonly forOthers: readonly SharedObjectEvent[] | undefined;
}

/** Of one subscriber. */
const MAX_CORRECTED = 1000;
/** Of answers that a subscriber who does not read is owed; it misses further ones. */
const MAX_OWED = 10_000;
/** An object of more is not given at once to whoever asks for it: a few bytes would bring megabytes. */
const SMALL_BYTES = 64 * 1024;
const SMALL_SLOTS = 100;
/** So often in one round: who asks and releases again and again begins anew each time. */
const MAX_GIVEN = 16;

/**
 * The subscribers of one object, and what they are told: in one write for each round of the event loop, or later, in
 * pieces, when they do not read fast enough or there is much to tell.
 */
export class Audience {
  readonly #object: Told;
  readonly #subscriptions = new Map<Subscriber, Subscription>();
  #lastNumber = 0;
  #updates: Update[] = [];
  /** How often it was given at once in this round. */
  #given = 0;

  constructor(object: Told) {
    this.#object = object;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#subscriptions.values();
  }

  get(subscriber: Subscriber): Subscription | undefined {
    return this.#subscriptions.get(subscriber);
  }

  /** Whether it has not left, or left and come again. */
  has(subscription: Subscription): boolean {
    return this.#subscriptions.get(subscription.subscriber) === subscription;
  }

  /** `knownVersion`: what it has kept of a persistent object from earlier; 0 for nothing. */
  subscribe(subscriber: Subscriber, knownVersion: number, isProxy: boolean): void {
    const since = this.#object.isPersistent && knownVersion > 0 ? knownVersion : undefined;
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
    const isSmall = this.#object.slots.size <= SMALL_SLOTS && this.#object.slots.bytes <= SMALL_BYTES;
    subscription.isUnanswered = true;
    if (known || !isSmall || this.#given >= MAX_GIVEN) return this.tellLater(subscription, since);
    this.#given++;
    subscription.givenAt = this.#object.version;
    this.tell(subscription, [{ type: Type.UseSuccess }, ...this.eventsSince(since)]);
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscriptions.delete(subscriber);
  }

  /** Tells everybody what has happened since the last time. Returns how many were told, and whether some are behind. */
  flush(): { told: number; isBehind: boolean } {
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
        if (writers.has(subscription)) {
          const answers = this.#answersTo(subscription, updates.slice(joinedAt));
          subscription.owed.push(...answers.slice(0, MAX_OWED - subscription.owed.length));
        }
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
          return messagesFor(subscriber, this.#aboutTo(subscription), update.version, update.forWriter);
        });
        bytes = Buffer.concat(own);
      }
      if (bytes.length > 0) subscriber.deliver(bytes, updates.length);
      subscription.isUnanswered = false;
      subscription.told = this.#object.version;
      told++;
    }
    return { told, isBehind };
  }

  /**
   * Goes on telling those who are behind, as far as they have read what was there, and `room` goes: all of them
   * together could take long. Returns whether somebody still is behind.
   */
  catchUp(room: { bytes: number }): boolean {
    const most = this.#object.limits.sharedObjectQueueBytes / 4;
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
    subscription.isBehind ||=
      subscription.subscriber.queuedBytes > this.#object.limits.sharedObjectQueueBytes;
    return subscription.isBehind;
  }

  /** From that version on, or all of it, in pieces, as fast as it reads. */
  tellLater(subscription: Subscription, since: number | undefined): void {
    subscription.told = since;
    subscription.pieces = undefined;
    subscription.isBehind = true;
    this.#object.changed();
  }

  /**
   * The next piece for one that is behind, and, when that was the last, from now on what happens. Until it has the last
   * its version is an old one, so that what it writes without knowing all does not count as written in knowledge of it.
   */
  #tellPiece(subscription: Subscription): number {
    const { subscriber } = subscription;
    const events: SharedObjectEvent[] = subscription.isUnanswered ? [{ type: Type.UseSuccess }] : [];
    subscription.isUnanswered = false;
    subscription.givenAt = this.#object.version;
    let sizeBytes = 0;
    while (!isFull(events.length, sizeBytes)) {
      subscription.pieces ??= { upTo: this.#object.version, events: this.eventsSince(subscription.told) };
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
      if (upTo < this.#object.version) continue;
      events.push(...subscription.owed.splice(0, MAX_EVENTS - events.length));
      if (subscription.owed.length > 0) break;
      subscription.isBehind = false;
      // What it has seen as part of something else has answers, too.
      const forWriter = this.#answersTo(subscription, this.#updates.slice(subscription.joinedAt));
      subscription.joinedAt = this.#updates.length;
      this.tell(subscription, forWriter);
      break;
    }
    const version = subscription.isBehind ? (subscription.told ?? 0) : this.#object.version;
    if (events.length > 0)
      subscriber.deliver(messageFor(subscriber, this.#aboutTo(subscription), version, events), 1);
    return sizeBytes;
  }

  /** Players of a temporary object have what they wrote, and miss nothing. */
  #answersTo(subscription: Subscription, updates: readonly Update[]): SharedObjectEvent[] {
    return this.#object.isPersistent || subscription.isProxy ? answersIn(updates, subscription) : [];
  }

  #aboutTo({ isProxy }: Subscription): { name: string; isPersistent: boolean; isProxy: boolean } {
    const { name, isPersistent } = this.#object;
    return { name, isPersistent, isProxy };
  }

  /**
   * From what a subscriber has to what is; everything for one that has nothing, or has been away for too long. What
   * changes while this goes on may be missing.
   */
  *eventsSince(version: number | undefined): Generator<SharedObjectEvent, undefined> {
    const since =
      version === undefined ||
      version > this.#object.version ||
      !this.#object.slots.knowsSince(version, this.#object.version)
        ? -1
        : version;
    if (since < 0) yield { type: Type.Clear };
    for (const [key, slot] of this.#object.slots)
      if (slot.version > since) yield { type: Type.Change, key, value: slot.value };
    if (since < 0) return;
    for (const [key, removedAt] of this.#object.slots.removed)
      if (removedAt > since) yield { type: Type.Remove, key };
  }

  /** The writer of a change that is refused is told what the slot holds; of many, or when it is behind, all slots. */
  refuse(writer: Subscription, key: string, forWriter: SharedObjectEvent[]): void {
    const slot = this.#object.slots.get(key);
    this.correct(writer, key);
    if (writer.isProxy) forWriter.push({ type: Type.SlotVersion, key, version: slot?.version ?? 0 });
    writer.refusedBytes += slot ? sizeOf(key, slot.value) : 0;
    if (writer.isBehind || writer.refusedBytes > SMALL_BYTES) this.tellLater(writer, undefined);
    else forWriter.push(slot ? { type: Type.Change, key, value: slot.value } : { type: Type.Remove, key });
  }

  /** The writer has cleared what it has, and is told what there is. */
  refuseClear(writer: Subscription, forWriter: SharedObjectEvent[]): void {
    // What it writes before it has heard of this was written without knowing it.
    writer.givenAt = this.#object.version + 1;
    writer.refusedBytes += this.#object.slots.bytes;
    if (writer.isBehind || writer.refusedBytes > SMALL_BYTES) this.tellLater(writer, undefined);
    else forWriter.push(...this.eventsSince(undefined));
  }

  correct(writer: Subscription, key: string): void {
    writer.corrected.set(key, this.#object.version);
    if (writer.corrected.size <= MAX_CORRECTED) return;
    // As if it had been given all of it: until it has seen a newer version.
    writer.corrected.clear();
    writer.givenAt = this.#object.version + 1;
  }

  /** Tells one subscriber something, after what has happened before. */
  tell(subscription: Subscription, events: readonly SharedObjectEvent[]): void {
    if (events.length === 0) return;
    this.push({
      version: this.#object.version,
      writer: subscription,
      forWriter: events,
      forOthers: undefined,
    });
  }

  push(update: Update): void {
    if (update.forWriter.length === 0 && !update.forOthers) return;
    this.#updates.push(update);
    this.#object.changed();
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
        forOthers ? Buffer.concat(messagesFor(subscriber, this.#object, version, forOthers)) : NOTHING,
      );
      known.set(format, parts);
    }
    return parts;
  }
}

const NOTHING = Buffer.alloc(0);

/** Of what that subscriber is told of its own changes, what means something without what they are about. */
function answersIn(updates: readonly Update[], subscription: Subscription): SharedObjectEvent[] {
  return updates.flatMap(({ writer, forWriter }) => {
    if (writer !== subscription) return [];
    return forWriter.flatMap((event): SharedObjectEvent[] => {
      if (event.type === Type.AcceptedChange) return [{ type: Type.Success, key: event.key }];
      return event.type === Type.Success || event.type === Type.SlotVersion ? [event] : [];
    });
  });
}
