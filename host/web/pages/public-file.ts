import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

/** A file that is open, or that there is a folder in its place. */
export type PublicFile =
  | { readonly is: 'file'; readonly file: FileHandle; readonly bytes: number; readonly changedMs: number }
  | { readonly is: 'folder' };

/**
 * Opens a file below an application's `public/`; undefined when there is none. Links may lead wherever they like within
 * that folder, and nowhere else: what counts is where the open file really is.
 */
export async function openPublic(
  appFolder: string,
  names: readonly string[],
): Promise<PublicFile | undefined> {
  if (!names.every(isPlain)) return undefined;
  const path = join(appFolder, 'public', ...names);
  let file: FileHandle | undefined;
  try {
    const root = join(await realpath(appFolder), 'public') + sep;
    // A pipe would hold up whoever waits for its writer.
    file = await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const stats = await file.stat();
    const real = await placeOf(file, path);
    if (stats.isFile() && real.startsWith(root)) {
      const opened = { is: 'file', file, bytes: stats.size, changedMs: stats.mtimeMs } as const;
      file = undefined;
      return opened;
    }
    return stats.isDirectory() && `${real}${sep}`.startsWith(root) ? { is: 'folder' } : undefined;
  } catch (error) {
    // No such file, a name that is too long, no permission: none of it is there for others.
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  } finally {
    await file?.close();
  }
}

/** No way up, and nothing hidden. */
function isPlain(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return name !== '' && !name.startsWith('.') && !/[\\/\x00-\x1f:]/.test(name);
}

async function placeOf({ fd }: FileHandle, path: string): Promise<string> {
  return process.platform === 'linux' ? readlink(`/proc/self/fd/${fd}`) : realpath(path);
}
