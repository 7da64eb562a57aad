import { Bytes, charCodeAt, encodeUtf8, fromCharCode, NativeTypeError, utf8Length } from '../shared.ts';

/** One character for each byte. */
export function decodeBinary(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) text += fromCharCode(bytes[at]!);
  return text;
}

export function encodeBinary(member: string, text: string): Uint8Array {
  const bytes = new Bytes(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i);
    if (code > 0xff)
      throw new NativeTypeError(
        `File.${member}: a binary file takes characters up to code 255, and this one has ${code}`,
      );
    bytes[i] = code;
  }
  return bytes;
}

export function encodeText(text: string): Uint8Array {
  const bytes = new Bytes(utf8Length(text));
  encodeUtf8(text, bytes, 0);
  return bytes;
}

/**
 * Where `count` characters end (surrogate pairs being one), or the last of them that is whole. Ill-formed bytes are
 * characters of their own, as `decodeUtf8` makes them.
 */
export function endOfCharacters(bytes: Uint8Array, start: number, end: number, count: number): Cut {
  let at = start;
  let seen = 0;
  for (; seen < count && at < end; seen++) {
    const length = sequenceLength(bytes[at]!);
    if (at + length > end) break;
    let isWhole = true;
    for (let i = 1; i < length; i++) isWhole &&= (bytes[at + i]! & 0xc0) === 0x80;
    at += isWhole ? length : 1;
  }
  return { at, seen };
}

export interface Cut {
  at: number;
  seen: number;
}

function sequenceLength(lead: number): number {
  if (lead < 0xc2 || lead >= 0xf5) return 1;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}
