import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { describeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Build } from './builder.ts';

/** Of each application: the one that runs, and those before it. */
const KEPT = 5;

/** A build that is kept on disk. */
export interface KeptBuild {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly builtAt: number;
}

/**
 * The last builds of each application that have started, the latest first, in a folder of the server's data: what an
 * operator can go back to, also after the server was started anew. A full disk costs no more than that.
 */
export class BuildArchive {
  readonly #folder: string;
  readonly #log: Log;
  readonly #known = new Map<string, Promise<KeptBuild[]>>();
  /** One after the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  async list(app: string): Promise<readonly KeptBuild[]> {
    return [...(await this.#listOf(app))];
  }

  /** A build has started for the first time, or again after others. */
  keep(build: Build): Promise<void> {
    this.#writing = this.#writing
      .then(() => this.#write(build))
      .catch((error: unknown) => {
        this.#log.warn(`build ${build.id} is not kept for a rollback: ${describeError(error)}`, {
          instance: build.app,
        });
      });
    return this.#writing;
  }

  /** The build that was there before that one; undefined when none is kept. Rejects when it cannot be read. */
  async before(app: string, id: string): Promise<Build | undefined> {
    const list = await this.#listOf(app);
    const at = list.findIndex((kept) => kept.id === id);
    const previous = list[at + 1];
    return previous && (deserialize(await readFile(this.#pathOf(app, previous.id))) as Build);
  }

  async #write(build: Build): Promise<void> {
    const { app, id, builtAt } = build;
    const list = await this.#listOf(app);
    if (list[0]?.id === id) return;
    await mkdir(join(this.#folder, app), { recursive: true });
    await replaceFile(this.#pathOf(app, id), serialize(build));
    const now = [{ id, builtAt }, ...list.filter((kept) => kept.id !== id)];
    const gone = now.splice(KEPT);
    await replaceFile(this.#indexOf(app), JSON.stringify(now));
    this.#known.set(app, Promise.resolve(now));
    for (const old of gone) await rm(this.#pathOf(app, old.id), { force: true });
  }

  #listOf(app: string): Promise<KeptBuild[]> {
    let list = this.#known.get(app);
    if (!list) {
      list = readFile(this.#indexOf(app), 'utf8').then(readIndex, () => []);
      this.#known.set(app, list);
    }
    return list;
  }

  #indexOf(app: string): string {
    return join(this.#folder, app, 'builds.json');
  }

  #pathOf(app: string, id: string): string {
    return join(this.#folder, app, `${id}.build`);
  }
}

/** Whole, or as it was. */
async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

function readIndex(text: string): KeptBuild[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter(isKept).slice(0, KEPT) : [];
  } catch {
    return []; // torn by a power failure: the next build begins a new one
  }
}

function isKept(value: unknown): value is KeptBuild {
  const { id, builtAt } = (value ?? {}) as Partial<KeptBuild>;
  return typeof id === 'string' && /^[0-9a-f]{8}$/.test(id) && typeof builtAt === 'number';
}
