import { expect, test } from 'vitest';
import { walkAmf0 } from '../../wire/amf-walk.ts';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { Amf3Decoder, Amf3Encoder, readU29, writeU29 } from '../../wire/amf3.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { StagewireError } from '../../wire/errors.ts';
import { AMF_LIMITS, type AmfValue } from '../../wire/values.ts';
import { portrait, type Tagged, valuesOf } from '../support/amf-values.ts';
import { fromHex, loadVectors, toHex, type Vector, vectorBytes } from '../support/vectors.ts';

interface AmfVector extends Vector {
  readonly values: readonly Tagged[];
  readonly byteExactReencode?: boolean | null;
}

/** What is written instead where JavaScript values say less than the bytes they came from. */
const writtenInstead: Record<string, string> = {
  // Integer keys come first, in ascending order.
  'amf0-aadb449a00': '0300023132010100023432020007 54657374696e67 000009',
  'amf3-c6defbb91e': '0a0b01 053132 03 053432 060f54657374696e67 01',
  // A Date has no fractions of a millisecond.
  'amf0-f9e3f72af9': '0b4271fe86ca35a0000000',
  // Unsupported is undefined.
  'amf0-9b4a337d6f': '06',
  // A long string that is not long.
  'amf0-a0b58940b6': '020003666f6f',
  // An ECMA array with the keys 0 and 1 is a list.
  'amf0-e29caa4911': '0a00000002 02000568656c6c6f 020005776f726c64',
  // A double that is an integer.
  'amf3-b32a00d4e5': '04ffffff85',
};

for (const vector of loadVectors<AmfVector>('amf0')) {
  const bytes = vectorBytes(vector);

  test(`AMF0 ${vector.name} decodes (${vector.id})`, () => {
    const values = decodeAmf0(bytes);
    expect(portrait(values)).toBe(portrait(valuesOf(vector.values, 0)));
    expect(walkAmf0(bytes)).toBe(vector.values.length);
    expect(portrait(decodeAmf0(encodeAmf0(values)))).toBe(portrait(values));
  });

  if (vector.byteExactReencode !== true) continue;
  test(`AMF0 ${vector.name} encodes to the same bytes (${vector.id})`, () => {
    const instead = writtenInstead[vector.id];
    const expected =
      instead === undefined ? withTrueCounts(toHex(bytes), vector.values) : toHex(fromHex(instead));
    expect(toHex(encodeAmf0(decodeAmf0(bytes)))).toBe(expected);
  });
}

for (const vector of loadVectors<AmfVector>('amf3')) {
  const bytes = vectorBytes(vector);

  if (vector.values.some((value) => 'opaque' in value)) {
    test(`AMF3 ${vector.name} is refused: nobody knows the class (${vector.id})`, () => {
      expect(() => decodeAmf3(bytes)).toThrow(expect.objectContaining({ code: 'E_AMF', blame: 'peer' }));
    });
    continue;
  }

  test(`AMF3 ${vector.name} decodes (${vector.id})`, () => {
    const values = decodeAmf3(bytes);
    expect(portrait(values)).toBe(portrait(valuesOf(vector.values, 3)));
    expect(portrait(decodeAmf3(encodeAmf3(values)))).toBe(portrait(values));
  });

  // Wrappers are not put back, and sealed members become dynamic ones.
  if (/"dynamic":false|"sealed":\[\[|"externalizable"/.test(JSON.stringify(vector.values))) continue;
  test(`AMF3 ${vector.name} encodes to the same bytes (${vector.id})`, () => {
    const expected = toHex(fromHex(writtenInstead[vector.id] ?? toHex(bytes)));
    expect(toHex(encodeAmf3(decodeAmf3(bytes)))).toBe(expected);
  });
}

for (const { name, hex, value } of loadVectors<Vector & { value: number }>('u29')) {
  test(`AMF3 integer ${name} survives a round trip`, () => {
    expect(readU29(new ByteReader(fromHex(hex!)))).toBe(value);
    const writer = new ByteWriter();
    writeU29(writer, value);
    expect(toHex(writer.view)).toBe(hex);
  });
}

for (const vector of loadVectors<Vector & { amf: number; reason: string; lenient?: boolean }>(
  'amf-invalid',
)) {
  const bytes = vectorBytes(vector);

  test(`AMF${vector.amf} ${vector.name} is refused: ${vector.reason}`, () => {
    const refusal = { code: vector.lenient ? 'E_TRUNCATED' : 'E_AMF', blame: 'peer' };
    const decode = vector.amf === 0 ? decodeAmf0 : decodeAmf3;
    expect(() => decode(bytes)).toThrow(expect.objectContaining(refusal));
    if (vector.amf === 0) expect(() => walkAmf0(bytes)).toThrow(expect.objectContaining(refusal));
  });

  if (vector.lenient !== true) continue;
  test(`AMF${vector.amf} ${vector.name} is accepted where a missing end is tolerated`, () => {
    const values = decodeAmf0(bytes, AMF_LIMITS, { lenientEnd: true });
    expect(walkAmf0(bytes, 0, bytes.length, AMF_LIMITS, true)).toBe(values.length);
    expect(Object.keys(values.at(-1) as object)).not.toHaveLength(0);
  });
}

for (const vector of loadVectors<Vector & { target: string }>('fuzz')) {
  if (vector.target !== 'AMF0 value list') continue;

  test(`fuzz input ${vector.name} is decoded or refused`, () => {
    const bytes = vectorBytes(vector);
    let refusal: unknown;
    try {
      decodeAmf0(bytes);
    } catch (error) {
      refusal = error;
      expect(error).toBeInstanceOf(StagewireError);
    }
    if (refusal === undefined) walkAmf0(bytes);
    else
      expect(() => walkAmf0(bytes)).toThrow(
        expect.objectContaining({ code: (refusal as StagewireError).code }),
      );
  });
}

/** Counts of ECMA arrays are hints, in captures often 0; what is written is how many properties there are. */
function withTrueCounts(hex: string, values: readonly Tagged[]): string {
  let result = hex;
  let from = 0;
  const visit = (tagged: Tagged): void => {
    if (tagged.t === 'ecmaArray') {
      const [firstKey] = tagged.v[0]!;
      const key = toHex(encodeAmf0([firstKey])).slice(2);
      const at = result.indexOf(`08${count(tagged.count)}${key}`, from);
      expect(at).toBeGreaterThanOrEqual(0);
      result = `${result.slice(0, at + 2)}${count(tagged.v.length)}${result.slice(at + 10)}`;
      from = at + 10;
    }
    if (!('v' in tagged) || !Array.isArray(tagged.v)) return;
    for (const item of tagged.v as unknown[]) visit((Array.isArray(item) ? item[1] : item) as Tagged);
  };
  for (const value of values) visit(value);
  return result;
}

function count(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function decodeAmf3(bytes: Uint8Array): AmfValue[] {
  const reader = new ByteReader(bytes);
  const decoder = new Amf3Decoder(reader);
  const values: AmfValue[] = [];
  while (reader.remaining > 0) values.push(decoder.value());
  return values;
}

function encodeAmf3(values: readonly AmfValue[]): Uint8Array {
  const writer = new ByteWriter();
  const encoder = new Amf3Encoder(writer);
  for (const value of values) encoder.value(value);
  return writer.copy();
}
