/**
 * What a script leaves to the next one: a graph of its data, as text that only runtimes write and read. Three lists of
 * primitives as JSON, on a line each: V8 writes and reads those much faster than any code in an isolate that has just begun.
 *
 * The heads say what each node is, the roots what refers to nodes from outside, the bodies what nodes refer to, each after its
 * node's number. A node is an object; values refer to it by number, so that what was shared or went in circles does so
 * afterwards. The roots begin with 1 if this goes on from earlier instalments, 0 if there are none that count. Then come all
 * clients and all streams that the script has (a count, then values), `application` and what is kept (a count, then for each
 * its name, how many properties with name and value, how many names of properties that have gone), and what `onSave` returned.
 *
 * Most of it is given in advance, in instalments, while the script still runs: to save and to restore all at once takes as
 * long as everybody waits. The last one has the roots as they are, and those heads and bodies that are new or have changed.
 */

/** A value is one of these numbers and what it says. */
export const Tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  string: 5,
  /** Its digits. */
  bigint: 6,
  /** The number of a node. */
  node: 7,
  /** Of an array: there is nothing. */
  hole: 8,
  /** What is no plain data: what it is, in words. */
  lost: 9,
  /** A number that JSON cannot say, as text: `NaN`, `-0`. */
  oddNumber: 10,
  /** In instalments before the last: an object of the server that only the last can have. */
  later: 11,
} as const;

/** What a node's head says, and what its body holds. */
export const NodeKind = {
  /** Head: nothing more. Body: properties. */
  object: 1,
  /** As `object`, without a prototype. */
  bare: 2,
  /** Body: its length, then 1 and that many values, or 0 and properties. */
  array: 3,
  /** Body: a count, keys and values. */
  map: 4,
  /** Body: a count, values. */
  set: 5,
  /** Head: its time, or null. No body, as for the next two. */
  date: 6,
  /** Head: source, flags, `lastIndex`. */
  regexp: 7,
  /** Head: its bytes, a character each. */
  buffer: 8,
  /** Head: the class (empty for a DataView), the node of its buffer, offset, length. */
  view: 9,
  /** Head: the class, message, stack. Body: properties. */
  error: 10,
  /** Head: number, standing, what the server has said of it. Body: properties. */
  client: 11,
  /** Head: name, query, 1 if it is live, 1 and its settings if it is open. Body: properties. */
  stream: 12,
  /** Head: name, 1 if it is persistent. No body. */
  sharedObject: 13,
  /** Head: its name. `application` itself, or what `keep` was given. */
  root: 14,
  /** Head: root and property: what the new build has there. */
  built: 15,
  /** No node: the head of one that was given before has changed. The node's number, then its head, of the same kind. */
  again: 16,
} as const;

/** Where a client stands with the script, by number. */
export const STANDINGS = ['pending', 'accepted', 'gone'] as const;

/** The name of the root that `application` is; what is kept has others. */
export const APPLICATION = '';

/** What a client object has from the server, in the order of its head. */
export const TEXTS_OF_CLIENTS = ['id', 'ip', 'agent', 'referrer', 'pageUrl', 'uri', 'protocol'] as const;

export type Names = Readonly<Record<string, true | undefined>>;
const names = { __proto__: null, secure: true } as unknown as Record<string, true>;
for (let i = 0; i < TEXTS_OF_CLIENTS.length; i++) names[TEXTS_OF_CLIENTS[i]!] = true;
/** All that the server says of a client. */
export const OF_CLIENTS: Names = names;
