import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { makeClip, publishFile, scratchFolder } from '../support/media-tools.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const html = `<!doctype html><video id="video" muted autoplay playsinline></video>
<script type="module">
  globalThis.sockets = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  };
  const { NetConnection, NetStream } = await import('/client.js');
  const { attachVideo } = await import('/media.js');
  globalThis.codes = [];
  globalThis.play = async (...args) => {
    const connection = new NetConnection();
    connection.onStatus = ({ code }) => codes.push(code);
    await connection.connect('/world/room');
    globalThis.stream = new NetStream(connection);
    stream.onStatus = ({ code }) => codes.push(code);
    globalThis.player = attachVideo(stream, video);
    stream.play(...args);
  };
  /** Loses the connection; what has come of the stream since is in firstTime. */
  globalThis.lose = () => {
    codes.length = 0;
    const { sink } = stream;
    globalThis.times = [];
    stream.sink = {
      audio: (timestamp, payload) => sink.audio(timestamp, payload),
      video(timestamp, payload) {
        times.push(timestamp);
        sink.video(timestamp, payload);
      },
      reset: () => sink.reset(),
      pause: (isPaused) => sink.pause(isPaused),
      get played() {
        return sink.played;
      },
    };
    const { time } = stream;
    sockets.at(-1).close();
    return time;
  };
</script>`;
const server = useServer({ apps: { world: { 'public/index.html': html } } });
const browser = useBrowser();

/** A page that plays until so many seconds of it have been seen. */
async function watch(context: TestContext, seconds: number, ...args: unknown[]): Promise<Page> {
  requireTools(context, 'ffmpeg');
  const page = await browser.page(context, `${server.http}/world/`);
  await page.waitForFunction('globalThis.lose !== undefined');
  await page.evaluate(`play(...${JSON.stringify(args)})`);
  await expect.poll(() => timeOf(page), { timeout: 60_000 }).toBeGreaterThan(seconds);
  return page;
}

async function record(): Promise<void> {
  const folder = join(server.appsFolder, 'world/streams/room');
  mkdirSync(folder, { recursive: true });
  copyFileSync(await makeClip(scratchFolder(), 40), join(folder, 'show.flv'));
}

const timeOf = (page: Page) => page.evaluate('stream.time') as Promise<number>;
const codesOf = (page: Page) => page.evaluate('codes') as Promise<string[]>;
const firstTime = (page: Page) => page.evaluate('Math.min(...times) / 1000') as Promise<number>;

test('a recording goes on where it was when the connection was lost', {
  timeout: 120_000,
}, async (context) => {
  await record();
  const page = await watch(context, 5, 'show');
  const lostAt = (await page.evaluate('lose()')) as number;
  await expect.poll(() => codesOf(page)).toContain('NetStream.Seek.Notify');
  await expect.poll(() => timeOf(page), { timeout: 60_000 }).toBeGreaterThan(lostAt + 1);
  // From the key frame before, of which there are two a second.
  expect(await firstTime(page)).toBeGreaterThan(lostAt - 1);
  // Again: times are those of the file from now on.
  const again = (await page.evaluate('lose()')) as number;
  await expect.poll(() => timeOf(page), { timeout: 60_000 }).toBeGreaterThan(again + 1);
  expect(await firstTime(page)).toBeGreaterThan(again - 1);
  expect(await codesOf(page)).not.toContain('NetStream.Seek.InvalidTime');
});

test('so does one that began in the middle, and was paused', { timeout: 120_000 }, async (context) => {
  await record();
  const page = await watch(context, 2, 'show', 20);
  await page.evaluate('stream.pause()');
  await expect.poll(() => codesOf(page)).toContain('NetStream.Pause.Notify');
  const lostAt = (await page.evaluate('lose()')) as number;
  expect(lostAt).toBeLessThan(15);
  await expect.poll(() => codesOf(page)).toContain('NetStream.Pause.Notify');
  await page.evaluate('stream.resume()');
  await expect.poll(() => timeOf(page), { timeout: 60_000 }).toBeGreaterThan(20 + lostAt + 1);
  expect(await firstTime(page)).toBeGreaterThan(20 + lostAt - 1);
});

test('what is live is not sought', { timeout: 120_000 }, async (context) => {
  requireTools(context, 'ffmpeg');
  const publisher = publishFile(await makeClip(scratchFolder(), 60), `${server.rtmp}/world/room/cam`);
  const page = await watch(context, 2, 'cam');
  const lostAt = (await page.evaluate('lose()')) as number;
  await expect.poll(() => timeOf(page), { timeout: 60_000 }).toBeGreaterThan(lostAt + 1);
  expect((await codesOf(page)).filter((code) => code.startsWith('NetStream.Seek'))).toEqual([]);
  publisher.stop();
});
