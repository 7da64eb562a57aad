import { type IncomingHttpHeaders, request } from 'node:http';
import { createConnection } from 'node:net';
import { expect, test } from 'vitest';
import type { InstanceDetails, InstanceReport } from '../../../host/web/api.ts';
import { eventually } from '../../support/journal.ts';
import { keyFrame } from '../../support/media.ts';
import { connect } from '../../support/rtmp-client.ts';
import { startServer, useServer } from '../../support/server.ts';

const token = 'a-token-of-24-characters';
const server = useServer({
  adminToken: token,
  apps: {
    app: {
      'main.ts': `
        application.onConnect = () => true;
        Client.prototype.myId = function () { return this.id; };
        Client.prototype.broadcast = (name: string, source: string) => Stream.get(name)!.play(source);`,
    },
    bare: { 'README.md': '' },
  },
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  json: unknown;
}

/** Unlike fetch, node:http lets a test write any Host and Origin. */
function get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { headers, method }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, json: parse(body) });
      });
    });
    asking.on('error', reject).end();
  });
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

test('/healthz is open to everybody', async () => {
  for (const headers of [
    {},
    { host: 'evil.example' },
    { origin: 'https://evil.example' },
    { authorization: 'Bearer x' },
  ]) {
    const { status, json } = await get(`${server.http}/healthz`, headers);
    expect(status).toBe(200);
    expect(json).toMatchObject({ status: 'ok', version: expect.stringMatching(/^\d+\./) });
  }
});

const port = () => new URL(server.http).port;
const access: { name: string; headers: () => Record<string, string>; status: number }[] = [
  { name: 'a loopback name', headers: () => ({ host: `localhost:${port()}` }), status: 200 },
  { name: 'a loopback address', headers: () => ({ host: `127.0.0.1:${port()}` }), status: 200 },
  { name: 'the IPv6 loopback address', headers: () => ({ host: `[::1]:${port()}` }), status: 200 },
  {
    name: 'a name pointed at this machine',
    headers: () => ({ host: `rebound.example:${port()}` }),
    status: 403,
  },
  {
    name: 'a name that begins like loopback',
    headers: () => ({ host: '127.0.0.1.evil.example' }),
    status: 403,
  },
  { name: 'localhost as a part of a name', headers: () => ({ host: 'localhost.evil.example' }), status: 403 },
  { name: 'a foreign origin', headers: () => ({ origin: 'https://evil.example' }), status: 403 },
  { name: 'no origin at all (null)', headers: () => ({ origin: 'null' }), status: 403 },
  { name: 'another port as origin', headers: () => ({ origin: 'http://127.0.0.1:1' }), status: 403 },
  { name: 'its own origin', headers: () => ({ origin: `http://127.0.0.1:${port()}` }), status: 200 },
  {
    name: 'the token under a foreign name',
    headers: () => ({ host: 'media.example', authorization: `Bearer ${token}` }),
    status: 200,
  },
  {
    name: 'the token and a foreign origin',
    headers: () => ({ origin: 'https://evil.example', authorization: `Bearer ${token}` }),
    status: 403,
  },
  ...[
    'x-forwarded-for',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Real-IP',
    'CF-Connecting-IP',
    'CF-Connecting-IPv6',
    'CDN-Loop',
    'Client-IP',
    'Fastly-Client-IP',
    'X-Azure-ClientIP',
    'X-Cluster-Client-IP',
    'X-Envoy-External-Address',
    'X-Forwarded',
    'X-Original-URL',
    'X-ProxyUser-Ip',
    'X-Remote-Addr',
    'Forwarded',
  ].map((name) => ({
    name: `a proxy on this machine (${name})`,
    headers: () => ({ [name]: '192.0.2.1' }),
    status: 403,
  })),
  { name: 'the fetch of a script', headers: () => ({ via: '1.1 stagewire' }), status: 403 },
  {
    name: 'a proxy with the token',
    headers: () => ({ via: '1.1 proxy', authorization: `Bearer ${token}` }),
    status: 200,
  },
  { name: 'a wrong token', headers: () => ({ authorization: `Bearer ${token}x` }), status: 403 },
  { name: 'a wrong scheme', headers: () => ({ authorization: `Basic ${token}` }), status: 403 },
];
for (const { name, headers, status } of access) {
  test(`/api/instances answers ${name} with ${status}`, async () => {
    const answer = await get(`${server.http}/api/instances`, headers());
    expect(answer.status).toBe(status);
    if (status === 200) expect(answer.json).toHaveProperty('instances');
    else expect(answer.json).not.toHaveProperty('instances');
  });
}

