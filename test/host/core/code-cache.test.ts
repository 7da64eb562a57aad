import ivm from 'isolated-vm';
import { expect, test } from 'vitest';
import { warmCache } from '../../../host/core/code-cache.ts';
import { RUNTIME_FILENAME } from '../../../host/core/heap.ts';
import { bundleRuntime } from '../../../host/scripts/bundles.ts';
import type { BootOptions } from '../../../runtime/wall/boot.ts';

const options: BootOptions = {
  name: 'app/room',
  server: '',
  hostname: '',
  config: {},
  bandwidthCap: 0,
  amfDepth: 64,
  amfValues: 1000,
  maxTimers: 1,
  maxOutstandingInvokes: 1,
  maxFetches: 1,
  maxFetchBytes: 1000,
  maxArgumentBytes: 1000,
  mostPrintedBytes: 1000,
  yieldAfterMs: 10,
};

test('an isolate takes the code cache that was made in another heap, and it holds more than its own', async () => {
  const source = await bundleRuntime();
  const first = new ivm.Isolate();
  const compiled = await first.compileScript(source, { filename: RUNTIME_FILENAME, produceCachedData: true });
  const cold = (compiled as ivm.CachedDataResult).cachedData!.copy();
  const warm = warmCache(source, RUNTIME_FILENAME, options, cold);
  expect(warm.byteLength).toBeGreaterThan(cold.byteLength * 1.2);

  const second = new ivm.Isolate();
  const cachedData = new ivm.ExternalCopy(warm);
  const script = await second.compileScript(source, { filename: RUNTIME_FILENAME, cachedData });
  expect(script).toHaveProperty('cachedDataRejected', false); // which isolated-vm's types leave out
  first.dispose();
  second.dispose();
});

test('a cache that V8 would take for that of another source is not used', async () => {
  const source = await bundleRuntime();
  const isolate = new ivm.Isolate();
  const other = await isolate.compileScript(`${source};`, { produceCachedData: true });
  const cold = (other as ivm.CachedDataResult).cachedData!.copy();
  expect(warmCache(source, RUNTIME_FILENAME, options, cold)).toBe(cold);
  isolate.dispose();
});
