import type { SharedValue } from '../../wire/shared-values.ts';

/** Null and undefined in AMF0, and behind 0x11 in AMF3: to set a slot to that is to remove it. */
export function isNothing({ bytes }: SharedValue): boolean {
  const [first, second] = bytes;
  if (first === 0x11) return bytes.length === 2 && (second === 0 || second === 1);
  return bytes.length === 1 && (first === 0x05 || first === 0x06);
}

export function isSame(known: SharedValue | undefined, { bytes }: Pick<SharedValue, 'bytes'>): boolean {
  return known !== undefined && Buffer.compare(known.bytes, bytes) === 0;
}

/** Of its own: a slot must not keep the message that it came in. */
export function copyOf(value: SharedValue): SharedValue {
  return { ...value, bytes: value.bytes.slice() };
}

const MAX_HANDLER_BYTES = 255;

/** A text of AMF0, or of AMF3 (0x11 0x06), that is not empty. */
export function isHandlerName(value: SharedValue | undefined): boolean {
  if (!value || value.bytes.length > MAX_HANDLER_BYTES) return false;
  const { bytes } = value;
  if (bytes[0] === 0x02) return bytes.length > 3;
  return bytes[0] === 0x11 && bytes[1] === 0x06 && bytes.length > 3;
}
