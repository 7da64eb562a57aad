import { availableParallelism } from 'node:os';
import { describeError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { CoreProcess } from './core-process.ts';
import type { Sandbox } from './sandbox.ts';

export interface CorePoolOptions {
  /** The runtime's bundle. */
  runtime: string;
  sandbox: Sandbox;
  limits: Limits;
  log: Log;
}

/**
 * Who an isolate may share a core with: everybody (`shared`), nobody yet (`fresh`: its code has never run), only
 * instances of its application (`app`), nobody (`alone`), fellow suspects (a ward).
 */
export type Company = 'shared' | 'fresh' | 'app' | 'alone' | Ward;
/** With the other suspects of a core's death. */
export interface Ward {
  readonly ward: string;
}

/** Cores start in the background, but not while those who lost theirs start again. */
const REFILL_AFTER_MS = 100;
const MAX_REFILL_MS = 30_000;
/** So many isolates that start at the same time have lost their core. */
const CROWD = 4;

/** The core processes: who lives where, and the warm ones that stand by. */
export class CorePool {
  readonly #options: CorePoolOptions;
  /** As long as there are fewer shared cores, instances spread over new ones. */
  readonly #spread: number;
  readonly #cores = new Set<CoreProcess>();
  #heartbeat: NodeJS.Timeout | undefined;
  #refill: NodeJS.Timeout | undefined;
  /** Spares in a row that did not come up. */
  #failures = 0;
  #isClosed = false;
  /** Cores that ended by themselves or were killed for cause. */
  deaths = 0;

  constructor(options: CorePoolOptions) {
    this.#options = options;
    this.#spread = options.limits.spreadCores || Math.max(1, availableParallelism() - 1);
  }

  /** Starts the first cores, so that the first instance does not wait for one. */
  async warmUp(): Promise<void> {
    const { heartbeatMs } = this.#options.limits;
    const first = this.#start();
    this.#heartbeat = setInterval(() => {
      for (const core of this.#cores) core.beat(heartbeatMs);
    }, heartbeatMs);
    await first.ready;
    this.#scheduleRefill();
  }

  /** The core for one more isolate of that application, which is counted from now on. */
  place(app: string, wanted: Company): CoreProcess {
    const company = this.#affordable(app, wanted);
    const core = this.#find(app, company);
    core.isolates++;
    core.hosted++;
    core.tenant = tenantOf(app, company);
    core.isQuarantine = company === 'alone' || company === 'fresh';
    if (core.hosted >= this.#options.limits.coreRetireInstances) core.retire();
    this.#scheduleRefill();
    return core;
  }

  get cores(): readonly CoreProcess[] {
    return [...this.#cores];
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#refill);
    for (const core of this.#cores) core.kill();
  }

  #find(app: string, company: Company): CoreProcess {
    if (company === 'alone' || company === 'fresh') return this.#empty();
    const tenant = tenantOf(app, company);
    let least: CoreProcess | undefined;
    let count = 0;
    for (const core of this.#cores) {
      if (core.isolates === 0 || core.tenant !== tenant || !this.#hasRoom(core)) continue;
      count++;
      if (!least || core.isolates < least.isolates) least = core;
    }
    const isSpread = tenant !== undefined || count >= this.#spread;
    return least && isSpread ? least : this.#empty();
  }

  /** With all cores there may be, nobody gets one of its own: an application's suspects share, new code joins others. */
  #affordable(app: string, company: Company): Company {
    if (company !== 'alone' && company !== 'fresh') return company;
    if (this.#cores.size - this.#spares < this.#options.limits.cores) return company;
    return company === 'alone' ? { ward: `ward ${app}` } : 'shared';
  }

  #hasRoom(core: CoreProcess): boolean {
    const { instancesPerCore } = this.#options.limits;
    return !core.isGone && !core.isRetired && !core.isQuarantine && core.isolates < instancesPerCore;
  }

  /** A core that serves nobody: a warm one if there is one. */
  #empty(): CoreProcess {
    return this.#nextSpare ?? this.#start();
  }

  get #nextSpare(): CoreProcess | undefined {
    let found: CoreProcess | undefined;
    for (const core of this.#cores) {
      if (!this.#isSpare(core)) continue;
      if (!found || (core.isReady && !found.isReady)) found = core;
    }
    return found;
  }

  /** The next spare has heaps for as many as would come if the fullest core died. */
  #stockUp(): void {
    const spare = this.#nextSpare;
    if (spare?.isReady) spare.stock(Math.max(...[...this.#cores].map((core) => core.isolates)));
  }

  #start(): CoreProcess {
    const { runtime, sandbox, limits, log } = this.#options;
    const core = new CoreProcess(runtime, sandbox, limits, log, {
      onExit: (gone, message) => {
        this.#cores.delete(gone);
        if (this.#isClosed || gone.isDismissed) return;
        this.deaths++;
        const moves = gone.isolates === 0 ? '' : `; ${instances(gone.isolates)} again in another`;
        log.error(`core ${gone.pid} ended (${message})${moves}`, { code: 'E_CORE_GONE' });
        this.#scheduleRefill();
      },
      onEmpty: (empty) => this.#emptied(empty),
    });
    this.#cores.add(core);
    return core;
  }

  /** An empty core stands by for the next, unless it is old or there are enough of them. */
  #emptied(core: CoreProcess): void {
    core.tenant = undefined;
    core.isQuarantine = false;
    if (core.isRetired || this.#spares > this.#options.limits.spareCores + 1) core.dismiss();
  }

  get #booting(): number {
    let count = 0;
    for (const core of this.#cores) count += core.booting;
    return count;
  }

  get #spares(): number {
    let count = 0;
    for (const core of this.#cores) if (this.#isSpare(core)) count++;
    return count;
  }

  /** One that was dismissed is on its way out, though it has not gone yet. */
  #isSpare(core: CoreProcess): boolean {
    return core.isolates === 0 && !core.isGone && !core.isRetired && !core.isDismissed;
  }

  async #startLater(): Promise<void> {
    await this.#start().ready;
  }

  #scheduleRefill(): void {
    if (this.#isClosed || this.#refill) return;
    const delayMs = Math.min(REFILL_AFTER_MS * 2 ** this.#failures, MAX_REFILL_MS);
    this.#refill = setTimeout(() => {
      this.#refill = undefined;
      if (this.#isClosed) return;
      // Those who have lost their core need the processors first; then one spare after the other.
      if (this.#booting >= CROWD) return this.#scheduleRefill();
      if (this.#spares >= this.#options.limits.spareCores) return this.#stockUp();
      void this.#startLater().then(
        () => {
          this.#failures = 0;
          this.#scheduleRefill();
        },
        (error: unknown) => {
          if (this.#isClosed) return; // it was stopped with all others
          this.#failures++;
          this.#options.log.warn(`no spare core: ${describeError(error)}`);
          this.#scheduleRefill();
        },
      );
    }, delayMs);
  }
}

/** Who else may live in that core: those for whom this is the same. */
function tenantOf(app: string, company: Company): string | undefined {
  if (typeof company === 'object') return company.ward;
  return company === 'app' ? app : undefined;
}

function instances(count: number): string {
  return count === 1 ? 'its instance starts' : `its ${count} instances start`;
}
