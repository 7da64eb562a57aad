import { hasChromium } from './pages/browser.ts';
import { measureCalls } from './pages/calls.ts';
import { hasFfmpeg } from './pages/pictures.ts';
import { measureCpu, measureDelay } from './pages/players.ts';
import { startPageServer } from './pages/server.ts';
import { measureViewers } from './pages/viewers.ts';
import { hasCompiler } from './support/compile.ts';
import type { Figure, Report } from './support/figures.ts';
import { isProfiling } from './support/server.ts';

/** What pages cost and get: viewers over WebSocket in the host, and players and calls in Chromium. */
export async function benchPages(): Promise<Report> {
  const figures: Figure[] = [];
  if (hasCompiler()) figures.push(...(await measureViewers()));
  else console.log('viewers over WebSocket are left out: they are in C, and there is no gcc');
  if (!isProfiling()) figures.push(...(await inChromium()));
  return { name: 'pages', figures };
}

async function inChromium(): Promise<Figure[]> {
  if (!hasChromium()) {
    console.log('what is measured in a page is left out: there is no Chromium');
    return [];
  }
  const figures: Figure[] = [];
  const server = await startPageServer();
  try {
    if (hasFfmpeg()) figures.push(...(await measureDelay(server)), ...(await measureCpu(server)));
    else console.log('players are left out: there is no ffmpeg');
    figures.push(...(await measureCalls(server)));
  } finally {
    await server.stop();
  }
  return figures;
}
