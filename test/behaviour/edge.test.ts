import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import {
  type ClientStream,
  connect,
  connectRefused,
  RefusedError,
  type RtmpClient,
} from '../support/rtmp-client.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';
import { SlowNetwork } from '../support/slow-network.ts';

/** A server that is an edge of another, with real clients on both. */
const edgeSecret = 'what edges and origins share';

const room = {
  'main.js': `
    application.onConnect = (client, ...args) => {
      if (args[0] === 'stranger') return false;
      client.args = args;
      trace('hello ' + client.ip + ' ' + client.uri + ' ' + JSON.stringify(args));
      client.who = () => ({ ip: client.ip, uri: client.uri, protocol: client.protocol, args: client.args });
      client.add = (a, b) => a + b;
      client.never = () => new Promise(() => {});
      client.all = (text) => { application.broadcastMsg('said', text); return application.clients.length; };
      client.ask = async (value) => 'you said ' + await client.invoke('echo', value);
      client.leave = () => application.disconnect(client);
      return true;
    };
    application.onDisconnect = (client) => trace('bye ' + client.ip);`,
};

async function startPair(): Promise<{ origin: TestServer; edge: TestServer }> {
  const origin = await startServer({ apps: { room }, edgeSecret });
  const edge = await startServer({ edgeOf: origin.rtmp, edgeSecret, edgeName: 'near' });
  await edge.waitForLog('is an edge of');
  return { origin, edge };
}

test('a client of an edge is a client of the origin: arguments, calls both ways, refusals, the end', async () => {
  const { origin, edge } = await startPair();
  const far = await connect(`${origin.rtmp}/room/one`);
  const near = await connect(`${edge.rtmp}/room/one`, {
    args: ['a', 2],
    methods: { echo: (value) => value },
  });
  expect(await near.call('who')).toMatchObject({
    ip: '127.0.0.1',
    uri: `${edge.rtmp}/room/one`,
    args: ['a', 2],
  });
  expect(await near.call('add', 2, 3)).toBe(5);
  expect(await near.call('ask', 'hi')).toBe('you said hi');
  expect(await near.call('all', 'x')).toBe(2);
  await near.waitForCall('said');
  await far.waitForCall('said');
  await expect(near.call('nothing')).rejects.toThrow(RefusedError);
  expect((await connectRefused(`${edge.rtmp}/room/one`, { args: ['stranger'] })).code).toBe(
    'NetConnection.Connect.Rejected',
  );
  expect((await connectRefused(`${edge.rtmp}/nowhere/one`)).description).toContain(
    '(nowhere) is not defined',
  );
  near.destroy();
  await origin.waitForLog('bye 127.0.0.1');
  const other = await connect(`${edge.rtmp}/room/one`);
  const report = (await (await fetch(`${origin.http}/api/edges`)).json()) as { edges: object[] };
  expect(report.edges).toMatchObject([{ name: 'near', clients: 1 }]);
  await other.call('leave').catch(() => {});
  await other.closed;
});

test('an edge without clients stays connected, and what its link does is told', async () => {
  const { origin, edge } = await startPair();
  // Longer than either side waits for a sign of life.
  await new Promise((resolve) => setTimeout(resolve, 6500));
  expect((await reportOf(edge)).origin).toMatchObject({ state: 'connected', reconnects: 0, problem: null });
  expect((await reportOf(edge)).origin!.pingMs).toBeGreaterThan(0);
  expect((await reportOf(origin)).edges).toMatchObject([{ name: 'near', address: '127.0.0.1', clients: 0 }]);
});

async function publish(client: RtmpClient, name: string) {
  const stream = await client.createStream();
  expect((await stream.publish(name)).code).toBe('NetStream.Publish.Start');
  return stream;
}

test('a live stream comes to the edge once, and every viewer there has all of it in order; one of the edge goes the other way', async () => {
  const { origin, edge } = await startPair();
  const source = await publish(await connect(`${origin.rtmp}/room/one`), 'show');
  source.video(0, avcHeader);
  source.audio(0, aacHeader);
  source.video(0, keyFrame(0));
  const viewers = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const stream = await (await connect(`${edge.rtmp}/room/one`)).createStream();
      await stream.play('show');
      return stream;
    }),
  );
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(keyFrame(0))));
  for (let n = 1; n <= 100; n++) source.video(n * 10, interFrame(n));
  for (const viewer of viewers) {
    await viewer.waitForMedia(interFrame(100));
    const times = viewer.media.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
    expect(times.slice(-100)).toEqual(Array.from({ length: 100 }, (_, n) => (n + 1) * 10));
  }
  const { origin: link } = (await (await fetch(`${edge.http}/api/edges`)).json()) as { origin: object };
  expect(link).toMatchObject({ state: 'connected', name: 'near', clients: 5, streams: 1 });

  const back = await publish(await connect(`${edge.rtmp}/room/one`), 'back');
  back.video(0, avcHeader);
  back.video(0, keyFrame(7));
  const far = await (await connect(`${origin.rtmp}/room/one`)).createStream();
  await far.play('back');
  await far.waitForMedia(keyFrame(7));
  const near = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  await near.play('back');
  await near.waitForMedia(keyFrame(7));
});

