import { type ByteReader, ByteWriter } from './bytes.ts';
import { StagewireError } from './errors.ts';

/** The file header and the zero back pointer in front of the first tag. */
export const flvHeaderBytes = 13;
export const flvTagHeaderBytes = 11;
/** After each tag: its length once more, so that players can go backwards. */
export const flvTagTrailerBytes = 4;

export interface FlvHeader {
  hasAudio: boolean;
  hasVideo: boolean;
}

export interface FlvTagHeader {
  /** 8, 9 or 18 as in RTMP messages; 15 for data in AMF3. */
  type: number;
  sizeBytes: number;
  /** Signed milliseconds. */
  timestamp: number;
  /** The body is encrypted or otherwise filtered. */
  filtered: boolean;
}

export interface FlvTag extends FlvTagHeader {
  payload: Uint8Array;
}

/** Leaves the reader in front of the first tag. The flags are a hint: many files have them wrong. */
export function decodeFlvHeader(file: ByteReader): FlvHeader {
  const signature = file.u24();
  if (signature !== 0x464c56) {
    throw new StagewireError('E_FLV_HEADER', 'app', `not an FLV file: it begins with ${hex24(signature)}`);
  }
  file.skip(1);
  const flags = file.u8();
  const headerBytes = file.u32();
  file.skip(Math.max(0, headerBytes - 9) + flvTagTrailerBytes);
  return { hasAudio: (flags & 4) !== 0, hasVideo: (flags & 1) !== 0 };
}

export function encodeFlvHeader({ hasAudio, hasVideo }: FlvHeader): Uint8Array {
  const writer = new ByteWriter(flvHeaderBytes);
  writer.u24(0x464c56);
  writer.u8(1);
  writer.u8((hasAudio ? 4 : 0) | (hasVideo ? 1 : 0));
  writer.u32(9);
  writer.u32(0);
  return writer.view;
}

/** The eleven bytes in front of a tag's body. */
export function decodeFlvTagHeader(file: ByteReader): FlvTagHeader {
  const type = file.u8();
  const sizeBytes = file.u24();
  const timestamp = file.u24() | (file.u8() << 24);
  file.skip(3);
  return { type: type & 31, sizeBytes, timestamp, filtered: (type & 32) !== 0 };
}

/** Times lose their sign bit: in files they are signed, and nothing happens before 0. */
export function encodeFlvTagHeader(type: number, sizeBytes: number, timestamp: number): Uint8Array {
  const writer = new ByteWriter(flvTagHeaderBytes);
  writer.u8(type);
  writer.u24(sizeBytes);
  writer.u24(timestamp & 0xffffff);
  writer.u8((timestamp >>> 24) & 0x7f);
  writer.u24(0);
  return writer.view;
}

/**
 * The next tag, its body as a view. `undefined` at the end, also when a crash cut the last tag short: the reader
 * then stands where that tag begins. Back pointers are skipped unread, and the last one may be missing.
 */
export function decodeFlvTag(file: ByteReader): FlvTag | undefined {
  const start = file.position;
  if (file.remaining < flvTagHeaderBytes) return undefined;
  const header = decodeFlvTagHeader(file);
  if (file.remaining < header.sizeBytes) {
    file.position = start;
    return undefined;
  }
  const payload = file.take(header.sizeBytes);
  file.skip(Math.min(flvTagTrailerBytes, file.remaining));
  return { ...header, payload };
}

/** A whole tag with the back pointer after it. */
export function encodeFlvTag(tag: { type: number; timestamp: number; payload: Uint8Array }): Uint8Array {
  const { type, timestamp, payload } = tag;
  const writer = new ByteWriter(flvTagHeaderBytes + payload.length + flvTagTrailerBytes);
  writer.bytes(encodeFlvTagHeader(type, payload.length, timestamp));
  writer.bytes(payload);
  writer.u32(flvTagHeaderBytes + payload.length);
  return writer.view;
}

/** How many bytes `writeFlvTag` writes. */
export function flvTagBytes(payload: Uint8Array): number {
  return flvTagHeaderBytes + payload.length + flvTagTrailerBytes;
}

/** `encodeFlvTag` into memory that is there, on the way of every message to every player. Returns where the tag ends. */
export function writeFlvTag(
  target: Uint8Array,
  at: number,
  type: number,
  timestamp: number,
  payload: Uint8Array,
): number {
  const size = payload.length;
  target[at] = type;
  target[at + 1] = size >>> 16;
  target[at + 2] = size >>> 8;
  target[at + 3] = size;
  target[at + 4] = timestamp >>> 16;
  target[at + 5] = timestamp >>> 8;
  target[at + 6] = timestamp;
  target[at + 7] = (timestamp >>> 24) & 0x7f;
  target.fill(0, at + 8, at + flvTagHeaderBytes);
  target.set(payload, at + flvTagHeaderBytes);
  const end = at + flvTagHeaderBytes + size;
  const length = flvTagHeaderBytes + size;
  target[end] = length >>> 24;
  target[end + 1] = length >>> 16;
  target[end + 2] = length >>> 8;
  target[end + 3] = length;
  return end + flvTagTrailerBytes;
}

function hex24(value: number): string {
  return value.toString(16).padStart(6, '0');
}
