import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { EcmaArray } from '../../wire/values.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame, metadata } from '../support/media.ts';
import { sendTags, showTags, type Tag, tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: {
    viewerQueueBytes: 65_536,
    slowViewerMs: 60_000,
    publishTimeoutMs: 500,
    mediaMessageBytes: 1_048_576,
  },
  apps: {
    rows: {
      'main.asc': `${runsCode}
        heard = [];
        listen = function (name) {
          var s = Stream.get(name);
          s.onStatus = function (info) { heard.push(info.code.replace('NetStream.', '') + ' ' + info.details); };
          return s;
        };
        application.authorizePublish = function (client, stream) { asked = stream.publishMode; return true; };
        application.onPublish = function (client, stream) { lastPublished = stream; };`,
      'app.json': JSON.stringify({ limits: { recordingMs: 60_000 } }),
    },
    old: { 'app.json': JSON.stringify({ streams: { eraseOnPublish: true } }) },
    virtual: {
      'app.json': JSON.stringify({
        streams: { virtual: { films: '/videos/low', 'films/high': '/videos/high' } },
      }),
    },
  },
});

let rooms = 0;
const newRoom = () => `s${rooms++}`;
const fileOf = (room: string, name: string) => join(server.appsFolder, 'rows/streams', room, `${name}.flv`);

async function join_(room: string): Promise<RtmpClient> {
  return connect(`${server.rtmp}/rows/${room}`);
}

async function publish(client: RtmpClient, name: string): Promise<ClientStream> {
  const stream = await client.createStream();
  expect((await stream.publish(name)).code).toBe('NetStream.Publish.Start');
  return stream;
}

async function play(client: RtmpClient, name: string): Promise<ClientStream> {
  const stream = await client.createStream();
  await stream.play(name);
  return stream;
}

function write(room: string, name: string, tags: readonly Tag[]): void {
  const file = fileOf(room, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(
    file,
    Buffer.concat([encodeFlvHeader({ hasAudio: true, hasVideo: true }), ...tags.map(encodeFlvTag)]),
  );
}

/** Numbers of the pictures so far: what media.ts put into them. */
const pictures = (stream: ClientStream) =>
  stream.media
    .filter(({ type, payload }) => type === Type.Video && payload[1] === 1)
    .map(({ payload }) => Buffer.from(payload.subarray(-4)).readUInt32BE());
const heard = (client: RtmpClient) => run(client, 'return heard') as Promise<string[]>;
const hears = (client: RtmpClient, what: string) =>
  expect.poll(() => heard(client), { timeout: DEADLINE_MS }).toContain(what);

test('STR-01: Stream.get is one object for each name, and null for what is no name', async () => {
  const client = await join_(newRoom());
  expect(await run(client, "return Stream.get('a') === Stream.get('a') && Stream.get('a').name")).toBe('a');
  expect(await run(client, "return Stream.get('mp4:b.f4v').name")).toBe('b.f4v');
  expect(await run(client, "return [Stream.get('../x'), Stream.get(''), Stream.get('/x')]")).toEqual([
    null,
    null,
    null,
  ]);
  await publish(client, 'live');
  expect(await run(client, "return Stream.get('live') === lastPublished")).toBe(true);
});

test('STR-02: Stream.length is the seconds of a recording, 0 for none', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(3));
  const client = await join_(room);
  const code =
    "return [Stream.length('clip'), Stream.length('flv:clip'), Stream.length('no'), Stream.length('../x')]";
  expect(await run(client, code)).toEqual([2.97, 2.97, 0, 0]);
});

test('STR-03: Stream.size is the bytes of a recording, 0 for none', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(3));
  const client = await join_(room);
  const bytes = 13 + showTags(3).reduce((sum, { payload }) => sum + 15 + payload.length, 0);
  expect(await run(client, "return [Stream.size('clip'), Stream.size('no')]")).toEqual([bytes, 0]);
});

test('STR-04: getOnMetaData is what a recording says of itself', async () => {
  const room = newRoom();
  const client = await join_(room);
  const stream = await client.createStream();
  await stream.publish('clip', 'record');
  stream.data(0, '@setDataFrame', 'onMetaData', new EcmaArray(metadata));
  sendTags(stream, showTags(2));
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
  expect(await run(client, "return Stream.getOnMetaData('clip')")).toMatchObject({
    ...metadata,
    duration: 1.97,
  });
  expect(await run(client, "return Stream.getOnMetaData('no')")).toBe(null);
});

