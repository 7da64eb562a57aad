import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { RtmpMessage } from '../../wire/messages.ts';
import { inTime } from './journal.ts';

export const SUBPROTOCOL = 'stagewire.v1';

/** Set for a second run of a test file, in which clients that would use RTMP use WebSockets. */
export const isOverWebSocket = process.env.STAGEWIRE_TRANSPORT === 'ws';
/** The HTTP address of each server, by its RTMP port. */
export const httpByRtmpPort = new Map<number, string>();

/** Where a client goes that was given that address. */
export function addressFor(url: string): string {
  const { protocol, port, pathname, search } = new URL(url);
  const http = httpByRtmpPort.get(Number(port));
  return isOverWebSocket && protocol === 'rtmp:' && http !== undefined
    ? `${http.replace('http', 'ws')}${pathname}${search}`
    : url;
}

/** A WebSocket in the place of a socket: what is written is a frame, what is read are those of the server. */
export class WebSocketCarrier extends Duplex {
  readonly webSocket: WebSocket;
  /** Why the server closed it. */
  closing: { code: number; reason: string } | undefined;

  static async open(url: string, ca?: string): Promise<WebSocketCarrier> {
    const carrier = new WebSocketCarrier(url, ca);
    await inTime(
      'the handshake',
      new Promise<void>((resolve, reject) => {
        carrier.webSocket.once('open', resolve);
        carrier.webSocket.once('error', reject);
      }),
    );
    return carrier;
  }

  private constructor(url: string, ca?: string) {
    super({ emitClose: true, decodeStrings: true });
    this.webSocket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false, ...(ca && { ca }) });
    this.webSocket.on('message', (frame: Buffer) => this.push(frame));
    this.webSocket.on('error', () => {});
    this.webSocket.on('close', (code: number, reason: Buffer) => {
      this.closing = { code, reason: reason.toString() };
      this.push(null);
      this.destroy();
    });
  }

  resetAndDestroy(): void {
    this.webSocket.terminate();
    this.destroy();
  }

  override pause(): this {
    this.webSocket.pause();
    return super.pause();
  }

  override resume(): this {
    this.webSocket.resume();
    return super.resume();
  }

  override _read(): void {}

  override _write(bytes: Buffer, _: string, done: (error?: Error) => void): void {
    this.webSocket.send(bytes, done);
  }

  override _final(done: () => void): void {
    this.webSocket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.webSocket.readyState !== WebSocket.CLOSED) this.webSocket.terminate();
    done(error);
  }
}

/** A message as docs/websocket.md has it. */
export function encodePacket({ type, streamId, timestamp, payload }: RtmpMessage): Buffer {
  const head = Buffer.alloc(11);
  head[0] = type;
  head.writeUIntBE(payload.length, 1, 3);
  head.writeUInt32BE(timestamp, 4);
  head.writeUIntBE(streamId, 8, 3);
  return Buffer.concat([head, payload]);
}

/** The messages of a frame, which has to end with the last of them. */
export class PacketParser {
  /** Bytes of frames so far. */
  received = 0;
  frames = 0;
  readonly #onMessage: (message: RtmpMessage, csid: number) => void;

  constructor(onMessage: (message: RtmpMessage, csid: number) => void) {
    this.#onMessage = onMessage;
  }

  push(frame: Buffer): void {
    this.frames++;
    this.received += frame.length;
    for (let at = 0; at < frame.length; ) {
      const end = at + 11 + frame.readUIntBE(at + 1, 3);
      if (end > frame.length) throw new Error(`a message ends ${end - frame.length} bytes behind its frame`);
      const message = {
        type: frame[at]!,
        timestamp: frame.readUInt32BE(at + 4),
        streamId: frame.readUIntBE(at + 8, 3),
        payload: new Uint8Array(frame.subarray(at + 11, end)),
      };
      at = end;
      this.#onMessage(message, 0);
    }
  }
}
