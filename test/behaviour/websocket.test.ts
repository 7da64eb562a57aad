import { writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { eventually, inTime } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { frameOf, upgradeFor } from '../support/raw-viewer.ts';
import { connect, connectRefused, RtmpClient, Type } from '../support/rtmp-client.ts';
import { startServer, temporaryFolder, useServer } from '../support/server.ts';
import { certificate, privateKey } from '../support/tls.ts';
import { encodePacket, SUBPROTOCOL } from '../support/websocket-client.ts';

const server = useServer({
  limits: {
    connectMs: 400,
    pendingCommandBytes: 4096,
    commandBytes: 65_536,
    mediaMessageBytes: 65_536,
    rejectLingerMs: 100,
    controlMessagesPerSecond: 100,
    viewerQueueBytes: 65_536,
    viewerDelayMs: 1000,
    slowViewerMs: 60_000,
  },
  apps: {
    room: {
      'main.ts': `
        application.onConnect = (client, word) => {
          client.echo = (...args) => args;
          client.me = () => ({ uri: client.uri, protocol: client.protocol, secure: client.secure });
          client.where = () => application.name;
          return word !== 'no';
        };`,
    },
    windows: { 'README.md': '', 'app.json': JSON.stringify({ streams: { windowMs: 100 } }) },
    slow: {
      'main.ts': 'Client.prototype.echo = (...args) => args;',
      'app.json': JSON.stringify({ limits: { callsPerSecond: 100 } }),
    },
    open: { 'README.md': '', 'app.json': JSON.stringify({ cors: ['https://friend.example'] }) },
    all: { 'README.md': '', 'app.json': JSON.stringify({ cors: ['*'] }) },
  },
});

const ws = (path: string) => `${server.http.replace('http', 'ws')}${path}`;

/** A WebSocket that was closed: with which code and reason. */
function closing(socket: WebSocket): Promise<{ code: number; reason: string }> {
  socket.on('error', () => {});
  return inTime(
    'the close',
    new Promise((resolve) =>
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    ),
  );
}

async function openSocket(path: string, options = {}): Promise<WebSocket> {
  const socket = new WebSocket(ws(path), SUBPROTOCOL, options);
  onTestFinished(() => socket.terminate());
  await inTime(
    'the handshake',
    new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)),
  );
  return socket;
}

const command = (...values: unknown[]) =>
  encodePacket({ type: Type.CommandAmf0, streamId: 0, timestamp: 0, payload: encodeAmf0(values) });

/** That somebody else is served as if nothing were. */
async function othersAreServed(): Promise<void> {
  const other = await connect(ws('/room/others'));
  expect(await other.call('echo', 1)).toEqual([1]);
  await other.close();
}

test('a client connects, calls a method and is told apart by its protocol', async () => {
  const client = await connect(ws('/room/one?key=1'));
  expect(await client.call('echo', 'a', { b: [2] })).toEqual(['a', { b: [2] }]);
  expect(await client.call('me')).toEqual({ uri: ws('/room/one?key=1'), protocol: 'ws', secure: false });
});

const places = [
  { path: '/room', name: 'room/_definst_' },
  { path: '/room/', name: 'room/_definst_' },
  { path: '/room/one', name: 'room/one' },
  { path: '/room/a%20b/c', name: 'room/a b/c' },
];
for (const { path, name } of places) {
  test(`${path} is the instance ${name}, whatever connect says`, async () => {
    const client = await connect(ws(path), { properties: { app: 'all', tcUrl: 'ws://elsewhere/open' } });
    expect(await client.call('where')).toBe(name);
  });
}

test('over TLS it is the same', async () => {
  const folder = temporaryFolder();
  const tls = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  writeFileSync(tls.certificate, certificate);
  writeFileSync(tls.key, privateKey);
  const secure = await startServer({
    tls,
    apps: {
      room: { 'main.ts': 'Client.prototype.me = function () { return [this.protocol, this.secure]; };' },
    },
  });
  const client = await connect(`${secure.https.replace('http', 'ws')}/room/one`, { ca: certificate });
  expect(await client.call('me')).toEqual(['wss', true]);
});

