import { expect, test } from 'vitest';
import { connect, connectRefused, RtmpClient, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { isOverWebSocket } from '../support/websocket-client.ts';

const server = useServer({
  limits: { pendingConnectMs: 1500, connectArgs: 4 },
  apps: {
    empty: { 'README.md': 'No script here.' },
    silent: { 'main.ts': 'application.onAppStart = () => {};' },
    verdicts: {
      'main.ts': `
        application.onConnect = (client, verdict, ...rest) => {
          switch (verdict) {
            case 'true': return true;
            case 'false': return false;
            case 'described':
              application.rejectConnection(client, 'full', { n: 3, list: [1] });
              return true;
            case 'old form':
              application.rejectConnection(client, { msg: 'x' });
              return;
            case 'no words':
              application.rejectConnection(client);
              return;
            case 'throw': throw new Error('secret detail');
            case 'async true': return Promise.resolve().then(() => true);
            case 'async false': return Promise.resolve().then(() => false);
            case 'async throw': return Promise.reject(new Error('secret detail'));
            case 'accepted, then false':
              application.acceptConnection(client);
              return false;
            case 'twice':
              application.acceptConnection(client);
              application.acceptConnection(client);
              return true;
          }
        };`,
    },
    pending: {
      'main.ts': `
        application.onConnect = (client, value) => {
          if (value === 'watcher') return true;
          setTimeout(() => {
            for (const watcher of application.clients) watcher.call('count', null, application.clients.length);
            if (value === 'later') application.acceptConnection(client);
            if (value === 'later no') application.rejectConnection(client, 'not today');
          }, 50);
          return { undefined, null: null, one: 1, zero: 0, empty: '', text: 'yes', later: undefined }[value];
        };`,
    },
    introduces: {
      'main.ts': `
        application.onConnect = function (client, ...args) {
          client.saw = { count: arguments.length, args };
          client.self = this === application;
          return true;
        };
        Object.assign(Client.prototype, {
          given() { return this.saw; },
          isApplication() { return this.self; },
          me() {
            const { agent, id, ip, pageUrl, protocol, referrer, secure, uri, reconnected } = this;
            return { agent, id, ip, pageUrl, protocol, referrer, secure, uri, reconnected };
          },
          where() { return [application.name, application.server]; },
        });`,
    },
  },
});

const verdicts = () => `${server.rtmp}/verdicts`;

test('an application without a script accepts everybody', async () => {
  const client = await connect(`${server.rtmp}/empty`);
  expect(client.info).toMatchObject({
    level: 'status',
    code: 'NetConnection.Connect.Success',
    description: 'Connection succeeded.',
    objectEncoding: 0,
  });
  expect(client.properties).toMatchObject({
    fmsVer: expect.stringMatching(/^FMS\/\d+,\d+,\d+,\d+$/),
    mode: 1,
  });
  expect(await client.callFails('anything')).toMatchObject({ code: 'NetConnection.Call.Failed' });
});

test('a script without onConnect accepts everybody', async () => {
  const client = await connect(`${server.rtmp}/silent`);
  expect(client.info.code).toBe('NetConnection.Connect.Success');
});

test('the answer to connect comes behind window size, bandwidth and chunk size', async () => {
  const client = await connect(verdicts(), { args: ['true'] });
  const types = client.received.entries.map(({ type }) => type);
  expect(types.slice(0, 2)).toEqual([Type.WindowAckSize, Type.SetPeerBandwidth]);
  // A WebSocket has no chunks.
  expect(types.includes(Type.SetChunkSize)).toBe(!isOverWebSocket);
  expect(types.indexOf(Type.SetChunkSize)).toBeLessThan(types.indexOf(Type.CommandAmf0));
  const controls = client.received.entries.filter(({ type }) => type <= Type.SetPeerBandwidth);
  expect(controls.map(({ csid, streamId }) => [csid, streamId])).toEqual(
    controls.map(() => [isOverWebSocket ? 0 : 2, 0]),
  );
});

const accepted = ['true', 'async true', 'accepted, then false', 'twice'];
for (const verdict of accepted) {
  test(`onConnect says "${verdict}": the client is accepted once`, async () => {
    const client = await connect(verdicts(), { args: [verdict] });
    expect(client.info.code).toBe('NetConnection.Connect.Success');
    expect(await client.callFails('fence')).toMatchObject({ description: 'Method not found (fence).' });
    const answers = client.received.entries.filter(
      ({ transaction, name }) => transaction === 1 && name !== '',
    );
    expect(answers.map(({ name }) => name)).toEqual(['_result']);
  });
}

const refused = [
  { verdict: 'false', info: { description: 'Connection failed.' } },
  { verdict: 'described', info: { description: 'full', application: { n: 3, list: [1] } } },
  { verdict: 'old form', info: { description: 'Connection failed.', application: { msg: 'x' } } },
  { verdict: 'no words', info: { description: 'Connection failed.' } },
  { verdict: 'throw', info: { description: 'Script error' } },
  { verdict: 'async false', info: { description: 'Connection failed.' } },
  { verdict: 'async throw', info: { description: 'Script error' } },
];
for (const { verdict, info } of refused) {
  test(`onConnect says "${verdict}": the client is told why, then disconnected`, async () => {
    const answer = await connectRefused(verdicts(), { args: [verdict] });
    expect(answer).toEqual({ level: 'error', code: 'NetConnection.Connect.Rejected', ...info });
  });
}

test('a rejection is followed by close before the socket closes', async () => {
  const client = await RtmpClient.open(verdicts(), { args: ['false'] });
  const answer = await client.startConnect();
  expect(answer).toMatchObject({ name: '_error', transaction: 1, object: null });
  expect(await client.waitForCall('close')).toMatchObject({ transaction: 0 });
  await client.closed;
});

for (const value of ['undefined', 'null', 'one', 'zero', 'empty', 'text', 'later']) {
  test(`onConnect returns "${value}": the client is pending and not among the clients`, async () => {
    const instance = `${server.rtmp}/pending/${value}`;
    const watcher = await connect(instance, { args: ['watcher'] });
    const client = await RtmpClient.open(instance, { args: [value] });
    const answer = client.startConnect();
    const { args } = await watcher.waitForCall('count');
    expect(args).toEqual([1]);
    expect(client.received.entries.filter(({ name }) => name === '_error')).toEqual([]);
    if (value === 'later') expect((await answer).name).toBe('_result');
    else expect((await answer).args[0]).toMatchObject({ description: 'Connection timed out' });
  });
}

test('a pending client can be rejected later', async () => {
  const info = await connectRefused(`${server.rtmp}/pending`, { args: ['later no'] });
  expect(info).toMatchObject({ code: 'NetConnection.Connect.Rejected', description: 'not today' });
});

test('commands sent ahead of the acceptance are answered behind it, in order', async () => {
  const client = await RtmpClient.open(`${server.rtmp}/pending/ahead`, { args: ['later'] });
  const answers = [client.startConnect(), client.startCall('createStream'), client.startCall('nothing')];
  expect((await Promise.all(answers)).map(({ name }) => name)).toEqual(['_result', '_result', '_error']);
  const order = client.received.entries.filter(({ name }) => /^_/.test(name)).map((r) => r.transaction);
  expect(order).toEqual([1, 2, 3]);
});

test('connect arguments are spread behind the client', async () => {
  const args = [1, 'a', { b: 2 }];
  const client = await connect(`${server.rtmp}/introduces`, { args });
  expect(await client.call('given')).toEqual({ count: 4, args });
  expect(await client.call('isApplication')).toBe(true);
});

test('more connect arguments than allowed are refused', async () => {
  const info = await connectRefused(`${server.rtmp}/introduces`, { args: [1, 2, 3, 4, 5] });
  expect(info).toMatchObject({ code: 'NetConnection.Connect.Rejected' });
  expect(info.description).toContain('at most 4');
});

test('the client object tells who is connected', async () => {
  const properties = { swfUrl: 'http://a/b.swf', pageUrl: 'http://a/page', flashVer: 'TEST 1,0' };
  const client = await connect(`${server.rtmp}/introduces/room?x=1`, { properties });
  const me = (await client.call('me')) as { id: string };
  expect(me).toEqual({
    agent: 'TEST 1,0',
    id: expect.stringMatching(/^[\w-]{8,}$/),
    ip: '127.0.0.1',
    pageUrl: 'http://a/page',
    protocol: isOverWebSocket ? 'ws' : 'rtmp',
    referrer: 'http://a/b.swf',
    secure: false,
    uri: `${server.rtmp}/introduces/room?x=1`,
    reconnected: false,
  });
  const other = await connect(`${server.rtmp}/introduces/room`);
  expect(((await other.call('me')) as { id: string }).id).not.toBe(me.id);
});

const instances = [
  { path: 'introduces', name: 'introduces/_definst_' },
  { path: 'introduces/', name: 'introduces/_definst_' },
  { path: 'introduces/_definst_', name: 'introduces/_definst_' },
  { path: 'introduces/room1', name: 'introduces/room1' },
  { path: 'introduces/a/b/c', name: 'introduces/a/b/c' },
  { path: 'introduces/Room1', name: 'introduces/Room1' },
  { path: 'introduces/room1?user=x/y', name: 'introduces/room1' },
];
for (const { path, name } of instances) {
  test(`${path} is the instance ${name}`, async () => {
    const client = await connect(`${server.rtmp}/${path}`);
    expect(await client.call('where')).toEqual([name, expect.stringMatching(/^FMS\/.*\/\d+\.\d+/)]);
  });
}

test('an unknown application is refused in the words of FMS', async () => {
  const info = await connectRefused(`${server.rtmp}/nowhere/room`);
  expect(info).toEqual({
    level: 'error',
    code: 'NetConnection.Connect.Rejected',
    description:
      '[ Server.Reject ] : (_defaultRoot_, _defaultVHost_) : Application (nowhere) is not defined.',
  });
});

for (const app of [
  'introduces/../verdicts',
  'introduces//x',
  '.hidden',
  'introduces/.x',
  'a\\b',
  'a\u0007b',
  '',
  // What takes time with the square of that, takes a minute.
  `a${'/'.repeat(250_000)}b`,
]) {
  test(`${JSON.stringify(app.slice(0, 30))} is no name of an instance`, async () => {
    const properties = { app, tcUrl: `${server.rtmp}/` };
    const info = await connectRefused(`${server.rtmp}/x`, { properties });
    expect(info.code).toBe('NetConnection.Connect.Rejected');
    expect(info.description).toContain('[ Server.Reject ]');
  });
}

test('objectEncoding 3 is echoed, everything else is taken as 0', async () => {
  const amf3 = await connect(`${server.rtmp}/empty`, { objectEncoding: 3 });
  expect(amf3.info.objectEncoding).toBe(3);
  const odd = await connect(`${server.rtmp}/empty`, { properties: { objectEncoding: 7 } });
  expect(odd.info.objectEncoding).toBe(0);
});
