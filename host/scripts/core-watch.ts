import type { Limits } from '../base/limits.ts';
import { MemoryBlame } from './memory-blame.ts';
import { isStopped, processCpu, residentBytes } from './process-stat.ts';

export type WatchLimits = Pick<
  Limits,
  'stuckGraceMs' | 'memoryPollMs' | 'coreMb' | 'coreGrowthMb' | 'coreBurstMb' | 'coreRetireMb'
>;

/** Work that a core has under way for one isolate: a boot or a turn. */
export interface Work {
  readonly isolate: number;
  readonly startedAt: number;
  /** When its time is up. Moves on while the core says that a later entry is running. */
  deadlineAt: number;
  /** The core's processor time when that was first seen; undefined while it is in time. */
  lateCpuMs: number | undefined;
  /** When it was asked, and how much processor time the core had had by then; undefined while nobody waits for an answer. */
  probed: { at: number; cpuMs: number | undefined } | undefined;
  /** It has computed for the whole grace, or has been asked before: being late still means that it does not stop. */
  isProven: boolean;
  /** It was late when it was asked last. */
  wasLate: boolean;
}

/** `frozen`: it did not get a processor, through nobody's fault who lives there. */
export type Condemnation = 'memory' | 'stuck' | 'frozen';

export interface WatchEvents {
  /** What this work has come to is to be found out; `found` is called with how long its present entry runs. */
  probe(work: Work): void;
  /** The core must go: `culprits` are the isolates that are probably why. */
  condemn(reason: Condemnation, culprits: readonly number[], message: string): void;
  /** It has grown old: nobody new should move in. */
  retire(): void;
  /** About once a second of activity, and when it ends. */
  settle(): void;
}

const MB = 1024 * 1024;
const BURST_WINDOW_MS = 250;
/** Turns that are shorter do not keep a core from resting. */
const SHORT_MS = 100;
const SETTLE_EVERY_MS = 1000;
/** A core whose main thread does not answer for so long is stuck as a whole. On a busy machine it may take a while. */
const PROBE_PATIENCE_MS = 2000;
/** So much of the grace must have been spent computing, by clock ticks of 10 ms ... */
const CPU_PROOF = 0.8;
/** ... or it has lasted so many times as long, twice, for work that waits for something. */
const GRACE_PATIENCE = 8;
/** A process that has had no more than that, two clock ticks, while it was to answer, has not run. */
const IDLE_CPU_MS = 20;

/**
 * Watches one core while it has work: deadlines, and resident memory, which some scripts grow where no heap limit
 * sees it (2 GB/s were measured). An idle core costs nothing.
 */
export class CoreWatch {
  readonly #pid: number;
  readonly #limits: WatchLimits;
  readonly #events: WatchEvents;
  readonly #work = new Map<number, Work>();
  readonly #blame = new MemoryBlame();
  /** The newest memory readings, oldest first. */
  #readings: { at: number; bytes: number }[] = [];
  #firstBytes: number | undefined;
  #restBytes: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasWorked = false;
  #settledAt = 0;
  #isClosed = false;

  constructor(pid: number, limits: WatchLimits, events: WatchEvents) {
    this.#pid = pid;
    this.#limits = limits;
    this.#events = events;
    this.#firstBytes = this.#restBytes = residentBytes(pid);
    events.settle(); // from here on
  }

  /** Resident memory at the last reading; undefined where that cannot be read. */
  get residentBytes(): number | undefined {
    return this.#readings.at(-1)?.bytes ?? this.#restBytes;
  }

