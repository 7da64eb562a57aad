import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually, inTime } from '../support/journal.ts';
import { aacFrame, interFrame, keyFrame } from '../support/media.ts';
import { expectPlayable, makeClip, publishFile, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { connect, connectRefused, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';
import { openTunnel, post } from '../support/tunnel-client.ts';

const script = `
  application.onConnect = (client, wish) => {
    if (wish === 'no') { application.rejectConnection(client, { why: 'you asked for it' }); return; }
    return true;
  };
  application.onDisconnect = () => trace('left');
  Object.assign(Client.prototype, {
    who() { return [this.protocol, this.secure, this.ip]; },
    add: (a, b) => a + b,
    length: (text) => text.length,
    async askBack(text) { return 'you said ' + await this.invoke('echo', text); },
    goAway() { application.disconnect(this); },
  });`;
const server = useServer({
  apps: { app: { 'main.ts': script }, live: { 'README.md': 'no script' } },
  limits: { mediaMessageBytes: 1024 * 1024 },
});
const dial = (path: string) => `${server.http.replace('http:', 'rtmpt:')}/${path}`;
let rooms = 0;
const newRoom = () => `live/t${rooms++}`;

/** Requests one behind the other, on a connection of their own each. */
class Rider {
  readonly id: string;
  readonly #http: string;

  constructor(http: string, id: string) {
    this.#http = http;
    this.id = id;
  }

  static async open(http = server.http): Promise<Rider> {
    return new Rider(http, await openTunnel(http));
  }

  send(number: number, body: Uint8Array) {
    return post(`${this.#http}/send/${this.id}/${number}`, body);
  }

  idle(number: number) {
    return post(`${this.#http}/idle/${this.id}/${number}`);
  }

  close(number: number) {
    return post(`${this.#http}/close/${this.id}/${number}`);
  }
}

function hello(): Buffer {
  const bytes = randomBytes(1537);
  bytes[0] = 3;
  return bytes.fill(0, 5, 9);
}

/** S0, S1 and S2 answer this C0 and C1. */
function expectAnswer(answer: Uint8Array, asked: Buffer): void {
  expect(answer).toHaveLength(1 + 2 * 1536);
  expect(Buffer.from(answer.subarray(1537 + 8)).equals(asked.subarray(9))).toBe(true);
}

test('a client connects, calls and is called, and knows that it is in a tunnel', async () => {
  const client = await connect(dial('app/calls'), { methods: { echo: (text) => text } });
  expect(await client.call('who')).toEqual(['rtmpt', false, '127.0.0.1']);
  expect(await client.call('add', 2, 3)).toBe(5);
  expect(await client.call('length', 'x'.repeat(700_000))).toBe(700_000);
  expect(await client.call('askBack', 'hi')).toBe('you said hi');
  const answers = await Promise.all(Array.from({ length: 5000 }, (_, i) => client.call('add', i, 1)));
  expect(answers).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  await client.close();
  await server.expectTraces('app/calls', ['left']);
});

const ways = [
  { from: 'rtmpt', to: 'rtmpt' },
  { from: 'rtmpt', to: 'rtmp' },
  { from: 'rtmp', to: 'rtmpt' },
];
for (const { from, to } of ways) {
  test(`what is published over ${from} is played over ${to}, every frame in order`, async () => {
    const room = newRoom();
    const url = (protocol: string) => (protocol === 'rtmpt' ? dial(room) : `${server.rtmp}/${room}`);
    const publisher = await (await connect(url(from))).createStream();
    expect((await publisher.publish('cam')).code).toBe('NetStream.Publish.Start');
    const viewer = await (await connect(url(to))).createStream();
    await viewer.play('cam');
    const frames = Array.from({ length: 60 }, (_, i) =>
      Buffer.concat([
        i % 10 === 0 ? keyFrame(i) : interFrame(i),
        Buffer.alloc(i % 10 === 0 ? 300_000 : 900, i),
      ]),
    );
    for (const [index, frame] of frames.entries()) {
      publisher.video(index * 40, frame);
      publisher.audio(index * 40, aacFrame(index));
      if (index % 10 === 9) await viewer.waitForMedia(aacFrame(index));
    }
    const pictures = viewer.media.filter(({ type }) => type === 9);
    expect(pictures.map(({ timestamp }) => timestamp)).toEqual(frames.map((_, index) => index * 40));
    expect(pictures.every(({ payload }, index) => frames[index]!.equals(payload))).toBe(true);
  });
}

test('who is refused, or sent away, reads why', async () => {
  expect(await connectRefused(dial('app/refused'), { args: ['no'] })).toMatchObject({
    code: 'NetConnection.Connect.Rejected',
    application: { why: 'you asked for it' },
  });
  const client = await connect(dial('app/away'));
  client.send('goAway');
  await inTime('the end', client.closed);
});

test('answers are what clients look for, and the connection is kept', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const opened = await post(`${server.http}/open/1`, Buffer.of(0), agent);
  expect(opened.body.toString()).toMatch(/^[0-9a-f]{32}\n$/);
  const id = opened.body.toString().trim();
  const idle = await post(`${server.http}/idle/${id}/0`, Buffer.of(0), agent);
  expect(idle.body).toEqual(Buffer.of(1));
  for (const { status, headers, body } of [opened, idle]) {
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'application/x-fcs',
      'cache-control': 'no-cache',
      'content-length': String(body.length),
      connection: 'keep-alive',
    });
  }
  const asked = hello();
  const { body } = await post(`${server.http}/send/${id}/1`, asked, agent);
  expectAnswer(body.subarray(1), asked);
  expect((await post(`${server.http}/close/${id}/2`, Buffer.of(0), agent)).body).toEqual(Buffer.of(0));
  expect((await post(`${server.http}/idle/${id}/3`, Buffer.of(0), agent)).status).toBe(404);
});

