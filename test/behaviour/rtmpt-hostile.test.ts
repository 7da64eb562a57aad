import { createConnection, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { eventually, inTime } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { ask, openTunnel, post } from '../support/tunnel-client.ts';

const server = useServer({
  apps: { app: { 'main.ts': 'application.onConnect = () => true; Client.prototype.hi = () => "hi";' } },
  limits: { mediaMessageBytes: 65_536 },
});
const MAX_BODY = 65_536 * 2;
const unknown = '0123456789abcdef0123456789abcdef';

const refused = [
  { path: '/fcs/ident2', status: 404 },
  { path: '/fcs/other', status: 400 },
  { path: '/open/', status: 400 },
  { path: '/open/one', status: 400 },
  { path: '/open/1?x=1', status: 400 },
  { path: `/send/${unknown}`, status: 400 },
  { path: `/send/${unknown}/-1`, status: 400 },
  { path: `/send/${unknown}/1/2`, status: 400 },
  { path: `/idle/${unknown}/99999999999`, status: 400 },
  { path: `/idle/${'x'.repeat(65)}/0`, status: 400 },
  { path: '/idle//0', status: 400 },
  { path: `/send/${unknown}/0`, status: 404 },
  { path: `/idle/${unknown}/0`, status: 404 },
  { path: `/close/${unknown}/0`, status: 404 },
  { path: '/idle/__proto__/0', status: 404 },
];
for (const { path, status } of refused) {
  test(`POST ${path.replace(/x{65}/, 'x...')} is answered with ${status}`, async () => {
    const answer = await post(server.http + path);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({ connection: 'close', 'cache-control': 'no-cache' });
  });
}

for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS', 'DELETE']) {
  test(`${method} is not what tunnels are made of`, async () => {
    for (const path of ['/open/1', `/idle/${unknown}/0`, '/fcs/ident2']) {
      const answer = await ask(method, server.http + path, Buffer.alloc(0));
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe('POST');
    }
  });
}

test('what only looks like it is for the API', async () => {
  for (const path of ['/openings', '/api/open/1', '/send', '/idle.html']) {
    const answer = await post(server.http + path);
    expect([answer.status, answer.headers['content-type']]).toEqual([404, 'application/json']);
  }
});

test('a connection of a tunnel may be used for the API, whose last request it is then', async () => {
  const id = await openTunnel(server.http);
  const socket = open();
  const said = collect(socket);
  socket.write(
    `${post1(`/idle/${id}/0`, 'Content-Length: 1\r\n')}\0GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n`,
  );
  await inTime('the end', closed(socket));
  const [, first, second] = said().split('HTTP/1.1 200 OK\r\n');
  expect(first).toContain('Content-Type: application/x-fcs');
  expect(second).toContain('"status":"ok"');
  expect(said().match(/HTTP\/1\.1 /g)).toHaveLength(2);
});

