/**
 * Built-ins for the parts of the runtime that are loaded on first use (web.ts): captured before the application runs,
 * though nobody may ever need them, and therefore as they are. The parts call them with `apply`.
 */
const getter = (prototype: object, name: PropertyKey) =>
  Object.getOwnPropertyDescriptor(prototype, name)!.get as () => unknown;

const arrays = Object.getPrototypeOf(Uint8Array.prototype) as object;

export const natives = {
  toStringTag: Symbol.toStringTag,
  iterator: Symbol.iterator,
  Error,
  isError: (Error as unknown as { isError(value: unknown): boolean }).isError,
  /** By name. The array classes are those that `typedArrayName` tells. */
  classes: {
    __proto__: null,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float16Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  } as unknown as Readonly<Record<string, Constructor>>,
  Object,
  freeze: Object.freeze as (value: object) => void,
  isFrozen: Object.isFrozen as (value: object) => boolean,
  Proxy,
  tagOf: Object.prototype.toString,
  ArrayBuffer,
  DataView,
  RegExp,
  bufferOf: getter(arrays, 'buffer'),
  offsetOf: getter(arrays, 'byteOffset'),
  bufferOfView: getter(DataView.prototype, 'buffer'),
  offsetOfView: getter(DataView.prototype, 'byteOffset'),
  patternOf: getter(RegExp.prototype, 'source'),
  byteLengthOf: getter(ArrayBuffer.prototype, 'byteLength'),
  maxByteLengthOf: getter(ArrayBuffer.prototype, 'maxByteLength'),
  isResizable: getter(ArrayBuffer.prototype, 'resizable'),
  isDetached: getter(ArrayBuffer.prototype, 'detached'),
  transfer: ArrayBuffer.prototype.transfer,
  booleanOf: Boolean.prototype.valueOf,
  numberOf: Number.prototype.valueOf,
  stringOf: String.prototype.valueOf,
  bigintOf: BigInt.prototype.valueOf,
  timeOf: Date.prototype.getTime,
  forEachEntry: Map.prototype.forEach,
  forEachItem: Set.prototype.forEach,
  symbolOf: Symbol.prototype.valueOf,
  hasWeakKey: WeakMap.prototype.has,
  hasWeakItem: WeakSet.prototype.has,
  promise: Promise.prototype,
  iterators: Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object,
  addItem: Set.prototype.add,
  toLowerCase: String.prototype.toLowerCase,
  toUpperCase: String.prototype.toUpperCase,
  parseJson: JSON.parse as (text: string) => unknown,
  /** Undefined for what JSON cannot say. */
  toJson: JSON.stringify as (value: unknown) => string | undefined,
  deleteProperty: Reflect.deleteProperty,
  descriptorOf: Reflect.getOwnPropertyDescriptor,
};

type Constructor = new (...args: unknown[]) => object;
