import { type Choice, chooseVideo } from './encoders.ts';
import { readFrames } from './frames.ts';
import { videoConfig, videoFrame } from './payloads.ts';
import { av1Record, vpRecord } from './records.ts';

export interface VideoTrackOptions {
  readonly codecs: readonly string[];
  readonly bitrate: number;
  readonly framerate: number;
  readonly keyFrameEveryMs: number;
  /** Milliseconds since the stream began. */
  now(): number;
  /** Whether the network takes another picture. */
  hasRoom(): boolean;
  onPayload(timestamp: number, payload: Uint8Array): void;
  /** There is no encoder for it. */
  onUnsupported(): void;
}

/** Pictures that an encoder has not finished. More are left out. */
const MAX_QUEUE = 2;
/** Players with sound wait for pictures. When none has come for so long, the last comes again; sooner when a key frame is wanted. */
const STILL_MS = 250;
const STILL_KEY_MS = 100;
/** Key frames of a picture that stands still come only so often, unless they are asked for. */
const STILL_KEY_EVERY_MS = 30_000;
/** Another size costs a key frame and a new decoder: while a window is dragged, not more often than this. */
const RESIZE_MS = 500;

/**
 * Encodes the pictures of a track. Each is stamped with the time at which it came here. Where nothing moves, screens and canvases have no
 * new ones: then the last is repeated, which costs next to nothing.
 */
export class VideoTrack {
  fourCc = '';
  encoded = 0;
  dropped = 0;
  readonly #options: VideoTrackOptions;
  #choice: Choice<VideoEncoderConfig> | undefined;
  #encoder: VideoEncoder | undefined;
  #bitrate: number;
  #isKeyWanted = true;
  #lastKeyMs = 0;
  #lastMs = -1;
  #last: VideoFrame | undefined;
  #resizedMs = -RESIZE_MS;
  #isTaking = false;
  #repeating: Promise<void> = Promise.resolve();
  #isOver = false;
  #fail: (error: Error) => void = () => {};
  #config: Uint8Array = new Uint8Array(0);

  constructor(options: VideoTrackOptions) {
    this.#options = options;
    this.#bitrate = options.bitrate;
  }

