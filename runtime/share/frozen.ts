import {
  decodeValues,
  getPrototypeOf,
  isArray,
  lengthOf,
  natives,
  objectPrototype,
  ownKeys,
  SafeWeakMap,
} from '../shared.ts';

/** Values by the bytes that they were made of: what is read again and again is decoded once. */
let known = new SafeWeakMap<Uint8Array, unknown>();
let knownBytes = 0;
/** Of those bytes; then it begins anew. Values may take many times as much. */
const MAX_KNOWN_BYTES = 256 * 1024;

/**
 * The value that a slot holds, as long as it holds it the same each time. Its objects and arrays are frozen all the way
 * down, so that nobody changes a copy in the belief that it is the slot. One with something in it that cannot be frozen,
 * such as a Date, is made anew for each who reads it.
 */
export function frozenValue(bytes: Uint8Array): unknown {
  if (known.has(bytes)) return known.get(bytes);
  const value = decodeValues(bytes)[0];
  if (!freeze(value)) return value;
  knownBytes += lengthOf(bytes);
  if (knownBytes > MAX_KNOWN_BYTES) {
    known = new SafeWeakMap();
    knownBytes = lengthOf(bytes);
  }
  known.set(bytes, value);
  return value;
}

/** As `frozenValue`, of bytes that are there for a moment only. */
export function frozenOnce(bytes: Uint8Array): unknown {
  const value = decodeValues(bytes)[0];
  freeze(value);
  return value;
}

/** Whether all of it could be. */
function freeze(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (!isArray(value) && getPrototypeOf(value) !== objectPrototype) return false;
  if (natives.isFrozen(value)) return true; // it has been here
  natives.freeze(value);
  const keys = ownKeys(value);
  let isAll = true;
  for (let i = 0; i < keys.length; i++) isAll = freeze((value as never)[keys[i]!]) && isAll;
  return isAll;
}
