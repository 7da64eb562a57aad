import { isDeepStrictEqual } from 'node:util';
import { exitOf, lineOf, startNode } from './support/children.ts';
import { BenchClient } from './support/client.ts';
import {
  type Figure,
  type Floor,
  median,
  medianSpread,
  type Report,
  rangeOf,
  type Spread,
  spreadOf,
} from './support/figures.ts';
import type { LoadJob, LoadResult } from './support/load-generator.ts';
import { copyApps, root, startFloor, startServer } from './support/server.ts';

const ROUNDS = 3;
const CONNECTIONS = 8;
const OUTSTANDING = 128;

/** What is called: the server, or one of the floors under it. */
interface Target {
  name: string;
  port: number;
  app?: string;
  pids: number[];
}

/** Round trip of a call from client to script and back, and how many fit into a second. */
export async function benchCalls(): Promise<Report> {
  const server = await startServer(copyApps());
  const unsandboxed = await startFloor('unsandboxed.ts');
  const echo = await startFloor('echo.ts');
  try {
    await proveAnswers(server.port);
    await proveAnswers(unsandboxed.port);
    const targets: [Target, ...Target[]] = [
      { name: '', port: server.port, app: 'calls/bench', pids: [server.pid, ...server.corePids()] },
      {
        name: 'in the host, no sandbox',
        port: unsandboxed.port,
        app: 'calls/bench',
        pids: [unsandboxed.pid],
      },
      { name: 'bare TCP echo of the same bytes', port: echo.port, pids: [echo.pid] },
    ];
    return { name: 'calls', figures: [await idle(targets), await pipelined(targets)] };
  } finally {
    await Promise.all([server.stop(), unsandboxed.stop(), echo.stop()]);
  }
}

async function idle(targets: [Target, ...Target[]]): Promise<Figure> {
  const job = { connections: 1, outstanding: 1, warmUpMs: 1500, measureMs: 1500, isTimed: true };
  const rounds = await inRounds(targets, job);
  const spreads = rounds.map((results) => results.map(({ samplesMs }) => spreadOf(samplesMs)));
  const counts = rounds[0]!.map(({ calls }) => calls);
  return {
    name: 'one call at a time, round trip',
    unit: 'ms',
    target: { p50: 0.6, p99: 2 },
    ...medianSpread(spreads[0]!),
    floors: floorsOf(targets, (index) => medianSpread(spreads[index]!)),
    notes: [
      `medians of ${ROUNDS} rounds of ${counts.map((count) => count.toLocaleString('en-US')).join(', ')} calls;` +
        ` p50 from round to round: ${rangeOf(
          spreads[0]!.map(({ p50 }) => p50),
          'ms',
        )}`,
    ],
  };
}

async function pipelined(targets: [Target, ...Target[]]): Promise<Figure> {
  const job = {
    connections: CONNECTIONS,
    outstanding: OUTSTANDING,
    warmUpMs: 1000,
    measureMs: 2000,
    isTimed: false,
  };
  const rounds = await inRounds(targets, job);
  const rates = rounds.map((results) => results.map(({ calls, elapsedMs }) => (calls * 1000) / elapsedMs));
  return {
    name: `${CONNECTIONS} connections, ${OUTSTANDING} calls outstanding on each`,
    unit: '/s',
    target: { p50: 100_000 },
    p50: median(rates[0]!),
    floors: floorsOf(targets, (index) => ({ p50: median(rates[index]!) })),
    notes: [
      `medians of ${ROUNDS} rounds of ${job.measureMs / 1000} s; from round to round: ${rangeOf(rates[0]!, '/s')}`,
      ...targets.map((target, index) => describeCpu(target, rounds[index]!)),
    ],
  };
}

/** Round after round each target has its turn, so that a slow moment of the machine meets all of them. */
async function inRounds(targets: Target[], job: Omit<LoadJob, 'port' | 'pids'>): Promise<LoadResult[][]> {
  const results: LoadResult[][] = targets.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { port, app, pids }] of targets.entries()) {
      results[index]!.push(await generateLoad({ ...job, port, pids, ...(app !== undefined && { app }) }));
    }
  }
  return results;
}

export async function generateLoad(job: LoadJob): Promise<LoadResult> {
  const child = startNode([`${root}bench/support/load-generator.ts`, JSON.stringify(job)]);
  const ended = exitOf(child);
  const [line] = await lineOf(child, /^\{.*\}$/);
  await ended;
  return JSON.parse(line) as LoadResult;
}

function floorsOf([, ...floors]: [Target, ...Target[]], spread: (index: number) => Spread): Floor[] {
  return floors.map(({ name }, index) => ({ name, ...spread(index + 1) }));
}

const PROCESSES = ['host', 'core'];

function describeCpu(target: Target, results: LoadResult[]): string {
  const perCalls = (ms: (result: LoadResult) => number) =>
    `${median(results.map((result) => (ms(result) / result.calls) * 100)).toFixed(2)} s`;
  const own = median(results.map(({ ownCpuMs, elapsedMs }) => ownCpuMs / elapsedMs));
  const parts = target.pids.map((_, index) => {
    const name = target.pids.length === 1 ? 'server' : (PROCESSES[index] ?? 'core');
    return `${name} ${perCalls(({ cpuMs }) => cpuMs[index] ?? Number.NaN)}`;
  });
  return (
    `CPU per 100,000 calls${target.name && ` (${target.name})`}: ${parts.join(', ')}, ` +
    `load generator ${perCalls(({ ownCpuMs }) => ownCpuMs)} (busy ${Math.round(own * 100)} % of the time)`
  );
}

/** A benchmark of wrong answers is worth nothing. */
async function proveAnswers(port: number): Promise<void> {
  const client = await BenchClient.open(port);
  await client.connect('calls/bench');
  const answer = await client.call('move', { x: 17, y: 4.5, name: 'rook' });
  client.close();
  const expected = { x: 18, y: 5.5, name: 'rook' };
  if (!isDeepStrictEqual(answer, expected)) throw new Error(`move answered ${JSON.stringify(answer)}`);
}
