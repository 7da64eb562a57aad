import { stat } from 'node:fs/promises';
import { isGone } from './main-file.ts';

/** Files that are looked at at one time: an application may have been made of tens of thousands. */
const AT_ONCE = 64;

/** The first of these files that is empty or gone, as one is that an editor is about to write. */
export function firstUnfinished(paths: Iterable<string>): Promise<string | undefined> {
  return firstOf(paths, isEmptyOrGone);
}

/** Whether one of these files was written or replaced after that time, in milliseconds since 1970. */
export async function someChangedSince(paths: Iterable<string>, time: number): Promise<boolean> {
  const isNewer = (path: string) =>
    stat(path).then(
      ({ ctimeMs }) => ctimeMs > time,
      () => true, // it has gone
    );
  return (await firstOf(paths, isNewer)) !== undefined;
}

async function firstOf(
  paths: Iterable<string>,
  is: (path: string) => Promise<boolean>,
): Promise<string | undefined> {
  let some: string[] = [];
  const find = async () => some[(await Promise.all(some.map(is))).indexOf(true)];
  for (const path of paths) {
    some.push(path);
    if (some.length < AT_ONCE) continue;
    const found = await find();
    if (found !== undefined) return found;
    some = [];
  }
  return find();
}

async function isEmptyOrGone(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size === 0;
  } catch (error) {
    return isGone(error);
  }
}
