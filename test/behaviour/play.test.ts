import { expect, test } from 'vitest';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { EcmaArray } from '../../wire/values.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame, metadata } from '../support/media.ts';
import { type ClientStream, connect, isCommand, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ apps: { live: { 'README.md': 'no script' } } });

let rooms = 0;
const newRoom = () => `${server.rtmp}/live/room${rooms++}`;

interface Published {
  room: string;
  client: RtmpClient;
  stream: ClientStream;
}

async function publish(room = newRoom(), name = 'cam'): Promise<Published> {
  const client = await connect(room);
  const stream = await client.createStream();
  expect((await stream.publish(name)).code).toBe('NetStream.Publish.Start');
  return { room, client, stream };
}

async function play(room: string, ...args: unknown[]): Promise<ClientStream> {
  const client = await connect(room);
  const stream = await client.createStream();
  expect((await stream.play('cam', ...args)).code).toBe('NetStream.Play.Start');
  return stream;
}

const bodies = (stream: ClientStream) =>
  stream.media.map(({ type, timestamp, payload }) => [type, timestamp, Buffer.from(payload).toString('hex')]);
const entry = (type: number, timestamp: number, payload: Uint8Array) => [
  type,
  timestamp,
  Buffer.from(payload).toString('hex'),
];
const audio = (timestamp: number, payload: Uint8Array) => entry(Type.Audio, timestamp, payload);
const video = (timestamp: number, payload: Uint8Array) => entry(Type.Video, timestamp, payload);
const data = (timestamp: number, ...values: unknown[]) => entry(Type.DataAmf0, timestamp, encodeAmf0(values));
const onMetaData = (timestamp: number, value: object = metadata) =>
  data(timestamp, 'onMetaData', new EcmaArray(value as EcmaArray));

/** Metadata, headers, and half a second of pictures and sound from `at` on. */
function sendOpening(stream: ClientStream, at = 0): void {
  stream.data(at, '@setDataFrame', 'onMetaData', new EcmaArray(metadata));
  stream.video(at, avcHeader);
  stream.audio(at, aacHeader);
  stream.video(at, keyFrame(1));
  stream.audio(at + 10, aacFrame(2));
  stream.video(at + 40, interFrame(3));
}

test('play without a publisher waits, and hears of each that comes and goes', async () => {
  const room = newRoom();
  const viewer = await play(room);
  expect(viewer.codes).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start']);
  for (const round of [1, 2]) {
    const from = viewer.mark;
    const { client, stream } = await publish(room);
    expect(await viewer.status('NetStream.Play.PublishNotify', from)).toMatchObject({
      level: 'status',
      description: 'cam is now published.',
      details: 'cam',
    });
    sendOpening(stream, round * 1000);
    await viewer.waitForMedia(interFrame(3), from);
    await client.close();
    await viewer.status('NetStream.Play.UnpublishNotify', from);
    const since = viewer.received.entries.slice(from).map((r) => (isCommand(r) ? r.name : r.type));
    expect(since).toEqual(['onStatus', 18, 9, 8, 9, 8, 9, 'onStatus']);
  }
});

test('a player is told StreamBegin, Play.Reset and Play.Start, in that order', async () => {
  const client = await connect(newRoom());
  const stream = await client.createStream();
  const from = client.received.mark;
  await stream.play('cam');
  const entries = client.received.entries.slice(from);
  expect(entries.map(({ type, streamId }) => [type, streamId])).toEqual([
    [Type.UserControl, 0],
    [Type.CommandAmf0, 1],
    [Type.CommandAmf0, 1],
  ]);
  expect(Buffer.from(entries[0]!.payload).toString('hex')).toBe('000000000001');
  expect(entries[1]!.args[0]).toMatchObject({ description: 'Playing and resetting cam.', details: 'cam' });
  expect(entries[2]!.args[0]).toMatchObject({ description: 'Started playing cam.', details: 'cam' });
});

for (const { reset, isReset } of [
  { reset: true, isReset: true },
  { reset: 1, isReset: true },
  { reset: false, isReset: false },
  { reset: 0, isReset: false },
]) {
  test(`reset ${reset}: ${isReset ? 'Play.Reset comes' : 'no Play.Reset'} before Play.Start`, async () => {
    const viewer = await play(newRoom(), -2000, -1000, reset);
    expect(viewer.codes).toEqual(
      isReset ? ['NetStream.Play.Reset', 'NetStream.Play.Start'] : ['NetStream.Play.Start'],
    );
  });
}

