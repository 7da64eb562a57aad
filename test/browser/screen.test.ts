import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import { isVideoKeyFrame } from '../../wire/media-head.ts';
import { useBrowser } from '../support/browser.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** A canvas that is drawn when the test wants it, and a tone. */
const html = `<!doctype html><canvas id="canvas" width="480" height="360"></canvas>
<video id="video" muted autoplay playsinline></video><canvas id="fast"></canvas>
<script type="module">
  import { NetConnection, NetStream } from '/client.js';
  import { attachVideo } from '/media.js';
  import { attachCanvas } from '/low-latency.js';
  import { publishMedia } from '/publish.js';
  globalThis.heard = [];
  const open = async () => {
    const connection = new NetConnection();
    await connection.connect('/world/room');
    const stream = new NetStream(connection);
    stream.onStatus = ({ code }) => heard.push(code);
    return stream;
  };
  const context = canvas.getContext('2d');
  globalThis.draw = () => {
    for (let i = 0; i < 40; i++) {
      context.fillStyle = 'hsl(' + Math.random() * 360 + ' 80% 50%)';
      context.fillRect(Math.random() * canvas.width, Math.random() * canvas.height, 40, 40);
    }
  };
  globalThis.resize = (width, height) => {
    [canvas.width, canvas.height] = [width, height];
    draw();
  };
  globalThis.publish = async (options) => {
    const sound = new AudioContext();
    const tone = new OscillatorNode(sound);
    const end = sound.createMediaStreamDestination();
    tone.connect(end);
    tone.start();
    const media = canvas.captureStream(25);
    media.addTrack(end.stream.getAudioTracks()[0]);
    const stream = await open();
    globalThis.publishing = publishMedia(stream, media, options);
    stream.publish('cam');
    draw();
  };
  globalThis.play = async (how) => {
    const stream = await open();
    globalThis.player = how === 'video' ? attachVideo(stream, video) : attachCanvas(stream, fast);
    stream.play('cam');
  };
</script>`;
const server = useServer({ apps: { world: { 'public/index.html': html } } });
const browser = useBrowser();
const VIDEO = 9;

async function open(context: TestContext, call: string): Promise<Page> {
  const page = await browser.page(context, `${server.http}/world/`);
  await page.waitForFunction('globalThis.play !== undefined');
  await page.evaluate(call);
  return page;
}

async function publish(context: TestContext, options = {}): Promise<Page> {
  const page = await open(context, `publish(${JSON.stringify(options)})`);
  await expect.poll(() => page.evaluate('publishing.stats?.audioCodec'), { timeout: 60_000 }).toBeTruthy();
  return page;
}

/** A client at the server that sees what the page sends. */
async function watch() {
  const client = await connect(`${server.rtmp}/world/room`, { properties: { fourCcList: ['*'] } });
  const stream = await client.createStream();
  await stream.play('cam');
  return () => stream.media.filter(({ type }) => type === VIDEO);
}

const currentTime = (page: Page) => page.evaluate('video.currentTime') as Promise<number>;

test('a picture on which nothing moves comes again, so that players with sound go on', {
  timeout: 120_000,
}, async (context) => {
  const camera = await publish(context, { keyFrameEveryMs: 1000 });
  const viewer = await open(context, `play('video')`);
  await expect.poll(() => currentTime(viewer)).toBeGreaterThan(0);
  const seen = await watch();
  await expect.poll(() => seen().length).toBeGreaterThan(1);
  const [count, began] = [seen().length, await currentTime(viewer)];
  const start = performance.now();
  await expect.poll(() => currentTime(viewer), { timeout: 60_000 }).toBeGreaterThan(began + 12);
  const tookMs = performance.now() - start;
  const repeated = seen().slice(count);
  const bytes = repeated.reduce((sum, { payload }) => sum + payload.length, 0);
  const heard = (await viewer.evaluate('heard')) as string[];
  const empty = heard.filter((code) => code === 'NetStream.Buffer.Empty').length;
  const stats = await viewer.evaluate('player.stats');
  console.log({ tookMs, pictures: repeated.length, bytes, empty, stats });
  expect(tookMs).toBeLessThan(16_000);
  // Cheap, and bounded.
  expect(repeated.length).toBeLessThan((tookMs / 1000) * 5);
  expect(bytes).toBeLessThan((tookMs / 1000) * 4000);
  expect(heard).not.toContain('NetStream.Play.Failed');
  // Who comes now is sent a key frame, though nothing has moved.
  const late = await watch();
  await expect.poll(() => late().filter(({ payload }) => isVideoKeyFrame(payload)).length).toBe(1);
  expect(await camera.evaluate('publishing.stats.droppedFrames')).toBe(0);
});

