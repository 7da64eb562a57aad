import { describe, expect, test } from 'vitest';
import {
  type Done,
  doneFrame,
  type Frame,
  FrameKind,
  FrameReader,
  frame,
  MAX_FRAME_BYTES,
  readDone,
  readTurn,
  TurnEnd,
  turnFrame,
} from '../../../host/core/frames.ts';
import { SEED_BYTES } from '../../../runtime/wall/boot.ts';

function read(bytes: Buffer, pieceBytes: number): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((incoming) =>
    frames.push({ ...incoming, body: Buffer.from(incoming.body) }),
  );
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  return frames;
}

describe('frames between host and core', () => {
  const stream = Buffer.concat([
    frame(FrameKind.stats, 7),
    frame(FrameKind.turn, 0xfffffffe, Buffer.from('abc'), Buffer.from('def')),
    frame(FrameKind.boot, 1, Buffer.alloc(5000, 1)),
  ]);

  for (const pieceBytes of [1, 3, 9, 4096, stream.length]) {
    test(`survive being split every ${pieceBytes} bytes`, () => {
      const frames = read(stream, pieceBytes);
      expect(frames.map(({ kind, isolate, body }) => [kind, isolate, body.length])).toEqual([
        [FrameKind.stats, 7, 0],
        [FrameKind.turn, 0xfffffffe, 6],
        [FrameKind.boot, 1, 5000],
      ]);
      expect(frames[1]?.body.toString()).toBe('abcdef');
    });
  }

  for (const length of [0, 4, MAX_FRAME_BYTES + 1]) {
    test(`of ${length} bytes are refused`, () => {
      const head = Buffer.alloc(9);
      head.writeUInt32BE(length);
      expect(() => read(head, 9)).toThrow(expect.objectContaining({ code: 'E_FRAME' }));
    });
  }

  test('carry a turn', () => {
    const seed = Buffer.alloc(SEED_BYTES, 9);
    const deliveries = Buffer.from('records');
    const head = turnFrame(3, 1.5, 2.25, seed, deliveries.length);
    const [turn] = read(Buffer.concat([head, deliveries]), 1000);
    const { nowMs, monotonicMs, seed: readSeed, records } = readTurn(turn?.body ?? Buffer.alloc(0));
    expect([nowMs, monotonicMs, records.toString()]).toEqual([1.5, 2.25, 'records']);
    expect(readSeed.equals(seed)).toBe(true);
  });

  test('carry how a turn ended', () => {
    const done: Done = {
      end: TurnEnd.timeout,
      finished: 70,
      running: -1,
      cpuUs: 1234.5,
      answeredUs: 34.25,
      entryMs: 0.25,
      message: 'zu spät',
      stack: 'at x',
      commands: Buffer.from([1, 2]),
    };
    const [answer] = read(doneFrame(FrameKind.done, 3, done), 1000);
    expect(readDone(answer?.body ?? Buffer.alloc(0))).toEqual(done);
  });
});
