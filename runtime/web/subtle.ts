import {
  after,
  append,
  apply,
  askCore,
  Bytes,
  bytesIn,
  hide,
  isArray,
  lengthOf,
  makePromise,
  NativeTypeError,
  natives,
  reading,
  setBytes,
  shown,
} from '../shared.ts';
import { MAX_HASHED_BYTES } from '../wall/asks.ts';
import { DOMException } from './dom-exception.ts';
import { need, optionsOf, toStringTag } from './helpers.ts';

/** What the core calls the hashes, by their names here. */
const HASHES: Readonly<Record<string, string>> = {
  __proto__: null,
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
} as never;
const USAGES: readonly string[] = ['sign', 'verify'];
/** Only this file makes keys: no script gets hold of it. */
const MAKING = {};

let hmac: (key: unknown, usage: string, data: Uint8Array) => Uint8Array;

/** A secret for HMAC (Web Cryptography, section 13). */
class CryptoKey {
  readonly #secret: Uint8Array;
  readonly #hash: string;
  readonly #usages: readonly string[];
  readonly #isExtractable: boolean;
  readonly #algorithm: object;

  constructor(
    token: unknown,
    secret: Uint8Array,
    hash: string,
    usages: readonly string[],
    isExtractable: boolean,
  ) {
    if (token !== MAKING) throw new NativeTypeError('new CryptoKey: crypto.subtle.importKey makes keys');
    this.#secret = secret;
    this.#hash = hash;
    this.#usages = usages;
    this.#isExtractable = isExtractable;
    this.#algorithm = { name: 'HMAC', hash: { name: hash }, length: lengthOf(secret) * 8 };
  }

