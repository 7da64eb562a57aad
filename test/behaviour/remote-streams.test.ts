import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { eventually } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame, metadata } from '../support/media.ts';
import { makeClip, publishFile, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { startNginx } from '../support/nginx.ts';
import { showTags } from '../support/recorded.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { type Asked, FakeServer, type Guest } from '../support/rtmp-server.ts';
import { run, runsCode } from '../support/run.ts';
import { startServer, TestServer, useServer } from '../support/server.ts';
import { SlowNetwork } from '../support/slow-network.ts';
import { requireTools } from '../support/tools.ts';

/** Streams of other instances: `Stream.play` with a NetConnection. */
const far = await new TestServer({ apps: { far: { 'README.md': 'no script' } } }).ready();
afterAll(() => far.destroy());

const near = useServer({
  apps: {
    near: {
      'main.js': runsCode,
      'app.json': JSON.stringify({ connect: { hosts: [new URL(far.rtmp).host], apps: ['far'] } }),
    },
    loop: {
      'main.js': runsCode,
      'app.json': JSON.stringify({ connect: { hosts: [new URL(far.rtmp).host] } }),
    },
    far: { 'README.md': 'no script' },
  },
});

let rooms = 0;
const newRoom = () => `room${rooms++}`;

/** In the script: `nc`, a connection to that address, and what onStatus of the stream `out` was told. */
const prepared = `
  const nc = application.nc = new NetConnection();
  nc.connect(args[0]);
  const out = Stream.get('out');
  out.told = [];
  out.onStatus = ({ code, details, description }) => void out.told.push([code.replace('NetStream.', ''), details, description]);`;
const toldOf = (client: RtmpClient) =>
  run(client, "return Stream.get('out').told.map(([code, details]) => code + ' ' + details);") as Promise<
    string[]
  >;
const told = (client: RtmpClient, ...statuses: string[]) =>
  eventually(`the script to hear ${statuses}`, async () => {
    const all = await toldOf(client);
    return statuses.every((status) => all.includes(status));
  });

async function publish(url: string, name = 'cam'): Promise<ClientStream> {
  const stream = await (await connect(url)).createStream();
  await stream.publish(name);
  return stream;
}

async function watch(client: RtmpClient, name = 'out'): Promise<ClientStream> {
  const stream = await client.createStream();
  await stream.play(name, -1000);
  return stream;
}

function record(server: TestServer, room: string, name: string, frames: number): void {
  const folder = join(server.appsFolder, 'far/streams', room);
  mkdirSync(folder, { recursive: true });
  const header = encodeFlvHeader({ hasAudio: true, hasVideo: true });
  writeFileSync(join(folder, `${name}.flv`), Buffer.concat([header, ...showTags(frames).map(encodeFlvTag)]));
}

describe.each([
  ['over a socket', () => `${far.rtmp}/far/`, () => far],
  ['on the same server', () => 'rtmp:/far/', () => near],
])('%s', (_, to, server) => {
  test('a live stream, which is waited for, with metadata and headers, early and late', async () => {
    const room = newRoom();
    const client = await connect(`${near.rtmp}/near/${room}`);
    const early = await watch(client);
    expect(await run(client, `${prepared} return out.play('cam', -1, -1, true, nc);`, `${to()}${room}`)).toBe(
      true,
    );
    await told(client, 'Play.Start cam');
    const publisher = await publish(`${server().rtmp}/far/${room}`);
    await told(client, 'Play.PublishNotify cam');
    publisher.data(0, '@setDataFrame', 'onMetaData', metadata);
    publisher.video(0, avcHeader);
    publisher.audio(0, aacHeader);
    publisher.video(1000, keyFrame(1));
    publisher.audio(1010, aacFrame(1));
    publisher.video(1040, interFrame(2));
    publisher.data(1040, 'cue', 7);
    await early.waitForMedia(interFrame(2));
    const late = await watch(client);
    await late.waitForMedia(interFrame(2));
    publisher.video(1080, interFrame(3));
    for (const viewer of [early, late]) {
      const { args } = await viewer.waitForData('onMetaData');
      expect(args[0]).toMatchObject(metadata);
      await viewer.waitForMedia(avcHeader);
      await viewer.waitForMedia(aacHeader);
      await viewer.waitForMedia(keyFrame(1));
      await viewer.waitForMedia(aacFrame(1));
      const last = await viewer.waitForMedia(interFrame(3));
      const key = viewer.media.find((m) => Buffer.from(m.payload).equals(keyFrame(1)));
      expect(last.timestamp - key!.timestamp).toBe(80);
      expect(viewer.media.filter(({ name }) => name.startsWith('|Stagewire'))).toEqual([]);
    }
    expect((await early.waitForData('cue')).args).toEqual([7]);
    const from = early.mark;
    publisher.command('closeStream');
    await told(client, 'Play.UnpublishNotify cam', 'Play.Stop cam');
    await early.status('NetStream.Play.UnpublishNotify', from);
    expect(await toldOf(client)).toEqual([
      'Play.Reset cam',
      'Play.Start cam',
      'Play.PublishNotify cam',
      'Play.UnpublishNotify cam',
      'Play.Stop cam',
    ]);
  });

  test('a recording at its own pace, or a part of it; then what is here', async () => {
    const room = newRoom();
    const client = await connect(`${near.rtmp}/near/${room}`);
    record(server(), room, 'clip', 40);
    const viewer = await watch(client);
    const local = await client.createStream();
    await local.publish('here');
    const code = `${prepared} return [out.play('clip', 0, 1, true, nc), out.play('none', 0, -1, false, nc), out.play('clip', -2, 1, false, nc), out.play('here', -1, -1, false)];`;
    const began = performance.now();
    expect(await run(client, code, `${to()}${room}`)).toEqual([true, true, true, true]);
    await told(client, 'Play.StreamNotFound none', 'Play.Start here');
    expect(performance.now() - began).toBeGreaterThan(1500);
    local.video(0, keyFrame(77));
    await viewer.waitForMedia(keyFrame(77));
    expect(await toldOf(client)).toEqual([
      'Play.Reset clip',
      'Play.Start clip',
      'Play.StreamNotFound none',
      'Play.Start clip',
      'Play.Start here',
    ]);
    const times = viewer.media.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
    expect(times.length).toBeGreaterThan(20);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

let apps = 0;
/** An application of its own whose script may connect to that server. */
async function addApp(url: string, limits: object = {}): Promise<string> {
  const name = `own${++apps}`;
  const connect = { hosts: [new URL(url).host], apps: ['far'] };
  near.writeFile(`${name}/app.json`, JSON.stringify({ connect, limits }));
  near.writeFile(`${name}/main.js`, runsCode);
  await near.waitForLog((r) => r.instance === name && r.message.startsWith('new application'));
  return name;
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const hex = (payload: Uint8Array) => Buffer.from(payload).toString('hex');
const failuresOf = (client: RtmpClient) =>
  run(
    client,
    "return Stream.get('out').told.filter(([code]) => code === 'Play.Failed').map(([, , why]) => why);",
  );

test('codecs of Enhanced RTMP and several tracks arrive as they are', async () => {
  const room = newRoom();
  const publisher = await publish(`${far.rtmp}/far/${room}`);
  const client = await connect(`${near.rtmp}/near/${room}`, { properties: { fourCcList: ['*'], capsEx: 6 } });
  await run(client, `${prepared} out.play('cam', -1, -1, true, nc);`, `${far.rtmp}/far/${room}`);
  await told(client, 'Play.Start cam');
  const viewer = await watch(client);
  const media = [
    bytes('90 68766331 0101600000'),
    bytes('93 68766331 00000005 26011122'),
    bytes('a1 68766331 000000 00000005 02011133'),
    bytes('90 61763031 81000c00'),
    bytes('93 61763031 0a0b0c'),
    bytes('96 21 68766331 00 000004 11223344 61763031 01 000004 55667788'),
  ];
  const sounds = [bytes('90 4f707573 4f70757348656164'), bytes('91 4f707573 fc112233')];
  for (const [i, payload] of media.entries()) publisher.video(i * 40, payload);
  for (const [i, payload] of sounds.entries()) publisher.audio(i * 40, payload);
  await viewer.waitForMedia(sounds[1]!);
  const got = viewer.media.map(({ payload }) => hex(payload));
  for (const payload of [...media, ...sounds]) expect(got).toContain(hex(payload));
});

test('what nginx has, of an encoder, is played here by ffmpeg', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const nginx = await startNginx(context);
  const app = await addApp(nginx);
  const client = await connect(`${near.rtmp}/${app}/room`);
  publishFile(await makeClip(scratchFolder(), 15), `${nginx}/show`);
  await run(client, `${prepared} out.play('show', -1, -1, true, nc);`, nginx);
  await told(client, 'Play.Start show');
  const url = `${near.rtmp}/${app}/room/out`;
  const entries = ['-show_entries', 'stream=codec_name,width', '-of', 'csv=p=0', '-read_intervals', '%+2'];
  const { code, output } = await new RunningTool('ffprobe', ['-v', 'error', ...entries, url]).end();
  expect({ code, streams: output.trim().split('\n').sort() }).toEqual({
    code: 0,
    streams: ['aac', 'h264,320'],
  });
});

test('a live stream for a time, which begins when it is there', async () => {
  const room = newRoom();
  const client = await connect(`${near.rtmp}/near/${room}`);
  const publisher = await publish(`${far.rtmp}/far/${room}`);
  publisher.video(0, keyFrame(1));
  await publisher.settled();
  const viewer = await watch(client);
  await run(client, `${prepared} out.play('cam', -1, 0.5, true, nc);`, `${far.rtmp}/far/${room}`);
  await viewer.waitForMedia(keyFrame(1));
  await told(client, 'Play.Stop cam');
  const from = viewer.mark;
  expect(await run(client, `return Stream.get('out').play('cam', -1, 0, true, application.nc);`)).toBe(true);
  await viewer.waitForMedia(keyFrame(1), from);
});

test('a connection that was never made, is refused, or is closed: false, or Failed with the reason', async () => {
  const room = newRoom();
  const client = await connect(`${near.rtmp}/near/${room}`);
  const code = `${prepared}
    const closed = new NetConnection();
    const asked = [out.play('cam', -1, -1, true, closed), out.play('cam', -1, -1, true, nc)];
    nc.close();
    asked.push(out.play('cam', -1, -1, true, nc));
    return asked;`;
  expect(await run(client, code, `${far.rtmp}/far/${room}`)).toEqual([false, true, false]);
  await told(client, 'Play.Failed cam');
  expect(await failuresOf(client)).toEqual(['the connection is closed']);
  await run(client, `${prepared} out.play('cam', -1, -1, true, nc);`, `${far.rtmp}/nothing/${room}`);
  await told(client, 'Play.Failed cam');
  expect(await failuresOf(client)).toEqual(['the connection is closed']);
});

test('a long list of what comes over a connection that is closed fails, item by item', async () => {
  const room = newRoom();
  const client = await connect(`${near.rtmp}/near/${room}`);
  const from = near.log.mark;
  const code = `${prepared}
    out.play('first', -1, -1, true, nc);
    for (let i = 0; i < 900; i++) out.play('cam', -1, -1, false, nc);
    out.play('last', -1, -1, false);
    nc.close();`;
  await run(client, code, `${far.rtmp}/far/${room}`);
  await told(client, 'Play.Start last');
  expect(near.log.entries.slice(from).filter(({ code }) => code === 'E_BUG')).toEqual([]);
});

test('new code that plays it when it starts has it over its own connection at once', async () => {
  const room = newRoom();
  const app = await addApp(far.rtmp);
  const starts = `${runsCode}
    application.onAppStart = () => {
      const nc = new NetConnection();
      nc.connect('${far.rtmp}/far/${room}');
      Stream.get('out').play('cam', -1, -1, true, nc);
    };`;
  near.writeFile(`${app}/main.js`, starts);
  const publisher = await publish(`${far.rtmp}/far/${room}`);
  publisher.video(0, keyFrame(1));
  const client = await connect(`${near.rtmp}/${app}/room`);
  const viewer = await watch(client);
  await viewer.waitForMedia(keyFrame(1));
  near.writeFile(`${app}/main.js`, `${starts} application.isNewer = true;`);
  await eventually('new code', async () => (await run(client, 'return application.isNewer;')) === true);
  publisher.video(1000, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
  await eventually('one connection', async () => (await far.instance('far', room)).clients === 2);
  publisher.video(2000, keyFrame(3));
  await viewer.waitForMedia(keyFrame(3));
  expect(viewer.codes).not.toContain('NetStream.Play.UnpublishNotify');
});

test('code that plays when it starts what it may not connect to hears that it failed', async () => {
  const app = await addApp(far.rtmp);
  near.writeFile(
    `${app}/main.js`,
    `application.onAppStart = () => {
      const nc = new NetConnection();
      nc.connect('rtmp://127.0.0.1:9/app');
      const out = Stream.get('out');
      out.onStatus = ({ code, description }) => trace(code + ': ' + description);
      trace(out.play('cam', -1, -1, true, nc));
    };
    application.onConnect = () => true;`,
  );
  await connect(`${near.rtmp}/${app}/room`);
  await near.waitForLog(
    (r) => r.instance === `${app}/room` && r.message === 'NetStream.Play.Failed: the connection is closed',
  );
});

test('the other server is killed: Failed, and what follows; viewers stay', async () => {
  const other = await startServer({ apps: { far: { 'README.md': 'no script' } } });
  const app = await addApp(other.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const publisher = await publish(`${other.rtmp}/far/room`);
  publisher.video(0, keyFrame(1));
  const viewer = await watch(client);
  const local = await client.createStream();
  await local.publish('here');
  await run(
    client,
    `${prepared} out.play('cam', -1, -1, true, nc); out.play('cam', -1, -1, false, nc); out.play('here', -1, -1, false);`,
    `${other.rtmp}/far/room`,
  );
  await viewer.waitForMedia(keyFrame(1));
  other.kill('SIGKILL');
  await told(client, 'Play.Start here');
  expect(await toldOf(client)).toEqual([
    'Play.Reset cam',
    'Play.Start cam',
    'Play.Failed cam',
    'Play.Failed cam',
    'Play.Start here',
  ]);
  local.video(0, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
  expect(viewer.codes).not.toContain('NetStream.Play.UnpublishNotify');
});

test('the other server stands still: after limits.dropSilentMs Failed, and what follows', async () => {
  const network = await SlowNetwork.before(far.rtmp);
  const url = network.url.replace('http:', 'rtmp:');
  const settings = { connect: { hosts: [new URL(url).host] } };
  const own = await startServer({
    apps: { near: { 'main.js': runsCode, 'app.json': JSON.stringify(settings) } },
    limits: { pingIdleMs: 300, dropSilentMs: 1000 },
  });
  const room = newRoom();
  const publisher = await publish(`${far.rtmp}/far/${room}`);
  publisher.video(0, keyFrame(1));
  const client = await connect(`${own.rtmp}/near/room`);
  const viewer = await watch(client);
  await run(
    client,
    `${prepared} out.play('cam', -1, -1, true, nc); out.play('here', -1, -1, false);`,
    `${url}/far/${room}`,
  );
  await viewer.waitForMedia(keyFrame(1));
  network.isStalled = true;
  await told(client, 'Play.Failed cam', 'Play.Start here');
  const local = await client.createStream();
  await local.publish('here');
  local.video(0, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
});

/** A server of which a test says what it does when it is to play. */
async function pulls(
  onPlay: (guest: Guest, asked: Asked) => void,
  code: string,
  limits: object = {},
): Promise<{ client: RtmpClient; fake: FakeServer; viewer: ClientStream }> {
  let streams = 0;
  const fake = await FakeServer.start((asked, guest) => {
    if (asked.name === 'createStream') guest.answer(asked.transaction, ++streams);
    if (asked.name === 'play') onPlay(guest, asked);
  });
  const app = await addApp(fake.url, { outgoingConnectMs: 1000, ...limits });
  const client = await connect(`${near.rtmp}/${app}/room`);
  const viewer = await watch(client);
  await run(client, `${prepared} ${code}`, fake.url);
  return { client, fake, viewer };
}

test('the other server is told how much is buffered, and is told anew', async () => {
  const { fake, client } = await pulls(
    (guest, { streamId }) => guest.status(streamId, 'NetStream.Play.Start'),
    `out.setBufferTime(3); out.play('mp4:films/one.mp4?token=x', -1, -1, true, nc);`,
  );
  await told(client, 'Play.Start films/one.mp4');
  const { args } = await fake.asked.waitFor('play', ({ name }) => name === 'play');
  expect(args).toEqual(['mp4:films/one.mp4?token=x', -1000]);
  const buffers = () =>
    fake.guests[0]!.received.filter(({ type, payload }) => type === Type.UserControl && payload[1] === 3).map(
      ({ payload }) => hex(payload),
    );
  expect(buffers()).toEqual(['00030000000100000bb8']);
  await run(client, `Stream.get('out').setBufferTime(0.5);`);
  await eventually('the new time', () => buffers().at(-1) === '000300000001000001f4');
  await run(client, `Stream.get('out').play(false);`);
  await fake.asked.waitFor('deleteStream', ({ name, args: [id] }) => name === 'deleteStream' && id === 1);
});

test('a server that never answers, answers nonsense, or says what it must not: Failed, and what follows', async () => {
  const odd = await pulls((guest, { streamId, args: [name] }) => {
    if (name === 'silent') return;
    if (name === 'refused') return guest.status(streamId, 'NetStream.Play.Failed', 'error', 'not for you');
    if (name === 'none') return guest.status(streamId, 'NetStream.Play.StreamNotFound', 'error');
    // Of other streams, of nothing, twice, and media that nobody has announced.
    guest.status(9, 'NetStream.Play.Stop');
    guest.command(streamId, 'onStatus', 0, null);
    guest.command(streamId, 'onStatus', 0, null, { code: 7 });
    guest.send({ type: Type.DataAmf0, streamId, timestamp: 0, payload: Uint8Array.of(2, 9) });
    guest.send({ type: Type.DataAmf0, streamId, timestamp: 0, payload: new Uint8Array(0) });
    guest.send({ type: Type.Video, streamId: 9, timestamp: 0, payload: keyFrame(9) });
    guest.send({ type: Type.Video, streamId, timestamp: 0, payload: keyFrame(1) });
    guest.send({ type: Type.Video, streamId, timestamp: 40, payload: new Uint8Array(0) });
    guest.status(streamId, 'NetStream.Play.Start');
    guest.send({ type: Type.Video, streamId, timestamp: 40, payload: keyFrame(2) });
    guest.status(streamId, 'NetStream.Play.Stop');
    guest.status(streamId, 'NetStream.Play.Stop');
    guest.send({ type: Type.Video, streamId, timestamp: 80, payload: keyFrame(3) });
  }, `out.play('silent', 0, -1, true, nc); out.play('refused', -1, -1, false, nc); out.play('none', -2, -1, false, nc); out.play('odd', -1, -1, false, nc);`);
  await told(odd.client, 'Play.Stop odd');
  expect(await toldOf(odd.client)).toEqual([
    'Play.Reset silent',
    'Play.Failed silent',
    'Play.Failed refused',
    'Play.StreamNotFound none',
    'Play.Start odd',
    'Play.Stop odd',
  ]);
  expect(await failuresOf(odd.client)).toEqual([
    'no answer to play within 1000 ms (limits.outgoingConnectMs)',
    'not for you',
  ]);
  await odd.viewer.waitForMedia(keyFrame(2));
  const got = odd.viewer.media.map(({ payload }) => hex(payload));
  expect(got).not.toContain(hex(keyFrame(9)));
  expect(got).not.toContain(hex(keyFrame(3)));
});

test('a server that sends a recording as fast as it can: no more than a bound of it waits, and it goes on at its pace', async () => {
  const before = rssOf(near);
  let sent = 0;
  const { client, viewer } = await pulls((guest, { streamId }) => {
    guest.status(streamId, 'NetStream.Play.Start');
    guest.send({ type: Type.Video, streamId, timestamp: 0, payload: avcHeader });
    const more = () => {
      while (sent < 300) {
        const payload = new Uint8Array(1_000_000);
        payload.set(keyFrame(sent));
        if (!guest.send({ type: Type.Video, streamId, timestamp: sent++ * 1000, payload })) {
          guest.socket.once('drain', more);
          return;
        }
      }
      guest.status(streamId, 'NetStream.Play.Stop');
    };
    more();
  }, `out.play('flood', 0, -1, true, nc);`);
  await eventually('all of it to be sent', () => sent === 300);
  expect(rssOf(near) - before).toBeLessThan(150 * 1024 * 1024);
  await viewer.received.waitFor(
    'a picture',
    ({ type, payload }) => type === Type.Video && payload.length > 1000,
  );
  await run(client, `Stream.get('out').play(false);`);
});

/** Resident memory of a server, in bytes. */
function rssOf(server: TestServer): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) * 1024;
}

test('what comes goes on when new code takes over, and over its own connection when it plays it anew', async () => {
  const app = await addApp(far.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const room = newRoom();
  const publisher = await publish(`${far.rtmp}/far/${room}`);
  publisher.video(0, keyFrame(1));
  const viewer = await watch(client);
  const play = `${prepared} out.play('cam', -1, -1, true, nc);`;
  await run(client, play, `${far.rtmp}/far/${room}`);
  await viewer.waitForMedia(keyFrame(1));
  near.writeFile(`${app}/main.js`, `${runsCode} // newer`);
  await eventually(
    'new code',
    async () => (await run(client, 'return typeof application.nc;')) === 'undefined',
  );
  publisher.video(1000, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
  const clientsThere = async () => (await far.instance('far', room)).clients;
  expect(await clientsThere()).toBe(2);
  await run(client, play, `${far.rtmp}/far/${room}`);
  await told(client, 'Play.Start cam');
  await eventually('the older connection to end', async () => (await clientsThere()) === 2);
  publisher.video(2000, keyFrame(3));
  await viewer.waitForMedia(keyFrame(3));
  expect(viewer.codes).not.toContain('NetStream.Play.UnpublishNotify');
  await run(client, `Stream.get('out').play(false);`);
  await viewer.status('NetStream.Play.UnpublishNotify');
});

test('what comes goes on when the script dies, and ends with the instance', async () => {
  const app = await addApp(far.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const room = newRoom();
  const publisher = await publish(`${far.rtmp}/far/${room}`);
  publisher.video(0, keyFrame(1));
  const viewer = await watch(client);
  await run(client, `${prepared} out.play('cam', -1, -1, true, nc);`, `${far.rtmp}/far/${room}`);
  await viewer.waitForMedia(keyFrame(1));
  const { core } = await near.instance(app, 'room');
  process.kill(core!, 'SIGKILL');
  await eventually('another script', async () => {
    const answer = await client.startCall('run', 'return typeof application.nc;');
    return answer.args[0] === 'undefined';
  });
  publisher.video(1000, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
  await run(client, 'application.shutdown()').catch(() => {});
  await eventually('the connection to end', async () => (await far.instance('far', room)).clients === 1);
});

/** Comes as a whole: new code in the middle of a test would end what its script has begun. */
async function addLoopToFar(): Promise<void> {
  far.writeApp('.loop', {
    'main.js': runsCode,
    'app.json': JSON.stringify({ connect: { hosts: [new URL(near.rtmp).host] } }),
  });
  renameSync(join(far.appsFolder, '.loop'), join(far.appsFolder, 'loop'));
  await far.waitForLog((r) => r.instance === 'loop' && r.message.startsWith('new application'));
}

test.each([
  ['over sockets', () => far, () => [`${far.rtmp}/loop`, `${near.rtmp}/loop`] as const],
  ['on one server', () => near, () => ['rtmp:/loop', 'rtmp:/loop'] as const],
])('streams that play one another, %s, are found: nothing goes round', async (_, other, places) => {
  if (other() === far) await addLoopToFar();
  const [toThere, toHere] = places();
  const here = await connect(`${near.rtmp}/loop/a`);
  const there = await connect(`${other().rtmp}/loop/b`);
  const viewer = await watch(here);
  await run(here, `${prepared} out.play('out', -1, -1, true, nc);`, `${toThere}/b`);
  await run(there, `${prepared} out.play('out', -1, -1, true, nc);`, `${toHere}/a`);
  await eventually('one to fail', async () =>
    [...((await failuresOf(here)) as string[]), ...((await failuresOf(there)) as string[])].includes(
      'it would play itself',
    ),
  );
  // A word that the script sends comes once.
  await run(here, `Stream.get('out').send('word', 1);`);
  await viewer.waitForData('word');
  await run(here, `Stream.get('out').send('last', 1);`);
  await viewer.waitForData('last');
  expect(viewer.media.filter(({ name }) => name === 'word').length).toBe(1);
});

test('a stream that is published where it comes from is found', async () => {
  const app = await addApp(far.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const room = newRoom();
  const code = `${prepared}
    const heard = application.heard = [];
    nc.onStatus = ({ code }) => {
      if (code !== 'NetConnection.Connect.Success') return;
      out.play('round', -1, -1, true, nc);
      const ns = application.ns = new NetStream(nc);
      ns.onStatus = ({ code, description }) => void heard.push(code + ': ' + description);
      ns.attach(out);
      ns.publish('round');
    };`;
  await run(client, code, `${far.rtmp}/far/${room}`);
  await eventually('it to be found', async () => {
    const pushed = (await run(client, 'return application.heard;')) as string[];
    const played = (await failuresOf(client)) as string[];
    return [...pushed, ...played].some((text) =>
      /it would (play itself|publish what it publishes)/.test(text),
    );
  });
});
