import { type Figure, median, rangeOf } from '../support/figures.ts';
import { type Run, Show } from './show.ts';
import type { Target } from './targets.ts';

const KBPS = 500;
const VIEWERS = 1000;
const STREAMS = 200;
const ROUNDS = 2;
const SECONDS = 4;

/** As many viewers of many streams as of one: what the streams themselves cost. */
export async function measureMany(target: Target): Promise<Figure> {
  const many = await Show.open(target, KBPS, STREAMS, 'many');
  const one = await Show.open(target, KBPS, 1, 'one');
  const runs: { many: Run; one: Run }[] = [];
  await many.seat(VIEWERS);
  await one.seat(VIEWERS);
  for (let round = 0; round < ROUNDS; round++) {
    runs.push({ many: await many.run(SECONDS), one: await one.run(SECONDS) });
  }
  await many.close();
  await one.close();
  const both = runs.flatMap((run) => [run.many, run.one]);
  const costs = (of: 'many' | 'one') => runs.map((run) => run[of].costUs);
  return {
    name: `${STREAMS} streams beside one, ${target.label}`,
    unit: 'x',
    target: { p50: 2 },
    p50: median(costs('many')) / median(costs('one')),
    floors: [],
    notes: [
      `a viewer-second of ${KBPS / 1000} Mb/s with ${VIEWERS / STREAMS} viewers of each: ${rangeOf(costs('many'), 'us')}; ` +
        `with ${VIEWERS.toLocaleString('en-US')} of one: ${rangeOf(costs('one'), 'us')}`,
      `others than the bench up to ${Math.round(Math.max(...both.map(({ others }) => others)) * 100)} % of all`,
      ...new Set(both.flatMap(({ problems }) => problems)),
    ],
  };
}
