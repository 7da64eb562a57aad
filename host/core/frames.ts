/**
 * What host and core say to each other over the core's one inherited socket: frames of
 * `u32 length, u8 kind, u32 isolate, body`. Twins for both ends; the records inside a turn are runtime/wall/.
 */
import { SEED_BYTES } from '../../runtime/wall/boot.ts';
import { StagewireError } from '../../wire/errors.ts';

const FRAME_HEAD = 9;
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

export const FrameKind = {
  ready: 1,
  boot: 2,
  booted: 3,
  turn: 4,
  done: 5,
  dispose: 6,
  stats: 7,
  /** How far a turn under way has come; answered like `done`. */
  probe: 8,
  /** Answered by itself: the core is alive. */
  ping: 9,
  /**
   * A script waits for the answer: `u32 number`, `u32` and so many bytes of commands that come first, then the question.
   * Answered with the same number.
   */
  ask: 10,
  /** The state that a script leaves to the next: from the core while it is saved, to the core before it is restored. UTF-8. */
  state: 11,
  /** So many heaps are to stand by, `u32`, for instances to come. */
  stock: 12,
} as const;

/** The host's first frame, which the core answers with an empty one of that kind when it can boot isolates. */
export interface ReadyFrame {
  /** The runtime's bundle. */
  runtime: string;
  /** The size of heaps made in advance. */
  heapMb: number;
}

/** Everything a core needs to make an isolate and run an application's code in it. */
export interface BootFrame {
  /** For stack traces: `app:chat/7f3a.js`. */
  filename: string;
  /** BootOptions of the runtime, as JSON. */
  options: string;
  memoryMb: number;
  /** Time limit of the script's top level, and of each later entry. */
  bootMs: number;
  handlerMs: number;
  maxOutputBytes: number;
  nowMs: number;
  monotonicMs: number;
  /** As that of a turn, in base64. */
  seed: string;
  code: string;
  /** Run before it, in this order. */
  preludes?: readonly BootFile[];
  /** What it may `load`. Default: nothing. */
  loads?: { folders: readonly string[]; files: readonly BootFile[] };
}

/** A script beside the main one. */
export interface BootFile {
  /** As `load` finds it, see loads.ts. */
  name: string;
  /** For stack traces. */
  filename: string;
  code: string;
  /** Why V8 would not compile it, for whoever loads it. */
  problem?: { text: string; line: number; column: number };
}

export interface BootedFrame {
  error?: { message: string; stack: string };
  /** As those of a turn. */
  cpuUs: number;
  answeredUs: number;
}

/** How an entry ended. After anything but `ok` the isolate is of no further use. */
export const TurnEnd = { ok: 0, timeout: 1, memory: 2, failed: 3 } as const;
export type TurnEnd = (typeof TurnEnd)[keyof typeof TurnEnd];

/** What V8 says of one isolate: sent when asked for, and after turns, at most once a second. */
export interface IsolateStats {
  /** The heap, and the memory outside of it that the isolate holds. */
  heapBytes: number;
}

export interface Frame {
  kind: number;
  isolate: number;
  body: Buffer;
}

/** Cuts a byte stream into frames. `push` calls `onFrame` with views into what it was given where it can. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #parts: Buffer[] = [];
  #buffered = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#needed()) return;

    let bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#buffered);
    while (bytes.length >= 4) {
      const length = frameLength(bytes);
      if (bytes.length < 4 + length) break;
      const body = bytes.subarray(FRAME_HEAD, 4 + length);
      this.#onFrame({ kind: bytes[4]!, isolate: bytes.readUInt32BE(5), body });
      bytes = bytes.subarray(4 + length);
    }
    this.#parts = bytes.length > 0 ? [bytes] : [];
    this.#buffered = bytes.length;
  }

  /** How many bytes must be there before it is worth joining them. */
  #needed(): number {
    const first = this.#parts[0]!;
    return first.length >= 4 ? 4 + frameLength(first) : 4;
  }
}

function frameLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0);
  if (length >= FRAME_HEAD - 4 && length <= MAX_FRAME_BYTES) return length;
  throw new StagewireError('E_FRAME', 'host', `a frame of ${length} bytes on the core's socket`);
}

/** A frame as one buffer, ready to write. */
export function frame(kind: number, isolate: number, ...parts: Uint8Array[]): Buffer {
  return begunFrame(kind, isolate, 0, parts);
}

/** A frame without its last `restLength` bytes. */
function begunFrame(kind: number, isolate: number, restLength: number, parts: readonly Uint8Array[]): Buffer {
  let length = FRAME_HEAD;
  for (const part of parts) length += part.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32BE(length + restLength - 4, 0);
  bytes[4] = kind;
  bytes.writeUInt32BE(isolate, 5);
  let at = FRAME_HEAD;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function jsonFrame(kind: number, isolate: number, value: unknown): Buffer {
  return frame(kind, isolate, Buffer.from(JSON.stringify(value)));
}

const TURN_HEAD = 16 + SEED_BYTES;

/** Host to core: the turn's time and its seed. The frame's rest, the deliveries, is `recordsLength` bytes to write after it. */
export function turnFrame(
  isolate: number,
  nowMs: number,
  monotonicMs: number,
  seed: Buffer,
  recordsLength: number,
): Buffer {
  const head = Buffer.allocUnsafe(TURN_HEAD);
  head.writeDoubleBE(nowMs, 0);
  head.writeDoubleBE(monotonicMs, 8);
  seed.copy(head, 16, 0, SEED_BYTES);
  return begunFrame(FrameKind.turn, isolate, recordsLength, [head]);
}

export interface Turn {
  nowMs: number;
  monotonicMs: number;
  seed: Buffer;
  records: Buffer;
}

export function readTurn(body: Buffer): Turn {
  return {
    nowMs: body.readDoubleBE(0),
    monotonicMs: body.readDoubleBE(8),
    seed: body.subarray(16, TURN_HEAD),
    records: body.subarray(TURN_HEAD),
  };
}

/** Core to host: how the turn ended, or how far it is; where it was (offset into its records, -1 for nowhere), and its commands. */
export interface Done {
  end: TurnEnd;
  /** Deliveries before this offset were handled; the one at `running` was being handled when it ended. */
  finished: number;
  running: number;
  /** Processor time of this turn as V8 counts it, microseconds: too much when threads compete (host/scripts/accounts.ts). */
  cpuUs: number;
  /** Of that, what the core's first thread has worked for the script, which slept meanwhile. */
  answeredUs: number;
  /** Of a turn under way: for how long the isolate has been in its present entry. */
  entryMs: number;
  message: string;
  stack: string;
  commands: Buffer;
}

const DONE_HEAD = 41;

export function doneFrame(kind: number, isolate: number, done: Done): Buffer {
  const message = Buffer.from(done.message);
  const stack = Buffer.from(done.stack);
  const head = Buffer.allocUnsafe(DONE_HEAD);
  head[0] = done.end;
  head.writeUInt32BE(done.finished, 1);
  head.writeInt32BE(done.running, 5);
  head.writeDoubleBE(done.cpuUs, 9);
  head.writeDoubleBE(done.entryMs, 17);
  head.writeUInt32BE(message.length, 25);
  head.writeUInt32BE(stack.length, 29);
  head.writeDoubleBE(done.answeredUs, 33);
  return frame(kind, isolate, head, message, stack, done.commands);
}

export function readDone(body: Buffer): Done {
  const messageEnd = DONE_HEAD + body.readUInt32BE(25);
  const stackEnd = messageEnd + body.readUInt32BE(29);
  return {
    end: body[0] as TurnEnd,
    finished: body.readUInt32BE(1),
    running: body.readInt32BE(5),
    cpuUs: body.readDoubleBE(9),
    answeredUs: body.readDoubleBE(33),
    entryMs: body.readDoubleBE(17),
    message: body.toString('utf8', DONE_HEAD, messageEnd),
    stack: body.toString('utf8', messageEnd, stackEnd),
    commands: body.subarray(stackEnd),
  };
}
