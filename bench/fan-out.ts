import { measureCost } from './fan-out/cost.ts';
import { measureJoins } from './fan-out/join.ts';
import { measureMany } from './fan-out/many.ts';
import { measureMemory, measureStuck } from './fan-out/memory.ts';
import { startOurs, startTargets, type Target, type Window } from './fan-out/targets.ts';
import { hasCompiler } from './support/compile.ts';
import type { Figure, Report } from './support/figures.ts';
import { isProfiling } from './support/server.ts';

/**
 * What a server spends to send one live stream to many viewers, and how soon they have it. While profiles are written
 * there is only ours, with 600 viewers: one profile for each window.
 */
export async function benchFanOut(): Promise<Report> {
  const figures: Figure[] = [];
  if (!hasCompiler()) {
    console.log('fanout is left out: its viewers and a floor are in C, and there is no gcc');
    return { name: 'fan-out', figures };
  }
  const targets = await startTargets();
  try {
    figures.push(...(await measureCost(targets)));
  } finally {
    await Promise.all(targets.map((target) => target.stop()));
  }
  if (isProfiling()) return { name: 'fan-out', figures };

  for (const measure of [measureJoins, measureMemory]) {
    for (const window of [0, 50] as const) figures.push(await onFreshServer(window, measure));
  }
  for (const measure of [measureStuck, measureMany]) {
    figures.push(await onFreshServer(50, measure));
  }
  return { name: 'fan-out', figures };
}

async function onFreshServer(window: Window, measure: (target: Target) => Promise<Figure>): Promise<Figure> {
  const target = await startOurs(window);
  try {
    return await measure(target);
  } finally {
    await target.stop();
  }
}
