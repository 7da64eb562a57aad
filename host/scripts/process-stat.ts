import { readFileSync } from 'node:fs';

/** Of Linux on every architecture that Node runs on; larger pages only show less often. */
const PAGE_BYTES = 4096;
/** Clock ticks a second of /proc, likewise. */
const TICKS = 100;

/** Resident memory of a process in bytes; undefined where there is no /proc, or no such process. About 10 us. */
export function residentBytes(pid: number): number | undefined {
  const text = read(`/proc/${pid}/statm`);
  return text === undefined ? undefined : Number(text.split(' ')[1]) * PAGE_BYTES;
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

function cpuOf(file: string): number | undefined {
  const text = read(file);
  if (text === undefined) return undefined;
  // The command's name, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}
