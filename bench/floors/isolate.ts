/**
 * The floor under loading an instance: an isolate made as the core makes them, with neither runtime nor
 * application in it. Prints the milliseconds of each as JSON.
 */
import { makeHeap, type RuntimeCode } from '../../host/core/heap.ts';
import { CoreIsolate } from '../../host/core/isolate.ts';

const runtime: RuntimeCode = { source: '(() => ({ enter: () => {}, nextLoad: () => undefined }))' };
const samples: number[] = [];
for (let count = 0; count < 40; count++) {
  const startedAt = performance.now();
  const boot = {
    filename: 'floor',
    options: '{}',
    memoryMb: 64,
    bootMs: 5000,
    handlerMs: 1000,
    maxOutputBytes: 8 * 1024 * 1024,
    nowMs: 0,
    monotonicMs: 0,
    seed: '',
    code: '',
  };
  const isolate = new CoreIsolate(await makeHeap(runtime, boot.memoryMb), boot);
  await isolate.boot(boot, () => {});
  samples.push(performance.now() - startedAt);
}
process.stdout.write(`${JSON.stringify(samples)}\n`, () => process.exit(0));
