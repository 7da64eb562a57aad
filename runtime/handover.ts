import { reading } from './arguments.ts';
import { ask } from './ask.ts';
import { hide } from './clock.ts';
import { describe, type Outcome } from './events.ts';
import { functionIn, runHandler } from './handlers.ts';
import type { Bounds, HandoverPart } from './handover/main.ts';
import { hostSide, type Standing } from './host-side.ts';
import { natives } from './natives.ts';
import type { Outbox } from './outbox.ts';
import { loadPart } from './parts.ts';
import {
  append,
  apply,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isArray,
  isSame,
  keysOf,
  NativeError,
  NativeMap,
  NativeSet,
  NativeTypeError,
  objectPrototype,
  ownKeys,
  SafeMap,
  SafeWeakMap,
  shown,
} from './primordials.ts';
import { openShared, sharedObject } from './share.ts';
import { stackOf } from './stacks.ts';
import { carriedStreams, settingsOf, takeOverStream } from './stream.ts';
import { Header } from './wall/boot.ts';
import type { ClientInfo } from './wall/fields.ts';

/** The name of the root that a classic script's variables are in. */
const GLOBAL = 'global';

/** What data was when the build had begun. Of most it is enough to know that there was nothing in it. */
type Mark = { value: unknown } | { empty: number } | { print: string | undefined };

/** The clients of the script, for whom it keeps more than data. */
export interface ClientKeeper {
  /** In the order in which they came. */
  known(): object[];
  /** A client that an older script knew. */
  make(number: number, standing: Standing, info: ClientInfo): object;
  /** From now on this script's. */
  takeOver(client: object): void;
  /** Whether it wants to be asked about those that it takes over. */
  readonly greets: boolean;
}

/**
 * What one script leaves to the next: the data of `application`, of each client, and of what the author gave to `keep`.
 * The walk over it is a part (handover/), loaded when the script is replaced; until then this notes what the data was
 * when the build had begun, since what it has not changed since is the next build's to say.
 */
export class Handover {
  readonly #roots = new SafeMap<string, object>();
  readonly #names = new SafeWeakMap<object, string>();
  readonly #marks = new SafeMap<string, SafeMap<string, Mark>>();
  #part: HandoverPart | undefined;
  #hasBegun = false;
  readonly #application: Record<string, unknown>;
  readonly #clients: ClientKeeper;
  readonly #outbox: Outbox;
  readonly #header: Int32Array;
  /** What there is for the next script. */
  #saved = '';
  /** What the script before this one has left. */
  #given = '';

  constructor(
    application: Record<string, unknown>,
    clients: ClientKeeper,
    outbox: Outbox,
    header: Int32Array,
  ) {
    this.#header = header;
    this.#application = application;
    this.#clients = clients;
    this.#outbox = outbox;
    this.#add('', application);
  }

  /** `isClassic`: what a classic script declares are properties of the global object, and are kept. */
  install(global: typeof globalThis, isClassic: boolean): void {
    if (isClassic) this.#add(GLOBAL, global);
    hide(global, 'keep', (initial: unknown, name?: unknown) => this.#keep(initial, name));
  }

  /** The build has begun: what its data is now is its own. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#roots.forEach((object, root) => void this.#note(root, object));
  }

  /** Hands an instalment of the state to the host, while nobody waits for it. What changes later is in the last. */
  draft(bounds: Bounds, isFirst: boolean): void {
    try {
      const { text, isLast } = this.#load().draft(bounds, isFirst);
      this.#hand(text);
      this.#outbox.send({ kind: 'drafted', isOk: true, isLast });
    } catch {
      // There is too much, or a proxy threw: whoever saves hears of it.
      this.#outbox.send({ kind: 'drafted', isOk: false, isLast: true });
    }
  }

  /** Instalments come to nothing. */
  undraft(): void {
    this.#part?.undraft();
  }

  /**
   * Hands the state to the host, which gives it to the next script. `isDrafted`: that one has all that `draft` has given.
   * `waiting`, `timers`: what this one waits for.
   */
  save(bounds: Bounds, isDrafted: boolean, waiting: number, timers: number): void {
    let objects = 0;
    let lost = 0;
    let error = '';
    const isSeenTo = typeof this.#application.onSave === 'function';
    try {
      const saved = this.#load().save(bounds, isDrafted, this.#ask('onSave', []));
      objects = saved.objects;
      lost = isSeenTo ? 0 : saved.lost;
      this.#hand(saved.text);
    } catch (failure) {
      error = describe(failure).message;
    }
    this.#outbox.send({ kind: 'saved', error, objects, waiting, lost, timers: isSeenTo ? 0 : timers });
  }

  #hand(text: string): void {
    this.#saved = text;
    this.#header[Header.hasState] = 1;
  }

  /** Takes what it was given of the state of the script before this one, which the build `from` was; after the last it is its own. */
  restore(from: string, isLast: boolean): void {
    let lost: readonly string[] = [];
    let lostCount = 0;
    let error = '';
    try {
      const given = this.#given;
      this.#given = '';
      const restored = this.#load().restore(given, isLast);
      if (restored) {
        lost = restored.lost;
        lostCount = restored.lostCount;
        this.#ask('onRestore', [restored.fromAuthor, from]);
      }
    } catch (failure) {
      error = describe(failure).message;
    }
    const { greets } = this.#clients;
    this.#outbox.send({ kind: 'restored', error, greets, lost: lost as string[], lostCount });
  }

