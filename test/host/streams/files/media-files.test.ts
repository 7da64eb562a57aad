import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { encodeFlvHeader } from '../../../../wire/flv.ts';
import { requireTools } from '../../../support/tools.ts';
import { avcAac, makeMedia, picture, segmentsFrom, tone } from './clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-files-'));
let files: MediaFiles;

beforeAll(() => {
  files = new MediaFiles({ cacheBytes: 64 * 1024 * 1024, maxOpen: 100, lingerMs: 0 });
});
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

test('viewers of one file share one read of each segment', async (context) => {
  requireTools(context, 'ffmpeg');
  const path = join(folder, 'shared.flv');
  copyFileSync(clip(), path);
  const before = files.usage.reads;
  const viewers = await Promise.all(Array.from({ length: 300 }, () => files.open(path)));
  const all = await Promise.all(
    viewers.map(async (file) => segmentsFrom(file, (await file.seek(0)).position)),
  );
  const [first] = all;
  expect(first!.length).toBeGreaterThan(5);
  expect(files.usage.reads - before).toBe(first!.length);
  for (const segments of all) expect(segments.every((segment, i) => segment === first![i])).toBe(true);
  for (const file of viewers) file.release();
  for (const file of viewers) file.release();
  await expect(viewers[0]!.read(0)).rejects.toMatchObject({ kind: 'io' });
});

test('viewers are told when too many files are open, and files that nobody uses make room', async () => {
  const few = new MediaFiles({ cacheBytes: 1000, maxOpen: 4 });
  const paths = ['a', 'b', 'c'].map((name) => join(folder, `room-${name}.flv`));
  for (const path of paths) writeFileSync(path, encodeFlvHeader({ hasAudio: true, hasVideo: true }));
  const [first, second] = await Promise.all(paths.slice(0, 2).map((path) => few.open(path)));
  await expect(few.open(paths[2]!)).rejects.toMatchObject({ kind: 'busy' });
  first!.release();
  const third = await few.open(paths[2]!);
  expect(few.usage.open).toBe(2);
  const again = await few.open(paths[1]!);
  for (const file of [second, third, again]) file!.release();
  expect(await few.probe(paths[0]!)).toMatchObject({ durationMs: 0, bytes: 13 });
  await few.close();
  await expect(few.open(paths[0]!)).rejects.toMatchObject({ kind: 'io' });
});

test('an application leaves others as many files as it has open', async () => {
  const shared = new MediaFiles({ cacheBytes: 1000, maxOpen: 8 });
  const paths = [...Array(12).keys()].map((number) => join(folder, `fair-${number}.flv`));
  for (const path of paths) writeFileSync(path, encodeFlvHeader({ hasAudio: true, hasVideo: true }));
  const greedy = await Promise.allSettled(paths.slice(0, 6).map((path) => shared.open(path, 'greedy')));
  expect(greedy.map(({ status }) => status)).toEqual([
    ...Array(4).fill('fulfilled'),
    ...Array(2).fill('rejected'),
  ]);
  await expect(shared.open(paths[5]!, 'greedy')).rejects.toMatchObject({
    kind: 'busy',
    message: '4 of its media files are open, as many as are left for others',
  });
  const other = await Promise.all(paths.slice(6, 8).map((path) => shared.open(path, 'other')));
  await expect(shared.open(paths[8]!, 'other')).rejects.toMatchObject({ kind: 'busy' });
  const third = await shared.open(paths[9]!, 'third');
  // What is open already is anybody's.
  const again = await shared.open(paths[6]!, 'greedy');
  for (const one of greedy) if (one.status === 'fulfilled') one.value.release();
  expect(await shared.open(paths[8]!, 'other')).toBeDefined();
  for (const file of [...other, third, again]) file.release();
  await shared.close();
});

test('no more segments are in memory than the cache may hold', async (context) => {
  requireTools(context, 'ffmpeg');
  const small = new MediaFiles({ cacheBytes: 60_000, maxOpen: 2 });
  const file = await small.open(clip());
  const segments = await segmentsFrom(file, (await file.seek(0)).position);
  expect(small.usage.cachedBytes).toBeLessThanOrEqual(60_000);
  expect(small.usage.cachedBytes).toBeGreaterThan(20_000);
  const again = await segmentsFrom(file, (await file.seek(0)).position);
  expect(again).toEqual(segments);
  expect(small.usage.reads).toBeGreaterThan(segments.length);
  await small.close();
});

let clipFile: string | undefined;
function clip(): string {
  clipFile ??= makeMedia(folder, 'clip.flv', ...picture(4), ...tone(4), ...avcAac);
  return clipFile;
}
