import { printable, StagewireError } from '../../base/errors.ts';

const MAX_PATH = 1024;
/** Components of a path: folders within folders. */
export const MAX_DEPTH = 32;

/**
 * The components of a path as scripts write it: URI style, from the application's folder on, with or without a slash
 * in front (the reference's section 13.1). None for the folder itself. Throws for what is no such path.
 */
export function componentsOf(path: unknown): string[] {
  if (typeof path !== 'string') throw new FileError('a path is text');
  if (path.length > MAX_PATH) throw refused(path, `a path has at most ${MAX_PATH} characters`);
  if (path.includes('\0')) throw refused(path, 'a path has no zero characters');
  if (path.includes('\\')) throw refused(path, 'paths are written with "/", not with "\\"');
  if (path === '/') return [];
  const components = path.replace(/^\//, '').replace(/\/$/, '').split('/');
  if (components.length > MAX_DEPTH) throw refused(path, `a path has at most ${MAX_DEPTH} components`);
  for (const name of components) {
    const why = whyNoName(name);
    if (why !== undefined) throw refused(path, why);
  }
  return components;
}

/** Why scripts cannot name a file so, or `undefined` when they can. */
export function whyNoName(name: string): string | undefined {
  if (name === '') return 'a path has no empty components';
  if (name === '.' || name === '..')
    return `paths begin at the application's folder: "${name}" is no component`;
  // .git, .env, the files of editors.
  if (name.startsWith('.')) return 'names with a leading dot are hidden from scripts';
  // A drive, a stream of a file on Windows, or the scheme of a URL.
  if (name.includes(':')) return 'a name has no ":"';
  if (/[\0\\/]/.test(name)) return 'such a name cannot be written';
  return undefined;
}

const CODE = /\.(?:[cm]?[jt]sx?|asc|ase|far)$/i;
const SETTINGS = /^(?:app|package|package-lock|tsconfig|jsconfig)\.json$|^application\.xml$/i;

/**
 * Why scripts may read but not change what has that path (components from the application's folder on). `app.json`
 * says which hosts a script may reach and how much it may use; code, and what tells the bundler where to find code, is
 * what the next start runs. A script that a client has tricked into writing those would keep what it was never given.
 */
export function whyReadOnly(components: readonly string[]): string | undefined {
  const name = components.at(-1) ?? '';
  if (CODE.test(name)) return 'code is not for scripts to change';
  if (SETTINGS.test(name)) return 'settings are not for scripts to change';
  if (components.some((each) => each.toLowerCase() === 'node_modules'))
    return 'packages are not for scripts to change';
  return undefined;
}

/** `errno` is the operating system's word, if it was the one to refuse. */
export class FileError extends StagewireError {
  readonly errno: string | undefined;

  constructor(message: string, errno?: string) {
    super('E_FILE', 'app', message);
    this.errno = errno;
  }
}

/** A refusal that names the path as the script wrote it. */
export function refused(path: unknown, why: string, errno?: string): FileError {
  return new FileError(`${typeof path === 'string' ? printable(path, 200) : 'a path'}: ${why}`, errno);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a component of the path is no folder',
  EISDIR: 'it is a folder',
  EEXIST: 'it exists already',
  ENOTEMPTY: 'the folder is not empty',
  EACCES: 'the server has no permission',
  EPERM: 'the server has no permission',
  EROFS: 'the file system cannot be written',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'the server has too many files open',
  ENFILE: 'the server has too many files open',
  ELOOP: 'it is a symbolic link that leads nowhere, or was put there just now',
  EXDEV: 'it would have to move to another disk',
  EINVAL: 'that is not possible',
};

/** What the operating system says, without the path on the server's disk that Node puts into its messages. */
export function reasonOf(path: unknown, error: unknown): unknown {
  const code = errnoOf(error);
  if (code === undefined) return error;
  return refused(path, REASONS[code] ?? `the operating system says ${code}`, code);
}

export function errnoOf(error: unknown): string | undefined {
  if (error instanceof StagewireError || !(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : undefined;
}
