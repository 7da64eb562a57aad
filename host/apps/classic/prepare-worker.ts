/** The thread that prepares one long script (prepare.ts) and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { prepareNow } from './prepare.ts';

const { text, name } = workerData as { text: string; name: string };
parentPort?.postMessage(prepareNow(text, name));
