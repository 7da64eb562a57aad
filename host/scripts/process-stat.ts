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

/** A signal or a debugger has stopped it; false where that cannot be told. */
export function isStopped(pid: number): boolean {
  return /^[Tt]$/.test(statOf(`/proc/${pid}/stat`)?.[0] ?? '');
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
  const fields = statOf(file);
  return fields && ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

/** From the state on: the command's name before it, in parentheses, may contain anything. */
function statOf(file: string): string[] | undefined {
  const text = read(file);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
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
