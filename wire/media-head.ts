import { ByteReader } from './bytes.ts';
import { MultitrackType, packetTypeAt, tracksOf } from './media-tracks.ts';

/** Frame types in the head of a video message (Video File Format 10.1, section E.4.3.1). */
export const FrameType = { Key: 1, Inter: 2, Disposable: 3, GeneratedKey: 4, Command: 5 } as const;

/** Codecs of the old video head. 12 and 13 were never assigned: Chinese networks use them. */
export const VideoCodec = {
  SorensonH263: 2,
  Screen: 3,
  Vp6: 4,
  Vp6Alpha: 5,
  Screen2: 6,
  Avc: 7,
  Hevc: 12,
  Av1: 13,
} as const;

/** Formats in the head of an audio message (section E.4.2.1). 9 announces the enhanced head. */
export const AudioFormat = {
  Pcm: 0,
  Adpcm: 1,
  Mp3: 2,
  PcmLittleEndian: 3,
  Nelly16k: 4,
  Nelly8k: 5,
  Nelly: 6,
  G711ALaw: 7,
  G711MuLaw: 8,
  Enhanced: 9,
  Aac: 10,
  Speex: 11,
  Mp38k: 14,
  Device: 15,
} as const;

/** Packet types of the enhanced video head (Enhanced RTMP v2). The old AVC head shares 0 to 2. */
export const VideoPacketType = {
  SequenceStart: 0,
  CodedFrames: 1,
  SequenceEnd: 2,
  CodedFramesX: 3,
  Metadata: 4,
  Mpeg2TsSequenceStart: 5,
  Multitrack: 6,
  ModEx: 7,
} as const;

/** Packet types of the enhanced audio head (Enhanced RTMP v2). */
export const AudioPacketType = {
  SequenceStart: 0,
  CodedFrames: 1,
  SequenceEnd: 2,
  MultichannelConfig: 4,
  Multitrack: 5,
  ModEx: 7,
} as const;

/** One track of a multitrack message. */
export interface MediaTrack {
  trackId: number;
  fourCc: string;
  /** Milliseconds from decoding to showing, where the codec and the packet type have it. */
  compositionTime?: number;
  data: Uint8Array;
}

/** What both enhanced heads can say. */
export interface EnhancedHead {
  /** The packet type inside ModEx and multitrack wrappings, or that of the old AVC head. */
  packetType?: number;
  fourCc?: string;
  /** Nanoseconds to add to this message's presentation time. */
  nanosecondOffset?: number;
  multitrackType?: number;
  tracks?: MediaTrack[];
  compositionTime?: number;
  /** What follows the head, as a view. Empty when there are tracks. */
  data: Uint8Array;
}

export interface VideoHead extends EnhancedHead {
  enhanced: boolean;
  frameType: number;
  codecId?: number;
  /** Client-side seek: 0 begins it, 1 ends it. */
  command?: number;
}

export interface AudioHead extends EnhancedHead {
  enhanced: boolean;
  soundFormat: number;
  /** 5.5, 11, 22 and 44 kHz, as far as the codec does not know better. */
  rate?: number;
  /** 0 is 8 bit, 1 is 16 bit. */
  size?: number;
  stereo?: boolean;
  /** 0 is the configuration, 1 a frame. */
  aacPacketType?: number;
  channelOrder?: number;
  channelCount?: number;
  channelFlags?: number;
  channelMap?: Uint8Array;
}

/** The whole head, for logs and tools. `undefined` for an empty message. Relays use the functions below. */
export function parseVideoHead(payload: Uint8Array): VideoHead | undefined {
  if (payload.length === 0) return undefined;
  const body = new ByteReader(payload);
  const first = body.u8();
  if (first & 0x80) return parseEnhancedVideo(body, first);

  const head: VideoHead = { enhanced: false, frameType: first >> 4, codecId: first & 15, data: emptyBytes };
  if (head.frameType === FrameType.Command) {
    if (body.remaining > 0) head.command = body.u8();
  } else if (hasPacketType(first & 15)) {
    head.packetType = body.u8();
    head.compositionTime = s24(body);
  }
  head.data = body.take(body.remaining);
  return head;
}

/** The whole head, for logs and tools. `undefined` for an empty message, which means silence. */
export function parseAudioHead(payload: Uint8Array): AudioHead | undefined {
  if (payload.length === 0) return undefined;
  const body = new ByteReader(payload);
  const first = body.u8();
  const soundFormat = first >> 4;
  if (soundFormat === AudioFormat.Enhanced) return parseEnhancedAudio(body, first);

  const head: AudioHead = {
    enhanced: false,
    soundFormat,
    rate: (first >> 2) & 3,
    size: (first >> 1) & 1,
    stereo: (first & 1) === 1,
    data: emptyBytes,
  };
  if (soundFormat === AudioFormat.Aac) head.aacPacketType = body.u8();
  head.data = body.take(body.remaining);
  return head;
}

