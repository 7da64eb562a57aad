import { expect, test } from 'vitest';
import { DEADLINE_MS } from '../support/journal.ts';
import { aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';

const WINDOWS = [0, 20, 50, 100];
const withWindow = (windowMs: number) => ({ 'app.json': JSON.stringify({ streams: { windowMs } }) });
const server = useServer({
  apps: {
    ...Object.fromEntries(WINDOWS.map((ms) => [`w${ms}`, withWindow(ms)])),
    adaptive: { 'README.md': 'no script' },
  },
});

interface Show {
  publisher: ClientStream;
  viewers: ClientStream[];
  clients: RtmpClient[];
}

async function show(url: string, viewers: number): Promise<Show> {
  const publisher = await (await connect(url)).createStream();
  expect((await publisher.publish('cam')).code).toBe('NetStream.Publish.Start');
  const clients = await Promise.all(Array.from({ length: viewers }, () => connect(url)));
  return { publisher, clients, viewers: await Promise.all(clients.map(play)) };
}

async function play(client: RtmpClient): Promise<ClientStream> {
  const stream = await client.createStream();
  await stream.play('cam');
  return stream;
}

/** A frame that shows whether its bytes were changed on the way: all of them are its number. */
function numbered(head: Uint8Array, id: number, bytes: number): Uint8Array {
  const payload = new Uint8Array(bytes).fill(id % 251);
  payload.set(head.subarray(0, 5));
  return payload;
}

const numbersOf = (stream: ClientStream) =>
  stream.media
    .filter(({ type, payload }) => type === Type.Video && payload.length > 100)
    .map(({ payload }) => {
      const [id] = payload.subarray(5);
      expect(payload.subarray(5).every((byte) => byte === id)).toBe(true);
      return id!;
    });

for (const windowMs of WINDOWS) {
  test(`a window of ${windowMs} ms brings each viewer all messages, in order`, async () => {
    const { publisher, viewers } = await show(`${server.rtmp}/w${windowMs}/room`, 5);
    publisher.video(0, avcHeader);
    publisher.audio(0, aacHeader);
    publisher.video(0, keyFrame(0));
    for (let i = 1; i <= 200; i++) {
      publisher.video(i * 10, numbered(interFrame(i), i, 2000));
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    publisher.video(3000, keyFrame(9999));
    await Promise.all(viewers.map((viewer) => viewer.waitForMedia(keyFrame(9999))));
    const expected = Array.from({ length: 200 }, (_, i) => (i + 1) % 251);
    for (const viewer of viewers) expect(numbersOf(viewer)).toEqual(expected);

    const { flushes, messages, writes } = await server.windows(windowMs);
    expect(messages).toBeGreaterThanOrEqual(200);
    // Every viewer once a window; the first windows are chosen for those that have no key frame yet.
    expect(writes).toBeLessThanOrEqual(5 * flushes!);
    expect(writes).toBeGreaterThan(0);
    if (windowMs >= 50) expect(messages! / flushes!).toBeGreaterThan(10);
  });
}

test('memory of windows that a slow viewer has not taken is not used for others', async () => {
  const { publisher, viewers, clients } = await show(`${server.rtmp}/w20/slow`, 3);
  const [slow, ...others] = viewers;
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(0));
  await slow!.waitForMedia(keyFrame(0));
  clients[0]!.pauseReading();
  const FRAMES = 150;
  for (let i = 1; i <= FRAMES; i++) {
    publisher.video(i * 40, numbered(interFrame(i), i, 60_000));
    if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 25));
  }
  publisher.video(40 * FRAMES + 40, keyFrame(1));
  await Promise.all(others.map((viewer) => viewer.waitForMedia(keyFrame(1))));
  clients[0]!.resumeReading();
  publisher.video(40 * FRAMES + 80, keyFrame(2));
  const before = slow!.mark;
  const again = setInterval(() => publisher.video(40 * FRAMES + 120, keyFrame(3)), 100);
  await slow!.waitForMedia(keyFrame(3), before).finally(() => clearInterval(again));
  const all = Array.from({ length: FRAMES }, (_, i) => i + 1);
  for (const viewer of others) expect(numbersOf(viewer)).toEqual(all);
  // What it has is right and in order, though more went by than may wait for it.
  const taken = numbersOf(slow!);
  expect(taken.length).toBeGreaterThan(20);
  expect(taken.length).toBeLessThan(FRAMES);
  expect(taken).toEqual(all.slice(0, taken.length));
});

test('a window that the application did not choose grows with the viewers of the server', async () => {
  const { publisher, viewers } = await show(`${server.rtmp}/adaptive/room`, 1);
  publisher.video(0, keyFrame(1));
  await viewers[0]!.waitForMedia(keyFrame(1));
  const before = (await server.windows(20)).flushes ?? 0;
  const crowd = await show(`${server.rtmp}/adaptive/crowd`, 60);
  crowd.publisher.video(0, keyFrame(2));
  await Promise.all(crowd.viewers.map((viewer) => viewer.waitForMedia(keyFrame(2))));
  await expect
    .poll(async () => (await server.windows(20)).flushes, { timeout: DEADLINE_MS })
    .toBe(before + 1);
});

test('a viewer who comes in the middle of a window has every message once', async () => {
  const { publisher } = await show(`${server.rtmp}/w100/late`, 0);
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(0));
  let at = 0;
  const sending = setInterval(() => {
    at += 5;
    publisher.video(at, numbered(interFrame(at / 5), at / 5, 500));
  }, 3);
  const viewers = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 17));
      return play(await connect(`${server.rtmp}/w100/late`));
    }),
  );
  clearInterval(sending);
  publisher.video(at + 5, keyFrame(7));
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(keyFrame(7))));
  const all = Array.from({ length: at / 5 }, (_, i) => (i + 1) % 251);
  for (const viewer of viewers) expect(numbersOf(viewer)).toEqual(all);
});

test('who only takes a stream is not idle for limits.idleClientMs, and who takes nothing is', async () => {
  const own = await startServer({ apps: { live: withWindow(0) }, limits: { idleClientMs: 1500 } });
  const { publisher, clients } = await show(`${own.rtmp}/live/room`, 4);
  // Comes after them, and so would go after them.
  const idle = await connect(`${own.rtmp}/live/room`);
  publisher.video(0, keyFrame(0));
  const sending = setInterval(() => publisher.video(0, interFrame(1)), 20);
  await idle.closed.finally(() => clearInterval(sending));
  expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, false, false, false]);
});
