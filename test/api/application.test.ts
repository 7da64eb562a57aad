import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { connect, connectRefused, RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { rejectLingerMs: 100 },
  apps: {
    rows: {
      'main.js': `
        ${runsCode}
        application.onConnect = (client, how, ...rest) => {
          client.how = how;
          switch (how) {
            case 'wait': return;
            case 'no': return false;
            case 'full': application.rejectConnection(client, 'full', { seats: 3 }); return true;
            case 'old': application.rejectConnection(client, { seats: 4 }); return;
            case 'elsewhere': application.redirectConnection(client, 'rtmp://other/rows', 'moved', { why: 'busy' }); return;
            case 'nowhere': application.redirectConnection(client); return;
            case 'args': client.got = rest; return true;
            default: return true;
          }
        };
        application.onDisconnect = (client) => application.broadcastMsg('left', client.how, application.clients.length);`,
      'app.json': JSON.stringify({ config: { department: 'sales', seats: 3 } }),
    },
    start: {
      'main.ts': `
        trace('top level');
        application.onAppStart = () => trace('onAppStart ' + application.clients.length);
        application.onConnect = (client) => { trace('onConnect'); return true; };
        application.onAppStop = (info) => { trace('onAppStop ' + info.code + ' ' + info.level); };
        application.onDisconnect = () => trace('onDisconnect');
        Client.prototype.end = () => application.shutdown();`,
    },
    failing: {
      'main.ts': `
        application.onConnect = () => true;
        application.onStatus = (info) => application.broadcastMsg('status', info);
        Client.prototype.fail = () => { throw new Error('on purpose'); };`,
    },
    publishing: {
      'main.ts': `
        application.onConnect = () => true;
        application.onPublish = (client, stream) => { application.broadcastMsg('published', client.id, stream.name, client === application.clients[0]); return false; };
        application.onUnpublish = (client, stream) => application.broadcastMsg('unpublished', client.id, stream.name);
        Client.prototype.streams = () => Object.keys(application.streams);
        Client.prototype.me = function () { return this.id; };`,
    },
  },
});

const room = (name: string, ...args: unknown[]) => connect(`${server.rtmp}/rows/${name}`, { args });

test('APP-02: application.clients is one array of those who are accepted', async () => {
  const a = await room('clients', 'a');
  const pending = await RtmpClient.open(`${server.rtmp}/rows/clients`, { args: ['wait'] });
  void pending.startConnect().catch(() => {}); // it is closed while it waits
  const b = await room('clients', 'b');
  const names =
    'application.kept ??= application.clients; return [application.kept === application.clients, ...application.clients.map((c) => c.how)]';
  expect(await run(a, names)).toEqual([true, 'a', 'b']);
  await b.close();
  await a.waitForCall('left');
  expect(await run(a, names)).toEqual([true, 'a']);
});

test('APP-03: application.config is the `config` of app.json', async () => {
  const client = await room('config');
  expect(await run(client, 'return application.config')).toEqual({ department: 'sales', seats: 3 });
  expect(
    await run(
      client,
      'try { "use strict"; application.config = 1 } catch {} return application.config.seats',
    ),
  ).toBe(3);
});

test('APP-04: application.hostname names the machine', async () => {
  expect(await run(await room('host'), 'return application.hostname')).toMatch(/\S/);
});

test('APP-05: application.name is "app/instance", with _definst_ for none', async () => {
  expect(await run(await room('lobby'), 'return application.name')).toBe('rows/lobby');
  const client = await connect(`${server.rtmp}/rows`);
  expect(await run(client, 'return application.name')).toBe('rows/_definst_');
});

test('APP-06: application.server ends in name/version', async () => {
  expect(await run(await room('server'), 'return application.server')).toMatch(/ Stagewire\/\d+\.\d+\.\d+$/);
});

test('APP-08: acceptConnection accepts a client that waits', async () => {
  const boss = await room('accept', 'boss');
  const waiting = await RtmpClient.open(`${server.rtmp}/rows/accept`, { args: ['wait'] });
  await run(
    boss,
    'const { onConnect } = application; application.onConnect = (c, how) => { if (how !== "wait") return onConnect(c, how); application.late = c; }',
  );
  const answer = waiting.startConnect();
  await eventually(
    'it to wait',
    async () => (await run(boss, 'return application.late !== undefined')) === true,
  );
  expect(
    await run(boss, 'application.acceptConnection(application.late); return application.clients.length'),
  ).toBe(2);
  expect(await answer).toMatchObject({ name: '_result', args: [{ code: 'NetConnection.Connect.Success' }] });
});

