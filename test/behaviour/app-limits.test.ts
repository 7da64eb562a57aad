import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused, RtmpClient } from '../support/rtmp-client.ts';
import { startServer, type TestServer, useServer } from '../support/server.ts';

/** Limits per application, from app.json: each is seen at work, and a wrong file never takes a running app down. */
const script = `
  application.onConnect = (client, name) => { client.name = name; return name === 'pending' ? undefined : true; };
  application.onReattach = (client, reason) => { client.name = 'back: ' + reason; };
  Object.assign(Client.prototype, {
    who() { return this.name; },
    loop() { for (;;); },
    hoard() { const all = []; for (;;) all.push(all.concat(1)); },
    timers() { let n = 0; try { for (;; n++) setTimeout(() => {}, 1e6); } catch { return n; } },
    spin(ms) { let x = 0; for (let i = 0; i < ms * 3e5; i++) x = (x + i) | 0; return x !== -1; },
    pour(bytes) { for (let i = 0; i < 20; i++) this.call('poured', null, 'x'.repeat(bytes)); },
    count() { return served++; },
  });
  let served = 0;`;

const appWith = (limits: Record<string, unknown>) => ({
  'main.ts': script,
  'app.json': JSON.stringify({ limits }),
});

const server = useServer({
  apps: {
    plain: { 'main.ts': script },
    quick: appWith({ handlerMs: 100 }),
    small: appWith({ heapMb: 16 }),
    few: appWith({
      timers: 7,
      instancesPerApp: 2,
      clientsPerInstance: 3,
      pendingClients: 2,
      pendingConnectMs: 1000,
    }),
    slow: appWith({ callsPerSecond: 100 }),
    deaf: appWith({ callQueueBytes: 65_536 }),
    leash: appWith({ cpuPercent: 2, handlerMs: 5000, idleInstanceMs: 60_000 }),
  },
});

async function limitsOf(of: TestServer, name: string): Promise<Record<string, number>> {
  const answer = await fetch(`${of.http}/api/instances/${name}`);
  return ((await answer.json()) as { limits: Record<string, number> }).limits;
}

test('an app without app.json has the limits of the server, one with it its own', async () => {
  await connect(`${server.rtmp}/plain`);
  await connect(`${server.rtmp}/quick`);
  expect((await limitsOf(server, 'plain/_definst_')).handlerMs).toBe(1000);
  expect((await limitsOf(server, 'quick/_definst_')).handlerMs).toBe(100);
  expect((await limitsOf(server, 'quick/_definst_')).heapMb).toBe(64);
});

test('handlerMs', async () => {
  const client = await connect(`${server.rtmp}/quick/loop`);
  await client.callFails('loop');
  await server.waitForLog(
    (r) => r.instance === 'quick/loop' && r.message === 'loop ran for 100 ms and was stopped',
  );
});

test('heapMb', async () => {
  const client = await connect(`${server.rtmp}/small/hoard`);
  await client.callFails('hoard');
  await server.waitForLog((r) => r.instance === 'small/hoard' && r.message.includes('more than 16 MB'));
});

test('timers, instancesPerApp, clientsPerInstance', async () => {
  const client = await connect(`${server.rtmp}/few/one`);
  expect(await client.call('timers')).toBe(7);
  await connect(`${server.rtmp}/few/two`);
  expect((await connectRefused(`${server.rtmp}/few/three`)).description).toContain(
    'too many instances of this',
  );
  await connect(`${server.rtmp}/few/one`);
  await connect(`${server.rtmp}/few/one`);
  expect((await connectRefused(`${server.rtmp}/few/one`)).description).toContain('too many clients in this');
});

test('pendingClients and pendingConnectMs', async () => {
  const url = `${server.rtmp}/few/two`;
  const pending = [1, 2].map(async () => {
    const client = await RtmpClient.open(url, { args: ['pending'] });
    return client.startConnect();
  });
  await eventually('two to wait', async () => {
    const answer = await fetch(`${server.http}/api/instances/few/two`);
    const { connected } = (await answer.json()) as { connected: { standing: string }[] };
    return connected.filter(({ standing }) => standing === 'pending').length === 2;
  });
  expect((await connectRefused(url)).description).toContain('wait for this instance');
  for (const answer of await Promise.all(pending)) expect(answer.name).toBe('_error');
});

test('callsPerSecond: who sends more is read more slowly and loses nothing, the others do not wait for it', async () => {
  const flood = await connect(`${server.rtmp}/slow/room`);
  const calm = await connect(`${server.rtmp}/slow/room`, { args: ['calm'] });
  const startedAt = performance.now();
  const calls = Array.from({ length: 250 }, () => flood.call('count'));
  await calls[99];
  expect(await calm.call('who')).toBe('calm');
  const calmMs = performance.now() - startedAt;
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 250 }, (_, index) => index));
  const floodMs = performance.now() - startedAt;
  // 100 at once, then 100 a second: 150 more take 1.5 s.
  expect(floodMs).toBeGreaterThan(1000);
  expect(calmMs).toBeLessThan(floodMs);
});

