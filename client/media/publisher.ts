import { MessageType } from '../../wire/messages.ts';
import { AudioTrack } from './publish/audio-track.ts';
import { AUDIO_CODECS, VIDEO_CODECS } from './publish/encoders.ts';
import { canReadTracks } from './publish/frames.ts';
import type { PublisherStats } from './publish/stats.ts';
import { VideoTrack } from './publish/video-track.ts';
import type { MediaStatus } from './sink.ts';

export interface PublisherOptions {
  /** Camera, microphone, screen or canvas: the first track of each kind. */
  readonly stream: MediaStream;
  /** A message for the server: its type (8 or 9), milliseconds since the beginning, its payload. */
  onMessage(type: number, timestamp: number, payload: Uint8Array): void;
  onStatus?(status: MediaStatus): void;
  /** Whether what was sent still waits: then pictures are left out. Default: never. */
  isBacklogged?(): boolean;
  /** Bits in a second. Default 1,500,000 and 96,000. */
  readonly videoBitrate?: number;
  readonly audioBitrate?: number;
  /** For the encoder to plan with. Default 30. */
  readonly framerate?: number;
  /** Default 2000. */
  readonly keyFrameEveryMs?: number;
  /** FourCCs as in Enhanced RTMP, in the order of preference. Default: H.264, VP9, AV1, VP8, and AAC, Opus. */
  readonly videoCodecs?: readonly string[];
  readonly audioCodecs?: readonly string[];
}

/** Encodes a MediaStream with WebCodecs and makes the messages of a live stream of it. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #video: VideoTrack;
  readonly #audio: AudioTrack;
  readonly #abort = new AbortController();
  readonly #began = performance.now();

  constructor(options: PublisherOptions) {
    this.#options = options;
    const now = () => Math.round(performance.now() - this.#began);
    const to = (type: number) => (timestamp: number, payload: Uint8Array) => {
      if (!this.#abort.signal.aborted) options.onMessage(type, timestamp, payload);
    };
    const onUnsupported = () => this.#fail('this browser has no encoder for it');
    this.#video = new VideoTrack({
      codecs: options.videoCodecs ?? VIDEO_CODECS,
      bitrate: options.videoBitrate ?? 1_500_000,
      framerate: options.framerate ?? 30,
      keyFrameEveryMs: options.keyFrameEveryMs ?? 2000,
      isBacklogged: () => options.isBacklogged?.() ?? false,
      now,
      onPayload: to(MessageType.Video),
      onUnsupported,
    });
    this.#audio = new AudioTrack({
      codecs: options.audioCodecs ?? AUDIO_CODECS,
      bitrate: options.audioBitrate ?? 96_000,
      now,
      onPayload: to(MessageType.Audio),
      onUnsupported,
    });
    void this.#run();
  }

  /** A viewer has come, or lost a picture: the next one is a key frame. */
  forceKeyFrame(): void {
    this.#video.forceKeyFrame();
  }

  /** Of the pictures, in bits a second: for the network's sake. */
  setBitrate(bitrate: number): void {
    this.#video.setBitrate(bitrate);
  }

  get stats(): PublisherStats {
    const { fourCc: videoCodec, encoded: encodedFrames, dropped: droppedFrames } = this.#video;
    return { videoCodec, audioCodec: this.#audio.fourCc, encodedFrames, droppedFrames };
  }

  /** The tracks go on; whoever opened them closes them. May be called twice. */
  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { stream } = this.#options;
    const { signal } = this.#abort;
    if (!canReadTracks() || !('VideoEncoder' in globalThis))
      return this.#fail('this browser does not let pages encode');
    const [video] = stream.getVideoTracks();
    const [audio] = stream.getAudioTracks();
    try {
      await Promise.all([video && this.#video.run(video, signal), audio && this.#audio.run(audio, signal)]);
    } catch (error) {
      this.#fail(String(error));
    }
  }

  #fail(description: string): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#options.onStatus?.({ level: 'error', code: 'NetStream.Publish.Failed', description });
  }
}
