/** Where a stream begins in the player: pictures and sound that are timed a little before the first still have a place. */
export const START_MS = 10_000;
/** Pictures and sound are interleaved about so well. What goes back further is a new beginning. */
const MAX_BACK_MS = 1000;
const RESTART_GAP_MS = 40;
/** How many new beginnings `timestampAt` remembers. */
const MAX_PIECES = 8;

/** From message timestamps, which wrap after 49 days and begin anew with a new publisher, to one clock that never does. */
export class Timeline {
  #lastStamp: number | undefined;
  #last = START_MS;
  #highest = START_MS;
  /** Where stamps began to be counted from another one, newest last. */
  readonly #pieces: { fromMs: number; stamp: number }[] = [];

  /** Milliseconds since 10 s before the first message. */
  place(timestamp: number): number {
    if (this.#lastStamp === undefined) this.#begin(START_MS, timestamp);
    else {
      const delta = (timestamp - this.#lastStamp) | 0; // as a signed number of 32 bits
      if (delta < -MAX_BACK_MS) this.#begin(this.#highest + RESTART_GAP_MS, timestamp);
      else this.#last += delta;
    }
    this.#lastStamp = timestamp;
    this.#highest = Math.max(this.#highest, this.#last);
    return this.#last;
  }

  /** The message timestamp that stands for a time; `undefined` before the first message. */
  timestampAt(timeMs: number): number | undefined {
    const piece = this.#pieces.findLast(({ fromMs }) => fromMs <= timeMs) ?? this.#pieces[0];
    return piece && (piece.stamp + Math.max(0, timeMs - piece.fromMs)) >>> 0;
  }

  #begin(atMs: number, stamp: number): void {
    this.#last = atMs;
    this.#pieces.push({ fromMs: atMs, stamp });
    if (this.#pieces.length > MAX_PIECES) this.#pieces.shift();
  }
}
