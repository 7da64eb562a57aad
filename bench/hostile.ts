import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { appsOf, type Outcome, runScript } from '../test/hostile/attack.ts';
import { readScripts } from '../test/hostile/catalogue.ts';
import { HOSTILE_LIMITS } from '../test/hostile/limits.ts';
import { type HostileServer, STAGE_APPS, Stage } from '../test/hostile/stage.ts';
import { Journal } from '../test/support/journal.ts';
import type { LogRecord } from '../test/support/server.ts';
import { lineOf, startNode, stopChild } from './support/children.ts';
import { type Figure, median, percentile, type Report, spreadOf } from './support/figures.ts';
import { root, scratchFolder } from './support/server.ts';

const SOAK_MS = 10 * 60_000;
/** The heap of the host grows to its working size in the first rounds. */
const SOAK_WARM_UP = 0.2;

interface Show extends HostileServer {
  stop(): Promise<void>;
}

/** Every hostile script once: what the stream's viewers and the neighbours of the script notice. */
export async function benchHostile(): Promise<Report> {
  const scripts = readScripts();
  const server = await startShow();
  const outcomes: Outcome[] = [];
  try {
    const stage = await Stage.open(server);
    const calmMs = await calmLatencies(stage);
    const from = stage.neighbour.latenciesMs.length;
    for (const script of scripts) outcomes.push(await runScript(script, stage));
    await stage.verify();
    const underAttack = stage.neighbour.latenciesMs.slice(from);
    const gaps = outcomes.map(({ roommateGapMs }) => roommateGapMs).filter((ms) => ms > 0);
    const worst = [...outcomes].sort((a, b) => b.roommateGapMs - a.roommateGapMs).slice(0, 5);
    const figures: Figure[] = [
      {
        name: 'a call to a neighbour in another core, under attack',
        unit: 'ms',
        target: { p99: 100 },
        ...spreadOf(underAttack),
        floors: [{ name: 'the same while nothing happens', ...spreadOf(calmMs) }],
        notes: [
          `${scripts.length} scripts, ${stage.feed.sent} messages to each viewer of the stream: none lost, none out of order`,
          `${stage.neighbour.answered} calls answered, ${stage.neighbour.failed} failed, each once; host ${stage.grownMb.toFixed(0)} MB larger`,
        ],
      },
      {
        name: 'longest gap between answers of a neighbour in the same core',
        unit: 'ms',
        target: { p95: 300 },
        ...spreadOf(gaps),
        floors: [],
        notes: [
          `calls are 20 ms apart; the longest: ${worst.map(({ name, roommateGapMs }) => `${name} ${roommateGapMs.toFixed(0)} ms`).join(', ')}`,
          `ends: ${countEnds(outcomes)}`,
        ],
      },
    ];
    stage.close();
    return { name: 'hostile', figures };
  } finally {
    await server.stop();
  }
}

/** The same again and again for ten minutes: whether the host keeps its size. */
export async function benchSoak(): Promise<Report> {
  const scripts = readScripts();
  const server = await startShow();
  const sizes: { at: number; mb: number }[] = [];
  const startedAt = performance.now();
  let runs = 0;
  try {
    const stage = await Stage.open(server);
    while (performance.now() - startedAt < SOAK_MS) {
      await runScript(scripts[runs++ % scripts.length]!, stage);
      sizes.push({ at: performance.now() - startedAt, mb: residentMb(server.pid) });
    }
    await stage.verify();
    stage.close();
  } finally {
    await server.stop();
  }
  const settled = sizes.filter(({ at }) => at > SOAK_MS * SOAK_WARM_UP);
  const half = settled.length / 2;
  const [first, second] = [settled.slice(0, half), settled.slice(half)].map((part) =>
    median(part.map(({ mb }) => mb)),
  );
  return {
    name: 'soak',
    figures: [
      {
        name: 'host memory, second half of ten hostile minutes',
        unit: 'MB',
        target: { p50: first! * 1.1 },
        p50: second!,
        floors: [{ name: 'first half, after two minutes', p50: first! }],
        notes: [
          `${runs} scripts; from ${Math.min(...sizes.map(({ mb }) => mb)).toFixed(0)} to ${percentile(
            sizes.map(({ mb }) => mb),
            100,
          ).toFixed(0)} MB, at the end ${sizes.at(-1)!.mb.toFixed(0)} MB`,
        ],
      },
    ],
  };
}

async function calmLatencies(stage: Stage): Promise<number[]> {
  await new Promise((resolve) => setTimeout(resolve, 3000));
  return [...stage.neighbour.latenciesMs];
}

function countEnds(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>();
  for (const { ends } of outcomes)
    for (const end of new Set(ends)) counts.set(end, (counts.get(end) ?? 0) + 1);
  return [...counts].map(([end, count]) => `${end} ${count}`).join(', ');
}

function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1024;
}

/** A server with the hostile applications, whose log can be waited for. */
async function startShow(): Promise<Show> {
  const folder = scratchFolder();
  const apps = { ...STAGE_APPS, ...appsOf(readScripts()) };
  for (const [app, files] of Object.entries(apps)) {
    for (const [file, content] of Object.entries(files)) {
      const path = join(folder, 'apps', app, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
  }
  const config = join(folder, 'stagewire.json');
  writeFileSync(config, JSON.stringify({ limits: HOSTILE_LIMITS }));
  const options = [
    '--rtmp',
    '0',
    '--http',
    '0',
    '--apps',
    join(folder, 'apps'),
    '--data',
    join(folder, 'data'),
  ];
  const child = startNode([join(root, 'host/main.ts'), ...options, '--log', 'json', '--config', config]);
  const log = new Journal<LogRecord>('the log', (record) => JSON.stringify(record).slice(0, 300));
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (line.startsWith('{')) log.add(JSON.parse(line) as LogRecord);
  });
  const [, rtmp = ''] = await lineOf(child, /^stagewire ready (rtmp:\S+)/);
  return { rtmp, pid: child.pid!, log, stop: () => stopChild(child) };
}