  /** Until the track ends. Rejects when the encoder fails. */
  async run(track: MediaStreamTrack, signal: AbortSignal): Promise<void> {
    const failure = Promise.withResolvers<never>();
    this.#fail = failure.reject;
    const read = readFrames<VideoFrame>(track, signal, (frame) => this.#take(frame));
    const timer = setInterval(() => this.repeat(), STILL_KEY_MS);
    try {
      await Promise.race([read, failure.promise]);
    } finally {
      this.#isOver = true;
      clearInterval(timer);
      this.#last?.close();
      this.#last = undefined;
      if (this.#encoder?.state !== 'closed') this.#encoder?.close();
    }
  }

  /** If no picture has come for a while: the last again. Timers of a page that is not seen come seldom, so sound calls it, too. */
  repeat(): void {
    const waitMs = this.#isKeyWanted ? STILL_KEY_MS : STILL_MS;
    if (!this.#last || this.#isTaking || this.#options.now() - this.#lastMs < waitMs) return;
    this.#repeating = this.#encode(this.#last, true).catch(this.#fail);
  }

  forceKeyFrame(): void {
    this.#isKeyWanted = true;
  }

  /** Bits in a second, from the next picture on. */
  setBitrate(bitrate: number): void {
    this.#bitrate = bitrate;
  }

  async #take(frame: VideoFrame): Promise<void> {
    this.#isTaking = true;
    await this.#repeating;
    if (this.#isOver) return;
    this.#last?.close();
    this.#last = frame.clone();
    await this.#encode(frame, false);
    this.#isTaking = false;
  }

  async #encode(frame: VideoFrame, isRepeated: boolean): Promise<void> {
    const timestamp = Math.max(this.#options.now(), this.#lastMs + 1);
    const encoder = await this.#encoderFor(frame, timestamp);
    if (!encoder || this.#isOver) return;
    if (encoder.encodeQueueSize >= MAX_QUEUE || !this.#options.hasRoom()) {
      if (!isRepeated) this.dropped++;
      return;
    }
    this.#lastMs = timestamp;
    const { keyFrameEveryMs } = this.#options;
    const everyMs = isRepeated ? Math.max(keyFrameEveryMs, STILL_KEY_EVERY_MS) : keyFrameEveryMs;
    const keyFrame = this.#isKeyWanted || timestamp - this.#lastKeyMs >= everyMs;
    if (keyFrame) this.#lastKeyMs = timestamp;
    this.#isKeyWanted = false;
    const stamped = new VideoFrame(frame, { timestamp: timestamp * 1000 });
    encoder.encode(stamped, { keyFrame });
    stamped.close();
  }

  /** Chosen with the first picture; set anew when the size or the wanted bit rate has changed. */
  async #encoderFor(frame: VideoFrame, timestamp: number): Promise<VideoEncoder | undefined> {
    const { displayWidth: width, displayHeight: height } = frame;
    const { codecs, framerate, onUnsupported } = this.#options;
    const config = this.#choice?.config;
    const isSameSize = config?.width === (width & ~1) && config.height === (height & ~1);
    if (isSameSize && config.bitrate === this.#bitrate) return this.#encoder;
    // Another size may need another codec; another bit rate does not.
    if (isSameSize) this.#choice = { ...this.#choice!, config: { ...config, bitrate: this.#bitrate } };
    else if (timestamp - this.#resizedMs < RESIZE_MS) return undefined;
    else this.#choice = await chooseVideo(codecs, { width, height }, this.#bitrate, framerate);
    if (!this.#choice) return void onUnsupported();
    // What a used encoder of H.264 tells decoders has all sizes in it that it ever had.
    if (!isSameSize) await this.#closeEncoder();
    if (this.#isOver) return undefined;
    this.fourCc = this.#choice.fourCc;
    this.#encoder ??= new VideoEncoder({
      output: (chunk, metadata) => this.#put(chunk, metadata),
      error: (error) => this.#fail(error),
    });
    this.#encoder.configure(this.#choice.config);
    if (isSameSize) return this.#encoder;
    this.#resizedMs = timestamp;
    this.#isKeyWanted = true;
    this.#config = new Uint8Array(0);
    return this.#encoder;
  }

  async #closeEncoder(): Promise<void> {
    const encoder = this.#encoder;
    this.#encoder = undefined;
    // One that fails says so by itself.
    await encoder?.flush().catch(() => {});
    if (encoder?.state !== 'closed') encoder?.close();
  }

  #put(chunk: EncodedVideoChunk, metadata?: EncodedVideoChunkMetadata): void {
    const { onPayload } = this.#options;
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    const timestamp = Math.round(chunk.timestamp / 1000);
    const isKey = chunk.type === 'key';
    const record = isKey ? this.#record(metadata?.decoderConfig, data) : undefined;
    if (record) {
      const config = videoConfig(this.fourCc, record);
      if (String(config) !== String(this.#config)) onPayload(timestamp, config);
      this.#config = config;
    }
    onPayload(timestamp, videoFrame(this.fourCc, isKey, data));
    this.encoded++;
  }

  #record(config: VideoDecoderConfig | undefined, keyFrame: Uint8Array): Uint8Array | undefined {
    const codec = config?.codec ?? this.#choice?.config.codec ?? '';
    switch (this.fourCc) {
      case 'vp08':
      case 'vp09':
        return vpRecord(codec);
      case 'av01':
        return av1Record(codec, keyFrame);
      default:
        return config?.description && bytesOf(config.description);
    }
  }
}

export function bytesOf(source: AllowSharedBufferSource): Uint8Array {
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice()
    : new Uint8Array(source).slice();
}
