import { parentPort, workerData } from 'node:worker_threads';
import { describeError, StagewireError } from '../../base/errors.ts';
import { Database } from './database.ts';

/** The thread that has the database: it blocks while the disk works, and the host does not. */

/** What the host may ask for. */
export type Method =
  | 'load'
  | 'save'
  | 'usage'
  | 'replace'
  | 'remove'
  | 'names'
  | 'keysAfter'
  | 'backup'
  | 'losesVersions'
  | 'close';
/** A request, in order; `open` is answered without being asked for, as number 0. */
export interface Request {
  readonly number: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

export type Answer =
  | { readonly number: number; readonly result: unknown }
  | { readonly number: number; readonly code: string; readonly message: string };

const port = parentPort!;

function open(): Database | undefined {
  try {
    const database = new Database((workerData as { file: string }).file);
    port.postMessage({ number: 0, result: undefined } satisfies Answer);
    return database;
  } catch (error) {
    refuse(0, error);
    return undefined;
  }
}

function answer(database: Database, { number, method, args }: Request): void {
  try {
    const run = database[method] as (this: Database, ...args: readonly unknown[]) => unknown;
    port.postMessage({ number, result: run.apply(database, [...args]) } satisfies Answer);
    if (method === 'close') port.close();
  } catch (error) {
    refuse(number, error);
  }
}

function refuse(number: number, error: unknown): void {
  const isOurs = error instanceof StagewireError;
  const code = isOurs ? error.code : 'E_DATA';
  const message = isOurs ? error.message : describeError(error, 300);
  port.postMessage({ number, code, message } satisfies Answer);
}

const database = open();
if (database) port.on('message', (request: Request) => answer(database, request));
