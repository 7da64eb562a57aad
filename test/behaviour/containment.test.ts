import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { type ClientStream, connect, RtmpClient } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';

const script = `
  const state = { calls: 0 };
  application.onConnect = (client, name) => {
    if (name === 'loop in onConnect' && client.reconnected === false) for (;;) {}
    client.name = name;
    return true;
  };
  application.onReattach = (client, reason) => { client.name = 'back after ' + reason; };
  application.onDisconnect = (client) => trace('disconnect ' + client.name);
  application.authorizePublish = (client, stream) => { if (stream.name === 'loop') for (;;) {} return true; };
  Object.assign(Client.prototype, {
    name() { return this.name; },
    who() { return [this.name, this.reconnected, application.clients.length]; },
    loop() { for (;;) {} },
    async loopLater() { await null; for (;;) {} },
    loopInTimer() { setTimeout(() => { for (;;) {} }, 1); },
    loopInPromise() { return new Promise((resolve) => setTimeout(resolve, 1)).then(() => { for (;;) {} }); },
    busy() { let x = 0; for (let i = 0; i < 1e6; i++) x += i; return 'done'; },
    hoard() { const all = []; for (;;) all.push({ a: all.length, b: [String(all.length)] }); },
    recurse() { const down = () => down() + 1; return down(); },
    hugeResult() { return 'x'.repeat(9 * 1024 * 1024); },
    never() { return new Promise(() => {}); },
    count() { return ++state.calls; },
  });`;

const server = useServer({
  limits: { handlerMs: 400, heapMb: 16, backOffMs: 100 },
  apps: { app: { 'main.ts': script }, calm: { 'main.ts': script } },
});

interface Show {
  url: string;
  client: RtmpClient;
  publisher: ClientStream;
  viewer: ClientStream;
}

async function openShow(url: string): Promise<Show> {
  const client = await connect(url, { args: ['publisher'] });
  const publisher = await client.createStream();
  await publisher.publish('cam');
  const viewer = await (await connect(url, { args: ['viewer'] })).createStream();
  await viewer.play('cam');
  publisher.video(0, avcHeader);
  publisher.audio(0, aacHeader);
  publisher.video(0, keyFrame(0));
  await viewer.waitForMedia(keyFrame(0));
  return { url, client, publisher, viewer };
}

const instanceLines = (instance: string) =>
  server.log.entries.filter((r) => r.instance === `app/${instance}`).map((r) => r.message);

const ends = [
  { method: 'loop', code: 'E_HANDLER_TIMEOUT', reason: 'cpu', says: 'loop ran for 400 ms' },
  { method: 'loopLater', code: 'E_HANDLER_TIMEOUT', reason: 'cpu', says: 'loopLater ran for 400 ms' },
  { method: 'hoard', code: 'E_OUT_OF_MEMORY', reason: 'memory', says: 'hoard needed more than 16 MB' },
];
for (const { method, code, reason, says } of ends) {
  test(`${method}: the script starts again with its clients, the caller hears _error, the stream flows on`, async () => {
    const url = `${server.rtmp}/app/${method}`;
    const { publisher, viewer } = await openShow(url);
    const culprit = await connect(url, { args: ['culprit'] });
    const waiting = await connect(url, { args: ['waiting'] });
    const unanswered = waiting.callFails('never');
    await waiting.call('who');

    const failed = culprit.callFails(method);
    for (let frame = 1; frame <= 20; frame++) {
      publisher.video(frame * 40, interFrame(frame));
      publisher.audio(frame * 40, aacFrame(frame));
      await viewer.waitForMedia(aacFrame(frame));
    }
    expect(await failed).toMatchObject({ level: 'error', code: 'NetConnection.Call.Failed' });
    expect(await unanswered).toMatchObject({ code: 'NetConnection.Call.Failed' });
    const record = await server.waitForLog((r) => r.code === code && r.instance === `app/${method}`);
    expect(record.message).toContain(says);
    expect(record).toMatchObject({ level: 'error', build: expect.any(String) });

    expect(await culprit.call('who')).toEqual([`back after ${reason}`, reason, 4]);
    expect(await waiting.call('who')).toEqual([`back after ${reason}`, reason, 4]);
    expect(viewer.codes).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start']);
    expect(instanceLines(method).filter((line) => line.startsWith('disconnect'))).toEqual([]);
  });
}

test('a handler that uses its time but not more is left alone', async () => {
  const client = await connect(`${server.rtmp}/calm/busy`, { args: ['x'] });
  const results = await Promise.all(Array.from({ length: 100 }, () => client.call('busy')));
  expect(new Set(results)).toEqual(new Set(['done']));
  expect(await client.call('who')).toEqual(['x', false, 1]);
});

test('a time limit of any length works', async () => {
  const own = await startServer({ limits: { handlerMs: 151 }, apps: { app: { 'main.ts': script } } });
  const client = await connect(`${own.rtmp}/app`, { args: ['x'] });
  await client.callFails('loop');
  expect(await client.call('who')).toEqual(['back after cpu', 'cpu', 1]);
});

