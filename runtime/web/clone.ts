import {
  append,
  apply,
  Bytes,
  bytesOfView,
  construct,
  define,
  getPrototypeOf,
  hasOwn,
  hide,
  isAncestor,
  isArray,
  isBuffer,
  isOpaque,
  isView,
  keysOf,
  lengthOf,
  NativeDate,
  NativeMap,
  NativeSet,
  NativeTypeError,
  natives,
  reading,
  SafeMap,
  SafeSet,
  setBytes,
  setEntry,
  setPrototypeOf,
  shown,
  sliceOf,
  typedArrayName,
} from '../shared.ts';
import { isSignal } from './abort.ts';
import { DOMException, isDomException } from './dom-exception.ts';
import { isEvent, isEventTarget } from './events.ts';
import { need, optionsOf } from './helpers.ts';
import { isUrl } from './url.ts';
import { isSearchParams } from './url-search-params.ts';

/**
 * A copy of a value with all that it refers to, cycles included (HTML, section 2.7). What cannot be copied is a
 * DataCloneError that names the place. Proxies are no exception as they should be: nothing tells them from what they
 * stand for.
 */
export function structuredClone(value: unknown, options?: unknown): unknown {
  need(arguments.length, 1, 'structuredClone');
  const buffers = transferList(options);
  const copy = copyOf(value);
  // A getter may have transferred one meanwhile.
  for (let i = 0; i < buffers.length; i++) checkAttached(buffers[i]!);
  // Copied first and taken away then: whoever looks cannot tell that from a transfer, and a failure takes nothing.
  for (let i = 0; i < buffers.length; i++) apply(natives.transfer, buffers[i]!, []);
  return copy;
}

const isError = natives.isError as (value: unknown) => boolean;

/** What a getter throws passes, as the standard has it; what V8 says of a revoked proxy is told as `structuredClone`'s. */
function copyOf(value: unknown): unknown {
  try {
    return new Cloning().clone(value, 'the value');
  } catch (error) {
    const isOfV8 = typeof error === 'object' && error !== null && getPrototypeOf(error) === typeError;
    throw isOfV8 ? new NativeTypeError(`structuredClone: ${(error as Error).message}`) : error;
  }
}

function transferList(options: unknown): ArrayBuffer[] {
  const given = optionsOf('structuredClone', options)('transfer');
  const buffers: ArrayBuffer[] = [];
  if (given === undefined) return buffers;
  if (typeof given !== 'object' || given === null)
    throw new NativeTypeError(`structuredClone: transfer: expected an iterable, got ${shown(given)}`);
  const seen = new SafeSet<object>();
  const items: unknown[] = [];
  reading('structuredClone: transfer', () => {
    for (const item of given as Iterable<unknown>) append(items, item);
  });
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (!isBuffer(item))
      throw cannotClone(`transfer: only ArrayBuffers are transferred here, not ${shown(item)}`);
    checkAttached(item);
    if (seen.has(item)) throw cannotClone('transfer: an ArrayBuffer that is in the list twice');
    seen.add(item);
    append(buffers, item);
  }
  return buffers;
}

function checkAttached(buffer: ArrayBuffer): void {
  if (apply(natives.isDetached, buffer, []))
    throw cannotClone('transfer: an ArrayBuffer that was transferred before');
}

function cannotClone(what: string): DOMException {
  return new DOMException(`structuredClone: ${what}`, 'DataCloneError');
}

class Cloning {
  /** What was copied already, by the original. */
  readonly #copies = new SafeMap<object, object>();

  clone(value: unknown, where: string): unknown {
    if (typeof value === 'function' || typeof value === 'symbol')
      throw cannotClone(`${where} is ${shown(value)}, which cannot be copied`);
    if (typeof value !== 'object' || value === null) return value;
    return this.#copies.get(value) ?? this.#copyOf(value, where);
  }

