import { calmest, compareCosts, describeLoad, ROUNDS, type Runs } from '../fan-out/cost.ts';
import type { Run } from '../fan-out/show.ts';
import { startOurs, type Target, type Window } from '../fan-out/targets.ts';
import { type Figure, format, median, rangeOf, spreadOf } from '../support/figures.ts';
import { isProfiling, startFloor } from '../support/server.ts';

const COUNTS = [100, 300, 1000] as const;
/** At most so many times what the other costs, from so many viewers on. */
const ASKED = {
  floor: { atMost: 0.35, from: 300 },
  rtmp: { atMost: 1.2, from: 1000 },
} as const;
/** Without a window there is one write for each message, as on the floor. */
const NO_WINDOW_COUNTS = [300];
/** The largest there is, for applications with very many viewers that may be so late. */
const LARGEST_WINDOW = 100;
const LARGEST_WINDOW_COUNTS = [1000];

/** Of all processors. */
const CALM = 0.05;
/** The window that the server has by itself from 200 viewers on. */
const LARGE = { window: 50, from: 200 } as const;

interface Targets {
  readonly overWebSocket: Target;
  readonly overRtmp: Target;
  /** None while profiles are written. */
  readonly floor: Target | undefined;
  /** The same bytes in the same windows: what Node and the system take of it. */
  readonly bare: Target | undefined;
}

/**
 * What the host spends for a viewer over WebSocket, beside one over RTMP of a server of the same build, and beside
 * `ws` that sends each message to each viewer by itself.
 */
export async function measureViewers(): Promise<Figure[]> {
  const figures = await measure('adaptive', isProfiling() ? [1000] : COUNTS);
  if (isProfiling()) return figures;
  figures.push(...(await measure(0, NO_WINDOW_COUNTS)));
  figures.push(...(await measure(LARGEST_WINDOW, LARGEST_WINDOW_COUNTS)));
  return figures;
}

async function measure(window: Window, counts: readonly number[]): Promise<Figure[]> {
  const targets = await startTargets(window);
  const { overWebSocket, overRtmp, floor, bare } = targets;
  const all = [overWebSocket, overRtmp, floor, bare].filter((target) => target !== undefined);
  try {
    return await compareCosts(all, counts, (count, runs) => [figureOf(count, targets, runs)]);
  } finally {
    await Promise.all(all.map((target) => target.stop()));
  }
}

async function startTargets(window: Window): Promise<Targets> {
  const overWebSocket = await startOurs(window, 'ws');
  const overRtmp = await startOurs(window, 'rtmp');
  const floor = isProfiling()
    ? undefined
    : ({
        ...(await startFloor('web-sockets.ts')),
        name: 'ws, a send for each message',
        role: 'floor',
        transport: 'ws',
      } satisfies Target);
  return {
    overWebSocket: { ...overWebSocket, name: `WebSocket, ${overWebSocket.label}` },
    overRtmp: { ...overRtmp, name: `RTMP, ${overRtmp.label}` },
    floor,
    bare: isProfiling() || window !== 'adaptive' ? undefined : await startBareFloor(),
  };
}

async function startBareFloor(): Promise<Target> {
  const { window } = LARGE;
  const name = `socket.write, window ${window} ms`;
  return { ...(await startFloor('windows.ts')), name, role: 'floor', transport: 'rtmp', window };
}

function figureOf(count: number, targets: Targets, runs: Runs): Figure {
  const { overWebSocket, overRtmp, floor } = targets;
  const cost = (target: Target) => calmCost(runs.get(target)!);
  const bare = count >= LARGE.from ? targets.bare : undefined;
  const floors = [floor, bare].filter((target) => target !== undefined);
  const all = [overWebSocket, overRtmp, ...floors];
  return {
    name: `${count.toLocaleString('en-US')} viewers, ${overWebSocket.name}`,
    unit: 'us',
    target: {},
    p50: cost(overWebSocket),
    floors: floors.map((target) => ({ name: target.name, p50: cost(target) })),
    peers: [{ name: overRtmp.name, p50: cost(overRtmp) }],
    notes: [
      `the host's processor time for each viewer and second; median of the calm ones of ${ROUNDS} rounds, ` +
        rangeOf(
          runs.get(overWebSocket)!.map(({ costUs }) => costUs),
          'us',
        ),
      ...(isProfiling() ? [`the profile is that of process ${overWebSocket.pid}`] : []),
      ...(overWebSocket.window === 0
        ? ['for information: a write for each message and viewer, as on the floor']
        : describeAsked(count, cost(overWebSocket), cost(overRtmp), floor && cost(floor))),
      `under way: ${all.map((target) => `${target.name} ${describeAges(target, runs)}`).join('; ')}`,
      ...describeLoad(all, runs),
    ],
  };
}

/** The median of the rounds in which the machine had as little else to do as in the calmest. */
function calmCost(runs: readonly Run[]): number {
  const { others } = calmest(runs);
  return median(runs.filter((run) => run.others <= others + CALM).map(({ costUs }) => costUs));
}

function describeAsked(count: number, own: number, rtmp: number, floor: number | undefined): string[] {
  const verdict = (name: string, ratio: number, { atMost, from }: { atMost: number; from: number }) => {
    const text = `${name} ${ratio.toFixed(2)} x`;
    if (count < from) return `${text} (asked from ${from.toLocaleString('en-US')} viewers on)`;
    return `${text} (at most ${atMost}: ${ratio <= atMost ? 'met' : 'MISSED'})`;
  };
  const parts = [verdict('RTMP', own / rtmp, ASKED.rtmp)];
  if (floor !== undefined) parts.unshift(verdict('ws', own / floor, ASKED.floor));
  return [`beside ${parts.join(', ')}`];
}

function describeAges(target: Target, runs: Runs): string {
  const { p50, p95 } = spreadOf(calmest(runs.get(target)!).agesMs);
  return `p50 ${format(p50, 'ms')}, p95 ${format(p95, 'ms')}`;
}
