import { measureViewers } from './pages/viewers.ts';
import { hasCompiler } from './support/compile.ts';
import type { Figure, Report } from './support/figures.ts';

/** What pages cost and get: viewers over WebSocket in the host, and players and calls in Chromium. */
export async function benchPages(): Promise<Report> {
  const figures: Figure[] = [];
  if (hasCompiler()) figures.push(...(await measureViewers()));
  else console.log('viewers over WebSocket are left out: they are in C, and there is no gcc');
  return { name: 'pages', figures };
}
