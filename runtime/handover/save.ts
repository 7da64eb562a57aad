import type { HostSide } from '../host-side.ts';
import {
  append,
  apply,
  Bytes,
  bytesOfView,
  getPrototypeOf,
  handover,
  hasOwn,
  isArray,
  isBuffer,
  isOpaque,
  isView,
  keysOf,
  lengthOf,
  NativeMap,
  NativeSet,
  natives,
  objectPrototype,
  ownKeys,
  realTime,
  SafeMap,
  streams,
  symbolsOf,
  toText,
  typedArrayName,
} from '../shared.ts';
import { textOfBytes } from './bytes.ts';
import { type Names, NodeKind, OF_CLIENTS, STANDINGS, Tag, TEXTS_OF_CLIENTS } from './format.ts';
import { Comparison, Out, type Sink } from './out.ts';

const OF_STREAMS = {
  __proto__: null,
  name: true,
  publishQueryString: true,
  publishMode: true,
} as unknown as Names;
const isError = natives.isError as (value: unknown) => boolean;
/** The lists hold so many items at the most, for each byte that may be handed over: shorter ones are not to be had. */
const BYTES_OF_ITEM = 2;

/** There is more data than may be handed over. */
export const TOO_MUCH = {};
/** It takes longer than it may. */
export const TOO_LONG = {};
/** Nobody reads items faster. */
const MOST_ITEMS_PER_MS = 10_000;
/** So many values are written between two looks at the clock. */
const VALUES_AT_ONCE = 1024;
/** What was given in instalments cannot be mended: all of it has to be given anew. */
export const STALE = {};
const NOT_NOW = 'only the last instalment can have it';
const NO_BODY = -1;

/**
 * A graph of a script's data, written from any number of values. Runs code of the script where there are proxies, or where it
 * has put an accessor in place of what the server says of a client.
 */
export class Graph {
  readonly #heads = new Out();
  readonly roots = new Out();
  readonly #bodies = new Out();
  readonly #mostItems: number;
  readonly #maxLength: number;
  /** Of the instalments so far. */
  #length = 0;
  readonly #ids = new SafeMap<object, number>();
  readonly #nodes: object[] = [];
  readonly #kinds: number[] = [];
  /** By number: where their heads and bodies begin, and the latter end, in the lists. */
  readonly #headAt: number[] = [];
  readonly #bodyAt: number[] = [];
  readonly #bodyEnd: number[] = [];
  /** How clients were when they were given. */
  readonly #clients = new SafeMap<object, Pick<HostSide, 'standing' | 'access' | 'bandwidth'>>();
  /** By number: what the new build has, as far as that was found again for the last instalment. */
  readonly #isFound: boolean[] = [];
  /** How many bodies there are: those of the first nodes. Of how many it was seen whether they have changed. */
  #written = 0;
  #compared = 0;
  #isLast: boolean;
  /** Of the head that was written last: what it is, and where it begins. */
  #kind = 0;
  #at = 0;
  /** On the real clock. */
  #endsAt = Infinity;
  #values = 0;
  /** Places of what is no data. */
  lost = 0;

  /** `maxLength`: of the text. Whatever leads beyond that throws TOO_MUCH. `isDraft`: there are instalments before the last. */
  constructor(maxLength: number, isDraft = false) {
    this.#isLast = !isDraft;
    this.#maxLength = maxLength;
    this.#mostItems = maxLength / BYTES_OF_ITEM;
    this.roots.put(0);
    const names = handover.rootNames();
    for (let i = 0; i < names.length; i++) {
      this.#say(this.#heads, NodeKind.root);
      this.#heads.put(names[i]!);
      this.#begin(handover.rootOf(names[i]!)!);
    }
  }

