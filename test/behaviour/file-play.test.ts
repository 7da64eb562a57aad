import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { makeMedia, picture, tone } from '../host/streams/files/clips.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { makeClip, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { showTags, type Tag, tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect, isCommand, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const server = useServer({ apps: { vod: { 'README.md': 'no script' } } });
const folder = () => join(server.appsFolder, 'vod/streams/room');
const url = () => `${server.rtmp}/vod/room`;

function flv(tags: readonly Tag[]): Uint8Array {
  return Buffer.concat([encodeFlvHeader({ hasAudio: true, hasVideo: true }), ...tags.map(encodeFlvTag)]);
}

function write(name: string, content: Uint8Array): string {
  mkdirSync(folder(), { recursive: true });
  const file = join(folder(), name);
  writeFileSync(file, content);
  return file;
}

async function open(client?: RtmpClient): Promise<ClientStream> {
  return (client ?? (await connect(url()))).createStream();
}

/** Times of pictures so far, headers left out. */
const pictures = (stream: ClientStream, from = 0) =>
  stream.received.entries
    .slice(from)
    .filter((r) => r.type === Type.Video && r.payload.length > 0 && r.payload[1] !== 0)
    .map(({ timestamp }) => timestamp);
const every40 = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i * 40);
const buffer = (client: RtmpClient, stream: ClientStream, ms: number) => {
  const payload = Buffer.alloc(10);
  payload.writeUInt16BE(3);
  payload.writeUInt32BE(stream.id, 2);
  payload.writeUInt32BE(ms, 6);
  client.message({ type: Type.UserControl, streamId: 0, timestamp: 0, payload }, 2);
};

test('a recorded stream comes whole: events, statuses, headers, all messages, and its end', async () => {
  write('two.flv', flv(showTags(2)));
  const client = await connect(url());
  const stream = await open(client);
  const from = client.received.mark;
  await stream.play('two', 0);
  await stream.status('NetStream.Play.Stop');
  await stream.received.waitFor(
    'the end',
    (r) => r.name === 'onStatus' && stream.codes.includes('NetStream.Play.Stop'),
  );
  expect(stream.codes).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start', 'NetStream.Play.Stop']);
  const controls = client.received.entries
    .slice(from)
    .filter(({ type }) => type === Type.UserControl)
    .map(({ payload }) => payload[1]);
  await expect
    .poll(() => client.received.entries.filter(({ type }) => type === Type.UserControl).at(-1)?.payload[1])
    .toBe(1);
  expect(controls.slice(0, 2)).toEqual([4, 0]);
  const media = stream.media.filter(({ type }) => type !== Type.DataAmf0);
  const expected = showTags(2);
  expect(media.slice(-expected.length).map(({ type, timestamp }) => [type, timestamp])).toEqual(
    expected.map(({ type, timestamp }) => [type, timestamp]),
  );
  const status = stream.media.find(({ name }) => name === 'onPlayStatus')!;
  expect(status.args[0]).toMatchObject({ code: 'NetStream.Play.Complete', level: 'status', duration: 1.97 });
});

test('start decides between live and recorded, and says when there is nothing', async () => {
  write('both.flv', flv(showTags(1)));
  const publisher = await open();
  await publisher.publish('both');
  publisher.video(0, keyFrame(4711));
  const live = await open();
  await live.play('both');
  await live.waitForMedia(keyFrame(4711));
  const recorded = await open();
  await recorded.play('both', 0);
  await recorded.waitForMedia(interFrame(24));
  publisher.command('closeStream');
  await publisher.status('NetStream.Unpublish.Success');
  const either = await open();
  await either.play('both', -2000);
  await either.waitForMedia(interFrame(24));
  const waiting = await open();
  await waiting.play('both', -1000);
  await publisher.publish('both');
  await waiting.status('NetStream.Play.PublishNotify');
  expect(pictures(waiting)).toEqual([]);
  for (const start of [0, 5000]) {
    const none = await open();
    expect(await none.play('none', start)).toMatchObject({
      code: 'NetStream.Play.StreamNotFound',
      level: 'error',
      details: 'none',
    });
  }
});

