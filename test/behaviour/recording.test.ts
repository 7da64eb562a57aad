import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeAmf0 } from '../../wire/amf0.ts';
import { EcmaArray } from '../../wire/values.ts';
import { DEADLINE_MS, eventually } from '../support/journal.ts';
import { interFrame, keyFrame, metadata } from '../support/media.ts';
import { makeClip, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { sendTags, showTags, type Tag, tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect, type Received } from '../support/rtmp-client.ts';
import { limitFileSize, startServer, useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const quota = { 'app.json': JSON.stringify({ limits: { recordingBytes: 40_000 } }) };
const brief = { 'app.json': JSON.stringify({ limits: { recordingMs: 1500 } }) };
const few = { 'app.json': JSON.stringify({ limits: { recordings: 3 } }) };
const server = useServer({ apps: { vod: { 'README.md': 'no script' }, quota, brief, few } });

let rooms = 0;
const newRoom = () => `r${rooms++}`;
const folderOf = (room: string, app = 'vod') => join(server.appsFolder, app, 'streams', room);
const fileOf = (room: string, name = 'show', app = 'vod') => join(folderOf(room, app), `${name}.flv`);

async function open(room: string, app = 'vod'): Promise<ClientStream> {
  return (await connect(`${server.rtmp}/${app}/${room}`)).createStream();
}

/** Publishes the tags in that mode and waits until the file is complete. */
async function record(room: string, mode: string, tags: readonly Tag[], at = 0): Promise<ClientStream> {
  const stream = await open(room);
  expect((await stream.publish('show', mode)).code).toBe('NetStream.Publish.Start');
  await stream.status('NetStream.Record.Start');
  sendTags(stream, tags, at);
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
  return stream;
}

const media = (tags: readonly Tag[]) =>
  tags
    .filter(({ type }) => type === 8 || type === 9)
    .map(({ type, timestamp, payload }) => ({
      type,
      timestamp,
      payload: Buffer.from(payload).toString('hex'),
    }));
const shifted = (tags: readonly Tag[], byMs: number) =>
  tags.map((tag) => ({ ...tag, timestamp: tag.timestamp + byMs }));

function metadataOf(file: string): Record<string, unknown> {
  const [tag] = tagsOf(file);
  const [name, value, ...rest] = decodeAmf0(tag!.payload);
  expect(rest.every((filler) => filler === null)).toBe(true);
  expect(name).toBe('onMetaData');
  return value as Record<string, unknown>;
}

test('record writes what was published, from time 0 on, and closes with the statuses in order', async () => {
  const room = newRoom();
  const tags = showTags(2);
  const stream = await record(room, 'record', tags, 5_000_000);
  expect(media(tagsOf(fileOf(room)))).toEqual(media(tags));
  expect(stream.codes).toEqual([
    'NetStream.Publish.Start',
    'NetStream.Record.Start',
    'NetStream.Unpublish.Success',
    'NetStream.Record.Stop',
  ]);
});

test('the head has the duration, the publisher’s metadata, and where the key frames are', async () => {
  const room = newRoom();
  const stream = await open(room);
  await stream.publish('show', 'record');
  stream.data(0, '@setDataFrame', 'onMetaData', new EcmaArray(metadata));
  sendTags(stream, showTags(3));
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
  const bytes = readFileSync(fileOf(room));
  const { keyframes, ...rest } = metadataOf(fileOf(room)) as {
    keyframes: { filepositions: number[]; times: number[] };
  };
  expect(rest).toMatchObject({
    ...metadata,
    duration: 2.97,
    filesize: bytes.length,
    lastkeyframetimestamp: 2,
    hasVideo: true,
    hasAudio: true,
  });
  expect(keyframes.times).toEqual([0, 1, 2]);
  for (const [i, position] of keyframes.filepositions.entries()) {
    expect(bytes[position]).toBe(9);
    expect(bytes.subarray(position + 11, position + 11 + 14)).toEqual(Buffer.from(keyFrame(i * 25)));
  }
  // Metadata is at the head once, not among the tags again.
  expect(tagsOf(fileOf(room)).filter(({ type }) => type === 18)).toHaveLength(1);
});

test('record replaces what was there, append goes on behind it', async () => {
  const room = newRoom();
  await record(room, 'record', showTags(3, 900));
  await record(room, 'record', showTags(1));
  expect(media(tagsOf(fileOf(room)))).toEqual(media(showTags(1)));
  await record(room, 'append', showTags(1, 100), 7000);
  const second = shifted(showTags(1, 100), 970 + 40);
  expect(media(tagsOf(fileOf(room)))).toEqual(media([...showTags(1), ...second]));
  expect(metadataOf(fileOf(room))).toMatchObject({
    duration: (970 + 40 + 970) / 1000,
    filesize: statSync(fileOf(room)).size,
    keyframes: { times: [0, 1.01] },
  });
});

test('append makes a file that is not there, appendWithGap leaves the time that has passed', async () => {
  const room = newRoom();
  await record(room, 'append', showTags(1));
  const before = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await record(room, 'appendWithGap', showTags(1, 50));
  const passed = Date.now() - before;
  const tags = tagsOf(fileOf(room));
  const second = tags.find(({ payload }) => Buffer.from(payload).equals(Buffer.from(keyFrame(50))))!;
  expect(second.timestamp).toBeGreaterThan(970 + 300);
  expect(second.timestamp).toBeLessThan(970 + 40 + passed + 1000);
});

test('what ffmpeg made is in the recording packet for packet', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const clip = await makeClip(scratchFolder(), 3);
  const room = newRoom();
  await record(room, 'record', tagsOf(clip));
  const [ours, theirs] = await Promise.all([packetsOf(fileOf(room)), packetsOf(clip)]);
  expect(ours.length).toBeGreaterThan(100);
  expect(ours).toEqual(theirs);
});

async function packetsOf(file: string): Promise<unknown[]> {
  const { code, output, errors } = await new RunningTool('ffprobe', [
    ...['-v', 'error', '-show_packets', '-show_entries', 'packet=codec_type,pts,dts,size,flags'],
    ...['-of', 'json', file],
  ]).end();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return (JSON.parse(output) as { packets: unknown[] }).packets;
}

test('a clock that is set anew makes no hole, and one that passes 2^32 goes on', async () => {
  const room = newRoom();
  const stream = await open(room);
  await stream.publish('show', 'record');
  const [avc, aac, ...frames] = showTags(1);
  sendTags(stream, [avc!, aac!, ...frames], 2 ** 32 - 500);
  sendTags(stream, shifted(showTags(1, 100), 90));
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
  const times = tagsOf(fileOf(room))
    .filter(({ type }) => type === 9)
    .map(({ timestamp }) => timestamp);
  // The first second, over the wrap; the second began again at 90 where 470 was due.
  expect(times.slice(0, 26)).toEqual([0, ...Array.from({ length: 25 }, (_, i) => i * 40)]);
  for (let i = 1; i < times.length; i++) {
    expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(-1000);
    expect(times[i]! - times[i - 1]!).toBeLessThanOrEqual(1000);
  }
});

test('a limit of bytes ends the recording with a status, and the stream goes on', async () => {
  const room = newRoom();
  const stream = await open(room, 'quota');
  await stream.publish('show', 'record');
  const viewer = await open(room, 'quota');
  await viewer.play('show');
  for (let i = 0; i < 1000; i++) stream.video(i * 40, i % 25 === 0 ? keyFrame(i) : interFrame(i));
  await stream.status('NetStream.Record.DiskQuotaExceeded');
  await stream.status('NetStream.Record.Stop');
  expect(statSync(fileOf(room, 'show', 'quota')).size).toBeLessThanOrEqual(40_000);
  stream.video(50_000, keyFrame(5000));
  await viewer.waitForMedia(keyFrame(5000));
  const tags = tagsOf(fileOf(room, 'show', 'quota'));
  expect(metadataOf(fileOf(room, 'show', 'quota')).duration).toBe(tags.at(-1)!.timestamp / 1000);
});

test('a limit of time does the same', async () => {
  const room = newRoom();
  const stream = await open(room, 'brief');
  await stream.publish('show', 'record');
  sendTags(stream, showTags(3));
  expect((await stream.status('NetStream.Record.DiskQuotaExceeded')).description).toContain('1.5 s');
  await stream.status('NetStream.Record.Stop');
  expect(tagsOf(fileOf(room, 'show', 'brief')).at(-1)!.timestamp).toBeLessThanOrEqual(1500);
});

test('beyond the limit of recordings none begins, in whatever instance, until another has ended', async () => {
  const publishers: ClientStream[] = [];
  for (const name of ['a', 'b', 'c']) {
    const stream = await open(newRoom(), 'few');
    await stream.publish(name, 'record');
    await stream.status('NetStream.Record.Start');
    publishers.push(stream);
  }
  const late = await open(newRoom(), 'few');
  await late.publish('d', 'record');
  expect((await late.status('NetStream.Record.Failed')).description).toContain('limits.recordings');
  publishers[0]!.command('closeStream');
  await publishers[0]!.status('NetStream.Record.Stop');
  late.command('closeStream');
  await late.publish('d', 'record');
  await late.status('NetStream.Record.Start');
});

test('a second recording to the same file is refused', async () => {
  const room = newRoom();
  const first = await open(room);
  await first.publish('show', 'record');
  await first.status('NetStream.Record.Start');
  const second = await open(room);
  await second.publish('show.flv', 'append');
  expect((await second.status('NetStream.Record.NoAccess')).description).toContain('recorded already');
  sendTags(first, showTags(1));
  first.command('closeStream');
  await first.status('NetStream.Record.Stop');
  expect(media(tagsOf(fileOf(room)))).toEqual(media(showTags(1)));
});

test('what is no file, no FLV, or outside of the application is refused, and the stream is live', async () => {
  const room = newRoom();
  const outside = scratchFolder();
  mkdirSync(join(folderOf(room), 'folder.flv'), { recursive: true });
  writeFileSync(join(folderOf(room), 'text.flv'), 'no flv at all');
  symlinkSync(outside, join(folderOf(room), 'out'));
  const cases = [
    ['folder', 'append', 'NetStream.Record.NoAccess'],
    ['text', 'append', 'NetStream.Record.Failed'],
    ['out/show', 'record', 'NetStream.Record.Failed'],
    ['mp3:film', 'record', 'NetStream.Record.Failed'],
  ] as const;
  for (const [name, mode, code] of cases) {
    const stream = await open(room);
    expect((await stream.publish(name, mode)).code).toBe('NetStream.Publish.Start');
    await stream.status(code);
    expect(stream.codes).not.toContain('NetStream.Record.Start');
    const viewer = await open(room);
    await viewer.play(name, -1000);
    stream.video(0, keyFrame(1));
    await viewer.waitForMedia(keyFrame(1));
  }
  expect(readFileSync(join(folderOf(room), 'text.flv'), 'utf8')).toBe('no flv at all');
});

test('after kill -9 the file has all but the last second, and append goes on behind that', async () => {
  const own = await startServer({ apps: { vod: { 'README.md': 'no script' } } });
  const file = join(own.appsFolder, 'vod/streams/room/show.flv');
  const stream = await (await connect(`${own.rtmp}/vod/room`)).createStream();
  await stream.publish('show', 'record');
  await stream.status('NetStream.Record.Start');
  const tags = showTags(4);
  sendTags(stream, tags.slice(0, 100));
  await eventually('what was sent first', async () => existsSync(file) && media(tagsOf(file)).length >= 100);
  sendTags(stream, tags.slice(100, 150));
  own.kill('SIGKILL');
  await own.exited;
  const saved = media(tagsOf(file));
  expect(saved).toEqual(media(tags).slice(0, saved.length));
  // What a crash may leave of the last tag.
  writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('090012340000', 'hex')]));

  const next = await startServer({ apps: { vod: {} } });
  next.writeFile('vod/streams/room/show.flv', readFileSync(file));
  const again = await (await connect(`${next.rtmp}/vod/room`)).createStream();
  await again.publish('show', 'append');
  sendTags(again, showTags(1, 500));
  again.command('closeStream');
  await again.status('NetStream.Record.Stop');
  const whole = media(tagsOf(join(next.appsFolder, 'vod/streams/room/show.flv')));
  expect(whole.slice(0, saved.length)).toEqual(saved);
  expect(whole.slice(saved.length).map(({ payload }) => payload)).toEqual(
    media(showTags(1, 500)).map(({ payload }) => payload),
  );
});