test('a refusal says what to do, and lets no other site read', async () => {
  const { json, headers } = await get(`${server.http}/api/instances`, { host: 'rebound.example' });
  expect(json).toEqual({
    error: expect.stringMatching(/^E_/),
    message: expect.stringContaining('rebound.example'),
  });
  expect(headers).not.toHaveProperty('access-control-allow-origin');
});

test('without a token file no token is taken', async () => {
  const plain = await startServer({ apps: { app: { 'main.ts': '' } } });
  const headers = { host: 'media.example', authorization: 'Bearer undefined' };
  expect((await get(`${plain.http}/api/instances`, headers)).status).toBe(403);
  expect((await get(`${plain.http}/api/instances`)).status).toBe(200);
});

test('/api/instances tells of clients, streams, build, heap and processor time', async () => {
  const publisher = await connect(`${server.rtmp}/app/room`);
  const stream = await publisher.createStream();
  await stream.publish('cam', 'record');
  await publisher.call('broadcast', 'ours', 'cam');
  const watcher = await connect(`${server.rtmp}/app/room`);
  const viewer = await watcher.createStream();
  await viewer.play('cam');
  await (await watcher.createStream()).play('waiting');
  stream.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  await connect(`${server.rtmp}/bare/room`);

  const { json } = await get(`${server.http}/api/instances`);
  const room = reportOf('app', json);
  expect(room).toEqual({
    app: 'app',
    instance: 'room',
    build: expect.stringMatching(/^[0-9a-f]{8}$/),
    since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    clients: 2,
    streams: expect.arrayContaining([
      {
        name: 'cam',
        source: 'client',
        publisher: await publisher.call('myId'),
        viewers: 1,
        bytes: keyFrame(1).length,
        video: 'H.264',
        audio: null,
        recording: true,
      },
      {
        name: 'waiting',
        source: null,
        publisher: null,
        viewers: 1,
        bytes: 0,
        video: null,
        audio: null,
        recording: false,
      },
      {
        name: 'ours',
        source: 'server',
        publisher: null,
        viewers: 0,
        bytes: keyFrame(1).length,
        video: 'H.264',
        audio: null,
        recording: false,
      },
    ]),
    heapBytes: expect.any(Number),
    cpuMs: expect.any(Number),
  });
  expect(room?.heapBytes).toBeGreaterThan(10_000);
  const bare = reportOf('bare', json);
  expect(bare).toMatchObject({ instance: 'room', clients: 1, streams: [], heapBytes: null, cpuMs: null });

  await publisher.close();
  await watcher.close();
  await eventually('the clients to be gone', async () => {
    const { json } = await get(`${server.http}/api/instances`);
    const room = reportOf('app', json);
    return room?.clients === 0 && room.streams.length === 0;
  });
});

test('/api/apps says where applications are, and their names', async () => {
  const { json } = await get(`${server.http}/api/apps`);
  expect(json).toEqual({ directory: server.appsFolder, apps: expect.arrayContaining(['app', 'bare']) });
});

test('/api/instances/:app/:instance tells what is recorded, by the names that play it', async () => {
  for (const [file, bytes] of [
    ['show.flv', 5],
    ['evening/news.mp4', 3],
    ['song.mp3', 2],
    ['notes.txt', 9],
    ['.hidden.flv', 9],
  ] as const)
    server.writeFile(`bare/streams/shelf/${file}`, new Uint8Array(bytes));
  await connect(`${server.rtmp}/bare/shelf`);
  const { json } = await get(`${server.http}/api/instances/bare/shelf`);
  expect((json as InstanceDetails).recordings).toEqual([
    { name: 'show', bytes: 5 },
    { name: 'mp3:song', bytes: 2 },
    { name: 'mp4:evening/news.mp4', bytes: 3 },
  ]);
});

