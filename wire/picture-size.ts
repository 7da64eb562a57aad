import { BitReader, unescaped } from './bits.ts';
import { ByteReader } from './bytes.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Profiles whose parameter sets tell how colours are stored (H.264, section 7.3.2.1.1). */
const HIGH_PROFILES = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
const HEVC_SPS = 33;
const AV1_SEQUENCE_HEADER = 1;
/** Samples of one of colour, across and down, by how colours are stored. */
const STEPS = [
  [1, 1],
  [2, 2],
  [2, 1],
  [1, 1],
] as const;

/** From an AVCDecoderConfigurationRecord (ISO 14496-15, section 5.3.3.1); `undefined` for what is none. */
export function avcSize(record: Uint8Array): Size | undefined {
  const body = new ByteReader(record);
  body.skip(5);
  if ((body.u8() & 31) === 0) return undefined;
  const bits = new BitReader(unescaped(body.take(body.u16())));
  bits.skip(8);
  const profile = bits.u(8);
  bits.skip(16);
  bits.ue();
  let chroma = 1;
  let isSeparate = false;
  if (HIGH_PROFILES.includes(profile)) {
    chroma = bits.ue();
    if (chroma === 3) isSeparate = bits.flag();
    bits.ue();
    bits.ue();
    bits.skip(1);
    if (bits.flag()) for (let i = 0; i < (chroma === 3 ? 12 : 8); i++) skipScaling(bits, i < 6 ? 16 : 64);
  }
  bits.ue();
  const order = bits.ue();
  if (order === 0) bits.ue();
  else if (order === 1) {
    bits.skip(1);
    bits.se();
    bits.se();
    for (let left = Math.min(255, bits.ue()); left > 0; left--) bits.se();
  }
  bits.ue();
  bits.skip(1);
  const width = (bits.ue() + 1) * 16;
  const units = bits.ue() + 1;
  const isFrames = bits.flag();
  if (!isFrames) bits.skip(1);
  bits.skip(1);
  const height = units * 16 * (isFrames ? 1 : 2);
  const [across, down] = STEPS[isSeparate ? 0 : chroma] ?? STEPS[1];
  return cropped(bits, { width, height }, across, down * (isFrames ? 1 : 2));
}

function skipScaling(bits: BitReader, count: number): void {
  if (!bits.flag()) return;
  let last = 8;
  for (let i = 0, next = 8; i < count; i++) {
    if (next !== 0) next = (last + bits.se() + 256) % 256;
    if (next !== 0) last = next;
  }
}

/** From an HEVCDecoderConfigurationRecord (ISO 14496-15, section 8.3.3.1). */
export function hevcSize(record: Uint8Array): Size | undefined {
  const body = new ByteReader(record);
  body.skip(22);
  for (let arrays = body.u8(); arrays > 0; arrays--) {
    const type = body.u8() & 63;
    for (let units = body.u16(); units > 0; units--) {
      const unit = body.take(body.u16());
      if (type === HEVC_SPS) return hevcSpsSize(new BitReader(unescaped(unit)));
    }
  }
  return undefined;
}

/** H.265, section 7.3.2.2.1. */
function hevcSpsSize(bits: BitReader): Size | undefined {
  bits.skip(16 + 4);
  const subLayers = bits.u(3);
  bits.skip(1 + 88 + 8);
  const present = Array.from({ length: subLayers }, () => [bits.flag(), bits.flag()] as const);
  if (subLayers > 0) bits.skip(2 * (8 - subLayers));
  for (const [hasProfile, hasLevel] of present) bits.skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0));
  bits.ue();
  const chroma = bits.ue();
  const isSeparate = chroma === 3 && bits.flag();
  const width = bits.ue();
  const height = bits.ue();
  const [across, down] = STEPS[isSeparate ? 0 : chroma] ?? STEPS[1];
  return cropped(bits, { width, height }, across, down);
}

/** Less the margins, in the order left, right, top, bottom. */
function cropped(bits: BitReader, { width, height }: Size, across: number, down: number): Size | undefined {
  const isCropped = bits.flag();
  const margins = isCropped ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
  return sane(
    bits,
    width - (margins[0]! + margins[1]!) * across,
    height - (margins[2]! + margins[3]!) * down,
  );
}

/** From an AV1CodecConfigurationRecord, whose units follow four bytes, or from the units of a key frame (`start` 0). */
export function av1Size(record: Uint8Array, start = 4): Size | undefined {
  const body = new ByteReader(record, start);
  while (body.remaining > 1) {
    const head = body.u8();
    if (head & 4) body.skip(1);
    const unit = body.take(head & 2 ? leb128(body) : body.remaining);
    if (((head >> 3) & 15) === AV1_SEQUENCE_HEADER) return av1SequenceSize(new BitReader(unit));
  }
  return undefined;
}

/** AV1, section 5.5.1, as far as the size. */
function av1SequenceSize(bits: BitReader): Size | undefined {
  bits.skip(3 + 1);
  if (bits.flag()) bits.skip(5);
  else {
    let delayBits = 0;
    if (bits.flag()) {
      bits.skip(64);
      if (bits.flag()) bits.ue();
      if (bits.flag()) {
        delayBits = bits.u(5) + 1;
        bits.skip(32 + 10);
      }
    }
    const hasDelays = bits.flag();
    for (let points = bits.u(5) + 1; points > 0; points--) {
      bits.skip(12);
      if (bits.u(5) > 7) bits.skip(1);
      if (delayBits > 0 && bits.flag()) bits.skip(2 * delayBits + 1);
      if (hasDelays && bits.flag()) bits.skip(4);
    }
  }
  const widthBits = bits.u(4) + 1;
  const heightBits = bits.u(4) + 1;
  return sane(bits, bits.u(widthBits) + 1, bits.u(heightBits) + 1);
}

/** From a key frame of VP8 (RFC 6386, section 9.1). */
export function vp8Size(frame: Uint8Array): Size | undefined {
  const [, , , first, second, third, low = 0, high = 0, lower = 0, higher = 0] = frame;
  if (first !== 0x9d || second !== 1 || third !== 0x2a || frame.length < 10) return undefined;
  return { width: ((high & 63) << 8) | low, height: ((higher & 63) << 8) | lower };
}

/** From a key frame of VP9 (VP9 bitstream, section 6.2). */
export function vp9Size(frame: Uint8Array): Size | undefined {
  const bits = new BitReader(frame);
  bits.skip(2);
  const profile = bits.u(1) + bits.u(1) * 2;
  if (profile === 3) bits.skip(1);
  const isShownAgain = bits.flag();
  const isInter = bits.flag();
  bits.skip(2);
  if (isShownAgain || isInter || bits.u(24) !== 0x498342) return undefined;
  if (profile >= 2) bits.skip(1);
  const isRgb = bits.u(3) === 7;
  if (!isRgb) bits.skip(1);
  if (profile & 1) bits.skip(isRgb ? 1 : 3);
  return sane(bits, bits.u(16) + 1, bits.u(16) + 1);
}

function leb128(body: ByteReader): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = body.u8();
    value += (byte & 127) * 128 ** i;
    if (byte < 128) break;
  }
  return value;
}

function sane(bits: BitReader, width: number, height: number): Size | undefined {
  const isSize = (length: number) => length > 0 && length <= 65_535;
  return !bits.isBeyondEnd && isSize(width) && isSize(height) ? { width, height } : undefined;
}
