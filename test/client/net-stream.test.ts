import { beforeEach, expect, test } from 'vitest';
import { type Info, type MediaOutput, type NetConnection, NetStream } from '../../client/index.ts';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { eventually, inTime, Journal } from '../support/journal.ts';
import { aacFrame, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { codesOf, connectClient, openClient, status, watch } from '../support/own-client.ts';
import { showTags, type Tag } from '../support/recorded.ts';
import { type ClientStream, connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** Rows of the API checklist on the client's NetStream. Pictures are numbered, 25 a second, a key frame each. */
const flv = (tags: readonly Tag[]) =>
  Buffer.concat([encodeFlvHeader({ hasAudio: true, hasVideo: true }), ...tags.map(encodeFlvTag)]);
const data = (timestamp: number, ...values: unknown[]): Tag => ({
  type: 18,
  timestamp,
  payload: encodeAmf0(values),
});

const server = useServer({
  apps: {
    open: {
      'main.ts': 'application.onConnect = () => true;',
      'streams/room/show.flv': flv(showTags(10)),
      'streams/room/fine.flv': flv(showTags(10, 10_000)),
      'streams/room/one.flv': flv(showTags(1, 100)),
      'streams/room/two.flv': flv([
        data(0, 'onMetaData', { duration: 1, title: 'two' }),
        ...showTags(1, 200).toSpliced(24, 0, data(400, 'onCuePoint', { name: 'half', time: 0.4 })),
      ]),
      'streams/room/told.flv': flv([
        ...showTags(1).slice(0, 10),
        data(100, 'onTextData', { text: 'Hello', trackid: 1 }),
        data(100, 'onCaptionInfo', { type: '708', data: 'AAAA' }),
        data(100, 'onXMPData', { liveXML: '<xmp/>' }),
      ]),
    },
  },
});

let connection: NetConnection;
beforeEach(async () => {
  connection = await connectClient(`${server.http}/open/room`);
});

/** An encoder that publishes; its stream goes with the test. */
async function publisher(name: string): Promise<ClientStream> {
  const stream = await (await connect(`${server.rtmp}/open/room`)).createStream();
  await stream.publish(name);
  stream.video(0, avcHeader);
  return stream;
}

/** A stream of our client that publishes. */
async function publish(name: string): Promise<[NetStream, MediaOutput, Journal<string>]> {
  const stream = new NetStream(connection);
  const codes = codesOf(stream);
  const output = new Promise<MediaOutput>((start) => {
    stream.source = { start, stop: () => {} };
  });
  stream.publish(name);
  return [stream, await inTime('the start', output), codes];
}

const viewers = async () => {
  const { streams } = (await server.instance('open', 'room')) as unknown as {
    streams: { viewers: number }[];
  };
  return streams.reduce((sum, each) => sum + each.viewers, 0);
};

test('CNS-01: each new NetStream is one of its own, made before the connection or after', async () => {
  const cams = [await publisher('a'), await publisher('b')];
  const late = openClient();
  const [early, first] = watch(late);
  early.play('a');
  await late.connect(`${server.http}/open/room`);
  const [second, other] = watch(late);
  second.play('b');
  for (const [i, cam] of cams.entries()) cam.video(0, keyFrame(i + 1));
  await first.picture(1);
  await other.picture(2);
  expect([first.pictures(), other.pictures()]).toEqual([[1], [2]]);
});

test('CNS-02: play takes a start, a length and a list, and false ends it', async () => {
  const [stream, recorder, codes] = watch(connection);
  stream.bufferTime = 10;
  stream.play('show', 2, 1);
  await status(codes, 'NetStream.Play.Stop');
  const seen = recorder.pictures();
  expect(seen[0]).toBe(50);
  expect(seen.at(-1)).toBeGreaterThan(72);
  expect(seen.at(-1)).toBeLessThan(78);
  // The second joins the list, the third begins anew.
  let from = recorder.got.mark;
  stream.play('one', 0);
  stream.play('two', 0, -1, false);
  await recorder.picture(224, from);
  expect(recorder.pictures(from)).toEqual(Array.from({ length: 50 }, (_, i) => i + (i < 25 ? 100 : 175)));
  stream.play('nothing', 0);
  await status(codes, 'NetStream.Play.StreamNotFound');
  stream.bufferTime = 0.1;
  const played = codes.mark;
  from = recorder.got.mark;
  stream.play('show');
  await recorder.picture(0, from);
  stream.play(false);
  await eventually('nobody plays', async () => (await viewers()) === 0);
  const count = recorder.pictures(from).length;
  expect(count).toBeLessThan(200);
  expect(codes.entries.slice(played)).not.toContain('NetStream.Play.Stop');
});

test('CNS-03: play2 goes on with the same at another bit rate, adds to the list and begins anew', async () => {
  const [stream, recorder, codes] = watch(connection);
  const told = new Journal<Info>('onPlayStatus', ({ code }) => code);
  stream.on('onPlayStatus', (info: Info) => told.add(info));
  stream.play('show', 0);
  await recorder.picture(10);
  stream.play2({ streamName: 'fine', transition: 'switch' });
  await status(codes, 'NetStream.Play.Transition');
  await told.waitFor('the end of it', ({ code }) => code === 'NetStream.Play.TransitionComplete');
  const fine = await recorder.got.waitFor('the other', ({ id }) => id >= 10_000 && id < 20_000);
  expect(fine.timestamp).toBe((fine.id - 10_000) * 40);
  stream.bufferTime = 20;
  stream.play2({ streamName: 'one', start: 0, transition: 'append' });
  await recorder.picture(124);
  expect(recorder.pictures()).toContain(10_249);
  const from = recorder.got.mark;
  stream.play2({ streamName: 'two', start: 0 });
  await recorder.picture(200, from);
});

test('CNS-05: pause stops what plays, at the position that the sink has come to', async () => {
  const [stream, recorder, codes] = watch(connection);
  stream.bufferTime = 10;
  stream.play('show', 0);
  await recorder.picture(249);
  recorder.played = 4100;
  stream.pause();
  await status(codes, 'NetStream.Pause.Notify');
  const from = recorder.got.mark;
  stream.resume();
  // Sent anew from the key frame before that, though all of it had been.
  await recorder.picture(249, from);
  expect(recorder.pictures(from)[0]).toBe(100);
  const cam = await publisher('paused');
  const [live, seen, liveCodes] = watch(connection);
  live.play('paused');
  await status(liveCodes, 'NetStream.Play.Start');
  live.pause();
  await status(liveCodes, 'NetStream.Pause.Notify');
  cam.video(0, keyFrame(1));
  await cam.settled();
  await connection.invoke('createStream'); // has been answered: whatever came before has come
  expect(seen.pictures()).toEqual([]);
  live.resume();
  await seen.picture(1);
});

test('CNS-06: resume goes on where it was paused', async () => {
  const [stream, recorder, codes] = watch(connection);
  stream.play('show', 0);
  const { timestamp } = await recorder.picture(30);
  recorder.played = timestamp;
  stream.pause();
  await status(codes, 'NetStream.Pause.Notify');
  const from = recorder.got.mark;
  stream.resume();
  await status(codes, 'NetStream.Unpause.Notify');
  await recorder.picture(60, from);
  // From the key frame before it at the earliest.
  expect(recorder.pictures(from)[0]).toBeGreaterThanOrEqual(25);
});

test('CNS-07: togglePause pauses, and goes on', async () => {
  const [stream, , codes] = watch(connection);
  stream.play('show', 0);
  await status(codes, 'NetStream.Play.Start');
  stream.togglePause();
  await status(codes, 'NetStream.Pause.Notify');
  expect(codes.entries).not.toContain('NetStream.Unpause.Notify');
  stream.togglePause();
  await status(codes, 'NetStream.Unpause.Notify');
  const from = codes.mark;
  stream.togglePause();
  await status(codes, 'NetStream.Pause.Notify', from);
});

test('CNS-08: seek goes to a second, and the last of several counts', async () => {
  const [stream, recorder, codes] = watch(connection);
  stream.play('show', 0);
  await recorder.picture(5);
  const { resets } = recorder;
  let from = recorder.got.mark;
  stream.seek(5);
  await status(codes, 'NetStream.Seek.Notify');
  const first = await recorder.picture(125, from);
  expect(first.timestamp).toBe(5000);
  expect(recorder.resets).toBeGreaterThan(resets);
  from = recorder.got.mark;
  stream.seek(2);
  stream.seek(8);
  await recorder.picture(230, from);
  expect(recorder.pictures(from).filter((id) => id >= 60 && id < 125)).toEqual([]);
  const [live, , liveCodes] = watch(connection);
  await publisher('unsought');
  live.play('unsought');
  live.seek(1);
  await status(liveCodes, 'NetStream.Seek.Failed');
});

test('CNS-10: close ends what plays or is published, and its message stream', async () => {
  const [playing, , playCodes] = watch(connection);
  playing.play('closed');
  await status(playCodes, 'NetStream.Play.Start');
  const [own] = await publish('closed');
  expect(await viewers()).toBe(1);
  own.close();
  await status(playCodes, 'NetStream.Play.UnpublishNotify');
  playing.close();
  await eventually('nobody plays', async () => (await viewers()) === 0);
  // A connection may have 64 at a time.
  for (let i = 0; i < 100; i++) {
    const [stream, , codes] = watch(connection);
    stream.play('closed');
    await status(codes, 'NetStream.Play.Start');
    stream.close();
  }
});

const KINDS = { 'CNS-13': ['receiveAudio', 'audio'], 'CNS-14': ['receiveVideo', 'video'] } as const;
for (const [id, [method, kind]] of Object.entries(KINDS)) {
  test(`${id}: ${method} has ${kind} left out, and sent again`, async () => {
    const cam = await publisher(kind);
    const [stream, recorder, codes] = watch(connection);
    stream[method](false); // of what will play
    stream.play(kind);
    await status(codes, 'NetStream.Play.Start');
    const send = async (id: number) => {
      cam.audio(id * 40, aacFrame(id));
      cam.video(id * 40, keyFrame(id));
      cam.data(id * 40, 'sent', id);
      await told.waitFor(`that of ${id}`, (one) => one === id);
    };
    const told = new Journal<number>('sent', String);
    stream.on('sent', (id: number) => told.add(id));
    const ids = () =>
      recorder.got.entries.filter((one) => one.kind === kind && one.isFrame).map(({ id }) => id);
    const others = () => recorder.got.entries.filter((one) => one.kind !== kind && one.isFrame).length;
    await send(1);
    expect([ids(), others()]).toEqual([[], 1]);
    stream[method](true);
    await connection.invoke('createStream'); // has been answered: so was that
    await send(2);
    expect([ids(), others()]).toEqual([[2], 2]);
    stream[method](false);
    await connection.invoke('createStream');
    await send(3);
    expect([ids(), others()]).toEqual([[2], 3]);
  });
}

test('CNS-15: receiveVideoFPS bounds the pictures of a second', async () => {
  const cam = await publisher('fps');
  const [stream, recorder, codes] = watch(connection);
  stream.receiveVideoFPS(1);
  stream.play('fps');
  await status(codes, 'NetStream.Play.Start');
  for (let id = 0; id <= 100; id++) cam.video(id * 40, id % 25 === 0 ? keyFrame(id) : interFrame(id));
  await recorder.picture(100);
  expect(recorder.pictures().length).toBeLessThan(40);
  expect(recorder.pictures().slice(-2)).toEqual([75, 100]);
});

test('CNS-16: send calls a method of all who play it, now or with @setDataFrame later', async () => {
  const [stream] = await publish('said');
  const old = await (await connect(`${server.rtmp}/open/room`)).createStream();
  await old.play('said');
  const [playing, , codes] = watch(connection);
  const heard = new Journal<unknown[]>('what is said', JSON.stringify);
  playing.client = { note: (...args: unknown[]) => heard.add(args) };
  playing.play('said');
  await status(codes, 'NetStream.Play.Start');
  stream.send('note', 1, { a: ['b'] });
  await heard.waitFor('the note', ([first]) => first === 1);
  expect((await old.waitForData('note')).args).toEqual([1, { a: ['b'] }]);
  // Who plays has nobody to say it to.
  playing.send('note', 2);
  stream.send('@setDataFrame', 'note', 'kept');
  await heard.waitFor('the other note', ([first]) => first === 'kept');
  expect(heard.entries).toEqual([[1, { a: ['b'] }], ['kept']]);
  const late = new NetStream(connection);
  const kept = new Promise((resolve) => late.on('note', resolve));
  late.play('said');
  expect(await inTime('the note', kept)).toBe('kept');
});

test('CNS-20: the server is told of bufferTime, and sends so much of a recording ahead', async () => {
  const [stream, recorder, codes] = watch(connection);
  stream.play('show', 0);
  await status(codes, 'NetStream.Play.Start');
  const began = performance.now();
  stream.bufferTime = 8;
  await recorder.picture(195);
  expect(performance.now() - began).toBeLessThan(4000); // two seconds ahead is the least
});

test('CNS-21: bufferTime is in seconds, and may be set before there is a connection', async () => {
  const later = openClient();
  const [stream, recorder] = watch(later);
  expect(stream.bufferTime).toBe(0.1);
  stream.bufferTime = 9;
  expect(stream.bufferTime).toBe(9);
  stream.play('show', 0);
  await later.connect(`${server.http}/open/room`);
  const began = performance.now();
  await recorder.picture(220);
  expect(performance.now() - began).toBeLessThan(4000);
});

test('CNS-22: bufferLength is what has come and not been played, in seconds', async () => {
  const cam = await publisher('length');
  const [stream, recorder] = watch(connection);
  expect(stream.bufferLength).toBe(0);
  stream.play('length');
  cam.video(3000, keyFrame(1));
  await recorder.picture(1);
  expect(stream.bufferLength).toBe(0); // nothing was played yet
  recorder.played = 1500;
  expect(stream.bufferLength).toBe(1.5);
  recorder.played = 3001;
  expect(stream.bufferLength).toBe(0);
  cam.video(2, keyFrame(2)); // the timestamps have begun anew, as after 2^32
  await recorder.picture(2);
  recorder.played = 0xffff_ffff - 996;
  expect(stream.bufferLength).toBeCloseTo(0.999);
  stream.sink = undefined;
  expect(stream.bufferLength).toBe(0);
});

test('CNS-23: time is how far it has been played, or published, in seconds', async () => {
  const [own, output] = await publish('time');
  expect(own.time).toBe(0);
  output.video(1500, keyFrame(1));
  expect(own.time).toBe(1.5);
  const [stream, recorder] = watch(connection);
  expect(stream.time).toBe(0);
  stream.play('time');
  await recorder.picture(1);
  recorder.played = 1480;
  expect(stream.time).toBe(1.48);
});

test('CNS-28: stats have what a stream has carried, in bytes, messages and times', async () => {
  const [own, output] = await publish('stats');
  const [stream, recorder] = watch(connection);
  stream.play('stats');
  output.video(0, avcHeader);
  output.video(20, keyFrame(1));
  output.audio(30, aacFrame(1));
  await recorder.got.waitFor('the sound', ({ kind }) => kind === 'audio');
  const bytes = avcHeader.length + keyFrame(1).length + aacFrame(1).length;
  expect(own.stats).toMatchObject({ messagesOut: 3, bytesOut: bytes, messagesIn: 0 });
  recorder.played = 10;
  expect(stream.stats).toMatchObject({ messagesIn: 3, messagesOut: 0, receivedTime: 30, playedTime: 10 });
  expect(stream.stats.bytesIn).toBeGreaterThanOrEqual(bytes);
});

test('CNS-29: the methods of client hear the data messages of a stream', async () => {
  const cam = await publisher('client');
  const [stream, , codes] = watch(connection);
  const heard = new Journal<unknown[]>('what is said', JSON.stringify);
  const client = {
    words: ['first'],
    note(word: string): void {
      this.words.push(word);
      heard.add(this.words);
    },
  };
  stream.client = client;
  stream.play('client');
  await status(codes, 'NetStream.Play.Start');
  cam.data(0, 'note', 'second');
  await heard.waitFor('two words', (words) => words.length === 2);
  expect(client.words).toEqual(['first', 'second']);
  const errors = new Journal<unknown>('errors', String);
  stream.addEventListener('asyncError', (event) => errors.add(event.error));
  cam.data(0, 'missing');
  await errors.waitFor('a method that is missing', (error) => String(error).includes('(missing)'));
});

test('CNS-34: onMetaData hears the metadata of what is live and of a recording, as a method of client, too', async () => {
  const cam = await publisher('meta');
  cam.data(0, '@setDataFrame', 'onMetaData', { width: 320 });
  await cam.settled();
  const heard = new Journal<unknown>('metadata', JSON.stringify);
  const errors: string[] = [];
  for (const name of ['meta', 'two']) {
    const [stream] = watch(connection);
    stream.addEventListener('asyncError', (event) => errors.push(String(event.error)));
    stream.onMetaData = (metadata) => heard.add({ name, ...metadata });
    stream.play(name);
  }
  await heard.waitFor('the live one', (one) => (one as { width?: number }).width === 320);
  await heard.waitFor('the recorded one', (one) => (one as { title?: string }).title === 'two');
  expect(errors.join()).not.toContain('onMetaData');
  const [stream] = watch(connection);
  const other = new Promise((resolve) => {
    stream.client = { onMetaData: resolve };
  });
  stream.play('meta');
  expect(await inTime('metadata', other)).toMatchObject({ width: 320 });
});

test('CNS-35: onPlayStatus hears of the next in a list, of another bit rate, and of the end', async () => {
  const [stream, recorder] = watch(connection);
  const told = new Journal<Info>('onPlayStatus', ({ code }) => code);
  stream.client = { onPlayStatus: (info: Info) => told.add(info) };
  stream.play('show', 0);
  await recorder.picture(5);
  stream.play2({ streamName: 'fine', oldStreamName: 'show', transition: 'switch' });
  const code = (wanted: string) => told.waitFor(wanted, (info) => info.code === wanted);
  expect(await code('NetStream.Play.TransitionComplete')).toMatchObject({ details: 'fine' });
  stream.play('one', 0);
  stream.play('two', 0, -1, false);
  await code('NetStream.Play.Switch');
  expect(await code('NetStream.Play.Complete')).toMatchObject({
    level: 'status',
    duration: expect.any(Number),
    bytes: expect.any(Number),
  });
});

test('CNS-36: onCuePoint hears the cue points of a recording, where they are', async () => {
  const [stream, recorder] = watch(connection);
  const cue = new Promise((resolve) => {
    stream.client = { onCuePoint: (point: object) => resolve([point, recorder.pictures().at(-1)]) };
  });
  stream.play('two', 0);
  expect(await inTime('a cue', cue)).toEqual([{ name: 'half', time: 0.4 }, expect.any(Number)]);
  const [, last] = (await cue) as [object, number];
  expect(last).toBeGreaterThan(205);
  expect(last).toBeLessThan(215);
});

const TOLD = {
  'CNS-37': ['onXMPData', { liveXML: '<xmp/>' }],
  'CNS-39': ['onTextData', { text: 'Hello', trackid: 1 }],
  'CNS-41': ['onCaptionInfo', { type: '708', data: 'AAAA' }],
} as const;
for (const [id, [name, value]] of Object.entries(TOLD)) {
  test(`${id}: ${name} hears what a recording has of that`, async () => {
    const [stream] = watch(connection);
    const heard = new Promise((resolve) => {
      stream.client = { [name]: resolve };
    });
    stream.play('told', 0);
    expect(await inTime(name, heard)).toEqual(value);
  });
}

test('CNS-42: netStatus hears what becomes of a stream; without onStatus the connection hears it, too', async () => {
  const told: string[] = [];
  connection.onStatus = ({ code }) => told.push(code);
  const [stream, , codes] = watch(connection);
  stream.play('nothing', 0);
  await status(codes, 'NetStream.Play.StreamNotFound');
  expect(told).toContain('NetStream.Play.StreamNotFound');
  const [other, , otherCodes] = watch(connection);
  const own: Info[] = [];
  other.onStatus = (info) => own.push(info);
  other.play('show', 0); // long enough to not be over yet
  await status(otherCodes, 'NetStream.Play.Start');
  expect(own.map(({ code }) => code)).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start']);
  expect(own[1]).toMatchObject({ level: 'status', description: expect.stringContaining('show') });
  expect(otherCodes.entries).toEqual(own.map(({ code }) => code));
  expect(told.filter((code) => code === 'NetStream.Play.Start')).toEqual([]);
});
