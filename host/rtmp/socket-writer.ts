import { Bandwidth } from './bandwidth.ts';
import type { ByteStream } from './byte-stream.ts';
import type { Lane, SharedBytes, Traffic } from './ports.ts';

const NOTHING = Buffer.alloc(0);
/** What Node keeps for a write that waits. */
const WRITE_OVERHEAD = 256;
/** Written at one time under a bandwidth limit. */
const PACED_BYTES = 8192;

/** The outgoing half of a socket: what waits for it, and that it is no faster than the client's bandwidth allows. */
export class SocketWriter implements Lane {
  // What `pass` needs stands together: with a thousand viewers the processor's cache has none of it.
  readonly #socket: ByteStream;
  readonly #traffic: Traffic;
  /** Something is to be said before what is shared. */
  isHeld = false;
  /** Something was passed since this was cleared. */
  hasPassed = false;
  #isClosed = false;
  /** There is a bandwidth limit, or something still waits for one that there was. */
  #isLimited = false;
  #bandwidth = new Bandwidth(0, 0);
  /** Waits for the bandwidth limit. */
  #paced: Buffer[] = [];
  #pacedBytes = 0;
  #pacer: NodeJS.Timeout | undefined;
  /** Since nothing was waiting last: for the mean size of a write. */
  #writes = 0;
  #writtenBytes = 0;

  constructor(socket: ByteStream, traffic: Traffic) {
    this.#socket = socket;
    this.#traffic = traffic;
  }

  /** Counts what each waiting write costs besides its bytes: many small ones weigh more than they measure. */
  get queuedBytes(): number {
    const waiting = this.#socket.writableLength;
    if (waiting === 0 || this.#writes === 0) return waiting + this.#pacedBytes;
    const overhead = (waiting * this.#writes * WRITE_OVERHEAD) / this.#writtenBytes;
    return waiting + overhead + this.#pacedBytes;
  }

  /** Something waits in pieces, and some of them may be gone. */
  get isPacing(): boolean {
    return this.#pacedBytes > 0;
  }

  pass(shared: SharedBytes, messages: number): boolean {
    const socket = this.#socket;
    if (this.isHeld || this.#isLimited || this.#isClosed || socket.isTunnel || socket.writableLength > 0)
      return false;
    const { bytes } = shared;
    const traffic = this.#traffic;
    traffic.messagesOut += messages;
    traffic.bytesOut += bytes.length;
    this.hasPassed = true;
    socket.write(bytes);
    if (socket.writableLength > 0) {
      socket.write(NOTHING, shared.hold());
      this.#count(bytes.length, true);
    }
    return true;
  }

  /** Nobody may change the bytes before `onWritten` is called; without it nobody ever does. */
  write(bytes: Buffer, onWritten?: () => void): void {
    if (!this.#isLimited) return this.#writeNow(bytes, onWritten);
    // Waits in pieces: whoever shares these bytes need not.
    this.#paced.push(onWritten ? Buffer.from(bytes) : bytes);
    this.#pacedBytes += bytes.length;
    if (!this.#pacer) this.#pace();
    onWritten?.();
  }

  /** What it owed under the limit before is forgiven. */
  limit(bytesPerSecond: number): void {
    this.#bandwidth = new Bandwidth(bytesPerSecond, performance.now());
    this.#isLimited = true;
    clearTimeout(this.#pacer);
    this.#pace();
  }

  /** Writes all that waits, whatever the limit: the last that there is. */
  hurry(): void {
    clearTimeout(this.#pacer);
    for (const bytes of this.#paced.splice(0)) this.#writeNow(bytes);
    this.#pacedBytes = 0;
  }

  /** The socket is gone. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#pacer);
  }

  /** Writes what the bandwidth limit lets through, and comes back for the rest. */
  #pace(): void {
    this.#pacer = undefined;
    for (;;) {
      const waitMs = this.#bandwidth.waitMs(performance.now());
      if (waitMs > 0) {
        this.#pacer = setTimeout(() => this.#pace(), waitMs);
        return;
      }
      const [next] = this.#paced;
      if (!next) {
        this.#isLimited = this.#bandwidth.bytesPerSecond > 0;
        return;
      }
      const bytes = next.subarray(0, PACED_BYTES);
      if (bytes.length === next.length) this.#paced.shift();
      else this.#paced[0] = next.subarray(PACED_BYTES);
      this.#pacedBytes -= bytes.length;
      this.#bandwidth.spend(bytes.length);
      this.#writeNow(bytes);
    }
  }

  #writeNow(bytes: Buffer, onWritten?: () => void): void {
    if (this.#isClosed) {
      onWritten?.();
      return;
    }
    const socket = this.#socket;
    this.#traffic.bytesOut += bytes.length;
    const isFirst = socket.writableLength === 0;
    if (!onWritten || socket.isTunnel) socket.write(bytes, onWritten);
    else {
      socket.write(bytes);
      // Most writes are with the operating system at once; only for those that are not a callback is worth its price.
      if (socket.writableLength === 0) return onWritten();
      socket.write(NOTHING, onWritten);
    }
    if (socket.writableLength > 0) this.#count(bytes.length, isFirst);
  }

  /** One more write waits. */
  #count(bytes: number, isFirst: boolean): void {
    if (isFirst) this.#writes = this.#writtenBytes = 0;
    this.#writes++;
    this.#writtenBytes += bytes;
  }
}