  #copyOf(value: object, where: string): object {
    if (isArray(value)) {
      const list: unknown[] = [];
      list.length = value.length;
      return this.#withProperties(value, list, where);
    }
    if (isOpaque(value)) throw cannotClone(`${where} is an object of the server, which cannot be copied`);
    // Nearly all there is. Whatever holds more than properties has another tag, unless somebody took it away.
    const tag = apply(natives.tagOf, value, []);
    if (tag === '[object Object]') return this.#withProperties(value, {}, where);
    const copy = this.#viewOf(value, where) ?? bufferOf(value, where) ?? simpleOf(value);
    if (copy) return this.#keep(value, copy);
    const collection = this.#mapOf(value, where) ?? this.#setOf(value, where);
    if (collection) return collection;
    if (isDomException(value)) return this.#keep(value, new DOMException(value.message, value.name));
    if (isError(value)) return this.#errorOf(value as Error, where);
    const kind = uncloneable(value, tag);
    if (kind !== undefined) throw cannotClone(`${where} is ${kind}, which cannot be copied`);
    return this.#withProperties(value, {}, where);
  }

  #keep<T extends object>(value: object, copy: T): T {
    this.#copies.set(value, copy);
    return copy;
  }

  #withProperties(value: object, copy: object, where: string): object {
    this.#keep(value, copy);
    const names = keysOf(value);
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      // A getter that ran before may have taken it away.
      if (hasOwn(value, name))
        define(copy, name, this.clone((value as Record<string, unknown>)[name], `${where}.${name}`));
    }
    return copy;
  }

  #viewOf(value: object, where: string): object | undefined {
    if (!isView(value)) return undefined;
    const name = typedArrayName(value);
    const buffer = apply(name === undefined ? natives.bufferOfView : natives.bufferOf, value, []);
    const offset = apply(name === undefined ? natives.offsetOfView : natives.offsetOf, value, []);
    const memory = this.clone(buffer, `the buffer of ${where}`);
    if (name === undefined)
      return construct(natives.DataView, [memory, offset, lengthOf(bytesOfView(value))]);
    return construct(natives.classes[name]!, [memory, offset, lengthOf(value as Uint8Array)]);
  }

  #mapOf(value: object, where: string): object | undefined {
    const entries: { key: unknown; value: unknown }[] = [];
    const collect = (item: unknown, key: unknown) => append(entries, { key, value: item });
    if (attempt(natives.forEachEntry, value, collect) === NOT_THAT) return undefined;
    const copy = this.#keep(value, new NativeMap<unknown, unknown>());
    for (let i = 0; i < entries.length; i++)
      setEntry(
        copy,
        this.clone(entries[i]!.key, `a key of ${where}`),
        this.clone(entries[i]!.value, `an entry of ${where}`),
      );
    return copy;
  }

  #setOf(value: object, where: string): object | undefined {
    const items: unknown[] = [];
    if (attempt(natives.forEachItem, value, (item: unknown) => append(items, item)) === NOT_THAT)
      return undefined;
    const copy = this.#keep(value, new NativeSet<unknown>());
    for (let i = 0; i < items.length; i++)
      apply(natives.addItem, copy, [this.clone(items[i], `an item of ${where}`)]);
    return copy;
  }

  #errorOf(error: Error, where: string): object {
    const { name } = error;
    const isNative = typeof name === 'string' && ERRORS[name] === true;
    const copy = new natives.Error();
    if (isNative) setPrototypeOf(copy, natives.classes[name]!.prototype as object);
    this.#keep(error, copy);
    const message = natives.descriptorOf(error, 'message');
    if (message && hasOwn(message, 'value')) hide(copy, 'message', `${message.value}`);
    const { stack } = error;
    if (typeof stack === 'string') hide(copy, 'stack', stack);
    else delete (copy as { stack?: unknown }).stack;
    if (hasOwn(error, 'cause')) hide(copy, 'cause', this.clone(error.cause, `the cause of ${where}`));
    return copy;
  }
}

const ERRORS: Readonly<Record<string, true>> = {
  __proto__: null,
  EvalError: true,
  RangeError: true,
  ReferenceError: true,
  SyntaxError: true,
  TypeError: true,
  URIError: true,
} as never;

function bufferOf(value: object, where: string): ArrayBuffer | undefined {
  if (!isBuffer(value)) return undefined;
  if (apply(natives.isDetached, value, []))
    throw cannotClone(`${where} is an ArrayBuffer that was transferred`);
  const from = new Bytes(value);
  const options = apply(natives.isResizable, value, [])
    ? { __proto__: null, maxByteLength: apply(natives.maxByteLengthOf, value, []) }
    : undefined;
  const copy = construct(natives.ArrayBuffer, [lengthOf(from), options]) as ArrayBuffer;
  setBytes(new Bytes(copy), from, 0);
  return copy;
}

/** What a primitive in an object's clothes holds. */
const unboxers = [natives.booleanOf, natives.numberOf, natives.stringOf, natives.bigintOf];

/** Dates, regular expressions and primitives as objects. */
function simpleOf(value: object): object | undefined {
  const time = attempt(natives.timeOf, value);
  if (time !== NOT_THAT) return new NativeDate(time as number);
  if (attempt(natives.patternOf, value) !== NOT_THAT) return new natives.RegExp(value as RegExp);
  for (let i = 0; i < unboxers.length; i++) {
    const primitive = attempt(unboxers[i], value);
    if (primitive !== NOT_THAT) return natives.Object(primitive) as object;
  }
  return undefined;
}

const NOT_THAT = {};
const { prototype: typeError } = NativeTypeError;

/** What a built-in method makes of a value, NOT_THAT when it is not for such values. */
function attempt(method: unknown, value: object, argument?: unknown): unknown {
  try {
    return apply(method as () => unknown, value, [argument]);
  } catch (error) {
    if (getPrototypeOf(error as object) === typeError) return NOT_THAT;
    throw error; // There is no room left on the stack.
  }
}

/** Why an object cannot be copied, undefined when it can: those of the platform, and those whose state nobody sees. */
function uncloneable(value: object, tag: string): string | undefined {
  if (isUrl(value)) return 'a URL';
  if (isSearchParams(value)) return 'a URLSearchParams';
  if (isEvent(value)) return 'an Event';
  if (isSignal(value)) return 'an AbortSignal';
  if (isEventTarget(value)) return 'an EventTarget';
  if (isAncestor(natives.promise, value)) return 'a promise';
  if (attempt(natives.hasWeakKey, value, value) !== NOT_THAT) return 'a WeakMap';
  if (attempt(natives.hasWeakItem, value, value) !== NOT_THAT) return 'a WeakSet';
  if (attempt(natives.symbolOf, value) !== NOT_THAT) return 'a symbol';
  if (isAncestor(natives.iterators, value)) return 'an iterator';
  if (tag === '[object Arguments]') return 'an arguments object';
  // Their state is out of sight, and there are dozens of them: a tag is all that they have in common.
  if (sliceOf(tag, 0, 13) === '[object Intl.' || sliceOf(tag, 0, 17) === '[object Temporal.') return tag;
  return undefined;
}
