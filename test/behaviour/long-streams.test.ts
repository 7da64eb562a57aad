import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { RunningTool, scratchFolder } from '../support/media-tools.ts';
import { tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const server = useServer({
  // An hour comes in seconds: a viewer on a busy machine may be that far behind.
  limits: { viewerQueueBytes: 64 * 1024 * 1024 },
  apps: { live: { 'README.md': 'no script' } },
});

let rooms = 0;
const newRoom = () => `r${rooms++}`;
const url = (room: string) => `${server.rtmp}/live/${room}`;
const fileOf = (room: string) => join(server.appsFolder, 'live/streams', room, 'cam.flv');

interface Show {
  room: string;
  client: RtmpClient;
  publisher: ClientStream;
  viewer: ClientStream;
}

async function show(mode = 'live'): Promise<Show> {
  const room = newRoom();
  const client = await connect(url(room));
  const publisher = await client.createStream();
  await publisher.publish('cam', mode);
  if (mode !== 'live') await publisher.status('NetStream.Record.Start');
  const viewer = await (await connect(url(room))).createStream();
  await viewer.play('cam');
  return { room, client, publisher, viewer };
}

const times = (stream: ClientStream, type: number) =>
  stream.media.filter((r) => r.type === type && r.payload[1] === 1).map(({ timestamp }) => timestamp);
const ids = (stream: ClientStream) =>
  stream.media
    .filter(({ type, payload }) => type === Type.Video && payload[1] === 1)
    .map(({ payload }) => Buffer.from(payload.subarray(-4)).readUInt32BE());

test('an hour of 25 pictures and 43 sounds a second, with ten seconds between key frames: live, recorded and sought', async () => {
  const { room, publisher, viewer } = await show('record');
  publisher.video(0, avcHeader);
  publisher.audio(0, aacHeader);
  const PICTURES = 3600 * 25;
  let sounds = 0;
  for (let i = 0; i < PICTURES; i++) {
    publisher.video(i * 40, i % 250 === 0 ? keyFrame(i) : interFrame(i));
    for (; sounds * 23 < i * 40; sounds++) publisher.audio(sounds * 23, aacFrame(sounds));
    if (i % 1000 === 999) await publisher.settled();
  }
  publisher.video(PICTURES * 40, keyFrame(PICTURES));
  await viewer.waitForMedia(keyFrame(PICTURES));
  const expected = Array.from({ length: PICTURES + 1 }, (_, i) => i * 40);
  expect(times(viewer, Type.Video)).toEqual(expected);
  expect(times(viewer, Type.Audio)).toEqual(Array.from({ length: sounds }, (_, i) => i * 23));

  publisher.command('closeStream');
  await publisher.status('NetStream.Record.Stop');
  const tags = tagsOf(fileOf(room));
  expect(
    tags.filter(({ type, payload }) => type === 9 && payload[1] === 1).map(({ timestamp }) => timestamp),
  ).toEqual(expected);
  const late = await (await connect(url(room))).createStream();
  await late.play('cam', 3_595_000);
  await late.status('NetStream.Play.Stop');
  expect(times(late, Type.Video)).toEqual(expected.slice(0, PICTURES + 1 - 359 * 250));
  await late.waitForMedia(keyFrame(359 * 250));
}, 120_000);

const borders = [
  ['2^24 ms, where the extended timestamp begins', 2 ** 24],
  ['2^31 ms', 2 ** 31],
  ['2^32 ms, where time begins again', 2 ** 32],
] as const;
for (const [name, border] of borders) {
  test(`a stream that passes ${name}`, async () => {
    const { room, publisher, viewer } = await show('record');
    const from = border - 1000;
    publisher.video(from, avcHeader);
    publisher.audio(from, aacHeader);
    // Frames larger than a chunk: the timestamp is repeated inside of them.
    const body = (head: Uint8Array, i: number) => {
      const payload = new Uint8Array(70_000).fill(i);
      payload.set(head);
      payload.set(head.subarray(-4), payload.length - 4);
      return payload;
    };
    for (let i = 0; i <= 50; i++) {
      const head = i % 25 === 0 ? keyFrame(i) : interFrame(i);
      publisher.video((from + i * 40) % 2 ** 32, body(head, i));
    }
    await viewer.waitForMedia(body(keyFrame(50), 50));
    expect(times(viewer, Type.Video)).toEqual(
      Array.from({ length: 51 }, (_, i) => (from + i * 40) % 2 ** 32),
    );
    expect(ids(viewer)).toEqual(Array.from({ length: 51 }, (_, i) => i));
    publisher.command('closeStream');
    await publisher.status('NetStream.Record.Stop');
    const recorded = tagsOf(fileOf(room)).filter(({ type, payload }) => type === 9 && payload[1] === 1);
    expect(recorded.map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: 51 }, (_, i) => i * 40));
  });
}