test('play begins at the key frame before its start, and lasts as long as it is told to', async () => {
  write('ten.flv', flv(showTags(10)));
  const stream = await open();
  await stream.play('ten', 3500, 1000);
  await stream.status('NetStream.Play.Stop');
  expect(pictures(stream)).toEqual(every40(38));
  await stream.waitForMedia(keyFrame(75));
  const headers = stream.media
    .filter(({ type, payload }) => type !== Type.DataAmf0 && payload[1] === 0)
    .map(({ payload }) => Buffer.from(payload));
  expect(headers).toEqual([Buffer.from(avcHeader), Buffer.from(aacHeader)]);

  const single = await open();
  await single.play('ten', 4000, 0);
  await single.status('NetStream.Play.Stop');
  expect(pictures(single)).toEqual([0]);
  await single.waitForMedia(keyFrame(100));
});

test('who plays from the middle sees times from there on, and after a seek those of the file', async () => {
  write('middle.flv', flv(showTags(20)));
  const client = await connect(url());
  const stream = await open(client);
  await stream.play('middle', 10_000);
  await stream.waitForMedia(interFrame(274));
  stream.command('pause', true, 1000);
  await stream.status('NetStream.Pause.Notify');
  await stream.settled();
  const paused = stream.mark;
  // A second after where it began.
  stream.command('pause', false, 1000);
  await stream.waitForMedia(keyFrame(275), paused);
  expect(pictures(stream, paused)[0]).toBe(1000);
  const sought = stream.mark;
  stream.command('seek', 5000);
  await stream.waitForMedia(keyFrame(125), sought);
  const { entries } = stream.received;
  const from = entries.findIndex(
    ({ args }) => (args[0] as { code?: string })?.code === 'NetStream.Seek.Notify',
  );
  expect(pictures(stream, from)[0]).toBe(5000);
});

test('it is sent at its own pace, ahead by the client’s buffer', async () => {
  write('twelve.flv', flv(showTags(12)));
  const client = await connect(url());
  const stream = await open(client);
  const startedAt = performance.now();
  await stream.play('twelve', 0);
  await expect.poll(() => pictures(stream).at(-1) ?? 0, { timeout: DEADLINE_MS }).toBeGreaterThan(1900);
  const ahead = pictures(stream).at(-1)!;
  expect(ahead).toBeLessThan(2000 + 1000 + performance.now() - startedAt);
  await expect.poll(() => pictures(stream).at(-1)!, { timeout: DEADLINE_MS }).toBeGreaterThan(ahead);
  expect(stream.codes).not.toContain('NetStream.Play.Stop');
  buffer(client, stream, 60_000);
  await stream.status('NetStream.Play.Stop');
  expect(performance.now() - startedAt).toBeLessThan(9000);
  expect(pictures(stream)).toEqual(every40(300));
});

test('a paused viewer gets nothing, and goes on from where it says that it is', async () => {
  write('pause.flv', flv(showTags(8)));
  const client = await connect(url());
  const stream = await open(client);
  await stream.play('pause', 0);
  await stream.waitForMedia(interFrame(24));
  stream.command('pause', true, 1000);
  await stream.status('NetStream.Pause.Notify');
  await stream.settled();
  const mark = stream.mark;
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(pictures(stream, mark)).toEqual([]);
  buffer(client, stream, 60_000);
  stream.command('pause', false, 1500);
  await stream.status('NetStream.Unpause.Notify');
  await stream.status('NetStream.Play.Stop');
  expect(pictures(stream, mark)).toEqual(every40(175, 1000));
});

