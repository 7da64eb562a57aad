import { append, define, handover, hasOwn, NativeRangeError, natives, ownKeys, realTime } from '../shared.ts';
import { APPLICATION } from './format.ts';
import { own, Restoring } from './restore.ts';
import { Graph, STALE, TOO_LONG, TOO_MUCH } from './save.ts';

/** Of data that is compared with what it was, as text; what is larger is taken for changed. */
const MAX_COMPARED = 256 * 1024;

/** Data as text, which is the same as long as the data is; undefined for what is too large. */
function print(value: unknown): string | undefined {
  try {
    const graph = new Graph(MAX_COMPARED);
    graph.value(graph.roots, value);
    return graph.finish();
  } catch {
    return undefined; // it is too large, or a proxy threw
  }
}

/** Of what is handed over: the text, and how long making it may take. */
export interface Bounds {
  readonly maxBytes: number;
  readonly maxMs: number;
}

export interface Saved {
  text: string;
  objects: number;
  /** Places of what is no data, except code that this build has had from its beginning. */
  lost: number;
}

/** So much at once, which takes a few milliseconds: whoever calls the script meanwhile has to wait. */
const CLIENTS_AT_ONCE = 250;
const NODES_AT_ONCE = 400;
/** Or such a part of it all: it must come to an end. */
const MOST_INSTALMENTS = 16;

function share(least: number, count: number): number {
  const part = count / MOST_INSTALMENTS;
  return part > least ? part : least;
}

/** What has been given of the state while the script still runs. */
let drafted: Graph | undefined;
let clientsGiven = 0;

/**
 * A further instalment of what is to be carried over, or the first. Throws when there is more of it than the bounds allow.
 */
function draft({ maxBytes, maxMs }: Bounds, isFirst: boolean): { text: string; isLast: boolean } {
  const endsAt = realTime() + maxMs;
  const graph = isFirst ? new Graph(maxBytes, true) : drafted;
  drafted = undefined;
  if (!graph) throw new NativeRangeError('there is no instalment before this one');
  graph.mayTakeUntil(endsAt);
  if (isFirst) clientsGiven = 0;
  const roots = isFirst ? lookAtAll() : [];
  for (let i = 0; i < roots.length; i++) markBuilt(graph, roots[i]!);
  const clients = handover.clients();
  const some: object[] = [];
  const mostClients = share(CLIENTS_AT_ONCE, clients.length);
  for (; clientsGiven < clients.length && some.length < mostClients; clientsGiven++)
    append(some, clients[clientsGiven]!);
  saveList(graph, some);
  saveList(graph, []);
  saveRoots(graph, roots);
  graph.value(graph.roots, undefined);
  const most = share(NODES_AT_ONCE, graph.size);
  // What the last one does, too, has been done once before: V8 runs what it has not seen much slower.
  const isLast = some.length === 0 && graph.write(most) && graph.writeChanges(most);
  const text = graph.instalment();
  drafted = graph;
  return { text, isLast };
}

/** Lets go of what was given, which is of no use: it may be as large as all of the state. */
function undraft(): void {
  drafted = undefined;
}

/** All that is to be carried over, or what `draft` has not given of it. Throws as that. */
function save({ maxBytes, maxMs }: Bounds, isDrafted: boolean, fromAuthor: unknown): Saved {
  const endsAt = realTime() + maxMs;
  const before = isDrafted ? drafted : undefined;
  drafted = undefined;
  try {
    before?.mayTakeUntil(endsAt);
    if (before) return saveRest(before, fromAuthor);
  } catch (error) {
    if (error === TOO_LONG) throw tooLong(maxMs);
    // What was given counts towards what is too much, and may be out of date.
    if (error !== STALE && error !== TOO_MUCH) throw error;
  }
  try {
    const graph = new Graph(maxBytes);
    graph.mayTakeUntil(endsAt);
    return saveAll(graph, fromAuthor);
  } catch (error) {
    if (error === TOO_LONG) throw tooLong(maxMs);
    if (error !== TOO_MUCH) throw error;
    throw new NativeRangeError(
      `the state of the application has more than ${maxBytes} bytes, and that is the limit (limits.stateBytes)`,
    );
  }
}

function tooLong(maxMs: number): RangeError {
  return new NativeRangeError(
    `reading the state of the application takes more than ${maxMs} ms, half of limits.handlerMs`,
  );
}

function saveRest(graph: Graph, fromAuthor: unknown): Saved {
  graph.beginLast();
  return saveAll(graph, fromAuthor);
}

function saveAll(graph: Graph, fromAuthor: unknown): Saved {
  const roots = lookAtAll();
  for (let i = 0; i < roots.length; i++) markBuilt(graph, roots[i]!);
  graph.writeChanges(Infinity);
  saveList(graph, handover.clients());
  saveList(graph, handover.streams());
  saveRoots(graph, roots);
  graph.value(graph.roots, fromAuthor);
  return { text: graph.finish(), objects: graph.size, lost: graph.lost };
}

