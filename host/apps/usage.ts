/** Names of methods are the application's to choose, and may be without end. */
const MAX_HANDLERS = 200;
const OTHERS = '(others)';

/** Time that handlers took, as the isolate counts it (docs/operating.md, "Accounts"). */
export class Usage {
  readonly #byHandler = new Map<string, number>();
  totalMs = 0;

  add(handler: string, ms: number): void {
    const isKnown = this.#byHandler.has(handler) || this.#byHandler.size < MAX_HANDLERS;
    const name = isKnown ? handler : OTHERS;
    this.#byHandler.set(name, (this.#byHandler.get(name) ?? 0) + ms);
    this.totalMs += ms;
  }

  /** The most expensive first. */
  get handlers(): { name: string; ms: number }[] {
    return [...this.#byHandler].map(([name, ms]) => ({ name, ms })).sort((a, b) => b.ms - a.ms);
  }
}
