import { describe, expect, test } from 'vitest';
import { decodeAmf0 } from '../../wire/amf0.ts';
import { StagewireError } from '../../wire/errors.ts';
import { parseVideoHead } from '../../wire/media-head.ts';
import * as messages from '../../wire/messages.ts';
import { type RtmpMessage, splitAggregate } from '../../wire/messages.ts';
import {
  decodeUserControl,
  encodeUserControl,
  type UserControl,
  UserControlType,
} from '../../wire/user-control.ts';
import { type Tagged, valuesOf } from '../support/amf-values.ts';
import { fromHex, loadVectors, toHex, type Vector } from '../support/vectors.ts';

const { MessageType } = messages;

interface MessageVector extends Vector {
  message: { type: number; hex: string };
  decoded: { kind: string; amf0?: Tagged[]; [field: string]: unknown };
}

interface StreamVector extends Vector {
  messages: { type: number; hex: string | null; amf0?: Tagged[] }[];
}

const vectors = loadVectors<MessageVector>('messages');

describe('captured messages', () => {
  for (const { name, message, decoded } of vectors) {
    const payload = fromHex(message.hex);
    const { kind } = decoded;

    if (kind === 'acknowledgement') {
      test(`${name} survives a round trip`, () => {
        expect(messages.decodeAcknowledgement(payload)).toBe(decoded.sequence);
        expect(messages.encodeAcknowledgement(decoded.sequence as number)).toEqual(payload);
      });
    } else if (kind === 'abort') {
      test(`${name} survives a round trip`, () => {
        expect(messages.decodeAbort(payload)).toBe(decoded.csid);
        expect(messages.encodeAbort(decoded.csid as number)).toEqual(payload);
      });
    } else if (kind === 'setChunkSize') {
      test(`${name} survives a round trip`, () => {
        expect(messages.decodeSetChunkSize(payload)).toBe(decoded.size);
        expect(messages.encodeSetChunkSize(decoded.size as number)).toEqual(payload);
      });
    } else if (kind === 'userControl') {
      test(`${name} survives a round trip`, () => {
        const { event, streamId, bufferMs, time } = decoded;
        const control = decodeUserControl(payload);
        expect(control).toMatchObject(
          JSON.parse(JSON.stringify({ type: event, streamId, bufferMs, sentAt: time })),
        );
        // Those with an empty body come back with stream 0.
        if (payload.length > 2) expect(encodeUserControl(control)).toEqual(payload);
      });
    }
  }
});

describe('AMF values of captured messages', () => {
  for (const { name, message, decoded } of vectors) {
    if (decoded.amf0 === undefined) continue;
    test(`those of ${name} are read`, () => {
      const payload = fromHex(message.hex);
      const body = decoded.kind === 'video' ? parseVideoHead(payload)!.data : payload;
      expect(decodeAmf0(body)).toEqual(valuesOf(decoded.amf0!, 0));
    });
  }

  for (const { name, id, messages: sent } of loadVectors<StreamVector>('chunk-streams')) {
    const withValues = sent.filter(({ amf0 }) => amf0 !== undefined);
    if (withValues.length === 0) continue;
    test(`those of ${name} (${id}) are read`, () => {
      for (const { type, hex, amf0 } of withValues) {
        const payload = fromHex(hex!);
        // The AMF3 forms have a selector in front.
        const body =
          type >= MessageType.DataAmf3 && type <= MessageType.CommandAmf3 ? payload.subarray(1) : payload;
        expect(decodeAmf0(body)).toEqual(valuesOf(amf0!, 0));
      }
    });
  }
});

describe('user control events', () => {
  const cases: { name: string; hex: string; event: UserControl }[] = [
    { name: 'stream begin', hex: '000000000001', event: { type: UserControlType.StreamBegin, streamId: 1 } },
    {
      name: 'a ping stamped past 2^31',
      hex: '0006ffffffff',
      event: { type: UserControlType.PingRequest, sentAt: 0xffffffff },
    },
    {
      name: 'a buffer length',
      hex: '00030000000102255100',
      event: { type: UserControlType.SetBufferLength, streamId: 1, bufferMs: 36_000_000 },
    },
    { name: 'a request to verify', hex: '001a', event: { type: UserControlType.SwfVerifyRequest } },
    {
      name: 'a verification',
      hex: '001b0101',
      event: { type: UserControlType.SwfVerifyResponse, data: fromHex('0101') },
    },
    { name: 'buffer empty', hex: '001f00000001', event: { type: UserControlType.BufferEmpty, streamId: 1 } },
    {
      name: 'a reserved event with a short body',
      hex: '0005ff',
      event: { type: 'unknown', event: 5, data: fromHex('ff') },
    },
    {
      name: 'an event above 255',
      hex: '0100',
      event: { type: 'unknown', event: 256, data: fromHex('') },
    },
  ];

  for (const { name, hex, event } of cases) {
    test(`${name} survives a round trip`, () => {
      expect(decodeUserControl(fromHex(hex))).toEqual(event);
      expect(toHex(encodeUserControl(event))).toBe(hex);
    });
  }

  test('a truncated ping is blamed on the peer', () => {
    expect(() => decodeUserControl(fromHex('0006ff'))).toThrow(peerError('E_TRUNCATED'));
  });
});

