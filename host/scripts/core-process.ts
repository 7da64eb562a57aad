import type { Duplex } from 'node:stream';
import { StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import {
  type BootedFrame,
  type BootFrame,
  type Done,
  type Frame,
  FrameKind,
  FrameReader,
  frame,
  type IsolateStats,
  jsonFrame,
  type ReadyFrame,
  readDone,
  turnFrame,
} from '../core/frames.ts';
import { CoreAccounts, CpuAccount } from './accounts.ts';
import { type Condemnation, CoreWatch, hasRun, type WatchLimits } from './core-watch.ts';
import { processCpu } from './process-stat.ts';
import { type CoreChild, KILLED, type Sandbox } from './sandbox.ts';

/** What a boot produced before anybody was connected: the commands of the top level, or why there is no isolate. */
export interface Booted {
  error?: { message: string; stack: string };
  /** As those of a turn. */
  cpuUs: number;
  answeredUs: number;
  commands: Buffer;
}

/** What a core's end means for one of its isolates. */
export interface CoreDeath {
  reason: 'memory' | 'stuck' | 'crash';
  /** For the log. */
  message: string;
  /** It was at work when the core died, or is why the core was killed. */
  isSuspect: boolean;
  /** And nobody else was. */
  isOnlySuspect: boolean;
  /** Where it shall start again together with the other suspects of this death; undefined when it is to be alone. */
  ward: string | undefined;
  /** How far its turn had come, where that is known. */
  progress: Done | undefined;
}

/** An isolate as its core process tells of it. */
export interface Resident {
  /** Called once, unless the isolate was disposed of before. */
  onDeath(death: CoreDeath): void;
  onStats(stats: IsolateStats): void;
  /** The state that it leaves to the next. */
  onState(state: Buffer): void;
  /** This core will go: it should have moved to another when this resolves. Must not reject. */
  onMove(): Promise<void>;
  /** It waits for the answer to a question. Must not throw or reject. */
  onAsk(question: Buffer, commands: Buffer): Promise<Uint8Array>;
}

/** Where a booted isolate lives. */
export interface Home {
  readonly core: CoreProcess;
  readonly isolate: number;
  readonly account: CpuAccount;
}

/** `heapBytes`: as it last told. */
type Lodger = Resident & { heapMb: number; heapBytes: number };

interface Waiting {
  booted?: (result: Booted) => void;
  done?: (result: Done) => void;
  stats?: (result: IsolateStats) => void;
  /** Of a boot or a turn. */
  limitMs?: number;
  /** Nobody waits for its end any more, but it must come. */
  isDisposed?: boolean;
  fail: (error: StagewireError) => void;
}

export type CoreLimits = WatchLimits &
  Pick<Limits, 'coreRetireInstances' | 'coreStartMs' | 'evacuationMs' | 'heapMb' | 'spareHeaps'>;

/** Why we killed it, and whom we blame. */
interface Verdict {
  reason: Condemnation;
  message: string;
  culprits: readonly number[];
}

export interface CoreEvents {
  /** Called once, whatever ended it, before the residents hear of it. */
  onExit(core: CoreProcess, message: string): void;
  /** Its last isolate has gone. */
  onEmpty(core: CoreProcess): void;
}

/** So many suspects each get a core of their own; more share one, or making cores would keep the machine busy. */
const MAX_ALONE = 2;
/** Heaps that are made in each core, before it is known how many will come. */
const FEW_HEAPS = 8;
/** Killed from outside, a core was hardly killed by what it had just begun. */
const LONG_WORK_MS = 50;

const MB = 1024 * 1024;
/** So much of what retires a core must be nobody's heap, before its residents move for it. */
const WORN = 0.5;

/** Compiling comes on top of the time limit of the top level. */
const COMPILE_MS = 2000;

/** One core process as the host sees it. */
export class CoreProcess {
  /** Resolves when the core has run the runtime once and can boot isolates. */
  readonly ready: Promise<void>;
  isReady = false;
  /** Isolates that live here or are about to. */
  isolates = 0;
  /** Isolates that are being made. */
  booting = 0;
  /** How many have ever. */
  hosted = 0;
  isGone = false;
  /** It was ended because nobody needed it. */
  isDismissed = false;
  /** Takes no more isolates: it has grown old, or will be killed. Those that it has move away. */
  isRetired = false;
  /** Whose alone it is: an application's name or a ward's; undefined when it is everybody's. */
  tenant: string | undefined;
  /** It takes no second isolate while its first is in quarantine. */
  isQuarantine = false;
  readonly #child: CoreChild;
  readonly #socket: Duplex;
  readonly #log: Log;
  readonly #limits: CoreLimits;
  readonly #events: CoreEvents;
  readonly #waiting = new Map<number, Waiting>();
  readonly #stats = new Map<number, Promise<IsolateStats>>();
  readonly #residents = new Map<number, Lodger>();
  /** Those that are being made may ask too. */
  readonly #askers = new Map<number, Resident['onAsk']>();
  readonly #accounts = new CoreAccounts();
  #watch: CoreWatch | undefined;
  #verdict: Verdict | undefined;
  /** For what it will be killed when all that can move away have, or after a time. */
  #doom: (Verdict & { timer: NodeJS.Timeout }) | undefined;
  /** Isolates that were told to move away. */
  readonly #told = new Set<number>();
  #isEmptying = false;
  #progress = new Map<number, Done>();
  #nextIsolate = 1;
  /** Heaps that it was told to make since the last isolate came. */
  #stocked = 0;
  readonly #startedAt = performance.now();
  /** Its processor time when it was asked whether it is alive; undefined once it has answered. */
  #pinged: { cpuMs: number | undefined } | undefined;

  constructor(runtime: string, sandbox: Sandbox, limits: CoreLimits, log: Log, events: CoreEvents) {
    this.#limits = limits;
    this.#log = log;
    this.#events = events;
    this.#child = sandbox.spawnCore();
    this.#socket = this.#child.socket;

    let answered: () => void = () => {};
    let failed: (error: Error) => void = () => {};
    this.ready = new Promise((resolve, reject) => {
      answered = resolve;
      failed = reject;
    });
    this.ready.catch(() => {}); // whoever needs the core awaits it

    const reader = new FrameReader((incoming) => {
      if (incoming.kind !== FrameKind.ready) return this.#handle(incoming);
      this.isReady = true;
      this.#watch = this.#startWatch();
      answered();
      if (this.isolates === 0) this.stock(FEW_HEAPS);
    });
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#log.error(`core ${this.pid} sent what is no frame`, { error });
        this.kill();
      }
    });
    this.#socket.on('error', () => {}); // the exit tells
    this.#child.onOutput((text) => this.#log.warn(`core ${this.pid}: ${text.trimEnd()}`));
    this.#child.onExit((how) => {
      if (this.isGone) return;
      this.isGone = true;
      const message = this.#verdict?.message ?? how;
      failed(new StagewireError('E_CORE_GONE', 'host', `core ${this.pid} ended: ${message}`));
      this.#bury(how);
    });
    const ready: ReadyFrame = { runtime, heapMb: limits.heapMb };
    this.#socket.write(jsonFrame(FrameKind.ready, 0, ready));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resident memory when it was last read; undefined where it cannot be. */
  get residentBytes(): number | undefined {
    return this.#watch?.residentBytes;
  }

  /**
   * Makes an isolate and runs the code's top level. The pool has counted it already. Rejects only when the core dies;
   * when it dies later, the resident hears of it.
   */
  async boot(request: BootFrame, resident: Resident): Promise<{ home: Home; booted: Booted }> {
    const isolate = this.#nextIsolate++;
    let booted: Booted;
    this.booting++;
    this.#stocked = 0;
    this.#askers.set(isolate, resident.onAsk);
    try {
      await this.ready;
      booted = await new Promise<Booted>((resolve, reject) => {
        const limitMs = request.bootMs + COMPILE_MS;
        this.#expect(isolate, { booted: resolve, fail: reject, limitMs });
        this.#watch?.begin(isolate, limitMs, request.memoryMb);
        this.#socket.write(jsonFrame(FrameKind.boot, isolate, request));
      });
    } catch (error) {
      this.#askers.delete(isolate);
      this.#leave();
      throw error;
    } finally {
      this.booting--;
    }
    if (booted.error) {
      this.#askers.delete(isolate);
      this.#watch?.forget(isolate);
      this.#leave();
    } else this.#settle(isolate, { ...resident, heapMb: request.memoryMb, heapBytes: 0 });
    return { home: { core: this, isolate, account: new CpuAccount(this.#accounts) }, booted };
  }

  /**
   * One turn: at most one at a time for each isolate, whose entries may take `limitMs`. `records` must stay as they are
   * until it has resolved and nothing waits to be written (`hasWrittenAll`). Rejects only when the core dies.
   */
  turn(
    isolate: number,
    limitMs: number,
    nowMs: number,
    monotonicMs: number,
    seed: Buffer,
    records: Uint8Array,
  ): Promise<Done> {
    return new Promise((resolve, reject) => {
      this.#expect(isolate, { done: resolve, fail: reject, limitMs });
      this.#watch?.begin(isolate, limitMs, this.#residents.get(isolate)?.heapMb ?? 0);
      this.#socket.cork();
      this.#socket.write(turnFrame(isolate, nowMs, monotonicMs, seed, records.length));
      this.#socket.write(records);
      this.#socket.uncork();
    });
  }

  /** So many instances, within the limit, could come at once: heaps are made for them, while there are none. */
  stock(instances: number): void {
    const heaps = Math.min(instances, this.#limits.spareHeaps);
    if (heaps <= this.#stocked) return;
    this.#stocked = heaps;
    const body = Buffer.allocUnsafe(4);
    body.writeUInt32BE(heaps);
    this.#socket.write(frame(FrameKind.stock, 0, body));
  }

  /** For its next turn: what an older script has left. */
  giveState(isolate: number, state: Uint8Array): void {
    this.#socket.write(frame(FrameKind.state, isolate, state));
  }

  /** A core whose heap is no longer its own may say that a turn is done before it has read it. */
  get hasWrittenAll(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Callers that ask while an answer is on its way share it. */
  stats(isolate: number): Promise<IsolateStats> {
    let asked = this.#stats.get(isolate);
    if (!asked) {
      asked = new Promise<IsolateStats>((resolve, reject) => {
        this.#expect(-isolate, { stats: resolve, fail: reject });
        this.#socket.write(frame(FrameKind.stats, isolate));
      }).finally(() => this.#stats.delete(isolate));
      this.#stats.set(isolate, asked);
    }
    return asked;
  }

  dispose(isolate: number): void {
    // One that was given up is over already, though it runs on.
    if (this.isGone || !this.#residents.has(isolate)) return;
    const work = this.#waiting.get(isolate);
    if (work) {
      work.isDisposed = true;
      this.#watch?.hasten(isolate);
    } else this.#watch?.forget(isolate);
    this.#residents.delete(isolate);
    this.#askers.delete(isolate);
    this.#progress.delete(isolate);
    this.#waiting
      .get(-isolate)
      ?.fail(new StagewireError('E_DISPOSED', 'host', `isolate ${isolate} was disposed`));
    this.#waiting.delete(-isolate);
    this.#socket.write(frame(FrameKind.dispose, isolate));
    this.#leave();
  }

  /** Called now and then: a core that has not answered since the last time is killed. */
  beat(sinceMs: number): void {
    if (this.isGone) return;
    if (!this.isReady) {
      const startedMs = performance.now() - this.#startedAt;
      if (startedMs < this.#limits.coreStartMs) return;
      const message = `it was not ready ${Math.round(startedMs)} ms after its start`;
      return this.#condemn({ reason: 'stuck', message, culprits: [] });
    }
    const cpuMs = processCpu(this.pid)?.allMs;
    if (this.#pinged) {
      const message = `it has not answered for ${sinceMs} ms`;
      if (hasRun(this.pid, this.#pinged.cpuMs, cpuMs))
        return this.#condemn({ reason: 'stuck', message, culprits: this.#watch?.busy ?? [] });
      return this.#condemn({ reason: 'frozen', message: `${message}, and had no processor`, culprits: [] });
    }
    this.#pinged = { cpuMs };
    this.#socket.write(frame(FrameKind.ping, 0));
  }

  kill(): void {
    this.#child.kill();
  }

  /** It is old, and takes no more isolates. Those that it has move away, one after the other, where that is worth while. */
  retire(): void {
    if (this.isRetired) return;
    this.isRetired = true;
    void this.#empty();
  }

  /** Who was here in quarantine has proved harmless: others may move in. */
  letIn(): void {
    if (!this.isQuarantine && !isWard(this.tenant)) return;
    this.isQuarantine = false;
    this.tenant = undefined;
  }

  /** Nobody lives here any more, and nobody shall. */
  dismiss(): void {
    this.isDismissed = true;
    this.kill();
  }

  #startWatch(): CoreWatch {
    return new CoreWatch(this.pid, this.#limits, {
      probe: ({ isolate }) => this.#socket.write(frame(FrameKind.probe, isolate)),
      condemn: (reason, culprits, message) => this.#condemn({ reason, culprits, message }),
      retire: () => {
        this.retire();
        if (this.isolates === 0) this.#events.onEmpty(this);
      },
      settle: () => this.#accounts.settle(processCpu(this.pid)),
    });
  }

  #condemn(verdict: Verdict): void {
    if (this.#verdict || this.isGone) return;
    this.#verdict = verdict;
    this.#watch?.close();
    this.kill();
  }

  /** Tells everybody who waits, and every resident what the end means for it. */
  #bury(how: string): void {
    const verdict = this.#verdict ?? this.#doom;
    clearTimeout(this.#doom?.timer);
    // Turns that were sent to a core which was gone already are no reason to suspect anybody of killing it.
    const suspects = how === KILLED ? this.#watch?.busyFor(LONG_WORK_MS) : this.#watch?.busy;
    this.#watch?.close();
    const culprits = new Set(verdict?.culprits ?? suspects);
    const death = (isolate: number): CoreDeath => {
      const isSuspect = culprits.has(isolate);
      return {
        // Those who are not to blame for a verdict have merely lost their core.
        reason: verdict && isSuspect && verdict.reason !== 'frozen' ? verdict.reason : 'crash',
        message: verdict?.message ?? `core ${this.pid} ended: ${how}`,
        isSuspect,
        isOnlySuspect: isSuspect && culprits.size === 1,
        ward: culprits.size > MAX_ALONE ? `ward ${this.pid}` : undefined,
        progress: this.#progress.get(isolate),
      };
    };
    this.#events.onExit(this, verdict ? `killed for ${verdict.reason}: ${verdict.message}` : how);
    // Whoever runs a turn hears of it as a resident below; a boot has no resident yet.
    for (const [isolate, { fail }] of this.#waiting) fail(new CoreDeathError(death(isolate)));
    this.#waiting.clear();
    for (const [isolate, resident] of this.#residents) resident.onDeath(death(isolate));
    this.#residents.clear();
  }

  #leave(): void {
    this.isolates--;
    if (this.isGone) return;
    if (this.isolates > 0) {
      if (this.isRetired) void this.#empty();
    } else if (this.#doom) this.#condemn(this.#doom);
    else this.#events.onEmpty(this);
  }

  #settle(isolate: number, resident: Lodger): void {
    this.#residents.set(isolate, resident);
    if (this.#doom) this.#evacuate();
    else if (this.isRetired) void this.#empty();
  }

  /**
   * An isolate does not stop, but the core still answers: for that one it is over now, while the others move to other
   * cores, before this one is killed. New residents cannot come, but boots under way can end.
   */
  #giveUp(culprit: number, message: string): void {
    this.#watch?.givenUp(culprit);
    const isFirst = !this.#doom;
    this.#doom ??= {
      reason: 'stuck',
      message,
      culprits: [],
      timer: setTimeout(() => this.#condemn(this.#doom!), this.#limits.evacuationMs),
    };
    this.isRetired = true;
    const death: CoreDeath = {
      reason: 'stuck',
      message,
      isSuspect: true,
      isOnlySuspect: true,
      ward: undefined,
      progress: this.#progress.get(culprit),
    };
    const resident = this.#residents.get(culprit);
    const work = this.#waiting.get(culprit);
    this.#residents.delete(culprit);
    this.#askers.delete(culprit);
    this.#waiting.delete(culprit);
    this.#waiting.get(-culprit)?.fail(new CoreDeathError(death));
    this.#waiting.delete(-culprit);
    const others = this.isolates - (work?.isDisposed ? 0 : 1);
    if (isFirst && others > 0)
      this.#log.warn(
        `core ${this.pid}: ${message}; ${neighbours(others)} to another core before it is killed`,
      );
    work?.fail(new CoreDeathError(death));
    resident?.onDeath(death);
    if (resident) this.#leave();
    else if (this.isolates === 0) this.#condemn(this.#doom);
    this.#evacuate();
  }

  /** All at once: how many switch at one time is for them to arrange. */
  #evacuate(): void {
    for (const [isolate, { onMove }] of this.#residents) {
      if (this.#told.has(isolate)) continue;
      this.#told.add(isolate);
      void onMove();
    }
  }

  async #empty(): Promise<void> {
    if (this.#isEmptying) return;
    this.#isEmptying = true;
    while (!this.isGone && !this.#doom && (await this.#isWorn())) {
      // Who makes it grow has nothing to gain by moving.
      const next = [...this.#residents].find(
        ([isolate]) => !this.#told.has(isolate) && !this.#watch?.isSuspect(isolate),
      );
      if (!next) break;
      this.#told.add(next[0]);
      await next[1].onMove();
    }
    this.#isEmptying = false;
  }

  /** What is as large as its residents, or as young, would be no better elsewhere. */
  async #isWorn(): Promise<boolean> {
    if (this.hosted >= this.#limits.coreRetireInstances) return this.isolates <= this.hosted / 2;
    await Promise.all(
      [...this.#residents.keys()].map((isolate) => this.stats(isolate).catch(() => undefined)),
    );
    let heaps = 0;
    for (const { heapBytes } of this.#residents.values()) heaps += heapBytes;
    return (this.#watch?.grownBytes ?? 0) - heaps > this.#limits.coreRetireMb * MB * WORN;
  }

  #expect(key: number, waiting: Waiting): void {
    if (this.isGone) {
      const message = `core ${this.pid} has ended`;
      const nobody = { isSuspect: false, isOnlySuspect: false, ward: undefined, progress: undefined };
      waiting.fail(new CoreDeathError({ reason: 'crash', message, ...nobody }));
      return;
    }
    this.#waiting.set(key, waiting);
  }

  #handle({ kind, isolate, body }: Frame): void {
    if (kind === FrameKind.ping) {
      this.#pinged = undefined;
      return;
    }
    if (kind === FrameKind.probe) return this.#probed(isolate, readDone(body));
    if (kind === FrameKind.ask) return void this.#asked(isolate, body);
    if (kind === FrameKind.state) return this.#residents.get(isolate)?.onState(Buffer.from(body));
    const key = kind === FrameKind.stats ? -isolate : isolate;
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (waiting?.isDisposed) this.#watch?.forget(isolate);
    else if (kind !== FrameKind.stats) this.#watch?.end(isolate);
    switch (kind) {
      case FrameKind.booted: {
        const end = 4 + body.readUInt32BE(0);
        const { error, cpuUs, answeredUs } = JSON.parse(body.toString('utf8', 4, end)) as BootedFrame;
        waiting?.booted?.({ ...(error && { error }), cpuUs, answeredUs, commands: body.subarray(end) });
        return;
      }
      case FrameKind.done:
        waiting?.done?.(readDone(body));
        return;
      case FrameKind.stats: {
        const stats = JSON.parse(body.toString('utf8')) as IsolateStats;
        const resident = this.#residents.get(isolate);
        if (resident) resident.heapBytes = stats.heapBytes;
        resident?.onStats(stats);
        waiting?.stats?.(stats);
        return;
      }
      default:
        this.#log.error(`core ${this.pid} sent an unknown frame ${kind}`);
    }
  }

  async #asked(isolate: number, body: Buffer): Promise<void> {
    const number = Buffer.from(body.subarray(0, 4));
    const end = 8 + body.readUInt32BE(4);
    const question = Buffer.from(body.subarray(end));
    const bytes = await this.#askers.get(isolate)?.(question, body.subarray(8, end));
    if (bytes && !this.isGone) this.#socket.write(frame(FrameKind.ask, isolate, number, bytes));
  }

  /** A turn that is over its time: the core tells how far it has come. */
  #probed(isolate: number, progress: Done): void {
    const work = this.#waiting.get(isolate);
    const limitMs = work?.isDisposed ? 0 : (work?.limitMs ?? 0);
    if (!this.#watch?.found(isolate, progress.entryMs, limitMs)) return;
    this.#progress.set(isolate, progress);
    const message = `it could not be interrupted for ${Math.round(progress.entryMs)} ms`;
    this.#giveUp(isolate, message);
  }
}

function neighbours(count: number): string {
  return count === 1 ? 'its neighbour moves' : `its ${count} neighbours move`;
}

/** The core died under a boot or a turn. */
export class CoreDeathError extends StagewireError {
  readonly death: CoreDeath;

  constructor(death: CoreDeath) {
    super('E_CORE_GONE', death.isSuspect ? 'app' : 'host', death.message);
    this.death = death;
  }
}

/** Names a core that the suspects of one death share. */
export function isWard(tenant: string | undefined): boolean {
  return tenant?.startsWith('ward ') === true;
}
