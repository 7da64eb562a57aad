import { expect, test } from 'vitest';
import * as pagePrimordials from '../../client/page/primordials.ts';
import * as pageUtf8 from '../../client/page/utf8.ts';
import * as primordials from '../../wire/primordials.ts';
import * as utf8 from '../../wire/utf8.ts';

test('what pages have in the place of wire/primordials.ts has the same names', () => {
  expect(Object.keys(pagePrimordials).sort()).toEqual(Object.keys(primordials).sort());
  // What the compiler has to say of it is said here.
  const { keysOf, part, define, append, typedArrayName, bytesOfView } = pagePrimordials satisfies Partial<
    Record<keyof typeof primordials, unknown>
  >;
  const bytes = Uint8Array.of(1, 2, 3, 4);
  expect(part(bytes, 1, 3)).toEqual(primordials.part(bytes, 1, 3));
  const list = [1];
  append(list, 2);
  expect(list).toEqual([1, 2]);
  const object = {};
  define(object, '__proto__', 1);
  expect(keysOf(object)).toEqual(['__proto__']);
  for (const value of [bytes, new Float64Array(1), new DataView(bytes.buffer), 'x', null, {}])
    expect(typedArrayName(value)).toBe(primordials.typedArrayName(value));
  const view = new DataView(bytes.buffer, 1, 2);
  expect(bytesOfView(view)).toEqual(primordials.bytesOfView(view));
});

const texts = ['', 'ascii', 'ä€𝄞', '\ufeffbom', '\0', 'lone \ud800 half', '\udc00', 'x'.repeat(1000)];
test.each(texts)('%j is encoded and decoded alike', (text) => {
  expect(pageUtf8.utf8Length(text)).toBe(utf8.utf8Length(text));
  const [a, b] = [new Uint8Array(utf8.utf8Length(text) + 2), new Uint8Array(utf8.utf8Length(text) + 2)];
  utf8.encodeUtf8(text, a, 1);
  pageUtf8.encodeUtf8(text, b, 1);
  expect(b).toEqual(a);
  expect(pageUtf8.decodeUtf8(a, 1, a.length - 1)).toBe(utf8.decodeUtf8(a, 1, a.length - 1));
});

test('bytes that are no text are replaced alike', () => {
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed;
  };
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from(
      { length: next() % 12 },
      () => [0x41, 0xc3, 0xa4, 0xe2, 0x82, 0xf0, 0x9d, 0xff][next() % 8]!,
    );
    expect(pageUtf8.decodeUtf8(bytes, 0, bytes.length)).toBe(utf8.decodeUtf8(bytes, 0, bytes.length));
  }
});
