import { expect, test } from 'vitest';
import { encodeChunks } from '../support/chunks.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { pingIdleMs: 300, dropSilentMs: 1500, rejectLingerMs: 100 },
  apps: { live: { 'README.md': 'no script' } },
});

interface Pair {
  client: RtmpClient;
  publisher: ClientStream;
  viewer: ClientStream;
}

let rooms = 0;
async function publishAndPlay(chunkBytes?: number): Promise<Pair> {
  const room = `${server.rtmp}/live/t${rooms++}`;
  const client = await connect(room, chunkBytes === undefined ? {} : { chunkBytes });
  const publisher = await client.createStream();
  await publisher.publish('cam');
  const viewer = await (await connect(room)).createStream();
  await viewer.play('cam');
  return { client, publisher, viewer };
}

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const control = (type: number, payload: Uint8Array) => ({ type, streamId: 0, timestamp: 0, payload });
const bigKeyFrame = (size: number) => Buffer.concat([keyFrame(1), Buffer.alloc(size, 0xa5)]);

for (const chunkBytes of [1, 2, 127, 128, 4096, 65536, 0x7fffffff]) {
  test(`a publisher's chunks of ${chunkBytes} bytes arrive whole`, async () => {
    const { publisher, viewer } = await publishAndPlay(chunkBytes);
    const picture = bigKeyFrame(chunkBytes < 100 ? 300 : 200_000);
    publisher.video(1234, picture);
    expect((await viewer.waitForMedia(picture)).timestamp).toBe(1234);
  });
}

test('a chunk size that changes between messages counts from the next chunk on', async () => {
  const { client, publisher, viewer } = await publishAndPlay();
  for (const [index, size] of [200, 60_000, 128].entries()) {
    client.setChunkSize(size);
    const picture = Buffer.concat([keyFrame(index), Buffer.alloc(1000, index)]);
    publisher.video(index, picture);
    await viewer.waitForMedia(picture);
  }
});

test('a chunk size that changes in the middle of a message counts for its rest', async () => {
  const { client, publisher, viewer } = await publishAndPlay(128);
  const picture = bigKeyFrame(486); // 500 bytes
  const message = { type: Type.Video, streamId: publisher.id, timestamp: 5, payload: picture };
  const whole = encodeChunks(message, { csid: 6, chunkBytes: 128 });
  client.write(whole.subarray(0, 12 + 128));
  client.setChunkSize(1000);
  client.write(Buffer.concat([Buffer.of(0xc6), picture.subarray(128)]));
  await viewer.waitForMedia(picture);
});

test('messages of several chunk streams interleave', async () => {
  const { client, publisher, viewer } = await publishAndPlay(128);
  const picture = bigKeyFrame(286); // 300 bytes: three chunks
  const sound = Buffer.concat([aacFrame(2), Buffer.alloc(194, 1)]); // 200 bytes: two chunks
  const video = { type: Type.Video, streamId: publisher.id, timestamp: 7, payload: picture };
  const audio = { type: Type.Audio, streamId: publisher.id, timestamp: 8, payload: sound };
  const v = encodeChunks(video, { csid: 6, chunkBytes: 128 });
  const a = encodeChunks(audio, { csid: 70, chunkBytes: 128 });
  client.write(v.subarray(0, 140));
  client.write(a.subarray(0, 141));
  client.write(v.subarray(140, 140 + 129));
  client.write(a.subarray(141));
  client.write(v.subarray(140 + 129));
  await viewer.waitForMedia(picture);
  await viewer.waitForMedia(sound);
});

for (const csid of [3, 63, 64, 319, 320, 65_599]) {
  test(`chunk stream ${csid} carries media`, async () => {
    const { client, publisher, viewer } = await publishAndPlay();
    client.message({ type: Type.Video, streamId: publisher.id, timestamp: 9, payload: keyFrame(csid) }, csid);
    await viewer.waitForMedia(keyFrame(csid));
  });
}

