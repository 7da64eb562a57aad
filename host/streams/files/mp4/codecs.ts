import { type AudioConfig, mp3Head, parseAudioConfig } from '../../../../wire/audio-config.ts';
import { AudioFormat, FrameType, VideoCodec, VideoPacketType } from '../../../../wire/media-head.ts';
import type { AmfObject } from '../../../../wire/values.ts';
import { type Box, boxesIn, childOf, copyOf } from './boxes.ts';
import { readElementaryStream } from './elementary-stream.ts';

/** How samples of a track become messages. */
export interface Codec {
  readonly isVideo: boolean;
  /** What a decoder is given first, as the payload of a message. */
  readonly config: Uint8Array | undefined;
  readonly headBytes: number;
  /** Writes the head in front of a sample; what the sample begins with decides about that of MP3. */
  writeHead(message: Uint8Array, isKey: boolean, compositionMs: number): void;
  /** What it adds to the metadata. */
  readonly properties: AmfObject;
}

/** Sample descriptions that are looked at. */
const MAX_ENTRIES = 64;
const MAX_CONFIG_BYTES = 64 * 1024;
/** Where boxes begin in a description (ISO 14496-12, section 12.1.3 and 12.2.3). */
const VISUAL_BYTES = 78;
const AUDIO_BYTES = 28;

/** The codecs of a track's descriptions, in their order; `undefined` for those that RTMP does not know. */
export function readCodecs(moov: DataView, stbl: Box, isVideo: boolean): (Codec | undefined)[] {
  const stsd = childOf(moov, stbl, 'stsd');
  if (!stsd) return [];
  const codecs: (Codec | undefined)[] = [];
  for (const entry of boxesIn(moov, stsd.start + 8, stsd.end)) {
    codecs.push(isVideo ? videoCodec(moov, entry) : audioCodec(moov, entry));
    if (codecs.length === MAX_ENTRIES) break;
  }
  return codecs;
}

function videoCodec(moov: DataView, entry: Box): Codec | undefined {
  if (entry.end - entry.start < VISUAL_BYTES) return undefined;
  const width = moov.getUint16(entry.start + 24);
  const height = moov.getUint16(entry.start + 26);
  const size = { width, height, ...frameSize(width, height) };
  const boxes: Box = { ...entry, start: entry.start + VISUAL_BYTES };
  switch (entry.type) {
    case 'avc1':
    case 'avc3': {
      const config = configOf(moov, boxes, 'avcC');
      return config && avcCodec(config, size);
    }
    case 'hvc1':
    case 'hev1':
      return enhancedCodec('hvc1', configOf(moov, boxes, 'hvcC'), size);
    case 'av01':
      return enhancedCodec('av01', configOf(moov, boxes, 'av1C'), size);
    case 'vp09':
      return enhancedCodec('vp09', configOf(moov, boxes, 'vpcC'), size);
    default:
      return undefined;
  }
}

function avcCodec(record: Uint8Array, size: AmfObject): Codec | undefined {
  if (record.length < 7) return undefined;
  return {
    isVideo: true,
    config: joined([(FrameType.Key << 4) | VideoCodec.Avc, VideoPacketType.SequenceStart, 0, 0, 0], record),
    headBytes: 5,
    writeHead(message, isKey, compositionMs) {
      message[0] = ((isKey ? FrameType.Key : FrameType.Inter) << 4) | VideoCodec.Avc;
      message[1] = VideoPacketType.CodedFrames;
      writeS24(message, 2, compositionMs);
    },
    properties: { videocodecid: 'avc1', avcprofile: record[1]!, avclevel: record[3]!, ...size },
  };
}

/** Enhanced RTMP: only HEVC has composition times, of those that are read here. */
function enhancedCodec(name: string, record: Uint8Array | undefined, size: AmfObject): Codec | undefined {
  if (!record) return undefined;
  const code = [...name].map((letter) => letter.charCodeAt(0));
  const hasComposition = name === 'hvc1';
  return {
    isVideo: true,
    config: joined([0x80 | (FrameType.Key << 4) | VideoPacketType.SequenceStart, ...code], record),
    headBytes: hasComposition ? 8 : 5,
    writeHead(message, isKey, compositionMs) {
      message[0] = 0x80 | ((isKey ? FrameType.Key : FrameType.Inter) << 4) | VideoPacketType.CodedFrames;
      message.set(code, 1);
      if (hasComposition) writeS24(message, 5, compositionMs);
    },
    properties: { videocodecid: code.reduce((number, byte) => number * 256 + byte, 0), ...size },
  };
}

function audioCodec(moov: DataView, entry: Box): Codec | undefined {
  if (entry.end - entry.start < AUDIO_BYTES) return undefined;
  const version = moov.getUint16(entry.start + 8);
  const channels = moov.getUint16(entry.start + 16);
  const rate = moov.getUint16(entry.start + 24);
  if (entry.type === '.mp3') return mp3Codec(rate, channels);
  if (entry.type !== 'mp4a') return undefined;

  // QuickTime has longer descriptions, and puts what is asked for inside another box.
  const skipped = version === 1 ? 16 : version === 2 ? 36 : 0;
  const boxes: Box = { ...entry, start: Math.min(entry.end, entry.start + AUDIO_BYTES + skipped) };
  const esds = childOf(moov, boxes, 'esds') ?? childOf(moov, childOf(moov, boxes, 'wave'), 'esds');
  if (!esds || esds.end - esds.start > MAX_CONFIG_BYTES) return undefined;
  const stream = readElementaryStream(copyOf(moov, esds).subarray(4));
  if (stream?.isMp3) return mp3Codec(rate, channels);
  const config = stream?.config && parseAudioConfig(stream.config);
  return config && aacCodec(stream.config, config);
}

function aacCodec(record: Uint8Array, { objectType, sampleRate, channels }: AudioConfig): Codec {
  const head = (AudioFormat.Aac << 4) | 0xf;
  return {
    isVideo: false,
    config: joined([head, 0], record),
    headBytes: 2,
    writeHead(message) {
      message[0] = head;
      message[1] = 1;
    },
    properties: {
      audiocodecid: 'mp4a',
      aacaot: objectType,
      audiosamplerate: sampleRate,
      audiochannels: channels,
    },
  };
}

function mp3Codec(rate: number, channels: number): Codec {
  const head = mp3Head(rate, channels);
  return {
    isVideo: false,
    config: undefined,
    headBytes: 1,
    writeHead(message) {
      message[0] = head;
    },
    properties: { audiocodecid: '.mp3', audiosamplerate: rate, audiochannels: channels },
  };
}

function configOf(moov: DataView, boxes: Box, type: string): Uint8Array | undefined {
  const box = childOf(moov, boxes, type);
  if (!box || box.end - box.start > MAX_CONFIG_BYTES || box.end === box.start) return undefined;
  return copyOf(moov, box);
}

/** As Flash Media Server calls it. */
function frameSize(width: number, height: number): AmfObject {
  return { frameWidth: width, frameHeight: height };
}

function joined(head: readonly number[], record: Uint8Array): Uint8Array {
  const message = new Uint8Array(head.length + record.length);
  message.set(head);
  message.set(record, head.length);
  return message;
}

function writeS24(message: Uint8Array, at: number, value: number): void {
  message[at] = value >> 16;
  message[at + 1] = value >> 8;
  message[at + 2] = value;
}
