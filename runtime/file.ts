import { defineLazily, loadPart } from './parts.ts';

/** The global `File` (file/). */
export function installFile(global: typeof globalThis): void {
  defineLazily(global, 'File', () => loadPart('file'));
}
