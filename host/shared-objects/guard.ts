import type { SharedChange, SharedDecision } from '../../runtime/wall/sharing.ts';
import { type SharedObjectEvent, SharedObjectEventType as Type } from '../../wire/shared-object.ts';
import { joined, sharedValueFrom, sharedValuesFrom } from '../../wire/shared-values.ts';
import { sizeOfEvent } from './messages.ts';
import type { Slots } from './slots.ts';
import type { Observer, Subscription } from './subscription.ts';
import { isNothing, isSame } from './values.ts';
import { isWanted } from './wishes.ts';

/** A message of a client that is to be acted on. */
export interface Request {
  readonly writer: Subscription;
  readonly knownVersion: number;
  readonly events: readonly SharedObjectEvent[];
}

/** Messages of clients that wait for a script, and what is in them; further ones are refused. */
export const MAX_WAITING = 4096;
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** More than that, and who sends is to be read more slowly. */
const MANY_WAITING = MAX_WAITING / 4;
/** Of one message: a script is asked about each, and has the time of one handler. */
const MAX_ASKED = 1000;
/** So many scripts may be lost while they have a message in hand, without a fault that is known. */
const MAX_LOSSES = 1;

interface Entry {
  readonly number: number;
  readonly request: Request;
  readonly sizeBytes: number;
  readonly changes: readonly SharedChange[];
  /** The script that has it in hand. */
  askedOf: Observer | undefined;
  losses: number;
  /** Slots that have gone with the writer since: what it wants of them is over. */
  gone: ReadonlySet<string> | undefined;
}

/** What becomes of a message, in the order of its events. */
export interface Decided {
  /** To be done. */
  readonly allowed: Request;
  /** The writer is to be told what there is instead. */
  readonly refused: Request;
  /** Slots that are not its writer's to set any more. */
  readonly gone: readonly string[];
}

/**
 * The messages of clients that a script is asked about (`so.authorize`), in the order in which they came. They wait for
 * it, and when it dies for the next: they are done without a word of it only when there is a script that does not ask.
 */
export class Guard {
  /** Scripts that want to be asked. */
  readonly #guards = new Set<Observer>();
  /** The one that was asked is over, and no other has taken over. */
  #isOrphaned = false;
  readonly #entries = new Map<number, Entry>();
  #sizeBytes = 0;
  #lastNumber = 0;

  /** Whether messages are to wait here. */
  get isOn(): boolean {
    return this.#isOrphaned || this.#guard !== undefined;
  }

