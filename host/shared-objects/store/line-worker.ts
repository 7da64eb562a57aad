import { parentPort } from 'node:worker_threads';
import { describeError, StagewireError } from '../../base/errors.ts';
import type { ObjectKey, StoredObject } from './database.ts';
import { lineOf, type ObjectLine, readLine } from './lines.ts';

/** The thread behind `LineThread`. */

export type LineRequest =
  | { readonly key: ObjectKey; readonly object: StoredObject }
  | { readonly text: string };

export type LineAnswer = { readonly result: string | ObjectLine } | { readonly message: string };

const port = parentPort!;

function answer(request: LineRequest): LineAnswer {
  try {
    return { result: 'text' in request ? readLine(request.text) : lineOf(request.key, request.object) };
  } catch (error) {
    return { message: error instanceof StagewireError ? error.message : describeError(error, 300) };
  }
}

port.on('message', (request: LineRequest) => port.postMessage(answer(request)));
