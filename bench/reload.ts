import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { watch } from 'chokidar';
import { context } from 'esbuild';
import { evacuate } from './reload/evacuation.ts';
import { reloadMany } from './reload/many.ts';
import { reloadUnderLoad } from './reload/under-load.ts';
import { BenchClient } from './support/client.ts';
import { type Figure, median, type Report, rangeOf, spreadOf } from './support/figures.ts';
import { copyApps, startServer } from './support/server.ts';

const RELOADS = 25;
/** Longer than the watcher holds back changes that follow one another. */
const PAUSE_MS = 250;

/** From saving a file to the first call that the new code answers, with a client that stays connected. */
export async function benchReload(): Promise<Report> {
  return {
    name: 'reload',
    figures: [await saveToAnswer(), ...(await reloadUnderLoad()), await reloadMany(), await evacuate()],
  };
}

async function saveToAnswer(): Promise<Figure> {
  const apps = copyApps();
  const main = join(apps, 'reload', 'main.ts');
  const server = await startServer(apps);
  const samples: number[] = [];
  let slowestCallMs = 0;
  try {
    const client = await BenchClient.open(server.port);
    await client.connect('reload/bench');
    for (let version = 1; version <= RELOADS; version++) {
      await sleep(PAUSE_MS);
      const savedAt = performance.now();
      writeFileSync(main, source(version));
      for (let answer = -1; answer !== version; ) {
        await sleep(1);
        const calledAt = performance.now();
        answer = (await client.call('version')) as number;
        slowestCallMs = Math.max(slowestCallMs, performance.now() - calledAt);
        if (performance.now() - savedAt > 10_000) throw new Error(`still version ${answer}, not ${version}`);
      }
      samples.push(performance.now() - savedAt);
    }
    client.close();
  } finally {
    await server.stop();
  }
  const { noticedMs, rebuiltMs } = await noticeAndRebuild();
  const rebuild = rebuiltMs.map((ms, index) => ms + noticedMs[index]!);
  return {
    name: 'save to the first answer of the new code',
    unit: 'ms',
    target: { p50: 150 },
    ...spreadOf(samples),
    floors: [{ name: 'chokidar notices, esbuild rebuilds', ...spreadOf(rebuild) }],
    notes: [
      `${RELOADS} reloads, ${rangeOf(samples, 'ms')}; the slowest call meanwhile took ${slowestCallMs.toFixed(1)} ms`,
      `of the floor, chokidar takes ${median(noticedMs).toFixed(1)} ms, esbuild ${median(rebuiltMs).toFixed(1)} ms`,
    ],
  };
}

/** What any server with this watcher and this bundler needs at least. */
async function noticeAndRebuild(): Promise<{ noticedMs: number[]; rebuiltMs: number[] }> {
  const folder = join(copyApps(), 'reload');
  const main = join(folder, 'main.ts');
  const bundler = await context({ entryPoints: [main], bundle: true, write: false, format: 'iife' });
  const watcher = watch(folder);
  const noticedMs: number[] = [];
  const rebuiltMs: number[] = [];
  try {
    await new Promise<void>((resolve) => watcher.once('ready', resolve));
    await bundler.rebuild();
    for (let version = 1; version <= RELOADS; version++) {
      await sleep(PAUSE_MS);
      const noticed = new Promise<void>((resolve) => watcher.once('change', () => resolve()));
      const savedAt = performance.now();
      writeFileSync(main, source(version));
      await noticed;
      const noticedAt = performance.now();
      await bundler.rebuild();
      noticedMs.push(noticedAt - savedAt);
      rebuiltMs.push(performance.now() - noticedAt);
    }
  } finally {
    await watcher.close();
    await bundler.dispose();
  }
  return { noticedMs, rebuiltMs };
}

function source(version: number): string {
  return `export const version = ${version};\nObject.assign(Client.prototype, { version: () => version });\n`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
