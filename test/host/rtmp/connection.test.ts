import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { defaultLimits } from '../../../host/base/limits.ts';
import { RtmpConnection } from '../../../host/rtmp/connection.ts';
import { RtmpClient } from '../../support/rtmp-client.ts';

test('a client whose messages take long is read a little in each round of the event loop', async () => {
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let messages = 0;
  const handler = {
    onMessage() {
      messages++;
      for (const end = performance.now() + 3; performance.now() < end; );
    },
    onBuffer() {},
    onPlayed() {},
    onMakesKeyFrames() {},
    onIdle() {},
    onClose() {},
  };
  server.on('connection', (socket: Socket) => {
    new RtmpConnection(
      socket,
      false,
      defaultLimits,
      (error) => {
        throw error;
      },
      () => handler,
    );
  });
  const client = await RtmpClient.open(`rtmp://127.0.0.1:${(server.address() as AddressInfo).port}/`);
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
