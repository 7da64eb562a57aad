import { readFileSync, writeFileSync } from 'node:fs';

/** Of memory, as /proc/PID/statm counts it: 4 KiB on most machines, up to 64 KiB on some. Told by our own size in both. */
let pageBytes: number | undefined;

/** Clock ticks a second of /proc: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Resident memory of a process in bytes; undefined where there is no /proc, or no such process. About 10 us. */
export function residentBytes(pid: number): number | undefined {
  const text = read(`/proc/${pid}/statm`);
  if (text === undefined) return undefined;
  pageBytes ??= ownPageBytes();
  return Number(text.split(' ')[1]) * pageBytes;
}

export interface ProcessCpu {
  /** All threads, in steps of 10 ms. */
  allMs: number;
  /** The main thread alone. */
  mainMs: number;
}

/** Processor time of a process so far; undefined as above. */
export function processCpu(pid: number): ProcessCpu | undefined {
  const all = cpuOf(`/proc/${pid}/stat`);
  const main = cpuOf(`/proc/${pid}/task/${pid}/stat`);
  return all === undefined || main === undefined ? undefined : { allMs: all, mainMs: main };
}

/** When the machine runs out of memory, that process is what it can best do without. */
export function offerToOomKiller(pid: number): void {
  if (process.platform !== 'linux' || pid === 0) return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // It has ended already, which its exit tells.
  }
}

function cpuOf(file: string): number | undefined {
  const text = read(file);
  if (text === undefined) return undefined;
  // The command's name, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

function ownPageBytes(): number {
  const pages = Number(read('/proc/self/statm')?.split(' ')[1]);
  return 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}
