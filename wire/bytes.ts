import { StagewireError } from './errors.ts';
import { Bytes, charCodeAt, lengthOf, part, setBytes } from './primordials.ts';
import { decodeName, decodeUtf8, encodeUtf8, utf8Length } from './utf8.ts';

// One number and its two words, as this machine orders them. Only indexed: views have methods on prototypes.
const double = new Float64Array([1]);
const words = new Uint32Array(double.buffer);
const HIGH = words[1] === 0x3ff00000 ? 1 : 0;
const LOW = 1 - HIGH;

/**
 * A cursor over bytes that came from outside. Every read is checked against the end: reading past it throws
 * `E_TRUNCATED`, blamed on the peer. Multi-byte numbers are big-endian unless the name says otherwise.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;

  constructor(bytes: Uint8Array, position = 0, end = lengthOf(bytes)) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }

  /** The next byte without moving past it. */
  peek(): number {
    const at = this.#take(1);
    this.position = at;
    return this.bytes[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return this.bytes[at]! * 0x100 + this.bytes[at + 1]!;
  }

  u24(): number {
    const at = this.#take(3);
    const { bytes } = this;
    return bytes[at]! * 0x10000 + bytes[at + 1]! * 0x100 + bytes[at + 2]!;
  }

  u32(): number {
    const at = this.#take(4);
    const { bytes } = this;
    return bytes[at]! * 0x1000000 + bytes[at + 1]! * 0x10000 + bytes[at + 2]! * 0x100 + bytes[at + 3]!;
  }

  /** Little-endian: only the message stream id of a chunk header is (RTMP 1.0, section 5.3.1.2.1). */
  u32le(): number {
    const at = this.#take(4);
    const { bytes } = this;
    return bytes[at + 3]! * 0x1000000 + bytes[at + 2]! * 0x10000 + bytes[at + 1]! * 0x100 + bytes[at]!;
  }

  f64(): number {
    words[HIGH] = this.u32();
    words[LOW] = this.u32();
    return double[0]!;
  }

  /** A view of the next `count` bytes: it shares their memory. */
  take(count: number): Uint8Array {
    const at = this.#take(count);
    return part(this.bytes, at, at + count);
  }

  skip(count: number): void {
    this.#take(count);
  }

  utf8(count: number): string {
    const at = this.#take(count);
    return decodeUtf8(this.bytes, at, at + count);
  }

  /** `utf8` for texts that come again and again, such as keys. */
  name(count: number): string {
    const at = this.#take(count);
    return decodeName(this.bytes, at, at + count);
  }

  #take(count: number): number {
    const at = this.position;
    if (count > this.end - at) {
      throw new StagewireError('E_TRUNCATED', 'peer', `needed ${count} bytes, ${this.end - at} left`);
    }
    this.position = at + count;
    return at;
  }
}

/** Making the view that is copied from costs as much as copying so many bytes. */
const COPIED_BY_LOOP = 128;

/** A cursor that writes into memory that grows. */
export class ByteWriter {
  #bytes: Uint8Array;
  #capacity: number;
  readonly #maxBytes: number;
  length = 0;

  /** Writing more than `maxBytes` throws `E_TOO_LONG`. */
  constructor(capacity = 256, maxBytes = Infinity) {
    this.#bytes = new Bytes(capacity < maxBytes ? capacity : maxBytes);
    this.#capacity = lengthOf(this.#bytes);
    this.#maxBytes = maxBytes;
  }

  /** How long it may become before it takes more memory. */
  get capacity(): number {
    return this.#capacity;
  }

  /** What was written so far, as a view: copy it if the writer is used again. */
  get view(): Uint8Array {
    return part(this.#bytes, 0, this.length);
  }

  /** What was written so far, as memory of its own. */
  copy(): Uint8Array {
    const copy = new Bytes(this.length);
    this.copyTo(copy);
    return copy;
  }

  /** Copies what was written so far to the start of `target`. */
  copyTo(target: Uint8Array): void {
    const { length } = this;
    if (length > COPIED_BY_LOOP) {
      setBytes(target, this.view, 0);
      return;
    }
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) target[i] = bytes[i]!;
  }

  u8(value: number): void {
    const at = this.#grow(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#grow(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  u24(value: number): void {
    const at = this.#grow(3);
    this.#bytes[at] = value >>> 16;
    this.#bytes[at + 1] = value >>> 8;
    this.#bytes[at + 2] = value;
  }

  u32(value: number): void {
    const at = this.#grow(4);
    this.setU32(at, value);
  }

  u32le(value: number): void {
    const at = this.#grow(4);
    this.#bytes[at] = value;
    this.#bytes[at + 1] = value >>> 8;
    this.#bytes[at + 2] = value >>> 16;
    this.#bytes[at + 3] = value >>> 24;
  }

  f64(value: number): void {
    double[0] = value;
    const low = words[LOW]!;
    this.u32(words[HIGH]!);
    this.u32(low);
  }

  bytes(source: Uint8Array): void {
    const at = this.#grow(lengthOf(source));
    setBytes(this.#bytes, source, at);
  }

  /** The text's bytes without any length. */
  utf8(text: string): void {
    const at = this.#grow(utf8Length(text));
    encodeUtf8(text, this.#bytes, at);
  }

  /** The text's bytes when all of it is ASCII; otherwise writes nothing and says false. */
  ascii(text: string): boolean {
    const units = text.length;
    const at = this.#grow(units);
    const bytes = this.#bytes;
    for (let i = 0; i < units; i++) {
      const unit = charCodeAt(text, i);
      if (unit >= 0x80) {
        this.length = at;
        return false;
      }
      bytes[at + i] = unit;
    }
    return true;
  }

  /** The text's length in two bytes, then its bytes. Writes nothing and says false when it takes over 65535. */
  utf8Short(text: string): boolean {
    if (text.length > 0xffff) return false;
    this.u16(text.length);
    if (this.ascii(text)) return true;
    this.length -= 2;
    const length = utf8Length(text);
    if (length > 0xffff) return false;
    this.u16(length);
    const at = this.#grow(length);
    encodeUtf8(text, this.#bytes, at);
    return true;
  }

  /** Overwrites four bytes written earlier, such as a length that was not known yet. */
  setU32(at: number, value: number): void {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }

  /** Forgets what was written from `length` on. */
  truncate(length: number): void {
    if (length < this.length) this.length = length;
  }

  #grow(count: number): number {
    const at = this.length;
    const needed = at + count;
    if (needed > this.#capacity) {
      if (needed > this.#maxBytes)
        throw new StagewireError('E_TOO_LONG', 'peer', `more than ${this.#maxBytes} bytes`);
      const doubled = this.#capacity * 2;
      const wanted = needed > doubled ? needed : doubled;
      this.#capacity = wanted < this.#maxBytes ? wanted : this.#maxBytes;
      const larger = new Bytes(this.#capacity);
      setBytes(larger, part(this.#bytes, 0, at), 0);
      this.#bytes = larger;
    }
    this.length = needed;
    return at;
  }
}
