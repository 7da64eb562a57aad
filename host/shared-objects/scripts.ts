import type { SharedChange } from '../../runtime/wall/sharing.ts';
import type { Slots } from './slots.ts';
import type { News, Observer } from './subscription.ts';

/**
 * The scripts that have opened one object, each with a copy of it: usually one, and two while one takes over from the
 * other. They hear what others do to it.
 */
export class Scripts {
  readonly #observers = new Set<Observer>();
  /** Those that want changes of clients to wait. */
  readonly #locks = new Set<Observer>();
  /** Runs while clients wait for a lock. */
  #lockPatience: NodeJS.Timeout | undefined;
  /** Slots of which a copy may be wrong: all are told of them when no handler runs. */
  readonly #doubtful = new Set<string>();
  /** Something has changed under the hands of a handler that took too long: what that does comes after it. */
  #isOverrun = false;

  get size(): number {
    return this.#observers.size;
  }

  /** A handler of one of them runs. */
  get isBusy(): boolean {
    for (const observer of this.#observers) if (observer.isBusy) return true;
    return false;
  }

  get isLocked(): boolean {
    return this.#locks.size > 0;
  }

  add(observer: Observer): void {
    this.#observers.add(observer);
  }

  delete(observer: Observer): void {
    this.#observers.delete(observer);
    this.lock(observer, false);
  }

  lock(observer: Observer, isLocked: boolean): void {
    if (isLocked) this.#locks.add(observer);
    else this.#locks.delete(observer);
    if (this.isLocked) return;
    clearTimeout(this.#lockPatience);
    this.#lockPatience = undefined;
  }

  /** A client waits for a lock: after so long those who have one are told to unlock, which they do once they are not busy. */
  limitLocks(waitMs: number): void {
    if (waitMs === 0) return;
    this.#lockPatience ??= setTimeout(() => {
      this.#lockPatience = undefined;
      for (const observer of this.#locks) observer.unlock(waitMs);
    }, waitMs);
  }

  /** `decider`: whose decision is carried out: it has done the same to its copy already. */
  tell(news: News, decider: Observer | undefined): void {
    for (const observer of this.#observers) {
      const isKnown = observer === decider;
      observer.changed(news, isKnown);
      if (!isKnown && observer.isBusy) this.#isOverrun = true;
    }
    if (this.#isOverrun) this.#doubtAll(news.changes);
  }

  /** What one of them has done is news to the other, if not to its handlers. */
  tellOthers(by: Observer, version: number, changes: readonly SharedChange[]): void {
    if (this.#isOverrun) this.#doubtAll(changes);
    if (this.#observers.size < 2) return;
    const kept = changes.filter(({ op }) => op !== 'send');
    for (const observer of this.#observers)
      if (observer !== by)
        observer.changed({ client: 0, version, changes: kept, list: [], sends: [] }, false);
  }

  /** A copy may hold something else there. */
  doubt(name: string): void {
    this.#doubtful.add(name);
  }

  /** Tells them what slots hold that a copy may have wrong, unless a handler runs. */
  assure(slots: Slots, version: number): void {
    if (this.isBusy) return;
    this.#isOverrun = false;
    if (this.#doubtful.size === 0) return;
    const changes = [...this.#doubtful].map((name): SharedChange => {
      const slot = slots.get(name);
      return slot ? { op: 'set', name, value: slot.value.bytes } : { op: 'remove', name };
    });
    this.#doubtful.clear();
    for (const observer of this.#observers)
      observer.changed({ client: 0, version, changes, list: [], sends: [] }, false);
  }

  #doubtAll(changes: readonly SharedChange[]): void {
    for (const change of changes) if ('name' in change) this.#doubtful.add(change.name);
  }
}
