import { setTimeout as sleep } from 'node:timers/promises';
import type { Build } from './builder.ts';
import { someChangedSince } from './unfinished.ts';

/** News of a file that has changed come sooner, whatever else the machine does. */
const NEWS_MS = 300;
const STEP_MS = 10;
/** Many instances ask about one build at one time. */
const ANSWER_MS = 20;

interface Answer {
  readonly at: number;
  readonly isChanged: Promise<boolean>;
}
const answers = new WeakMap<Build, Answer>();

/**
 * On a busy machine new code may be ready before it is known that more of its files have changed: where that is so, waits until
 * it is, or for a while.
 */
export async function untilNewsCome(build: Build, isOutdated: () => boolean): Promise<void> {
  if (!(await hasChanged(build))) return;
  for (let waitedMs = 0; waitedMs < NEWS_MS && !isOutdated(); waitedMs += STEP_MS) await sleep(STEP_MS);
}

function hasChanged(build: Build): Promise<boolean> {
  const now = performance.now();
  let answer = answers.get(build);
  if (!answer || now - answer.at > ANSWER_MS) {
    answer = { at: now, isChanged: someChangedSince(build.inputs, build.readAt) };
    answers.set(build, answer);
  }
  return answer.isChanged;
}
