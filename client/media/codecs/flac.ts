import { ByteReader } from '../../../wire/bytes.ts';
import type { AudioSetup } from './setup.ts';

const STREAMINFO_BYTES = 34;

/**
 * FLAC from its STREAMINFO (RFC 9639, section 8.2). Some senders put `fLaC` and the head of the block in front of it,
 * others nothing. `undefined` for what is none.
 */
export function flacSetup(record: Uint8Array): AudioSetup | undefined {
  const start = record.length > STREAMINFO_BYTES ? 8 : 0;
  if (record.length < start + STREAMINFO_BYTES) return undefined;
  const info = record.subarray(start, start + STREAMINFO_BYTES);
  const reader = new ByteReader(info, 2);
  const maxBlock = reader.u16();
  reader.skip(6);
  const packed = reader.u24();
  const sampleRate = packed >> 4;
  if (sampleRate === 0) return undefined;
  const channels = ((packed >> 1) & 7) + 1;
  const samplesOf = (frame: Uint8Array) => blockSamples(frame, maxBlock);
  return { kind: 'audio', fourCc: 'fLaC', codec: 'flac', record: info, sampleRate, channels, samplesOf };
}

/** Section 9.1.1. Uncommon sizes are those of the last block: there it is told as long as the others. */
function blockSamples(frame: Uint8Array, maxBlock: number): number {
  const code = (frame[2] ?? 0) >> 4;
  if (code === 1) return 192;
  if (code >= 2 && code <= 5) return 576 << (code - 2);
  return code >= 8 ? 256 << (code - 8) : maxBlock;
}
