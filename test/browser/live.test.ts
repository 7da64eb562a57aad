import { expect, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { makeClip, publishFile, scratchFolder } from '../support/media-tools.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const server = useServer({ samples: ['live'] });
const browser = useBrowser();

/** What the page shows of the stream, and what the browser has decoded of it. */
const LOOK = `(() => {
  const video = document.getElementById('video');
  return {
    state: document.getElementById('state').textContent,
    hint: document.getElementById('hint').hidden ? '' : document.getElementById('hint').textContent,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    sound: video.webkitAudioDecodedByteCount,
    time: video.currentTime,
    size: [video.videoWidth, video.videoHeight],
  };
})()`;
interface Look {
  state: string;
  hint: string;
  frames: number;
  sound: number;
  time: number;
  size: [number, number];
}

test('the page of the live sample waits for a stream, plays it, and the next one', {
  timeout: 90_000,
}, async (context) => {
  requireTools(context, 'ffmpeg');
  const page = await browser.page(context, `${server.http}/live/`);
  const look = () => page.evaluate(LOOK) as Promise<Look>;
  const state = () => look().then((seen) => seen.state);
  await expect.poll(state).toBe('waiting');
  expect((await look()).hint).toContain('/live/demo?key=stage-door');

  const clip = await makeClip(scratchFolder(), 6);
  for (const round of [1, 2]) {
    const publisher = publishFile(clip, `${server.rtmp}/live/demo?key=stage-door`);
    await expect.poll(state, { message: `round ${round}` }).toBe('live');
    const before = await look();
    await expect.poll(async () => (await look()).frames - before.frames).toBeGreaterThan(40);
    const { sound, size, hint } = await look();
    expect(sound).toBeGreaterThan(0);
    expect({ size, hint }).toEqual({ size: [320, 240], hint: '' });
    await publisher.end();
    await expect.poll(state).toBe('off air');
  }
});

test('saving the script under the page costs it nothing', { timeout: 90_000 }, async (context) => {
  requireTools(context, 'ffmpeg');
  const page = await browser.page(context, `${server.http}/live/`);
  const look = () => page.evaluate(LOOK) as Promise<Look>;
  const publisher = publishFile(
    await makeClip(scratchFolder(), 10),
    `${server.rtmp}/live/demo?key=stage-door`,
  );
  await expect.poll(async () => (await look()).state).toBe('live');
  const from = server.log.mark;
  server.writeFile('live/main.ts', 'application.onReattach = () => true;\n');
  await server.waitForLog((r) => r.message.startsWith('runs new code'), from);
  const { time } = await look();
  await expect.poll(async () => (await look()).time).toBeGreaterThan(time + 1.5);
  expect((await look()).state).toBe('live');
  await publisher.end();
});
