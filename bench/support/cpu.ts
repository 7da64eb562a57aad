import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second of /proc: 100 on every Linux that Node runs on. */
const TICKS = 100;

interface ProcessStat {
  parent: number;
  /** User and system time of all threads. */
  cpuMs: number;
}

/** Processor time of a process so far; undefined where there is no /proc, or no such process. */
export function cpuMsOf(pid: number): number | undefined {
  return readStat(pid)?.cpuMs;
}

/** The processes that `parent` started and whose command line contains `text`. */
export function childrenOf(parent: number, text: string): number[] {
  return numbersIn('/proc').filter(
    (pid) => readStat(pid)?.parent === parent && commandOf(pid).includes(text),
  );
}

/** All that a process has started, and what those have started. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const one of numbersIn('/proc')) {
    const parent = readStat(one)?.parent;
    if (parent === undefined) continue;
    const siblings = children.get(parent);
    if (siblings) siblings.push(one);
    else children.set(parent, [one]);
  }
  const found: number[] = [];
  for (let next = children.get(pid) ?? []; next.length > 0; ) {
    found.push(...next);
    next = next.flatMap((one) => children.get(one) ?? []);
  }
  return found;
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    // The command's name, in parentheses, may contain anything.
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS };
  } catch {
    return undefined;
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** Memory of a process in MB, its share of what it shares with others; undefined as above. */
export function memoryMbOf(pid: number): number | undefined {
  try {
    const [, kb] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')) ?? [];
    return Number(kb) / 1024;
  } catch {
    return undefined;
  }
}
