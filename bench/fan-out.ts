import { measureCost } from './fan-out/cost.ts';
import { startTargets } from './fan-out/targets.ts';
import { hasCompiler } from './support/compile.ts';
import type { Report } from './support/figures.ts';

/** What a server spends to send one live stream to many viewers, and how soon they have it. */
export async function benchFanOut(): Promise<Report> {
  const report: Report = { name: 'fan-out', figures: [] };
  if (!hasCompiler()) {
    console.log('fan-out is left out: its viewers and a floor are in C, and there is no gcc');
    return report;
  }
  const targets = await startTargets();
  try {
    report.figures.push(...(await measureCost(targets)));
  } finally {
    await Promise.all(targets.map((target) => target.stop()));
  }
  return report;
}