test('seek goes to the key frame before, also while paused, and the last of several counts', async () => {
  write('seek.flv', flv(showTags(20)));
  const client = await connect(url());
  const stream = await open(client);
  await stream.play('seek', 0);
  await stream.waitForMedia(keyFrame(0));
  const mark = stream.mark;
  for (const to of [2000, 9000, 15_500]) stream.command('seek', to);
  await stream.waitForMedia(keyFrame(15 * 25), mark);
  const notify = await stream.status('NetStream.Seek.Notify', mark);
  expect(notify).toMatchObject({ details: 'seek', level: 'status' });
  const after = stream.received.entries.slice(mark);
  const last = after.findLastIndex(
    (r) => isCommand(r) && (r.args[0] as { code: string }).code === 'NetStream.Seek.Notify',
  );
  expect((after[last]!.args[0] as { description: string }).description).toContain('15500');
  expect(pictures(stream, mark + last)[0]).toBe(15_000);

  stream.command('pause', true, 15_600);
  await stream.status('NetStream.Pause.Notify', mark);
  await stream.settled();
  const paused = stream.mark;
  stream.command('seek', 4200);
  await stream.waitForMedia(keyFrame(100), paused);
  await stream.settled();
  expect(pictures(stream, paused)).toEqual([4000]);
  stream.command('pause', false, 4200);
  await stream.waitForMedia(interFrame(101), paused);

  const beyond = stream.mark;
  stream.command('seek', 30_000);
  expect(await stream.status('NetStream.Seek.InvalidTime', beyond)).toMatchObject({
    level: 'error',
    details: '19.97',
  });
});

test('a viewer at the end can seek back', async () => {
  write('again.flv', flv(showTags(1)));
  const stream = await open();
  await stream.play('again', 0);
  await stream.status('NetStream.Play.Stop');
  const mark = stream.mark;
  stream.command('seek', 0);
  await stream.status('NetStream.Seek.Notify', mark);
  await stream.status('NetStream.Play.Stop', mark);
  expect(pictures(stream, mark)).toEqual(every40(25));
});

test('a playlist plays one after the other, files and live, and skips what is not there', async () => {
  // Longer than what is sent ahead: it must not be over before the others are asked for.
  write('first.flv', flv(showTags(3)));
  write('two.flv', flv(showTags(1, 100)));
  const publisher = await open();
  await publisher.publish('air');
  publisher.video(0, keyFrame(777));
  const stream = await open();
  stream.command('play', 'first', 0, -1, true);
  stream.command('play', 'none', 0, -1, false);
  stream.command('play', 'two', 0, -1, false);
  stream.command('play', 'air', -1000, 300, 0);
  await stream.status('NetStream.Play.Stop');
  expect(stream.codes).toEqual([
    'NetStream.Play.Reset',
    'NetStream.Play.Start',
    'NetStream.Play.StreamNotFound',
    'NetStream.Play.Start',
    'NetStream.Play.Start',
    'NetStream.Play.Stop',
  ]);
  const data = stream.media
    .filter(({ name }) => name === 'onPlayStatus')
    .map(({ args }) => (args[0] as { code: string }).code);
  expect(data).toEqual(['NetStream.Play.Switch', 'NetStream.Play.Switch', 'NetStream.Play.Complete']);
  expect(
    stream.media
      .filter(({ type, payload }) => type === Type.Video && payload[0] === 0x17 && payload[1] === 1)
      .map(({ payload }) => Buffer.from(payload.subarray(-4)).readUInt32BE()),
  ).toEqual([0, 25, 50, 100, 777]);
});

test('a viewer without video gets the sound, and video again from a key frame', async () => {
  write('mute.flv', flv(showTags(30)));
  const client = await connect(url());
  const stream = await open(client);
  stream.command('receiveVideo', false);
  await stream.play('mute', 0);
  await stream.waitForMedia(aacFrame(30));
  expect(pictures(stream)).toEqual([]);
  stream.command('receiveVideo', true);
  buffer(client, stream, 60_000);
  await stream.status('NetStream.Play.Stop');
  expect(pictures(stream)[0]! % 1000).toBe(0);
});

