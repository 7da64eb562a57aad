import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeEach, expect, test } from 'vitest';
import { MediaFiles } from '../../../host/streams/files/media-files.ts';
import { everythingIn, makeMedia, picture } from '../../host/streams/files/clips.ts';
import { Pages } from '../../support/media-pages.ts';
import { scratchFolder } from '../../support/media-tools.ts';
import { type ClientStream, connect } from '../../support/rtmp-client.ts';
import { useServer } from '../../support/server.ts';
import { requireTools } from '../../support/tools.ts';
import type { Message } from './fmp4/sources.ts';
import { aac, avc, clip, numbered, publishLive, publishMessages, tone } from './numbered.ts';
import { ask, codesOf, percentiles, until } from './stage.ts';
import type { StageState } from './stage-state.ts';

const pages = new Pages('test/client/media/page/main.ts');
const server = useServer({
  apps: { world: { 'app.json': JSON.stringify({ cors: ['*'], streams: { codecs: 'send' } }) } },
});
beforeEach((context) => requireTools(context, 'ffmpeg', 'chromium'));

const watchUrl = (room: string) => `${server.http.replace('http', 'ws')}/world/${room}/cam.flv`;
const publishUrl = (room: string) => `${server.rtmp}/world/${room}/cam`;

async function play(room: string): Promise<Page> {
  const page = await pages.open();
  await ask(page, 'play', watchUrl(room));
  return page;
}

async function publisher(room: string): Promise<ClientStream> {
  const stream = await (await connect(`${server.rtmp}/world/${room}`)).createStream();
  await stream.publish('cam');
  return stream;
}

test('a page plays what FFmpeg publishes, pictures and sound', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('both'), ...numbered(), ...tone, ...avc, ...aac);
  const page = await play('both');
  const first = await until(page, 'the first picture', ({ shown }) => shown.length > 0);
  const { stats, shown, hasSound, width, played } = await until(
    page,
    'eight seconds of it',
    ({ currentTime, shown }) => currentTime - first.currentTime > 8 && shown.length > 60,
  );
  expect({ hasSound, width }).toEqual({ hasSound: true, width: 480 });
  expect(stats!.decodedFrames).toBeGreaterThan(60);
  const numbers = shown.map(({ frame }) => frame);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  // What is acknowledged is what is seen.
  expect(Math.abs(played! / 40 - numbers.at(-1)!)).toBeLessThan(10);
  const delays = shown.slice(-100).map(({ delayMs }) => delayMs);
  console.log(`MSE, from the encoder to the screen: ${percentiles(delays, 50, 95)}`, stats);
  expect(stats!.delayMs).toBeLessThan(2000);
  // What the pictures themselves say: more than nothing, and on a busy machine still below where the player jumps.
  expect(Math.min(...delays)).toBeGreaterThan(0);
  expect(delays.sort((a, b) => a - b)[delays.length >> 1]).toBeLessThan(2000);
});

test('who comes late sees at once what is live, not where the last key frame was', {
  timeout: 60_000,
}, async () => {
  publishLive(publishUrl('late'), ...numbered(), ...tone, ...avc, '-g', '250', ...aac);
  const early = await play('late');
  await until(early, 'four seconds', ({ shown }) => (shown.at(-1)?.frame ?? 0) > 100);
  const late = await play('late');
  const { shown } = await until(late, 'what is live', ({ shown }) => (shown.at(-1)?.frame ?? 0) > 90);
  // What the server has kept comes in pieces on a busy machine: it may begin in the first, and leaves it for the newest.
  expect(shown.filter(({ frame }) => frame <= 90).length).toBeLessThan(10);
});

const solos = [
  { name: 'pictures', inputs: [...numbered(), ...avc], has: { width: 480, hasSound: false } },
  { name: 'sound', inputs: [...tone, ...aac], has: { width: 0, hasSound: true } },
] as const;
for (const { name, inputs, has } of solos) {
  test(`a stream may have ${name} only`, { timeout: 60_000 }, async () => {
    publishLive(publishUrl(name), ...inputs);
    const page = await play(name);
    const { currentTime } = await until(page, 'a beginning', ({ currentTime }) => currentTime > 0);
    const state = await until(page, 'it going on', (state) => state.currentTime > currentTime + 2);
    expect(state).toMatchObject(has);
  });
}

test('another configuration in mid-stream goes on with it, another size and all', {
  timeout: 60_000,
}, async () => {
  const folder = scratchFolder();
  const small = clip(folder, 'small.flv', 3, ...numbered(), ...tone, ...avc, ...aac);
  const large = clip(folder, 'large.flv', 6, ...numbered(720, 540), ...tone, ...avc, ...aac);
  const after = large.map((message) => ({ ...message, timestamp: message.timestamp + 3000 }));
  publishMessages(await publisher('change'), [...small, ...after]);
  const page = await play('change');
  await until(page, 'the first size', ({ width }) => width === 480);
  await until(page, 'the second size', ({ width }) => width === 720);
  const { currentTime } = await until(page, 'a picture of it', ({ shown }) => shown.at(-1)!.frame < 70);
  const state = await until(page, 'more of it', (state) => state.currentTime > currentTime + 1);
  expect(codesOf(state)).toContain('NetStream.Video.DimensionChange');
  expect(codesOf(state)).not.toContain('NetStream.Play.Failed');
});

