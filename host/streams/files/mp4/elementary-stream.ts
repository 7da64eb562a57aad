/** What an `esds` box describes. */
export interface ElementaryStream {
  readonly isMp3: boolean;
  /** The AudioSpecificConfig. */
  readonly config: Uint8Array | undefined;
}

/** Tags of descriptors (ISO 14496-1, section 7.2.6). */
const Descriptor = { Stream: 3, DecoderConfig: 4, DecoderSpecificInfo: 5 } as const;
/** MPEG-4 audio, and the profiles of MPEG-2 AAC. */
const AAC_TYPES = [0x40, 0x66, 0x67, 0x68];
/** MPEG-2 and MPEG-1 audio layer 3. */
const MP3_TYPES = [0x69, 0x6b];

/** The descriptors of an `esds` box, behind its version. `undefined` when they are not those of sound that is known. */
export function readElementaryStream(bytes: Uint8Array): ElementaryStream | undefined {
  const stream = bodyOf(bytes, Descriptor.Stream);
  if (!stream || stream.length < 3) return undefined;
  const flags = stream[2]!;
  let at = 3;
  if (flags & 0x80) at += 2;
  if (flags & 0x40) at += 1 + (stream[at] ?? 0);
  if (flags & 0x20) at += 2;
  const decoder = bodyOf(stream.subarray(at), Descriptor.DecoderConfig);
  if (!decoder || decoder.length < 13) return undefined;
  if (MP3_TYPES.includes(decoder[0]!)) return { isMp3: true, config: undefined };
  if (!AAC_TYPES.includes(decoder[0]!)) return undefined;
  return { isMp3: false, config: bodyOf(decoder.subarray(13), Descriptor.DecoderSpecificInfo)?.slice() };
}

/** The body of the descriptor with that tag, among those that begin here. */
function bodyOf(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  let at = 0;
  while (at + 2 <= bytes.length) {
    const found = bytes[at++];
    let size = 0;
    for (let i = 0; i < 4; i++) {
      const byte = bytes[at++] ?? 0;
      size = (size << 7) | (byte & 0x7f);
      if (!(byte & 0x80)) break;
    }
    if (found === tag) return bytes.subarray(at, at + size);
    at += size;
  }
  return undefined;
}
