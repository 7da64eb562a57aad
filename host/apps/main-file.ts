import { lstat, opendir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import { decodeSource } from './classic/decode.ts';
import { isPackageImport } from './classic/explain.ts';
import { isWord, tokensOf } from './classic/tokens.ts';
import { readPlainFile } from './plain-file.ts';
import { INLINE_LENGTH } from './reader.ts';
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
  /** Files beside it that look like main files, and why they are not run. */
  readonly passedOver?: readonly { readonly name: string; readonly why: string }[];
}

/**
 * Where classic applications have their script; the first that is there is run (vendor TechNote "Server-side
 * ActionScript Naming and Search Path"). What ends in `.js` is what its syntax says; a module in the folder itself
 * comes before all of them.
 */
function classicNames(app: string): string[] {
  const names = ['main', app].flatMap((name) => [`${name}.asc`, `${name}.js`]);
  return names.flatMap((name) => [`scripts/${name}`, name]);
}

/** Script archives and byte code, which servers from FMS 2 on looked for first. */
function archiveNames(app: string): string[] {
  return ['main', app].flatMap((name) => [`${name}.far`, `scripts/${name}.ase`, `${name}.ase`]);
}

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
export async function findMain(
  folder: string,
  maxBytes: number,
  app = basename(folder),
): Promise<MainFile | undefined> {
  const [scripts, packed] = [['main.ts', ...classicNames(app)], archiveNames(app)];
  const files = await filesIn(folder, [...scripts, ...packed]);
  const names = files.filter((name) => scripts.includes(name));
  const archives = files.filter((name) => packed.includes(name));
  const rivals = names.filter((name) => /^main\.\w+$/.test(name));
  const kinds = await Promise.all(rivals.map((rival) => kindOf(join(folder, rival), maxBytes)));
  const module = rivals[kinds.indexOf('module')];
  if (module !== undefined && rivals.length > 1) {
    const list = [...rivals].sort().join(' and ');
    throw mains(`found ${list} in ${folder}: keep one main file, rename the others`);
  }
  const name = module ?? names[0];
  if (name === undefined) {
    if (archives.length > 0) throw mains(`${archives[0]} in ${folder} ${archive}`);
    return undefined;
  }

  const path = join(folder, name);
  const kind = module === undefined ? await kindOf(path, maxBytes) : 'module';
  if (kind === undefined) return undefined;
  const others = names.filter((other) => other !== name && /^(?:scripts\/)?main\.\w+$/.test(other));
  const passedOver = [
    ...(kind === 'classic' ? others : []).map((each) => ({
      name: each,
      why: `is not run: ${name} comes before it`,
    })),
    ...archives.map((each) => ({ name: each, why: archive })),
  ];
  return { path, name, kind, ...(passedOver.length > 0 && { passedOver }) };
}

const archive = 'is a script archive or byte code, which this server does not read: unpack its .asc files';

function mains(text: string): StagewireError {
  return new StagewireError('E_APP_MAINS', 'app', text);
}

/** Undefined when it is gone. */
async function kindOf(path: string, maxBytes: number): Promise<ScriptKind | undefined> {
  if (path.endsWith('.ts')) return 'module';
  if (path.endsWith('.asc')) return 'classic';
  const stats = await stat(path).catch(undefinedIfGone);
  if (stats && stats.size > maxBytes) return 'classic';
  const file = await readPlainFile(path, maxBytes).catch(undefinedIfGone);
  return file && scriptKind(decodeSource(file.bytes));
}

/** Those of the names that are files there. */
async function filesIn(folder: string, names: readonly string[]): Promise<string[]> {
  const listed = new Set([
    ...(await namesIn(folder, names)),
    ...(await namesIn(join(folder, 'scripts'), names, 'scripts/')),
  ]);
  const candidates = names.filter((name) => listed.has(name));
  const kinds = await Promise.all(candidates.map((name) => kindOfEntry(join(folder, name))));
  const unreadable = candidates.find((_, index) => kinds[index] === 'unreadable');
  // Taken for no script, it would open the application to everybody.
  if (unreadable !== undefined) throw mains(`${unreadable} in ${folder} is no file that can be read`);
  return [...new Set(candidates.filter((_, index) => kinds[index] === 'file'))];
}

/**
 * Listed and not asked for by name: some file systems do not tell `Main.asc` from `main.asc`. There may be very many
 * others, which are passed by a few at a time.
 */
async function namesIn(folder: string, wanted: readonly string[], prefix = ''): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name } of await opendir(folder, { bufferSize: 512 })) {
      if (wanted.includes(prefix + name)) found.push(prefix + name);
    }
  } catch (error) {
    if (isGone(error)) return [];
    throw new StagewireError('E_APP_FOLDER', 'host', `cannot read ${folder}: ${describeError(error)}`);
  }
  return found;
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
  if (!problem || !moduleOnly.test(problem.message)) return 'classic';
  // ActionScript 2 has another import; whoever reads the file as classic says so.
  return packageImport.test(code) && beginsWithPackages(code) ? 'classic' : 'module';
}

const moduleOnly =
  /^(?:Cannot use import statement outside|Cannot use 'import\.meta' outside|Unexpected token 'export'|await is only valid .*modules)/;

const packageImport = /\bimport\s+[\w$]+\s*[.;]/;

/** Whether the first import or export is that of a package. */
function beginsWithPackages(code: string): boolean {
  const tokens = tokensOf(code.slice(0, INLINE_LENGTH));
  const first = tokens.findIndex((_, at) => isWord(tokens, at, 'import') || isWord(tokens, at, 'export'));
  return isPackageImport(tokens, first);
}

export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function undefinedIfGone(error: unknown): undefined {
  if (!isGone(error)) throw error;
}
