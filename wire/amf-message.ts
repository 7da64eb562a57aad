import { StagewireError } from './errors.ts';
import {
  append,
  Bytes,
  bytesOfView,
  errorPrototype,
  forEachItem,
  getPrototypeOf,
  isAncestor,
  isArray,
  isView,
  keysOf,
  objectPrototype,
  SafeMap,
  setBytes,
  sliceOf,
  typedArrayName,
  uncurry,
} from './primordials.ts';
import {
  AMF_LIMITS,
  type AmfEncodeOptions,
  type AmfLimits,
  EcmaArray,
  TypedObject,
  vectorTypeOf,
  Xml,
  XmlDocument,
} from './values.ts';

/** What a message being read has used up of its limits: shared by the AMF0 and the AMF3 decoder. */
export class AmfBudget {
  readonly limits: AmfLimits;
  /** Containers open now. */
  depth = 0;
  /** Values seen in this message. */
  values = 0;

  constructor(limits: AmfLimits) {
    this.limits = limits;
  }
}

/** A peer sent bytes that are not AMF, or more of them than allowed. `at` is a position in the bytes read. */
export function amfError(what: string, at: number): StagewireError {
  return new StagewireError('E_AMF', 'peer', `${what} at byte ${at}`);
}

const HEX = '0123456789abcdef';

export function markerError(version: 0 | 3, marker: number, at: number): StagewireError {
  return amfError(`unexpected AMF${version} marker 0x${HEX[marker >> 4]}${HEX[marker & 15]}`, at);
}

export function countError(count: number, left: number, at: number): StagewireError {
  return amfError(`count ${count} with ${left} bytes left`, at);
}

export function referenceError(index: number, known: number, at: number): StagewireError {
  return amfError(`reference to entry ${index} of ${known}`, at);
}

export function depthError(limits: AmfLimits, at: number): StagewireError {
  return amfError(`nested deeper than ${limits.depth}`, at);
}

export function valuesError(limits: AmfLimits, at: number): StagewireError {
  return amfError(`more than ${limits.values} values`, at);
}

const LONGEST_PATH = 120;

/** Where an encoder stands in the values of one message: shared by the AMF0 and the AMF3 encoder. */
export class AmfEncodeState {
  readonly options: AmfEncodeOptions;
  readonly limits: AmfLimits;
  /** The property each open container is at, outermost first; entries from `depth` on are leftovers. */
  readonly path: (string | number)[] = [];
  depth = 0;
  values = 0;

  constructor(options: AmfEncodeOptions) {
    this.options = options;
    this.limits = options.limits ?? AMF_LIMITS;
  }

  reset(): void {
    this.depth = 0;
    this.values = 0;
  }

  countValue(): void {
    if (++this.values > this.limits.values) {
      throw this.error(`more than ${this.limits.values} values`);
    }
  }

  enter(): void {
    if (this.depth >= this.limits.depth) throw this.error(`nested deeper than ${this.limits.depth}`);
    const { path, depth } = this;
    if (depth === path.length) append(path, '');
    else path[depth] = '';
    this.depth = depth + 1;
  }

  /** The author's mistake, with the property it is at. */
  error(what: string): StagewireError {
    let path = '';
    for (let i = 0; i < this.depth; i++) path += i === 0 ? this.path[i] : `.${this.path[i]}`;
    const place = path.length > LONGEST_PATH ? `${sliceOf(path, 0, LONGEST_PATH)}…` : path;
    return new StagewireError(
      'E_AMF_ENCODE',
      'app',
      `cannot send ${what}${place === '' ? '' : ` (at ${place})`}`,
    );
  }
}

const SCANNED = 16;

/** Objects in the order they were written, to find repetitions. Most messages hold few: those are just compared. */
export class ObjectTable {
  readonly #objects: object[] = [];
  #indexes: SafeMap<object, number> | undefined;
  #length = 0;

  /** The index of an object written before, or −1 for a new one, which then has an index. */
  find(object: object): number {
    const length = this.#length;
    if (length < SCANNED) {
      const objects = this.#objects;
      for (let i = 0; i < length; i++) {
        if (objects[i] === object) return i;
      }
      append(objects, object);
    } else {
      this.#indexes ??= this.#indexed();
      const known = this.#indexes.get(object);
      if (known !== undefined) return known;
      this.#indexes.set(object, length);
    }
    this.#length = length + 1;
    return -1;
  }

  #indexed(): SafeMap<object, number> {
    const indexes = new SafeMap<object, number>();
    for (let i = 0; i < this.#objects.length; i++) indexes.set(this.#objects[i]!, i);
    return indexes;
  }

  clear(): void {
    this.#objects.length = 0;
    this.#indexes = undefined;
    this.#length = 0;
  }
}

