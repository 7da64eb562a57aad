import type { ByteReader } from '../../wire/bytes.ts';
import {
  append,
  apply,
  Bytes,
  construct,
  define,
  getPrototypeOf,
  handover,
  hasOwn,
  hide,
  isOpaque,
  lengthOf,
  NativeDate,
  NativeMap,
  NativeSet,
  natives,
  objectPrototype,
  readClientInfo,
  readText,
  setBytes,
  setEntry,
  setPrototypeOf,
} from '../shared.ts';
import { NodeKind, STANDINGS, Tag } from './format.ts';

/** What nobody has said of a value yet. */
const LOST = {};
/** Of what could not be carried over: so many places are told. */
const MAX_TOLD = 20;

interface Node {
  kind: number;
  object: object;
  /** What the new build has in that place: it keeps what is no data. */
  counterpart: object | undefined;
  /** For the log. */
  path: string;
}

/** Reads a graph (save.ts) into this script: objects of its own, and those of the server by what they stand for. */
export class Restoring {
  readonly #reader: ByteReader;
  readonly #nodes: Node[] = [];
  readonly #told: string[] = [];
  #lost = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** Places that are without what they held, as far as they are told, and how many there are. */
  get lost(): { places: readonly string[]; count: number } {
    return { places: this.#told, count: this.#lost };
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** Makes the objects, empty as yet: what they refer to follows the heads of all. */
  readHeads(): void {
    const count = this.#reader.u32();
    for (let i = 0; i < count; i++) {
      const kind = this.#reader.u8();
      const object = this.#head(kind);
      append(this.#nodes, { kind, object, counterpart: undefined, path: '' });
    }
  }

  /** A root's value: `counterpart` is what the new build has there, `path` its name for the log. */
  value(counterpart: unknown, path: string): unknown {
    return this.#value(this.#reader, counterpart, path);
  }

  /** After the roots, which say what the bodies belong to. */
  readBodies(): void {
    for (let i = 0; i < this.#nodes.length; i++) this.#body(this.#reader, this.#nodes[i]!);
  }

  /** True when the value was no data, and the new build has none there: the place stays as it is. */
  isLost(value: unknown): boolean {
    return value === LOST;
  }

  #value(reader: ByteReader, counterpart: unknown, path: string): unknown {
    switch (reader.u8()) {
      case Tag.undefined:
      case Tag.hole:
        return undefined;
      case Tag.null:
        return null;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.number:
        return reader.f64();
      case Tag.string:
        return readText(reader);
      case Tag.bigint:
        return natives.BigInt(readText(reader));
      case Tag.node: {
        const node = this.#nodes[reader.u32()]!;
        if (node.path === '') {
          node.path = path;
          if (typeof counterpart === 'object' && counterpart !== null) node.counterpart = counterpart;
        }
        return node.object === LOST ? this.#lose('a shared object that cannot be opened', path) : node.object;
      }
      default: {
        const what = readText(reader);
        if (counterpart !== undefined && counterpart !== null) return counterpart;
        return this.#lose(what, path);
      }
    }
  }

  #lose(what: string, path: string): object {
    this.#lost++;
    if (this.#told.length < MAX_TOLD) {
      const place = `${path} (${what})`;
      // All clients lose the same.
      for (let i = 0; i < this.#told.length; i++) if (this.#told[i] === place) return LOST;
      append(this.#told, place);
    }
    return LOST;
  }

  #head(kind: number): object {
    const reader = this.#reader;
    switch (kind) {
      case NodeKind.object:
        return {};
      case NodeKind.bare:
        return { __proto__: null } as object;
      case NodeKind.array: {
        const list: unknown[] = [];
        list.length = reader.u32();
        return list;
      }
      case NodeKind.map:
        return new NativeMap();
      case NodeKind.set:
        return new NativeSet();
      case NodeKind.date:
        return new NativeDate(reader.f64());
      case NodeKind.regexp: {
        const pattern = construct(natives.RegExp, [readText(reader), readText(reader)]) as RegExp;
        pattern.lastIndex = reader.f64();
        return pattern;
      }
      case NodeKind.buffer: {
        const bytes = reader.take(reader.u32());
        const buffer = construct(natives.ArrayBuffer, [lengthOf(bytes)]) as ArrayBuffer;
        setBytes(new Bytes(buffer), bytes, 0);
        return buffer;
      }
      case NodeKind.view: {
        const name = readText(reader);
        const buffer = this.#nodes[reader.u32()]!.object;
        const view = name === '' ? natives.DataView : natives.classes[name]!;
        return construct(view as never, [buffer, reader.u32(), reader.u32()]);
      }
      case NodeKind.error:
        return this.#error();
      case NodeKind.client: {
        const number = reader.u32();
        const standing = STANDINGS[reader.u8()]!;
        return handover.client(number, standing, readClientInfo(reader));
      }
      case NodeKind.stream: {
        const stream = { name: readText(reader), query: readText(reader) };
        const isLive = reader.u8() === 1;
        const settings =
          reader.u8() === 1
            ? {
                key: readText(reader),
                bufferTime: reader.f64(),
                syncWrite: reader.u8() === 1,
                receiveAudio: reader.u8() === 1,
                receiveVideo: reader.u8() === 1,
              }
            : undefined;
        return handover.stream(stream, isLive, settings);
      }
      case NodeKind.sharedObject:
        return handover.openShared(readText(reader), reader.u8() === 1) ?? LOST;
      case NodeKind.application:
        return handover.rootOf('')!;
      case NodeKind.kept:
        return handover.rootOf(readText(reader)) ?? {};
      default: {
        const root = handover.rootOf(readText(reader));
        const built = root && own(root, readText(reader));
        return typeof built === 'object' && built !== null ? built : {};
      }
    }
  }

  #error(): object {
    const reader = this.#reader;
    const name = readText(reader);
    const error = new natives.Error();
    if (name !== 'Error') setPrototypeOf(error, natives.classes[name]!.prototype as object);
    hide(error, 'message', readText(reader));
    hide(error, 'stack', readText(reader));
    return error;
  }

  #body(reader: ByteReader, node: Node): void {
    switch (node.kind) {
      case NodeKind.object:
      case NodeKind.bare:
      case NodeKind.error:
      case NodeKind.client:
      case NodeKind.stream:
        return this.#properties(reader, node);
      case NodeKind.array:
        if (reader.u8() === 0) return this.#properties(reader, node);
        return this.#items(reader, node);
      case NodeKind.map: {
        const count = reader.u32();
        for (let i = 0; i < count; i++) {
          const key = this.#value(reader, undefined, `a key of ${node.path}`);
          const value = this.#value(reader, undefined, `an entry of ${node.path}`);
          if (key !== LOST && value !== LOST) setEntry(node.object as Map<unknown, unknown>, key, value);
        }
        return;
      }
      case NodeKind.set: {
        const count = reader.u32();
        for (let i = 0; i < count; i++) {
          const item = this.#value(reader, undefined, `an item of ${node.path}`);
          if (item !== LOST) apply(natives.addItem, node.object as never, [item]);
        }
      }
    }
  }

  #properties(reader: ByteReader, { object, counterpart, path }: Node): void {
    const count = reader.u32();
    const isServers = isOpaque(object);
    for (let i = 0; i < count; i++) {
      const name = readText(reader);
      // What the server's objects have by their prototype, the new code has put there.
      const there = isServers ? inherited(object, name) : counterpart && own(counterpart, name);
      const value = this.#value(reader, there, `${path}.${name}`);
      if (value !== LOST && !(isServers && value === there && there !== undefined))
        define(object, name, value);
    }
  }

  #items(reader: ByteReader, { object, counterpart, path }: Node): void {
    const list = object as unknown[];
    for (let i = 0; i < list.length; i++) {
      const isHole = reader.peek() === Tag.hole;
      const there = counterpart && own(counterpart, `${i}`);
      const value = this.#value(reader, there, `${path}[${i}]`);
      if (!isHole && value !== LOST) define(list, i, value);
    }
  }
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
