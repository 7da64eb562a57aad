import { EventEmitter } from 'node:events';
import type { ByteStream } from '../rtmp/byte-stream.ts';

interface Written {
  readonly bytes: Buffer;
  readonly onWritten: (() => void) | undefined;
}

/**
 * One end of a connection within this process. What is written at one comes out of the other in the next round of the
 * event loop, as from a socket, and waits at the writer while the other is paused.
 */
export class MemoryStream extends EventEmitter implements ByteStream {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 0;
  destroyed = false;
  #peer: MemoryStream | undefined;
  #written: Written[] = [];
  #writtenBytes = 0;
  #isPaused = false;
  #isEnding = false;
  #isScheduled = false;

  /** Both ends. */
  static pair(): [MemoryStream, MemoryStream] {
    const one = new MemoryStream();
    const other = new MemoryStream();
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  get writableLength(): number {
    return this.#writtenBytes;
  }

  write(bytes: Uint8Array, onWritten?: () => void): void {
    if (this.destroyed || this.#isEnding) return onWritten?.();
    // Whoever reads may keep what it reads, and the writer uses its memory again.
    this.#written.push({ bytes: Buffer.from(bytes), onWritten });
    this.#writtenBytes += bytes.length;
    this.#schedule();
  }

  cork(): void {}
  uncork(): void {}
  setNoDelay(): void {}

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#peer!.#schedule();
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  end(): void {
    this.#isEnding = true;
    this.#schedule();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    for (const { onWritten } of this.#written) onWritten?.();
    this.#written = [];
    this.#writtenBytes = 0;
    setImmediate(() => {
      this.emit('close');
      this.#peer?.destroy();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.destroyed) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    const peer = this.#peer!;
    while (!this.destroyed && !peer.destroyed && !peer.#isPaused) {
      const next = this.#written.shift();
      if (!next) break;
      this.#writtenBytes -= next.bytes.length;
      next.onWritten?.();
      peer.emit('data', next.bytes);
    }
    if (this.#isEnding && this.#written.length === 0) this.destroy();
  }
}
