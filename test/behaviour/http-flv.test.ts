import { mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { FlvClient, refusedFlv } from '../support/flv-client.ts';
import { eventually, inTime } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame, metadata } from '../support/media.ts';
import { makeClip, packetsOf, publishFile, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { showTags } from '../support/recorded.ts';
import { type ClientStream, connect } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const gate = `
application.onConnect = (client, ...args) => {
  trace(JSON.stringify([client.ip, client.agent, client.referrer, client.pageUrl, client.protocol, client.secure, args]));
  trace(client.uri);
  if (client.uri.includes('wait')) return;
  if (client.uri.includes('late')) return void setTimeout(() => application.acceptConnection(client), 50);
  if (client.uri.includes('shut')) client.readAccess = '/open';
  if (client.uri.includes('never')) {
    application.rejectConnection(client, { code: 'No.Ticket', description: 'a ticket is needed' });
    return;
  }
  return !client.uri.includes('no=1');
};
application.authorizePlay = (client, stream) => {
  trace('play ' + stream.name + ' ' + stream.publishQueryString);
  return stream.name !== 'secret';
};
application.onDisconnect = (client) => trace('gone ' + client.protocol);
Client.prototype.askAll = async () => {
  const answers = [];
  for (const client of application.clients) {
    if (client.protocol !== 'http') continue;
    client.call('onSomething', null, 1);
    answers.push(await client.invoke('ask', 1).catch((error) => error.message));
  }
  return answers;
};
Client.prototype.sendAway = () => {
  for (const client of application.clients) if (client.protocol !== 'rtmp') application.disconnect(client);
};
`;

const server = useServer({
  apps: {
    live: { 'README.md': 'no script' },
    gate: { 'main.ts': gate },
    pages: { 'app.json': JSON.stringify({ cors: ['https://example.com'] }) },
    world: { 'app.json': JSON.stringify({ cors: ['*'] }) },
    paced: { 'app.json': JSON.stringify({ limits: { bytesPerSecondToClient: 200_000 } }) },
    crowd: { 'app.json': JSON.stringify({ streams: { windowMs: 20 } }) },
  },
  limits: { httpPlayWaitMs: 1000, httpConnections: 20, slowViewerMs: 500, viewerQueueBytes: 256 * 1024 },
});

async function publish(app: string, name = 'cam'): Promise<ClientStream> {
  const stream = await (await connect(`${server.rtmp}/${app}`)).createStream();
  expect((await stream.publish(name)).code).toBe('NetStream.Publish.Start');
  return stream;
}

/** The beginning of a show: what a late joiner must have. */
async function onAir(app: string, name = 'cam'): Promise<ClientStream> {
  const stream = await publish(app, name);
  stream.data(0, '@setDataFrame', 'onMetaData', metadata);
  stream.video(0, avcHeader);
  stream.audio(0, aacHeader);
  stream.video(0, keyFrame(0));
  await stream.settled();
  return stream;
}

/** Until they have asked they count among the few that the API may have. */
async function crowd(url: string, count: number): Promise<FlvClient[]> {
  const viewers: FlvClient[] = [];
  while (viewers.length < count)
    viewers.push(...(await Promise.all(Array.from({ length: 10 }, () => FlvClient.open(url)))));
  return viewers;
}

const ws = (path: string) => `${server.http.replace('http', 'ws')}${path}`;
const times = (viewer: FlvClient) => viewer.media.map(({ timestamp }) => timestamp);

test('what ffmpeg publishes comes packet for packet, to ffmpeg and to whoever reads the bytes', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  // Which waits for half a minute: ffmpeg may take its time to begin.
  const own = await startServer({ apps: { live: { 'README.md': 'no script' } } });
  const folder = scratchFolder();
  const clip = await makeClip(folder, 3);
  const copy = join(folder, 'copy.flv');
  const read = join(folder, 'read.flv');
  const url = `${own.http}/live/room/clip.flv`;
  const player = new RunningTool('ffmpeg', ['-v', 'error', '-i', url, '-c', 'copy', copy]);
  const opened = FlvClient.open(url);
  await eventually('two who wait', async () => (await own.health()).connections >= 2);
  const publisher = publishFile(clip, `${own.rtmp}/live/room/clip`);
  const viewer = await opened;
  expect(await publisher.end()).toMatchObject({ code: 0 });
  const expected = await packetsOf(clip);
  await eventually('the last packet', () => viewer.media.length >= expected.length + 2);
  // Both would go on with the next publisher.
  expect(player.isRunning).toBe(true);
  await fetch(`${own.http}/api/instances/live/room`, { method: 'DELETE' });
  expect(await player.end()).toMatchObject({ code: 0, errors: '' });
  expect(await inTime('the end', viewer.ended)).toBe(true);

  writeFileSync(read, viewer.bytes);
  expect(await packetsOf(read)).toEqual(expected);
  const got = await packetsOf(copy);
  for (const type of ['video', 'audio']) {
    const of = (list: typeof got) => list.filter(({ codec_type }) => codec_type === type);
    const steps = (list: typeof got) => of(list).map(({ dts }) => dts - of(list)[0]!.dts);
    expect(of(got).map(({ size }) => size)).toEqual(of(expected).map(({ size }) => size));
    expect(steps(got)).toEqual(steps(expected));
  }
});

