import { expect, test } from 'vitest';
import { connect, RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const accept = 'application.onConnect = (client, name) => { client.name = name; return true; };\n';
const server = useServer({
  limits: { handlerMs: 200, pendingConnectMs: 1000 },
  apps: {
    promises: {
      'main.ts': `${accept}
        const later = <T>(value: T, ms = 1) => new Promise<T>((resolve) => setTimeout(() => resolve(value), ms));
        async function* numbers() { for (let n = 1; n <= 3; n++) { await later(n); yield n; } }
        class Mine extends Promise<number> {}
        Object.assign(Client.prototype, {
          all: async () => await Promise.all([later(1, 9), 2, later(3)]),
          settled: async () => (await Promise.allSettled([later(1), Promise.reject(new Error('no'))])).map((s) => s.status),
          race: () => Promise.race([later('slow', 50), later('fast', 1)]),
          any: () => Promise.any([Promise.reject(new Error('no')), later('yes')]),
          async generator() { const all = []; for await (const n of numbers()) all.push(n); return all; },
          async syncInAsync() { let sum = 0; for await (const n of [later(1), 2]) sum += n; return sum; },
          async tryFinally() {
            const seen = [];
            try { await later(0); throw new Error('x'); } catch (error) { seen.push('caught'); } finally { seen.push('finally'); }
            return seen;
          },
          subclass: async () => { const p = Mine.resolve(4); return [p instanceof Mine, p instanceof Promise, await p]; },
          isPromise: () => [later(1) instanceof Promise, (async () => 1)() instanceof Promise, Promise.resolve(1).constructor === Promise],
          withResolvers: () => { const { promise, resolve } = Promise.withResolvers(); setTimeout(resolve, 1, 'resolved'); return promise; },
          thenable: () => ({ then(resolve) { resolve('a thenable'); } }),
          badThenable: () => ({ then() { throw new Error('bad then'); } }),
          finally: async () => { let ran = 0; await Promise.resolve(1).finally(() => { ran++; }); return ran; },
          nested: async () => await (async () => await (async () => await later('deep'))())(),
        });`,
    },
    deadly: {
      'main.ts': `
        application.onConnect = (client, name) => { client.name = name; return true; };
        application.onReattach = (client, reason) => {
          const name = client.uri.split('who=')[1];
          if (name === 'deadly') for (;;) {}
          client.name = name;
        };
        application.authorizePublish = async (client, stream) => { await null; if (stream.name === 'loop') for (;;) {} return true; };
        Object.assign(Client.prototype, {
          loop() { for (;;) {} },
          who() { return application.clients.map((c) => c.name); },
        });`,
    },
  },
});

const results: { method: string; is: unknown }[] = [
  { method: 'all', is: [1, 2, 3] },
  { method: 'settled', is: ['fulfilled', 'rejected'] },
  { method: 'race', is: 'fast' },
  { method: 'any', is: 'yes' },
  { method: 'generator', is: [1, 2, 3] },
  { method: 'syncInAsync', is: 3 },
  { method: 'tryFinally', is: ['caught', 'finally'] },
  { method: 'subclass', is: [true, true, 4] },
  { method: 'isPromise', is: [true, true, true] },
  { method: 'withResolvers', is: 'resolved' },
  { method: 'thenable', is: 'a thenable' },
  { method: 'finally', is: 1 },
  { method: 'nested', is: 'deep' },
];
for (const { method, is } of results) {
  test(`promises behave in an application: ${method}`, async () => {
    const client = await connect(`${server.rtmp}/promises/${method}`);
    expect(await client.call(method)).toEqual(is);
    const errors = () =>
      server.log.entries.filter((r) => r.code === 'E_SCRIPT' && r.instance === `promises/${method}`);
    await client.call('finally');
    expect(errors()).toEqual([]);
  });
}

test('a thenable that throws fails the call', async () => {
  const client = await connect(`${server.rtmp}/promises/bad`);
  expect(await client.callFails('badThenable')).toMatchObject({ code: 'NetConnection.Call.Failed' });
});

test('a client whose onReattach kills the script is let go; the others stay', async () => {
  const url = `${server.rtmp}/deadly/room`;
  const good = await connect(`${url}?who=good`, { args: ['good'] });
  const deadly = await connect(`${url}?who=deadly`, { args: ['deadly'] });
  await good.callFails('loop');
  expect(await good.call('who')).toEqual(['good']);
  await deadly.closed;
  expect(good.isClosed).toBe(false);
});

test('an asynchronous authorizePublish that kills the script refuses that publisher', async () => {
  const url = `${server.rtmp}/deadly/authorize`;
  const client = await connect(`${url}?who=a`, { args: ['a'] });
  const stream = await client.createStream();
  expect((await stream.publish('loop')).code).toBe('NetStream.Publish.BadName');
  expect((await stream.publish('fine')).code).toBe('NetStream.Publish.Start');
});

for (const { when, decides, isDecided } of [
  { when: 'after the new code has decided', decides: 'true', isDecided: true },
  {
    when: 'while the new code decides',
    decides: 'new Promise((done) => setTimeout(done, 100, true))',
    isDecided: false,
  },
]) {
  test(`a publication from before a reload that ends ${when} is told to it, name and query`, async () => {
    const app = isDecided ? 'outlives' : 'outlived';
    const script = (n: number, verdict: string) => `
      application.onConnect = (client, name) => { client.name = name; return ${verdict}; };
      application.onUnpublish = (client, stream) =>
        trace('${n}: ' + client.name + ' ' + stream.name + '?' + stream.publishQueryString + ' ' + (stream instanceof Stream));
      application.onDisconnect = (client) => trace('${n}: left ' + client.name);`;
    server.writeApp(app, { 'main.ts': script(1, 'true') });
    const client = await connectWhenKnown(`${app}/room`, 'ann');
    await (await client.createStream()).publish('cam?key=1');
    server.writeFile(`${app}/main.ts`, script(2, decides));
    const room = `${app}/room`;
    await server.waitForLog((r) => r.instance === room && r.message.startsWith('runs new code'));
    if (isDecided) await client.callFails('fence');
    await client.close();
    await server.waitForLog((r) => r.instance === room && r.message === '2: left ann');
    const lines = server.log.entries.filter((r) => r.instance === room && r.message.startsWith('2:'));
    expect(lines.map(({ message }) => message)).toEqual(['2: ann cam?key=1 true', '2: left ann']);
  });
}

test('who leaves while the new code decides is disconnected once', async () => {
  server.writeApp('leaver', { 'main.ts': accept });
  const client = await connectWhenKnown('leaver/room', 'ann');
  server.writeFile(
    'leaver/main.ts',
    `application.onReattach = (client) => {
       client.name = 'ann';
       trace('deciding');
       return new Promise((resolve) => setTimeout(resolve, 100, true));
     };
     application.onDisconnect = (client) => trace('left ' + client.name + ' ' + application.clients.length);`,
  );
  await server.waitForLog((r) => r.instance === 'leaver/room' && r.message === 'deciding');
  await client.close();
  await server.waitForLog((r) => r.instance === 'leaver/room' && r.message.startsWith('left'));
  const witness = await connect(`${server.rtmp}/leaver/room`, { args: ['witness'] });
  await witness.callFails('fence');
  const lines = server.log.entries.filter(
    (r) => r.instance === 'leaver/room' && r.message.startsWith('left'),
  );
  expect(lines.map(({ message }) => message)).toEqual(['left ann 0']);
});

test('a reload that never decides lets the client go in time', async () => {
  server.writeApp('undecided', { 'main.ts': accept });
  const client = await connectWhenKnown('undecided/room', 'ann');
  server.writeFile('undecided/main.ts', 'application.onReattach = () => new Promise(() => {});');
  await client.closed;
  await server.waitForLog((r) => r.instance === 'undecided/room' && r.message.includes('no verdict in time'));
});

/** The watcher finds new folders in its own time. */
async function connectWhenKnown(path: string, ...args: unknown[]): Promise<RtmpClient> {
  for (;;) {
    const client = await RtmpClient.open(`${server.rtmp}/${path}`, { args });
    const isKnown = await client.connect().then(
      () => true,
      () => false,
    );
    if (isKnown) return client;
    await client.closed;
  }
}
