import type { ByteWriter as Writer } from '../../wire/bytes.ts';
import type { HostSide } from '../host-side.ts';
import {
  append,
  apply,
  Bytes,
  ByteWriter,
  bytesOfView,
  clientInfo,
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
  text,
  toText,
  typedArrayName,
} from '../shared.ts';
import { NodeKind, STANDINGS, Tag } from './format.ts';

/** What a client object has from the server; a script may have put something else there. */
const OF_CLIENTS = ['id', 'ip', 'agent', 'referrer', 'pageUrl', 'uri', 'protocol', 'secure'] as const;
const OF_STREAMS = { __proto__: null, name: true, publishQueryString: true } as unknown as Readonly<
  Record<string, true | undefined>
>;
const isError = natives.isError as (value: unknown) => boolean;

/** A graph of a script's data, written from any number of values. Runs code of the script where there are proxies only. */
export class Graph {
  readonly #heads: Writer;
  readonly #bodies: Writer;
  readonly #ids = new SafeMap<object, number>();
  /** Those whose bodies are to be written, by number. */
  readonly #nodes: object[] = [];
  readonly #kinds: number[] = [];

  constructor(maxBytes: number) {
    this.#heads = new ByteWriter(1024, maxBytes);
    this.#bodies = new ByteWriter(1024, maxBytes);
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** Refers to what the new build has there: its own value is to be found by whatever else refers to this one. */
  isBuilt(object: object, root: string, property: string): void {
    if (this.#ids.has(object)) return;
    this.#begin(object, NodeKind.built);
    text(this.#heads, root);
    text(this.#heads, property);
  }

  value(out: Writer, value: unknown): void {
    switch (typeof value) {
      case 'undefined':
        return out.u8(Tag.undefined);
      case 'boolean':
        return out.u8(value ? Tag.true : Tag.false);
      case 'number':
        out.u8(Tag.number);
        return out.f64(value);
      case 'string':
        out.u8(Tag.string);
        return text(out, value);
      case 'bigint':
        out.u8(Tag.bigint);
        return text(out, toText(value));
      case 'object': {
        if (value === null) return out.u8(Tag.null);
        const known = this.#ids.get(value);
        const lost = known === undefined ? this.#head(value) : '';
        if (lost !== '') return lose(out, lost);
        out.u8(Tag.node);
        return out.u32(known ?? this.#ids.get(value)!);
      }
      default:
        return lose(out, typeof value === 'function' ? 'a function' : 'a symbol');
    }
  }

  /** All of it, with the roots that were written from it: nothing is added afterwards. */
  writeTo(out: Writer, roots: Uint8Array): void {
    // More come while this goes on.
    for (let i = 0; i < this.#nodes.length; i++) this.#body(this.#nodes[i]!, this.#kinds[i]!);
    out.u32(this.#nodes.length);
    out.bytes(this.#heads.view);
    out.bytes(roots);
    out.bytes(this.#bodies.view);
  }

  #begin(object: object, kind: number): void {
    this.#ids.set(object, this.#nodes.length);
    append(this.#nodes, object);
    append(this.#kinds, kind);
    this.#heads.u8(kind);
  }

  /** Begins a node; returns what it is when it cannot be one. */
  #head(value: object): string {
    if (isOpaque(value)) return this.#headOfServers(value);
    const kept = handover.nameOf(value);
    if (kept !== undefined) {
      this.#begin(value, kept === '' ? NodeKind.application : NodeKind.kept);
      if (kept !== '') text(this.#heads, kept);
      return '';
    }
    const prototype = getPrototypeOf(value);
    if (isArray(value)) {
      if (prototype !== natives.arrays) return nameOfClass(prototype);
      this.#begin(value, NodeKind.array);
      this.#heads.u32(value.length);
    } else if (prototype === objectPrototype) this.#begin(value, NodeKind.object);
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
      heads.u32(side.number);
      for (let i = 0; i < STANDINGS.length; i++) if (STANDINGS[i] === side.standing) heads.u8(i);
      clientInfo(heads, { ...side.info, access: side.access, bandwidth: side.bandwidth });
      return '';
    }
    if (streams.made.has(value)) {
      const { name, publishQueryString } = value as InstanceType<typeof streams.Stream>;
      this.#begin(value, NodeKind.stream);
      text(heads, name);
      text(heads, publishQueryString);
      heads.u8(streams.live.get(name) === value ? 1 : 0);
      const settings = handover.settingsOf(value);
      heads.u8(settings ? 1 : 0);
      if (settings) {
        text(heads, settings.key);
        heads.f64(settings.bufferTime);
        heads.u8(settings.syncWrite ? 1 : 0);
        heads.u8(settings.receiveAudio ? 1 : 0);
        heads.u8(settings.receiveVideo ? 1 : 0);
      }
      return '';
    }
    const shared = handover.sharedObject(value);
    if (!shared) return 'an object of the server';
    this.#begin(value, NodeKind.sharedObject);
    text(heads, shared.name);
    heads.u8(shared.isPersistent ? 1 : 0);
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
    text(this.#heads, name ?? '');
    this.#heads.u32(this.#ids.get(buffer)!);
    this.#heads.u32(offset);
    this.#heads.u32(isData ? lengthOf(bytesOfView(value)) : lengthOf(value as Uint8Array));
    return '';
  }

  #headOfBuffer(value: ArrayBuffer, prototype: object | null): string {
    if (prototype !== natives.ArrayBuffer.prototype) return nameOfClass(prototype);
    if (apply(natives.isDetached, value, [])) return 'an ArrayBuffer that was transferred';
    if (apply(natives.isResizable, value, [])) return 'an ArrayBuffer that can be resized';
    this.#begin(value, NodeKind.buffer);
    const bytes = new Bytes(value);
    this.#heads.u32(lengthOf(bytes));
    this.#heads.bytes(bytes);
    return '';
  }

  #headOfOther(value: object, prototype: object | null): string {
    const heads = this.#heads;
    if (prototype === natives.dates) {
      const time = attempt(natives.timeOf, value);
      if (typeof time !== 'number') return 'what looks like a Date';
      this.#begin(value, NodeKind.date);
      heads.f64(time);
      return '';
    }
    if (prototype === natives.RegExp.prototype) {
      const source = attempt(natives.patternOf, value);
      const flags = attempt(natives.flagsOf, value);
      if (typeof source !== 'string' || typeof flags !== 'string') return 'what looks like a RegExp';
      const { lastIndex } = value as RegExp;
      this.#begin(value, NodeKind.regexp);
      text(heads, source);
      text(heads, flags);
      heads.f64(typeof lastIndex === 'number' ? lastIndex : 0);
      return '';
    }
    if (isError(value)) {
      const name = nameOfError(prototype);
      if (name === undefined) return nameOfClass(prototype);
      this.#begin(value, NodeKind.error);
      text(heads, name);
      text(heads, ownText(value, 'message'));
      text(heads, handover.stackOf(value));
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
      case NodeKind.client: {
        const side = handover.sideOf(value)!;
        return this.#properties(value, (name) => isOfClient(value, side, name));
      }
      case NodeKind.stream:
        return this.#properties(value, (name) => OF_STREAMS[name] === true);
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

  #list(values: readonly unknown[], count: number): void {
    this.#bodies.u32(count);
    for (let i = 0; i < values.length; i++) this.value(this.#bodies, values[i]);
  }

  #items(list: unknown[]): void {
    const out = this.#bodies;
    const { length } = list;
    // One more for `length`; more than that are no items, and fewer leave holes.
    const isDense = ownKeys(list).length === length + 1;
    out.u8(isDense ? 1 : 0);
    if (!isDense) return this.#properties(list);
    for (let i = 0; i < length; i++) {
      const property = natives.descriptorOf(list, i);
      if (!property) out.u8(Tag.hole);
      else if (hasOwn(property, 'value')) this.value(out, property.value);
      else lose(out, 'an accessor');
    }
  }

  /** Enumerable ones: their number, then each with its name. */
  #properties(object: object, isLeftOut: (name: string) => boolean = never): void {
    const out = this.#bodies;
    const at = out.length;
    out.u32(0);
    let count = 0;
    const keys = ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (typeof key === 'string' && isLeftOut(key)) continue;
      const property = natives.descriptorOf(object, key);
      if (!property?.enumerable) continue;
      count++;
      text(out, typeof key === 'string' ? key : `[${toText(key)}]`);
      if (typeof key === 'symbol') lose(out, 'what a symbol names');
      else if (hasOwn(property, 'value')) this.value(out, property.value);
      else lose(out, 'an accessor');
    }
    out.setU32(at, count);
  }
}

function lose(out: Writer, what: string): void {
  out.u8(Tag.lost);
  text(out, what);
}

function never(): boolean {
  return false;
}

/** Whether a client has that from the server, and as the server gave it. */
function isOfClient(client: object, side: HostSide, name: string): boolean {
  for (let i = 0; i < OF_CLIENTS.length; i++) {
    const own = OF_CLIENTS[i]!;
    if (own === name) return natives.descriptorOf(client, name)?.value === side.info[own];
  }
  return false;
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
