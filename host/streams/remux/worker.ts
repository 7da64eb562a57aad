import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { FileProblem } from '../files/problem.ts';
import { problemOf } from '../recording/problem.ts';
import { type RemuxOrder, type RemuxReport, Unfit } from './protocol.ts';
import { remux } from './remux.ts';

/** The thread that makes one MP4 and ends. */

/** Others go first: live streams are not to notice. */
const NICENESS = 10;
/** How often it says how far it is: after so many percent, but not sooner than that, nor later than that. */
const STEP_PERCENT = 10;
const SOONEST_MS = 1000;
const LATEST_MS = 10_000;

let saidPercent = 0;
let saidAt = performance.now();

function progress(percent: number): void {
  if (percent === saidPercent) return;
  const passed = performance.now() - saidAt;
  if (passed < SOONEST_MS || (percent < saidPercent + STEP_PERCENT && passed < LATEST_MS)) return;
  saidPercent = percent;
  saidAt = performance.now();
  report({ at: 'working', percent });
}

function report(what: RemuxReport): void {
  parentPort?.postMessage(what);
}

/** On Linux each thread has a priority of its own. */
function giveWay(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICENESS);
  } catch {
    // It works as everybody else, then.
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Unfit || error instanceof FileProblem) return error.message;
  return problemOf(error)[1];
}

giveWay();
try {
  const made = await remux(workerData as RemuxOrder, progress);
  report({ at: 'made', ...made });
} catch (error) {
  report({ at: 'failed', reason: reasonOf(error) });
}
