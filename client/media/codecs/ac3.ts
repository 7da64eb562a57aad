import { BitReader } from '../../../wire/bits.ts';
import { ByteWriter } from '../../../wire/bytes.ts';
import type { AudioSetup } from './setup.ts';

const SYNC = 0x0b77;
const RATES = [48_000, 44_100, 32_000];
/** By audio coding mode, without the channel for low frequencies. */
const CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];
const FRAME_SAMPLES = 1536;

/** AC-3 says in every frame what it is (ETSI TS 102 366, section 4.3). The record is the body of a `dac3` box (annex F). */
export function ac3Setup(frame: Uint8Array): AudioSetup | undefined {
  const bits = new BitReader(frame);
  if (bits.u(16) !== SYNC) return undefined;
  bits.skip(16);
  const rate = bits.u(2);
  const rateCode = bits.u(6) >> 1;
  const version = bits.u(5);
  const mode = bits.u(3);
  const coding = bits.u(3);
  // Mix levels that are there in some modes only.
  if (coding & 1 && coding !== 1) bits.skip(2);
  if (coding & 4) bits.skip(2);
  if (coding === 2) bits.skip(2);
  const low = bits.u(1);
  const sampleRate = RATES[rate];
  if (sampleRate === undefined || bits.isBeyondEnd) return undefined;
  const record = new ByteWriter(3);
  record.u24((rate << 22) | (version << 17) | (mode << 14) | (coding << 11) | (low << 10) | (rateCode << 5));
  return setupOf('ac-3', record, sampleRate, CHANNELS[coding]! + low, FRAME_SAMPLES);
}

/** Enhanced AC-3 of one independent substream (annex E). The record is the body of a `dec3` box. */
export function eac3Setup(frame: Uint8Array): AudioSetup | undefined {
  const bits = new BitReader(frame);
  if (bits.u(16) !== SYNC) return undefined;
  bits.skip(5);
  const sizeBytes = (bits.u(11) + 1) * 2;
  const rate = bits.u(2);
  const blocks = bits.u(2); // of a reduced rate the number of blocks is always six
  const coding = bits.u(3);
  const low = bits.u(1);
  const version = bits.u(5);
  const reduced = RATES[blocks];
  const sampleRate = rate === 3 ? reduced && reduced / 2 : RATES[rate];
  if (sampleRate === undefined || bits.isBeyondEnd) return undefined;
  const samples = rate === 3 ? FRAME_SAMPLES : 256 * [1, 2, 3, 6][blocks]!;
  const kbits = Math.round((sizeBytes * 8 * sampleRate) / samples / 1000);
  const record = new ByteWriter(5);
  record.u16(kbits << 3);
  record.u24((rate << 22) | (version << 17) | (coding << 9) | (low << 8));
  return setupOf('ec-3', record, sampleRate, CHANNELS[coding]! + low, samples);
}

function setupOf(
  codec: string,
  record: ByteWriter,
  sampleRate: number,
  channels: number,
  samples: number,
): AudioSetup {
  const common = { kind: 'audio', fourCc: codec, codec, record: record.copy() } as const;
  return { ...common, sampleRate, channels, samplesOf: () => samples };
}
