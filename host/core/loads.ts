import type { Load } from '../../runtime/wall/boot.ts';
import { StagewireError } from '../../wire/errors.ts';
import type { BootFile } from './frames.ts';

/** Before names of files that are none of the application's, but of the server's script library. */
export const LIBRARY = 'scriptlib:';

/**
 * Where `load(name)` looks, in this order. Folders are relative to the application's folder and end in `/`, or are
 * `LIBRARY`; authors on Windows wrote backslashes. What leads out of a folder's root is left out.
 */
export function loadCandidates(name: string, folders: readonly string[]): string[] {
  return [...new Set(folders.flatMap((folder) => joined(folder, name) ?? []))];
}

function joined(folder: string, name: string): string | undefined {
  const root = folder.startsWith(LIBRARY) ? LIBRARY : '';
  const parts: string[] = [];
  for (const part of `${folder.slice(root.length)}${name}`.split(/[/\\]/)) {
    if (part === '..' && parts.pop() === undefined) return undefined;
    if (part !== '' && part !== '.' && part !== '..') parts.push(part);
  }
  return parts.length > 0 ? root + parts.join('/') : undefined;
}

/** The file that a script wants to load. Throws an error with the place of that call when there is none. */
export function findLoaded(
  { name, stack }: Load,
  folders: readonly string[],
  files: ReadonlyMap<string, BootFile>,
): BootFile {
  const tried = loadCandidates(name, folders);
  const file = tried.map((candidate) => files.get(candidate)).find((found) => found !== undefined);
  if (!file) {
    const error = new StagewireError('E_LOAD', 'app', missing(name, tried, [...files.keys()]));
    error.stack = `${error.message}${frames(stack)}`;
    throw error;
  }
  if (file.problem) {
    const { text, line, column } = file.problem;
    const error = new StagewireError('E_LOAD', 'app', `load(${JSON.stringify(name)}): ${text}`);
    error.stack = `${error.message}\n    at ${file.filename}:${line}:${column}${frames(stack)}`;
    throw error;
  }
  return file;
}

function missing(name: string, tried: readonly string[], known: readonly string[]): string {
  const call = `load(${JSON.stringify(name.slice(0, 200))})`;
  if (tried.length === 0) return `${call}: the name leads out of the application's folder`;
  if (!/\.(?:asc|js)$/.test(name)) return `${call}: only files ending in .asc or .js can be loaded`;
  const spelled = tried.map((path) => path.toLowerCase());
  const nearly = known.find((path) => spelled.includes(path.toLowerCase()));
  const hint = nearly === undefined ? '' : `; there is ${nearly}, and case matters`;
  return `${call}: there is no such file; looked for ${tried.map(shown).join(', ')}${hint}`;
}

function shown(path: string): string {
  return path.startsWith(LIBRARY) ? `${path.slice(LIBRARY.length)} in the script library` : path;
}

function frames(stack: string): string {
  const first = stack.indexOf('\n');
  return first < 0 ? '' : stack.slice(first);
}
