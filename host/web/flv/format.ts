import { flvTagBytes, writeFlvTag } from '../../../wire/flv.ts';
import { MessageType } from '../../../wire/messages.ts';
import type { OutMessage, WireFormat } from '../../rtmp/ports.ts';
import { binaryFrame } from '../frame.ts';

const CRLF = Uint8Array.of(13, 10);

/** What is around each piece of an FLV stream. The pieces of all viewers are alike, and so are their bytes. */
interface Envelope {
  readonly name: string;
  headBytes(size: number): number;
  writeHead(target: Uint8Array, at: number, size: number): void;
  readonly tail: Uint8Array;
}

/** The body of an answer that ends with its connection: what HTTP/1.0 clients understand. */
const bare: Envelope = { name: 'flv', headBytes: () => 0, writeHead: () => {}, tail: new Uint8Array(0) };

/** A chunk of HTTP/1.1 (RFC 9112, section 7.1). */
const chunk: Envelope = {
  name: 'flv-chunk',
  headBytes: (size) => hexDigits(size) + 2,
  writeHead: (target, at, size) => {
    const digits = hexDigits(size);
    for (let i = digits - 1, rest = size; i >= 0; i--, rest >>>= 4)
      target[at + i] = '0123456789abcdef'.charCodeAt(rest & 15);
    target.set(CRLF, at + digits);
  },
  tail: CRLF,
};

const frame: Envelope = { name: 'flv-frame', ...binaryFrame, tail: new Uint8Array(0) };

/** FLV tags, each in an envelope. */
export class FlvFormat implements WireFormat {
  readonly name: string;
  readonly #envelope: Envelope;

  constructor(envelope: Envelope) {
    this.name = envelope.name;
    this.#envelope = envelope;
  }

  lengthOf(message: OutMessage): number {
    const payload = bodyOf(message);
    return payload ? this.#around(flvTagBytes(payload)) : 0;
  }

  serializeInto(target: Uint8Array, at: number, message: OutMessage): number {
    const payload = bodyOf(message);
    if (!payload) return at;
    const size = flvTagBytes(payload);
    const { tail } = this.#envelope;
    this.#envelope.writeHead(target, at, size);
    const type = isData(message) ? MessageType.DataAmf0 : message.type;
    const end = writeFlvTag(target, at + this.#envelope.headBytes(size), type, timeOf(message), payload);
    target.set(tail, end);
    return end + tail.length;
  }

  /** Other bytes of the stream: the header of the file. */
  wrap(bytes: Uint8Array): Buffer {
    const wrapped = Buffer.alloc(this.#around(bytes.length));
    this.#envelope.writeHead(wrapped, 0, bytes.length);
    wrapped.set(bytes, this.#envelope.headBytes(bytes.length));
    wrapped.set(this.#envelope.tail, wrapped.length - this.#envelope.tail.length);
    return wrapped;
  }

  #around(size: number): number {
    return this.#envelope.headBytes(size) + size + this.#envelope.tail.length;
  }
}

export const flvFormats = {
  bare: new FlvFormat(bare),
  chunk: new FlvFormat(chunk),
  frame: new FlvFormat(frame),
} as const;

/** What a tag has of it: FLV knows audio, video, and data in AMF0. Players stumble over tags without a body. */
function bodyOf(message: OutMessage): Uint8Array | undefined {
  const { type, payload } = message;
  if (payload.length === 0) return undefined;
  if (type === MessageType.Audio || type === MessageType.Video || type === MessageType.DataAmf0)
    return payload;
  if (type !== MessageType.DataAmf3) return undefined;
  // A selector says that its values are AMF0 all the same.
  return payload[0] === 0 ? payload.subarray(1) : undefined;
}

/** Metadata is always from the beginning: FFmpeg takes it for a track of its own with another time. */
function timeOf(message: OutMessage): number {
  const { timestamp, shiftMs = 0 } = message;
  return timestamp === 0 && isData(message) ? 0 : (timestamp + shiftMs) >>> 0;
}

function isData({ type }: OutMessage): boolean {
  return type === MessageType.DataAmf0 || type === MessageType.DataAmf3;
}

function hexDigits(size: number): number {
  return size === 0 ? 1 : Math.ceil((32 - Math.clz32(size)) / 4);
}
