import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';

const server = useServer({
  apps: {
    show: {
      'main.ts':
        'application.onConnect = (client) => { client.echo = (value: number) => value; return true; };',
      'app.json': JSON.stringify({ streams: { windowMs: 100 } }),
    },
  },
});

/** Until whoever publishes counts as one who calls nothing. */
const QUIET_MS = 5500;
const PICTURE_MS = 5;

/** System calls that read, of the whole server. */
const reads = () => Number(/syscr: (\d+)/.exec(readFileSync(`/proc/${server.pid}/io`, 'utf8'))![1]);

class Show {
  readonly publisher: RtmpClient;
  readonly stream: ClientStream;
  readonly viewer: ClientStream;
  #sent = 0;

  private constructor(publisher: RtmpClient, stream: ClientStream, viewer: ClientStream) {
    this.publisher = publisher;
    this.stream = stream;
    this.viewer = viewer;
  }

  static async open(room: string): Promise<Show> {
    const publisher = await connect(`${server.rtmp}/show/${room}`);
    const stream = await publisher.createStream();
    expect((await stream.publish('cam')).code).toBe('NetStream.Publish.Start');
    const viewer = await (await connect(`${server.rtmp}/show/${room}`)).createStream();
    await viewer.play('cam');
    stream.video(0, avcHeader);
    stream.video(0, keyFrame(0));
    return new Show(publisher, stream, viewer);
  }

  /** One picture after the other, each as a piece of its own. */
  async send(ms: number, bytes = 0): Promise<number> {
    const from = performance.now();
    const before = this.#sent;
    for (;;) {
      this.#sent++;
      const picture = interFrame(this.#sent);
      const filled = Buffer.concat([picture.subarray(0, -4), Buffer.alloc(bytes), picture.subarray(-4)]);
      this.stream.video(this.#sent * PICTURE_MS, filled);
      if (performance.now() - from > ms) return this.#sent - before;
      await sleep(PICTURE_MS);
    }
  }

  /** The viewer has all pictures so far, in order. */
  async arrives(): Promise<void> {
    const got = () =>
      this.viewer.media
        .filter(({ type, payload }) => type === Type.Video && payload[1] === 1)
        .map(({ payload }) => Buffer.from(payload.subarray(-4)).readUInt32BE());
    await eventually('all pictures', () => got().at(-1) === this.#sent);
    expect(got()).toEqual(Array.from({ length: this.#sent + 1 }, (_, i) => i));
  }
}

test('who publishes and calls nothing is read once a window', async () => {
  const show = await Show.open('few');
  await show.send(QUIET_MS);
  // Each picture is a piece of its own; others of the server read, too, and some windows are not kept.
  let share = 1;
  for (let tries = 0; tries < 5 && share >= 0.5; tries++) {
    const before = reads();
    const pictures = await show.send(1000);
    share = (reads() - before) / pictures;
  }
  expect(share).toBeLessThan(0.5);
  await show.arrives();
  // Who calls is answered, and heard at once for a while.
  await expect(show.publisher.call('echo', 1)).resolves.toBe(1);
  const sending = show.send(2000);
  const from = performance.now();
  for (let i = 0; i < 30; i++) expect(await show.publisher.call('echo', i)).toBe(i);
  expect(performance.now() - from).toBeLessThan(30 * 50);
  await sending;
  await show.arrives();
});

test('what comes in large pieces, late, or last is all there', async () => {
  const show = await Show.open('all');
  await show.send(QUIET_MS);
  await show.send(100, 300_000);
  await show.arrives();
  await show.send(1000, 3000);
  await sleep(700);
  await show.send(1000);
  show.publisher.close();
  await show.viewer.status('NetStream.Play.UnpublishNotify');
  await show.arrives();
});

test('who publishes and is gone is missed', async () => {
  const show = await Show.open('gone');
  await show.send(QUIET_MS);
  show.publisher.reset();
  await show.viewer.status('NetStream.Play.UnpublishNotify');
});

test('who publishes and says nothing more is dropped, though the script goes on sending on the stream', async () => {
  const main = `application.onPublish = (client, stream) => {
    setInterval(() => void stream.send('beat'), 20);
  };`;
  const own = await startServer({
    apps: { show: { 'main.ts': main, 'app.json': JSON.stringify({ streams: { windowMs: 50 } }) } },
    limits: { pingIdleMs: 500, dropSilentMs: 2000 },
  });
  const publisher = await connect(`${own.rtmp}/show/room`, { answersPings: false });
  const stream = await publisher.createStream();
  expect((await stream.publish('cam')).code).toBe('NetStream.Publish.Start');
  const viewer = await (await connect(`${own.rtmp}/show/room`)).createStream();
  await viewer.play('cam');
  const until = performance.now() + QUIET_MS;
  for (let i = 0; performance.now() < until; i++) {
    stream.video(i * 20, keyFrame(i));
    await sleep(20);
  }
  await viewer.waitForData('beat');
  await own.waitForLog('no byte for');
  await viewer.status('NetStream.Play.UnpublishNotify');
});
