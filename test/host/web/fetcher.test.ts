import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../host/base/clock.ts';
import { FetchHosts } from '../../../host/web/fetch-hosts.ts';
import {
  type FetchCommand,
  Fetcher,
  type FetcherOptions,
  type FetchOutcome,
} from '../../../host/web/fetcher.ts';
import { eventually, inTime } from '../../support/journal.ts';
import { certificate, privateKey } from '../../support/tls.ts';

const limits = { fetches: 32, fetchBytes: 64 * 1024, fetchMs: 5000 };
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

/** A fetcher that is closed when the test ends, and who waits for its outcomes. */
class TestFetcher {
  readonly fetcher: Fetcher;
  readonly outcomes: FetchOutcome[] = [];
  readonly #waiting = new Map<number, (outcome: FetchOutcome) => void>();
  #nextRequest = 1;

  constructor(hosts: string[], options: Partial<FetcherOptions> = {}) {
    this.fetcher = new Fetcher({
      hosts: new FetchHosts(hosts),
      limits,
      clock: systemClock,
      onOutcome: (outcome) => {
        this.outcomes.push(outcome);
        this.#waiting.get(outcome.request)?.(outcome);
      },
      ...options,
    });
    onTestFinished(() => this.fetcher.close());
  }

  start(url: string, init: Partial<FetchCommand> = {}): number {
    const request = this.#nextRequest++;
    const body = new Uint8Array(0);
    this.fetcher.start({
      ...{ kind: 'fetch', request, url, method: 'GET', headers: [], body, redirect: 'follow', timeoutMs: 0 },
      ...init,
    });
    return request;
  }

  async fetch(url: string, init: Partial<FetchCommand> = {}) {
    const outcome = await this.#outcome(url, init);
    if (outcome.kind !== 'fetched') throw new Error(`${outcome.code} ${outcome.message}`);
    return { ...outcome, text: text(outcome.body), headers: new Map(outcome.headers) };
  }

  async fails(url: string, init: Partial<FetchCommand> = {}): Promise<{ code: string; message: string }> {
    const outcome = await this.#outcome(url, init);
    if (outcome.kind !== 'unfetched') throw new Error(`answered with ${outcome.status}`);
    return outcome;
  }

  #outcome(url: string, init: Partial<FetchCommand>): Promise<FetchOutcome> {
    const request = this.#nextRequest;
    const outcome = new Promise<FetchOutcome>((resolve) => this.#waiting.set(request, resolve));
    this.start(url, init);
    return inTime(`the outcome of ${url}`, outcome);
  }
}

interface Site {
  /** `127.0.0.1:PORT`. */
  host: string;
  port: number;
  /** `http://127.0.0.1:PORT`. */
  url: string;
  sockets: Set<Socket>;
}

async function listen(server: Server, scheme = 'http'): Promise<Site> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { host: `127.0.0.1:${port}`, port, url: `${scheme}://127.0.0.1:${port}`, sockets };
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

function collect(handler: Handler) {
  return (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => handler(request, response, body));
  };
}

const serve = (handler: Handler) => listen(http.createServer(collect(handler)));

/** A server that speaks bytes. `reply` is called once the request's headers are there. */
const speak = (reply: (socket: Socket) => void) =>
  listen(
    createServer((socket) => {
      socket.once('data', () => reply(socket));
    }),
  );

/** Tells what it was asked. */
const echo: Handler = ({ method, url, headers, rawHeaders }, response, body) =>
  response.end(
    JSON.stringify({ method, url, headers, names: rawHeaders.filter((_, i) => i % 2 === 0), body }),
  );

