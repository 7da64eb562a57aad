import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** Methods that do what they are told with `fetch` and answer with what came of it, failures included. */
const script = `
  const told = async (work: () => Promise<unknown>) => {
    try { return await work(); } catch (error: any) {
      return { failed: [error.name, error.code ?? '', error.message, error instanceof TypeError] };
    }
  };
  Object.assign(Client.prototype, {
    get(url, init) { return told(async () => (await fetch(url, init)).text()); },
    json(url, value) {
      return told(async () => {
        const answer = await fetch(url, {
          method: 'POST', body: JSON.stringify(value), headers: { 'Content-Type': 'application/json' },
        });
        return { ok: answer.ok, status: answer.status, statusText: answer.statusText, url: answer.url,
          redirected: answer.redirected, type: answer.headers.get('CONTENT-TYPE'), body: await answer.json() };
      });
    },
    status(url) { return told(async () => (await fetch(url)).status); },
    many(url, count) {
      return told(() => Promise.all(Array.from({ length: count }, async (_, i) => (await fetch(url + i)).text())));
    },
    settled(url, count) {
      return Promise.allSettled(Array.from({ length: count }, () => fetch(url)))
        .then((all) => all.map((one) => one.status === 'fulfilled' ? 'ok' : one.reason.code));
    },
    forget(url) { fetch(url); return 'forgotten'; },
    eval(code) { return told(() => new Function('fetch', 'return (async () => {' + code + '})()')(fetch)); },
    loopAfter(url) { fetch(url).then(() => { for (;;) {} }); },
    loop() { for (;;) {} },
    back() { return this.reconnected; },
    version() { return 1; },
  });
  application.onConnect = () => true;
  application.onDisconnect = () => {};
`;

// A proxy that is not there: any use of it would fail every test here.
Object.assign(process.env, {
  NODE_USE_ENV_PROXY: '1',
  HTTP_PROXY: 'http://127.0.0.1:1',
  HTTPS_PROXY: 'http://127.0.0.1:1',
  NO_PROXY: '',
});

const server = useServer({
  limits: { handlerMs: 300 },
  apps: { none: { 'main.ts': script } },
});

let site: Server;
let url = '';
const waiting: ServerResponse[] = [];
let stalled = 0;

const pages: Record<string, (request: IncomingMessage, response: ServerResponse, body: Buffer) => void> = {
  '/hello': (_, response) => response.end('hello'),
  '/bytes': (_, response) => response.end(Buffer.from([0xef, 0xbb, 0xbf, 0xc3, 0xbc, 0xff])),
  '/headers': (_, response) => {
    response.writeHead(200, [
      ['X-B', '1'],
      ['x-a', 'ü'],
      ['X-B', '2'],
      ['Set-Cookie', 'c=1'],
      ['Set-Cookie', 'd=2'],
    ] as never);
    response.end();
  },
  '/echo': ({ method, headers, url }, response, body) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, body: body.toString(), hex: body.toString('hex') }));
  },
  '/missing': (_, response) => response.writeHead(404).end('no such page'),
  '/moved': (_, response) => response.writeHead(302, { location: '/hello' }).end(),
  '/inside': (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/secret' }).end(),
  '/stall': (_, response) => {
    stalled++;
    response.on('close', () => stalled--);
    waiting.push(response);
  },
  '/huge': (_, response) => response.end(Buffer.alloc(600_000, 'x')),
  '/large': (_, response) => response.end(Buffer.alloc(200_000, 'x')),
};

beforeAll(async () => {
  site = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url?.replace(/[?\d].*/, '') ?? '';
      (pages[path] ?? pages['/missing'])?.(request, response, Buffer.concat(chunks));
    });
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const hosts = [new URL(url).host, 'localhost', '127.0.0.1:1'];
  const app = (limits: object, list: string[] = hosts) => ({
    'app.json': JSON.stringify({ fetch: { hosts: list }, limits }), // before the script, which it is for
    'main.ts': script,
  });
  server.writeApp('app', app({}));
  server.writeApp('small', app({ fetches: 3, fetchBytes: 100_000, fetchMs: 500 }));
  server.writeApp('narrow', app({ mailboxBytes: 65_536 }));
  server.writeApp('edited', app({}, []));
  for (const name of ['app', 'small', 'narrow', 'edited']) await server.waitForLog(`/${name}`);
});
afterAll(() => {
  for (const response of waiting) response.destroy();
  site.close();
});

