import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { StagewireError } from '../base/errors.ts';
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
  readDone,
  turnFrame,
} from '../core/frames.ts';

/** What a boot produced before anybody was connected: the commands of the top level, or why there is no isolate. */
export interface Booted {
  error?: { message: string; stack: string };
  commands: Buffer;
}

interface Waiting {
  booted?: (result: Booted) => void;
  done?: (result: Done) => void;
  stats?: (result: IsolateStats) => void;
  fail: (error: StagewireError) => void;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** One core process as the host sees it. `onExit` is called once, whatever ended it. */
export class CoreProcess {
  readonly pid: number;
  /** Resolves when the core has taken the runtime and can boot isolates. */
  readonly ready: Promise<void>;
  isolates = 0;
  isGone = false;
  readonly #child: ChildProcess;
  readonly #socket: Duplex;
  readonly #log: Log;
  readonly #waiting = new Map<number, Waiting>();
  readonly #stats = new Map<number, Promise<IsolateStats>>();
  /** Who is told when the core dies, by isolate. */
  readonly #residents = new Map<number, (error: StagewireError) => void>();
  #nextIsolate = 1;

  constructor(runtime: string, log: Log, onExit: (core: CoreProcess, reason: string) => void) {
    this.#log = log;
    this.#child = spawn(process.execPath, coreArguments(), {
      cwd: root,
      env: { TZ: 'UTC', LANG: 'en_US.UTF-8', MALLOC_ARENA_MAX: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? 0;
    this.#socket = this.#child.stdio[3] as Duplex;

    let answered: () => void = () => {};
    let failed: (error: Error) => void = () => {};
    this.ready = new Promise((resolve, reject) => {
      answered = resolve;
      failed = reject;
    });
    this.ready.catch(() => {}); // whoever needs the core awaits it

    const reader = new FrameReader((incoming) => {
      if (incoming.kind === FrameKind.ready) answered();
      else this.#handle(incoming);
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
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream
        ?.setEncoding('utf8')
        .on('data', (text: string) => this.#log.warn(`core ${this.pid}: ${text.trimEnd()}`));
    }
    const gone = (reason: string) => {
      if (this.isGone) return;
      this.isGone = true;
      const error = new StagewireError('E_CORE_GONE', 'host', `core ${this.pid} ended: ${reason}`);
      failed(error);
      for (const waiting of this.#waiting.values()) waiting.fail(error);
      this.#waiting.clear();
      onExit(this, reason);
      for (const onDeath of this.#residents.values()) onDeath(error);
      this.#residents.clear();
    };
    this.#child.once('error', (error) => gone(error.message));
    this.#child.once('exit', (code, signal) => gone(signal ? `killed by ${signal}` : `exit code ${code}`));
    this.#socket.write(frame(FrameKind.ready, 0, Buffer.from(runtime)));
  }

  /**
   * Makes an isolate and runs the code's top level. Rejects only when the core dies; when it dies later, `onDeath`
   * is called unless the isolate was disposed of before.
   */
  async boot(
    request: BootFrame,
    onDeath: (error: StagewireError) => void,
  ): Promise<{ isolate: number; booted: Booted }> {
    await this.ready;
    const isolate = this.#nextIsolate++;
    this.isolates++;
    const booted = await new Promise<Booted>((resolve, reject) => {
      this.#expect(isolate, { booted: resolve, fail: reject });
      this.#socket.write(jsonFrame(FrameKind.boot, isolate, request));
    });
    if (booted.error) this.isolates--;
    else this.#residents.set(isolate, onDeath);
    return { isolate, booted };
  }

  /** One turn: at most one at a time for each isolate. Rejects only when the core dies. */
  turn(
    isolate: number,
    nowMs: number,
    monotonicMs: number,
    seed: Buffer,
    records: Uint8Array,
  ): Promise<Done> {
    return new Promise((resolve, reject) => {
      this.#expect(isolate, { done: resolve, fail: reject });
      this.#socket.write(turnFrame(isolate, nowMs, monotonicMs, seed, records));
    });
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
    if (this.isGone) return;
    this.isolates--;
    this.#waiting
      .get(-isolate)
      ?.fail(new StagewireError('E_DISPOSED', 'host', `isolate ${isolate} was disposed`));
    this.#waiting.delete(-isolate);
    this.#socket.write(frame(FrameKind.dispose, isolate));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #expect(key: number, waiting: Waiting): void {
    if (this.isGone) {
      waiting.fail(new StagewireError('E_CORE_GONE', 'host', `core ${this.pid} has ended`));
      return;
    }
    this.#waiting.set(key, waiting);
  }

  #handle({ kind, isolate, body }: Frame): void {
    const key = kind === FrameKind.stats ? -isolate : isolate;
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    switch (kind) {
      case FrameKind.booted: {
        const end = 4 + body.readUInt32BE(0);
        const { error } = JSON.parse(body.toString('utf8', 4, end)) as BootedFrame;
        waiting?.booted?.({ ...(error && { error }), commands: body.subarray(end) });
        return;
      }
      case FrameKind.done:
        waiting?.done?.(readDone(body));
        return;
      case FrameKind.stats:
        waiting?.stats?.(JSON.parse(body.toString('utf8')) as IsolateStats);
        return;
      default:
        this.#log.error(`core ${this.pid} sent an unknown frame ${kind}`);
    }
  }
}

/**
 * Node's permission model: no file system beyond the core's own code, no child processes, no network of its own.
 * A fence against JavaScript, not against native code.
 */
function coreArguments(): string[] {
  const readable = [
    'host/core',
    'wire',
    'runtime',
    'package.json',
    'node_modules/isolated-vm',
    'node_modules/node-gyp-build',
  ];
  const reads = readable.map((path) => `--allow-fs-read=${root}${path}`);
  // The addon loader looks there to tell musl from glibc.
  const alpine = existsSync('/etc/alpine-release') ? [] : ['--allow-fs-read=/etc/alpine-release'];
  return [
    '--permission',
    '--allow-addons',
    ...alpine,
    ...reads,
    '--disable-warning=SecurityWarning',
    `${root}host/core/main.ts`,
  ];
}
