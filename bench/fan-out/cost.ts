import { type Figure, rangeOf, spreadOf } from '../support/figures.ts';
import { KBPS } from '../support/media.ts';
import { isProfiling } from '../support/server.ts';
import { type Run, Show } from './show.ts';
import { type Target, WINDOWS } from './targets.ts';

export const ROUNDS = 3;
const SECONDS = 2;
/** Servers run for days: what they cost while V8 still compiles them is not asked. */
const WARM_UP = { viewers: 100, seconds: 40 };
/** Above that the processors were what was measured. */
const SATURATED = 0.95;
const LATE_MS = 100;

/** At most so many times what another costs, and so long under way. */
interface Asked {
  readonly ratios: Readonly<Record<string, number>>;
  readonly delayMs: number;
}

const ASKED: Readonly<Record<(typeof WINDOWS)[number], Asked>> = {
  0: { ratios: { 'nginx-rtmp': 1.45 }, delayMs: 1 },
  50: { ratios: { 'nginx-rtmp': 0.4, 'node-media-server': 0.9, 'send() in C': 1.2 }, delayMs: 30 },
  // Cheaper than node-media-server, and sooner.
  100: { ratios: { 'node-media-server': 0.9 }, delayMs: 60 },
};

export type Runs = ReadonlyMap<Target, readonly Run[]>;

export async function measureCost(targets: readonly Target[]): Promise<Figure[]> {
  const counts = isProfiling() ? [600] : [100, 300, 600, 1000];
  return compareCosts(targets, counts, (count, runs) =>
    targets.flatMap((ours) => (ours.role === 'ours' ? figuresOf(count, ours, runs) : [])),
  );
}

/** One stream for ever more viewers, through each target in turn, so that a slow moment meets all of them. */
export async function compareCosts(
  targets: readonly Target[],
  counts: readonly number[],
  describe: (count: number, runs: Runs) => Figure[],
): Promise<Figure[]> {
  const shows: Show[] = [];
  for (const target of targets) shows.push(await Show.open(target, KBPS));
  for (const show of shows) await show.seat(WARM_UP.viewers);
  await Promise.all(shows.map((show) => show.run(WARM_UP.seconds)));
  const figures: Figure[] = [];
  for (const count of counts) {
    for (const show of shows) await show.seat(count);
    const runs = new Map<Target, Run[]>(targets.map((target) => [target, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const show of shows) runs.get(show.target)!.push(await show.run(SECONDS));
    }
    figures.push(...describe(count, runs));
  }
  for (const show of shows) await show.close();
  return figures;
}

function figuresOf(count: number, ours: Target, runs: Runs): Figure[] {
  const window = WINDOWS.find((length) => length === ours.window) ?? 0;
  const others = [...runs.keys()].filter(
    ({ role, window: its }) => role === 'peer' || (role === 'floor' && its === window),
  );
  const besides = (role: Target['role'], spread: (target: Target) => ReturnType<typeof spreadOf>) =>
    others.filter((one) => one.role === role).map((one) => ({ name: one.name, ...spread(one) }));
  const costsOf = (target: Target) => runs.get(target)!.map(({ costUs }) => costUs);
  const cost = (target: Target) => ({ p50: calmest(runs.get(target)!).costUs });
  const delay = (target: Target) => {
    const { p50, p95 } = spreadOf(calmest(runs.get(target)!).agesMs);
    return { p50, ...(p95 !== undefined && { p95 }) };
  };
  const people = `${count.toLocaleString('en-US')} viewers`;
  const asked = ASKED[window];
  return [
    {
      name: `${people}, ${ours.label}: viewer-second`,
      unit: 'us',
      target: {},
      ...cost(ours),
      floors: besides('floor', cost),
      peers: besides('peer', cost),
      notes: [
        `the calmest of ${ROUNDS} rounds, ${rangeOf(costsOf(ours), 'us')}`,
        ...(isProfiling() ? [`the profile is that of process ${ours.pid}`] : []),
        ...describeRatios(asked, cost(ours).p50, others, (target) => cost(target).p50),
        ...describeLoad([ours, ...others], runs),
      ],
    },
    {
      name: `${people}, ${ours.label}: delay`,
      unit: 'ms',
      target: { p50: asked.delayMs },
      ...delay(ours),
      floors: besides('floor', delay),
      peers: besides('peer', delay),
      notes: [],
    },
  ];
}

/** Of several rounds the one in which the machine had least else to do. */
export function calmest(runs: readonly Run[]): Run {
  return runs.reduce((calm, run) => (run.others < calm.others ? run : calm));
}

function describeRatios(
  { ratios }: Asked,
  own: number,
  others: readonly Target[],
  costOf: (target: Target) => number,
): string[] {
  const parts = Object.entries(ratios).flatMap(([name, atMost]) => {
    const other = others.find((target) => target.name.startsWith(name));
    if (!other) return [];
    const ratio = own / costOf(other);
    return [`${name} ${ratio.toFixed(2)} x (at most ${atMost}: ${ratio <= atMost ? 'met' : 'MISSED'})`];
  });
  return parts.length > 0 ? [`beside ${parts.join(', ')}`] : [];
}

export function describeLoad(targets: readonly Target[], runs: Runs): string[] {
  const used = targets.map((target) => ({ target, run: calmest(runs.get(target)!) }));
  const most = (of: (run: Run) => number) => Math.max(...used.map(({ run }) => of(run)));
  const percent = (of: (run: Run) => number) => `${Math.round(most(of) * 100)} %`;
  const notes = [
    `all processors ${percent(({ machine }) => machine)} busy at the most, ` +
      `viewers up to ${percent(({ viewersLoad }) => viewersLoad)} of one, ` +
      `others than the bench up to ${percent(({ others }) => others)} of all`,
  ];
  const saturated = used.filter(({ run }) => run.machine > SATURATED);
  if (saturated.length > 0) {
    const names = saturated.map(({ target }) => target.name).join('; ');
    notes.push(`SATURATED, and worth less: ${names}`);
  }
  const lateMs = most((run) => run.lateMs);
  if (lateMs > LATE_MS) notes.push(`the publisher was up to ${lateMs.toFixed(0)} ms late`);
  for (const { target, run } of used) {
    for (const problem of run.problems) notes.push(`${target.name}: ${problem}`);
  }
  return notes;
}
