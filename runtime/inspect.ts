import { itemsOf } from '../wire/amf-message.ts';
import {
  append,
  bytesOfView,
  dateText,
  errorPrototype,
  forEachEntry,
  getPrototypeOf,
  isAncestor,
  isArray,
  isFiniteNumber,
  isView,
  keysOf,
  lengthOf,
  NativeDate,
  NativeMap,
  NativeSet,
  objectPrototype,
  quoted,
  timeOf,
  toText,
} from './primordials.ts';
import { stackOf } from './stacks.ts';

const MAX_DEPTH = 3;
const MAX_ENTRIES = 50;

/** A value as a person would write it, to a bounded depth and width; what throws while being read says so. */
export function inspect(value: unknown): string {
  return inspectAt(value, undefined);
}

/** The objects around a value, innermost first. */
interface Holder {
  object: object;
  depth: number;
  outer: Holder | undefined;
}

function inspectAt(value: unknown, holder: Holder | undefined): string {
  try {
    if (typeof value === 'string') return holder === undefined ? value : quoted(value);
    if (typeof value === 'function') return `[function ${value.name || 'anonymous'}]`;
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value !== 'object' || value === null) return toText(value);
    return inspectObject(value, holder);
  } catch (error) {
    return `[not readable: ${reasonOf(error)}]`;
  }
}

function reasonOf(error: unknown): string {
  try {
    return isAncestor(errorPrototype, error as object) ? `${(error as Error).message}` : 'threw';
  } catch {
    return 'threw';
  }
}

function inspectObject(value: object, outer: Holder | undefined): string {
  if (isAncestor(errorPrototype, value)) {
    const error = value as Error;
    return stackOf(error) || `${error.name}: ${error.message}`;
  }
  if (isAncestor(NativeDate.prototype, value)) {
    return isFiniteNumber(timeOf(value as Date)) ? dateText(value as Date) : 'Invalid Date';
  }
  for (let around = outer; around !== undefined; around = around.outer) {
    if (around.object === value) return '[circular]';
  }
  const depth = outer === undefined ? 0 : outer.depth + 1;
  if (depth >= MAX_DEPTH) return isArray(value) ? '[...]' : '{...}';
  const holder = { object: value, depth, outer };
  const inner = (entry: unknown) => inspectAt(entry, holder);
  if (isArray(value)) return `[${joined(value.length, (at) => inner(value[at]))}]`;
  if (isView(value)) return `[${nameOf(value)} of ${lengthOf(bytesOfView(value))} bytes]`;
  if (isAncestor(NativeMap.prototype, value)) {
    const keys: unknown[] = [];
    const entries: unknown[] = [];
    forEachEntry(value as Map<unknown, unknown>, (entry, key) => {
      append(keys, key);
      append(entries, entry);
    });
    return braced(
      'Map ',
      joined(keys.length, (at) => `${inner(keys[at])} => ${inner(entries[at])}`),
    );
  }
  if (isAncestor(NativeSet.prototype, value)) {
    const items = itemsOf(value as Set<unknown>);
    return braced(
      'Set ',
      joined(items.length, (at) => inner(items[at])),
    );
  }
  const keys = keysOf(value);
  const record = value as Record<string, unknown>;
  const name = nameOf(value);
  const entries = joined(keys.length, (at) => `${keys[at]}: ${inner(record[keys[at]!])}`);
  return braced(name === '' ? '' : `${name} `, entries);
}

/** The name of a value's class, empty when it has none. */
function nameOf(value: object): string {
  const prototype = getPrototypeOf(value) as { constructor?: { name?: unknown } } | null;
  if (prototype === null || prototype === objectPrototype) return '';
  const name = prototype.constructor?.name;
  return typeof name === 'string' ? name : '';
}

function braced(label: string, entries: string): string {
  return entries === '' ? `${label}{}` : `${label}{ ${entries} }`;
}

function joined(count: number, entryAt: (at: number) => string): string {
  let text = '';
  for (let at = 0; at < count && at < MAX_ENTRIES; at++) text += `${at === 0 ? '' : ', '}${entryAt(at)}`;
  return count > MAX_ENTRIES ? `${text}, ... ${count - MAX_ENTRIES} more` : text;
}
