import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type GatewayOptions, type GatewayPacket, startGateway, writeAnswer } from '../support/gateway.ts';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

/** `NetConnection` to a Flash Remoting gateway: AMF over HTTP. */
const server = useServer();

let apps = 0;
/** The script of an application of its own, which may fetch from these. `nc` is a connection, `heard` its statuses. */
async function script(hosts: readonly string[], limits: object = {}) {
  const name = `remote${++apps}`;
  server.writeFile(`${name}/app.json`, JSON.stringify({ fetch: { hosts }, limits }));
  server.writeFile(`${name}/main.js`, runsCode);
  await server.waitForLog((r) => r.instance === name && r.message.startsWith('new application'));
  const client = await connect(`${server.rtmp}/${name}/room`);
  await run(
    client,
    `const nc = globalThis.nc = new NetConnection();
    const heard = globalThis.heard = [];
    nc.onStatus = (info) => void heard.push([info.code, info.description]);
    globalThis.ask = (method, ...args) => new Promise((done) => {
      nc.call(method, { onResult: (value) => done(['result', value]), onStatus: (info) => done(['status', info]) }, ...args);
    });
    globalThis.failure = (promise) => promise.then((value) => ['value', value], (error) => [error.name, error.code, error.message]);
    return true;`,
  );
  return (code: string, ...args: unknown[]) => run(client, code, ...args);
}

async function remote(options: GatewayOptions, limits: object = {}) {
  const gateway = await startGateway(options);
  const runs = await script([new URL(gateway.url).host], limits);
  return { gateway, runs, url: gateway.url };
}

const services = {
  'math.add': (a: unknown, b: unknown) => (a as number) + (b as number),
  echo: (value: unknown) => value,
  fails: () => {
    throw { level: 'error', code: 'SERVER.PROCESSING', description: 'out of order', details: 'line 3' };
  },
};

const callsOf = (packets: readonly GatewayPacket[]) =>
  packets.map(({ calls }) => calls.map(({ method }) => method));

test('calls reach services, and answers the result object or the promise', async () => {
  const { runs, url, gateway } = await remote({ services });
  const seen = await runs(
    `const before = nc.isConnected;
    const isTried = nc.connect(args[0] + '?key=secret');
    const now = [before, isTried, nc.isConnected, nc.uri];
    return (async () => [now, await ask('math.add', 2, 3), await nc.invoke('math.add', 20, 22), heard])();`,
    url,
  );
  expect(seen).toEqual([[false, true, true, url], ['result', 5], 42, []]);
  expect(gateway.packets[0]).toEqual({
    url: '/gateway?key=secret',
    type: 'application/x-amf',
    version: 0,
    headers: [],
    calls: [{ method: 'math.add', response: '/1', args: [2, 3] }],
  });
});

test('what a service throws is for onStatus, or rejects with its info object', async () => {
  const { runs, url } = await remote({ services });
  const code = `nc.connect(args[0]);
    return (async () => [await ask('fails'), await failure(nc.invoke('fails')), await failure(nc.invoke('none')), heard])();`;
  const info = { level: 'error', code: 'SERVER.PROCESSING', description: 'out of order', details: 'line 3' };
  expect(await runs(code, url)).toEqual([
    ['status', info],
    ['CallError', 'SERVER.PROCESSING', 'fails: out of order'],
    ['CallError', 'SERVER.RESOURCE_UNAVAILABLE', 'none: no service none'],
    [],
  ]);
});

test('what nobody waits for fails at the connection', async () => {
  const { runs, url } = await remote({ services });
  const code = `nc.connect(args[0]);
    return (async () => { nc.call('fails', null); nc.call('echo', null, 1); await ask('echo', 2); return heard; })();`;
  expect(await runs(code, url)).toEqual([['SERVER.PROCESSING', 'out of order']]);
});