test('a full disk ends the recording with a status and a line in the log; viewers miss nothing', async () => {
  const own = await startServer({ apps: { vod: { 'README.md': 'no script' } } });
  const url = `${own.rtmp}/vod/room`;
  const stream = await (await connect(url)).createStream();
  await stream.publish('show', 'record');
  await stream.status('NetStream.Record.Start');
  const viewer = await (await connect(url)).createStream();
  await viewer.play('show');
  limitFileSize(own.pid, 1_000_000);
  const big = new Uint8Array(10_000);
  let sent = 0;
  const sending = setInterval(() => {
    big.set(sent % 10 === 0 ? keyFrame(sent) : interFrame(sent));
    stream.video(sent * 40, big.slice());
    sent++;
  }, 5);
  await stream.status('NetStream.Record.DiskQuotaExceeded').finally(() => clearInterval(sending));
  await stream.status('NetStream.Record.Stop');
  await expect
    .poll(() => viewer.media.filter(({ type }) => type === 9).length, { timeout: DEADLINE_MS })
    .toBe(sent);
  limitFileSize(own.pid, 'unlimited');
  await own.log.waitFor('the log', ({ message }) => message.includes('show') && message.includes('disk'));
  const tags = tagsOf(join(own.appsFolder, 'vod/streams/room/show.flv'));
  expect(tags.length).toBeGreaterThan(1);
});

