import {
  Bytes,
  charCodeAt,
  decodeUtf8,
  encodeUtf8,
  findIn,
  fromCharCode,
  sliceOf,
  utf8Length,
} from '../shared.ts';

const HEX = '0123456789ABCDEF';
const PLUS = 43;
const PERCENT = 37;
const EQUALS = 61;

/** A text as part of `application/x-www-form-urlencoded`: all but letters, digits and `-_.` as UTF-8 in hex. */
export function encodePart(text: string): string {
  const bytes = new Bytes(utf8Length(text));
  const length = encodeUtf8(text, bytes, 0);
  let encoded = '';
  for (let i = 0; i < length; i++) {
    const byte = bytes[i]!;
    encoded += isPlain(byte) ? fromCharCode(byte) : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return encoded;
}

/** Calls `take` with the names and values of `a=1&b=2`. */
export function decodeForm(text: string, take: (name: string, value: string) => void): void {
  for (let start = 0; start < text.length; ) {
    const found = findIn(text, '&', start);
    const end = found < 0 ? text.length : found;
    let middle = start;
    while (middle < end && charCodeAt(text, middle) !== EQUALS) middle++;
    if (end > start) take(decodePart(text, start, middle), decodePart(text, middle + 1, end));
    start = end + 1;
  }
}

function decodePart(text: string, start: number, end: number): string {
  let isEscaped = false;
  for (let at = start; at < end; at++) {
    const code = charCodeAt(text, at);
    isEscaped ||= code === PLUS || code === PERCENT;
  }
  if (start >= end) return '';
  if (!isEscaped) return sliceOf(text, start, end);
  const bytes = new Bytes(utf8Length(sliceOf(text, start, end)));
  let length = 0;
  for (let at = start; at < end; ) {
    const code = charCodeAt(text, at);
    const byte = code === PERCENT && at + 2 < end ? byteOf(text, at + 1) : -1;
    if (byte >= 0) {
      bytes[length++] = byte;
      at += 3;
    } else if (code === PLUS) {
      bytes[length++] = 32;
      at++;
    } else {
      let next = at + 1;
      while (next < end && charCodeAt(text, next) !== PLUS && charCodeAt(text, next) !== PERCENT) next++;
      length = encodeUtf8(sliceOf(text, at, next), bytes, length);
      at = next;
    }
  }
  return decodeUtf8(bytes, 0, length);
}

/** The byte of two hex digits; negative when they are none. */
function byteOf(text: string, at: number): number {
  return digitOf(charCodeAt(text, at)) * 16 + digitOf(charCodeAt(text, at + 1));
}

function digitOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1000;
}

function isPlain(byte: number): boolean {
  const letter = byte | 32;
  return (
    (byte >= 48 && byte <= 57) || (letter >= 97 && letter <= 122) || byte === 45 || byte === 46 || byte === 95
  );
}
