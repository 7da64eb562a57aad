/** The header of a frame of MPEG audio, layer 3 (ISO 11172-3, section 2.4.1.3, and ISO 13818-3). */
export interface Mp3Header {
  readonly sizeBytes: number;
  readonly rate: number;
  readonly channels: number;
  readonly samples: number;
  readonly bitrate: number;
  /** MPEG-1; the others have half as many samples a frame. */
  readonly isMpeg1: boolean;
}

export const MP3_HEADER_BYTES = 4;
/** What frames of one stream have in common: version, layer and rate. */
const SAME_MASK = 0xfffe0c00 | 0;
const RATES = [44_100, 48_000, 32_000];
const KBITS_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const KBITS_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/** `undefined` for what is no header of a frame whose length it tells. */
export function parseMp3Header(word: number): Mp3Header | undefined {
  const version = (word >>> 19) & 3;
  const layer = (word >>> 17) & 3;
  const isSync = word >>> 21 === 0x7ff;
  if (!isSync || version === 1 || layer !== 1) return undefined;
  const isMpeg1 = version === 3;
  const kbits = (isMpeg1 ? KBITS_1 : KBITS_2)[(word >>> 12) & 15] ?? 0;
  const baseRate = RATES[(word >>> 10) & 3];
  if (kbits === 0 || baseRate === undefined) return undefined;
  const rate = baseRate >> (isMpeg1 ? 0 : version === 2 ? 1 : 2);
  const samples = isMpeg1 ? 1152 : 576;
  const sizeBytes = Math.floor(((samples / 8) * kbits * 1000) / rate) + ((word >>> 9) & 1);
  const channels = ((word >>> 6) & 3) === 3 ? 1 : 2;
  return { sizeBytes, rate, channels, samples, bitrate: kbits * 1000, isMpeg1 };
}

export function isSameStream(word: number, other: number): boolean {
  return ((word ^ other) & SAME_MASK) === 0;
}

export function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/**
 * How many frames follow, if this one says so instead of having sound: those of encoders with a variable rate do (Xing,
 * Info, VBRI), and many others. 0 when it tells no number; `undefined` for a frame with sound.
 */
export function readFrameCount(frame: Uint8Array, { isMpeg1, channels }: Mp3Header): number | undefined {
  const sideBytes = isMpeg1 ? (channels === 1 ? 17 : 32) : channels === 1 ? 9 : 17;
  const xingAt = MP3_HEADER_BYTES + sideBytes;
  const name = textAt(frame, xingAt);
  if (name === 'Xing' || name === 'Info') {
    const hasCount = ((frame[xingAt + 7] ?? 0) & 1) !== 0 && frame.length >= xingAt + 12;
    return hasCount ? wordAt(frame, xingAt + 8) >>> 0 : 0;
  }
  // Always behind as much side information as MPEG-1 has for two channels.
  const vbriAt = MP3_HEADER_BYTES + 32;
  if (textAt(frame, vbriAt) !== 'VBRI') return undefined;
  return frame.length >= vbriAt + 18 ? wordAt(frame, vbriAt + 14) >>> 0 : 0;
}

function textAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