test('a server that is told to stop completes what it records', async () => {
  const own = await startServer({ apps: { vod: { 'README.md': 'no script' } } });
  const stream = await (await connect(`${own.rtmp}/vod/room`)).createStream();
  await stream.publish('show', 'record');
  await stream.status('NetStream.Record.Start');
  sendTags(stream, showTags(2));
  await stream.settled();
  own.kill('SIGTERM');
  expect((await own.exited).code).toBe(0);
  const file = join(own.appsFolder, 'vod/streams/room/show.flv');
  expect(media(tagsOf(file))).toEqual(media(showTags(2)));
  expect(metadataOf(file).duration).toBe(1.97);
});

test('a recording is played from its first message on, and is not there before', async () => {
  const room = newRoom();
  const from = server.log.mark;
  const source = await open(room);
  await source.publish('show', 'record');
  await source.status('NetStream.Record.Start');
  const early = await open(room);
  early.command('play', 'show', 0);
  await early.status('NetStream.Play.StreamNotFound');
  const tags = showTags(1);
  const sentAt = performance.now();
  sendTags(source, tags);
  await source.settled();
  const viewer = await open(room);
  await viewer.play('show', 0);
  await viewer.waitForMedia(keyFrame(0));
  // It was not by waiting until the next batch is due.
  expect(performance.now() - sentAt).toBeLessThan(900);
  const properties = (await viewer.waitForData('onMetaData')).args[0] as Record<string, unknown>;
  const { duration } = properties;
  expect(duration).toBeGreaterThan(0);
  expect(properties).toMatchObject({ lasttimestamp: duration, filesize: statSync(fileOf(room)).size });
  expect(server.log.entries.slice(from).filter(({ code }) => code === 'E_MEDIA_FILE')).toEqual([]);
});

