/**
 * RTMP chunks as a client writes and reads them: a second implementation, made from the specification and from
 * nothing in host/, so that both do not share a mistake. What a server must never send is an error here.
 */
import type { RtmpMessage } from '../../wire/messages.ts';

export interface ChunkOptions {
  /** Default 3. */
  csid?: number;
  chunkBytes: number;
}

/** One message as chunks: a header of type 0, then continuations of type 3 (RTMP 1.0, section 5.3.1). */
export function encodeChunks(message: RtmpMessage, { csid = 3, chunkBytes }: ChunkOptions): Buffer {
  const { type, streamId, timestamp, payload } = message;
  const isExtended = timestamp >= 0xffffff;
  const head = Buffer.alloc(11);
  head.writeUIntBE(isExtended ? 0xffffff : timestamp, 0, 3);
  head.writeUIntBE(payload.length, 3, 3);
  head[6] = type;
  head.writeUInt32LE(streamId, 7);
  const extended = Buffer.alloc(isExtended ? 4 : 0);
  if (isExtended) extended.writeUInt32BE(timestamp);

  const parts: Uint8Array[] = [basicHeader(0, csid), head, extended];
  for (let at = 0; at === 0 || at < payload.length; at += chunkBytes) {
    if (at > 0) parts.push(basicHeader(3, csid), extended);
    parts.push(payload.subarray(at, at + chunkBytes));
  }
  return Buffer.concat(parts);
}

function basicHeader(format: number, csid: number): Buffer {
  if (csid < 64) return Buffer.from([(format << 6) | csid]);
  if (csid < 320) return Buffer.from([format << 6, csid - 64]);
  return Buffer.from([(format << 6) | 1, (csid - 64) & 0xff, (csid - 64) >> 8]);
}

interface ChunkStream {
  type: number;
  streamId: number;
  timestamp: number;
  length: number;
  /** What the header's extended field held. */
  extended: number | undefined;
  parts: Buffer[];
  missing: number;
}

/** Puts messages together from bytes that arrive in any pieces. */
export class ChunkParser {
  chunkBytes = 128;
  /** Bytes of chunks received so far. */
  received = 0;
  readonly #streams = new Map<number, ChunkStream>();
  readonly #onMessage: (message: RtmpMessage, csid: number) => void;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(onMessage: (message: RtmpMessage, csid: number) => void) {
    this.#onMessage = onMessage;
  }

  push(bytes: Buffer): void {
    this.received += bytes.length;
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    for (let used = this.#chunk(); used > 0; used = this.#chunk()) this.#buffer = this.#buffer.subarray(used);
  }

  /** How many bytes the chunk at the front takes; 0 when it is not whole yet. */
  #chunk(): number {
    const buffer = this.#buffer;
    if (buffer.length < 1) return 0;
    const format = buffer[0]! >> 6;
    const code = buffer[0]! & 0x3f;
    let at = code > 1 ? 1 : code === 0 ? 2 : 3;
    if (buffer.length < at) return 0;
    const csid = code > 1 ? code : 64 + buffer[1]! + (code === 1 ? buffer[2]! * 256 : 0);

    const headBytes = [11, 7, 3, 0][format]!;
    if (buffer.length < at + headBytes) return 0;
    const previous = this.#streams.get(csid);
    if (!previous && format !== 0)
      throw new Error(`chunk stream ${csid} begins with a header of type ${format}`);
    const isContinuation = previous !== undefined && previous.missing > 0;
    if (isContinuation !== (format === 3)) {
      throw new Error(
        `a header of type ${format} on chunk stream ${csid}, ${previous?.missing} bytes missing`,
      );
    }

    const field = headBytes > 0 ? buffer.readUIntBE(at, 3) : 0;
    const isExtended = format === 3 ? previous!.extended !== undefined : field === 0xffffff;
    const length = headBytes >= 7 ? buffer.readUIntBE(at + 3, 3) : previous!.length;
    const type = headBytes >= 7 ? buffer[at + 6]! : previous!.type;
    const streamId = headBytes === 11 ? buffer.readUInt32LE(at + 7) : previous!.streamId;
    at += headBytes;
    if (buffer.length < at + (isExtended ? 4 : 0)) return 0;
    const extended = isExtended ? buffer.readUInt32BE(at) : undefined;
    at += isExtended ? 4 : 0;
    if (format === 3 && extended !== previous!.extended) {
      throw new Error(`a continuation repeats ${extended} instead of ${previous!.extended}`);
    }

    const missing = isContinuation ? previous.missing : length;
    const payloadBytes = Math.min(missing, this.chunkBytes);
    if (buffer.length < at + payloadBytes) return 0;
    const payload = Buffer.from(buffer.subarray(at, at + payloadBytes));
    at += payloadBytes;

    const value = extended ?? field;
    const timestamp = format === 0 ? value : ((previous?.timestamp ?? 0) + value) >>> 0;
    const stream: ChunkStream = isContinuation
      ? previous
      : { type, streamId, timestamp, length, extended, parts: [], missing: length };
    stream.parts.push(payload);
    stream.missing -= payloadBytes;
    this.#streams.set(csid, stream);
    if (stream.missing === 0) {
      const whole = Buffer.concat(stream.parts);
      stream.parts = [];
      const message = {
        type: stream.type,
        streamId: stream.streamId,
        timestamp: stream.timestamp,
        payload: whole,
      };
      // A new chunk size counts from the next chunk on.
      if (stream.type === 1) this.chunkBytes = whole.readUInt32BE(0);
      this.#onMessage(message, csid);
    }
    return at;
  }
}
