/** What a track is encoded with. */
export interface Choice<Config> {
  readonly fourCc: string;
  readonly config: Config;
}

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** In the order in which they are tried: what most players know comes first. */
export const VIDEO_CODECS: readonly string[] = ['avc1', 'vp09', 'av01', 'vp08'];
export const AUDIO_CODECS: readonly string[] = ['mp4a', 'Opus'];

/** Names for WebCodecs: up to 1080p, and beyond. */
const VIDEO_NAMES: Readonly<Record<string, readonly [string, string]>> = {
  avc1: ['avc1.42e028', 'avc1.42e033'],
  hvc1: ['hvc1.1.6.L120.B0', 'hvc1.1.6.L153.B0'],
  vp09: ['vp09.00.40.08', 'vp09.00.51.08'],
  av01: ['av01.0.08M.08', 'av01.0.12M.08'],
  vp08: ['vp8', 'vp8'],
};
const AUDIO_NAMES: Readonly<Record<string, string>> = { mp4a: 'mp4a.40.2', Opus: 'opus' };
const FULL_HD = 1920 * 1088;

/** The first codec of `wanted` that the browser encodes; `undefined` when there is none. */
export async function chooseVideo(
  wanted: readonly string[],
  size: PictureSize,
  bitrate: number,
  framerate: number,
): Promise<Choice<VideoEncoderConfig> | undefined> {
  // Colour is sampled at half the rate: H.264 takes even sizes only.
  const [width, height] = [size.width & ~1, size.height & ~1];
  for (const fourCc of wanted) {
    const codec = VIDEO_NAMES[fourCc]?.[width * height > FULL_HD ? 1 : 0];
    if (codec === undefined) continue;
    const config: VideoEncoderConfig = { codec, width, height, bitrate, framerate, latencyMode: 'realtime' };
    if (fourCc === 'avc1') config.avc = { format: 'avc' };
    const isSupported = await VideoEncoder.isConfigSupported(config).catch(() => undefined);
    if (isSupported?.supported) return { fourCc, config };
  }
  return undefined;
}

/** What an encoder of sound makes. */
export interface SoundOutput {
  /** A packet, and how long it is. With the first comes what a decoder needs, if it needs anything. */
  onPacket(data: Uint8Array, lastsMs: number, description: AllowSharedBufferSource | undefined): void;
  onError(error: Error): void;
}

export interface SoundEncoder {
  readonly encodeQueueSize: number;
  encode(sound: AudioData): void;
  close(): void;
}

/** Opens an encoder for the first codec of `wanted` that there is one for: of the browser, or for AAC the one in `/aac.js`. */
export async function openAudio(
  wanted: readonly string[],
  format: Omit<AudioEncoderConfig, 'codec'>,
  output: SoundOutput,
): Promise<{ fourCc: string; encoder: SoundEncoder } | undefined> {
  for (const fourCc of wanted) {
    const codec = AUDIO_NAMES[fourCc];
    if (codec === undefined) continue;
    const config: AudioEncoderConfig = { ...format, codec };
    const isSupported = await AudioEncoder.isConfigSupported(config).catch(() => undefined);
    if (isSupported?.supported) return { fourCc, encoder: openNative(config, output) };
    if (fourCc !== 'mp4a') continue;
    // A page whose policy allows no WebAssembly goes on with the next codec.
    const encoder = await import('../aac/encoder.ts')
      .then(({ openAac }) => openAac(config, output))
      .catch((error) => void console.warn('AAC cannot be encoded in this page:', error));
    if (encoder) return { fourCc, encoder };
  }
  return undefined;
}

function openNative(config: AudioEncoderConfig, { onPacket, onError }: SoundOutput): SoundEncoder {
  const encoder = new AudioEncoder({
    output(chunk, metadata) {
      const data = new Uint8Array(chunk.byteLength);
      chunk.copyTo(data);
      onPacket(data, (chunk.duration ?? 0) / 1000, metadata?.decoderConfig?.description);
    },
    error: onError,
  });
  encoder.configure(config);
  return {
    get encodeQueueSize() {
      return encoder.encodeQueueSize;
    },
    encode: (sound) => encoder.encode(sound),
    // An encoder that has failed is closed.
    close: () => encoder.state !== 'closed' && encoder.close(),
  };
}
