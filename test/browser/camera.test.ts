import { expect, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const html = `<!doctype html><video id="video" muted autoplay playsinline></video><canvas id="canvas"></canvas>
<script type="module">
  import { NetConnection, NetStream } from '/client.js';
  import { attachVideo } from '/media.js';
  import { attachCanvas } from '/low-latency.js';
  import { publishMedia } from '/publish.js';
  const open = async () => {
    const connection = new NetConnection();
    await connection.connect('/world/room');
    return new NetStream(connection);
  };
  globalThis.heard = [];
  globalThis.publish = async () => {
    const stream = await open();
    stream.onStatus = ({ code }) => heard.push(code);
    publishMedia(stream, await navigator.mediaDevices.getUserMedia({ video: true, audio: true }));
    stream.publish('cam');
  };
  globalThis.play = async (how) => {
    const stream = await open();
    stream.onStatus = ({ code }) => heard.push(code);
    globalThis.player = how === 'video' ? attachVideo(stream, video) : attachCanvas(stream, canvas);
    stream.play('cam');
  };
</script>`;
const server = useServer({ apps: { world: { 'public/index.html': html } } });
const browser = useBrowser();

test('the camera and microphone of a page are seen in two others, and by a client of RTMP', {
  timeout: 90_000,
}, async (context) => {
  const camera = await browser.page(context, `${server.http}/world/`);
  await camera.waitForFunction('globalThis.publish !== undefined');
  await camera.evaluate('publish()');
  await expect.poll(() => camera.evaluate('heard')).toContain('NetStream.Publish.Start');

  const old = await (
    await connect(`${server.rtmp}/world/room`, { properties: { fourCcList: ['*'] } })
  ).createStream();
  await old.play('cam');
  for (const how of ['video', 'canvas']) {
    const page = await browser.page(context, `${server.http}/world/`);
    await page.waitForFunction('globalThis.play !== undefined');
    await page.evaluate(`play('${how}')`);
    const frames = () => page.evaluate('player.stats.decodedFrames') as Promise<number>;
    await expect.poll(frames, { message: how }).toBeGreaterThan(30);
    expect(await page.evaluate('heard')).not.toContain('NetStream.Play.NoSupportedTrackFound');
    await page.close();
  }
  for (const type of [8, 9])
    await expect.poll(() => old.media.filter((message) => message.type === type).length).toBeGreaterThan(10);
});
