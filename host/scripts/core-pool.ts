import { availableParallelism } from 'node:os';
import type { Log } from '../base/log.ts';
import { CoreProcess } from './core-process.ts';

export interface CorePoolOptions {
  /** The runtime's bundle. */
  runtime: string;
  log: Log;
  /** How many core processes serve; default: one less than the machine's processors, at least one. */
  size?: number;
}

/** The core processes. A core that ends is replaced when the next isolate needs one. */
export class CorePool {
  readonly #options: CorePoolOptions;
  readonly #size: number;
  readonly #cores = new Set<CoreProcess>();
  #isClosed = false;

  constructor(options: CorePoolOptions) {
    this.#options = options;
    this.#size = options.size ?? Math.max(1, availableParallelism() - 1);
  }

  /** Starts the first core, so that the first instance does not wait for it. */
  async warmUp(): Promise<void> {
    await this.#start().ready;
  }

  /** The core with the fewest isolates, or a new one while there are fewer cores than may be. */
  pick(): CoreProcess {
    let least: CoreProcess | undefined;
    for (const core of this.#cores) {
      if (!least || core.isolates < least.isolates) least = core;
    }
    if (!least || (least.isolates > 0 && this.#cores.size < this.#size)) return this.#start();
    return least;
  }

  get pids(): number[] {
    return [...this.#cores].map((core) => core.pid);
  }

  close(): void {
    this.#isClosed = true;
    for (const core of this.#cores) core.kill();
  }

  #start(): CoreProcess {
    const { runtime, log } = this.#options;
    const core = new CoreProcess(runtime, log, (gone, reason) => {
      this.#cores.delete(gone);
      if (!this.#isClosed)
        log.error(`core ${gone.pid} ended (${reason}); its instances start again in another`);
    });
    this.#cores.add(core);
    return core;
  }
}
