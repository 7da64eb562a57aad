import { ByteReader } from '../../../wire/bytes.ts';

/** BT.709 in the studio's range: primaries, transfer, matrix. */
const COLOURS = [1, 1, 1];
const SEQUENCE_HEADER = 1;

/** A VPCodecConfigurationRecord with version and flags, from a name such as `vp09.00.40.08`; `vp8` says nothing. */
export function vpRecord(codec: string): Uint8Array {
  const [, profile = 0, level = 10, depth = 8] = codec.split('.').map(Number);
  return Uint8Array.of(1, 0, 0, 0, profile, level, (depth << 4) | 2, ...COLOURS, 0, 0);
}

/**
 * An AV1CodecConfigurationRecord (AV1 in ISO-BMFF, section 2.3) from a name such as `av01.0.08M.08`, with the sequence
 * header out of a key frame.
 */
export function av1Record(codec: string, keyFrame: Uint8Array): Uint8Array {
  const [, profile = '0', level = '00M', depth = '08'] = codec.split('.');
  const tier = level.endsWith('H') ? 0x80 : 0;
  const flags = tier | (Number(depth) > 8 ? 0x40 : 0) | 0xc; // colour sampled at half the rate both ways
  const header = sequenceHeader(keyFrame);
  return Uint8Array.of(0x81, (Number(profile) << 5) | Number.parseInt(level, 10), flags, 0, ...header);
}

/** The unit, its head included (AV1, section 5.3). Empty when there is none. */
function sequenceHeader(frame: Uint8Array): Uint8Array {
  const reader = new ByteReader(frame);
  while (reader.remaining > 1) {
    const start = reader.position;
    const head = reader.u8();
    if (head & 4) reader.skip(1);
    reader.skip(head & 2 ? leb128(reader) : reader.remaining);
    if (((head >> 3) & 15) === SEQUENCE_HEADER) return frame.subarray(start, reader.position);
  }
  return new Uint8Array(0);
}

function leb128(reader: ByteReader): number {
  let value = 0;
  for (let shift = 1; ; shift *= 128) {
    const byte = reader.u8();
    value += (byte & 127) * shift;
    if (byte < 128 || shift > 128 ** 4) return value;
  }
}