test('STR-06: Stream.destroy ends what the server plays and records', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(30));
  const client = await join_(room);
  await run(client, "var s = listen('out'); s.play('clip', 0); s.record(); s");
  await expect.poll(() => existsSync(fileOf(room, 'out')), { timeout: DEADLINE_MS }).toBe(true);
  expect(await run(client, "return Stream.destroy(Stream.get('out'))")).toBe(true);
  const duration = () => run(client, "return Stream.getOnMetaData('out').duration");
  await expect.poll(duration, { timeout: DEADLINE_MS }).toBeGreaterThan(0);
  expect(await duration()).toBeLessThan(29);
  const viewer = await client.createStream();
  await viewer.play('out', -1000);
  await viewer.settled();
  expect(pictures(viewer)).toEqual([]);
});

test('STR-07: bufferTime is two seconds until it is set, and read-only', async () => {
  const client = await join_(newRoom());
  expect(await run(client, "return Stream.get('a').bufferTime")).toBe(2);
  await client.callFails('run', "Stream.get('a').bufferTime = 3");
});

test('STR-22: setBufferTime sets it', async () => {
  const client = await join_(newRoom());
  const code =
    "var s = Stream.get('a'); return [s.setBufferTime(5), s.bufferTime, Stream.get('b').bufferTime]";
  expect(await run(client, code)).toEqual([true, 5, 2]);
});

test('STR-11: name has neither prefix nor query', async () => {
  const client = await join_(newRoom());
  expect(await run(client, "return Stream.get('mp4:shows/a.f4v').name")).toBe('shows/a.f4v');
  await publish(client, 'cam?key=1');
  expect(await run(client, 'return lastPublished.name')).toBe('cam');
});

test('STR-12: publishQueryString is what followed the name, also on the object that was there before', async () => {
  const client = await join_(newRoom());
  await run(client, "held = Stream.get('cam')");
  await publish(client, 'cam?key=1&x=2');
  expect(await run(client, 'return [lastPublished === held, held.publishQueryString]')).toEqual([
    true,
    'key=1&x=2',
  ]);
});

for (const mode of ['live', 'record', 'append', 'appendWithGap', 'else']) {
  test(`MOD-24: publishMode of who publishes with ${mode} is told before it may`, async () => {
    const told = mode === 'else' ? 'live' : mode;
    const client = await join_(newRoom());
    await run(client, "heldBefore = Stream.get('cam'); return heldBefore.publishMode").then((before) =>
      expect(before).toBe(''),
    );
    const stream = await client.createStream();
    expect((await stream.publish('cam', mode)).code).toBe('NetStream.Publish.Start');
    expect(await run(client, 'return [asked, lastPublished.publishMode, heldBefore.publishMode]')).toEqual([
      told,
      told,
      told,
    ]);
  });
}

test('MOD-24: authorizePublish may refuse to record', async () => {
  const client = await join_(newRoom());
  await run(client, "application.authorizePublish = (client, stream) => stream.publishMode === 'live'");
  const stream = await client.createStream();
  expect((await stream.publish('cam', 'record')).code).toBe('NetStream.Publish.BadName');
  expect((await stream.publish('cam', 'live')).code).toBe('NetStream.Publish.Start');
});

for (const [id, name, left, type] of [
  ['STR-13', 'receiveAudio', 'sound', Type.Audio],
  ['STR-14', 'receiveVideo', 'pictures', Type.Video],
] as const) {
  test(`${id}: ${name} = false leaves out the ${left} of what the server plays`, async () => {
    const room = newRoom();
    write(room, 'clip', showTags(20));
    const client = await join_(room);
    await run(client, `var s = Stream.get('out'); s.${name} = false; s.play('clip', 0)`);
    const viewer = await play(client, 'out');
    const frames = () => viewer.media.filter(({ type: of }) => of === Type.Audio || of === Type.Video);
    await expect.poll(() => frames().length, { timeout: DEADLINE_MS }).toBeGreaterThan(5);
    expect(frames().filter(({ type: of }) => of === type)).toEqual([]);
  });
}