const post1 = (path: string, more: string) => `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const malformed = [
  { name: 'a body in chunks', text: post1('/open/1', 'Transfer-Encoding: chunked\r\n'), status: 411 },
  { name: 'two lengths', text: post1('/open/1', 'Content-Length: 1\r\nContent-Length: 1\r\n'), status: 400 },
  { name: 'no number for a length', text: post1('/open/1', 'Content-Length: 0x1\r\n'), status: 400 },
  { name: 'a negative length', text: post1('/open/1', 'Content-Length: -1\r\n'), status: 400 },
  { name: 'a field that is none', text: post1('/open/1', 'Content Length: 1\r\n'), status: 400 },
  { name: 'a folded field', text: post1('/open/1', 'X: 1\r\n 2\r\n'), status: 400 },
  { name: 'a line feed alone', text: post1('/open/1', 'X: 1\nY: 2\r\n'), status: 400 },
  // What takes time with the cube of that, takes hours.
  { name: 'blanks and no end', text: post1('/open/1', `X: ${' '.repeat(16_000)}\n\r\n`), status: 400 },
  { name: 'a head without an end', text: post1('/open/1', `X: ${'x'.repeat(20_000)}`), status: 431 },
  { name: 'a body for what needs none', text: post1('/open/1', 'Content-Length: 5000\r\n'), status: 413 },
];
for (const { name, text, status } of malformed) {
  test(`${name}: ${status}, and the connection ends`, async () => {
    const socket = open();
    const said = collect(socket);
    socket.write(text);
    await inTime('the end', closed(socket));
    expect(said().match(/^HTTP\/1\.1 (\d+) /)?.[1]).toBe(String(status));
    expect(said().match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
}

test('a request that comes byte by byte is understood', async () => {
  const id = await openTunnel(server.http);
  const socket = open();
  const said = collect(socket);
  for (const byte of `${post1(`/send/${id}/0`, 'Content-Length: 3\r\n')}\x03ab`) {
    socket.write(byte, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually('the answer', () => said().endsWith('\r\n\r\n\x01'));
});

test('bodies are bounded by what they say, before they come: each, and those of a tunnel together', async () => {
  const id = await openTunnel(server.http);
  const whole = open();
  const ofWhole = collect(whole);
  whole.write(post1(`/send/${id}/0`, `Content-Length: ${MAX_BODY + 1}\r\n`));
  await inTime('the end', closed(whole));
  expect(ofWhole()).toMatch(/^HTTP\/1\.1 413 /);

  const half = open();
  const ofHalf = collect(half);
  half.write(`${post1(`/send/${id}/0`, `Content-Length: ${MAX_BODY - 10}\r\nExpect: 100-continue\r\n`)}`);
  await eventually('it to be let go on', () => ofHalf().startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  expect((await post(`${server.http}/send/${id}/1`, Buffer.alloc(11))).status).toBe(413);
  half.destroy();
  await eventually('room again', async () => {
    const { status } = await post(`${server.http}/send/${id}/0`, Buffer.alloc(11, 3));
    return status === 200;
  });
});

test('ten thousand requests sent ahead are answered in turn, and nobody waits for them', async () => {
  const id = await openTunnel(server.http);
  const neighbour = await connect(`${server.rtmp}/app/neighbour`);
  const COUNT = 10_000;
  let storm = '';
  for (let i = 0; i < COUNT; i++) storm += `${post1(`/idle/${id}/${i}`, 'Content-Length: 1\r\n')}\0`;
  const socket = open();
  let answers = 0;
  let rest = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    rest += text;
    const parts = rest.split('HTTP/1.1 200 OK\r\n');
    answers += parts.length - 1;
    rest = parts.at(-1)!.slice(-20);
  });
  const ended = closed(socket).then(() => 'the end');
  socket.write(storm, 'latin1');
  let meanwhile = 0;
  while (answers < COUNT) {
    await neighbour.call('hi');
    expect((await fetch(`${server.http}/healthz`)).status).toBe(200);
    meanwhile++;
    if (answers === 0) expect(await Promise.race([ended, 'open'])).toBe('open');
  }
  expect(answers).toBe(COUNT);
  expect(meanwhile).toBeGreaterThan(1);
});

test('who sends ahead and reads no answer is not read any further', async () => {
  const id = await openTunnel(server.http);
  const socket = open();
  socket.pause();
  let isWritten = false;
  const storm = `${post1(`/idle/${id}/0`, 'Content-Length: 1\r\n')}\0`.repeat(200_000);
  socket.write(storm, 'latin1', () => {
    isWritten = true;
  });
  const neighbour = await connect(`${server.http.replace('http:', 'rtmpt:')}/app/patient`);
  for (let i = 0; i < 50; i++) expect(await neighbour.call('hi')).toBe('hi');
  expect(isWritten).toBe(false);
});

function open(): Socket {
  const { hostname, port } = new URL(server.http);
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

function collect(socket: Socket): () => string {
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  return () => text;
}

function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}
