import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { Turnstile } from '../../../../host/streams/files/turnstile.ts';
import { avcAac, makeMedia, picture, tone } from './clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-turnstile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Work that ends when it is told to, and the names of what has begun, in order. */
function makeWork(places: number) {
  const turnstile = new Turnstile<string>(places);
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    begun,
    begin(name: string): Promise<void> {
      return turnstile.run(name[0]!, () => {
        begun.push(name);
        return new Promise<void>((done, failed) =>
          ends.set(name, (error) => (error ? failed(error) : done())),
        );
      });
    },
    async end(name: string, error?: Error): Promise<void> {
      ends.get(name)!(error);
      await settled();
    },
  };
}

test('owners take turns, and each has its work done in order', async () => {
  const { begun, begin, end } = makeWork(1);
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']) void begin(name);
  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']) {
    expect(begun.at(-1)).toBe(name);
    await end(name);
  }
});

test('half of the places are for others, whoever waits', async () => {
  const { begun, begin, end } = makeWork(4);
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) void begin(name);
  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']);
  await end('b1');
  expect(begun.at(-1)).toBe('b2');
  await end('c1');
  expect(begun).toHaveLength(5);
  await end('a2');
  expect(begun.at(-1)).toBe('a3');
});

test('work that fails makes room, too', async () => {
  const { begun, begin, end } = makeWork(1);
  const failing = begin('a1');
  void begin('a2');
  await Promise.all([expect(failing).rejects.toThrow('no'), end('a1', new Error('no'))]);
  expect(begun).toEqual(['a1', 'a2']);
});

test('an application that opens many MP4 files keeps another waiting for one or two of them', async () => {
  const made = makeMedia(folder, 'clip.mp4', ...picture(2), ...tone(2), ...avcAac);
  const files = new MediaFiles({ cacheBytes: 1_000_000, maxOpen: 200 });
  onTestFinished(() => files.close());
  const paths = Array.from({ length: 60 }, (_, i) => join(folder, `copy${i}.mp4`));
  for (const path of paths) copyFileSync(made, path);
  let opened = 0;
  const many = paths.map((path) => files.open(path, 'many').then(() => opened++));
  await files.open(made, 'one');
  expect(opened).toBeLessThan(20);
  await Promise.all(many);
});
