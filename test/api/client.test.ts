import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { root, useServer } from '../support/server.ts';

const server = useServer({
  limits: { bytesPerSecondCap: 4_000_000 },
  apps: {
    rows: {
      'main.js': `
        ${runsCode}
        application.onPublish = (client) => { client.writeAccess = 'frozen'; };
        application.onDisconnect = (client) => application.broadcastMsg('left', client.getStats());`,
    },
  },
});

const properties = {
  flashVer: 'WIN 9,0,45,0',
  pageUrl: 'http://pages.example/room.html',
  swfUrl: 'http://pages.example/player.swf',
};
const room = (name: string, options = {}) => connect(`${server.rtmp}/rows/${name}`, options);
const read = (client: RtmpClient, member: string) => run(client, `return client.${member}`);

test('CLI-01: agent is what the client calls its software', async () => {
  expect(await read(await room('agent', { properties }), 'agent')).toBe('WIN 9,0,45,0');
});

test('CLI-04: id is unique, and stays for the life of the connection', async () => {
  const [a, b] = [await room('id'), await room('id')];
  const id = await read(a, 'id');
  expect(id).toMatch(/^[\w-]{8,}$/);
  expect(await read(a, 'id')).toBe(id);
  expect(await read(b, 'id')).not.toBe(id);
});

test('CLI-05: ip is the address that the client connects from', async () => {
  expect(await read(await room('ip'), 'ip')).toBe('127.0.0.1');
});

test('CLI-06: pageUrl is the page that the client says it is on', async () => {
  expect(await read(await room('page', { properties }), 'pageUrl')).toBe('http://pages.example/room.html');
});

test('CLI-07: protocol is rtmp', async () => {
  expect(await read(await room('protocol'), 'protocol')).toBe('rtmp');
});

test('CLI-09: readAccess decides what a client may play; a change counts for the next play', async () => {
  const client = await room('read');
  expect(await read(client, 'readAccess')).toBe('/');
  await run(client, 'client.readAccess = "public;/shows/"');
  const play = async (name: string) => {
    const stream = await client.createStream();
    const from = stream.mark;
    stream.command('play', name, -2);
    const codes = ['NetStream.Play.Start', 'NetStream.Play.Failed'];
    await eventually('a verdict', () => stream.codes.slice(from).some((code) => codes.includes(code)));
    return stream.codes.find((code) => codes.includes(code));
  };
  expect(await play('public/a')).toBe('NetStream.Play.Start');
  expect(await play('shows/b?key=1')).toBe('NetStream.Play.Start');
  expect(await play('private/a')).toBe('NetStream.Play.Failed');
  expect(await play('publicity')).toBe('NetStream.Play.Failed');
  await run(client, 'client.readAccess = "private"');
  expect(await play('private/a')).toBe('NetStream.Play.Start');
  await run(client, 'client.readAccess = ""');
  expect(await play('private/a')).toBe('NetStream.Play.Failed');
});

test('CLI-10: writeAccess decides what a client may publish; it cannot be changed in onPublish', async () => {
  const client = await room('write');
  expect(await read(client, 'writeAccess')).toBe('/');
  await run(client, 'client.writeAccess = "up"');
  const refused = await client.createStream();
  refused.command('publish', 'other', 'live');
  expect(await refused.status('NetStream.Publish.BadName')).toMatchObject({
    level: 'error',
    description: 'No write access to other.',
  });
  const stream = await client.createStream();
  await stream.publish('up/feed');
  stream.video(0, keyFrame(1));
  expect(await read(client, 'writeAccess')).toBe('up');
});

test('CLI-11: referrer is where the player came from', async () => {
  expect(await read(await room('swf', { properties }), 'referrer')).toBe('http://pages.example/player.swf');
});

test('CLI-12: secure is false without TLS', async () => {
  expect(await read(await room('secure'), 'secure')).toBe(false);
});

test('CLI-13: uri is the address that the client connected to, query included', async () => {
  const client = await connect(`${server.rtmp}/rows/uri?token=1`);
  expect(await read(client, 'uri')).toBe(`${server.rtmp}/rows/uri?token=1`);
});

