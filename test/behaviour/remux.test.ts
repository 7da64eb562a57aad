import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { MediaFiles } from '../../host/streams/files/media-files.ts';
import { avcHeader, keyFrame } from '../support/media.ts';
import { scratchFolder } from '../support/media-tools.ts';
import { expectDecodable, expectSamePackets, ffmpeg, packetsOf } from '../support/packets.ts';
import { recordLarge, sendTags, showTags, type Tag, tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect } from '../support/rtmp-client.ts';
import { limitFileSize, startServer, type TestServer, useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const both = { 'app.json': JSON.stringify({ streams: { remux: 'mp4' } }) };
const only = { 'app.json': JSON.stringify({ streams: { remux: 'mp4-only' } }) };
const plain = { 'README.md': 'no script' };
const script = {
  'main.js': `
    const film = Stream.get('mp4:films/take.mp4');
    application.onConnect = () => true;
    Client.prototype.begin = () => film.record();
    Client.prototype.end = () => film.record(false);
    Client.prototype.remove = () => film.clear();
  `,
};
const server = useServer({ apps: { both, only, plain, script } });

let rooms = 0;
const newRoom = () => `r${rooms++}`;
const folderOf = (app: string, room: string, on: TestServer = server) =>
  join(on.appsFolder, app, 'streams', room);

async function open(app: string, room: string, on: TestServer = server): Promise<ClientStream> {
  return (await connect(`${on.rtmp}/${app}/${room}`)).createStream();
}

/** Publishes the tags, in a stream of their own, and waits until the recording is complete. */
async function record(
  app: string,
  room: string,
  name: string,
  tags: readonly Tag[],
  { mode = 'record', on = server } = {},
): Promise<void> {
  const stream = await open(app, room, on);
  expect((await stream.publish(name, mode)).code).toBe('NetStream.Publish.Start');
  await stream.status('NetStream.Record.Start');
  sendTags(stream, tags);
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
}

const made = (app: string, room: string, file: string, on: TestServer = server) =>
  on.waitForLog(
    ({ message, instance }) => instance === `${app}/${room}` && message.startsWith(`made ${file}:`),
  );
const notMade = (app: string, room: string, file: string, on: TestServer = server) =>
  on.waitForLog(
    ({ message, instance }) => instance === `${app}/${room}` && message.startsWith(`${file} was not made:`),
  );

const x264 = ['-c:v', 'libx264', '-preset', 'fast', '-bf', '3', '-g', '25', '-pix_fmt', 'yuv420p'];
const pictures = (seconds: number, size = '320x240') => [
  ...['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=25:duration=${seconds}`],
];
const tone = (seconds: number) => [
  ...['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`],
];

test('an MP4 has the packets of the clip that was recorded, decodes, and can be played', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const room = newRoom();
  const clip = join(scratchFolder(), 'clip.flv');
  await ffmpeg(...pictures(4), ...tone(4), ...x264, '-c:a', 'aac', clip);
  await record('both', room, 'show', tagsOf(clip));
  const { message } = await made('both', room, 'show.mp4');
  const movie = join(folderOf('both', room), 'show.mp4');
  expect(message).toMatch(
    new RegExp(`^made show.mp4: \\d[\\d.]* s, ${statSync(movie).size} bytes, in [\\d.]+ s$`),
  );

  const [theirs, ours] = [await packetsOf(clip, 'v'), await packetsOf(movie, 'v')];
  expect(theirs.some(({ pts, dts }) => pts - dts > 40)).toBe(true); // it has B-frames
  expectSamePackets(ours, theirs, 0.01);
  // Sound has no whole milliseconds: what the clip has rounded is as it was before.
  expectSamePackets(await packetsOf(movie, 'a'), await packetsOf(clip, 'a'), 2);
  const first = Math.min(ours[0]!.pts, (await packetsOf(movie, 'a'))[0]!.pts);
  expect(first).toBe(0);
  await expectDecodable(movie);
  // Its index comes before its media.
  const bytes = readFileSync(movie);
  expect(bytes.indexOf('moov')).toBeLessThan(bytes.indexOf('mdat'));
  expect(readdirSync(folderOf('both', room)).sort()).toEqual(['show.flv', 'show.mp4']);

  const viewer = await open('both', room);
  await viewer.play('mp4:show.mp4', 0);
  await viewer.status('NetStream.Play.Stop');
  const payloads = (messages: readonly { type: number; payload: Uint8Array }[], type: number) =>
    messages
      .filter((one) => one.type === type && one.payload[1] === 1)
      .map(({ payload }) => Buffer.from(payload).toString('base64'));
  // Heads included: also how much later than decoded each is shown.
  expect(payloads(viewer.media, 9)).toEqual(payloads(tagsOf(clip), 9));
  expect(payloads(viewer.media, 8)).toEqual(payloads(tagsOf(clip), 8));
});

test('pictures alone and sound alone make an MP4, and with mp4-only it is all there is', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const room = newRoom();
  const folder = scratchFolder();
  const [silent, dark, mp3] = ['v.flv', 'a.flv', 'mp3.flv'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await ffmpeg(...pictures(2), ...x264, silent);
  await ffmpeg(...tone(2), '-c:a', 'aac', dark);
  await ffmpeg(...tone(2), '-ar', '44100', '-c:a', 'libmp3lame', mp3);
  for (const [name, clip, track] of [
    ['silent', silent, 'v'],
    ['dark', dark, 'a'],
    ['mp3', mp3, 'a'],
  ] as const) {
    await record('only', room, name, tagsOf(clip));
    await made('only', room, `${name}.mp4`);
    const movie = join(folderOf('only', room), `${name}.mp4`);
    const ours = await packetsOf(movie, track);
    expectSamePackets(ours, await packetsOf(clip, track), 2);
    expect(ours[0]!.pts).toBe(0);
    await expectDecodable(movie);
  }
  expect(readdirSync(folderOf('only', room)).sort()).toEqual(['dark.mp4', 'mp3.mp4', 'silent.mp4']);
});

test.for(['libx265', 'libaom-av1'])('pictures of %s make an MP4', async (encoder, context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const room = newRoom();
  const clip = join(scratchFolder(), 'clip.mp4');
  const quick =
    encoder === 'libx265' ? ['-x265-params', 'log-level=none'] : ['-cpu-used', '8', '-row-mt', '1'];
  // An odd size: encoders fill it up, and say what is to be cut off.
  await ffmpeg(...pictures(1, '322x182'), '-c:v', encoder, ...quick, '-pix_fmt', 'yuv420p', clip);
  const files = new MediaFiles({ cacheBytes: 1_000_000, maxOpen: 1 });
  const file = await files.open(clip);
  const tags: Tag[] = [...(await file.headersAt(0))];
  for (let at: number | undefined = 0; at !== undefined; ) {
    const part = await file.read(at);
    tags.push(...part.messages);
    at = part.next;
  }
  await files.close();
  await record('only', room, 'show', tags);
  await made('only', room, 'show.mp4');
  const movie = join(folderOf('only', room), 'show.mp4');
  expectSamePackets(await packetsOf(movie, 'v'), await packetsOf(clip, 'v'), 1);
  await expectDecodable(movie);
});

test('a stream that is recorded as mp4: becomes that very file, whatever app.json says', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const room = newRoom();
  const clip = join(scratchFolder(), 'clip.flv');
  await ffmpeg(...pictures(2), ...x264, clip);
  const stream = await open('plain', room);
  for (const [name, file] of [
    ['mp4:one.mp4', 'one.mp4'],
    ['mp4:two', 'two.mp4'],
    ['f4v:three.f4v', 'three.f4v'],
  ] as const) {
    await record('plain', room, name, tagsOf(clip));
    await made('plain', room, file);
    await expectDecodable(join(folderOf('plain', room), file));
  }
  expect(readdirSync(folderOf('plain', room)).sort()).toEqual(['one.mp4', 'three.f4v', 'two.mp4']);

  // It would be replaced by what is appended.
  await stream.publish('mp4:one.mp4', 'append');
  const { description } = await stream.status('NetStream.Record.Failed');
  expect(description).toContain('nothing can be appended to one.mp4');
  expect(readdirSync(folderOf('plain', room)).sort()).toEqual(['one.mp4', 'three.f4v', 'two.mp4']);
});

test('a script records as mp4: too', async () => {
  const room = newRoom();
  const client = await connect(`${server.rtmp}/script/${room}`);
  const stream = await client.createStream();
  await stream.publish('films/take.mp4');
  await client.call('begin');
  sendTags(stream, showTags(2));
  await stream.settled();
  await client.call('end');
  await made('script', room, 'take.mp4');
  expect(readdirSync(join(folderOf('script', room), 'films'))).toEqual(['take.mp4']);
});

test('a recording that goes on with another codec configuration stays as it is', async () => {
  const room = newRoom();
  const other = avcHeader.slice();
  other[other.length - 1] = 0x81;
  const tags = showTags(1);
  const second = tags.map((tag) => ({ ...tag, timestamp: tag.timestamp + 1000 }));
  second[0] = { ...second[0]!, payload: other };
  await record('only', room, 'same', [...tags, { ...tags[0]!, timestamp: 1000 }, ...second.slice(2)]);
  await made('only', room, 'same.mp4');
  await record('only', room, 'changed', [...tags, ...second]);
  const { message, code } = await notMade('only', room, 'changed.mp4');
  expect(message).toContain('the codec of its pictures changes after 1 s');
  expect(code).toBe('E_REMUX');
  const stereo = { type: 8, timestamp: 1000, payload: new Uint8Array([0xaf, 0, 0x12, 0x08]) };
  await record('only', room, 'mono', [...tags, stereo, ...second.slice(2)]);
  expect((await notMade('only', room, 'mono.mp4')).message).toContain('of its sound changes after 1.01 s');
  expect(readdirSync(folderOf('only', room)).sort()).toEqual(['changed.flv', 'mono.flv', 'same.mp4']);
});

test('what cannot be in an MP4 stays FLV, and the log says why', async () => {
  const room = newRoom();
  const speex: Tag = { type: 8, timestamp: 20, payload: new Uint8Array([0xb6, 1, 2, 3]) };
  const h263: Tag = { type: 9, timestamp: 20, payload: new Uint8Array([0x12, 1, 2, 3]) };
  const bare: Tag = { type: 9, timestamp: 0, payload: keyFrame(1) };
  for (const [name, tags, why] of [
    ['speex', [...showTags(1).filter(({ type }) => type === 9), speex], 'its sound is Speex'],
    ['h263', [h263], 'its pictures are Sorenson H.263'],
    ['bare', [bare], 'does not say how large'],
  ] as const) {
    await record('only', room, name, tags);
    expect((await notMade('only', room, `${name}.mp4`)).message).toContain(why);
  }
  // Nothing came: there is no recording, and nothing to say.
  await record('only', room, 'empty', []);
  const files = ['bare.flv', 'h263.flv', 'speex.flv'];
  expect(readdirSync(folderOf('only', room)).sort()).toEqual(files);
});

test('an appended recording is one MP4 in the end', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const room = newRoom();
  const clip = join(scratchFolder(), 'clip.flv');
  await ffmpeg(...pictures(2), ...tone(2), ...x264, '-c:a', 'aac', clip);
  await record('both', room, 'show', tagsOf(clip));
  await record('both', room, 'show', tagsOf(clip), { mode: 'append' });
  const movie = join(folderOf('both', room), 'show.mp4');
  const packets = (await packetsOf(clip, 'v')).length;
  await expect
    .poll(async () => existsSync(movie) && (await packetsOf(movie, 'v')).length, { timeout: 20_000 })
    .toBe(2 * packets);
  await expectDecodable(movie);
});