test('while a recording takes the place of another, viewers play one of them', async () => {
  const room = newRoom();
  await record(room, 'record', showTags(1, 900));
  const client = await connect(`${server.rtmp}/vod/${room}`);
  const seen = new Set<string>();
  const look = async () => {
    const viewer = await client.createStream();
    expect((await viewer.play('show', 0)).code).toBe('NetStream.Play.Start');
    const isKeyFrame = ({ type, payload }: Received) => type === 9 && payload[0] === 0x17 && payload[1] === 1;
    const { payload } = await viewer.received.waitFor('a key frame', isKeyFrame);
    seen.add(Buffer.from(payload).toString('hex'));
    viewer.command('closeStream');
  };
  await look();
  const source = await open(room);
  await source.publish('show', 'record');
  for (let i = 0; i < 10; i++) await look();
  expect(seen.size).toBe(1);
  sendTags(source, showTags(1));
  await source.settled();
  for (let i = 0; i < 10; i++) await look();
  expect([...seen]).toEqual([keyFrame(900), keyFrame(0)].map((frame) => Buffer.from(frame).toString('hex')));
});

test('a recording of nothing leaves what was there, and nothing else', async () => {
  const room = newRoom();
  await record(room, 'record', showTags(1));
  const before = readFileSync(fileOf(room));
  await record(room, 'record', []);
  await record(room, 'append', []);
  expect(media(tagsOf(fileOf(room)))).toEqual(media(tagsOf(before)));
  expect(readdirSync(folderOf(room))).toEqual(['show.flv']);
});