test('STR-15: with syncWrite each message is in the file at once', async () => {
  const room = newRoom();
  const client = await join_(room);
  const source = await publish(client, 'cam');
  await run(client, "var s = listen('cam'); s.syncWrite = true; s.record()");
  await hears(client, 'Record.Start cam');
  source.video(0, keyFrame(1));
  await expect
    .poll(() => tagsOf(fileOf(room, 'cam')).filter(({ type }) => type === 9).length, {
      timeout: 900,
      interval: 20,
    })
    .toBe(1);
});

test('STR-17: play makes the server the source, and a client that publishes is unpublished', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(20));
  const client = await join_(room);
  const publisher = await publish(client, 'out');
  const viewer = await play(client, 'out');
  expect(await run(client, "return listen('out').play('clip', 0)")).toBe(true);
  await publisher.status('NetStream.Unpublish.Success');
  await viewer.status('NetStream.Play.UnpublishNotify');
  await viewer.status('NetStream.Play.PublishNotify');
  await expect.poll(() => pictures(viewer).slice(0, 5), { timeout: DEADLINE_MS }).toEqual([0, 1, 2, 3, 4]);
  await hears(client, 'Play.Start clip');
  expect((await publisher.publish('out')).code).toBe('NetStream.Publish.BadName');
  expect(await run(client, "return Stream.get('out').play(false)")).toBe(true);
  expect(await run(client, "return Stream.get('out').play(false)")).toBe(false);
  expect((await publisher.publish('out')).code).toBe('NetStream.Publish.Start');
});

test('STR-17: start and length are those of the recording; what is not there is told, and so is what plays itself', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(20));
  const client = await join_(room);
  const viewer = await play(client, 'out');
  await run(client, "listen('out').play('clip', 10, 0.2)");
  await hears(client, 'Play.Stop clip');
  await expect.poll(() => pictures(viewer), { timeout: DEADLINE_MS }).toEqual([250, 251, 252, 253, 254]);
  await run(client, "Stream.get('out').play('none', 0)");
  await hears(client, 'Play.StreamNotFound none');
  await run(client, "listen('a').play('b', -1); listen('b').play('a', -1)");
  await hears(client, 'Play.Failed a');
  expect(await run(client, "return Stream.get('out').play('../x')")).toBe(false);
});

test('STR-18: record writes what the stream carries; append goes on; false ends it; limits hold', async () => {
  const room = newRoom();
  const client = await join_(room);
  const source = await publish(client, 'cam');
  source.video(0, avcHeader);
  source.audio(0, aacHeader);
  source.video(1000, keyFrame(1));
  await source.settled();
  expect(await run(client, "return listen('cam').record('record')")).toBe(true);
  await hears(client, 'Record.Start cam');
  source.video(1040, interFrame(2));
  source.audio(1045, aacFrame(3));
  await source.settled();
  expect(await run(client, "return Stream.get('cam').record(false)")).toBe(true);
  await hears(client, 'Record.Stop cam');
  const first = tagsOf(fileOf(room, 'cam')).filter(({ type }) => type !== 18);
  expect(first.map(({ type, timestamp }) => [type, timestamp])).toEqual([
    [9, 0],
    [8, 0],
    [9, 0],
    [9, 40],
    [8, 45],
  ]);
  await run(client, "heard = []; Stream.get('cam').record('append', 3)");
  await hears(client, 'Record.Start cam');
  for (let i = 0; i < 100; i++) source.video(2000 + i * 40, i % 25 === 0 ? keyFrame(i) : interFrame(i));
  await hears(client, 'Record.DiskQuotaExceeded cam');
  await hears(client, 'Record.Stop cam');
  const all = tagsOf(fileOf(room, 'cam'));
  expect(all.length).toBeGreaterThan(first.length + 10);
  expect(all.at(-1)!.timestamp).toBeLessThanOrEqual(3000);
  expect(await run(client, "return Stream.get('cam').record(false)")).toBe(false);
});

