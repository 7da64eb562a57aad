import { randomFillSync } from 'node:crypto';
import { type BootOptions, SEED_BYTES } from '../../runtime/wall/boot.ts';
import { type Command, decodeCommand } from '../../runtime/wall/commands.ts';
import { type Delivery, encodeDelivery } from '../../runtime/wall/deliveries.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { describeError, StagewireError } from '../base/errors.ts';
import { Rounds } from '../base/rounds.ts';
import { type BootFile, type BootFrame, type Done, type IsolateStats, TurnEnd } from '../core/frames.ts';
import type { CpuAccount } from './accounts.ts';
import type { Company, CorePool } from './core-pool.ts';
import { type CoreDeath, CoreDeathError, type Home } from './core-process.ts';
import type { CpuThrottle } from './cpu-throttle.ts';
import type { EndReason } from './ends.ts';
import { HostTime } from './host-time.ts';
import type { Leash } from './leash.ts';
import { decodeAll, Mailbox, type MailboxLimits, type TakenBatch } from './mailbox.ts';

/** Shares of the heap limit: a script is warned at the first, and again once it was below the second. */
const LOW_MEMORY = 0.85;
const LOW_MEMORY_OVER = 0.7;

/** A turn may send hundreds of thousands of commands: those of all scripts share the host's time. */
const rounds = new Rounds();
/** Of all scripts that wait for an answer. */
const hostTime = new HostTime();

/** What a script runs: the built code and its limits. */
export interface ScriptSpec {
  code: string;
  /** The name its stack traces carry. */
  filename: string;
  /** As a BootFrame has them. */
  preludes?: readonly BootFile[] | undefined;
  loads?: BootFrame['loads'] | undefined;
  options: BootOptions;
  memoryMb: number;
  handlerMs: number;
  bootMs: number;
  maxOutputBytes: number;
  mailbox: MailboxLimits;
}

/** Why a script ended, and what becomes of what it had in hand. */
export interface ScriptEnd {
  reason: EndReason;
  message: string;
  stack: string;
  /** False when it merely lost its core. */
  isGuilty: boolean;
  /** It ran out of time while others had the processors. */
  isStarved: boolean;
  /** It took its core with it: nobody else can have. */
  isOnlySuspect: boolean;
  /** It died with its core, and shares its next one with the other suspects of that. */
  ward: string | undefined;
  /** The delivery that it was handling, when that is known. */
  culprit: Delivery | undefined;
  /** What it was given in a turn of which nobody knows how far it came: never to be given again. */
  lost: Delivery[];
}

/** What a script has done so far. */
export interface ScriptFigures {
  readonly cpuMs: number;
  /** What the host has used for what it sent and asked. */
  readonly hostMs: number;
  /** When it last told; undefined before. */
  readonly heapBytes: number | undefined;
  readonly turns: number;
  readonly deliveries: number;
  readonly mailboxDeliveries: number;
  readonly mailboxBytes: number;
  /** How long the oldest of them has waited. */
  readonly mailboxAgeMs: number;
  readonly core: number | undefined;
}

export interface ScriptListener {
  /** The commands of a turn, in order. Byte fields are views. Must not throw. */
  onCommand(command: Command): void;
  /** A turn of so many deliveries has ended: there may be room in the mailbox. */
  onTurnEnd(deliveries: number): void;
  /** A rejection that no handler claimed: the script goes on. */
  onError(message: string, stack: string): void;
  /** Called once, before `onEnd`, and when it is disposed of: nothing is posted any more. */
  onDispose(): void;
  onEnd(end: ScriptEnd): void;
  /** The heap is nearly full. */
  onLowMemory(heapBytes: number): void;
  /** What it leaves to the next script. */
  onState(state: Buffer): void;
  /** Its core will go: another should have taken over from it when this resolves. Must not reject. */
  onMove(): Promise<void>;
  /** The script waits for the answer (runtime/wall/asks.ts). Must not reject. */
  onAsk(question: Uint8Array): Promise<Uint8Array>;
}

/** The top level threw, ran out of time or of memory, or would not compile. */
export class BootError extends StagewireError {
  readonly scriptStack: string;

