import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import type { PlayerStats } from '../../../client/media/sink.ts';
import { useBrowser } from '../../support/browser.ts';
import { makeClip, publishFile, scratchFolder } from '../../support/media-tools.ts';
import { connect } from '../../support/rtmp-client.ts';
import { useServer } from '../../support/server.ts';
import { requireTools } from '../../support/tools.ts';

/** Rows of the API checklist that need what plays and makes media, in a page. */
const html = `<!doctype html><video id="video" muted autoplay playsinline></video><canvas id="canvas"></canvas>
<script type="module">
  import { NetConnection, NetStream } from '/client.js';
  import { attachVideo } from '/media.js';
  import { attachCanvas } from '/low-latency.js';
  import { publishMedia } from '/publish.js';
  globalThis.codes = [];
  const open = async () => {
    const connection = new NetConnection();
    await connection.connect('/world/room');
    globalThis.stream = new NetStream(connection);
    stream.onStatus = ({ code }) => codes.push(code);
  };
  globalThis.play = async (name, how) => {
    await open();
    globalThis.player = how === 'canvas' ? attachCanvas(stream, canvas) : attachVideo(stream, video);
    stream.play(name);
  };
  globalThis.publish = async (devices) => {
    await open();
    publishMedia(stream, await navigator.mediaDevices.getUserMedia(devices));
    stream.publish('cam');
  };
</script>`;
const server = useServer({ apps: { world: { 'public/index.html': html } } });
const browser = useBrowser();

async function open(context: TestContext): Promise<Page> {
  const page = await browser.page(context, `${server.http}/world/`);
  await page.waitForFunction('globalThis.publish !== undefined');
  return page;
}

const codesOf = (page: Page) => page.evaluate('codes') as Promise<string[]>;

/** A page that plays a recording of so many seconds. */
async function playRecording(context: TestContext, seconds: number): Promise<Page> {
  requireTools(context, 'ffmpeg');
  const folder = join(server.appsFolder, 'world/streams/room');
  mkdirSync(folder, { recursive: true });
  copyFileSync(await makeClip(scratchFolder(), seconds), join(folder, 'show.flv'));
  const page = await open(context);
  await page.evaluate("play('show')");
  return page;
}

test('ST-49: NetStream.Buffer.Full says that it plays', { timeout: 90_000 }, async (context) => {
  const page = await playRecording(context, 5);
  await expect.poll(() => codesOf(page)).toContain('NetStream.Buffer.Full');
  const time = (await page.evaluate('video.currentTime')) as number;
  await expect.poll(() => page.evaluate('video.currentTime')).toBeGreaterThan(time + 0.5);
  expect(await page.evaluate('video.paused')).toBe(false);
});

test('ST-48: NetStream.Buffer.Empty says that it has run dry, and Full that it goes on', {
  timeout: 90_000,
}, async (context) => {
  requireTools(context, 'ffmpeg');
  const page = await open(context);
  await page.evaluate("play('live')");
  const first = publishFile(await makeClip(scratchFolder(), 30), `${server.rtmp}/world/room/live`);
  await expect.poll(() => codesOf(page)).toContain('NetStream.Buffer.Full');
  await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(1);
  await page.evaluate('void (codes.length = 0)');
  first.stop();
  await expect.poll(() => codesOf(page)).toContain('NetStream.Buffer.Empty');
  expect(await codesOf(page)).not.toContain('NetStream.Buffer.Full');
  publishFile(await makeClip(scratchFolder(), 30), `${server.rtmp}/world/room/live`);
  await expect.poll(() => codesOf(page)).toContain('NetStream.Buffer.Full');
});

test('ST-50: NetStream.Buffer.Flush says that nothing more comes, and what is left is played', {
  timeout: 90_000,
}, async (context) => {
  const page = await playRecording(context, 4);
  await expect.poll(() => codesOf(page)).toContain('NetStream.Buffer.Flush');
  const time = (await page.evaluate('stream.time')) as number;
  await expect.poll(() => codesOf(page)).toContain('NetStream.Buffer.Empty');
  expect(await page.evaluate('stream.time')).toBeGreaterThan(time);
  const codes = await codesOf(page);
  const order = ['NetStream.Play.Stop', 'NetStream.Buffer.Flush', 'NetStream.Buffer.Empty'];
  expect(codes.filter((code) => order.includes(code))).toEqual(order);
});

for (const how of ['video', 'canvas']) {
  test(`CNS-26: player.stats.currentFps has the pictures that a ${how} shows in a second`, {
    timeout: 90_000,
  }, async (context) => {
    requireTools(context, 'ffmpeg');
    const page = await open(context);
    const publisher = publishFile(await makeClip(scratchFolder(), 40), `${server.rtmp}/world/room/${how}`);
    await page.evaluate(`play('${how}', '${how}')`);
    const fps = () => page.evaluate('player.stats.currentFps') as Promise<number>;
    // The clip has twenty; a busy machine shows fewer, and then some more.
    await expect.poll(async () => Math.abs((await fps()) - 20), { timeout: 40_000 }).toBeLessThan(8);
    publisher.stop();
    await expect.poll(fps).toBe(0);
  });
}

test('CNS-27: player.stats.delayMs has how far what is shown is behind what has come', {
  timeout: 90_000,
}, async (context) => {
  requireTools(context, 'ffmpeg');
  const page = await open(context);
  publishFile(await makeClip(scratchFolder(), 40), `${server.rtmp}/world/room/delay`);
  await page.evaluate("play('delay')");
  await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(2);
  const look = async () =>
    (await page.evaluate('({ ...player.stats, length: stream.bufferLength })')) as PlayerStats & {
      length: number;
    };
  const { delayMs, length } = await look();
  expect(delayMs).toBeGreaterThan(0);
  expect(delayMs).toBeLessThan(3000);
  expect(Math.abs(delayMs - length * 1000)).toBeLessThan(150);
  // It grows while nothing is shown.
  await page.evaluate('video.pause()');
  await expect.poll(async () => (await look()).delayMs).toBeGreaterThan(delayMs + 1500);
});

const DEVICES = {
  'CNS-17': ['a microphone', { audio: true }, 8],
  'CNS-18': ['a camera', { video: true }, 9],
} as const;
for (const [id, [what, devices, type]] of Object.entries(DEVICES)) {
  test(`${id}: publishMedia publishes ${what}`, { timeout: 90_000 }, async (context) => {
    const page = await open(context);
    const old = await (
      await connect(`${server.rtmp}/world/room`, { properties: { fourCcList: ['*'] } })
    ).createStream();
    await old.play('cam');
    await page.evaluate(`publish(${JSON.stringify(devices)})`);
    const sent = () => old.media.filter((message) => message.type === type);
    await expect.poll(() => sent().length).toBeGreaterThan(30);
    expect(old.media.filter((message) => message.type === 17 - type)).toEqual([]);
    const [first, last] = [sent().at(5)!, sent().at(-1)!];
    expect(last.timestamp).toBeGreaterThan(first.timestamp);
  });
}
