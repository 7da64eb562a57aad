import {
  apply,
  Bytes,
  bytesIn,
  charCodeAt,
  decodeUtf8,
  encodeUtf8,
  lengthOf,
  NativeRangeError,
  NativeTypeError,
  natives,
  setBytes,
  shown,
  sliceOf,
  textOf,
  typedArrayName,
  utf8Length,
} from '../shared.ts';
import { optionsOf, toStringTag } from './helpers.ts';

/** Text to UTF-8 (Encoding, section 7.2). */
export class TextEncoder {
  get encoding(): string {
    return 'utf-8';
  }

  encode(input: unknown = ''): Uint8Array {
    const text = textOf('TextEncoder.encode', input);
    const bytes = new Bytes(utf8Length(text));
    encodeUtf8(text, bytes, 0);
    return bytes;
  }

  /** As much of the text as the array has room for, in whole characters. */
  encodeInto(source: unknown, destination: unknown): { read: number; written: number } {
    const text = textOf('TextEncoder.encodeInto', source);
    if (typedArrayName(destination) !== 'Uint8Array')
      throw new NativeTypeError(
        `TextEncoder.encodeInto: expected a Uint8Array to write to, got ${shown(destination)}`,
      );
    const target = destination as Uint8Array;
    const room = lengthOf(target);
    let read = 0;
    let written = 0;
    while (read < text.length) {
      const unit = charCodeAt(text, read);
      const isPair = unit >= 0xd800 && unit < 0xdc00 && isTrail(text, read + 1);
      const size = isPair ? 4 : unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
      if (written + size > room) break;
      const units = isPair ? 2 : 1;
      encodeUtf8(sliceOf(text, read, read + units), target, written);
      read += units;
      written += size;
    }
    return { read, written };
  }

  get [toStringTag](): string {
    return 'TextEncoder';
  }
}

function isTrail(text: string, at: number): boolean {
  if (at >= text.length) return false;
  const unit = charCodeAt(text, at);
  return unit >= 0xdc00 && unit < 0xe000;
}

const UTF_8: readonly string[] = [
  'unicode-1-1-utf-8',
  'unicode11utf8',
  'unicode20utf8',
  'utf-8',
  'utf8',
  'x-unicode20utf8',
];
const MARK = 0xfeff;

/** UTF-8 to text (Encoding, section 7.1). */
export class TextDecoder {
  readonly #isFatal: boolean;
  readonly #keepsMark: boolean;
  /** The beginning of a character whose end comes with the next call; three bytes at the most. */
  #rest = new Bytes(0);
  #isInside = false;
  #isMarkPast = false;

  constructor(label: unknown = 'utf-8', options?: unknown) {
    const name = apply(natives.toLowerCase, trimmed(textOf('new TextDecoder', label)), []);
    let isUtf8 = false;
    for (let i = 0; i < UTF_8.length; i++) isUtf8 ||= UTF_8[i] === name;
    if (!isUtf8)
      throw new NativeRangeError(`new TextDecoder: only utf-8 is decoded here, not ${shown(name)}`);
    const given = optionsOf('new TextDecoder', options);
    this.#isFatal = !!given('fatal');
    this.#keepsMark = !!given('ignoreBOM');
  }

  get encoding(): string {
    return 'utf-8';
  }

  get fatal(): boolean {
    return this.#isFatal;
  }

  get ignoreBOM(): boolean {
    return this.#keepsMark;
  }

  decode(input?: unknown, options?: unknown): string {
    const isStream = !!optionsOf('TextDecoder.decode', options)('stream');
    const given = input === undefined ? new Bytes(0) : bytesIn(input);
    if (!given)
      throw new NativeTypeError(
        `TextDecoder.decode: expected an ArrayBuffer or a view of one, got ${shown(input)}`,
      );
    if (!this.#isInside) {
      this.#rest = new Bytes(0);
      this.#isMarkPast = false;
    }
    this.#isInside = isStream;
    const bytes = joined(this.#rest, given);
    const length = lengthOf(bytes);
    const end = isStream ? length - unfinished(bytes, length) : length;
    this.#rest = copyOf(bytes, end, length);
    const text = decodeUtf8(bytes, 0, end);
    if (this.#isFatal && !isEncodingOf(text, bytes, end)) {
      this.#isInside = false;
      throw new NativeTypeError('TextDecoder.decode: the bytes are not UTF-8');
    }
    if (this.#isMarkPast || text === '') return text;
    this.#isMarkPast = true;
    return !this.#keepsMark && charCodeAt(text, 0) === MARK ? sliceOf(text, 1) : text;
  }

  get [toStringTag](): string {
    return 'TextDecoder';
  }
}

function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(charCodeAt(text, start))) start++;
  while (end > start && isSpace(charCodeAt(text, end - 1))) end--;
  return sliceOf(text, start, end);
}

/** ASCII white space (Infra, section 4.6). */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 9 || code === 10 || code === 12 || code === 13;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (lengthOf(first) === 0) return second;
  const bytes = new Bytes(lengthOf(first) + lengthOf(second));
  setBytes(bytes, first, 0);
  setBytes(bytes, second, lengthOf(first));
  return bytes;
}

function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Bytes(end - start);
  for (let i = start; i < end; i++) copy[i - start] = bytes[i]!;
  return copy;
}

/** How many of the last bytes begin a character that more bytes could complete. */
function unfinished(bytes: Uint8Array, length: number): number {
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back]!;
    if (byte >= 0x80 && byte < 0xc0) continue;
    const needed =
      byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
    // One replacement for all of it: well formed as far as it goes.
    return needed > back && decodeUtf8(bytes, length - back, length).length === 1 ? back : 0;
  }
  return 0;
}

function isEncodingOf(text: string, bytes: Uint8Array, end: number): boolean {
  if (utf8Length(text) !== end) return false;
  const again = new Bytes(end);
  encodeUtf8(text, again, 0);
  for (let i = 0; i < end; i++) if (again[i] !== bytes[i]) return false;
  return true;
}