test('after a full disk the recording is there, and nothing else', async () => {
  const own = await startServer({ apps: { only }, limits: { freeDiskMb: 0 } });
  const folder = folderOf('only', 'room', own);
  // Much sound in small frames: the index of the MP4 is larger than the heads of the FLV.
  const tags = showTags(120);
  await record('only', 'room', 'first', tags, { on: own });
  await made('only', 'room', 'first.mp4', own);
  const recorded = statSync(join(folder, 'first.mp4')).size;
  limitFileSize(own.pid, recorded - 1);
  await record('only', 'room', 'show', tags, { on: own });
  expect((await notMade('only', 'room', 'show.mp4', own)).message).toContain('the disk is full (EFBIG)');
  limitFileSize(own.pid, 'unlimited');
  await expect.poll(() => readdirSync(folder).sort(), { timeout: 20_000 }).toEqual(['first.mp4', 'show.flv']);
});

for (const [what, signal] of [
  ['kill -9', 'SIGKILL'],
  ['a stop of the server', 'SIGTERM'],
] as const) {
  test(`after ${what} in mid-way the recording is there, and no half an MP4`, async () => {
    // Who is too late to see it in mid-way, tries once more with twice as much.
    for (let megabytes = 64; ; megabytes *= 2) {
      const own = await startServer({ apps: { only } });
      const folder = folderOf('only', 'room', own);
      const temporary = join(folder, '.show.flv.part');
      await recordLarge(await open('only', 'room', own), 'show', megabytes);
      const size = statSync(join(folder, 'show.flv'), { throwIfNoEntry: false })?.size;
      while (!existsSync(temporary) && !existsSync(join(folder, 'show.mp4')))
        await new Promise((resolve) => setImmediate(resolve));
      own.kill(signal);
      await own.exited;
      const files = readdirSync(folder).sort();
      if (files.includes('show.mp4') && megabytes < 512) continue;
      if (signal === 'SIGKILL') {
        expect(files.filter((name) => name !== basename(temporary))).toEqual(['show.flv']);
      } else {
        expect(files).toEqual(['show.flv']);
        expect((await notMade('only', 'room', 'show.mp4', own)).message).toContain('the server stops');
      }
      expect(statSync(join(folder, 'show.flv')).size).toBe(size);
      return;
    }
  });
}

