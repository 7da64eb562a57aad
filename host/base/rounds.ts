/** Of one round of the event loop, for all work together. */
const ROUND_MS = 10;
/** At a stretch when others wait: then it is their turn. */
const STRETCH_MS = 2;
/** Between two looks at the clock. */
const STEPS = 8;

/** One step of some work. Whether there is more to do; throws when there cannot be. */
export type Step = () => boolean;

interface Work {
  readonly step: Step;
  readonly took: (ms: number) => void;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Work of which there may be much at once, though a step of it takes little: what one round of the event loop has no
 * time for is done in the next ones, so that sockets are served in between. All take turns.
 */
export class Rounds {
  #waiting: Work[] = [];
  #usedMs = 0;
  #nextRound: NodeJS.Immediate | undefined;

  /** Undefined when all of it has been done; then it throws what a step threw. `took` hears of the time for each part. */
  run(step: Step, took: (ms: number) => void): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#usedMs < ROUND_MS && !this.#stretch(step, took)) return undefined;
    return new Promise((done, failed) => {
      this.#waiting.push({ step, took, done, failed });
      this.#awaitRound();
    });
  }

  /** Whether there is more to do. */
  #stretch(step: Step, took: (ms: number) => void): boolean {
    const startedAt = performance.now();
    const limitMs = this.#waiting.length > 0 ? STRETCH_MS : ROUND_MS - this.#usedMs;
    try {
      for (;;) {
        for (let i = 0; i < STEPS; i++) if (!step()) return false;
        if (performance.now() - startedAt >= limitMs) return true;
      }
    } finally {
      const ms = performance.now() - startedAt;
      this.#usedMs += ms;
      took(ms);
      this.#awaitRound();
    }
  }

  #awaitRound(): void {
    this.#nextRound ??= setImmediate(() => {
      this.#nextRound = undefined;
      this.#usedMs = 0;
      while (this.#waiting.length > 0 && this.#usedMs < ROUND_MS) this.#goOn(this.#waiting.shift()!);
      if (this.#waiting.length > 0) this.#awaitRound();
    });
  }

  #goOn(work: Work): void {
    try {
      if (this.#stretch(work.step, work.took)) this.#waiting.push(work);
      else work.done();
    } catch (error) {
      work.failed(error);
    }
  }
}
