import { FrameType, VideoCodec, VideoPacketType } from './media-head.ts';

/** HEVC and AV1 under numbers of the old video head that nobody assigned, by FourCC. */
const FOURCC_OF: Readonly<Record<number, string>> = { [VideoCodec.Hevc]: 'hvc1', [VideoCodec.Av1]: 'av01' };

/** The codec of such a message. Allocates nothing, never throws. */
export function renumberedCodec(payload: Uint8Array): string | undefined {
  const first = payload[0] ?? 0;
  return first >> 4 > FrameType.GeneratedKey ? undefined : FOURCC_OF[first & 15];
}

/** The same message with the head that Enhanced RTMP has for its codec. */
export function enhancedFrom(payload: Uint8Array, fourCc: string): Uint8Array {
  const type = payload[1] ?? VideoPacketType.SequenceEnd;
  // Of these two, HEVC's frames alone go on with a composition time.
  const hasTime = type === VideoPacketType.CodedFrames && fourCc === 'hvc1';
  const rest = payload.subarray(hasTime ? 2 : 5);
  const enhanced = new Uint8Array(5 + rest.length);
  enhanced[0] = 0x80 | (payload[0]! & 0x70) | (type & 3);
  for (let i = 0; i < 4; i++) enhanced[1 + i] = fourCc.charCodeAt(i);
  enhanced.set(rest, 5);
  return enhanced;
}
