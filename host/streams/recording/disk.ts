import { statfs } from 'node:fs/promises';

/** What is free on the disk of that folder, for us. */
export async function freeMbOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return (bavail * bsize) / 1024 ** 2;
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