for (const method of ['loopInTimer', 'loopInPromise']) {
  test(`${method}: code outside of a call is stopped too`, async () => {
    const client = await connect(`${server.rtmp}/app/${method}`, { args: ['x'] });
    void client.startCall(method).catch(() => {});
    await server.waitForLog((r) => r.code === 'E_HANDLER_TIMEOUT' && r.instance === `app/${method}`);
    expect(await client.call('who')).toEqual(['back after cpu', 'cpu', 1]);
  });
}

test('calls behind the culprit are answered by the script that follows, each once', async () => {
  const client = await connect(`${server.rtmp}/app/behind`, { args: ['x'] });
  const before = client.call('count');
  const failed = client.callFails('loop');
  const behind = [client.call('count'), client.call('count'), client.call('count')];
  expect(await before).toBe(1);
  expect(await failed).toMatchObject({ code: 'NetConnection.Call.Failed' });
  expect(await Promise.all(behind)).toEqual([1, 2, 3]);
});

test('a client whose onConnect never returns is refused or tried again, and the others go on', async () => {
  const url = `${server.rtmp}/app/onConnect`;
  const neighbour = await connect(url, { args: ['neighbour'] });
  const client = await RtmpClient.open(url, { args: ['loop in onConnect'] });
  const answer = client.startConnect();
  answer.catch(() => {});
  await server.waitForLog((r) => r.code === 'E_HANDLER_TIMEOUT' && r.instance === 'app/onConnect');
  expect(await neighbour.call('who')).toEqual(['back after cpu', 'cpu', 1]);
  expect((await answer).name).toBe('_error');
});

test('authorizePublish that never returns refuses the publisher', async () => {
  const client = await connect(`${server.rtmp}/app/authorize`, { args: ['x'] });
  const stream = await client.createStream();
  expect((await stream.publish('loop')).code).toBe('NetStream.Publish.BadName');
  expect((await stream.publish('fine')).code).toBe('NetStream.Publish.Start');
});

const harmless = ['recurse', 'hugeResult'];
for (const method of harmless) {
  test(`${method} fails its call and nothing else`, async () => {
    const client = await connect(`${server.rtmp}/app/${method}`, { args: ['x'] });
    expect(await client.callFails(method)).toMatchObject({ code: 'NetConnection.Call.Failed' });
    expect(await client.call('who')).toEqual(['x', false, 1]);
  });
}

test('other instances notice nothing of a loop', async () => {
  const calm = await connect(`${server.rtmp}/calm`, { args: ['calm'] });
  const wild = await connect(`${server.rtmp}/app/wild`, { args: ['wild'] });
  const failed = wild.callFails('loop');
  for (let i = 0; i < 50; i++) expect(await calm.call('who')).toEqual(['calm', false, 1]);
  await failed;
});

test('a script that dies again and again is closed with a reason', async () => {
  const client = await connect(`${server.rtmp}/app/again`, { args: ['x'] });
  for (let death = 0; death < 20 && !client.isClosed; death++) {
    await client.startCall('loop').catch(() => {});
  }
  await client.closed;
  const status = client.received.entries.find(({ name }) => name === 'onStatus');
  expect(status?.args[0]).toMatchObject({ level: 'error', code: 'NetConnection.Connect.AppShutdown' });
  await server.waitForLog((r) => r.code === 'E_APP_CLOSED' && r.instance === 'app/again');
  const again = await connect(`${server.rtmp}/app/again`, { args: ['new'] });
  expect(await again.call('who')).toEqual(['new', false, 1]);
});

test('kill -9 of every core costs no client and no frame', async (context) => {
  if (process.platform !== 'linux') return context.skip('core processes are found in /proc');
  const own = await startServer({ apps: { app: { 'main.ts': script } } });
  const shows = [await openShow(`${own.rtmp}/app/one`), await openShow(`${own.rtmp}/app/two`)];
  const pids = own.corePids();
  expect(pids.length).toBeGreaterThan(0);
  const waiting = shows[0]!.client.callFails('never');
  await shows[0]!.client.call('who');

  for (const pid of pids) process.kill(pid, 'SIGKILL');
  for (let frame = 1; frame <= 20; frame++) {
    for (const { publisher, viewer } of shows) {
      publisher.video(frame * 40, interFrame(frame));
      await viewer.waitForMedia(interFrame(frame));
    }
  }
  expect(await waiting).toMatchObject({ code: 'NetConnection.Call.Failed' });
  for (const { client, viewer } of shows) {
    expect(await client.call('who')).toEqual(['back after crash', 'crash', 2]);
    expect(viewer.codes).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start']);
    expect(viewer.media.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp)).toEqual([
      0,
      0,
      ...Array.from({ length: 20 }, (_, index) => (index + 1) * 40),
    ]);
  }
  await eventually('other cores to serve', () => own.corePids().every((pid) => !pids.includes(pid)));
  const newcomer = await connect(`${own.rtmp}/app/one`, { args: ['newcomer'] });
  expect(await newcomer.call('who')).toEqual(['newcomer', false, 3]);
  await own.stop();
});
