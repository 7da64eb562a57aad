/**
 * The clients of the `calls` benchmark, as a process of its own: `node load-generator.ts JSON`, where the JSON is a
 * LoadJob; prints a LoadResult. It must cost little beside the server: calls are encoded once, before the load
 * begins, and of the answers only heads and transaction ids are read.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { commandFrame, connectCommand, openSocket, shakeHands } from './client.ts';
import { cpuMsOf } from './cpu.ts';

export interface LoadJob {
  port: number;
  /** The instance to connect to; none for a server that only echoes bytes. */
  app?: string;
  connections: number;
  /** Calls in flight on each connection. */
  outstanding: number;
  warmUpMs: number;
  measureMs: number;
  /** Take the time of each call; only with one connection and one call outstanding. */
  isTimed: boolean;
  /** Processes whose processor time over the measurement is wanted. */
  pids: number[];
}

export interface LoadResult {
  calls: number;
  elapsedMs: number;
  /** Of this process: it must stay below `elapsedMs`, or the load generator was the bottleneck. */
  ownCpuMs: number;
  /** Of `pids`; empty where that cannot be told. */
  cpuMs: number[];
  /** Round trips in milliseconds, when timed. */
  samplesMs: number[];
}

/** Transaction ids come from a ring: long enough that those in flight differ. */
const RING = 1024;
const FIRST_TRANSACTION = 2;
/** Of a full chunk header on a chunk stream below 64. */
const HEAD_BYTES = 12;
const COMMAND = 20;

/** Counts the answers on one connection and checks that each belongs to the next call in line. */
class AnswerCounter {
  #expected = 0;
  #rest: Buffer = Buffer.alloc(0);

  /** How many answers these bytes complete. They may be overwritten afterwards. */
  push(bytes: Buffer): number {
    const rest = this.#rest;
    let input = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let answers = 0;
    let at = 0;
    while (input.length - at >= HEAD_BYTES) {
      const payloadBytes = input[at + 4]! * 0x10000 + input[at + 5]! * 0x100 + input[at + 6]!;
      const next = at + HEAD_BYTES + payloadBytes;
      if (next > input.length) break;
      if (input[at + 7] === COMMAND) {
        this.#check(input, at + HEAD_BYTES);
        answers++;
      }
      at = next;
    }
    input = input.subarray(at);
    this.#rest = input.length === 0 ? input : Buffer.from(input);
    return answers;
  }

  #check(input: Buffer, payloadAt: number): void {
    // String marker, length, name, number marker: then the id, whose first half tells small numbers apart.
    const idAt = payloadAt + 4 + input[payloadAt + 2]!;
    if (input.readUInt32BE(idAt) !== transactionHeads[this.#expected]) {
      throw new Error(`an answer out of line: ${input.toString('latin1', payloadAt, payloadAt + 60)}`);
    }
    this.#expected = (this.#expected + 1) % RING;
  }
}

const frames: Buffer[] = [];
const transactionHeads = new Uint32Array(RING);
for (let slot = 0; slot < RING; slot++) {
  const transaction = FIRST_TRANSACTION + slot;
  const argument = { x: 17, y: 4.5, name: 'rook' };
  frames.push(commandFrame(encodeAmf0(['move', transaction, null, argument])));
  const id = Buffer.alloc(8);
  id.writeDoubleBE(transaction);
  transactionHeads[slot] = id.readUInt32BE(0);
}
/** The ring twice in a row, so that any run of up to RING calls is one piece. */
const ring = Buffer.concat([...frames, ...frames]);
const frameBytes = frames[0]!.length;

/** One client: keeps its calls in flight for as long as it lives. */
class Caller {
  readonly #socket: Socket;
  readonly #answers = new AnswerCounter();
  readonly #onAnswers: (count: number) => void;
  #slot = 0;

  constructor(socket: Socket, onAnswers: (count: number) => void) {
    this.#socket = socket;
    this.#onAnswers = onAnswers;
  }

  send(count: number): void {
    const start = this.#slot * frameBytes;
    this.#socket.write(ring.subarray(start, start + count * frameBytes));
    this.#slot = (this.#slot + count) % RING;
  }

  receive(bytes: Buffer): void {
    const count = this.#answers.push(bytes);
    if (count > 0) this.#onAnswers(count);
  }
}

async function openCaller(job: LoadJob, onAnswers: (caller: Caller, count: number) => void): Promise<Caller> {
  if (job.app === undefined) {
    return new Promise((resolve) => {
      const memory = Buffer.allocUnsafe(256 * 1024);
      const onread = {
        buffer: memory,
        callback: (length: number) => {
          caller.receive(memory.subarray(0, length));
          return true;
        },
      };
      const socket = connectTcp({ port: job.port, host: '127.0.0.1', noDelay: true, onread }, () =>
        resolve(caller),
      );
      const caller: Caller = new Caller(socket, (count) => onAnswers(caller, count));
    });
  }
  const socket = await openSocket(job.port);
  const rest = await shakeHands(socket);
  await connect(socket, job.app, rest);
  const caller: Caller = new Caller(socket, (count) => onAnswers(caller, count));
  socket.on('data', (bytes: Buffer) => caller.receive(bytes));
  return caller;
}

/** Waits for the answer to connect, which is the last thing a server says unasked. */
function connect(socket: Socket, app: string, rest: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    let heard = Buffer.from(rest).toString('latin1');
    const onData = (bytes: Buffer) => {
      heard += bytes.toString('latin1');
      if (heard.includes('_error')) reject(new Error(heard));
      // The end of the answer's info object.
      if (!heard.includes('_result') || !heard.endsWith('\0\0\x09')) return;
      socket.off('data', onData);
      resolve();
    };
    socket.on('data', onData);
    socket.write(commandFrame(connectCommand(app)));
  });
}

async function run(job: LoadJob): Promise<LoadResult> {
  let isEnding = false;
  let calls = 0;
  let sentAt = 0;
  const samplesMs: number[] = [];
  const onAnswers = (caller: Caller, count: number) => {
    calls += count;
    if (job.isTimed) {
      const now = performance.now();
      samplesMs.push(now - sentAt);
      sentAt = now;
    }
    if (!isEnding) caller.send(count);
  };
  const callers = await Promise.all(
    Array.from({ length: job.connections }, () => openCaller(job, onAnswers)),
  );
  sentAt = performance.now();
  for (const caller of callers) caller.send(job.outstanding);

  await sleep(job.warmUpMs);
  const startedAt = performance.now();
  const callsBefore = calls;
  const samplesBefore = samplesMs.length;
  const ownBefore = process.cpuUsage();
  const cpuBefore = job.pids.map(cpuMsOf);
  await sleep(job.measureMs);
  const elapsedMs = performance.now() - startedAt;
  const own = process.cpuUsage(ownBefore);
  const cpuAfter = job.pids.map(cpuMsOf);
  isEnding = true;
  return {
    calls: calls - callsBefore,
    elapsedMs,
    ownCpuMs: (own.user + own.system) / 1000,
    cpuMs: cpuAfter.flatMap((after, index) => {
      const before = cpuBefore[index];
      return after === undefined || before === undefined ? [] : [after - before];
    }),
    samplesMs: samplesMs.slice(samplesBefore),
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const result = await run(JSON.parse(process.argv[2] ?? '{}') as LoadJob);
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}
