import { defineLazily, loadPart } from './parts.ts';
import type { Web } from './web/main.ts';

/**
 * The web standards that scripts know from elsewhere (web/). Few instances need one, and together they would be a
 * tenth of what an idle one takes: their code stays in the core until a script first reads one of their names.
 */
const NAMES = [
  'URL',
  'URLSearchParams',
  'TextEncoder',
  'TextDecoder',
  'structuredClone',
  'Event',
  'EventTarget',
  'AbortController',
  'AbortSignal',
  'DOMException',
  'atob',
  'btoa',
] as const;

let web: Web | undefined;

export function installWeb(global: typeof globalThis): void {
  for (const name of NAMES) defineLazily(global, name, () => loadWeb().globals[name]);
}

/** What was loaded so far: without it, nothing that a script holds is of it. */
export function loadedWeb(): Web | undefined {
  return web;
}

export function loadWeb(): Web {
  web ??= loadPart<Web>('web');
  return web;
}