test('rtmpdump plays a stream that passes 2^24 ms', async (context) => {
  requireTools(context, 'rtmpdump');
  const { room, publisher } = await show();
  const out = join(scratchFolder(), 'out.flv');
  const from = 2 ** 24 - 1000;
  const send = (i: number) => {
    publisher.video(from + i * 40, i % 25 === 0 ? keyFrame(i) : interFrame(i));
    publisher.audio(from + i * 40, aacFrame(i));
  };
  publisher.video(from, avcHeader);
  publisher.audio(from, aacHeader);
  for (let i = 0; i < 10; i++) send(i);
  const tool = new RunningTool('rtmpdump', ['-q', '-v', '-r', `${url(room)}/cam`, '-o', out]);
  let i = 10;
  const sending = setInterval(() => send(i++), 10);
  const seen = () => {
    try {
      return tagsOf(out).length;
    } catch {
      return 0; // not begun
    }
  };
  await expect.poll(seen, { timeout: 30_000 }).toBeGreaterThan(200);
  clearInterval(sending);
  publisher.command('closeStream');
  await tool.end();
  const video = tagsOf(out).filter(({ type, payload }) => type === 9 && payload[1] === 1);
  const steps = video.slice(1).map(({ timestamp }, at) => timestamp - video[at]!.timestamp);
  expect(new Set(steps)).toEqual(new Set([40]));
});

test('sound only, and pictures only', async () => {
  const sound = await show();
  sound.publisher.audio(0, aacHeader);
  for (let i = 0; i < 100; i++) sound.publisher.audio(i * 23, aacFrame(i));
  await sound.viewer.waitForMedia(aacFrame(99));
  expect(times(sound.viewer, Type.Audio)).toHaveLength(100);
  const late = await (await connect(url(sound.room))).createStream();
  await late.play('cam');
  sound.publisher.audio(2300, aacFrame(100));
  await late.waitForMedia(aacFrame(100));
  expect(late.media.map(({ payload }) => Buffer.from(payload).toString('hex'))).toEqual(
    [aacHeader, aacFrame(100)].map((payload) => Buffer.from(payload).toString('hex')),
  );
  const picture = await show();
  picture.publisher.video(0, avcHeader);
  for (let i = 0; i < 100; i++) picture.publisher.video(i * 40, i % 25 === 0 ? keyFrame(i) : interFrame(i));
  await picture.viewer.waitForMedia(interFrame(99));
  expect(ids(picture.viewer)).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

test('composition times, and a codec header that changes in mid-stream, come as they were sent', async () => {
  const { room, publisher, viewer } = await show();
  // Shown 80 ms later, and 40 ms earlier: B-frames.
  const at = (payload: Uint8Array, ms: number) => {
    const shifted = payload.slice();
    shifted.set([(ms >> 16) & 255, (ms >> 8) & 255, ms & 255], 2);
    return shifted;
  };
  const otherHeader = avcHeader.slice();
  otherHeader[7] = 0x64;
  const sent = [
    avcHeader,
    at(keyFrame(0), 80),
    at(interFrame(1), -40),
    at(interFrame(2), 0),
    otherHeader,
    at(keyFrame(3), 80),
    at(interFrame(4), -40),
  ];
  for (const [i, payload] of sent.entries()) publisher.video(i * 40, payload);
  await viewer.waitForMedia(sent.at(-1)!);
  const hex = (list: readonly Uint8Array[]) => list.map((payload) => Buffer.from(payload).toString('hex'));
  expect(hex(viewer.media.map(({ payload }) => payload))).toEqual(hex(sent));
  const late = await (await connect(url(room))).createStream();
  await late.play('cam');
  await late.waitForMedia(sent.at(-1)!);
  expect(hex(late.media.map(({ payload }) => payload))).toEqual(hex(sent.slice(4)));
});

test('publishers one after the other, each with a clock of its own', async () => {
  const { room, publisher, viewer } = await show();
  publisher.video(900_000, avcHeader);
  publisher.video(900_000, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  publisher.command('closeStream');
  await viewer.status('NetStream.Play.UnpublishNotify');
  const next = await (await connect(url(room))).createStream();
  await next.publish('cam');
  next.video(0, avcHeader);
  next.video(0, interFrame(2));
  next.video(40, keyFrame(3));
  next.video(80, interFrame(4));
  await viewer.waitForMedia(interFrame(4));
  expect(ids(viewer)).toEqual([1, 3, 4]);
  expect(times(viewer, Type.Video)).toEqual([900_000, 40, 80]);
});
