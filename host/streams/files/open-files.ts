import type { Container, MediaInfo } from './container.ts';
import { FileBytes } from './file-bytes.ts';
import { openContainer } from './formats.ts';
import { FileProblem } from './problem.ts';

/** All tables of all open files together. */
const MAX_TABLE_BYTES = 512 * 1024 * 1024;

interface OpenFile {
  readonly key: string;
  readonly bytes: FileBytes;
  readonly container: Container;
}

/** The open files of the worker, by the numbers that the main thread knows them by. */
export class OpenFiles {
  readonly #maxOpen: number;
  readonly #files = new Map<number, OpenFile>();
  readonly #numbers = new Map<string, number>();
  #nextNumber = 1;
  #opening = 0;

  constructor(maxOpen: number) {
    this.#maxOpen = maxOpen;
  }

  async open(path: string, app: string): Promise<{ file: number; info: MediaInfo }> {
    const bytes = await FileBytes.open(path);
    try {
      const key = `${bytes.identity}:${path}`;
      const shared = this.#numbers.get(key);
      if (shared === undefined) return await this.#add(key, bytes, app);
      await bytes.close();
      return { file: shared, info: this.get(shared).info };
    } catch (error) {
      await bytes.close();
      throw error;
    }
  }

  get(file: number): Container {
    const found = this.#files.get(file);
    if (!found) throw new FileProblem('io', 'the file is closed');
    return found.container;
  }

  async close(file: number): Promise<undefined> {
    const found = this.#files.get(file);
    if (!found) return;
    this.#files.delete(file);
    if (this.#numbers.get(found.key) === file) this.#numbers.delete(found.key);
    await found.bytes.close();
  }

  async #add(key: string, bytes: FileBytes, app: string): Promise<{ file: number; info: MediaInfo }> {
    if (this.#files.size + this.#opening >= this.#maxOpen) {
      throw new FileProblem('busy', `${this.#maxOpen} media files are open`);
    }
    this.#opening++;
    try {
      const container = await openContainer(bytes, app);
      bytes.isOpened();
      if (this.#tableBytes() + container.memoryBytes > MAX_TABLE_BYTES) {
        throw new FileProblem('busy', 'too many large media files are open');
      }
      const file = this.#nextNumber++;
      this.#files.set(file, { key, bytes, container });
      this.#numbers.set(key, file);
      return { file, info: container.info };
    } finally {
      this.#opening--;
    }
  }

  #tableBytes(): number {
    let sum = 0;
    for (const { container } of this.#files.values()) sum += container.memoryBytes;
    return sum;
  }
}