test('CLI-23: call runs a method of the client, a path too, and hands its answer to the object that waits', async () => {
  const client = await room('call', {
    methods: { add: (a: unknown, b: unknown) => Number(a) + Number(b), 'chat/say': () => 'said' },
  });
  const code = `
    const hear = (value) => client.call('heard', null, value);
    const waiting = { onResult(value) { hear([this === waiting, value]); }, onStatus(info) { hear(info.code); } };
    return [client.call('add', waiting, 1, 2), client.call('chat/say', waiting), client.call('missing', waiting)];`;
  expect(await run(client, code)).toEqual([true, true, true]);
  await eventually('three answers', () => client.callsOf('heard').length === 3);
  const heard = client.callsOf('heard').flat();
  for (const answer of [[true, 3], [true, 'said'], 'NetConnection.Call.Failed'])
    expect(heard).toContainEqual(answer);
});

test('CLI-25: getBandwidthLimit tells 0 client to server, 1 server to client', async () => {
  const client = await room('get-limit');
  const code = 'return [client.getBandwidthLimit(0), client.getBandwidthLimit(1)]';
  expect(await run(client, code)).toEqual([0, 0]);
  await run(client, 'client.setBandwidthLimit(200000, 100000)');
  expect(await run(client, code)).toEqual([100_000, 200_000]);
  expect(
    await run(client, 'try { client.getBandwidthLimit(2) } catch (e) { return e.name + ": " + e.message }'),
  ).toBe('TypeError: client.getBandwidthLimit: expected 0 (client to server) or 1 (server to client), got 2');
});

test('CLI-26: setBandwidthLimit slows a connection down in either direction; 0 keeps what holds, and there is a cap', async () => {
  const client = await room('set-limit');
  const limits = 'return [client.getBandwidthLimit(1), client.getBandwidthLimit(0)]';
  await run(client, 'client.setBandwidthLimit(100000, 100000)');
  await run(client, 'client.setBandwidthLimit(0, 120000)');
  expect(await run(client, limits)).toEqual([100_000, 120_000]);
  const bytes = 200_000;
  const up = performance.now();
  await run(client, 'return args[0].length', 'x'.repeat(bytes));
  // A quarter of a second's worth passes at once, and so does what was read in one go.
  expect(performance.now() - up).toBeGreaterThan(500);
  const down = performance.now();
  expect(await run(client, `return 'x'.repeat(${bytes})`)).toHaveLength(bytes);
  expect(performance.now() - down).toBeGreaterThan(1000);
  await run(client, 'client.setBandwidthLimit(9e9, 9e9)');
  expect(await run(client, limits)).toEqual([4_000_000, 4_000_000]);
});

test('CLI-27: getStats counts what crosses the connection of one client, and still tells when that has ended', async () => {
  const client = await room('stats');
  const witness = await room('stats');
  const before = (await run(client, 'return client.getStats()')) as Record<string, number>;
  const keys = ['bytes_in', 'bytes_out', 'msg_in', 'msg_out', 'msg_dropped', 'ping_rtt', 'queue_bytes'];
  for (const key of keys) expect(before[key], key).toBeTypeOf('number');
  await run(client, 'return args[0]', 'x'.repeat(5000));
  const after = (await run(client, 'return client.getStats()')) as Record<string, number>;
  expect(after.bytes_in! - before.bytes_in!).toBeGreaterThan(5000);
  expect(after.bytes_out! - before.bytes_out!).toBeGreaterThan(5000);
  await client.close();
  const [last] = (await witness.waitForCall('left')).args as [Record<string, number>];
  expect(last.bytes_in).toBeGreaterThanOrEqual(after.bytes_in!);
});