const open = (instance: string) => connect(`${server.rtmp}/${instance}`);
const failed = (code: string, message: unknown) => ({ failed: ['FetchError', code, message, true] });

test('a script posts JSON and reads the answer', async () => {
  const client = await open('app/json');
  expect(await client.call('json', `${url}/echo?a=b`, { name: 'ü', list: [1, 2] })).toMatchObject({
    ok: true,
    status: 200,
    statusText: 'OK',
    url: `${url}/echo?a=b`,
    redirected: false,
    type: 'application/json',
    body: {
      method: 'POST',
      url: '/echo?a=b',
      body: '{"name":"ü","list":[1,2]}',
      headers: { 'content-type': 'application/json', 'user-agent': 'stagewire', via: '1.1 stagewire' },
    },
  });
  expect(await client.call('json', `${url}/moved`, {})).toMatchObject({
    failed: ['SyntaxError', '', expect.stringContaining('hello'), false],
  });
});

test('what is no 2xx is an answer, and a redirect is followed', async () => {
  const client = await open('app/status');
  expect(await client.call('status', `${url}/missing`)).toBe(404);
  expect(await client.call('get', `${url}/moved`)).toBe('hello');
  const manual =
    'const a = await fetch(arguments_, { redirect: "manual" }); return [a.status, a.headers.get("location"), a.redirected]';
  expect(await client.call('eval', manual.replace('arguments_', JSON.stringify(`${url}/moved`)))).toEqual([
    302,
    '/hello',
    false,
  ]);
});

test('several go on at one time, and other calls meanwhile', async () => {
  const client = await open('app/parallel');
  const answers = client.call('many', `${url}/stall`, 20);
  await eventually('all to arrive', () => stalled === 20);
  expect(await client.call('version')).toBe(1);
  for (const response of waiting.splice(0)) response.end(response.req.url);
  expect(await answers).toEqual(Array.from({ length: 20 }, (_, i) => `/stall${i}`));
});

