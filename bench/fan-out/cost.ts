import { type Figure, median, medianSpread, rangeOf, spreadOf } from '../support/figures.ts';
import { isProfiling } from '../support/server.ts';
import { type Run, Show } from './show.ts';
import type { Target, Window } from './targets.ts';

const KBPS = 2500;
const ROUNDS = 2;
const SECONDS = 4;
const WARM_UP = { viewers: 50, seconds: 2 };
/** Above that the processors were what was measured. */
const SATURATED = 0.95;

/** At most so many times what another costs, and so long under way. */
interface Asked {
  readonly ratios: Readonly<Record<string, number>>;
  readonly delayMs: number;
}

const ASKED: Readonly<Record<Window, Asked>> = {
  0: { ratios: { 'nginx-rtmp': 1.45 }, delayMs: 1 },
  50: { ratios: { 'nginx-rtmp': 0.4, 'node-media-server': 0.9, 'send() in C': 1.2 }, delayMs: 30 },
};

/** One stream for ever more viewers, through each target in turn, so that a slow moment meets all of them. */
export async function measureCost(targets: readonly Target[]): Promise<Figure[]> {
  const shows: Show[] = [];
  for (const target of targets) shows.push(await Show.open(target, KBPS));
  for (const show of shows) {
    await show.seat(WARM_UP.viewers);
    await show.run(WARM_UP.seconds);
  }
  const figures: Figure[] = [];
  for (const count of isProfiling() ? [600] : [100, 300, 600, 1000]) {
    for (const show of shows) await show.seat(count);
    const runs = new Map<Target, Run[]>(targets.map((target) => [target, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const show of shows) runs.get(show.target)!.push(await show.run(SECONDS));
    }
    for (const ours of targets) if (ours.role === 'ours') figures.push(...figuresOf(count, ours, runs));
  }
  for (const show of shows) await show.close();
  return figures;
}

function figuresOf(count: number, ours: Target, runs: ReadonlyMap<Target, Run[]>): Figure[] {
  const window = ours.window ?? 0;
  const others = [...runs.keys()].filter(
    ({ role, window: its }) => role === 'peer' || (role === 'floor' && its === window),
  );
  const besides = (role: Target['role'], spread: (target: Target) => ReturnType<typeof spreadOf>) =>
    others.filter((one) => one.role === role).map((one) => ({ name: one.name, ...spread(one) }));
  const costsOf = (target: Target) => runs.get(target)!.map(({ costUs }) => costUs);
  const cost = (target: Target) => ({ p50: median(costsOf(target)) });
  const delay = (target: Target) => {
    const { p50, p95 } = medianSpread(runs.get(target)!.map(({ agesMs }) => spreadOf(agesMs)));
    return { p50, ...(p95 !== undefined && { p95 }) };
  };
  const people = `${count.toLocaleString('en-US')} viewers`;
  const asked = ASKED[window];
  return [
    {
      name: `${people}, a viewer-second (${ours.name})`,
      unit: 'us',
      target: {},
      ...cost(ours),
      floors: besides('floor', cost),
      peers: besides('peer', cost),
      notes: [
        `from round to round ${rangeOf(costsOf(ours), 'us')}`,
        ...describeRatios(asked, cost(ours).p50, others, (target) => cost(target).p50),
        ...describeLoad([ours, ...others], runs),
      ],
    },
    {
      name: `${people}, delay (${ours.name})`,
      unit: 'ms',
      target: { p50: asked.delayMs },
      ...delay(ours),
      floors: besides('floor', delay),
      peers: besides('peer', delay),
      notes: [],
    },
  ];
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

function describeLoad(targets: readonly Target[], runs: ReadonlyMap<Target, Run[]>): string[] {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const all = targets.flatMap((target) => runs.get(target)!.map((run) => ({ target, run })));
  const notes = [
    `all processors ${percent(Math.max(...all.map(({ run }) => run.machine)))} busy at the most, ` +
      `viewers up to ${percent(Math.max(...all.map(({ run }) => run.viewersLoad)))} of one, ` +
      `others than the bench up to ${percent(Math.max(...all.map(({ run }) => run.others)))} of all`,
  ];
  for (const target of targets) {
    const own = runs.get(target)!;
    if (own.some(({ machine }) => machine > SATURATED))
      notes.push(`SATURATED with ${target.name}: its figures are worth less`);
    for (const problem of new Set(own.flatMap(({ problems }) => problems)))
      notes.push(`${target.name}: ${problem}`);
  }
  return notes;
}
