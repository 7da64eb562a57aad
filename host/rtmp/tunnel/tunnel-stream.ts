import { EventEmitter } from 'node:events';
import type { ByteStream } from '../byte-stream.ts';

/** Read in one round of the event loop, as much as a socket brings at once: a large body keeps nobody waiting. */
const PIECE_BYTES = 64 * 1024;

interface Output {
  bytes: Uint8Array;
  onWritten: (() => void) | undefined;
}

interface Input {
  bytes: Buffer;
  onRead: () => void;
}

interface Events {
  data: [bytes: Buffer];
  close: [];
  error: [];
}

/** Both directions of a tunnel as the connection sees them: bytes that requests brought, and that answers will take. */
export class TunnelStream extends EventEmitter<Events> implements ByteStream {
  readonly isTunnel = true;
  readonly remoteAddress: string;
  readonly remotePort: number;
  destroyed = false;
  writableLength = 0;
  #output: Output[] = [];
  #input: Input[] = [];
  #isPaused = false;
  #isEnding = false;
  /** A piece is being read, or will be in the next round. */
  #isAtWork = false;

  constructor(remoteAddress: string, remotePort: number) {
    super();
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  write(bytes: Uint8Array, onWritten?: () => void): void {
    if (this.destroyed || this.#isEnding || bytes.length === 0) {
      onWritten?.();
      return;
    }
    this.writableLength += bytes.length;
    this.#output.push({ bytes, onWritten });
  }

  /** Copies up to so many of the bytes that wait behind `head`, which are then written. */
  take(head: number, maxBytes: number): Buffer {
    const answer = Buffer.allocUnsafeSlow(1 + Math.min(maxBytes, this.writableLength));
    answer[0] = head;
    const written: Output[] = [];
    let at = 1;
    let taken = 0;
    while (at < answer.length) {
      const first = this.#output[taken]!;
      const part = first.bytes.subarray(0, answer.length - at);
      answer.set(part, at);
      at += part.length;
      if (part.length < first.bytes.length) {
        first.bytes = first.bytes.subarray(part.length);
      } else {
        written.push(first);
        taken++;
      }
    }
    this.#output.splice(0, taken);
    this.writableLength -= at - 1;
    for (const { onWritten } of written) onWritten?.();
    if (this.#isEnding && this.writableLength === 0) this.destroy();
    return answer;
  }

  /** Bytes that a request brought. `onRead` is called when all of them have been read, unless it ends before. */
  receive(bytes: Buffer, onRead: () => void): void {
    this.#input.push({ bytes, onRead });
    if (!this.#isAtWork) this.#read();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#readLater();
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  // One answer takes all that waits, and HTTP does the rest.
  cork(): void {}
  uncork(): void {}
  setNoDelay(): void {}

  end(): void {
    this.#isEnding = true;
    if (this.writableLength === 0) this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.writableLength = 0;
    this.#input = [];
    for (const { onWritten } of this.#output.splice(0)) onWritten?.();
    // As of a socket: never while its destroyer is still at work.
    process.nextTick(() => this.emit('close'));
  }

  #read(): void {
    this.#isAtWork = false;
    const [first] = this.#input;
    if (!first || this.#isPaused || this.destroyed) return;
    const piece = first.bytes.subarray(0, PIECE_BYTES);
    first.bytes = first.bytes.subarray(piece.length);
    if (first.bytes.length === 0) this.#input.shift();
    this.#isAtWork = true;
    if (piece.length > 0) this.emit('data', piece);
    this.#isAtWork = false;
    if (first.bytes.length === 0) first.onRead();
    this.#readLater();
  }

  #readLater(): void {
    if (this.#isAtWork || this.#input.length === 0) return;
    this.#isAtWork = true;
    setImmediate(() => this.#read());
  }
}
