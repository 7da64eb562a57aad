import { append, define, handover, hasOwn, NativeRangeError, natives, ownKeys } from '../shared.ts';
import { APPLICATION } from './format.ts';
import { own, Restoring } from './restore.ts';
import { Graph, TOO_MUCH } from './save.ts';

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

export interface Saved {
  text: string;
  objects: number;
  /** Places of what is no data, except code that this build has had from its beginning. */
  lost: number;
}

/** All that is to be carried over. Throws when there is more than `maxLength` characters of it. */
function save(maxLength: number, fromAuthor: unknown): Saved {
  const graph = new Graph(maxLength);
  try {
    const names = handover.rootNames();
    const roots: Root[] = [];
    for (let i = 0; i < names.length; i++) append(roots, look(names[i]!));
    for (let i = 0; i < roots.length; i++) markBuilt(graph, roots[i]!);
    saveList(graph, handover.clients());
    saveList(graph, handover.streams());
    graph.roots.put(names.length);
    for (let i = 0; i < roots.length; i++) saveRoot(graph, roots[i]!);
    graph.value(graph.roots, fromAuthor);
    return { text: graph.finish(), objects: graph.size, lost: graph.lost };
  } catch (error) {
    if (error !== TOO_MUCH) throw error;
    throw new NativeRangeError(
      `the state of the application has more than ${maxLength} bytes, and that is the limit (limits.stateBytes)`,
    );
  }
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

/** Takes over what an older script has handed over. */
function restore(text: string): Restored {
  const graph = new Restoring(text);
  graph.readHeads();
  nameAll(graph, 'client');
  nameAll(graph, 'stream');
  const count = graph.roots.number();
  const changes: Change[] = [];
  for (let i = 0; i < count; i++) readRoot(graph, changes);
  const fromAuthor = graph.root(undefined, 'onSave()');
  graph.readBodies();
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
function nameAll(graph: Restoring, path: string): void {
  const count = graph.roots.number();
  for (let i = 0; i < count; i++) graph.root(undefined, path);
}

function readRoot(graph: Restoring, changes: Change[]): void {
  const { roots } = graph;
  const root = roots.text();
  const object = handover.rootOf(root);
  const path = root === APPLICATION ? 'application' : root;
  const count = roots.number();
  for (let i = 0; i < count; i++) {
    const name = roots.text();
    const value = graph.root(object && own(object, name), `${path}.${name}`);
    if (object && !graph.isLost(value)) append(changes, { object, name, value });
  }
  const gone = roots.number();
  for (let i = 0; i < gone; i++) {
    const name = roots.text();
    if (object) natives.deleteProperty(object, name);
  }
}

/** Of the script's own data, and of what stands for it. */
const MAX_REHEARSED = 64 * 1024;
const REHEARSED_OBJECTS = 400;

/**
 * Does once what is to be done soon while others wait. V8 runs code that it has not seen before ten times slower than what it
 * knows; this is done while nobody waits for it, and in a moment.
 */
function rehearse(isSuccessor: boolean): void {
  const graph = new Graph(MAX_REHEARSED);
  try {
    if (isSuccessor) graph.value(graph.roots, sample());
    else {
      saveList(graph, handover.clients());
      saveRoot(graph, look(APPLICATION));
    }
    const text = graph.finish();
    if (!isSuccessor) return;
    const restoring = new Restoring(text);
    restoring.readHeads();
    restoring.root(undefined, '');
    restoring.readBodies();
  } catch (error) {
    if (error !== TOO_MUCH) throw error; // that much of it is enough
  }
}

function sample(): unknown {
  const all: Record<string, unknown> = {};
  for (let i = 0; i < REHEARSED_OBJECTS; i++)
    all[`a${i}`] = { n: i, name: `name ${i}`, list: [i, i / 3], is: true, no: null };
  return all;
}

const made = { print, save, restore, rehearse };

export type HandoverPart = typeof made;

/** The entry of the bundle that runtime/handover.ts evaluates. */
declare const give: (loaded: typeof made) => void;
give(made);
