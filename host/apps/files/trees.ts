import type { Stats } from 'node:fs';
import { rmdir, unlink } from 'node:fs/promises';
import { MAX_DEPTH, refused, whyNoName, whyReadOnly } from './paths.ts';
import { assertWritable, entriesOf, lstatIfAny, namesIn, type Spot, withFolder } from './sandbox.ts';

/** Of one folder, and of all that is removed or moved with one: the script waits meanwhile. */
export const MAX_ENTRIES = 10_000;

/** How many files and folders there are, how deep the deepest lies, and what all weigh. */
export interface Tree {
  entries: number;
  depth: number;
  bytes: number;
}

type Weigh = (stats: Stats) => number;

/** Goes through all that is in a folder. Throws when there is anything that scripts may not change. */
export async function measureTree(
  spot: Spot,
  inputs: ReadonlySet<string>,
  weigh: Weigh = () => 0,
): Promise<Tree> {
  const tree: Tree = { entries: 0, depth: 0, bytes: 0 };
  await measure(spot, 1, tree, inputs, weigh);
  return tree;
}

async function measure(
  folder: Spot,
  depth: number,
  tree: Tree,
  inputs: ReadonlySet<string>,
  weigh: Weigh,
): Promise<void> {
  assertWritable(folder, inputs);
  tree.depth = Math.max(tree.depth, depth);
  if (depth > MAX_DEPTH) throw refused(folder.path, `it holds folders more than ${MAX_DEPTH} deep`);
  await withFolder(folder.at, async (at) => {
    for (const name of await entriesOf(at, folder.path, MAX_ENTRIES)) {
      if (whyNoName(name) !== undefined)
        throw refused(folder.path, 'it holds something that is hidden from scripts');
      if (++tree.entries > MAX_ENTRIES)
        throw refused(folder.path, `it holds more than ${MAX_ENTRIES} files and folders`);
      const child = inside(folder, at, name);
      assertWritable(child, inputs);
      const stats = await lstatIfAny(child.at);
      if (stats) tree.bytes += weigh(stats);
      if (stats?.isDirectory()) await measure(child, depth + 1, tree, inputs, weigh);
    }
  });
}

/** Removes a folder with all that is in it; of links only themselves. */
export async function removeTree(folder: Spot): Promise<void> {
  await withFolder(folder.at, async (at) => {
    for (const name of await namesIn(at, folder.path, MAX_ENTRIES)) {
      const child = inside(folder, at, name);
      if (whyReadOnly(child.components) !== undefined) continue; // put there just now: the folder stays
      if ((await lstatIfAny(child.at))?.isDirectory()) await removeTree(child);
      else await unlink(child.at);
    }
  });
  await rmdir(folder.at);
}

function inside(folder: Spot, at: string, name: string): Spot {
  return {
    at: `${at}/${name}`,
    components: [...folder.components, name],
    real: `${folder.real}/${name}`,
    path: `${folder.path}/${name}`,
  };
}
