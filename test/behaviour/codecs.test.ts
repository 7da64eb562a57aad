import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { type ClientStream, connect, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const policy = (codecs: string) => ({ 'app.json': JSON.stringify({ streams: { codecs } }) });
const server = useServer({
  apps: {
    drop: { 'README.md': 'no script' },
    refuse: policy('refuse'),
    send: policy('send'),
    erase: { 'app.json': JSON.stringify({ streams: { eraseOnPublish: true } }) },
  },
});

let rooms = 0;
const newRoom = (app = 'drop') => `${server.rtmp}/${app}/room${rooms++}`;
const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
/** Heads as in Enhanced RTMP v2: SequenceStart, CodedFramesX and CodedFrames; bodies made up. */
const hevcHeader = hex('90 68766331 0101600000');
const hevcKey = hex('93 68766331 00000005 26011122');
const hevcInter = hex('a1 68766331 000000 00000005 02011133');
const opusHeader = hex('90 4f707573 4f70757348656164');
const opusFrame = hex('91 4f707573 fc112233');
/** Two tracks of different codecs in one message. */
const manyCodecs = hex('96 21 68766331 00 000004 11223344 61763031 01 000004 55667788');
const defaultOfMany = hex('91 68766331 11223344');

async function publish(room: string): Promise<ClientStream> {
  const stream = await (await connect(room)).createStream();
  await stream.publish('cam');
  return stream;
}

async function play(room: string, properties: Record<string, unknown> = {}): Promise<ClientStream> {
  const stream = await (await connect(room, { properties })).createStream();
  await stream.play('cam');
  return stream;
}

/** HEVC with AAC, and then a message that ends it for all. */
async function sendHevc(stream: ClientStream): Promise<void> {
  stream.video(0, hevcHeader);
  stream.audio(0, aacHeader);
  stream.video(0, hevcKey);
  stream.audio(10, aacFrame(1));
  stream.video(40, hevcInter);
  stream.audio(50, aacFrame(2));
  await stream.settled();
}

const videos = (stream: ClientStream) =>
  stream.media
    .filter(({ type }) => type === Type.Video)
    .map(({ payload }) => Buffer.from(payload).toString('hex'));
const asHex = (...payloads: Uint8Array[]) => payloads.map((payload) => Buffer.from(payload).toString('hex'));

const able: [string, Record<string, unknown>][] = [
  ['fourCcList', { fourCcList: ['av01', 'hvc1'] }],
  ['fourCcList of all', { fourCcList: ['*'] }],
  ['videoFourCcInfoMap', { videoFourCcInfoMap: { hvc1: 1 } }],
  ['videoFourCcInfoMap that forwards all', { videoFourCcInfoMap: { '*': 4 } }],
];
for (const [name, properties] of able) {
  test(`a player that announces HEVC by ${name} gets it, live and late`, async () => {
    const room = newRoom();
    const publisher = await publish(room);
    const early = await play(room, properties);
    await sendHevc(publisher);
    await early.waitForMedia(aacFrame(2));
    const late = await play(room, properties);
    await late.waitForMedia(aacFrame(2));
    for (const viewer of [early, late]) {
      expect(videos(viewer)).toEqual(asHex(hevcHeader, hevcKey, hevcInter));
      expect(viewer.codes).not.toContain('NetStream.Play.NoSupportedTrackFound');
    }
  });
}

const unable: [string, Record<string, unknown>][] = [
  ['nothing', {}],
  ['another codec', { fourCcList: ['av01'] }],
  ['that it can encode it', { videoFourCcInfoMap: { hvc1: 2 } }],
];
for (const [name, properties] of unable) {
  test(`a player that announces ${name} gets the sound, and hears why`, async () => {
    const room = newRoom();
    const publisher = await publish(room);
    const early = await play(room, properties);
    await sendHevc(publisher);
    await early.waitForMedia(aacFrame(2));
    const late = await play(room, properties);
    await late.status('NetStream.Play.NoSupportedTrackFound');
    publisher.audio(90, aacFrame(3));
    await Promise.all([early, late].map((viewer) => viewer.waitForMedia(aacFrame(3))));
    for (const viewer of [early, late]) {
      expect(videos(viewer)).toEqual([]);
      const codes = viewer.codes.filter((code) => code === 'NetStream.Play.NoSupportedTrackFound');
      expect(codes).toHaveLength(1);
    }
    expect(await early.status('NetStream.Play.NoSupportedTrackFound')).toMatchObject({
      level: 'warning',
      description: expect.stringContaining('hvc1'),
    });
  });
}

test('H.264 after HEVC on the same name reaches everybody', async () => {
  const room = newRoom();
  const first = await publish(room);
  const viewer = await play(room);
  await sendHevc(first);
  first.command('closeStream');
  await viewer.status('NetStream.Play.UnpublishNotify');
  const second = await publish(room);
  second.video(0, avcHeader);
  second.video(0, keyFrame(1));
  second.video(40, interFrame(2));
  await viewer.waitForMedia(interFrame(2));
  expect(videos(viewer)).toEqual(asHex(avcHeader, keyFrame(1), interFrame(2)));
});

test('Opus is kept from who does not know it, and of a message of several codecs all but a track 0 that is known', async () => {
  const room = newRoom();
  const publisher = await publish(room);
  const [deaf, hears] = [await play(room), await play(room, { fourCcList: ['Opus', 'hvc1'] })];
  publisher.audio(0, opusHeader);
  publisher.audio(10, opusFrame);
  publisher.video(20, manyCodecs);
  publisher.video(30, keyFrame(1));
  await Promise.all([deaf, hears].map((viewer) => viewer.waitForMedia(keyFrame(1))));
  expect(bodies(deaf)).toEqual(asHex(keyFrame(1)));
  expect(bodies(hears)).toEqual(asHex(opusHeader, opusFrame, defaultOfMany, keyFrame(1)));
});

const bodies = (stream: ClientStream) =>
  stream.media.map(({ payload }) => Buffer.from(payload).toString('hex'));

/** Track 0 as OBS sends it, plain; track 1 in a message of its own; both in one message; and ModEx. */
const sideHeader = hex('96 00 68766331 01 0101600000');
const sideKey = hex('96 03 68766331 01 00000005 2601aaaa');
const bothKey = hex('96 13 68766331 00 000008 00000005 26011122 01 000008 00000005 2601aaaa');
const modExInter = hex('a7 02 0f4240 01 68766331 000000 00000005 02011133');

test('tracks and ModEx reach who announced them as they are, and others as track 0 without ModEx, live and late', async () => {
  const room = newRoom();
  const publisher = await publish(room);
  const announcements = [{ fourCcList: ['hvc1'] }, { fourCcList: ['hvc1'], capsEx: 6 }];
  const early = await Promise.all(announcements.map((properties) => play(room, properties)));
  for (const payload of [hevcHeader, sideHeader, bothKey, sideKey, modExInter]) publisher.video(0, payload);
  publisher.audio(0, aacFrame(1));
  await publisher.settled();
  const late = await Promise.all(announcements.map((properties) => play(room, properties)));
  await Promise.all([...early, ...late].map((viewer) => viewer.waitForMedia(aacFrame(1))));
  for (const [plain, whole] of [early, late]) {
    expect(bodies(plain!)).toEqual(asHex(hevcHeader, hevcKey, hevcInter, aacFrame(1)));
    expect(bodies(whole!)).toEqual(asHex(hevcHeader, sideHeader, bothKey, sideKey, modExInter, aacFrame(1)));
    expect(await plain!.status('NetStream.Play.NoSupportedTrackFound')).toMatchObject({
      level: 'warning',
      description: expect.stringContaining('tracks beside track 0'),
    });
    expect(whole!.codes).not.toContain('NetStream.Play.NoSupportedTrackFound');
  }
});

test('who comes late begins with the key frame of track 0, not with that of a track which follows it', async () => {
  const room = newRoom();
  const publisher = await publish(room);
  for (const payload of [hevcHeader, sideHeader, hevcKey, sideKey, hevcInter]) publisher.video(0, payload);
  await publisher.settled();
  const late = await play(room, { fourCcList: ['hvc1'], capsEx: 2 });
  await late.waitForMedia(hevcInter);
  expect(bodies(late)).toEqual(asHex(hevcHeader, sideHeader, hevcKey, sideKey, hevcInter));
});

test('a stream that has only a track 1 is one for who knows tracks', async () => {
  const room = newRoom();
  const publisher = await publish(room);
  for (const payload of [sideHeader, sideKey]) publisher.video(0, payload);
  await publisher.settled();
  const late = await play(room, { fourCcList: ['hvc1'], capsEx: 2 });
  await late.waitForMedia(sideKey);
});

/** As Chinese networks send HEVC: the same frames in the old head. */
const oldHeader = hex('1c 00 000000 0101600000');
const oldKey = hex('1c 01 000000 00000005 26011122');
const oldInter = hex('2c 01 000000 00000005 02011133');

test('HEVC as codec 12 reaches who announced HEVC with its enhanced head, and nobody blindly, live and late', async () => {
  const room = newRoom();
  const publisher = await publish(room);
  const announcements = [{}, { fourCcList: ['hvc1'] }, { fourCcList: ['*'] }];
  const early = await Promise.all(announcements.map((properties) => play(room, properties)));
  for (const payload of [oldHeader, oldKey, oldInter]) publisher.video(0, payload);
  await publisher.settled();
  const late = await Promise.all(announcements.map((properties) => play(room, properties)));
  publisher.audio(0, aacFrame(1));
  await Promise.all([...early, ...late].map((viewer) => viewer.waitForMedia(aacFrame(1))));
  const enhancedKey = hex('91 68766331 000000 00000005 26011122');
  for (const [blind, sees, any] of [early, late]) {
    expect(videos(blind!)).toEqual([]);
    expect(blind!.codes).toContain('NetStream.Play.NoSupportedTrackFound');
    expect(videos(sees!)).toEqual(
      asHex(hevcHeader, enhancedKey, hex('a1 68766331 000000 00000005 02011133')),
    );
    expect(videos(any!)).toEqual(asHex(oldHeader, oldKey, oldInter));
  }
});

test('H.264 and AAC under their enhanced names reach who announced nothing as RTMP 1.0 has them, live and late', async () => {
  const room = newRoom('refuse');
  const publisher = await publish(room);
  const early = await play(room);
  publisher.video(0, Buffer.concat([hex('90 61766331'), avcHeader.subarray(5)]));
  publisher.audio(0, Buffer.concat([hex('90 6d703461'), aacHeader.subarray(2)]));
  publisher.video(0, Buffer.concat([hex('96 01 61766331 00'), keyFrame(1).subarray(2)]));
  publisher.audio(0, Buffer.concat([hex('91 6d703461'), aacFrame(1).subarray(2)]));
  await publisher.settled();
  const late = await play(room);
  for (const viewer of [early, late]) {
    await viewer.waitForMedia(aacFrame(1));
    expect(videos(viewer)).toEqual(asHex(avcHeader, keyFrame(1)));
    expect(bodies(viewer)).toContain(asHex(aacHeader)[0]);
    expect(viewer.codes).not.toContain('NetStream.Play.NoSupportedTrackFound');
  }
});

test('"refuse" does not end the play for further tracks', async () => {
  const room = newRoom('refuse');
  const publisher = await publish(room);
  const viewer = await play(room, { fourCcList: ['hvc1'] });
  for (const payload of [hevcHeader, sideHeader, hevcKey, sideKey]) publisher.video(0, payload);
  expect(await viewer.status('NetStream.Play.NoSupportedTrackFound')).toMatchObject({ level: 'warning' });
  publisher.video(40, hevcInter);
  await viewer.waitForMedia(hevcInter);
  expect(videos(viewer)).toEqual(asHex(hevcHeader, hevcKey, hevcInter));
});

test('a codec that is one of too many to tell of is kept even from who knew all before it', async () => {
  const room = newRoom();
  const publisher = await publish(room);
  const names = Array.from({ length: 70 }, (_, i) => `ab${i + 10}`);
  const viewer = await play(room, { fourCcList: names });
  const late = async () => {
    const stream = await play(room, { fourCcList: names });
    publisher.audio(100, aacFrame(1));
    await stream.waitForMedia(aacFrame(1));
    return stream;
  };
  for (const name of names) publisher.video(0, hex(`93${Buffer.from(name).toString('hex')}0000000111`));
  publisher.video(90, hevcKey);
  await publisher.settled();
  for (const stream of [viewer, await late()]) {
    await stream.waitForMedia(aacFrame(1));
    expect(videos(stream)).not.toContain(asHex(hevcKey)[0]);
  }
});

test('a codec that follows on so many that the server does not note it is kept from who does not know it', async () => {
  const room = newRoom();
  const publisher = await publish(room);
  const viewer = await play(room);
  for (let i = 10; i < 80; i++)
    publisher.video(i, hex(`93 6162${Buffer.from(String(i)).toString('hex')} 00000001 11`));
  publisher.video(90, hevcKey);
  publisher.audio(100, aacFrame(1));
  await viewer.waitForMedia(aacFrame(1));
  expect(videos(viewer)).toEqual([]);
});

test('"refuse" ends the play with an error, "send" sends it all the same', async () => {
  const refusing = newRoom('refuse');
  const publisher = await publish(refusing);
  const viewer = await play(refusing);
  await sendHevc(publisher);
  expect(await viewer.status('NetStream.Play.NoSupportedTrackFound')).toMatchObject({ level: 'error' });
  await viewer.status('NetStream.Play.Stop');
  const mark = viewer.mark;
  publisher.audio(90, aacFrame(9));
  await publisher.settled();
  await viewer.settled();
  expect(viewer.received.entries.slice(mark)).toEqual([]);

  const sending = newRoom('send');
  const source = await publish(sending);
  const taker = await play(sending);
  await sendHevc(source);
  await taker.waitForMedia(hevcInter);
});

test('the server says that it passes on all codecs, to who speaks of codecs', async () => {
  const { properties } = await connect(newRoom(), { properties: { fourCcList: ['hvc1'], capsEx: 7 } });
  expect(properties).toMatchObject({
    fourCcList: ['*'],
    videoFourCcInfoMap: { '*': 4 },
    audioFourCcInfoMap: { '*': 4 },
    capsEx: 7,
  });
  const plain = await connect(newRoom());
  expect(plain.properties).not.toHaveProperty('fourCcList');
});

test('a recorded HEVC stream is kept from who does not know it, too', async () => {
  const folder = join(server.appsFolder, 'drop/streams/vod');
  mkdirSync(folder, { recursive: true });
  const tags = [
    { type: 9, timestamp: 0, payload: hevcHeader },
    { type: 8, timestamp: 0, payload: aacHeader },
    { type: 9, timestamp: 0, payload: hevcKey },
    { type: 8, timestamp: 10, payload: aacFrame(1) },
    { type: 9, timestamp: 20, payload: sideKey },
    { type: 9, timestamp: 40, payload: modExInter },
  ];
  const flags = { hasAudio: true, hasVideo: true };
  writeFileSync(join(folder, 'cam.flv'), Buffer.concat([encodeFlvHeader(flags), ...tags.map(encodeFlvTag)]));
  const room = `${server.rtmp}/drop/vod`;
  const [blind, sees] = [await play(room), await play(room, { fourCcList: ['hvc1'] })];
  await Promise.all([blind, sees].map((viewer) => viewer.status('NetStream.Play.Stop')));
  expect(videos(blind)).toEqual([]);
  expect(blind.codes).toContain('NetStream.Play.NoSupportedTrackFound');
  await blind.waitForMedia(aacFrame(1));
  expect(videos(sees).slice(-2)).toEqual(asHex(hevcKey, hevcInter));
});

test('eraseOnPublish removes the recording when a stream of that name is published live', async () => {
  const folder = join(server.appsFolder, 'erase/streams/room');
  mkdirSync(folder, { recursive: true });
  for (const file of ['cam.flv', 'keys.txt', 'film.mp4']) writeFileSync(join(folder, file), 'whatever');
  const stream = await (await connect(`${server.rtmp}/erase/room`)).createStream();
  for (const name of ['mp4:keys.txt', 'mp4:film', 'cam']) {
    const from = stream.mark;
    await stream.publish(name);
    stream.command('closeStream');
    await stream.status('NetStream.Unpublish.Success', from);
  }
  for (const file of ['cam.flv', 'film.mp4'])
    await expect.poll(() => existsSync(join(folder, file)), { timeout: DEADLINE_MS }).toBe(false);
  // What is no recording stays.
  expect(existsSync(join(folder, 'keys.txt'))).toBe(true);
});
