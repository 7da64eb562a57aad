/**
 * What a script leaves to the next one: a graph of its data, as bytes that only runtimes write and read.
 *
 * `u32 nodes`, a head for each (what it is), the roots, then a body for each node (what it refers to). A node is an
 * object; values refer to it by number, so that what was shared or went in circles does so afterwards. The roots are all
 * clients and all streams that the script has (`u32 count`, values), `application` and what is kept (`u32 count`, for each
 * its name, `u32` and so many properties, `u32` and so many names of properties that have gone), and what `onSave` returned.
 */

/** A value is one of these bytes and what it says. */
export const Tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  /** `f64`. */
  number: 4,
  /** Text. */
  string: 5,
  /** Its digits. */
  bigint: 6,
  /** `u32`: a node. */
  node: 7,
  /** Of an array: there is nothing. */
  hole: 8,
  /** What is no plain data; text: what it is. */
  lost: 9,
} as const;

/** What a node's head says, and what its body holds. */
export const NodeKind = {
  /** Head: nothing. Body: properties. */
  object: 1,
  /** As `object`, without a prototype. */
  bare: 2,
  /** Head: `u32 length`. Body: `u8` 1 and that many values, or 0 and properties. */
  array: 3,
  /** Body: `u32 count`, keys and values. */
  map: 4,
  /** Body: `u32 count`, values. */
  set: 5,
  /** Head: `f64`. No body, as for the next two. */
  date: 6,
  /** Head: source, flags, `f64 lastIndex`. */
  regexp: 7,
  /** Head: its bytes. */
  buffer: 8,
  /** Head: the class (empty for a DataView), `u32` node of its buffer, `u32 offset`, `u32 length`. */
  view: 9,
  /** Head: the class, message, stack. Body: properties. */
  error: 10,
  /** Head: `u32 number`, `u8` standing, what is known of it. Body: properties. */
  client: 11,
  /** Head: name, query, `u8` 1 if it is live, `u8` 1 and its settings if it is open. Body: properties. */
  stream: 12,
  /** Head: name, `u8` 1 if it is persistent. No body. */
  sharedObject: 13,
  /** `application` itself. */
  application: 14,
  /** Head: its name. What `keep` was given. */
  kept: 15,
  /** Head: root and property: what the new build has there. */
  built: 16,
} as const;

/** Where a client stands with the script, by number. */
export const STANDINGS = ['pending', 'accepted', 'gone'] as const;

/** The name of the root that `application` is; what is kept has others. */
export const APPLICATION = '';
