import type { Timer } from '../base/clock.ts';
import type { InstanceHost } from './incarnation.ts';

/**
 * The deaths of one instance's scripts for which they were to blame: how long to wait before the next start, when to
 * give up, and whether it has to live alone.
 */
export class Deaths {
  readonly #host: InstanceHost;
  #deaths: number[] = [];
  /** Until then, on the monotonic clock. */
  #quarantineUntil = Number.NEGATIVE_INFINITY;
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

  /** A script that may have killed its core gets one to itself. */
  get isInQuarantine(): boolean {
    return this.#host.clock.monotonic() < this.#quarantineUntil;
  }

  /** One more. Returns how long to wait (0, then `backOffMs` doubled each time); undefined when that was one too many. */
  add(isCoreDeath: boolean): number | undefined {
    const { deaths, deathWindowMs, backOffMs, quarantineMs } = this.#host.settings.limits;
    const now = this.#host.clock.monotonic();
    this.#deaths = [...this.#deaths.filter((at) => now - at < deathWindowMs), now];
    if (isCoreDeath) this.#quarantineUntil = now + quarantineMs;
    if (this.#deaths.length >= deaths) return undefined;
    return this.#deaths.length === 1 ? 0 : backOffMs * 2 ** (this.#deaths.length - 2);
  }

  /** New code begins with a clean record, but not out of quarantine. */
  forgive(): void {
    this.#deaths = [];
  }

  /** Calls back when the quarantine is over; at once when there is none, or none any more. */
  onQuarantineOver(callback: () => void): void {
    if (!this.isInQuarantine) return callback();
    const { clock } = this.#host;
    clock.clearTimer(this.#timer);
    this.#timer = clock.setTimer(callback, this.#quarantineUntil - clock.monotonic());
  }

  close(): void {
    this.#host.clock.clearTimer(this.#timer);
  }
}