  /** What a handler of the author's returns, now: nothing else happens before the next script takes over. */
  #ask(name: string, args: unknown[]): unknown {
    const where = `application.${name}`;
    const handler = functionIn(where, this.#application[name]);
    if (!handler) return undefined;
    let outcome: Outcome | undefined;
    runHandler(where, handler, this.#application, args, (how) => {
      outcome = how;
    });
    const known = outcome as Outcome | undefined;
    if (!known) throw new NativeTypeError(`${where} returned a promise: it has to be done when it returns`);
    if (!known.isOk) throw new NativeError(`${where} failed: ${describe(known.error).message}`);
    return known.value;
  }

  takeState(): string {
    const text = this.#saved;
    this.#saved = '';
    this.#header[Header.hasState] = 0;
    return text;
  }

  /** The state that is to be restored, from the core. */
  given(text: string): void {
    this.#given = text;
  }

  /** What the part has of this. */
  get shared() {
    return {
      nameOf: (object: object) => this.#names.get(object),
      rootOf: (name: string) => this.#roots.get(name),
      rootNames: () => {
        const names: string[] = [];
        this.#roots.forEach((_, name) => void append(names, name));
        return names;
      },
      namesAtBoot: (root: string) => {
        const names: string[] = [];
        this.#marks.get(root)?.forEach((_, name) => void append(names, name));
        return names;
      },
      isUnchanged: (root: string, name: string, value: unknown) => this.#isUnchanged(root, name, value),
      sideOf: hostSide,
      stackOf: (error: object) => stackOf(error as Error),
      clients: () => this.#clients.known(),
      client: (number: number, standing: Standing, info: ClientInfo) =>
        this.#clients.make(number, standing, info),
      takeOver: (client: object) => this.#clients.takeOver(client),
      streams: carriedStreams,
      stream: takeOverStream,
      settingsOf,
      sharedObject,
      openShared,
    };
  }

  #load(): HandoverPart {
    this.#part ??= loadPart<HandoverPart>('handover');
    return this.#part;
  }

  #add(name: string, object: object): void {
    this.#roots.set(name, object);
    this.#names.set(object, name);
  }

  /** State of a module that outlives its code. */
  #keep(initial: unknown, name: unknown): unknown {
    const member = 'keep';
    if (this.#hasBegun)
      throw new NativeTypeError(
        `${member}: only what a module has from its beginning is kept, and this is later`,
      );
    const isPlain = () => getPrototypeOf(initial as object) === objectPrototype;
    if (typeof initial !== 'object' || initial === null || !reading(member, isPlain))
      throw new NativeTypeError(`${member}: expected a plain object, got ${shown(initial)}`);
    if (name !== undefined && (typeof name !== 'string' || name === ''))
      throw new NativeTypeError(`${member}: expected a name, got ${shown(name)}`);
    const known = this.#names.get(initial);
    if (known !== undefined) throw new NativeTypeError(`${member}: that object is kept already`);
    const key = name ?? ask('state.name', stackOf(new Error()));
    if (typeof key !== 'string')
      throw new NativeTypeError(
        `${member}: what is it called? Assign it, as in \`const state = keep({ ... })\`, or give it a name: \`keep({ ... }, "state")\``,
      );
    if (this.#roots.has(key))
      throw new NativeTypeError(`${member}: something is kept as ${shown(key)} already`);
    this.#add(key, initial);
    return initial;
  }

  #note(root: string, object: object): void {
    const marks = new SafeMap<string, Mark>();
    const keys = ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const property = getOwnPropertyDescriptor(object, key);
      if (typeof key !== 'string' || !property?.enumerable || !property.writable) continue;
      marks.set(key, this.#markOf(property.value));
    }
    this.#marks.set(root, marks);
  }

  #markOf(value: unknown): Mark {
    if (typeof value !== 'object' || value === null) return { value };
    const empty = emptiness(value);
    return empty === 0 ? { print: this.#load().print(value) } : { empty };
  }

  #isUnchanged(root: string, name: string, value: unknown): boolean {
    const mark = this.#marks.get(root)?.get(name);
    if (!mark) return false;
    if (hasOwn(mark, 'value')) return isSame((mark as { value: unknown }).value, value);
    if (typeof value !== 'object' || value === null) return false;
    if (hasOwn(mark, 'empty')) return emptiness(value) === (mark as { empty: number }).empty;
    const { print } = mark as { print: string | undefined };
    return print !== undefined && this.#load().print(value) === print;
  }
}

/** Which kind of container with nothing in it: 0 for anything else. */
function emptiness(value: object): number {
  try {
    const prototype = getPrototypeOf(value);
    if (isArray(value)) return value.length === 0 && keysOf(value).length === 0 ? 1 : 0;
    if (prototype === objectPrototype) return keysOf(value).length === 0 ? 2 : 0;
    if (prototype === NativeMap.prototype) return apply(natives.sizeOfMap, value, []) === 0 ? 3 : 0;
    if (prototype === NativeSet.prototype) return apply(natives.sizeOfSet, value, []) === 0 ? 4 : 0;
  } catch {
    // A proxy, or what only looks so.
  }
  return 0;
}
