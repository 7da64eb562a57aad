import { append, apply, charCodeAt, fromCharCode, textOf } from '../shared.ts';
import { DOMException } from './dom-exception.ts';
import { need } from './helpers.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PADDING = 0x3d;
/** `fromCharCode.apply` pushes its arguments on the stack. */
const CODES_PER_CALL = 4096;

/** Base64 of a text whose characters are bytes (HTML, section 8.3). */
export function btoa(data: unknown): string {
  need(arguments.length, 1, 'btoa');
  const text = textOf('btoa', data);
  const out = new Codes();
  for (let i = 0; i < text.length; i += 3) {
    const bits = (byteAt(text, i) << 16) | (byteAt(text, i + 1) << 8) | byteAt(text, i + 2);
    out.add(charCodeAt(DIGITS, bits >> 18));
    out.add(charCodeAt(DIGITS, (bits >> 12) & 63));
    out.add(i + 1 < text.length ? charCodeAt(DIGITS, (bits >> 6) & 63) : PADDING);
    out.add(i + 2 < text.length ? charCodeAt(DIGITS, bits & 63) : PADDING);
  }
  return out.text;
}

/** 0 beyond the end. */
function byteAt(text: string, at: number): number {
  if (at >= text.length) return 0;
  const code = charCodeAt(text, at);
  if (code > 0xff)
    throw new DOMException(`btoa: the character at ${at} is beyond U+00FF`, 'InvalidCharacterError');
  return code;
}

/** The bytes of Base64 as characters; white space and missing padding are forgiven (Infra, section 7). */
export function atob(data: unknown): string {
  need(arguments.length, 1, 'atob');
  const text = textOf('atob', data);
  const out = new Codes();
  let bits = 0;
  let digits = 0;
  let padding = 0;
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i);
    if (code === 0x20 || code === 9 || code === 10 || code === 12 || code === 13) continue;
    if (code === PADDING) {
      padding++;
      continue;
    }
    const value = digitOf(code);
    if (value < 0 || padding > 0) throw notBase64(i);
    bits = ((bits << 6) | value) & 0xffffff;
    if (++digits % 4 !== 0) continue;
    out.add(bits >> 16);
    out.add((bits >> 8) & 0xff);
    out.add(bits & 0xff);
  }
  const rest = digits % 4;
  if (rest === 1 || (padding > 0 && (padding > 2 || rest + padding !== 4))) throw notBase64(text.length);
  if (rest === 2) out.add((bits >> 4) & 0xff);
  if (rest === 3) {
    out.add((bits >> 10) & 0xff);
    out.add((bits >> 2) & 0xff);
  }
  return out.text;
}

function digitOf(code: number): number {
  if (code >= 0x41 && code <= 0x5a) return code - 0x41;
  if (code >= 0x61 && code <= 0x7a) return code - 0x61 + 26;
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 52;
  return code === 0x2b ? 62 : code === 0x2f ? 63 : -1;
}

function notBase64(at: number): DOMException {
  return new DOMException(`atob: what stands at ${at} is no Base64`, 'InvalidCharacterError');
}

/** A text, character by character. */
class Codes {
  #text = '';
  #codes: number[] = [];

  add(code: number): void {
    append(this.#codes, code);
    if (this.#codes.length === CODES_PER_CALL) this.#flush();
  }

  get text(): string {
    this.#flush();
    return this.#text;
  }

  #flush(): void {
    this.#text += apply(fromCharCode, undefined, this.#codes) as string;
    this.#codes = [];
  }
}
