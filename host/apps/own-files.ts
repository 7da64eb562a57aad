import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { findMain } from './main-file.ts';

/** Which of the machine's files an application may be made of. */
export class OwnFiles {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #beside = new Map<string, Promise<boolean>>();

  /** `maxBytes` is the most that a script may measure. One for each build: it remembers what it has found. */
  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /**
   * Whether what lies there, links resolved, is some of the author's business: his own files, and what lies beside the
   * applications to be shared. What another application has is its own.
   */
  async has(real: string): Promise<boolean> {
    const folder = await realPath(this.#folder);
    if (real.startsWith(folder + sep)) return true;
    const apps = await realPath(dirname(this.#folder));
    if (!real.startsWith(apps + sep)) return false;
    const [beside = ''] = real.slice(apps.length + 1).split(sep);
    let isOthers = this.#beside.get(beside);
    if (!isOthers) {
      isOthers = isApplication(join(apps, beside), this.#maxBytes);
      this.#beside.set(beside, isOthers);
    }
    return !(await isOthers);
  }

  /** Whether it is a package's, which may lie anywhere but in another application. */
  async hasPackage(real: string): Promise<boolean> {
    if (!real.includes(`${sep}node_modules${sep}`)) return false;
    const apps = await realPath(dirname(this.#folder));
    return !real.startsWith(apps + sep) || this.has(real);
  }
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** What is in a folder with a script or an `app.json` is its own. */
async function isApplication(folder: string, maxBytes: number): Promise<boolean> {
  const hasSettings = await stat(join(folder, 'app.json')).then(
    () => true,
    () => false,
  );
  return hasSettings || (await findMain(folder, maxBytes, basename(folder)).catch(() => true)) !== undefined;
}
