import { parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../../base/errors.ts';
import type { Part } from './container.ts';
import { OpenFiles } from './open-files.ts';
import { FileProblem } from './problem.ts';
import type { FileAnswer, FileResults, FileThreadData, NumberedRequest } from './protocol.ts';
import { Turnstile } from './turnstile.ts';

/** The thread that reads media files. Requests are carried out side by side: while one waits for the disk, others go on. */

const port = parentPort!;
/** Each has memory for what it reads. Applications open files, and each file is read for those who play it. */
const openers = new Turnstile<string>(8);
const readers = new Turnstile<number>(16);
const files = new OpenFiles((workerData as FileThreadData).maxOpen);

port.on('message', (request: NumberedRequest) => void answer(request));

async function answer(request: NumberedRequest): Promise<void> {
  const { number } = request;
  try {
    const result = await carryOut(request);
    post({ number, result }, request.method === 'read' ? buffersOf(result as Part) : []);
  } catch (error) {
    // What is no FileProblem is an error of a parser, which met what nobody had thought of.
    const kind = error instanceof FileProblem ? error.kind : 'structure';
    post({ number, kind, message: error instanceof FileProblem ? error.message : describeError(error, 200) });
  }
}

async function carryOut(request: NumberedRequest): Promise<FileResults[keyof FileResults]> {
  switch (request.method) {
    case 'open':
      return openers.run(request.app, () => files.open(request.path, request.app));
    case 'seek':
      return files.get(request.file).seek(request.positionMs);
    case 'headers':
      return files.get(request.file).headersAt(request.position);
    case 'read':
      return readers.run(request.file, async () => files.get(request.file).read(request.position));
    case 'close':
      return files.close(request.file);
    case 'ping':
      return undefined;
  }
}

function post(answer: FileAnswer, transferred: ArrayBuffer[] = []): void {
  port.postMessage(answer, transferred);
}

function buffersOf(part: Part): ArrayBuffer[] {
  return [...new Set(part.messages.map(({ payload }) => payload.buffer as ArrayBuffer))];
}
