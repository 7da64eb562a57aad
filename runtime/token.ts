import { defineLazily, loadPart } from './parts.ts';

/** The global `verifyToken` (token/). */
export function installToken(global: typeof globalThis): void {
  defineLazily(global, 'verifyToken', () => loadPart('token'));
}
