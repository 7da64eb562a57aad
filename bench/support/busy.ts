import { readdirSync, readFileSync } from 'node:fs';
import { cpuMsOf, descendantsOf } from './cpu.ts';

/** Processor time so far of a process and all that it started: to the nanosecond where the kernel tells. */
export function treeCpuMs(pid: number): number {
  return [pid, ...descendantsOf(pid)].reduce((sum, one) => sum + (exactCpuMs(one) ?? cpuMsOf(one) ?? 0), 0);
}

/** A tick is a hundredth of a second, too coarse for few viewers: the scheduler counts nanoseconds. */
function exactCpuMs(pid: number): number | undefined {
  try {
    const folder = `/proc/${pid}/task`;
    return readdirSync(folder).reduce((sum, thread) => {
      const [ns] = readFileSync(`${folder}/${thread}/schedstat`, 'latin1').split(' ');
      return sum + Number(ns) / 1e6;
    }, 0);
  } catch {
    return undefined;
  }
}

export function residentKbOf(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb);
}

/** How busy all processors together are: a share from 0 to 1 between two looks. */
export class MachineLoad {
  #before = readTicks();

  /** Since the last look. */
  look(): number {
    const now = readTicks();
    const all = now.all - this.#before.all;
    const idle = now.idle - this.#before.idle;
    this.#before = now;
    return all === 0 ? Number.NaN : 1 - idle / all;
  }
}

function readTicks(): { all: number; idle: number } {
  try {
    const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
    const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
    return { all: ticks.reduce((sum, count) => sum + count, 0), idle: ticks[3]! + ticks[4]! };
  } catch {
    return { all: 0, idle: 0 };
  }
}
