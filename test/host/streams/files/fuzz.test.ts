import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileProblem, type MediaFile, MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { requireTools } from '../../../support/tools.ts';
import { avcAac, makeMedia, picture, tone } from './clips.ts';

/**
 * Files that nobody wrote on purpose, or somebody did: each is refused as broken, or plays as far as it can.
 * STAGEWIRE_FUZZ=10 tries ten times as many.
 */
const effort = Number(process.env.STAGEWIRE_FUZZ ?? 1);

const folder = mkdtempSync(join(tmpdir(), 'stagewire-fuzz-'));
const target = join(folder, 'broken');
let files: MediaFiles;
/** Open all the time: it is lost when the thread dies. */
let witness: MediaFile;

let memoryBefore: number;

beforeAll(async () => {
  memoryBefore = process.memoryUsage().rss;
  files = new MediaFiles({ cacheBytes: 1024 * 1024, maxOpen: 4, lingerMs: 0 });
  const path = join(folder, 'witness.flv');
  writeFileSync(path, Buffer.from('464c5601000000000900000000080000020000000000000000af0100000000d', 'hex'));
  witness = await files.open(path);
});
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

const clip = [...picture(2), ...tone(2), ...avcAac];
const kinds = [
  { name: 'broken.flv', options: [...clip, '-flvflags', 'add_keyframe_index'] },
  { name: 'broken.mp4', options: [...clip, '-movflags', '+faststart'] },
  { name: 'end.mp4', options: clip },
  { name: 'pieces.mp4', options: [...clip, '-movflags', '+frag_keyframe+empty_moov'] },
  { name: 'quick.mov', options: clip },
  { name: 'broken.mp3', options: [...tone(3), '-c:a', 'libmp3lame', '-q:a', '4'] },
];

describe.each(kinds)('$name', { timeout: 60_000 * effort }, ({ name, options }) => {
  test('cut anywhere ends well', async (context) => {
    requireTools(context, 'ffmpeg');
    const whole = fileOf(name, options);
    const step = Math.ceil(whole.length / (60 * effort));
    for (let length = 0; length < whole.length; length += length < 2000 ? Math.ceil(97 / effort) : step) {
      await survives(whole.subarray(0, length), `cut at ${length}`);
    }
  });

  test('with flipped bytes ends well', async (context) => {
    requireTools(context, 'ffmpeg');
    const whole = fileOf(name, options);
    const random = randomFrom(name.length * 7919);
    for (let round = 0; round < 80 * effort; round++) {
      const broken = Buffer.from(whole);
      // Half of them where the structure is: at the start, at the end.
      const [from, length] = round % 2 ? [0, broken.length] : regionOf(broken);
      const flips = 1 + (random() % 12);
      for (let i = 0; i < flips; i++) broken[from + (random() % length)] = random() & 255;
      await survives(broken, `flips of round ${round}`);
    }
  });

  test('with numbers that are too large, wherever they are, ends well', async (context) => {
    requireTools(context, 'ffmpeg');
    const whole = fileOf(name, options);
    const [from, length] = regionOf(whole);
    const values = [0xffffffff, 0x7fffffff, 0x00ffffff, 0];
    const end = Math.min(from + length, from + 2400 * effort);
    for (let at = from, i = 0; at + 4 <= end; at += effort > 1 ? 4 : 12, i++) {
      for (const value of effort > 1 ? values : [values[i % values.length]!]) {
        const broken = Buffer.from(whole);
        broken.writeUInt32BE(value, at);
        await survives(broken, `${value.toString(16)} at ${at}`);
      }
    }
  });
});

test('thousands of broken files leave nothing behind', async () => {
  expect((await witness.read(13)).messages).toHaveLength(1);
  expect(files.usage.open).toBeLessThanOrEqual(2);
  expect(files.usage.cachedBytes).toBeLessThanOrEqual(1024 * 1024);
  expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(400 * 1024 * 1024);
});

async function survives(content: Uint8Array, what: string): Promise<void> {
  writeFileSync(target, content);
  const startedAt = performance.now();
  try {
    const file = await files.open(target);
    try {
      await playAll(file, content.length);
    } finally {
      file.release();
    }
  } catch (error) {
    expect(error, what).toBeInstanceOf(FileProblem);
    expect((error as FileProblem).kind, what).toMatch(/^(structure|no-track)$/);
  }
  expect(performance.now() - startedAt, what).toBeLessThan(10_000);
  await witness.seek(0);
}

/** Reads everything, from several places, and no more than there can be. */
async function playAll(file: MediaFile, fileBytes: number): Promise<void> {
  expect(file.durationMs).toBeGreaterThanOrEqual(0);
  for (const wanted of [0, 1000, file.durationMs / 2, 1e12]) {
    const { position, timestampMs } = await file.seek(wanted);
    expect(timestampMs).toBeGreaterThanOrEqual(0);
    for (const { payload } of await file.headersAt(position)) expect(payload.length).toBeGreaterThan(0);
    let next: number | undefined = position;
    let bytes = 0;
    for (let segments = 0; next !== undefined; segments++) {
      const segment: Awaited<ReturnType<MediaFile['read']>> = await file.read(next);
      for (const { payload, timestamp } of segment.messages) {
        bytes += payload.length;
        expect(timestamp >= 0 && timestamp <= 0xffffffff).toBe(true);
      }
      expect(segment.messages.length > 0 || segment.next === undefined).toBe(true);
      expect(segments).toBeLessThan(3000);
      next = segment.next;
    }
    expect(bytes).toBeLessThan(fileBytes * 20 + 100_000);
  }
}

/** Where the structure is: the index of MP4, the start of others. */
function regionOf(content: Buffer): [from: number, length: number] {
  const moov = content.indexOf('moov');
  if (moov < 0) return [0, Math.min(content.length, 3000)];
  return [moov - 4, Math.min(content.length - moov, content.readUInt32BE(moov - 4))];
}

const made = new Map<string, Buffer>();
function fileOf(name: string, options: string[]): Buffer {
  const whole = made.get(name) ?? readFileSync(makeMedia(folder, name, ...options));
  made.set(name, whole);
  return whole;
}

function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