test('the calls of one turn are one packet, and those of the time until the answer the next', async () => {
  let release = () => {};
  let isFirst = true;
  const hold = () => {
    if (!isFirst) return Promise.resolve();
    isFirst = false;
    return new Promise<void>((done) => {
      release = done;
    });
  };
  const { runs, url, gateway } = await remote({ services, hold });
  const code = `nc.connect(args[0]);
    globalThis.order = [];
    for (const n of [1, 2, 3]) nc.invoke('echo', n).then((value) => order.push(value));
    return true;`;
  await runs(code, url);
  await eventually('the first packet', () => gateway.packets.length === 1);
  await runs(`for (const n of [4, 5]) nc.invoke('echo', n).then((value) => order.push(value)); return true;`);
  expect(gateway.packets.length).toBe(1);
  release();
  await eventually('all answers', async () => ((await runs('return order;')) as number[]).length === 5);
  expect(await runs('return order;')).toEqual([1, 2, 3, 4, 5]);
  expect(callsOf(gateway.packets)).toEqual([
    ['echo', 'echo', 'echo'],
    ['echo', 'echo'],
  ]);
  expect(gateway.packets.flatMap(({ calls }) => calls.map(({ response }) => response))).toEqual([
    '/1',
    '/2',
    '/3',
    '/4',
    '/5',
  ]);
});

