import { describe, expect, test } from 'vitest';
import { Amf0Decoder } from '../../wire/amf0.ts';
import { ByteReader } from '../../wire/bytes.ts';
import { StagewireError } from '../../wire/errors.ts';
import { MessageType } from '../../wire/messages.ts';
import {
  decodeSharedObject,
  encodeSharedObject,
  type SharedObjectEvent,
  SharedObjectEventType,
  type SharedObjectMessage,
} from '../../wire/shared-object.ts';
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
      if (value !== undefined) expect(decoded((event as { value: Uint8Array }).value)).toBe(value.v);
      expect(toHex(encodeSharedObject(MessageType.SharedObjectAmf0, chat([event!])))).toBe(bare(head + hex));
    });
  }
});

describe('messages', () => {
  const answer = `${head} 0b 00000000 08 00000000 04 0000000c 0001 6e 00 4014000000000000`;
  const content: SharedObjectMessage = chat([
    { type: SharedObjectEventType.UseSuccess },
    { type: SharedObjectEventType.Clear },
    { type: SharedObjectEventType.Change, key: 'n', value: fromHex('00 4014000000000000') },
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

  test('keep handler and arguments of a send as they came', () => {
    const values = '02 0003 736179 02 0002 6869';
    expect(eventsOf(`06 0000000b ${values}`)).toEqual([
      { type: SharedObjectEventType.Send, values: fromHex(values) },
    ]);
  });
});

describe('what is forgiven', () => {
  test('several pairs in one event become several events', () => {
    const pairs = '0001 61 02 0001 78 0001 62 11 06 03 79 0001 63 05';
    expect(eventsOf(`03 00000012 ${pairs}`)).toEqual([
      { type: SharedObjectEventType.RequestChange, key: 'a', value: fromHex('02 0001 78') },
      { type: SharedObjectEventType.RequestChange, key: 'b', value: fromHex('11 06 03 79') },
      { type: SharedObjectEventType.RequestChange, key: 'c', value: fromHex('05') },
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

  test('a value that cannot be walked reaches to the end of its event', () => {
    // A reference to an object that an earlier value of the message brought.
    expect(eventsOf('03 00000006 0001 61 07 0000')).toEqual([
      { type: SharedObjectEventType.RequestChange, key: 'a', value: fromHex('07 0000') },
    ]);
  });
});

describe('what is refused', () => {
  const truncated = expect.objectContaining({ code: 'E_TRUNCATED', blame: 'peer' });

  for (const [name, hex] of [
    ['an event longer than its message', '03 0000000c 0001'],
    ['a head of an event that is cut off', '03 0000'],
    ['a key longer than its event', '0a 00000003 0005 61'],
    ['a change without a value', '03 00000003 0001 61'],
  ] as const) {
    test(`${name} is blamed on the peer`, () => {
      expect(() => eventsOf(hex)).toThrow(truncated);
    });
  }

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

function chat(events: SharedObjectEvent[]): SharedObjectMessage {
  return { name: 'chat', version: 3, isPersistent: false, events };
}

function eventsOf(hex: string): SharedObjectEvent[] {
  return decodeSharedObject(MessageType.SharedObjectAmf0, fromHex(head + hex)).events;
}

function decoded(value: Uint8Array): unknown {
  return new Amf0Decoder(new ByteReader(value)).value();
}

function bare(hex: string): string {
  return hex.replaceAll(' ', '');
}
