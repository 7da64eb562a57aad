import type { RtmpMessage } from '../../wire/messages.ts';

/** Chunk streams we write on (RTMP 1.0 names only 2; the others are the habit of Flash Media Server). */
export const ChunkStreamId = { Control: 2, Command: 3, Audio: 4, Data: 5, Video: 6 } as const;

/** Values from here on go into the extended field (RTMP 1.0, section 5.3.1.3). */
const extended = 0xffffff;
const fullHeaderBytes = 11;

/** How many bytes `serializeInto` writes. */
export function serializedLength(message: RtmpMessage, chunkStreamId: number, chunkBytes: number): number {
  const sizeBytes = message.payload.length;
  const perChunk = basicHeaderBytes(chunkStreamId) + (message.timestamp >>> 0 >= extended ? 4 : 0);
  const chunks = sizeBytes <= chunkBytes ? 1 : Math.ceil(sizeBytes / chunkBytes);
  return fullHeaderBytes + chunks * perChunk + sizeBytes;
}

/**
 * A message as chunks, with a full header: the bytes depend on nothing written before, so one result can be sent to
 * every viewer whose stream id and time base agree. The header goes on with continuations that repeat an extended
 * timestamp, as FFmpeg and librtmp lose their place without it.
 */
export function serializeMessage(message: RtmpMessage, chunkStreamId: number, chunkBytes: number): Buffer {
  const target = Buffer.allocUnsafe(serializedLength(message, chunkStreamId, chunkBytes));
  serializeInto(target, 0, message, chunkStreamId, chunkBytes);
  return target;
}

/** Writes into memory of `serializedLength` bytes and returns where they end. */
export function serializeInto(
  target: Uint8Array,
  start: number,
  message: RtmpMessage,
  chunkStreamId: number,
  chunkBytes: number,
): number {
  const { payload } = message;
  const sizeBytes = payload.length;
  const timestamp = message.timestamp >>> 0;
  const isExtended = timestamp >= extended;

  let at = writeBasicHeader(target, start, 0, chunkStreamId);
  at = writeU24(target, at, isExtended ? extended : timestamp);
  at = writeU24(target, at, sizeBytes);
  target[at++] = message.type;
  at = writeU32le(target, at, message.streamId);
  if (isExtended) at = writeU32(target, at, timestamp);

  if (sizeBytes <= chunkBytes) {
    target.set(payload, at);
    return at + sizeBytes;
  }
  for (let read = 0; read < sizeBytes; ) {
    if (read > 0) {
      at = writeBasicHeader(target, at, 3, chunkStreamId);
      if (isExtended) at = writeU32(target, at, timestamp);
    }
    const end = Math.min(read + chunkBytes, sizeBytes);
    target.set(payload.subarray(read, end), at);
    at += end - read;
    read = end;
  }
  return at;
}

/**
 * Collects control and command messages of one connection until they are sent. The chunk size holds from the next
 * message on: set it right after writing the Set Chunk Size message that announces it.
 */
export class ChunkWriter {
  /** Each direction begins with 128 (RTMP 1.0, section 5.4.1). */
  chunkBytes = 128;
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes waiting to be taken. */
  get length(): number {
    return this.#length;
  }

  writeMessage(message: RtmpMessage, chunkStreamId: number): void {
    const at = this.#length;
    const needed = at + serializedLength(message, chunkStreamId, this.chunkBytes);
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#length = serializeInto(this.#bytes, at, message, chunkStreamId, this.chunkBytes);
  }

  /** Hands over what was written, as memory of its own, and begins anew. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.#length);
    this.#bytes.copy(taken, 0, 0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/** One byte for ids up to 63, two up to 319, three up to 65599 (section 5.3.1.1). */
function basicHeaderBytes(chunkStreamId: number): number {
  return chunkStreamId < 64 ? 1 : chunkStreamId < 320 ? 2 : 3;
}

function writeBasicHeader(target: Uint8Array, at: number, format: number, chunkStreamId: number): number {
  const formatBits = format << 6;
  if (chunkStreamId < 64) {
    target[at] = formatBits | chunkStreamId;
    return at + 1;
  }
  const above = chunkStreamId - 64;
  if (above < 256) {
    target[at] = formatBits;
    target[at + 1] = above;
    return at + 2;
  }
  target[at] = formatBits | 1;
  target[at + 1] = above;
  target[at + 2] = above >> 8;
  return at + 3;
}

function writeU24(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 16;
  target[at + 1] = value >>> 8;
  target[at + 2] = value;
  return at + 3;
}

function writeU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  return writeU24(target, at + 1, value);
}

/** Only the message stream id is little-endian (section 5.3.1.2.1). */
function writeU32le(target: Uint8Array, at: number, value: number): number {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
  return at + 4;
}
