import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { startServer, useServer } from '../support/server.ts';

const server = useServer({
  limits: { rejectLingerMs: 100, idleClientMs: 1500, bytesPerSecondToClient: 5_000_000, instances: 8 },
  apps: {
    rows: { 'main.js': runsCode, 'app.json': JSON.stringify({ config: { colour: 'red' } }) },
    brief: {
      'main.js': `${runsCode} application.onAppStop = (info) => { trace('stop ' + info.code); };`,
      'app.json': JSON.stringify({ limits: { idleInstanceMs: 200 } }),
    },
    vetoes: {
      'main.js': `${runsCode}
        let asked = 0;
        application.onAppStop = (info) => { trace('asked ' + ++asked + ' ' + info.code); return asked > 4; };`,
      'app.json': JSON.stringify({ limits: { idleInstanceMs: 200, gcIntervalMs: 100 } }),
    },
    slowly: {
      'main.js': `${runsCode} application.onAppStop = () => { trace('asked'); return false; };`,
      'app.json': JSON.stringify({ limits: { idleInstanceMs: 100, gcIntervalMs: 600_000 } }),
    },
    small: { 'main.js': runsCode, 'app.json': JSON.stringify({ limits: { heapMb: 16 } }) },
    quick: { 'main.js': runsCode, 'app.json': JSON.stringify({ limits: { handlerMs: 100 } }) },
    folders: { 'main.js': runsCode, 'app.json': JSON.stringify({ folderAccess: true }) },
    listed: {
      'main.js': `${runsCode} Object.assign(Client.prototype, { say: () => 1, sayMore: () => 2, hide: () => 3, chat: { send: () => 4 } });`,
      'app.json': JSON.stringify({ allowCalls: ['say', 'chat.'] }),
    },
    eager: {
      'main.js': `${runsCode} trace('loaded ' + application.name);`,
      'app.json': JSON.stringify({ loadOnStartup: ['one', 'two'], limits: { idleInstanceMs: 100 } }),
    },
    strict: {
      'main.js': `${runsCode} Client.prototype.version = () => 1;`,
      'app.json': JSON.stringify({ reload: 'disconnect' }),
    },
    exact: {
      'main.js': `${runsCode} Client.prototype.version = () => 1;`,
      'app.json': JSON.stringify({ strictFMS: true }),
    },
    stopping: { 'main.js': `${runsCode} application.onAppStop = () => { trace('asked'); };` },
  },
});

const instances = async () => {
  const response = await fetch(`${server.http}/api/instances`);
  const { instances } = (await response.json()) as { instances: { app: string; instance: string }[] };
  return instances.map(({ app, instance }) => `${app}/${instance}`);
};

test('CFG-01: an instance without clients is unloaded after limits.idleInstanceMs', async () => {
  const client = await connect(`${server.rtmp}/brief/room`);
  await client.close();
  await server.waitForLog((r) => r.instance === 'brief/room' && r.message.startsWith('unloaded after '));
  expect(await instances()).not.toContain('brief/room');
});

test('CFG-02: limits.heapMb bounds the heap of a script', async () => {
  const client = await connect(`${server.rtmp}/small/room`);
  await client.callFails('run', 'const all = []; for (;;) all.push({ at: all.length })');
  await server.waitForLog((r) => r.instance === 'small/room' && r.message.includes('needed more than 16 MB'));
  expect(await run(client, 'return 1')).toBe(1);
});

test('CFG-03: limits.handlerMs ends a handler that runs for longer', async () => {
  const client = await connect(`${server.rtmp}/quick/room`);
  await client.callFails('run', 'for (;;);');
  await server.waitForLog((r) => r.instance === 'quick/room' && r.message.includes('ran for 100 ms'));
  expect(await run(client, 'return 1')).toBe(1);
});

test('CFG-05: loadOnStartup in app.json starts instances with the server', async () => {
  for (const name of ['eager/one', 'eager/two'])
    await server.waitForLog((r) => r.instance === name && r.message === `loaded ${name}`);
});