const programs = [
  {
    what: 'text, with the byte order mark left out',
    code: 'return (await fetch(URL_ + "/bytes")).text()',
    gives: 'ü\ufffd',
  },
  {
    what: 'bytes and buffers',
    code: 'const a = await (await fetch(URL_ + "/bytes")).bytes(); const b = await (await fetch(URL_ + "/hello")).arrayBuffer(); return [a instanceof Uint8Array, [...a].join(), b instanceof ArrayBuffer, b.byteLength]',
    gives: [true, '239,187,191,195,188,255', true, 5],
  },
  {
    what: 'a body once',
    code: 'const a = await fetch(URL_ + "/hello"); const before = a.bodyUsed; await a.text(); return [before, a.bodyUsed, await a.json().catch(e => e.name + ": " + e.message)]',
    gives: [false, true, 'TypeError: response.json: the body was read before, and can be read once'],
  },
  {
    what: 'headers in every way',
    code: `const { headers } = await fetch(URL_ + "/headers"); const seen = [];
      headers.forEach((value, name, all) => seen.push(name + "=" + value + (all === headers)));
      const own = [...headers].filter(([name]) => name.startsWith("x-"));
      return [headers.get("X-b"), headers.has("x-c"), headers.get("x-c"), own, [...headers.keys()].includes("x-a"),
        [...headers.values()].includes("1, 2"), [...headers.entries()].length === seen.length,
        seen.includes("x-b=1, 2true"), headers.getSetCookie()]`,
    gives: [
      '1, 2',
      false,
      null,
      [
        ['x-a', 'ü'],
        ['x-b', '1, 2'],
      ],
      true,
      true,
      true,
      true,
      ['c=1', 'd=2'],
    ],
  },
  {
    what: 'typed arrays, views and buffers as bodies',
    code: `const hex = async (body) => (await (await fetch(URL_ + "/echo", { method: "PUT", body })).json()).hex;
      const bytes = new Uint8Array([1, 2, 3, 4]);
      return [await hex(bytes.subarray(1, 3)), await hex(bytes.buffer), await hex(new DataView(bytes.buffer, 3)), await hex(new Uint16Array([258])), await hex("é"), await hex(null)]`,
    gives: ['0203', '01020304', '04', '0201', 'c3a9', ''],
  },
  {
    what: 'headers as pairs and as objects with forEach',
    code: `const sent = async (headers) => (await (await fetch(URL_ + "/echo", { headers })).json()).headers;
      const pairs = await sent([["X-A", "1"], ["x-a", 2]]);
      const like = await sent({ forEach(tell) { tell("3", "x-b"); } });
      const refused = await sent((await fetch(URL_ + "/headers")).headers).catch((e) => e.message);
      return [pairs["x-a"], like["x-b"], refused]`,
    gives: ['1, 2', '3', 'fetch: the header "connection" is set by the server: leave it out'],
  },
  {
    what: 'the type of a text that it was given',
    code: 'const { headers } = await (await fetch(URL_ + "/echo", { method: "POST", body: "x" })).json(); return headers["content-type"]',
    gives: 'text/plain;charset=UTF-8',
  },
  {
    what: 'a promise of its own kind, and no host object',
    code: `const p = fetch(URL_ + "/hello"); const a = await p;
      return [p.constructor === Promise, p instanceof Promise, Object.getPrototypeOf(Object.getPrototypeOf(a)) === Object.prototype, a.constructor.constructor === Function, fetch.constructor === Function]`,
    gives: [true, true, true, true, true],
  },
];
for (const { what, code, gives } of programs) {
  test(`fetch knows ${what}`, async () => {
    const client = await open('app/programs');
    expect(await client.call('eval', code.replaceAll('URL_', JSON.stringify(url)))).toEqual(gives);
  });
}

test('fetch goes on where a script has broken what it uses', async () => {
  const client = await open('app/patched');
  const code = `
    const broken = () => { throw new Error('broken'); };
    JSON.parse = ArrayBuffer.isView = Object.keys = broken;
    String.prototype.toLowerCase = String.prototype.indexOf = Array.prototype.sort = broken;
    const answer = await fetch(URL_ + '/echo', { method: 'POST', headers: { 'X-A': '1' }, body: '{}' });
    const failure = await fetch('http://evil.test').catch((error) => error);
    return (await answer.json()).headers['x-a'] + answer.headers.get('content-type') + failure.code`;
  expect(await client.call('eval', code.replaceAll('URL_', JSON.stringify(url)))).toBe(
    '1application/jsonE_FETCH_DENIED',
  );
});

const mistakes = [
  { code: 'fetch()', says: 'fetch: expected a URL as text, got undefined' },
  { code: 'fetch(5)', says: 'got 5' },
  { code: 'fetch({})', says: 'got a value of type object' },
  { code: 'fetch("http://a", 7)', says: 'fetch: expected an object with options, got 7' },
  { code: 'fetch("http://a", { method: 7 })', says: 'fetch: method: expected text, got 7' },
  {
    code: 'fetch("http://a", { redirect: "maybe" })',
    says: 'expected "follow", "error" or "manual", got "maybe"',
  },
  { code: 'fetch("http://a", { timeoutMs: 0 })', says: 'timeoutMs: expected a number above 0, got 0' },
  { code: 'fetch("http://a", { timeoutMs: NaN })', says: 'got NaN' },
  { code: 'fetch("http://a", { timeoutMs: "5" })', says: 'got "5"' },
  { code: 'fetch("http://a", { body: { a: 1 } })', says: 'JSON.stringify makes text of values' },
  {
    code: 'fetch("http://a", { body: 5 })',
    says: 'fetch: body: expected text, an ArrayBuffer, a typed array or URLSearchParams, got 5',
  },
  {
    code: 'fetch("http://a", { headers: "x" })',
    says: 'fetch: headers: expected an object or pairs, got "x"',
  },
  { code: 'fetch("http://a", { headers: [["a"]] })', says: 'expected pairs of name and value, got an array' },
  {
    code: 'fetch("http://a", { headers: { a: {} } })',
    says: '"a": expected text, got a value of type object',
  },
];
for (const { code, says } of mistakes) {
  test(`${code} rejects with a TypeError that says what it got`, async () => {
    const client = await open('app/mistakes');
    expect(await client.call('eval', `return ${code}`)).toEqual({
      failed: ['TypeError', '', expect.stringContaining(says), true],
    });
  });
}

