import childProcess, { type ChildProcess, type SpawnOptions } from 'node:child_process';
import { createRequire } from 'node:module';
import type * as Esbuild from 'esbuild';
import { describeError, StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import { watchAnswers } from './bundler-answers.ts';
import { isStopped, offerToOomKiller, residentBytes } from './process-stat.ts';

/** What one piece of work may take. */
export type BundlerLimits = Pick<Limits, 'buildMs' | 'buildMb'>;

/** What somebody has a bundler do. It may be asked again, of another one. */
export type BundlerWork<T> = (bundler: Bundler) => Promise<T>;

/** A bundler ended under some work. */
export class BundlerDeath extends Error {
  /** That work is why. Otherwise it was one of several, or the bundler was killed from outside. */
  readonly isCertain: boolean;

  /** `reason` follows the name of a file. */
  constructor(reason: string, isCertain: boolean) {
    super(reason);
    this.isCertain = isCertain;
  }
}

interface Job {
  readonly mostMb: number;
  isLate: boolean;
}

interface BundlerEnd {
  reason: string;
  /** It was not killed from outside. */
  isOwn: boolean;
  /** What was under way. */
  jobs: number;
}

const WEIGH_EVERY_MS = 100;
/** A trace of Go begins with what is the matter. */
const MAX_TRACE = 4096;

/**
 * A process of esbuild. Some code kills it (a million brackets are more than its stack can hold) and some never comes
 * to an end (a pipe that nobody writes to) or of memory (a link to an endless file): all its work has limits, and its
 * end has a reason.
 */
export class Bundler {
  readonly api: typeof Esbuild;
  /** It works for one build only, to see what comes of it. */
  readonly isTrial: boolean;
  isOver = false;
  readonly #child: ChildProcess;
  readonly #jobs = new Set<Job>();
  readonly #end: Promise<BundlerEnd>;
  #scales: NodeJS.Timeout | undefined;
  /** Why it was killed, unless a job was late. */
  #excess: string | undefined;
  #trace = '';

  constructor(isTrial: boolean) {
    this.isTrial = isTrial;
    [this.api, this.#child] = startEsbuild((why) => this.#exceed(why));
    offerToOomKiller(this.#child.pid ?? 0);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#trace = (this.#trace + text).slice(0, MAX_TRACE);
    });
    this.#end = new Promise((resolve) => {
      const ended = (reason: string, isOwn: boolean) => {
        this.isOver = true;
        resolve({
          reason: this.#excess ?? reason,
          isOwn: isOwn || this.#excess !== undefined,
          jobs: this.#jobs.size,
        });
      };
      this.#child.once('error', (error) => ended(error.message, false));
      this.#child.once('close', (code, signal) => {
        if (signal) return ended(`killed by ${signal}`, false);
        ended(/^(?:fatal error|panic): (.+)$/m.exec(this.#trace)?.[1] ?? `exit code ${code}`, true);
      });
    });
  }

  /** Rejects with BundlerDeath when the process ends or has to, and else with what the work throws. */
  async run<T>({ buildMs, buildMb }: BundlerLimits, work: BundlerWork<T>): Promise<T> {
    const job: Job = { mostMb: buildMb, isLate: false };
    this.#jobs.add(job);
    this.#scales ??= setInterval(() => this.#weigh(), WEIGH_EVERY_MS).unref();
    const timer = setTimeout(() => {
      if (this.isOver) return; // through another's fault, it may be
      job.isLate = !isStopped(this.#child.pid ?? 0); // frozen from outside, it had no time
      this.kill();
    }, buildMs);
    try {
      return await work(this);
    } catch (error) {
      if (!/^The service (was stopped|is no longer running)/.test(describeError(error))) throw error;
      this.kill(); // it has no way to answer any more
      const { reason, isOwn, jobs } = await this.#end;
      if (job.isLate)
        throw new BundlerDeath(`is not bundled within ${buildMs / 1000} s (limits.buildMs)`, true);
      const isCertain = this.isTrial || (isOwn && jobs === 1);
      throw new BundlerDeath(`ended the process that was to bundle it: ${reason}`, isCertain);
    } finally {
      clearTimeout(timer);
      this.#jobs.delete(job);
      if (this.#jobs.size === 0) {
        clearInterval(this.#scales);
        this.#scales = undefined;
      }
    }
  }

  /** May be called twice. */
  kill(): void {
    this.isOver = true;
    this.#child.kill('SIGKILL');
  }

  #weigh(): void {
    const mb = (residentBytes(this.#child.pid ?? 0) ?? 0) / 1024 / 1024;
    const mostMb = Math.max(...[...this.#jobs].map((job) => job.mostMb));
    if (mb <= mostMb || this.isOver) return;
    this.#exceed(`it needed more than ${mostMb} MB (limits.buildMb)`);
  }

  #exceed(why: string): void {
    this.#excess ??= why;
    this.kill();
  }
}

let shared: Bundler | undefined;
let trials: Promise<unknown> = Promise.resolve();

/**
 * Does something with the bundler that all share. When that one ends and nobody knows through whose fault, the work is
 * done once more in a bundler of its own, one after the other, while new work goes on elsewhere.
 */
export async function withBundler<T>(limits: BundlerLimits, work: BundlerWork<T>): Promise<T> {
  try {
    if (!shared || shared.isOver) shared = new Bundler(false);
    return await shared.run(limits, work);
  } catch (error) {
    if (!(error instanceof BundlerDeath) || error.isCertain) throw error;
    const trial = trials.then(() => tryAlone(limits, work));
    trials = trial.catch(() => {}); // whoever wants the result hears of it
    return trial;
  }
}

async function tryAlone<T>(limits: BundlerLimits, work: BundlerWork<T>): Promise<T> {
  const bundler = new Bundler(true);
  try {
    return await bundler.run(limits, work);
  } finally {
    bundler.kill();
  }
}

/**
 * esbuild's module starts one process, keeps it to itself and lets it write to our terminal. So each process gets a
 * copy of the module, and is started with pipes.
 */
function startEsbuild(onExcess: (why: string) => void): [typeof Esbuild, ChildProcess] {
  const require = createRequire(import.meta.url);
  delete require.cache[require.resolve('esbuild')];
  const api = require('esbuild') as typeof Esbuild;
  const { spawn } = childProcess;
  let child: ChildProcess | undefined;
  const spawnWithPipes = (command: string, args: readonly string[], options: SpawnOptions) => {
    child = spawn(command, args, { ...options, stdio: 'pipe' });
    if (child.stdout) watchAnswers(child.stdout, onExcess); // before esbuild listens
    return child;
  };
  Object.assign(childProcess, { spawn: spawnWithPipes });
  try {
    void api.initialize({});
  } catch (error) {
    throw new StagewireError('E_BUILDER', 'host', `esbuild does not start: ${describeError(error)}`);
  } finally {
    Object.assign(childProcess, { spawn });
  }
  if (!child) throw new StagewireError('E_BUILDER', 'host', 'esbuild does not start as it used to');
  // Like all else that esbuild has open, it keeps no process from ending.
  (child.stderr as (typeof child.stderr & { unref?(): void }) | null)?.unref?.();
  return [api, child];
}
