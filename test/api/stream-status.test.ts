import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { DEADLINE_MS, eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { sendTags, showTags, tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect, type Info, RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const flags = { hasAudio: true, hasVideo: true };
const flv = (seconds: number) =>
  Buffer.concat([encodeFlvHeader(flags), ...showTags(seconds).map(encodeFlvTag)]);
const server = useServer({
  limits: { publishTimeoutMs: 300, publishIdleMs: 500, viewerQueueBytes: 65_536, slowViewerMs: 200 },
  apps: {
    rows: {
      'main.asc': `${runsCode}
        heard = [];
        Stream.prototype.onStatus = function (info) { heard.push(info.code + ' ' + info.level); };`,
      'app.json': JSON.stringify({ limits: { recordingBytes: 60_000 } }),
    },
    brief: { 'app.json': JSON.stringify({ limits: { recordingMs: 900 } }) },
    closed: {
      'main.ts': "application.onConnect = (client) => { client.readAccess = 'open'; return true; };",
    },
    modern: {
      'main.ts': `
        application.onConnect = () => true;
        application.authorizePublish = async (_client, stream) => stream.name === 'yes' || 'not that one';
        application.authorizePlay = (_client, stream) => {
          if (stream.name === 'throws') throw new Error('hidden');
          return stream.name === 'yes';
        };`,
    },
  },
  fileDirectories: { brief: { '/streams': {} } },
});

/** Every status that one client of each kind hears of a stream's life, by code. */
const heard = new Map<string, Info & { of: string }>();
/** Those that come as data. */
const told = new Map<string, Record<string, unknown>>();
let script: string[] = [];

const folder = () => join(server.appsFolder, 'rows/streams/life');
const seen = (of: string, stream: ClientStream) => {
  for (const { name, args } of stream.received.entries) {
    const info = args?.[0] as Info | undefined;
    if (name === 'onStatus' && info && !heard.has(info.code)) heard.set(info.code, { ...info, of });
    if (name === 'onPlayStatus' && info) told.set(info.code, info as unknown as Record<string, unknown>);
  }
};

beforeAll(async () => {
  mkdirSync(folder(), { recursive: true });
  writeFileSync(join(folder(), 'one.flv'), flv(3));
  writeFileSync(join(folder(), 'two.flv'), flv(1));
  mkdirSync(join(folder(), 'taken.flv'));
  writeFileSync(join(folder(), 'text.flv'), 'no flv');
  const dial = async (url = `${server.rtmp}/rows/life`) => {
    const client = await RtmpClient.dial(url);
    await client.connect();
    return client;
  };
  const client = await dial();
  await run(client, "Stream.get('cam'); Stream.get('two'); Stream.get('none')");
  const stream = async (of = client) => of.createStream();

  // A live stream, from before it is there until after it is gone.
  const early = await stream(await dial());
  await early.play('cam');
  const publisher = await stream();
  await publisher.publish('cam', 'record');
  await publisher.status('NetStream.Record.Start');
  publisher.command('publish', 'cam');
  await publisher.status('NetStream.Failed');
  const second = await stream(await dial());
  await second.publish('cam');
  await early.status('NetStream.Play.PublishNotify');
  early.command('seek', 1000);
  await early.status('NetStream.Seek.Failed');
  for (let i = 0; i < 2000; i++) publisher.video(i * 40, i % 25 === 0 ? keyFrame(i) : interFrame(i));
  await publisher.status('NetStream.Record.Stop');
  publisher.command('closeStream');
  await publisher.status('NetStream.Unpublish.Success');
  await early.status('NetStream.Play.UnpublishNotify');
  for (const [name, mode, code] of [
    ['taken', 'append', 'NetStream.Record.NoAccess'],
    ['text', 'append', 'NetStream.Record.Failed'],
  ] as const) {
    const other = await stream();
    await other.publish(name, mode);
    await other.status(code);
    seen('publisher', other);
  }

  // A playlist of recordings, with pause and seek.
  const player = await stream(await dial());
  player.command('play', 'one', 0, -1, 1);
  player.command('play', 'two', 0, -1, 0);
  await player.waitForMedia(interFrame(10));
  player.command('pause', true, 100);
  await player.status('NetStream.Pause.Notify');
  player.command('pause', false, 100);
  await player.status('NetStream.Unpause.Notify');
  player.command('seek', 1000);
  await player.status('NetStream.Seek.Notify');
  player.command('seek', 99_000);
  await player.status('NetStream.Seek.InvalidTime');
  await player.status('NetStream.Play.Stop');
  const lost = await stream();
  await lost.play('none', 0);

  // One who may not, and one who does not read.
  const stranger = await stream(await dial(`${server.rtmp}/closed/life`));
  await stranger.play('secret');
  const slow = await dial(`${server.rtmp}/rows/slow`);
  const behind = await stream(slow);
  await behind.play('flood');
  const flood = await stream(await dial(`${server.rtmp}/rows/slow`));
  await flood.publish('flood');
  flood.video(0, avcHeader);
  slow.pauseReading();
  const big = new Uint8Array(60_000);
  for (let i = 0; i < 200; i++) {
    big.set(i === 0 ? keyFrame(i) : interFrame(i));
    flood.video(i * 40, big.slice());
    await flood.settled();
  }
  const pushing = setInterval(() => flood.video(9000, big.slice()), 20);
  await new Promise((resolve) => setTimeout(resolve, 400));
  slow.resumeReading();
  await behind.status('NetStream.Play.InsufficientBW').finally(() => clearInterval(pushing));

  await run(client, "Stream.get('two').clear(); Stream.get('none').clear()");
  await eventually('what the script hears', async () => {
    script = (await run(client, 'return heard')) as string[];
    return script.includes('NetStream.Clear.Failed error');
  });
  for (const [of, each] of Object.entries({ early, publisher, second, player, lost, stranger, behind }))
    seen(of, each);
}, 60_000);

const statuses: [id: string, code: string, level: Info['level'], of: string][] = [
  ['ST-05', 'NetStream.Failed', 'error', 'publisher'],
  ['ST-06', 'NetStream.Play.Failed', 'error', 'stranger'],
  ['ST-07', 'NetStream.Play.StreamNotFound', 'error', 'lost'],
  ['ST-08', 'NetStream.Publish.BadName', 'error', 'second'],
  ['ST-09', 'NetStream.Record.Failed', 'error', 'publisher'],
  ['ST-10', 'NetStream.Record.NoAccess', 'error', 'publisher'],
  ['ST-11', 'NetStream.Seek.Failed', 'error', 'early'],
  ['ST-19', 'NetStream.Seek.InvalidTime', 'error', 'player'],
  ['ST-20', 'NetStream.Record.DiskQuotaExceeded', 'error', 'publisher'],
  ['ST-33', 'NetStream.Pause.Notify', 'status', 'player'],
  ['ST-34', 'NetStream.Unpause.Notify', 'status', 'player'],
  ['ST-36', 'NetStream.Play.Stop', 'status', 'player'],
  ['ST-38', 'NetStream.Play.PublishNotify', 'status', 'early'],
  ['ST-39', 'NetStream.Play.UnpublishNotify', 'status', 'early'],
  ['ST-42', 'NetStream.Publish.Start', 'status', 'publisher'],
  ['ST-43', 'NetStream.Unpublish.Success', 'status', 'publisher'],
  ['ST-44', 'NetStream.Record.Start', 'status', 'publisher'],
  ['ST-45', 'NetStream.Record.Stop', 'status', 'publisher'],
  ['ST-46', 'NetStream.Seek.Notify', 'status', 'player'],
  ['ST-68', 'NetStream.Play.InsufficientBW', 'warning', 'behind'],
];
for (const [id, code, level, of] of statuses) {
  test(`${id}: ${code} is told with its level, a description, the stream's name and the client's id`, () => {
    expect(heard.get(code)).toMatchObject({
      level,
      of,
      description: expect.stringMatching(/\S/),
      details: expect.stringMatching(/\S/),
      clientid: expect.stringMatching(/\S/),
    });
  });
}

const data: [id: string, code: string, more: object][] = [
  ['ST-40', 'NetStream.Play.Complete', { level: 'status', duration: 0.97, bytes: expect.any(Number) }],
  ['ST-41', 'NetStream.Play.Switch', { level: 'status' }],
];
for (const [id, code, more] of data)
  test(`${id}: ${code} comes as onPlayStatus`, () => expect(told.get(code)).toMatchObject(more));

test('ST-35: NetStream.Play.Start names what plays, of each item of a list', async () => {
  const stream = await (await connect(`${server.rtmp}/rows/life`)).createStream();
  stream.command('play', 'one', 0, -1, 1);
  stream.command('play', 'one', 0, 0, 0);
  await stream.status('NetStream.Play.Stop');
  const starts = stream.received.entries.filter(
    ({ args }) => (args?.[0] as Info | undefined)?.code === 'NetStream.Play.Start',
  );
  expect(starts.map(({ args }) => (args[0] as Info).details)).toEqual(['one', 'one']);
});

test('ST-37: NetStream.Play.Reset comes before the first item, and not when one is added', async () => {
  const stream = await (await connect(`${server.rtmp}/rows/life`)).createStream();
  stream.command('play', 'one', 0, -1, 1);
  stream.command('play', 'one', 2000, -1, 0);
  await stream.status('NetStream.Play.Stop');
  expect(stream.codes).toEqual([
    'NetStream.Play.Reset',
    'NetStream.Play.Start',
    'NetStream.Play.Start',
    'NetStream.Play.Stop',
  ]);
});

test('ST-54: NetStream.Publish.Idle is told once, each time that a publisher falls silent', async () => {
  const publisher = await (await connect(`${server.rtmp}/rows/idle`)).createStream();
  await publisher.publish('still', 'live');
  const heard = await publisher.status('NetStream.Publish.Idle');
  expect(heard).toMatchObject({
    level: 'status',
    details: 'still',
    description: expect.stringMatching(/\S/),
  });
  const from = publisher.mark;
  publisher.data(0, 'alive');
  await publisher.status('NetStream.Publish.Idle', from);
  publisher.command('closeStream');
  await publisher.status('NetStream.Unpublish.Success');
  expect(publisher.codes).toEqual([
    'NetStream.Publish.Start',
    'NetStream.Publish.Idle',
    'NetStream.Publish.Idle',
    'NetStream.Unpublish.Success',
  ]);
});

test('ST-18: NetStream.Clear.Failed is told to the script', () =>
  expect(script).toContain('NetStream.Clear.Failed error'));
test('ST-53: NetStream.Clear.Success is told to the script', () =>
  expect(script).toContain('NetStream.Clear.Success status'));

test('CFG-06: recordings lie where fileDirectories puts /streams', async () => {
  const stream = await (await connect(`${server.rtmp}/brief/room`)).createStream();
  await stream.publish('cam', 'record');
  await stream.status('NetStream.Record.Start');
  stream.video(0, keyFrame(1));
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
  expect(tagsOf(join(server.appsFolder, '../elsewhere/brief/streams/room/cam.flv')).length).toBeGreaterThan(
    1,
  );
});

test('CFG-08: a silent publisher keeps its name for limits.publishTimeoutMs', async () => {
  const silent = await connect(`${server.rtmp}/rows/timeout`, { answersPings: false });
  await (await silent.createStream()).publish('cam');
  const next = await (await connect(`${server.rtmp}/rows/timeout`)).createStream();
  const startedAt = performance.now();
  expect((await next.publish('cam')).code).toBe('NetStream.Publish.Start');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
});

test('CFG-22: streams.virtual maps the beginning of a name to another folder', async () => {
  server.writeFile('rows/elsewhere/clip.flv', flv(1));
  server.writeFile(
    'rows/app.json',
    JSON.stringify({ limits: { recordingBytes: 60_000 }, streams: { virtual: { films: '/elsewhere' } } }),
  );
  const client = await connect(`${server.rtmp}/rows/virtual`);
  await expect.poll(() => client.call('getStreamLength', 'films/clip'), { timeout: DEADLINE_MS }).toBe(0.97);
});

test('CFG-27: streams.eraseOnPublish is false until app.json says otherwise', async () => {
  server.writeFile(
    'brief/app.json',
    JSON.stringify({ limits: { recordingMs: 900 }, streams: { eraseOnPublish: true } }),
  );
  server.writeFile('../elsewhere/brief/streams/erase/cam.flv', flv(1));
  server.writeFile('rows/streams/erase/cam.flv', flv(1));
  const lengthIn = async (app: string) =>
    (await connect(`${server.rtmp}/${app}/erase`)).call('getStreamLength', 'cam');
  await eventually('the new app.json', async () => {
    const stream = await (await connect(`${server.rtmp}/brief/erase`)).createStream();
    await stream.publish('cam');
    stream.command('closeStream');
    return (await lengthIn('brief')) === 0;
  });
  await (await (await connect(`${server.rtmp}/rows/erase`)).createStream()).publish('cam');
  expect(await lengthIn('rows')).toBe(0.97);
});

test('CFG-28: Play.Start comes again after seek and after unpause', async () => {
  const stream = await (await connect(`${server.rtmp}/rows/life`)).createStream();
  await stream.play('one', 0);
  await stream.waitForMedia(interFrame(10));
  for (const [command, ...args] of [
    ['seek', 1000],
    ['pause', true, 1000],
    ['pause', false, 1000],
  ] as const) {
    const from = stream.mark;
    stream.command(command, ...args);
    if (args[0] !== true) await stream.status('NetStream.Play.Start', from);
    else await stream.status('NetStream.Pause.Notify', from);
  }
});

test('CFG-29: onMetaData comes again after a seek', async () => {
  const client = await connect(`${server.rtmp}/rows/metadata`);
  const recorder = await client.createStream();
  await recorder.publish('cam', 'record');
  sendTags(recorder, showTags(2));
  recorder.command('closeStream');
  await recorder.status('NetStream.Record.Stop');
  const stream = await client.createStream();
  await stream.play('cam', 0);
  await stream.waitForData('onMetaData');
  const from = stream.mark;
  stream.command('seek', 1000);
  await stream.waitForData('onMetaData', from);
});

test('CFG-30: limits.recordingMs and limits.recordingBytes end a recording', async () => {
  expect(heard.get('NetStream.Record.DiskQuotaExceeded')?.description).toContain('60000');
  const stream = await (await connect(`${server.rtmp}/brief/limits`)).createStream();
  await stream.publish('cam', 'record');
  for (let i = 0; i < 50; i++) stream.video(i * 40, keyFrame(i));
  expect((await stream.status('NetStream.Record.DiskQuotaExceeded')).description).toContain('0.9 s');
});

test('MOD-07: authorizePlay refuses with false, a rejection, or what it throws', async () => {
  const client = await connect(`${server.rtmp}/modern/room`);
  for (const [name, code] of [
    ['yes', 'NetStream.Play.Start'],
    ['no', 'NetStream.Play.Failed'],
    ['throws', 'NetStream.Play.Failed'],
  ] as const)
    expect((await (await client.createStream()).play(name)).code).toBe(code);
});
