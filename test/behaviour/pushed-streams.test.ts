import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { expectPlayable, makeClip, publishFile, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { startNginx } from '../support/nginx.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { FakeServer } from '../support/rtmp-server.ts';
import { run, runsCode } from '../support/run.ts';
import { TestServer, useServer } from '../support/server.ts';
import { SlowNetwork } from '../support/slow-network.ts';
import { requireTools } from '../support/tools.ts';

/** Streams that scripts publish elsewhere (class NetStream on the server). */
const near = useServer({
  apps: { far: { 'README.md': 'no script' } },
  limits: { slowViewerMs: 1500, viewerQueueBytes: 256 * 1024 },
});
const far = await new TestServer({ apps: { far: { 'README.md': 'no script' } } }).ready();
afterAll(() => far.destroy());

let apps = 0;
/** An application of its own whose script may connect to that server. */
async function addApp(url: string, limits: object = {}): Promise<string> {
  const name = `near${++apps}`;
  const connect = { hosts: [new URL(url).host], apps: ['far'] };
  near.writeFile(`${name}/app.json`, JSON.stringify({ connect, limits }));
  near.writeFile(`${name}/main.js`, runsCode);
  await near.waitForLog((r) => r.instance === name && r.message.startsWith('new application'));
  return name;
}

/** In the script: publishes `cam` at that address under that name; `application.heard` is what onStatus was told. */
const pushes = `
  const [uri, name] = args;
  const nc = application.nc = new NetConnection();
  application.heard = [];
  const push = (name) => {
    const ns = new NetStream(nc);
    ns.onStatus = ({ code, description }) => void application.heard.push([code.replace('NetStream.', ''), description]);
    ns.attach(Stream.get('cam'));
    ns.publish(name);
    return ns;
  };
  nc.connect(uri);
  application.ns = push(name);`;
const heardBy = (client: RtmpClient) =>
  run(client, 'return application.heard;') as Promise<[string, string][]>;
const hears = (client: RtmpClient, code: string) =>
  eventually(`the script to hear ${code}`, async () =>
    (await heardBy(client)).some(([heard]) => heard === code),
  );

async function publish(client: RtmpClient, name = 'cam'): Promise<ClientStream> {
  const stream = await client.createStream();
  await stream.publish(name);
  return stream;
}

async function watch(
  url: string,
  name: string,
  properties: Record<string, unknown> = {},
): Promise<ClientStream> {
  const stream = await (await connect(url, { properties })).createStream();
  await stream.play(name, -1000);
  return stream;
}

const hex = (payload: Uint8Array) => Buffer.from(payload).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

test('nginx takes it as it takes an encoder, and ffmpeg and rtmpdump play it there', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'rtmpdump');
  const nginx = await startNginx(context, 'idle_streams off;');
  const folder = scratchFolder();
  const clip = await makeClip(folder, 12);
  const app = await addApp(nginx);
  const client = await connect(`${near.rtmp}/${app}/room`);
  publishFile(clip, `${near.rtmp}/${app}/room/cam`);
  await run(client, pushes, nginx, 'show');
  await hears(client, 'Publish.Start');
  const [dumped, copied] = [join(folder, 'dumped.flv'), join(folder, 'copied.flv')];
  const dump = new RunningTool('rtmpdump', ['-q', '-v', '-r', `${nginx}/show`, '-o', dumped]);
  const copy = ['-v', 'error', '-i', `${nginx}/show`, '-t', '3', '-c', 'copy', copied];
  expect(await new RunningTool('ffmpeg', copy).end()).toMatchObject({ code: 0, errors: '' });
  await run(client, 'application.ns.publish(false);');
  await hears(client, 'Unpublish.Success');
  await dump.end();
  await expectPlayable(dumped, { atLeast: 2 });
  await expectPlayable(copied, { atLeast: 2 });
  expect(readFileSync(dumped).includes('onMetaData')).toBe(true);
  // The name is free again.
  await run(client, "application.heard.length = 0; application.ns.publish('show');");
  await hears(client, 'Publish.Start');
});

