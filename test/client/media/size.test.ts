import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bundlePageScripts } from '../../../host/scripts/bundles.ts';
import { bundle } from '../../support/media-pages.ts';

/** What the rest of the client has anyway: AMF and messages are made of it. And the encoder of AAC, which few pages load. */
const SHARED = /(wire|^\.)\/(bytes|utf8|primordials|errors|messages)\.ts$|aac\/encoder\.ts$/;
const LOADED_LATER = /aac\/encoder\.ts$/;

/** Bytes, minified and compressed. Players and publishing are loaded by pages that use them. */
const parts = [
  { entry: 'client/media/mse-player.ts', atMost: 10.5 * 1024 },
  { entry: 'client/media/low-latency-player.ts', atMost: 9 * 1024 },
  { entry: 'client/media/publisher.ts', atMost: 5 * 1024 },
] as const;
for (const { entry, atMost } of parts) {
  test(`${entry} is small`, async () => {
    const sizeOf = async (without?: RegExp) => gzipSync(await bundle(entry, without), { level: 9 }).length;
    const [whole, own] = [await sizeOf(LOADED_LATER), await sizeOf(SHARED)];
    console.log(`${entry}: ${own} bytes gzip, ${whole} with what it shares with the rest of the client`);
    expect(own).toBeLessThan(atMost);
  });
}

test('the client with what plays is small', async () => {
  const scripts = await bundlePageScripts();
  const sizeOf = (name: string) => gzipSync(scripts.get(name)!, { level: 9 }).length;
  for (const name of scripts.keys()) console.log(`/${name}: ${sizeOf(name)} bytes gzip`);
  expect(sizeOf('client.js') + sizeOf('media.js')).toBeLessThan(25 * 1024);
  expect(sizeOf('publish.js')).toBeLessThan(7 * 1024);
  expect(scripts.get('publish.js')).toContain('import("./aac.js")');
});