test('CLI-30: ping asks the client, and tells whether it answered the ping before; ping_rtt is how long that took', async () => {
  const client = await room('ping');
  expect(await run(client, 'return client.ping()')).toBe(true);
  await eventually(
    'the answer',
    async () => Number(await run(client, 'return client.getStats().ping_rtt')) > 0,
  );
  const deaf = await room('ping', { answersPings: false });
  expect(await run(deaf, 'return client.ping()')).toBe(true);
  expect(await run(deaf, 'return client.ping()')).toBe(false);
});

test('CLI-31: __resolve stands in for a method that is missing', async () => {
  const client = await room('resolve');
  await run(
    client,
    `client.__resolve = function (name) {
       if (name !== 'nothing') return (...args) => [name, this === client, ...args];
     };`,
  );
  expect(await client.call('whatever', 1)).toEqual(['whatever', true, 1]);
  expect((await client.callFails('nothing')).description).toBe('Method not found (nothing).');
});

test('__resolve stands in for an object on the way to a method', async () => {
  const client = await room('resolve-path');
  await run(client, 'client.__resolve = (name) => ({ hello() { return name + (this !== client) } })');
  expect(await client.call('rooms/hello')).toBe('roomstrue');
  expect((await client.callFails('rooms.bye')).description).toBe('Method not found (rooms.bye).');
});

test('CLI-32: any function of a client is callable by its name, with the client as `this`', async () => {
  const client = await room('methods');
  await run(client, 'client.who = function (greeting) { return greeting + " " + (this === client) }');
  expect(await client.call('who', 'hello')).toBe('hello true');
});

test('CLI-33: what is added to Client.prototype reaches clients that are connected already', async () => {
  const [a, b] = [await room('prototype'), await room('prototype')];
  await run(a, 'Client.prototype.late = function () { return this === application.clients[1] }');
  expect(await b.call('late')).toBe(true);
});

