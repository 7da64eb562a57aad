import { box, fullBox, u32 } from './box.ts';
import { TRACK_ID } from './init-segment.ts';

/** A frame in an MP4. Times are in ticks of the track. */
export interface Sample {
  readonly decodeTime: number;
  readonly duration: number;
  /** From decoding to showing; may be negative. */
  readonly compositionOffset: number;
  readonly isKey: boolean;
  readonly data: Uint8Array;
}

/** Sample flags (ISO 14496-12, section 8.8.3.1): depends on none; depends on others, and is no place to begin at. */
const SampleFlags = { Key: 0x2000000, Inter: 0x1010000 } as const;
/** There is a data offset, and of each sample duration, size, flags and composition offset (section 8.8.8). */
const RUN_FLAGS = 0xf01;
const BASE_IS_MOOF = 0x20000;

/** `moof` and `mdat` of one sample. */
export function mediaSegment(sequence: number, sample: Sample): Uint8Array {
  const { decodeTime, duration, compositionOffset, isKey, data } = sample;
  const flags = isKey ? SampleFlags.Key : SampleFlags.Inter;
  const high = Math.floor(decodeTime / 0x100000000);
  const run = (offset: number) =>
    fullBox('trun', 1, RUN_FLAGS, u32(1, offset, duration, data.length, flags, compositionOffset));
  const fragment = (offset: number) =>
    box(
      'moof',
      fullBox('mfhd', 0, 0, u32(sequence)),
      box(
        'traf',
        fullBox('tfhd', 0, BASE_IS_MOOF, u32(TRACK_ID)),
        fullBox('tfdt', 1, 0, u32(high, decodeTime)),
        run(offset),
      ),
    );
  const head = fragment(MOOF_BYTES + 8);
  return box('', head, box('mdat', data)).subarray(8);
}

/** Of one with one sample: the boxes moof, mfhd, traf, tfhd, tfdt, trun. */
const MOOF_BYTES = 8 + 16 + 8 + 16 + 20 + 36;
