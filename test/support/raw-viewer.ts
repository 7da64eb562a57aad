import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { onTestFinished } from 'vitest';
import { inTime } from './journal.ts';
import { certificate } from './tls.ts';

const OPCODE_CLOSE = 8;

/** A viewer that says what the test wants, byte by byte, and keeps its half of the connection open. */
export class RawViewer {
  readonly socket: Socket;
  /** The server has ended its half. */
  readonly ended: Promise<void>;
  received: Buffer = Buffer.alloc(0);

  constructor(url: string) {
    const { hostname, port, protocol } = new URL(url);
    const options = { host: hostname, port: Number(port), ca: certificate, allowHalfOpen: true };
    this.socket = protocol.endsWith('s:') ? connectTls(options) : createConnection(options);
    onTestFinished(() => void this.socket.destroy());
    this.socket.on('error', () => {});
    this.socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.ended = new Promise((resolve) => {
      this.socket.once('end', resolve).once('close', () => resolve());
    });
  }

  /** Asks for the stream as a WebSocket, and waits for the first frame. */
  static async open(url: string): Promise<RawViewer> {
    const viewer = new RawViewer(url);
    const { pathname, search, host } = new URL(url);
    viewer.socket.write(upgradeFor(`${pathname}${search}`, host));
    await inTime(
      'the first frame',
      new Promise<void>((resolve) => {
        viewer.socket.on('data', () => {
          if (viewer.head.length < viewer.received.length) resolve();
        });
      }),
    );
    return viewer;
  }

  /** The answer's head. */
  get head(): string {
    const end = this.received.indexOf('\r\n\r\n');
    return end < 0 ? this.received.toString('latin1') : this.received.toString('latin1', 0, end + 4);
  }

  /** The frames that came, as far as they are complete. */
  get frames(): { opcode: number; payload: Buffer }[] {
    const frames: { opcode: number; payload: Buffer }[] = [];
    let at = this.head.length;
    while (at + 2 <= this.received.length) {
      const opcode = this.received[at]! & 15;
      let length = this.received[at + 1]! & 127;
      at += 2;
      if (length === 126) {
        if (at + 2 > this.received.length) break;
        length = this.received.readUInt16BE(at);
        at += 2;
      } else if (length === 127) {
        if (at + 8 > this.received.length) break;
        length = Number(this.received.readBigUInt64BE(at));
        at += 8;
      }
      if (at + length > this.received.length) break;
      frames.push({ opcode, payload: this.received.subarray(at, at + length) });
      at += length;
    }
    return frames;
  }

  /** The code of the close frame that came. */
  get closeCode(): number | undefined {
    const close = this.frames.find(({ opcode }) => opcode === OPCODE_CLOSE);
    return close && (close.payload.length < 2 ? 1005 : close.payload.readUInt16BE(0));
  }

  send(opcode: number, payload: Uint8Array = new Uint8Array(0), isFinal = true): void {
    this.socket.write(frameOf(opcode, payload, isFinal));
  }
}

export function upgradeFor(path: string, host: string): string {
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`;
}

/** A frame as clients send it, masked with zeros (RFC 6455, section 5.2). */
export function frameOf(opcode: number, payload: Uint8Array = new Uint8Array(0), isFinal = true): Buffer {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 8 : 6);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}