test('MOD-04: what clients can do is declared once and checked at each call', () => {
  // `npm run check` compiles test/types, where each wrong line must be an error.
  const { status, stdout } = spawnSync('npx', ['tsc', '-p', 'test/types'], { cwd: root, encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

test('RPC-01: a/b/m and a.b.m call client.a.b.m with client.a.b as `this`', async () => {
  const client = await room('paths');
  await run(client, 'client.a = { b: { m(x) { return [this === client.a.b, x] } } }');
  expect(await client.call('a/b/m', 1)).toEqual([true, 1]);
  expect(await client.call('a.b.m', 2)).toEqual([true, 2]);
});

test("RPC-02: the server's own commands never reach the script", async () => {
  const client = await room('reserved');
  const names = [
    'createStream',
    'deleteStream',
    'closeStream',
    'publish',
    'play',
    'play2',
    'pause',
    'pauseRaw',
  ];
  names.push('seek', 'receiveAudio', 'receiveVideo', 'connect', 'onStatus', '_result', '_error');
  await run(
    client,
    'for (const name of args[0]) Client.prototype[name] = function () { this.call("reached", null, name); }',
    names,
  );
  for (const name of names) client.send(name, 'feed');
  const stream = await client.createStream();
  expect(await stream.publish('feed')).toMatchObject({ code: 'NetStream.Publish.Start' });
  expect(await run(client, 'return "fence"')).toBe('fence');
  expect(client.callsOf('reached')).toEqual([]);
});

test('RPC-03: a proxy goes before a method of the same name', async () => {
  const other = await room('proxy', { methods: { m: () => 'theirs' } });
  await run(other, 'Client.prototype.m = () => "ours"; application.registerProxy("m", client)');
  expect(await (await room('proxy')).call('m')).toBe('theirs');
});

test('RPC-04: transaction 0 gets no answer, not even of a failure', async () => {
  const client = await room('zero');
  const from = client.received.mark;
  client.send('missing');
  client.send('run', 'throw new Error("quiet")');
  expect(await run(client, 'return "fence"')).toBe('fence');
  const answers = client.received.entries
    .slice(from)
    .filter(({ name }) => name === '_error' || name === '_result');
  expect(answers).toHaveLength(1);
});

test('RPC-05: a method that is missing is a failed call that names it', async () => {
  expect(await (await room('missing')).callFails('nothing')).toMatchObject({
    level: 'error',
    code: 'NetConnection.Call.Failed',
    description: 'Method not found (nothing).',
  });
});

test('RPC-06: what a method throws fails the call, and does not show the stack', async () => {
  const client = await room('throws');
  const info = await client.callFails('run', 'throw new Error("no luck")');
  expect(info).toMatchObject({ code: 'NetConnection.Call.Failed', description: 'no luck' });
  expect(JSON.stringify(info)).not.toContain('main.js');
});

test('RPC-07: a method that returns nothing answers undefined', async () => {
  expect(await run(await room('nothing'), '')).toBeUndefined();
});

test('RPC-08: built-ins and the API itself cannot be called from outside', async () => {
  const client = await room('deny');
  const names = ['constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__'];
  const api = ['call', 'invoke', 'on', 'ping', 'getStats', 'getBandwidthLimit', 'setBandwidthLimit'];
  api.push('requestReconnect');
  await run(
    client,
    `client.pal = application.clients[0]; client.app = application; client.file = new File('/data');
     client.form = new LoadVars(); client.doc = new XML('<a/>'); client.bytes = new Uint8Array(2);
     client.leaving = new AbortController(); client.users = SharedObject.get('users'); client.console = console;
     client.global = globalThis; client.ids = (function* () { yield 1; })(); client.items = [1].values();
     client.crypto = crypto; client.ready = Promise.resolve('secret'); client.math = Math; atob;`,
  );
  const paths = [
    'run.call',
    'run/constructor',
    'app.broadcastMsg',
    'app/shutdown',
    'file.remove',
    'form.load',
  ];
  paths.push('doc.cloneNode', 'bytes.fill', 'leaving.abort', 'users.clear', 'bytes.setFromHex', 'ids.next');
  paths.push(
    'global.eval',
    'global.fetch',
    'global.atob',
    'global.trace',
    'console.error',
    'crypto.randomUUID',
  );
  paths.push('crypto.subtle.digest', 'ready.then', 'math.random', 'items.next');
  for (const name of [...names, ...api, ...api.map((name) => `pal/${name}`), ...paths])
    expect((await client.callFails(name)).description).toBe(`Method not found (${name}).`);
  await run(client, 'client.ping = () => "reserved all the same"');
  expect((await client.callFails('ping')).description).toBe('Method not found (ping).');
  // What the script put there can be.
  await run(
    client,
    `File.prototype.hello = () => "file"; client.pal.hello = () => "pal"; globalThis.hello = () => "global";`,
  );
  const hellos = ['file', 'pal', 'global'];
  expect(await Promise.all(hellos.map((name) => client.call(`${name}.hello`)))).toEqual(hellos);
});

test('RPC-09: a promise that a method returns is the answer once it settles', async () => {
  const client = await room('promise');
  const slow = run(client, 'return new Promise((resolve) => { client.go = () => resolve("late") })');
  await client.call('go');
  expect(await slow).toBe('late');
  const info = await client.callFails('run', 'return Promise.reject(new Error("later no"))');
  expect(info.description).toBe('later no');
});

test('RPC-10: a call to a client that leaves ends in onStatus', async () => {
  const witness = await room('gone');
  const leaver = await room('gone', { methods: { never: () => new Promise(() => {}) } });
  await run(
    leaver,
    'const [witness] = application.clients; client.call("never", { onStatus(info) { witness.call("failed", null, info.code, info.description) } })',
  );
  await leaver.close();
  expect((await witness.waitForCall('failed')).args).toEqual([
    'NetConnection.Call.Failed',
    'Client disconnected',
  ]);
});

test('RPC-11: what a script sends one client arrives in that order', async () => {
  const client = await room('order');
  await run(
    client,
    'for (let i = 0; i < 50; i++) i % 2 ? client.call("n", null, i) : application.broadcastMsg("n", i)',
  );
  expect(client.callsOf('n').flat()).toEqual(Array.from({ length: 50 }, (_, i) => i));
});
