import type { Viewer } from './viewer.ts';

/** What is kept since a key frame is long beyond that: one asks for another. */
const LONG_MS = 1000;
/** Not more often; so long a newcomer waits for one. */
const LEAST_MS = 1000;
const WAIT_MS = 500;

/**
 * Viewers who come in the middle of a long group of pictures: they begin with a key frame that the source is asked for, or, when none comes
 * in time, with what is kept.
 */
export class Newcomers {
  readonly #admit: (viewer: Viewer) => void;
  readonly #waiting = new Set<Viewer>();
  #timer: NodeJS.Timeout | undefined;
  #askedAt = -Infinity;
  /** The last key frame that was asked for has not come in time. */
  #isLate = false;

  constructor(admit: (viewer: Viewer) => void) {
    this.#admit = admit;
  }

  /** Asks for a key frame when the last is `ageMs` old, if that is long. Whether one is on its way. */
  ask(ageMs: number | undefined, forceKeyFrame: (() => void) | undefined): boolean {
    if (!forceKeyFrame || ageMs === undefined || ageMs <= LONG_MS) return false;
    const now = performance.now();
    if (now - this.#askedAt < LEAST_MS) return !this.#isLate;
    this.#askedAt = now;
    forceKeyFrame();
    return !this.#isLate;
  }

  hold(viewer: Viewer): void {
    this.#waiting.add(viewer);
    this.#timer ??= setTimeout(() => {
      this.#isLate = true;
      this.#admitAll();
    }, WAIT_MS);
  }

  /** It does not wait any more. */
  remove(viewer: Viewer): boolean {
    return this.#waiting.delete(viewer);
  }

  /** A key frame has come, or none will. */
  release(): void {
    this.#isLate = false;
    this.#admitAll();
  }

  #admitAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const viewer of this.#waiting) {
      this.#waiting.delete(viewer);
      this.#admit(viewer);
    }
  }
}
