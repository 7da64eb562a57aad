import { reading } from './arguments.ts';
import type { AnyFunction } from './handlers.ts';
import {
  apply,
  construct,
  getPrototypeOf,
  NativeTypeError,
  SafeMap,
  SafeWeakMap,
  shown,
} from './primordials.ts';

type Constructor = new () => object;

const constructors = new SafeMap<string, Constructor>();
/** By prototype: what an instance is called when it leaves. */
const names = new SafeWeakMap<object, string>();

/**
 * `application.registerClass`: typed objects that arrive under that name are made by this constructor, before their
 * properties are set; `onInitialize` follows (Server-Side ActionScript Language Reference, Application.registerClass).
 * A constructor of null ends it.
 */
export function registerClass(name: unknown, make: unknown): void {
  if (typeof name !== 'string' || name === '')
    throw new NativeTypeError(`application.registerClass: expected the name of a class, got ${shown(name)}`);
  if (make === null || make === undefined) {
    constructors.delete(name);
    return;
  }
  if (typeof make !== 'function')
    throw new NativeTypeError(
      `application.registerClass: expected a constructor for ${name}, or null, got ${shown(make)}`,
    );
  const prototype: unknown = reading('application.registerClass', () => make.prototype);
  constructors.set(name, make as Constructor);
  if (typeof prototype === 'object' && prototype !== null) names.set(prototype, name);
}

/** What the decoder asks (wire/values.ts, AmfClasses). Constructors run as part of the event that brought the object. */
export const registeredClasses = {
  __proto__: null,
  create(name: string): object | undefined {
    const make = constructors.get(name);
    return make && (construct(make, []) as object);
  },
  complete(instance: object): void {
    const { onInitialize } = instance as { onInitialize?: unknown };
    if (typeof onInitialize === 'function') apply(onInitialize as AnyFunction, instance, []);
  },
} as unknown as { create(name: string): object | undefined; complete(instance: object): void };

/** The name under which an instance leaves. */
export function registeredName(instance: object): string | undefined {
  const name = names.get(getPrototypeOf(instance) ?? instance);
  return name !== undefined && constructors.has(name) ? name : undefined;
}
