import { newEvent, type Outcome, reportError, within } from './events.ts';
import { apply, NativeTypeError, shown } from './primordials.ts';
import { whenSettled } from './promise.ts';

/** A function of the application: called by name or slot, with whatever there is. */
export type AnyFunction = (...args: unknown[]) => unknown;

/** What a script has put where a handler goes: undefined for none, and a TypeError for what cannot be called. */
export function functionIn(where: string, value: unknown): AnyFunction | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'function')
    throw new NativeTypeError(`${where}: expected a function, got ${shown(value)}`);
  return value as AnyFunction;
}

/**
 * Calls a handler of the application as an event of its own and tells `done` how it ended, once its promise has
 * settled if it returned one. What it throws, or rejects with, is reported unless it `isExpected`.
 */
export function runHandler(
  where: string,
  fn: AnyFunction,
  self: unknown,
  args: unknown[],
  done: (outcome: Outcome) => void = () => {},
  isExpected: (error: unknown) => boolean = never,
): void {
  const fail = (error: unknown) => {
    if (!isExpected(error)) reportError(error, where);
    done({ isOk: false, error });
  };
  within(newEvent(where), () => {
    let value: unknown;
    try {
      value = apply(fn, self, args);
    } catch (error) {
      return fail(error);
    }
    try {
      whenSettled(value, (settled) => done({ isOk: true, value: settled }), fail);
    } catch (error) {
      fail(error); // a hostile `then`
    }
  });
}

function never(): boolean {
  return false;
}
