import { expect, test } from 'vitest';
import { TunnelStream } from '../../../host/rtmp/tunnel/tunnel-stream.ts';

const round = () => new Promise((resolve) => setImmediate(resolve));

/** Writes each text; `written` has those whose callback was called. */
function written(stream: TunnelStream, ...texts: string[]): string[] {
  const done: string[] = [];
  for (const text of texts) stream.write(Buffer.from(text), () => done.push(text));
  return done;
}

function heard(stream: TunnelStream): { bytes: string[]; closes: number } {
  const all = { bytes: [] as string[], closes: 0 };
  stream.on('data', (bytes) => void all.bytes.push(bytes.toString()));
  stream.on('close', () => void all.closes++);
  return all;
}

test('answers take what waits, in order, and a write is over when its last byte is taken', () => {
  const stream = new TunnelStream('::1', 1);
  const done = written(stream, 'abc', 'defg', 'hi');
  expect(stream.writableLength).toBe(9);
  expect(stream.take(1, 4).toString()).toBe('\x01abcd');
  expect(done).toEqual(['abc']);
  expect(stream.take(2, 0).toString()).toBe('\x02');
  expect(stream.take(3, 100).toString()).toBe('\x03efghi');
  expect(done).toEqual(['abc', 'defg', 'hi']);
  expect([stream.writableLength, stream.destroyed]).toEqual([0, false]);
});

test('every write is over once, whatever ends the stream', async () => {
  const stream = new TunnelStream('::1', 1);
  const all = heard(stream);
  const done = written(stream, 'abc', 'def', '');
  expect(done).toEqual(['']);
  stream.take(1, 1);
  stream.destroy();
  stream.destroy();
  expect(done).toEqual(['', 'abc', 'def']);
  expect(written(stream, 'late')).toEqual(['late']);
  expect(stream.take(1, 10)).toEqual(Buffer.of(1));
  expect(all.closes).toBe(0);
  await round();
  expect(all.closes).toBe(1);
});

test('an end waits for what was written, and takes nothing more', async () => {
  const stream = new TunnelStream('::1', 1);
  const all = heard(stream);
  const done = written(stream, 'abc');
  stream.end();
  expect(written(stream, 'late')).toEqual(['late']);
  expect(stream.destroyed).toBe(false);
  stream.take(1, 2);
  expect(stream.destroyed).toBe(false);
  expect(stream.take(1, 2).toString()).toBe('\x01c');
  expect([stream.destroyed, ...done]).toEqual([true, 'abc']);
  await round();
  expect(all.closes).toBe(1);
  const empty = new TunnelStream('::1', 1);
  empty.end();
  expect(empty.destroyed).toBe(true);
});

test('a write in the callback of a write waits for the next answer', () => {
  const stream = new TunnelStream('::1', 1);
  stream.write(Buffer.from('a'), () => stream.write(Buffer.from('b')));
  expect(stream.take(1, 10).toString()).toBe('\x01a');
  expect(stream.take(1, 10).toString()).toBe('\x01b');
});

test('what comes is read in order, and not while it is paused', async () => {
  const stream = new TunnelStream('::1', 1);
  const all = heard(stream);
  const read: string[] = [];
  const receive = (text: string) => stream.receive(Buffer.from(text), () => read.push(text));
  receive('a');
  expect([...all.bytes, ...read]).toEqual(['a', 'a']);
  stream.pause();
  receive('b');
  receive('c');
  await round();
  expect(read).toEqual(['a']);
  stream.resume();
  receive('d');
  expect(read).toEqual(['a']);
  for (let i = 0; i < 5; i++) await round();
  expect([all.bytes, read]).toEqual([
    ['a', 'b', 'c', 'd'],
    ['a', 'b', 'c', 'd'],
  ]);
});

test('a large body is read in pieces, one a round, and a pause comes between them', async () => {
  const stream = new TunnelStream('::1', 1);
  let bytes = 0;
  let isRead = false;
  stream.on('data', (piece) => {
    bytes += piece.length;
    if (bytes === 128 * 1024) stream.pause();
  });
  stream.receive(Buffer.alloc(200 * 1024), () => {
    isRead = true;
  });
  expect(bytes).toBe(64 * 1024);
  for (let i = 0; i < 10; i++) await round();
  expect([bytes, isRead, stream.isPaused()]).toEqual([128 * 1024, false, true]);
  stream.resume();
  for (let i = 0; i < 10; i++) await round();
  expect([bytes, isRead]).toEqual([200 * 1024, true]);
});

test('whoever resumes, pauses or ends it while reading is not called in the middle of it', async () => {
  const stream = new TunnelStream('::1', 1);
  let depth = 0;
  const seen: string[] = [];
  stream.on('data', (bytes) => {
    expect(++depth).toBe(1);
    seen.push(bytes.toString());
    stream.resume();
    if (seen.length === 1) stream.receive(Buffer.from('b'), () => {});
    if (seen.length === 2) stream.destroy();
    depth--;
  });
  stream.receive(Buffer.from('a'), () => {});
  stream.receive(Buffer.from('c'), () => {});
  for (let i = 0; i < 5; i++) await round();
  expect(seen).toEqual(['a', 'b']);
});
