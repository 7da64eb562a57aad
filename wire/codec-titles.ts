import { needsOf } from './codecs.ts';
import { AudioFormat, VideoCodec } from './media-head.ts';
import { MessageType } from './messages.ts';

/** What people call the codecs of RTMP. */
const OLD_VIDEO: Readonly<Record<number, string>> = {
  [VideoCodec.SorensonH263]: 'Sorenson H.263',
  [VideoCodec.Screen]: 'Screen Video',
  [VideoCodec.Vp6]: 'VP6',
  [VideoCodec.Vp6Alpha]: 'VP6',
  [VideoCodec.Screen2]: 'Screen Video 2',
  [VideoCodec.Avc]: 'H.264',
};
const OLD_AUDIO: Readonly<Record<number, string>> = {
  [AudioFormat.Pcm]: 'PCM',
  [AudioFormat.Adpcm]: 'ADPCM',
  [AudioFormat.Mp3]: 'MP3',
  [AudioFormat.PcmLittleEndian]: 'PCM',
  [AudioFormat.Nelly16k]: 'Nellymoser',
  [AudioFormat.Nelly8k]: 'Nellymoser',
  [AudioFormat.Nelly]: 'Nellymoser',
  [AudioFormat.G711ALaw]: 'G.711',
  [AudioFormat.G711MuLaw]: 'G.711',
  [AudioFormat.Aac]: 'AAC',
  [AudioFormat.Speex]: 'Speex',
  [AudioFormat.Mp38k]: 'MP3',
};
const BY_FOURCC: Readonly<Record<string, string>> = {
  avc1: 'H.264',
  hvc1: 'HEVC',
  vvc1: 'VVC',
  av01: 'AV1',
  vp09: 'VP9',
  vp08: 'VP8',
  mp4a: 'AAC',
  Opus: 'Opus',
  fLaC: 'FLAC',
  '.mp3': 'MP3',
  'ac-3': 'AC-3',
  'ec-3': 'E-AC-3',
};

/** The codec of a message of audio or video; its FourCC when it has no other name; undefined when it does not say. */
export function codecTitleOf(type: number, payload: Uint8Array): string | undefined {
  const needs = needsOf(type, payload);
  if (needs) {
    const fourCc = needs.defaultCodec ?? needs.codecs[0];
    return fourCc === undefined ? undefined : (BY_FOURCC[fourCc] ?? fourCc);
  }
  const [first] = payload;
  if (first === undefined || (first & 0x80 && type === MessageType.Video)) return undefined;
  return type === MessageType.Video ? OLD_VIDEO[first & 15] : OLD_AUDIO[first >> 4];
}