test('shared objects of an edge are those of the origin, with their versions, messages and refusals', async () => {
  const { origin, edge } = await startPair();
  const far = await connect(`${origin.rtmp}/room/one`);
  const near = await connect(`${edge.rtmp}/room/one`);
  const there = await new RemoteSharedObject(far, 'board').connect();
  const here = await new RemoteSharedObject(near, 'board').connect();
  there.set('a', 1);
  await here.holds({ a: 1 });
  expect((await here.setAndWait('b', { deep: [1, 2] })).code).toBe('success');
  await there.holds({ a: 1, b: { deep: [1, 2] } });
  here.change({ send: ['hello', 7] });
  await eventually('the message', () => there.syncs.entries.some(({ sends }) => sends.length > 0));
  here.change({ remove: 'a' });
  await there.holds({ b: { deep: [1, 2] } });
});

test('what is recorded at the origin is played through the edge, sought, paused, and its length told', async () => {
  const { edge } = await startPair();
  const client = await connect(`${edge.rtmp}/room/one`);
  const source = await client.createStream();
  expect((await source.publish('film', 'record')).code).toBe('NetStream.Publish.Start');
  source.video(0, avcHeader);
  for (let n = 0; n <= 100; n++) source.video(n * 40, n % 25 === 0 ? keyFrame(n) : interFrame(n));
  source.command('closeStream');
  await source.status('NetStream.Unpublish.Success');
  await eventually('the recording', async () => (await client.call('getStreamLength', 'film')) === 4);
  const player = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  expect((await player.play('film', 0)).code).toBe('NetStream.Play.Start');
  await player.waitForMedia(keyFrame(0));
  const before = player.mark;
  player.command('seek', 3000);
  await player.status('NetStream.Seek.Notify', before);
  await player.waitForMedia(keyFrame(75), before);
  player.command('pause', true, 3000);
  await player.status('NetStream.Pause.Notify', before);
  player.command('pause', false, 3000);
  await player.status('NetStream.Play.Stop', before);
  const other = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  expect((await other.play('nothing', 0)).code).toBe('NetStream.Play.StreamNotFound');
});

async function reportOf(server: TestServer) {
  return (await (await fetch(`${server.http}/api/edges`)).json()) as {
    origin: {
      state: string;
      problem: string | null;
      reconnects: number;
      clients: number;
      pingMs: number;
    } | null;
    edges: { name: string; clients: number }[];
  };
}

test('the origin is killed and comes back: the clients of its edge stay, and calls, objects and streams go on', async () => {
  const origin = await startServer({ apps: { room }, edgeSecret });
  const edge = await startServer({ edgeOf: origin.rtmp, edgeSecret });
  const near = await connect(`${edge.rtmp}/room/one`, { args: ['near'] });
  const here = await new RemoteSharedObject(near, 'board').connect();
  await here.setAndWait('a', 1);
  const source = await publish(await connect(`${edge.rtmp}/room/one`), 'mine');
  source.video(0, avcHeader);
  source.video(0, keyFrame(1));
  const viewer = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  await viewer.play('theirs');
  const own = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  await own.play('mine');
  await own.waitForMedia(keyFrame(1));
  const open = near.call('never');
  const from = own.mark;

  origin.kill('SIGKILL');
  await expect(open).rejects.toThrow('The connection to the origin was lost');
  await eventually('the end of the link', async () => (await reportOf(edge)).origin?.state === 'connecting');
  await expect(near.call('add', 1, 1)).rejects.toThrow('cannot be reached');
  await own.status('NetStream.Play.UnpublishNotify', from);
  source.video(40, interFrame(2));

  const again = await startServer({ apps: { room }, edgeSecret, rtmp: origin.rtmpPort });
  await again.waitForLog((r) => r.message.startsWith('hello 127.0.0.1') && r.message.includes('near'));
  await eventually('an answer', async () => (await near.call('add', 2, 2).catch(() => 0)) === 4);
  expect(near.isClosed).toBe(false);
  expect((await here.setAndWait('b', 2)).code).toBe('success');
  await here.holds({ b: 2 });
  const other = await new RemoteSharedObject(await connect(`${again.rtmp}/room/one`), 'board').connect();
  await other.holds({ b: 2 });
  await own.status('NetStream.Play.PublishNotify', from);
  source.video(80, keyFrame(3));
  await own.waitForMedia(keyFrame(3), from);
  const far = await (await connect(`${again.rtmp}/room/one`)).createStream();
  await far.play('mine');
  await far.waitForMedia(avcHeader);
  await far.waitForMedia(keyFrame(3));
  const theirs = await publish(await connect(`${again.rtmp}/room/one`), 'theirs');
  theirs.video(0, avcHeader);
  theirs.video(0, keyFrame(9));
  await viewer.waitForMedia(keyFrame(9));
});

