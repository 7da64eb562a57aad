import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { inTime } from '../support/journal.ts';
import { startServer, useServer } from '../support/server.ts';

const page = '<!doctype html><title>Hi</title>';
const server = useServer({
  apps: {
    site: {
      'main.ts': '// a secret of the script',
      'public/index.html': page,
      'public/app.js': 'export {};',
      'public/deep/index.html': 'deep',
      'public/deep/ä b.txt': 'umlaut',
      'public/empty.css': '',
      'public/.hidden': 'no',
      'public/picture.PNG': new Uint8Array([1, 2, 3]),
      'public/unknown.xyz': 'x',
      'public/big.bin': new Uint8Array(3_000_000).fill(7),
    },
    bare: { 'README.md': '' },
    api: { 'README.md': '', 'public/index.html': 'never' },
    linked: { 'README.md': '' },
    playground: { 'public/index.html': 'an application of that name' },
    'index.html': { 'README.md': '' },
  },
  pipes: ['site/public/pipe'],
});

beforeAll(() => {
  const at = (path: string) => join(server.appsFolder, path);
  symlinkSync(at('site/main.ts'), at('site/public/main.txt'));
  symlinkSync('/etc/passwd', at('site/public/passwd.txt'));
  symlinkSync(at('bare'), at('site/public/bare'));
  symlinkSync(at('site/public/app.js'), at('site/public/same.js'));
  mkdirSync(at('../outside'));
  writeFileSync(at('../outside/index.html'), 'outside');
  symlinkSync(at('../outside'), at('linked/public'));
});

const get = (path: string, init: RequestInit = {}) =>
  fetch(`${server.http}${path}`, { redirect: 'manual', ...init });

/** A request as it is, where `fetch` would tidy up its path. */
async function raw(target: string): Promise<string> {
  const { hostname, port } = new URL(server.http);
  const socket = connectTcp(Number(port), hostname);
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  const answer = (async () => {
    let text = '';
    for await (const bytes of socket) text += String(bytes);
    return text;
  })();
  return inTime(target, answer);
}

const files = [
  { path: '/site/', type: 'text/html; charset=utf-8', text: page },
  { path: '/site/index.html?x=1', type: 'text/html; charset=utf-8', text: page },
  { path: '/site/app.js', type: 'text/javascript; charset=utf-8', text: 'export {};' },
  { path: '/site/same.js', type: 'text/javascript; charset=utf-8', text: 'export {};' },
  { path: '/site/deep/', type: 'text/html; charset=utf-8', text: 'deep' },
  { path: '/site/deep/%C3%A4%20b.txt', type: 'text/plain; charset=utf-8', text: 'umlaut' },
  { path: '/site/empty.css', type: 'text/css; charset=utf-8', text: '' },
  { path: '/site/picture.PNG', type: 'image/png', text: '\x01\x02\x03' },
  { path: '/site/unknown.xyz', type: 'application/octet-stream', text: 'x' },
];
for (const { path, type, text } of files) {
  test(`${path} is served as ${type}`, async () => {
    const answer = await get(path);
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      type,
      text,
    ]);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const head = await get(path, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, type, '']);
    expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
    const again = await get(path, { headers: { 'If-None-Match': answer.headers.get('etag')! } });
    expect(again.status).toBe(304);
  });
}

for (const [path, to] of [
  ['/site', '/site/'],
  ['/site?a=b', '/site/?a=b'],
  ['/site/deep', '/site/deep/'],
] as const) {
  test(`${path} leads to ${to}`, async () => {
    const answer = await get(path);
    expect([answer.status, answer.headers.get('location')]).toEqual([308, to]);
  });
}

const nothing = [
  '/site/../main.ts',
  '/site/%2e%2e/main.ts',
  '/site/..%2fmain.ts',
  '/site/deep/../../main.ts',
  '/site/.hidden',
  '/site/main.ts',
  '/site/main.txt',
  '/site/passwd.txt',
  '/site/bare/README.md',
  '/site/pipe',
  '/site//index.html',
  '/site/deep//',
  '/site/%00',
  '/site/%zz',
  '/site/a\\b',
  '/site/nothing.html',
  `/site/${'x'.repeat(5000)}`,
  '/bare/',
  '/linked/',
  '/linked/index.html',
  '/nobody/',
  '/api/',
  '/%zz',
];
for (const path of nothing) {
  test(`${path.slice(0, 60)} is not there`, async () => {
    const answer = await raw(path);
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    for (const secret of ['secret', 'root:', 'outside', 'never']) expect(answer).not.toContain(secret);
  });
}

