import {
  append,
  apply,
  Bytes,
  bytesOfView,
  fromCharCode,
  getPrototypeOf,
  handover,
  hasOwn,
  isArray,
  isBuffer,
  isOpaque,
  isView,
  lengthOf,
  NativeMap,
  NativeSet,
  natives,
  objectPrototype,
  ownKeys,
  SafeMap,
  streams,
  toText,
  typedArrayName,
} from '../shared.ts';
import { NodeKind, STANDINGS, Tag, TEXTS_OF_CLIENTS } from './format.ts';
import { Out } from './out.ts';

type Names = Readonly<Record<string, true | undefined>>;
const OF_STREAMS = { __proto__: null, name: true, publishQueryString: true } as unknown as Names;
const OF_CLIENTS = { __proto__: null, secure: true } as unknown as Record<string, true>;
for (let i = 0; i < TEXTS_OF_CLIENTS.length; i++) OF_CLIENTS[TEXTS_OF_CLIENTS[i]!] = true;
const isError = natives.isError as (value: unknown) => boolean;
/** The lists hold so many items at the most, for each byte that may be handed over: shorter ones are not to be had. */
const BYTES_OF_ITEM = 2;

/** There is more data than may be handed over. */
export const TOO_MUCH = {};

/** A graph of a script's data, written from any number of values. Runs code of the script where there are proxies only. */
export class Graph {
  readonly #heads = new Out();
  readonly roots = new Out();
  readonly #bodies = new Out();
  readonly #mostItems: number;
  readonly #maxLength: number;
  readonly #ids = new SafeMap<object, number>();
  /** Those whose bodies are to be written, by number. */
  readonly #nodes: object[] = [];
  readonly #kinds: number[] = [];
  /** Places of what is no data. */
  lost = 0;

