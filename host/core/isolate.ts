import ivm from 'isolated-vm';
import { ASK_HEADER_BYTES, AskHeader, MAX_ASK_BYTES } from '../../runtime/wall/asks.ts';
import {
  type Enter,
  type Entries,
  HEADER_BYTES,
  Header,
  type Load,
  SEED_OFFSET,
} from '../../runtime/wall/boot.ts';
import { type BootFile, type BootFrame, type Done, type IsolateStats, type Turn, TurnEnd } from './frames.ts';
import type { Heap } from './heap.ts';
import { findLoaded } from './loads.ts';

const INITIAL_BUFFER = 64 * 1024;
/** Larger than any batch the host sends (it cuts them) plus the largest single message a client may send (16 MiB). */
const MAX_INPUT = 18 * 1024 * 1024;
/** Beyond it a turn ends early: a frame to the host has a bound. */
const MAX_OUTPUT_PER_TURN = 4 * 1024 * 1024;
/** Entries that handle no further delivery: they only settle promises, and a script may go on making those. */
const MAX_IDLE_ENTRIES = 100;

/** A question of the script, which waits for the answer (runtime/wall/asks.ts). */
export interface Question {
  number: number;
  to: number;
  bytes: Buffer;
}

type EnterReference = ivm.Reference<Enter>;