test('CFG-09: bytesPerSecondToClient is what a client begins with', async () => {
  const client = await connect(`${server.rtmp}/rows/bandwidth`);
  expect(await run(client, 'return [client.getBandwidthLimit(1), client.getBandwidthLimit(0)]')).toEqual([
    5_000_000, 0,
  ]);
});

test('CFG-12: limits.idleClientMs disconnects who neither sends nor is sent anything', async () => {
  const [idle, busy] = [await connect(`${server.rtmp}/rows/idle`), await connect(`${server.rtmp}/rows/idle`)];
  await eventually('the idle one to be disconnected', async () => {
    await run(busy, 'return 1');
    return idle.isClosed;
  });
  expect(busy.isClosed).toBe(false);
});

test('ST-32: NetConnection.Connect.IdleTimeout', async () => {
  const idle = await connect(`${server.rtmp}/rows/idle-status`);
  await idle.closed;
  expect(idle.callsOf('onStatus').at(-1)).toMatchObject([
    { level: 'status', code: 'NetConnection.Connect.IdleTimeout' },
  ]);
});

test('CFG-10: limits.outChunkBytes is the chunk size of what the server sends', async () => {
  const small = await startServer({
    apps: { rows: { 'main.js': runsCode } },
    limits: { outChunkBytes: 200 },
  });
  const client = await connect(`${small.rtmp}/rows/room`);
  const before = client.receivedBytes;
  expect(await run(client, 'return "x".repeat(20000)')).toHaveLength(20_000);
  // Each further chunk of the message has a header of one byte.
  const overhead = client.receivedBytes - before - 20_000;
  expect(overhead).toBeGreaterThan(95);
  expect(overhead).toBeLessThan(300);
});

test('CFG-16: limits.bytesPerSecondCap bounds what a script may set', async () => {
  const small = await startServer({
    apps: { rows: { 'main.js': runsCode } },
    limits: { bytesPerSecondCap: 1000 },
  });
  const client = await connect(`${small.rtmp}/rows/room`);
  const code =
    'client.setBandwidthLimit(500, 5000); return [client.getBandwidthLimit(1), client.getBandwidthLimit(0)]';
  expect(await run(client, code)).toEqual([500, 1000]);
});

test('CFG-32: with folderAccess, access strings hold for folders and not for single resources', async () => {
  const client = await connect(`${server.rtmp}/folders/room`);
  await run(client, 'client.writeAccess = "up"');
  const publish = async (name: string) => {
    const stream = await client.createStream();
    stream.command('publish', name, 'live');
    await eventually('a verdict', () => stream.codes.length > 0);
    return stream.codes[0];
  };
  expect(await publish('up/a')).toBe('NetStream.Publish.Start');
  expect(await publish('up')).toBe('NetStream.Publish.BadName');
});

test('CFG-34: allowCalls in app.json lists what clients may call; each stands for all names that begin with it', async () => {
  const client = await connect(`${server.rtmp}/listed/room`);
  expect(await client.call('say')).toBe(1);
  expect(await client.call('sayMore')).toBe(2);
  expect(await client.call('chat/send')).toBe(4);
  expect((await client.callFails('hide')).description).toBe('Method not found (hide).');
});

test('CFG-36: lockedLimits of the server cannot be changed by app.json', async () => {
  const strict = await startServer({
    apps: { greedy: { 'main.js': runsCode, 'app.json': JSON.stringify({ limits: { handlerMs: 60_000 } }) } },
    lockedLimits: ['handlerMs', 'heapMb'],
  });
  const record = await strict.waitForLog((r) => r.code === 'E_APP_FILE');
  expect(record.detail).toContain(
    'limits.handlerMs is fixed by the server (lockedLimits in its configuration)',
  );
});

test('CFG-13: every folder of the applications directory is an application', async () => {
  server.writeApp('later', { 'main.js': runsCode });
  await server.waitForLog((r) => r.instance === 'later' && r.message.startsWith('new application'));
  expect(await run(await connect(`${server.rtmp}/later/room`), 'return application.name')).toBe('later/room');
});

test('CFG-14: limits.connections bounds the connections to the server', async () => {
  const small = await startServer({ apps: { rows: { 'main.js': runsCode } }, limits: { connections: 1 } });
  const first = await connect(`${small.rtmp}/rows/room`);
  await expect(connect(`${small.rtmp}/rows/room`)).rejects.toThrow();
  expect(await run(first, 'return 1')).toBe(1);
});

