/**
 * Built-ins as they were before application code ran. In an isolate this code shares its realm with a script, which
 * may patch every prototype, constructor and iterator: what runs beside the script takes what it calls from here,
 * walks lists by index, and sets properties with `define` or `append`. Indexes within bounds, private fields, own
 * properties, literals, arithmetic and templates over primitives are out of a script's reach as they are.
 */
const { bind, call } = Function.prototype;
/** The method as a function that takes `this` as its first argument. */
export const uncurry = bind.bind(call) as <T, A extends unknown[], R>(
  method: (this: T, ...args: A) => R,
) => (self: T, ...args: A) => R;

/** The accessor of a prototype as a function that takes `this`. */
function getterOf<T, R>(prototype: object, name: PropertyKey): (self: T) => R {
  return uncurry(Object.getOwnPropertyDescriptor(prototype, name)!.get as (this: T) => R);
}

export const { apply, construct, defineProperty, getPrototypeOf, setPrototypeOf } = Reflect;
export const { keys: keysOf, hasOwn, is: isSame } = Object;
export const { prototype: objectPrototype } = Object;
export const { prototype: errorPrototype } = Error;
export const isAncestor: (prototype: object, value: object) => boolean = uncurry(
  Object.prototype.isPrototypeOf,
);
const { isArray: isList } = Array;
/** `Array.isArray(value)`; false of a revoked proxy, which it would throw for. */
export function isArray(value: unknown): value is unknown[] {
  try {
    return isList(value);
  } catch {
    return false;
  }
}
export const { isView } = ArrayBuffer;
export const { imul } = Math;
/** `String(value)`: runs code of the application when `value` is an object. */
export const toText = String;

export const { fromCharCode } = String;
export const charCodeAt: (text: string, at: number) => number = uncurry(String.prototype.charCodeAt);
export const sliceOf: (text: string, start: number, end?: number) => string = uncurry(String.prototype.slice);

const typedArray = getPrototypeOf(Uint8Array.prototype) as Uint8Array;
/** The constructors, for arrays that no `Symbol.species` has a say in. */
export const Bytes: Uint8ArrayConstructor = Uint8Array;
export const Ints: Int32ArrayConstructor = Int32Array;
export const Uints: Uint32ArrayConstructor = Uint32Array;
export const Doubles: Float64ArrayConstructor = Float64Array;
/** `target.set(source, at)`. */
export const setBytes: (target: Uint8Array, source: Uint8Array, at: number) => void = uncurry(typedArray.set);
export const lengthOf: (array: ArrayLike<number>) => number = getterOf(typedArray, 'length');
const bufferOf: (array: ArrayBufferView) => ArrayBufferLike = getterOf(typedArray, 'buffer');
const offsetOf: (array: ArrayBufferView) => number = getterOf(typedArray, 'byteOffset');
const sizeOf: (array: ArrayBufferView) => number = getterOf(typedArray, 'byteLength');
/** `Uint8Array` and the like; undefined for what is no typed array. */
export const typedArrayName: (value: unknown) => string | undefined = getterOf(
  typedArray,
  Symbol.toStringTag,
);
const viewBuffer: (view: DataView) => ArrayBufferLike = getterOf(DataView.prototype, 'buffer');
const viewOffset: (view: DataView) => number = getterOf(DataView.prototype, 'byteOffset');
const viewSize: (view: DataView) => number = getterOf(DataView.prototype, 'byteLength');

/** `bytes.subarray(start, end)`: shares the memory. */
export function part(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Bytes(bufferOf(bytes), offsetOf(bytes) + start, end - start);
}

/** The memory of a typed array or a DataView, as bytes. */
export function bytesOfView(view: ArrayBufferView): Uint8Array {
  return typedArrayName(view) === undefined
    ? new Bytes(viewBuffer(view as DataView), viewOffset(view as DataView), viewSize(view as DataView))
    : new Bytes(bufferOf(view), offsetOf(view), sizeOf(view));
}

/** `date.getTime()`. */
export const timeOf: (date: Date) => number = uncurry(Date.prototype.getTime);
/** The constructor: the `Date` of a script is another one (runtime/clock.ts). */
export const NativeDate: DateConstructor = Date;

export const NativeMap: MapConstructor = Map;
export const NativeSet: SetConstructor = Set;
/** `map.set(key, value)`, for maps that an application gets. */
export const setEntry: <K, V>(map: Map<K, V>, key: K, value: V) => void = uncurry(Map.prototype.set) as never;

/** For maps and sets of an application. The callback must run none of its code: it would see a frame of a built-in. */
export const forEachEntry: <K, V>(map: ReadonlyMap<K, V>, fn: (value: V, key: K) => void) => void = uncurry(
  Map.prototype.forEach,
) as never;
export const forEachItem: <T>(set: ReadonlySet<T>, fn: (item: T) => void) => void = uncurry(
  Set.prototype.forEach,
) as never;

/** Maps and sets whose methods are their own. To go through one use `forEach`: iterators have prototypes too. */
export class SafeMap<K, V> extends Map<K, V> {}
export class SafeSet<T> extends Set<T> {}
export class SafeWeakMap<K extends WeakKey, V> extends WeakMap<K, V> {}
export class SafeWeakSet<T extends WeakKey> extends WeakSet<T> {}

for (const safe of [SafeMap, SafeSet, SafeWeakMap, SafeWeakSet]) {
  const inherited = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(safe.prototype) as object);
  Object.defineProperties(safe.prototype, { ...inherited, constructor: { value: safe } });
  Object.setPrototypeOf(safe.prototype, null);
  Object.freeze(safe.prototype);
}

/** A descriptor that inherits nothing: no `get` from an `Object.prototype` that was given one. */
function dataDescriptor(value: unknown): PropertyDescriptor {
  return {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  } as PropertyDescriptor;
}

/** Sets an own property, whatever setters the prototypes have been given. False when the object is frozen. */
export function define(target: object, key: PropertyKey, value: unknown): boolean {
  return defineProperty(target, key, dataDescriptor(value));
}

/** `list.push(value)`, whatever setters the prototypes have been given. */
export function append<T>(list: T[], value: T): void {
  const at = list.length;
  if (at in list) define(list, at, value);
  else list[at] = value;
}