/** A frame at which a decoder can begin. Configurations are not frames. Allocates nothing, never throws. */
export function isVideoKeyFrame(payload: Uint8Array): boolean {
  const first = payload.length > 0 ? payload[0]! : 0;
  if (first & 0x80) {
    if (((first >> 4) & 7) !== FrameType.Key) return false;
    const type = enhancedPacketType(payload, VideoPacketType.Multitrack);
    return type === VideoPacketType.CodedFrames || type === VideoPacketType.CodedFramesX;
  }
  if (first >> 4 !== FrameType.Key) return false;
  return !hasPacketType(first & 15) || payload[1] === VideoPacketType.CodedFrames;
}

/**
 * Milliseconds from decoding a frame to showing it; 0 where the head has none, and for several tracks. Allocates nothing,
 * never throws.
 */
export function compositionTimeOf(payload: Uint8Array): number {
  const first = payload.length > 0 ? payload[0]! : 0;
  if (first & 0x80) {
    const at = packetTypeAt(payload);
    if (at < 0 || (payload[at]! & 15) !== VideoPacketType.CodedFrames || payload.length < at + 8) return 0;
    return hasTimeOf(payload, at + 1) ? s24At(payload, at + 5) : 0;
  }
  const isFrame = hasPacketType(first & 15) && payload[1] === VideoPacketType.CodedFrames;
  return isFrame && payload.length >= 5 ? s24At(payload, 2) : 0;
}

/** A codec configuration. Allocates nothing, never throws. */
export function isVideoSequenceHeader(payload: Uint8Array): boolean {
  const first = payload.length > 0 ? payload[0]! : 0;
  if (first & 0x80) {
    const type = isSeekCommand(payload) ? -1 : enhancedPacketType(payload, VideoPacketType.Multitrack);
    return type === VideoPacketType.SequenceStart || type === VideoPacketType.Mpeg2TsSequenceStart;
  }
  if (first >> 4 === FrameType.Command || !hasPacketType(first & 15)) return false;
  return payload[1] === VideoPacketType.SequenceStart;
}

/** The track of a video message, the first of several. 0 where the head names none. Allocates nothing, never throws. */
export function videoTrackOf(payload: Uint8Array): number {
  if (payload.length === 0 || !(payload[0]! & 0x80)) return 0;
  const at = packetTypeAt(payload);
  if (at < 0 || (payload[at]! & 15) !== VideoPacketType.Multitrack) return 0;
  return payload[at + 6] ?? 0; // with a FourCC of its own or one for all
}

/** A message about colours and the like (Enhanced RTMP, "Metadata Frame"). Allocates nothing, never throws. */
export function isVideoMetadata(payload: Uint8Array): boolean {
  if (payload.length === 0 || !(payload[0]! & 0x80)) return false;
  return enhancedPacketType(payload, VideoPacketType.Multitrack) === VideoPacketType.Metadata;
}

/** A codec configuration, empty ones included. Allocates nothing, never throws. */
export function isAudioSequenceHeader(payload: Uint8Array): boolean {
  const format = payload.length > 0 ? payload[0]! >> 4 : -1;
  if (format === AudioFormat.Aac) return payload[1] === AudioPacketType.SequenceStart;
  if (format !== AudioFormat.Enhanced) return false;
  return enhancedPacketType(payload, AudioPacketType.Multitrack) === AudioPacketType.SequenceStart;
}

/**
 * Under which name a relay keeps this message for viewers who come later: one name per role and track, such as
 * `video/config/0`. A later message with the same name replaces the earlier one. `undefined`: nothing to keep.
 * Malformed heads are not kept. Senders choose track ids, so who keeps messages must bound how many.
 */
export function videoCacheKey(payload: Uint8Array): string | undefined {
  if (isVideoMetadata(payload)) return trackKey('video/metadata/', payload, VideoPacketType.Multitrack);
  if (!isVideoSequenceHeader(payload)) return undefined;
  if (payload[0]! & 0x80) return trackKey('video/config/', payload, VideoPacketType.Multitrack);
  return payload.length > 5 ? 'video/config/0' : undefined;
}

/** The same for audio. The empty AAC configuration some encoders send is not kept. */
export function audioCacheKey(payload: Uint8Array): string | undefined {
  if (payload.length === 0) return undefined;
  if (payload[0]! >> 4 !== AudioFormat.Enhanced) {
    return payload.length > 2 && isAudioSequenceHeader(payload) ? 'audio/config/0' : undefined;
  }
  switch (enhancedPacketType(payload, AudioPacketType.Multitrack)) {
    case AudioPacketType.SequenceStart:
      return trackKey('audio/config/', payload, AudioPacketType.Multitrack);
    case AudioPacketType.MultichannelConfig:
      return trackKey('audio/channels/', payload, AudioPacketType.Multitrack);
    default:
      return undefined;
  }
}

const emptyBytes = new Uint8Array(0);

/** Codecs whose old head goes on with a packet type and a composition time. */
function hasPacketType(codecId: number): boolean {
  return codecId === VideoCodec.Avc || codecId === VideoCodec.Hevc || codecId === VideoCodec.Av1;
}

/** Signed: frames may be shown before the time of the message that brings them. */
function s24(body: ByteReader): number {
  return (body.u24() << 8) >> 8;
}