for (const codec of ['avc1', 'vp09', 'av01']) {
  test(`viewers of ${codec} go on when a canvas changes its size`, { timeout: 180_000 }, async (context) => {
    const camera = await publish(context, { videoCodecs: [codec], keyFrameEveryMs: 3_600_000 });
    const viewer = await open(context, `play('video')`);
    const fast = await open(context, `play('canvas')`);
    const sizes = async () => [
      await viewer.evaluate('video.videoWidth + "x" + video.videoHeight'),
      await fast.evaluate('fast.width + "x" + fast.height'),
    ];
    await expect.poll(sizes, { timeout: 60_000 }).toEqual(['480x360', '480x360']);
    const seen = await watch();
    await expect.poll(() => seen().length).toBeGreaterThan(1);
    for (const [width, height] of [
      [640, 240],
      [241, 401],
      [1280, 720],
    ] as const) {
      const count = seen().length;
      await camera.evaluate(`resize(${width}, ${height})`);
      const size = `${width & ~1}x${height & ~1}`;
      await expect.poll(sizes, { timeout: 60_000 }).toEqual([size, size]);
      // What the decoder is told, and at once a key frame.
      const fresh = seen().slice(count);
      const key = fresh.findIndex(({ payload }) => isVideoKeyFrame(payload));
      expect(key).toBeGreaterThan(0);
      expect(isConfig(fresh[key - 1]!.payload)).toBe(true);
      const began = await currentTime(viewer);
      await expect.poll(() => currentTime(viewer), { timeout: 60_000 }).toBeGreaterThan(began + 1);
    }
    for (const page of [viewer, fast])
      expect(await page.evaluate('heard')).not.toContain('NetStream.Play.Failed');
    console.log(await viewer.evaluate('heard'), await fast.evaluate('heard'));
  });
}

test('a window that is dragged larger costs two key frames a second at the most, and ends with its size', {
  timeout: 120_000,
}, async (context) => {
  const camera = await publish(context);
  const viewer = await open(context, `play('video')`);
  await expect.poll(() => viewer.evaluate('video.videoWidth')).toBe(480);
  const seen = await watch();
  await expect.poll(() => seen().length).toBeGreaterThan(1);
  const count = seen().length;
  const tookMs = (await camera.evaluate(`(async () => {
    const begin = performance.now();
    for (let width = 400; width <= 700; width += 4) {
      resize(width, 300);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    return performance.now() - begin;
  })()`)) as number;
  // captureStream(25) leaves out a picture that comes sooner than 40 ms after another, so the last one is drawn again.
  const width = async () => {
    await camera.evaluate('draw()');
    return viewer.evaluate('video.videoWidth');
  };
  await expect.poll(width, { timeout: 60_000 }).toBe(700);
  const configs = seen()
    .slice(count)
    .filter(({ payload }) => isConfig(payload));
  console.log(`${configs.length} sizes in ${Math.round(tookMs)} ms`);
  expect(configs.length).toBeGreaterThan(1);
  expect(configs.length).toBeLessThan(tookMs / 500 + 3);
});

/** A sequence start: of H.264 with the head of RTMP 1.0, of others with the enhanced one. */
function isConfig(payload: Uint8Array): boolean {
  return payload[0]! & 0x80 ? (payload[0]! & 15) === 0 : payload[1] === 0;
}
