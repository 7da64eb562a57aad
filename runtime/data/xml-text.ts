import { charCodeAt, findIn, fromCharCode, sliceOf } from '../shared.ts';

const ENTITIES = {
  __proto__: null,
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
} as unknown as Readonly<Record<string, string>>;

export function escapeXml(text: string): string {
  let escaped = '';
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const entity = entityOf(charCodeAt(text, i));
    if (entity === '') continue;
    escaped += sliceOf(text, start, i) + entity;
    start = i + 1;
  }
  return start === 0 ? text : escaped + sliceOf(text, start);
}

function entityOf(code: number): string {
  switch (code) {
    case 38:
      return '&amp;';
    case 60:
      return '&lt;';
    case 62:
      return '&gt;';
    case 34:
      return '&quot;';
    case 39:
      return '&apos;';
    default:
      return '';
  }
}

/** The longest is `&#1114111;`. */
const LONGEST_ENTITY = 10;

/** What no entity is stays as it is. */
export function unescapeXml(text: string): string {
  let plain = '';
  let start = 0;
  for (;;) {
    const at = findIn(text, '&', start);
    if (at < 0) return start === 0 ? text : plain + sliceOf(text, start);
    const end = findIn(sliceOf(text, at, at + LONGEST_ENTITY), ';', 0);
    const character = end < 2 ? undefined : characterOf(sliceOf(text, at + 1, at + end));
    plain += sliceOf(text, start, at) + (character ?? '&');
    start = character === undefined ? at + 1 : at + end + 1;
  }
}

function characterOf(name: string): string | undefined {
  if (name[0] !== '#') return ENTITIES[name];
  const isHex = name.length > 1 && (charCodeAt(name, 1) | 32) === 120;
  const base = isHex ? 16 : 10;
  let code = 0;
  const first = isHex ? 2 : 1;
  if (first >= name.length) return undefined;
  for (let i = first; i < name.length; i++) {
    const digit = digitOf(charCodeAt(name, i));
    if (digit >= base) return undefined;
    code = code * base + digit;
  }
  if (code > 0x10ffff) return undefined;
  if (code < 0x10000) return fromCharCode(code);
  return fromCharCode(0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
}

function digitOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : 99;
}

export function isSpace(code: number): boolean {
  return code === 32 || code === 9 || code === 10 || code === 13;
}

export function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isSpace(charCodeAt(text, i))) return false;
  return true;
}
