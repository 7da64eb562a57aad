import { FileProblem } from '../problem.ts';

/** Where the body of a box is (ISO 14496-12, section 4.2), within whatever it was found in. */
export interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** Boxes beside one another; those behind are not seen. */
const MAX_BOXES = 10_000;
/** A header with a 64-bit size. */
export const BOX_HEADER_BYTES = 16;

/** The boxes inside a part of memory, up to the first that cannot be one. */
export function* boxesIn(bytes: DataView, start: number, end: number): Generator<Box, void, undefined> {
  let at = start;
  for (let count = 0; count < MAX_BOXES && at + 8 <= end; count++) {
    const box = boxAt(bytes, at, at, end);
    if (!box) return;
    yield box;
    at = box.end;
  }
}

/**
 * The box whose header is at `at` in memory and at `position` in what ends at `end`. `undefined` when it would go
 * beyond that.
 */
export function boxAt(bytes: DataView, at: number, position: number, end: number): Box | undefined {
  if (at + 8 > bytes.byteLength) return undefined;
  const type = fourCc(bytes, at + 4);
  let sizeBytes = bytes.getUint32(at);
  let headerBytes = 8;
  if (sizeBytes === 1) {
    if (at + 16 > bytes.byteLength) return undefined;
    sizeBytes = bytes.getUint32(at + 8) * 0x100000000 + bytes.getUint32(at + 12);
    headerBytes = 16;
  } else if (sizeBytes === 0) {
    sizeBytes = end - position;
  }
  const boxEnd = position + sizeBytes;
  if (sizeBytes < headerBytes || boxEnd > end) return undefined;
  return { type, start: position + headerBytes, end: boxEnd };
}

export function childOf(bytes: DataView, parent: Box | undefined, type: string): Box | undefined {
  if (!parent) return undefined;
  for (const box of boxesIn(bytes, parent.start, parent.end)) if (box.type === type) return box;
  return undefined;
}

/** The box at the end of a path of types. */
export function boxIn(bytes: DataView, parent: Box | undefined, ...path: string[]): Box | undefined {
  return path.reduce((box, type) => childOf(bytes, box, type), parent);
}

export function fourCc(bytes: DataView, at: number): string {
  return String.fromCharCode(
    bytes.getUint8(at),
    bytes.getUint8(at + 1),
    bytes.getUint8(at + 2),
    bytes.getUint8(at + 3),
  );
}

/** How many entries of that size a table has, whose count stands at `at`; no more than there is room for. */
export function entryCount(bytes: DataView, box: Box, at: number, entryBytes: number): number {
  if (at + 4 > box.end) throw new FileProblem('structure', `the ${box.type} box is too short`);
  return Math.min(bytes.getUint32(at), Math.floor((box.end - at - 4) / entryBytes));
}

export function copyOf(bytes: DataView, { start, end }: Box): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start).slice();
}
