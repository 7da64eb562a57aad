import {
  AudioFormat,
  AudioPacketType,
  FrameType,
  parseAudioHead,
  parseVideoHead,
  VideoCodec,
  VideoPacketType,
} from '../../../wire/media-head.ts';
import { Unfit } from './protocol.ts';

/** What one message brings, whichever way its head is written. */
export interface Unit {
  /** `config`: what a decoder is told first. */
  readonly kind: 'config' | 'frame';
  /** As Mediabunny calls it; what it does not take has a name for people. */
  readonly codec: string;
  readonly isKey: boolean;
  /** From decoding to showing. */
  readonly compositionMs: number;
  readonly data: Uint8Array;
}

const VIDEO_OLD: Readonly<Record<number, string>> = {
  [VideoCodec.Avc]: 'avc',
  [VideoCodec.Hevc]: 'hevc',
  [VideoCodec.Av1]: 'av1',
  [VideoCodec.SorensonH263]: 'Sorenson H.263',
  [VideoCodec.Screen]: 'Screen Video',
  [VideoCodec.Screen2]: 'Screen Video 2',
  [VideoCodec.Vp6]: 'VP6',
  [VideoCodec.Vp6Alpha]: 'VP6 with alpha',
};
const VIDEO_NEW: Readonly<Record<string, string>> = { avc1: 'avc', hvc1: 'hevc', av01: 'av1' };
const SOUND_OLD: Readonly<Record<number, string>> = {
  [AudioFormat.Aac]: 'aac',
  [AudioFormat.Mp3]: 'mp3',
  [AudioFormat.Mp38k]: 'mp3',
  [AudioFormat.Pcm]: 'PCM',
  [AudioFormat.PcmLittleEndian]: 'PCM',
  [AudioFormat.Adpcm]: 'ADPCM',
  [AudioFormat.Nelly]: 'Nellymoser',
  [AudioFormat.Nelly8k]: 'Nellymoser',
  [AudioFormat.Nelly16k]: 'Nellymoser',
  [AudioFormat.G711ALaw]: 'G.711',
  [AudioFormat.G711MuLaw]: 'G.711',
  [AudioFormat.Speex]: 'Speex',
};
const SOUND_NEW: Readonly<Record<string, string>> = { mp4a: 'aac', '.mp3': 'mp3', Opus: 'opus' };

/** `undefined` for what is neither a picture nor a configuration. Throws a StagewireError for a head that is cut off. */
export function videoUnit(payload: Uint8Array): Unit | undefined {
  const head = parseVideoHead(payload);
  if (!head || head.frameType === FrameType.Command) return undefined;
  if (head.tracks) throw new Unfit('it has more than one video track in it');
  const { fourCc, codecId = -1, packetType, compositionTime: compositionMs = 0, data } = head;
  const codec = head.enhanced ? named(VIDEO_NEW, fourCc) : named(VIDEO_OLD, codecId);
  const isKey = head.frameType === FrameType.Key;
  // Old codecs have no types of packets: all are frames.
  const type = packetType ?? VideoPacketType.CodedFrames;
  if (type === VideoPacketType.SequenceStart && data.length > 0)
    return { kind: 'config', codec, isKey, compositionMs: 0, data };
  const isFrame = type === VideoPacketType.CodedFrames || type === VideoPacketType.CodedFramesX;
  return isFrame && data.length > 0 ? { kind: 'frame', codec, isKey, compositionMs, data } : undefined;
}

/** The same for sound. */
export function soundUnit(payload: Uint8Array): Unit | undefined {
  const head = parseAudioHead(payload);
  if (!head || head.data.length === 0) return head?.tracks ? several() : undefined;
  const { soundFormat, fourCc, packetType, aacPacketType, data } = head;
  const codec = head.enhanced ? named(SOUND_NEW, fourCc) : named(SOUND_OLD, soundFormat);
  const unit = { codec, isKey: true, compositionMs: 0, data };
  const type = (head.enhanced ? packetType : aacPacketType) ?? AudioPacketType.CodedFrames;
  if (type === AudioPacketType.SequenceStart) return { ...unit, kind: 'config' };
  return type === AudioPacketType.CodedFrames ? { ...unit, kind: 'frame' } : undefined;
}

function several(): never {
  throw new Unfit('it has more than one audio track in it');
}

function named(names: Readonly<Record<string, string>>, key: number | string | undefined): string {
  const text = String(key);
  return Object.hasOwn(names, text) ? names[text]! : text;
}
