import { expect, test } from 'vitest';
import { Pacer } from '../../../../host/streams/play/pacer.ts';
import { DEADLINE_MS } from '../../../support/journal.ts';

test('who fails at a tick is told so once, and the others go on', async () => {
  const pacer = new Pacer(1);
  const failures: unknown[] = [];
  const failed = (error: unknown) => failures.push(error);
  let ticks = 0;
  const broken = {
    tick() {
      throw new Error('no tick');
    },
    failed,
  };
  const whole = { tick: () => ticks++, failed };
  for (const one of [broken, whole]) pacer.add(one);
  await expect.poll(() => ticks, { timeout: DEADLINE_MS }).toBeGreaterThan(2);
  pacer.remove(whole);
  expect(failures).toEqual([expect.objectContaining({ message: 'no tick' })]);
});