test('what is not there is 404, also for others than GET', async () => {
  for (const path of ['/index.html', '/nothing', '/api/nothing', '/healthz/x', '/%2e%2e/etc/passwd']) {
    expect((await get(`${server.http}${path}`)).status, path).toBe(404);
  }
  expect((await get(`${server.http}/api/instances`, {}, 'DELETE')).status).toBe(404);
});

test('an instance is not started under a name that no client can use', async () => {
  for (const name of ['..%2fx', '%1b%5b31m', 'a%5cb', 'x'.repeat(300)]) {
    const { status, json } = await get(`${server.http}/api/instances/bare/${name}/start`, {}, 'POST');
    expect(status, name).toBe(409);
    expect(json).toMatchObject({ message: expect.stringContaining('is no name of an instance') });
  }
});

test('bytes that are no HTTP disturb nobody', async () => {
  const socket = createConnection({ host: '127.0.0.1', port: Number(port()) });
  socket.write(Buffer.alloc(1000, 3));
  await new Promise((resolve) => socket.once('close', resolve).resume());
  expect((await get(`${server.http}/healthz`)).status).toBe(200);
});

const ask = 'POST /healthz HTTP/1.1\r\nHost: x\r\n';
const crowds = [
  { name: 'requests sent ahead', parts: [`${ask}\r\n${`${ask}\r\n`.repeat(1000)}`] },
  {
    name: 'requests sent ahead, the first in two pieces',
    parts: [`${ask}\r`, `\n${`${ask}\r\n`.repeat(1000)}`],
  },
  {
    name: 'a body in many pieces',
    parts: [`${ask}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(1000)}0\r\n\r\n`],
  },
  {
    name: 'a body in many pieces, behind a head in two',
    parts: [`${ask}Transfer-Encoding: chunked\r\n\r`, `\n${'1\r\nx\r\n'.repeat(1000)}0\r\n\r\n`],
  },
];
for (const { name, parts } of crowds) {
  test(`${name}: the server makes nothing of them, and says 400`, async () => {
    const text = await exchange(parts);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
}

test('a body that nobody reads does no harm', async () => {
  const body = '{"a":1}\r\n\r\n'.repeat(5000);
  const text = await exchange([`${ask}Content-Length: ${body.length}\r\n\r\n${body}`]);
  expect(text).toMatch(/^HTTP\/1\.1 404 /);
});

/** What comes back for the parts, each sent once the one before must have been read, until the connection ends. */
async function exchange(parts: readonly string[]): Promise<string> {
  const socket = createConnection({ host: '127.0.0.1', port: Number(port()) }).setNoDelay();
  let text = '';
  socket.setEncoding('latin1').on('data', (more: string) => {
    text += more;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve).on('error', () => {}));
  for (const part of parts) {
    await new Promise((resolve) => socket.write(part, 'latin1', resolve));
    // Asked later, answered later: by then it has been read.
    await get(`${server.http}/healthz`);
  }
  await closed;
  return text;
}

function reportOf(app: string, json: unknown): InstanceReport | undefined {
  return (json as { instances: InstanceReport[] }).instances.find((each) => each.app === app);
}

test('connections to the API have a limit, and leave RTMP alone', async () => {
  const small = await startServer({ apps: { bare: { 'README.md': '' } }, limits: { httpConnections: 20 } });
  const { hostname, port } = new URL(small.http);
  let open = 0;
  const sockets = Array.from({ length: 100 }, () => {
    const socket = createConnection(Number(port), hostname, () => {
      open++;
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    });
    return socket.on('error', () => {}).on('close', () => open--);
  });
  await eventually('most of them to be closed', () => open === 20);
  await connect(`${small.rtmp}/bare`);
  for (const socket of sockets) socket.destroy();
  await eventually('room again', async () => {
    const answer = await get(`${small.http}/healthz`).catch(() => undefined);
    return answer?.status === 200;
  });
});
