import { createHmac } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { EDGE_VERSION } from '../../host/cluster/edge/edge-port.ts';
import { eventually } from '../support/journal.ts';
import { serveSockets } from '../support/raw-server.ts';
import { connect, connectRefused, RtmpClient } from '../support/rtmp-client.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** Who says to be an edge, or an origin, and is not, or lies. */
const edgeSecret = 'what edges and origins share';
const CONTROL = 0x40;
const room = {
  'main.js': 'application.onConnect = (client) => { client.add = (a, b) => a + b; return true; };',
};

function controlOf(head: unknown, bytes: Uint8Array = new Uint8Array(0)): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, bytes]);
}

function headOf(payload: Uint8Array): Record<string, unknown> {
  const bytes = Buffer.from(payload);
  return JSON.parse(bytes.toString('utf8', 4, 4 + bytes.readUInt32BE(0))) as Record<string, unknown>;
}

/** A connection that speaks as an edge does, as far as it is told to. */
class LyingEdge {
  readonly client: RtmpClient;

  constructor(client: RtmpClient) {
    this.client = client;
  }

  static async open(server: TestServer): Promise<LyingEdge> {
    return new LyingEdge(await RtmpClient.open(server.rtmp));
  }

  say(head: unknown, id = 0, bytes?: Uint8Array): void {
    this.raw(controlOf(head, bytes), id);
  }

  raw(payload: Uint8Array, id = 0): void {
    this.client.message({ type: CONTROL, streamId: id, timestamp: 0, payload }, 3);
  }

  async heard(op: string): Promise<Record<string, unknown>> {
    const received = await this.client.received.waitFor(
      op,
      ({ type, payload }) => type === CONTROL && headOf(payload).op === op,
    );
    return headOf(received.payload);
  }

  /** Lets itself be let in. */
  async enter(name: string): Promise<void> {
    const nonce = 'n';
    this.say({ op: 'hello', version: EDGE_VERSION, name, run: name, nonce });
    const { nonce: origin } = await this.heard('challenge');
    const text = JSON.stringify(['edge', nonce, origin, name]);
    this.say({ op: 'proof', proof: createHmac('sha256', edgeSecret).update(text).digest('base64url') });
    await this.heard('welcome');
  }
}

test.each([
  ['what is no JSON', (edge: LyingEdge) => edge.raw(Buffer.from([0, 0, 0, 2, 1, 2]))],
  ['a head longer than the message', (edge: LyingEdge) => edge.raw(Buffer.from([0, 0, 255, 255, 1]))],
  ['three bytes', (edge: LyingEdge) => edge.raw(Buffer.from([0, 0, 0]))],
  ['an operation that nobody knows', (edge: LyingEdge) => edge.say({ op: 'format-disk' })],
  ['a proof before the challenge', (edge: LyingEdge) => edge.say({ op: 'proof', proof: 'x' })],
  ['a client before it is let in', (edge: LyingEdge) => edge.say({ op: 'leave' }, 7)],
  [
    'a name of half a megabyte',
    (edge: LyingEdge) =>
      edge.say({ op: 'hello', version: EDGE_VERSION, name: 'x'.repeat(500_000), run: 'r', nonce: 'n' }),
  ],
])('an edge that begins with %s is dropped, and nobody notices', async (_what, say) => {
  const server = await startServer({ apps: { room }, edgeSecret });
  const client = await connect(`${server.rtmp}/room/one`);
  const edge = await LyingEdge.open(server);
  say(edge);
  await edge.client.closed;
  expect(await client.call('add', 1, 2)).toBe(3);
  await server.stop();
});

test('an edge that is let in and lies loses its connection, or one client; all others go on', async () => {
  const server = await startServer({ apps: { room }, edgeSecret });
  const client = await connect(`${server.rtmp}/room/one`);
  const edge = await LyingEdge.open(server);
  await edge.enter('liar');
  // Numbers that were never given, for everything that takes one.
  for (const head of [
    { op: 'leave' },
    { op: 'close' },
    { op: 'seek', positionMs: 1e300 },
    { op: 'drop-stream' },
    { op: 'alive', ask: 99, isAlive: true },
    { op: 'reply', request: 5, isOk: true, type: 20 },
    { op: 'call', name: 'add', transaction: 2, type: 20, orElse: 0 },
    { op: 'open', client: 12, streamId: 1, codecs: 'plain' },
    { op: 'carry', app: 'nowhere', instance: 'x', stream: 'y' },
  ])
    edge.say(head, 12);
  for (const type of [8, 9, 15, 16, 17, 18, 19, 20, 22])
    edge.client.message({ type, streamId: 12, timestamp: 0, payload: new Uint8Array([1, 2, 3]) }, 4);
  const request = {
    op: 'connect',
    app: 'room',
    instance: 'one',
    query: '',
    uri: '',
    agent: '',
    referrer: '',
    pageUrl: '',
    address: '203.0.113.9',
    protocol: 'rtmp',
    isSecure: false,
    canReconnect: false,
    objectEncoding: 0,
    type: 20,
  };
  // A client whose command is nonsense, and one whose shared object is.
  edge.say(request, 1, new Uint8Array([1, 2, 3]));
  const command = Buffer.from('0200 07 636f6e6e656374 003ff0000000000000 05'.replaceAll(' ', ''), 'hex');
  edge.say(request, 2, command);
  await eventually('the second client', () =>
    edge.client.received.entries.some(
      ({ type, streamId, payload }) => type === CONTROL && streamId === 2 && headOf(payload).op === 'accept',
    ),
  );
  edge.say({ op: 'shared', type: 19, streamId: 0, timestamp: 0 }, 2, new Uint8Array([255, 255, 0]));
  await edge.heard('drop');
  expect(await client.call('add', 1, 2)).toBe(3);
  expect(edge.client.isClosed).toBe(false);
  // A number that is taken.
  edge.say(request, 3, command);
  edge.say(request, 3, command);
  await edge.client.closed;
  expect(await client.call('add', 2, 2)).toBe(4);
  await server.stop();
});

test.each([
  [
    'is no RTMP',
    (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(200)),
    /0x48|began with/,
  ],
  ['hangs up', (socket: Socket) => socket.destroy(), /closed|reset/i],
  ['says nothing', (socket: Socket) => void socket.resume(), /no byte for|within 5000 ms/],
])(
  'an origin that %s: the edge says so, refuses clients, and lets itself be stopped',
  async (_what, serve, problem) => {
    const url = `rtmp://127.0.0.1:${await serveSockets(serve)}`;
    const edge = await startServer({ edgeOf: url, edgeSecret, limits: { outgoingConnectMs: 1000 } });
    await edge.waitForLog('cannot reach the origin');
    const { origin } = (await (await fetch(`${edge.http}/api/edges`)).json()) as {
      origin: { problem: string };
    };
    expect(origin.problem).toMatch(problem);
    expect((await connectRefused(`${edge.rtmp}/room/one`)).description).toContain(
      'The origin cannot be reached',
    );
    await edge.stop();
  },
);

test('an origin whose name does not resolve, and a port that nobody listens at', async () => {
  const lost = await startServer({ edgeOf: 'rtmp://no-such-host.invalid', edgeSecret });
  expect((await lost.waitForLog('cannot reach the origin')).message).toMatch(/ENOTFOUND|EAI_AGAIN/);
  const closed = await startServer({ edgeOf: 'rtmp://127.0.0.1:1', edgeSecret });
  expect((await closed.waitForLog('cannot reach the origin')).message).toContain('ECONNREFUSED');
});
