import { constants } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { componentsOf, errnoOf, reasonOf, refused, whyNoName, whyReadOnly } from './paths.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
/** Opens nothing but a file that lies where it seems to: no link, and not to wait for whoever writes into a pipe. */
export const PLAIN = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/** Where a file is, or would be, while the folder that it is in is held open. */
export interface Spot {
  /** For the operating system: through the open folder, so that nothing put in its way meanwhile leads elsewhere. */
  readonly at: string;
  /** From the application's folder on, links resolved; none for the folder itself. */
  readonly components: readonly string[];
  /** Absolute, links resolved. */
  readonly real: string;
  /** As the script wrote it. */
  readonly path: string;
}

/** A folder that is elsewhere on the disk than where scripts see it. */
interface VirtualDirectory {
  readonly components: readonly string[];
  readonly folder: string;
}

/**
 * The folder of one application as its scripts may use it, and others that the operator has put into it (FMS:
 * FileObject/VirtualDirectory), each a root of its own: what was said of the folder is true of those. Symbolic links are followed as long as they stay inside.
 * What a path leads to is found out first; then its folder is opened, and what counts is where that really is. All
 * that is done after that goes through the open folder.
 */
export class Sandbox {
  readonly #folder: string;
  /** Longest first: `/videos/new` before `/videos`. */
  readonly #elsewhere: readonly VirtualDirectory[];

  constructor(folder: string, elsewhere: Readonly<Record<string, string>> = {}) {
    this.#folder = folder;
    this.#elsewhere = Object.entries(elsewhere)
      .map(([path, target]) => ({ components: componentsOf(path), folder: target }))
      .sort((a, b) => b.components.length - a.components.length);
  }

  /** Does something with what is, or will be, at that path. A link that is its last component is followed. */
  at<T>(path: unknown, use: (spot: Spot) => Promise<T>): Promise<T> {
    return this.#with(path, true, use);
  }

  /** The same with the entry of that name itself, and never with the application's folder: to remove or move it. */
  entry<T>(path: unknown, use: (spot: Spot) => Promise<T>): Promise<T> {
    return this.#with(path, false, async (spot) => {
      if (spot.components.length === 0) throw refused(path, 'the folder itself stays where it is');
      if ((await lstatIfAny(spot.at))?.isSymbolicLink()) throw refused(path, 'it is a symbolic link');
      return use(spot);
    });
  }

  async #with<T>(path: unknown, mayFollow: boolean, use: (spot: Spot) => Promise<T>): Promise<T> {
    try {
      const asked = componentsOf(path);
      const shown = this.#elsewhere.find((each) => each.components.every((name, i) => name === asked[i]));
      const root = await realpath(shown?.folder ?? this.#folder);
      const components = asked.slice(shown?.components.length ?? 0);
      if (components.length === 0) return await this.#inFolder(root, root, '.', path, use);
      const full = join(root, ...components);
      const real = await (mayFollow ? realPathOf(full) : realParentOf(full));
      return await this.#inFolder(root, dirname(real), basename(real), path, use);
    } catch (error) {
      throw reasonOf(path, error);
    }
  }

  async #inFolder<T>(
    root: string,
    folder: string,
    name: string,
    path: unknown,
    use: (spot: Spot) => Promise<T>,
  ): Promise<T> {
    if (!isInside(root, folder)) throw leadsOut(path);
    const held = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      const place = pathOf(held, folder);
      const where = await placeOf(held, folder);
      if (!isInside(root, where)) throw leadsOut(path);
      const real = join(where, name);
      const inside = relative(root, real);
      const components = inside === '' ? [] : inside.split(sep);
      for (const each of components) {
        const why = whyNoName(each);
        if (why !== undefined) throw refused(path, `it is a link to what scripts cannot name: ${why}`);
      }
      return await use({ at: `${place}/${name}`, components, real, path: String(path) });
    } finally {
      await held.close();
    }
  }
}

/** Throws for what scripts may only read; `inputs` are the files that the running build was made of. */
export function assertWritable({ components, real, path }: Spot, inputs: ReadonlySet<string>): void {
  const why = whyReadOnly(components);
  if (why !== undefined) throw refused(path, why);
  if (inputs.has(real)) throw refused(path, 'the running script was built from it');
}

/** Entries of a folder whose names scripts can write. Throws when there are more than `max`. */
export async function namesIn(at: string, path: string, max: number): Promise<string[]> {
  const names = await entriesOf(at, path, max);
  return names.filter((name) => whyNoName(name) === undefined);
}

/** All of them. */
export async function entriesOf(at: string, path: string, max: number): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of await opendir(at, { bufferSize: 512 })) {
    if (names.length >= max) throw refused(path, `it has more than ${max} entries`);
    names.push(name);
  }
  return names;
}

/** Runs `use` with a folder inside of one that is held open, which is held open too. Throws for a link. */
export async function withFolder<T>(at: string, use: (at: string) => Promise<T>): Promise<T> {
  const held = await open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    return await use(pathOf(held, at));
  } finally {
    await held.close();
  }
}

export async function lstatIfAny(at: string) {
  return lstat(at).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
}

/** Of a path whose last component may be missing, or a link to what is missing: then it is that component itself. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return realParentOf(path);
  }
}

async function realParentOf(path: string): Promise<string> {
  return join(await realpath(dirname(path)), basename(path));
}

const HAS_PROC = process.platform === 'linux';

/** Node cannot open relative to an open folder; on Linux that folder has a path of its own. */
function pathOf(held: FileHandle, folder: string): string {
  return HAS_PROC ? `/proc/self/fd/${held.fd}` : folder;
}

/** Where an open folder is now, whatever has been moved since it was looked up. */
async function placeOf(held: FileHandle, folder: string): Promise<string> {
  return HAS_PROC ? readlink(`/proc/self/fd/${held.fd}`) : realpath(folder);
}

function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root + sep);
}

function leadsOut(path: unknown) {
  return refused(path, "it leads out of the application's folder");
}