test('STR-19: clear removes the recording', async () => {
  const room = newRoom();
  write(room, 'cam', showTags(1));
  const client = await join_(room);
  expect(await run(client, "return listen('cam').clear()")).toBe(true);
  expect(existsSync(fileOf(room, 'cam'))).toBe(false);
  await hears(client, 'Clear.Success cam');
  expect(await run(client, "return Stream.get('cam').clear()")).toBe(false);
  await hears(client, 'Clear.Failed cam');
});

test('STR-20: flush writes what was recorded so far', async () => {
  const room = newRoom();
  const client = await join_(room);
  const source = await publish(client, 'cam');
  await run(client, "listen('cam').record()");
  await hears(client, 'Record.Start cam');
  source.video(0, keyFrame(1));
  await source.settled();
  expect(await run(client, "return Stream.get('cam').flush()")).toBe(true);
  expect(tagsOf(fileOf(room, 'cam')).filter(({ type }) => type === 9)).toHaveLength(1);
  await run(client, "Stream.get('cam').record(false)");
  await hears(client, 'Record.Stop cam');
  expect(await run(client, "return Stream.get('cam').flush()")).toBe(false);
});

test('STR-21: send reaches viewers, later ones too, and the recording, and takes nothing over', async () => {
  const room = newRoom();
  const client = await join_(room);
  const source = await publish(client, 'cam');
  const viewer = await play(client, 'cam');
  await run(client, "listen('cam').record()");
  await hears(client, 'Record.Start cam');
  source.video(7000, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  expect(await run(client, "return Stream.get('cam').send('cue', 1, { two: 'x' })")).toBe(true);
  expect((await viewer.waitForData('cue')).args).toEqual([1, { two: 'x' }]);
  await run(client, "Stream.get('cam').send('@setDataFrame', 'onMark', 5)");
  expect((await viewer.waitForData('onMark')).args).toEqual([5]);
  const later = await play(client, 'cam');
  expect((await later.waitForData('onMark')).args).toEqual([5]);
  source.video(9000, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
  await run(client, "Stream.get('cam').record(false)");
  await hears(client, 'Record.Stop cam');
  const data = tagsOf(fileOf(room, 'cam')).filter(({ type }) => type === 18);
  expect(data.map(({ payload }) => Buffer.from(payload.subarray(3, 6)).toString())).toEqual(
    expect.arrayContaining(['cue', 'onM']),
  );
  expect((await publish(client, 'other')).codes).toEqual(['NetStream.Publish.Start']);
});

test('STR-32: what is sent has the time of the last message, or later by what has passed since', async () => {
  const client = await join_(newRoom());
  const source = await publish(client, 'cam');
  const viewer = await play(client, 'cam');
  source.video(7000, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  await run(client, "Stream.get('cam').send('soon')");
  // On a busy machine half a second may be over.
  const soon = (await viewer.waitForData('soon')).timestamp;
  expect(soon === 7000 || soon >= 7500).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 600));
  await run(client, "Stream.get('cam').send('late')");
  expect((await viewer.waitForData('late')).timestamp).toBeGreaterThanOrEqual(7500);
});

test('STR-23: onStatus hears of publishing, also from the prototype', async () => {
  const client = await join_(newRoom());
  await run(
    client,
    "Stream.get('cam'); Stream.prototype.onStatus = function (info) { heard.push(this.name + ' ' + info.code + ' ' + info.level); }",
  );
  const stream = await publish(client, 'cam');
  stream.command('closeStream');
  await expect
    .poll(() => heard(client), { timeout: DEADLINE_MS })
    .toEqual(['cam NetStream.Publish.Start status', 'cam NetStream.Unpublish.Success status']);
});

test('STR-24: a function of the stream runs for data messages of that name; those of the API do not', async () => {
  const client = await join_(newRoom());
  await run(
    client,
    "var s = Stream.get('cam'); s.mark = function (a, b) { heard.push('mark ' + a + ' ' + b + ' ' + (this === s)); }",
  );
  const source = await publish(client, 'cam');
  source.data(0, 'play', 'clip', 0);
  source.data(0, 'toString');
  source.data(0, 'onStatus', { code: 'x' });
  source.data(0, 'mark', 1, 'two');
  await expect.poll(() => heard(client), { timeout: DEADLINE_MS }).toEqual(['mark 1 two true']);
});

test('STR-30: a playlist of files and live streams is one stream without gaps for its viewers', async () => {
  const room = newRoom();
  write(room, 'one', showTags(1));
  write(
    room,
    'two',
    showTags(1, 100).map((tag) => ({ ...tag, timestamp: tag.timestamp + 3_600_000 })),
  );
  const client = await join_(room);
  const source = await publish(client, 'air');
  source.video(50_000, avcHeader);
  source.video(50_000, keyFrame(777));
  await source.settled();
  const viewer = await play(client, 'out');
  await run(
    client,
    "var s = listen('out'); s.play('one', 0, -1, true); s.play('none', 0, -1, false); s.play('two', 0, -1, false); s.play('air', -1, 0.3, false)",
  );
  await hears(client, 'Play.Stop air');
  expect(pictures(viewer)).toEqual([
    ...Array.from({ length: 25 }, (_, i) => i),
    ...Array.from({ length: 25 }, (_, i) => 100 + i),
    777,
  ]);
  const times = viewer.media.filter(({ type }) => type === Type.Video).map(({ timestamp }) => timestamp);
  for (let i = 1; i < times.length; i++) {
    expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(0);
    expect(times[i]! - times[i - 1]!).toBeLessThan(200);
  }
  expect((await heard(client)).filter((line) => line.startsWith('Play.'))).toEqual([
    'Play.Reset one',
    'Play.Start one',
    'Play.StreamNotFound none',
    'Play.Start two',
    'Play.Start air',
    'Play.Stop air',
  ]);
  // Of all this a viewer notices nothing but the end.
  await viewer.status('NetStream.Play.UnpublishNotify');
  expect(viewer.codes.filter((code) => code.includes('ublishNotify'))).toEqual([
    'NetStream.Play.PublishNotify',
    'NetStream.Play.UnpublishNotify',
  ]);
});

test('an item whose sound is ahead of its pictures goes on behind the pictures of the one before', async () => {
  const client = await join_(newRoom());
  const first = await publish(client, 'first');
  const viewer = await play(client, 'out');
  await run(client, "var s = listen('out'); s.play('first', -1, -1, true); s.play('second', -1, -1, false)");
  first.video(0, keyFrame(1));
  first.video(40, interFrame(2));
  await viewer.waitForMedia(interFrame(2));
  first.command('closeStream');
  await hears(client, 'Play.Start second');
  const second = await publish(client, 'second');
  second.audio(1100, aacFrame(3));
  second.video(1060, keyFrame(4));
  second.video(1100, interFrame(5));
  await viewer.waitForMedia(interFrame(5));
  const times = viewer.media.filter(({ type }) => type === Type.Video).map(({ timestamp }) => timestamp);
  expect(times).toEqual([0, 40, 80, 120]);
});

test('APP-14: clearStreams removes recordings by path and container, and empties what is being recorded', async () => {
  const room = newRoom();
  for (const name of ['a', 'shows/one', 'shows/two', 'shows/three']) write(room, name, showTags(1));
  mkdirSync(join(server.appsFolder, 'rows/streams', room, 'films'), { recursive: true });
  writeFileSync(fileOf(room, 'films/x').replace('.flv', '.mp4'), 'no matter');
  const client = await join_(room);
  const clear = (path: string) => run(client, 'return application.clearStreams(args[0])', path);
  const there = () =>
    ['a', 'shows/one', 'shows/two', 'shows/three'].filter((name) => existsSync(fileOf(room, name)));
  expect(await clear('/none')).toBe(false);
  expect(await clear('/shows/t??')).toBe(true);
  expect(there()).toEqual(['a', 'shows/one', 'shows/three']);
  expect(await clear('shows/one')).toBe(true);
  expect(await clear('mp4:/films/*')).toBe(true);
  expect(existsSync(join(server.appsFolder, 'rows/streams', room, 'films'))).toBe(false);
  expect(there()).toEqual(['a', 'shows/three']);

  const source = await publish(client, 'cam');
  await run(client, "listen('cam').record()");
  await hears(client, 'Record.Start cam');
  source.video(0, keyFrame(1));
  await source.settled();
  await run(client, "Stream.get('cam').flush()");
  expect(await clear('/')).toBe(true);
  expect(there()).toEqual([]);
  await hears(client, 'Clear.Success cam');
  source.video(5000, keyFrame(2));
  await source.settled();
  await run(client, "Stream.get('cam').record(false)");
  await hears(client, 'Record.Stop cam');
  const tags = tagsOf(fileOf(room, 'cam')).filter(({ type }) => type === 9);
  expect(tags.map(({ payload, timestamp }) => [timestamp, Buffer.from(payload)])).toEqual([
    [0, Buffer.from(keyFrame(2))],
  ]);
});

test('STR-25: the second publisher of a name gets BadName, and the first goes on', async () => {
  const room = newRoom();
  const first = await publish(await join_(room), 'cam');
  const second = await (await join_(room)).createStream();
  expect((await second.publish('cam')).code).toBe('NetStream.Publish.BadName');
  const viewer = await play(await join_(room), 'cam');
  first.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
});

test('STR-26: a publisher that does not answer loses its name, by limits.publishTimeoutMs', async () => {
  const room = newRoom();
  const silent = await connect(`${server.rtmp}/rows/${room}`, { answersPings: false });
  const first = await publish(silent, 'cam');
  const viewer = await play(await join_(room), 'cam');
  const second = await (await join_(room)).createStream();
  expect((await second.publish('cam')).code).toBe('NetStream.Publish.Start');
  await first.status('NetStream.Unpublish.Success');
  await viewer.status('NetStream.Play.PublishNotify');
});

test('STR-27: viewers stay when the publisher goes, and go on with the next', async () => {
  const room = newRoom();
  const first = await publish(await join_(room), 'cam');
  const viewer = await play(await join_(room), 'cam');
  first.command('closeStream');
  await viewer.status('NetStream.Play.UnpublishNotify');
  const second = await publish(await join_(room), 'cam');
  await viewer.status('NetStream.Play.PublishNotify');
  second.video(0, keyFrame(2));
  await viewer.waitForMedia(keyFrame(2));
});

test('STR-28: who comes late gets data frames, headers, and the pictures since the key frame', async () => {
  const room = newRoom();
  const source = await publish(await join_(room), 'cam');
  source.data(0, '@setDataFrame', 'onMetaData', new EcmaArray(metadata));
  sendTags(source, showTags(2));
  await source.settled();
  const viewer = await play(await join_(room), 'cam');
  await viewer.waitForMedia(aacFrame(49));
  expect(viewer.media.map(({ type }) => type).slice(0, 4)).toEqual([18, 9, 8, 9]);
  expect(pictures(viewer)).toEqual(Array.from({ length: 25 }, (_, i) => 25 + i));
});

test('STR-29: with streams.eraseOnPublish a live publish removes the recording', async () => {
  const folder = join(server.appsFolder, 'old/streams/room');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cam.flv'), 'whatever');
  await publish(await connect(`${server.rtmp}/old/room`), 'cam');
  await expect.poll(() => existsSync(join(folder, 'cam.flv')), { timeout: DEADLINE_MS }).toBe(false);
  const room = newRoom();
  write(room, 'cam', showTags(1));
  const stream = await publish(await join_(room), 'cam');
  await stream.settled();
  expect(existsSync(fileOf(room, 'cam'))).toBe(true);
});

test('STR-33: a slow viewer loses pictures, then sound, and no data message', async () => {
  const room = newRoom();
  const source = await publish(await join_(room), 'cam');
  const slow = await join_(room);
  const viewer = await play(slow, 'cam');
  source.video(0, avcHeader);
  source.video(0, keyFrame(0));
  await viewer.waitForMedia(keyFrame(0));
  slow.pauseReading();
  const big = new Uint8Array(5000);
  // What the system's buffers take comes on top of the viewer's own bound of 64 KiB. What is sent at one time is less
  // than that bound: however busy the machine is, no round takes the viewer beyond twice the bound.
  for (let i = 1; i <= 4000; i++) {
    big.set(interFrame(i));
    source.video(i * 40, big.slice());
    if (i % 100 === 0) source.data(i * 40, 'mark', i);
    if (i % 10 === 0) await source.settled();
  }
  slow.resumeReading();
  await expect
    .poll(() => viewer.media.filter(({ name }) => name === 'mark').map(({ args }) => args[0]), {
      timeout: DEADLINE_MS,
    })
    .toEqual(Array.from({ length: 40 }, (_, i) => (i + 1) * 100));
  expect(viewer.media.filter(({ type }) => type === Type.Video).length).toBeLessThan(3500);
});

test('LIFE-17: the folders of a recording are made when it begins', async () => {
  const client = await connect(`${server.rtmp}/old/new/room`);
  const stream = await client.createStream();
  await stream.publish('deep/er/cam', 'record');
  await stream.status('NetStream.Record.Start');
  stream.video(0, keyFrame(1));
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
  expect(existsSync(join(server.appsFolder, 'old/streams/new/room/deep/er/cam.flv'))).toBe(true);
});

test('CLI-28: getStreamLength answers with the seconds of a recording, or with what the script says', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(3));
  const client = await join_(room);
  expect(await client.call('getStreamLength', 'clip')).toBe(2.97);
  await run(client, 'Client.prototype.getStreamLength = function (name) { return name.length; }');
  expect(await client.call('getStreamLength', 'clip')).toBe(4);
});

