import { opusHead } from '../codecs/audio.ts';
import { openAudio, type SoundEncoder } from './encoders.ts';
import { readFrames } from './frames.ts';
import { audioConfig, audioFrame } from './payloads.ts';
import { bytesOf } from './video-track.ts';

export interface AudioTrackOptions {
  readonly codecs: readonly string[];
  readonly bitrate: number;
  now(): number;
  /** Whether the network takes more. */
  hasRoom(): boolean;
  onPayload(timestamp: number, payload: Uint8Array): void;
  onUnsupported(): void;
}

/** When even the most punctual samples of a second are so late, some were left out before them. */
const MISSING_MS = 100;
const WINDOW_MS = 1000;
const MAX_QUEUE = 50;

/**
 * Encodes the sound of a track. It is timed by the count of its samples since they began to come, and set right when the
 * clock says that some are missing: what devices stamp is of no use.
 */
export class AudioTrack {
  fourCc = '';
  dropped = 0;
  readonly #options: AudioTrackOptions;
  #encoder: SoundEncoder | undefined;
  /** When the first sample was made, and the milliseconds of sound since, that came in and went out. */
  #baseMs: number | undefined;
  #inMs = 0;
  #outMs = 0;
  #leastLateMs = Infinity;
  #windowEndMs = 0;
  #lastStamp = 0;
  #isConfigured = false;
  #isOver = false;

  constructor(options: AudioTrackOptions) {
    this.#options = options;
  }

  /** Until the track ends. Rejects when the encoder fails. */
  async run(track: MediaStreamTrack, signal: AbortSignal): Promise<void> {
    const failure = Promise.withResolvers<never>();
    const read = readFrames<AudioData>(track, signal, (sound) => this.#take(sound, failure.reject));
    try {
      await Promise.race([read, failure.promise]);
    } finally {
      this.#encoder?.close();
      this.#isOver = true;
    }
  }

  async #take(sound: AudioData, fail: (error: Error) => void): Promise<void> {
    const now = this.#options.now();
    this.#encoder ??= await this.#begin(sound, fail);
    const lasts = sound.duration / 1000;
    this.#time(now, lasts);
    if (!this.#encoder || this.#encoder.encodeQueueSize >= MAX_QUEUE) return;
    this.#inMs += lasts;
    this.#encoder.encode(sound);
  }

  /** Samples may come late, in heaps even, but not before they are made. */
  #time(now: number, lasts: number): void {
    this.#baseMs ??= now - lasts;
    const late = now - (this.#baseMs + this.#inMs + lasts);
    if (late < 0) this.#baseMs += late;
    this.#leastLateMs = Math.min(this.#leastLateMs, Math.max(late, 0));
    if (now < this.#windowEndMs) return;
    const isKnown = this.#windowEndMs > 0;
    if (isKnown && this.#leastLateMs > MISSING_MS) this.#baseMs += this.#leastLateMs;
    this.#leastLateMs = Infinity;
    this.#windowEndMs = now + WINDOW_MS;
  }

  async #begin(sound: AudioData, fail: (error: Error) => void): Promise<SoundEncoder | undefined> {
    const { codecs, bitrate, onUnsupported } = this.#options;
    const { sampleRate } = sound;
    const numberOfChannels = Math.min(sound.numberOfChannels, 2);
    const opened = await openAudio(
      codecs,
      { sampleRate, numberOfChannels, bitrate },
      {
        onPacket: (data, lastsMs, description) =>
          this.#put(data, lastsMs, description ? bytesOf(description) : opusHead(numberOfChannels)),
        onError: fail,
      },
    );
    if (!opened) return void onUnsupported();
    // It may have taken its time.
    if (this.#isOver) return void opened.encoder.close();
    this.fourCc = opened.fourCc;
    return opened.encoder;
  }

  #put(data: Uint8Array, lastsMs: number, record: Uint8Array): void {
    const { onPayload } = this.#options;
    const timestamp = Math.max(this.#lastStamp, Math.round((this.#baseMs ?? 0) + this.#outMs));
    this.#lastStamp = timestamp;
    this.#outMs += lastsMs;
    if (!this.#isConfigured) {
      this.#isConfigured = true;
      onPayload(timestamp, audioConfig(this.fourCc, record));
    }
    if (!this.#options.hasRoom()) {
      this.dropped++;
      return;
    }
    onPayload(timestamp, audioFrame(this.fourCc, data));
  }
}
