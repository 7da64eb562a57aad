import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { defaultLimits } from '../../../host/base/limits.ts';
import { RtmpConnection } from '../../../host/rtmp/connection.ts';
import { RtmpClient } from '../../support/rtmp-client.ts';

/** A server whose connections are these, with a handler that takes `onMessage`. */
async function open(onMessage: () => void): Promise<{ client: RtmpClient; connection: RtmpConnection }> {
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const handler = {
    onMessage,
    onBuffer() {},
    onPlayed() {},
    onMakesKeyFrames() {},
    onIdle() {},
    onClose() {},
  };
  const { promise, resolve } = Promise.withResolvers<RtmpConnection>();
  const fail = (error: Error) => {
    throw error;
  };
  server.on('connection', (socket: Socket) =>
    resolve(new RtmpConnection(socket, false, defaultLimits, fail, () => handler)),
  );
  const client = await RtmpClient.open(`rtmp://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { client, connection: await promise };
}

test('a client whose messages take long is read a little in each round of the event loop', async () => {
  let messages = 0;
  const { client } = await open(() => {
    messages++;
    for (const end = performance.now() + 3; performance.now() < end; );
  });
  const payload = new Uint8Array(60_000);
  for (let i = 0; i < 100; i++) client.message({ type: 9, streamId: 1, timestamp: i, payload });
  let most = 0;
  for (let before = 0; before < 100; ) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, messages - before);
    before = messages;
  }
  expect(most).toBeLessThanOrEqual(5);
});

test('what is shared goes to the socket after what was said before it, and not when the connection is closing', async () => {
  const { client, connection } = await open(() => {});
  const shared = { bytes: Buffer.alloc(0), hold: () => () => {} };
  expect(connection.lane.pass(shared, 1)).toBe(true);
  connection.send({ type: 18, streamId: 1, timestamp: 0, payload: new Uint8Array(8) });
  expect(connection.lane.pass(shared, 1)).toBe(false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(connection.lane.pass(shared, 1)).toBe(true);
  connection.close(0);
  expect(connection.lane.pass(shared, 1)).toBe(false);
  await client.closed;
});
