import { apply, Bytes, bytesOfView, isView, NativeTypeError, natives } from '../shared.ts';

export const { iterator, toStringTag } = natives;

/** Throws as browsers do when a member is called with too little. */
export function need(given: number, needed: number, member: string): void {
  if (given < needed)
    throw new NativeTypeError(`${member}: ${needed} argument${needed > 1 ? 's' : ''} required, got ${given}`);
}

/** The bytes of an ArrayBuffer or a view of one; they share its memory. Undefined for anything else. */
export function bytesIn(value: unknown): Uint8Array | undefined {
  if (isView(value)) return bytesOfView(value);
  return isBuffer(value) ? new Bytes(value) : undefined;
}

export function isBuffer(value: unknown): value is ArrayBuffer {
  try {
    apply(natives.byteLengthOf, value, []);
    return true;
  } catch {
    return false;
  }
}