test('APP-09: rejectConnection takes a description, or only the object that the client reads as info.application', async () => {
  const full = await connectRefused(`${server.rtmp}/rows/reject`, { args: ['full'] });
  expect(full).toMatchObject({
    level: 'error',
    code: 'NetConnection.Connect.Rejected',
    description: 'full',
    application: { seats: 3 },
  });
  const old = await connectRefused(`${server.rtmp}/rows/reject`, { args: ['old'] });
  expect(old).toMatchObject({ description: 'Connection failed.', application: { seats: 4 } });
});

test('APP-10: redirectConnection refuses with ex.code 302 and ex.redirect; without an address as rejectConnection', async () => {
  const moved = await connectRefused(`${server.rtmp}/rows/redirect`, { args: ['elsewhere'] });
  expect(moved).toMatchObject({
    code: 'NetConnection.Connect.Rejected',
    description: 'moved',
    ex: { code: 302, redirect: 'rtmp://other/rows' },
    application: { why: 'busy' },
  });
  const plain = await connectRefused(`${server.rtmp}/rows/redirect`, { args: ['nowhere'] });
  expect(plain.code).toBe('NetConnection.Connect.Rejected');
  expect(plain).not.toHaveProperty('ex');
});

test('APP-11: disconnect ends an accepted client after what was sent to it; false for who is gone', async () => {
  const boss = await room('disconnect', 'boss');
  const victim = await room('disconnect', 'victim');
  const code =
    'application.v ??= application.clients[1]; application.v.call("bye", null, 1); return application.disconnect(application.v)';
  expect(await run(boss, code)).toBe(true);
  await victim.closed;
  expect(victim.callsOf('bye')).toEqual([[1]]);
  expect((await boss.waitForCall('left')).args).toEqual(['victim', 1]);
  expect(await run(boss, code)).toBe(false);
});

test('APP-12: broadcastMsg calls a method of every accepted client', async () => {
  const a = await room('broadcast', 'a');
  const b = await room('broadcast', 'b');
  await run(a, 'application.broadcastMsg("news", 1, { two: 2 })');
  for (const client of [a, b]) expect((await client.waitForCall('news')).args).toEqual([1, { two: 2 }]);
});

test('APP-15: gc is there, and returns nothing', async () => {
  expect(await run(await room('gc'), 'return [typeof application.gc, application.gc()]')).toEqual([
    'function',
    undefined,
  ]);
});

test('APP-16: getStats counts bytes, messages and connections since the start of the instance', async () => {
  const a = await room('stats');
  const before = (await run(a, 'return application.getStats()')) as Record<string, number>;
  const keys = [
    'bytes_in',
    'bytes_out',
    'msg_in',
    'msg_out',
    'msg_dropped',
    'total_connects',
    'total_disconnects',
  ];
  for (const key of keys) expect(before[key], key).toBeTypeOf('number');
  expect(before).toMatchObject({ total_connects: 1, total_disconnects: 0, connected: 1 });
  const b = await room('stats', 'b');
  await run(b, 'return args[0]', 'x'.repeat(2000));
  await b.close();
  await a.waitForCall('left');
  await connectRefused(`${server.rtmp}/rows/stats`, { args: ['no'] });
  const after = (await run(a, 'return application.getStats()')) as Record<string, number>;
  expect(after).toMatchObject({
    total_connects: 3,
    total_disconnects: 1,
    connected: 1,
    accepted: 2,
    rejected: 1,
  });
  expect(after.bytes_in! - before.bytes_in!).toBeGreaterThan(2000);
  expect(after.bytes_out! - before.bytes_out!).toBeGreaterThan(2000);
  expect(after.msg_in).toBeGreaterThan(before.msg_in!);
  expect(after.msg_out).toBeGreaterThan(before.msg_out!);
});

