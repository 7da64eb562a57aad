import { StagewireError } from '../wire/errors.ts';
import { hide } from './clock.ts';
import { append, NativeTypeError, shown } from './primordials.ts';
import { stackOf } from './stacks.ts';
import type { Load } from './wall/boot.ts';

/** A file that loads itself would otherwise go on until it is out of time. */
const MAX_LOADS = 1000;
const MAX_NAME = 1024;

/**
 * The global `load`: a deferred include. Files are run after the main script's top level, in the order of the calls,
 * before `onAppStart`; those that they load join the queue (Server-Side ActionScript Language Reference, load()). The
 * core has the files and runs them.
 */
export class Loads {
  readonly #queue: Load[] = [];
  #next = 0;
  #isOpen: boolean;

  constructor(isOpen: boolean) {
    this.#isOpen = isOpen;
  }

  install(global: typeof globalThis): void {
    hide(global, 'load', (name: unknown) => this.#load(name));
  }

  /** What the core is to run next; after the last, `load` is over. */
  next(): Load | undefined {
    if (this.#next < this.#queue.length) return this.#queue[this.#next++];
    this.#isOpen = false;
    return undefined;
  }

  #load(name: unknown): void {
    if (typeof name !== 'string' || name === '' || name.length > MAX_NAME)
      throw new NativeTypeError(`load: expected the name of a script, got ${shown(name)}`);
    if (!this.#isOpen)
      throw new StagewireError(
        'E_LOAD',
        'app',
        `load(${shown(name)}): scripts are loaded only while an instance of a classic application starts, ` +
          'before application.onAppStart: call load at the top level of main.asc, or of a file that it loads',
      );
    if (this.#queue.length >= MAX_LOADS)
      throw new StagewireError(
        'E_LOAD',
        'app',
        `load(${shown(name)}): ${MAX_LOADS} files are loaded already; does one of them load itself?`,
      );
    append(this.#queue, { name, stack: stackOf(new NativeTypeError()) });
  }
}
