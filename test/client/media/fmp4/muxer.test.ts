import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { START_MS } from '../../../../client/media/timeline.ts';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { avcAac, everythingIn, makeMedia, picture, tone } from '../../../host/streams/files/clips.ts';
import { requireTools } from '../../../support/tools.ts';
import {
  enhancedAudioOf,
  type Message,
  messagesOfFlv,
  mux,
  type Probed,
  probeFile,
  probeSegments,
} from './sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-fmp4-'));
const files = new MediaFiles({ cacheBytes: 64 * 1024 * 1024, maxOpen: 10, lingerMs: 0 });
beforeEach((context) => requireTools(context, 'ffmpeg', 'ffprobe'));
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

const words = (text: string) => text.split(' ');

const knowsDuration = ({ durationMs }: Probed) => !Number.isNaN(durationMs);

/** All packets of a kind are there, in order, with their times and how long they last. */
function expectSame(ours: Message[], file: string, kind: 'audio' | 'video', withinMs: number): void {
  const { segments } = mux(ours);
  const made = probeSegments(folder, segments, kind);
  const wanted = probeFile(file, kind);
  expect(made.length).toBeGreaterThan(10);
  const bare = (packets: typeof made) => packets.map(({ codec, isKey, bytes }) => ({ codec, isKey, bytes }));
  expect(bare(made)).toEqual(bare(wanted));
  const first = wanted[0]!;
  for (const [i, packet] of made.entries()) {
    const theirs = wanted[i]!;
    const place = made[0]!.dtsMs - first.dtsMs;
    expect(Math.abs(packet.dtsMs - theirs.dtsMs - place)).toBeLessThanOrEqual(withinMs);
    expect(Math.abs(packet.ptsMs - theirs.ptsMs - place)).toBeLessThanOrEqual(withinMs);
    const next = made[i + 1];
    // FFmpeg does not tell it of those that it has looked at to find out about the stream.
    if (next && knowsDuration(packet))
      expect(Math.abs(packet.dtsMs + packet.durationMs - next.dtsMs)).toBeLessThanOrEqual(1);
  }
}

describe('what FFmpeg writes as FLV', () => {
  const makeFlv = () => makeMedia(folder, 'clip.flv', ...picture(3), ...tone(3), ...avcAac);

  test('has the same pictures in the MP4, in the same order, B-frames at their times', () => {
    const file = makeFlv();
    const messages = messagesOfFlv(file);
    const probed = probeSegments(folder, mux(messages).segments, 'video');
    expect(probed.some(({ ptsMs, dtsMs }) => ptsMs - dtsMs > 40)).toBe(true);
    expect(probed[0]!.dtsMs).toBe(START_MS);
    expectSame(messages, file, 'video', 0);
  });

  test('has the same sound, placed to the sample', () => {
    const file = makeFlv();
    const { segments } = mux(messagesOfFlv(file));
    const sound = segments.filter(({ kind, setup }) => kind === 'audio' && !setup);
    for (const [i, { endMs }] of sound.slice(0, -1).entries())
      expect(sound[i + 1]!.timeMs).toBeCloseTo(endMs, 9);
    expectSame(messagesOfFlv(file), file, 'audio', 1);
  });

  test('tells browsers what it is', () => {
    const { setups } = mux(messagesOfFlv(makeFlv()));
    expect(setups).toMatchObject([
      { kind: 'video', codec: 'avc1.64000b', width: 160, height: 120 },
      { kind: 'audio', codec: 'mp4a.40.2', sampleRate: 44_100, channels: 1 },
    ]);
  });
});

describe('Enhanced RTMP video', () => {
  const cases = [
    {
      name: 'HEVC with B-frames',
      options: '-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=3:keyint=25',
      codec: /^hvc1\.1\.6\.L30/,
    },
    {
      name: 'AV1',
      options: '-c:v libaom-av1 -usage realtime -cpu-used 8 -g 25',
      codec: /^av01\.0\.00M\.08/,
    },
    {
      name: 'VP9',
      options: '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25',
      codec: /^vp09\.00\.\d\d\.08/,
    },
  ] as const;
  for (const { name, options, codec } of cases) {
    test(`${name} comes as it is`, { timeout: 60_000 }, async () => {
      const file = makeMedia(folder, 'enhanced.mp4', ...picture(2), ...words(options), '-pix_fmt', 'yuv420p');
      const messages = (await everythingIn(await files.open(file))) as Message[];
      expectSame(messages, file, 'video', 1);
      const [setup] = mux(messages).setups;
      expect(setup).toMatchObject({ kind: 'video', width: 160, height: 120 });
      expect(setup!.codec).toMatch(codec);
    });
  }
});

describe('Enhanced RTMP audio', () => {
  const cases = [
    { name: 'Opus', fourCc: 'Opus', file: 'a.ogg', options: '-c:a libopus', codec: 'opus', rate: 48_000 },
    { name: 'FLAC', fourCc: 'fLaC', file: 'a.flac', options: '-c:a flac', codec: 'flac', rate: 44_100 },
    { name: 'AC-3', fourCc: 'ac-3', file: 'a.ac3', options: '-c:a ac3 -ac 2', codec: 'ac-3', rate: 44_100 },
    {
      name: 'Enhanced AC-3',
      fourCc: 'ec-3',
      file: 'a.eac3',
      options: '-c:a eac3 -ac 6',
      codec: 'ec-3',
      rate: 44_100,
    },
    {
      name: 'MP3',
      fourCc: '.mp3',
      file: 'a.mp3',
      options: '-c:a libmp3lame -ac 2',
      codec: 'mp3',
      rate: 44_100,
    },
    { name: 'AAC', fourCc: 'mp4a', file: 'a.m4a', options: '-c:a aac', codec: 'mp4a.40.2', rate: 44_100 },
  ] as const;
  for (const { name, fourCc, file, options, codec, rate } of cases) {
    test(`${name} comes as it is`, () => {
      const path = makeMedia(folder, file, ...tone(2), ...words(options));
      const messages = enhancedAudioOf(path, fourCc);
      expect(mux(messages).setups).toMatchObject([{ kind: 'audio', codec, sampleRate: rate }]);
      expectSame(messages, path, 'audio', 1);
    });
  }
});
