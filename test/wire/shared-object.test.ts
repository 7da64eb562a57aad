import { describe, expect, test } from 'vitest';
import { Amf0Encoder, encodeAmf0 } from '../../wire/amf0.ts';
import { Amf3Encoder } from '../../wire/amf3.ts';
import { ByteWriter } from '../../wire/bytes.ts';
import { StagewireError } from '../../wire/errors.ts';
import { MessageType } from '../../wire/messages.ts';
import {
  decodeSharedObject,
  encodeSharedObject,
  type SharedObjectEvent,
  SharedObjectEventType,
  type SharedObjectMessage,
} from '../../wire/shared-object.ts';
import { inAmf0, readSharedValue, type SharedValue, sharedValueOf } from '../../wire/shared-values.ts';
import type { AmfValue } from '../../wire/values.ts';
import { fromHex, loadVectors, toHex, type Vector } from '../support/vectors.ts';

interface EventVector extends Vector {
  hex: string;
  expected: {
    type: number;
    key?: string;
    code?: string;
    level?: string;
    number?: number;
    value?: { t: string; v: unknown };
  };
}

const vectors = loadVectors<EventVector>('shared-object-events');

/** "chat", version 3, temporary. */
const head = '0004 63686174 00000003 00000000 00000000';

describe('captured events', () => {
  for (const { name, hex, expected } of vectors) {
    test(`${name} survives a round trip`, () => {
      const [event] = eventsOf(hex);
      const { number, value, type, key, code, level } = expected;
      const fields = JSON.parse(JSON.stringify({ type, key, code, level, version: number }));
      expect(event).toMatchObject(fields);
      if (value !== undefined) expect(readSharedValue((event as { value: SharedValue }).value)).toBe(value.v);
      expect(toHex(encodeSharedObject(MessageType.SharedObjectAmf0, chat([event!])))).toBe(bare(head + hex));
    });
  }
});

describe('messages', () => {
  const answer = `${head} 0b 00000000 08 00000000 04 0000000c 0001 6e 00 4014000000000000`;
  const content: SharedObjectMessage = chat([
    { type: SharedObjectEventType.UseSuccess },
    { type: SharedObjectEventType.Clear },
    { type: SharedObjectEventType.Change, key: 'n', value: plain('00 4014000000000000') },
  ]);

  test('survive a round trip', () => {
    expect(decodeSharedObject(MessageType.SharedObjectAmf0, fromHex(answer))).toEqual(content);
    expect(toHex(encodeSharedObject(MessageType.SharedObjectAmf0, content))).toBe(bare(answer));
  });

  test('of type 16 have a selector in front, which may say anything and is written as 0', () => {
    const type = MessageType.SharedObjectAmf3;
    expect(decodeSharedObject(type, fromHex(`00 ${answer}`))).toEqual(content);
    expect(decodeSharedObject(type, fromHex(`03 ${answer}`))).toEqual(content);
    expect(toHex(encodeSharedObject(type, content))).toBe(bare(`00 ${answer}`));
  });

  test('are persistent by one bit, whatever the others say', () => {
    const flagged = (flags: string) => {
      const body = fromHex(`0001 61 00000000 ${flags} 12345678 01 00000000`);
      return decodeSharedObject(MessageType.SharedObjectAmf0, body).isPersistent;
    };
    expect(flagged('00000002')).toBe(true);
    expect(flagged('00000032')).toBe(true);
    expect(flagged('00000030')).toBe(false);
    const persistent = { ...chat([]), isPersistent: true };
    expect(toHex(encodeSharedObject(MessageType.SharedObjectAmf0, persistent))).toBe(
      bare('0004 63686174 00000003 00000002 00000000'),
    );
  });

  test('say by another bit that they come from a proxy, or go to one', () => {
    const read = (flags: string) =>
      decodeSharedObject(19, fromHex(`0001 61 00000000 ${flags} 00000000 01 00000000`));
    expect(read('00000010').isProxy).toBe(true);
    expect(read('00000012')).toMatchObject({ isProxy: true, isPersistent: true });
    expect(read('00000022').isProxy).toBe(false);
    const written = encodeSharedObject(19, { ...chat([]), isProxy: true });
    expect(decodeSharedObject(19, written)).toMatchObject({ ...chat([]), isProxy: true });
    expect(toHex(encodeSharedObject(19, chat([])))).toBe(bare(head));
  });

  test('keep handler and arguments of a send as they came', () => {
    const values = '02 0003 736179 02 0002 6869';
    expect(eventsOf(`06 0000000b ${values}`)).toEqual([
      { type: SharedObjectEventType.Send, values: [plain('02 0003 736179'), plain('02 0002 6869')] },
    ]);
  });
});