for (const scheme of ['http', 'ws']) {
  const at = (path: string) => (scheme === 'ws' ? ws(path) : `${server.http}${path}`);

  test(`who comes late over ${scheme} gets metadata, headers and the pictures since the key frame`, async () => {
    const publisher = await onAir('live/late', scheme);
    publisher.video(40, interFrame(1));
    publisher.video(1000, keyFrame(2));
    publisher.audio(1010, aacFrame(3));
    publisher.video(1040, interFrame(4));
    await publisher.settled();
    const viewer = await FlvClient.open(at(`/live/late/${scheme}.flv`));
    await viewer.waitFor(interFrame(4));
    expect(viewer.bytes.subarray(0, 13).toString('hex')).toBe('464c5601050000000900000000');
    expect(viewer.tags.entries.map(({ type, timestamp }) => [type, timestamp])).toEqual([
      [18, 0],
      [9, 1000],
      [8, 1000],
      [9, 1000],
      [8, 1010],
      [9, 1040],
    ]);
    if (scheme === 'http')
      expect(viewer.headers).toMatchObject({
        'content-type': 'video/x-flv',
        'cache-control': 'no-store',
        'transfer-encoding': 'chunked',
      });
    publisher.video(1080, interFrame(5));
    expect(await viewer.waitFor(interFrame(5))).toMatchObject({ timestamp: 1080 });
  });

  test(`over ${scheme} the next publisher goes on where the last one was`, async () => {
    const first = await onAir('live/next', scheme);
    first.video(5000, keyFrame(1));
    first.audio(5010, aacFrame(1));
    const viewer = await FlvClient.open(at(`/live/next/${scheme}.flv`));
    await viewer.waitFor(aacFrame(1));
    first.command('closeStream');
    await first.status('NetStream.Unpublish.Success');
    const second = await onAir('live/next', scheme);
    second.video(40, interFrame(2));
    const late = await FlvClient.open(at(`/live/next/${scheme}.flv`));
    // Its own clock begins anew, by the way.
    second.video(900_000, keyFrame(3));
    second.video(900_040, interFrame(4));
    for (const each of [viewer, late]) {
      await each.waitFor(interFrame(4));
      expect(times(each)).toEqual([...times(each)].sort((a, b) => a - b));
      expect(times(each).at(-1)! - times(each).at(-3)!).toBe(80);
    }
    expect((await viewer.waitFor(keyFrame(0))).timestamp).toBe(5050);
    expect((await viewer.waitFor(interFrame(2))).timestamp).toBe(5090);
    expect((await late.waitFor(keyFrame(0))).timestamp).toBe(5050);
  });

  test(`the application decides who connects and plays over ${scheme}`, async () => {
    await onAir('gate/door');
    await onAir('gate/door', 'secret');
    const path = `/gate/door/cam.flv`;
    const refused = (query: string, name = path) => refusedFlv(at(name + query));
    expect(await refused('?no=1')).toMatchObject({
      status: 403,
      json: { code: 'NetConnection.Connect.Rejected' },
    });
    const reasoned = await refused('?never');
    expect(reasoned).toMatchObject({
      status: 403,
      json: { code: 'NetConnection.Connect.Rejected', description: expect.any(String) },
    });
    expect(await refused('', '/gate/door/secret.flv')).toMatchObject({
      status: 403,
      json: { code: 'NetStream.Play.Failed' },
    });
    expect(await refused('?shut')).toMatchObject({
      status: 403,
      json: { code: 'NetStream.Play.Failed', description: 'No read access to cam.' },
    });
    const late = await FlvClient.open(at(`${path}?late&ticket=a%20b`));
    await late.waitFor(keyFrame(0));
    await server.waitForLog((r) => r.message === 'play cam ');
    late.leave();
    await server.waitForLog((r) => r.instance === 'gate/door' && r.message === `gone ${scheme}`);
  });

  test(`a stream that nobody publishes is waited for over ${scheme}, for some time`, async () => {
    const waiting = FlvClient.open(at(`/live/soon/${scheme}.flv`));
    await onAir('live/soon', scheme);
    await (await waiting).waitFor(keyFrame(0));
    expect(await refusedFlv(at('/live/soon/nothing.flv'))).toMatchObject({
      status: 404,
      json: { code: 'NetStream.Play.StreamNotFound', description: 'Nobody publishes nothing.' },
    });
  });

  test(`a recorded stream comes over ${scheme} to its end`, async () => {
    const folder = join(server.appsFolder, 'live/streams/films');
    mkdirSync(join(folder, 'old'), { recursive: true });
    const tags = showTags(1);
    const file = Buffer.concat([
      encodeFlvHeader({ hasAudio: true, hasVideo: true }),
      ...tags.map(encodeFlvTag),
    ]);
    writeFileSync(join(folder, 'old/one.flv'), file);
    const viewer = await FlvClient.open(at('/live/films/old%2Fone.flv'));
    expect(await inTime('the end', viewer.ended)).toBe(true);
    const media = viewer.media.map(({ type, timestamp, payload }) => ({ type, timestamp, payload }));
    expect(media).toEqual(tags);
  });

  test(`the application may send a viewer over ${scheme} away`, async () => {
    const room = `gate/away-${scheme}`;
    const publisher = await onAir(room);
    const viewer = await FlvClient.open(at(`/${room}/cam.flv`));
    await viewer.waitFor(keyFrame(0));
    (await connect(`${server.rtmp}/${room}`)).send('sendAway');
    expect(await inTime('the end', viewer.ended)).toBe(true);
    publisher.video(40, interFrame(1));
    await publisher.settled();
  });
}

