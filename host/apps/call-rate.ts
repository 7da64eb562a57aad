/** How often one client calls: a second's worth of calls may come at once, and the rest at that rate. */
export class CallRate {
  #at = 0;
  #spent = 0;

  /** One more call at `now` (milliseconds). Returns how long to wait before the next; 0 or less for not at all. */
  spend(now: number, perSecond: number): number {
    this.#spent = Math.max(0, this.#spent - ((now - this.#at) * perSecond) / 1000) + 1;
    this.#at = now;
    return ((this.#spent - perSecond) * 1000) / perSecond;
  }
}