test('CFG-35: `config` of app.json is application.config', async () => {
  expect(await run(await connect(`${server.rtmp}/rows/config`), 'return application.config.colour')).toBe(
    'red',
  );
});

test('CFG-37: limits.instances bounds the instances; one that is idle makes room', async () => {
  const small = await startServer({
    apps: { rows: { 'main.js': runsCode } },
    limits: { instances: 1, rejectLingerMs: 50 },
  });
  const first = await connect(`${small.rtmp}/rows/a`);
  expect((await connectRefused(`${small.rtmp}/rows/b`)).description).toContain('Resource.Limit.Exceeded');
  await first.close();
  await eventually('room for another', async () => {
    const info = await connect(`${small.rtmp}/rows/b`).catch(() => undefined);
    return info !== undefined;
  });
});

test('LIFE-01: an instance is loaded by its first client, and by an administrator', async () => {
  await connect(`${server.rtmp}/rows/first`);
  expect(await instances()).toContain('rows/first');
  const started = await fetch(`${server.http}/api/instances/rows/by-hand/start`, { method: 'POST' });
  expect(await started.json()).toEqual({ started: 'rows/by-hand', wasRunning: false });
  expect(await instances()).toContain('rows/by-hand');
  await fetch(`${server.http}/api/instances/rows/by-hand`, { method: 'DELETE' });
});

test('LIFE-03: the time of an idle instance begins when its last client leaves', async () => {
  const client = await connect(`${server.rtmp}/brief/last`);
  // Another one's time begins later than this one would have, and is over.
  await (await connect(`${server.rtmp}/brief/earlier`)).close();
  await server.waitForLog((r) => r.instance === 'brief/earlier' && r.message.startsWith('unloaded after'));
  expect(await run(client, 'return 1')).toBe(1);
  await client.close();
  await server.waitForLog((r) => r.instance === 'brief/last' && r.message === 'stop Application.GC');
});

test('LIFE-04: an instance that never had a client is not idle', async () => {
  await server.waitForLog((r) => r.instance === 'eager/one' && r.message === 'loaded eager/one');
  // One of the same application that had a client comes later, and is gone.
  await (await connect(`${server.rtmp}/eager/three`)).close();
  await server.waitForLog((r) => r.instance === 'eager/three' && r.message.startsWith('unloaded after'));
  expect(await instances()).toEqual(expect.arrayContaining(['eager/one', 'eager/two']));
});

test('LIFE-05: onAppStop that returns false keeps an idle instance; it is asked again', async () => {
  const client = await connect(`${server.rtmp}/vetoes/room`);
  await client.close();
  await server.waitForLog((r) => r.instance === 'vetoes/room' && r.message === 'asked 1 Application.GC');
  await server.waitForLog((r) => r.instance === 'vetoes/room' && r.message === 'asked 2 Application.GC');
  await server.waitForLog((r) => r.instance === 'vetoes/room' && r.message.startsWith('unloaded after'));
});

test('CFG-15: who has refused is asked again after limits.gcIntervalMs', async () => {
  const isOf = (name: string) => (r: { instance?: string }) => r.instance === `${name}/period`;
  const slow = await connect(`${server.rtmp}/slowly/period`);
  await slow.close();
  await server.waitForLog((r) => isOf('slowly')(r) && r.message === 'asked');
  const quick = await connect(`${server.rtmp}/vetoes/period`);
  await quick.close();
  await server.waitForLog((r) => isOf('vetoes')(r) && r.message.startsWith('asked 5'));
  expect(server.log.entries.filter(isOf('slowly'))).toHaveLength(1);
});

test('LIFE-06: an administrator unloads an instance without onAppStop; its clients are disconnected', async () => {
  const client = await connect(`${server.rtmp}/stopping/room`);
  const response = await fetch(`${server.http}/api/instances/stopping/room`, { method: 'DELETE' });
  expect(await response.json()).toEqual({ unloaded: 'stopping/room' });
  await client.closed;
  expect(client.callsOf('onStatus').at(-1)).toMatchObject([{ code: 'NetConnection.Connect.AppShutdown' }]);
  expect(server.log.entries.some((r) => r.instance === 'stopping/room' && r.message === 'asked')).toBe(false);
  expect((await fetch(`${server.http}/api/instances/stopping/room`, { method: 'DELETE' })).status).toBe(404);
});

