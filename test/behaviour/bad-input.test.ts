import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { encodeChunks } from '../support/chunks.ts';
import { inTime } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { connect, RtmpClient, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { loadVectors, vectorBytes } from '../support/vectors.ts';

const server = useServer({
  limits: {
    handshakeMs: 300,
    connectMs: 300,
    pendingConnectMs: 1000,
    mediaMessageBytes: 65_536,
    commandBytes: 8192,
    pendingCommandBytes: 4096,
    controlMessagesPerSecond: 100,
  },
  apps: {
    app: {
      'main.ts': `
        application.onConnect = () => true;
        application.onStatus = () => {};
        Client.prototype.ping = () => 'pong';
        Client.prototype.alive = () => 'alive';`,
    },
  },
});

const url = () => `${server.rtmp}/app`;
const command = (...values: unknown[]) => encodeAmf0(values);
const message = (type: number, payload: Uint8Array, streamId = 0) => ({
  type,
  streamId,
  timestamp: 0,
  payload,
});
const chunk = (type: number, payload: Uint8Array, streamId = 0) =>
  encodeChunks(message(type, payload, streamId), { chunkBytes: 4096 });

/** TCP alone. */
function dial(): Socket {
  const socket = createConnection({ host: '127.0.0.1', port: server.rtmpPort });
  socket.on('error', () => {});
  socket.resume();
  onTestFinished(() => void socket.destroy());
  return socket;
}

const closed = (socket: Socket) =>
  inTime(
    'the server to drop the connection',
    new Promise<void>((resolve) => socket.once('close', () => resolve())),
  );

/** Does it, expects the connection to be dropped with one line that blames the peer, and others to be served. */
async function expectDropped(code: string | RegExp, attack: () => Promise<unknown>): Promise<void> {
  const witness = await connect(url());
  const from = server.log.mark;
  await attack();
  const record = await server.waitForLog((r) => r.message.includes('is dropped'), from);
  expect(record.code).toMatch(code);
  expect(record.level).toBe('warn');
  expect(record.message).toContain('127.0.0.1');
  expect(await witness.call('alive')).toBe('alive');
  const lines = server.log.entries.slice(from).filter((r) => r.level !== 'info');
  expect(lines.map((r) => r.message)).toEqual([record.message]);
  await witness.close();
}

const openings = [
  {
    name: 'an HTTP request',
    bytes: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    code: 'E_HANDSHAKE_VERSION',
  },
  { name: 'a TLS hello', bytes: Buffer.from('160301020001', 'hex'), code: 'E_HANDSHAKE_VERSION' },
  { name: 'a newline', bytes: Buffer.from('\n'.repeat(100)), code: 'E_HANDSHAKE_TIMEOUT' },
  { name: 'bytes of 0xff', bytes: Buffer.alloc(4000, 0xff), code: 'E_HANDSHAKE_VERSION' },
  { name: 'nothing', bytes: Buffer.alloc(0), code: 'E_HANDSHAKE_TIMEOUT' },
  {
    name: 'half a handshake',
    bytes: Buffer.concat([Buffer.of(3), Buffer.alloc(700)]),
    code: 'E_HANDSHAKE_TIMEOUT',
  },
  {
    name: 'a handshake without C2',
    bytes: Buffer.concat([Buffer.of(3), Buffer.alloc(1536)]),
    code: 'E_HANDSHAKE_TIMEOUT',
  },
];
for (const { name, bytes, code } of openings) {
  test(`${name} in place of a handshake is dropped`, () =>
    expectDropped(code, async () => {
      const socket = dial();
      socket.write(bytes);
      await closed(socket);
    }));
}

test('a handshake that drips is dropped in time', () =>
  expectDropped('E_HANDSHAKE_TIMEOUT', async () => {
    const socket = dial();
    const drip = setInterval(() => socket.write(Buffer.of(3)), 20);
    await closed(socket).finally(() => clearInterval(drip));
  }));

test('a handshake without a connect is dropped in time', () =>
  expectDropped('E_CONNECT_TIMEOUT', async () => (await RtmpClient.open(url())).closed));

const beforeConnect: { name: string; bytes: () => Uint8Array; code: string | RegExp }[] = [
  { name: 'garbage in place of chunks', bytes: () => Buffer.alloc(3000, 0xff), code: /^E_/ },
  { name: 'a continuation of nothing', bytes: () => Buffer.of(0xc3, 1, 2, 3), code: /^E_/ },
  {
    name: 'another command before connect',
    bytes: () => chunk(Type.CommandAmf0, command('createStream', 1, null)),
    code: 'E_NOT_CONNECTED',
  },
  { name: 'a chunk size of 0', bytes: () => chunk(Type.SetChunkSize, Buffer.alloc(4)), code: 'E_CHUNK_SIZE' },
  { name: 'a truncated chunk size', bytes: () => chunk(Type.SetChunkSize, Buffer.alloc(2)), code: /^E_/ },
  {
    name: 'a connect that is too long',
    bytes: () => chunk(Type.CommandAmf0, command('connect', 1, { app: 'x'.repeat(5000) })),
    code: /^E_/,
  },
  {
    name: 'a header that announces 16 MB',
    bytes: () => Buffer.from('03000000ffffff1400000000', 'hex'),
    code: /^E_/,
  },
  {
    name: 'messages of unknown types',
    bytes: () => Buffer.concat([60, 61, 62, 63].map((type) => chunk(type, Buffer.alloc(10)))),
    code: 'E_UNKNOWN_TYPES',
  },
  {
    name: 'state on too many chunk streams',
    bytes: () =>
      Buffer.concat(
        Array.from({ length: 100 }, (_, index) =>
          encodeChunks(message(Type.Audio, Buffer.alloc(200)), {
            csid: 100 + index,
            chunkBytes: 128,
          }).subarray(0, 100),
        ),
      ),
    code: /^E_/,
  },
  {
    name: 'a flood of control messages',
    bytes: () =>
      Buffer.concat(
        Array.from({ length: 200 }, () => chunk(Type.UserControl, Buffer.from('000600000000', 'hex'))),
      ),
    code: 'E_CONTROL_FLOOD',
  },
];
for (const { name, bytes, code } of beforeConnect) {
  test(`${name}: dropped`, () =>
    expectDropped(code, async () => {
      const client = await RtmpClient.open(url());
      client.setChunkSize(4096);
      client.write(bytes());
      await inTime('the drop', client.closed);
    }));
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const head = hex('02 0004 70696e67 00 4008000000000000 05'); // "ping", 3, null
const deep = (depth: number) =>
  Buffer.concat([...Array.from({ length: depth }, () => hex('0a 00000001')), hex('05')]);
const malformed = [
  { name: 'a string longer than the message', body: Buffer.concat([head, hex('02 ffff 61')]) },
  { name: 'a long string of 4 GB', body: Buffer.concat([head, hex('0c ffffffff 61')]) },
  { name: 'a strict array of 4 billion values', body: Buffer.concat([head, hex('0a ffffffff 05')]) },
  { name: 'an object that never ends', body: Buffer.concat([head, hex('03 0001 61 05')]) },
  { name: 'a reference to nothing', body: Buffer.concat([head, hex('07 00ff')]) },
  { name: 'an unknown marker', body: Buffer.concat([head, hex('99')]) },
  { name: 'an AMF3 array of 200 million values', body: Buffer.concat([head, hex('11 09 bfffffff 01')]) },
  { name: 'an AMF3 reference to nothing', body: Buffer.concat([head, hex('11 0a 7e')]) },
  { name: 'an AMF3 byte array of 256 MB', body: Buffer.concat([head, hex('11 0c ffffffff')]) },
  { name: 'arrays in arrays, 65 deep', body: Buffer.concat([head, deep(65)]) },
  { name: 'arrays in arrays, 1000 deep', body: Buffer.concat([head, deep(1000)]) },
  { name: 'nothing at all', body: Buffer.alloc(0) },
];
for (const { name, body } of malformed) {
  test(`${name}: no answer but an error, and the connection ends when it goes on`, () =>
    expectDropped(/^E_/, async () => {
      const client = await connect(url());
      client.message(message(Type.CommandAmf0, body));
      expect(await client.call('alive')).toBe('alive');
      expect(
        client.received.entries.filter(({ name, transaction }) => name === '_result' && transaction === 3),
      ).toEqual([]);
      for (let i = 0; i < 3; i++) client.message(message(Type.CommandAmf0, body));
      await inTime('the drop', client.closed);
    }));
}

test('64 arrays in each other are within the limit', async () => {
  const client = await connect(url());
  const body = Buffer.concat([hex('02 0004 6563686f 00 4059000000000000 05'), deep(64)]);
  client.message(message(Type.CommandAmf0, body));
  const answer = await client.received.waitFor('an answer', (r) => r.transaction === 100);
  expect(answer).toMatchObject({ name: '_error', args: [{ description: 'Method not found (echo).' }] });
});

const tooLarge = [
  { name: 'a command over its limit', type: Type.CommandAmf0, bytes: 9000 },
  { name: 'a picture over its limit', type: Type.Video, bytes: 70_000 },
  { name: 'a data message over its limit', type: Type.DataAmf0, bytes: 70_000 },
];
for (const { name, type, bytes } of tooLarge) {
  test(`${name}: dropped before it is whole`, () =>
    expectDropped(/^E_/, async () => {
      const client = await connect(url());
      const stream = await client.createStream();
      await stream.publish(`big${type}`);
      const whole = encodeChunks(message(type, Buffer.alloc(bytes), stream.id), { chunkBytes: 4096 });
      client.write(whole.subarray(0, 4000));
      await inTime('the drop', client.closed);
    }));
}

test('a message that never ends is given up with its sender, and costs no memory', () =>
  expectDropped(/^E_/, async () => {
    const client = await connect(url());
    const whole = encodeChunks(message(Type.Video, Buffer.alloc(60_000), 1), { chunkBytes: 4096 });
    for (let i = 0; i < 10; i++) client.write(whole.subarray(0, 8000));
    await inTime('the drop', client.closed);
  }));

test('aggregates in aggregates are refused', () =>
  expectDropped('E_AGGREGATE_NESTED', async () => {
    const client = await connect(url());
    const stream = await client.createStream();
    await stream.publish('nested');
    const inner = Buffer.concat([hex('16 000000 000000 00 000000'), hex('0000000b')]);
    client.message(message(Type.Aggregate, inner, stream.id));
    await inTime('the drop', client.closed);
  }));

test('malformed data and media messages are dropped, not their sender', async () => {
  const client = await connect(url());
  const stream = await client.createStream();
  await stream.publish('odd');
  const viewer = await client.createStream();
  await viewer.play('odd');
  const bodies = [
    '02 ffff 61',
    '99',
    '',
    '02 000d 40736574446174614672616d65',
    '02 000d 40736574446174614672616d65 05 05',
  ];
  for (const body of bodies) client.message(message(Type.DataAmf0, hex(body), stream.id));
  for (const body of ['', '17', '27', '17 00', '9c', '8f'])
    client.message(message(Type.Video, hex(body), stream.id));
  for (const body of ['', 'af', '9f']) client.message(message(Type.Audio, hex(body), stream.id));
  stream.video(5, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
});

test('fuzzed connections leave the server as it was', async () => {
  const witness = await connect(url());
  const vectors = loadVectors<{ id: string; source: string; name: string; hex?: string }>('fuzz');
  expect(vectors.length).toBeGreaterThan(5);
  for (const vector of vectors) {
    for (const isConnected of [false, true]) {
      const client = await RtmpClient.open(url());
      if (isConnected) await client.connect();
      client.write(vectorBytes(vector));
      client.write(randomBytes(100));
      client.destroy();
    }
  }
  expect(await witness.call('alive')).toBe('alive');
});

test('the bytes of one call, each changed in turn, never disturb another client', async () => {
  const witness = await connect(url());
  const body = Buffer.concat([
    head,
    hex('03 0001 61 0a 00000002 05 0101 0001 62 0b 4000000000000000 0000 000009'),
  ]);
  for (let at = 0; at < body.length; at++) {
    const client = await connect(url());
    for (const value of [0x00, 0x7f, 0xff]) {
      const changed = Buffer.from(body);
      changed[at] = value;
      client.message(message(Type.CommandAmf0, changed));
    }
    client.destroy();
  }
  expect(await witness.call('alive')).toBe('alive');
});

/** The server's memory after all of this: measured from before it. */
let before = 0;
beforeAll(() => {
  before = residentMb();
});
test('memory stays bounded', () => {
  expect(residentMb()).toBeLessThan(before + 200);
});

function residentMb(): number {
  if (process.platform !== 'linux') return 0;
  const pages = Number(readFileSync(`/proc/${server.pid}/statm`, 'utf8').split(' ')[1]);
  return (pages * 4096) / 1024 / 1024;
}
