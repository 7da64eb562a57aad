/**
 * The core process: isolates and nothing else. It has no sockets, no environment and no file system beyond its own
 * code; it hears from the host over descriptor 3 and ends when that closes.
 */
import { closeSync, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import ivm from 'isolated-vm';
import { AskTo } from '../../runtime/wall/asks.ts';
import { type BootOptions, SEED_BYTES } from '../../runtime/wall/boot.ts';
import { answerHere } from './answers.ts';
import { warmCache } from './code-cache.ts';
import {
  type BootedFrame,
  type BootFrame,
  type Done,
  doneFrame,
  type Frame,
  FrameKind,
  FrameReader,
  frame,
  jsonFrame,
  type ReadyFrame,
  readTurn,
  TurnEnd,
} from './frames.ts';
import { HeapStock, makeHeap, RUNTIME_FILENAME, type RuntimeCode } from './heap.ts';
import { CoreIsolate, type Question } from './isolate.ts';

for (const leaked of process.argv.slice(2)) closeLeaked(leaked);

const host = new Socket({ fd: 3, readable: true, writable: true });
const isolates = new Map<number, CoreIsolate>();
/** How often an isolate that runs turns tells its size. */
const TELL_EVERY_MS = 1000;
const NOT_BEGUN: Done = {
  end: TurnEnd.ok,
  finished: 0,
  running: -1,
  cpuUs: 0,
  answeredUs: 0,
  entryMs: 0,
  message: '',
  stack: '',
  commands: Buffer.alloc(0),
};
const toldAt = new WeakMap<CoreIsolate, number>();
/** Set before the host hears that this core is ready. */
let runtime: RuntimeCode;
let stock: HeapStock;

const reader = new FrameReader(handle);
host.on('data', (chunk: Buffer) => reader.push(chunk));
// The host decides when it is over.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
host.on('close', leave);
host.on('error', leave);

/** `FD:INODE`, left open by whoever started the host. It may be gone by now, and its number another's. */
function closeLeaked(leaked: string): void {
  const [fd, inode] = leaked.split(':').map(Number);
  try {
    if (fstatSync(fd!).ino === inode) closeSync(fd!);
  } catch {
    // It is closed already.
  }
}

/** The host is gone. An orderly exit would wait for isolates that are busy. */
function leave(): void {
  process.kill(process.pid, 'SIGKILL');
}

function handle({ kind, isolate, body }: Frame): void {
  switch (kind) {
    case FrameKind.ready:
      void getReady(JSON.parse(body.toString('utf8')) as ReadyFrame);
      return;
    case FrameKind.stock:
      void stock.fill(runtime, body.readUInt32BE(0));
      return;
    case FrameKind.boot:
      void boot(isolate, JSON.parse(body.toString('utf8')) as BootFrame);
      return;
    case FrameKind.turn:
      // The frame is a view into the socket's memory: `turn` copies it before it waits for anything.
      void turn(isolate, body);
      return;
    case FrameKind.probe: {
      // An isolate that waits for its berth has not begun.
      host.write(doneFrame(FrameKind.probe, isolate, isolates.get(isolate)?.progress() ?? NOT_BEGUN));
      return;
    }
    case FrameKind.ping:
      host.write(frame(FrameKind.ping, 0));
      return;
    case FrameKind.ask:
      isolates.get(isolate)?.answer(body.readInt32BE(0), body.subarray(4));
      return;
    case FrameKind.state:
      isolates.get(isolate)?.giveState(body.toString());
      return;
    case FrameKind.stats:
      void tellStats(isolate);
      return;
    case FrameKind.dispose: {
      const found = isolates.get(isolate);
      found?.dispose();
      // While it runs on, the host may ask how far it is.
      if (!found?.isBusy) isolates.delete(isolate);
      return;
    }
  }
}

async function getReady({ runtime: source, heapMb }: ReadyFrame): Promise<void> {
  runtime = { source };
  await prime(runtime);
  stock = new HeapStock(heapMb);
  host.write(frame(FrameKind.ready, 0));
}

/** Runs the runtime once, for its code cache and for the threads: whoever boots here next need not wait for them. */
async function prime(code: RuntimeCode): Promise<void> {
  const options: BootOptions = {
    name: 'stagewire/prime',
    server: '',
    hostname: '',
    config: {},
    bandwidthCap: 0,
    amfDepth: 64,
    amfValues: 1000,
    maxTimers: 0,
    maxOutstandingInvokes: 0,
    maxFetches: 0,
    maxFetchBytes: 0,
    maxArgumentBytes: 65_536,
    mostPrintedBytes: 65_536,
    yieldAfterMs: 10,
  };
  const request: BootFrame = {
    filename: 'stagewire:prime',
    options: JSON.stringify(options),
    memoryMb: 32,
    bootMs: 1000,
    handlerMs: 1000,
    maxOutputBytes: 65_536,
    nowMs: 0,
    monotonicMs: 0,
    seed: Buffer.alloc(SEED_BYTES).toString('base64'),
    code: '',
  };
  const isolate = new CoreIsolate(await makeHeap(code, request.memoryMb), request);
  await isolate.boot(request, () => {});
  await isolate.turn({ nowMs: 0, monotonicMs: 0, seed: Buffer.alloc(SEED_BYTES), records: Buffer.alloc(0) });
  isolate.dispose();
  code.cache = new ivm.ExternalCopy(warmCache(code.source, RUNTIME_FILENAME, options, code.cache!.copy()));
}

async function boot(id: number, request: BootFrame): Promise<void> {
  stock.stop();
  const release = await berth();
  const booted: BootedFrame = { cpuUs: 0, answeredUs: 0 };
  let made: CoreIsolate | undefined;
  try {
    const heap = stock.take(request.memoryMb) ?? (await makeHeap(runtime, request.memoryMb));
    const isolate = new CoreIsolate(heap, request);
    made = isolate;
    isolates.set(id, isolate);
    await isolate.boot(request, (question) => ask(id, isolate, question));
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    booted.error = { message, stack: stack ?? '' };
  }
  release();
  Object.assign(booted, made?.takeCpu());
  const commands = made?.takeOutput() ?? NOTHING;
  if (booted.error) {
    made?.dispose();
    isolates.delete(id);
  }
  const json = Buffer.from(JSON.stringify(booted));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(json.length);
  host.write(frame(FrameKind.booted, id, length, json, commands));
}

function ask(id: number, isolate: CoreIsolate, { number, to, bytes }: Question): void {
  if (to === AskTo.core) return isolate.answer(number, answerHere(bytes), true);
  const commands = to === AskTo.hostAfterAll ? isolate.takeAllOutput() : NOTHING;
  const head = Buffer.allocUnsafe(8);
  head.writeInt32BE(number);
  head.writeUInt32BE(commands.length, 4);
  host.write(frame(FrameKind.ask, id, head, commands, bytes));
}

const NOTHING = Buffer.alloc(0);

/** So many isolates boot at one time: when many have lost their core, the first are ready while the last still wait. */
const BERTHS = availableParallelism() + 1;
/** A top level that takes long keeps nobody waiting for longer than this. */
const BERTH_MS = 50;
let taken = 0;
const queue: (() => void)[] = [];

/** Resolves when it is this boot's turn; call what it returns when it is over. */
async function berth(): Promise<() => void> {
  if (taken >= BERTHS) await new Promise<void>((resolve) => queue.push(resolve));
  else taken++;
  let isMine = true;
  const release = () => {
    if (!isMine) return;
    isMine = false;
    clearTimeout(timer);
    const next = queue.shift();
    if (next) next();
    else taken--;
  };
  const timer = setTimeout(release, BERTH_MS);
  return release;
}

async function turn(id: number, body: Buffer): Promise<void> {
  const isolate = isolates.get(id);
  if (!isolate) return; // disposed while the turn was on its way
  const done = await isolate.turn(readTurn(body));
  // Before the end of its turn is told, or the host would look for it in vain.
  const state = await isolate.takeState().catch(() => undefined); // disposed of meanwhile
  if (state !== undefined) host.write(frame(FrameKind.state, id, Buffer.from(state)));
  host.write(doneFrame(FrameKind.done, id, done));
  if (isolate.isGone) isolates.delete(id);
  const now = performance.now();
  if (now - (toldAt.get(isolate) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
  toldAt.set(isolate, now);
  await tellStats(id);
}

async function tellStats(id: number): Promise<void> {
  const stats = await isolates
    .get(id)
    ?.stats()
    .catch(() => undefined); // disposed meanwhile
  if (stats) host.write(jsonFrame(FrameKind.stats, id, stats));
}