  /** False when no more may wait. */
  add(request: Request): boolean {
    const events = request.events.filter(isWanted);
    if (events.length === 0) return true;
    const sizeBytes = events.reduce((sum, event) => sum + sizeOfEvent(event), 0);
    const isTooMuch = this.#entries.size >= MAX_WAITING || this.#sizeBytes + sizeBytes > MAX_WAITING_BYTES;
    if (events.length > MAX_ASKED || isTooMuch) return false;
    const number = ++this.#lastNumber;
    const changes = events.map(changeOf);
    this.#entries.set(number, {
      number,
      request: { ...request, events },
      sizeBytes,
      changes,
      askedOf: undefined,
      losses: 0,
      gone: undefined,
    });
    this.#sizeBytes += sizeBytes;
    return true;
  }

  /** Many wait, and the script has the first in hand: it will be less. */
  get isCrowded(): boolean {
    if (this.#entries.size < MANY_WAITING && this.#sizeBytes < MAX_WAITING_BYTES / 4) return false;
    for (const { askedOf } of this.#entries.values()) return askedOf !== undefined;
    return false;
  }

  get hasWaiting(): boolean {
    return this.#entries.size > 0;
  }

  /** Asks the script about all that it has not been asked about. */
  ask(): void {
    const guard = this.#guard;
    if (!guard) return;
    for (const entry of this.#entries.values()) {
      if (entry.askedOf) continue;
      const { number, request, changes } = entry;
      if (!guard.ask(number, request.writer.subscriber.client, changes)) return;
      entry.askedOf = guard;
    }
  }

  /** A script wants to be asked. */
  join(observer: Observer): void {
    this.#guards.add(observer);
  }

  /** The script has closed the object, or is over: then what it was asked about waits for the next. */
  leave(observer: Observer, isOver: boolean): void {
    if (isOver && observer === this.#guard) this.#isOrphaned = true;
    this.#guards.delete(observer);
    for (const entry of this.#entries.values()) if (entry.askedOf === observer) entry.askedOf = undefined;
  }

  /** Another script is in charge, or there will be none: nothing waits for one that is not there. */
  endWait(): void {
    this.#isOrphaned = false;
  }

  /** What is to be decided again: the script cannot now. */
  putBack(observer: Observer, number: number): void {
    const entry = this.#entries.get(number);
    if (entry?.askedOf === observer) entry.askedOf = undefined;
  }

  /** Undefined for what that script was not asked. Throws `E_AMF` for values that are none. */
  decide(
    observer: Observer,
    number: number,
    decisions: readonly SharedDecision[],
    slots: Slots,
  ): Decided | undefined {
    const entry = this.#entries.get(number);
    if (entry?.askedOf !== observer) return undefined;
    const { writer, knownVersion, events } = this.#take(entry);
    const allowed: SharedObjectEvent[] = [];
    const refused: SharedObjectEvent[] = [];
    const gone: string[] = [];
    for (const [at, event] of events.entries()) {
      const decision = decisions[at] ?? { op: 'refuse' };
      if ('key' in event && entry.gone?.has(event.key)) {
        gone.push(event.key);
        continue;
      }
      const wanted = decision.op === 'replace' ? replaced(event, decision.value) : event;
      // Who wants something else than what it comes to is told, and would not be if nothing changed.
      const isAsBefore =
        wanted !== event &&
        wanted.type === Type.RequestChange &&
        isSame(slots.get(wanted.key)?.value, wanted.value);
      if (decision.op === 'refuse' || isAsBefore) refused.push(event);
      else allowed.push(wanted);
      if (wanted === event || !('key' in wanted)) continue;
      const correctedAt = writer.corrected.get(wanted.key) ?? 0;
      writer.corrected.set(wanted.key, Math.max(correctedAt, knownVersion));
    }
    return {
      allowed: { writer, knownVersion, events: allowed },
      refused: { writer, knownVersion, events: refused },
      gone,
    };
  }

  /** What a script may have died of is not given to the next; what it died with, once. Undefined when it may. */
  giveUp(number: number, isCulprit: boolean): Request | undefined {
    const entry = this.#entries.get(number);
    if (!entry || (!isCulprit && ++entry.losses <= MAX_LOSSES)) return undefined;
    return this.#take(entry);
  }

  /** All that waits. */
  takeAll(): readonly Request[] {
    return [...this.#entries.values()].map((entry) => this.#take(entry));
  }

  /** Those slots have gone with that client. */
  forget(client: number, names: readonly string[]): void {
    for (const entry of this.#entries.values())
      if (entry.request.writer.subscriber.client === client) entry.gone = new Set(names);
  }

  /** The script in charge, if it wants to be asked. */
  get #guard(): Observer | undefined {
    for (const observer of this.#guards) if (observer.isInCharge) return observer;
    return undefined;
  }

  #take(entry: Entry): Request {
    this.#entries.delete(entry.number);
    this.#sizeBytes -= entry.sizeBytes;
    return entry.request;
  }
}

function changeOf(event: SharedObjectEvent): SharedChange {
  switch (event.type) {
    case Type.RequestChange:
      if (isNothing(event.value)) return { op: 'remove', name: event.key };
      return { op: 'set', name: event.key, value: event.value.bytes };
    case Type.RequestRemove:
      return { op: 'remove', name: event.key };
    case Type.Send:
      return { op: 'send', values: joined(event.values, 0) };
    default:
      return { op: 'clear' };
  }
}

/** What a script wants instead: of a slot its value, of `send` the arguments. */
function replaced(event: SharedObjectEvent, bytes: Uint8Array): SharedObjectEvent {
  if (event.type === Type.Send)
    return { type: event.type, values: [event.values[0]!, ...sharedValuesFrom(bytes.slice())] };
  if (event.type !== Type.RequestChange && event.type !== Type.RequestRemove) return event;
  const value = sharedValueFrom(bytes.slice());
  return { type: Type.RequestChange, key: event.key, value };
}
