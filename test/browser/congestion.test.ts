import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import type { PublisherStats } from '../../client/media/publish/stats.ts';
import { isVideoKeyFrame } from '../../wire/media-head.ts';
import { useBrowser } from '../support/browser.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { SlowNetwork } from '../support/slow-network.ts';

/** Pictures that cost what they may, and a tone. */
const html = `<!doctype html><canvas id="canvas" width="480" height="360"></canvas>
<script type="module">
  import { NetConnection, NetStream } from '/client.js';
  import { publishMedia } from '/publish.js';
  // Detail that a better picture shows and a worse one does without.
  const texture = new OffscreenCanvas(320, 240);
  const pixels = new ImageData(320, 240);
  crypto.getRandomValues(pixels.data.subarray(0, 60_000));
  for (let i = 0; i < pixels.data.length; i++) pixels.data[i] = i % 4 === 3 ? 255 : pixels.data[i % 60_000] / 2 + 60;
  texture.getContext('2d').putImageData(pixels, 0, 0);
  const context = canvas.getContext('2d');
  let turn = 0;
  setInterval(() => {
    context.setTransform(1, 0, 0, 1, 240, 180);
    context.rotate(++turn / 100);
    context.drawImage(texture, -320, -240, 640, 480);
  }, 40);
  globalThis.heard = [];
  globalThis.publish = async (options) => {
    const sound = new AudioContext();
    const tone = new OscillatorNode(sound);
    const end = sound.createMediaStreamDestination();
    tone.connect(end);
    tone.start();
    const media = canvas.captureStream(25);
    media.addTrack(end.stream.getAudioTracks()[0]);
    globalThis.connection = new NetConnection();
    await connection.connect('/world/room');
    const stream = new NetStream(connection);
    stream.onStatus = ({ code }) => heard.push(code);
    globalThis.publishing = publishMedia(stream, media, options);
    stream.publish('cam');
  };
</script>`;
const server = useServer({ apps: { world: { 'public/index.html': html } } });
const browser = useBrowser();

interface Look extends PublisherStats {
  queuedBytes: number;
  unacknowledged: number;
  heard: string[];
}

async function look(page: Page): Promise<Look> {
  return (await page.evaluate(`({
    ...publishing.stats, heard, queuedBytes: connection.queuedBytes,
    unacknowledged: connection.sentBytes - connection.acknowledgedBytes,
  })`)) as Look;
}

const AUDIO = 8;
const VIDEO = 9;

/** A page that publishes through a network, and a client at the server that watches what comes of it. */
async function publish(context: TestContext, options = {}) {
  const network = await SlowNetwork.before(server.http);
  const page = await browser.page(context, `${network.url}/world/`);
  await page.waitForFunction('globalThis.publish !== undefined');
  await page.evaluate(`publish(${JSON.stringify(options)})`);
  await expect.poll(() => page.evaluate('heard')).toContain('NetStream.Publish.Start');
  const client = await connect(`${server.rtmp}/world/room`, { properties: { fourCcList: ['*'] } });
  const stream = await client.createStream();
  await stream.play('cam');
  const count = (type: number) => stream.media.filter((message) => message.type === type).length;
  await expect.poll(() => Math.min(count(AUDIO), count(VIDEO))).toBeGreaterThan(30);

  /** Watches for so long: the most that sound came late, in milliseconds, and what the page said meanwhile. */
  const watch = async (seconds: number) => {
    const newest = () => stream.media.findLast(({ type }) => type === AUDIO)!.timestamp;
    const [sounds, pictures, passed] = [count(AUDIO), count(VIDEO), network.passed];
    const begin = performance.now() - newest();
    let lateMs = 0;
    const looks: Look[] = [];
    while (performance.now() - begin < newest() + seconds * 1000 && looks.length < seconds * 10) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      lateMs = Math.max(lateMs, performance.now() - begin - newest());
      looks.push(await look(page));
    }
    const waiting = Math.max(...looks.map(({ unacknowledged }) => unacknowledged));
    const figures = {
      lateMs: Math.round(lateMs),
      sounds: count(AUDIO) - sounds,
      pictures: count(VIDEO) - pictures,
      kbps: Math.round(((network.passed - passed) * 8) / 1000 / seconds),
      waiting,
      bitrate: looks.at(-1)!.videoBitrate,
    };
    console.log(figures);
    return figures;
  };
  return { network, page, watch };
}

