import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises';

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

export interface PlainFile {
  readonly bytes: Uint8Array;
  /** Where it really lies, links resolved. */
  readonly real: string;
}

/**
 * Reads a file of an author's. Its kind, its size and its place are those of what was opened: a path may lead
 * elsewhere a moment later, and a pipe would hold up whoever waits for its writer. Throws for what is no file, or has
 * more than `mostBytes`.
 */
export async function readPlainFile(path: string, mostBytes: number): Promise<PlainFile> {
  const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error('it is no file');
    if (stats.size > mostBytes) throw new Error(`it measures ${stats.size} bytes`);
    const real = await placeOf(file, path);
    const bytes = new Uint8Array(stats.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break; // it became shorter
      length += bytesRead;
    }
    return { bytes: bytes.subarray(0, length), real };
  } finally {
    await file.close();
  }
}

async function placeOf({ fd }: FileHandle, path: string): Promise<string> {
  return process.platform === 'linux' ? readlink(`/proc/self/fd/${fd}`) : realpath(path);
}
