/**
 * Built-ins as they were before application code ran. Scripts may patch every prototype; where memory is concerned
 * that is shared with the core, nothing of theirs may get hold of it. Besides these, such memory is only ever
 * indexed: `length`, `subarray` and their like are looked up on prototypes.
 */
const { bind, call } = Function.prototype;
const uncurry = bind.bind(call) as <T, A extends unknown[], R>(
  method: (this: T, ...args: A) => R,
) => (self: T, ...args: A) => R;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;

/** `target.set(source, at)`. */
export const setBytes: (target: Uint8Array, source: Uint8Array, at: number) => void = uncurry(typedArray.set);
/** `buffer.grow(bytes)`. */
export const growBuffer: (buffer: SharedArrayBuffer, bytes: number) => void = uncurry(
  SharedArrayBuffer.prototype.grow,
);
/** The constructor, for views that no `Symbol.species` has a say in. */
export const Bytes: Uint8ArrayConstructor = Uint8Array;
