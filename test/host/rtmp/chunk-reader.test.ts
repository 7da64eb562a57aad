import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type ChunkLimits, ChunkReader, defaultChunkLimits } from '../../../host/rtmp/chunk-reader.ts';
import { StagewireError } from '../../../wire/errors.ts';
import type { RtmpMessage } from '../../../wire/messages.ts';
import { fromHex, loadVectors, type Vector } from '../../support/vectors.ts';

interface Read extends RtmpMessage {
  csid: number;
}

interface ExpectedMessage {
  csid: number;
  timestamp: number;
  type: number;
  msid: number;
  length: number;
  hex: string | null;
  /** In the place of `hex` for long payloads. */
  sha256?: string;
}

interface StreamVector extends Vector {
  hex: string;
  initialChunkSize: number;
  messages: ExpectedMessage[];
}

interface HeaderVector extends Vector {
  hex: string;
  fmt: number;
  csid: number;
  timestampField: number | null;
  extendedInheritedByFmt3?: boolean;
  length: number | null;
  type: number | null;
  msid: number | null;
  payloadLengthInVector?: number;
}

/**
 * Two vectors expect the stream id big-endian, as the peer project they come from writes it in this one test. The
 * specification, every capture and that project's other tests have it little-endian.
 */
const bigEndianStreamIds = ['chunk-headers-11c7476455', 'chunk-headers-59d3a24b16'];

const streams = loadVectors<StreamVector>('chunk-streams');
const headers = loadVectors<HeaderVector>('chunk-headers');
const invalid = loadVectors<Vector & { hex: string }>('chunk-invalid');
const fuzz = loadVectors<Vector & { hex: string; target: string }>('fuzz').filter(({ target }) =>
  target.includes('chunk'),
);

/** Captures hold whole sessions; what a fresh connection may send is not their subject. */
const wideLimits: ChunkLimits = { ...defaultChunkLimits, maxOtherBytes: 1024 * 1024 };

describe('captured chunk streams', () => {
  for (const vector of streams) {
    const bytes = withChunkSize(vector.initialChunkSize, fromHex(vector.hex));
    const expected = vector.messages.map(({ csid, timestamp, type, msid, hex, sha256 }) => {
      return { csid, timestamp, type, streamId: msid, sha256: sha256 ?? hash(fromHex(hex!)) };
    });
    // Our own Set Chunk Size, where the capture began after one.
    const skipped = vector.initialChunkSize === 128 ? 0 : 1;
    const title = `${vector.name} (${vector.id})`;

    test(`${title} is read in one piece`, () => {
      expect(hashed(readIn([bytes])).slice(skipped)).toEqual(expected);
    });

    test(`${title} is read byte by byte`, () => {
      const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte));
      expect(hashed(readIn(pieces)).slice(skipped)).toEqual(expected);
    });

    test(`${title} is read in random pieces`, () => {
      const random = seeded(bytes.length);
      for (let round = 0; round < 10; round++) {
        const pieces = split(bytes, random, round % 2 === 0 ? 9 : 700);
        expect(hashed(readIn(pieces)).slice(skipped)).toEqual(expected);
      }
    });
  }
});

describe('chunk headers', () => {
  for (const vector of headers) {
    test(`the header "${vector.name}" is read field by field`, () => {
      const header = fromHex(vector.hex);
      const given = vector.payloadLengthInVector ?? 0;
      const length = vector.length ?? 40;
      // The header that the shorter forms inherit from: time 1000, 40 bytes, type 9, stream 7.
      const earlier = vector.extendedInheritedByFmt3
        ? [
            ...basicHeader(0, vector.csid),
            ...fromHex('ffffff000028090700000000000000'),
            ...new Uint8Array(40),
          ]
        : [...basicHeader(0, vector.csid), ...fromHex('0003e80000280907000000'), ...new Uint8Array(40)];
      const inherits = vector.fmt !== 0;
      const bytes = [
        ...fromHex('02000000000004010000000000010000'),
        ...(inherits ? earlier : []),
        ...header,
        ...new Uint8Array(length - given),
      ];

      const messages = readIn([Uint8Array.from(bytes)]);
      expect(messages).toHaveLength(inherits ? 3 : 2);
      const message = messages.at(-1)!;
      const step = vector.timestampField ?? 1000;
      expect({ ...message, payload: message.payload.length }).toEqual({
        csid: vector.csid,
        timestamp: vector.extendedInheritedByFmt3 ? 0 : inherits ? (1000 + step) % 2 ** 32 : step,
        type: vector.type ?? 9,
        streamId: bigEndianStreamIds.includes(vector.id) ? swapped(vector.msid!) : (vector.msid ?? 7),
        payload: length,
      });
    });
  }
});