  /** Until then it may go on, on the real clock; then it throws TOO_LONG. */
  mayTakeUntil(endsAt: number): void {
    this.#endsAt = endsAt;
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** Refers to what the new build has there: its own value is to be found by whatever else refers to this one. */
  isBuilt(object: object, root: string, property: string): void {
    const known = this.#ids.get(object);
    if (known !== undefined) {
      if (this.#kinds[known] !== NodeKind.built && this.#kinds[known] !== NodeKind.root) throw STALE;
      this.#isFound[known] = true;
      return;
    }
    this.#say(this.#heads, NodeKind.built);
    this.#heads.put(root);
    this.#heads.put(property);
    this.#begin(object);
    this.#isFound[this.#nodes.length - 1] = true;
  }

  /** Whether a node can be made of it. Of a graph that is not used for anything else. */
  takes(object: object): boolean {
    return this.#head(object) === '';
  }

  value(out: Sink, value: unknown): void {
    if (++this.#values % VALUES_AT_ONCE === 0 && realTime() > this.#endsAt) throw TOO_LONG;
    switch (typeof value) {
      case 'string':
        out.put(Tag.string);
        return out.put(value);
      case 'number':
        if (value - value !== 0 || (value === 0 && 1 / value < 0)) {
          out.put(Tag.oddNumber);
          return out.put(value === 0 ? '-0' : toText(value));
        }
        out.put(Tag.number);
        return out.put(value);
      case 'object': {
        if (value === null) return out.put(Tag.null);
        const known = this.#ids.get(value);
        if (known !== undefined) {
          out.put(Tag.node);
          return out.put(known);
        }
        const lost = this.#head(value);
        if (lost === NOT_NOW) return out.put(Tag.later);
        if (lost !== '') return this.#lose(out, lost);
        out.put(Tag.node);
        return out.put(this.#ids.get(value)!);
      }
      case 'boolean':
        return out.put(value ? Tag.true : Tag.false);
      case 'undefined':
        return out.put(Tag.undefined);
      case 'bigint':
        out.put(Tag.bigint);
        return out.put(toText(value));
      default:
        return this.#lose(out, typeof value === 'function' ? 'a function' : 'a symbol');
    }
  }

  /** Writes so many bodies more. False when there are others. */
  write(most: number): boolean {
    const end = this.#written + most;
    // More nodes come while this goes on.
    for (; this.#written < this.#nodes.length && this.#written < end; this.#written++) {
      const node = this.#written;
      const kind = this.#kinds[node]!;
      if (!hasBody(kind)) append(this.#bodyAt, NO_BODY);
      else {
        this.#bodies.put(node);
        append(this.#bodyAt, this.#bodies.length);
        this.#body(this.#bodies, this.#nodes[node]!, kind);
      }
      append(this.#bodyEnd, this.#bodies.length);
      this.#checkItems();
    }
    return this.#written === this.#nodes.length;
  }

  /** What has come since the last time, for the reader. */
  instalment(): string {
    const length = this.#heads.textLength + this.roots.textLength + this.#bodies.textLength;
    if (this.#length + length > this.#maxLength) throw TOO_MUCH;
    const text = `${this.#heads.take()}\n${this.roots.take()}\n${this.#bodies.take()}`;
    this.#length += text.length;
    if (this.#length > this.#maxLength) throw TOO_MUCH;
    this.roots.put(1);
    return text;
  }

  /** All of it, or all that is left: nothing is added afterwards. */
  finish(): string {
    this.write(Infinity);
    return this.instalment();
  }

  /** What follows is for the last instalment: what counts is what there is now. */
  beginLast(): void {
    this.#isLast = true;
    this.#compared = 0;
    this.lost = 0;
    for (let i = 0; i < this.#nodes.length; i++) this.#isFound[i] = false;
  }

  /**
   * Writes what has changed in so many of those nodes that the instalments had. False when there are others. Throws STALE
   * when it cannot be said of one.
   */
  writeChanges(most: number): boolean {
    const count = this.#nodes.length;
    const end = this.#compared + most;
    const heads = new Comparison(this.#heads);
    const bodies = new Comparison(this.#bodies);
    for (; this.#compared < count && this.#compared < end; this.#compared++) {
      const node = this.#compared;
      const object = this.#nodes[node]!;
      const kind = this.#kinds[node]!;
      if (kind === NodeKind.root) continue;
      if (kind === NodeKind.built) {
        if (this.#isLast && !this.#isFound[node]) throw STALE;
        continue;
      }
      if (this.#isUnchanged(node, object, kind)) continue;
      heads.begin(this.#headAt[node]!);
      if (this.#describe(heads, object) !== '' || this.#kind !== kind) throw STALE;
      if (!heads.isSame) {
        if (!isMendable(kind)) throw STALE;
        this.#heads.put(NodeKind.again);
        this.#heads.put(node);
        this.#describe(this.#heads, object);
        this.#headAt[node] = this.#at;
      }
      const at = this.#bodyAt[node];
      if (at === undefined || at === NO_BODY) continue;
      const { lost } = this;
      bodies.begin(at);
      this.#body(bodies, object, kind);
      if (bodies.isSame && bodies.length === this.#bodyEnd[node]) continue;
      this.lost = lost;
      this.#bodies.put(node);
      this.#bodyAt[node] = this.#bodies.length;
      this.#body(this.#bodies, object, kind);
      this.#bodyEnd[node] = this.#bodies.length;
      this.#checkItems();
    }
    return this.#compared === count;
  }

  /** Whether a node of the most usual kinds is as it was given: quickly, since everybody waits. False says nothing. */
  #isUnchanged(node: number, object: object, kind: number): boolean {
    const at = this.#bodyAt[node];
    if (at === undefined) return false;
    if (kind === NodeKind.object)
      return getPrototypeOf(object) === objectPrototype && this.#hasSameProperties(object, at, undefined);
    if (kind !== NodeKind.client) return false;
    const given = this.#clients.get(object)!;
    const { standing, info, access, bandwidth } = handover.sideOf(object)!;
    return (
      given.standing === standing &&
      given.access === access &&
      given.bandwidth === bandwidth &&
      this.#hasSameProperties(object, at, info as never)
    );
  }

  /** `info`: of a client, what the server says of it. Reads properties that were data when they were given. */
  #hasSameProperties(
    object: object,
    at: number,
    info: Readonly<Record<string, unknown>> | undefined,
  ): boolean {
    const bodies = this.#bodies;
    const keys = keysOf(object);
    let left = bodies.at(at++) as number;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      // An accessor is not to be run.
      if (bodies.at(at) === key && bodies.at(at + 1) === Tag.lost) return false;
      const value = (object as Readonly<Record<string, unknown>>)[key];
      if (info && OF_CLIENTS[key] === true && value === info[key]) continue;
      if (left-- === 0 || bodies.at(at++) !== key) return false;
      const tag = bodies.at(at++);
      switch (typeof value) {
        case 'string':
          if (tag !== Tag.string || bodies.at(at++) !== value) return false;
          break;
        case 'number':
          if (tag !== Tag.number || bodies.at(at++) !== value || (value === 0 && 1 / value < 0)) return false;
          break;
        case 'boolean':
          if (tag !== (value ? Tag.true : Tag.false)) return false;
          break;
        case 'undefined':
          if (tag !== Tag.undefined) return false;
          break;
        case 'object':
          if (value === null) {
            if (tag !== Tag.null) return false;
          } else if (tag !== Tag.node || bodies.at(at++) !== this.#ids.get(value)) return false;
          break;
        default:
          return false;
      }
    }
    return left === 0;
  }

  #checkItems(): void {
    if (this.#bodies.length + this.#heads.length > this.#mostItems) throw TOO_MUCH;
  }

  /** After its head. */
  #begin(object: object): void {
    this.#ids.set(object, this.#nodes.length);
    append(this.#nodes, object);
    append(this.#kinds, this.#kind);
    append(this.#headAt, this.#at);
    append(this.#isFound, false);
  }

  #say(out: Sink, kind: number): void {
    this.#kind = kind;
    this.#at = out.length;
    out.put(kind);
  }

  /** Begins a node; returns what it is when it cannot be one. */
  #head(value: object): string {
    const lost = this.#describe(this.#heads, value);
    if (lost === '') this.#begin(value);
    return lost;
  }

  /** Writes the head of a node; returns what it is when it cannot be one. */
  #describe(heads: Sink, value: object): string {
    const prototype = getPrototypeOf(value);
    if (isArray(value)) {
      if (prototype !== natives.arrays) return nameOfClass(prototype);
      this.#say(heads, NodeKind.array);
    } else if (prototype === objectPrototype) this.#say(heads, NodeKind.object);
    else if (isOpaque(value)) return this.#describeServers(heads, value);
    else if (prototype === null) this.#say(heads, NodeKind.bare);
    else if (prototype === NativeMap.prototype) this.#say(heads, NodeKind.map);
    else if (prototype === NativeSet.prototype) this.#say(heads, NodeKind.set);
    else if (isView(value)) return this.#describeView(heads, value, prototype);
    else if (isBuffer(value)) return this.#describeBuffer(heads, value, prototype);
    else return this.#describeOther(heads, value, prototype);
    return '';
  }

  #describeServers(heads: Sink, value: object): string {
    const side = handover.sideOf(value);
    if (side) {
      if (!this.#isLast) {
        const { standing, access, bandwidth } = side;
        this.#clients.set(value, { standing, access, bandwidth });
      }
      this.#say(heads, NodeKind.client);
      heads.put(side.number);
      for (let i = 0; i < STANDINGS.length; i++) if (STANDINGS[i] === side.standing) heads.put(i);
      const { info, access, bandwidth } = side;
      for (let i = 0; i < TEXTS_OF_CLIENTS.length; i++) heads.put(info[TEXTS_OF_CLIENTS[i]!]);
      heads.put(info.secure);
      heads.put(info.canReconnect);
      heads.put(access.readAccess);
      heads.put(access.writeAccess);
      heads.put(access.audioSampleAccess);
      heads.put(access.videoSampleAccess);
      heads.put(bandwidth.toClient);
      heads.put(bandwidth.toServer);
      return '';
    }
    if (streams.made.has(value)) {
      if (!this.#isLast) return NOT_NOW;
      const { name, publishQueryString, publishMode } = value as InstanceType<typeof streams.Stream>;
      this.#say(heads, NodeKind.stream);
      heads.put(name);
      heads.put(publishQueryString);
      heads.put(publishMode);
      heads.put(streams.live.get(name) === value ? 1 : 0);
      const settings = handover.settingsOf(value);
      heads.put(settings ? 1 : 0);
      if (settings) {
        heads.put(settings.key);
        heads.put(settings.bufferTime);
        heads.put(settings.syncWrite);
        heads.put(settings.receiveAudio);
        heads.put(settings.receiveVideo);
      }
      return '';
    }
    const shared = handover.sharedObject(value);
    if (!shared) return 'an object of the server';
    if (!this.#isLast) return NOT_NOW;
    this.#say(heads, NodeKind.sharedObject);
    heads.put(shared.name);
    heads.put(shared.isPersistent ? 1 : 0);
    return '';
  }

  #describeView(heads: Sink, value: ArrayBufferView, prototype: object | null): string {
    const name = typedArrayName(value);
    const expected = name === undefined ? natives.DataView : natives.classes[name];
    if (prototype !== expected?.prototype) return nameOfClass(prototype);
    const isData = name === undefined;
    const buffer = apply(isData ? natives.bufferOfView : natives.bufferOf, value, []) as ArrayBuffer;
    const offset = apply(isData ? natives.offsetOfView : natives.offsetOf, value, []) as number;
    if (!this.#ids.has(buffer)) {
      const lost = this.#head(buffer);
      if (lost !== '') return lost;
    }
    this.#say(heads, NodeKind.view);
    heads.put(name ?? '');
    heads.put(this.#ids.get(buffer)!);
    heads.put(offset);
    heads.put(isData ? lengthOf(bytesOfView(value)) : lengthOf(value as Uint8Array));
    return '';
  }

  #describeBuffer(heads: Sink, value: ArrayBuffer, prototype: object | null): string {
    if (prototype !== natives.ArrayBuffer.prototype) return nameOfClass(prototype);
    if (apply(natives.isDetached, value, [])) return 'an ArrayBuffer that was transferred';
    if (apply(natives.isResizable, value, [])) return 'an ArrayBuffer that can be resized';
    const bytes = new Bytes(value);
    if (lengthOf(bytes) > this.#maxLength) throw TOO_MUCH;
    this.#say(heads, NodeKind.buffer);
    heads.put(textOfBytes(bytes));
    return '';
  }

  #describeOther(heads: Sink, value: object, prototype: object | null): string {
    if (prototype === natives.dates) {
      const time = attempt(natives.timeOf, value);
      if (typeof time !== 'number') return 'what looks like a Date';
      this.#say(heads, NodeKind.date);
      heads.put(time - time === 0 ? time : null);
      return '';
    }
    if (prototype === natives.RegExp.prototype) {
      const source = attempt(natives.patternOf, value);
      const flags = attempt(natives.flagsOf, value);
      if (typeof source !== 'string' || typeof flags !== 'string') return 'what looks like a RegExp';
      const { lastIndex } = value as RegExp;
      this.#say(heads, NodeKind.regexp);
      heads.put(source);
      heads.put(flags);
      heads.put(typeof lastIndex === 'number' ? lastIndex : 0);
      return '';
    }
    if (isError(value)) {
      const name = nameOfError(prototype);
      if (name === undefined) return nameOfClass(prototype);
      this.#say(heads, NodeKind.error);
      heads.put(name);
      heads.put(ownText(value, 'message'));
      heads.put(handover.stackOf(value));
      return '';
    }
    return nameOfClass(prototype);
  }

  #body(out: Sink, value: object, kind: number): void {
    switch (kind) {
      case NodeKind.object:
      case NodeKind.bare:
      case NodeKind.error:
        return this.#properties(out, value);
      case NodeKind.array:
        return this.#items(out, value as unknown[]);
      case NodeKind.client:
        return this.#properties(out, value, OF_CLIENTS, handover.sideOf(value)!.info as never);
      case NodeKind.stream:
        return this.#properties(out, value, OF_STREAMS, value as never);
      case NodeKind.map: {
        const entries: unknown[] = [];
        apply(natives.forEachEntry, value as never, [
          (item: unknown, key: unknown) => {
            append(entries, key);
            append(entries, item);
          },
        ]);
        return this.#list(out, entries, entries.length / 2);
      }
      case NodeKind.set: {
        const items: unknown[] = [];
        apply(natives.forEachItem, value as never, [(item: unknown) => append(items, item)]);
        return this.#list(out, items, items.length);
      }
    }
  }

  #lose(out: Sink, what: string): void {
    this.lost++;
    out.put(Tag.lost);
    out.put(what);
  }

  #list(out: Sink, values: readonly unknown[], count: number): void {
    out.put(count);
    for (let i = 0; i < values.length; i++) this.value(out, values[i]);
  }

  #items(out: Sink, list: unknown[]): void {
    const { length } = list;
    // V8 cannot be interrupted while it makes the keys.
    if (realTime() + length / MOST_ITEMS_PER_MS > this.#endsAt) throw TOO_LONG;
    // Items come first: where as many keys as there are items do not end with the last item's, some are no items.
    const keys = keysOf(list);
    const isDense =
      keys.length === length &&
      (length === 0 || keys[length - 1] === toText(length - 1)) &&
      symbolsOf(list).length === 0;
    out.put(length);
    out.put(isDense ? 1 : 0);
    if (!isDense) return this.#properties(out, list);
    for (let i = 0; i < length; i++) {
      const property = natives.descriptorOf(list, i);
      if (!property) out.put(Tag.hole);
      else if (hasOwn(property, 'value')) this.value(out, property.value);
      else this.#lose(out, 'an accessor');
    }
  }

  /** Enumerable ones: their number, then each with its name. Without those `known` by name that are as in `info`. */
  #properties(out: Sink, object: object, known?: Names, info?: Readonly<Record<string, unknown>>): void {
    const at = out.leave();
    let count = 0;
    const keys = ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (known && known[key as string] === true && (object as never)[key] === info![key as string]) continue;
      const property = natives.descriptorOf(object, key);
      if (!property?.enumerable) continue;
      count++;
      out.put(typeof key === 'string' ? key : `[${toText(key)}]`);
      if (typeof key === 'symbol') this.#lose(out, 'what a symbol names');
      else if (hasOwn(property, 'value')) this.value(out, property.value);
      else this.#lose(out, 'an accessor');
    }
    out.putAt(at, count);
  }
}

function hasBody(kind: number): boolean {
  return kind <= NodeKind.set || (kind >= NodeKind.error && kind <= NodeKind.stream);
}

/** Whether the reader can give what it has made another head. */
function isMendable(kind: number): boolean {
  return kind === NodeKind.buffer || kind === NodeKind.client;
}

/** For the log: `an instance of Game`. */
function nameOfClass(prototype: object | null): string {
  const made = prototype && natives.descriptorOf(prototype, 'constructor');
  const maker: unknown = made && hasOwn(made, 'value') ? made.value : undefined;
  const named = typeof maker === 'function' ? natives.descriptorOf(maker, 'name') : undefined;
  const name: unknown = named && hasOwn(named, 'value') ? named.value : undefined;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an instance of a class';
}

/** Of the errors that JavaScript has. */
function nameOfError(prototype: object | null): string | undefined {
  if (prototype === natives.Error.prototype) return 'Error';
  for (let i = 0; i < ERRORS.length; i++) {
    const name = ERRORS[i]!;
    if (natives.classes[name]!.prototype === prototype) return name;
  }
  return undefined;
}

const ERRORS = ['EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'];

function ownText(object: object, name: string): string {
  const property = natives.descriptorOf(object, name);
  return typeof property?.value === 'string' ? property.value : '';
}

/** What a built-in method makes of a value; undefined when it is not for such values. */
function attempt(method: unknown, value: object): unknown {
  try {
    return apply(method as () => unknown, value, []);
  } catch {
    return undefined;
  }
}