  /** `maxLength`: of the text. Whatever leads beyond that throws TOO_MUCH. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
    this.#mostItems = maxLength / BYTES_OF_ITEM;
    const names = handover.rootNames();
    for (let i = 0; i < names.length; i++) {
      this.#begin(handover.rootOf(names[i]!)!, NodeKind.root);
      this.#heads.put(names[i]!);
    }
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** Refers to what the new build has there: its own value is to be found by whatever else refers to this one. */
  isBuilt(object: object, root: string, property: string): void {
    if (this.#ids.has(object)) return;
    this.#begin(object, NodeKind.built);
    this.#heads.put(root);
    this.#heads.put(property);
  }

  /** Whether a node can be made of it. Of a graph that is not used for anything else. */
  takes(object: object): boolean {
    return this.#head(object) === '';
  }

  value(out: Out, value: unknown): void {
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

  /** All of it: nothing is added afterwards. */
  finish(): string {
    // More come while this goes on.
    for (let i = 0; i < this.#nodes.length; i++) {
      this.#body(this.#nodes[i]!, this.#kinds[i]!);
      if (this.#bodies.length + this.#heads.length > this.#mostItems) throw TOO_MUCH;
    }
    const text = `${this.#heads.json}\n${this.roots.json}\n${this.#bodies.json}`;
    if (text.length > this.#maxLength) throw TOO_MUCH;
    return text;
  }

  #begin(object: object, kind: number): void {
    this.#ids.set(object, this.#nodes.length);
    append(this.#nodes, object);
    append(this.#kinds, kind);
    this.#heads.put(kind);
  }

  /** Begins a node; returns what it is when it cannot be one. */
  #head(value: object): string {
    const prototype = getPrototypeOf(value);
    if (isArray(value)) {
      if (prototype !== natives.arrays) return nameOfClass(prototype);
      this.#begin(value, NodeKind.array);
      this.#heads.put(value.length);
    } else if (prototype === objectPrototype) this.#begin(value, NodeKind.object);
    else if (isOpaque(value)) return this.#headOfServers(value);
    else if (prototype === null) this.#begin(value, NodeKind.bare);
    else if (prototype === NativeMap.prototype) this.#begin(value, NodeKind.map);
    else if (prototype === NativeSet.prototype) this.#begin(value, NodeKind.set);
    else if (isView(value)) return this.#headOfView(value, prototype);
    else if (isBuffer(value)) return this.#headOfBuffer(value, prototype);
    else return this.#headOfOther(value, prototype);
    return '';
  }

  #headOfServers(value: object): string {
    const heads = this.#heads;
    const side = handover.sideOf(value);
    if (side) {
      this.#begin(value, NodeKind.client);
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
      const { name, publishQueryString } = value as InstanceType<typeof streams.Stream>;
      this.#begin(value, NodeKind.stream);
      heads.put(name);
      heads.put(publishQueryString);
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
    this.#begin(value, NodeKind.sharedObject);
    heads.put(shared.name);
    heads.put(shared.isPersistent ? 1 : 0);
    return '';
  }

  #headOfView(value: ArrayBufferView, prototype: object | null): string {
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
    this.#begin(value, NodeKind.view);
    this.#heads.put(name ?? '');
    this.#heads.put(this.#ids.get(buffer)!);
    this.#heads.put(offset);
    this.#heads.put(isData ? lengthOf(bytesOfView(value)) : lengthOf(value as Uint8Array));
    return '';
  }

  #headOfBuffer(value: ArrayBuffer, prototype: object | null): string {
    if (prototype !== natives.ArrayBuffer.prototype) return nameOfClass(prototype);
    if (apply(natives.isDetached, value, [])) return 'an ArrayBuffer that was transferred';
    if (apply(natives.isResizable, value, [])) return 'an ArrayBuffer that can be resized';
    const bytes = new Bytes(value);
    const length = lengthOf(bytes);
    if (length > this.#maxLength) throw TOO_MUCH;
    this.#begin(value, NodeKind.buffer);
    let text = '';
    for (let i = 0; i < length; i++) text += fromCharCode(bytes[i]!);
    this.#heads.put(text);
    return '';
  }

  #headOfOther(value: object, prototype: object | null): string {
    const heads = this.#heads;
    if (prototype === natives.dates) {
      const time = attempt(natives.timeOf, value);
      if (typeof time !== 'number') return 'what looks like a Date';
      this.#begin(value, NodeKind.date);
      heads.put(time - time === 0 ? time : null);
      return '';
    }
    if (prototype === natives.RegExp.prototype) {
      const source = attempt(natives.patternOf, value);
      const flags = attempt(natives.flagsOf, value);
      if (typeof source !== 'string' || typeof flags !== 'string') return 'what looks like a RegExp';
      const { lastIndex } = value as RegExp;
      this.#begin(value, NodeKind.regexp);
      heads.put(source);
      heads.put(flags);
      heads.put(typeof lastIndex === 'number' ? lastIndex : 0);
      return '';
    }
    if (isError(value)) {
      const name = nameOfError(prototype);
      if (name === undefined) return nameOfClass(prototype);
      this.#begin(value, NodeKind.error);
      heads.put(name);
      heads.put(ownText(value, 'message'));
      heads.put(handover.stackOf(value));
      return '';
    }
    return nameOfClass(prototype);
  }

  #body(value: object, kind: number): void {
    switch (kind) {
      case NodeKind.object:
      case NodeKind.bare:
      case NodeKind.error:
        return this.#properties(value);
      case NodeKind.array:
        return this.#items(value as unknown[]);
      case NodeKind.client:
        return this.#properties(value, OF_CLIENTS, handover.sideOf(value)!.info as never);
      case NodeKind.stream:
        return this.#properties(value, OF_STREAMS, value as never);
      case NodeKind.map: {
        const entries: unknown[] = [];
        apply(natives.forEachEntry, value as never, [
          (item: unknown, key: unknown) => {
            append(entries, key);
            append(entries, item);
          },
        ]);
        return this.#list(entries, entries.length / 2);
      }
      case NodeKind.set: {
        const items: unknown[] = [];
        apply(natives.forEachItem, value as never, [(item: unknown) => append(items, item)]);
        return this.#list(items, items.length);
      }
    }
  }

  #lose(out: Out, what: string): void {
    this.lost++;
    out.put(Tag.lost);
    out.put(what);
  }

  #list(values: readonly unknown[], count: number): void {
    this.#bodies.put(count);
    for (let i = 0; i < values.length; i++) this.value(this.#bodies, values[i]);
  }

  #items(list: unknown[]): void {
    const out = this.#bodies;
    const { length } = list;
    // One more for `length`; more than that are no items, and fewer leave holes.
    const isDense = ownKeys(list).length === length + 1;
    out.put(isDense ? 1 : 0);
    if (!isDense) return this.#properties(list);
    for (let i = 0; i < length; i++) {
      const property = natives.descriptorOf(list, i);
      if (!property) out.put(Tag.hole);
      else if (hasOwn(property, 'value')) this.value(out, property.value);
      else this.#lose(out, 'an accessor');
    }
  }

  /** Enumerable ones: their number, then each with its name. Without those `known` by name that are as in `info`. */
  #properties(object: object, known?: Names, info?: Readonly<Record<string, unknown>>): void {
    const out = this.#bodies;
    const at = out.length;
    out.put(0);
    let count = 0;
    const keys = ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const property = natives.descriptorOf(object, key);
      if (!property?.enumerable) continue;
      if (known && known[key as string] === true && property.value === info![key as string]) continue;
      count++;
      out.put(typeof key === 'string' ? key : `[${toText(key)}]`);
      if (typeof key === 'symbol') this.#lose(out, 'what a symbol names');
      else if (hasOwn(property, 'value')) this.value(out, property.value);
      else this.#lose(out, 'an accessor');
    }
    out.putAt(at, count);
  }
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