test('when there are too many connections the next is closed with 1013', async () => {
  const small = await startServer({ limits: { connections: 1 }, apps: { room: { 'README.md': '' } } });
  const url = `${small.http.replace('http', 'ws')}/room/one`;
  const client = await connect(url);
  const socket = new WebSocket(url, SUBPROTOCOL);
  expect(await closing(socket)).toEqual({
    code: 1013,
    reason: 'E_TOO_MANY_CONNECTIONS: the server has as many connections as it takes',
  });
  await client.close();
  await eventually('a free place', () =>
    connect(url).then(
      () => true,
      () => false,
    ),
  );
});

test('pages of other origins that stay are bounded, as other connections of HTTP are', async () => {
  const small = await startServer({ apps: { room: { 'README.md': '' } }, limits: { httpConnections: 3 } });
  const { hostname: host, port } = new URL(small.http);
  const extra = `Origin: https://evil.example\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`;
  const heads = Array.from({ length: 12 }, () => {
    const socket = connectTcp({ host, port: Number(port), allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write(upgradeFor('/room', `${host}:${port}`).replace(/\r\n$/, extra));
    return new Promise<string>((resolve) => {
      socket.once('data', (bytes) => resolve(String(bytes)));
      socket.once('end', () => resolve('')).once('close', () => resolve(''));
    });
  });
  const answers = await inTime('all answers', Promise.all(heads));
  expect(answers.filter((head) => head.startsWith('HTTP/1.1 101')).length).toBeLessThanOrEqual(3);
});

test('a refusal and an application that is not there are told as over RTMP, and the WebSocket is closed', async () => {
  expect(await connectRefused(ws('/room/one'), { args: ['no'] })).toMatchObject({
    code: 'NetConnection.Connect.Rejected',
  });
  const client = await RtmpClient.open(ws('/nobody/one'));
  await expect(client.connect()).rejects.toMatchObject({ info: { code: 'NetConnection.Connect.Rejected' } });
  await client.waitForCall('onStatus');
  expect(client.callsOf('onStatus')).toEqual([
    [expect.objectContaining({ code: 'NetConnection.Connect.InvalidApp' })],
  ]);
  await client.closed;
  expect(client.closing).toEqual({ code: 1000, reason: '' });
});

const handshakes = [
  { name: 'no subprotocol', headers: {}, status: 400, text: 'stagewire.v1, and none was offered' },
  {
    name: 'another subprotocol',
    headers: { 'Sec-WebSocket-Protocol': 'graphql-ws' },
    status: 400,
    text: 'and \\"graphql-ws\\" was offered',
  },
  { name: 'an old version', headers: { 'Sec-WebSocket-Version': '8' }, status: 400, text: 'version 13' },
  { name: 'no name of an application', path: '/', headers: {}, status: 400, text: 'E_NAME' },
  { name: 'a broken escape', path: '/room/%zz', headers: {}, status: 400, text: 'E_NAME' },
];
for (const { name, path = '/room/one', headers, status, text } of handshakes) {
  test(`a handshake with ${name} is refused with ${status}`, async () => {
    const { hostname, port } = new URL(server.http);
    const socket = connectTcp(Number(port), hostname);
    const all = {
      Host: `${hostname}:${port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
      ...headers,
    };
    const lines = Object.entries(all).map(([field, value]) => `${field}: ${value}`);
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    let answer = '';
    for await (const bytes of socket) answer += String(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(text);
  });
}

const origins = [
  { path: '/room/one', origin: undefined, isTaken: true },
  { path: '/room/one', origin: 'own', isTaken: true },
  { path: '/room/one', origin: 'https://other.example', isTaken: false },
  { path: '/open/one', origin: 'https://friend.example', isTaken: true },
  { path: '/open/one', origin: 'https://friend.example.org', isTaken: false },
  { path: '/open/one', origin: 'null', isTaken: false },
  { path: '/all/one', origin: 'https://other.example', isTaken: true },
  { path: '/nobody/one', origin: 'https://other.example', isTaken: false },
];
for (const { path, origin, isTaken } of origins) {
  test(`a page of ${origin ?? 'no origin'} ${isTaken ? 'may' : 'may not'} connect to ${path}`, async () => {
    const socket = await openSocket(path, { origin: origin === 'own' ? server.http : origin });
    if (isTaken) {
      const answer = new Promise((resolve) => socket.once('message', resolve));
      socket.send(command('connect', 1, { app: path.slice(1), tcUrl: ws(path) }));
      await inTime('an answer', answer);
    } else {
      expect(await closing(socket)).toEqual({
        code: 1008,
        reason: `E_ORIGIN: "cors" in app.json must list ${origin}`,
      });
    }
  });
}

const connected = async () => {
  const client = await connect(ws('/room/bad'));
  return client;
};
const packet = (type: number, payload: Uint8Array, streamId = 0) =>
  encodePacket({ type, streamId, timestamp: 0, payload });
const faults = [
  { name: 'a header that is cut off', bytes: Buffer.alloc(10), code: 1002, reason: /^E_TRUNCATED: / },
  {
    name: 'a message that is longer than its frame',
    bytes: packet(Type.CommandAmf0, Buffer.alloc(20)).subarray(0, 25),
    code: 1002,
    reason: /^E_TRUNCATED: a message goes 6 bytes beyond its frame$/,
  },
  {
    name: 'a message that is cut off behind a whole one',
    bytes: Buffer.concat([packet(Type.Audio, Buffer.alloc(4)), Buffer.alloc(3)]),
    code: 1002,
    reason: /^E_TRUNCATED: /,
  },
  {
    name: 'a command that is too large',
    bytes: packet(Type.CommandAmf0, Buffer.alloc(65_537)),
    code: 1009,
    reason: /^E_MESSAGE_TOO_LARGE: a message of type 20 with 65537 bytes, 65536 are allowed$/,
  },
  {
    name: 'a header that promises too much',
    bytes: Buffer.from('08ffffff0000000000000100', 'hex'),
    code: 1009,
    reason: /^E_MESSAGE_TOO_LARGE: a message of type 8 with 16777215 bytes/,
  },
  {
    name: 'a frame that is too large',
    bytes: Buffer.alloc(65_536 * 2 + 1),
    code: 1009,
    reason: /^E_MESSAGE_TOO_LARGE: a frame is larger than it may be$/,
  },
  {
    name: 'messages of unknown type in a row',
    bytes: Buffer.concat([1, 2, 3].map(() => packet(99, Buffer.alloc(1)))),
    code: 1008,
    reason: /^E_UNKNOWN_TYPES: /,
  },
  {
    name: 'more control messages than it may',
    bytes: Buffer.concat(Array.from({ length: 101 }, () => packet(Type.Acknowledgement, Buffer.alloc(4), 1))),
    code: 1008,
    reason: /^E_CONTROL_FLOOD: /,
  },
  {
    name: 'an acknowledgement without a number',
    bytes: packet(Type.Acknowledgement, Buffer.alloc(2), 1),
    code: 1002,
    reason: /^E_TRUNCATED: /,
  },
];
for (const { name, bytes, code, reason } of faults) {
  test(`${name} closes the WebSocket with ${code}, and nobody else notices`, async () => {
    const from = server.log.mark;
    const client = await connected();
    client.write(bytes);
    await inTime('the close', client.closed);
    expect(client.closing).toEqual({ code, reason: expect.stringMatching(reason) });
    await server.waitForLog(({ message }) => message.includes('is dropped, its own fault'), from);
    await othersAreServed();
  });
}

test('a text frame closes the WebSocket with 1003', async () => {
  const socket = await openSocket('/room/text');
  const closed = closing(socket);
  socket.send('{"hello":1}');
  expect(await closed).toEqual({ code: 1003, reason: 'E_TEXT: a text frame, where only binary ones are' });
  await othersAreServed();
});

const faultyFrames = [
  { name: 'text that is none', bytes: frameOf(1, Uint8Array.of(0xff)), code: 1007 },
  { name: 'an unknown kind of frame', bytes: frameOf(3), code: 1002 },
];
for (const { name, bytes, code } of faultyFrames) {
  test(`${name} closes the WebSocket with ${code} and a reason`, async () => {
    const socket = await openSocket('/room/faulty');
    const closed = closing(socket);
    (socket as unknown as { _socket: Socket })._socket.write(bytes);
    expect(await closed).toEqual({ code, reason: 'E_WEBSOCKET: the frames are not as RFC 6455 has them' });
    await othersAreServed();
  });
}

test('a command before the connection is accepted is bounded, and so is the time until connect', async () => {
  const socket = await openSocket('/room/early');
  const closed = closing(socket);
  socket.send(packet(Type.CommandAmf0, Buffer.alloc(4097)));
  expect(await closed).toMatchObject({ code: 1009 });
  const silent = await openSocket('/room/silent');
  expect(await closing(silent)).toEqual({
    code: 1008,
    reason: 'E_CONNECT_TIMEOUT: no connect command 400 ms after the handshake',
  });
});

test('something else than connect closes the WebSocket', async () => {
  const socket = await openSocket('/room/first');
  const closed = closing(socket);
  socket.send(command('echo', 1, null));
  expect(await closed).toEqual({ code: 1008, reason: 'E_NOT_CONNECTED: "echo" came before connect' });
});

test('empty frames are nothing, pings are answered, and too many of them are not', async () => {
  const socket = await openSocket('/room/pings');
  socket.send(Buffer.alloc(0));
  socket.send(command('connect', 1, { app: 'room/pings' }));
  socket.ping('are you there');
  const pong = await inTime('a pong', new Promise((resolve) => socket.once('pong', resolve)));
  expect(String(pong)).toBe('are you there');
  const closed = closing(socket);
  for (let i = 0; i < 101; i++) socket.ping();
  expect(await closed).toMatchObject({ code: 1008, reason: expect.stringContaining('E_CONTROL_FLOOD') });
});

test('a frame of many thousand calls is answered in order, and keeps nobody waiting', async () => {
  const client = await connect(ws('/room/many'));
  const other = await connect(ws('/room/other'));
  const count = 1000;
  const calls = Array.from({ length: count }, (_, i) => command('echo', 100 + i, null, i));
  client.write(Buffer.concat(calls));
  expect(await other.call('echo', 'hi')).toEqual(['hi']);
  const answers = () => client.received.entries.filter(({ transaction }) => transaction >= 100);
  await eventually('all answers', () => answers().length === count);
  expect(answers().map(({ args }) => (args[0] as number[])[0])).toEqual(
    Array.from({ length: count }, (_, i) => i),
  );
});

test('what comes in one window is one frame, and so is what a late joiner gets', async () => {
  const publisherClient = await connect(`${server.rtmp}/windows/stage`);
  const publisher = await publisherClient.createStream();
  await publisher.publish('cam');
  publisher.data(0, '@setDataFrame', 'onMetaData', { width: 2 });
  publisher.video(0, avcHeader);
  publisher.audio(0, aacHeader);
  publisher.video(0, keyFrame(1));
  publisher.audio(10, aacFrame(1));
  await publisher.settled();
  const client = await connect(ws('/windows/stage'));
  const viewer = await client.createStream();
  await viewer.play('cam');
  await viewer.waitForMedia(aacFrame(1));
  const types = viewer.media.map(({ type }) => type);
  expect(types.slice(-5)).toEqual([Type.DataAmf0, Type.Video, Type.Audio, Type.Video, Type.Audio]);
  const frames = client.receivedFrames;
  for (let n = 2; n < 12; n++) publisher.video(n * 4, interFrame(n));
  await viewer.waitForMedia(interFrame(11));
  // The ten came within one window of 100 ms, or at its end.
  expect(client.receivedFrames - frames).toBeLessThanOrEqual(2);
});

test('a page that floods is read more slowly, and others are answered meanwhile', async () => {
  const flooder = await connect(ws('/slow/flood'));
  const other = await connect(ws('/slow/flood'));
  const count = 2000;
  for (let i = 0; i < count; i++) flooder.write(command('echo', 100 + i, null, i));
  const answers = () => flooder.received.entries.filter(({ transaction }) => transaction >= 100).length;
  for (let i = 0; i < 5; i++) expect(await other.call('echo', i)).toEqual([i]);
  expect(answers()).toBeLessThan(count);
  await othersAreServed();
  expect(flooder.isClosed).toBe(false);
});

test('a page that floods and reads no answers is dropped', async () => {
  const from = server.log.mark;
  const client = await connect(ws('/room/deaf'));
  client.pauseReading();
  const call = command('echo', 100, null, 'x'.repeat(10_000));
  const calls = Buffer.concat(Array.from({ length: 6 }, () => call));
  const flood = setInterval(() => client.write(calls), 1);
  onTestFinished(() => clearInterval(flood));
  await server.waitForLog(({ code }) => code === 'E_SLOW_READER', from);
  await othersAreServed();
});

test('a page that does not read loses pictures, and goes on at a key frame', async () => {
  const publisher = await (await connect(`${server.rtmp}/all/slow`)).createStream();
  await publisher.publish('cam');
  publisher.video(0, avcHeader);
  const client = await connect(ws('/all/slow'));
  const viewer = await client.createStream();
  await viewer.play('cam');
  const other = await (await connect(ws('/all/slow'))).createStream();
  await other.play('cam');
  client.pauseReading();
  const big = (n: number) =>
    Buffer.concat([n % 10 === 0 ? keyFrame(n) : interFrame(n), Buffer.alloc(50_000)]);
  const count = 400;
  for (let n = 0; n < count; n++) {
    publisher.video(n * 10, big(n));
    await other.received.waitFor(`picture ${n}`, ({ type, timestamp }) => type === 9 && timestamp === n * 10);
  }
  client.resumeReading();
  await viewer.received.waitFor('a picture', ({ type }) => type === Type.Video);
  // All that waited has been read when the server has an answer.
  await client.settled();
  publisher.video(count * 10, keyFrame(7));
  await viewer.waitForMedia(keyFrame(7));
  expect(viewer.media.length).toBeLessThan(count);
  expect(other.media.length).toBeGreaterThan(count);
});

test('a viewer that says it is far behind skips to the next key frame, and gets all that it keeps up with', async () => {
  const publisher = await (await connect(`${server.rtmp}/all/delay`)).createStream();
  await publisher.publish('cam');
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(0));
  const client = await connect(ws('/all/delay'));
  const viewer = await client.createStream();
  await viewer.play('cam');
  await viewer.waitForMedia(keyFrame(0));
  const played = async (timestamp: number) => {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(timestamp);
    client.message({ type: Type.Acknowledgement, streamId: viewer.id, timestamp: 0, payload });
    await client.settled();
  };
  const times = () =>
    viewer.media.filter(({ type }) => type === Type.Video).map(({ timestamp }) => timestamp);
  const send = async (timestamp: number, isKey = false) => {
    publisher.video(timestamp, isKey ? keyFrame(timestamp & 0x7f) : interFrame(timestamp & 0x7f));
    await publisher.settled();
    await client.settled();
  };
  await played(0);
  await send(900);
  await send(1100); // 1100 ms beyond what was played: the next is too much
  await send(1200);
  await send(1300, true);
  expect(times()).not.toContain(1200);
  expect(times()).not.toContain(1300);
  await played(1050);
  await send(1400);
  expect(times()).not.toContain(1400);
  await send(1500, true);
  await send(1600);
  expect(times().filter((time) => time > 0)).toEqual([900, 1100, 1500, 1600]);
});
