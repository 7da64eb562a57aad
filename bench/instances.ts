import { defaultLimits } from '../host/base/limits.ts';
import { BenchClient } from './support/client.ts';
import { cpuMsOf, memoryMbOf } from './support/cpu.ts';
import { type Figure, median, percentile, type Report, spreadOf } from './support/figures.ts';
import { copyApps, type StagewireServer, startServer } from './support/server.ts';

/** They fill thirteen cores: none has heaps left over that it made in advance. */
const INSTANCES = 13 * defaultLimits.instancesPerCore;
const IDLE_MS = 10_000;
/** V8 tidies the heaps of a process once, some ten seconds after the last work in it. */
const TIDY_MS = 25_000;

/** A thousand instances in one server: what each costs in memory, how fast it loads, and what all cost at rest. */
export async function benchInstances(): Promise<Report> {
  const server = await startServer(copyApps(), { instances: INSTANCES });
  try {
    // The first instance proves the build; the spares have started when it is idle again.
    await load(server, 'calls/first');
    await sleep(TIDY_MS);
    const inUseBefore = [server.pid, await coreOf(server, 'first')];
    const before = memoryMb(inUseBefore);
    const hostBefore = memoryMb([server.pid]);
    const loads: number[] = [];
    const connects: number[] = [];
    for (let count = 0; count < INSTANCES - 1; count++) {
      loads.push(await load(server, `calls/room${count}`));
      if (count % 10 === 0) connects.push(await load(server, `calls/room${count}`));
    }
    await sleep(TIDY_MS);
    const pids = pidsOf(server);
    const cores = new Set<number>();
    for (let count = 0; count < loads.length; count++) cores.add(await coreOf(server, `room${count}`));
    const inUse = [...new Set([...inUseBefore, ...cores])];
    const perInstance = (memoryMb(inUse) - before) / loads.length;
    const spares = pids.filter((pid) => !inUse.includes(pid));
    const inHost = (memoryMb([server.pid]) - hostBefore) / loads.length;
    const cpuBefore = cpuMs(pids);
    const idleFrom = performance.now();
    await sleep(IDLE_MS);
    const idlePercent = ((cpuMs(pids) - cpuBefore) / (performance.now() - idleFrom)) * 100;

    const again = median(connects);
    const own = loads.map((ms) => ms - again);
    const figures: Figure[] = [
      {
        name: 'memory of an idle instance',
        unit: 'MB',
        target: { p50: 2.2 },
        p50: perInstance,
        floors: [],
        notes: [
          `${loads.length} instances; host and ${inUse.length - 1} cores, shared pages by share, over ${before.toFixed(0)} MB before; in the host ${inHost.toFixed(3)} MB each`,
          `${spares.length} spare cores with the heaps for as many as the fullest has: ${memoryMb(spares).toFixed(0)} MB, apart from these`,
        ],
      },
      {
        name: 'instance load: first connect less a later one',
        unit: 'ms',
        target: { p50: 12, p99: 20 },
        ...spreadOf(own),
        floors: [{ name: 'a connect to a loaded instance', ...spreadOf(connects) }],
        notes: [
          `the first hundred ${median(own.slice(0, 100)).toFixed(1)} ms, the last ${median(own.slice(-100)).toFixed(1)} ms; ` +
            `slowest ${percentile(own, 100).toFixed(1)} ms`,
        ],
      },
      {
        name: 'processor time at rest, of one processor',
        unit: '%',
        target: { p50: 1 },
        p50: idlePercent,
        floors: [],
        notes: [`host and ${pids.length - 1} cores over ${IDLE_MS / 1000} s, nobody connected`],
      },
    ];
    return { name: 'instances', figures };
  } finally {
    await server.stop();
  }
}

/** Connects, and leaves again: the instance stays. Returns how long the answer took. */
async function load(server: StagewireServer, name: string): Promise<number> {
  const client = await BenchClient.open(server.port);
  const ms = await client.connect(name);
  client.close();
  return ms;
}

async function coreOf(server: StagewireServer, instance: string): Promise<number> {
  const answer = await fetch(`${server.http}/api/instances/calls/${instance}`);
  const { core } = (await answer.json()) as { core: number };
  return core;
}

function pidsOf(server: StagewireServer): number[] {
  return [server.pid, ...server.corePids()];
}

function memoryMb(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + (memoryMbOf(pid) ?? 0), 0);
}

function cpuMs(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + (cpuMsOf(pid) ?? 0), 0);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
