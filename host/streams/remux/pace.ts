import { setTimeout } from 'node:timers/promises';

/** It works for so long, and rests as long as it has worked. */
const TURN_MS = 10;

/** Half of the machine at most, its disk and processor: an MP4 can wait, what goes on beside it cannot. */
export class Pace {
  #since = performance.now();

  async step(): Promise<void> {
    const workedMs = performance.now() - this.#since;
    if (workedMs < TURN_MS) return;
    await setTimeout(workedMs);
    this.#since = performance.now();
  }
}