test('LIFE-07: with `reload` "disconnect" new code disconnects everybody and starts from nothing', async () => {
  const client = await connect(`${server.rtmp}/strict/room`);
  await run(client, 'application.kept = 1');
  server.writeFile('strict/main.js', `${runsCode} Client.prototype.version = () => 2;`);
  await client.closed;
  expect(client.callsOf('onStatus').at(-1)).toMatchObject([{ code: 'NetConnection.Connect.AppShutdown' }]);
  const again = await connect(`${server.rtmp}/strict/room`);
  expect(await again.call('version')).toBe(2);
  expect(await run(again, 'return application.kept')).toBeUndefined();
});

test('LIFE-08: new code gets the sockets, streams and shared objects of the old; onReattach hears of each client', async () => {
  const script = (version: number) => `${runsCode}
    application.onReattach = (client, reason) => { client.greeted = reason; };
    const board = SharedObject.get('board');
    Client.prototype.look = function () {
      return [${version}, this.greeted ?? '', board.getProperty('x'), Object.keys(application.streams)];
    };`;
  server.writeApp('lasting', { 'main.js': script(1) });
  await server.waitForLog((r) => r.instance === 'lasting' && r.message.startsWith('new application'));
  const client = await connect(`${server.rtmp}/lasting/room`);
  const stream = await client.createStream();
  expect((await stream.publish('cam')).code).toBe('NetStream.Publish.Start');
  await run(client, 'SharedObject.get("board").setProperty("x", 5)');
  expect(await client.call('look')).toEqual([1, '', 5, ['cam']]);
  const from = server.log.mark;
  server.writeFile('lasting/main.js', script(2));
  await server.waitForLog(
    (r) => r.instance === 'lasting/room' && r.message.startsWith('runs new code'),
    from,
  );
  expect(await client.call('look')).toEqual([2, 'reload', 5, ['cam']]);
  expect(client.callsOf('onStatus')).toHaveLength(1); // that it publishes
});

test('MOD-17: onRestore gets what onSave of the old code returned, and which build that was', async () => {
  const script = (version: number) => `${runsCode}
    let turns = new (class Turns { n = ${version}; })();
    application.onSave = () => ({ n: turns.n + 10 });
    application.onRestore = (state, from) => { turns.n = state.n; turns.from = from; };
    Client.prototype.look = () => [${version}, turns.n, turns.from ?? ''];`;
  server.writeApp('turning', { 'main.js': script(1) });
  await server.waitForLog((r) => r.instance === 'turning' && r.message.startsWith('new application'));
  const client = await connect(`${server.rtmp}/turning/room`);
  expect(await client.call('look')).toEqual([1, 1, '']);
  const from = server.log.mark;
  server.writeFile('turning/main.js', script(2));
  await server.waitForLog(
    (r) => r.instance === 'turning/room' && r.message.startsWith('runs new code'),
    from,
  );
  expect(await client.call('look')).toEqual([2, 11, expect.stringMatching(/^[0-9a-f]{8}$/)]);
});

test('MOD-20: strictFMS has access strings cover what begins alike, and new code disconnect everybody', async () => {
  const publish = async (app: string) => {
    const client = await connect(`${server.rtmp}/${app}/classic`);
    await run(client, 'client.writeAccess = "pub"');
    const stream = await client.createStream();
    stream.command('publish', 'public/a', 'live');
    await eventually('a verdict', () => stream.codes.length > 0);
    return { client, code: stream.codes[0] };
  };
  expect((await publish('rows')).code).toBe('NetStream.Publish.BadName');
  const { client, code } = await publish('exact');
  expect(code).toBe('NetStream.Publish.Start');
  server.writeFile('exact/main.js', `${runsCode} Client.prototype.version = () => 2;`);
  await client.closed;
  expect(await (await connect(`${server.rtmp}/exact/classic`)).call('version')).toBe(2);
});

