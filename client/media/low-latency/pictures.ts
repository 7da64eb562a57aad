import type { VideoSetup } from '../codecs/setup.ts';
import { videoSetup } from '../codecs/video.ts';
import type { Unit } from '../unit.ts';

export interface PicturesOwner {
  /** The time that is to be seen now; `undefined`: whatever is there. */
  readonly clockMs: number | undefined;
  late(): void;
  unsupported(kind: 'video', codec: string): void;
  /** A decoder failed; the next key frame begins anew. */
  failed(reason: string): void;
  resized(width: number, height: number): void;
}

/** Encoded pictures that wait: all that a late joiner is sent at once, but not more. */
const MAX_WAITING = 600;
/** Decoded ones: they are large. */
const MAX_DECODED = 8;
/** Of those, and of what the decoder has not begun: with so many it is given no more. What it has begun comes beyond that. */
const ENOUGH_DECODED = 4;
const LATE_MS = 100;
/** Codecs whose description a decoder needs. The others have it in their key frames. */
const DESCRIBED = ['avc1', 'hvc1'];

/**
 * Decodes pictures and draws each when its time has come. Those for which it is too late are left out; those that are early
 * wait encoded, however far from what is live the sound is.
 */
export class Pictures {
  decoded = 0;
  dropped = 0;
  shown = 0;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D | null;
  readonly #owner: PicturesOwner;
  #decoder: VideoDecoder | undefined;
  #record: Uint8Array = new Uint8Array(0);
  #refused = '';
  #waiting: EncodedVideoChunk[] = [];
  #frames: VideoFrame[] = [];
  #request = 0;

  constructor(canvas: HTMLCanvasElement, owner: PicturesOwner) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false, desynchronized: true });
    this.#owner = owner;
    this.#request = requestAnimationFrame(this.#draw);
  }

  /** `timeMs`: when it is shown. Throws a StagewireError for a malformed configuration. */
  push({ is, isKey, codec, data }: Unit, timeMs: number): void {
    if (is === 'config') {
      if (String(this.#record) !== String(data)) this.#reset();
      this.#record = data;
      return;
    }
    if (is === 'end') return;
    if (!this.#decoder && !(isKey && this.#begin(codec, data))) return;
    if (this.#waiting.length >= MAX_WAITING) {
      // What follows needs what is left out now.
      this.dropped++;
      return this.#reset();
    }
    this.#waiting.push(
      new EncodedVideoChunk({
        type: isKey ? 'key' : 'delta',
        timestamp: timeMs * 1000,
        data: data as Uint8Array<ArrayBuffer>,
      }),
    );
    this.#advance(this.#clockMs);
  }

  close(): void {
    cancelAnimationFrame(this.#request);
    this.#reset();
    for (const frame of this.#frames) frame.close();
    this.#frames = [];
  }

  #begin(codec: string, keyFrame: Uint8Array): boolean {
    const setup = this.#refused === codec ? undefined : videoSetup(codec, this.#record, keyFrame);
    if (!setup) {
      this.#refuse(codec, codec);
      return false;
    }
    const decoder = new VideoDecoder({
      output: (frame) => this.#decoded(frame),
      error: (error) => {
        if (this.#decoder !== decoder) return;
        this.#reset();
        void VideoDecoder.isConfigSupported(config).then(({ supported }) => {
          if (supported) this.#owner.failed(error.message);
          else this.#refuse(codec, setup.codec);
        });
      },
    });
    const config = configOf(setup);
    this.#decoder = decoder;
    decoder.configure(config);
    return true;
  }

  #refuse(codec: string, name: string): void {
    if (this.#refused !== codec) this.#owner.unsupported('video', name);
    this.#refused = codec;
  }

  #decoded(frame: VideoFrame): void {
    this.decoded++;
    this.#frames.push(frame);
    if (this.#frames.length > MAX_DECODED) this.#drop();
    this.#advance(this.#clockMs);
  }

  get #clockMs(): number {
    return this.#owner.clockMs ?? Infinity;
  }

  /** Leaves out what a later picture has overtaken, and has as many decoded as may be. */
  #advance(clockMs: number): void {
    while (isDue(this.#frames[1], clockMs)) this.#drop();
    const decoder = this.#decoder;
    while (decoder && this.#waiting.length > 0) {
      if (this.#frames.length + decoder.decodeQueueSize >= ENOUGH_DECODED) break;
      decoder.decode(this.#waiting.shift()!);
    }
  }

  #drop(): void {
    this.#frames.shift()?.close();
    this.dropped++;
  }

  /** Browsers ask for pictures only where they can be seen; elsewhere new ones have the old ones left out. */
  #draw = (): void => {
    this.#request = requestAnimationFrame(this.#draw);
    const clockMs = this.#clockMs;
    this.#advance(clockMs);
    const [frame] = this.#frames;
    if (!frame || !isDue(frame, clockMs)) return;
    this.#frames.shift();
    if (clockMs - frame.timestamp / 1000 > LATE_MS && clockMs !== Infinity) this.#owner.late();
    const { displayWidth: width, displayHeight: height } = frame;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      Object.assign(this.#canvas, { width, height });
      this.#owner.resized(width, height);
    }
    this.#context?.drawImage(frame, 0, 0, width, height);
    this.shown++;
    frame.close();
  };

  #reset(): void {
    const decoder = this.#decoder;
    this.#decoder = undefined;
    this.#waiting = [];
    if (decoder && decoder.state !== 'closed') decoder.close();
  }
}

function isDue(frame: VideoFrame | undefined, clockMs: number): frame is VideoFrame {
  return frame !== undefined && frame.timestamp / 1000 <= clockMs;
}

function configOf({ fourCc, codec, record, width, height }: VideoSetup): VideoDecoderConfig {
  return {
    codec: fourCc === 'vp08' ? 'vp8' : codec,
    codedWidth: width,
    codedHeight: height,
    optimizeForLatency: true,
    ...(DESCRIBED.includes(fourCc) && { description: record as Uint8Array<ArrayBuffer> }),
  };
}
