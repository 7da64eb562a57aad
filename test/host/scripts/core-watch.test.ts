import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limitsSchema } from '../../../host/base/limits.ts';
import { CoreWatch, type Work } from '../../../host/scripts/core-watch.ts';
import { eventually } from '../../support/journal.ts';

/** A watch over a real process, which is asked by the test. */
const limits = limitsSchema.parse({ memoryPollMs: 10, stuckGraceMs: 50 });
let child: ChildProcess;
let watch: CoreWatch;
const probes: Work[] = [];
const verdicts: { reason: string; culprits: readonly number[] }[] = [];

async function watchOver(code: string): Promise<void> {
  child = spawn(process.execPath, ['-e', `console.log('runs'); ${code}`]);
  await once(child.stdout!, 'data');
  watch = new CoreWatch(child.pid!, limits, {
    probe: (work) => probes.push(work),
    condemn: (reason, culprits) => verdicts.push({ reason, culprits }),
    retire: () => {},
    settle: () => {},
  });
}

beforeEach((context) => {
  if (process.platform !== 'linux') context.skip('processor time is read in /proc');
  probes.length = 0;
  verdicts.length = 0;
});

afterEach(() => {
  watch?.close();
  child?.kill('SIGKILL');
});

test('work that was frozen and goes on gets the time to end by itself, once', async () => {
  await watchOver('setInterval(() => {}, 1000)');
  child.kill('SIGSTOP');
  watch.begin(1, 10, 64);
  await eventually('the first question', () => probes.length === 1);
  child.kill('SIGCONT');
  expect(watch.found(1, 5000, 10)).toBe(false);
  await eventually('the second question', () => probes.length === 2);
  expect(watch.found(1, 6000, 10)).toBe(true);
  expect(verdicts).toEqual([]);
});

test('work that computes on and on needs to be asked only once', async () => {
  await watchOver('for (;;);');
  watch.begin(1, 10, 64);
  await eventually('the question', () => probes.length === 1);
  expect(watch.found(1, 5000, 10)).toBe(true);
});

test('a later entry that is late has its own two chances', async () => {
  await watchOver('setInterval(() => {}, 1000)');
  child.kill('SIGSTOP');
  watch.begin(1, 10, 64);
  for (const entryMs of [5000, 0, 5000]) {
    await eventually('a question', () => probes.length === 1);
    expect(watch.found(1, entryMs, 10)).toBe(false);
    probes.length = 0;
  }
  await eventually('the last question', () => probes.length === 1);
  expect(watch.found(1, 6000, 10)).toBe(true);
});

for (const { state, code, reason, culprits } of [
  { state: 'computes', code: 'for (;;);', reason: 'stuck', culprits: [1, 2] },
  { state: 'rests', code: 'setInterval(() => {}, 100_000)', reason: 'frozen', culprits: [] },
]) {
  test(`a process that does not answer and ${state} is ${reason}`, async () => {
    await watchOver(code);
    watch.begin(1, 10, 64);
    watch.begin(2, 60_000, 64);
    await eventually('the verdict', () => verdicts.length > 0);
    expect(verdicts[0]).toEqual({ reason, culprits });
  });
}

test('a process that was stopped after it had computed is frozen', async () => {
  await watchOver('for (;;);');
  watch.begin(1, 10, 64);
  await eventually('the question', () => probes.length === 1);
  child.kill('SIGSTOP');
  await eventually('the verdict', () => verdicts.length > 0);
  expect(verdicts[0]).toEqual({ reason: 'frozen', culprits: [] });
});
