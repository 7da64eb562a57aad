import { StagewireError } from '../../wire/errors.ts';
import {
  decodeAbort,
  decodeSetChunkSize,
  isMediaType,
  MessageType,
  type RtmpMessage,
} from '../../wire/messages.ts';
import { ChunkStream, repeatsTimestamp, u24, u32, u32le } from './chunk-stream.ts';

/** What a peer may make the reader hold. The fields may be changed while the connection lives. */
export interface ChunkLimits {
  /** Audio, video and aggregate messages. */
  maxMediaBytes: number;
  /** All other messages: small until the connection was accepted. */
  maxOtherBytes: number;
  /** All unfinished messages together. */
  maxBufferedBytes: number;
  maxChunkStreams: number;
  /** Messages given up half-way because another one began on their chunk stream. */
  maxBrokenMessages: number;
}

/** What a connection begins with. After its connect command was accepted, `maxOtherBytes` becomes 1 MB. */
export const defaultChunkLimits: Readonly<ChunkLimits> = {
  maxMediaBytes: 4 * 1024 * 1024,
  maxOtherBytes: 256 * 1024,
  maxBufferedBytes: 8 * 1024 * 1024,
  maxChunkStreams: 64,
  maxBrokenMessages: 3,
};

/**
 * Called for each message in the order in which they complete. The payload is either a view of the bytes that were
 * pushed or memory of its own: it stays valid, and whoever keeps a small one for long copies it, as a view keeps the
 * whole pushed buffer alive.
 */
export type OnMessage = (message: RtmpMessage, chunkStreamId: number) => void;

/** RTMP 1.0, section 5.4.1. */
const initialChunkBytes = 128;
/** Messages up to this size get their memory at once, larger ones as they arrive. */
const firstBufferBytes = 16 * 1024;
/** In the place of a time or step: the extended field holds it. */
const extended = 0xffffff;
const noBytes = new Uint8Array(0);

/**
 * Puts RTMP messages together from bytes split anywhere (RTMP 1.0, section 5.3). Buffers that were pushed must not be
 * written to afterwards. Set Chunk Size and Abort take effect before the next chunk is read, and are delivered like
 * every message. After an error or `close()` nothing more is read.
 */
export class ChunkReader {
  readonly limits: ChunkLimits;
  readonly #onMessage: OnMessage;
  readonly #streams = new Map<number, ChunkStream>();
  /** The same for the ids of the one-byte header. */
  readonly #nearStreams: (ChunkStream | undefined)[] = new Array(64).fill(undefined);

  #chunkBytes = initialChunkBytes;
  /** A header whose end has not arrived, or what came while nobody wanted it. */
  #rest: Uint8Array = noBytes;
  /** The chunk stream whose chunk is being read, and what is missing of that chunk's payload. */
  #current: ChunkStream | undefined;
  #missingBytes = 0;

  #bufferedBytes = 0;
  #brokenMessages = 0;
  #pushedBytes = 0;
  #isReading = false;
  #isClosed = false;
  #isPaused = false;

  constructor(limits: ChunkLimits, onMessage: OnMessage) {
    this.limits = limits;
    this.#onMessage = onMessage;
  }

  /** The peer's chunk size. */
  get chunkBytes(): number {
    return this.#chunkBytes;
  }

  /** Memory held for unfinished headers and messages. */
  get bufferedBytes(): number {
    return this.#bufferedBytes + this.#rest.length;
  }

  /** All bytes pushed so far: what acknowledgements report. */
  get pushedBytes(): number {
    return this.#pushedBytes;
  }

  /** Forgets everything unfinished. May be called from `onMessage`: the bytes left are not read then. */
  close(): void {
    this.#isClosed = true;
    this.#rest = noBytes;
    this.#current = undefined;
    this.#bufferedBytes = 0;
    this.#streams.clear();
    this.#nearStreams.fill(undefined);
  }