test('a script sees where a viewer comes from, and gets no answer from it', async () => {
  await onAir('gate/who');
  const headers = { 'User-Agent': 'Tester/1', Referer: 'https://example.com/page' };
  const viewer = await FlvClient.open(`${server.http}/gate/who/cam.flv?x=1`, headers);
  const host = new URL(server.http).host;
  const line = ['127.0.0.1', 'Tester/1', headers.Referer, headers.Referer, 'http', false, []];
  await server.waitForLog((r) => r.message === JSON.stringify(line));
  await server.waitForLog((r) => r.message === `http://${host}/gate/who/cam.flv?x=1`);
  const client = await connect(`${server.rtmp}/gate/who`);
  const answers = await client.call('askAll');
  expect(answers).toEqual(['ask: A viewer over HTTP has no methods.']);
  await viewer.waitFor(keyFrame(0));
});

test('a whole URL may be what is asked for, and then it says the host', async () => {
  await onAir('gate/whole');
  const { port } = new URL(server.http);
  const ask = async (head: string) => {
    const socket = createConnection(Number(port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.setEncoding('latin1').on('data', (piece) => {
      text += piece;
    });
    socket.write(`${head}\r\n\r\n`);
    await eventually('an answer', () => text.includes('\r\n\r\n'));
    return text.split('\r\n')[0];
  };
  const key =
    'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  const path = 'gate/whole/cam.flv?from=url';
  expect(await ask(`GET http://a.example:81/${path} HTTP/1.1\r\nHost: b.example`)).toBe('HTTP/1.1 200 OK');
  await server.waitForLog((r) => r.message === `http://a.example:81/${path}`);
  const upgrade = `GET HTTP://name:word@a.example/${path} HTTP/1.1\r\nHost: b.example\r\n${key}`;
  expect(await ask(upgrade)).toBe('HTTP/1.1 101 Switching Protocols');
  await server.waitForLog((r) => r.message === `ws://a.example/${path}`);
  expect(await ask(`${upgrade}\r\nOrigin: http://a.example`)).toBe('HTTP/1.1 101 Switching Protocols');
  expect(await ask(`${upgrade}\r\nOrigin: http://b.example`)).toBe('HTTP/1.1 403 Forbidden');
  expect(await ask('GET http://a.example/nothing/cam.flv HTTP/1.1\r\nHost: x')).toBe(
    'HTTP/1.1 404 Not Found',
  );
  expect(await ask('GET http://cam.flv HTTP/1.1\r\nHost: x')).not.toBe('HTTP/1.1 200 OK');
});

test('who leaves while it waits for the application is gone', async () => {
  const socket = createConnection(Number(new URL(server.http).port), '127.0.0.1');
  socket.write('GET /gate/leaves/cam.flv?wait HTTP/1.1\r\nHost: x\r\n\r\n');
  await server.waitForLog((r) => r.instance === 'gate/leaves' && r.message.endsWith('?wait'));
  socket.destroy();
  await eventually('nobody there', async () => (await server.instance('gate', 'leaves')).clients === 0);
});

test('a client of HTTP/1.0 gets the bytes without chunks', async () => {
  const publisher = await onAir('live/old');
  const socket = createConnection(Number(new URL(server.http).port), '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (piece) => {
    text += piece;
  });
  socket.write('GET /live/old/cam.flv HTTP/1.0\r\n\r\n');
  const key = Buffer.from(keyFrame(0)).toString('latin1');
  await eventually('the key frame', () => text.includes(key));
  socket.destroy();
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.[01] 200/);
  expect(head).not.toMatch(/chunked/i);
  expect(body.startsWith('FLV\x01\x05')).toBe(true);
  await publisher.settled();
});