test('a new publisher whose time begins anew is seen by who was there', { timeout: 60_000 }, async () => {
  const messages = clip(scratchFolder(), 'clip.flv', 3, ...numbered(), ...tone, ...avc, ...aac);
  const first = await publisher('again');
  publishMessages(first, messages);
  const page = await play('again');
  const { currentTime } = await until(page, 'two seconds', ({ shown }) => (shown.at(-1)?.frame ?? 0) > 50);
  first.command('closeStream');
  await first.status('NetStream.Unpublish.Success');
  publishMessages(await publisher('again'), messages);
  await until(page, 'them again', ({ shown }) => shown.at(-1)!.frame < 40);
  await until(page, 'more', (state) => state.currentTime > currentTime + 1.5);
});

test('a codec that the browser does not know is named, and the sound is heard', {
  timeout: 60_000,
}, async () => {
  const folder = scratchFolder();
  const files = new MediaFiles({ cacheBytes: 1 << 24, maxOpen: 2, lingerMs: 0 });
  const options = '-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p'.split(' ');
  makeMedia(folder, 'hevc.mp4', ...picture(8), ...tone, ...options, ...aac, '-t', '8');
  const messages = (await everythingIn(await files.open(join(folder, 'hevc.mp4')))) as Message[];
  await files.close();
  publishMessages(await publisher('hevc'), messages);
  const page = await play('hevc');
  const state = await until(page, 'sound', ({ hasSound, currentTime }) => hasSound && currentTime > 1);
  expect(state.width).toBe(0);
  expect(codesOf(state)).not.toContain('NetStream.Video.DimensionChange');
  const told = state.statuses.filter(({ code }) => code === 'NetStream.Play.NoSupportedTrackFound');
  expect(told).toEqual([
    expect.objectContaining({ level: 'warning', description: expect.stringContaining('hvc1') }),
  ]);
});

test('what may not begin by itself says so, and begins with a click', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('blocked'), ...numbered(), ...tone, ...avc, ...aac);
  const page = await pages.openSilent(`play ${watchUrl('blocked')}`, 'NetStream.Play.AutoplayBlocked');
  await page.evaluate('stage.video.onclick = () => stage.video.play()');
  await page.click('video', { position: { x: 50, y: 50 } });
  await until(page, 'it playing', (state) => !state.isPaused && state.shown.length > 10);
});

test('a paused page holds a bounded part of the stream, and goes on with what is live', {
  timeout: 90_000,
}, async () => {
  publishLive(publishUrl('paused'), ...numbered(), ...tone, ...avc, ...aac);
  const page = await play('paused');
  const { shown } = await until(page, 'a picture', ({ shown }) => shown.length > 10);
  await page.evaluate('stage.video.pause()');
  const before = shown.at(-1)!.frame;
  await until(page, 'a long pause', ({ stats }) => stats!.delayMs > 6000);
  await page.evaluate('stage.video.play()');
  const state = await until(page, 'what is live', ({ shown }) => shown.at(-1)!.frame > before + 140);
  expect(state.stats!.jumps).toBeGreaterThan(0);
});

test('a browser with little memory for it plays on', { timeout: 90_000 }, async () => {
  const noisy = ['-vf', 'noise=alls=40:allf=t', '-b:v', '4M', '-g', '25'];
  publishLive(publishUrl('memory'), ...numbered(), ...tone, ...avc, ...noisy, ...aac);
  const page = await pages.openWith(
    '--mse-video-buffer-size-limit-mb=2',
    '--mse-audio-buffer-size-limit-mb=1',
  );
  await ask(page, 'play', watchUrl('memory'));
  const { currentTime } = await until(page, 'a picture', ({ shown }) => shown.length > 0);
  const state = await until(page, 'ten seconds', (state) => state.currentTime > currentTime + 10);
  expect(codesOf(state)).not.toContain('NetStream.Play.Failed');
  // Others hold five seconds and more of what was seen.
  expect(state.stats!.bufferedMs).toBeLessThan(4500);
});

test('a closed player lets go of its element, and takes nothing more', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('closed'), ...numbered(), ...tone, ...avc, ...aac);
  const page = await play('closed');
  await until(page, 'a picture', ({ shown }) => shown.length > 0);
  await page.evaluate('stage.player.close(), stage.player.close()');
  const { shown } = (await ask(page, 'state')) as StageState;
  await page.evaluate('new Promise((resolve) => setTimeout(resolve, 300))');
  expect(await page.evaluate('[stage.video.src, stage.video.readyState]')).toEqual(['', 0]);
  expect(((await ask(page, 'state')) as StageState).shown.length).toBe(shown.length);
});