test('ENC-08: getStreamLength answers 0 for what is live or not there, and never with an error', async () => {
  const client = await join_(newRoom());
  await publish(client, 'live');
  for (const name of ['live', 'none', '../x', '']) expect(await client.call('getStreamLength', name)).toBe(0);
});

test('DKF-01: @setDataFrame reaches those who are there and those who come, without its command', async () => {
  const room = newRoom();
  const source = await publish(await join_(room), 'cam');
  const early = await play(await join_(room), 'cam');
  source.data(5, '@setDataFrame', 'onTitle', { text: 'one' });
  expect((await early.waitForData('onTitle')).args).toEqual([new EcmaArray({ text: 'one' })]);
  source.data(6, '@setDataFrame', 'onTitle', { text: 'two' });
  await source.settled();
  const late = await play(await join_(room), 'cam');
  expect((await late.waitForData('onTitle')).args).toEqual([new EcmaArray({ text: 'two' })]);
});

test('DKF-02: @clearDataFrame forgets it, and tells nobody', async () => {
  const room = newRoom();
  const source = await publish(await join_(room), 'cam');
  const early = await play(await join_(room), 'cam');
  source.data(0, '@setDataFrame', 'onTitle', 'one');
  source.data(0, '@clearDataFrame', 'onTitle');
  source.data(0, 'after');
  await early.waitForData('after');
  expect(early.media.map(({ name }) => name)).toEqual(['onTitle', 'after']);
  const late = await play(await join_(room), 'cam');
  source.data(0, 'again');
  await late.waitForData('again');
  expect(late.media.map(({ name }) => name)).toEqual(['again']);
});

