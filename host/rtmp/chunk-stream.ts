/** What the headers of one chunk stream inherit from each other, and its unfinished message. */
export class ChunkStream {
  readonly id: number;
  timestamp = 0;
  delta = 0;
  length = 0;
  type = 0;
  streamId = 0;
  /** The last full, long or short header had the extended field, so the chunks after it may repeat it. */
  isExtended = false;
  /** The raw field they repeat. */
  extendedValue = 0;
  /** The last such header was a full one: its time is absolute. */
  isAbsolute = false;

  isPending = false;
  receivedBytes = 0;
  /** Grows with what is received, never beyond `length`. */
  buffer: Uint8Array | undefined;

  constructor(id: number) {
    this.id = id;
  }
}

/**
 * Whether the four bytes after a continuation's basic header are the extended timestamp. They are compared with the
 * field of the message's first chunk, also in its low 31 bits, and with the time it led to. `undefined`: all bytes so
 * far agree and more are needed. A chunk of less than four bytes may so be held back until the next one begins, but
 * only when it looks like the timestamp and comes from a sender that does not repeat it.
 */
export function repeatsTimestamp(stream: ChunkStream, bytes: Uint8Array, at: number): boolean | undefined {
  const available = Math.min(4, bytes.length - at);
  const { extendedValue, timestamp } = stream;
  const mayRepeat =
    startsWithU32(bytes, at, available, extendedValue) ||
    startsWithU32(bytes, at, available, (extendedValue ^ 0x80000000) >>> 0) ||
    startsWithU32(bytes, at, available, timestamp);
  if (!mayRepeat) return false;
  return available === 4 ? true : undefined;
}

function startsWithU32(bytes: Uint8Array, at: number, count: number, value: number): boolean {
  for (let i = 0; i < count; i++) {
    if (bytes[at + i] !== ((value >>> (24 - 8 * i)) & 0xff)) return false;
  }
  return true;
}

export function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

export function u32(bytes: Uint8Array, at: number): number {
  return u24(bytes, at) * 0x100 + bytes[at + 3]!;
}

export function u32le(bytes: Uint8Array, at: number): number {
  return u24le(bytes, at) + bytes[at + 3]! * 0x1000000;
}

function u24le(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}
