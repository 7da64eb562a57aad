import { expect, test } from 'vitest';
import { connect, RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** What a client did wrong can come to light long after it was read: when the script has decided. */
const server = useServer({
  apps: {
    bare: { 'README.md': 'No script here.' },
    app: {
      'main.ts': `
        application.onConnect = async (client, isHeld) => {
          if (isHeld) await new Promise((resolve) => setTimeout(resolve, 50));
          return true;
        };
        application.authorizePublish = async () => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          return true;
        };
        Client.prototype.note = () => {};
        Client.prototype.alive = () => 'alive';
        Client.prototype.busy = () => { let x = 0; for (let i = 0; i < 5e7; i++) x += i; return x; };`,
    },
  },
});

/** Well formed for AMF, deeper than anything the host itself decodes. */
const tooDeep = Array.from({ length: 20 }).reduce<unknown>((inner) => ({ inner }), 1);

async function stillServes(): Promise<void> {
  const other = await connect(`${server.rtmp}/app`);
  expect(await other.call('alive')).toBe('alive');
  expect(server.errors).toBe('');
}

for (const app of ['bare', 'app']) {
  test(`an encoder's command with an absurd argument ends its connection and no other (${app})`, async () => {
    const client = await connect(`${server.rtmp}/${app}`);
    client.send('releaseStream', tooDeep);
    await client.closed;
    await stillServes();
  });
}

test('a stream command that was held until the accept ends its connection and no other', async () => {
  const client = await RtmpClient.open(`${server.rtmp}/app`, { args: [true] });
  void client.startConnect().catch(() => {});
  client.send('deleteStream', tooDeep);
  await client.closed;
  await stillServes();
});

test('absurd metadata ahead of the verdict is dropped, the stream is not', async () => {
  const client = await connect(`${server.rtmp}/app`);
  const stream = await client.createStream();
  const published = stream.publish('early');
  stream.data(0, '@setDataFrame', 'onMetaData', tooDeep);
  await published;
  const viewer = await (await connect(`${server.rtmp}/app`)).createStream();
  await viewer.play('early');
  stream.data(10, 'onCuePoint', 7);
  await viewer.waitForData('onCuePoint');
  await stillServes();
});

test('a client that filled the mailbox with calls that want no answer is read again', async () => {
  const client = await connect(`${server.rtmp}/app`);
  client.send('busy');
  for (let i = 0; i < 6000; i++) client.send('note', i);
  expect(await client.call('alive')).toBe('alive');
});