describe('what is forgiven', () => {
  test('a short header may open a fresh chunk stream, as librtmp does with pings', () => {
    expect(read('42 000000 000006 04 0006 00000001')).toEqual([
      { csid: 2, timestamp: 0, type: 4, streamId: 0, hex: '000600000001' },
    ]);
  });

  test('a full header drops the unfinished message before it', () => {
    const begun = `04 000001 000100 09 01000000 ${'aa'.repeat(128)}`;
    const whole = '04 000002 000002 09 01000000 0102';
    expect(read(begun + whole)).toEqual([{ csid: 4, timestamp: 2, type: 9, streamId: 1, hex: '0102' }]);
  });

  test('a fourth unfinished message ends the connection', () => {
    const begun = `04 000001 000100 09 01000000 ${'aa'.repeat(128)}`;
    expect(read(begun.repeat(4))).toEqual([]);
    expect(() => read(begun.repeat(5))).toThrow(peerError('E_CHUNK_BROKEN'));
  });

  test('a short header repeated inside a message continues it without adding its step twice', () => {
    const first = '04 000064 000001 09 01000000 00';
    const begun = `44 00000a 000081 09 ${'aa'.repeat(128)}`;
    expect(read(`${first}${begun}44 00000a 000081 09 bb`).at(-1)).toEqual({
      csid: 4,
      timestamp: 110,
      type: 9,
      streamId: 1,
      hex: `${'aa'.repeat(128)}bb`,
    });
  });

  test('a short header of another length in an unfinished message ends the connection', () => {
    const begun = `04 000064 000081 09 01000000 ${'aa'.repeat(128)}`;
    expect(() => read(`${begun}44 00000a 000082 09`)).toThrow(peerError('E_CHUNK_HEADER'));
  });

  test('a step near 2^32 goes back in time', () => {
    const first = '04 0003e8 000001 09 01000000 00';
    expect(read(`${first}44 ffffff 000001 09 fffffff6 00`).at(-1)!.timestamp).toBe(990);
  });
});

describe('extended timestamps', () => {
  const message = `04 ffffff 000084 09 01000000 01020304 ${'aa'.repeat(128)}`;
  const payload = `${'aa'.repeat(128)}0b0c0d0e`;
  const cases = [
    { name: 'repeated', hex: 'c4 01020304 0b0c0d0e' },
    { name: 'repeated with bit 31 set', hex: 'c4 81020304 0b0c0d0e' },
    { name: 'left out', hex: 'c4 0b0c0d0e' },
  ];

  for (const { name, hex } of cases) {
    test(`${name} in a continuation are told from payload`, () => {
      expect(read(message + hex)).toEqual([
        { csid: 4, timestamp: 0x01020304, type: 9, streamId: 1, hex: payload },
      ]);
    });
  }

  test('that led to an absolute time may be repeated as that time', () => {
    const first = '04 000001 000001 09 01000000 00';
    const second = `44 ffffff 000081 09 01000000 ${'aa'.repeat(128)} c4 01000001 bb`;
    expect(read(first + second).at(-1)!.hex).toBe(`${'aa'.repeat(128)}bb`);
  });

  test('left out in front of one last byte are not waited for when that byte differs', () => {
    const begun = `04 ffffff 000081 09 01000000 01020304 ${'aa'.repeat(128)}`;
    expect(read(`${begun}c4 02`)).toHaveLength(1);
    expect(read(`${begun}c4 01`)).toHaveLength(0);
    // The next chunk settles it: this one byte was payload.
    expect(read(`${begun}c4 01 42 000000 000006 04 000600000001`)).toHaveLength(2);
  });

  test('in a header without fields that opens a message are a step again', () => {
    const first = '04 000000 000001 09 01000000 00';
    const second = '44 ffffff 000001 09 01000000 00';
    expect(read(`${first}${second}c4 01000000 00`).map(({ timestamp }) => timestamp)).toEqual([
      0, 0x1000000, 0x2000000,
    ]);
  });

  test('in a header without fields that follows a full one may be the absolute time', () => {
    const first = '04 ffffff 000001 09 01000000 01000000 00';
    expect(read(`${first}c4 01000028 00 c4 01000050 00`).map(({ timestamp }) => timestamp)).toEqual([
      0x1000000, 0x1000028, 0x1000050,
    ]);
  });
});