for (const start of [0, 5000, 0.5]) {
  test(`play from ${start} is for recordings: StreamNotFound, even when the name is live`, async () => {
    const { room } = await publish();
    const client = await connect(room);
    const stream = await client.createStream();
    expect(await stream.play('cam', start)).toMatchObject({
      level: 'error',
      code: 'NetStream.Play.StreamNotFound',
      details: 'cam',
    });
    expect((await stream.play('cam', -1000)).code).toBe('NetStream.Play.Start');
  });
}

test('viewers get each message as it was sent, with its time', async () => {
  const { room, stream } = await publish();
  const viewers = [await play(room), await play(room), await play(room)];
  sendOpening(stream, 500);
  stream.data(560, 'cue', 1, { a: 'b' });
  stream.audio(570, aacFrame(4));
  for (const viewer of viewers) {
    await viewer.waitForMedia(aacFrame(4));
    expect(bodies(viewer)).toEqual([
      onMetaData(500),
      video(500, avcHeader),
      audio(500, aacHeader),
      video(500, keyFrame(1)),
      audio(510, aacFrame(2)),
      video(540, interFrame(3)),
      data(560, 'cue', 1, { a: 'b' }),
      audio(570, aacFrame(4)),
    ]);
  }
});

test('a late joiner gets metadata, headers and the pictures from the last key frame on', async () => {
  const { room, stream } = await publish();
  sendOpening(stream);
  stream.audio(80, aacFrame(5));
  stream.data(90, 'cue', 'past');
  stream.video(5000, keyFrame(6));
  stream.audio(5010, aacFrame(7));
  stream.video(5040, interFrame(8));
  await stream.settled();
  const viewer = await play(room);
  await viewer.waitForMedia(interFrame(8));
  stream.video(5080, interFrame(9));
  await viewer.waitForMedia(interFrame(9));
  expect(bodies(viewer)).toEqual([
    onMetaData(0),
    video(5000, avcHeader),
    audio(5000, aacHeader),
    video(5000, keyFrame(6)),
    audio(5010, aacFrame(7)),
    video(5040, interFrame(8)),
    video(5080, interFrame(9)),
  ]);
});

test('who joins before the first key frame sees no inter frame without it', async () => {
  const { room, stream } = await publish();
  stream.video(0, avcHeader);
  stream.audio(0, aacHeader);
  stream.video(10, interFrame(1));
  await stream.settled();
  const viewer = await play(room);
  stream.video(20, interFrame(2));
  stream.audio(30, aacFrame(3));
  stream.video(40, keyFrame(4));
  stream.video(50, interFrame(5));
  await viewer.waitForMedia(interFrame(5));
  const payloads = bodies(viewer);
  expect(payloads).toContainEqual(audio(30, aacFrame(3)));
  expect(payloads.filter(([type]) => type === Type.Video).map(([, , hex]) => hex)).toEqual(
    [avcHeader, keyFrame(4), interFrame(5)].map((payload) => Buffer.from(payload).toString('hex')),
  );
});

test('sound alone needs no key frame', async () => {
  const { room, stream } = await publish();
  stream.audio(0, aacHeader);
  stream.audio(20, aacFrame(1));
  await stream.settled();
  const viewer = await play(room);
  stream.audio(40, aacFrame(2));
  await viewer.waitForMedia(aacFrame(2));
  expect(bodies(viewer).at(-1)).toEqual(audio(40, aacFrame(2)));
  expect(bodies(viewer)).toContainEqual(audio(40, aacHeader));
});

const metadataForms = [
  {
    name: '@setDataFrame with an ECMA array',
    values: ['@setDataFrame', 'onMetaData', new EcmaArray(metadata)],
  },
  { name: '@setDataFrame with an object', values: ['@setDataFrame', 'onMetaData', metadata] },
  { name: 'a bare onMetaData', values: ['onMetaData', metadata] },
];
for (const { name, values } of metadataForms) {
  test(`${name} reaches viewers, early and late, as onMetaData with an ECMA array`, async () => {
    const { room, stream } = await publish();
    const early = await play(room);
    stream.data(0, ...values);
    await early.waitForData('onMetaData');
    await stream.settled();
    const late = await play(room);
    stream.video(100, keyFrame(1));
    await late.waitForMedia(keyFrame(1));
    expect(bodies(early)[0]).toEqual(onMetaData(0));
    expect(bodies(late)[0]).toEqual(onMetaData(0));
  });
}