test('a page is read, not written', async () => {
  const answer = await get('/site/', { method: 'POST', body: 'x' });
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('a large file comes whole, and who stops reading it holds up nobody', async () => {
  const { hostname, port } = new URL(server.http);
  const socket = connectTcp(Number(port), hostname);
  socket.write(`GET /site/big.bin HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  await inTime('the beginning', new Promise((resolve) => socket.once('data', resolve)));
  socket.pause();
  const bytes = new Uint8Array(await (await get('/site/big.bin')).arrayBuffer());
  expect(bytes.length).toBe(3_000_000);
  expect(bytes.every((byte) => byte === 7)).toBe(true);
  socket.destroy();
});

test('/client.js is the client, at most 12 KB by gzip', async () => {
  const answer = await get('/client.js');
  expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  const code = await answer.text();
  expect(code).toMatch(/export\{.*NetConnection/s);
  expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(12 * 1024);
  const zipped = await raw('/client.js');
  expect(zipped).toContain(`Content-Length: ${Buffer.byteLength(code)}`);
  expect(gunzipSync(gzipSync(code)).toString()).toBe(code);
  const tag = answer.headers.get('etag')!;
  expect((await get('/client.js', { headers: { 'If-None-Match': tag } })).status).toBe(304);
});

const own = [
  { path: '/', type: 'text/html; charset=utf-8' },
  { path: '/?x=1', type: 'text/html; charset=utf-8' },
  { path: '/playground.js', type: 'text/javascript; charset=utf-8' },
  { path: '/playground.css', type: 'text/css; charset=utf-8' },
];
for (const { path, type } of own) {
  test(`${path} is the playground's, and nothing from elsewhere is`, async () => {
    const answer = await get(path);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    const policy = answer.headers.get('content-security-policy')!;
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src blob:; style-src 'self';/,
    );
    expect(policy).toContain("frame-ancestors 'none'");
    const sources = policy.split(/; | /).filter((word) => /[:*.]|unsafe/.test(word));
    expect(new Set(sources)).toEqual(new Set(["'wasm-unsafe-eval'", 'data:', 'blob:', 'mediastream:']));
    const text = await answer.text();
    expect(text.length).toBeGreaterThan(100);
    if (type.startsWith('text/html')) expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    const tag = answer.headers.get('etag')!;
    expect((await get(path, { headers: { 'If-None-Match': tag } })).status).toBe(304);
    expect((await get(path, { method: 'POST', body: 'x' })).status).toBe(405);
  });
}

test('an application called playground has its pages, and one called index.html none at /', async () => {
  expect(await (await get('/playground/')).text()).toBe('an application of that name');
  expect((await get('/playground')).headers.get('location')).toBe('/playground/');
  expect(await (await get('/')).text()).toContain('Stagewire playground');
  expect((await get('/index.html/')).status).toBe(404);
});

test('a server without a playground has the scripts for pages, and nothing at /', async () => {
  const bare = await startServer({ playground: false, apps: { site: { 'public/index.html': 'a page' } } });
  for (const path of ['/', '/playground.js', '/playground.css'])
    expect((await fetch(`${bare.http}${path}`)).status).toBe(404);
  for (const path of ['/client.js', '/aac.js', '/site/'])
    expect((await fetch(`${bare.http}${path}`)).status).toBe(200);
});

test('the playground is small, and has no media until it plays or publishes', async () => {
  const code = await (await get('/playground.js')).text();
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(24 * 1024);
  for (const name of ['client', 'media', 'low-latency', 'publish']) expect(code).toContain(`"/${name}.js"`);
  for (const word of ['MediaSource', 'VideoEncoder']) expect(code).not.toContain(word);
});
