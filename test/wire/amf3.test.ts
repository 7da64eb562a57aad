import { describe, expect, test } from 'vitest';
import { Amf3Decoder, Amf3Encoder, flexWrappers, readU29, writeU29 } from '../../wire/amf3.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { type AmfObject, type AmfValue, EcmaArray, TypedObject } from '../../wire/values.ts';
import { portrait } from '../support/amf-values.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const refused = expect.objectContaining({ code: 'E_AMF', blame: 'peer' });
const truncated = expect.objectContaining({ code: 'E_TRUNCATED', blame: 'peer' });

function decode(hex: string): AmfValue[] {
  const reader = new ByteReader(fromHex(hex));
  const decoder = new Amf3Decoder(reader);
  const values: AmfValue[] = [];
  while (reader.remaining > 0) values.push(decoder.value());
  return values;
}

function encode(...values: unknown[]): string {
  const writer = new ByteWriter();
  const encoder = new Amf3Encoder(writer);
  for (const value of values) encoder.value(value);
  return toHex(writer.view);
}

function nameHex(text: string): string {
  return encode(text).slice(2);
}

describe('29-bit integers', () => {
  const cases = [
    { value: 0, hex: '00' },
    { value: 0x7f, hex: '7f' },
    { value: 0x80, hex: '8100' },
    { value: 0x3fff, hex: 'ff7f' },
    { value: 0x4000, hex: '818000' },
    { value: 0x1fffff, hex: 'ffff7f' },
    { value: 0x200000, hex: '80c08000' },
    { value: 0x1fffffff, hex: 'ffffffff' },
  ];
  for (const { value, hex } of cases) {
    test(`0x${value.toString(16)} survives a round trip`, () => {
      const writer = new ByteWriter();
      writeU29(writer, value);
      expect(toHex(writer.view)).toBe(hex);
      expect(readU29(new ByteReader(fromHex(hex)))).toBe(value);
    });
  }

  const numbers = [
    { value: -1, hex: '04ffffffff' },
    { value: 2 ** 28 - 1, hex: '04bfffffff' },
    { value: -(2 ** 28), hex: '04c0808000' },
    { value: 2 ** 28, hex: '0541b0000000000000' },
    { value: -(2 ** 28) - 1, hex: '05c1b0000001000000' },
    { value: -0, hex: '058000000000000000' },
  ];
  for (const { value, hex } of numbers) {
    test(`${Object.is(value, -0) ? '-0' : value} is written as ${hex.startsWith('04') ? 'an integer' : 'a double'}`, () => {
      expect(encode(value)).toBe(hex);
      expect(decode(hex)[0]).toBe(value);
    });
  }
});