  /** No further message is handed out; what has been pushed is kept. May be called from `onMessage`. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Hands out what was kept. Not from `onMessage`. */
  resume(): void {
    this.#isPaused = false;
    if (this.#rest.length > 0) this.push(noBytes);
  }

  push(bytes: Uint8Array): void {
    if (this.#isReading) throw new StagewireError('E_CHUNK_REENTRY', 'host', 'pushed from inside onMessage');
    if (this.#isClosed) return;
    this.#pushedBytes += bytes.length;

    this.#isReading = true;
    try {
      this.#read(this.#withRest(bytes));
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#isReading = false;
    }
  }

  /** A header was cut off at most once per push, so copying the push costs no more than having received it. */
  #withRest(bytes: Uint8Array): Uint8Array {
    const rest = this.#rest;
    // A plain array, as `slice` of a Buffer would not copy for those who receive the payloads.
    if (rest.length === 0) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    const joined = new Uint8Array(rest.length + bytes.length);
    joined.set(rest);
    joined.set(bytes, rest.length);
    this.#rest = noBytes;
    return joined;
  }

  #read(bytes: Uint8Array): void {
    let at = 0;
    while (!this.#isClosed) {
      const stream = this.#current;
      if (stream === undefined) {
        if (this.#isPaused) {
          this.#rest = bytes.subarray(at);
          return;
        }
        const next = this.#readHeader(bytes, at);
        if (next < 0) {
          if (at < bytes.length) this.#rest = bytes.slice(at);
          return;
        }
        at = next;
      } else {
        if (at === bytes.length && this.#missingBytes > 0) return;
        at = this.#readPayload(stream, bytes, at);
      }
    }
  }

  /** Reads one chunk header and returns where its payload begins, or -1 when bytes are missing: nothing is changed then. */
  #readHeader(bytes: Uint8Array, start: number): number {
    const end = bytes.length;
    if (start >= end) return -1;
    let at = start;

    // Basic header, section 5.3.1.1. The three-byte form is the one place besides msid where RTMP is little-endian.
    const first = bytes[at++]!;
    const format = first >> 6;
    let id = first & 0x3f;
    if (id === 0) {
      if (at + 1 > end) return -1;
      id = 64 + bytes[at++]!;
    } else if (id === 1) {
      if (at + 2 > end) return -1;
      id = 64 + bytes[at]! + bytes[at + 1]! * 0x100;
      at += 2;
    }

    const known = id < 64 ? this.#nearStreams[id] : this.#streams.get(id);
    if (format === 3) {
      if (known === undefined) throw this.#freshStream(format, id);
      return known.isPending ? this.#continue(known, bytes, at) : this.#openAgain(known, bytes, at);
    }
    if (format === 2 && known === undefined) throw this.#freshStream(format, id);

    // Message header, sections 5.3.1.2.1 to 5.3.1.2.3.
    const headerBytes = format === 0 ? 11 : format === 1 ? 7 : 3;
    if (at + headerBytes > end) return -1;
    let time = u24(bytes, at);
    let afterHeader = at + headerBytes;
    const isExtended = time === extended;
    if (isExtended) {
      if (afterHeader + 4 > end) return -1;
      time = u32(bytes, afterHeader);
      afterHeader += 4;
    }

    const stream = known ?? this.#addStream(id);
    const length = format === 2 ? stream.length : u24(bytes, at + 3);
    stream.isExtended = isExtended;
    stream.extendedValue = time;
    if (stream.isPending) {
      if (format !== 0) return this.#continueWithHeader(stream, format, length, afterHeader);
      this.#breakOff(stream);
    }
    stream.isAbsolute = format === 0;
    stream.length = length;
    if (format < 2) stream.type = bytes[at + 6]!;
    if (format === 0) {
      stream.streamId = u32le(bytes, at + 7);
      stream.timestamp = time;
    } else {
      // Modulo 2^32: a step near 2^32 goes back.
      stream.timestamp = (stream.timestamp + time) >>> 0;
    }
    // After a full header this is the absolute time, by the letter of section 5.3.1.2.4.
    stream.delta = time;
    this.#open(stream);
    return afterHeader;
  }

  /** A header of no fields that opens a message: everything is inherited, the step in time included. */
  #openAgain(stream: ChunkStream, bytes: Uint8Array, at: number): number {
    let afterHeader = at;
    if (stream.isExtended) {
      if (at + 4 > bytes.length) return -1;
      const value = u32(bytes, at);
      afterHeader = at + 4;
      stream.extendedValue = value;
      stream.delta = value;
      const step = (value - stream.timestamp) >>> 0;
      // Some senders repeat a full header's absolute time here, brought up to date.
      if (stream.isAbsolute && step <= extended) stream.timestamp = value;
      else stream.timestamp = (stream.timestamp + value) >>> 0;
    } else {
      stream.timestamp = (stream.timestamp + stream.delta) >>> 0;
    }
    this.#open(stream);
    return afterHeader;
  }

