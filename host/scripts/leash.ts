import { availableParallelism } from 'node:os';
import type { Clock } from '../base/clock.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';

/** Who is at work for so long, or waits for it, wants a processor of its own. */
const LONG_MS = 50;

interface Waiting {
  since: number;
  askAgain: () => void;
}

/**
 * Keeps one application's code from taking the processors away from all others. When one of its scripts has to be stopped
 * while more of them are at work than there are processors, and no other application crowds more, it is put on the
 * leash: from then on its turns and starts share half of the processors and wait for one another, until the like has
 * not happened for a while. Who waits has not begun, so that the time limits of handlers do not run.
 */
export class Leash {
  readonly #limits: () => Limits;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #others: () => Iterable<Leash>;
  readonly #processors: number;
  /** The scripts in a turn or a start, and since when. */
  readonly #atWork = new Map<object, number>();
  readonly #waiting = new Map<object, Waiting>();
  /** Newer code is there, with a leash of its own: who waits for a start need not start any more. */
  isRetired = false;
  /** When it last gave reason for the leash; undefined when it is not on it. */
  #crowdedAt: number | undefined;

  /** `others`: those of all applications, its own may be among them. */
  constructor(
    limits: () => Limits,
    log: Log,
    clock: Clock,
    others: () => Iterable<Leash> = () => [],
    processors = availableParallelism(),
  ) {
    this.#limits = limits;
    this.#log = log;
    this.#clock = clock;
    this.#others = others;
    this.#processors = processors;
  }

  /** Whether the script may go to work; `end` must follow. If not, it is asked to ask again when that may have changed. */
  begin(script: object, askAgain: () => void): boolean {
    if (this.#atWork.has(script)) return true;
    this.#liftInTime();
    const now = this.#clock.monotonic();
    if (!this.#hasRoom) {
      const since = this.#waiting.get(script)?.since ?? now;
      this.#waiting.set(script, { since, askAgain });
      return false;
    }
    this.#waiting.delete(script);
    this.#atWork.set(script, now);
    return true;
  }

  /** The script is not at work any more, and does not wait for it. */
  end(script: object): void {
    this.#atWork.delete(script);
    this.#waiting.delete(script);
    this.#liftInTime();
    this.#callNext();
  }

  /** A script had to be stopped; it is still at work. */
  failed(): void {
    const crowd = this.#crowd;
    if (crowd <= this.#processors) return;
    for (const other of this.#others()) if (other.#crowd > crowd) return; // who suffers from those is not to blame
    if (this.#crowdedAt === undefined) {
      const most = this.#slots === 1 ? 'one' : `${this.#slots}`;
      this.#log.warn(
        `${crowd} of its instances were at work at once when one had to be stopped: from now on ${most} at a time`,
        { code: 'E_LEASHED' },
      );
    }
    this.#crowdedAt = this.#clock.monotonic();
  }

  retire(): void {
    this.isRetired = true;
    for (const { askAgain } of [...this.#waiting.values()]) askAgain();
  }

  get #slots(): number {
    return Math.max(1, Math.floor(this.#processors / 2));
  }

  get #hasRoom(): boolean {
    return this.#crowdedAt === undefined || this.#atWork.size < this.#slots;
  }

  get #crowd(): number {
    const now = this.#clock.monotonic();
    let crowd = 0;
    for (const since of this.#atWork.values()) if (now - since >= LONG_MS) crowd++;
    for (const { since } of this.#waiting.values()) if (now - since >= LONG_MS) crowd++;
    return crowd;
  }

  /** One handler more than that: who loops on the leash fails no more often. */
  #liftInTime(): void {
    if (this.#crowdedAt === undefined) return;
    const { quarantineMs, handlerMs } = this.#limits();
    if (this.#clock.monotonic() - this.#crowdedAt <= quarantineMs + handlerMs) return;
    this.#crowdedAt = undefined;
    this.#log.info('its instances may be at work at once again');
    this.#callNext();
  }

  /** Who asks again may find that it needs nothing any more, and leaves its place to the next. */
  #callNext(): void {
    for (const [script, { askAgain }] of this.#waiting) {
      if (!this.#hasRoom) return;
      this.#waiting.delete(script);
      askAgain();
    }
  }
}
