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

const pages = new Pages('test/client/media/page/main.ts');
const server = useServer({
  apps: { world: { 'app.json': JSON.stringify({ cors: ['*'], streams: { codecs: 'send' } }) } },
});
beforeEach((context) => requireTools(context, 'ffmpeg', 'chromium'));

const watchUrl = (room: string) => `${server.http.replace('http', 'ws')}/world/${room}/cam.flv`;
const publishUrl = (room: string) => `${server.rtmp}/world/${room}/cam`;

async function play(room: string, ...targetDelayMs: number[]): Promise<Page> {
  const page = await pages.open();
  await ask(page, 'playFast', watchUrl(room), ...targetDelayMs);
  return page;
}

async function publisher(room: string): Promise<ClientStream> {
  const stream = await (await connect(`${server.rtmp}/world/${room}`)).createStream();
  await stream.publish('cam');
  return stream;
}

test('pictures on a canvas follow the sound', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('both'), ...numbered(), ...tone, ...avc, ...aac);
  const page = await play('both');
  const first = await until(page, 'the first picture', ({ shown }) => shown.length > 0);
  const { stats, shown, played } = await until(
    page,
    'six seconds of it',
    ({ shown }) => shown.at(-1)!.frame - first.shown[0]!.frame > 150,
  );
  const numbers = shown.map(({ frame }) => frame);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(numbers.length).toBeGreaterThan(60);
  expect(Math.abs(played! / 40 - numbers.at(-1)!)).toBeLessThan(10);
  expect(stats!.bufferedMs).toBeGreaterThan(0);
  const delays = shown.slice(-75).map(({ delayMs }) => delayMs);
  console.log(`WebCodecs, from the encoder to the screen: ${percentiles(delays, 50, 95)}`, stats);
});

test('pictures wait for a sound that is far behind what is live', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('far'), ...numbered(), ...tone, ...avc, ...aac);
  const page = await play('far', 1000);
  await until(page, 'the sound', ({ stats }) => stats!.bufferedMs > 700);
  const { shown: before } = await until(page, 'a picture', ({ shown }) => shown.length > 0);
  const { shown, played } = await until(page, 'three seconds', ({ shown }) => {
    return (shown.at(-1)?.frame ?? 0) > before.at(-1)!.frame + 75;
  });
  const [from, to] = [before.at(-1)!.frame, shown.at(-1)!.frame];
  expect(shown.filter(({ frame }) => frame > from).length).toBeGreaterThan((to - from) / 2);
  expect(Math.abs(played! / 40 - to)).toBeLessThan(10);
});

test('a stream of pictures only has the network for a clock', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('pictures'), ...numbered(), ...avc);
  const page = await play('pictures');
  const { shown, stats } = await until(page, 'two seconds', ({ shown }) => (shown.at(-1)?.frame ?? 0) > 75);
  const delays = shown.slice(-25).map(({ delayMs }) => delayMs);
  console.log(`WebCodecs without sound: ${percentiles(delays, 50, 95)}`, stats);
});

test('who comes late sees at once what is live', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('late'), ...numbered(), ...tone, ...avc, '-g', '250', ...aac);
  const early = await play('late');
  await until(early, 'four seconds', ({ shown }) => (shown.at(-1)?.frame ?? 0) > 100);
  const late = await play('late');
  const { shown } = await until(late, 'some pictures', ({ shown }) => shown.length > 25);
  expect(shown.at(-1)!.frame).toBeGreaterThan(100);
  expect(shown.at(-1)!.delayMs).toBeLessThan(1500);
});

test('another configuration, and what cannot be decoded, cost pictures until the next key frame', {
  timeout: 60_000,
}, async () => {
  const folder = scratchFolder();
  const small = clip(folder, 'small.flv', 4, ...numbered(), ...tone, ...avc, '-g', '25', ...aac);
  const large = clip(folder, 'large.flv', 6, ...numbered(720, 540), ...tone, ...avc, ...aac);
  const after = large.map((message) => ({ ...message, timestamp: message.timestamp + 4000 }));
  const broken = small.map((message, i) => {
    const isHit = message.type === 9 && i > 60 && i < 70;
    return isHit
      ? { ...message, payload: message.payload.map((byte, at) => (at < 9 ? byte : 0xff)) }
      : message;
  });
  publishMessages(await publisher('change'), [...broken, ...after]);
  const page = await play('change');
  await until(page, 'the end of the first', ({ shown }) => shown.some(({ frame }) => frame > 85));
  const state = await until(page, 'the second', (state) =>
    state.statuses.some(({ description }) => description === '720 x 540'),
  );
  expect(state.statuses.filter(({ level }) => level === 'error')).toEqual([]);
});

test('a codec that the browser does not know is named, and the sound goes on', {
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
  const { played } = await until(page, 'sound', ({ stats }) => stats!.bufferedMs > 0);
  const state = await until(page, 'more', (state) => state.played! > played! + 1000);
  expect(codesOf(state)).toContain('NetStream.Play.NoSupportedTrackFound');
});

test('pictures are there before sound may be, which comes with a click', { timeout: 60_000 }, async () => {
  publishLive(publishUrl('blocked'), ...numbered(), ...tone, ...avc, ...aac);
  const page = await pages.openSilent(`playFast ${watchUrl('blocked')}`, 'NetStream.Play.AutoplayBlocked');
  const silent = await until(page, 'pictures', ({ shown }) => shown.length > 20);
  expect(silent.stats!.bufferedMs).toBe(0);
  await page.evaluate('stage.canvas.onclick = () => stage.player.resume()');
  await page.click('canvas', { position: { x: 50, y: 50 } });
  const { shown } = await until(page, 'sound', ({ stats }) => stats!.bufferedMs > 0);
  await until(page, 'pictures with it', (state) => state.shown.length > shown.length + 20);
  await page.evaluate('stage.player.close(), stage.player.close()');
});
