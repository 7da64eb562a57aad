import { parseAudioConfig } from '../../../wire/audio-config.ts';
import { ByteReader, ByteWriter } from '../../../wire/bytes.ts';
import { MP3_HEADER_BYTES, parseMp3Header, wordAt } from '../../../wire/mp3-frame.ts';
import { ac3Setup, eac3Setup } from './ac3.ts';
import { flacSetup } from './flac.ts';
import type { AudioSetup } from './setup.ts';

const OPUS_RATE = 48_000;
const NONE = new Uint8Array(0);

/**
 * `undefined` for a codec that is not known here, and for what makes no sense. `frame`: the first one, where some codecs say
 * what they are. Throws a StagewireError for what is cut off.
 */
export function audioSetup(fourCc: string, record: Uint8Array, frame: Uint8Array): AudioSetup | undefined {
  switch (fourCc) {
    case 'mp4a':
      return aacSetup(record);
    case 'Opus':
      return opusSetup(record, frame);
    case '.mp3':
      return mp3Setup(frame);
    case 'fLaC':
      return flacSetup(record);
    case 'ac-3':
      return ac3Setup(frame);
    case 'ec-3':
      return eac3Setup(frame);
    default:
      return undefined;
  }
}

function aacSetup(record: Uint8Array): AudioSetup | undefined {
  const config = parseAudioConfig(record);
  if (!config || config.sampleRate === 0) return undefined;
  const { objectType, sampleRate, channels, frameSamples } = config;
  return {
    kind: 'audio',
    fourCc: 'mp4a',
    codec: `mp4a.40.${objectType}`,
    record,
    sampleRate,
    // A configuration of 0 leaves it to the sound itself.
    channels: channels || 2,
    samplesOf: () => frameSamples,
  };
}

function mp3Setup(frame: Uint8Array): AudioSetup | undefined {
  const header = frame.length < MP3_HEADER_BYTES ? undefined : parseMp3Header(wordAt(frame, 0));
  if (!header) return undefined;
  const { rate: sampleRate, channels, samples } = header;
  const samplesOf = () => samples;
  return { kind: 'audio', fourCc: '.mp3', codec: 'mp3', record: NONE, sampleRate, channels, samplesOf };
}

/** The record is an ID header (RFC 7845, section 5.1); without one, what WebRTC would send. */
function opusSetup(record: Uint8Array, frame: Uint8Array): AudioSetup {
  const isHead = record.length >= 19 && wordAt(record, 0) === 0x4f707573; // 'Opus', followed by 'Head'
  const head = isHead ? record : opusHead(frame[0]! & 4 ? 2 : 1);
  const channels = head[9] || 2;
  const setup = { kind: 'audio', fourCc: 'Opus', codec: 'opus', sampleRate: OPUS_RATE } as const;
  return { ...setup, record: head, channels, samplesOf: opusSamples };
}

/** An ID header for one or two channels. */
export function opusHead(channels: number): Uint8Array {
  const head = new ByteWriter(19);
  head.ascii('OpusHead');
  head.u8(1);
  head.u8(channels);
  head.u16(0x3801); // little-endian: 312 samples of lead, as libopus has
  head.u32le(OPUS_RATE);
  head.u24(0);
  return head.copy();
}

/** By the first bytes of a packet (RFC 6716, section 3.1). */
function opusSamples(packet: Uint8Array): number {
  const reader = new ByteReader(packet);
  const head = reader.u8();
  const kind = head >> 3;
  const lengths = kind < 12 ? [10, 20, 40, 60] : kind < 16 ? [10, 20, 10, 20] : [2.5, 5, 10, 20];
  const code = head & 3;
  const frames = code === 0 ? 1 : code === 3 ? reader.u8() & 63 : 2;
  return (frames * lengths[kind & 3]! * OPUS_RATE) / 1000;
}
