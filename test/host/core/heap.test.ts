import { expect, test } from 'vitest';
import { HeapStock, type RuntimeCode } from '../../../host/core/heap.ts';
import { bundleRuntime } from '../../../host/scripts/bundles.ts';

test('heaps that were made in advance are given once each, and only to whom their size is enough and no more', async () => {
  const runtime: RuntimeCode = { source: await bundleRuntime() };
  const stock = new HeapStock(64);
  expect(stock.take(64)).toBeUndefined();

  await stock.fill(runtime, 2);
  expect(stock.take(32)).toBeUndefined();
  expect(stock.take(128)).toBeUndefined();
  const [first, second] = [stock.take(64)!, stock.take(64)!];
  expect(first.isolate).not.toBe(second.isolate);
  expect(stock.take(64)).toBeUndefined();
  for (const { isolate, install } of [first, second]) {
    expect(install.typeof).toBe('function');
    isolate.dispose();
  }
});
