import { stat } from 'node:fs/promises';
import { isGone } from './main-file.ts';

/** Files that are looked at at one time: an application may have been made of tens of thousands. */
const AT_ONCE = 64;

/** The first of these files that is empty or gone, as one is that an editor is about to write. */
export async function firstUnfinished(paths: Iterable<string>): Promise<string | undefined> {
  let some: string[] = [];
  const find = async () => some[(await Promise.all(some.map(isEmptyOrGone))).indexOf(true)];
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
