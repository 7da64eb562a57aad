import type { MediaTransport, SharedBytes } from '../rtmp/ports.ts';

const MIN_BLOCK = 1024;
const MAX_BLOCK = 4 * 1024 * 1024;
/** Free memory kept for later, all sizes together. */
const MAX_FREE = 32 * 1024 * 1024;

/**
 * Bytes that many viewers are sent. Their memory goes back to the pool when the last of those writes has completed,
 * and no earlier: a slow reader would get what came to stand there next.
 */
export class Block implements SharedBytes {
  readonly bytes: Buffer;
  readonly #done: () => void;
  /** Writes under way, and one for who fills and sends the block. */
  #users = 1;
  readonly #leave = () => {
    if (--this.#users === 0) this.#done();
  };

  constructor(bytes: Buffer, done: () => void) {
    this.bytes = bytes;
    this.#done = done;
  }

  hold(): () => void {
    this.#users++;
    return this.#leave;
  }

  writeTo(transport: MediaTransport, messages: number): void {
    transport.write(this.bytes, messages, this.hold());
  }

  /** Nobody is added any more. */
  close(): void {
    this.#leave();
  }
}

/** Memory for blocks, in sizes of powers of two. Fresh memory for each window costs a tenth more than memory that is used again. */
export class BlockPool {
  readonly #free = new Map<number, Buffer[]>();
  freeBytes = 0;
  /** Blocks that somebody still writes. */
  used = 0;

  take(bytes: number): Block {
    this.used++;
    if (bytes > MAX_BLOCK) return new Block(Buffer.allocUnsafeSlow(bytes), () => this.used--);
    const size = Math.max(MIN_BLOCK, 2 ** Math.ceil(Math.log2(bytes)));
    let memory = this.#free.get(size)?.pop();
    if (memory) this.freeBytes -= size;
    else memory = Buffer.allocUnsafeSlow(size);
    return new Block(memory.subarray(0, bytes), () => this.#giveBack(memory, size));
  }

  #giveBack(memory: Buffer, size: number): void {
    this.used--;
    if (this.freeBytes + size > MAX_FREE) return;
    this.freeBytes += size;
    const free = this.#free.get(size);
    if (free) free.push(memory);
    else this.#free.set(size, [memory]);
  }
}
