import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitOf, startNode } from './support/children.ts';
import { type Figure, median, type Report, rangeOf } from './support/figures.ts';
import { root, scratchFolder } from './support/server.ts';

const ROUNDS = 9;
const SAMPLE = 'lobby';

/** How long the compiler takes to tell the author of an application what is wrong with it. */
export async function benchTypes(): Promise<Report> {
  const sample = project([
    join(root, 'sample-apps', SAMPLE, 'main.ts'),
    join(root, 'runtime', 'globals.d.ts'),
  ]);
  const empty = project([]);
  const samples: number[] = [];
  const emptyMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    samples.push(await timeCheck(sample));
    emptyMs.push(await timeCheck(empty));
  }
  const figure: Figure = {
    name: `type check of sample-apps/${SAMPLE}`,
    unit: 'ms',
    target: {},
    p50: median(samples),
    floors: [{ name: 'an empty file', p50: median(emptyMs) }],
    notes: [`median of ${ROUNDS}, ${rangeOf(samples, 'ms')}`],
  };
  return { name: 'types', figures: [figure] };
}

/** A folder with a tsconfig.json of those files, checked as applications are. */
function project(files: readonly string[]): string {
  const folder = scratchFolder();
  writeFileSync(join(folder, 'empty.ts'), '');
  const extend = join(root, 'sample-apps', 'tsconfig.json');
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: extend, include: [], files: ['empty.ts', ...files] }),
  );
  return folder;
}

async function timeCheck(folder: string): Promise<number> {
  const startedAt = performance.now();
  const code = await exitOf(
    startNode([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder]),
  );
  if (code !== 0) throw new Error(`tsc in ${folder} ended with ${code}`);
  return performance.now() - startedAt;
}
