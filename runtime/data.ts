import type { Data } from './data/main.ts';
import { defineLazily, loadPart } from './parts.ts';

let data: Data | undefined;

/** The globals `LoadVars` and `XML` (data/). */
export function installData(global: typeof globalThis): void {
  for (const name of ['LoadVars', 'XML'] as const) defineLazily(global, name, () => loadData()[name]);
}

function loadData(): Data {
  data ??= loadPart<Data>('data');
  return data;
}
