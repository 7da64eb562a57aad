import { getOwnPropertyDescriptor, hasOwn, ownKeys, SafeSet, SafeWeakMap } from './primordials.ts';

const reserved = new SafeWeakMap<object, SafeSet<unknown>>();

/**
 * Keeps from clients the methods that an object of the API has now: a script may hold a client, a file or a document
 * where calls reach it. What the script itself puts on the object can be called.
 */
export function reserveMethods(holder: object): void {
  const methods = new SafeSet<unknown>();
  const keys = ownKeys(holder);
  for (let i = 0; i < keys.length; i++) {
    const property = getOwnPropertyDescriptor(holder, keys[i]!);
    if (property && hasOwn(property, 'value') && typeof property.value === 'function')
      methods.add(property.value);
  }
  reserved.set(holder, methods);
}

/** One that has come to be there since. */
export function reserveMethod(holder: object, method: unknown): void {
  reserved.get(holder)?.add(method);
}

/** Whether the value that was found on this object is a method that clients must not call. */
export function isReserved(holder: object, value: unknown): boolean {
  return reserved.get(holder)?.has(value) === true;
}
