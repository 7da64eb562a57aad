import type { Clock } from '../base/clock.ts';
import { printable } from '../base/errors.ts';
import { type Estate, HandoverError, type Incarnation, type Inheritance } from './incarnation.ts';

/**
 * Why another script takes over: newer code, a return to older code (which starts without the state if it cannot read it), that
 * `fresh` start, or another core for the same.
 */
export type Transition = 'reload' | 'return' | 'fresh' | 'move';

export interface Carried {
  estate: Estate;
  /** Of all instalments. */
  bytes: number;
  inheritance: Inheritance;
}

/** Instalments that a script was given while the one before it went on. */
interface Draft {
  bytes: number;
  /** For so long, at the most, clients of the one before had to wait. */
  longestHoldMs: number;
  isComplete: boolean;
}

/**
 * Gives the next script most of the state of the one before, which goes on meanwhile: only what has changed is left for
 * when everybody waits. It may come to nothing, and then all of it is left.
 */
export async function handOverMost(previous: Incarnation, next: Incarnation, clock: Clock): Promise<Draft> {
  const draft: Draft = { bytes: 0, longestHoldMs: 0, isComplete: false };
  let taken: Promise<unknown> = Promise.resolve();
  try {
    for (let isFirst = true; ; isFirst = false) {
      const heldAt = clock.monotonic();
      await previous.script.hold();
      const instalment = await previous.draft(isFirst);
      previous.script.release();
      draft.longestHoldMs = Math.max(draft.longestHoldMs, clock.monotonic() - heldAt);
      await taken;
      if (!instalment) break;
      draft.bytes += instalment.bytes.length;
      taken = next.restore(previous.build.id, { ...instalment, isLast: false });
      taken.catch(() => {}); // it is looked at below, after what may take longer
      draft.isComplete = instalment.isLast;
      if (instalment.isLast) break;
    }
    await taken;
  } catch (error) {
    if (!(error instanceof HandoverError)) throw error;
    draft.isComplete = false; // whoever takes over tries again, and says why it cannot
  }
  return draft;
}

/**
 * Both are held. Undefined for what moves without having been changed, when it is more than data: a script that has half of
 * what it had would be worse off than one that begins anew, with clients that come to it again.
 */
export async function inherit(
  previous: Incarnation,
  next: Incarnation,
  why: Transition,
  draft: Draft | undefined,
): Promise<Carried | undefined> {
  const from = previous.build.id;
  const estate = await previous.save(draft?.isComplete === true);
  const { lost, timers } = estate;
  if (why !== 'move' || lost + timers === 0) {
    const bytes = (draft?.bytes ?? 0) + estate.bytes.length;
    return { estate, bytes, inheritance: await next.restore(from, estate) };
  }
  next.log.warn(
    `moves without its state, and its clients come to onConnect again, since that is more than data (functions and instances of classes: ${lost}, timers: ${timers}); onSave and onRestore can carry it over`,
  );
  return undefined;
}

/** For the author: what did not come along. */
export function tellLosses(
  { log }: Incarnation,
  { waiting }: Estate,
  { lost, lostCount }: Inheritance,
): void {
  if (waiting > 0) log.warn(`${waiting} answers that the old code waited for come to nobody`);
  if (lostCount === 0) return;
  const more = lostCount > lost.length ? ` and more, ${lostCount} in all` : '';
  log.warn(
    `not carried over, since it is no plain data: ${lost.map((place) => printable(place, 200)).join(', ')}${more}`,
  );
}
