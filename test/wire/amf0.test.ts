import { describe, expect, test } from 'vitest';
import { Amf0Decoder, Amf0Encoder, decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import {
  AMF_LIMITS,
  type AmfObject,
  type AmfValue,
  classNameOf,
  EcmaArray,
  ObjectVector,
  TypedObject,
  Xml,
  XmlDocument,
} from '../../wire/values.ts';
import { portrait } from '../support/amf-values.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const refused = expect.objectContaining({ code: 'E_AMF', blame: 'peer' });
const truncated = expect.objectContaining({ code: 'E_TRUNCATED', blame: 'peer' });

function unsendable(message: string | RegExp): unknown {
  return expect.objectContaining({
    code: 'E_AMF_ENCODE',
    blame: 'app',
    message: expect.stringMatching(message),
  });
}

function decode(hex: string): AmfValue {
  return decodeAmf0(fromHex(hex))[0];
}

function encode(...values: unknown[]): string {
  return toHex(encodeAmf0(values));
}

function again(value: unknown): AmfValue {
  return decodeAmf0(encodeAmf0([value]))[0];
}

function nested(depth: number): unknown {
  let value: unknown[] = [];
  for (let i = 1; i < depth; i++) value = [value];
  return value;
}

describe('values survive a round trip', () => {
  const cyclic: AmfObject = { name: 'cycle' };
  cyclic.self = cyclic;
  cyclic.list = [cyclic, [cyclic]];
  const cases: { name: string; value: AmfValue }[] = [
    { name: 'NaN', value: Number.NaN },
    { name: '-0', value: -0 },
    { name: 'the largest number', value: Number.MAX_VALUE },
    { name: 'undefined and null as properties', value: { nothing: undefined, no: null } },
    { name: 'the empty string and the empty key', value: { '': '' } },
    { name: 'a string of 65535 bytes', value: `${'é'.repeat(32767)}x` },
    { name: 'a string of 65536 bytes', value: 'é'.repeat(32768) },
    { name: 'a key of 65535 bytes', value: { ['k'.repeat(65535)]: 1 } },
    { name: 'text beyond the first plane', value: '\u{1f3ac} \u4e2d\u6587 \u00df' },
    { name: 'keys every object inherits', value: JSON.parse('{"__proto__":1,"constructor":2,"toString":3}') },
    { name: 'an object that contains itself', value: cyclic },
    { name: 'a list of lists', value: [[], [1, [2]], []] },
    { name: 'an ECMA array', value: new EcmaArray({ duration: 1.5, 0: 'x' }) },
    { name: 'a typed object', value: new TypedObject('org.Person', { name: 'Ada', friend: null }) },
    { name: 'a date', value: new Date(1234567890123) },
    { name: 'an invalid date', value: new Date(Number.NaN) },
    { name: 'both kinds of XML', value: [new XmlDocument('<a/>'), new Xml('<b/>')] },
    { name: 'bytes', value: { data: Uint8Array.of(0, 1, 255) } },
    {
      name: 'vectors',
      value: [Int32Array.of(-1, 2), Uint32Array.of(2 ** 32 - 1), Float64Array.of(0.5, Number.NaN)],
    },
    {
      name: 'a dictionary with objects as keys',
      value: new Map<AmfValue, AmfValue>([
        [{ id: 1 }, 'one'],
        ['2', [2]],
      ]),
    },
    { name: '64 containers inside each other', value: nested(64) as AmfValue },
  ];

  for (const { name, value } of cases) {
    test(name, () => expect(portrait(again(value))).toBe(portrait(value)));
  }

  test('a vector of objects', () => {
    const vector = new ObjectVector('org.Person');
    vector.push({ name: 'Ada' }, null);
    const copy = again(vector) as ObjectVector;
    expect(portrait(copy)).toBe(portrait(vector));
    expect(copy.map((item) => item)).not.toBeInstanceOf(ObjectVector);
  });

  test('bytes shared by two properties are one object again', () => {
    const shared = Uint8Array.of(1);
    const copy = again({ a: shared, b: shared }) as AmfObject;
    expect(copy.a).toBe(copy.b);
  });
});

describe('decoding', () => {
  const accepted = [
    {
      name: 'an ECMA array without an end, all pairs read',
      hex: '08 00000001 0001 61 05',
      value: '[EcmaArray{"a":null}]',
    },
    { name: 'an ECMA array of nothing at all', hex: '08 00000000', value: '[[]]' },
    {
      name: 'an ECMA array counting too many',
      hex: '08 ffffffff 0001 61 05 000009',
      value: '[EcmaArray{"a":null}]',
    },
    {
      name: 'ECMA keys 0 and 1 as a list',
      hex: '08 00000000 0001 30 05 0001 31 06 000009',
      value: '[[null,undefined]]',
    },
    {
      name: 'ECMA keys 0 and 2 as they are',
      hex: '08 00000000 0001 30 05 0001 32 06 000009',
      value: '[EcmaArray{"0":null,"2":undefined}]',
    },
    {
      name: 'an empty key that does not end the object',
      hex: '03 0000 05 0000 06 000009',
      value: '[{"":undefined}]',
    },
    { name: 'unsupported as undefined', hex: '0d', value: '[undefined]' },
    { name: 'any non-zero boolean as true', hex: '0180', value: '[true]' },
    { name: 'a date with a time zone', hex: '0b 4014000000000000 ff88', value: '[Date(5)]' },
    { name: 'a typed object without a name', hex: '10 0000 0001 61 05 000009', value: '[{"a":null}]' },
    { name: 'Latin-1 instead of UTF-8', hex: '02 0004 63 61 66 e9', value: '["caf\ufffd"]' },
    { name: 'a list that contains itself', hex: '0a 00000001 07 0000', value: '[[#1]]' },
    {
      name: 'an array that contains itself and then has a name',
      hex: '08 00000000 0001 30 07 0000 0001 31 0a 00000001 07 0000 0001 61 07 0000 000009',
      value: '[EcmaArray{"0":#1,"1":[#1],"a":#1}]',
    },
    {
      name: 'AMF3 tables shared by all avmplus values',
      hex: '11 0a 0b 01 03 61 06 05 6869 01 11 06 02 11 0a 00',
      value: '[{"a":"hi"},"hi",#1]',
    },
  ];
  for (const { name, hex, value } of accepted) {
    test(`takes ${name}`, () => expect(portrait(decodeAmf0(fromHex(hex)))).toBe(value));
  }

  const refusals = [
    { name: 'a movie clip', hex: '04', reason: refused },
    { name: 'a record set', hex: '0e', reason: refused },
    { name: 'an end without an object', hex: '09', reason: refused },
    { name: 'an unknown marker', hex: '12', reason: refused },
    { name: 'a reference to what is not there', hex: '0a 00000001 07 0001', reason: refused },
    { name: 'a reference to a date', hex: '0b 4014000000000000 0000 07 0000', reason: refused },
    { name: 'an avmplus object referred to from AMF0', hex: '11 0a 0b 01 01 07 0000', reason: refused },
    { name: 'a list longer than the message', hex: '0a ffffffff 05', reason: refused },
    { name: 'an object without an end', hex: '03 0001 61 05', reason: truncated },
    {
      name: 'an ECMA array without an end, some pairs read',
      hex: '08 00000002 0001 61 05',
      reason: truncated,
    },
    { name: 'half a number', hex: '00 40000000', reason: truncated },
    { name: 'a long string longer than the message', hex: '0c ffffffff 61', reason: truncated },
  ];
  for (const { name, hex, reason } of refusals) {
    test(`refuses ${name}`, () => expect(() => decode(hex)).toThrow(reason as Error));
  }

  test('tells the marker and the place of what it refuses', () => {
    expect(() => decodeAmf0(fromHex('05 05 0e'))).toThrow('unexpected AMF0 marker 0x0e at byte 2');
  });

  test('refuses the 65th container', () => {
    const opened = '0a 00000001'.repeat(64);
    expect(portrait(decode(`${opened} 05`))).toContain('null');
    expect(() => decode(`${opened} 0a 00000000`)).toThrow(refused);
    expect(() => decode(`${opened} 11 0901 01`)).toThrow(refused);
  });

  test('refuses the 65537th value', () => {
    const values = '05'.repeat(65535);
    expect(decode(`0a 0000ffff ${values}`)).toHaveLength(65535);
    expect(() => decode(`0a 00010000 05 ${values}`)).toThrow(refused);
  });

  test('takes no memory for counts that lie', () => {
    const before = process.memoryUsage().rss;
    for (const hex of [
      '0a 00ffffff',
      '11 09 ffffffff 01',
      '11 0d ffffffff 00',
      '11 0c ffffffff',
      '11 11 ffffffff 00',
    ]) {
      expect(() => decode(hex)).toThrow(expect.objectContaining({ blame: 'peer' }));
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  test('never changes a prototype', () => {
    const object = decode('03 0009 5f5f70726f746f5f5f 03 0001 61 05 000009 000009') as AmfObject;
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    expect(Object.keys(object)).toEqual(['__proto__']);
    expect(object.a).toBeUndefined();
  });

  test('gives typed objects their class name beside their properties', () => {
    const object = decode('10 0003 666f6f 0001 61 05 000009') as TypedObject;
    expect(classNameOf(object)).toBe('foo');
    expect(Object.keys(object)).toEqual(['a']);
    expect(classNameOf({})).toBeUndefined();
  });

  test('tolerates a missing end at the top only, and only when asked', () => {
    const bytes = fromHex('03 0001 61 05');
    const inner = fromHex('0a 00000001 03 0001 61 05');
    expect(decodeAmf0(bytes, AMF_LIMITS, { lenientEnd: true })).toEqual([{ a: null }]);
    expect(() => decodeAmf0(inner, AMF_LIMITS, { lenientEnd: true })).toThrow(truncated);
  });

  test('builds registered classes before their properties and completes them after', () => {
    class Person {
      name = '';
      isComplete = false;
    }
    const values = decodeAmf0(
      encodeAmf0([new TypedObject('Person', { name: 'Ada' }), new TypedObject('Other')]),
      AMF_LIMITS,
      {
        classes: {
          create: (name) => (name === 'Person' ? new Person() : undefined),
          complete: (instance) => {
            if (instance instanceof Person) instance.isComplete = instance.name === 'Ada';
          },
        },
      },
    );
    expect(values[0]).toBeInstanceOf(Person);
    expect(values[0]).toEqual({ name: 'Ada', isComplete: true });
    expect(classNameOf(values[1] as object)).toBe('Other');
  });

  test('leaves the reader after the value', () => {
    const reader = new ByteReader(fromHex('02 0001 61 05 ff'));
    const decoder = new Amf0Decoder(reader);
    expect([decoder.value(), decoder.value(), reader.position]).toEqual(['a', null, 5]);
  });
});

describe('encoding', () => {
  const object = { a: 1 };
  const named = Object.assign(['x'], { named: true });
  const cases: { name: string; values: unknown[]; hex: string }[] = [
    { name: 'a function is undefined', values: [() => 1], hex: '06' },
    { name: 'a method is skipped', values: [{ call() {}, a: null }], hex: '03 0001 61 05 000009' },
    { name: 'a function in a list is undefined', values: [[() => 1]], hex: '0a 00000001 06' },
    {
      name: 'an ECMA array counts what is written',
      values: [new EcmaArray({ a: null })],
      hex: '08 00000001 0001 61 05 000009',
    },
    {
      name: 'a list with a named property is an ECMA array',
      values: [named],
      hex: '08 00000002 0001 30 02 0001 78 0005 6e616d6564 0101 000009',
    },
    { name: 'a list with a hole is an ECMA array', values: [new Array(1)], hex: '08 00000000 000009' },
    { name: 'a set is a list', values: [new Set([null])], hex: '0a 00000001 05' },
    {
      name: 'a repeated object is a reference',
      values: [[object, object]],
      hex: '0a 00000002 03 0001 61 00 3ff0000000000000 000009 07 0001',
    },
    {
      name: 'dates do not count for references',
      values: [new Date(5), object, object],
      hex: '0b 4014000000000000 0000 03 0001 61 00 3ff0000000000000 000009 07 0000',
    },
    { name: 'a boxed number is a number', values: [Object(5)], hex: '00 4014000000000000' },
    { name: 'an object without prototype', values: [Object.create(null)], hex: '03 000009' },
    { name: 'inherited properties stay', values: [Object.create({ inherited: 1 })], hex: '03 000009' },
    { name: 'symbols as keys stay', values: [{ [Symbol('hidden')]: 1 }], hex: '03 000009' },
    { name: 'toJSON is not asked', values: [{ toJSON: () => 'no', a: null }], hex: '03 0001 61 05 000009' },
    { name: 'a lone surrogate is U+FFFD', values: ['\ud83c'], hex: '02 0003 efbfbd' },
    { name: 'an ArrayBuffer is bytes', values: [Uint8Array.of(7).buffer], hex: '11 0c 03 07' },
    {
      name: 'a Float32Array is a vector of numbers',
      values: [Float32Array.of(0.5)],
      hex: '11 0f 03 00 3fe0000000000000',
    },
    {
      name: 'integers behind avmplus are short',
      values: [new Map([[1, -1]])],
      hex: '11 11 03 00 04 01 04 ffffffff',
    },
  ];
  for (const { name, values, hex } of cases) {
    test(name, () => expect(encode(...values)).toBe(toHex(fromHex(hex))));
  }

  test('an error is its name, message and own properties', () => {
    const error = Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    expect(again(error)).toEqual({ name: 'RangeError', message: 'too far', code: 'E_FAR' });
  });

  test('the 17th object and those after it are found again', () => {
    const objects = Array.from({ length: 40 }, (_, index) => ({ index }));
    const copy = again([...objects, ...objects]) as AmfValue[];
    for (let i = 0; i < 40; i++) expect(copy[i + 40]).toBe(copy[i]);
  });

  test('what cannot be sent is named with its place', () => {
    expect(() => encode(1n)).toThrow(unsendable(/^cannot send a bigint$/));
    expect(() => encode({ user: { scores: [1, 2n] } })).toThrow(
      unsendable('a bigint \\(at user.scores.1\\)'),
    );
    expect(() => encode([Symbol('x')])).toThrow(unsendable('a symbol \\(at 0\\)'));
    expect(() => encode({ later: Promise.resolve() })).toThrow(
      unsendable('a Promise; await it first \\(at later\\)'),
    );
    expect(() => encode({ ['k'.repeat(65536)]: 1 })).toThrow(unsendable('a property name over 65535 bytes'));
    expect(() => encode(new Map([[{ id: 1n }, 1]]))).toThrow(unsendable('bigint'));
    expect(() => encode({ a: nested(64) })).toThrow(unsendable('nested deeper than 64'));
    expect(() => encode(new Array(65536).fill(null))).toThrow(unsendable('more than 65536 values'));
  });

  test('what a getter throws comes through, and the encoder works again after a reset', () => {
    const writer = new ByteWriter();
    const encoder = new Amf0Encoder(writer);
    const broken = {
      inner: {
        get trouble(): never {
          throw new RangeError('mine');
        },
      },
    };
    expect(() => encoder.value(broken)).toThrow(RangeError);
    writer.truncate(0);
    encoder.reset();
    encoder.value(object);
    encoder.value(object);
    expect(toHex(writer.view)).toBe(toHex(fromHex('03 0001 61 00 3ff0000000000000 000009 07 0000')));
  });

  test('the next message has tables of its own after a reset, AMF3 included', () => {
    const writer = new ByteWriter();
    const encoder = new Amf0Encoder(writer);
    const map = new Map([['key', 'key']]);
    encoder.value(map);
    const first = writer.copy();
    writer.truncate(0);
    encoder.reset();
    encoder.value(map);
    expect(toHex(writer.view)).toBe(toHex(first));
  });

  test('instances carry their registered class name, and opaque ones stay home', () => {
    class Person {
      name = 'Ada';
    }
    class Client {
      secret = 'x';
    }
    const bytes = encodeAmf0([[new Person(), new Client(), new Map([[1, new Person()]])]], {
      classNameOf: (instance) => (instance instanceof Person ? 'org.Person' : undefined),
      isOpaque: (instance) => instance instanceof Client,
    });
    const [person, client, map] = decodeAmf0(bytes)[0] as [TypedObject, undefined, Map<number, TypedObject>];
    expect(classNameOf(person)).toBe('org.Person');
    expect(client).toBeUndefined();
    expect(classNameOf(map.get(1)!)).toBe('org.Person');
  });
});
