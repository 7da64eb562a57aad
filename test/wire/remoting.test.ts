import { expect, test } from 'vitest';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { decodePacket, encodePacket } from '../../wire/remoting.ts';
import { classNameOf } from '../../wire/values.ts';
import { fromHex, loadVectors, toHex, vectorBytes } from '../support/vectors.ts';

/** Written by hand from the AMF 0 specification, section 4: version, headers, bodies, each with the length of its value. */
const call = [
  '0000',
  '0001',
  '000b 43726564656e7469616c73 00 00000010', // Credentials, need not be understood, 16 bytes
  '03 0006 757365726964 02 0001 61 000009', // { userid: 'a' }
  '0001',
  '0008 6d6174682e616464 0002 2f31 00000017', // math.add, /1, 23 bytes
  '0a 00000002 00 3ff0000000000000 00 4000000000000000', // [1, 2]
].join('');

test('a call with a header is written as the specification has it', () => {
  const headers = [{ name: 'Credentials', mustUnderstand: false, value: encodeAmf0([{ userid: 'a' }]) }];
  const bodies = [{ target: 'math.add', response: '/1', value: encodeAmf0([[1, 2]]) }];
  expect(toHex(encodePacket({ version: 0, headers, bodies }))).toBe(call.replaceAll(' ', ''));
});

test('and is read', () => {
  expect(decodePacket(fromHex(call))).toEqual({
    version: 0,
    headers: [{ name: 'Credentials', mustUnderstand: false, value: { userid: 'a' } }],
    bodies: [{ target: 'math.add', response: '/1', value: [1, 2] }],
  });
});

const answer = (value: string, length = 'ffffffff') =>
  `0000 0000 0001 000b 2f312f6f6e526573756c74 0004 6e756c6c ${length} ${value}`;
const read = (hex: string) => decodePacket(fromHex(hex)).bodies[0]!.value;

test.each([
  ['of a length that is not known', answer('02 0002 6f6b'), 'ok'],
  ['of a length that is wrong', answer('02 0002 6f6b', '00000001'), 'ok'],
  ['with something behind it, as scripts of pages leave it', `${answer('02 0002 6f6b')} 0d0a`, 'ok'],
  ['of a server', answer('05').replace('0000', '0001'), null],
  ['of one that speaks AMF3', answer('11 06 05 6f6b').replace('0000', '0003'), 'ok'],
])('an answer %s is read', (_, hex, value) => {
  expect(read(hex)).toEqual(value);
});

test('each value has references of its own', () => {
  const body = '0001 61 0001 62 ffffffff 0a 00000002 03 000009 07 0001';
  const { bodies } = decodePacket(fromHex(`0000 0000 0002 ${body} ${body}`));
  for (const { value } of bodies) {
    const [one, other] = value as object[];
    expect(one).toBe(other);
  }
  expect(bodies[0]!.value).not.toBe(bodies[1]!.value);
  // The first object of the second value is no entry of its table yet.
  const early = '0001 61 0001 62 ffffffff 07 0000';
  expect(() => decodePacket(fromHex(`0000 0000 0002 ${body} ${early}`))).toThrow(
    expect.objectContaining({ code: 'E_AMF', message: expect.stringContaining('reference to entry 0 of 0') }),
  );
});

const refused: [string, string, string, string | RegExp][] = [
  ['nothing', '', 'E_TRUNCATED', /needed 2 bytes, 0 left/],
  ['a page', '3c68746d6c3e', 'E_AMF', 'AMF packet of version 15464 at byte 0'],
  ['a header that ends early', '0000 0001 0001', 'E_TRUNCATED', /needed 1 bytes, 0 left/],
  ['fewer bodies than it says', '0000 0000 0002 0001 61 0001 62 00000001 05', 'E_TRUNCATED', /needed/],
  ['more bodies than anybody calls', '0000 0000 ffff', 'E_AMF', '65535 bodies in a packet at byte 4'],
  ['more headers', '0000 03e9', 'E_AMF', '1001 headers in a packet at byte 2'],
  ['a value that is none', answer('ee'), 'E_AMF', /unexpected AMF0 marker 0xee/],
  ['a list that is not there', answer('0a 7fffffff'), 'E_AMF', /count 2147483647 with 0 bytes left/],
];

test.each(refused)('%s is refused', (_, hex, code, message) => {
  expect(() => decodePacket(fromHex(hex))).toThrow(
    expect.objectContaining({ code, blame: 'peer', message: expect.stringMatching(message) }),
  );
});

test('the limits of values hold', () => {
  const deep = answer('0a 00000001 0a 00000001 05');
  expect(() => decodePacket(fromHex(deep), { depth: 1, values: 9 })).toThrow('nested deeper than 1');
  expect(() => decodePacket(fromHex(deep), { depth: 9, values: 2 })).toThrow('more than 2 values');
  // They are those of all bodies together.
  const body = '0001 61 0001 62 ffffffff 0a 00000001 05';
  const two = fromHex(`0000 0000 0002 ${body} ${body}`);
  expect(decodePacket(two, { depth: 1, values: 4 }).bodies.map(({ value }) => value)).toEqual([
    [null],
    [null],
  ]);
  expect(() => decodePacket(two, { depth: 1, values: 3 })).toThrow('more than 3 values');
});

test('a packet cut anywhere is truncated, and never read', () => {
  const whole = fromHex(call);
  for (let end = 0; end < whole.length; end++)
    expect(() => decodePacket(whole.subarray(0, end)), `${end} bytes`).toThrow(
      /\d+ (bytes )?left|with \d+ bytes left/,
    );
});

test("whatever bytes are changed, it is read or refused as a peer's fault", () => {
  const whole = fromHex(call);
  let refusals = 0;
  for (let at = 0; at < whole.length; at++) {
    for (const byte of [0x00, 0x01, 0x07, 0x0a, 0x10, 0x11, 0x7f, 0xff]) {
      const bytes = whole.slice();
      bytes[at] = byte;
      try {
        decodePacket(bytes);
      } catch (error) {
        refusals++;
        expect(error, `${at}: ${byte}`).toMatchObject({ blame: 'peer' });
      }
    }
  }
  expect(refusals).toBeGreaterThan(50);
});

test('a name that does not fit is the fault of who sends it', () => {
  const bodies = [{ target: 'x'.repeat(65536), response: '/1', value: encodeAmf0([[]]) }];
  expect(() => encodePacket({ version: 0, headers: [], bodies })).toThrow(
    expect.objectContaining({ code: 'E_AMF_ENCODE', blame: 'app' }),
  );
});

/** Values of captured packets, whose framing is ours. */
const captured = loadVectors('amf0').filter(({ name }) => name.startsWith('AMF0ContextTestCase'));

test('there are captured values', () => expect(captured.length).toBeGreaterThan(2));

test.each(captured.map((vector) => [vector.id, vector] as const))(
  'the captured value %s is read',
  (_, vector) => {
    const value = vectorBytes(vector);
    const bodies = [{ target: '/1/onResult', response: 'null', value }];
    const headers = [{ name: 'Session', mustUnderstand: true, value }];
    const packet = decodePacket(encodePacket({ version: 3, headers, bodies }));
    expect(packet.headers[0]).toMatchObject({ name: 'Session', mustUnderstand: true });
    expect(packet.bodies[0]!.value).toEqual(packet.headers[0]!.value);
  },
);

test('a typed object keeps its name', () => {
  const value = read(answer('10 0009 5265636f7264536574 000009'));
  expect(classNameOf(value as object)).toBe('RecordSet');
});