test('what is not listed is denied, and the message says what to write', async () => {
  const client = await open('app/denied');
  const cases = [
    ['http://api.example.com/x', 'add "api.example.com" to fetch.hosts in app.json'],
    ['https://api.example.com:8443/x', 'add "api.example.com:8443" to fetch.hosts in app.json'],
    ['http://127.0.0.1/', 'add "127.0.0.1" to fetch.hosts in app.json'],
    ['http://169.254.169.254/latest', 'add "169.254.169.254" to fetch.hosts in app.json'],
    ['http://localhost/', '"localhost" is this machine: list its address, such as "127.0.0.1"'],
    ['file:///etc/passwd', 'only http and https can be fetched, not file:'],
    [`${url}/inside`.replace('//', '//me@'), 'send an Authorization header'],
  ] as const;
  for (const [target, says] of cases)
    expect(await client.call('get', target)).toEqual(failed('E_FETCH_DENIED', expect.stringContaining(says)));
  expect(await client.call('get', 'nowhere')).toEqual(
    failed('E_FETCH_INVALID', expect.stringContaining('"nowhere"')),
  );
  expect(await client.call('get', `${url}/hello`, { headers: { Host: 'x' } })).toEqual(
    failed('E_FETCH_INVALID', 'fetch: the header "host" is set by the server: leave it out'),
  );
  // Listed, but nobody listens there.
  expect(await client.call('get', `${url}/inside`)).toEqual(
    failed(
      'E_FETCH_FAILED',
      `fetch http://127.0.0.1:1/secret: connect ECONNREFUSED 127.0.0.1:1 (redirected from ${url}/inside)`,
    ),
  );
});

test('an application that lists nothing fetches nothing', async () => {
  const client = await open('none/denied');
  expect(await client.call('get', `${url}/hello`)).toEqual(
    failed('E_FETCH_DENIED', expect.stringContaining('in app.json: { "fetch": { "hosts": ["127.0.0.1:')),
  );
});

test('a rejection that nobody handles names the line of the script that called fetch', async () => {
  const client = await open('none/unhandled');
  expect(await client.call('forget', `${url}/hello`)).toBe('forgotten');
  const record = await server.waitForLog((r) => r.instance === 'none/unhandled' && r.code === 'E_SCRIPT');
  const line = script.slice(0, script.indexOf('forget(')).split('\n').length;
  expect(record.message).toMatch(
    new RegExp(`^forget: FetchError: fetch http:.*\\(main\\.ts:${line}:\\d+\\)$`),
  );
  expect(record.detail).toContain('forget(url) { fetch(url);');
});