describe('control messages', () => {
  test('a new chunk size holds for the rest of a message that had begun', () => {
    const begun = `04 000000 000100 09 01000000 ${'aa'.repeat(128)}`;
    const change = '02 000000 000004 01 00000000 00000040';
    const rest = `c4 ${'bb'.repeat(64)} c4 ${'cc'.repeat(64)}`;
    expect(read(begun + change + rest).at(-1)!.hex).toBe(
      'aa'.repeat(128) + 'bb'.repeat(64) + 'cc'.repeat(64),
    );
  });

  test('a chunk size of 0 ends the connection, bit 31 is ignored', () => {
    expect(() => read('02 000000 000004 01 00000000 00000000')).toThrow(peerError('E_CHUNK_SIZE'));
    const reader = new ChunkReader(wideLimits, () => {});
    reader.push(fromHex('03 000000 000004 01 00000000 80001000'));
    expect(reader.chunkBytes).toBe(4096);
  });

  test('an abort drops the unfinished message of its chunk stream', () => {
    const begun = `04 000000 000100 09 01000000 ${'aa'.repeat(128)}`;
    const abort = '02 000000 000004 02 00000000 00000004';
    const next = `c4 ${'bb'.repeat(128)} c4 ${'cc'.repeat(128)}`;
    expect(read(begun + abort + next).at(-1)!.hex).toBe('bb'.repeat(128) + 'cc'.repeat(128));
    expect(read(`${abort}04 000000 000001 09 01000000 00`)).toHaveLength(2);
  });

  test('a truncated one is blamed on the peer', () => {
    expect(() => read('02 000000 000003 01 00000000 000010')).toThrow(peerError('E_TRUNCATED'));
  });
});

describe('limits', () => {
  test('an announced length above the limit is refused at its header', () => {
    expect(() => read('03 000000 100001 14 00000000')).toThrow(peerError('E_CHUNK_MESSAGE_SIZE'));
    expect(() => read('03 000000 400001 09 01000000')).toThrow(peerError('E_CHUNK_MESSAGE_SIZE'));
    expect(read('03 000000 400000 09 01000000')).toEqual([]);
  });

  test('the limit of commands may be raised while the connection lives', () => {
    const limits = { ...defaultChunkLimits };
    const header = fromHex('03 000000 040001 14 00000000');
    expect(() => new ChunkReader(limits, () => {}).push(header)).toThrow(peerError('E_CHUNK_MESSAGE_SIZE'));
    limits.maxOtherBytes = 1024 * 1024;
    new ChunkReader(limits, () => {}).push(header);
  });

  test('memory follows what was received, not what was announced', () => {
    const reader = new ChunkReader(wideLimits, () => {});
    for (let csid = 3; csid < 63; csid++) {
      reader.push(fromHex(`${byte(csid)} 000000 400000 09 01000000 00`));
    }
    expect(reader.bufferedBytes).toBeLessThanOrEqual(60 * 16 * 1024);
  });

  test('unfinished messages together are bounded', () => {
    const reader = new ChunkReader({ ...wideLimits, maxBufferedBytes: 40_000 }, () => {});
    const chunk = (csid: number) => fromHex(`${byte(csid)} 000000 400000 09 01000000 ${'00'.repeat(128)}`);
    reader.push(chunk(4));
    reader.push(chunk(5));
    expect(() => reader.push(chunk(6))).toThrow(peerError('E_CHUNK_BUFFERED'));
  });

  test('a sixty-fifth chunk stream ends the connection', () => {
    const reader = new ChunkReader(wideLimits, () => {});
    const empty = (id: number) => fromHex(`00 ${byte(id)} 000000 000000 09 01000000`);
    for (let id = 0; id < 64; id++) reader.push(empty(id));
    reader.push(empty(0));
    expect(() => reader.push(empty(64))).toThrow(peerError('E_CHUNK_STREAMS'));
  });

  test('nothing is read after an error or after close', () => {
    const seen: number[] = [];
    const reader = new ChunkReader(wideLimits, ({ type }) => {
      seen.push(type);
      if (seen.length === 2) reader.close();
    });
    reader.push(fromHex('04 000000 000000 09 01000000 c4 c4 c4'));
    reader.push(fromHex('c4'));
    expect(seen).toHaveLength(2);
    expect(reader.bufferedBytes).toBe(0);

    const failed = new ChunkReader(wideLimits, () => {});
    expect(() => failed.push(fromHex('c4'))).toThrow(peerError('E_CHUNK_HEADER'));
    failed.push(fromHex('c4'));
  });

  for (const { name, hex } of invalid) {
    test(`${name} ends the connection`, () => {
      expect(() => readIn([fromHex(hex)])).toThrow(StagewireError);
    });
  }
});

