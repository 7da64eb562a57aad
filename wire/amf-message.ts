import { StagewireError } from './errors.ts';
import {
  AMF_LIMITS,
  type AmfEncodeOptions,
  type AmfLimits,
  EcmaArray,
  ObjectVector,
  TypedObject,
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

export function markerError(version: 0 | 3, marker: number, at: number): StagewireError {
  return amfError(`unexpected AMF${version} marker 0x${marker.toString(16).padStart(2, '0')}`, at);
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
      throw this.error(`more than ${this.limits.values} values in one message`);
    }
  }

  enter(): void {
    if (this.depth >= this.limits.depth) throw this.error(`objects nested deeper than ${this.limits.depth}`);
    this.path[this.depth++] = '';
  }

  /** The author's mistake, with the property it is at. */
  error(what: string): StagewireError {
    const path = this.path.slice(0, this.depth).join('.');
    const place = path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}…` : path;
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
  #indexes: Map<object, number> | undefined;
  #length = 0;

  /** The index of an object written before, or −1 for a new one, which then has an index. */
  find(object: object): number {
    const length = this.#length;
    if (length < SCANNED) {
      const objects = this.#objects;
      for (let i = 0; i < length; i++) {
        if (objects[i] === object) return i;
      }
      objects[length] = object;
    } else {
      this.#indexes ??= new Map(this.#objects.map((known, index) => [known, index]));
      const known = this.#indexes.get(object);
      if (known !== undefined) return known;
      this.#indexes.set(object, length);
    }
    this.#length = length + 1;
    return -1;
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

const objectPrototype = Object.prototype;

export function shapeOf(value: object): Shape {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === objectPrototype || prototype === null) return Shape.Plain;
  if (Array.isArray(value)) return value instanceof ObjectVector ? Shape.Vector : Shape.List;
  if (value instanceof EcmaArray) return Shape.EcmaArray;
  if (value instanceof TypedObject) return Shape.Typed;
  if (value instanceof Date) return Shape.Date;
  if (ArrayBuffer.isView(value)) return shapeOfView(value);
  if (value instanceof ArrayBuffer) return Shape.Bytes;
  if (value instanceof Map) return Shape.Dictionary;
  if (value instanceof Set) return Shape.Set;
  if (value instanceof XmlDocument) return Shape.XmlDocument;
  if (value instanceof Xml) return Shape.Xml;
  if (value instanceof Error) return Shape.Error;
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return Shape.Boxed;
  return Shape.Instance;
}

function shapeOfView(view: ArrayBufferView): Shape {
  if (view instanceof Int32Array || view instanceof Int16Array || view instanceof Int8Array)
    return Shape.Ints;
  if (view instanceof Uint32Array || view instanceof Uint16Array) return Shape.Uints;
  if (view instanceof Float64Array || view instanceof Float32Array) return Shape.Doubles;
  // Longs have no counterpart; everything else, a DataView included, is its bytes.
  return view instanceof BigInt64Array || view instanceof BigUint64Array ? Shape.Instance : Shape.Bytes;
}

/** The bytes of what `shapeOf` calls bytes. */
export function bytesOf(value: object): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return new Uint8Array(value as ArrayBuffer);
}

/** The keys of an array with holes or named properties; `undefined` when its items are all there is to it. */
export function associativeKeys(list: readonly unknown[]): string[] | undefined {
  const keys = Object.keys(list); // Indexes come first, in order: n keys up to n - 1 leave no room for others.
  const { length } = list;
  if (keys.length === length && (length === 0 || keys[length - 1] === String(length - 1))) return undefined;
  return keys;
}

/** The keys that are worth sending of an error, whose name and message are usually not its own properties. */
export function errorKeys(error: object): string[] {
  const keys = Object.keys(error).filter((key) => key !== 'name' && key !== 'message');
  return ['name', 'message', ...keys];
}

/** The primitive inside a `new Number(1)` and the like. */
export function unboxed(value: object): string | number | boolean {
  if (value instanceof String) return String.prototype.valueOf.call(value);
  if (value instanceof Number) return Number.prototype.valueOf.call(value);
  return Boolean.prototype.valueOf.call(value);
}
