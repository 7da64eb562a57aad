import { audioSetup } from '../codecs/audio.ts';
import type { AudioSetup } from '../codecs/setup.ts';
import type { Unit } from '../unit.ts';
import {
  type FromWorklet,
  type Heard,
  type Pace,
  type ToWorklet,
  WORKLET,
  workletScript,
} from './worklet.ts';

export interface SoundOwner {
  /** How fast to play what is there, and how much to keep. */
  pace(bufferedMs: number, isDry: boolean): Pace;
  unsupported(kind: 'audio', codec: string): void;
  failed(reason: string): void;
  /** The browser wants a gesture of the user first. */
  blocked(): void;
}

/** As many as a late joiner may be sent at once. */
const MAX_DECODING = 600;
const GAP_MS = 100;
/** A clock that was not heard of for so long stands still. */
const STALE_MS = 300;
const BLOCKED_MS = 500;

/** Decodes sound and plays it in an AudioWorklet. Its output is the clock for the pictures. */
export class Sound {
  readonly #owner: SoundOwner;
  #decoder: AudioDecoder | undefined;
  #record: Uint8Array = new Uint8Array(0);
  #refused = '';
  /** How long a frame lasts, and when the next one is expected, in milliseconds. */
  #lasts: (frame: Uint8Array) => number = () => 0;
  #nextMs = 0;
  #context: AudioContext | undefined;
  #worklet: AudioWorkletNode | undefined;
  #report: (FromWorklet & { atMs: number }) | undefined;
  /** What is to be heard as soon as the context runs: of a recording much comes at once. */
  #early: Heard[] | undefined;
  /** It is told to play nothing. */
  #isStill = false;
  #isClosed = false;

  constructor(owner: SoundOwner) {
    this.#owner = owner;
  }

  /** What is heard now; `undefined` while nothing is. */
  get clockMs(): number | undefined {
    const report = this.#report;
    if (!report || report.isWaiting || !this.#context) return undefined;
    const since = performance.now() - report.atMs;
    if (since > STALE_MS) return undefined;
    return report.timeMs + (this.#isStill ? 0 : since) - this.#context.outputLatency * 1000;
  }

  get bufferedMs(): number {
    return this.#report?.bufferedMs ?? 0;
  }

  /** Throws a StagewireError for a malformed configuration. */
  push({ is, codec, data }: Unit, timeMs: number): void {
    if (is === 'config') {
      if (String(this.#record) !== String(data)) this.#reset();
      this.#record = data;
      return;
    }
    // A decoder counts samples from the first on, whatever it is told later.
    if (Math.abs(timeMs - this.#nextMs) > GAP_MS) this.#reset();
    if (is === 'end' || (!this.#decoder && !this.#begin(codec, data))) return;
    const decoder = this.#decoder!;
    if (decoder.decodeQueueSize >= MAX_DECODING) return;
    this.#nextMs = timeMs + this.#lasts(data);
    decoder.decode(
      new EncodedAudioChunk({ type: 'key', timestamp: timeMs * 1000, data: data as Uint8Array<ArrayBuffer> }),
    );
  }

  /** In a gesture of the user. */
  async resume(): Promise<void> {
    await this.#context?.resume();
  }

  close(): void {
    this.#isClosed = true;
    this.#reset();
    void this.#context?.close();
    this.#context = undefined;
  }

  #begin(codec: string, frame: Uint8Array): boolean {
    const setup = this.#refused === codec ? undefined : audioSetup(codec, this.#record, frame);
    if (!setup) {
      this.#refuse(codec, codec);
      return false;
    }
    const decoder = new AudioDecoder({
      output: (data) => this.#decoded(data),
      error: (error) => {
        if (this.#decoder !== decoder) return;
        this.#decoder = undefined;
        void AudioDecoder.isConfigSupported(config).then(({ supported }) => {
          if (supported) this.#owner.failed(error.message);
          else this.#refuse(codec, setup.codec);
        });
      },
    });
    const config = configOf(setup);
    this.#decoder = decoder;
    this.#lasts = (frame) => (setup.samplesOf(frame) * 1000) / setup.sampleRate;
    decoder.configure(config);
    return true;
  }

  #refuse(codec: string, name: string): void {
    if (this.#refused !== codec) this.#owner.unsupported('audio', name);
    this.#refused = codec;
  }

  #decoded(data: AudioData): void {
    const { numberOfFrames, numberOfChannels, sampleRate, timestamp } = data;
    if (this.#isClosed) return data.close();
    if (this.#context?.sampleRate !== sampleRate) void this.#open(sampleRate, numberOfChannels);
    const isRunning = this.#worklet !== undefined && this.#context?.state === 'running';
    // Nobody would take it out of the queue of a context that does not run.
    if (isRunning || this.#early) {
      const channels = Array.from({ length: numberOfChannels }, (_, planeIndex) => {
        const samples = new Float32Array(numberOfFrames);
        data.copyTo(samples, { planeIndex, format: 'f32-planar' });
        return samples;
      });
      const heard: Heard = { channels, timeMs: timestamp / 1000 };
      if (!this.#early) this.#play(heard);
      else if (this.#early.length < MAX_DECODING) this.#early.push(heard);
    }
    data.close();
  }

  #play(heard: Heard): void {
    this.#worklet?.port.postMessage(
      heard satisfies ToWorklet,
      heard.channels.map(({ buffer }) => buffer),
    );
  }

  async #open(sampleRate: number, channelCount: number): Promise<void> {
    void this.#context?.close();
    this.#worklet = undefined;
    const context = new AudioContext({ sampleRate, latencyHint: 'interactive' });
    this.#context = context;
    this.#early = [];
    // A context that may run does so a moment later.
    setTimeout(() => {
      if (context !== this.#context || context.state !== 'suspended') return;
      this.#early = undefined;
      this.#owner.blocked();
    }, BLOCKED_MS);
    const url = workletScript();
    try {
      await context.audioWorklet.addModule(url);
    } catch (error) {
      return this.#owner.failed(String(error));
    } finally {
      URL.revokeObjectURL(url);
    }
    if (context !== this.#context) return;
    const worklet = new AudioWorkletNode(context, WORKLET, { outputChannelCount: [channelCount] });
    worklet.port.onmessage = ({ data }: MessageEvent<FromWorklet>) => {
      this.#report = { ...data, atMs: performance.now() };
      // It runs.
      for (const heard of this.#early?.splice(0) ?? []) this.#play(heard);
      this.#early = undefined;
      worklet.port.postMessage(this.#pace(data.bufferedMs, data.isDry));
    };
    worklet.port.postMessage(this.#pace(0, false));
    worklet.connect(context.destination);
    this.#worklet = worklet;
  }

  #pace(bufferedMs: number, isDry: boolean): Pace {
    const pace = this.#owner.pace(bufferedMs, isDry);
    this.#isStill = pace.rate === 0;
    return pace;
  }

  #reset(): void {
    const decoder = this.#decoder;
    this.#decoder = undefined;
    if (decoder && decoder.state !== 'closed') decoder.close();
  }
}

function configOf({ fourCc, codec, record, sampleRate, channels }: AudioSetup): AudioDecoderConfig {
  const config: AudioDecoderConfig = { codec, sampleRate, numberOfChannels: channels };
  if (fourCc === 'mp4a' || fourCc === 'Opus') config.description = record as Uint8Array<ArrayBuffer>;
  // With the name and the head of a block in front of it (RFC 9639, section 8).
  if (fourCc === 'fLaC')
    config.description = Uint8Array.of(0x66, 0x4c, 0x61, 0x43, 0x80, 0, 0, 34, ...record);
  return config;
}