describe('payloads', () => {
  test('of a message that lies whole in one push are views of it, also for a Buffer', () => {
    const bytes = Buffer.from(fromHex('04 000000 000002 09 01000000 0102'));
    const [message] = readIn([bytes]);
    expect(message!.payload.buffer).toBe(bytes.buffer);
    expect(message!.payload.constructor).toBe(Uint8Array);
  });
});

describe('fuzz', () => {
  test('inputs that broke others end in messages or in a peer error', () => {
    for (const { hex } of fuzz) survives([fromHex(hex)]);
    for (const { hex } of fuzz) survives(Array.from(fromHex(hex), (value) => Uint8Array.of(value)));
  });

  test('mutated captures and random bytes never throw anything else, nor hold more than the limit', () => {
    const random = seeded(20_260_101);
    const until = Date.now() + 3000;
    const sources = streams.map(({ hex }) => fromHex(hex)).filter(({ length }) => length < 4000);
    for (let round = 0; round < 20_000 && Date.now() < until; round++) {
      let bytes: Uint8Array;
      if (round % 4 === 0) {
        bytes = Uint8Array.from({ length: random(600) }, () => random(256));
      } else {
        bytes = sources[random(sources.length)]!.slice();
        for (let count = 1 + random(6); count > 0; count--) bytes[random(bytes.length)] = random(256);
      }
      survives(random(2) === 0 ? [bytes] : split(bytes, random, 300));
    }
  });
});

function survives(pieces: Uint8Array[]): void {
  const reader = new ChunkReader({ ...defaultChunkLimits }, () => {});
  try {
    for (const piece of pieces) {
      reader.push(piece);
      // Each of the chunk streams a small input can name holds one first buffer at most.
      expect(reader.bufferedBytes).toBeLessThan(64 * 16 * 1024 + 32);
    }
  } catch (error) {
    if (!(error instanceof StagewireError) || error.blame !== 'peer') throw error;
  }
}

function readIn(pieces: Uint8Array[]): Read[] {
  const messages: Read[] = [];
  const reader = new ChunkReader({ ...wideLimits }, (message, csid) => messages.push({ ...message, csid }));
  for (const piece of pieces) reader.push(piece);
  return messages;
}

function listed(messages: Read[]) {
  return messages.map(({ csid, timestamp, type, streamId, payload }) => {
    return { csid, timestamp, type, streamId, hex: Buffer.from(payload).toString('hex') };
  });
}

function hashed(messages: Read[]) {
  return messages.map(({ csid, timestamp, type, streamId, payload }) => {
    return { csid, timestamp, type, streamId, sha256: hash(payload) };
  });
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function read(hex: string) {
  return listed(readIn([fromHex(hex)]));
}

function withChunkSize(size: number, bytes: Uint8Array): Uint8Array {
  if (size === 128) return bytes;
  return Buffer.concat([
    fromHex(`02 000000 000004 01 00000000 ${size.toString(16).padStart(8, '0')}`),
    bytes,
  ]);
}

function basicHeader(format: number, csid: number): number[] {
  if (csid < 64) return [(format << 6) | csid];
  return [(format << 6) | 1, (csid - 64) & 0xff, (csid - 64) >> 8];
}

function swapped(value: number): number {
  return Buffer.from(value.toString(16).padStart(8, '0'), 'hex').readUInt32LE();
}

function peerError(code: string) {
  return expect.objectContaining({ code, blame: 'peer' });
}

function split(bytes: Uint8Array, random: (below: number) => number, longest: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + random(longest));
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
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

function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
