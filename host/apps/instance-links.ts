/** Connections that are closed and still there, for what was sent last: with more of them none is made. */
const MAX_CLOSING = 64;

/**
 * The connections of one instance, whichever of its scripts has made them: what a script leaves to streams, or closes, is no
 * way around `limits.outgoingConnections`.
 */
export class InstanceLinks {
  /** What ends those whose script is over; the oldest first. */
  readonly #left = new Set<() => void>();
  #count = 0;

  /** One is there, until `gone`. */
  made(): void {
    this.#count++;
  }

  gone(): void {
    this.#count--;
  }

  /** `limit`: how many a script may have; scripts before it have left as many at most. */
  isFull(limit: number): boolean {
    return this.#count >= 2 * limit + MAX_CLOSING;
  }

  /** The script is over, and streams go on over one of its connections: the oldest ends when there are more than `limit`. */
  leave(end: () => void, limit: number): void {
    this.#left.add(end);
    for (const oldest of this.#left) {
      if (this.#left.size <= limit) break;
      this.#left.delete(oldest);
      oldest();
    }
  }

  /** It has ended. */
  ended(end: () => void): void {
    this.#left.delete(end);
  }
}
