import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { isVideoKeyFrame } from '../../wire/media-head.ts';
import { ChunkParser } from '../support/chunks.ts';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { RunningTool } from '../support/media-tools.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

/** User control event: "I make key frames when I am asked", and the question (docs/websocket.md). */
const KEY_FRAME = 100;
/** A key frame is long ago after a second, and so long is none asked for again; a newcomer waits for half of it. */
const LONG_MS = 1000;
const WAIT_MS = 500;
const HANDSHAKE_BYTES = 1 + 2 * 1536;

const server = useServer({
  apps: { app: { 'main.asc': runsCode, 'app.json': '{ "streams": { "windowMs": 0 } }' } },
});

let rooms = 0;
const newRoom = () => `${server.rtmp}/app/n${rooms++}`;

/** Publishes a key frame and some pictures after it, long enough ago for a newcomer to want another. */
class Publisher {
  readonly client: RtmpClient;
  readonly stream: ClientStream;
  #at = 0;
  #number = 0;

  private constructor(client: RtmpClient, stream: ClientStream) {
    this.client = client;
    this.stream = stream;
  }

  static async start(url: string, { announces = true, name = 'cam' } = {}): Promise<Publisher> {
    const client = await connect(url);
    const publisher = new Publisher(client, await client.createStream());
    await publisher.stream.publish(name);
    if (announces) {
      const payload = Uint8Array.of(0, KEY_FRAME, 0, 0, 0, publisher.stream.id);
      client.message({ type: Type.UserControl, streamId: 0, timestamp: 0, payload }, 2);
    }
    publisher.stream.video(0, avcHeader);
    publisher.key();
    for (let i = 0; i < 5; i++) publisher.picture();
    await publisher.stream.settled();
    return publisher;
  }

  /** How often it was asked for a key frame. */
  get asked(): number {
    return this.client.received.entries.filter(isQuestion).length;
  }