test('DKF-03: a plain onMetaData is kept for those who come, too', async () => {
  const room = newRoom();
  const source = await publish(await join_(room), 'cam');
  source.data(0, 'onMetaData', new EcmaArray(metadata));
  await source.settled();
  const late = await play(await join_(room), 'cam');
  expect((await late.waitForData('onMetaData')).args).toEqual([new EcmaArray(metadata)]);
});

test('STR-31: recorded streams of a virtual directory are where app.json says, the longest name first', async () => {
  const flags = { hasAudio: true, hasVideo: true };
  for (const [path, first] of [
    ['videos/low/a', 100],
    ['videos/high/a', 200],
  ] as const) {
    const file = join(server.appsFolder, 'virtual', `${path}.flv`);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, Buffer.concat([encodeFlvHeader(flags), ...showTags(1, first).map(encodeFlvTag)]));
  }
  const client = await connect(`${server.rtmp}/virtual/room`);
  for (const [name, first] of [
    ['films/a', 100],
    ['films/high/a', 200],
  ] as const) {
    const stream = await client.createStream();
    await stream.play(name, 0);
    await stream.waitForMedia(keyFrame(first));
  }
  const recorder = await client.createStream();
  await recorder.publish('films/new', 'record');
  await recorder.status('NetStream.Record.Start');
  recorder.video(0, keyFrame(1));
  recorder.command('closeStream');
  await recorder.status('NetStream.Record.Stop');
  expect(existsSync(join(server.appsFolder, 'virtual/videos/low/new.flv'))).toBe(true);
});
