import { describe, expect, test } from 'vitest';
import { ChunkReader, defaultChunkLimits } from '../../../host/rtmp/chunk-reader.ts';
import {
  ChunkStreamId,
  ChunkWriter,
  serializedLength,
  serializeInto,
  serializeMessage,
} from '../../../host/rtmp/chunk-writer.ts';
import { controlMessage, encodeSetChunkSize, MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { loadVectors, type Vector } from '../../support/vectors.ts';

const cases = [
  {
    name: 'a control message',
    message: controlMessage(MessageType.WindowAckSize, bytes('002625a0')),
    csid: 2,
    hex: '02 000000 000004 05 00000000 002625a0',
  },
  {
    name: 'a header of every field',
    message: { type: 4, streamId: 15, timestamp: 3, payload: bytes('0000000000') },
    csid: 2,
    hex: '02 000003 000005 04 0f000000 0000000000',
  },
  {
    name: 'an extended timestamp',
    message: { type: 3, streamId: 45, timestamp: 16777216, payload: bytes('01') },
    csid: 34,
    hex: '22 ffffff 000001 03 2d000000 01000000 01',
  },
  {
    name: 'the largest timestamp that is not extended',
    message: { type: 9, streamId: 1, timestamp: 0xfffffe, payload: bytes('') },
    csid: 6,
    hex: '06 fffffe 000000 09 01000000',
  },
  {
    name: 'the smallest timestamp that is',
    message: { type: 9, streamId: 1, timestamp: 0xffffff, payload: bytes('') },
    csid: 6,
    hex: '06 ffffff 000000 09 01000000 00ffffff',
  },
  {
    name: 'an id of two bytes',
    message: { type: 9, streamId: 1, timestamp: 0, payload: bytes('00') },
    csid: 319,
    hex: '00ff 000000 000001 09 01000000 00',
  },
  {
    name: 'an id of three bytes',
    message: { type: 9, streamId: 1, timestamp: 0, payload: bytes('00') },
    csid: 320,
    hex: '010001 000000 000001 09 01000000 00',
  },
];

for (const { name, message, csid, hex } of cases) {
  test(`${name} is written to the byte`, () => {
    expect(serializeMessage(message, csid, 128).toString('hex')).toBe(hex.replaceAll(' ', ''));
  });
}

interface MessageVector extends Vector {
  hex: string;
  message: { csid: number; timestamp: number; type: number; msid: number; hex: string };
}

for (const { name, hex, message } of loadVectors<MessageVector>('messages')) {
  test(`the captured message "${name}" is written to the byte`, () => {
    const { csid, timestamp, type, msid } = message;
    const written = serializeMessage(
      { type, streamId: msid, timestamp, payload: bytes(message.hex) },
      csid,
      128,
    );
    expect(written.toString('hex')).toBe(hex);
  });
}

test('continuations repeat an extended timestamp and open no message', () => {
  const message = { type: 9, streamId: 1, timestamp: 0x01020304, payload: bytes('0a0b0c0d0e') };
  expect(serializeMessage(message, 6, 2).toString('hex')).toBe(
    '06ffffff0000050901000000010203040a0bc6010203040c0dc6010203040e',
  );
});

test('many messages fit into one target one after the other', () => {
  const message = { type: 8, streamId: 1, timestamp: 5, payload: bytes('0102') };
  const length = serializedLength(message, 4, 1);
  const target = Buffer.alloc(2 * length);
  expect(serializeInto(target, 0, message, 4, 1)).toBe(length);
  expect(serializeInto(target, length, message, 4, 1)).toBe(2 * length);
  expect(target.subarray(length)).toEqual(target.subarray(0, length));
});

test('a writer grows, hands over what it has and begins anew', () => {
  const writer = new ChunkWriter(16);
  writer.writeMessage(
    controlMessage(MessageType.SetChunkSize, encodeSetChunkSize(4096)),
    ChunkStreamId.Control,
  );
  writer.chunkBytes = 4096;
  const large = { type: 20, streamId: 0, timestamp: 0, payload: new Uint8Array(3000).fill(7) };
  writer.writeMessage(large, ChunkStreamId.Command);
  const first = writer.take();
  expect(first).toHaveLength(16 + 12 + 3000);
  expect(writer.length).toBe(0);

  writer.writeMessage({ ...large, payload: new Uint8Array(3000).fill(8) }, ChunkStreamId.Command);
  expect(first.at(-1)).toBe(7);
  expect(writer.take()).toHaveLength(3012);
});

describe('what is written is read again', () => {
  for (const chunkBytes of [1, 128, 4096, 65536]) {
    test(`in chunks of ${chunkBytes} bytes`, () => {
      const random = seeded(chunkBytes);
      const stamps = [0, 0xffffff, 2 ** 31, 2 ** 32 - 3];
      const types = [8, 9, 15, 16, 17, 18, 19, 20, 22];
      const csids = [3, 4, 5, 6, 63, 64, 319, 320, 65599];
      const sizes = [0, 1, 2, 3, 4, 5, 127, 128, 129, 256, 4095, 4096, 4097, 70_000];

      const written: (RtmpMessage & { csid: number })[] = [];
      const writer = new ChunkWriter();
      writer.writeMessage(controlMessage(MessageType.SetChunkSize, encodeSetChunkSize(chunkBytes)), 2);
      writer.chunkBytes = chunkBytes;
      for (let count = 0; count < 200; count++) {
        const payload = Uint8Array.from({ length: sizes[random(sizes.length)]! }, () => random(256));
        const message = {
          type: types[random(types.length)]!,
          streamId: random(2 ** 32),
          timestamp: (stamps[random(stamps.length)]! + random(7)) % 2 ** 32,
          payload,
        };
        const csid = csids[random(csids.length)]!;
        written.push({ ...message, csid });
        writer.writeMessage(message, csid);
      }

      const output = writer.take();
      for (const longest of [1, 33, 5000, output.length]) {
        const read: (RtmpMessage & { csid: number })[] = [];
        const reader = new ChunkReader({ ...defaultChunkLimits }, (message, csid) =>
          read.push({ ...message, csid }),
        );
        for (let at = 0; at < output.length; at += longest) reader.push(output.subarray(at, at + longest));
        expect(Buffer.from(read.shift()!.payload).readUInt32BE()).toBe(chunkBytes);
        expect(read.map(plain)).toEqual(written.map(plain));
        expect(reader.bufferedBytes).toBe(0);
        expect(reader.pushedBytes).toBe(output.length);
      }
    });
  }
});

/** Comparing hex is faster than comparing arrays. */
function plain({ payload, ...rest }: RtmpMessage) {
  return { ...rest, hex: Buffer.from(payload).toString('hex') };
}

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

function seeded(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