  key(): Uint8Array {
    const payload = keyFrame(++this.#number);
    this.#send(payload);
    return payload;
  }

  picture(): void {
    this.#send(interFrame(++this.#number));
  }

  #send(payload: Uint8Array): void {
    this.#at += 40;
    this.stream.video(this.#at, payload);
  }
}

const isQuestion = ({ type, payload }: { type: number; payload: Uint8Array }) =>
  type === Type.UserControl && payload[0] === 0 && payload[1] === KEY_FRAME;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function watch(url: string, name = 'cam'): Promise<ClientStream> {
  const stream = await (await connect(url)).createStream();
  await stream.play(name);
  return stream;
}

const pictures = (stream: ClientStream) =>
  stream.media.filter(({ type, payload }) => type === Type.Video && payload[1] === 1);
const firstPicture = async (stream: ClientStream) => {
  await eventually('a picture', () => pictures(stream).length > 0);
  return Buffer.from(pictures(stream)[0]!.payload).toString('hex');
};
const hex = (payload: Uint8Array) => Buffer.from(payload).toString('hex');

test('many newcomers are one question, and begin with the key frame that it brings', async () => {
  const url = newRoom();
  const publisher = await Publisher.start(url);
  await pause(LONG_MS + 50);
  const viewers = await Promise.all(Array.from({ length: 8 }, () => watch(url)));
  await eventually('a question', () => publisher.asked > 0);
  const fresh = publisher.key();
  for (const viewer of viewers) expect(await firstPicture(viewer)).toBe(hex(fresh));
  expect(publisher.asked).toBe(1);
});

test('who comes soon after a key frame begins with it, and asks for nothing', async () => {
  const url = newRoom();
  const publisher = await Publisher.start(url);
  const viewer = await watch(url);
  expect(await firstPicture(viewer)).toBe(hex(keyFrame(1)));
  expect(publisher.asked).toBe(0);
});

test('where no key frame comes in time, newcomers get what is kept, and the next do not wait at all', async () => {
  const url = newRoom();
  const publisher = await Publisher.start(url);
  await pause(LONG_MS + 50);
  const begin = performance.now();
  const first = await watch(url);
  expect(await firstPicture(first)).toBe(hex(keyFrame(1)));
  expect(performance.now() - begin).toBeGreaterThan(WAIT_MS - 50);
  expect(publisher.asked).toBe(1);
  const second = await watch(url);
  await second.settled();
  expect(await firstPicture(second)).toBe(hex(keyFrame(1)));
  expect(publisher.asked).toBe(1);
  // When one comes all the same, all is well again.
  publisher.key();
  await pause(LONG_MS + 50);
  const third = await watch(url);
  await eventually('another question', () => publisher.asked === 2);
  const fresh = publisher.key();
  expect(await firstPicture(third)).toBe(hex(fresh));
});

test('newcomers who leave while they wait, and a publisher who does, are no trouble', async () => {
  const url = newRoom();
  const publisher = await Publisher.start(url);
  await pause(LONG_MS + 50);
  const [gone, stays] = [await watch(url), await watch(url)];
  gone.command('closeStream');
  await gone.settled();
  await publisher.client.close();
  await stays.status('NetStream.Play.UnpublishNotify');
  const next = await Publisher.start(url);
  await eventually('the next', () => pictures(stays).some(({ payload }) => isVideoKeyFrame(payload)));
  await stays.waitForMedia(interFrame(6));
  expect(pictures(gone)).toEqual([]);
  expect(next.asked).toBe(0);
});

test('who has not said that it makes key frames is never asked, and nobody waits', async () => {
  const url = newRoom();
  const publisher = await Publisher.start(url, { announces: false });
  await pause(LONG_MS + 50);
  const viewer = await watch(url);
  expect(await firstPicture(viewer)).toBe(hex(keyFrame(1)));
  await pause(WAIT_MS);
  expect(publisher.asked).toBe(0);
});

test('a newcomer of a stream that the server makes of others asks who publishes the first of them', async () => {
  const url = newRoom();
  const publisher = await Publisher.start(url);
  await run(publisher.client, "Stream.get('middle').play('cam', -1); Stream.get('out').play('middle', -1)");
  const early = await watch(url, 'out');
  publisher.key();
  await eventually('the chain', () => pictures(early).length > 0);
  await pause(LONG_MS + 50);
  const asked = publisher.asked;
  const viewer = await watch(url, 'out');
  await eventually('a question', () => publisher.asked === asked + 1);
  const fresh = publisher.key();
  expect(await firstPicture(viewer)).toBe(hex(fresh));
  // A file cannot be asked, nor can one who never said so.
  const other = newRoom();
  const silent = await Publisher.start(other, { announces: false });
  await run(silent.client, "Stream.get('out').play('cam', -1)");
  await watch(other, 'out');
  silent.key();
  await pause(LONG_MS + 50);
  await watch(other, 'out');
  await pause(WAIT_MS);
  expect(silent.asked).toBe(0);
});

test('FFmpeg, which has not said so, is never sent the question', async (context) => {
  requireTools(context, 'ffmpeg');
  const url = newRoom();
  const { port, pathname } = new URL(url);
  const messages: { type: number; payload: Uint8Array }[] = [];
  const proxy = createServer((encoder) => {
    const upstream = connectTcp(Number(port), '127.0.0.1');
    const parser = new ChunkParser((message) => messages.push(message));
    let toSkip = HANDSHAKE_BYTES;
    upstream.on('data', (bytes: Buffer) => {
      const skipped = Math.min(toSkip, bytes.length);
      toSkip -= skipped;
      parser.push(bytes.subarray(skipped));
    });
    for (const socket of [encoder, upstream])
      socket.on('error', () => {}).on('close', () => [encoder, upstream].map((one) => one.destroy()));
    encoder.pipe(upstream).pipe(encoder);
  });
  await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void proxy.close());
  const at = `rtmp://127.0.0.1:${(proxy.address() as AddressInfo).port}${pathname}/cam`;
  // One key frame, and none after it.
  const encoder = new RunningTool('ffmpeg', [
    ...['-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=20', '-t', '60'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '5000', '-pix_fmt', 'yuv420p', '-f', 'flv', at],
  ]);
  const first = await watch(url);
  await eventually('two seconds', () => pictures(first).length > 40);
  for (let i = 0; i < 3; i++) expect(await firstPicture(await watch(url))).toBe(await firstPicture(first));
  await pause(WAIT_MS);
  expect(encoder.isRunning).toBe(true);
  expect(messages.some(({ type }) => type === Type.CommandAmf0)).toBe(true);
  expect(messages.filter(isQuestion)).toEqual([]);
  encoder.stop();
});