describe('decoding', () => {
  const wrapper = nameHex(flexWrappers[0]!);
  const cases = [
    {
      name: 'sealed members, then dynamic ones',
      hex: '0a 1b 03 41 03 61 04 01 03 62 04 02 01',
      value: '[A{"a":1,"b":2}]',
    },
    { name: 'traits referred to', hex: '0a 13 01 03 61 04 01 0a 01 04 02', value: '[{"a":1},{"a":2}]' },
    { name: 'an object that contains itself', hex: '0a 0b 01 03 61 0a 00 01', value: '[{"a":#1}]' },
    { name: 'an array of names', hex: '09 01 03 61 04 01 01', value: '[EcmaArray{"a":1}]' },
    {
      name: 'an array of names and items',
      hex: '09 03 03 61 04 01 01 04 02',
      value: '[EcmaArray{"0":2,"a":1}]',
    },
    {
      name: 'an array with a length of its own',
      hex: '09 01 0d 6c656e677468 04 7f 01',
      value: '[EcmaArray{"length":127}]',
    },
    { name: 'a dictionary', hex: '11 03 00 09 01 01 06 03 61', value: '[Map{[]=>"a"}]' },
    {
      name: 'a vector of objects by reference',
      hex: '10 03 01 01 0a 0b 01 01 10 00',
      value: '[Vector<>[{}],#1]',
    },
    { name: 'a wrapper as what it holds', hex: `0a 07 ${wrapper} 09 03 01 04 01 0a 00`, value: '[[1],#1]' },
    { name: 'a wrapper of a wrapper', hex: `0a 07 ${wrapper} 0a 01 09 03 01 0a 00`, value: '[[#1]]' },
    { name: 'a wrapper that holds only itself', hex: `0a 07 ${wrapper} 0a 00`, value: '[undefined]' },
    { name: 'one class name for two objects', hex: '0a 0b 03 41 01 0a 0b 00 01', value: '[A{},A{}]' },
    { name: 'a long form of the empty string', hex: '06 8001', value: '[""]' },
  ];
  for (const { name, hex, value } of cases) {
    test(`takes ${name}`, () => expect(portrait(decode(hex))).toBe(value));
  }

  const refusals = [
    { name: 'an unknown marker', hex: '12', reason: refused },
    { name: 'a string that is not in the table', hex: '06 00', reason: refused },
    { name: 'the empty string referred to', hex: '06 01 06 00', reason: refused },
    { name: 'an object that is not in the table', hex: '09 00', reason: refused },
    { name: 'traits that are not in the table', hex: '0a 01', reason: refused },
    { name: 'a class that reads its own bytes', hex: '0a 07 03 41 00', reason: refused },
    { name: 'more sealed members than bytes', hex: '0a f3 7f 01', reason: refused },
    { name: 'more items than bytes', hex: '09 7f 01 01', reason: refused },
    { name: 'a vector longer than the message', hex: '0f 05 00 00', reason: truncated },
    { name: 'an object without an end', hex: '0a 0b 01 03 61 01', reason: truncated },
    { name: 'half an integer', hex: '04 ff', reason: truncated },
  ];
  for (const { name, hex, reason } of refusals) {
    test(`refuses ${name}`, () => expect(() => decode(hex)).toThrow(reason as Error));
  }

  test('bytes are memory of their own', () => {
    const source = fromHex('0c 03 07');
    const bytes = new Amf3Decoder(new ByteReader(source)).value() as Uint8Array;
    source[2] = 0;
    expect(bytes).toEqual(Uint8Array.of(7));
  });
});

describe('encoding', () => {
  const date = new Date(5);
  const cases: { name: string; values: unknown[]; hex: string }[] = [
    {
      name: 'strings and keys share a table',
      values: [{ a: 'a' }, 'a'],
      hex: '0a 0b 01 03 61 06 00 01 06 00',
    },
    { name: 'traits are written once', values: [{}, {}], hex: '0a 0b 01 01 0a 01 01' },
    {
      name: 'each class has traits',
      values: [new TypedObject('A'), {}, new TypedObject('A')],
      hex: '0a 0b 03 41 01 0a 0b 01 01 0a 01 01',
    },
    { name: 'repeated dates are references', values: [date, date], hex: '08 01 4014000000000000 08 00' },
    {
      name: 'the empty key is dropped',
      values: [{ '': 1 }, new EcmaArray({ '': 1, a: 2 })],
      hex: '0a 0b 01 01 09 01 03 61 04 02 01',
    },
    {
      name: 'the first indexes of an ECMA array are dense',
      values: [new EcmaArray({ 0: 5, 2: 6, a: 7 })],
      hex: '09 03 03 32 04 06 03 61 04 07 01 04 05',
    },
    { name: 'methods are skipped', values: [{ call() {} }], hex: '0a 0b 01 01' },
    { name: 'a lone surrogate is U+FFFD', values: ['\udc00'], hex: '06 07 efbfbd' },
  ];
  for (const { name, values, hex } of cases) {
    test(name, () => expect(encode(...values)).toBe(toHex(fromHex(hex))));
  }

  test('graphs of everything survive a round trip', () => {
    const root: AmfObject = { text: 'x'.repeat(70000), short: 'é'.repeat(40), bytes: Uint8Array.of(1) };
    root.map = new Map<AmfValue, AmfValue>([
      [root, root.bytes],
      [[root], new Date(1)],
    ]);
    expect(portrait(decode(encode(root)))).toBe(portrait([root]));
  });

  test('what cannot be sent is named with its place', () => {
    expect(() => encode({ a: [1n] })).toThrow(
      expect.objectContaining({
        code: 'E_AMF_ENCODE',
        blame: 'app',
        message: 'cannot send a bigint (at a.0)',
      }),
    );
  });
});
