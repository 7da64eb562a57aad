import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AppReport } from '../../host/web/api.ts';
import { BenchClient } from '../support/client.ts';
import { type Figure, median, percentile, spreadOf } from '../support/figures.ts';
import { copyApps, startServer } from '../support/server.ts';

const INSTANCES = 100;
const RELOADS = 5;

/** All instances of one application take the same new code over: until the last has answered with it. */
export async function reloadMany(): Promise<Figure> {
  const apps = copyApps();
  const main = join(apps, 'reload', 'main.ts');
  const server = await startServer(apps);
  const totalsMs: number[] = [];
  const pausesMs: number[] = [];
  try {
    const clients: BenchClient[] = [];
    for (let n = 0; n < INSTANCES; n++) {
      const client = await BenchClient.open(server.port);
      await client.connect(`reload/room${n}`);
      clients.push(client);
    }
    for (let version = 1; version <= RELOADS; version++) {
      await sleep(1000);
      const savedAt = performance.now();
      writeFileSync(main, source(version));
      const times = await Promise.all(clients.map((client) => answeredBy(client, version)));
      totalsMs.push(Math.max(...times) - savedAt);
      const report = (await (await fetch(`${server.http}/api/apps/reload`)).json()) as AppReport;
      for (const { switched } of report.instances) pausesMs.push(switched!.pausedMs);
    }
    for (const client of clients) client.close();
  } finally {
    await server.stop();
  }
  return {
    name: `${INSTANCES} instances, save to the last one's first answer of the new code`,
    unit: 'ms',
    target: {},
    ...spreadOf(totalsMs),
    floors: [],
    notes: [
      `${RELOADS} reloads; pause of one instance p50 ${median(pausesMs).toFixed(1)} ms, longest ${percentile(pausesMs, 100).toFixed(1)} ms`,
    ],
  };
}

async function answeredBy(client: BenchClient, version: number): Promise<number> {
  for (;;) {
    if ((await client.call('version')) === version) return performance.now();
    await sleep(20);
  }
}

function source(version: number): string {
  return `export const version = ${version};\nObject.assign(Client.prototype, { version: () => version });\n`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
