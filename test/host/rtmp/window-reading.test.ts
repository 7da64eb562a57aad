import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { WindowReading } from '../../../host/rtmp/window-reading.ts';
import { eventually } from '../../support/journal.ts';

interface Ends {
  near: Socket;
  far: Socket;
  reading: WindowReading;
  /** What was read, piece by piece. */
  pieces: Buffer[];
  rules: { isReading: boolean; mayWait: boolean };
}

/** The server's end of a connection, read by our rules, and the client's. */
async function open(): Promise<Ends> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const far = dial({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const [near] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  const rules = { isReading: true, mayWait: true };
  const reading = WindowReading.of(near, {
    isReading: () => rules.isReading,
    mayWait: () => rules.mayWait,
    resume: () => near.resume(),
  })!;
  const pieces: Buffer[] = [];
  near.on('data', (bytes: Buffer) => pieces.push(bytes));
  return { near, far, reading, pieces, rules };
}

async function write(far: Socket, text: string | Buffer): Promise<void> {
  await new Promise((resolve) => far.write(text, resolve));
}

/** The end of a window: how many rounds of the event loop it took. */
async function readAll(reading: WindowReading): Promise<number> {
  for (let rounds = 1; ; rounds++) {
    reading.gather();
    await nextRound();
    if (!reading.take()) return rounds;
  }
}

const textOf = (pieces: readonly Buffer[]) => Buffer.concat(pieces).toString();

test('between windows nothing is read, and at the end all of it, also what came while it was being paused', async () => {
  const { near, far, reading, pieces } = await open();
  await write(far, 'a');
  await eventually('the first', () => pieces.length === 1);
  expect(reading.pause()).toBe(true);
  // It was reading: one more piece comes, and is kept.
  await write(far, 'b');
  await eventually('one more piece', () => near.readableLength === 1);
  await write(far, 'c');
  expect(pieces.length).toBe(1);
  await eventually('all of it', async () => {
    await readAll(reading);
    return textOf(pieces) === 'abc';
  });

  expect(reading.pause()).toBe(true);
  for (const letter of 'defgh') {
    await write(far, letter);
    await nextRound();
  }
  expect(near.readableLength).toBe(0);
  const before = pieces.length;
  await eventually('all of it', async () => {
    await readAll(reading);
    return textOf(pieces) === 'abcdefgh';
  });
  expect(pieces.length - before).toBeLessThan(5);
});

test('much is read piece by piece, and then as it comes for a window', async () => {
  const { far, reading, pieces } = await open();
  reading.pause();
  await readAll(reading);
  const sent = Buffer.alloc(300_000, 'x');
  void write(far, sent);
  await eventually('all of it', async () => {
    await readAll(reading);
    return pieces.reduce((sum, { length }) => sum + length, 0) === sent.length;
  });
  expect(reading.pause()).toBe(false);
  // It is read by several streams, which say the same.
  expect(reading.pause()).toBe(false);
  reading.resume();
  expect(reading.pause()).toBe(true);
});

test('whoever may not wait, or is not read, is left as it is, and loses nothing', async () => {
  const { near, far, reading, pieces, rules } = await open();
  rules.mayWait = false;
  expect(reading.pause()).toBe(false);
  expect(near.isPaused()).toBe(false);
  rules.mayWait = true;
  expect(reading.pause()).toBe(true);
  rules.isReading = false;
  await write(far, 'kept');
  await eventually('a piece', () => near.readableLength === 4);
  expect(await readAll(reading)).toBe(1);
  expect(pieces).toEqual([]);
  rules.isReading = true;
  reading.resume();
  await eventually('the piece', () => textOf(pieces) === 'kept');
  await write(far, ' on');
  await eventually('what follows', () => textOf(pieces) === 'kept on');
});

test('an end that comes between windows is seen when one ends', async () => {
  const { near, far, reading, pieces } = await open();
  await write(far, 'a');
  await eventually('the first', () => pieces.length === 1);
  reading.pause();
  far.end('b');
  const ended = once(near, 'end');
  await eventually('the last', async () => {
    await readAll(reading);
    return textOf(pieces) === 'ab';
  });
  const reads = setInterval(() => reading.gather(), 5);
  await ended.finally(() => clearInterval(reads));
});
