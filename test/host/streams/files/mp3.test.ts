import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { decodeValues } from '../../../../wire/commands.ts';
import { AMF_LIMITS } from '../../../../wire/values.ts';
import { requireTools } from '../../../support/tools.ts';
import { everythingIn, makeMedia, packetsOf, probePackets, segmentsFrom, tone } from './clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-mp3-'));
let files: MediaFiles;
const made = new Map<string, string>();

beforeAll(() => {
  files = new MediaFiles({ cacheBytes: 64 * 1024 * 1024, maxOpen: 100, lingerMs: 0 });
});
beforeEach((context) => requireTools(context, 'ffmpeg', 'ffprobe'));
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

const lame = ['-c:a', 'libmp3lame'];
// A sweep: frames differ in size when the rate is variable.
const sweep = ['-f', 'lavfi', '-i', 'aevalsrc=sin(100*t*t*t)*lt(mod(t\\,2)\\,1):d=8'];

describe.each([
  { name: 'of constant rate', file: 'cbr.mp3', head: 0x2e, options: [...tone(6), ...lame, '-b:a', '64k'] },
  {
    name: 'of constant rate that says nothing of its frames',
    file: 'bare.mp3',
    head: 0x2f,
    options: [...tone(6), ...lame, '-ac', '2', '-b:a', '128k', '-write_xing', '0', '-id3v2_version', '0'],
  },
  {
    name: 'of variable rate',
    file: 'vbr.mp3',
    head: 0x2f,
    options: [...sweep, ...lame, '-ac', '2', '-q:a', '4'],
  },
  {
    name: 'of variable rate that says nothing of its frames',
    file: 'vbr-bare.mp3',
    head: 0x2e,
    options: [...sweep, ...lame, '-q:a', '4', '-write_xing', '0'],
  },
  {
    name: 'of half the rate, with tags before and behind',
    file: 'tags.mp3',
    head: 0x2a,
    options: [...tone(5), ...lame, '-ar', '22050', '-metadata', 'title=A tone', '-write_id3v1', '1'],
  },
  { name: 'of 8 kHz', file: 'narrow.mp3', head: 0xe2, options: [...tone(5), ...lame, '-ar', '8000'] },
])('MP3 $name', ({ file: name, head, options }) => {
  test('comes frame by frame as FFmpeg reads it', async () => {
    const path = pathOf(name, options);
    const file = await files.open(path);
    expect(file).toMatchObject({
      kind: 'mp3',
      hasVideo: false,
      hasAudio: true,
      bytes: readFileSync(path).length,
    });
    const expected = probePackets(path);
    const messages = await everythingIn(file);
    expect(new Set(messages.map(({ payload }) => payload[0]))).toEqual(new Set([head]));
    const packets = packetsOf(messages);
    expect(packets.map(({ bytes }) => bytes)).toEqual(expected.map(({ bytes }) => bytes));
    for (const [i, { dtsMs }] of expected.entries()) {
      expect(Math.abs(packets[i]!.dtsMs - dtsMs)).toBeLessThanOrEqual(1);
    }
    const frameMs = packets[1]!.dtsMs;
    expect(Math.abs(file.durationMs - (packets.at(-1)!.dtsMs + frameMs))).toBeLessThan(frameMs + 2);
    file.release();
  });

  test('is sought to the frame', async () => {
    const file = await files.open(pathOf(name, options));
    const all = packetsOf(await everythingIn(file));
    for (const wanted of [0, 1, 499, 2000, 4321]) {
      const { position, timestampMs, isBeyondEnd } = await file.seek(wanted);
      expect({ wanted, timestampMs, isBeyondEnd }).toEqual({
        wanted,
        timestampMs: all.findLast(({ dtsMs }) => dtsMs <= wanted)!.dtsMs,
        isBeyondEnd: false,
      });
      const rest = (await segmentsFrom(file, position)).flatMap(({ messages }) => messages);
      expect(packetsOf(rest)).toEqual(all.slice(-rest.length));
      expect(rest[0]!.timestamp).toBe(timestampMs);
      expect(await file.headersAt(position)).toEqual([]);
    }
    expect(await file.seek(1e15)).toMatchObject({ isBeyondEnd: true, timestampMs: all.at(-1)!.dtsMs });
    file.release();
  });
});

test('metadata say what the sound is', async () => {
  const file = await files.open(pathOf('cbr.mp3', []));
  const [, metadata] = decodeValues(
    { type: 18, streamId: 0, timestamp: 0, payload: file.metadata! },
    AMF_LIMITS,
    2,
  );
  expect(metadata).toMatchObject({
    duration: Math.max(...(await everythingIn(file)).map(({ timestamp }) => timestamp)) / 1000,
    audiocodecid: 2,
    audiosamplerate: 44_100,
    audiochannels: 1,
    stereo: false,
  });
  file.release();
});

test('garbage between frames is skipped', async () => {
  const sound = readFileSync(pathOf('bare.mp3', []));
  const half = sound.length / 2 - ((sound.length / 2) % 2);
  const path = join(folder, 'garbage.mp3');
  const garbage = Buffer.alloc(70_000, 0xff);
  writeFileSync(
    path,
    Buffer.concat([Buffer.alloc(3000), sound.subarray(0, half), garbage, sound.subarray(half)]),
  );
  const file = await files.open(path);
  const whole = await files.open(pathOf('bare.mp3', []));
  const count = (await everythingIn(file)).length;
  const expected = (await everythingIn(whole)).length;
  expect(count).toBeGreaterThan(expected - 4);
  expect(count).toBeLessThanOrEqual(expected);
  for (const each of [file, whole]) each.release();
});

test('what is nothing is refused', async () => {
  for (const [name, content] of Object.entries({
    'zeros.mp3': Buffer.alloc(600_000),
    'ones.mp3': Buffer.alloc(600_000, 0xff),
    'text.txt': Buffer.from('not a tone '.repeat(10_000)),
    'tag.mp3': Buffer.from('ID3\x04\0\0\x7f\x7f\x7f\x7f'),
  })) {
    writeFileSync(join(folder, name), content);
    await expect(files.open(join(folder, name))).rejects.toMatchObject({ kind: 'structure' });
  }
});

function pathOf(name: string, options: string[]): string {
  const path = made.get(name) ?? makeMedia(folder, name, ...options);
  made.set(name, path);
  return path;
}
