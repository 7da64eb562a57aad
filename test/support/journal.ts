/** How long a test waits for what must come. Generous: only a failing test waits so long. */
export const DEADLINE_MS = 20_000;

interface Waiter<T> {
  readonly from: number;
  readonly matches: (entry: T) => boolean;
  readonly found: (entry: T) => void;
  readonly failed: (error: Error) => void;
  readonly describe: () => string;
}

/** What arrived, in order. Tests wait for an entry and never for a time. */
export class Journal<T> {
  readonly entries: T[] = [];
  readonly #name: string;
  readonly #show: (entry: T) => string;
  readonly #waiters = new Set<Waiter<T>>();
  #end: string | undefined;

  /** `show`: one line about an entry, for the message of a test that waited in vain. */
  constructor(name: string, show: (entry: T) => string) {
    this.#name = name;
    this.#show = show;
  }

  /** A place to wait from: entries before it do not count. */
  get mark(): number {
    return this.entries.length;
  }

  add(entry: T): void {
    this.entries.push(entry);
    for (const waiter of this.#waiters) {
      if (this.entries.length > waiter.from && waiter.matches(entry)) waiter.found(entry);
    }
  }

  /** Nothing more will come: whoever waits is told now. */
  end(reason: string): void {
    this.#end = reason;
    for (const waiter of this.#waiters) waiter.failed(new Error(waiter.describe()));
  }

  /** The first entry that matches, among those from `from` on and those to come. */
  waitFor<M extends T>(what: string, matches: (entry: T) => entry is M, from?: number): Promise<M>;
  waitFor(what: string, matches: (entry: T) => boolean, from?: number): Promise<T>;
  waitFor(what: string, matches: (entry: T) => boolean, from = 0): Promise<T> {
    const present = this.entries.slice(from).find(matches);
    if (present !== undefined) return Promise.resolve(present);
    const describe = () => this.#describe(what, from);
    if (this.#end !== undefined) return Promise.reject(new Error(describe()));

    return new Promise<T>((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter<T> = {
        from,
        matches,
        describe,
        found: (entry) => {
          done();
          resolve(entry);
        },
        failed: (error) => {
          done();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.failed(new Error(describe())), DEADLINE_MS);
      this.#waiters.add(waiter);
    });
  }

  #describe(what: string, from: number): string {
    const seen = this.entries.slice(from).slice(-30);
    const skipped = this.entries.length - from - seen.length;
    const lines = seen.map((entry) => `  ${this.#show(entry)}`);
    if (skipped > 0) lines.unshift(`  (${skipped} more before)`);
    const end = this.#end === undefined ? '' : ` (it ended: ${this.#end})`;
    return `${this.#name}: ${what} did not come${end}; what came:\n${lines.join('\n') || '  nothing'}`;
  }
}

/** Asks again and again until the answer is true: for states that nobody announces. */
export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Fails with `what` when the promise takes too long. */
export async function inTime<T>(what: string, promise: Promise<T>, ms = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
