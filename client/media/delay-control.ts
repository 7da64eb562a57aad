/** What to do about the delay now. */
export interface Correction {
  readonly rate: number;
  /** So far behind that something has to be left out. */
  readonly isJump: boolean;
}

const RAISE = 1.5;
const LOWER = 0.9;
const MAX_TARGET_MS = 2000;
const CALM_MS = 5000;
/** One stall is often told several times. */
const SAME_STALL_MS = 500;
const CATCH_UP = 1.05;
const HURRY = 1.1;
const HURRY_MS = 250;
const SLOW_DOWN = 0.96;

/**
 * How much is kept ahead of the play head: more whenever it ran dry, slowly less again when it does not. Only arithmetic:
 * the caller has the clock and the player.
 */
export class DelayControl {
  targetMs: number;
  readonly #minMs: number;
  readonly #jumpMs: number;
  #rate = 1;
  #changedAt = 0;

  /** `jumpMs`: so far from the target nothing but leaving something out helps. */
  constructor(minMs: number, jumpMs: number) {
    this.#minMs = minMs;
    this.#jumpMs = jumpMs;
    this.targetMs = minMs;
  }

  /** The player ran dry. */
  stalled(nowMs: number): void {
    if (nowMs - this.#changedAt < SAME_STALL_MS) return;
    this.#changedAt = nowMs;
    this.targetMs = Math.max(this.#minMs, Math.min(this.targetMs * RAISE, MAX_TARGET_MS));
  }

  /** `aheadMs`: what is there beyond the play head. */
  decide(aheadMs: number, nowMs: number): Correction {
    if (nowMs - this.#changedAt > CALM_MS) {
      this.#changedAt = nowMs;
      this.targetMs = Math.max(this.targetMs * LOWER, this.#minMs);
    }
    const excess = aheadMs - this.targetMs;
    if (excess > this.#jumpMs) {
      this.#rate = 1;
      return { rate: 1, isJump: true };
    }
    // What has begun goes on until the target is met: rates that change all the time can be heard.
    if (this.#rate > 1 ? excess > 0 : excess > Math.max(80, this.targetMs / 2))
      this.#rate = excess > HURRY_MS ? HURRY : CATCH_UP;
    else if (this.#rate < 1 ? excess < 0 : aheadMs < this.targetMs / 3) this.#rate = SLOW_DOWN;
    else this.#rate = 1;
    return { rate: this.#rate, isJump: false };
  }
}
