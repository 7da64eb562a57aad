import { FileError } from './paths.ts';
import { Sandbox } from './sandbox.ts';

/** Files that the scripts of one application have open, all instances together: the server needs descriptors for sockets. */
const MAX_OPEN = 512;

/** What all scripts of an application share of its files: the folder, and what they have done there. */
export class AppFiles {
  readonly sandbox: Sandbox;
  #last: Promise<unknown> = Promise.resolve();
  /** Files and folders that were made, less those that were removed, since the server started. */
  #made = 0;
  #open = 0;

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

  opening(): void {
    if (this.#open >= MAX_OPEN)
      throw new FileError(`the application's instances have ${MAX_OPEN} files open, and that is the limit`);
    this.#open++;
  }

  closed(): void {
    this.#open--;
  }
}
