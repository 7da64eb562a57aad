import { ByteReader } from '../wire/bytes.ts';
import type { RtmpMessage } from '../wire/messages.ts';
import { PACKET_HEAD_BYTES, readPacket, SUBPROTOCOL, writePacket } from '../wire/packets.ts';

/** Nothing for so long, though the server pings after 30 seconds of silence: it is gone. */
const SILENT_MS = 75_000;
/** Of what is sent at once. */
const MAX_FRAME = 60_000;

/** One WebSocket: RTMP messages both ways, those of one round of the event loop in one frame (docs/websocket.md). */
export class Link {
  readonly #socket: WebSocket;
  readonly #onEnd: (reason: string) => void;
  #waiting: RtmpMessage[] = [];
  #waitingBytes = 0;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #hasEnded = false;
  bytesOut = 0;

  /** `onEnd` is called once, whatever ended it, unless `close` was called. */
  constructor(
    url: string,
    onOpen: () => void,
    onMessage: (message: RtmpMessage) => void,
    onEnd: (reason: string) => void,
  ) {
    this.#onEnd = onEnd;
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    this.#listen();
    socket.onopen = onOpen;
    socket.onclose = ({ reason, code }) => this.#end(reason || `The connection was closed (${code}).`);
    socket.onmessage = ({ data }) => {
      this.#listen();
      const reader = new ByteReader(new Uint8Array(data as ArrayBuffer));
      try {
        while (reader.remaining > 0 && !this.#hasEnded) onMessage(readPacket(reader));
      } catch (error) {
        this.#end(String(error));
      }
    };
  }

  /** What has been said and not yet left this machine. */
  get queuedBytes(): number {
    return this.#waitingBytes + this.#socket.bufferedAmount;
  }

  /** The payload must not change before the end of this round of the event loop. */
  send(message: RtmpMessage): void {
    if (this.#hasEnded) return;
    const size = PACKET_HEAD_BYTES + message.payload.length;
    if (this.#waitingBytes + size > MAX_FRAME) this.#flush();
    if (this.#waiting.push(message) === 1) queueMicrotask(() => this.#flush());
    this.#waitingBytes += size;
  }

  close(): void {
    this.#flush();
    this.#hasEnded = true;
    clearTimeout(this.#silence);
    this.#socket.close();
  }

  #flush(): void {
    if (this.#waitingBytes === 0 || this.#hasEnded) return;
    const frame = new Uint8Array(this.#waitingBytes);
    let at = 0;
    for (const message of this.#waiting) at = writePacket(frame, at, message, message.streamId);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.bytesOut += at;
    this.#socket.send(frame);
  }

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end('The server was silent.'), SILENT_MS);
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.close();
    this.#onEnd(reason);
  }
}
