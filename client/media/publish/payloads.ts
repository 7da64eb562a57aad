import {
  AudioFormat,
  AudioPacketType,
  FrameType,
  VideoCodec,
  VideoPacketType,
} from '../../../wire/media-head.ts';

/** `af`: AAC always says 44 kHz, 16 bit, stereo, whatever it is (Video File Format 10.1, section E.4.2.1). */
const AAC_HEAD = (AudioFormat.Aac << 4) | 15;

/**
 * What a decoder is told first, as the payload of a video message: H.264 with the head of RTMP 1.0, so that every player
 * knows it, others with the enhanced one.
 */
export function videoConfig(fourCc: string, record: Uint8Array): Uint8Array {
  if (fourCc === 'avc1')
    return joined([(FrameType.Key << 4) | VideoCodec.Avc, VideoPacketType.SequenceStart, 0, 0, 0], record);
  const head = 0x80 | (FrameType.Key << 4) | VideoPacketType.SequenceStart;
  return joined([head, ...letters(fourCc)], record);
}

/** A picture that is shown when it is decoded. */
export function videoFrame(fourCc: string, isKey: boolean, data: Uint8Array): Uint8Array {
  const type = isKey ? FrameType.Key : FrameType.Inter;
  if (fourCc === 'avc1')
    return joined([(type << 4) | VideoCodec.Avc, VideoPacketType.CodedFrames, 0, 0, 0], data);
  // The codecs without composition times have no packets of the other type.
  const packetType = fourCc === 'hvc1' ? VideoPacketType.CodedFramesX : VideoPacketType.CodedFrames;
  return joined([0x80 | (type << 4) | packetType, ...letters(fourCc)], data);
}

export function audioConfig(fourCc: string, record: Uint8Array): Uint8Array {
  return audioPayload(fourCc, AudioPacketType.SequenceStart, record);
}

export function audioFrame(fourCc: string, data: Uint8Array): Uint8Array {
  return audioPayload(fourCc, AudioPacketType.CodedFrames, data);
}

/** AAC numbers its two packet types as the enhanced head does. */
function audioPayload(fourCc: string, packetType: number, data: Uint8Array): Uint8Array {
  if (fourCc === 'mp4a') return joined([AAC_HEAD, packetType], data);
  return joined([(AudioFormat.Enhanced << 4) | packetType, ...letters(fourCc)], data);
}

function letters(fourCc: string): number[] {
  return [...fourCc].map((letter) => letter.charCodeAt(0));
}

function joined(head: readonly number[], data: Uint8Array): Uint8Array {
  const payload = new Uint8Array(head.length + data.length);
  payload.set(head);
  payload.set(data, head.length);
  return payload;
}