  static {
    hmac = (key, usage, data) => {
      if (typeof key !== 'object' || key === null || !(#secret in key))
        throw new NativeTypeError(`crypto.subtle.${usage}: expected a CryptoKey, got ${shown(key)}`);
      if (!includes(key.#usages, usage))
        throw new DOMException(`crypto.subtle.${usage}: the key is not for "${usage}"`, 'InvalidAccessError');
      checkSize(usage, lengthOf(key.#secret) + lengthOf(data));
      return askCore('hmac', [HASHES[key.#hash], key.#secret, data]) as Uint8Array;
    };
  }

  get type(): string {
    return 'secret';
  }

  get extractable(): boolean {
    return this.#isExtractable;
  }

  get algorithm(): object {
    return this.#algorithm;
  }

  get usages(): string[] {
    return after(this.#usages, 0) as string[];
  }

  get [toStringTag](): string {
    return 'CryptoKey';
  }
}

/** The hashes of `crypto.subtle`, and HMAC: the core computes them. The rest of it rejects. */
class SubtleCrypto {
  digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
    return promised('digest', 2, arguments.length, () => {
      const hash = hashOf('digest', algorithm);
      return memoryOf(askCore('digest', [HASHES[hash], dataOf('digest', data)]) as Uint8Array);
    });
  }

  importKey(
    format: unknown,
    data: unknown,
    algorithm: unknown,
    extractable: unknown,
    usages: unknown,
  ): Promise<CryptoKey> {
    return promised('importKey', 5, arguments.length, () => {
      if (format !== 'raw') throw leftOut('importKey', `the format ${shown(format)}; "raw" is there`);
      checkHmac('importKey', algorithm);
      const hash = hashOf('importKey', memberOf('importKey', algorithm, 'hash'));
      if (memberOf('importKey', algorithm, 'length') !== undefined)
        throw leftOut('importKey', 'a length that is not that of the key');
      const secret = dataOf('importKey', data);
      if (lengthOf(secret) === 0)
        throw new DOMException('crypto.subtle.importKey: the key is empty', 'DataError');
      return new CryptoKey(MAKING, secret, hash, usagesOf(usages), !!extractable);
    });
  }

  sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    return promised('sign', 3, arguments.length, () => {
      checkHmac('sign', algorithm);
      return memoryOf(hmac(key, 'sign', dataOf('sign', data)));
    });
  }

  verify(algorithm: unknown, key: unknown, signature: unknown, data: unknown): Promise<boolean> {
    return promised('verify', 4, arguments.length, () => {
      checkHmac('verify', algorithm);
      const given = dataOf('verify', signature);
      return isEqual(hmac(key, 'verify', dataOf('verify', data)), given);
    });
  }

  get [toStringTag](): string {
    return 'SubtleCrypto';
  }
}

const LEFT_OUT = [
  'decrypt',
  'deriveBits',
  'deriveKey',
  'encrypt',
  'exportKey',
  'generateKey',
  'unwrapKey',
  'wrapKey',
] as const;
for (let i = 0; i < LEFT_OUT.length; i++) {
  const name = LEFT_OUT[i]!;
  const refuse = () => {
    throw leftOut(name);
  };
  hide(SubtleCrypto.prototype, name, () => promised(name, 0, 0, refuse));
}

export const subtle = new SubtleCrypto();

function promised<T>(member: string, needed: number, given: number, run: () => T): Promise<T> {
  // Not inside of the promise: of a stack V8 keeps ten frames, and the author's is to be among them.
  let value: T;
  try {
    need(given, needed, `crypto.subtle.${member}`);
    value = run();
  } catch (error) {
    return makePromise<T>((_, reject) => reject(error));
  }
  return makePromise<T>((resolve) => resolve(value));
}

function leftOut(member: string, what = 'it'): DOMException {
  return new DOMException(`crypto.subtle.${member}: ${what} is not offered here`, 'NotSupportedError');
}

function nameOf(member: string, algorithm: unknown): unknown {
  const isObject = typeof algorithm === 'object' && algorithm !== null;
  const name = isObject ? memberOf(member, algorithm, 'name') : algorithm;
  return typeof name === 'string' ? apply(natives.toUpperCase, name, []) : name;
}

function memberOf(member: string, algorithm: unknown, name: string): unknown {
  return optionsOf(`crypto.subtle.${member}`, algorithm)(name);
}

function hashOf(member: string, algorithm: unknown): string {
  const name = nameOf(member, algorithm);
  if (typeof name !== 'string' || HASHES[name] === undefined)
    throw leftOut(
      member,
      `the hash ${shown(name)}; SHA-1, SHA-256, SHA-384 and SHA-512 are there, and this one`,
    );
  return name;
}

function checkHmac(member: string, algorithm: unknown): void {
  const name = nameOf(member, algorithm);
  if (name !== 'HMAC') throw leftOut(member, `the algorithm ${shown(name)}; HMAC is there, and this one`);
}

function usagesOf(usages: unknown): string[] {
  if (!isArray(usages))
    throw new NativeTypeError(`crypto.subtle.importKey: usages: expected an array, got ${shown(usages)}`);
  const given = reading('crypto.subtle.importKey: usages', () => after(usages, 0));
  const list: string[] = [];
  for (let i = 0; i < given.length; i++) {
    const usage = given[i];
    if (typeof usage !== 'string' || !includes(USAGES, usage))
      throw new DOMException(
        `crypto.subtle.importKey: usages: a key for HMAC is for "sign" and "verify", not ${shown(usage)}`,
        'SyntaxError',
      );
    if (!includes(list, usage)) append(list, usage);
  }
  if (list.length === 0)
    throw new DOMException('crypto.subtle.importKey: usages: a secret key needs one', 'SyntaxError');
  return list;
}

function includes(list: readonly string[], item: string): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] === item) return true;
  return false;
}

/** A copy: a script may change what it gave. */
function dataOf(member: string, data: unknown): Uint8Array {
  const bytes = bytesIn(data);
  if (!bytes)
    throw new NativeTypeError(
      `crypto.subtle.${member}: expected an ArrayBuffer or a view of one, got ${shown(data)}`,
    );
  checkSize(member, lengthOf(bytes));
  const copy = new Bytes(lengthOf(bytes));
  setBytes(copy, bytes, 0);
  return copy;
}

function checkSize(member: string, bytes: number): void {
  if (bytes > MAX_HASHED_BYTES)
    throw new DOMException(
      `crypto.subtle.${member}: ${bytes} bytes at once; ${MAX_HASHED_BYTES} are allowed, with the key`,
      'OperationError',
    );
}

/** What came across the wall, as memory of its own. */
function memoryOf(bytes: Uint8Array): ArrayBuffer {
  const memory = new natives.ArrayBuffer(lengthOf(bytes));
  setBytes(new Bytes(memory), bytes, 0);
  return memory;
}

/** In a time that tells nothing of where they differ. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (lengthOf(a) !== lengthOf(b)) return false;
  let difference = 0;
  for (let i = 0; i < lengthOf(a); i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
