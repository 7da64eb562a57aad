import { NativeTypeError, natives } from '../shared.ts';

/** What `so.data` needs of its object. */
export interface SlotAccess {
  /** Undefined when there is none. */
  read(name: string): unknown;
  has(name: string): boolean;
  /** Null or undefined deletes it. */
  write(name: string, value: unknown): void;
  names(): string[];
}

/**
 * `so.data`: each slot is a property and nothing else is one, whatever its name. Symbols are no names of slots.
 */
export function dataOf(slots: SlotAccess): object {
  const isSlot = (key: PropertyKey): key is string => typeof key === 'string' && slots.has(key);
  const write = (key: PropertyKey, value: unknown) => {
    if (typeof key !== 'string' || key === '')
      throw new NativeTypeError('so.data: expected the name of a slot, which is a text that is not empty');
    slots.write(key, value);
    return true;
  };
  // Without a prototype: what a script puts on that of all objects is neither a trap nor a slot.
  return new natives.Proxy(
    { __proto__: null } as object,
    {
      __proto__: null,
      get: (_: object, key: PropertyKey) => (isSlot(key) ? slots.read(key) : undefined),
      has: (_: object, key: PropertyKey) => isSlot(key),
      set: (_: object, key: PropertyKey, value: unknown) => write(key, value),
      deleteProperty: (_: object, key: PropertyKey) => !isSlot(key) || write(key, undefined),
      ownKeys: () => slots.names(),
      getOwnPropertyDescriptor: (_: object, key: PropertyKey) => {
        if (!isSlot(key)) return undefined;
        const value = slots.read(key);
        return { __proto__: null, value, writable: true, enumerable: true, configurable: true };
      },
      defineProperty: () => {
        throw new NativeTypeError('so.data: slots are set, and not defined');
      },
      setPrototypeOf: () => false,
      preventExtensions: () => false,
    } as ProxyHandler<object>,
  );
}
