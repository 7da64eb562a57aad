import { randomFillSync } from 'node:crypto';
import {
  type BootOptions,
  type Command,
  type Delivery,
  decodeCommand,
  SEED_BYTES,
} from '../../runtime/protocol.ts';
import { ByteReader } from '../../wire/bytes.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { describeError, StagewireError } from '../base/errors.ts';
import { type BootFrame, type Done, type IsolateStats, TurnEnd } from '../core/frames.ts';
import type { CorePool } from './core-pool.ts';
import type { CoreProcess } from './core-process.ts';
import { decodeAll, Mailbox, type MailboxLimits } from './mailbox.ts';

/** What a script runs: the built code and its limits. */
export interface ScriptSpec {
  code: string;
  /** The name its stack traces carry. */
  filename: string;
  options: BootOptions;
  memoryMb: number;
  handlerMs: number;
  bootMs: number;
  maxOutputBytes: number;
  mailbox: MailboxLimits;
}

/** Why a script ended by itself, and the delivery it was handling. */
export interface ScriptEnd {
  reason: 'timeout' | 'memory' | 'crash';
  message: string;
  stack: string;
  culprit: Delivery | undefined;
}

export interface ScriptListener {
  /** The commands of a turn, in order. Byte fields are views. Must not throw. */
  onCommand(command: Command): void;
  /** A turn has ended: there may be room in the mailbox. */
  onTurnEnd(): void;
  /** A rejection that no handler claimed: the script goes on. */
  onError(message: string, stack: string): void;
  onEnd(end: ScriptEnd): void;
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
  #core: CoreProcess | undefined;
  #isolate = 0;
  #isHeld = true;
  #isEnded = false;
  #isScheduled = false;
  #turn: Promise<void> | undefined;
  #alarm: Timer | undefined;

  constructor(spec: ScriptSpec, clock: Clock, listener: ScriptListener) {
    this.#spec = spec;
    this.#clock = clock;
    this.#listener = listener;
    this.mailbox = new Mailbox(spec.mailbox);
  }

  /** Boots in a core of the pool. Throws BootError when the application's code is at fault. */
  async boot(pool: CorePool): Promise<void> {
    const spec = this.#spec;
    const core = pool.pick();
    const request: BootFrame = {
      filename: spec.filename,
      options: JSON.stringify(spec.options),
      memoryMb: spec.memoryMb,
      bootMs: spec.bootMs,
      // An entry ends early after yieldAfterMs, so each delivery has at least handlerMs.
      handlerMs: spec.handlerMs + spec.options.yieldAfterMs,
      maxOutputBytes: spec.maxOutputBytes,
      nowMs: this.#clock.now(),
      monotonicMs: this.#clock.monotonic(),
      code: spec.code,
    };
    const { isolate, booted } = await core.boot(request, (error) => this.#coreDied(error));
    if (booted.error) throw new BootError(booted.error.message, booted.error.stack);
    this.#core = core;
    this.#isolate = isolate;
    if (this.#isEnded) core.dispose(isolate);
    else this.#deliver(booted.commands);
  }

  /** It was disposed of, or died. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  post(delivery: Delivery): void {
    if (this.#isEnded) return;
    this.mailbox.post(delivery);
    this.#schedule();
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

  /** Resolves when everything posted so far has been handled, or after `patienceMs`. */
  async whenIdle(patienceMs: number): Promise<void> {
    const end = this.#clock.monotonic() + patienceMs;
    while ((this.#turn || this.mailbox.length > 0) && !this.#isEnded && this.#clock.monotonic() < end) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Heap and processor time. Undefined when the script has ended. */
  async stats(): Promise<IsolateStats | undefined> {
    if (this.#isEnded || !this.#core) return undefined;
    return this.#core.stats(this.#isolate).catch(() => undefined);
  }

  /** May be called twice, and during a turn, whose commands are lost then. */
  dispose(): void {
    if (this.#isEnded) return;
    this.#end();
    this.#core?.dispose(this.#isolate);
  }

  #end(): void {
    this.#isEnded = true;
    this.#clock.clearTimer(this.#alarm);
  }

  /** At the end of this round of the event loop, so that what many sockets brought makes one turn. */
  #schedule(): void {
    if (this.#isScheduled || this.#turn || this.#isHeld || this.#isEnded || this.mailbox.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#turn || this.#isHeld || this.#isEnded) return;
      this.#turn = this.#takeTurn().finally(() => {
        this.#turn = undefined;
        this.#schedule();
      });
    });
  }

  async #takeTurn(): Promise<void> {
    const core = this.#core;
    if (!core) return;
    const records = this.mailbox.take();
    let done: Done;
    try {
      done = await core.turn(this.#isolate, this.#clock.now(), this.#clock.monotonic(), nextSeed(), records);
    } catch {
      return; // the core died, or the script was disposed of: both are known already
    }
    if (this.#isEnded) return;
    try {
      this.#deliver(done.commands);
      if (done.end === TurnEnd.timeout || done.end === TurnEnd.memory) this.#died(done, records);
      else if (done.end === TurnEnd.failed) {
        this.#listener.onError(done.message, done.stack);
        if (done.finished < records.length) this.#died(done, records);
      } else if (done.finished < records.length) {
        this.mailbox.putBack(records.subarray(done.finished));
      }
    } catch (error) {
      // What comes out of an isolate is not to be trusted: what cannot be read ends it.
      this.#lost(`it sent what is no command: ${describeError(error)}`);
    }
    this.#listener.onTurnEnd();
  }

  /** What a turn under way had handled is gone with the core: nobody knows how far it came. */
  #coreDied(error: StagewireError): void {
    this.#lost(error.message);
  }

  #lost(message: string): void {
    if (this.#isEnded) return;
    this.dispose();
    this.#listener.onEnd({ reason: 'crash', message, stack: '', culprit: undefined });
  }

  #died(done: Done, records: Uint8Array): void {
    this.#end();
    this.#core?.dispose(this.#isolate);
    const rest = this.mailbox.takeAll();
    for (const delivery of [...decodeAll(records, done.finished), ...rest]) this.mailbox.post(delivery);
    this.#listener.onEnd({
      reason: done.end === TurnEnd.timeout ? 'timeout' : done.end === TurnEnd.memory ? 'memory' : 'crash',
      message: done.message,
      stack: done.stack,
      culprit: done.running >= 0 ? decodeAll(records, done.running)[0] : undefined,
    });
  }

  #deliver(bytes: Buffer): void {
    const reader = new ByteReader(bytes);
    const commands: Command[] = [];
    while (reader.remaining > 0) {
      const command = decodeCommand(reader);
      if (command.kind === 'wake-at') this.#setAlarm(command.atMs);
      else commands.push(command);
    }
    for (const command of commands) this.#listener.onCommand(command);
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
