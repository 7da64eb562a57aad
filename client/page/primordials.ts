/** wire/primordials.ts in a page, whose own code is no stranger: the built-ins as they are. */
// biome-ignore-all lint/suspicious/noExplicitAny: methods of any type
export const uncurry =
  <T, A extends unknown[], R>(method: (this: T, ...args: A) => R) =>
  (self: T, ...args: A): R =>
    method.apply(self, args);

export const { defineProperty, getPrototypeOf } = Reflect;
export const { keys: keysOf, is: isSame } = Object;
export const { prototype: objectPrototype } = Object;
export const { prototype: errorPrototype } = Error;
export const isAncestor = (prototype: object, value: object): boolean =>
  objectPrototype.isPrototypeOf.call(prototype, value);
export const { isArray } = Array;
export const { isView } = ArrayBuffer;
export const toText = String;
export const charCodeAt = (text: string, at: number): number => text.charCodeAt(at);
export const sliceOf = (text: string, start: number, end?: number): string => text.slice(start, end);

export const Bytes = Uint8Array;
export const Ints = Int32Array;
export const Uints = Uint32Array;
export const Doubles = Float64Array;
export const NativeDate = Date;
export const NativeMap = Map;
export const NativeSet = Set;
export const SafeMap = Map;
export const SafeSet = Set;
export const SafeWeakMap = WeakMap;
export const SafeWeakSet = WeakSet;

export const setBytes = (target: Uint8Array, source: Uint8Array, at: number): void => target.set(source, at);
export const lengthOf = (array: ArrayLike<number>): number => array.length;
export const typedArrayName = (value: any): string | undefined =>
  isView(value) && !(value instanceof DataView) ? (value as Uint8Array)[Symbol.toStringTag] : undefined;
export const part = (bytes: Uint8Array, start: number, end: number): Uint8Array => bytes.subarray(start, end);
export const bytesOfView = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
export const timeOf = (date: Date): number => date.getTime();
export const setEntry = <K, V>(map: Map<K, V>, key: K, value: V): void => void map.set(key, value);
export const forEachEntry = <K, V>(map: ReadonlyMap<K, V>, fn: (value: V, key: K) => void): void =>
  map.forEach(fn);
export const forEachItem = <T>(set: ReadonlySet<T>, fn: (item: T) => void): void => set.forEach(fn);

export const define = (target: object, key: PropertyKey, value: unknown): boolean =>
  defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
export const append = <T>(list: T[], value: T): void => void list.push(value);

// What pages need not have: nobody leaves functions in a bundle that are not called.
export const apply: typeof Reflect.apply = (fn: any, self: any, args: any) => Reflect.apply(fn, self, args);
export const construct: typeof Reflect.construct = (type: any, args: any) => Reflect.construct(type, args);
export const setPrototypeOf = (target: object, prototype: object | null): boolean =>
  Reflect.setPrototypeOf(target, prototype);
export const hasOwn = (target: object, key: PropertyKey): boolean => Object.hasOwn(target, key);
export const imul = (a: number, b: number): number => Math.imul(a, b);
export const fromCharCode = (...codes: number[]): string => String.fromCharCode(...codes);