test('a hundred viewers are sent the same bytes, written once, and count as clients', async () => {
  const publisher = await onAir('crowd/room');
  const url = `${server.http}/crowd/room/cam.flv`;
  const viewers = await crowd(url, 100);
  await Promise.all(viewers.map((viewer) => viewer.waitFor(keyFrame(0))));
  expect((await server.health()).connections).toBeGreaterThanOrEqual(101);
  const before = await server.windows(20);
  const begun = viewers.map(({ bytes }) => bytes.length);
  for (let i = 1; i <= 50; i++) publisher.video(i * 40, interFrame(i));
  await Promise.all(viewers.map((viewer) => viewer.waitFor(interFrame(50))));
  const after = await server.windows(20);
  const rise = (name: string) => after[name]! - (before[name] ?? 0);
  expect(rise('messages')).toBe(50);
  expect(rise('writes')).toBe(100 * rise('flushes'));
  // What is around a tag: its chunk's length and two line ends.
  const tag = 11 + interFrame(0).length + 4;
  expect(rise('bytes')).toBe(100 * 50 * (tag + 6));
  for (const [i, { bytes }] of viewers.entries()) expect(bytes.length - begun[i]!).toBe(50 * tag);
  for (const viewer of viewers) viewer.leave();
  await eventually('nobody there', async () => (await server.metric('stagewire_viewers')) === 0);
});

test('a viewer that does not read skips pictures, is let go, and holds up nobody', async () => {
  const publisher = await onAir('live/slow');
  const [slow, quick] = await Promise.all(
    ['slow', 'slow'].map(() => FlvClient.open(`${server.http}/live/slow/cam.flv`)),
  );
  await slow!.waitFor(keyFrame(0));
  slow!.pauseReading();
  let at = 0;
  const big = (id: number) => Buffer.concat([interFrame(id), Buffer.alloc(100_000, id % 251)]);
  const sending = setInterval(() => {
    at++;
    publisher.video(at * 40, at % 25 === 0 ? keyFrame(at) : big(at));
  }, 10);
  await eventually('one viewer less', async () => {
    const viewers = (await server.instance('live', 'slow')).streams[0]?.viewers;
    return viewers === 1;
  });
  clearInterval(sending);
  publisher.video((at + 1) * 40, keyFrame(7777));
  await quick!.waitFor(keyFrame(7777));
  const pictures = quick!.media.filter(({ type, payload }) => type === 9 && payload[1] === 1);
  expect(pictures).toHaveLength(at + 2);
  slow!.resumeReading();
  await inTime('its end', slow!.ended);
});