test('the way to the origin stalls, and is cut: calls are answered once, and nothing comes twice', async () => {
  const origin = await startServer({ apps: { room }, edgeSecret });
  const network = await SlowNetwork.before(origin.rtmp);
  network.delayMs = 20;
  const edge = await startServer({ edgeOf: network.url.replace('http', 'rtmp'), edgeSecret });
  const near = await connect(`${edge.rtmp}/room/one`);
  expect(await near.call('add', 1, 2)).toBe(3);
  const source = await publish(await connect(`${origin.rtmp}/room/one`), 'show');
  source.video(0, avcHeader);
  source.video(0, keyFrame(0));
  const viewer = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  await viewer.play('show');
  await viewer.waitForMedia(keyFrame(0));

  network.isStalled = true;
  const calls = Array.from({ length: 20 }, (_, n) => near.call('add', n, 1).catch(() => 'failed'));
  for (let n = 1; n <= 50; n++) source.video(n * 40, interFrame(n));
  await source.settled();
  network.isStalled = false;
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  await viewer.waitForMedia(interFrame(50));

  network.isStalled = true;
  const lost = Array.from({ length: 20 }, (_, n) => near.call('add', n, 1).catch(() => 'failed'));
  network.cut();
  expect(await Promise.all(lost)).toEqual(Array.from({ length: 20 }, () => 'failed'));
  await eventually('the origin to know', async () => (await reportOf(origin)).edges.length === 0);
  network.isStalled = network.isCut = false;
  await eventually('an answer', async () => (await near.call('add', 5, 5).catch(() => 0)) === 10);
  const from = viewer.mark;
  source.video(3000, keyFrame(77));
  await viewer.waitForMedia(keyFrame(77));
  expect(viewer.received.entries.slice(0, from).filter(({ type }) => type === 9).length).toBeGreaterThan(51);
  const { frames } = framesOf(viewer);
  expect(frames.filter((frame, n) => frame !== 0 && frames.indexOf(frame) !== n)).toEqual([]);
});

/** The numbers of the frames that came, in order. */
function framesOf(stream: ClientStream): { frames: number[] } {
  const pictures = stream.media.filter(({ type, payload }) => type === 9 && payload[1] === 1);
  return { frames: pictures.map(({ payload }) => Buffer.from(payload).readUInt32BE(payload.length - 4)) };
}

test('an edge of an edge passes everything on', async () => {
  const { origin, edge } = await startPair();
  const second = await startServer({ edgeOf: edge.rtmp, edgeSecret, edgeName: 'far' });
  await second.waitForLog('is an edge of');
  const client = await connect(`${second.rtmp}/room/one`, {
    args: ['x'],
    methods: { echo: (value) => value },
  });
  expect(await client.call('ask', 5)).toBe('you said 5');
  expect(await client.call('who')).toMatchObject({ uri: `${second.rtmp}/room/one`, args: ['x'] });
  const source = await publish(await connect(`${origin.rtmp}/room/one`), 'show');
  source.video(0, avcHeader);
  source.video(0, keyFrame(0));
  const viewer = await client.createStream();
  await viewer.play('show');
  await viewer.waitForMedia(keyFrame(0));
  const board = await new RemoteSharedObject(client, 'board').connect();
  expect((await board.setAndWait('a', 1)).code).toBe('success');
  const mine = await publish(client, 'mine');
  mine.video(0, avcHeader);
  mine.video(0, keyFrame(5));
  const watcher = await (await connect(`${edge.rtmp}/room/one`)).createStream();
  await watcher.play('mine');
  await watcher.waitForMedia(keyFrame(5));
});

test('who is not let in: another secret, no secret, a name that is taken, a ring of edges', async () => {
  const origin = await startServer({ apps: { room }, edgeSecret });
  const closed = await startServer({ apps: { room } });
  const first = await startServer({ edgeOf: origin.rtmp, edgeSecret, edgeName: 'twin' });
  await first.waitForLog('is an edge of');
  const problem = async (server: TestServer) => {
    await server.waitForLog('cannot reach the origin');
    return (await reportOf(server)).origin?.problem;
  };
  const wrong = await startServer({
    edgeOf: origin.rtmp,
    edgeSecret: 'some other secret of 30 letters',
    limits: { outgoingConnectMs: 1000 },
  });
  expect(await problem(wrong)).toBe('the secret is another');
  const none = await startServer({ edgeOf: closed.rtmp, edgeSecret });
  expect(await problem(none)).toContain('takes no edges: start it with --edge-secret-file');
  const twin = await startServer({ edgeOf: origin.rtmp, edgeSecret, edgeName: 'twin' });
  expect(await problem(twin)).toContain('an edge named "twin" is connected already');
  first.kill('SIGKILL');
  await twin.waitForLog('is an edge of');
  const ring = await startServer({ edgeOf: origin.rtmp, edgeSecret, apps: {} });
  const end = await startServer({ edgeOf: ring.rtmp, edgeSecret });
  await end.waitForLog('is an edge of');
  expect((await connectRefused(`${wrong.rtmp}/room/one`)).description).toContain('cannot be reached');
});