test('a viewer who wants few pictures gets the key frames of a file, and all of them when it wants more', async () => {
  write('slides.flv', flv(showTags(30)));
  const client = await connect(url());
  const stream = await open(client);
  stream.command('receiveVideo', 1);
  await stream.play('slides', 0, -1, 3);
  await stream.status('NetStream.Play.Stop');
  const keyFrames = Array.from({ length: 30 }, (_, i) => 1000 * i);
  expect(pictures(stream).filter((at) => at! >= 1000)).toEqual(keyFrames.slice(1));
  stream.command('receiveVideo', true);
  const from = stream.mark;
  await stream.play('slides', 0, -1, 3);
  await stream.status('NetStream.Play.Stop', from);
  expect(pictures(stream, from).length).toBeGreaterThan(300);
});

test('getStreamLength is the length of the recording in seconds, 0 for none', async () => {
  write('long.flv', flv(showTags(7)));
  const client = await connect(url());
  expect(await client.call('getStreamLength', 'long')).toBe(6.97);
  expect(await client.call('getStreamLength', 'flv:long')).toBe(6.97);
  expect(await client.call('getStreamLength', 'nothing')).toBe(0);
  expect(await client.call('getStreamLength', '../../main')).toBe(0);
});

test('a hundred viewers of a file read it once', async () => {
  write('crowd.flv', flv(showTags(4)));
  const reads = async () => {
    const text = await (await fetch(`${server.http}/metrics`)).text();
    return Number(/^stagewire_media_file_reads_total (\d+)$/m.exec(text)?.[1]);
  };
  const before = await reads();
  const streams = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const stream = await open();
      await stream.play('crowd', 0);
      return stream;
    }),
  );
  await Promise.all(streams.map((stream) => stream.status('NetStream.Play.Stop')));
  for (const stream of streams) expect(pictures(stream)).toEqual(every40(100));
  expect((await reads()) - before).toBeLessThanOrEqual(10);
});

test('what is no media file is refused with a status and a line in the log', async () => {
  write('text.flv', Buffer.from('this is a text, whatever its name'));
  const stream = await open();
  expect(await stream.play('text', 0)).toMatchObject({
    code: 'NetStream.Play.FileStructureInvalid',
    level: 'error',
  });
  await server.log.waitFor(
    'the log',
    ({ message, code }) => code === 'E_MEDIA_FILE' && message.includes('text'),
  );
  write('cut.flv', flv(showTags(2)).subarray(0, -30));
  const cut = await open();
  await cut.play('cut', 0);
  await cut.status('NetStream.Play.Stop');
  expect(pictures(cut)).toEqual(every40(49));
});

test('a file that is removed while it plays comes to its end; one that is cut off ends with a status', async () => {
  const gone = write('gone.flv', flv(showTags(6)));
  const client = await connect(url());
  const first = await open(client);
  await first.play('gone', 0);
  await first.waitForMedia(keyFrame(0));
  rmSync(gone);
  buffer(client, first, 60_000);
  await first.status('NetStream.Play.Stop');
  expect(pictures(first)).toEqual(every40(150));

  const cut = write('cut2.flv', flv(showTags(600)));
  const second = await open();
  await second.play('cut2', 0);
  await second.waitForMedia(keyFrame(0));
  truncateSync(cut, 30_000);
  const at = second.mark;
  second.command('seek', 400_000);
  await second.received.waitFor(
    'an end',
    (r) =>
      isCommand(r) &&
      ['NetStream.Play.Failed', 'NetStream.Play.Stop'].includes((r.args[0] as { code: string }).code),
    at,
  );
  const third = await open();
  await third.play('crowd', 0);
  await third.waitForMedia(keyFrame(0));
});

