import { open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Log } from '../../base/log.ts';
import { problemOf } from '../recording/problem.ts';
import type { RemuxOrder, RemuxReport } from './protocol.ts';

/** An MP4 that is to be made of a recording. Paths are absolute, links resolved, in one folder. */
export interface RemuxJob {
  readonly from: string;
  readonly to: string;
  /** Whether the recording goes when the MP4 is there. */
  readonly isMoved: boolean;
  readonly freeDiskMb: number;
  readonly log: Log;
}

interface Work {
  readonly job: RemuxJob;
  worker: Worker | undefined;
  /** Why it is not wanted any more. */
  unwanted: string | undefined;
  /** The MP4 takes its name, and the recording may go: nothing stops it now. */
  finishing: Promise<void> | undefined;
}

type End = Exclude<RemuxReport, { at: 'working' }>;

/** Recordings that may wait for their turn. */
const MAX_WAITING = 1000;
/** JavaScript's own memory in the thread. The index of an MP4 is made in it: some hundred bytes a frame. */
const MAX_HEAP_MB = 2048;

/**
 * Makes MP4 files of recordings, one at a time in the whole server, each in a thread that ends with it. An MP4 has its
 * name only when it is complete and on disk; until then the recording is what there is.
 */
export class Remuxer {
  readonly #waiting: RemuxJob[] = [];
  #work: Work | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  add(job: RemuxJob): void {
    if (this.#isClosed) return abandon(job, 'the server stops');
    if (this.#waiting.length >= MAX_WAITING) return abandon(job, `${MAX_WAITING} others wait for their turn`);
    this.#waiting.push(job);
    this.#running ??= this.#run();
  }

  /**
   * Nothing is to become of the recording at that path, or of the MP4. Resolves when the recording is not touched any more;
   * what a crash or this has left of an MP4 is gone then, or soon.
   */
  async giveUp(path: string, why: string): Promise<void> {
    const concerns = ({ from, to }: RemuxJob) => from === path || to === path;
    for (const job of this.#waiting.filter(concerns)) {
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      abandon(job, why);
    }
    const work = this.#work;
    if (work && concerns(work.job)) await stop(work, why);
    else await removeIfAny(temporaryOf(path));
  }

  /** Gives up what is under way, and what waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#waiting.splice(0)) abandon(job, 'the server stops');
    if (this.#work) void stop(this.#work, 'the server stops');
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let job = this.#waiting.shift(); job; job = this.#waiting.shift()) {
      this.#work = { job, worker: undefined, unwanted: undefined, finishing: undefined };
      await this.#make(this.#work);
      this.#work = undefined;
    }
    this.#running = undefined;
  }

  async #make(work: Work): Promise<void> {
    const { job } = work;
    const temporary = temporaryOf(job.from);
    const began = performance.now();
    try {
      await removeIfAny(temporary);
      const before = await stat(job.from).catch(unlessMissing);
      if (!before) return; // nothing was recorded
      job.log.info(`making ${basename(job.to)} of ${basename(job.from)}, ${before.size} bytes`);
      const end = await this.#inThread(work, {
        from: job.from,
        to: temporary,
        freeDiskMb: job.freeDiskMb,
      });
      if (work.unwanted === undefined && end.at === 'made') {
        work.finishing = finish(job, temporary, before.ino);
        await work.finishing;
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        const { durationMs, bytes } = end;
        job.log.info(`made ${basename(job.to)}: ${durationMs / 1000} s, ${bytes} bytes, in ${seconds} s`);
        return;
      }
      abandon(job, work.unwanted ?? (end.at === 'failed' ? end.reason : ''));
    } catch (error) {
      abandon(job, work.unwanted ?? problemOf(error)[1]);
    }
    await removeIfAny(temporary);
  }

  /** Resolves when the thread has ended. */
  #inThread(work: Work, order: RemuxOrder): Promise<End> {
    return new Promise((resolve) => {
      let end: End = { at: 'failed', reason: 'its thread ended early' };
      if (work.unwanted !== undefined) return resolve(end);
      const worker = new Worker(new URL('./worker.ts', import.meta.url), {
        workerData: order,
        resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
      });
      work.worker = worker;
      worker.on('message', (report: RemuxReport) => {
        if (report.at === 'working')
          work.job.log.info(`making ${basename(work.job.to)}: ${report.percent} %`);
        else end = report;
      });
      worker.on('error', (error) => {
        end = { at: 'failed', reason: `its thread died: ${(error as Error).message}` };
      });
      worker.on('exit', () => {
        work.worker = undefined;
        resolve(end);
      });
    });
  }
}

/** Where the MP4 of a recording is until it is complete. Scripts cannot name it. */
function temporaryOf(recording: string): string {
  return join(dirname(recording), `.${basename(recording)}.part`);
}

async function stop(work: Work, why: string): Promise<void> {
  if (work.finishing) return void (await work.finishing.catch(() => {})); // whoever waits for it tells
  if (work.unwanted !== undefined) return;
  work.unwanted = why;
  void work.worker?.terminate();
}

async function finish({ from, to, isMoved }: RemuxJob, temporary: string, inode: number): Promise<void> {
  await rename(temporary, to);
  const folder = await open(dirname(to));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  // It may be another file by now.
  if (isMoved && (await stat(from)).ino === inode) await unlink(from);
}

async function removeIfAny(path: string): Promise<void> {
  // What cannot be removed is in nobody's way: the thread finds that out, and says so.
  await unlink(path).catch(() => {});
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function abandon({ from, to, log }: RemuxJob, reason: string): void {
  const text = `${basename(to)} was not made: ${reason}; ${basename(from)} stays as it is`;
  log.warn(text, { code: 'E_REMUX' });
}