test('codecs of Enhanced RTMP and several tracks arrive as they are', async () => {
  const app = await addApp(far.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const cam = await publish(client);
  await run(client, pushes, `${far.rtmp}/far/codecs`, 'out');
  await hears(client, 'Publish.Start');
  const viewer = await watch(`${far.rtmp}/far/codecs`, 'out', { fourCcList: ['*'], capsEx: 6 });
  const pictures = [
    bytes('90 68766331 0101600000'),
    bytes('93 68766331 00000005 26011122'),
    bytes('a1 68766331 000000 00000005 02011133'),
    bytes('96 21 68766331 00 000004 11223344 61763031 01 000004 55667788'),
  ];
  const sounds = [bytes('90 4f707573 4f70757348656164'), bytes('91 4f707573 fc112233')];
  for (const [i, payload] of pictures.entries()) cam.video(i * 40, payload);
  for (const [i, payload] of sounds.entries()) cam.audio(i * 40, payload);
  await viewer.waitForMedia(sounds[1]!);
  const got = viewer.media.map(({ payload }) => hex(payload));
  for (const payload of [...pictures, ...sounds]) expect(got).toContain(hex(payload));
});

test('a source that goes and another that comes: the other side has one stream, whose times go on', async () => {
  const app = await addApp(far.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const first = await publish(client);
  await run(client, pushes, `${far.rtmp}/far/sources`, 'out');
  const viewer = await watch(`${far.rtmp}/far/sources`, 'out');
  first.video(500_000, avcHeader);
  first.video(500_000, keyFrame(1));
  first.video(500_040, interFrame(2));
  await viewer.waitForMedia(interFrame(2));
  await first.settled();
  first.command('closeStream');
  await first.status('NetStream.Unpublish.Success');
  const second = await publish(client);
  second.data(0, '@setDataFrame', 'onMetaData', { width: 8 });
  second.video(0, avcHeader);
  second.video(0, keyFrame(3));
  second.video(40, interFrame(4));
  await viewer.waitForMedia(interFrame(4));
  const times = viewer.media.filter(({ type }) => type === Type.Video).map(({ timestamp }) => timestamp);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times.at(-1)! - times[0]!).toBeLessThan(5000);
  expect(viewer.codes).not.toContain('NetStream.Play.UnpublishNotify');
  const { args } = await viewer.waitForData('onMetaData');
  expect(args[0]).toMatchObject({ width: 8 });
});

test('another side that is too slow: pictures are left out by whole groups, and after too long it ends', async () => {
  const network = await SlowNetwork.before(far.rtmp);
  const url = network.url.replace('http:', 'rtmp:');
  const app = await addApp(url);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const cam = await publish(client);
  await run(client, pushes, `${url}/far/slow`, 'out');
  const viewer = await watch(`${far.rtmp}/far/slow`, 'out');
  const local = await watch(`${near.rtmp}/${app}/room`, 'cam');
  let at = 0;
  /** A second of the stream, a megabyte. */
  const second = async () => {
    for (let i = 0; i < 10; i++, at += 100) {
      const payload = new Uint8Array(100_000);
      payload.set(i === 0 ? keyFrame(at) : interFrame(at));
      cam.video(at, payload);
    }
    await cam.settled();
  };
  cam.video(0, avcHeader);
  await second();
  await viewer.received.waitFor(
    'a picture',
    ({ type, timestamp }) => type === Type.Video && timestamp >= 900,
  );
  network.isStalled = true;
  // What the systems in between hold comes first.
  await eventually('the script to hear that it is slow', async () => {
    await second();
    return (await heardBy(client)).some(([code]) => code === 'Play.InsufficientBW');
  });
  const before = at;
  network.isStalled = false;
  await eventually('pictures again', async () => {
    await second();
    return viewer.media.some(({ type, timestamp }) => type === Type.Video && timestamp > before);
  });
  const times = viewer.media.filter(({ type }) => type === Type.Video).map(({ timestamp }) => timestamp);
  const afterGaps = times.filter((time, i) => i > 0 && time - times[i - 1]! > 100);
  expect(afterGaps.length).toBeGreaterThan(0);
  expect(afterGaps.filter((time) => time % 1000 !== 0)).toEqual([]);
  // The source and its viewers have noticed nothing.
  await local.received.waitFor('the last picture', ({ timestamp }) => timestamp === at - 100);

  network.isStalled = true;
  await eventually('the end', async () => {
    await second();
    return (await heardBy(client)).some(([code]) => code === 'Failed');
  });
  expect((await heardBy(client)).at(-1)).toEqual([
    'Failed',
    'out: the other side has been slower than the stream for too long.',
  ]);
});

test('with a buffer time, what waits longer is left out though there is room for it', async () => {
  const network = await SlowNetwork.before(far.rtmp);
  const url = network.url.replace('http:', 'rtmp:');
  const app = await addApp(url);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const cam = await publish(client);
  await run(client, `${pushes} application.ns.setBufferTime(0.2);`, `${url}/far/buffered`, 'out');
  await hears(client, 'Publish.Start');
  network.isStalled = true;
  let at = 0;
  const picture = async () => {
    const payload = new Uint8Array(20_000);
    payload.set(keyFrame(at));
    cam.video(at, payload);
    at += 40;
    await cam.settled();
  };
  await eventually('the script to hear that it is slow', async () => {
    await picture();
    return (await heardBy(client)).some(([code]) => code === 'Play.InsufficientBW');
  });
});

test('a server that never answers, answers nonsense, refuses, or says what it must not', async () => {
  const answers: Record<
    string,
    (transaction: number, guest: import('../support/rtmp-server.ts').Guest) => void
  > = {
    silent: () => {},
    text: (transaction, guest) => guest.answer(transaction, 'one'),
    huge: (transaction, guest) => guest.answer(transaction, 2 ** 40),
    error: (transaction, guest) => guest.command(0, '_error', transaction, null, { code: 'No' }),
    unpublished: (transaction, guest) => guest.answer(transaction, 1),
    refused: (transaction, guest) => guest.answer(transaction, 2),
    odd: (transaction, guest) => guest.answer(transaction, 3),
  };
  let way = '';
  const fake = await FakeServer.start(({ name, transaction, streamId }, guest) => {
    if (name === 'createStream') answers[way]!(transaction, guest);
    if (name !== 'publish') return;
    if (streamId === 2) guest.status(streamId, 'NetStream.Publish.Denied', 'error', 'not you');
    if (streamId !== 3) return;
    // Of other streams, of nothing, and what nobody knows.
    guest.status(7, 'NetStream.Publish.BadName', 'error');
    guest.command(streamId, 'onStatus', 0, null);
    guest.command(streamId, 'onStatus', 0, null, 5);
    guest.command(streamId, 'onStatus', 0, null, { code: 7, level: null });
    guest.send({ type: Type.Video, streamId, timestamp: 0, payload: keyFrame(1) });
    guest.send({ type: Type.DataAmf0, streamId, timestamp: 0, payload: Uint8Array.of(9, 9) });
    guest.status(streamId, 'NetStream.Odd.Code', 'status', 'x'.repeat(5000));
    guest.status(streamId, 'NetStream.Publish.Start');
    guest.status(streamId, 'NetStream.Publish.Start');
  });
  const app = await addApp(fake.url, { outgoingConnectMs: 1000 });
  const client = await connect(`${near.rtmp}/${app}/room`);
  await publish(client);
  await run(client, `${pushes} application.push = push;`, fake.url, 'first');
  const endOf = async (kind: string): Promise<[string, string][]> => {
    way = kind;
    await run(client, `application.heard.length = 0; application.push('${kind}');`);
    await eventually(`an end of ${kind}`, async () => (await heardBy(client)).length > 0);
    return heardBy(client);
  };
  way = 'silent';
  await fake.asked.waitFor('createStream', ({ name }) => name === 'createStream');
  expect(fake.asked.entries.map(({ name }) => name)).toEqual(['releaseStream', 'FCPublish', 'createStream']);
  await hears(client, 'Failed');
  const why = (text: string) => [['Failed', expect.stringContaining(text)]];
  expect(await endOf('silent')).toEqual(why('no answer to createStream within 1000 ms'));
  expect(await endOf('text')).toEqual(why('has answered createStream with string'));
  expect(await endOf('huge')).toEqual(why('has answered createStream with 1099511627776'));
  expect(await endOf('error')).toEqual(why('makes no stream for it'));
  expect(await endOf('unpublished')).toEqual(why('no answer to publish within 1000 ms'));
  expect(await endOf('refused')).toEqual([['Publish.Denied', 'not you']]);
  await endOf('odd');
  await eventually('both starts', async () => (await heardBy(client)).length >= 4);
  expect((await heardBy(client)).map(([code, text]) => [code, text.length])).toEqual([
    ['', 0],
    ['Odd.Code', 1000],
    ['Publish.Start', 0],
    ['Publish.Start', 0],
  ]);
  for (const guest of fake.guests) guest.socket.destroy();
  await hears(client, 'Failed');
});

test('more streams than limits.outgoingStreams are refused, and one that ends makes room', async () => {
  const app = await addApp(far.rtmp, { outgoingStreams: 2 });
  const client = await connect(`${near.rtmp}/${app}/room`);
  await run(client, `${pushes} application.push = push; push('b'); push('c');`, `${far.rtmp}/far/many`, 'a');
  await hears(client, 'Failed');
  expect((await heardBy(client)).find(([code]) => code === 'Failed')).toEqual([
    'Failed',
    '2 streams are published elsewhere, and that is the limit (limits.outgoingStreams).',
  ]);
  await run(client, 'application.ns.publish(false);');
  await hears(client, 'Unpublish.Success');
  await run(client, "application.heard.length = 0; application.push('c');");
  await hears(client, 'Publish.Start');
});

test('new code takes over what is published, and the other side notices nothing', async () => {
  const app = await addApp(far.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const cam = await publish(client);
  const uri = `${far.rtmp}/far/reload?key=secret`;
  await run(client, pushes, uri, 'out');
  const viewer = await watch(`${far.rtmp}/far/reload`, 'out');
  cam.video(0, avcHeader);
  cam.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  const from = near.log.mark;
  near.writeFile(`${app}/main.js`, `${runsCode} // newer`);
  await near.waitForLog(
    (r) => r.instance === `${app}/room` && /reloaded|new code|runs/.test(r.message),
    from,
  );
  await eventually(
    'new code',
    async () => (await run(client, 'return typeof application.nc;')) === 'undefined',
  );
  cam.video(1000, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
  await run(client, pushes, uri, 'out');
  await hears(client, 'Publish.Start');
  cam.video(2000, keyFrame(3));
  await viewer.waitForMedia(keyFrame(3));
  expect(viewer.codes).not.toContain('NetStream.Play.UnpublishNotify');
  // It is that script's now, and ends with its connection.
  await run(client, 'application.nc.close();');
  await hears(client, 'Failed');
  await viewer.status('NetStream.Play.UnpublishNotify');
});

test('what an older script has published ends with its stream', async () => {
  const app = await addApp(far.rtmp);
  const client = await connect(`${near.rtmp}/${app}/room`);
  const cam = await publish(client);
  await run(client, pushes, `${far.rtmp}/far/orphan`, 'out');
  await hears(client, 'Publish.Start');
  const viewer = await watch(`${far.rtmp}/far/orphan`, 'out');
  near.writeFile(`${app}/main.js`, `${runsCode} // newer`);
  await eventually(
    'new code',
    async () => (await run(client, 'return typeof application.nc;')) === 'undefined',
  );
  cam.video(0, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
  cam.command('closeStream');
  await viewer.status('NetStream.Play.UnpublishNotify');
  await eventually('the connection to end', async () => (await far.instance('far', 'orphan')).clients === 1);
});

test('streams that are published where each comes from are found', async () => {
  const app = await addApp(near.rtmp);
  const client = await connect(`${near.rtmp}/${app}/one`);
  const code = `${pushes}
    const back = new NetConnection();
    back.connect(uri);
    const ns = new NetStream(back);
    ns.onStatus = ({ code, description }) => void application.heard.push([code.replace('NetStream.', ''), description]);
    ns.attach(Stream.get('two'));
    ns.publish('cam');`;
  await run(client, code, `rtmp:/${app}/one`, 'two');
  await eventually('it to be found', async () =>
    (await heardBy(client)).some(([, why]) => why.endsWith('it would publish what it publishes.')),
  );
});