test('a disk that is full at once leaves what was there', async () => {
  const own = await startServer({ apps: { vod: { 'README.md': 'no script' } }, limits: { freeDiskMb: 0 } });
  own.writeFile('vod/streams/room/show.flv', readFileSync(await makeRecording()));
  limitFileSize(own.pid, 20_000);
  const stream = await (await connect(`${own.rtmp}/vod/room`)).createStream();
  await stream.publish('show', 'record');
  sendTags(stream, showTags(10));
  stream.command('closeStream');
  await stream.status('NetStream.Record.DiskQuotaExceeded');
  await stream.status('NetStream.Record.Stop');
  const folder = join(own.appsFolder, 'vod/streams/room');
  expect(readdirSync(folder)).toEqual(['show.flv']);
  expect(media(tagsOf(join(folder, 'show.flv')))).toEqual(media(showTags(1)));
  limitFileSize(own.pid, 'unlimited');
});

test('who plays the name of an empty file that is recorded waits for the publisher', async () => {
  const room = newRoom();
  mkdirSync(folderOf(room), { recursive: true });
  writeFileSync(fileOf(room), '');
  const source = await open(room);
  await source.publish('show.flv', 'append');
  await source.status('NetStream.Record.Start');
  const viewer = await open(room);
  await viewer.play('show');
  const live = await open(room);
  await live.publish('show');
  live.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  sendTags(source, showTags(1));
  source.command('closeStream');
  await source.status('NetStream.Record.Stop');
  expect(media(tagsOf(fileOf(room)))).toEqual(media(showTags(1)));
});

test('a kill in the first second leaves the old recording, and nothing that cannot be played', async () => {
  const apps = { vod: { 'README.md': 'no script' } };
  const own = await startServer({ apps });
  own.writeFile('vod/streams/room/old.flv', readFileSync(await makeRecording()));
  const folder = join(own.appsFolder, 'vod/streams/room');
  for (const name of ['old', 'new']) {
    const stream = await (await connect(`${own.rtmp}/vod/room`)).createStream();
    await stream.publish(name, 'record');
    await stream.status('NetStream.Record.Start');
  }
  own.kill('SIGKILL');
  await own.exited;
  expect(media(tagsOf(join(folder, 'old.flv')))).toEqual(media(showTags(1)));
  expect(existsSync(join(folder, 'new.flv'))).toBe(false);

  const next = await startServer({ apps });
  for (const name of readdirSync(folder))
    next.writeFile(`vod/streams/room/${name}`, readFileSync(join(folder, name)));
  // What was left long ago goes; another server may be at work on what is new.
  const there = join(next.appsFolder, 'vod/streams/room');
  const left = readdirSync(there).filter((name) => name.endsWith('.new'));
  expect(left.length).toBe(2);
  for (const name of left) utimesSync(join(there, name), 0, 0);
  const others = `.${'x'.repeat(16)}.new`;
  writeFileSync(join(there, others), '');
  const viewer = await (await connect(`${next.rtmp}/vod/room`)).createStream();
  await viewer.play('new');
  const source = await (await connect(`${next.rtmp}/vod/room`)).createStream();
  await source.publish('new', 'record');
  sendTags(source, showTags(1));
  await viewer.waitForMedia(keyFrame(0));
  source.command('closeStream');
  await source.status('NetStream.Record.Stop');
  expect(readdirSync(there).sort()).toEqual([others, 'new.flv', 'old.flv']);
});

async function makeRecording(): Promise<string> {
  const room = newRoom();
  await record(room, 'record', showTags(1));
  return fileOf(room);
}
