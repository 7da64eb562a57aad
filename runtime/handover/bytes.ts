import { append, apply, Bytes, charCodeAt, fromCharCode, lengthOf } from '../shared.ts';

/** `fromCharCode.apply` pushes its arguments on the stack. One call for each byte would leave a string for each. */
const BYTES_PER_CALL = 4096;

/** These bytes, a character each. */
export function textOfBytes(bytes: Uint8Array): string {
  const length = lengthOf(bytes);
  let text = '';
  for (let at = 0; at < length; ) {
    const codes: number[] = [];
    for (; at < length && codes.length < BYTES_PER_CALL; at++) append(codes, bytes[at]!);
    text += apply(fromCharCode, undefined, codes) as string;
  }
  return text;
}

/** Gives a buffer these bytes, a character each. */
export function fill(buffer: ArrayBuffer, text: string): void {
  const bytes = new Bytes(buffer);
  for (let i = 0; i < text.length; i++) bytes[i] = charCodeAt(text, i);
}
