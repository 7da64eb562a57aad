import { AudioFormat } from './media-head.ts';

/** What an AudioSpecificConfig says (ISO 14496-3, section 1.6.2.1). */
export interface AudioConfig {
  readonly objectType: number;
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples in a frame, of those of which there are `sampleRate` in a second. */
  readonly frameSamples: number;
}

const RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
];
/** By channel configuration; 7 has eight. */
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8];

/** `undefined` for what is too short to be one. */
export function parseAudioConfig(record: Uint8Array): AudioConfig | undefined {
  let bits = 0;
  const read = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++, bits++) {
      value = value * 2 + (((record[bits >> 3] ?? 0) >> (7 - (bits & 7))) & 1);
    }
    return value;
  };
  const first = read(5);
  const objectType = first === 31 ? 32 + read(6) : first;
  const index = read(4);
  const sampleRate = index === 15 ? read(24) : (RATES[index] ?? 0);
  const channels = CHANNELS[read(4)] ?? 0;
  const isWhole = bits <= record.length * 8;
  // AAC Main, LC, SSR and LTP begin with whether frames are short (section 4.4.1).
  const isShort = objectType <= 4 && read(1) === 1;
  return isWhole ? { objectType, sampleRate, channels, frameSamples: isShort ? 960 : 1024 } : undefined;
}

/** The head of a message with MP3 (Video File Format 10.1, section E.4.2.1): 16 bit, and the rates that it knows. */
export function mp3Head(rate: number, channels: number): number {
  if (rate === 8000) return (AudioFormat.Mp38k << 4) | 2 | (channels > 1 ? 1 : 0);
  const code = rate > 22_050 ? 3 : rate > 11_025 ? 2 : 1;
  return (AudioFormat.Mp3 << 4) | (code << 2) | 2 | (channels > 1 ? 1 : 0);
}