test('callQueueBytes: a client that does not read is dropped with a reason, its neighbour is served on', async () => {
  const lazy = await connect(`${server.rtmp}/deaf/room`);
  const other = await connect(`${server.rtmp}/deaf/room`, { args: ['other'] });
  const from = server.log.mark;
  lazy.pauseReading();
  lazy.send('pour', 60_000);
  const record = await server.waitForLog((r) => r.code === 'E_SLOW_READER', from);
  expect(record.message).toMatch(/does not read: \d+ bytes wait for it \(limits.callQueueBytes\)/);
  expect(await other.call('who')).toBe('other');
});

test('cpuPercent: beyond its share the turns of an instance are spaced out, and nothing is lost', async () => {
  const client = await connect(`${server.rtmp}/leash/room`, { args: ['x'] });
  const cpuMs = async () => {
    const answer = await fetch(`${server.http}/api/instances/leash/room`);
    return ((await answer.json()) as { cpuMs: number }).cpuMs;
  };
  // It may use its whole window's share, 200 ms, at once; what is over that takes fifty times as long.
  const startedAt = performance.now();
  let used = 0;
  await eventually('it to use more than it saved', async () => {
    expect(await client.call('spin', 30)).toBe(true);
    used = await cpuMs();
    return used > 240;
  });
  // What the last turn used has not been waited for yet.
  expect(performance.now() - startedAt).toBeGreaterThan((used - 200 - 60) * 50 * 0.5);
});

const mistakes = [
  {
    json: '{ "limits": { "handlerMs": 5 } }',
    says: 'limits.handlerMs is 5, expected a whole number from 10',
  },
  { json: '{ "limits": { "handlerMS": 50 } }', says: 'did you mean limits.handlerMs?' },
  { json: '{ "limits": ', says: 'app.json is not JSON' },
];

test('a wrong app.json leaves the old limits, names what is wrong, and a right one applies to those who run', async () => {
  const own = await startServer({ apps: { app: appWith({ handlerMs: 123 }) } });
  const client = await connect(`${own.rtmp}/app/room`, { args: ['first'] });
  for (const { json, says } of mistakes) {
    const from = own.log.mark;
    own.writeFile('app/app.json', json);
    const record = await own.waitForLog((r) => r.code === 'E_APP_FILE' && r.message.includes(says), from);
    expect(record).toMatchObject({ level: 'error', instance: 'app' });
    expect(record.message).toContain('goes on with the settings it has');
    expect(await client.call('who')).toBe('first');
    expect((await limitsOf(own, 'app/room')).handlerMs).toBe(123);
  }
  own.writeFile('app/app.json', '{ "limits": { "handlerMs": 77, "timers": 3 } }');
  await own.waitForLog((r) => r.instance === 'app/room' && r.message.startsWith('runs'));
  expect(await client.call('who')).toBe('back: reload');
  expect(await client.call('timers')).toBe(3);
  expect((await limitsOf(own, 'app/room')).handlerMs).toBe(77);
  own.remove('app/app.json');
  await eventually(
    'the limits of the server',
    async () => (await limitsOf(own, 'app/room')).handlerMs === 1000,
  );
});

test('an app that never had a right app.json lets nobody in until it has one', async () => {
  const own = await startServer({
    apps: { app: { 'main.ts': script, 'app.json': '{ "limits": { "heapMb": 1 } }' } },
  });
  await own.waitForLog((r) => r.code === 'E_APP_FILE' && String(r.detail).includes('limits.heapMb is 1'));
  expect((await connectRefused(`${own.rtmp}/app`)).description).toContain('does not build');
  own.writeFile('app/app.json', '{}');
  await own.waitForLog((r) => r.instance === 'app' && r.message.startsWith('new application'));
  await connect(`${own.rtmp}/app`);
});

test('calls to a client that is pending are bounded by their size, too', async () => {
  const own = await startServer({
    apps: {
      app: {
        'main.ts': `
          let sent = 0, refused = 0;
          application.onConnect = (client, name) => {
            if (name === 'asks') return true;
            for (let i = 0; i < 20; i++) client.call('early', { onStatus: () => refused++ }, 'x'.repeat(100_000));
          };
          Client.prototype.refused = () => refused;`,
        'app.json': JSON.stringify({ limits: { callQueueBytes: 500_000, pendingConnectMs: 5000 } }),
      },
    },
  });
  const pending = await RtmpClient.open(`${own.rtmp}/app/room`, { args: ['pending'] });
  void pending.startConnect().catch(() => {});
  const asks = await connect(`${own.rtmp}/app/room`, { args: ['asks'] });
  await eventually('the rest to be refused', async () => (await asks.call('refused')) === 16);
});

test('saved limits of an instance hold for what it asks from now on', async () => {
  const own = await startServer({
    apps: { app: { 'main.ts': 'application.authorizePublish = () => new Promise(() => {});' } },
  });
  const client = await connect(`${own.rtmp}/app/room`);
  own.writeFile('app/app.json', '{ "limits": { "authorizeMs": 300 } }');
  await own.waitForLog((r) => r.instance === 'app/room' && r.message.startsWith('runs'));
  const stream = await client.createStream();
  const startedAt = performance.now();
  expect((await stream.publish('cam')).code).toBe('NetStream.Publish.BadName');
  expect(performance.now() - startedAt).toBeLessThan(8000); // it was 10 s
});
