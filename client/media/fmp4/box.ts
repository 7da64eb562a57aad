import { ByteWriter } from '../../../wire/bytes.ts';

export type Content = Uint8Array | readonly number[];

/** A box of ISO 14496-12, section 4.2: size, type, content. */
export function box(type: string, ...content: readonly Content[]): Uint8Array {
  let sizeBytes = 8;
  for (const part of content) sizeBytes += part.length;
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(u32(sizeBytes));
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  let at = 8;
  for (const part of content) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A box with a version and flags. */
export function fullBox(
  type: string,
  version: number,
  flags: number,
  ...content: readonly Content[]
): Uint8Array {
  return box(type, u32(version * 0x1000000 + flags), ...content);
}

/** Numbers of 32 bits. Negative ones in two's complement. */
export function u32(...values: number[]): Uint8Array {
  const writer = new ByteWriter(values.length * 4);
  for (const value of values) writer.u32(value);
  return writer.view;
}

export function u16(...values: number[]): Uint8Array {
  const writer = new ByteWriter(values.length * 2);
  for (const value of values) writer.u16(value);
  return writer.view;
}