test('pages of other origins may play what app.json lets them', async () => {
  for (const app of ['live', 'pages', 'world']) await onAir(`${app}/cors`);
  const listed = { Origin: 'https://example.com' };
  const other = { Origin: 'https://example.org' };
  const allowed = async (app: string, headers: Record<string, string>) => {
    const viewer = await FlvClient.open(`${server.http}/${app}/cors/cam.flv`, headers);
    return viewer.headers['access-control-allow-origin'];
  };
  expect(await allowed('live', listed)).toBeUndefined();
  expect(await allowed('pages', listed)).toBe('https://example.com');
  expect(await allowed('pages', other)).toBeUndefined();
  expect(await allowed('world', other)).toBe('*');

  const preflight = async (app: string, origin: string) => {
    const headers = {
      Origin: origin,
      'Access-Control-Request-Method': 'GET',
      'Access-Control-Request-Headers': 'range',
    };
    const answer = await fetch(`${server.http}/${app}/cors/cam.flv`, { method: 'OPTIONS', headers });
    expect(answer.status).toBe(204);
    return ['origin', 'methods', 'headers'].map((name) => answer.headers.get(`access-control-allow-${name}`));
  };
  expect(await preflight('pages', 'https://example.com')).toEqual([
    'https://example.com',
    'GET, HEAD, OPTIONS',
    'range',
  ]);
  expect(await preflight('pages', 'https://example.org')).toEqual([null, null, null]);

  const foreign = await refusedFlv(ws('/live/cors/cam.flv'), listed);
  expect(foreign).toMatchObject({ status: 403, json: { code: 'E_ORIGIN' } });
  expect(await refusedFlv(ws('/pages/cors/cam.flv'), other)).toMatchObject({ status: 403 });
  for (const [app, headers] of [
    ['pages', listed],
    ['world', other],
    ['live', { Origin: server.http }],
    ['live', {}],
  ] as const)
    await (await FlvClient.open(ws(`/${app}/cors/cam.flv`), headers)).waitFor(keyFrame(0));
  expect(await refusedFlv(`${server.http}/pages/cors/..%2f.flv`, listed)).toMatchObject({ status: 400 });
});

test.each([
  ['/live/..%2Fcam.flv', 400, 'E_NAME'],
  ['/live/%2e%2e/cam.flv', 400, 'E_NAME'],
  ['/live//cam.flv', 400, 'E_NAME'],
  ['//live/cam.flv', 400, 'E_NAME'],
  ['/live/.flv', 400, 'E_NAME'],
  ['/live/a%00b.flv', 400, 'E_NAME'],
  ['/live/a%3Fb.flv', 400, 'E_NAME'],
  ['/live/%E0%A4.flv', 400, 'E_NAME'],
  ['/live/a%5Cb.flv', 400, 'E_NAME'],
  ['/nothing/cam.flv', 404, 'NetConnection.Connect.InvalidApp'],
  ['/li%2Fve/cam.flv', 404, 'NetConnection.Connect.InvalidApp'],
])('%s is answered with %i', async (path, status, code) => {
  // `fetch` would tidy the address up.
  const socket = createConnection(Number(new URL(server.http).port), '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await inTime('the answer', new Promise((resolve) => socket.once('close', resolve)));
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(JSON.parse(text.split('\r\n\r\n')[1]!)).toMatchObject({ code });
});

test('other methods and bodies are answered, HEAD without asking the application', async () => {
  const url = `${server.http}/gate/methods/cam.flv`;
  const head = await fetch(url, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'video/x-flv']);
  expect((await fetch(`${server.http}/nothing/cam.flv`, { method: 'HEAD' })).status).toBe(404);
  const post = await fetch(url, { method: 'POST', body: 'x' });
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
  expect(await refusedFlv(url, { 'Content-Length': '3' })).toMatchObject({ status: 400 });
  expect(server.log.entries.filter((r) => r.instance === 'gate/methods')).toEqual([]);
});

