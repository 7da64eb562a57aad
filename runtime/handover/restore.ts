import {
  append,
  apply,
  construct,
  define,
  findIn,
  getPrototypeOf,
  handover,
  hasOwn,
  hide,
  NativeDate,
  NativeMap,
  NativeRangeError,
  NativeSet,
  natives,
  objectPrototype,
  ownKeys,
  setEntry,
  setPrototypeOf,
  sliceOf,
  toNumber,
} from '../shared.ts';
import { fill } from './bytes.ts';
import { NodeKind, OF_CLIENTS, STANDINGS, Tag } from './format.ts';
import type { Primitive } from './out.ts';

/** A value that was no data, where the new build has nothing of its own. */
const LOST = {};
/** Of what could not be carried over: so many places are told. */
const MAX_TOLD = 20;

/** A list of primitives (out.ts), read from its beginning. */
export class In {
  readonly #list: readonly Primitive[];
  #at = 0;

  constructor(json: string) {
    this.#list = natives.parseJson(json) as Primitive[];
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#list.length;
  }

  take(): Primitive {
    return this.#list[this.#at++]!;
  }

  text(): string {
    return this.#list[this.#at++] as string;
  }

  number(): number {
    return this.#list[this.#at++] as number;
  }

  isNext(value: Primitive): boolean {
    return this.#list[this.#at] === value;
  }
}

/** Reads a graph (save.ts) into this script: objects of its own, and those of the server by what they stand for. */
export class Restoring {
  #heads!: In;
  roots!: In;
  #bodies!: In;
  readonly #kinds: number[] = [];
  readonly #hasBody: boolean[] = [];
  readonly #objects: object[] = [];
  /** By number: what the new build has in that place. It keeps what is no data. */
  readonly #counterparts: (object | undefined)[] = [];
  /** By number, for the log: where a node was found, by the number of that and the name in it; -1 and a path for a root. */
  readonly #parents: number[] = [];
  readonly #names: string[] = [];
  readonly #told: string[] = [];
  #lost = 0;

  /** What is to read this instalment: it goes on from what there is, or begins. Throws when it should go on from nothing. */
  static after(before: Restoring | undefined, text: string): Restoring {
    const first = findIn(text, '\n', 0);
    const second = findIn(text, '\n', first + 1);
    const roots = new In(sliceOf(text, first + 1, second));
    const isFurther = roots.number() === 1;
    if (isFurther && !before) throw new NativeRangeError('the instalments before this one did not come');
    const graph = isFurther ? before! : new Restoring();
    graph.#heads = new In(sliceOf(text, 0, first));
    graph.roots = roots;
    graph.#bodies = new In(sliceOf(text, second + 1));
    return graph;
  }

