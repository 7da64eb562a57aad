import { beforeEach, expect, test } from 'vitest';
import { MediaFiles } from '../../../host/streams/files/media-files.ts';
import { everythingIn, makeMedia } from '../../host/streams/files/clips.ts';
import { Pages } from '../../support/media-pages.ts';
import { scratchFolder } from '../../support/media-tools.ts';
import { connect } from '../../support/rtmp-client.ts';
import { useServer } from '../../support/server.ts';
import { requireTools } from '../../support/tools.ts';
import { enhancedAudioOf, type Message } from './fmp4/sources.ts';
import { aac, avc, clip, numbered, publishMessages, tone } from './numbered.ts';
import { ask, codesOf, until } from './stage.ts';

const pages = new Pages('test/client/media/page/main.ts');
const server = useServer({
  apps: { world: { 'app.json': JSON.stringify({ cors: ['*'], streams: { codecs: 'send' } }) } },
});
beforeEach((context) => requireTools(context, 'ffmpeg', 'ffprobe', 'chromium'));

/** Publishes messages and has a page play them. */
async function show(room: string, messages: readonly Message[], how: 'play' | 'playFast' = 'play') {
  const stream = await (await connect(`${server.rtmp}/world/${room}`)).createStream();
  await stream.publish('cam');
  publishMessages(stream, messages);
  const page = await pages.open();
  await ask(page, how, `${server.http.replace('http', 'ws')}/world/${room}/cam.flv`);
  return page;
}

async function messagesOf(folder: string, name: string, ...options: string[]): Promise<Message[]> {
  const files = new MediaFiles({ cacheBytes: 1 << 24, maxOpen: 2, lingerMs: 0 });
  const file = makeMedia(folder, name, ...options, '-pix_fmt', 'yuv420p', '-t', '6');
  const messages = (await everythingIn(await files.open(file))) as Message[];
  await files.close();
  return messages;
}

const later = (messages: readonly Message[], ms: number) =>
  messages.map((message) => ({ ...message, timestamp: (message.timestamp + ms) >>> 0 }));
const byTime = (...lists: Message[][]) => lists.flat().sort((a, b) => a.timestamp - b.timestamp);

const vp9 = '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -b:v 500k'.split(' ');
const av1 = '-c:v libaom-av1 -usage realtime -cpu-used 8 -g 25 -b:v 500k'.split(' ');
const pictures = [
  ['VP9', vp9],
  ['AV1', av1],
] as const;
for (const [name, options] of pictures) {
  for (const how of ['play', 'playFast'] as const) {
    test(`${name} is seen: ${how}`, { timeout: 60_000 }, async () => {
      const messages = await messagesOf(scratchFolder(), 'clip.mp4', ...numbered(), ...options);
      const page = await show(`${name}-${how}`, messages, how);
      const { statuses } = await until(page, 'pictures', ({ shown }) => (shown.at(-1)?.frame ?? 0) > 50);
      expect(statuses.filter(({ level }) => level !== 'status')).toEqual([]);
    });
  }
}

const sounds = [
  ['Opus', 'Opus', 'a.ogg', '-c:a libopus'],
  ['FLAC', 'fLaC', 'a.flac', '-c:a flac'],
] as const;
for (const [name, fourCc, file, options] of sounds) {
  for (const how of ['play', 'playFast'] as const) {
    test(`${name} is heard: ${how}`, { timeout: 60_000 }, async () => {
      const folder = scratchFolder();
      const sound = enhancedAudioOf(
        makeMedia(folder, file, ...tone, ...options.split(' '), '-t', '6'),
        fourCc,
      );
      const page = await show(`${name}-${how}`, later(sound, 20), how);
      const state = await until(page, 'sound', ({ played }) => played !== undefined);
      const { statuses } = await until(page, 'more', ({ played }) => played! > state.played! + 2000);
      expect(statuses.filter(({ level }) => level !== 'status')).toEqual([]);
    });
  }
}

test('MP3 is heard where the browser has it for MP4, and else by WebCodecs', {
  timeout: 60_000,
}, async () => {
  const folder = scratchFolder();
  const sound = clip(folder, 'mp3.flv', 6, ...tone, '-c:a', 'libmp3lame');
  const page = await show('mp3', sound, 'playFast');
  const state = await until(page, 'sound', ({ played }) => played !== undefined);
  await until(page, 'more', ({ played }) => played! > state.played! + 2000);
  const other = await show('mp3-mse', sound);
  const { statuses } = await until(other, 'an end', ({ played, statuses }) => {
    return played !== undefined || statuses.length > 0;
  });
  expect(statuses.map(({ code }) => code)).toEqual(['NetStream.Play.NoSupportedTrackFound']);
});

test('another codec in mid-stream goes on with it', { timeout: 60_000 }, async () => {
  const folder = scratchFolder();
  const first = clip(folder, 'avc.flv', 3, ...numbered(), ...tone, ...avc, ...aac);
  const second = await messagesOf(folder, 'vp9.mp4', ...numbered(720, 540), ...tone, ...vp9, ...aac);
  const page = await show('codecs', [...first, ...later(second, 3000)]);
  await until(page, 'the first', ({ width }) => width === 480);
  await until(page, 'the second', ({ width }) => width === 720);
  const { currentTime } = await until(page, 'pictures of it', ({ shown }) => shown.at(-1)!.frame < 70);
  await until(page, 'more of it', (state) => state.currentTime > currentTime + 1);
});

test('sound that comes later is heard, and pictures go on without it when it ends', {
  timeout: 90_000,
}, async () => {
  const folder = scratchFolder();
  const video = clip(folder, 'video.flv', 16, ...numbered(), ...avc);
  const sound = clip(folder, 'sound.flv', 3, ...tone, ...aac);
  const page = await show('later', byTime(video, later(sound, 2500)));
  const silent = await until(page, 'pictures', ({ shown }) => shown.length > 20);
  expect(silent.hasSound).toBe(false);
  await until(page, 'sound', ({ hasSound }) => hasSound);
  // It waits for the sound until it is clear that none comes.
  const state = await until(page, 'pictures without', ({ shown }) => shown.at(-1)!.frame > 300);
  expect(codesOf(state)).not.toContain('NetStream.Play.Failed');
});
