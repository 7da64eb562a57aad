import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import {
  makeClip,
  type Packet,
  packetsOf,
  publishFile,
  RunningTool,
  scratchFolder,
} from '../support/media-tools.ts';
import { tagsOf } from '../support/recorded.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

// Players want a screen and a loudspeaker: these are SDL's, for where there are none.
process.env.SDL_VIDEODRIVER = 'dummy';
process.env.SDL_AUDIODRIVER = 'dummy';

const server = useServer({ apps: { live: { 'README.md': 'no script' } } });

/** Puts a clip where the server finds it as a recording. */
async function recordedClip(room: string, seconds: number): Promise<string> {
  const clip = await makeClip(scratchFolder(), seconds);
  const folder = join(server.appsFolder, 'live/streams', room);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'clip.flv'), readFileSync(clip));
  return clip;
}

const sizesOf = (packets: Packet[], type: string) =>
  packets.filter(({ codec_type }) => codec_type === type).map(({ size }) => size);

test('rtmpdump goes on with a file of which it has the beginning', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'rtmpdump');
  const clip = await recordedClip('resumed', 8);
  const dumped = join(scratchFolder(), 'dump.flv');
  const dump = (...more: string[]) =>
    new RunningTool('rtmpdump', [
      '-q',
      '-r',
      `${server.rtmp}/live/resumed/clip`,
      '-o',
      dumped,
      ...more,
    ]).end();
  expect((await dump()).code).toBe(0);
  const whole = await packetsOf(dumped);
  // It writes whole tags.
  const size = tagsOf(dumped)
    .slice(0, 200)
    .reduce((sum, { payload }) => sum + 11 + payload.length + 4, 13);
  expect(size).toBeLessThan(statSync(dumped).size);
  truncateSync(dumped, size);
  expect((await dump('--resume')).code).toBe(0);
  const resumed = await packetsOf(dumped);
  expect(resumed).toEqual(whole);
  for (const type of ['video', 'audio'])
    expect(sizesOf(resumed, type)).toEqual(sizesOf(await packetsOf(clip), type));
  // What is taken from the middle has the times of the file.
  const late = join(scratchFolder(), 'late.flv');
  expect((await dump('-A', '5', '-o', late)).code).toBe(0);
  const first = (await packetsOf(late)).find(({ codec_type }) => codec_type === 'video');
  expect(first?.dts).toBe(5000);
});

test('GStreamer plays a live stream', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'gst-launch-1.0');
  const clip = await makeClip(scratchFolder(), 10);
  const url = `${server.rtmp}/live/gst/cam`;
  const publisher = publishFile(clip, url);
  const taken = join(scratchFolder(), 'gst.flv');
  const source = ['rtmp2src', `location=${url}`, 'num-buffers=60'];
  const { code, errors } = await new RunningTool('gst-launch-1.0', [
    '-q',
    ...[...source, '!', 'filesink', `location=${taken}`],
  ]).end();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const known = await packetsOf(clip);
  for (const type of ['video', 'audio']) {
    const sizes = sizesOf(await packetsOf(taken), type);
    expect(sizes.length).toBeGreaterThan(10);
    const from = sizesOf(known, type).join().indexOf(sizes.join());
    expect(from).toBeGreaterThanOrEqual(0);
  }
  publisher.stop();
});

test('ffplay plays a recorded stream over HTTP to its end, and a live one', async (context) => {
  requireTools(context, 'ffmpeg', 'ffplay');
  const clip = await recordedClip('shown', 2);
  const url = `${server.http}/live/shown`;
  const play = (name: string) =>
    new RunningTool('ffplay', ['-v', 'error', '-autoexit', `${url}/${name}.flv`]);
  expect(await play('clip').end()).toMatchObject({ code: 0, errors: '' });
  const publisher = publishFile(clip, `${server.rtmp}/live/shown/cam`, '-flvflags', 'no_duration_filesize');
  const player = play('cam');
  await eventually('ffplay to watch', async () => (await server.metric('stagewire_viewers')) === 1);
  expect(await publisher.end()).toMatchObject({ code: 0 });
  expect(player.isRunning).toBe(true);
});
