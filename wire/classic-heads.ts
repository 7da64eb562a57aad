import { AudioFormat, AudioPacketType, FrameType, VideoCodec, VideoPacketType } from './media-head.ts';

const NO_TIME = Uint8Array.of(0, 0, 0);
/** AAC says the rest itself: 44 kHz, 16 bit, stereo whatever it is (Video File Format 10.1, section E.4.2.1). */
const AAC_HEAD = (AudioFormat.Aac << 4) | 15;

/** The enhanced codecs that RTMP 1.0 knows under other names. */
export function isClassic(fourCc: string | undefined): boolean {
  return fourCc === 'avc1' || fourCc === 'mp4a';
}

/**
 * A message of such a codec, without ModEx and tracks, with the head that it has in RTMP 1.0. `undefined` for what there
 * is no such head for.
 */
export function classicFrom(payload: Uint8Array, fourCc: string): Uint8Array | undefined {
  const packetType = payload[0]! & 15;
  const body = payload.subarray(5);
  if (fourCc === 'mp4a') {
    const isKnown =
      packetType === AudioPacketType.SequenceStart || packetType === AudioPacketType.CodedFrames;
    return isKnown ? joined([AAC_HEAD, packetType], body) : undefined;
  }
  const first = (((payload[0]! >> 4) & 7) << 4) | VideoCodec.Avc;
  switch (packetType) {
    case VideoPacketType.SequenceStart:
      return joined([(FrameType.Key << 4) | VideoCodec.Avc, packetType, ...NO_TIME], body);
    case VideoPacketType.CodedFrames:
      return joined([first, packetType], body);
    case VideoPacketType.CodedFramesX:
      return joined([first, VideoPacketType.CodedFrames, ...NO_TIME], body);
    case VideoPacketType.SequenceEnd:
      return joined([first, packetType, ...NO_TIME], body);
    default:
      return undefined;
  }
}

function joined(head: readonly number[], body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}
