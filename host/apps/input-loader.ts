import type { OnLoadArgs, OnLoadResult, Plugin } from 'esbuild';
import { describeError } from '../base/errors.ts';
import type { OwnFiles } from './own-files.ts';
import { readPlainFile } from './plain-file.ts';

const MAX_FILES = 20_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** Files of one build that are open at one time: the server needs descriptors for sockets. */
const MOST_OPEN = 8;

/**
 * Reads for esbuild what is bundled. It would follow a link that was put there after it had looked, and then nobody
 * could tell what came of it from the author's own.
 */
export class InputLoader {
  readonly #own: OwnFiles;
  /** By absolute path. */
  readonly read = new Map<string, Uint8Array>();
  /** What is none of the author's business, where it really lies. */
  foreign: string | undefined;
  /** Absolute paths of all that was asked for. */
  tried: string[] = [];
  #bytes = 0;
  #open = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(own: OwnFiles) {
    this.#own = own;
  }

  /** Forgets what was read. A build that is over has no use for it, and esbuild keeps hold of the first loader. */
  forget(): void {
    this.read.clear();
    this.tried = [];
    this.#bytes = 0;
  }

  async load({ path }: OnLoadArgs): Promise<OnLoadResult> {
    this.tried.push(path);
    const excess = this.tried.length - MAX_FILES;
    if (excess === 1) return failed(`more than ${MAX_FILES} files are imported: import less`);
    if (excess > 1) return { contents: '' };
    if (this.#open >= MOST_OPEN) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#open++;
    try {
      const { bytes, real } = await readPlainFile(path, MAX_BYTES - this.#bytes);
      this.#bytes += bytes.length;
      if (!(await this.#own.has(real)) && !(await this.#own.hasPackage(real))) {
        this.foreign ??= real;
        return failed(`${real} is none of its own files`);
      }
      this.read.set(path, bytes);
      return { contents: bytes, loader: 'default' };
    } catch (error) {
      return failed(`cannot be read: ${describeError(error, 200)}`);
    } finally {
      this.#open--;
      this.#waiting.shift()?.();
    }
  }
}

/** For a context that builds again and again: each time with the loader of that build. */
export function inputPlugin(current: () => InputLoader): Plugin {
  return {
    name: 'stagewire',
    setup: ({ onLoad }) => onLoad({ filter: /.*/, namespace: 'file' }, (args) => current().load(args)),
  };
}

function failed(text: string): OnLoadResult {
  return { errors: [{ text }] };
}