test('the interval grows while nothing flows, and falls back when something does', async () => {
  const rider = await Rider.open();
  const seen: number[] = [];
  for (let number = 0; number < 70; number++) seen.push((await rider.idle(number)).body[0]!);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect([...new Set(seen)]).toEqual([1, 3, 5, 9, 17, 33]);
  expect(seen.filter((interval) => interval === 3)).toHaveLength(10);
  const { body } = await rider.send(70, hello());
  expect([body[0], body.length]).toEqual([1, 3074]);
});

test('pieces that come in any order, twice and on many connections, are put in order', async () => {
  for (const base of [0, 1]) {
    const rider = await Rider.open();
    const asked = hello();
    const pieces = Array.from({ length: 20 }, (_, i) =>
      asked.subarray(i * 77, i === 19 ? undefined : (i + 1) * 77),
    );
    const order = pieces.flatMap((_, i) => [i, i]).sort((a, b) => ((a * 7919) % 41) - ((b * 7919) % 41));
    const answers = await Promise.all(
      order.map(async (i) => ({ i, answer: await rider.send(base + i, pieces[i]!) })),
    );
    expect(answers.map(({ answer }) => answer.status)).toEqual(order.map(() => 200));
    const brought = pieces.map((_, i) => {
      const bodies = answers.filter((each) => each.i === i).map(({ answer }) => answer.body.subarray(1));
      return bodies.sort((a, b) => b.length - a.length)[0]!;
    });
    expectAnswer(Buffer.concat(brought), asked);
  }
});

test('idle requests that overtake what is missing are answered at once', async () => {
  const rider = await Rider.open();
  const asked = hello();
  await rider.send(0, asked.subarray(0, 500));
  const late = rider.send(4, asked.subarray(1000));
  expect((await rider.idle(3)).body).toHaveLength(1);
  expect((await rider.idle(2)).body).toHaveLength(1);
  const first = await rider.send(1, asked.subarray(500, 1000));
  expectAnswer(Buffer.concat([first.body.subarray(1), (await late).body.subarray(1)]), asked);
});

test('a client may count from 0 or from 1, and begin with an idle request', async () => {
  const beginnings = [[], [0], [1], [0, 1]];
  for (const idles of beginnings) {
    const rider = await Rider.open();
    for (const number of idles) await rider.idle(number);
    const asked = hello();
    const { body } = await rider.send(Math.max(0, ...idles.map((number) => number + 1)), asked);
    expectAnswer(body.subarray(1), asked);
  }
  const late = await Rider.open();
  await late.idle(1);
  const asked = hello();
  expectAnswer((await late.send(0, asked)).body.subarray(1), asked);
});

test('an answer that was lost is given again, and its request done once', async () => {
  const rider = await Rider.open();
  const asked = hello();
  const first = await rider.send(0, asked);
  for (let again = 0; again < 3; again++) expect((await rider.send(0, asked)).body).toEqual(first.body);
  expectAnswer(first.body.subarray(1), asked);
  // A second handshake would be taken for chunks, and end it.
  expect((await rider.send(1, first.body.subarray(2, 1538))).status).toBe(200);
  expect((await rider.idle(2)).status).toBe(200);
  // Long ago: nobody keeps that.
  for (let number = 3; number < 20; number++) await rider.idle(number);
  expect((await rider.send(0, asked)).body).toHaveLength(1);
});

