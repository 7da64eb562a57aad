import {
  append,
  apply,
  Bytes,
  charCodeAt,
  decodeUtf8,
  encodeUtf8,
  fromCharCode,
  hide,
  keysOf,
  lengthOf,
  NativeTypeError,
  reading,
  shown,
  sliceOf,
  sortBy,
  textOf,
  utf8Length,
} from '../shared.ts';
import { iterator, need, toStringTag } from './helpers.ts';

interface Pair {
  readonly name: string;
  value: string;
}

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;
const HEX = '0123456789ABCDEF';

export let isSearchParams: (value: unknown) => value is URLSearchParams;
export let paramsText: (params: URLSearchParams) => string;
/** Those of a URL: `search` is what that has, and `onChange` changes it. */
export let linkedParams: (search: string, onChange: (query: string) => void) => URLSearchParams;
export let refillParams: (params: URLSearchParams, search: string) => void;

/** The pairs of a query, or of a form (URL, section 6.2). */
export class URLSearchParams {
  #pairs: Pair[] = [];
  /** Writes the query of the URL that these are of. */
  #onChange: ((query: string) => void) | undefined;

  constructor(init: unknown = '') {
    const member = 'new URLSearchParams';
    if (typeof init === 'function' || (typeof init === 'object' && init !== null)) {
      const item = reading(member, () => this.#addAll(init));
      if (item)
        throw new NativeTypeError(`${member}: expected pairs of name and value, got ${shown(item.wrong)}`);
    } else {
      const text = textOf(member, init);
      this.#pairs = parse(charCodeAt(text, 0) === 0x3f ? sliceOf(text, 1) : text);
    }
  }

  static {
    isSearchParams = (value): value is URLSearchParams =>
      typeof value === 'object' && value !== null && #pairs in value;
    paramsText = (params) => serialize(params.#pairs);
    linkedParams = (search, onChange) => {
      const params = new URLSearchParams(search);
      params.#onChange = onChange;
      return params;
    };
    refillParams = (params, search) => {
      params.#pairs = parse(sliceOf(search, 1));
    };
  }

  /** Returns the first item that is no pair. */
  #addAll(init: object): { wrong: unknown } | undefined {
    const iterate = (init as Partial<Iterable<unknown>>)[iterator as typeof Symbol.iterator];
    if (iterate === undefined || iterate === null) {
      const record = init as Record<string, unknown>;
      const names = keysOf(init);
      for (let i = 0; i < names.length; i++) this.#set(usv(names[i]!), usv(`${record[names[i]!]}`));
      return undefined;
    }
    for (const item of init as Iterable<unknown>) {
      const name = typeof item === 'object' && item !== null ? toPair(item as Iterable<unknown>) : undefined;
      if (!name) return { wrong: item };
      append(this.#pairs, name);
    }
    return undefined;
  }

  get size(): number {
    return this.#pairs.length;
  }

  append(name: unknown, value: unknown): void {
    need(arguments.length, 2, 'URLSearchParams.append');
    append(this.#pairs, {
      name: given('append', name),
      value: given('append', value),
    });
    this.#changed();
  }

  delete(name: unknown, value?: unknown): void {
    need(arguments.length, 1, 'URLSearchParams.delete');
    const isGone = matcher('delete', name, value);
    const kept: Pair[] = [];
    for (let i = 0; i < this.#pairs.length; i++) if (!isGone(this.#pairs[i]!)) append(kept, this.#pairs[i]!);
    this.#pairs = kept;
    this.#changed();
  }

  get(name: unknown): string | null {
    need(arguments.length, 1, 'URLSearchParams.get');
    const wanted = given('get', name);
    for (let i = 0; i < this.#pairs.length; i++)
      if (this.#pairs[i]!.name === wanted) return this.#pairs[i]!.value;
    return null;
  }

  getAll(name: unknown): string[] {
    need(arguments.length, 1, 'URLSearchParams.getAll');
    const wanted = given('getAll', name);
    const values: string[] = [];
    for (let i = 0; i < this.#pairs.length; i++)
      if (this.#pairs[i]!.name === wanted) append(values, this.#pairs[i]!.value);
    return values;
  }

  has(name: unknown, value?: unknown): boolean {
    need(arguments.length, 1, 'URLSearchParams.has');
    const isWanted = matcher('has', name, value);
    for (let i = 0; i < this.#pairs.length; i++) if (isWanted(this.#pairs[i]!)) return true;
    return false;
  }

  set(name: unknown, value: unknown): void {
    need(arguments.length, 2, 'URLSearchParams.set');
    this.#set(given('set', name), given('set', value));
    this.#changed();
  }

  /** By name, code unit by code unit; pairs of one name stay in order. */
  sort(): void {
    sortBy(this.#pairs, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    this.#changed();
  }

  forEach(callback: unknown, self?: unknown): void {
    if (typeof callback !== 'function')
      throw new NativeTypeError(`URLSearchParams.forEach: expected a function, got ${shown(callback)}`);
    for (let i = 0; i < this.#pairs.length; i++) {
      const { value, name } = this.#pairs[i]!;
      apply(callback as () => unknown, self, [value, name, this]);
    }
  }

  *entries(): Generator<[string, string]> {
    for (let i = 0; i < this.#pairs.length; i++) yield [this.#pairs[i]!.name, this.#pairs[i]!.value];
  }

  *keys(): Generator<string> {
    for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i]!.name;
  }

  *values(): Generator<string> {
    for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i]!.value;
  }

  toString(): string {
    return serialize(this.#pairs);
  }

  get [toStringTag](): string {
    return 'URLSearchParams';
  }

  /** The first pair of that name gets the value, the others go. */
  #set(name: string, value: string): void {
    const kept: Pair[] = [];
    let isSet = false;
    for (let i = 0; i < this.#pairs.length; i++) {
      const pair = this.#pairs[i]!;
      if (pair.name !== name) append(kept, pair);
      else if (!isSet) {
        append(kept, { name, value });
        isSet = true;
      }
    }
    if (!isSet) append(kept, { name, value });
    this.#pairs = kept;
  }

  #changed(): void {
    this.#onChange?.(serialize(this.#pairs));
  }
}

hide(URLSearchParams.prototype, iterator, URLSearchParams.prototype.entries);

/** An argument, as text of scalar values. */
function given(method: string, value: unknown): string {
  return usv(textOf(`URLSearchParams.${method}`, value));
}

function matcher(method: string, name: unknown, value: unknown): (pair: Pair) => boolean {
  const wantedName = given(method, name);
  const wantedValue = value === undefined ? undefined : given(method, value);
  return (pair) => pair.name === wantedName && (wantedValue === undefined || pair.value === wantedValue);
}

function toPair(item: Iterable<unknown>): Pair | undefined {
  const iterate = (item as Partial<Iterable<unknown>>)[iterator as typeof Symbol.iterator];
  if (typeof iterate !== 'function') return undefined;
  const parts: string[] = [];
  for (const part of item) {
    if (parts.length === 2) return undefined;
    append(parts, usv(`${part as string}`));
  }
  return parts.length === 2 ? { name: parts[0]!, value: parts[1]! } : undefined;
}

/** A text as Unicode scalar values: lone surrogates become U+FFFD. */
function usv(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const unit = charCodeAt(text, i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const bytes = utf8(text);
    return decodeUtf8(bytes, 0, lengthOf(bytes));
  }
  return text;
}

function utf8(text: string): Uint8Array {
  const bytes = new Bytes(utf8Length(text));
  encodeUtf8(text, bytes, 0);
  return bytes;
}

/** `application/x-www-form-urlencoded` (URL, section 5.1). */
function parse(text: string): Pair[] {
  const bytes = utf8(text);
  const length = lengthOf(bytes);
  const pairs: Pair[] = [];
  let start = 0;
  let equals = -1;
  for (let at = 0; at <= length; at++) {
    const byte = at < length ? bytes[at] : AMPERSAND;
    if (byte === EQUALS && equals < 0) equals = at;
    if (byte !== AMPERSAND) continue;
    if (at > start) {
      const nameEnd = equals < 0 ? at : equals;
      append(pairs, { name: decode(bytes, start, nameEnd), value: decode(bytes, nameEnd + 1, at) });
    }
    start = at + 1;
    equals = -1;
  }
  return pairs;
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  if (start >= end) return '';
  const out = new Bytes(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const high = byte === PERCENT && at + 2 < end ? digit(bytes[at + 1]!) : -1;
    const low = high >= 0 ? digit(bytes[at + 2]!) : -1;
    if (low >= 0) at += 2;
    out[length++] = low >= 0 ? high * 16 + low : byte === PLUS ? 0x20 : byte;
  }
  return decodeUtf8(out, 0, length);
}

function digit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** URL, section 5.2. */
function serialize(pairs: readonly Pair[]): string {
  let text = '';
  for (let i = 0; i < pairs.length; i++)
    text += `${i > 0 ? '&' : ''}${encode(pairs[i]!.name)}=${encode(pairs[i]!.value)}`;
  return text;
}

function encode(part: string): string {
  const bytes = utf8(part);
  let text = '';
  for (let i = 0; i < lengthOf(bytes); i++) {
    const byte = bytes[i]!;
    if (isPlain(byte)) text += fromCharCode(byte);
    else text += byte === 0x20 ? '+' : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return text;
}

/** Letters, digits, `*-._`. */
function isPlain(byte: number): boolean {
  const letter = byte | 0x20;
  if ((letter >= 0x61 && letter <= 0x7a) || (byte >= 0x30 && byte <= 0x39)) return true;
  return byte === 0x2a || byte === 0x2d || byte === 0x2e || byte === 0x5f;
}