test('@clearDataFrame: who joins later gets no metadata', async () => {
  const { room, stream } = await publish();
  stream.data(0, '@setDataFrame', 'onMetaData', metadata);
  stream.data(10, '@clearDataFrame', 'onMetaData');
  await stream.settled();
  const viewer = await play(room);
  stream.video(100, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  expect(bodies(viewer)).toEqual([video(100, keyFrame(1))]);
});

test('data frames are kept under their names, each forgotten by itself', async () => {
  const { room, stream } = await publish();
  stream.data(0, '@setDataFrame', 'onMetaData', metadata);
  stream.data(1, '@setDataFrame', 'onStage', { act: 1 });
  stream.data(2, '@setDataFrame', 'onLight', { lamp: 1 });
  stream.data(3, '@clearDataFrame', 'onLight');
  await stream.settled();
  const viewer = await play(room);
  stream.video(100, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  expect(viewer.media.map(({ name }) => name)).toEqual(['onMetaData', 'onStage', '']);
});

test('metadata on message stream 0 belongs to the only publication', async () => {
  const { room, stream, client } = await publish();
  const viewer = await play(room);
  client.stream(0).data(0, '@setDataFrame', 'onMetaData', metadata);
  stream.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  expect(bodies(viewer)[0]).toEqual(onMetaData(0));
});

test('the next publisher brings headers of his own', async () => {
  const { room, stream, client } = await publish();
  sendOpening(stream);
  await stream.settled();
  await client.close();
  const viewer = await play(room);
  await viewer.received.waitFor('Play.Start', isCommand);
  const next = await publish(room);
  next.stream.video(0, keyFrame(11));
  await viewer.waitForMedia(keyFrame(11));
  expect(bodies(viewer)).toEqual([video(0, keyFrame(11))]);
});

test('pause stops the stream; unpause goes on live, from a key frame with headers', async () => {
  const { room, stream } = await publish();
  sendOpening(stream);
  await stream.settled();
  const viewer = await play(room);
  await viewer.waitForMedia(interFrame(3));
  viewer.command('pause', true, 40);
  expect(await viewer.status('NetStream.Pause.Notify')).toMatchObject({
    level: 'status',
    description: 'Pausing cam.',
    details: 'cam',
  });
  const from = viewer.mark;
  stream.video(80, interFrame(20));
  stream.video(1000, keyFrame(21));
  stream.video(1040, interFrame(22));
  await stream.settled();
  viewer.command('pause', false, 40);
  await viewer.status('NetStream.Unpause.Notify');
  stream.video(1080, interFrame(23));
  await viewer.waitForMedia(interFrame(23));
  const since = viewer.received.entries.slice(from);
  expect(since[0]).toMatchObject({ name: 'onStatus' });
  const videos = since.filter(({ type }) => type === Type.Video).map(({ timestamp }) => timestamp);
  expect(videos).toEqual([1000, 1000, 1040, 1080]);
});

test('receiveAudio(false) and receiveVideo(false) each leave the other medium', async () => {
  const { room, stream } = await publish();
  const [silent, blind] = [await play(room), await play(room)];
  sendOpening(stream);
  await Promise.all([silent.waitForMedia(interFrame(3)), blind.waitForMedia(interFrame(3))]);
  silent.command('receiveAudio', false);
  blind.command('receiveVideo', false);
  await Promise.all([silent.settled(), blind.settled()]);
  stream.audio(2000, aacFrame(31));
  stream.video(2010, keyFrame(32));
  stream.audio(2020, aacFrame(33));
  stream.data(2030, 'end');
  await Promise.all([silent.waitForData('end'), blind.waitForData('end')]);
  const late = (viewer: ClientStream) => bodies(viewer).filter(([, timestamp]) => Number(timestamp) >= 2000);
  expect(late(silent)).toEqual([video(2010, keyFrame(32)), data(2030, 'end')]);
  expect(late(blind)).toEqual([audio(2000, aacFrame(31)), audio(2020, aacFrame(33)), data(2030, 'end')]);

  silent.command('receiveAudio', true);
  blind.command('receiveVideo', true);
  await Promise.all([silent.settled(), blind.settled()]);
  stream.video(3000, interFrame(36));
  stream.audio(3010, aacFrame(37));
  stream.video(3020, keyFrame(38));
  await Promise.all([silent.waitForMedia(keyFrame(38)), blind.waitForMedia(keyFrame(38))]);
  expect(bodies(silent)).toContainEqual(audio(3010, aacFrame(37)));
  expect(bodies(blind)).not.toContainEqual(video(3000, interFrame(36)));
});

test('receiveVideo(false) ahead of play counts, as Flash Player sends it', async () => {
  const { room, stream } = await publish();
  const client = await connect(room);
  const viewer = await client.createStream();
  viewer.command('receiveVideo', false);
  await viewer.play('cam');
  sendOpening(stream);
  await viewer.waitForMedia(aacFrame(2));
  stream.data(100, 'end');
  await viewer.waitForData('end');
  expect(bodies(viewer).filter(([type]) => type === Type.Video)).toEqual([]);
});

test('receiveVideo with a number thins the pictures out as far as they can be left out; 0 stops them', async () => {
  const { room, stream } = await publish();
  const [few, fewer, none] = [await play(room), await play(room), await play(room)];
  few.command('receiveVideo', 10);
  fewer.command('receiveVideoFPS', 1);
  none.command('receiveVideo', 0);
  await Promise.all([few, fewer, none].map((viewer) => viewer.settled()));
  // 20 a second, every other one of them disposable, and a key frame each second.
  const kindOf = (i: number) => (i % 20 === 0 ? 0x12 : i % 2 === 1 ? 0x32 : 0x22);
  const send = (from: number, to: number) => {
    for (let i = from; i < to; i++) stream.video(50 * i, Uint8Array.from([kindOf(i), i]));
  };
  send(0, 100);
  stream.data(5000, 'end');
  await Promise.all([few, fewer, none].map((viewer) => viewer.waitForData('end')));
  const pictures = (viewer: ClientStream) =>
    viewer.media.filter(({ type }) => type === Type.Video).map(({ payload }) => payload[1]);
  // How many there are is known with the second key frame.
  expect(pictures(few).filter((i) => i! >= 20)).toEqual(Array.from({ length: 40 }, (_, i) => 20 + 2 * i));
  expect(pictures(fewer).filter((i) => i! >= 20)).toEqual([20, 40, 60, 80]);
  expect(pictures(none)).toEqual([]);

  // In the middle of a group of which it has nothing but the key frame.
  fewer.command('receiveVideo', true);
  await fewer.settled();
  send(101, 140);
  stream.data(7000, 'end2');
  await fewer.waitForData('end2');
  expect(pictures(fewer).filter((i) => i! > 80)).toEqual(Array.from({ length: 20 }, (_, i) => 120 + i));
});

test('closeStream and play(false) end a play; the stream can play again', async () => {
  const { room, stream } = await publish();
  const viewer = await play(room);
  for (const end of [() => viewer.command('closeStream'), () => viewer.command('play', false)]) {
    end();
    expect((await viewer.play('other')).code).toBe('NetStream.Play.Start');
    const from = viewer.mark;
    stream.video(0, keyFrame(41));
    await stream.settled();
    expect((await viewer.play('cam')).code).toBe('NetStream.Play.Start');
    await viewer.waitForMedia(keyFrame(41), from);
    expect(viewer.received.entries.slice(from)[0]).toMatchObject({ name: 'onStatus' });
  }
});

test('seek on a live stream fails and changes nothing', async () => {
  const { room, stream } = await publish();
  const viewer = await play(room);
  viewer.command('seek', 5000);
  expect(await viewer.status('NetStream.Seek.Failed')).toMatchObject({ level: 'error' });
  stream.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
});

test('one client plays several streams and its own publication', async () => {
  const { client, stream } = await publish();
  const second = await client.createStream();
  await second.publish('desk');
  const [cam, desk] = [await client.createStream(), await client.createStream()];
  await cam.play('cam');
  await desk.play('desk');
  stream.video(0, keyFrame(1));
  second.video(0, keyFrame(2));
  await cam.waitForMedia(keyFrame(1));
  await desk.waitForMedia(keyFrame(2));
  expect(bodies(cam)).toEqual([video(0, keyFrame(1))]);
  expect(bodies(desk)).toEqual([video(0, keyFrame(2))]);
});