test('a connection that arrives one byte at a time is understood', async () => {
  const { client, publisher, viewer } = await publishAndPlay();
  const message = { type: Type.Video, streamId: publisher.id, timestamp: 11, payload: keyFrame(5) };
  for (const byte of encodeChunks(message, { csid: 6, chunkBytes: 4096 })) {
    client.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await viewer.waitForMedia(keyFrame(5));
});

const stamps = [0, 0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff];
for (const timestamp of stamps) {
  test(`the time ${timestamp} reaches the viewer, in one chunk and in many`, async () => {
    const { publisher, viewer } = await publishAndPlay();
    const picture = bigKeyFrame(150_000);
    publisher.video(timestamp, avcHeader);
    publisher.video(timestamp, picture);
    publisher.video((timestamp + 40) % 2 ** 32, interFrame(2));
    expect((await viewer.waitForMedia(picture)).timestamp).toBe(timestamp);
    expect((await viewer.waitForMedia(interFrame(2))).timestamp).toBe((timestamp + 40) % 2 ** 32);
  });
}

test('time may go backwards', async () => {
  const { publisher, viewer } = await publishAndPlay();
  publisher.video(100_000, keyFrame(1));
  publisher.video(40, keyFrame(2));
  expect((await viewer.waitForMedia(keyFrame(2))).timestamp).toBe(40);
});

test('deltas and inherited headers add up', async () => {
  const { client, viewer } = await publishAndPlay();
  const body = (id: number) => Buffer.from(keyFrame(id));
  const video = { type: Type.Video, streamId: 1, timestamp: 1000, payload: body(1) };
  client.write(encodeChunks(video, { csid: 6, chunkBytes: 4096 }));
  client.write(
    Buffer.concat([Buffer.from('46000028', 'hex'), Buffer.from([0, 0, body(2).length, 9]), body(2)]),
  );
  client.write(Buffer.concat([Buffer.from('86000021', 'hex'), body(3)]));
  client.write(Buffer.concat([Buffer.from('c6', 'hex'), body(4)]));
  const times = [];
  for (const id of [1, 2, 3, 4]) times.push((await viewer.waitForMedia(body(id))).timestamp);
  expect(times).toEqual([1000, 1040, 1073, 1106]);
});

test('an aborted message is forgotten and the chunk stream goes on', async () => {
  const { client, publisher, viewer } = await publishAndPlay(128);
  const message = { type: Type.Video, streamId: publisher.id, timestamp: 5, payload: bigKeyFrame(1000) };
  client.write(encodeChunks(message, { csid: 6, chunkBytes: 128 }).subarray(0, 140));
  client.message(control(Type.Abort, u32(6)), 2);
  publisher.video(6, keyFrame(7));
  await viewer.waitForMedia(keyFrame(7));
  expect(viewer.media.map(({ payload }) => payload.length)).toEqual([keyFrame(7).length]);
  client.message(control(Type.Abort, u32(4711)), 2);
  publisher.video(7, interFrame(8));
  await viewer.waitForMedia(interFrame(8));
});

test('an aggregate message is taken apart, its times counted from its own', async () => {
  const { client, publisher, viewer } = await publishAndPlay();
  const part = (type: number, timestamp: number, payload: Uint8Array) => {
    const head = Buffer.alloc(11);
    head[0] = type;
    head.writeUIntBE(payload.length, 1, 3);
    head.writeUIntBE(timestamp & 0xffffff, 4, 3);
    head[7] = timestamp >>> 24;
    return Buffer.concat([head, payload, u32(11 + payload.length)]);
  };
  const payload = Buffer.concat([
    part(Type.Video, 50_000, avcHeader),
    part(Type.Audio, 50_000, aacHeader),
    part(Type.Video, 50_000, keyFrame(1)),
    part(Type.Audio, 50_023, aacFrame(2)),
    part(Type.Video, 50_040, interFrame(3)),
  ]);
  client.message({ type: Type.Aggregate, streamId: publisher.id, timestamp: 700, payload }, 4);
  await viewer.waitForMedia(interFrame(3));
  expect(viewer.media.map(({ type, timestamp }) => [type, timestamp])).toEqual([
    [Type.Video, 700],
    [Type.Audio, 700],
    [Type.Video, 700],
    [Type.Audio, 723],
    [Type.Video, 740],
  ]);
});

test('a publisher is sent acknowledgements of the bytes it sent', async () => {
  const { client, publisher } = await publishAndPlay();
  const picture = bigKeyFrame(400_000);
  for (let index = 0; index < 10; index++) publisher.video(index, picture);
  const first = await client.waitForType(Type.Acknowledgement);
  const count = Buffer.from(first.payload).readUInt32BE(0);
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThanOrEqual(2_500_000);
});

test('a smaller window that the client asks for is kept', async () => {
  const { client, publisher } = await publishAndPlay();
  client.message(control(Type.WindowAckSize, u32(20_000)), 2);
  const from = client.received.mark;
  publisher.video(0, bigKeyFrame(50_000));
  const { payload } = await client.waitForType(Type.Acknowledgement, from);
  expect(Buffer.from(payload).readUInt32BE(0)).toBeGreaterThan(50_000 / 2);
});

test("a client's ping is answered with its time", async () => {
  const { client } = await publishAndPlay();
  const from = client.received.mark;
  client.message(control(Type.UserControl, Buffer.from('0006deadbeef', 'hex')), 2);
  const { payload } = await client.waitForType(Type.UserControl, from);
  expect(Buffer.from(payload).toString('hex')).toBe('0007deadbeef');
});

test('user control events of every kind and length are tolerated', async () => {
  const { client } = await publishAndPlay();
  for (const hex of [
    '000300000001000003e8',
    '0003000000000000012c',
    '001f',
    '0020',
    '0099',
    '001b',
    '000700000000',
  ]) {
    client.message(control(Type.UserControl, Buffer.from(hex, 'hex')), 2);
  }
  client.message(control(Type.UserControl, Buffer.from('000300000001000003e8', 'hex')), 3);
  client.message(control(Type.Acknowledgement, u32(5)), 2);
  client.message(control(Type.SetPeerBandwidth, Buffer.from('002625a002', 'hex')), 2);
  await client.settled();
});

test('a silent client is pinged; it stays while it answers', async () => {
  const client = await connect(`${server.rtmp}/live/ping`);
  for (let round = 0; round < 4; round++) {
    const from = client.received.mark;
    const ping = await client.received.waitFor('a ping', (r) => r.type === 4 && r.payload[1] === 6, from);
    expect(ping.payload).toHaveLength(6);
  }
  expect(client.isClosed).toBe(false);
});

test('a silent client that answers no ping is dropped, and its publication ends', async () => {
  const room = `${server.rtmp}/live/silent`;
  const client = await connect(room, { answersPings: false });
  await (await client.createStream()).publish('cam');
  const viewer = await (await connect(room)).createStream();
  await viewer.play('cam');
  await client.closed;
  await viewer.status('NetStream.Play.UnpublishNotify');
  expect(await server.waitForLog((r) => r.code === 'E_SILENT')).toMatchObject({ level: 'warn' });
});
