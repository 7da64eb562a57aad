import type { Stats } from 'node:fs';
import { FileError } from './paths.ts';
import { Sandbox } from './sandbox.ts';

/** Files that the scripts of one application have open, all instances together: the server needs descriptors for sockets. */
const MAX_OPEN = 512;
/** So many paths that scripts have written are remembered. */
const MAX_WRITTEN = 10_000;

/** What all scripts of an application share of its files: the folder, and what they have done there. */
export class AppFiles {
  readonly sandbox: Sandbox;
  #last: Promise<unknown> = Promise.resolve();
  /** Files and folders that were made, less those that were removed, since the server started. */
  #made = 0;
  /** By which files have become longer, less what is gone, since the server started. */
  #bytes = 0;
  #open = 0;
  /** How often files are open, by device and inode: one that is removed takes room until it is closed. */
  readonly #openFiles = new Map<string, number>();
  /** Real paths, the last one last. */
  readonly #written = new Set<string>();

  /** `elsewhere`: further folders by the path under which scripts know them, such as `/videos`. */
  constructor(folder: string, elsewhere: Readonly<Record<string, string>> = {}) {
    this.sandbox = new Sandbox(folder, elsewhere);
  }

  /**
   * One thing after the other: so scripts cannot change under each other's hands what was just looked at, and
   * an application with many rooms keeps the server's disk no busier than one with a single room.
   */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task);
    this.#last = done.catch(() => {}); // whoever asked hears of it
    return done;
  }

  /** A script is about to write there, or to remove or rename what is there. */
  written(path: string): void {
    this.#written.delete(path);
    this.#written.add(path);
    if (this.#written.size > MAX_WRITTEN) this.#written.delete(this.#written.values().next().value!);
  }

  hasWritten(path: string): boolean {
    return this.#written.has(path);
  }

  /** A file or folder is about to be made. */
  making(max: number): void {
    if (this.#made >= max)
      throw new FileError(
        `scripts have made ${max} files and folders, and that is the limit (limits.files): remove some`,
      );
    this.#made++;
  }

  /** As many are gone, or were not made after all. */
  removed(count: number): void {
    this.#made = Math.max(0, this.#made - count);
  }

  /** A file is about to have so many bytes more. */
  growing(bytes: number, max: number): void {
    if (this.#bytes + bytes > max)
      throw new FileError(
        `scripts have written ${this.#bytes} bytes, and ${bytes} more are over the limit (limits.appFileBytes: ${max}): remove some`,
      );
    this.#bytes += bytes;
  }

  /** As many are gone, or were not written after all. */
  shrunk(bytes: number): void {
    this.#bytes = Math.max(0, this.#bytes - bytes);
  }

  /** What a file that is removed gives back: nothing while it is open. */
  freedBy(stats: Stats): number {
    return stats.isFile() && !this.#openFiles.has(nameOf(stats)) ? stats.size : 0;
  }

  opening(): void {
    if (this.#open >= MAX_OPEN)
      throw new FileError(`the application's instances have ${MAX_OPEN} files open, and that is the limit`);
    this.#open++;
  }

  /** It is open: which one it is. */
  opened(stats: Stats): void {
    this.#openFiles.set(nameOf(stats), (this.#openFiles.get(nameOf(stats)) ?? 0) + 1);
  }

  /** `stats`: of one that `opened` was told of, as it is now. */
  closed(stats?: Stats): void {
    this.#open--;
    if (!stats) return;
    const others = (this.#openFiles.get(nameOf(stats)) ?? 0) - 1;
    if (others > 0) this.#openFiles.set(nameOf(stats), others);
    else this.#openFiles.delete(nameOf(stats));
    if (others <= 0 && stats.nlink === 0) this.shrunk(stats.size);
  }
}

function nameOf({ dev, ino }: Stats): string {
  return `${dev} ${ino}`;
}
