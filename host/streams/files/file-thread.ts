import { Worker } from 'node:worker_threads';
import { FileProblem } from './problem.ts';
import type { FileAnswer, FileRequest, FileResults, FileThreadData, NumberedRequest } from './protocol.ts';

export interface FileThreadOptions {
  readonly maxOpen: number;
  /** What runs in the thread. Default: `worker.ts`. */
  readonly worker?: URL | undefined;
  /** How long a request may take. Default 20000. */
  readonly deadlineMs?: number | undefined;
  /** How long a thread may take to say that it is there, when a request has taken too long. Default 5000. */
  readonly pingMs?: number | undefined;
}

interface Asked {
  readonly request: FileRequest;
  readonly timer: NodeJS.Timeout;
  resolve(result: unknown): void;
  reject(problem: FileProblem): void;
}

/** What waits beyond that is nobody's playing. */
const MAX_ASKED = 10_000;
/** JavaScript's own memory in the thread; tables and what is read are beside it, and bounded there. */
const MAX_HEAP_MB = 512;

/**
 * The main thread's end of the worker. A thread that hangs or dies is replaced; what it was asked rejects with `io`,
 * and the files that it had open are lost.
 */
export class FileThread {
  readonly #options: FileThreadOptions;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #nextNumber = 1;
  #isClosed = false;
  #isChecking = false;
  #generation = 1;

  constructor(options: FileThreadOptions) {
    this.#options = options;
  }

  /** Which thread it is, or will be: files of an earlier one are gone. */
  get generation(): number {
    return this.#generation;
  }

  /** Rejects with a FileProblem. */
  ask<Request extends FileRequest>(request: Request): Promise<FileResults[Request['method']]> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#isClosed) return reject(new FileProblem('io', 'the server stops'));
      if (this.#asked.size >= MAX_ASKED) return reject(new FileProblem('busy', 'too much is being read'));
      this.#worker ??= this.#start();
      const number = this.#nextNumber++;
      const timer = setTimeout(() => this.#isLate(number), this.#options.deadlineMs ?? 20_000);
      this.#asked.set(number, { request, timer, resolve, reject });
      this.#worker.postMessage({ ...request, number } satisfies NumberedRequest);
    }) as Promise<FileResults[Request['method']]>;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    this.#gone('the server stops');
    await worker?.terminate();
  }

  #start(): Worker {
    const workerData: FileThreadData = { maxOpen: this.#options.maxOpen };
    const worker = new Worker(this.#options.worker ?? new URL('./worker.ts', import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    const end = (why: string) => {
      if (this.#worker === worker) this.#gone(why);
    };
    worker.on('message', (answer: FileAnswer) => this.#answered(answer));
    worker.on('error', (error) => end(`its thread died: ${(error as Error).message}`));
    worker.on('exit', () => end('its thread is gone'));
    return worker;
  }

  #answered(answer: FileAnswer): void {
    const asked = this.#take(answer.number);
    if ('result' in answer) asked?.resolve(answer.result);
    else asked?.reject(new FileProblem(answer.kind, answer.message));
  }

  #take(number: number): Asked | undefined {
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    clearTimeout(asked?.timer);
    return asked;
  }

  /** The disk may be slow, or the file long. Whether the thread hangs is seen by asking it for nothing. */
  #isLate(number: number): void {
    const asked = this.#take(number);
    asked?.reject(new FileProblem('io', 'it took too long'));
    if (asked?.request.method !== 'ping') void this.#check();
  }

  async #check(): Promise<void> {
    const worker = this.#worker;
    if (this.#isChecking || !worker) return;
    this.#isChecking = true;
    const timer = setTimeout(() => {
      if (this.#worker === worker) this.#gone('its thread hung');
      void worker.terminate();
    }, this.#options.pingMs ?? 5000);
    await this.ask({ method: 'ping' }).catch(() => {});
    clearTimeout(timer);
    this.#isChecking = false;
  }

  #gone(why: string): void {
    this.#worker = undefined;
    this.#generation++;
    for (const number of [...this.#asked.keys()]) this.#take(number)?.reject(new FileProblem('io', why));
  }
}
