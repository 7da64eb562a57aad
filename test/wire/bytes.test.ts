import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const truncated = expect.objectContaining({ code: 'E_TRUNCATED', blame: 'peer' });

function utf8(hex: string): string {
  const bytes = fromHex(hex);
  return new ByteReader(bytes).utf8(bytes.length);
}

describe('reading', () => {
  test('numbers are big-endian unless the name says otherwise', () => {
    const reader = new ByteReader(fromHex('ff 8001 800001 80000001 01000080 bff0000000000000'));
    expect([reader.u8(), reader.u16(), reader.u24(), reader.u32(), reader.u32le(), reader.f64()]).toEqual([
      0xff, 0x8001, 0x800001, 0x80000001, 0x80000001, -1,
    ]);
    expect(reader.remaining).toBe(0);
  });

  test('nothing is read past the end, and the position stays', () => {
    const reader = new ByteReader(fromHex('00 01 02 03'), 1, 3);
    expect(() => reader.u24()).toThrow(truncated);
    expect(() => reader.take(3)).toThrow(truncated);
    expect(() => reader.skip(3)).toThrow(truncated);
    expect(() => reader.utf8(3)).toThrow(truncated);
    expect(reader.u16()).toBe(0x0102);
    expect(() => reader.peek()).toThrow(truncated);
  });

  test('a look at the next byte does not move', () => {
    const reader = new ByteReader(fromHex('07'));
    expect([reader.peek(), reader.u8()]).toEqual([7, 7]);
  });
});

describe('writing', () => {
  test('numbers are big-endian unless the name says otherwise', () => {
    const writer = new ByteWriter(1);
    writer.u8(0x1ff);
    writer.u16(0x8001);
    writer.u24(0x800001);
    writer.u32(0x80000001);
    writer.u32(-1);
    writer.u32le(0x80000001);
    writer.f64(-1);
    expect(toHex(writer.view)).toBe(
      toHex(fromHex('ff 8001 800001 80000001 ffffffff 01000080 bff0000000000000')),
    );
  });

  test('a number written early can be corrected', () => {
    const writer = new ByteWriter(1);
    writer.u32(0);
    writer.bytes(fromHex('aa'));
    writer.setU32(0, 0xfffffffe);
    expect(toHex(writer.copy())).toBe('fffffffeaa');
    writer.truncate(2);
    expect(toHex(writer.view)).toBe('ffff');
  });

  const short = [
    { name: 'ASCII', text: 'abc', hex: '0003 616263' },
    { name: 'nothing', text: '', hex: '0000' },
    { name: 'accents after ASCII', text: 'né', hex: '0003 6ec3a9' },
  ];
  for (const { name, text, hex } of short) {
    test(`${name} is written with its length`, () => {
      const writer = new ByteWriter(1);
      expect(writer.utf8Short(text)).toBe(true);
      expect(toHex(writer.view)).toBe(toHex(fromHex(hex)));
    });
  }

  test('text over 65535 bytes has no short form, and leaves no trace', () => {
    const writer = new ByteWriter(1);
    expect(writer.utf8Short('x'.repeat(65536))).toBe(false);
    expect(writer.utf8Short('é'.repeat(32768))).toBe(false);
    expect(writer.ascii('naïve')).toBe(false);
    expect(writer.length).toBe(0);
    expect(writer.utf8Short('é'.repeat(32767))).toBe(true);
    expect(writer.length).toBe(2 + 65534);
  });
});

describe('UTF-8', () => {
  const platform = new TextDecoder('utf-8', { ignoreBOM: true });

  test('every code point survives a round trip', () => {
    for (let code = 0; code < 0x110000; code += code < 0x3000 ? 1 : 251) {
      if (code >= 0xd800 && code < 0xe000) continue;
      const text = `a${String.fromCodePoint(code)}b`;
      const writer = new ByteWriter();
      writer.utf8(text);
      expect(new ByteReader(writer.view).utf8(writer.length)).toBe(text);
    }
  });

  const invalid = [
    'e9',
    '63616665 e9 20 617574',
    'c0af',
    'eda080',
    'f4908080',
    'f09f8e',
    'e28261',
    '80',
    'fe ff',
    'c3',
  ];
  for (const hex of invalid) {
    test(`${hex} is replaced as a browser does`, () => expect(utf8(hex)).toBe(platform.decode(fromHex(hex))));
  }

  test('text of any length, with any byte in it, is what a browser reads', () => {
    let state = 7;
    for (let i = 0; i < 3000; i++) {
      const bytes = Uint8Array.from({ length: i % 600 }, () => {
        state = (Math.imul(state, 1103515245) + 12345) | 0;
        const byte = (state >>> 16) & 0xff;
        return i % 2 === 0 ? byte & 0x7f : byte;
      });
      const expected = platform.decode(bytes);
      const reader = new ByteReader(bytes);
      expect(reader.utf8(bytes.length)).toBe(expected);
      reader.position = 0;
      expect(reader.name(bytes.length)).toBe(expected);
    }
  });

  test('names that share a slot, or come twice, are never mistaken for each other', () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5000; i++) {
        const name = `key${i}`;
        const writer = new ByteWriter();
        writer.utf8(name);
        expect(new ByteReader(writer.view).name(writer.length)).toBe(name);
      }
    }
    expect(utf8('c3a9')).toBe('é');
    expect(new ByteReader(fromHex('e9')).name(1)).toBe('\ufffd');
  });
});
