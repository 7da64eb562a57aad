import { MessageType } from '../../wire/messages.ts';
import { AudioTrack } from './publish/audio-track.ts';
import { Congestion, type Network } from './publish/congestion.ts';
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
  /** The way to the server: the bit rate follows it. Default: it takes everything. */
  readonly network?: Network;
  /** Bits in a second, the most and the least of pictures. Default 1,500,000, 100,000 and 96,000. */
  readonly videoBitrate?: number;
  readonly minVideoBitrate?: number;
  readonly audioBitrate?: number;
  /** For the encoder to plan with. Default 30. */
  readonly framerate?: number;
  /** Default 2000. */
  readonly keyFrameEveryMs?: number;
  /** FourCCs as in Enhanced RTMP, in the order of preference. Default: H.264, VP9, AV1, VP8, and AAC, Opus. */
  readonly videoCodecs?: readonly string[];
  readonly audioCodecs?: readonly string[];
}

const UNLIMITED: Network = { sentBytes: 0, acknowledgedBytes: 0, queuedBytes: 0 };

/** Encodes a MediaStream with WebCodecs and makes the messages of a live stream of it. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #video: VideoTrack;
  readonly #audio: AudioTrack;
  readonly #congestion: Congestion;
  readonly #abort = new AbortController();
  readonly #began = performance.now();

  constructor(options: PublisherOptions) {
    this.#options = options;
    const now = () => Math.round(performance.now() - this.#began);
    const to = (type: number) => (timestamp: number, payload: Uint8Array) => {
      if (!this.#abort.signal.aborted) options.onMessage(type, timestamp, payload);
    };
    const { videoBitrate: ceiling = 1_500_000, minVideoBitrate = 100_000, audioBitrate = 96_000 } = options;
    this.#congestion = new Congestion({
      network: options.network ?? UNLIMITED,
      ceiling,
      floor: Math.min(minVideoBitrate, ceiling),
      audioBitrate,
      onBitrate: (bitrate) => this.#video.setBitrate(bitrate),
      onShortage: (isShort) => this.#tellShortage(isShort),
    });
    const [sendPicture, sendSound] = [to(MessageType.Video), to(MessageType.Audio)];
    const onUnsupported = () => this.#fail('this browser has no encoder for it');
    this.#video = new VideoTrack({
      codecs: options.videoCodecs ?? VIDEO_CODECS,
      bitrate: ceiling,
      framerate: options.framerate ?? 30,
      keyFrameEveryMs: options.keyFrameEveryMs ?? 2000,
      hasRoom: () => this.#congestion.hasRoomForPicture(performance.now()),
      now,
      onPayload: (timestamp, payload) => {
        this.#congestion.spend(payload.length);
        sendPicture(timestamp, payload);
      },
      onUnsupported,
    });
    this.#audio = new AudioTrack({
      codecs: options.audioCodecs ?? AUDIO_CODECS,
      bitrate: audioBitrate,
      now,
      hasRoom: () => this.#congestion.hasRoomForSound(performance.now()),
      onPayload: (timestamp, payload) => {
        sendSound(timestamp, payload);
        this.#video.repeat();
      },
      onUnsupported,
    });
    void this.#run();
  }

  /** A viewer has come, or lost a picture: the next one is a key frame. */
  forceKeyFrame(): void {
    this.#video.forceKeyFrame();
  }

  /** Of the pictures, in bits a second: the most that they may have from now on. */
  setBitrate(bitrate: number): void {
    this.#congestion.setCeiling(bitrate);
  }

  get stats(): PublisherStats {
    const { fourCc: videoCodec, encoded: encodedFrames, dropped: droppedFrames } = this.#video;
    const { fourCc: audioCodec, dropped: droppedSound } = this.#audio;
    const { bitrate: videoBitrate, delayMs } = this.#congestion;
    return { videoCodec, audioCodec, encodedFrames, droppedFrames, droppedSound, videoBitrate, delayMs };
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

  #tellShortage(isShort: boolean): void {
    const kbps = Math.round(this.#congestion.bitrate / 1000);
    const told = isShort
      ? ({ level: 'warning', code: 'NetStream.Publish.InsufficientBW' } as const)
      : ({ level: 'status', code: 'NetStream.Publish.SufficientBW' } as const);
    const description = isShort
      ? `The network is too slow: pictures are left out, at ${kbps} kb/s.`
      : `The network takes all pictures, at ${kbps} kb/s.`;
    this.#options.onStatus?.({ ...told, description });
  }

  #fail(description: string): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#options.onStatus?.({ level: 'error', code: 'NetStream.Publish.Failed', description });
  }
}
