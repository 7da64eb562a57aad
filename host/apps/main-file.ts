import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import { checkSyntax } from './syntax.ts';

/**
 * How a main file is run. A module is bundled with what it imports; a classic script is run as it is, in
 * sloppy mode, its top-level names being globals of the instance.
 */
export type ScriptKind = 'module' | 'classic';

export interface MainFile {
  /** Absolute. */
  readonly path: string;
  /** Relative to the app folder. */
  readonly name: string;
  readonly kind: ScriptKind;
}

/** The names a main file can have. `main.js` is what its syntax says. */
const mainNames: Readonly<Record<string, ScriptKind | 'by-syntax'>> = {
  'main.ts': 'module',
  'main.js': 'by-syntax',
  'main.asc': 'classic',
};

const refusedNames: Readonly<Record<string, string>> = {
  api: 'the HTTP API is served under /api',
  metrics: 'metrics are served under /metrics',
  healthz: 'the health check is served under /healthz',
  node_modules: 'npm keeps packages in a folder of that name',
};

/** Why a folder cannot be an application, or `undefined` when its name will do. */
export function whyNotAnApp(name: string): string | undefined {
  if (name === '') return 'the name is empty';
  if (name.startsWith('.')) return 'names with a leading dot are for hidden files';
  if (/[/\\]/.test(name)) return 'a name cannot contain / or \\';
  if (printable(name, 255) !== name) return 'the name is too long or contains control characters';
  return Object.hasOwn(refusedNames, name) ? refusedNames[name] : undefined;
}

/**
 * Finds the script of an application. Every client is accepted by an application that has none. What is longer than
 * `maxBytes` is not read: it is classic, for whoever reads it then to refuse.
 */
export async function findMain(folder: string, maxBytes: number): Promise<MainFile | undefined> {
  const names = await mainFilesIn(folder);
  if (names.length > 1) {
    const list = names.join(' and ');
    throw new StagewireError(
      'E_APP_MAINS',
      'app',
      `found ${list} in ${folder}: keep one main file, rename the others`,
    );
  }
  const name = names[0];
  if (name === undefined) return undefined;

  const path = join(folder, name);
  const kind = mainNames[name]!;
  if (kind !== 'by-syntax') return { path, name, kind };

  const stats = await stat(path).catch(undefinedIfGone);
  if (stats && stats.size > maxBytes) return { path, name, kind: 'classic' };
  const code = await readFile(path, 'utf8').catch(undefinedIfGone);
  return code === undefined ? undefined : { path, name, kind: await scriptKind(code) };
}

async function mainFilesIn(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => Object.hasOwn(mainNames, name)).sort();
  } catch (error) {
    if (isGone(error)) return [];
    throw new StagewireError('E_APP_FOLDER', 'host', `cannot read ${folder}: ${describeError(error)}`);
  }
  const kinds = await Promise.all(names.map((name) => kindOfEntry(join(folder, name))));
  const unreadable = names.find((_, index) => kinds[index] === 'unreadable');
  if (unreadable !== undefined) {
    // Taken for no script, it would open the application to everybody.
    throw new StagewireError('E_APP_MAINS', 'app', `${unreadable} in ${folder} is no file that can be read`);
  }
  return names.filter((_, index) => kinds[index] === 'file');
}

/** A folder named main.js is no script; a link to nowhere or a pipe was meant to be one. */
async function kindOfEntry(path: string): Promise<'file' | 'none' | 'unreadable'> {
  const stats = await stat(path).catch(undefinedIfGone);
  if (stats) return stats.isFile() ? 'file' : stats.isDirectory() ? 'none' : 'unreadable';
  return (await lstat(path).catch(undefinedIfGone)) ? 'unreadable' : 'none';
}

/**
 * Tells a module from a classic script by V8's own parser: what it accepts as a script is one, and a
 * refused file is a module when the first thing refused is what only modules may say.
 */
export async function scriptKind(code: string): Promise<ScriptKind> {
  const problem = await checkSyntax(code);
  return problem && moduleOnly.test(problem.message) ? 'module' : 'classic';
}

const moduleOnly =
  /^(?:Cannot use import statement outside|Cannot use 'import\.meta' outside|Unexpected token 'export'|await is only valid .*modules)/;

export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function undefinedIfGone(error: unknown): undefined {
  if (!isGone(error)) throw error;
}
