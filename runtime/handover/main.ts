import type { ByteReader as Reader, ByteWriter as Writer } from '../../wire/bytes.ts';
import {
  append,
  ask,
  ByteReader,
  Bytes,
  ByteWriter,
  define,
  handover,
  hasOwn,
  lengthOf,
  NativeRangeError,
  natives,
  ownKeys,
  part,
  readText,
  setBytes,
  text,
} from '../shared.ts';
import { APPLICATION } from './format.ts';
import { own, Restoring } from './restore.ts';
import { Graph } from './save.ts';

/** What of the state leaves with one question to the host (wall/asks.ts). */
const PIECE_BYTES = 512 * 1024;
/** What a fingerprint is taken of at the most: larger data is taken for changed. */
const MAX_PRINTED = 1024 * 1024;

/** Says whether data is as it was: NaN for what is too large to tell. */
function fingerprint(value: unknown): number {
  try {
    const graph = new Graph(MAX_PRINTED);
    const out = new ByteWriter(256, MAX_PRINTED);
    graph.value(out, value);
    graph.writeTo(out, new Bytes(0));
    return hash(out.view, out.length);
  } catch {
    return Number.NaN; // it is too large, or a proxy threw
  }
}

/** FNV-1a, in two halves: 53 bits. Chance must not take changed data for unchanged. */
function hash(bytes: Uint8Array, length: number): number {
  let low = 0x811c9dc5;
  let high = 0x1b873593;
  for (let i = 0; i < length; i++) {
    const byte = bytes[i]!;
    low = natives.imul(low ^ byte, 0x01000193);
    high = natives.imul(high ^ byte ^ (low >>> 15), 0x85ebca6b);
  }
  return (low >>> 0) + (high & 0x1fffff) * 0x100000000;
}

/** Hands all that is to be carried over to the host. Returns how many objects that is. Throws when there is too much. */
function save(maxBytes: number, fromAuthor: unknown): number {
  const graph = new Graph(maxBytes);
  const roots = new ByteWriter(1024, maxBytes);
  const bytes = new ByteWriter(1024, maxBytes);
  try {
    const names = handover.rootNames();
    for (let i = 0; i < names.length; i++) markBuilt(graph, names[i]!);
    saveList(graph, roots, handover.clients());
    saveList(graph, roots, handover.streams());
    roots.u32(names.length);
    for (let i = 0; i < names.length; i++) saveRoot(graph, roots, names[i]!);
    graph.value(roots, fromAuthor);
    graph.writeTo(bytes, roots.view);
  } catch (error) {
    if (!isTooLong(error)) throw error;
    throw new NativeRangeError(
      `the state of the application has more than ${maxBytes} bytes, and that is the limit (limits.stateBytes)`,
    );
  }
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const end = at + PIECE_BYTES < bytes.length ? at + PIECE_BYTES : bytes.length;
    const piece = new Bytes(end - at);
    setBytes(piece, part(bytes.view, at, end), 0);
    ask('state.save', piece);
  }
  return graph.size;
}

function isTooLong(error: unknown): boolean {
  return typeof error === 'object' && error !== null && own(error, 'code') === 'E_TOO_LONG';
}

/** What has not changed since this build began is the next build's to say, wherever it is referred to. */
function markBuilt(graph: Graph, root: string): void {
  const object = handover.rootOf(root)!;
  eachProperty(object, (name, value) => {
    if (typeof value === 'object' && value !== null && handover.isUnchanged(root, name, value))
      graph.isBuilt(value, root, name);
  });
}

function saveList(graph: Graph, out: Writer, list: readonly object[]): void {
  out.u32(list.length);
  for (let i = 0; i < list.length; i++) graph.value(out, list[i]);
}

/** Properties that have changed since this build began, then the names of those that have gone. */
function saveRoot(graph: Graph, out: Writer, root: string): void {
  const object = handover.rootOf(root)!;
  text(out, root);
  const at = out.length;
  out.u32(0);
  let count = 0;
  eachProperty(object, (name, value) => {
    if (handover.isUnchanged(root, name, value)) return;
    count++;
    text(out, name);
    graph.value(out, value);
  });
  out.setU32(at, count);
  const gone: string[] = [];
  const names = handover.namesAtBoot(root);
  for (let i = 0; i < names.length; i++) if (!hasOwn(object, names[i]!)) append(gone, names[i]!);
  out.u32(gone.length);
  for (let i = 0; i < gone.length; i++) text(out, gone[i]!);
}

/** The data of a root: what it has of its own, shows, and can change. */
function eachProperty(object: object, run: (name: string, value: unknown) => void): void {
  const keys = ownKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (typeof key !== 'string') continue;
    const property = natives.descriptorOf(object, key);
    if (property?.enumerable && property.writable && hasOwn(property, 'value')) run(key, property.value);
  }
}

/** What becomes of a root when everything has been read. */
interface Change {
  object: object;
  name: string;
  value: unknown;
}

export interface Restored {
  /** What the old build's `onSave` returned. */
  fromAuthor: unknown;
  objects: number;
  /** Where something is missing, as far as it is told, and in how many places. */
  lost: readonly string[];
  lostCount: number;
}

/** Takes over what the host has of an older script. */
function restore(): Restored {
  const reader = new ByteReader(load());
  const graph = new Restoring(reader);
  graph.readHeads();
  nameAll(graph, reader, 'client');
  nameAll(graph, reader, 'stream');
  const count = reader.u32();
  const changes: Change[] = [];
  for (let i = 0; i < count; i++) readRoot(graph, reader, changes);
  const fromAuthor = graph.value(undefined, 'onSave()');
  graph.readBodies();
  for (let i = 0; i < changes.length; i++) {
    const { object, name, value } = changes[i]!;
    define(object, name, value);
  }
  const { places, count: lostCount } = graph.lost;
  return {
    fromAuthor: graph.isLost(fromAuthor) ? undefined : fromAuthor,
    objects: graph.size,
    lost: places,
    lostCount,
  };
}

/** Objects of the server, which the heads have made already. */
function nameAll(graph: Restoring, reader: Reader, path: string): void {
  const count = reader.u32();
  for (let i = 0; i < count; i++) graph.value(undefined, path);
}

function readRoot(graph: Restoring, reader: Reader, changes: Change[]): void {
  const root = readText(reader);
  const object = handover.rootOf(root);
  const path = root === APPLICATION ? 'application' : root;
  const count = reader.u32();
  for (let i = 0; i < count; i++) {
    const name = readText(reader);
    const value = graph.value(object && own(object, name), `${path}.${name}`);
    if (object && !graph.isLost(value)) append(changes, { object, name, value });
  }
  const gone = reader.u32();
  for (let i = 0; i < gone; i++) {
    const name = readText(reader);
    if (object) natives.deleteProperty(object, name);
  }
}

function load(): Uint8Array {
  const size = ask('state.size') as number;
  const bytes = new Bytes(size);
  for (let at = 0; at < size; ) {
    const piece = ask('state.load', at, PIECE_BYTES) as Uint8Array;
    setBytes(bytes, piece, at);
    at += lengthOf(piece);
  }
  return bytes;
}

const made = { fingerprint, save, restore };

export type HandoverPart = typeof made;

/** The entry of the bundle that runtime/handover.ts evaluates. */
declare const give: (loaded: typeof made) => void;
give(made);