function s24At(payload: Uint8Array, at: number): number {
  return ((payload[at]! << 24) >> 8) | (payload[at + 1]! << 8) | payload[at + 2]!;
}

/** `avc1`, `hvc1` and `vvc1` have a composition time. */
function hasTimeOf(payload: Uint8Array, at: number): boolean {
  const isOfKind = payload[at + 1] === 0x76 && payload[at + 2] === 0x63 && payload[at + 3] === 0x31;
  return isOfKind && (payload[at] === 0x61 || payload[at] === 0x68 || payload[at] === 0x76);
}

function parseEnhancedVideo(body: ByteReader, first: number): VideoHead {
  const head: VideoHead = { enhanced: true, frameType: (first >> 4) & 7, data: emptyBytes };
  head.packetType = readModEx(body, first & 15, head);
  if (head.frameType === FrameType.Command && head.packetType !== VideoPacketType.Metadata) {
    head.command = body.u8();
    return head;
  }
  readTracks(body, head, VideoPacketType.Multitrack);
  return head;
}

function parseEnhancedAudio(body: ByteReader, first: number): AudioHead {
  const head: AudioHead = { enhanced: true, soundFormat: first >> 4, data: emptyBytes };
  head.packetType = readModEx(body, first & 15, head);
  readTracks(body, head, AudioPacketType.Multitrack);
  if (head.packetType === AudioPacketType.MultichannelConfig && head.tracks === undefined) {
    readChannels(new ByteReader(head.data), head);
  }
  return head;
}

/** Extensions come before the FourCC, each naming the packet type that follows it (Enhanced RTMP v2). */
function readModEx(body: ByteReader, firstType: number, head: EnhancedHead): number {
  let packetType = firstType;
  while (packetType === VideoPacketType.ModEx) {
    let sizeBytes = body.u8() + 1;
    if (sizeBytes === 256) sizeBytes = body.u16() + 1;
    const data = new ByteReader(body.take(sizeBytes));
    const next = body.u8();
    if (next >> 4 === 0 && sizeBytes >= 3) head.nanosecondOffset = data.u24();
    packetType = next & 15;
  }
  return packetType;
}

/** The FourCC and the body, or the list of tracks with theirs. Unknown ways of listing leave the rest as data. */
function readTracks(body: ByteReader, head: EnhancedHead, multitrack: number): void {
  if (head.packetType !== multitrack) {
    head.fourCc = body.utf8(4);
    if (hasCompositionTime(head, head.fourCc, multitrack)) head.compositionTime = s24(body);
    head.data = body.take(body.remaining);
    return;
  }

  const types = body.u8();
  const multitrackType = types >> 4;
  head.multitrackType = multitrackType;
  head.packetType = types & 15;
  head.tracks = [];
  if (multitrackType > MultitrackType.ManyTracksManyCodecs) {
    head.data = body.take(body.remaining);
    return;
  }

  const sharedFourCc = multitrackType === MultitrackType.ManyTracksManyCodecs ? undefined : body.utf8(4);
  do {
    const fourCc = sharedFourCc ?? body.utf8(4);
    const trackId = body.u8();
    const sizeBytes = multitrackType === MultitrackType.OneTrack ? body.remaining : body.u24();
    const data = body.take(sizeBytes);
    const track: MediaTrack = { trackId, fourCc, data };
    if (hasCompositionTime(head, fourCc, multitrack)) {
      track.compositionTime = s24(new ByteReader(data));
      track.data = data.subarray(3);
    }
    head.tracks.push(track);
  } while (body.remaining > 0);
}

function hasCompositionTime(head: EnhancedHead, fourCc: string, multitrack: number): boolean {
  if (multitrack !== VideoPacketType.Multitrack || head.packetType !== VideoPacketType.CodedFrames)
    return false;
  return fourCc === 'avc1' || fourCc === 'hvc1' || fourCc === 'vvc1';
}

function readChannels(body: ByteReader, head: AudioHead): void {
  head.channelOrder = body.u8();
  head.channelCount = body.u8();
  if (head.channelOrder === 1) head.channelFlags = body.u32();
  if (head.channelOrder === 2) head.channelMap = body.take(head.channelCount);
}

function enhancedPacketType(payload: Uint8Array, multitrack: number): number {
  const at = packetTypeAt(payload);
  if (at < 0) return -1;
  const type = payload[at]! & 15;
  if (type !== multitrack) return type;
  return at + 1 < payload.length ? payload[at + 1]! & 15 : -1;
}

/** Of an enhanced head. A seek command has a packet type like any other message, and it means nothing. */
export function isSeekCommand(payload: Uint8Array): boolean {
  return ((payload[0]! >> 4) & 7) === FrameType.Command;
}

function trackKey(role: string, payload: Uint8Array, multitrack: number): string | undefined {
  const at = packetTypeAt(payload);
  if ((payload[at]! & 15) !== multitrack) return payload.length >= at + 5 ? `${role}0` : undefined;
  const ids = tracksOf(payload, at)?.map(({ trackId }) => trackId);
  return ids && role + ids.join(',');
}