describe('what is forgiven', () => {
  test('several pairs in one event become several events', () => {
    const pairs = '0001 61 02 0001 78 0001 62 11 06 03 79 0001 63 05';
    expect(eventsOf(`03 00000012 ${pairs}`)).toEqual([
      { type: SharedObjectEventType.RequestChange, key: 'a', value: plain('02 0001 78') },
      {
        type: SharedObjectEventType.RequestChange,
        key: 'b',
        value: { ...plain('11 06 03 79'), hasAmf3: true },
      },
      { type: SharedObjectEventType.RequestChange, key: 'c', value: plain('05') },
    ]);
  });

  test('surplus bytes and unknown events are passed over by their length', () => {
    expect(eventsOf('0a 00000005 0001 61 ffff 63 00000002 abcd 08 00000001 00')).toEqual([
      { type: SharedObjectEventType.RequestRemove, key: 'a' },
      { type: 'unknown', event: 0x63, data: fromHex('abcd') },
      { type: SharedObjectEventType.Clear },
    ]);
    expect(eventsOf('03 00000006 0001 61 05 ffff')).toHaveLength(1);
  });
});

describe('values that refer to others of their message', () => {
  const shared = { deep: [1, 2] };
  const both = (encoding: 0 | 3) => {
    const [first, second] = [{ shared }, [shared, shared]];
    const writer = new ByteWriter();
    const encoder = encoding === 0 ? new Amf0Encoder(writer) : new Amf3Encoder(writer);
    const ends = [first, second].map((value) => {
      if (encoding === 3) writer.u8(0x11);
      encoder.value(value);
      return writer.length;
    });
    const bytes = writer.copy();
    return [bytes.subarray(0, ends[0]), bytes.subarray(ends[0]!)] as const;
  };
  /** Two changes, each in an event of its own. */
  const messageOf = (...values: Uint8Array[]) =>
    values.map((value) => `03 ${hex32(value.length + 3)} 0001 6b ${toHex(value)}`).join('');

  test.each([0, 3] as const)('are taken out with what they refer to, in AMF%i', (encoding) => {
    const [first, second] = both(encoding);
    const [a, b] = eventsOf(messageOf(first, second)).map((event) => (event as { value: SharedValue }).value);
    expect(a!.bytes).toEqual(first); // as it came
    expect(b!.bytes).not.toEqual(second);
    expect([a!.hasAmf3, b!.hasAmf3]).toEqual([encoding === 3, encoding === 3]);
    expect(readSharedValue(a!)).toEqual({ shared });
    const list = readSharedValue(b!) as AmfValue[];
    expect(list).toEqual([shared, shared]);
    expect(list[0]).toBe(list[1]);
  });

  test.each([0, 3] as const)('go into one message in AMF%i so that it reads as they were', (encoding) => {
    const loop: { name: string; self?: unknown } = { name: 'loop' };
    loop.self = loop;
    const values = [{ a: 1 }, loop, [shared, shared]].map((value) => sharedValueOf(value, encoding));
    expect(values.map(({ hasReferences }) => hasReferences)).toEqual([false, true, true]);
    const type = encoding === 3 ? MessageType.SharedObjectAmf3 : MessageType.SharedObjectAmf0;
    const events = values.map((value) => ({ type: SharedObjectEventType.Change, key: 'k', value }));
    const body = encodeSharedObject(type, chat(events));
    const read = decodeSharedObject(type, body).events.map((event) =>
      readSharedValue((event as { value: SharedValue }).value),
    ) as [object, { self: unknown }, AmfValue[]];
    expect(read[0]).toEqual({ a: 1 });
    expect(read[1].self).toBe(read[1]);
    expect(read[2]).toEqual([shared, shared]);
    expect(read[2][0]).toBe(read[2][1]);
  });

  test('a value that came first keeps its bytes, references and all', () => {
    const value = sharedValueOf([shared, shared], 0);
    const [event] = eventsOf(messageOf(value.bytes));
    expect((event as { value: SharedValue }).value).toEqual(value);
    const again = encodeSharedObject(MessageType.SharedObjectAmf0, chat([event!]));
    expect(Buffer.from(again).includes(value.bytes)).toBe(true);
  });

  test('have a bound: few references stand for many copies', () => {
    const writer = new ByteWriter();
    const encoder = new Amf0Encoder(writer);
    const large = { text: 'x'.repeat(60_000) };
    const values = Array.from({ length: 50 }, () => {
      const start = writer.length;
      encoder.value(large);
      return writer.copy().subarray(start);
    });
    expect(values[1]).toHaveLength(3);
    const read = (count: number) => eventsOf(messageOf(...values.slice(0, count)));
    expect(read(10)).toHaveLength(10);
    expect(() => read(50)).toThrow(expect.objectContaining({ code: 'E_TOO_LONG', blame: 'peer' }));
  });

  test('AMF3 becomes AMF0 where it can', () => {
    const value = sharedValueOf({ n: 5, list: ['x', 'x'] }, 3);
    const low = inAmf0(value);
    expect([value.hasAmf3, low.hasAmf3]).toEqual([true, false]);
    expect(low.bytes).toEqual(encodeAmf0([{ n: 5, list: ['x', 'x'] }]));
    expect(inAmf0(low)).toBe(low);
    expect(inAmf0(sharedValueOf(Uint8Array.of(1), 3)).hasAmf3).toBe(true); // AMF0 has no bytes
    const text = 'x'.repeat(1000);
    const many = sharedValueOf(
      Array.from({ length: 5000 }, () => text),
      3,
    );
    expect(many.bytes.length).toBeLessThan(20_000);
    expect(() => inAmf0(many)).toThrow(expect.objectContaining({ code: 'E_TOO_LONG' }));
  });
});

