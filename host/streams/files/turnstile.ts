/**
 * Lets so many in at a time. The others wait: of each owner in order, and owners take turns. Nobody has more than half
 * of the places, so that there are some for others at once, however long the one's work takes.
 */
export class Turnstile<Owner> {
  readonly #share: number;
  #free: number;
  readonly #inside = new Map<Owner, number>();
  /** In the order of whose turn it is. */
  readonly #waiting = new Map<Owner, (() => void)[]>();

  constructor(places: number) {
    this.#free = places;
    this.#share = Math.ceil(places / 2);
  }

  async run<Result>(owner: Owner, work: () => Promise<Result>): Promise<Result> {
    if (this.#mayEnter(owner)) this.#count(owner, 1);
    else await new Promise<void>((enter) => this.#wait(owner, enter));
    try {
      return await work();
    } finally {
      this.#count(owner, -1);
      this.#letNextIn();
    }
  }

  #mayEnter(owner: Owner): boolean {
    return this.#free > 0 && (this.#inside.get(owner) ?? 0) < this.#share;
  }

  #wait(owner: Owner, enter: () => void): void {
    const queue = this.#waiting.get(owner);
    if (queue) queue.push(enter);
    else this.#waiting.set(owner, [enter]);
  }

  #letNextIn(): void {
    for (const [owner, queue] of this.#waiting) {
      if (!this.#mayEnter(owner)) continue;
      this.#count(owner, 1);
      this.#waiting.delete(owner);
      queue.shift()!();
      if (queue.length > 0) this.#waiting.set(owner, queue);
      return;
    }
  }

  #count(owner: Owner, more: number): void {
    this.#free -= more;
    const inside = (this.#inside.get(owner) ?? 0) + more;
    if (inside > 0) this.#inside.set(owner, inside);
    else this.#inside.delete(owner);
  }
}
