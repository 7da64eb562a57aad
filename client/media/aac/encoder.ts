import { registerAacEncoder } from '@mediabunny/aac-encoder';
import type { SoundEncoder, SoundOutput } from '../publish/encoders.ts';
import { type CustomAudioEncoder, registered, type Sample } from './mediabunny.ts';

/** The entry of `/aac.js`, which a publisher loads where the browser has no encoder for AAC: FFmpeg's, in WebAssembly and a worker. */

registerAacEncoder();

/** A worker that the page's policy forbids says nothing. */
const INIT_MS = 5000;
const SMALLEST_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Undefined when it does not take this sound. Rejects when the page may not run WebAssembly, or a worker with it. */
export async function openAac(
  config: AudioEncoderConfig,
  output: SoundOutput,
): Promise<SoundEncoder | undefined> {
  const [Encoder] = registered;
  if (!Encoder?.supports('aac', config)) return undefined;
  new WebAssembly.Module(SMALLEST_MODULE); // throws where the policy forbids it
  const encoder = new Encoder();
  encoder.codec = 'aac';
  encoder.config = config;
  encoder.onPacket = ({ data, duration }, { decoderConfig }) =>
    output.onPacket(data, duration * 1000, decoderConfig?.description);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('its worker does not begin')), INIT_MS);
  });
  try {
    await Promise.race([encoder.init(), tooLate]);
  } catch (error) {
    encoder.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return new AacEncoder(encoder, config.numberOfChannels, output);
}

class AacEncoder implements SoundEncoder {
  encodeQueueSize = 0;
  readonly #encoder: CustomAudioEncoder;
  readonly #channels: number;
  readonly #output: SoundOutput;
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(encoder: CustomAudioEncoder, channels: number, output: SoundOutput) {
    this.#encoder = encoder;
    this.#channels = channels;
    this.#output = output;
  }

  encode(sound: AudioData): void {
    const sample = interleaved(sound, this.#channels);
    this.encodeQueueSize++;
    this.#last = this.#last.then(async () => {
      if (this.#isClosed) return;
      await this.#encoder.encode(sample).catch((error: Error) => this.#output.onError(error));
      this.encodeQueueSize--;
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#encoder.close();
  }
}

/** A copy of the first channels, as the encoder wants them: every browser can hand them out one by one. */
function interleaved(sound: AudioData, channels: number): Sample {
  const { numberOfFrames } = sound;
  const samples = new Float32Array(numberOfFrames * channels);
  const plane = new Float32Array(numberOfFrames);
  for (let channel = 0; channel < channels; channel++) {
    sound.copyTo(plane, { planeIndex: channel, format: 'f32-planar' });
    for (let i = 0; i < numberOfFrames; i++) samples[i * channels + channel] = plane[i]!;
  }
  return {
    // It is timed by the count of its samples.
    timestamp: 0,
    numberOfFrames,
    allocationSize: () => samples.byteLength,
    copyTo: (destination) => destination.set(new Uint8Array(samples.buffer)),
  };
}