  constructor(message: string, stack: string) {
    super('E_SCRIPT_BOOT', 'app', message);
    this.scriptStack = stack;
  }
}

/**
 * A booted isolate with its mailbox: the host's end of the wall. When it is idle, all that was posted goes across
 * as one turn; while a turn is under way, more gathers for the next.
 */
export class Script {
  readonly mailbox: Mailbox;
  readonly #spec: ScriptSpec;
  readonly #listener: ScriptListener;
  readonly #clock: Clock;
  readonly #throttle: CpuThrottle;
  readonly #leash: Leash;
  #home: Home | undefined;
  /** Of its home, and of a boot that failed. */
  #account: CpuAccount | undefined;
  #heapBytes: number | undefined;
  #isMemoryLow = false;
  #hostMs = 0;
  #turns = 0;
  #deliveries = 0;
  /** What the turn under way was given. */
  #inHand: Uint8Array | undefined;
  /** What it has sent, as far as that is not done. */
  #sent: ByteReader[] = [];
  #doing: Promise<void> | undefined;
  /** Of a turn that is over: what follows when all that it sent is done. */
  #conclude: (() => void) | undefined;
  #pause: Timer | undefined;
  /** Of the turn under way: for how long it has waited for answers. */
  #waitedMs = 0;
  /** The last turn had hardly a processor in the time of one handler, and did not wait for answers either. */
  #isStarved = false;
  #isHeld = true;
  #isEnded = false;
  #isScheduled = false;
  /** A turn is under way, and what it does is not done yet. */
  #isRunning = false;
  #turn: Promise<void> | undefined;
  #alarm: Timer | undefined;

  constructor(spec: ScriptSpec, clock: Clock, throttle: CpuThrottle, leash: Leash, listener: ScriptListener) {
    this.#spec = spec;
    this.#clock = clock;
    this.#listener = listener;
    this.mailbox = new Mailbox(spec.mailbox, clock);
    this.#throttle = throttle;
    this.#leash = leash;
  }

  /**
   * Boots in a core of the pool. Throws BootError when the application's code is at fault, CoreDeathError when the core
   * died. False when newer code came while it waited on the leash.
   */
  async boot(pool: CorePool, app: string, company: Company): Promise<boolean> {
    if (!(await this.#mayBoot())) return false;
    const startedAt = this.#clock.monotonic();
    try {
      await this.#boot(pool, app, company);
    } catch (error) {
      if (this.#clock.monotonic() - startedAt >= this.#spec.bootMs) this.#leash.failed();
      this.#leash.end(this);
      throw error;
    }
    // It stays at work until its first turn is over: the time in which it has to start runs already.
    return true;
  }

  #mayBoot(): Promise<boolean> {
    return new Promise((resolve) => {
      const ask = () => {
        const isAtWork = this.#leash.begin(this, ask);
        if (isAtWork || this.#leash.isRetired) resolve(isAtWork);
      };
      ask();
    });
  }

  async #boot(pool: CorePool, app: string, company: Company): Promise<void> {
    const spec = this.#spec;
    const core = pool.place(app, company);
    const request: BootFrame = {
      filename: spec.filename,
      options: JSON.stringify(spec.options),
      memoryMb: spec.memoryMb,
      bootMs: spec.bootMs,
      handlerMs: this.#entryMs,
      maxOutputBytes: spec.maxOutputBytes,
      nowMs: this.#clock.now(),
      monotonicMs: this.#clock.monotonic(),
      seed: nextSeed().toString('base64'),
      code: spec.code,
      ...(spec.preludes && { preludes: spec.preludes }),
      ...(spec.loads && { loads: spec.loads }),
    };
    const { home, booted } = await core.boot(request, {
      onDeath: (death) => this.#coreDied(death),
      onStats: ({ heapBytes }) => {
        this.#heapBytes = heapBytes;
        this.#warnOfMemory(heapBytes);
      },
      onState: (state) => this.#listener.onState(state),
      onMove: () => this.#listener.onMove(),
      onAsk: async (question, commands) => {
        if (commands.length > 0) await this.#deliverEarly(commands);
        const end = hostTime.begin();
        const askedAt = this.#clock.monotonic();
        return this.#listener.onAsk(question).finally(() => {
          this.#chargeHost(end());
          this.#waitedMs += this.#clock.monotonic() - askedAt;
        });
      },
    });
    this.#account = home.account;
    this.#charge(booted);
    if (booted.error) throw new BootError(booted.error.message, booted.error.stack);
    if (this.#isEnded) return core.dispose(home.isolate);
    this.#home = home;
    await this.#deliver(booted.commands);
  }

  /** An entry ends early after yieldAfterMs, so each delivery has at least handlerMs. */
  get #entryMs(): number {
    return this.#spec.handlerMs + this.#spec.options.yieldAfterMs;
  }

