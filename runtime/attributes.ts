import { reading, textOf } from './arguments.ts';
import { hide } from './clock.ts';
import {
  define,
  defineProperty,
  getOwnPropertyDescriptor,
  hasOwn,
  NativeTypeError,
  shown,
} from './primordials.ts';

const MEMBER = 'setAttributes';

/**
 * The global `setAttributes`: what `for...in` shows of an object, and what may be changed or deleted (Server-Side
 * ActionScript Language Reference, setAttributes()).
 */
export function installAttributes(global: typeof globalThis): void {
  hide(global, 'setAttributes', setAttributes);
}

function setAttributes(
  object: unknown,
  name: unknown,
  isEnumerable: unknown,
  isReadonly: unknown,
  isPermanent: unknown,
): void {
  if ((typeof object !== 'object' && typeof object !== 'function') || object === null)
    throw new NativeTypeError(`${MEMBER}: expected an object, got ${shown(object)}`);
  const key = textOf(MEMBER, name);
  const isDone = reading(MEMBER, () => {
    const present = getOwnPropertyDescriptor(object, key);
    if (!present) return true;
    const attributes: PropertyDescriptor = {
      __proto__: null, // nothing that a script puts on `Object.prototype` is an attribute
      enumerable: !!isEnumerable,
      configurable: !isPermanent,
    } as PropertyDescriptor;
    if (hasOwn(present, 'value')) attributes.writable = !isReadonly;
    else if (isReadonly) define(attributes, 'set', undefined);
    return defineProperty(object, key, attributes);
  });
  if (!isDone) throw new NativeTypeError(`${MEMBER}: ${shown(key)} is permanent already`);
}
