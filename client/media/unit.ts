import {
  AudioFormat,
  AudioPacketType,
  FrameType,
  type MediaTrack,
  parseAudioHead,
  parseVideoHead,
  VideoCodec,
  VideoPacketType,
} from '../../wire/media-head.ts';

export type Kind = 'audio' | 'video';

/** What one message brings, whichever way its head is written. */
export interface Unit {
  readonly kind: Kind;
  /** `config`: what a decoder is told first. `end`: nothing more comes of this track for now. */
  readonly is: 'config' | 'frame' | 'end';
  /** FourCC as in Enhanced RTMP; codecs that have none there have a name for people. */
  readonly codec: string;
  readonly isKey: boolean;
  /** From decoding to showing. */
  readonly compositionMs: number;
  readonly data: Uint8Array;
}

const OLD_VIDEO: Readonly<Record<number, string>> = {
  [VideoCodec.Avc]: 'avc1',
  [VideoCodec.Hevc]: 'hvc1',
  [VideoCodec.Av1]: 'av01',
  [VideoCodec.SorensonH263]: 'Sorenson H.263',
  [VideoCodec.Screen]: 'Screen Video',
  [VideoCodec.Screen2]: 'Screen Video 2',
  [VideoCodec.Vp6]: 'VP6',
  [VideoCodec.Vp6Alpha]: 'VP6 with alpha',
};
const OLD_AUDIO: Readonly<Record<number, string>> = {
  [AudioFormat.Aac]: 'mp4a',
  [AudioFormat.Mp3]: '.mp3',
  [AudioFormat.Mp38k]: '.mp3',
  [AudioFormat.Speex]: 'Speex',
  [AudioFormat.Nelly]: 'Nellymoser',
  [AudioFormat.Nelly8k]: 'Nellymoser',
  [AudioFormat.Nelly16k]: 'Nellymoser',
};

/**
 * `undefined` for what a decoder need not know, such as empty messages and seek commands. Of several tracks in a message it
 * is the first one with the id 0. Throws a StagewireError (`E_TRUNCATED`) for a head that is cut off.
 */
export function videoUnit(payload: Uint8Array): Unit | undefined {
  const head = parseVideoHead(payload);
  if (!head || head.frameType === FrameType.Command) return undefined;
  const track = head.tracks ? trackZero(head.tracks) : head;
  if (!track) return undefined;
  const codec = head.enhanced ? (track.fourCc ?? '') : named(OLD_VIDEO, head.codecId);
  // Codecs of old heads without packet types have frames only.
  const is = kindOfPacket(head.packetType ?? VideoPacketType.CodedFrames, track.data);
  if (!is) return undefined;
  const isKey = head.frameType === FrameType.Key;
  return { kind: 'video', is, codec, isKey, compositionMs: track.compositionTime ?? 0, data: track.data };
}

/** The same for sound. */
export function audioUnit(payload: Uint8Array): Unit | undefined {
  const head = parseAudioHead(payload);
  if (!head) return undefined;
  const track = head.tracks ? trackZero(head.tracks) : head;
  if (!track) return undefined;
  const codec = head.enhanced ? (track.fourCc ?? '') : named(OLD_AUDIO, head.soundFormat);
  const packetType = head.enhanced ? head.packetType : head.aacPacketType;
  const is =
    packetType === AudioPacketType.MultichannelConfig
      ? undefined
      : kindOfPacket(packetType ?? AudioPacketType.CodedFrames, track.data);
  return is && { kind: 'audio', is, codec, isKey: true, compositionMs: 0, data: track.data };
}

/** Both heads number their packet types alike as far as here. Opus and MP3 may have empty configurations. */
function kindOfPacket(type: number, data: Uint8Array): Unit['is'] | undefined {
  if (type === VideoPacketType.SequenceEnd) return 'end';
  if (data.length === 0) return undefined;
  if (type === VideoPacketType.SequenceStart) return 'config';
  return type === VideoPacketType.CodedFrames || type === VideoPacketType.CodedFramesX ? 'frame' : undefined;
}

function trackZero(tracks: readonly MediaTrack[]): MediaTrack | undefined {
  return tracks.find(({ trackId }) => trackId === 0);
}

function named(names: Readonly<Record<number, string>>, id = -1): string {
  return names[id] ?? `codec ${id}`;
}
