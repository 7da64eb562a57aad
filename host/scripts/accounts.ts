import type { ProcessCpu } from './process-stat.ts';

/**
 * Processor time by script. V8 counts how long an isolate was entered: too much when threads compete (12 s reported
 * for 4 s spent were measured). The operating system knows what a core's threads really used, but not for whom. So
 * V8's counts are shares of the core's time, settled about once a second. What is left of error: 10 ms a settlement
 * (the clock tick of /proc), and helper threads of V8, which count for whoever ran.
 */
export class CpuAccount {
  #settledUs = 0;
  #pendingUs = 0;
  readonly #core: CoreAccounts;

  constructor(core: CoreAccounts) {
    this.#core = core;
  }

  /** A turn used that much by V8's count, `answeredUs` of it in the core's first thread. Returns what it probably really used. */
  add(us: number, answeredUs = 0): number {
    this.#pendingUs += us;
    this.#core.answeredUs += answeredUs;
    this.#core.pending.set(this, this.#pendingUs);
    return us * this.#core.scale;
  }

  get cpuMs(): number {
    return (this.#settledUs + this.#pendingUs * this.#core.scale) / 1000;
  }

  settle(scale: number): void {
    this.#settledUs += this.#pendingUs * scale;
    this.#pendingUs = 0;
  }
}

/** Less than this says little about a scale: the ticks of /proc are 10 ms. */
const ENOUGH_US = 200_000;
/** V8's helper threads (garbage collection, compilation) can make isolates cost more than they were entered for. */
const MAX_SCALE = 2;

/** The accounts of one core's isolates. */
export class CoreAccounts {
  readonly pending = new Map<CpuAccount, number>();
  /** What V8's counts are worth, by the last settlement. */
  scale = 1;
  /** Since then: what the first thread, which else runs no script, has worked for scripts. */
  answeredUs = 0;
  #last: ProcessCpu | undefined;

  /** The core has used this much so far. The first call only marks where to count from. */
  settle(now: ProcessCpu | undefined): void {
    const last = this.#last;
    let counted = 0;
    for (const us of this.pending.values()) counted += us;
    if (now && last) {
      if (counted < ENOUGH_US) return; // later, together with what follows
      const used = (now.allMs - last.allMs - (now.mainMs - last.mainMs)) * 1000 + this.answeredUs;
      this.scale = Math.min(Math.max(used / counted, 0), MAX_SCALE);
    }
    for (const account of this.pending.keys()) account.settle(this.scale);
    this.pending.clear();
    this.answeredUs = 0;
    this.#last = now;
  }
}
