/** Who looks now and then whether it is time to send more. */
export interface Paced {
  tick(): void;
  /** What its tick threw; it is not called again. */
  failed(error: unknown): void;
}

/** One timer for all who do so; none while nobody does. */
export class Pacer {
  readonly #tickMs: number;
  readonly #paced = new Set<Paced>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  add(one: Paced): void {
    this.#paced.add(one);
    this.#timer ??= setInterval(() => {
      for (const each of this.#paced) this.#tick(each);
    }, this.#tickMs);
  }

  /** The others go on, whatever becomes of one. */
  #tick(one: Paced): void {
    try {
      one.tick();
    } catch (error) {
      this.remove(one);
      one.failed(error);
    }
  }

  remove(one: Paced): void {
    this.#paced.delete(one);
    if (this.#paced.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
