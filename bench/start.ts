import { exitOf, lineOf, startNode, stopChild } from './support/children.ts';
import { BenchClient } from './support/client.ts';
import { type Figure, median, type Report, rangeOf, spreadOf } from './support/figures.ts';
import { copyApps, root, startServer } from './support/server.ts';

const STARTS = 7;
const INSTANCES = 40;

/** From nothing to a server that is ready, and from a ready server to an instance that accepts clients. */
export async function benchStart(): Promise<Report> {
  return { name: 'start', figures: [await coldStart(), await instanceLoad()] };
}

async function coldStart(): Promise<Figure> {
  const apps = copyApps();
  const samples: number[] = [];
  const emptyMs: number[] = [];
  const listenerMs: number[] = [];
  for (let run = 0; run < STARTS; run++) {
    const server = await startServer(apps);
    samples.push(server.readyMs);
    await server.stop();
    emptyMs.push(await timeEmptyScript());
    listenerMs.push(await timeListener());
  }
  return {
    name: 'process to ready line',
    unit: 'ms',
    target: { p50: 1500 },
    p50: median(samples),
    floors: [
      { name: 'node, a bare TCP listener', p50: median(listenerMs) },
      { name: "node -e ''", p50: median(emptyMs) },
    ],
    notes: [`median of ${STARTS} starts with two applications, ${rangeOf(samples, 'ms')}`],
  };
}

async function timeEmptyScript(): Promise<number> {
  const startedAt = performance.now();
  await exitOf(startNode(['-e', '']));
  return performance.now() - startedAt;
}

async function timeListener(): Promise<number> {
  const code = "require('node:net').createServer().listen(0, '127.0.0.1', () => console.log('ready'))";
  const startedAt = performance.now();
  const child = startNode(['-e', code]);
  await lineOf(child, /^ready$/);
  const elapsedMs = performance.now() - startedAt;
  await stopChild(child);
  return elapsedMs;
}

/** The first connect to an instance, less a connect to the same instance once it is loaded. */
async function instanceLoad(): Promise<Figure> {
  const server = await startServer(copyApps());
  const firsts: number[] = [];
  const seconds: number[] = [];
  try {
    for (let count = 0; count < INSTANCES; count++) {
      const clients = await Promise.all([BenchClient.open(server.port), BenchClient.open(server.port)]);
      firsts.push(await clients[0].connect(`calls/room${count}`));
      seconds.push(await clients[1].connect(`calls/room${count}`));
      for (const client of clients) client.close();
    }
  } finally {
    await server.stop();
  }
  // The very first instance finds code that has never run: it is told, not counted.
  const [veryFirst = 0, ...rest] = firsts.map((first, index) => first - seconds[index]!);
  return {
    name: 'instance load: first connect less a later one',
    unit: 'ms',
    target: { p50: 20 },
    ...spreadOf(rest),
    floors: [{ name: 'an empty isolate in the same core code', ...spreadOf(await emptyIsolates()) }],
    notes: [
      `${rest.length} instances; a connect to a loaded one takes ${median(seconds).toFixed(2)} ms` +
        `; the server's very first instance took ${veryFirst.toFixed(1)} ms`,
    ],
  };
}

async function emptyIsolates(): Promise<number[]> {
  const child = startNode([`${root}bench/floors/isolate.ts`]);
  const [line] = await lineOf(child, /^\[.*\]$/);
  const [, ...samples] = JSON.parse(line) as number[];
  return samples;
}