  /** By how much it has grown while it rested, since it began. */
  get grownBytes(): number {
    return (this.#restBytes ?? 0) - (this.#firstBytes ?? 0);
  }

  /** Whether it may be on its way to being condemned for the core's growth. */
  isSuspect(isolate: number): boolean {
    return this.#blame.excessOf(isolate) > (this.#limits.coreGrowthMb * MB) / 4;
  }

  /** The isolates that have work under way. */
  get busy(): number[] {
    return [...this.#work.keys()];
  }

  /** Those whose work has lasted for longer. */
  busyFor(ms: number): number[] {
    const now = performance.now();
    return [...this.#work.values()]
      .filter(({ startedAt }) => now - startedAt > ms)
      .map(({ isolate }) => isolate);
  }

  /** Work of an isolate whose heap may have `heapMb`. */
  begin(isolate: number, limitMs: number, heapMb: number): void {
    if (this.#isClosed) return;
    this.#blame.isAtWork(isolate, heapMb);
    const startedAt = performance.now();
    const deadlineAt = startedAt + limitMs;
    const notYet = { lateCpuMs: undefined, probed: undefined, isProven: false, wasLate: false };
    this.#work.set(isolate, { isolate, startedAt, deadlineAt, ...notYet });
    this.#hasWorked = true;
    this.#timer ??= setInterval(() => this.#tick(), this.#limits.memoryPollMs);
  }

  end(isolate: number): void {
    this.#work.delete(isolate);
  }

  /** Its end is due now. */
  hasten(isolate: number): void {
    const work = this.#work.get(isolate);
    if (work) work.deadlineAt = Math.min(work.deadlineAt, performance.now());
  }

  /** It was found not to end: nobody need ask again, though it is at work until the core is killed. */
  givenUp(isolate: number): void {
    const work = this.#work.get(isolate);
    if (work) work.deadlineAt = Number.POSITIVE_INFINITY;
  }

  /** The isolate is gone. */
  forget(isolate: number): void {
    this.end(isolate);
    this.#blame.forget(isolate);
  }

  /** The answer to a probe: how long the present entry has been running, of `limitMs` that it may. */
  found(isolate: number, entryMs: number, limitMs: number): boolean {
    const work = this.#work.get(isolate);
    if (!work) return false;
    work.probed = undefined;
    const overMs = entryMs - limitMs;
    const isLate = overMs >= this.#limits.stuckGraceMs;
    if (isLate && work.isProven) return true;
    // Frozen for a while and let go again, it has all its time behind it and had none to stop.
    work.deadlineAt = performance.now() - (isLate ? 0 : overMs);
    work.wasLate = isLate;
    work.lateCpuMs = undefined;
    return false;
  }

  close(): void {
    this.#isClosed = true;
    this.#work.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const now = performance.now();
    const bytes = residentBytes(this.#pid);
    if (bytes !== undefined) this.#weigh(now, bytes);
    if (!this.#isClosed) this.#checkDeadlines(now);
    if (this.#isClosed) return;
    const isIdle = this.#work.size === 0 && !this.#hasWorked;
    this.#hasWorked = false;
    if (isIdle || now - this.#settledAt >= SETTLE_EVERY_MS) {
      this.#settledAt = now;
      this.#events.settle();
    }
    if (!isIdle) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#readings = [];
  }

  #weigh(now: number, bytes: number): void {
    const { coreMb, coreGrowthMb, coreBurstMb, coreRetireMb } = this.#limits;
    const readings = this.#readings;
    while (readings.length > 0 && now - readings[0]!.at > BURST_WINDOW_MS) readings.shift();
    const oldest = readings[0];
    readings.push({ at: now, bytes });

    const hoarders = this.#blame.weigh(bytes, this.busy, coreGrowthMb * MB);
    if (hoarders.length > 0) {
      const message = `its core grew by more than ${coreGrowthMb} MB beyond its heap`;
      return this.#events.condemn('memory', hoarders, message);
    }
    if (bytes > coreMb * MB) {
      const message = `its core has ${Math.round(bytes / MB)} MB, more than limits.coreMb`;
      return this.#events.condemn('memory', this.#blame.heaviest(), message);
    }
    const long = this.busyFor(SHORT_MS);
    if (long.length === 0) {
      this.#restBytes = bytes;
      this.#firstBytes ??= bytes;
      if (bytes - this.#firstBytes > coreRetireMb * MB) this.#events.retire();
      return;
    }
    const burst = oldest ? bytes - oldest.bytes : 0;
    if (burst <= Math.max(coreBurstMb * MB, this.#blame.heapBytesOf(long))) return;
    const message = `its core grew by ${Math.round(burst / MB)} MB in ${Math.round(now - oldest!.at)} ms`;
    this.#events.condemn('memory', long, message);
  }

  #checkDeadlines(now: number): void {
    const { stuckGraceMs } = this.#limits;
    const late = [...this.#work.values()].filter(({ deadlineAt }) => now >= deadlineAt);
    if (late.length === 0) return;
    const cpuMs = processCpu(this.#pid)?.allMs;
    for (const work of late) {
      if (work.probed) {
        if (now - work.probed.at > PROBE_PATIENCE_MS) return this.#condemnSilent(work.probed, now, cpuMs);
        continue;
      }
      // Where others have the processors, being late is no proof: it must have had the time to stop.
      work.lateCpuMs ??= cpuMs;
      const lateMs = now - work.deadlineAt;
      const ownCpuMs = cpuMs === undefined ? lateMs : (cpuMs - work.lateCpuMs!) / late.length;
      if (lateMs < stuckGraceMs) continue;
      const hasComputed = ownCpuMs >= stuckGraceMs * CPU_PROOF;
      if (!hasComputed && lateMs < stuckGraceMs * GRACE_PATIENCE) continue;
      work.isProven = hasComputed || work.wasLate;
      work.probed = { at: now, cpuMs };
      this.#events.probe(work);
    }
  }

  #condemnSilent(asked: { at: number; cpuMs: number | undefined }, now: number, cpuMs?: number): void {
    const message = `its core has not answered for ${Math.round(now - asked.at)} ms`;
    if (hasRun(this.#pid, asked.cpuMs, cpuMs)) this.#events.condemn('stuck', this.busy, message);
    else this.#events.condemn('frozen', [], `${message}, and had no processor`);
  }
}

/** Whether a process that has not answered could have; true where that cannot be told. */
export function hasRun(pid: number, cpuThenMs: number | undefined, cpuNowMs: number | undefined): boolean {
  if (cpuThenMs === undefined || cpuNowMs === undefined) return true;
  return cpuNowMs - cpuThenMs > IDLE_CPU_MS && !isStopped(pid);
}
