import type { Timer } from '../base/clock.ts';
import type { Company } from '../scripts/core-pool.ts';
import type { InstanceHost } from './incarnation.ts';

const MAX_DOUBLINGS = 5;

/**
 * The deaths of one instance's scripts for which they were to blame: how long to wait before the next start, when to
 * give up, and whether it has to live alone.
 */
export class Deaths {
  readonly #host: InstanceHost;
  #deaths: number[] = [];
  /** Until then, on the monotonic clock. */
  #quarantineUntil = Number.NEGATIVE_INFINITY;
  #company: Company = 'alone';
  #timer: Timer | undefined;

  constructor(host: InstanceHost) {
    this.#host = host;
  }

  get count(): number {
    return this.#deaths.length;
  }

  get windowMs(): number {
    return this.#host.settings.limits.deathWindowMs;
  }

  /** A script that may have killed its core has to live alone for a while, or with fellow suspects. */
  get company(): Company | undefined {
    return this.#host.clock.monotonic() < this.#quarantineUntil ? this.#company : undefined;
  }

  /** One more; `quarantine` if it may have killed its core. Returns how long to wait (0, then `backOffMs` doubled each time); undefined when that was one too many. */
  add(quarantine: Company | undefined, isStarved = false): number | undefined {
    const { deaths, deathWindowMs, backOffMs, quarantineMs } = this.#host.settings.limits;
    const now = this.#host.clock.monotonic();
    this.#deaths = [...this.#deaths.filter((at) => now - at < deathWindowMs), now];
    if (quarantine) {
      this.#quarantineUntil = now + quarantineMs;
      // Suspected twice, it is alone whoever else was there.
      this.#company = this.#deaths.length > 1 ? 'alone' : quarantine;
    }
    // Who dies because others have the processors waits for its turn like them, but is not given up for it.
    if (this.#deaths.length >= deaths && !isStarved) return undefined;
    return this.#deaths.length === 1 ? 0 : backOffMs * 2 ** Math.min(this.#deaths.length - 2, MAX_DOUBLINGS);
  }

  /** New code begins with a clean record, but not out of quarantine. */
  forgive(): void {
    this.#deaths = [];
  }

  /** Calls back when the quarantine is over; at once when there is none, or none any more. */
  onQuarantineOver(callback: () => void): void {
    if (!this.company) return callback();
    const { clock } = this.#host;
    clock.clearTimer(this.#timer);
    this.#timer = clock.setTimer(callback, this.#quarantineUntil - clock.monotonic());
  }

  close(): void {
    this.#host.clock.clearTimer(this.#timer);
  }
}