  /** Places that are without what they held, as far as they are told, and how many there are. */
  get lost(): { places: readonly string[]; count: number } {
    return { places: this.#told, count: this.#lost };
  }

  /** Makes the objects, empty as yet: what they refer to is in the bodies. */
  readHeads(): void {
    while (!this.#heads.isAtEnd) {
      const kind = this.#heads.number();
      if (kind === NodeKind.again) {
        this.#mend(this.#heads.number(), this.#heads.number());
        continue;
      }
      append(this.#objects, this.#head(kind));
      append(this.#hasBody, false);
      append(this.#kinds, kind);
      append(this.#counterparts, undefined);
      append(this.#parents, UNSEEN);
      append(this.#names, '');
    }
  }

  /** A root's value: `counterpart` is what the new build has there, `path` its name for the log. */
  root(counterpart: unknown, path: string): unknown {
    return this.#value(this.roots, counterpart, ROOT, path);
  }

  /** The new build has no such root: all that it held is lost. */
  loseRoot(path: string): void {
    this.#lose('the new code keeps nothing by that name', ROOT, path);
  }

  /** After the roots, which say what the bodies belong to. */
  readBodies(): void {
    while (!this.#bodies.isAtEnd) {
      const node = this.#bodies.number();
      if (this.#hasBody[node]) this.#empty(node);
      this.#hasBody[node] = true;
      this.#body(node);
    }
  }

  /** True when the value was no data, and the new build has none there: the place stays as it is. */
  isLost(value: unknown): boolean {
    return value === LOST;
  }

  #value(from: In, counterpart: unknown, parent: number, name: string): unknown {
    switch (from.number()) {
      case Tag.string:
      case Tag.number:
        return from.take();
      case Tag.node: {
        const node = from.number();
        if (this.#parents[node] === UNSEEN) {
          this.#parents[node] = parent;
          this.#names[node] = name;
          if (typeof counterpart === 'object' && counterpart !== null) this.#counterparts[node] = counterpart;
        }
        const object = this.#objects[node]!;
        return object === LOST ? this.#lose('a shared object that cannot be opened', parent, name) : object;
      }
      case Tag.later:
        return LOST;
      case Tag.null:
        return null;
      case Tag.true:
        return true;
      case Tag.false:
        return false;
      case Tag.bigint:
        return natives.BigInt(from.text());
      case Tag.oddNumber:
        return toNumber(from.text());
      case Tag.lost: {
        const what = from.text();
        if (counterpart !== undefined && counterpart !== null) return counterpart;
        return this.#lose(what, parent, name);
      }
      default:
        return undefined; // or a hole
    }
  }

  #lose(what: string, parent: number, name: string): object {
    const place = `${this.#pathOf(parent, name)} (${what})`;
    // All clients lose the same.
    for (let i = 0; i < this.#told.length; i++) if (this.#told[i] === place) return LOST;
    this.#lost++;
    if (this.#told.length < MAX_TOLD) append(this.#told, place);
    return LOST;
  }

  #pathOf(parent: number, name: string): string {
    let path = name;
    let node = parent;
    for (let depth = 0; node >= 0; depth++) {
      if (depth > MAX_DEPTH_TOLD) return `...${path}`;
      path = `${this.#names[node]}${path}`;
      node = this.#parents[node]!;
    }
    return path;
  }

  #head(kind: number): object {
    const heads = this.#heads;
    switch (kind) {
      case NodeKind.object:
        return {};
      case NodeKind.bare:
        return { __proto__: null } as object;
      case NodeKind.array:
        return [];
      case NodeKind.map:
        return new NativeMap();
      case NodeKind.set:
        return new NativeSet();
      case NodeKind.date: {
        const time = heads.take() as number | null;
        return new NativeDate(time === null ? Number.NaN : time);
      }
      case NodeKind.regexp: {
        const pattern = construct(natives.RegExp, [heads.text(), heads.text()]) as RegExp;
        pattern.lastIndex = heads.number();
        return pattern;
      }
      case NodeKind.buffer: {
        const text = heads.text();
        const buffer = construct(natives.ArrayBuffer, [text.length]) as ArrayBuffer;
        fill(buffer, text);
        return buffer;
      }
      case NodeKind.view: {
        const name = heads.text();
        const view = name === '' ? natives.DataView : natives.classes[name]!;
        const buffer = this.#objects[heads.number()];
        return construct(view as never, [buffer, heads.number(), heads.number()]);
      }
      case NodeKind.error: {
        const name = heads.text();
        const error = new natives.Error();
        if (name !== 'Error') setPrototypeOf(error, natives.classes[name]!.prototype as object);
        hide(error, 'message', heads.text());
        hide(error, 'stack', heads.text());
        return error;
      }
      case NodeKind.client: {
        const { number, standing, info } = this.#client();
        return handover.client(number, standing, info);
      }
      case NodeKind.stream:
        return this.#stream();
      case NodeKind.sharedObject: {
        const name = heads.text();
        return handover.openShared(name, heads.number() === 1) ?? LOST;
      }
      case NodeKind.root:
        return handover.rootOf(heads.text()) ?? {};
      default: {
        const root = handover.rootOf(heads.text());
        const property = heads.text();
        const built = root && own(root, property);
        return typeof built === 'object' && built !== null ? built : {};
      }
    }
  }

  /** What has another head now. */
  #mend(node: number, kind: number): void {
    const object = this.#objects[node]!;
    if (kind === NodeKind.buffer) fill(object as ArrayBuffer, this.#heads.text());
    else {
      const side = handover.sideOf(object)!;
      const { standing, info } = this.#client();
      side.standing = standing;
      side.info = info;
      side.canReconnect = info.canReconnect;
      side.access = info.access;
      side.bandwidth = info.bandwidth;
    }
  }

  /** Its body comes again. */
  #empty(node: number): void {
    const object = this.#objects[node]!;
    switch (this.#kinds[node]) {
      case NodeKind.map:
        return void apply(natives.clearMap, object as never, []);
      case NodeKind.set:
        return void apply(natives.clearSet, object as never, []);
      case NodeKind.array:
        (object as unknown[]).length = 0;
        return deleteShown(object);
      default:
        return deleteShown(
          object,
          handover.sideOf(object)?.info as Readonly<Record<string, unknown>> | undefined,
        );
    }
  }

  #client() {
    const heads = this.#heads;
    const number = heads.number();
    const standing = STANDINGS[heads.number()]!;
    const info = {
      id: heads.text(),
      ip: heads.text(),
      agent: heads.text(),
      referrer: heads.text(),
      pageUrl: heads.text(),
      uri: heads.text(),
      protocol: heads.text(),
      secure: heads.take() === true,
      canReconnect: heads.take() === true,
      access: {
        readAccess: heads.text(),
        writeAccess: heads.text(),
        audioSampleAccess: heads.text(),
        videoSampleAccess: heads.text(),
      },
      bandwidth: { toClient: heads.number(), toServer: heads.number() },
    };
    return { number, standing, info };
  }

  #stream(): object {
    const heads = this.#heads;
    const stream = { name: heads.text(), query: heads.text(), mode: heads.text() };
    const isLive = heads.number() === 1;
    const isOpen = heads.number() === 1;
    const settings = isOpen
      ? {
          key: heads.text(),
          bufferTime: heads.number(),
          syncWrite: heads.take() === true,
          receiveAudio: heads.take() === true,
          receiveVideo: heads.take() === true,
        }
      : undefined;
    return handover.stream(stream, isLive, settings);
  }

  #body(node: number): void {
    const bodies = this.#bodies;
    const object = this.#objects[node]!;
    switch (this.#kinds[node]) {
      case NodeKind.object:
      case NodeKind.bare:
      case NodeKind.error:
        return this.#properties(node, object, this.#counterparts[node]);
      case NodeKind.client:
      case NodeKind.stream:
        return this.#propertiesOfServers(node, object);
      case NodeKind.array:
        (object as unknown[]).length = bodies.number();
        if (bodies.number() === 0) return this.#properties(node, object, this.#counterparts[node]);
        return this.#items(node, object as unknown[], this.#counterparts[node]);
      case NodeKind.map: {
        const count = bodies.number();
        for (let i = 0; i < count; i++) {
          const key = this.#value(bodies, undefined, node, ': a key');
          const value = this.#value(bodies, undefined, node, ': an entry');
          if (key !== LOST && value !== LOST) setEntry(object as Map<unknown, unknown>, key, value);
        }
        return;
      }
      case NodeKind.set: {
        const count = bodies.number();
        for (let i = 0; i < count; i++) {
          const item = this.#value(bodies, undefined, node, ': an item');
          if (item !== LOST) apply(natives.addItem, object as never, [item]);
        }
      }
    }
  }

  #properties(node: number, object: object, counterpart: object | undefined): void {
    const bodies = this.#bodies;
    const count = bodies.number();
    for (let i = 0; i < count; i++) {
      const name = bodies.text();
      const there = counterpart && own(counterpart, name);
      const value = this.#value(bodies, there, node, `.${name}`);
      if (value !== LOST) put(object, name, value);
    }
  }

  /** What clients and streams have by their prototype, the new code has put there. */
  #propertiesOfServers(node: number, object: object): void {
    const bodies = this.#bodies;
    const count = bodies.number();
    for (let i = 0; i < count; i++) {
      const name = bodies.text();
      const there = bodies.isNext(Tag.lost) ? inherited(object, name) : undefined;
      const value = this.#value(bodies, there, node, `.${name}`);
      if (value !== LOST && there === undefined) define(object, name, value);
    }
  }