test('a connection that breaks before its answer is read costs nothing', async () => {
  const rider = await Rider.open();
  const asked = hello();
  const { hostname, port } = new URL(server.http);
  const head = `POST /send/${rider.id}/0 HTTP/1.1\r\nContent-Length: ${asked.length}\r\n\r\n`;
  for (const bytes of [asked.subarray(0, 700), asked]) {
    const socket = createConnection(Number(port), hostname);
    socket.on('error', () => {});
    await new Promise((resolve) => socket.write(Buffer.concat([Buffer.from(head), bytes]), resolve));
    socket.resetAndDestroy();
  }
  const again = await rider.send(0, asked);
  const later = await rider.idle(1);
  expectAnswer(Buffer.concat([again.body.subarray(1), later.body.subarray(1)]), asked);
});

test('numbers too far ahead are refused, and the tunnel goes on', async () => {
  const rider = await Rider.open();
  expect((await rider.send(1000, hello())).status).toBe(400);
  const asked = hello();
  expectAnswer((await rider.send(0, asked)).body.subarray(1), asked);
});

test('a client that closes its tunnel has left; its id is unknown from then on', async () => {
  const client = await connect(dial('app/closes'));
  await client.close();
  await server.expectTraces('app/closes', ['left']);
  const rider = await Rider.open();
  const answers = [
    await rider.close(0),
    await rider.close(0),
    await rider.idle(1),
    await rider.send(2, hello()),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 404, 404, 404]);
});

test('a client that is no longer heard of is dropped, and its publication ends', async () => {
  const quick = await startServer({
    apps: { app: { 'main.ts': script } },
    limits: { pingIdleMs: 300, dropSilentMs: 3000 },
  });
  const tunnelled = `${quick.http.replace('http:', 'rtmpt:')}/app/room`;
  const client: RtmpClient = await connect(tunnelled);
  await (await client.createStream()).publish('cam');
  const viewer = await (await connect(tunnelled)).createStream();
  await viewer.play('cam');
  const rider = await Rider.open(quick.http);
  await client.reset();
  await viewer.status('NetStream.Play.UnpublishNotify');
  expect(await quick.waitForLog((r) => r.code === 'E_SILENT')).toMatchObject({ level: 'warn' });
  await quick.expectTraces('app/room', ['left']);
  await eventually('the one without a handshake to be gone', async () => {
    const { connections } = (await (await fetch(`${quick.http}/healthz`)).json()) as { connections: number };
    return connections === 1;
  });
  expect((await rider.idle(0)).status).toBe(404);
});

test('tunnels count as connections, and their HTTP connections not as those of the API', async () => {
  const small = await startServer({
    apps: { app: { 'main.ts': script } },
    limits: { connections: 6, httpConnections: 3 },
  });
  const room = `${small.http.replace('http:', 'rtmpt:')}/app/room`;
  const clients = [];
  for (let i = 0; i < 5; i++) clients.push(await connect(room));
  await connect(`${small.rtmp}/app/room`);
  const refused = await post(`${small.http}/open/1`);
  expect(refused.status).toBe(503);
  expect((await small.waitForLog((r) => r.code === 'E_TOO_MANY_CONNECTIONS')).level).toBe('warn');
  expect((await fetch(`${small.http}/healthz`)).status).toBe(200);
  await clients[0]!.close();
  await eventually('room again', async () => (await post(`${small.http}/open/1`)).status === 200);
});

test('an address has so many tunnels as it may have connections', async () => {
  const small = await startServer({
    apps: { app: { 'main.ts': script } },
    limits: { connectionsPerAddress: 2 },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await post(`${small.http}/open/1`, Buffer.of(0), agent)).status);
  expect(statuses).toEqual([200, 200, 503]);
});

test('ffmpeg and rtmpdump publish and play through it', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'rtmpdump');
  const protocols = spawnSync('ffmpeg', ['-protocols'], { encoding: 'utf8' }).stdout;
  if (!protocols.includes('rtmpt')) context.skip('this ffmpeg has no rtmpt');
  const folder = scratchFolder();
  const clip = await makeClip(folder, 12);
  const url = dial(`${newRoom()}/cam`);
  const publisher = publishFile(clip, url);
  const watched = join(folder, 'ffmpeg.flv');
  const dumped = join(folder, 'rtmpdump.flv');
  const [byFfmpeg, byRtmpdump] = await Promise.all([
    new RunningTool('ffmpeg', [
      '-v',
      'error',
      '-i',
      url,
      '-t',
      '3',
      '-c',
      'copy',
      '-f',
      'matroska',
      watched,
    ]).end(),
    new RunningTool('rtmpdump', ['-q', '-r', url, '--live', '--stop', '3', '-o', dumped]).end(),
  ]);
  expect(byFfmpeg).toMatchObject({ code: 0, errors: '' });
  expect(byRtmpdump.code).toBe(0);
  await expectPlayable(watched, { atLeast: 2.5 });
  await expectPlayable(dumped, { atLeast: 2.5 });
  expect(await publisher.end()).toMatchObject({ code: 0 });
});
