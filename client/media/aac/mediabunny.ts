/**
 * What `@mediabunny/aac-encoder` needs of Mediabunny, in the place of all of it (host/scripts/bundles.ts): its encoder is a class that it
 * registers, a CustomAudioEncoder (https://mediabunny.dev/guide/supported-formats-and-codecs#custom-coders).
 */

/** Sound for an encoder: an `AudioSample`, of which it needs so much. */
export interface Sample {
  readonly timestamp: number;
  readonly numberOfFrames: number;
  allocationSize(options: object): number;
  copyTo(destination: Uint8Array, options: object): void;
}

export class EncodedPacket {
  readonly data: Uint8Array;
  /** In seconds. */
  readonly duration: number;

  constructor(data: Uint8Array, _type: 'key' | 'delta', _timestamp: number, duration: number) {
    this.data = data;
    this.duration = duration;
  }
}

export abstract class CustomAudioEncoder {
  codec!: string;
  config!: AudioEncoderConfig;
  onPacket!: (packet: EncodedPacket, metadata: EncodedAudioChunkMetadata) => unknown;
  abstract init(): Promise<void>;
  /** Not before the last has resolved. */
  abstract encode(sample: Sample): Promise<void>;
  abstract close(): void;
}

export interface EncoderClass {
  new (): CustomAudioEncoder;
  supports(codec: string, config: AudioEncoderConfig): boolean;
}

export const registered: EncoderClass[] = [];

export function registerEncoder(encoder: EncoderClass): void {
  registered.push(encoder);
}

export const Logging = { _error: (text: string) => console.error(text) };
