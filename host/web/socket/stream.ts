import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { StagewireError } from '../../../wire/errors.ts';
import { PACKET_HEAD_BYTES, readPacketHead } from '../../../wire/packets.ts';
import type { ByteStream } from '../../rtmp/byte-stream.ts';
import { checkSize } from './framing.ts';

/** Handed out in one round of the event loop, as much as a socket brings at once: a large frame keeps nobody waiting. */
const PIECE_BYTES = 64 * 1024;
/** How long a client has to take the last bytes. */
export const LAST_BYTES_MS = 1000;
/** Of a close frame (RFC 6455, section 5.5). */
const MAX_REASON_BYTES = 123;

/** Why a WebSocket is closed (RFC 6455, section 7.4.1). */
export const CloseCode = {
  Normal: 1000,
  ProtocolError: 1002,
  Unsupported: 1003,
  NoText: 1007,
  PolicyViolation: 1008,
  TooLarge: 1009,
  InternalError: 1011,
  TryAgainLater: 1013,
} as const;

const CODE_OF: Readonly<Record<string, number>> = {
  E_TRUNCATED: CloseCode.ProtocolError,
  E_TEXT: CloseCode.Unsupported,
  E_MESSAGE_TOO_LARGE: CloseCode.TooLarge,
  E_TOO_MANY_CONNECTIONS: CloseCode.TryAgainLater,
};

interface Events {
  data: [bytes: Buffer];
  close: [];
  error: [];
}

/**
 * A WebSocket as the connection sees it. What comes out of it are whole messages, in the pieces that a socket would bring;
 * what goes into it are whole frames.
 */
export class WebSocketStream extends EventEmitter<Events> implements ByteStream {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #maxMessageBytes: number;
  /** Frames whose messages have not all been handed out. */
  #frames: Buffer[] = [];
  #isPaused = false;
  #isEnding = false;
  #isClosed = false;
  #next: NodeJS.Immediate | undefined;

  constructor(webSocket: WebSocket, socket: Socket, maxMessageBytes: number) {
    super();
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#maxMessageBytes = maxMessageBytes;
    webSocket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    webSocket.on('error', (error) => this.#fault(error));
    // It may be closed by frames, without an end of the socket.
    webSocket.on('close', () => this.#close());
    socket.once('close', () => this.#close());
  }

  /** The peer sent what it may not: whoever owns the stream is to give it up. */
  onProblem: (error: StagewireError) => void = () => {};

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  get destroyed(): boolean {
    return this.#isClosed || this.#socket.destroyed;
  }

  write(bytes: Uint8Array, onWritten?: () => void): void {
    this.#socket.write(bytes, onWritten);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#isPaused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#readLater();
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  setNoDelay(isOn: boolean): void {
    this.#socket.setNoDelay(isOn);
  }

  end(): void {
    this.#isEnding = true;
    this.#webSocket.close(CloseCode.Normal);
  }

  destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  fail({ code, blame, message }: StagewireError): void {
    if (this.destroyed) return;
    const number = CODE_OF[code] ?? (blame === 'peer' ? CloseCode.PolicyViolation : CloseCode.InternalError);
    this.#webSocket.close(number, reasonOf(blame === 'peer' ? `${code}: ${message}` : code));
    this.#webSocket.resume(); // what is not read would become a reset, and the client would lose the reason
    setTimeout(() => this.#socket.destroy(), LAST_BYTES_MS).unref();
    this.#close();
  }

  #fault(error: Error & { code?: string }): void {
    const isTooLarge = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
    this.onProblem(
      new StagewireError(isTooLarge ? 'E_MESSAGE_TOO_LARGE' : 'E_WEBSOCKET', 'peer', error.message),
    );
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#isClosed || this.#isEnding) return;
    if (!isBinary)
      return this.onProblem(new StagewireError('E_TEXT', 'peer', 'a text frame, where only binary ones are'));
    this.#frames.push(data as Buffer);
    if (this.#frames.length === 1 && !this.#isPaused) this.#read();
  }

  /** Hands out as many messages as make a piece, and comes back for the rest. */
  #read(): void {
    this.#next = undefined;
    const [frame] = this.#frames;
    if (!frame || this.#isPaused || this.#isClosed) return;
    let end = 0;
    try {
      while (end < frame.length && end < PIECE_BYTES) {
        const { type, size } = readPacketHead(frame, end);
        checkSize(type, size, this.#maxMessageBytes, this.#maxMessageBytes);
        end += PACKET_HEAD_BYTES + size;
      }
      if (end > frame.length)
        throw new StagewireError(
          'E_TRUNCATED',
          'peer',
          `a message goes ${end - frame.length} bytes beyond its frame`,
        );
    } catch (error) {
      return this.onProblem(error as StagewireError);
    }
    if (end === frame.length) this.#frames.shift();
    else this.#frames[0] = frame.subarray(end);
    if (end > 0) this.emit('data', frame.subarray(0, end));
    this.#readLater();
  }

  #readLater(): void {
    if (this.#isPaused || this.#isClosed) return;
    if (this.#frames.length === 0) this.#webSocket.resume();
    else {
      this.#webSocket.pause();
      this.#next ??= setImmediate(() => this.#read());
    }
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#frames = [];
    // As of a socket: never while whoever destroys it is still at work.
    process.nextTick(() => this.emit('close'));
  }
}

/** Cut to what a close frame holds. */
export function reasonOf(text: string): string {
  let reason = text;
  while (Buffer.byteLength(reason) > MAX_REASON_BYTES) reason = reason.slice(0, -1);
  return reason;
}
