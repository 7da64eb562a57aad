import { mp3Head } from '../../../../wire/audio-config.ts';
import { encodeData } from '../../../../wire/commands.ts';
import { AudioFormat } from '../../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../../wire/messages.ts';
import { type Mp3Header, parseMp3Header, readFrameCount } from '../../../../wire/mp3-frame.ts';
import { EcmaArray } from '../../../../wire/values.ts';
import { type Container, type MediaInfo, PART, type Part, type Place } from '../container.ts';
import { type FileBytes, Window } from '../file-bytes.ts';
import { FileProblem } from '../problem.ts';
import { Mp3Scan } from './mp3-scan.ts';
import { type FrameAt, findFirstFrame, Mp3Walk } from './mp3-walk.ts';

/** Tags that follow one another in front of the sound. */
const MAX_TAGS = 16;
/** Frames that are looked at, here and there, to see whether all have the same rate. */
const SAMPLES = 16;

/** MP3: each frame is one message. A position is the number of a frame. */
export class Mp3File implements Container {
  readonly info: MediaInfo;
  readonly #file: FileBytes;
  readonly #scan: Mp3Scan;
  readonly #frameMs: number;
  readonly #head: number;

  private constructor(file: FileBytes, scan: Mp3Scan, header: Mp3Header, frames: number) {
    this.#file = file;
    this.#scan = scan;
    this.#frameMs = (header.samples * 1000) / header.rate;
    this.#head = mp3Head(header.rate, header.channels);
    const durationMs = Math.round(frames * this.#frameMs);
    const metadata = new EcmaArray({
      // The time of the last message, as in metadata of FLV and MP4 files.
      duration: this.#timeOf(Math.max(0, frames - 1)) / 1000,
      audiocodecid: AudioFormat.Mp3,
      audiosamplerate: header.rate,
      audiochannels: header.channels,
      stereo: header.channels > 1,
    });
    this.info = {
      kind: 'mp3',
      durationMs,
      bytes: file.sizeBytes,
      metadata: encodeData('onMetaData', metadata),
      hasVideo: false,
      hasAudio: true,
    };
  }

  static async open(file: FileBytes): Promise<Mp3File> {
    const soundAt = await behindTags(file);
    return Window.lend(file, async (window) => {
      const first = await findFirstFrame(file, window, soundAt);
      if (!first) throw new FileProblem('structure', 'neither FLV nor MP4 nor MP3');
      const header = parseMp3Header(first.like)!;
      const told = readFrameCount(await file.take(first.position, header.sizeBytes), header);
      const start = told === undefined ? first.position : first.position + header.sizeBytes;
      const scan = new Mp3Scan(file, start, first.like);
      const most = Math.floor((file.sizeBytes - start) / 24);
      const isTold = told !== undefined && told > 0 && told <= most;
      const frames = isTold ? told : await countFrames(file, scan, start, first.like);
      return new Mp3File(file, scan, header, frames);
    });
  }

  get memoryBytes(): number {
    return this.#scan.memoryBytes;
  }

  async seek(positionMs: number): Promise<Place> {
    const wanted = Math.min(Math.floor(positionMs / this.#frameMs), Number.MAX_SAFE_INTEGER);
    await this.#scan.until(wanted);
    let frame = Math.max(0, Math.min(wanted, this.#scan.frames - 1));
    // Times are rounded.
    if (frame + 1 < this.#scan.frames && this.#timeOf(frame + 1) <= positionMs) frame++;
    return {
      position: frame,
      timestampMs: this.#timeOf(frame),
      isBeyondEnd: positionMs > this.info.durationMs,
    };
  }

  async headersAt(): Promise<RtmpMessage[]> {
    return [];
  }

  read(position: number): Promise<Part> {
    return Window.lend(this.#file, async (window) => {
      const walk = await this.#scan.walkFrom(position, window);
      const { frames, isEnd } = await chooseFrames(walk, Math.ceil(PART.spanMs / this.#frameMs));
      const messages = await this.#load(window, frames, position);
      if (messages.length === 0 && (await this.#file.isCut())) {
        throw new FileProblem('io', 'the file was cut short');
      }
      const next = isEnd || messages.length === 0 ? undefined : position + messages.length;
      return { messages, next, endMs: messages.at(-1)?.timestamp ?? 0 };
    });
  }

  async #load(window: Window, frames: readonly FrameAt[], first: number): Promise<RtmpMessage[]> {
    const buffer = new Uint8Array(frames.reduce((sum, { header }) => sum + header.sizeBytes + 1, 0));
    const messages: RtmpMessage[] = [];
    let at = 0;
    for (const [i, { position, header }] of frames.entries()) {
      const { sizeBytes } = header;
      if (!(await window.load(position, sizeBytes))) break;
      buffer[at] = this.#head;
      buffer.set(window.view(position, sizeBytes), at + 1);
      const payload = buffer.subarray(at, at + 1 + sizeBytes);
      messages.push({ type: MessageType.Audio, streamId: 0, timestamp: this.#timeOf(first + i), payload });
      at += 1 + sizeBytes;
    }
    return messages;
  }

  #timeOf(frame: number): number {
    return Math.round(frame * this.#frameMs);
  }
}

async function chooseFrames(walk: Mp3Walk, most: number): Promise<{ frames: FrameAt[]; isEnd: boolean }> {
  const frames: FrameAt[] = [];
  for (;;) {
    const { position } = walk;
    const frame = await walk.next();
    if (!frame) return { frames, isEnd: true };
    if (frames.length === most) {
      walk.position = position;
      return { frames, isEnd: false };
    }
    frames.push(frame);
  }
}

/** Behind the ID3v2 tags: ten bytes of header, the size in four times seven bits (ID3v2.4, section 3.1). */
async function behindTags(file: FileBytes): Promise<number> {
  let position = 0;
  for (let tags = 0; tags < MAX_TAGS; tags++) {
    const head = await file.take(position, 10);
    if (head.length < 10 || String.fromCharCode(...head.subarray(0, 3)) !== 'ID3') break;
    const size = head.subarray(6).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
    const hasFooter = (head[5]! & 0x10) !== 0;
    position += 10 + size + (hasFooter ? 10 : 0);
  }
  return position;
}

/** From the rate, when it is the same wherever one looks; else by counting. */
async function countFrames(file: FileBytes, scan: Mp3Scan, start: number, like: number): Promise<number> {
  const soundBytes = file.sizeBytes - start;
  let bitrate: number | undefined;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const from = start + Math.floor((soundBytes * sample) / SAMPLES);
    const frame = await Window.lend(file, (window) => new Mp3Walk(file, window, from, like).next());
    if (!frame || (bitrate !== undefined && frame.header.bitrate !== bitrate)) {
      await scan.until(Number.MAX_SAFE_INTEGER);
      return scan.frames;
    }
    bitrate = frame.header.bitrate;
  }
  const { samples, rate } = parseMp3Header(like)!;
  return Math.floor(soundBytes / ((samples * bitrate!) / 8 / rate));
}