describe('what is refused', () => {
  const truncated = expect.objectContaining({ code: 'E_TRUNCATED', blame: 'peer' });

  for (const [name, hex] of [
    ['an event longer than its message', '03 0000000c 0001'],
    ['a head of an event that is cut off', '03 0000'],
    ['a key longer than its event', '0a 00000003 0005 61'],
    ['a change without a value', '03 00000003 0001 61'],
    ['an event that begins where the message ends', '08 00000001'],
  ] as const) {
    test(`${name} is blamed on the peer`, () => {
      expect(() => eventsOf(hex)).toThrow(truncated);
    });
  }

  for (const [name, hex] of [
    ['a reference to nothing', '03 00000006 0001 61 07 0000'],
    ['an unknown marker', '03 00000004 0001 61 ff'],
    ['a second pair that is malformed', '03 0000000b 0001 61 05 0001 62 0a 00000009'],
    ['an argument that is malformed', '06 00000008 02 0001 68 0a 00000009'],
    ['more events than anybody sends', '08 00000000'.repeat(5000)],
    ['values without end', `03 00000104 0001 61 ${'0a 00000001'.repeat(50)}`],
  ] as const) {
    test(`${name} is blamed on the peer`, () => {
      const code = expect.stringMatching(/^E_AMF$|^E_TRUNCATED$/);
      expect(() => eventsOf(hex)).toThrow(expect.objectContaining({ code, blame: 'peer' }));
    });
  }

  test('limits are of all values together', () => {
    const two = '03 00000004 0001 61 05'.repeat(2);
    const read = (values: number) => decodeSharedObject(19, fromHex(head + two), { depth: 4, values });
    expect(read(2).events).toHaveLength(2);
    expect(() => read(1)).toThrow(expect.objectContaining({ code: 'E_AMF' }));
  });

  test('names of more than 1024 bytes are, before they are read', () => {
    const hex = `0a 00000403 0401 ${'61'.repeat(0x401)}`;
    const long = expect.objectContaining({ code: 'E_TOO_LONG', blame: 'peer' });
    expect(() => eventsOf(hex)).toThrow(long);
    expect(eventsOf(hex.replace('0403 0401 61', '0402 0400'))).toHaveLength(1);
    expect(() =>
      decodeSharedObject(MessageType.SharedObjectAmf0, fromHex(`0401${'61'.repeat(0x401)}`)),
    ).toThrow(long);
  });

  test('a truncated head is blamed on the peer', () => {
    const bytes = fromHex(head);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSharedObject(MessageType.SharedObjectAmf0, bytes.subarray(0, length))).toThrow(
        truncated,
      );
    }
  });

  test('a key that does not fit is blamed on the application', () => {
    const event: SharedObjectEvent = { type: SharedObjectEventType.Remove, key: 'k'.repeat(65_536) };
    expect(() => encodeSharedObject(MessageType.SharedObjectAmf0, chat([event]))).toThrow(
      expect.objectContaining({ code: 'E_SHARED_OBJECT_TEXT', blame: 'app' }),
    );
  });

  test('mutated messages are read or refused', () => {
    const all = fromHex(head + vectors.map(({ hex }) => hex).join(''));
    let state = 5;
    for (let round = 0; round < 10_000; round++) {
      const bytes = all.slice(0, all.length - (round % 50));
      for (let count = round % 5; count > 0; count--) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        bytes[(state >>> 8) % bytes.length] = state >>> 24;
      }
      try {
        decodeSharedObject(round % 2 === 0 ? 19 : 16, bytes);
      } catch (error) {
        if (!(error instanceof StagewireError) || error.blame !== 'peer') throw error;
      }
    }
  });
});

function chat(events: readonly SharedObjectEvent[]): SharedObjectMessage {
  return { name: 'chat', version: 3, isPersistent: false, isProxy: false, events };
}

function eventsOf(hex: string): readonly SharedObjectEvent[] {
  return decodeSharedObject(MessageType.SharedObjectAmf0, fromHex(head + hex)).events;
}

function plain(hex: string): SharedValue {
  return { bytes: fromHex(hex), hasReferences: false, hasAmf3: false };
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function bare(hex: string): string {
  return hex.replaceAll(' ', '');
}