test('APP-17: registerClass makes typed objects by their constructor, then sets properties, then calls onInitialize', async () => {
  const client = await room('classes');
  await run(
    client,
    `application.order = [];
     function Point() { application.order.push('made ' + this.x + ' ' + arguments.length); }
     Point.prototype.sum = function () { return this.x + this.y; };
     Point.prototype.onInitialize = function () { application.order.push('initialized ' + this.x); };
     application.registerClass('geometry.Point', Point);
     Client.prototype.take = function (p) { return [p instanceof Point, p.sum && p.sum(), p, application.order]; };`,
  );
  const { TypedObject } = await import('../../wire/values.ts');
  const point = new TypedObject('geometry.Point', { x: 1, y: 2 });
  const [isPoint, sum, back, order] = (await client.call('take', point)) as unknown[];
  expect([isPoint, sum, order]).toEqual([true, 3, ['made undefined 0', 'initialized 1']]);
  expect(back).toEqual(point);
  await run(client, 'application.registerClass("geometry.Point", null)');
  expect(((await client.call('take', point)) as unknown[])[0]).toBe(false);
});

test('APP-18: registerProxy hands calls to another client, whose answer goes back; null ends it', async () => {
  const expert = await connect(`${server.rtmp}/rows/proxy`, {
    args: ['expert'],
    methods: { know: (a, b) => `${a} and ${b}` },
  });
  const asker = await room('proxy', 'asker');
  await run(expert, 'client.constructor; application.registerProxy("ask", client, "know")');
  expect(await asker.call('ask', 1, 'x')).toBe('1 and x');
  await run(expert, 'application.registerProxy("ask", null)');
  expect((await asker.callFails('ask', 1)).code).toBe('NetConnection.Call.Failed');
});

test('APP-19: shutdown ends the instance: onAppStop, then onDisconnect for each; the call itself returns first', async () => {
  const client = await connect(`${server.rtmp}/start/shutdown`);
  expect(await client.call('end')).toBeUndefined();
  await client.closed;
  expect(client.callsOf('onStatus').at(-1)).toMatchObject([{ code: 'NetConnection.Connect.AppShutdown' }]);
  await server.expectTraces('start/shutdown', [
    'top level',
    'onAppStart 0',
    'onConnect',
    'onAppStop Application.Shutdown status',
    'onDisconnect',
  ]);
});

test('APP-22: onAppStart is called once, after the top level and before the first onConnect', async () => {
  await connect(`${server.rtmp}/start/once`);
  await connect(`${server.rtmp}/start/once`);
  await server.expectTraces('start/once', ['top level', 'onAppStart 0', 'onConnect', 'onConnect']);
});

test('APP-23: onAppStop is told why: Application.Shutdown, level status', async () => {
  const client = await connect(`${server.rtmp}/start/stop`);
  client.send('end');
  await client.closed;
  await server.waitForLog(
    (r) => r.instance === 'start/stop' && r.message === 'onAppStop Application.Shutdown status',
  );
});

test('APP-24: onConnect gets the client and what it gave to connect, one argument each', async () => {
  const client = await room('args', 'args', 1, 'two', { three: 3 });
  expect(await run(client, 'return client.got')).toEqual([1, 'two', { three: 3 }]);
});

test('APP-27: onDisconnect is called once for each accepted client, and for no other', async () => {
  const witness = await room('leaving', 'witness');
  await connectRefused(`${server.rtmp}/rows/leaving`, { args: ['no'] });
  const a = await room('leaving', 'a');
  await a.reset();
  await witness.waitForCall('left');
  await witness.settled();
  expect(witness.callsOf('left')).toEqual([['a', 1]]);
});

test('APP-28: onStatus hears what a handler threw', async () => {
  const client = await connect(`${server.rtmp}/failing/room`);
  await client.callFails('fail');
  const [info] = (await client.waitForCall('status')).args;
  expect(info).toMatchObject({
    code: 'Application.Script.Error',
    level: 'error',
    description: 'on purpose',
    filename: 'main.ts',
  });
});

test('APP-29: onPublish gets the client and the stream; what it returns means nothing', async () => {
  const client = await connect(`${server.rtmp}/publishing/on`);
  const stream = await client.createStream();
  await stream.publish('feed');
  expect((await client.waitForCall('published')).args).toEqual([await client.call('me'), 'feed', true]);
  stream.video(0, keyFrame(1));
  await client.settled();
  expect(stream.codes).toEqual(['NetStream.Publish.Start']);
});

test('APP-30: onUnpublish gets the client and the stream when publishing has ended', async () => {
  const client = await connect(`${server.rtmp}/publishing/off`);
  const stream = await client.createStream();
  await stream.publish('feed');
  expect(client.callsOf('unpublished')).toEqual([]);
  stream.command('closeStream');
  expect((await client.waitForCall('unpublished')).args).toEqual([await client.call('me'), 'feed']);
});