describe('a request', () => {
  test('reaches the server as asked for, over a connection that is closed afterwards', async () => {
    const site = await serve(echo);
    const fetcher = new TestFetcher([site.host]);
    const answer = await fetcher.fetch(`${site.url}/a%20b?c=d#e`, {
      method: 'put',
      headers: [
        ['X-One', ' 1 '],
        ['x-one', '2'],
        ['Cookie', 'a=1'],
        ['cookie', 'b=2'],
        ['User-Agent', 'me'],
      ],
      body: Buffer.from('{"x":"ü"}'),
    });
    expect(JSON.parse(answer.text)).toMatchObject({
      method: 'PUT',
      url: '/a%20b?c=d',
      body: Buffer.from('{"x":"ü"}').toString('latin1'),
      headers: {
        'x-one': '1, 2',
        cookie: 'a=1; b=2',
        'user-agent': 'me',
        host: site.host,
        connection: 'close',
        'content-length': '10',
        accept: '*/*',
      },
    });
    expect(answer).toMatchObject({ status: 200, statusText: 'OK', isRedirected: false });
    expect(answer.url).toBe(`${site.url}/a%20b?c=d`);
    await eventually('the connection to be closed', () => site.sockets.size === 0);
  });

  test('with a body has its length whatever the method, and none without one', async () => {
    const site = await serve(echo);
    const fetcher = new TestFetcher([site.host]);
    const headersOf = async (method: string, body: string) =>
      JSON.parse((await fetcher.fetch(site.url, { method, body: Buffer.from(body) })).text).headers;
    for (const method of ['DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'POST']) {
      const headers = await headersOf(method, 'abc');
      expect([method, headers['content-length'], headers['transfer-encoding']]).toEqual([
        method,
        '3',
        undefined,
      ]);
    }
    expect((await headersOf('POST', ''))['content-length']).toBe('0');
    expect((await headersOf('GET', ''))['content-length']).toBeUndefined();
  });

  test('keeps what it sends when the memory that it came in is used again', async () => {
    const site = await serve(echo);
    const fetcher = new TestFetcher([site.host]);
    const body = Buffer.from('mine');
    const answer = fetcher.fetch(site.url, { method: 'POST', body });
    body.fill('x');
    expect(JSON.parse((await answer).text).body).toBe('mine');
  });

  for (const { status, method } of [
    { status: 204, method: 'GET' },
    { status: 304, method: 'GET' },
    { status: 200, method: 'HEAD' },
  ]) {
    test(`${method} that is answered with ${status} and without a body`, async () => {
      const site = await serve((_, response) => {
        response.writeHead(status, { 'x-a': 'b', 'content-encoding': 'gzip', 'content-length': 10_000_000 });
        response.end();
      });
      const answer = await new TestFetcher([site.host]).fetch(site.url, { method });
      expect(answer).toMatchObject({ status, text: '' });
      expect(answer.headers.get('x-a')).toBe('b');
    });
  }

  test('gets every status as an answer, headers that come several times apart', async () => {
    const site = await serve((_, response) => {
      response.writeHead(503, 'Out of Tea', [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
      ] as never);
      response.end('later');
    });
    const fetcher = new TestFetcher([site.host]);
    await fetcher.fetch(site.url);
    expect(fetcher.outcomes[0]).toMatchObject({ status: 503, statusText: 'Out of Tea' });
    const headers = (fetcher.outcomes[0] as { headers: unknown[] }).headers;
    expect(headers).toContainEqual(['set-cookie', 'a=1']);
    expect(headers).toContainEqual(['set-cookie', 'b=2']);
  });

  test('sends no cookie that an answer set', async () => {
    const site = await serve((request, response) => {
      response.setHeader('set-cookie', 'session=1');
      response.end(request.headers.cookie ?? 'none');
    });
    const fetcher = new TestFetcher([site.host]);
    expect((await fetcher.fetch(site.url)).text).toBe('none');
    expect((await fetcher.fetch(site.url)).text).toBe('none');
  });

  const invalid = [
    { what: 'no URL', init: { url: 'nonsense' }, says: '"nonsense" is no absolute URL' },
    { what: 'a relative URL', init: { url: '/path' }, says: '"/path" is no absolute URL' },
    { what: 'a long URL', init: { url: `http://a/${'x'.repeat(9000)}` }, says: 'a URL of 9009 characters' },
    { what: 'a zone', init: { url: 'http://[fe80::1%25eth0]/' }, says: 'is no absolute URL' },
    { what: 'a method with a space', init: { method: 'GET /x' }, says: '"GET /x" is no method' },
    { what: 'an empty method', init: { method: '' }, says: '"" is no method' },
    { what: 'CONNECT', init: { method: 'connect' }, says: 'the method CONNECT cannot be used' },
    { what: 'TRACE', init: { method: 'TRACE' }, says: 'the method TRACE cannot be used' },
    { what: 'GET with a body', init: { body: Buffer.from('x') }, says: 'GET has no body' },
    { what: 'a split header', init: { headers: [['a', 'b\r\nhost: c']] }, says: '"a" cannot have the value' },
    {
      what: 'a header beyond latin1',
      init: { headers: [['a', '\u0142']] },
      says: '"a" cannot have the value',
    },
    { what: 'a header with NUL', init: { headers: [['a', 'b\0']] }, says: '"a" cannot have the value' },
    { what: 'a name with a space', init: { headers: [['a b', 'c']] }, says: '"a b" is no name of a header' },
    { what: 'an empty name', init: { headers: [['', 'c']] }, says: '"" is no name of a header' },
    {
      what: 'many headers',
      init: { headers: Array.from({ length: 257 }, () => ['a', 'b']) },
      says: '257 headers; 256 are allowed',
    },
    {
      what: 'blanks within a header',
      init: { headers: [['a', `b${' '.repeat(250_000)}c`]] },
      says: '250007 bytes of headers',
    },
    { what: 'large headers', init: { headers: [['a', 'b'.repeat(33_000)]] }, says: '33005 bytes of headers' },
    ...[
      ...['Host', 'content-length', 'Connection', 'transfer-encoding', 'Upgrade', 'Expect', 'TE', 'trailer'],
      ...['keep-alive', 'Proxy-Connection', 'http2-settings'],
    ].map((name) => ({
      what: name,
      init: { headers: [[name, 'x']] },
      says: `the header "${name.toLowerCase()}" is set by the server: leave it out`,
    })),
  ];
  for (const { what, init, says } of invalid) {
    test(`with ${what} is refused and says why`, async () => {
      const site = await serve(echo);
      const { url = site.url, ...rest } = init as Partial<FetchCommand>;
      expect(await new TestFetcher([site.host, 'a']).fails(url, rest)).toMatchObject({
        code: 'E_FETCH_INVALID',
        message: expect.stringContaining(says),
      });
    });
  }

  test('with a body beyond the limit is refused before anything is sent', async () => {
    let connections = 0;
    const site = await speak(() => connections++);
    const fetcher = new TestFetcher([site.host]);
    const body = new Uint8Array(limits.fetchBytes + 1);
    expect(await fetcher.fails(site.url, { method: 'POST', body })).toMatchObject({
      code: 'E_FETCH_TOO_LARGE',
      message: expect.stringContaining('65537 bytes, more than the 65536 of limits.fetchBytes'),
    });
    expect(connections).toBe(0);
  });
});

describe('names', () => {
  test('are looked up once, and what was checked is what is connected to', async () => {
    const site = await serve((_, response) => response.end('hello'));
    const asked: string[] = [];
    const answers = [['127.0.0.1'], ['127.0.0.2']];
    const fetcher = new TestFetcher(['site.test:*'.replace('*', String(site.port))], {
      resolve: async (name) => {
        asked.push(name);
        return answers.shift() ?? [];
      },
      isPublic: (address) => address === '127.0.0.1',
    });
    const url = `http://SITE.test.:${site.port}/`;
    expect((await fetcher.fetch(url)).text).toBe('hello');
    expect(asked).toEqual(['site.test']);
    // The same name has moved to an address that it must not have.
    expect(await fetcher.fails(url)).toMatchObject({
      code: 'E_FETCH_DENIED',
      message: expect.stringContaining('"site.test" leads to 127.0.0.2, which is no public address'),
    });
    expect(await fetcher.fails(url)).toMatchObject({
      code: 'E_FETCH_FAILED',
      message: expect.stringContaining('"site.test" has no address'),
    });
  });

  for (const addresses of [
    ['127.0.0.1'],
    ['::1'],
    ['10.0.0.1'],
    ['169.254.169.254'],
    ['::ffff:127.0.0.1'],
    ['fe80::1%eth0'],
    ['8.8.8.8', '127.0.0.1'],
    ['2606:4700:4700::1111', 'fd00::1'],
  ]) {
    test(`that lead to ${addresses} are denied, whatever is listed`, async () => {
      let connections = 0;
      const site = await speak(() => connections++);
      const fetcher = new TestFetcher([`site.test:${site.port}`, ...addresses, site.host], {
        resolve: async () => addresses,
      });
      expect(await fetcher.fails(`http://site.test:${site.port}/`)).toMatchObject({
        code: 'E_FETCH_DENIED',
        message: expect.stringMatching(/which is no public address: list the address itself/),
      });
      expect(connections).toBe(0);
    });
  }

  test('that do not exist say so', async () => {
    const fetcher = new TestFetcher(['site.test'], {
      resolve: () =>
        Promise.reject(Object.assign(new Error('queryA ENOTFOUND site.test'), { code: 'ENOTFOUND' })),
    });
    expect(await fetcher.fails('http://site.test/')).toMatchObject({
      code: 'E_FETCH_FAILED',
      message: 'fetch http://site.test/: queryA ENOTFOUND site.test',
    });
  });

  test('that nobody answers for end with the time of the fetch', async () => {
    const fetcher = new TestFetcher(['site.test'], { resolve: () => new Promise(() => {}) });
    expect(await fetcher.fails('http://site.test/', { timeoutMs: 50 })).toMatchObject({
      code: 'E_FETCH_TIMEOUT',
      message: expect.stringContaining('no complete answer within 50 ms'),
    });
  });

  test('with several addresses use the one that answers', async () => {
    const site = await serve((_, response) => response.end('hello'));
    const fetcher = new TestFetcher([`site.test:${site.port}`], {
      resolve: async () => ['127.0.0.9', '::1', '127.0.0.1'],
      isPublic: () => true,
    });
    expect((await fetcher.fetch(`http://site.test:${site.port}/`)).text).toBe('hello');
  });

  test('are not asked about when the URL has an address', async () => {
    const site = await serve((_, response) => response.end('hello'));
    const fetcher = new TestFetcher([site.host], { resolve: () => Promise.reject(new Error('asked')) });
    expect((await fetcher.fetch(`http://2130706433:${site.port}/`)).text).toBe('hello');
  });
});

describe('https', () => {
  const before = getCACertificates('default');

  beforeAll(() => () => setDefaultCACertificates(before));

  const serveSecurely = (handler: Handler) =>
    listen(https.createServer({ cert: certificate, key: privateKey }, collect(handler)), 'https');

  test('refuses a certificate that nobody vouches for, whatever the environment says', async () => {
    const site = await serveSecurely((_, response) => response.end('hello'));
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    onTestFinished(() => {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    });
    expect(await new TestFetcher([site.host]).fails(site.url)).toMatchObject({
      code: 'E_FETCH_FAILED',
      message: expect.stringContaining('self-signed certificate'),
    });
  });

  test('works by name and by address, checks the name, and follows to http without the secrets', async () => {
    setDefaultCACertificates([certificate]);
    const plain = await serve(echo);
    const site = await serveSecurely(({ url }, response) => {
      if (url === '/moved') response.writeHead(302, { location: plain.url });
      response.end('secure');
    });
    const fetcher = new TestFetcher(
      [`api.test:${site.port}`, `other.test:${site.port}`, site.host, plain.host],
      {
        resolve: async () => ['127.0.0.1'],
        isPublic: () => true,
      },
    );
    expect((await fetcher.fetch(site.url)).text).toBe('secure');
    expect((await fetcher.fetch(`https://API.test.:${site.port}/`)).text).toBe('secure');
    expect((await fetcher.fails(`https://other.test:${site.port}/`)).message).toContain(
      "does not match certificate's",
    );
    const moved = await fetcher.fetch(`https://api.test:${site.port}/moved`, {
      headers: [['authorization', 'Bearer x']],
    });
    expect(moved.url).toBe(`${plain.url}/`);
    expect(JSON.parse(moved.text).headers.authorization).toBeUndefined();
  });
});

describe('redirects', () => {
  const redirector = () =>
    serve(({ url = '' }, response) => {
      const [, status, location = ''] = /^\/(\d+)\?(.*)$/.exec(url) ?? [];
      response.writeHead(Number(status), { location: decodeURIComponent(location) });
      response.end('moved');
    });

  const rules = [
    { status: 301, method: 'POST', becomes: 'GET' },
    { status: 301, method: 'PUT', becomes: 'PUT' },
    { status: 301, method: 'HEAD', becomes: 'HEAD' },
    { status: 302, method: 'POST', becomes: 'GET' },
    { status: 302, method: 'DELETE', becomes: 'DELETE' },
    { status: 303, method: 'POST', becomes: 'GET' },
    { status: 303, method: 'PUT', becomes: 'GET' },
    { status: 303, method: 'GET', becomes: 'GET' },
    { status: 303, method: 'HEAD', becomes: 'HEAD' },
    { status: 307, method: 'POST', becomes: 'POST' },
    { status: 308, method: 'PATCH', becomes: 'PATCH' },
  ];
  for (const { status, method, becomes } of rules) {
    test(`${status}: ${method} becomes ${becomes}`, async () => {
      const seen: unknown[] = [];
      const target = await serve(({ method, headers }, response, body) => {
        seen.push([method, body, headers['content-type'], headers['content-length']]);
        response.end('arrived');
      });
      const site = await redirector();
      const hasBody = !['GET', 'HEAD', 'DELETE'].includes(method);
      const answer = await new TestFetcher([site.host, target.host]).fetch(
        `${site.url}/${status}?${encodeURIComponent(target.url)}/there`,
        {
          method,
          body: Buffer.from(hasBody ? 'data' : ''),
          headers: hasBody ? [['content-type', 'text/x']] : [],
        },
      );
      const keepsBody = hasBody && becomes === method;
      expect(seen).toEqual([
        [becomes, keepsBody ? 'data' : '', ...(keepsBody ? ['text/x', '4'] : [undefined, undefined])],
      ]);
      expect(answer).toMatchObject({ status: 200, isRedirected: true, url: `${target.url}/there` });
      expect(site.sockets.size).toBe(0);
    });
  }

  test('drop what is secret on the way to another origin, and keep it on the same', async () => {
    const target = await serve(echo);
    const site = await serve((request, response, body) => {
      if (request.url === '/out') response.writeHead(307, { location: target.url });
      else if (request.url === '/in') response.writeHead(307, { location: 'there?x' });
      else return echo(request, response, body);
      response.end();
    });
    const fetcher = new TestFetcher([site.host, target.host]);
    const headers: [string, string][] = [
      ['Authorization', 'Bearer x'],
      ['Cookie', 'a=1'],
      ['Proxy-Authorization', 'y'],
      ['X-Own', 'z'],
    ];
    const out = JSON.parse((await fetcher.fetch(`${site.url}/out`, { headers })).text);
    expect(out.headers).toMatchObject({ 'x-own': 'z', host: target.host });
    for (const name of ['authorization', 'cookie', 'proxy-authorization'])
      expect(out.headers[name]).toBeUndefined();
    const inside = JSON.parse((await fetcher.fetch(`${site.url}/in`, { headers })).text);
    expect(inside.url).toBe('/there?x');
    expect(inside.headers).toMatchObject({
      authorization: 'Bearer x',
      cookie: 'a=1',
      'proxy-authorization': 'y',
    });
  });

  const denied = [
    { location: 'http://127.0.0.1:1/x', code: 'E_FETCH_DENIED', says: 'add "127.0.0.1:1"' },
    {
      location: 'http://169.254.169.254/latest/meta-data',
      code: 'E_FETCH_DENIED',
      says: 'add "169.254.169.254"',
    },
    { location: 'http://[::1]/', code: 'E_FETCH_DENIED', says: 'add "[::1]"' },
    { location: '//evil.test/', code: 'E_FETCH_DENIED', says: 'add "evil.test"' },
    { location: 'http://inner.test/', code: 'E_FETCH_DENIED', says: '"inner.test" leads to 192.168.0.1' },
    { location: 'http://localhost/', code: 'E_FETCH_DENIED', says: 'is this machine' },
    { location: 'http://me:pw@inner.test/', code: 'E_FETCH_DENIED', says: 'Authorization header' },
    { location: 'file:///etc/passwd', code: 'E_FETCH_DENIED', says: 'not file:' },
    { location: 'data:text/plain,x', code: 'E_FETCH_DENIED', says: 'not data:' },
    { location: 'http://[', code: 'E_FETCH_FAILED', says: 'it redirects to "http://[", which is no URL' },
  ];
  for (const { location, code, says } of denied) {
    test(`to ${location} are refused`, async () => {
      const site = await redirector();
      const fetcher = new TestFetcher([site.host, 'inner.test', 'localhost'], {
        resolve: async () => ['192.168.0.1'],
      });
      const failure = await fetcher.fails(`${site.url}/302?${encodeURIComponent(location)}`);
      expect(failure).toMatchObject({ code, message: expect.stringContaining(says) });
      if (code === 'E_FETCH_DENIED') expect(failure.message).toContain(`(redirected from ${site.url}/302)`);
    });
  }

  test('end after five', async () => {
    let count = 0;
    const site = await serve(({ url }, response) => {
      count++;
      const left = Number(url?.slice(1));
      if (left > 0) response.writeHead(302, { location: `/${left - 1}` });
      response.end('arrived');
    });
    const fetcher = new TestFetcher([site.host]);
    expect((await fetcher.fetch(`${site.url}/5`)).text).toBe('arrived');
    count = 0;
    expect(await fetcher.fails(`${site.url}/6`)).toMatchObject({
      code: 'E_FETCH_FAILED',
      message: expect.stringContaining('more than 5 redirects'),
    });
    expect(count).toBe(6);
  });

  test('are not followed when the script says so', async () => {
    const site = await redirector();
    const fetcher = new TestFetcher([site.host]);
    const url = `${site.url}/302?http%3A%2F%2Fevil.test`;
    const manual = await fetcher.fetch(url, { redirect: 'manual' });
    expect(manual).toMatchObject({ status: 302, isRedirected: false, text: 'moved', url });
    expect(manual.headers.get('location')).toBe('http://evil.test');
    expect(await fetcher.fails(url, { redirect: 'error' })).toMatchObject({
      code: 'E_FETCH_FAILED',
      message: expect.stringContaining('redirect is "error"'),
    });
  });

  test('without a place to go are answers', async () => {
    const site = await serve((_, response) => response.writeHead(302).end('where?'));
    expect(await new TestFetcher([site.host]).fetch(site.url, { redirect: 'error' })).toMatchObject({
      status: 302,
      text: 'where?',
      isRedirected: false,
    });
  });

  test('have one time limit together, and leave no body behind', async () => {
    const site = await serve((_, response) => {
      response.writeHead(302, { location: '/again' });
      response.write('a body that never ends');
    });
    const start = performance.now();
    expect(await new TestFetcher([site.host]).fails(site.url)).toMatchObject({
      message: expect.stringContaining('more than 5 redirects'),
    });
    expect(performance.now() - start).toBeLessThan(limits.fetchMs);
    await eventually('the connections to be closed', () => site.sockets.size === 0);

    const slow = await serve((_, response) => {
      setTimeout(() => response.writeHead(302, { location: '/again' }).end(), 80);
    });
    expect(await new TestFetcher([slow.host]).fails(slow.url, { timeoutMs: 200 })).toMatchObject({
      code: 'E_FETCH_TIMEOUT',
    });
  });
});

describe('a body', () => {
  const plain = Buffer.from('hello '.repeat(100));
  const codings = [
    { coding: 'gzip', body: gzipSync(plain) },
    { coding: 'x-gzip', body: gzipSync(plain) },
    { coding: 'GZip', body: Buffer.concat([gzipSync(plain.subarray(0, 10)), gzipSync(plain.subarray(10))]) },
    { coding: 'deflate', body: deflateSync(plain) },
    { coding: 'deflate', body: deflateRawSync(plain) },
    { coding: 'br', body: brotliCompressSync(plain) },
    { coding: 'gzip, br', body: brotliCompressSync(gzipSync(plain)) },
    { coding: 'identity', body: plain },
  ];
  for (const [index, { coding, body }] of codings.entries()) {
    test(`in ${coding} is decoded (${index})`, async () => {
      const site = await serve(({ headers }, response) => {
        expect(headers['accept-encoding']).toBe('gzip, deflate, br');
        response.writeHead(200, { 'content-encoding': coding }).end(body);
      });
      expect((await new TestFetcher([site.host]).fetch(site.url)).text).toBe(plain.toString());
    });
  }

  test('in a coding that nobody asked for stays as it is', async () => {
    const site = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': '__proto__' }).end('abc'),
    );
    expect((await new TestFetcher([site.host]).fetch(site.url)).text).toBe('abc');
  });

  for (const { what, coding, body } of [
    { what: 'cut', coding: 'gzip', body: gzipSync(plain).subarray(0, 20) },
    { what: 'no gzip', coding: 'gzip', body: plain },
    { what: 'no brotli', coding: 'br', body: plain },
    {
      what: 'encoded four times',
      coding: 'gzip, gzip, gzip, gzip',
      body: gzipSync(gzipSync(gzipSync(gzipSync(plain)))),
    },
  ]) {
    test(`that is ${what} fails`, async () => {
      const site = await serve((_, response) =>
        response.writeHead(200, { 'content-encoding': coding }).end(body),
      );
      expect(await new TestFetcher([site.host]).fails(site.url)).toMatchObject({ code: 'E_FETCH_FAILED' });
    });
  }

  test('may have as many bytes as the limit says, and not one more', async () => {
    const site = await serve(({ url }, response) => response.end(Buffer.alloc(Number(url?.slice(1)), 1)));
    const fetcher = new TestFetcher([site.host]);
    expect((await fetcher.fetch(`${site.url}/${limits.fetchBytes}`)).body.length).toBe(limits.fetchBytes);
    expect(await fetcher.fails(`${site.url}/${limits.fetchBytes + 1}`)).toMatchObject({
      code: 'E_FETCH_TOO_LARGE',
      message: expect.stringContaining('more than the 65536 bytes of limits.fetchBytes: 65537 bytes'),
    });
  });

  for (const coding of ['gzip', 'br', 'deflate', 'gzip, gzip']) {
    test(`that is a bomb in ${coding} is not let off`, async () => {
      const huge = Buffer.alloc(64 * 1024 * 1024);
      const bomb =
        coding === 'br'
          ? brotliCompressSync(huge.subarray(0, 8 * 1024 * 1024))
          : coding === 'deflate'
            ? deflateSync(huge.subarray(0, 32 * 1024 * 1024))
            : coding === 'gzip'
              ? gzipSync(huge.subarray(0, 32 * 1024 * 1024))
              : gzipSync(gzipSync(huge));
      expect(bomb.length).toBeLessThan(limits.fetchBytes);
      const site = await serve((_, response) =>
        response.writeHead(200, { 'content-encoding': coding }).end(bomb),
      );
      expect(await new TestFetcher([site.host]).fails(site.url)).toMatchObject({
        code: 'E_FETCH_TOO_LARGE',
        message: expect.stringContaining('the decoded body is more than'),
      });
      await eventually('the connection to be closed', () => site.sockets.size === 0);
    });
  }

  test('that never ends is cut at the limit, and its connection is closed', async () => {
    let sent = 0;
    const site = await serve((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(16 * 1024))) sent += 16 * 1024;
      };
      response.on('drain', more);
      more();
    });
    expect(await new TestFetcher([site.host]).fails(site.url)).toMatchObject({
      code: 'E_FETCH_TOO_LARGE',
      message: expect.stringContaining('the body is more than the 65536 bytes of limits.fetchBytes'),
    });
    await eventually('the connection to be closed', () => site.sockets.size === 0);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test('in chunks of one byte is put together', async () => {
    const site = await speak((socket) =>
      socket.end(
        `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(20_000)}0\r\n\r\n`,
      ),
    );
    expect((await new TestFetcher([site.host]).fetch(site.url)).text).toBe('x'.repeat(20_000));
  });

  test('that is slow ends with the time of the fetch, and its connection is closed', async () => {
    const site = await serve((_, response) => {
      response.write('x');
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(await new TestFetcher([site.host]).fails(site.url, { timeoutMs: 150 })).toMatchObject({
      code: 'E_FETCH_TIMEOUT',
      message: `fetch ${site.url}/: no complete answer within 150 ms (timeoutMs of the call, or limits.fetchMs)`,
    });
    await eventually('the connection to be closed', () => site.sockets.size === 0);
  });
});

describe('a server that', () => {
  test('sends its headers slowly ends with the time of the fetch', async () => {
    const site = await speak((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('x'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await new TestFetcher([site.host]).fails(site.url, { timeoutMs: 150 })).toMatchObject({
      code: 'E_FETCH_TIMEOUT',
    });
    await eventually('the connection to be closed', () => site.sockets.size === 0);
  });

  test('takes no time limit of the script beyond that of the server', async () => {
    const site = await speak(() => {});
    const fetcher = new TestFetcher([site.host], { limits: { ...limits, fetchMs: 100 } });
    for (const timeoutMs of [0, 60_000, Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      expect((await fetcher.fails(site.url, { timeoutMs })).message).toContain('within 100 ms');
    }
  });

  const floods = [
    {
      what: 'one endless header',
      head: () => `x: ${'y'.repeat(100_000)}`,
      says: 'more than 32768 bytes of headers',
    },
    {
      what: 'a thousand headers',
      head: () => Array.from({ length: 1000 }, (_, i) => `x${i}: y`).join('\r\n'),
      says: 'more than 256 headers',
    },
    {
      what: 'an endless reason',
      status: `200 ${'z'.repeat(100_000)}`,
      says: 'more than 32768 bytes of headers',
    },
  ];
  for (const { what, head = () => 'x: y', status = '200 OK', says } of floods) {
    test(`sends ${what} is cut off`, async () => {
      const site = await speak((socket) =>
        socket.write(`HTTP/1.1 ${status}\r\n${head()}\r\ncontent-length: 0\r\n\r\n`),
      );
      expect(await new TestFetcher([site.host]).fails(site.url)).toMatchObject({
        code: 'E_FETCH_TOO_LARGE',
        message: expect.stringContaining(says),
      });
      await eventually('the connection to be closed', () => site.sockets.size === 0);
    });
  }

  test('sends interim answers without end is cut off; a few are passed over', async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n';
    const final = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
    const some = await speak((socket) => socket.write(interim.repeat(3) + final));
    expect((await new TestFetcher([some.host]).fetch(some.url)).text).toBe('ok');
    const many = await speak((socket) => socket.write(interim.repeat(50) + final));
    expect(await new TestFetcher([many.host]).fails(many.url)).toMatchObject({
      code: 'E_FETCH_TOO_LARGE',
      message: expect.stringContaining('more than 10 interim answers'),
    });
  });

  test('sends trailers without end is cut off', async () => {
    const site = await speak((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n');
      socket.write(`x: ${'y'.repeat(100_000)}\r\n\r\n`);
    });
    expect(await new TestFetcher([site.host]).fails(site.url)).toMatchObject({
      code: expect.stringMatching(/E_FETCH_(FAILED|TOO_LARGE)/),
    });
    await eventually('the connection to be closed', () => site.sockets.size === 0);
  });

  const broken = [
    { what: 'closes at once', bytes: '' },
    { what: 'closes in the headers', bytes: 'HTTP/1.1 200 OK\r\ncontent-le' },
    { what: 'closes in the body', bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc' },
    { what: 'closes in a chunk', bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab' },
    { what: 'speaks no HTTP', bytes: 'SSH-2.0-OpenSSH_9.9\r\n' },
    { what: 'sends noise', bytes: '\0\u0001\u0002\u0003\xff\xfe'.repeat(100) },
    { what: 'sends a bad chunk', bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n' },
    {
      what: 'sends two lengths',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    },
    {
      what: 'sends length and chunks',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    },
    {
      what: 'switches protocols',
      bytes: 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    },
    { what: 'answers in HTTP/2', bytes: '\0\0\u0012\u0004\0\0\0\0\0' },
  ];
  for (const { what, bytes } of broken) {
    test(`${what} fails the fetch`, async () => {
      const site = await speak((socket) => socket.end(Buffer.from(bytes, 'latin1')));
      const failure = await new TestFetcher([site.host]).fails(site.url);
      expect(failure.code).toBe('E_FETCH_FAILED');
      expect(failure.message).toMatch(new RegExp(`^fetch ${site.url}/: .`));
      await eventually('the connection to be closed', () => site.sockets.size === 0);
    });
  }

  test('is not there fails the fetch', async () => {
    const site = await speak(() => {});
    expect(await new TestFetcher(['127.0.0.1:1']).fails('http://127.0.0.1:1/')).toMatchObject({
      code: 'E_FETCH_FAILED',
      message: 'fetch http://127.0.0.1:1/: connect ECONNREFUSED 127.0.0.1:1',
    });
    expect(site.sockets.size).toBe(0);
  });

  test('answers before it has read everything, and closes, is heard', async () => {
    const site = await speak((socket) => {
      socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno');
    });
    const outcome = await new TestFetcher([site.host]).fetch(site.url, {
      method: 'POST',
      body: new Uint8Array(60_000),
    });
    expect(outcome).toMatchObject({ status: 413, text: 'no' });
  });

  test('sends more than the answer is closed on', async () => {
    const site = await speak((socket) => {
      const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
      socket.write(answer + answer);
    });
    expect((await new TestFetcher([site.host]).fetch(site.url)).text).toBe('ok');
    await eventually('the connection to be closed', () => site.sockets.size === 0);
  });
});

describe('a fetcher', () => {
  test('does so many at one time and refuses the rest at once', async () => {
    const waiting: ServerResponse[] = [];
    const site = await serve((_, response) => waiting.push(response));
    const fetcher = new TestFetcher([site.host], { limits: { ...limits, fetches: 3 } });
    for (let i = 0; i < 3; i++) fetcher.start(site.url);
    expect(await fetcher.fails(site.url)).toMatchObject({
      code: 'E_FETCH_TOO_MANY',
      message: 'fetch: 3 are under way, and that is the limit (limits.fetches)',
    });
    await eventually('all to arrive', () => waiting.length === 3);
    expect(site.sockets.size).toBe(3);
    waiting.pop()?.end('done');
    await eventually('one to end', () => fetcher.outcomes.length === 2);
    fetcher.start(site.url);
    await eventually('another to arrive', () => waiting.length === 3);
  });

  test('that is closed ends what is under way, tells nobody, and starts nothing', async () => {
    let requests = 0;
    const site = await serve((_, response) => {
      requests++;
      response.write('x');
    });
    const fetcher = new TestFetcher([site.host]);
    for (let i = 0; i < 5; i++) fetcher.start(site.url);
    await eventually('all to arrive', () => requests === 5);
    fetcher.fetcher.close();
    fetcher.fetcher.close();
    fetcher.start(site.url);
    await eventually('the connections to be closed', () => site.sockets.size === 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fetcher.outcomes).toEqual([]);
    expect(requests).toBe(5);
  });

  test('answers each of many, whatever the order', async () => {
    const site = await serve(({ url }, response) => {
      setTimeout(() => response.end(url), Math.random() * 20);
    });
    const fetcher = new TestFetcher([site.host]);
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => fetcher.fetch(`${site.url}/${i}`)),
    );
    expect(answers.map((answer) => answer.text)).toEqual(Array.from({ length: 30 }, (_, i) => `/${i}`));
    expect(fetcher.outcomes).toHaveLength(30);
  });
});