test('an upgrade to anything else, or anywhere else, is the plain request that it would be without', async () => {
  const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket' };
  expect(await refusedFlv(`${server.http}/nowhere`, { ...upgrade, Upgrade: 'h2c' })).toMatchObject({
    status: 404,
  });
  expect(await refusedFlv(ws('/api/instances/x.flv'))).toMatchObject({ status: 404 });
  await onAir('live/h2c');
  const viewer = await FlvClient.open(`${server.http}/live/h2c/cam.flv`, {
    Connection: 'Upgrade',
    Upgrade: 'h2c',
  });
  await viewer.waitFor(keyFrame(0));
  expect(await refusedFlv(`${server.http}/live/h2c/cam.flv`, upgrade)).toMatchObject({
    status: 400,
    json: { code: 'E_WEBSOCKET' },
  });
});

test('a WebSocket answers pings and a goodbye, and takes no long messages', async () => {
  await onAir('gate/socket');
  const open = async () => {
    const socket = new WebSocket(ws('/gate/socket/cam.flv'));
    await inTime(
      'the socket',
      new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)),
    );
    return socket;
  };
  const polite = await open();
  polite.ping('hello');
  const pong = await inTime('a pong', new Promise<Buffer>((resolve) => polite.once('pong', resolve)));
  expect(pong.toString()).toBe('hello');
  const from = server.log.mark;
  polite.send('who reads this?');
  polite.close(1000);
  await inTime('its end', new Promise((resolve) => polite.once('close', resolve)));
  await server.waitForLog((r) => r.message === 'gone ws', from);
  const rude = await open();
  rude.send(Buffer.alloc(100_000));
  await inTime('its end', new Promise((resolve) => rude.once('close', resolve)));
});

test.each(['http', 'ws'])(
  'a bandwidth limit spreads a stream over %s, and breaks no message',
  async (scheme) => {
    const publisher = await onAir(`paced/${scheme}`);
    const viewer = await FlvClient.open(
      scheme === 'ws' ? ws('/paced/ws/cam.flv') : `${server.http}/paced/http/cam.flv`,
    );
    await viewer.waitFor(keyFrame(0));
    const big = (id: number) => Buffer.concat([interFrame(id), Buffer.alloc(20_000, id)]);
    for (let id = 1; id <= 10; id++) publisher.video(id * 40, big(id));
    for (let id = 1; id <= 10; id++) {
      if (id < 10) viewer.ping();
      await viewer.waitFor(big(id));
    }
    expect(times(viewer)).toEqual([0, 0, 0, ...Array.from({ length: 10 }, (_, i) => (i + 1) * 40)]);
  },
);

test('who is sent nothing for idleClientMs is let go, and a server that stops ends its streams', async () => {
  const own = await startServer({ apps: { live: { 'README.md': '' } }, limits: { idleClientMs: 1500 } });
  const publisher = await (await connect(`${own.rtmp}/live`)).createStream();
  await publisher.publish('cam');
  publisher.video(0, keyFrame(0));
  await publisher.settled();
  const idle = await FlvClient.open(`${own.http}/live/cam.flv`);
  expect(await inTime('its end', idle.ended)).toBe(true);
  const again = await (await connect(`${own.rtmp}/live`)).createStream();
  await again.publish('other');
  again.video(0, keyFrame(1));
  await again.settled();
  const viewers = await Promise.all(
    [own.http, own.http.replace('http', 'ws')].map((at) => FlvClient.open(`${at}/live/other.flv`)),
  );
  await own.stop();
  for (const viewer of viewers) expect(await inTime('the end', viewer.ended)).toBe(true);
});

test('viewers leave room for requests to the API', async () => {
  await onAir('live/room-left');
  const viewers = await crowd(`${server.http}/live/room-left/cam.flv`, 40);
  expect((await fetch(`${server.http}/healthz`)).status).toBe(200);
  for (const viewer of viewers) viewer.leave();
});
