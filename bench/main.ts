/**
 * `npm run bench [-- NAME ...] [--json FILE] [--profile DIR]`; without a name all but `soak`. Each figure is printed
 * beside its floor, and some beside a peer, measured in the same run: on a busy machine the ratio tells more than the
 * figure.
 */
import { execFileSync, type StdioOptions } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchCalls } from './calls.ts';
import { benchDurable } from './durable.ts';
import { benchEdges } from './edges.ts';
import { benchFanOut } from './fan-out.ts';
import { benchHostile, benchSoak } from './hostile.ts';
import { benchInstances } from './instances.ts';
import { benchKill } from './kill.ts';
import { benchLinks } from './links.ts';
import { benchPages } from './pages.ts';
import { benchReload } from './reload.ts';
import { benchSharedObjects } from './shared-objects.ts';
import { benchStart } from './start.ts';
import { printReport, type Report, ratioTo } from './support/figures.ts';
import { profileInto, root } from './support/server.ts';
import { benchTypes } from './types.ts';
import { benchWall } from './wall.ts';

const benchmarks: Readonly<Record<string, () => Promise<Report>>> = {
  start: benchStart,
  calls: benchCalls,
  links: benchLinks,
  wall: benchWall,
  instances: benchInstances,
  kill: benchKill,
  hostile: benchHostile,
  soak: benchSoak,
  reload: benchReload,
  shared: benchSharedObjects,
  durable: benchDurable,
  fanout: benchFanOut,
  pages: benchPages,
  edges: benchEdges,
  types: benchTypes,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, profile: { type: 'string' } },
});
/** Takes ten minutes: only when it is asked for. */
const byNameOnly = ['soak'];
const names =
  positionals.length > 0 ? positionals : Object.keys(benchmarks).filter((name) => !byNameOnly.includes(name));
const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}: there are ${Object.keys(benchmarks).join(', ')}`);
  process.exit(2);
}
if (values.profile !== undefined) profileInto(resolve(values.profile));

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  node: process.version,
  load: loadavg()[0]!,
  commit: commit(),
};
console.log(
  `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load.toFixed(2)}, commit ${machine.commit}`,
);

const reports: Report[] = [];
for (const name of names) {
  const report = await benchmarks[name]!();
  printReport(report);
  reports.push(report);
}
if (values.json !== undefined) writeJson(values.json);
process.exit(0);

function writeJson(file: string): void {
  const withRatios = reports.map((report) => ({
    ...report,
    figures: report.figures.map((figure) => ({
      ...figure,
      floors: figure.floors.map((floor) => ({ ...floor, ratio: ratioTo(figure, floor) })),
      peers: figure.peers?.map((peer) => ({ ...peer, ratio: ratioTo(figure, peer) })),
    })),
  }));
  const at = new Date().toISOString();
  writeFileSync(file, `${JSON.stringify({ at, machine, reports: withRatios }, null, 2)}\n`);
}

function commit(): string {
  try {
    const quiet = ['ignore', 'pipe', 'ignore'] satisfies StdioOptions;
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: root,
      encoding: 'utf8',
      stdio: quiet,
    }).trim();
  } catch {
    return 'unknown';
  }
}