/** A page that encodes on a busy machine takes its time. */
const PATIENT = { timeout: 60_000 };

test('the bit rate follows a network that becomes slow and fast again, and sound is on time', {
  timeout: 240_000,
}, async (context) => {
  const { network, page, watch } = await publish(context);
  const bitrate = async () => (await look(page)).videoBitrate;
  await expect.poll(bitrate, PATIENT).toBe(1_500_000);
  network.delayMs = 30;
  network.kbps = 400;
  await expect.poll(bitrate, PATIENT).toBeLessThan(350_000);
  // What was on its way before goes first.
  await expect.poll(async () => (await look(page)).delayMs, PATIENT).toBeLessThan(200);
  const slow = await watch(6);
  expect(slow.kbps).toBeGreaterThan(100);
  expect(slow.pictures).toBeGreaterThan(20);
  expect(slow.sounds).toBeGreaterThan(6 * 50 * 0.5);
  expect(slow.lateMs).toBeLessThan(3000);
  network.kbps = 0;
  await expect.poll(bitrate, PATIENT).toBe(1_500_000);
  expect((await watch(2)).kbps).toBeGreaterThan(400);
});

test('a network that stands still for 5 seconds costs those, and no memory', {
  timeout: 240_000,
}, async (context) => {
  const { network, page, watch } = await publish(context);
  network.isStalled = true;
  const still = await watch(5);
  expect(still).toMatchObject({ kbps: 0 });
  expect(still.waiting).toBeLessThan(256 * 1024);
  network.isStalled = false;
  await expect.poll(async () => (await look(page)).delayMs, PATIENT).toBeLessThan(200);
  const after = await watch(3);
  expect(after.sounds).toBeGreaterThan(3 * 50 * 0.5);
  expect(after.pictures).toBeGreaterThan(20);
  const told = async () => (await look(page)).heard.slice(1);
  await expect
    .poll(told, PATIENT)
    .toEqual(expect.arrayContaining(['NetStream.Publish.InsufficientBW', 'NetStream.Publish.SufficientBW']));
  // What was lost was the moment, not the rate.
  await expect.poll(async () => (await look(page)).videoBitrate, PATIENT).toBe(1_500_000);
});

test('where not even the least fits, pictures give way and sound goes on', {
  timeout: 240_000,
}, async (context) => {
  const { network, page, watch } = await publish(context, { minVideoBitrate: 600_000 });
  network.kbps = 300;
  await expect
    .poll(async () => (await look(page)).heard, PATIENT)
    .toContain('NetStream.Publish.InsufficientBW');
  expect((await look(page)).videoBitrate).toBeGreaterThanOrEqual(600_000);
  const { sounds, pictures, waiting } = await watch(8);
  expect(sounds).toBeGreaterThan(8 * 50 * 0.5);
  expect(pictures).toBeGreaterThan(4);
  expect(waiting).toBeLessThan(256 * 1024);
  // A busy machine may be late with it.
  expect((await look(page)).droppedSound).toBeLessThan(sounds / 10);
});

test('who comes in the middle of a long group of pictures begins with a new key frame', {
  timeout: 120_000,
}, async (context) => {
  const { page, watch } = await publish(context, { keyFrameEveryMs: 3_600_000 });
  await watch(3);
  const { encodedFrames } = await look(page);
  expect(encodedFrames).toBeGreaterThan(60);
  const stream = await (await connect(`${server.rtmp}/world/room`)).createStream();
  const asked = performance.now();
  await stream.play('cam');
  const pictures = () => stream.media.filter(({ type, payload }) => type === VIDEO && payload[1] === 1);
  await expect.poll(() => pictures().length, { ...PATIENT, interval: 10 }).toBeGreaterThan(0);
  console.log(`the first picture came after ${Math.round(performance.now() - asked)} ms`);
  expect(isVideoKeyFrame(pictures()[0]!.payload)).toBe(true);
  // Not what was kept: that begins seconds before.
  expect(pictures()[0]!.timestamp).toBeGreaterThan(3000);
});