test('LIFE-09: a script that is out of memory hears neither onAppStop nor onDisconnect; another takes over its clients', async () => {
  const client = await connect(`${server.rtmp}/small/out`);
  await run(client, 'application.onAppStop = application.onDisconnect = () => trace("asked")');
  await client.callFails('run', 'const all = []; for (;;) all.push({ at: all.length })');
  expect(await run(client, 'return [client.reconnected, application.clients.length]')).toEqual(['memory', 1]);
  expect(server.log.entries.some((r) => r.instance === 'small/out' && r.message === 'asked')).toBe(false);
});

test('LIFE-10: a handler that runs for too long is stopped, and the instance lives', async () => {
  const [a, b] = [await connect(`${server.rtmp}/quick/lives`), await connect(`${server.rtmp}/quick/lives`)];
  await a.callFails('run', 'for (;;);');
  expect(await run(b, 'return application.clients.length')).toBe(2);
});

test('LIFE-12: handlers of an instance exclude one another', async () => {
  const clients = await Promise.all([1, 2, 3].map(() => connect(`${server.rtmp}/rows/one-at-a-time`)));
  const code = `
    application.inside = (application.inside ?? 0) + 1;
    let x = 0;
    for (let i = 0; i < 1e6; i++) x += i;
    const inside = application.inside--;
    return inside;`;
  const answers = await Promise.all(clients.flatMap((client) => [run(client, code), run(client, code)]));
  expect(answers).toEqual([1, 1, 1, 1, 1, 1]);
});

test('LIFE-16: no instance, and an empty one, are _definst_', async () => {
  for (const path of ['rows', 'rows/', 'rows/_definst_'])
    expect(await run(await connect(`${server.rtmp}/${path}`), 'return application.name')).toBe(
      'rows/_definst_',
    );
});

test('ST-02: NetConnection.Connect.AppShutdown', async () => {
  const client = await connect(`${server.rtmp}/rows/shutdown`);
  await run(client, 'application.shutdown()');
  await client.closed;
  expect(client.callsOf('onStatus').at(-1)).toMatchObject([
    { level: 'error', code: 'NetConnection.Connect.AppShutdown' },
  ]);
});

test('ST-51: Application.Shutdown', async () => {
  const stop =
    'application.onAppStop = (info) => { trace("told " + info.code + " " + info.level) }; application.shutdown()';
  await run(await connect(`${server.rtmp}/rows/told`), stop);
  await server.waitForLog(
    (r) => r.instance === 'rows/told' && r.message === 'told Application.Shutdown status',
  );
});

test('ST-52: Application.GC', async () => {
  const client = await connect(`${server.rtmp}/brief/gc`);
  await client.close();
  await server.waitForLog((r) => r.instance === 'brief/gc' && r.message === 'stop Application.GC');
});

test('ST-67: Application.Resource.LowMemory', async () => {
  const client = await connect(`${server.rtmp}/small/low`);
  await run(
    client,
    'application.onStatus = (info) => client.call("status", null, info); application.kept = []',
  );
  // The heap is looked at once a second: in that time it must not grow from below the warning to beyond the limit.
  await eventually('the warning', async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (client.callsOf('status').length === 0)
      await run(
        client,
        'for (let i = 0; i < 1200; i++) application.kept.push({ i, text: "x" + i + "y".repeat(i % 100) }); return application.kept.length',
      );
    return client.callsOf('status').length > 0;
  });
  expect(client.callsOf('status')).toMatchObject([
    [
      {
        level: 'warning',
        code: 'Application.Resource.LowMemory',
        description: expect.stringMatching(/ MB of 16/),
      },
    ],
  ]);
});

test('ST-15: Application.Script.Error', async () => {
  const client = await connect(`${server.rtmp}/rows/error`);
  await run(client, 'application.onStatus = (info) => client.call("status", null, info)');
  await client.callFails('run', 'throw new RangeError("too far")');
  expect((await client.waitForCall('status')).args).toMatchObject([
    { level: 'error', code: 'Application.Script.Error', description: 'RangeError: too far' },
  ]);
});