/** What an object is to an encoder. */
export const Shape = {
  Plain: 0,
  List: 1,
  EcmaArray: 2,
  Typed: 3,
  Date: 4,
  XmlDocument: 5,
  Xml: 6,
  Bytes: 7,
  Ints: 8,
  Uints: 9,
  Doubles: 10,
  Vector: 11,
  Dictionary: 12,
  Set: 13,
  Error: 14,
  Boxed: 15,
  Instance: 16,
} as const;

export type Shape = (typeof Shape)[keyof typeof Shape];

// `instanceof` asks constructors, which a script may patch; prototypes it cannot exchange.
const datePrototype = Date.prototype;
const bufferPrototype = ArrayBuffer.prototype;
const mapPrototype = Map.prototype;
const setPrototype = Set.prototype;
const promisePrototype = Promise.prototype;
const stringPrototype = String.prototype;
const numberPrototype = Number.prototype;
const booleanPrototype = Boolean.prototype;

export function shapeOf(value: object): Shape {
  const prototype: unknown = getPrototypeOf(value);
  if (prototype === objectPrototype || prototype === null) return Shape.Plain;
  if (isArray(value)) return vectorTypeOf(value) === undefined ? Shape.List : Shape.Vector;
  if (value instanceof EcmaArray) return Shape.EcmaArray;
  if (value instanceof TypedObject) return Shape.Typed;
  if (isAncestor(datePrototype, value)) return Shape.Date;
  if (isView(value)) return shapeOfView(value);
  if (isAncestor(bufferPrototype, value)) return Shape.Bytes;
  if (isAncestor(mapPrototype, value)) return Shape.Dictionary;
  if (isAncestor(setPrototype, value)) return Shape.Set;
  if (value instanceof XmlDocument) return Shape.XmlDocument;
  if (value instanceof Xml) return Shape.Xml;
  if (isAncestor(errorPrototype, value)) return Shape.Error;
  if (isAncestor(stringPrototype, value)) return Shape.Boxed;
  if (isAncestor(numberPrototype, value) || isAncestor(booleanPrototype, value)) return Shape.Boxed;
  return Shape.Instance;
}

function shapeOfView(view: ArrayBufferView): Shape {
  switch (typedArrayName(view)) {
    case 'Int32Array':
    case 'Int16Array':
    case 'Int8Array':
      return Shape.Ints;
    case 'Uint32Array':
    case 'Uint16Array':
      return Shape.Uints;
    case 'Float64Array':
    case 'Float32Array':
      return Shape.Doubles;
    // Longs have no counterpart; everything else, a DataView included, is its bytes.
    case 'BigInt64Array':
    case 'BigUint64Array':
      return Shape.Instance;
    default:
      return Shape.Bytes;
  }
}

export function isPromise(value: object): boolean {
  return isAncestor(promisePrototype, value);
}

/** The bytes of what `shapeOf` calls bytes. */
export function bytesOf(value: object): Uint8Array {
  return isView(value) ? bytesOfView(value) : new Bytes(value as ArrayBuffer);
}

/** `bytes.slice()`: memory of its own. */
export function copyOf(bytes: Uint8Array, length: number): Uint8Array {
  const copy = new Bytes(length);
  setBytes(copy, bytes, 0);
  return copy;
}

/** The items of an application's set. */
export function itemsOf(set: ReadonlySet<unknown>): unknown[] {
  const items: unknown[] = [];
  forEachItem(set, (item) => append(items, item));
  return items;
}

/** The keys of an array with holes or named properties; `undefined` when its items are all there is to it. */
export function associativeKeys(list: readonly unknown[]): string[] | undefined {
  const keys = keysOf(list); // Indexes come first, in order: n keys up to n - 1 leave no room for others.
  const { length } = list;
  if (keys.length === length && (length === 0 || keys[length - 1] === `${length - 1}`)) return undefined;
  return keys;
}

/** The keys that are worth sending of an error, whose name and message are usually not its own properties. */
export function errorKeys(error: object): string[] {
  const own = keysOf(error);
  const keys = ['name', 'message'];
  for (let i = 0; i < own.length; i++) {
    if (own[i] !== 'name' && own[i] !== 'message') append(keys, own[i]!);
  }
  return keys;
}

const stringOf: (value: object) => string = uncurry(String.prototype.valueOf) as never;
const numberOf: (value: object) => number = uncurry(Number.prototype.valueOf) as never;
const booleanOf: (value: object) => boolean = uncurry(Boolean.prototype.valueOf) as never;

/** The primitive inside a `new Number(1)` and the like. */
export function unboxed(value: object): string | number | boolean {
  if (isAncestor(stringPrototype, value)) return stringOf(value);
  if (isAncestor(numberPrototype, value)) return numberOf(value);
  return booleanOf(value);
}
