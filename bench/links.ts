import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { LinkJob, LinkResult } from './apps/links/main.ts';
import { generateLoad } from './calls.ts';
import { BenchClient } from './support/client.ts';
import {
  type Figure,
  type Floor,
  median,
  medianSpread,
  type Report,
  rangeOf,
  spreadOf,
} from './support/figures.ts';
import { copyApps, startFloor, startServer } from './support/server.ts';

const ROUNDS = 3;
const OUTSTANDING = 128;

/** Calls one at a time, or with so many in flight, during one measurement. */
type Work = Omit<LinkJob, 'uri'>;
type Runner = (work: Work) => Promise<LinkResult>;

/** Calls from the script of one instance to that of another: on the same server, and to a server beside it. */
export async function benchLinks(): Promise<Report> {
  const far = await startServer(copyApps());
  const apps = copyApps();
  const connect = { apps: ['calls'], hosts: [`127.0.0.1:${far.port}`] };
  writeFileSync(join(apps, 'links/app.json'), JSON.stringify({ connect }));
  const near = await startServer(apps);
  const echo = await startFloor('echo.ts');
  const client = await BenchClient.open(near.port);
  try {
    await client.connect('links/bench');
    const script =
      (uri: string): Runner =>
      (work) =>
        client.call('measure', { uri, ...work }) as Promise<LinkResult>;
    const load =
      (port: number, app?: string): Runner =>
      (work) =>
        generateLoad({
          ...work,
          port,
          connections: 1,
          isTimed: work.outstanding === 1,
          pids: [],
          ...(app !== undefined && { app }),
        });
    const ways = { short: 'rtmp:/calls/links', rtmp: `rtmp://127.0.0.1:${far.port}/calls/links` };
    for (const uri of Object.values(ways)) await proveAnswers(client, uri);
    const runners = {
      short: script(ways.short),
      rtmp: script(ways.rtmp),
      client: load(far.port, 'calls/links'),
      echo: load(echo.port),
    };
    return { name: 'links', figures: [...(await idle(runners)), ...(await pipelined(runners))] };
  } finally {
    client.close();
    await Promise.all([near.stop(), far.stop(), echo.stop()]);
  }
}

type Runners = Record<'short' | 'rtmp' | 'client' | 'echo', Runner>;
type Results = Record<keyof Runners, LinkResult[]>;
const NAMES = {
  short: 'the same server',
  rtmp: 'RTMP to another server',
  client: "calls of the bench's RTMP client",
  echo: 'bare TCP echo of the same bytes',
} as const;

async function idle(runners: Runners): Promise<Figure[]> {
  const results = await inRounds(runners, { outstanding: 1, warmUpMs: 500, measureMs: 1000 });
  const spread = (key: keyof Runners) =>
    medianSpread(results[key].map(({ samplesMs }) => spreadOf(samplesMs)));
  const floors = floorsOf(spread);
  return (['short', 'rtmp'] as const).map((key) => ({
    name: `one call at a time, ${NAMES[key]}`,
    unit: 'ms',
    target: {},
    ...spread(key),
    floors,
    notes: [
      `medians of ${ROUNDS} rounds; p50 from round to round: ${rangeOf(
        results[key].map(({ samplesMs }) => median(samplesMs)),
        'ms',
      )}`,
    ],
  }));
}

async function pipelined(runners: Runners): Promise<Figure[]> {
  const results = await inRounds(runners, { outstanding: OUTSTANDING, warmUpMs: 500, measureMs: 1000 });
  const rates = (key: keyof Runners) =>
    results[key].map(({ calls, elapsedMs }) => (calls * 1000) / elapsedMs);
  const floors = floorsOf((key) => ({ p50: median(rates(key)) }));
  return (['short', 'rtmp'] as const).map((key) => ({
    name: `${OUTSTANDING} outstanding, ${NAMES[key]}`,
    unit: '/s',
    target: {},
    p50: median(rates(key)),
    floors,
    notes: [`medians of ${ROUNDS} rounds; from round to round: ${rangeOf(rates(key), '/s')}`],
  }));
}

function floorsOf(spread: (key: keyof Runners) => Omit<Floor, 'name'>): Floor[] {
  return (['client', 'echo'] as const).map((key) => ({ name: NAMES[key], ...spread(key) }));
}

/** Round after round each has its turn, so that a slow moment of the machine meets all of them. */
async function inRounds(runners: Runners, work: Work): Promise<Results> {
  const results: Results = { short: [], rtmp: [], client: [], echo: [] };
  for (let round = 0; round < ROUNDS; round++)
    for (const key of ['short', 'rtmp', 'client', 'echo'] as const)
      results[key].push(await runners[key](work));
  return results;
}

/** A benchmark of wrong answers is worth nothing. */
async function proveAnswers(client: BenchClient, uri: string): Promise<void> {
  const answer = await client.call('once', uri);
  const expected = { x: 18, y: 5.5, name: 'rook' };
  if (!isDeepStrictEqual(answer, expected))
    throw new Error(`${uri}: move answered ${JSON.stringify(answer)}`);
}