  #items(node: number, list: unknown[], counterpart: object | undefined): void {
    const bodies = this.#bodies;
    for (let i = 0; i < list.length; i++) {
      const isHole = bodies.isNext(Tag.hole);
      const there = counterpart && own(counterpart, `${i}`);
      const value = this.#value(
        bodies,
        there,
        node,
        counterpart || bodies.isNext(Tag.lost) ? `[${i}]` : ITEM,
      );
      if (!isHole && value !== LOST) put(list, i, value);
    }
  }
}

const UNSEEN = -2;
const ROOT = -1;
/** Of an item in the path of what it holds: to make a text of each number would cost more than all else. */
const ITEM = '[]';
const MAX_DEPTH_TOLD = 20;

/** Takes away all enumerable properties, except those that the server has put there: they are as it said. */
function deleteShown(object: object, info?: Readonly<Record<string, unknown>>): void {
  const keys = ownKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (!natives.descriptorOf(object, key)?.enumerable) continue;
    if (info && typeof key === 'string' && OF_CLIENTS[key] === true) define(object, key, info[key]);
    else natives.deleteProperty(object, key);
  }
}

/** Sets an own property, whatever setters the prototypes have been given. */
function put(object: object, key: string | number, value: unknown): void {
  if (key in object) define(object, key, value);
  else (object as Record<string | number, unknown>)[key] = value;
}

/** What an object has as data of its own under that name. Runs code of the script for a proxy. */
export function own(object: object, name: string): unknown {
  const property = natives.descriptorOf(object, name);
  return property && hasOwn(property, 'value') ? property.value : undefined;
}

function inherited(object: object, name: string): unknown {
  for (let holder = getPrototypeOf(object); holder && holder !== objectPrototype; ) {
    const value = own(holder, name);
    if (value !== undefined) return value;
    holder = getPrototypeOf(holder);
  }
  return undefined;
}
