import { statfs } from 'node:fs/promises';

/** What is free on the disk of that folder, for us. */
export async function freeMbOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return (bavail * bsize) / 1024 ** 2;
}

const CHECK_MS = 2000;

/** Sees to it, now and then, that so much of a disk stays free. */
export class FreeSpace {
  readonly #toStayMb: number;
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(toStayMb: number) {
    this.#toStayMb = toStayMb;
  }

  /** Rejects with `DiskFull`. */
  async check(folder: string): Promise<void> {
    const now = performance.now();
    if (now - this.#checkedAt < CHECK_MS) return;
    this.#checkedAt = now;
    const freeMb = await freeMbOf(folder);
    if (freeMb < this.#toStayMb) throw new DiskFull(freeMb, this.#toStayMb);
  }
}

/** There is less than has to stay free (`limits.freeDiskMb`), and be it after what is to be written. */
export class DiskFull extends Error {
  constructor(freeMb: number, toStayMb: number, neededMb = 0) {
    const needed = neededMb > 0 ? `, ${Math.ceil(neededMb)} MB are needed` : '';
    super(
      `the disk has ${Math.floor(freeMb)} MB free${needed}, and ${toStayMb} are to stay (limits.freeDiskMb)`,
    );
  }
}