test('ffmpeg and rtmpdump play it packet for packet, from the beginning and from the middle', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'rtmpdump');
  const clip = await makeClip(scratchFolder(), 6);
  const source = tagsOf(clip);
  write('clip.flv', flv(source));
  const packets = async (file: string) => {
    const entries = ['-show_packets', '-show_entries', 'packet=codec_type,dts,size'];
    const { code, output } = await new RunningTool('ffprobe', [
      '-v',
      'error',
      ...entries,
      '-of',
      'json',
      file,
    ]).end();
    expect(code).toBe(0);
    return (JSON.parse(output) as { packets: { codec_type: string; dts: number; size: string }[] }).packets;
  };
  const own = scratchFolder();
  const dumped = join(own, 'dump.flv');
  const copied = join(own, 'copy.flv');
  const [dump, copy] = await Promise.all([
    new RunningTool('rtmpdump', ['-q', '-r', `${url()}/clip`, '-o', dumped]).end(),
    new RunningTool('ffmpeg', ['-v', 'error', '-i', `${url()}/clip`, '-c', 'copy', copied]).end(),
  ]);
  expect(dump.code).toBe(0);
  expect({ code: copy.code, errors: copy.errors }).toEqual({ code: 0, errors: '' });
  const expected = await packets(clip);
  const sizes = (list: { codec_type: string; size: string }[], type: string) =>
    list.filter(({ codec_type }) => codec_type === type).map(({ size }) => size);
  for (const file of [dumped, copied]) {
    const got = await packets(file);
    for (const type of ['video', 'audio']) expect(sizes(got, type)).toEqual(sizes(expected, type));
  }
  const late = join(own, 'late.flv');
  const { code } = await new RunningTool('rtmpdump', [
    '-q',
    '-r',
    `${url()}/clip`,
    '-A',
    '3',
    '-o',
    late,
  ]).end();
  expect(code).toBe(0);
  const video = (await packets(late)).filter(({ codec_type }) => codec_type === 'video');
  const frames = source.filter(({ type, payload }) => type === 9 && payload[1] === 1);
  const key = frames.findLastIndex(({ timestamp, payload }) => payload[0] === 0x17 && timestamp <= 3000);
  expect(video).toHaveLength(frames.length - key);
  expect(readdirSync(own)).toContain('late.flv');
});

const video = (frames: string) =>
  `-c:v libx264 -preset veryfast -g 12 -pix_fmt yuv420p ${frames}`.trim().split(' ');
for (const { file, name = file, made } of [
  { file: 'b-frames.mp4', made: [...picture(3), ...tone(3), ...video('-bf 2'), '-c:a', 'aac'] },
  { file: 'pictures.mp4', made: [...picture(3), ...video('')] },
  { file: 'sound.m4a', made: [...tone(3), '-c:a', 'aac'] },
  { file: 'sound.mp3', name: 'mp3:sound', made: tone(3) },
]) {
  test(`rtmpdump finds ${file} complete when it has all of it`, async (context) => {
    requireTools(context, 'ffmpeg', 'rtmpdump');
    mkdirSync(folder(), { recursive: true });
    makeMedia(folder(), file, ...made);
    const dumped = join(scratchFolder(), 'dump.flv');
    const playing = ['-r', url(), '-a', 'vod/room', '-y', name.includes(':') ? name : `mp4:${name}`];
    const { code, errors } = await new RunningTool('rtmpdump', [...playing, '-o', dumped]).end();
    expect({ code, errors }).toMatchObject({ code: 0, errors: expect.stringContaining('Download complete') });
    expect(tagsOf(dumped).length).toBeGreaterThan(70);
  });
}

/** As NetStreamPlayOptions go over the wire. */
const play2 = (stream: ClientStream, options: Record<string, unknown>) => stream.command('play2', options);
const numbers = (stream: ClientStream, from = 0) =>
  stream.received.entries
    .slice(from)
    .filter((r) => r.type === Type.Video && r.payload[1] === 1)
    .map(({ payload }) => Buffer.from(payload.subarray(-4)).readUInt32BE());

