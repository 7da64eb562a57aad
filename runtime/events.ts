import { inspect } from './inspect.ts';
import type { Outbox } from './outbox.ts';
import { append, errorPrototype, isAncestor, sliceOf, toText } from './primordials.ts';
import { stackOf } from './stacks.ts';

/**
 * What the script is doing right now and on whose behalf, kept across `await` (see promise.ts), so that every
 * error and every log line can name the handler that caused it.
 */
export interface EventContext {
  /** The handler's name as the author knows it: `application.onConnect`, `sendMessage`, `setInterval`. */
  where: string;
  /** The client that it is for; 0 for nobody. */
  client: number;
}

export const BOOT: EventContext = { where: 'top level', client: 0 };
let current: EventContext = BOOT;
let outbox: Outbox | undefined;

export function startEvents(out: Outbox): void {
  outbox = out;
}

export function currentEvent(): EventContext {
  return current;
}

/** Whose delivery is being handled: what events begin with. */
let client = 0;

export function setClient(number: number): void {
  client = number;
}

/** A new event, on behalf of the client whose delivery is being handled. */
export function newEvent(where: string): EventContext {
  return { where, client };
}

/** Runs `fn` as part of `event`. */
export function within<T>(event: EventContext, fn: () => T): T {
  const previous = current;
  current = event;
  try {
    return fn();
  } finally {
    current = previous;
    charge(event);
  }
}

// Accounts. The isolate's clock has milliseconds, and most handlers take microseconds: one that takes 10 us meets a
// tick once in a hundred times and is charged a whole millisecond then. On the average that is exact.
let readClock: () => number = () => 0;
let markMs = 0;
/** Kept until the entry ends; as many as it has milliseconds at the most. */
let charged: EventContext[] = [];
let chargedMs: number[] = [];

/** Takes the real clock, before `Date` is replaced. */
export function startAccounts(clock: () => number): void {
  readClock = clock;
}

/** From now on. Returns the real time in milliseconds. */
export function markTime(): number {
  markMs = readClock();
  return markMs;
}

/** As that, and nothing is charged from it. */
export function realTime(): number {
  return readClock();
}

/** The real time at which the last event ended. */
export function lastMark(): number {
  return markMs;
}

function charge(event: EventContext): void {
  const now = readClock();
  if (now <= markMs) return;
  append(charged, event);
  append(chargedMs, now - markMs);
  markMs = now;
}

/** Tells the host what the events since the last call have cost. */
export function sendCharges(): void {
  if (charged.length === 0) return;
  for (let i = 0; i < charged.length; i++) {
    const { where, client: forClient } = charged[i]!;
    const handler = where.length > MAX_HANDLER ? `${sliceOf(where, 0, MAX_HANDLER)}...` : where;
    outbox?.send({ kind: 'charge', client: forClient, handler, ms: chargedMs[i]! });
  }
  charged = [];
  chargedMs = [];
}

const MAX_HANDLER = 100;

/** The outcome of a handler: its value, or that it threw (reported already). */
export type Outcome = { isOk: true; value: unknown } | { isOk: false; error: unknown };

/** Tells the host (and through it the author's terminal and `application.onStatus`) what a script threw. */
export function reportError(error: unknown, where: string = current.where): void {
  const { message, stack } = describe(error);
  outbox?.send({ kind: 'script-error', where, message, stack });
}

const MAX_MESSAGE = 4096;
const MAX_STACK = 16384;

/** Reads message and stack of anything that was thrown; a hostile getter must not throw again. */
export function describe(error: unknown): { message: string; stack: string } {
  if (!isError(error)) return { message: sliceOf(`thrown: ${thrownText(error)}`, 0, MAX_MESSAGE), stack: '' };
  const name = textOf(() => error.name);
  const text = textOf(() => error.message);
  // Errors of the server's own say what they have to without their class.
  const isPlain = name === '' || name === 'Error' || name === 'StagewireError';
  const message = text === '' ? name : isPlain ? text : `${name}: ${text}`;
  return {
    message: message === '' ? NOT_DESCRIBABLE : sliceOf(message, 0, MAX_MESSAGE),
    stack: sliceOf(stackOf(error), 0, MAX_STACK),
  };
}

/** An object that does not say in words what it is is shown. */
function thrownText(value: unknown): string {
  const text = textOf(() => value);
  return text === '[object Object]' ? inspect(value) : text;
}

const NOT_DESCRIBABLE = 'an error that cannot be described';

function isError(value: unknown): value is Error {
  try {
    return typeof value === 'object' && value !== null && isAncestor(errorPrototype, value);
  } catch {
    return false; // a proxy
  }
}

function textOf(read: () => unknown): string {
  try {
    return toText(read());
  } catch {
    return NOT_DESCRIBABLE;
  }
}