test('more calls than a packet takes go in several, in order', async () => {
  const { runs, url, gateway } = await remote({ services }, { fetchBytes: 20_000 });
  const code = `nc.connect(args[0]);
    const all = [];
    for (let n = 0; n < 60; n++) all.push(nc.invoke('echo', n + 'y'.repeat(1000)));
    return Promise.all(all).then((values) => values.map((value) => parseInt(value)));`;
  expect(await runs(code, url)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  expect(gateway.packets.length).toBeGreaterThan(2);
  expect(gateway.packets.length).toBeLessThan(6);
});

test('values of all kinds go there and back, those of one call with what they share', async () => {
  const { runs, url } = await remote({ services: { echo: (...values) => values } });
  const code = `nc.connect(args[0]);
    const shared = { n: 1 };
    return (async () => {
      const [list, date, text, nothing, none, one, other] = await nc.invoke('echo', [1, [2]], new Date(5), 'ü', null, undefined, shared, shared);
      return [list, date.getTime(), text, nothing, none, one === other, one.n];
    })();`;
  expect(await runs(code, url)).toEqual([[1, [2]], 5, 'ü', null, undefined, true, 1]);
});

test('SNC-05: addHeader goes with every packet, in the place of one of that name, until it is removed', async () => {
  const { runs, url, gateway } = await remote({ services });
  const code = `nc.addHeader('Credentials', true, { userid: 'ann', password: 'pw' });
    nc.connect(args[0]);
    return (async () => {
      await ask('echo', 1);
      nc.addHeader('Credentials', false, { userid: 'bob' });
      nc.addHeader('Debug', 0, [1]);
      await ask('echo', 2);
      nc.addHeader('Credentials');
      await ask('echo', 3);
      return heard;
    })();`;
  expect(await runs(code, url)).toEqual([]);
  const credentials = (mustUnderstand: boolean, value: object) => ({
    name: 'Credentials',
    mustUnderstand,
    value,
  });
  const debug = { name: 'Debug', mustUnderstand: false, value: [1] };
  expect(gateway.packets.map(({ headers }) => headers)).toEqual([
    [credentials(true, { userid: 'ann', password: 'pw' })],
    [credentials(false, { userid: 'bob' }), debug],
    [debug],
  ]);
});

test('SNC-05: headers have bounds', async () => {
  const runs = await script([]);
  const code = `const told = (work) => { try { work(); return 'done'; } catch (error) { return error.name + ': ' + error.message; } };
    return [told(() => nc.addHeader('')), told(() => nc.addHeader('x', true, 'x'.repeat(70_000))),
      told(() => { for (let n = 0; n < 101; n++) nc.addHeader('h' + n, false, n); })];`;
  expect(await runs(code)).toEqual([
    'TypeError: NetConnection.addHeader: expected the name of a header, got ""',
    'RangeError: NetConnection.addHeader: headers of 70072 bytes, and 65536 may go with a packet',
    'RangeError: NetConnection.addHeader: more than 100 headers',
  ]);
});

test('a gateway says where the next packets go, and what goes with them', async () => {
  const other = await startGateway({ services });
  const headersOf: Record<string, [string, unknown][]> = {
    one: [
      ['AppendToGatewayUrl', ';jsessionid=7'],
      ['RequestPersistentHeader', { name: 'Session', mustUnderstand: true, data: { id: 7 } }],
    ],
    two: [['ReplaceGatewayUrl', other.url]],
  };
  const gateway = await startGateway({
    services,
    headers: ({ calls }) => headersOf[calls[0]!.args[0] as string] ?? [],
  });
  const runs = await script([gateway.url, other.url].map((url) => new URL(url).host));
  const code = `nc.connect(args[0]);
    return (async () => [await ask('echo', 'one'), await ask('echo', 'two'), await ask('echo', 'three'), heard, nc.uri])();`;
  expect(await runs(code, gateway.url)).toEqual([
    ['result', 'one'],
    ['result', 'two'],
    ['result', 'three'],
    [],
    gateway.url,
  ]);
  expect(gateway.packets.map(({ url }) => url)).toEqual(['/gateway', '/gateway;jsessionid=7']);
  expect(other.packets.map(({ url }) => url)).toEqual(['/gateway']);
  const session = { name: 'Session', mustUnderstand: true, value: { id: 7 } };
  expect([...gateway.packets, ...other.packets].map(({ headers }) => headers)).toEqual([
    [],
    [session],
    [session],
  ]);
});

test.each([
  ['AppendToGatewayUrl', 7, 'AppendToGatewayUrl: expected an address, got 7'],
  ['AppendToGatewayUrl', 'x'.repeat(9000), /an address of \d+ characters; 8192 are allowed/],
  [
    'ReplaceGatewayUrl',
    'file:///etc/passwd',
    'ReplaceGatewayUrl: expected http: or https:, got "file:///etc/passwd"',
  ],
  ['RequestPersistentHeader', null, 'RequestPersistentHeader: expected a header, got null'],
  ['RequestPersistentHeader', {}, 'RequestPersistentHeader: expected the name of a header, got undefined'],
  ['RequestPersistentHeader', { name: 'x', data: 'x'.repeat(70_000) }, /may go with a packet/],
  ['Unknown', 1, 'the answer has a header "Unknown", which is unknown'],
])('a gateway that asks for what cannot be, %s: the calls fail', async (name, value, why) => {
  const { runs, url } = await remote({ services, headers: () => [[name, value, true]] });
  const info = ['NetConnection.Call.Failed', expect.stringMatching(escaped(why))];
  const code = `nc.connect(args[0]); return (async () => { const [kind, { code, description }] = await ask('echo', 1); return [kind, [code, description], heard]; })();`;
  expect(await runs(code, url)).toEqual(['status', info, [info]]);
});

const escaped = (text: string | RegExp) =>
  typeof text === 'string' ? new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')) : text;

test('a gateway cannot lead to what is not listed', async () => {
  const { runs, url } = await remote({
    services,
    headers: () => [['ReplaceGatewayUrl', 'http://192.0.2.1/gateway']],
  });
  const code = `nc.connect(args[0]); return (async () => [await ask('echo', 1), (await ask('echo', 2))[1].description])();`;
  expect(await runs(code, url)).toEqual([
    ['result', 1],
    expect.stringContaining('add "192.0.2.1" to fetch.hosts in app.json'),
  ]);
});

const page =
  (status: number, body: string | Buffer, type = 'text/html') =>
  (_: unknown, response: ServerResponse) =>
    response.writeHead(status, { 'content-type': type }).end(body);
const amf = 'application/x-amf';

test.each<[string, NonNullable<GatewayOptions['handle']>, string, RegExp]>([
  [
    'answers with a page',
    page(200, '<html>PHP Fatal error'),
    'BadVersion',
    /no AMF: AMF packet of version 15464 at byte 0; 21 bytes, text\/html, begins with "<html>PHP Fatal error"/,
  ],
  [
    'answers with nothing',
    page(200, ''),
    'BadVersion',
    /no AMF: needed 2 bytes, 0 left; 0 bytes, text\/html$/,
  ],
  [
    'answers with half a packet',
    page(200, writeAnswer([], [['/1/onResult', 'x']]).subarray(0, 20), amf),
    'BadVersion',
    /no AMF: needed \d+ bytes, \d+ left; 20 bytes, application\/x-amf$/,
  ],
  ['has an error', page(500, 'oh'), 'Failed', /\/gateway: HTTP: Status 500 Internal Server Error$/],
  ['is not there', page(404, 'no'), 'Failed', /\/gateway: HTTP: Status 404 Not Found$/],
  ['goes away', (request) => request.socket.destroy(), 'Failed', /fetch http:.*(hang up|ECONNRESET)/],
  ['never answers', () => {}, 'Failed', /no complete answer within 500 ms .*limits.fetchMs/],
  [
    'answers with too much',
    page(200, Buffer.alloc(80_000), amf),
    'Failed',
    /more than the 50000 bytes of limits.fetchBytes/,
  ],
  [
    'answers other calls',
    page(
      200,
      writeAnswer(
        [],
        [
          ['/2/onResult', 1],
          ['/x/onResult', 1],
          ['onResult', 1],
          ['/1/onDebugEvents', 1],
        ],
      ),
      amf,
    ),
    'Failed',
    /no answer to this call$/,
  ],
])('a gateway that %s: calls fail once and the connection hears it', async (name, handle, kind, why) => {
  const { runs, url } = await remote(
    { handle },
    { fetchBytes: 50_000, ...(name === 'never answers' && { fetchMs: 500 }) },
  );
  const code = `nc.connect(args[0] + '?key=secret');
    let times = 0;
    return (async () => {
      const first = ask('echo', 1);
      const second = failure(nc.invoke('echo', 2).finally(() => times++));
      const [kind, info] = await first;
      return [kind, info.code, info.description, await second, times, heard, nc.isConnected];
    })();`;
  const [one, info, description, second, times, heard, isConnected] = (await runs(code, url)) as unknown[];
  // That answer names the second call.
  if (name === 'answers other calls') {
    expect([one, info, description, second, heard]).toEqual([
      'status',
      'NetConnection.Call.Failed',
      expect.stringMatching(why),
      ['value', 1],
      [],
    ]);
    return;
  }
  const full = `NetConnection.Call.${kind}`;
  expect([one, info, description]).toEqual(['status', full, expect.stringMatching(why)]);
  expect(second).toEqual(['CallError', full, expect.stringMatching(why)]);
  expect(heard).toEqual([[full, expect.stringMatching(why)]]);
  expect([times, isConnected]).toEqual([1, true]);
  expect(JSON.stringify([description, second, heard])).not.toContain('secret');
});

test('an answer that comes twice is one', async () => {
  const answer = ({ calls }: GatewayPacket): [string, unknown][] =>
    calls.flatMap(({ response }) => [
      [`${response}/onResult`, 'first'],
      [`${response}/onResult`, 'second'],
      [`${response}/onStatus`, { code: 'third' }],
    ]);
  const { runs, url } = await remote({ answer });
  const code = `nc.connect(args[0]);
    const got = [];
    nc.call('echo', { onResult: (value) => got.push(value), onStatus: (info) => got.push(info) });
    return (async () => { await ask('echo'); return [got, heard]; })();`;
  expect(await runs(code, url)).toEqual([['first'], []]);
});

test('close gives up what is under way, and so does connecting elsewhere', async () => {
  const closed: string[] = [];
  const handle: GatewayOptions['handle'] = (request, response) =>
    void response.on('close', () => closed.push(request.url ?? ''));
  const { runs, url, gateway } = await remote({ handle });
  await runs(
    `nc.connect(args[0]);
    globalThis.failed = [];
    const note = (error) => failed.push(error.message);
    nc.invoke('one').catch(note);
    globalThis.more = () => nc.invoke('two').catch(note);
    return true;`,
    url,
  );
  await eventually('the packet', () => gateway.packets.length === 1);
  const code = `more(); nc.close();
    const after = [nc.isConnected, nc.call('three', null), failed.length];
    return new Promise((done) => {
      const look = () => (failed.length < 2 ? setTimeout(look, 2) : done([after, failed, heard]));
      look();
    });`;
  const why = 'The connection was closed';
  expect(await runs(code)).toEqual([[false, false, 0], [`one: ${why}`, `two: ${why}`], []]);
  await eventually('the request to end', () => closed.length === 1);
  await runs(`nc.connect(args[0]); nc.invoke('four').catch(() => failed.push('gone')); return true;`, url);
  await eventually('the packet', () => gateway.packets.length === 2);
  await runs(`nc.connect('rtmp:/nowhere'); return true;`);
  await eventually('the request to end', () => closed.length === 2);
});

test('a script cannot fill the server with calls that nobody answers', async () => {
  const { runs, url } = await remote({ handle: () => {} });
  const code = `nc.connect(args[0]);
    let sent = 0;
    while (nc.call('m', null, 'x') && sent < 5000) sent++;
    return (async () => [sent, await failure(nc.invoke('m'))])();`;
  expect(await runs(code, url)).toEqual([
    1000,
    ['CallError', 'NetConnection.Call.Failed', 'm: Too many calls are waiting for answers'],
  ]);
});

test('a redirect of a gateway is followed only to where it may lead', async () => {
  const { runs, url } = await remote({
    handle: (_, response) => response.writeHead(307, { location: 'http://192.0.2.1/' }).end(),
  });
  const code = `nc.connect(args[0]); return (async () => (await ask('echo', 1))[1].description)();`;
  expect(await runs(code, url)).toContain('add "192.0.2.1" to fetch.hosts');
});

test('nobody listens there, and a host that is not listed: the reason', async () => {
  const idle = createServer();
  await new Promise<void>((done) => idle.listen(0, '127.0.0.1', done));
  onTestFinished(() => void idle.close());
  const { port } = idle.address() as AddressInfo;
  await new Promise((done) => idle.close(done));
  const runs = await script([`127.0.0.1:${port}`]);
  const code = `nc.connect(args[0]); return (async () => (await ask('echo', 1))[1].description)();`;
  expect(await runs(code, `http://127.0.0.1:${port}/`)).toContain('ECONNREFUSED');
  expect(await runs(code, 'http://example.org/gateway')).toContain('add "example.org" to fetch.hosts');
  expect(await runs(code, 'https://user:word@example.org/')).toContain(
    'a user or password in the URL is refused',
  );
});

test('a client calls a service by way of registerProxy', async () => {
  const { runs, url } = await remote({ services });
  const code = `nc.connect(args[0]); application.registerProxy('sum', nc, 'math.add'); return true;`;
  await runs(code, url);
  const client = await connect(`${server.rtmp}/remote${apps}/room`);
  expect(await client.call('sum', 40, 2)).toBe(42);
});

test('a script that has patched what it can is answered all the same', async () => {
  const { runs, url } = await remote({
    services,
    headers: () => [['RequestPersistentHeader', { name: 'S', data: 1 }]],
  });
  const code = `nc.connect(args[0]);
    const bad = () => { throw new Error('patched'); };
    for (const [of, name] of [[Array, 'push'], [Array, 'forEach'], [Array, 'slice'], [String, 'slice'], [String, 'indexOf'], [String, 'charCodeAt'], [Map, 'set'], [Map, 'get'], [Map, 'forEach']])
      Object.defineProperty(of.prototype, name, { value: bad, configurable: true });
    Object.defineProperty(Object.prototype, 'carrier', { get: bad, set: bad, configurable: true });
    Object.defineProperty(Object.prototype, 'error', { value: bad, configurable: true });
    Object.defineProperty(Array.prototype, 0, { set: bad, configurable: true });
    Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), 'length', { get: bad });
    return nc.invoke('math.add', 1, 2).then((sum) => nc.invoke('math.add', sum, 4));`;
  expect(await runs(code, url)).toBe(7);
});
