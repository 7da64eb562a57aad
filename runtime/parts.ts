import { askForCode } from './ask.ts';
import { hide } from './clock.ts';
import { apply, NativeFunction } from './primordials.ts';

/**
 * Parts of the runtime that few scripts need: their code stays in the core until a script first reads one of their
 * names, so that those who do not need it have neither its code nor its objects.
 */

/** Runs the code of a part, which has `shared` of the rest of the runtime, and returns what it gives. */
export function loadPart<T>(name: string, shared: object): T {
  const code = `"use strict";${askForCode(name)}\n//# sourceURL=stagewire:runtime`;
  let given: T | undefined;
  const give = (value: T) => {
    given = value;
  };
  apply(new NativeFunction('shared', 'give', code), undefined, [shared, give]);
  return given!;
}

/** An accessor that gives way to what `load` returns when it is first read, and to whatever a script puts there. */
export function defineLazily(global: typeof globalThis, name: string, load: () => unknown): void {
  const set = (value: unknown) => hide(global, name, value);
  const get = () => {
    const value = load();
    set(value);
    return value;
  };
  Object.defineProperty(global, name, { get, set, enumerable: false, configurable: true });
}