test('an aborted fetch rejects with the reason, ends on the wire, and makes room for another', async () => {
  const client = await open('small/abort');
  const run = (code: string) => client.call('eval', `const url = '${url}'; ${code}`);
  expect(
    await run(`
      const controller = new AbortController(), seen = [];
      const stalled = [1, 2, 3].map(() => fetch(url + '/stall', { signal: controller.signal }));
      const settled = Promise.allSettled(stalled);
      seen.push(await fetch(url + '/hello').catch((error) => error.code));
      controller.abort();
      seen.push(await (await fetch(url + '/hello', { signal: new AbortController().signal })).text());
      for (const { status, reason } of await settled)
        seen.push(status + ' ' + (reason === controller.signal.reason) + ' ' + reason.name);
      return seen;`),
  ).toEqual(['E_FETCH_TOO_MANY', 'hello', ...Array(3).fill('rejected true AbortError')]);
  await eventually('the connections to be closed', () => stalled === 0);
  expect(
    await run(`
      const late = AbortSignal.timeout(1), reason = (promise) => promise.catch((error) => error.name ?? error);
      return [
        await reason(fetch(url + '/hello', { signal: AbortSignal.abort('mine') })),
        await reason(fetch(url + '/stall', { signal: late })),
        await reason(fetch(url + '/stall', { signal: AbortSignal.any([late]) })),
        await reason(fetch(url + '/hello', { signal: {} })),
      ];`),
  ).toEqual(['mine', 'TimeoutError', 'TimeoutError', 'TypeError']);
  await eventually('the connections to be closed', () => stalled === 0);
});

test('fetch takes a URL, and URLSearchParams as a form', async () => {
  const client = await open('app/form');
  expect(
    await client.call(
      'eval',
      `const address = new URL('/echo?a=b', '${url}');
      const send = async (headers) => (await fetch(address, { method: 'POST', headers, body: new URLSearchParams({ 'ü': 'x y', b: '&' }) })).json();
      const [plain, own] = [await send(), await send({ 'Content-Type': 'text/own' })];
      return [plain.url, plain.body, plain.headers['content-type'], own.headers['content-type']];`,
    ),
  ).toEqual(['/echo?a=b', '%C3%BC=x+y&b=%26', 'application/x-www-form-urlencoded;charset=UTF-8', 'text/own']);
});

test('the limits of the application hold: size, time and number', async () => {
  const client = await open('small/limits');
  const body = 'x'.repeat(100_001);
  expect(await client.call('get', `${url}/large`)).toEqual(
    failed('E_FETCH_TOO_LARGE', expect.stringContaining('more than the 100000 bytes of limits.fetchBytes')),
  );
  expect(await client.call('get', `${url}/echo`, { method: 'POST', body })).toEqual(
    failed(
      'E_FETCH_TOO_LARGE',
      'fetch: the body has 100001 bytes, more than the 100000 of limits.fetchBytes',
    ),
  );
  expect(await client.call('get', `${url}/stall`, { timeoutMs: 20 })).toEqual(
    failed('E_FETCH_TIMEOUT', expect.stringContaining('no complete answer within 20 ms')),
  );
  expect(await client.call('settled', `${url}/stall`, 5)).toEqual([
    ...['E_FETCH_TIMEOUT', 'E_FETCH_TIMEOUT', 'E_FETCH_TIMEOUT', 'E_FETCH_TOO_MANY', 'E_FETCH_TOO_MANY'],
  ]);
  await eventually('their connections to be closed', () => stalled === 0);
  expect(await client.call('get', `${url}/hello`)).toBe('hello');
});

test('an answer for which the mailbox has no room fails, and the script lives on', async () => {
  const client = await open('narrow/room');
  expect(await client.call('get', `${url}/huge`)).toEqual(
    failed(
      'E_FETCH_TOO_LARGE',
      'fetch: too much waits for this instance to take 600000 bytes more (limits.mailboxBytes)',
    ),
  );
  expect(await client.call('status', `${url}/large`)).toBe(200);
  expect(await client.call('back')).toBe(false);
});