/** One application instance's heap: the script, the runtime it sees, and the buffers it shares with this core. */
export class CoreIsolate {
  readonly #isolate: ivm.Isolate;
  readonly #heap: Heap;
  readonly #handlerMs: number;
  readonly #input = new SharedArrayBuffer(INITIAL_BUFFER, { maxByteLength: MAX_INPUT });
  readonly #header = new Int32Array(this.#input, 0, HEADER_BYTES / 4);
  readonly #inputBytes = new Uint8Array(this.#input);
  readonly #output: SharedArrayBuffer;
  readonly #outputBytes: Uint8Array;
  readonly #asks = new SharedArrayBuffer(ASK_HEADER_BYTES, {
    maxByteLength: ASK_HEADER_BYTES + MAX_ASK_BYTES,
  });
  readonly #askHeader = new Int32Array(this.#asks, 0, ASK_HEADER_BYTES / 4);
  readonly #askBytes = new Uint8Array(this.#asks);
  #enter: EnterReference | undefined;
  #entries: ivm.Reference<Entries> | undefined;
  /** For the next entry: what an older script has handed over. */
  #state: string | undefined;
  #disposed = false;
  /** When the present entry, or the run of the top level, began; undefined between turns. */
  #enteredAt: number | undefined;
  /** What the finished entries of this turn have sent. */
  #outputs: Buffer[] = [];
  /** V8's count at the end of the last turn. */
  #cpuUs = 0;
  /** When it last asked, until it is answered: V8 counts waiting like work. */
  #askedAt: number | undefined;
  /** Since they were last told: how long it has waited for the host, and for what the core itself has answered. */
  #waitedMs = 0;
  #answeredMs = 0;
  /** Or the boot. */
  #turnBeganAt = 0;

  constructor(heap: Heap, boot: BootFrame) {
    this.#heap = heap;
    this.#isolate = heap.isolate;
    this.#cpuUs = Number(this.#isolate.cpuTime) / 1000;
    this.#handlerMs = boot.handlerMs;
    this.#output = new SharedArrayBuffer(Math.min(INITIAL_BUFFER, boot.maxOutputBytes), {
      maxByteLength: boot.maxOutputBytes,
    });
    this.#outputBytes = new Uint8Array(this.#output);
  }

  /** Installs the runtime, then runs the application's top level. Rejects with what either threw. */
  async boot(boot: BootFrame, onAsk: (question: Question) => void): Promise<void> {
    const { context, install } = this.#heap;
    this.#turnBeganAt = performance.now();
    const input = new ivm.ExternalCopy(this.#input).copyInto({ release: true });
    const output = new ivm.ExternalCopy(this.#output).copyInto({ release: true });
    const asks = new ivm.ExternalCopy(this.#asks).copyInto({ release: true });
    const notify = new ivm.Callback(() => onAsk(this.#question()), { ignored: true });
    const entries = (await install.apply(undefined, [input, output, asks, notify, boot.options] as never, {
      result: { reference: true },
    })) as unknown as ivm.Reference<Entries>;
    this.#enter = await entries.get('enter', { reference: true });
    install.release();

    // Whoever asks how far this is hears how long it has been going on: V8 copies what a top level throws, and
    // isolated-vm reads its stack, without a time limit.
    this.#enteredAt = performance.now();
    // An entry without deliveries sets the clock and the randomness that the top level reads.
    this.#inputBytes.set(Buffer.from(boot.seed, 'base64'), SEED_OFFSET);
    await this.#enter.apply(undefined, [boot.nowMs, boot.monotonicMs]);
    // One time limit for all the scripts that an application starts with; compiling comes on top.
    let leftMs = boot.bootMs;
    const run = async (file: Pick<BootFile, 'filename' | 'code'>) => {
      leftMs -= await this.#run(context, file, Math.max(1, Math.ceil(leftMs)));
    };
    for (const prelude of boot.preludes ?? []) await run(prelude);
    await run(boot);
    if (boot.loads) await this.#runLoads(entries, boot, boot.loads, run);
    this.#enteredAt = undefined;
    this.#entries = entries;
  }

  /** Compiles and runs a script. Resolves with how long it ran, in milliseconds. */
  async #run(
    context: ivm.Context,
    { filename, code }: Pick<BootFile, 'filename' | 'code'>,
    timeout: number,
  ): Promise<number> {
    const script = await this.#isolate.compileScript(code, { filename });
    const startedAt = performance.now();
    await script.run(context, { timeout });
    script.release();
    return performance.now() - startedAt;
  }

  /** Runs what the scripts so far have asked to `load`, and what that loads. */
  async #runLoads(
    entries: ivm.Reference<Entries>,
    { bootMs }: BootFrame,
    loads: NonNullable<BootFrame['loads']>,
    run: (file: BootFile) => Promise<void>,
  ): Promise<void> {
    const nextLoad = await entries.get('nextLoad', { reference: true });
    const files = new Map(loads.files.map((file) => [file.name, file]));
    for (;;) {
      const next = await nextLoad.apply(undefined, [], { timeout: bootMs, result: { copy: true } });
      const load = next as Load | undefined;
      if (!load) break;
      await run(findLoaded(load, loads.folders, files));
    }
    nextLoad.release();
  }

  /** Enters until every delivery is handled, enough was sent, or nothing moves any more. Never rejects: what went wrong is in the result. */
  async turn(turn: Turn): Promise<Done> {
    const { records } = turn;
    const needed = HEADER_BYTES + records.length;
    if (needed > this.#input.byteLength) this.#input.grow(Math.min(MAX_INPUT, needed * 2));
    this.#inputBytes.set(turn.seed, SEED_OFFSET);
    this.#inputBytes.set(records, HEADER_BYTES);
    this.#header[Header.inputLength] = records.length;
    this.#header[Header.finished] = 0;

    const failure = { message: '', stack: '' };
    let end: TurnEnd = TurnEnd.ok;
    let outputBytes = 0;
    this.#outputs = [];
    this.#turnBeganAt = performance.now();
    for (let idleEntries = 0; ; ) {
      const finishedBefore = this.#header[Header.finished]!;
      this.#enteredAt = performance.now();
      try {
        const state = this.#state;
        this.#state = undefined;
        await this.#enter!.apply(undefined, [turn.nowMs, turn.monotonicMs, state], {
          timeout: this.#handlerMs,
        });
      } catch (error) {
        end = this.#endOf(error);
        failure.message = error instanceof Error ? error.message : String(error);
        failure.stack = error instanceof Error ? (error.stack ?? '') : '';
      }
      const written = this.takeOutput();
      this.#outputs.push(written);
      outputBytes += written.length;
      // A rejection that nobody handled fails the entry but not the isolate: the next deliveries still run.
      const isMore = this.#header[Header.again] === 1 || this.#header[Header.finished]! < records.length;
      if (!isMore || end === TurnEnd.timeout || end === TurnEnd.memory) break;
      if (outputBytes > MAX_OUTPUT_PER_TURN) break; // the host sends the rest again, in a turn of its own
      if (this.#header[Header.finished] !== finishedBefore) idleEntries = 0;
      else if (end === TurnEnd.failed && written.length === 0) break;
      else if (++idleEntries > MAX_IDLE_ENTRIES) {
        end = TurnEnd.timeout;
        failure.message = `${MAX_IDLE_ENTRIES} rounds of rejected promises did not come to an end`;
        break;
      }
    }
    this.#enteredAt = undefined;
    return {
      end,
      ...this.#position(),
      ...failure,
      ...this.takeCpu(),
      entryMs: 0,
      commands: join(this.#outputs),
    };
  }

  /** What the script has handed over in the last turn; undefined when it has nothing for the next one. */
  async takeState(): Promise<string | undefined> {
    if (this.#isolate.isDisposed || this.#header[Header.hasState] !== 1) return undefined;
    const take = await this.#entries!.get('takeState', { reference: true });
    const state = await take.apply(undefined, [], { timeout: this.#handlerMs, result: { copy: true } });
    take.release();
    return typeof state === 'string' ? state : undefined;
  }

  giveState(state: string): void {
    this.#state = state;
  }

  #question(): Question {
    this.#askedAt = performance.now();
    const length = within(
      Atomics.load(this.#askHeader, AskHeader.length),
      0,
      this.#askBytes.length - ASK_HEADER_BYTES,
    );
    return {
      number: this.#askHeader[AskHeader.asked]!,
      to: this.#askHeader[AskHeader.to]!,
      bytes: Buffer.from(this.#askBytes.subarray(ASK_HEADER_BYTES, ASK_HEADER_BYTES + length)),
    };
  }

  /** Wakes the script that has asked. Nothing, when it has given up on that question. */
  answer(number: number, bytes: Uint8Array, isCores = false): void {
    const ms = this.#takeAskedMs();
    if (isCores) this.#answeredMs += ms;
    else this.#waitedMs += ms;
    if (this.#askHeader[AskHeader.asked] !== number || bytes.length > MAX_ASK_BYTES) return;
    const needed = ASK_HEADER_BYTES + bytes.length;
    if (needed > this.#asks.byteLength) this.#asks.grow(needed);
    this.#askBytes.set(bytes, ASK_HEADER_BYTES);
    this.#askHeader[AskHeader.length] = bytes.length;
    Atomics.store(this.#askHeader, AskHeader.answered, number);
    Atomics.notify(this.#askHeader, AskHeader.answered);
  }

  /**
   * How far the turn under way has come, and all that it has sent so far. For a turn that will not end: an isolate
   * that cannot be interrupted still leaves what it has finished in shared memory.
   */
  progress(): Done {
    const entryMs = this.#enteredAt === undefined ? 0 : performance.now() - this.#enteredAt;
    const commands = join([...this.#outputs, this.#written()]);
    return {
      end: TurnEnd.ok,
      ...this.#position(),
      message: '',
      stack: '',
      cpuUs: 0,
      answeredUs: 0,
      entryMs,
      commands,
    };
  }

  /** All that the turn under way has sent and nobody has taken. For a script that waits: it must not write meanwhile. */
  takeAllOutput(): Buffer {
    const all = join([...this.#outputs, this.takeOutput()]);
    this.#outputs = [];
    return all;
  }

  /** The commands written since the last call, as memory of their own. */
  takeOutput(): Buffer {
    const written = this.#written();
    this.#header[Header.outputLength] = 0;
    return written;
  }

  #written(): Buffer {
    const length = within(Atomics.load(this.#header, Header.outputLength), 0, this.#outputBytes.length);
    return Buffer.from(this.#outputBytes.subarray(0, length));
  }

  #position(): { finished: number; running: number } {
    const length = this.#header[Header.inputLength]!;
    return {
      finished: within(Atomics.load(this.#header, Header.finished), 0, length),
      running: within(Atomics.load(this.#header, Header.running), -1, length - 1),
    };
  }

  /** Processor time since the last call: as V8 counts it, but not while it waited for the host. */
  takeCpu(): { cpuUs: number; answeredUs: number } {
    const waitedUs = (this.#waitedMs + this.#takeAskedMs()) * 1000;
    const answeredUs = this.#answeredMs * 1000;
    this.#waitedMs = 0;
    this.#answeredMs = 0;
    return { cpuUs: Math.max(answeredUs, this.#takeEnteredUs() - waitedUs), answeredUs };
  }

  #takeEnteredUs(): number {
    // One that is out of memory has been disposed of, and V8's count with it: the time that the turn took stands for it.
    if (this.#isolate.isDisposed) return (performance.now() - this.#turnBeganAt) * 1000;
    const now = Number(this.#isolate.cpuTime) / 1000;
    const used = now - this.#cpuUs;
    this.#cpuUs = now;
    return used;
  }

  #takeAskedMs(): number {
    const askedAt = this.#askedAt;
    this.#askedAt = undefined;
    return askedAt === undefined ? 0 : performance.now() - askedAt;
  }

  /** Undefined when the isolate is gone. Waits while it is busy. */
  async stats(): Promise<IsolateStats | undefined> {
    if (this.#disposed || this.#isolate.isDisposed) return undefined;
    const heap = await this.#isolate.getHeapStatistics();
    return { heapBytes: heap.used_heap_size + heap.externally_allocated_size };
  }

  /** Inside of an entry, or of the top level. */
  get isBusy(): boolean {
    return this.#enteredAt !== undefined;
  }

  get isGone(): boolean {
    return this.#disposed;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (!this.#isolate.isDisposed) this.#isolate.dispose();
  }

  #endOf(error: unknown): TurnEnd {
    if (this.#isolate.isDisposed) return TurnEnd.memory;
    if (error instanceof Error && error.message === 'Script execution timed out.') return TurnEnd.timeout;
    return TurnEnd.failed;
  }
}

/** The header is memory that the isolate writes: whatever it holds must be a position. */
function within(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function join(parts: Buffer[]): Buffer {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
