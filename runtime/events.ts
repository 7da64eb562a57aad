import type { Outbox } from './outbox.ts';

/**
 * What the script is doing right now and on whose behalf, kept across `await` (see promise.ts), so that every
 * error and every log line can name the handler that caused it.
 */
export interface EventContext {
  /** The handler's name as the author knows it: `application.onConnect`, `sendMessage`, `setInterval`. */
  where: string;
}

export const BOOT: EventContext = { where: 'top level' };
let current: EventContext = BOOT;
let outbox: Outbox | undefined;

export function startEvents(out: Outbox): void {
  outbox = out;
}

export function currentEvent(): EventContext {
  return current;
}

/** Runs `fn` as part of `event`. */
export function within<T>(event: EventContext, fn: () => T): T {
  const previous = current;
  current = event;
  try {
    return fn();
  } finally {
    current = previous;
  }
}

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
  try {
    if (error instanceof Error) {
      const name = String(error.name);
      const text = String(error.message);
      // Errors of the server's own say what they have to without their class.
      const isPlain = name === 'Error' || name === 'StagewireError';
      const message = text === '' ? name : isPlain ? text : `${name}: ${text}`;
      const stack = typeof error.stack === 'string' ? error.stack : '';
      return { message: message.slice(0, MAX_MESSAGE), stack: stack.slice(0, MAX_STACK) };
    }
    return { message: `thrown: ${String(error)}`.slice(0, MAX_MESSAGE), stack: '' };
  } catch {
    return { message: 'an error that cannot be described', stack: '' };
  }
}
