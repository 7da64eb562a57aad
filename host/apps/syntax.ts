import { Script } from 'node:vm';
import { Worker } from 'node:worker_threads';

/** What V8 said of a script that it would not compile. */
export interface SyntaxProblem {
  message: string;
  stack: string;
}

/** Code up to this length is compiled in less than 20 ms; what is longer must not hold up those who watch. */
export const INLINE_LENGTH = 256 * 1024;
export const PATIENCE_MS = 20_000;

/** V8's verdict on a sloppy script, without running it: the first syntax error, if there is one. */
export async function checkSyntax(code: string): Promise<SyntaxProblem | undefined> {
  return code.length <= INLINE_LENGTH ? compile(code) : compileElsewhere(code);
}

export function compile(code: string): SyntaxProblem | undefined {
  try {
    new Script(code, { filename: 'script' });
    return undefined;
  } catch (error) {
    const { message = String(error), stack = '' } = error as Partial<Error>;
    return { message, stack };
  }
}

/** `compile` as a thread's program: it has no imports of ours. */
const COMPILE = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { Script } = require('node:vm');
  try {
    new Script(workerData, { filename: 'script' });
    parentPort.postMessage(undefined);
  } catch ({ message = '', stack = '' }) {
    parentPort.postMessage({ message, stack });
  }`;

/** The same in a thread of its own, which ends with it. */
function compileElsewhere(code: string): Promise<SyntaxProblem | undefined> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(COMPILE, { eval: true, workerData: code });
    const timer = setTimeout(() => {
      void worker.terminate();
      resolve({ message: `V8 has not compiled it within ${PATIENCE_MS / 1000} seconds`, stack: '' });
    }, PATIENCE_MS);
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => clearTimeout(timer));
  });
}