describe('control messages', () => {
  test('a chunk size of 0 is refused and bit 31 is ignored', () => {
    expect(() => messages.decodeSetChunkSize(fromHex('00000000'))).toThrow(peerError('E_CHUNK_SIZE'));
    expect(() => messages.decodeSetChunkSize(fromHex('80000000'))).toThrow(peerError('E_CHUNK_SIZE'));
    expect(messages.decodeSetChunkSize(fromHex('80001000'))).toBe(4096);
    expect(messages.decodeSetChunkSize(fromHex('7fffffff'))).toBe(0x7fffffff);
  });

  test('an acknowledgement writes the low 32 bits of its count', () => {
    expect(toHex(messages.encodeAcknowledgement(2 ** 32 + 5))).toBe('00000005');
    expect(toHex(messages.encodeAcknowledgement(2 ** 32 - 1))).toBe('ffffffff');
  });

  test('window and bandwidth survive a round trip', () => {
    expect(messages.decodeWindowAckSize(messages.encodeWindowAckSize(2_500_000))).toBe(2_500_000);
    const bandwidth = { windowBytes: 2_500_000, limit: messages.PeerBandwidthLimit.Dynamic };
    expect(toHex(messages.encodeSetPeerBandwidth(bandwidth))).toBe('002625a002');
    expect(messages.decodeSetPeerBandwidth(fromHex('002625a002'))).toEqual(bandwidth);
    expect(messages.decodeSetPeerBandwidth(fromHex('002625a0')).limit).toBe(messages.PeerBandwidthLimit.Hard);
  });

  test('truncated ones are blamed on the peer', () => {
    const short = fromHex('000000');
    for (const decode of [
      messages.decodeSetChunkSize,
      messages.decodeAbort,
      messages.decodeAcknowledgement,
      messages.decodeWindowAckSize,
      messages.decodeSetPeerBandwidth,
    ]) {
      expect(() => decode(short)).toThrow(peerError('E_TRUNCATED'));
    }
  });

  test('types are sorted into media, control and unknown', () => {
    const numbers = Array.from({ length: 24 }, (_, type) => type);
    expect(numbers.filter(messages.isMediaType)).toEqual([8, 9, 22]);
    expect(numbers.filter(messages.isControlType)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(numbers.filter((type) => !messages.isKnownType(type))).toEqual([0, 7, 10, 11, 12, 13, 14, 21, 23]);
  });
});

describe('aggregates', () => {
  const audio = '08 000002 000064 00 000000 af01 0000000d';
  const video = '09 000001 000078 00 000007 27 00000000';

  test('are split with the times and the stream of the whole, whatever the back pointers say', () => {
    expect(split(audio + video, 1000)).toEqual([
      { type: 8, streamId: 5, timestamp: 1000, hex: 'af01' },
      { type: 9, streamId: 5, timestamp: 1020, hex: '27' },
    ]);
  });

  test('keep their steps over the wrap of 2^32 and of their own 32 bits', () => {
    const late = '08 000000 fffff0 ff 000000 0000000b';
    const early = '08 000000 000010 00 000000 0000000b';
    expect(split(late + early, 0xfffffff8).map(({ timestamp }) => timestamp)).toEqual([0xfffffff8, 0x18]);
    expect(split(early + late, 0).map(({ timestamp }) => timestamp)).toEqual([0, 0xffffffe0]);
  });

  test('lose a truncated last element, but not its last back pointer', () => {
    expect(split(`${audio}09 000002 000078 00 000007 27`, 0)).toHaveLength(1);
    expect(split(`${audio}09 000002 00`, 0)).toHaveLength(1);
    expect(split(`${audio}09 000001 000078 00 000007 27`, 0)).toHaveLength(2);
    expect(split('', 0)).toEqual([]);
  });

  test('lose elements that are neither media nor data', () => {
    expect(split(`14 000001 000064 00 000000 00 0000000c${audio}`, 0)).toHaveLength(1);
  });

  test('inside one another end the connection', () => {
    expect(() => split(`${audio}16 000000 000064 00 000000 0000000b`, 0)).toThrow(
      peerError('E_AGGREGATE_NESTED'),
    );
  });

  test('survive a round trip', () => {
    const inside: RtmpMessage[] = [
      { type: 9, streamId: 5, timestamp: 0x12345678, payload: fromHex('1700') },
      { type: 18, streamId: 5, timestamp: 0x12345679, payload: fromHex('') },
    ];
    const payload = messages.encodeAggregate(inside);
    const whole = { type: MessageType.Aggregate, streamId: 5, timestamp: 0x12345678, payload };
    expect([...splitAggregate(whole)]).toEqual(inside);
  });

  test('of random bytes are split or refused', () => {
    let state = 1;
    for (let round = 0; round < 2000; round++) {
      const payload = Uint8Array.from({ length: round % 97 }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return (state >>> 16) & (round % 2 === 0 ? 0xff : 0x1f);
      });
      try {
        for (const { payload: part } of splitAggregate({ type: 22, streamId: 1, timestamp: 0, payload })) {
          expect(part.length).toBeLessThan(97);
        }
      } catch (error) {
        if (!(error instanceof StagewireError)) throw error;
      }
    }
  });
});

function split(hex: string, timestamp: number) {
  const aggregate = { type: MessageType.Aggregate, streamId: 5, timestamp, payload: fromHex(hex) };
  return Array.from(splitAggregate(aggregate), ({ payload, ...rest }) => ({ ...rest, hex: toHex(payload) }));
}

function peerError(code: string) {
  return expect.objectContaining({ code, blame: 'peer' });
}