function lookAtAll(): Root[] {
  const names = handover.rootNames();
  const roots: Root[] = [];
  for (let i = 0; i < names.length; i++) append(roots, look(names[i]!));
  return roots;
}

function saveRoots(graph: Graph, roots: readonly Root[]): void {
  graph.roots.put(roots.length);
  for (let i = 0; i < roots.length; i++) saveRoot(graph, roots[i]!);
}

interface Root {
  name: string;
  object: object;
  /** Of what has changed since this build began, and of what has not. */
  changed: Property[];
  unchanged: Property[];
}

interface Property {
  name: string;
  value: unknown;
}

function look(root: string): Root {
  const object = handover.rootOf(root)!;
  const changed: Property[] = [];
  const unchanged: Property[] = [];
  eachProperty(object, (name, value) => {
    append(handover.isUnchanged(root, name, value) ? unchanged : changed, { name, value });
  });
  return { name: root, object, changed, unchanged };
}

/** What has not changed since this build began is the next build's to say, wherever it is referred to. */
function markBuilt(graph: Graph, { name: root, unchanged }: Root): void {
  for (let i = 0; i < unchanged.length; i++) {
    const { name, value } = unchanged[i]!;
    if (typeof value !== 'object' || value === null) continue;
    graph.isBuilt(value, root, name);
    if (!isData(value)) graph.lost++;
  }
}

/** An instance of a class may have changed within, and nothing tells. */
function isData(value: object): boolean {
  try {
    return new Graph(MAX_COMPARED).takes(value);
  } catch (error) {
    return error === TOO_MUCH;
  }
}

function saveList(graph: Graph, list: readonly object[]): void {
  graph.roots.put(list.length);
  for (let i = 0; i < list.length; i++) graph.value(graph.roots, list[i]);
}

/** Properties that have changed since this build began, then the names of those that have gone. */
function saveRoot(graph: Graph, { name: root, object, changed }: Root): void {
  const out = graph.roots;
  out.put(root);
  out.put(changed.length);
  for (let i = 0; i < changed.length; i++) {
    const { name, value } = changed[i]!;
    out.put(name);
    graph.value(out, value);
  }
  const gone: string[] = [];
  const names = handover.namesAtBoot(root);
  for (let i = 0; i < names.length; i++) if (!hasOwn(object, names[i]!)) append(gone, names[i]!);
  out.put(gone.length);
  for (let i = 0; i < gone.length; i++) out.put(gone[i]!);
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
  /** Where something is missing, as far as it is told, and in how many places. */
  lost: readonly string[];
  lostCount: number;
}

/** What there is so far of what an older script hands over. */
let taken: Restoring | undefined;

/** Takes an instalment of what an older script hands over; with the last all of it, which is when this returns something. */
function restore(text: string, isLast: boolean): Restored | undefined {
  const graph = Restoring.after(taken, text);
  taken = isLast ? undefined : graph;
  graph.readHeads();
  const clients = readList(graph, 'client');
  readList(graph, 'stream');
  const count = graph.roots.number();
  const changes: Change[] = [];
  for (let i = 0; i < count; i++) readRoot(graph, changes, isLast);
  const fromAuthor = graph.root(undefined, 'onSave()');
  graph.readBodies();
  if (!isLast) return undefined;
  for (let i = 0; i < clients.length; i++) handover.takeOver(clients[i]!);
  for (let i = 0; i < changes.length; i++) {
    const { object, name, value } = changes[i]!;
    // What `var` has declared cannot be defined anew.
    if (isWritable(object, name)) (object as Record<string, unknown>)[name] = value;
    else define(object, name, value);
  }
  const { places, count: lostCount } = graph.lost;
  return { fromAuthor: graph.isLost(fromAuthor) ? undefined : fromAuthor, lost: places, lostCount };
}

function isWritable(object: object, name: string): boolean {
  const property = natives.descriptorOf(object, name);
  return property !== undefined && hasOwn(property, 'value') && property.writable === true;
}

/** Objects of the server, which the heads have made already. */
function readList(graph: Restoring, path: string): object[] {
  const count = graph.roots.number();
  const list: object[] = [];
  for (let i = 0; i < count; i++) append(list, graph.root(undefined, path) as object);
  return list;
}

function readRoot(graph: Restoring, changes: Change[], isLast: boolean): void {
  const { roots } = graph;
  const root = roots.text();
  const object = handover.rootOf(root);
  const path = root === APPLICATION ? 'application' : root;
  const count = roots.number();
  if (!object && count > 0) graph.loseRoot(path);
  for (let i = 0; i < count; i++) {
    const name = roots.text();
    const value = graph.root(object && own(object, name), `${path}.${name}`);
    if (object && !graph.isLost(value)) append(changes, { object, name, value });
  }
  const gone = roots.number();
  for (let i = 0; i < gone; i++) {
    const name = roots.text();
    if (object && isLast) natives.deleteProperty(object, name);
  }
}

const made = { print, draft, undraft, save, restore };

export type HandoverPart = typeof made;

/** The entry of the bundle that runtime/handover.ts evaluates. */
declare const give: (loaded: typeof made) => void;
give(made);
