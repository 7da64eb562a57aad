/** wire/utf8.ts in a page, where the built-in codecs are at hand: less to load, and faster. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

export const decodeName = decodeUtf8;

export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

export function encodeUtf8(text: string, bytes: Uint8Array, at: number): void {
  encoder.encodeInto(text, bytes.subarray(at));
}
