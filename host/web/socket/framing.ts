import { ByteReader } from '../../../wire/bytes.ts';
import { StagewireError } from '../../../wire/errors.ts';
import { isMediaType, type RtmpMessage } from '../../../wire/messages.ts';
import { PACKET_HEAD_BYTES, readPacket, readPacketHead, writePacket } from '../../../wire/packets.ts';
import type { Limits } from '../../base/limits.ts';
import type { Framing, MessageReader, MessageWriter } from '../../rtmp/framing.ts';
import type { WireFormat } from '../../rtmp/ports.ts';
import { binaryFrame } from '../frame.ts';

type PacketLimits = Pick<Limits, 'mediaMessageBytes' | 'pendingCommandBytes'>;

/** Messages that are sent together are one binary message of the WebSocket (docs/websocket.md). */
export const packetFormat: WireFormat = {
  name: 'packets',
  envelope: binaryFrame,
  lengthOf: ({ payload }) => PACKET_HEAD_BYTES + payload.length,
  serializeInto: (target, at, message, streamId) => writePacket(target, at, message, streamId),
};

/** RTMP messages in binary messages of a WebSocket, without chunks and handshake. */
export class PacketFraming implements Framing {
  readonly protocol = 'ws';
  readonly hasChunks = false;
  readonly format = packetFormat;
  readonly writer = new PacketWriter();
  readonly #limits: PacketLimits;

  constructor(limits: PacketLimits) {
    this.#limits = limits;
  }

  makeReader(onMessage: (message: RtmpMessage) => void): MessageReader {
    return new PacketReader(this.#limits, onMessage);
  }
}

/** Throws for a message that is larger than one of its type may be, by its header. */
export function checkSize(type: number, size: number, maxMediaBytes: number, maxOtherBytes: number): void {
  const max = isMediaType(type) ? maxMediaBytes : maxOtherBytes;
  if (size > max)
    throw new StagewireError(
      'E_MESSAGE_TOO_LARGE',
      'peer',
      `a message of type ${type} with ${size} bytes, ${max} are allowed`,
    );
}

/** What is pushed has whole messages: `WebSocketStream` sees to it. */
class PacketReader implements MessageReader {
  readonly limits: { maxOtherBytes: number };
  readonly #maxMediaBytes: number;
  readonly #onMessage: (message: RtmpMessage) => void;
  /** What came while nobody wanted it. */
  #rest: ByteReader[] = [];
  #isPaused = false;
  #isClosed = false;
  pushedBytes = 0;

  constructor(limits: PacketLimits, onMessage: (message: RtmpMessage) => void) {
    this.limits = { maxOtherBytes: limits.pendingCommandBytes };
    this.#maxMediaBytes = limits.mediaMessageBytes;
    this.#onMessage = onMessage;
  }

  push(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.pushedBytes += bytes.length;
    // A plain array, as `slice` of a Buffer would not copy for those who receive the payloads.
    this.#rest.push(new ByteReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)));
    this.#read();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#read();
  }

  close(): void {
    this.#isClosed = true;
    this.#rest = [];
  }

  #read(): void {
    for (let [first] = this.#rest; first; [first] = this.#rest) {
      while (first.remaining > 0) {
        if (this.#isPaused || this.#isClosed) return;
        const { type, size } = readPacketHead(first.bytes, first.position);
        checkSize(type, size, this.#maxMediaBytes, this.limits.maxOtherBytes);
        this.#onMessage(readPacket(first));
      }
      this.#rest.shift();
    }
  }
}

/** The longest head of a frame is kept free in front. */
const HEAD = 10;

class PacketWriter implements MessageWriter {
  #bytes = Buffer.allocUnsafeSlow(1024);
  #end = HEAD;

  get length(): number {
    return this.#end - HEAD;
  }

  writeMessage(message: RtmpMessage): void {
    const needed = this.#end + packetFormat.lengthOf(message);
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#end);
      this.#bytes = larger;
    }
    this.#end = writePacket(this.#bytes, this.#end, message, message.streamId);
  }

  take(): Buffer {
    const start = HEAD - binaryFrame.headBytes(this.length);
    binaryFrame.writeHead(this.#bytes, start, this.length);
    const taken = Buffer.from(this.#bytes.subarray(start, this.#end));
    this.#end = HEAD;
    return taken;
  }
}
