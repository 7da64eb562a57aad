import { readFileSync } from 'node:fs';

/** What all vectors have; each kind adds its own expectations (test/vectors/README.md). */
export interface Vector {
  readonly id: string;
  readonly source: string;
  readonly name: string;
  readonly hex?: string;
  readonly hexParts?: readonly { readonly hex: string; readonly times?: number }[];
}

export type VectorFile =
  | 'amf-invalid'
  | 'amf0'
  | 'amf3'
  | 'chunk-headers'
  | 'chunk-invalid'
  | 'chunk-streams'
  | 'flv-files'
  | 'fuzz'
  | 'handshake'
  | 'media-tags'
  | 'messages'
  | 'shared-object-events'
  | 'u29';

/** The vectors of one file of test/vectors. */
export function loadVectors<T extends Vector = Vector>(file: VectorFile): T[] {
  const text = readFileSync(new URL(`../vectors/${file}.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { vectors: T[] }).vectors;
}

/** The bytes of a vector, whether it gives them whole or in parts that repeat. */
export function vectorBytes(vector: Pick<Vector, 'hex' | 'hexParts'>): Uint8Array {
  const parts = vector.hexParts ?? [{ hex: vector.hex ?? '' }];
  return fromHex(parts.map((part) => part.hex.repeat(part.times ?? 1)).join(''));
}

/** Bytes of a hexadecimal string; spaces are for the reader. */
export function fromHex(hex: string): Uint8Array {
  const digits = hex.replaceAll(/\s/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) throw new Error(`not hexadecimal: ${hex}`);
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16),
  );
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
