import { expect, test } from 'vitest';
import { ApartWalk, walkAmf0 } from '../../wire/amf-walk.ts';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { writeU29 } from '../../wire/amf3.ts';
import { ByteWriter } from '../../wire/bytes.ts';
import { fromHex } from '../support/vectors.ts';

const refused = expect.objectContaining({ code: 'E_AMF', blame: 'peer' });

test('the values at the top are counted', () => {
  expect(walkAmf0(new Uint8Array(0))).toBe(0);
  expect(walkAmf0(encodeAmf0(['call', 1, null, { a: [1, 2, 3] }]))).toBe(4);
});

test('only the bytes between start and end are looked at', () => {
  expect(walkAmf0(fromHex('ff 05 06 ff'), 1, 3)).toBe(2);
  expect(() => walkAmf0(fromHex('02 0004 61626364'), 0, 5)).toThrow(
    expect.objectContaining({ code: 'E_TRUNCATED' }),
  );
});

test('values that lie apart share their tables, and say whether they stand alone', () => {
  const object = { name: 'x', list: [1] };
  const body = encodeAmf0([object, 'between', [object, object], 5, object]);
  const walk = new ApartWalk(body);
  const first = walk.value(0, body.length);
  expect([walk.isAlone, walk.hasReferences, walk.hasAmf3]).toEqual([true, false, false]);
  const between = walk.value(first, body.length);
  const list = walk.value(between, body.length);
  expect([walk.isAlone, walk.hasReferences]).toEqual([false, true]);
  walk.value(list, body.length);
  expect([walk.isAlone, walk.hasReferences]).toEqual([true, false]);
  expect(() => walk.value(0, 5)).toThrow(expect.objectContaining({ code: 'E_TRUNCATED' }));
  const later = encodeAmf0([[], object, object]);
  expect(() => new ApartWalk(later).value(later.length - 3, later.length)).toThrow(refused);
  const amf3 = encodeAmf0([Uint8Array.of(1)]);
  const other = new ApartWalk(amf3);
  expect(other.value(0, amf3.length)).toBe(amf3.length);
  expect(other.hasAmf3).toBe(true);
});

test('limits are those it is given', () => {
  const body = encodeAmf0([[[null]]]);
  expect(walkAmf0(body, 0, body.length, { depth: 2, values: 3 })).toBe(1);
  expect(() => walkAmf0(body, 0, body.length, { depth: 1, values: 3 })).toThrow(refused);
  expect(() => walkAmf0(body, 0, body.length, { depth: 2, values: 2 })).toThrow(refused);
});

test('a walk leaves nothing behind for the next', () => {
  expect(() => walkAmf0(fromHex('11 0a 13 01 03 61 04 01 0a 00000001 ff'))).toThrow(refused);
  for (const hex of ['07 0000', '11 06 00', '11 09 00', '11 0a 01'])
    expect(() => walkAmf0(fromHex(hex))).toThrow(refused);
});

test('a message may have more AMF3 strings and traits than any before it', () => {
  const classes = 4000;
  const writer = new ByteWriter();
  writer.u8(0x11);
  writer.u8(0x09);
  writeU29(writer, ((classes + 2) << 1) | 1);
  writer.u8(0x01);
  for (let i = 0; i < classes; i++) {
    writer.u24(0x0a0309); // An object without members, of a class with four letters.
    writer.utf8((0x1000 + i).toString(16));
  }
  for (const index of [0, classes - 1]) {
    writer.u8(0x0a);
    writeU29(writer, (index << 2) | 1);
  }
  expect(walkAmf0(writer.view)).toBe(1);
});
