import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ByteStream } from './byte-stream.ts';
import type { WindowReader } from './ports.ts';

/** What Node reads at one time. */
const PIECE_BYTES = 65_536;
/** Who sends more in a window is read as it comes: the system would stop it at about so much that is not read. */
const MANY_BYTES = 49_152;

/** What a connection says to being read in windows. */
export interface ReadingRules {
  /** It is read at all. */
  isReading(): boolean;
  /** Nobody waits for what it brings. */
  mayWait(): boolean;
  /** Reads on, when it is read at all. */
  resume(): void;
}

/** Reads a TCP socket once for each window. */
export class WindowReading implements WindowReader {
  readonly #socket: Socket;
  readonly #rules: ReadingRules;
  #bytes = 0;
  #hasAsked = false;

  private constructor(socket: Socket, rules: ReadingRules) {
    this.#socket = socket;
    this.#rules = rules;
  }

  /** Undefined for what is no socket of the system's; and with TLS, which keeps pieces that were not asked for to itself. */
  static of(stream: ByteStream, rules: ReadingRules): WindowReading | undefined {
    return stream instanceof Socket && !(stream instanceof TLSSocket)
      ? new WindowReading(stream, rules)
      : undefined;
  }

  pause(): boolean {
    if (this.#bytes > MANY_BYTES || !this.#rules.isReading() || !this.#rules.mayWait()) return false;
    this.#bytes = 0;
    stopAfterEachPiece(this.#socket);
    this.#socket.pause();
    return true;
  }

  gather(): void {
    if (!this.#rules.isReading() || !this.#socket.isPaused()) return;
    // What it was reading when it was paused is there already, and the rest has still to be asked for.
    this.#hasAsked = this.#socket.readableLength === 0;
    if (this.#hasAsked) this.#socket.read(0);
  }

  take(): boolean {
    const bytes = this.#socket.readableLength;
    if (bytes === 0 || !this.#rules.isReading()) return false;
    this.#bytes += bytes;
    this.#socket.read(); // tells whoever listens for 'data'
    return bytes >= PIECE_BYTES || !this.#hasAsked;
  }

  resume(): void {
    this.#bytes = 0;
    this.#rules.resume();
  }
}

/**
 * A paused socket goes on reading until it has `highWaterMark` bytes. Node has no way to change that of a socket that a
 * server has accepted; were this one gone, it would read on as things come.
 */
function stopAfterEachPiece(socket: Socket): void {
  const { _readableState: state } = socket as Socket & { _readableState?: { highWaterMark: number } };
  if (state) state.highWaterMark = 0;
}