test('a flood of fetches costs nobody else: frames flow, other instances answer', async () => {
  const flooder = await open('small/flood');
  const viewer = await (await open('small/flood')).createStream();
  const publisher = await (await open('small/flood')).createStream();
  await publisher.publish('cam');
  await viewer.play('cam');
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(0));
  await viewer.waitForMedia(keyFrame(0));
  const neighbour = await open('app/neighbour');

  const floods = Array.from({ length: 20 }, () => flooder.call('settled', `${url}/hello`, 2000));
  for (let frame = 1; frame <= 30; frame++) {
    publisher.video(frame * 40, interFrame(frame));
    await viewer.waitForMedia(interFrame(frame));
    expect(await neighbour.call('version')).toBe(1);
  }
  const codes = (await Promise.all(floods)).flat();
  expect(codes).toHaveLength(40_000);
  // On a busy machine the site may answer too late.
  const others = codes.filter((code) => code !== 'ok' && code !== 'E_FETCH_TIMEOUT');
  expect(new Set(others)).toEqual(new Set(['E_FETCH_TOO_MANY']));
  expect(await flooder.call('back')).toBe(false);
});

test('new code ends what the old code had under way, and its own fetches work', async () => {
  const client = await open('app/reload');
  const pending = client.callFails('get', `${url}/stall`);
  await eventually('it to arrive', () => stalled === 1);
  const from = server.log.mark;
  server.writeFile('app/main.ts', script.replace('return 1;', 'return 2;'));
  await server.waitForLog((r) => r.instance === 'app/reload' && r.message.startsWith('runs new code'), from);
  expect(await pending).toMatchObject({ code: 'NetConnection.Call.Failed' });
  await eventually('the connection to be closed', () => stalled === 0);
  expect(await client.call('version')).toBe(2);
  expect(await client.call('get', `${url}/hello`)).toBe('hello');
});

test('a script that dies takes its fetches with it, and the next one fetches again', async () => {
  const client = await open('app/death');
  const pending = client.callFails('get', `${url}/stall`);
  await eventually('it to arrive', () => stalled === 1);
  await client.callFails('loop');
  expect(await pending).toMatchObject({ code: 'NetConnection.Call.Failed' });
  await eventually('the connection to be closed', () => stalled === 0);
  expect(await client.call('back')).not.toBe(false);
  expect(await client.call('get', `${url}/hello`)).toBe('hello');
});

test('code that loops after a fetch is stopped, and the message says where it was', async () => {
  const client = await open('app/after');
  void client.startCall('loopAfter', `${url}/hello`).catch(() => {});
  const record = await server.waitForLog((r) => r.instance === 'app/after' && r.code === 'E_HANDLER_TIMEOUT');
  // On a busy machine more follows: that it hardly had a processor.
  expect(record.message).toMatch(/^what follows a fetch ran for 300 ms and was stopped/);
  expect(await client.call('get', `${url}/hello`)).toBe('hello');
});

test('hosts that are added to app.json reach running instances', async () => {
  const client = await open('edited/room');
  expect(await client.call('get', `${url}/hello`)).toEqual(failed('E_FETCH_DENIED', expect.anything()));
  const from = server.log.mark;
  const save = (hosts: unknown) => server.writeFile('edited/app.json', JSON.stringify({ fetch: { hosts } }));
  save([new URL(url).host]);
  await server.waitForLog((r) => r.instance === 'edited/room' && r.message.startsWith('runs new code'), from);
  expect(await client.call('get', `${url}/hello`)).toBe('hello');
  save(['http://example.com/']);
  // The file may be seen while it is still empty: that is another problem, and not this line.
  await server.waitForLog(
    'fetch.hosts.0 is "http://example.com/", expected a host such as "api.example.com"',
    from,
  );
  expect(await client.call('get', `${url}/hello`)).toBe('hello');
});

test('an instance that ends takes its fetches with it', async () => {
  server.writeApp('removed', {
    'main.ts': script,
    'app.json': JSON.stringify({ fetch: { hosts: [new URL(url).host] } }),
  });
  await server.waitForLog('/removed');
  const client = await open('removed/room');
  // The script may have been seen before its app.json.
  await eventually('its hosts', async () => (await client.call('get', `${url}/hello`)) === 'hello');
  void client.startCall('get', `${url}/stall`).catch(() => {});
  await eventually('it to arrive', () => stalled === 1);
  server.remove('removed');
  await client.closed;
  await eventually('the connection to be closed', () => stalled === 0);
});
