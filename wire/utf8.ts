/**
 * UTF-8 without a platform: the isolates have no TextDecoder. Invalid input becomes U+FFFD, one per
 * maximal ill-formed part (Unicode 3.9, the same as the WHATWG decoder), because old clients send Latin-1.
 */
import { append, apply, charCodeAt, fromCharCode, imul, keysOf } from './primordials.ts';

const REPLACEMENT = 0xfffd;
const LONGEST_BY_EIGHT = 256; // Longer texts would be chains of many small strings.
const CODES_PER_CALL = 4096; // `fromCharCode.apply` pushes its arguments on the stack.

/** Decodes bytes `start` to `end` (exclusive) of `bytes`. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > LONGEST_BY_EIGHT) return decodeAny(bytes, start, end);

  // ASCII is nearly all there is: method names, keys, chat lines.
  let text = '';
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const a = bytes[at]!;
    const b = bytes[at + 1]!;
    const c = bytes[at + 2]!;
    const d = bytes[at + 3]!;
    const e = bytes[at + 4]!;
    const f = bytes[at + 5]!;
    const g = bytes[at + 6]!;
    const h = bytes[at + 7]!;
    if ((a | b | c | d | e | f | g | h) >= 0x80) return text + decodeAny(bytes, at, end);
    text += fromCharCode(a, b, c, d, e, f, g, h);
  }
  const rest = at;
  for (; at < end; at++) {
    if (bytes[at]! >= 0x80) return text + decodeAny(bytes, rest, end);
  }
  switch (end - rest) {
    case 1:
      return text + fromCharCode(bytes[rest]!);
    case 2:
      return text + fromCharCode(bytes[rest]!, bytes[rest + 1]!);
    case 3:
      return text + fromCharCode(bytes[rest]!, bytes[rest + 1]!, bytes[rest + 2]!);
    case 4:
      return text + fromCharCode(bytes[rest]!, bytes[rest + 1]!, bytes[rest + 2]!, bytes[rest + 3]!);
    default:
      for (at = rest; at < end; at++) text += fromCharCode(bytes[at]!);
      return text;
  }
}

const NAME_SLOTS = 1024;
const LONGEST_NAME = 32;
const names: string[] = new Array<string>(NAME_SLOTS).fill('');

/** The same as `decodeUtf8` for texts that come again and again, such as keys: they are not built anew. */
export function decodeName(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > LONGEST_NAME || length === 0) return decodeUtf8(bytes, start, end);

  let hash = length;
  for (let at = start; at < end; at++) hash = (imul(hash, 31) + bytes[at]!) | 0;
  const slot = (hash ^ (hash >>> 10)) & (NAME_SLOTS - 1);
  const known = names[slot]!;
  if (known.length === length) {
    let i = 0;
    while (i < length && charCodeAt(known, i) === bytes[start + i]) i++;
    if (i === length) return known;
  }

  const text = decodeUtf8(bytes, start, end);
  // As many units as bytes means ASCII, or U+FFFD, which equals no byte: a slot never answers for other bytes.
  if (text.length !== length) return text;
  // What an object's key comes back as is the engine's own copy, which makes later property stores cheap.
  const name = keysOf({ [text]: true })[0]!;
  names[slot] = name;
  return name;
}

function decodeAny(bytes: Uint8Array, start: number, end: number): string {
  const codes: number[] = [];
  let text = '';
  let at = start;
  while (at < end) {
    const lead = bytes[at++]!;
    if (lead < 0x80) {
      append(codes, lead);
    } else {
      const need =
        lead >= 0xc2 && lead < 0xe0
          ? 1
          : lead >= 0xe0 && lead < 0xf0
            ? 2
            : lead >= 0xf0 && lead < 0xf5
              ? 3
              : 0;
      let code = need === 1 ? lead & 0x1f : need === 2 ? lead & 0x0f : lead & 0x07;
      let seen = 0;
      while (seen < need && at < end) {
        const next = bytes[at]!;
        // The second byte has narrower bounds: no overlong forms, no surrogates, nothing past U+10FFFF.
        const low = seen > 0 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
        const high = seen > 0 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
        if (next < low || next > high) break;
        code = code * 64 + (next & 0x3f);
        at++;
        seen++;
      }
      if (need === 0 || seen < need) append(codes, REPLACEMENT);
      else if (code < 0x10000) append(codes, code);
      else {
        append(codes, 0xd7c0 + (code >> 10));
        append(codes, 0xdc00 + (code & 0x3ff));
      }
    }
    if (codes.length >= CODES_PER_CALL) {
      text += apply(fromCharCode, undefined, codes);
      codes.length = 0;
    }
  }
  return text + apply(fromCharCode, undefined, codes);
}

/** How many bytes `text` takes in UTF-8; a lone surrogate counts as U+FFFD. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = charCodeAt(text, i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      length += 1;
    } else if (isPair(text, i, unit)) {
      length += 2; // four bytes for two units
      i++;
    } else {
      length += 2;
    }
  }
  return length;
}

/** Writes `text` at `at`, where `utf8Length(text)` bytes must be free. Returns the position after it. */
export function encodeUtf8(text: string, bytes: Uint8Array, at: number): number {
  let position = at;
  for (let i = 0; i < text.length; i++) {
    let code = charCodeAt(text, i);
    if (code < 0x80) {
      bytes[position++] = code;
      continue;
    }
    if (code < 0x800) {
      bytes[position++] = 0xc0 | (code >> 6);
      bytes[position++] = 0x80 | (code & 0x3f);
      continue;
    }
    if (isPair(text, i, code)) {
      code = (code - 0xd800) * 0x400 + (charCodeAt(text, ++i) - 0xdc00) + 0x10000;
      bytes[position++] = 0xf0 | (code >> 18);
      bytes[position++] = 0x80 | ((code >> 12) & 0x3f);
    } else {
      if (code >= 0xd800 && code <= 0xdfff) code = REPLACEMENT;
      bytes[position++] = 0xe0 | (code >> 12);
    }
    bytes[position++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[position++] = 0x80 | (code & 0x3f);
  }
  return position;
}

function isPair(text: string, i: number, unit: number): boolean {
  if (unit < 0xd800 || unit > 0xdbff || i + 1 >= text.length) return false;
  const next = charCodeAt(text, i + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}