test('who records again while the MP4 of what was there is made, has an MP4 of the new', async () => {
  const room = newRoom();
  const folder = folderOf('only', room);
  await recordLarge(await open('only', room), 'show', 32);
  await record('only', room, 'show', showTags(2));
  await expect.poll(() => readdirSync(folder), { timeout: 20_000 }).toEqual(['show.mp4']);
  expect(statSync(join(folder, 'show.mp4')).size).toBeLessThan(1_000_000);
});

test('what is removed while its MP4 is made, is gone', async () => {
  const room = newRoom();
  const client = await connect(`${server.rtmp}/script/${room}`);
  await recordLarge(await client.createStream(), 'mp4:films/take.mp4', 32);
  await client.call('remove');
  await expect
    .poll(() => readdirSync(join(folderOf('script', room), 'films')), { timeout: 20_000 })
    .toEqual([]);
  // The next in the queue is made when whatever is left of that one is over.
  await record('both', room, 'next', showTags(1));
  await made('both', room, 'next.mp4');
  expect(readdirSync(join(folderOf('script', room), 'films'))).toEqual([]);
});

test('what a crash has left of an MP4 goes when the recording is begun again', async () => {
  const room = newRoom();
  const stream = await open('only', room);
  await record('only', room, 'show', showTags(1));
  await made('only', room, 'show.mp4');
  const left = join(folderOf('only', room), '.show.flv.part');
  writeFileSync(left, 'half an MP4');
  await stream.publish('show', 'record');
  await stream.status('NetStream.Record.Start');
  expect(existsSync(left)).toBe(false);
});
