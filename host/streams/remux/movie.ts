import {
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  Mp4OutputFormat,
  Output,
  StreamTarget,
  type StreamTargetChunk,
} from 'mediabunny';
import { PictureClock, SoundClock } from './clocks.ts';
import type { Plan } from './survey.ts';
import type { Unit } from './units.ts';

/** What is written at once. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** Recordings have milliseconds. */
const PICTURE_TIMESCALE = 1000;

/**
 * An MP4 on its way to a file, by Mediabunny. Room for its index is kept in front of the media, for as many frames as the
 * survey has found, so that players can begin while they load the file, and nothing is written twice.
 */
export class Movie {
  readonly #plan: Plan;
  readonly #output: Output;
  readonly #video: EncodedVideoPacketSource | undefined;
  readonly #sound: EncodedAudioPacketSource | undefined;
  readonly #pictureClock = new PictureClock();
  readonly #soundClock: SoundClock;
  #hasBegun = false;

  constructor(plan: Plan, write: (bytes: Uint8Array, position: number) => Promise<void>) {
    this.#plan = plan;
    const stream = new WritableStream<StreamTargetChunk>({
      write: ({ data, position }) => write(data, position),
    });
    const target = new StreamTarget(stream, { chunked: true, chunkSize: CHUNK_BYTES });
    this.#output = new Output({ format: new Mp4OutputFormat({ fastStart: 'reserve' }), target });
    const { video, sound } = plan;
    if (video) {
      const { codec, config: decoderConfig } = video.setup;
      this.#video = new EncodedVideoPacketSource(codec);
      const metadata = { frameRate: PICTURE_TIMESCALE, maximumPacketCount: video.frames, decoderConfig };
      this.#output.addVideoTrack(this.#video, metadata);
    }
    if (sound) {
      const { codec, config: decoderConfig } = sound.setup;
      this.#sound = new EncodedAudioPacketSource(codec);
      this.#output.addAudioTrack(this.#sound, { maximumPacketCount: sound.frames, decoderConfig });
    }
    this.#soundClock = new SoundClock(sound?.setup.config.sampleRate ?? 1);
  }

  start(): Promise<void> {
    return this.#output.start();
  }

  /** Decoders begin with a key frame: what comes before it is left out. */
  async addPicture({ data, isKey, compositionMs }: Unit, timeMs: number): Promise<void> {
    const { firstMs, pictureMs } = this.#plan;
    if (!this.#video || (!this.#hasBegun && !isKey)) return;
    this.#hasBegun = true;
    const showMs = this.#pictureClock.map(timeMs + compositionMs - firstMs, isKey);
    const packet = new EncodedPacket(data, isKey ? 'key' : 'delta', showMs / 1000, pictureMs / 1000);
    await this.#video.add(packet);
  }

  async addSound({ data }: Unit, timeMs: number): Promise<void> {
    const setup = this.#plan.sound?.setup;
    if (!setup || !this.#sound) return;
    const { sampleRate } = setup.config;
    const samples = setup.samplesOf(data);
    const at = this.#soundClock.map(timeMs - this.#plan.firstMs, samples);
    await this.#sound.add(new EncodedPacket(data, 'key', at / sampleRate, samples / sampleRate));
  }

  finish(): Promise<void> {
    return this.#output.finalize();
  }
}