  /** The next chunk of a message. Most senders repeat an extended timestamp here, old ones do not. */
  #continue(stream: ChunkStream, bytes: Uint8Array, at: number): number {
    let afterHeader = at;
    if (stream.isExtended) {
      const repeated = repeatsTimestamp(stream, bytes, at);
      if (repeated === undefined) return -1;
      if (repeated) afterHeader = at + 4;
    }
    this.#beginChunk(stream);
    return afterHeader;
  }

  /** Some senders write a short header again where a continuation belongs. It adds no time. */
  #continueWithHeader(stream: ChunkStream, format: number, length: number, afterHeader: number): number {
    if (length !== stream.length) {
      throw new StagewireError(
        'E_CHUNK_HEADER',
        'peer',
        `a header of format ${format} changed the length of an unfinished message ` +
          `from ${stream.length} to ${length} on chunk stream ${stream.id}`,
      );
    }
    this.#beginChunk(stream);
    return afterHeader;
  }

  #open(stream: ChunkStream): void {
    const { limits } = this;
    const { length } = stream;
    const limit = isMediaType(stream.type) ? limits.maxMediaBytes : limits.maxOtherBytes;
    if (length > limit) {
      throw new StagewireError(
        'E_CHUNK_MESSAGE_SIZE',
        'peer',
        `a message of type ${stream.type} announced ${length} bytes, the limit is ${limit}`,
      );
    }
    stream.isPending = true;
    stream.receivedBytes = 0;
    this.#beginChunk(stream);
  }

  #beginChunk(stream: ChunkStream): void {
    this.#current = stream;
    this.#missingBytes = Math.min(this.#chunkBytes, stream.length - stream.receivedBytes);
  }

  #readPayload(stream: ChunkStream, bytes: Uint8Array, at: number): number {
    const wanted = this.#missingBytes;
    const taken = Math.min(wanted, bytes.length - at);
    const end = at + taken;

    if (taken === stream.length) {
      // Read whole from this push: no copy.
      this.#current = undefined;
      this.#deliver(stream, bytes.subarray(at, end));
      return end;
    }

    this.#store(stream, bytes, at, taken);
    this.#missingBytes = wanted - taken;
    if (taken < wanted) return end;

    this.#current = undefined;
    if (stream.receivedBytes === stream.length) {
      const payload = stream.buffer!;
      this.#dropBuffer(stream);
      this.#deliver(stream, payload);
    }
    return end;
  }

  #store(stream: ChunkStream, bytes: Uint8Array, at: number, count: number): void {
    const received = stream.receivedBytes;
    const needed = received + count;
    let buffer = stream.buffer;
    if (buffer === undefined || buffer.length < needed) {
      const held = buffer === undefined ? 0 : buffer.length;
      const capacity = Math.min(stream.length, Math.max(needed, held * 2, firstBufferBytes));
      this.#bufferedBytes += capacity - held;
      if (this.#bufferedBytes > this.limits.maxBufferedBytes) {
        throw new StagewireError(
          'E_CHUNK_BUFFERED',
          'peer',
          `unfinished messages hold ${this.#bufferedBytes} bytes, the limit is ${this.limits.maxBufferedBytes}`,
        );
      }
      const larger = new Uint8Array(capacity);
      if (buffer !== undefined) larger.set(buffer.subarray(0, received));
      buffer = larger;
      stream.buffer = larger;
    }
    buffer.set(bytes.subarray(at, at + count), received);
    stream.receivedBytes = needed;
  }

  #deliver(stream: ChunkStream, payload: Uint8Array): void {
    stream.isPending = false;
    const { type, streamId, timestamp } = stream;
    if (type === MessageType.SetChunkSize) this.#chunkBytes = decodeSetChunkSize(payload);
    else if (type === MessageType.Abort) this.#abort(decodeAbort(payload));
    this.#onMessage({ type, streamId, timestamp, payload }, stream.id);
  }

  /** Ids without an unfinished message are ignored. */
  #abort(id: number): void {
    const stream = id < 64 ? this.#nearStreams[id] : this.#streams.get(id);
    if (stream !== undefined) this.#drop(stream);
  }

  /** Adobe forbids a full header before the message is complete. A few are forgiven. */
  #breakOff(stream: ChunkStream): void {
    this.#brokenMessages++;
    if (this.#brokenMessages > this.limits.maxBrokenMessages) {
      throw new StagewireError(
        'E_CHUNK_BROKEN',
        'peer',
        `${this.#brokenMessages} messages were given up half-way, the last on chunk stream ${stream.id} ` +
          `after ${stream.receivedBytes} of ${stream.length} bytes`,
      );
    }
    this.#drop(stream);
  }

  #drop(stream: ChunkStream): void {
    stream.isPending = false;
    this.#dropBuffer(stream);
  }

  #dropBuffer(stream: ChunkStream): void {
    if (stream.buffer === undefined) return;
    this.#bufferedBytes -= stream.buffer.length;
    stream.buffer = undefined;
  }

  #addStream(id: number): ChunkStream {
    if (this.#streams.size >= this.limits.maxChunkStreams) {
      throw new StagewireError(
        'E_CHUNK_STREAMS',
        'peer',
        `chunk stream ${id} would be one more than the limit of ${this.limits.maxChunkStreams}`,
      );
    }
    const stream = new ChunkStream(id);
    this.#streams.set(id, stream);
    if (id < 64) this.#nearStreams[id] = stream;
    return stream;
  }

  #freshStream(format: number, id: number): StagewireError {
    return new StagewireError(
      'E_CHUNK_HEADER',
      'peer',
      `chunk stream ${id} began with a header of format ${format}, which has nothing to inherit`,
    );
  }
}
