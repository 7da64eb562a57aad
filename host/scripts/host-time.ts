/**
 * What the host uses of processors while scripts wait for its answers. Answering is done bit by bit, by threads too, and the
 * operating system knows only what all of the host has used: those who wait share that, and nobody is charged for more
 * than the time that it has waited. So media that flow meanwhile count too, and waiting for a slow disk hardly does.
 */
export class HostTime {
  readonly #cpuMs: () => number;
  readonly #now: () => number;
  #waiting = 0;
  #seenMs = 0;
  /** What somebody would have been charged who has waited since the beginning. */
  #shareMs = 0;

  /** `cpuMs`: of all threads of this process so far. */
  constructor(cpuMs: () => number = processCpuMs, now: () => number = () => performance.now()) {
    this.#cpuMs = cpuMs;
    this.#now = now;
  }

  /** A script begins to wait. Call what it returns, once, when that is over: it tells the script's part. */
  begin(): () => number {
    this.#settle();
    this.#waiting++;
    const [shareMs, at] = [this.#shareMs, this.#now()];
    return () => {
      this.#settle();
      this.#waiting--;
      return Math.min(this.#shareMs - shareMs, this.#now() - at);
    };
  }

  #settle(): void {
    const cpuMs = this.#cpuMs();
    if (this.#waiting > 0) this.#shareMs += (cpuMs - this.#seenMs) / this.#waiting;
    this.#seenMs = cpuMs;
  }
}

function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
