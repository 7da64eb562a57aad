import { parseAudioConfig } from '../../../wire/audio-config.ts';
import { av1Name, avcName, hevcName } from '../../../wire/codec-names.ts';
import { MP3_HEADER_BYTES, parseMp3Header, wordAt } from '../../../wire/mp3-frame.ts';
import { av1Size, avcSize, hevcSize, type Size } from '../../../wire/picture-size.ts';
import { StagewireError } from '../../base/errors.ts';
import { Unfit } from './protocol.ts';

export type Pictures = 'avc' | 'hevc' | 'av1';
export type Sound = 'aac' | 'mp3' | 'opus';

/** A track of pictures, as WebCodecs describes it. */
export interface VideoSetup {
  readonly codec: Pictures;
  readonly config: VideoDecoderConfig;
}

export interface SoundSetup {
  readonly codec: Sound;
  readonly config: AudioDecoderConfig;
  /** How many samples a frame stands for, of which there are `config.sampleRate` in a second. */
  samplesOf(frame: Uint8Array): number;
}

const OPUS_RATE = 48_000;
const AAC_SAMPLES = 1024;
/** Object types that MP4 has a name for here; the others of the table decode as the first does. */
const AAC_NAMES: Readonly<Record<number, string>> = { 5: 'mp4a.40.5', 29: 'mp4a.40.29' };
const MAX_AAC_TYPE = 4;

/** Throws an Unfit for what cannot be in an MP4, or not by us. */
export function videoSetup(codec: string, record: Uint8Array): VideoSetup {
  switch (codec) {
    case 'avc':
      return setupOf(codec, avcName(record), record, sizeIn(record, avcSize));
    case 'hevc':
      return setupOf(codec, hevcName(record), record, sizeIn(record, hevcSize));
    case 'av1':
      return setupOf(codec, av1Name(record), record, sizeIn(record, av1Size));
    default:
      throw new Unfit(`its pictures are ${codec}, and that is not put into an MP4`);
  }
}

/** `frame`: the first one; MP3 says there what it is. */
export function soundSetup(codec: string, record: Uint8Array | undefined, frame: Uint8Array): SoundSetup {
  switch (codec) {
    case 'aac':
      return aacSetup(record);
    case 'mp3':
      return mp3Setup(frame);
    case 'opus':
      return opusSetup(record);
    default:
      throw new Unfit(`its sound is ${codec}, and that is not put into an MP4`);
  }
}

function setupOf(codec: Pictures, name: string, description: Uint8Array, size: Size): VideoSetup {
  return { codec, config: { codec: name, description, codedWidth: size.width, codedHeight: size.height } };
}

function sizeIn(record: Uint8Array, read: (record: Uint8Array) => Size | undefined): Size {
  let size: Size | undefined;
  try {
    size = read(record);
  } catch (error) {
    if (!(error instanceof StagewireError)) throw error;
  }
  if (!size) throw new Unfit('the configuration of its pictures does not say how large they are');
  return size;
}

function aacSetup(record: Uint8Array | undefined): SoundSetup {
  const found = record && parseAudioConfig(record);
  if (!found || found.sampleRate === 0) throw new Unfit('the configuration of its AAC sound cannot be read');
  const { objectType, sampleRate, channels } = found;
  const name = AAC_NAMES[objectType] ?? (objectType <= MAX_AAC_TYPE ? 'mp4a.40.2' : undefined);
  if (name === undefined) throw new Unfit(`its sound is AAC of object type ${objectType}`);
  // A configuration of 0 leaves it to the sound itself.
  const config = { codec: name, sampleRate, numberOfChannels: channels || 2, description: record };
  return { codec: 'aac', config, samplesOf: () => AAC_SAMPLES };
}

function mp3Setup(frame: Uint8Array): SoundSetup {
  const header = mp3Header(frame);
  if (!header) throw new Unfit('its MP3 sound begins with what is no frame');
  const config = { codec: 'mp3', sampleRate: header.rate, numberOfChannels: header.channels };
  return { codec: 'mp3', config, samplesOf: () => header.samples };
}

export function mp3Header(frame: Uint8Array) {
  return frame.length < MP3_HEADER_BYTES ? undefined : parseMp3Header(wordAt(frame, 0));
}

function opusSetup(record: Uint8Array | undefined): SoundSetup {
  const isHead =
    record !== undefined &&
    record.length >= 19 &&
    Buffer.from(record).toString('latin1', 0, 8) === 'OpusHead';
  if (!isHead) throw new Unfit('the configuration of its Opus sound cannot be read');
  const config = {
    codec: 'opus',
    sampleRate: OPUS_RATE,
    numberOfChannels: record[9] || 2,
    description: record,
  };
  return { codec: 'opus', config, samplesOf: opusSamples };
}

/** By the first byte of a packet (RFC 6716, section 3.1). */
function opusSamples(packet: Uint8Array): number {
  const [head = 0, next = 0] = packet;
  const kind = head >> 3;
  const lengths = kind < 12 ? [10, 20, 40, 60] : kind < 16 ? [10, 20, 10, 20] : [2.5, 5, 10, 20];
  const code = head & 3;
  const frames = code === 0 ? 1 : code === 3 ? next & 63 : 2;
  return (frames * lengths[kind & 3]! * OPUS_RATE) / 1000;
}
