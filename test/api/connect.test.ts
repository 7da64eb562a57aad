import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { connect, connectRefused, RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { rejectLingerMs: 100, pendingConnectMs: 1000 },
  apps: {
    empty: { 'README.md': 'No script here.' },
    silent: { 'main.js': `${runsCode} delete application.onConnect;` },
    rows: {
      'main.js': `
        ${runsCode}
        application.onConnect = function (client, how) {
          switch (how) {
            case 'accepted': application.acceptConnection(client); return false;
            case 'rejected': application.rejectConnection(client, 'by call'); return true;
            case 'greets': client.call('hello'); application.acceptConnection(client); client.call('welcome'); return;
            case 'throws': throw new Error('secret');
            case 'async': return new Promise((resolve) => setTimeout(resolve, 20, true));
            case 'async no': return Promise.resolve(false);
            case 'async throws': return Promise.reject(new Error('secret'));
            case 'one': return 1;
            case 'text': return 'yes';
            case 'nothing': return;
            case 'null': return null;
            default: return true;
          }
        };
        application.authorizePublish = (client, stream) => stream.name !== 'secret' || 'keep out';
        application.authorizePlay = (client, stream) => stream.name !== 'secret' || 'no looking';`,
    },
  },
});

const url = (name: string) => `${server.rtmp}/rows/${name}`;

test('CON-01: without onConnect, and without a script, everybody is accepted', async () => {
  for (const app of ['empty', 'silent']) {
    const client = await connect(`${server.rtmp}/${app}/room`);
    expect(client.info.code).toBe('NetConnection.Connect.Success');
  }
});

test('CON-02: whatever is no boolean leaves the client pending: it hears nothing', async () => {
  const watcher = await connect(url('pending'));
  const waiting = await Promise.all(
    ['one', 'text', 'nothing', 'null'].map(async (how) => {
      const client = await RtmpClient.open(url('pending'), { args: [how] });
      return { how, client, answer: client.startConnect() };
    }),
  );
  for (let fence = 0; fence < 5; fence++)
    expect(await run(watcher, 'return application.clients.length')).toBe(1);
  for (const { how, client } of waiting)
    expect(
      client.received.entries.filter(({ name }) => name !== undefined && name !== ''),
      how,
    ).toEqual([]);
  for (const { answer } of waiting) expect((await answer).name).toBe('_error'); // its time is over
});

test('CON-03: what was called for the client decides, not what is returned', async () => {
  expect((await connect(url('calls'), { args: ['accepted'] })).info.code).toBe(
    'NetConnection.Connect.Success',
  );
  expect((await connectRefused(url('calls'), { args: ['rejected'] })).description).toBe('by call');
});

test('CON-04: a refused client gets _error, then close, then the end of the connection', async () => {
  const client = await RtmpClient.open(url('refused'), { args: ['rejected'] });
  expect((await client.startConnect()).name).toBe('_error');
  await client.closed;
  expect(client.callsOf('close')).toHaveLength(1);
});

test('CON-05: the server itself refuses with [ Server.Reject ] and the reason', async () => {
  const info = await connectRefused(`${server.rtmp}/nowhere/room`);
  expect(info).toMatchObject({ level: 'error', code: 'NetConnection.Connect.Rejected' });
  expect(info.description).toBe(
    '[ Server.Reject ] : (_defaultRoot_, _defaultVHost_) : Application (nowhere) is not defined.',
  );
});

test('CON-06: calls that are made before the accept follow it', async () => {
  const client = await connect(url('order'), { args: ['greets'] });
  await client.waitForCall('welcome');
  const names = client.received.entries.map(({ name }) => name).filter((name) => name);
  expect(names.filter((name) => ['_result', 'hello', 'welcome'].includes(name))).toEqual([
    '_result',
    'hello',
    'welcome',
  ]);
});

test('CON-07: who is left pending is refused after a while', async () => {
  const info = await connectRefused(url('late'), { args: ['nothing'] });
  expect(info).toMatchObject({ code: 'NetConnection.Connect.Rejected', description: 'Connection timed out' });
});

test('CON-08: access paths match whole segments; container prefix and query do not count', async () => {
  const client = await connect(url('segments'));
  await run(client, 'client.writeAccess = "up/load"');
  const publish = async (name: string) => {
    const stream = await client.createStream();
    stream.command('publish', name, 'live');
    await eventually('a verdict', () => stream.codes.length > 0);
    return stream.codes[0];
  };
  expect(await publish('up/load/a?key=up')).toBe('NetStream.Publish.Start');
  expect(await publish('up/loads')).toBe('NetStream.Publish.BadName');
  expect(await publish('up')).toBe('NetStream.Publish.BadName');
  expect(await publish('down?/up/load')).toBe('NetStream.Publish.BadName');
});

test('CON-09: a publish that is refused is answered by BadName with the reason', async () => {
  const stream = await (await connect(url('publish'))).createStream();
  stream.command('publish', 'secret', 'live');
  expect(await stream.status('NetStream.Publish.BadName')).toMatchObject({
    level: 'error',
    description: 'keep out',
  });
});

test('CON-10: a play that is refused is answered by Play.Failed with the reason', async () => {
  const stream = await (await connect(url('play'))).createStream();
  stream.command('play', 'secret', -2);
  expect(await stream.status('NetStream.Play.Failed')).toMatchObject({
    level: 'error',
    description: 'no looking',
  });
});

test('MOD-02: a promise of onConnect decides when it settles; a rejection refuses without its reason', async () => {
  expect((await connect(url('async'), { args: ['async'] })).info.code).toBe('NetConnection.Connect.Success');
  expect((await connectRefused(url('async'), { args: ['async no'] })).description).toBe('Connection failed.');
  expect((await connectRefused(url('async'), { args: ['async throws'] })).description).toBe('Script error');
});

test('MOD-06: authorizePublish refuses before a publisher hears that it may', async () => {
  const client = await connect(url('veto'));
  const stream = await client.createStream();
  stream.command('publish', 'secret', 'live');
  stream.video(0, keyFrame(1));
  await stream.status('NetStream.Publish.BadName');
  expect(stream.codes).not.toContain('NetStream.Publish.Start');
  expect(await run(client, 'return Object.keys(application.streams)')).toEqual([]);
});

test('ST-04: NetConnection.Connect.Rejected', async () => {
  expect(await connectRefused(url('st'), { args: ['throws'] })).toMatchObject({
    level: 'error',
    code: 'NetConnection.Connect.Rejected',
    description: 'Script error',
  });
});

test('ST-31: NetConnection.Connect.Success', async () => {
  expect((await connect(url('st'))).info).toMatchObject({
    level: 'status',
    code: 'NetConnection.Connect.Success',
    description: 'Connection succeeded.',
    objectEncoding: 0,
  });
});

test('an unknown application is Rejected and not InvalidApp: encoders act on that', async () => {
  expect((await connectRefused(`${server.rtmp}/unknown/room`)).code).toBe('NetConnection.Connect.Rejected');
});

test('ST-30: NetConnection.Connect.Closed is what a client makes of the call of `close` that ends its connection', async () => {
  const client = await connect(url('closed'));
  client.send('run', 'application.disconnect(client)');
  await client.closed;
  expect(client.received.entries.at(-1)).toMatchObject({ name: 'close', transaction: 0 });
});

test('ST-01: NetConnection.Call.Failed', async () => {
  expect(await (await connect(url('st'))).callFails('nothing')).toMatchObject({
    level: 'error',
    code: 'NetConnection.Call.Failed',
  });
});
