/**
 * Built-in methods as they were before application code ran. Scripts may patch every prototype; where a method is
 * called on memory that is shared with the core, a patched one must not get hold of it.
 */
const { bind, call } = Function.prototype;
const uncurry = bind.bind(call) as <T, A extends unknown[], R>(
  method: (this: T, ...args: A) => R,
) => (self: T, ...args: A) => R;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;

/** `target.set(source, at)`. */
export const setBytes: (target: Uint8Array, source: Uint8Array, at: number) => void = uncurry(typedArray.set);
/** `bytes.subarray(start, end)`. */
export const viewOf: (bytes: Uint8Array, start: number, end: number) => Uint8Array = uncurry(
  typedArray.subarray,
);
