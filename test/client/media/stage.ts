import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { StageState } from './stage-state.ts';

/** Has the page do something: the name of a function of `page/main.ts` and its arguments. */
export async function ask(page: Page, what: string, ...args: unknown[]): Promise<unknown> {
  return page.evaluate(`stage.${what}(...${JSON.stringify(args)})`);
}

/** Waits until the page is in a state. */
export async function until(
  page: Page,
  what: string,
  isSo: (state: StageState) => boolean,
): Promise<StageState> {
  let state: StageState | undefined;
  await expect
    .poll(async () => {
      state = (await ask(page, 'state')) as StageState;
      return isSo(state) || { what, ...state, shown: state.shown.length };
    })
    .toBe(true);
  return state!;
}

export const codesOf = ({ statuses }: StageState) => statuses.map(({ code }) => code);

/** The numbers that so many in a hundred are below of. */
export function percentiles(values: readonly number[], ...shares: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return shares
    .map((share) => `p${share} ${Math.round(sorted[Math.floor((sorted.length * share) / 100)]!)} ms`)
    .join(', ');
}
