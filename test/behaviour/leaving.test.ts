import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { interFrame } from '../support/media.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';

const script = `
  application.onConnect = (client, verdict) => verdict !== 'refuse';
  application.onDisconnect = () => trace('gone');
  application.onUnpublish = (client, stream) => trace('off air ' + stream.name);
  Object.assign(Client.prototype, {
    alive: () => 'alive',
    leave() { application.disconnect(this); application.broadcastMsg('last'); return 'too late'; },
  });`;

const server = useServer({ apps: { app: { 'main.ts': script } } });

test('a client that the script disconnects reads everything sent before, and nothing after', async () => {
  const client = await connect(`${server.rtmp}/app/leave`);
  client.send('leave');
  await client.closed;
  const names = client.received.entries.map(({ name }) => name);
  expect(names.at(-1)).toBe('close');
  expect(names).not.toContain('last');
});

test('a publisher that the script disconnects is off air at once, even if it does not close its socket', async () => {
  const from = server.log.mark;
  const viewer = await (await connect(`${server.rtmp}/app/kick`)).createStream();
  await viewer.play('cam');
  const client = await connect(`${server.rtmp}/app/kick`);
  const publisher = await client.createStream();
  await publisher.publish('cam');
  client.send('leave');
  publisher.video(0, interFrame(1));
  await viewer.status('NetStream.Play.UnpublishNotify');
  await server.waitForLog((r) => r.instance === 'app/kick' && r.message === 'off air cam', from);
  await server.waitForLog((r) => r.instance === 'app/kick' && r.message === 'gone', from);
});

test('an instance that nobody was let into does not stay', async () => {
  await connectRefused(`${server.rtmp}/app/refused`, { args: ['refuse'] });
  await server.waitForLog((r) => r.instance === 'app/refused' && r.message.startsWith('unloaded after '));
});

test('at the limit the instance that was idle for longest makes room, those in use do not', async () => {
  const small = await startServer({ limits: { instances: 2 }, apps: { app: { 'main.ts': script } } });
  const used = await connect(`${small.rtmp}/app/used`);
  const first = await connect(`${small.rtmp}/app/first`);
  await connectRefused(`${small.rtmp}/app/none`);
  await first.close();
  await eventually('room for another instance', async () => {
    const client = await connect(`${small.rtmp}/app/second`).catch(() => undefined);
    return client !== undefined;
  });
  expect(await used.call('alive')).toBe('alive');
});

test('cores that are killed again and again while they recover cost nobody the connection', async (context) => {
  if (process.platform !== 'linux') return context.skip('core processes are found in /proc');
  const hardy = await startServer({ apps: { app: { 'main.ts': script } } });
  const clients = await Promise.all(['a', 'b', 'c'].map((name) => connect(`${hardy.rtmp}/app/${name}`)));
  for (let round = 0; round < 3; round++) {
    await eventually('a core to kill', () => hardy.corePids().length > 0);
    hardy.killCores();
  }
  for (const client of clients) {
    await eventually('an answer', async () => (await client.startCall('alive')).name === '_result');
  }
});
