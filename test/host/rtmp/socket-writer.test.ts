import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Traffic } from '../../../host/rtmp/ports.ts';
import { SocketWriter } from '../../../host/rtmp/socket-writer.ts';

/** Shared bytes, and who still needs them. */
class Shared {
  readonly bytes: Buffer;
  holders = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  hold(): () => void {
    this.holders++;
    return () => this.holders--;
  }
}

interface Ends {
  near: Socket;
  far: Socket;
  traffic: Traffic;
  out: SocketWriter;
  /** What has arrived. */
  text(): string;
}

async function open(): Promise<Ends> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const far = dial((server.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  const pieces: Buffer[] = [];
  far.on('data', (bytes: Buffer) => pieces.push(bytes));
  const traffic = { bytesIn: 0, bytesOut: 0, messagesIn: 0, messagesOut: 0, messagesDropped: 0, pingMs: 0 };
  return {
    near,
    far,
    traffic,
    out: new SocketWriter(near, traffic),
    text: () => Buffer.concat(pieces).toString(),
  };
}

test('shared bytes pass at once, are counted, and are needed no more', async () => {
  const { out, traffic, text } = await open();
  const shared = new Shared(Buffer.from('picture'));
  expect(out.pass(shared, 3)).toBe(true);
  expect(shared.holders).toBe(0);
  expect(out.hasPassed).toBe(true);
  expect(traffic).toMatchObject({ bytesOut: 7, messagesOut: 3 });
  await expect.poll(text).toBe('picture');
});

test('shared bytes are held until a peer that does not read has taken them, and nothing passes meanwhile', async () => {
  const { out, near, far, traffic } = await open();
  far.pause();
  const shared = new Shared(Buffer.alloc(1 << 20, 'x'));
  while (shared.holders === 0) expect(out.pass(shared, 1)).toBe(true);
  const { bytesOut, messagesOut } = traffic;
  // What is left of this write, and what Node keeps for it.
  expect(near.writableLength).toBeGreaterThan(0);
  expect(out.queuedBytes).toBe(near.writableLength + (near.writableLength * 256) / (1 << 20));
  expect(out.pass(shared, 1)).toBe(false);
  expect(traffic).toMatchObject({ bytesOut, messagesOut });
  far.resume();
  await expect.poll(() => shared.holders).toBe(0);
  expect(out.pass(shared, 1)).toBe(true);
});

test('nothing passes before what is to be said first, under a bandwidth limit, or when the socket is gone', async () => {
  const { out, traffic, text } = await open();
  const shared = new Shared(Buffer.from('picture'));
  out.isHeld = true;
  expect(out.pass(shared, 1)).toBe(false);
  out.isHeld = false;
  out.limit(1_000_000);
  expect(out.pass(shared, 1)).toBe(false);
  out.limit(0);
  expect(out.pass(shared, 1)).toBe(true);
  out.close();
  expect(out.pass(shared, 1)).toBe(false);
  expect(traffic.messagesOut).toBe(1);
  await expect.poll(text).toBe('picture');
});