  get figures(): ScriptFigures {
    return {
      cpuMs: this.#account?.cpuMs ?? 0,
      hostMs: this.#hostMs,
      heapBytes: this.#heapBytes,
      turns: this.#turns,
      deliveries: this.#deliveries,
      mailboxDeliveries: this.mailbox.length,
      mailboxBytes: this.mailbox.bytes,
      mailboxAgeMs: this.mailbox.ageMs,
      core: this.#home?.core.pid,
    };
  }

  /** Once, until it has become a good deal less. */
  #warnOfMemory(heapBytes: number): void {
    const share = heapBytes / (this.#spec.memoryMb * 1024 * 1024);
    if (share < LOW_MEMORY_OVER) this.#isMemoryLow = false;
    if (share < LOW_MEMORY || this.#isMemoryLow) return;
    this.#isMemoryLow = true;
    this.#listener.onLowMemory(heapBytes);
  }

  /** From now on it may share its core: it has proved harmless. */
  settleIn(): void {
    this.#home?.core.letIn();
  }

  /** It was disposed of, or died. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  post(delivery: Delivery): void {
    if (this.#isEnded) return;
    this.mailbox.post(delivery);
    if (this.mailbox.isOverflowing)
      return this.end('mailbox', `${this.mailbox.length} deliveries wait for it`, true);
    this.#schedule();
  }

  /** As `post`, before everything else that waits. */
  postFirst(delivery: Delivery): void {
    if (this.#isEnded) return;
    this.mailbox.postFirst(delivery);
    this.#schedule();
  }

  /** Whether its code runs, in a turn or while it boots. */
  get isBusy(): boolean {
    return !this.#isEnded && (this.#isRunning || this.#home === undefined);
  }

  /** Ends it as if it had died: an operator wants that, or it has fallen too far behind. What waits is lost. */
  end(reason: EndReason, message: string, isGuilty: boolean): void {
    if (this.#isEnded) return;
    const inHand = this.#inHand ? decodeAll(this.#inHand) : [];
    const lost = [...inHand, ...(isGuilty ? this.mailbox.takeAll() : [])];
    this.#endWith({ reason, message, isGuilty, lost });
  }

  /** Lets turns run. A script is held until its first release. */
  release(): void {
    this.#isHeld = false;
    this.#schedule();
  }

  /** No further turn starts; resolves when the one under way has ended. */
  async hold(): Promise<void> {
    this.#isHeld = true;
    await this.#turn;
  }

  /**
   * While it is held: a turn of that delivery alone, before all that waits, with what another script has left. Resolves
   * when it is over, or the script.
   */
  async perform(delivery: Delivery, state?: Uint8Array): Promise<void> {
    if (this.#isEnded) return;
    if (state && this.#home) this.#home.core.giveState(this.#home.isolate, state);
    const records = new ByteWriter(256);
    encodeDelivery(records, delivery);
    const since = this.#clock.monotonic();
    this.#turn = this.#takeTurn({ records: records.view, count: 1, since, recycle: () => {} }).finally(() => {
      this.#turn = undefined;
    });
    await this.#turn;
  }

  /** Resolves when everything posted so far has been handled, or after `patienceMs`. */
  async whenIdle(patienceMs: number): Promise<void> {
    const end = this.#clock.monotonic() + patienceMs;
    while ((this.#turn || this.mailbox.length > 0) && !this.#isEnded && this.#clock.monotonic() < end) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Its size now. Undefined when the script has ended. */
  async stats(): Promise<IsolateStats | undefined> {
    if (this.#isEnded || !this.#home) return undefined;
    return this.#home.core.stats(this.#home.isolate).catch(() => undefined);
  }

  /** May be called twice, and during a turn, whose commands are lost then. */
  dispose(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#clock.clearTimer(this.#alarm);
    this.#clock.clearTimer(this.#pause);
    this.#sent = [];
    this.#conclude = undefined;
    this.#home?.core.dispose(this.#home.isolate);
    if (!this.#turn) this.#leash.end(this);
    this.#listener.onDispose();
  }

  /** At the end of this round of the event loop, so that what many sockets brought makes one turn. */
  #schedule(): void {
    if (this.#isScheduled || this.#turn || this.#isHeld || this.#isEnded || this.mailbox.length === 0) return;
    this.#isScheduled = true;
    const restMs = this.#throttle.restMs(this.#clock.monotonic());
    if (restMs > 0) this.#pause = this.#clock.setTimer(() => this.#beginTurn(), restMs);
    else setImmediate(() => this.#beginTurn());
  }

  #beginTurn(): void {
    this.#isScheduled = false;
    if (this.#turn || this.#isHeld || this.#isEnded || !this.#home || this.mailbox.length === 0) return;
    if (!this.#leash.begin(this, () => this.#beginTurn())) return;
    this.#turn = this.#takeTurn(this.mailbox.take()).finally(() => {
      this.#turn = undefined;
      this.#leash.end(this);
      this.#schedule();
    });
  }

  async #takeTurn({ records, count, since, recycle }: TakenBatch): Promise<void> {
    const home = this.#home;
    if (!home) return;
    this.#inHand = records;
    this.#waitedMs = 0;
    this.#isRunning = true;
    let done: Done;
    try {
      const now = this.#clock.now();
      done = await home.core.turn(
        home.isolate,
        this.#entryMs,
        now,
        this.#clock.monotonic(),
        nextSeed(),
        records,
      );
    } catch (error) {
      if (error instanceof CoreDeathError) return; // `#coreDied` hears of it too
      throw error;
    }
    if (this.#isEnded) return;
    this.#inHand = undefined;
    this.#turns++;
    this.#deliveries += count;
    this.#isStarved = this.#charge(done) + this.#waitedMs < this.#spec.handlerMs / 2;
    try {
      const doing = this.#deliver(done.commands);
      const conclude = () => this.#concludeTurn(done, records, since);
      if (doing) {
        this.#conclude = conclude;
        await doing;
        if (this.#conclude !== conclude) return; // it ended meanwhile
        this.#conclude = undefined;
      }
      conclude();
      if (done.end === TurnEnd.ok && home.core.hasWrittenAll) recycle();
    } catch (error) {
      // What comes out of an isolate is not to be trusted: what cannot be read ends it.
      this.end('crash', `it sent what is no command: ${describeError(error)}`, true);
    }
    this.#isRunning = false;
    this.#listener.onTurnEnd(count);
  }

  /** What the turn has sent is done: what becomes of what it was given. */
  #concludeTurn(done: Done, records: Uint8Array, since: number): void {
    if (done.end === TurnEnd.timeout) this.#died('cpu', done, records);
    else if (done.end === TurnEnd.memory) this.#died('memory', done, records);
    else if (done.end === TurnEnd.failed) {
      this.#listener.onError(done.message, done.stack);
      if (done.finished < records.length) this.#died('crash', done, records);
    } else if (done.finished < records.length) {
      this.mailbox.putBack(records.subarray(done.finished), since);
    }
  }

  /** What V8 counted, for the account and the throttle. Returns the milliseconds that it probably really was. */
  #charge({ cpuUs, answeredUs }: Pick<Done, 'cpuUs' | 'answeredUs'>): number {
    const cpuMs = (this.#account?.add(cpuUs, answeredUs) ?? cpuUs) / 1000;
    this.#throttle.spend(this.#clock.monotonic(), cpuMs);
    return cpuMs;
  }

  /** The script stands still meanwhile, so that with its own time this is no more than one processor's. */
  #chargeHost(ms: number): void {
    this.#hostMs += ms;
    this.#throttle.spend(this.#clock.monotonic(), ms);
  }

  #coreDied({ reason, message, isSuspect, isOnlySuspect, ward, progress }: CoreDeath): void {
    if (this.#isEnded) return;
    const records = this.#inHand;
    const conclude = this.#conclude;
    this.#conclude = undefined;
    try {
      // It could not be interrupted, but what it had finished before that counts.
      if (progress && records) this.#sent.push(new ByteReader(progress.commands));
      while (this.#obey());
    } catch (error) {
      return this.end(reason, `${message}; ${describeError(error)}`, true);
    }
    conclude?.();
    if (this.#isEnded) return;
    if (progress && records) {
      return this.#died(reason, { ...progress, message }, records, isOnlySuspect);
    }
    const lost = records ? decodeAll(records) : [];
    this.#endWith({ reason, message, isGuilty: isSuspect, isOnlySuspect, ward, lost });
  }

  /** What it had not come to goes back into the mailbox, for the next. */
  #died(reason: EndReason, done: Done, records: Uint8Array, isOnlySuspect = false): void {
    const rest = this.mailbox.takeAll();
    for (const delivery of [...decodeAll(records, done.finished), ...rest]) this.mailbox.post(delivery);
    const culprit = done.running >= 0 ? decodeAll(records, done.running)[0] : undefined;
    this.#endWith({
      reason,
      message: done.message,
      stack: done.stack,
      isGuilty: true,
      isOnlySuspect,
      ...(culprit && { culprit }),
    });
  }

  #endWith(end: Pick<ScriptEnd, 'reason' | 'message' | 'isGuilty'> & Partial<ScriptEnd>): void {
    // A core that crashed was short of nothing: those at work in it are suspected, and crowd nobody.
    if (end.isGuilty && end.reason !== 'crash') this.#leash.failed();
    this.dispose();
    this.#listener.onEnd({
      stack: '',
      isOnlySuspect: false,
      isStarved: end.reason === 'cpu' && this.#isStarved,
      culprit: undefined,
      ward: undefined,
      lost: [],
      ...end,
    });
  }

  /** What a turn has sent before it asked. */
  async #deliverEarly(commands: Buffer): Promise<void> {
    if (this.#isEnded) return;
    try {
      await this.#deliver(commands);
    } catch (error) {
      this.end('crash', `it sent what is no command: ${describeError(error)}`, true);
    }
  }

  /** Undefined when all of it has been done. Throws or rejects for what cannot be read. */
  #deliver(bytes: Buffer): Promise<void> | undefined {
    this.#sent.push(new ByteReader(bytes));
    this.#doing ??= rounds
      .run(
        () => this.#obey(),
        (ms) => this.#chargeHost(ms),
      )
      ?.finally(() => {
        this.#doing = undefined;
      });
    return this.#doing;
  }

  /** Does the next command. Whether there may be more. */
  #obey(): boolean {
    const [reader] = this.#sent;
    if (!reader) return false;
    if (reader.remaining === 0) {
      this.#sent.shift();
      return this.#sent.length > 0;
    }
    const command = decodeCommand(reader);
    if (command.kind === 'wake-at') this.#setAlarm(command.atMs);
    else this.#listener.onCommand(command);
    return true;
  }

  #setAlarm(atMs: number): void {
    this.#clock.clearTimer(this.#alarm);
    const delayMs = Math.max(0, atMs - this.#clock.now());
    this.#alarm = this.#clock.setTimer(() => this.post({ kind: 'wake' }), Math.min(delayMs, 2 ** 31 - 1));
  }
}

const SEEDS_AT_ONCE = 128;
let seeds = Buffer.alloc(0);

/** Fresh random bytes for one turn. The operating system is asked for many at a time. */
function nextSeed(): Buffer {
  if (seeds.length === 0) seeds = randomFillSync(Buffer.allocUnsafe(SEED_BYTES * SEEDS_AT_ONCE));
  const seed = seeds.subarray(0, SEED_BYTES);
  seeds = seeds.subarray(SEED_BYTES);
  return seed;
}