test('play2 switches between recordings of one content at the next key frame, without a gap', async () => {
  write('low.flv', flv(showTags(12)));
  write('high.flv', flv(showTags(12, 10_000)));
  const client = await connect(url());
  const stream = await open(client);
  await stream.play('low', 0);
  await stream.waitForMedia(interFrame(24));
  play2(stream, { streamName: 'high', oldStreamName: 'low', transition: 'switch', start: -1, len: -1 });
  expect(await stream.status('NetStream.Play.Transition')).toMatchObject({
    level: 'status',
    reason: 'NetStream.Transition.Success',
    details: 'high',
  });
  const complete = await stream.waitForData('onPlayStatus');
  expect(complete.args[0]).toMatchObject({ code: 'NetStream.Play.TransitionComplete', details: 'high' });
  buffer(client, stream, 60_000);
  await stream.status('NetStream.Play.Stop');
  const all = numbers(stream);
  const first = all.findIndex((id) => id >= 10_000);
  expect(first % 25).toBe(0);
  expect(all.map((id) => id % 10_000)).toEqual(Array.from({ length: 300 }, (_, i) => i));
  expect(stream.codes.filter((code) => code === 'NetStream.Play.Start')).toHaveLength(1);
  play2(stream, { streamName: 'low', oldStreamName: 'none', transition: 'switch' });
  await stream.status('NetStream.Play.Failed');
});

test('play2 switches between live streams at a key frame', async () => {
  const [low, high] = [await open(), await open()];
  await low.publish('rate1');
  await high.publish('rate2');
  const send = (i: number) => {
    low.video(i * 40, i % 5 === 0 ? keyFrame(i) : interFrame(i));
    high.video(i * 40, i % 5 === 0 ? keyFrame(1000 + i) : interFrame(1000 + i));
  };
  for (let i = 0; i < 8; i++) send(i);
  await Promise.all([low.settled(), high.settled()]);
  const stream = await open();
  await stream.play('rate1');
  await stream.waitForMedia(interFrame(7));
  play2(stream, { streamName: 'rate2', oldStreamName: 'rate1', transition: 'switch' });
  await stream.status('NetStream.Play.Transition');
  for (let i = 8; i < 20; i++) {
    send(i);
    await Promise.all([low.settled(), high.settled()]);
  }
  await stream.waitForMedia(interFrame(1019));
  const all = numbers(stream);
  const first = all.findIndex((id) => id >= 1000);
  // Which of the two streams' messages of one time comes first is not told: the old one may be there twice at the seam.
  expect(all[first]).toBe(1010);
  expect([9, 10]).toContain(all[first - 1]);
  expect(all.slice(first)).toEqual(Array.from({ length: 10 }, (_, i) => 1010 + i));
});

test('play2 appends, swaps what is still to come, and stops', async () => {
  write('one.flv', flv(showTags(3)));
  write('two.flv', flv(showTags(1, 100)));
  write('three.flv', flv(showTags(1, 200)));
  const stream = await open();
  play2(stream, { streamName: 'one', transition: 'reset', start: 0 });
  play2(stream, { streamName: 'two', transition: 'append', start: 0 });
  play2(stream, { streamName: 'three', oldStreamName: 'two', transition: 'swap', start: 0 });
  await stream.status('NetStream.Play.Stop');
  expect(numbers(stream).filter((id) => id % 100 === 0)).toEqual([0, 200]);
  const long = await open();
  write('long2.flv', flv(showTags(30)));
  await long.play('long2', 0);
  await long.waitForMedia(keyFrame(0));
  play2(long, { streamName: 'long2', transition: 'stop' });
  await long.settled();
  const mark = long.mark;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(long.received.entries.slice(mark)).toEqual([]);
});
