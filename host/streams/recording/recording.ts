import { dirname } from 'node:path';
import { encodeFlvTagHeader, flvTagHeaderBytes, flvTagTrailerBytes } from '../../../wire/flv.ts';
import { isVideoKeyFrame } from '../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import type { StatusCode } from '../../../wire/status.ts';
import { Timeline } from '../timeline.ts';
import { FreeSpace } from './disk.ts';
import { FlvFile } from './flv-file.ts';
import { type FlvContents, HEAD_BYTES, MAX_KEY_FRAMES, metadataOf } from './flv-head.ts';
import { KeyIndex } from './key-index.ts';
import { problemOf } from './problem.ts';

/** `append` goes on right behind what is there, `appendWithGap` after as much time as has passed since. */
export type RecordMode = 'record' | 'append' | 'appendWithGap';

export interface RecordingLimits {
  /** Milliseconds and bytes of one file; 0 for no limit. */
  recordingMs: number;
  recordingBytes: number;
  /** So much of the disk stays free. */
  freeDiskMb: number;
}

/** Why a recording ended before it was told to. */
export interface RecordingProblem {
  code: StatusCode;
  description: string;
}

export interface RecordingEvents {
  /** The file is open. */
  started(): void;
  /** It begins anew: says what goes before the next message, such as codec headers. */
  cleared?(): readonly RtmpMessage[];
  /** Called at most once, before `stopped`. */
  failed(problem: RecordingProblem): void;
  /** Called once if it started: what there is of the file is complete. When nothing came, there is none. */
  stopped(figures: { durationMs: number; bytes: number }): void;
  /** Called once, whether or not it ever started, when the file is not touched any more. */
  ended?(): void;
}

/** What gathers before it is written (FMS, RecordBuffer: 256 KB or 5 s; we are at most a second behind). */
const BATCH_BYTES = 256 * 1024;
const BATCH_MS = 1000;
/** A disk that is so far behind does not keep up. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MAX_WAITING_MESSAGES = 100_000;
/** FLV times are signed 32-bit numbers. */
const MAX_TIME_MS = 0x7fffffff;

/** One stream on its way to a file: messages become tags, which gather until they are written. Nobody waits for the disk. */
export class Recording {
  readonly #place: () => Promise<string>;
  #path = '';
  readonly #mode: RecordMode;
  readonly #limits: RecordingLimits;
  readonly #events: RecordingEvents;
  readonly #isSynchronous: () => boolean;
  readonly #free: FreeSpace;
  #file: FlvFile | undefined;
  /** With all that is yet to be written. */
  #contents: FlvContents = { own: {}, hasAudio: false, hasVideo: false, keys: new KeyIndex(MAX_KEY_FRAMES) };
  /** What came before the file was open. */
  #early: [message: RtmpMessage, at: number][] | undefined = [];
  #timeline = new Timeline();
  #startMs = 0;
  /** Of the last message that is to be in the file. */
  #takenMs = 0;
  /** A write has failed: there is a hole where its bytes should be. */
  #isBroken = false;
  #isOver = false;
  /** What is in the file is to go. */
  #isCleared = false;
  /** Goes before the next message, with its time. */
  #first: RtmpMessage[] = [];
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Where the next tag goes, once all that waits is written. */
  #endAt = HEAD_BYTES;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #flushed: (() => void)[] = [];

  constructor(
    place: () => Promise<string>,
    mode: RecordMode,
    limits: RecordingLimits,
    events: RecordingEvents,
    isSynchronous: () => boolean = () => false,
  ) {
    this.#place = place;
    this.#mode = mode;
    this.#limits = limits;
    this.#free = new FreeSpace(limits.freeDiskMb);
    this.#events = events;
    this.#isSynchronous = isSynchronous;
    this.#writing = this.#open();
  }

  /** The stream's next message. Its payload is kept until it is written. */
  take(message: RtmpMessage): void {
    if (this.#ending || message.payload.length === 0) return;
    const now = performance.now();
    for (const each of this.#first.splice(0)) this.#take({ ...each, timestamp: message.timestamp }, now);
    this.#take(message, now);
  }

  #take(message: RtmpMessage, now: number): void {
    if (!this.#early) return this.#append(message, now);
    this.#early.push([message, now]);
    this.#waitingBytes += message.payload.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES || this.#early.length > MAX_WAITING_MESSAGES) {
      this.#early = [];
      this.#fail('NetStream.Record.Failed', 'the disk does not keep up');
    }
  }

  /** The stream has another source now. */
  splice(): void {
    this.#timeline.splice();
  }

  /** Begins anew with an empty file. */
  clear(): void {
    if (this.#ending) return;
    if (this.#early) {
      this.#early = [];
      this.#waitingBytes = 0;
    }
    this.#isCleared = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#endAt = HEAD_BYTES;
    this.#takenMs = this.#startMs = 0;
    this.#contents.keys = new KeyIndex(MAX_KEY_FRAMES);
    this.#timeline = new Timeline();
    this.#first = [...(this.#events.cleared?.() ?? [])];
    this.#startWriting();
  }

  /** Resolves when all that came so far is with the operating system, or never will be. */
  flush(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushed.push(resolve);
      if (!this.#ending) this.#startWriting();
    });
  }

  /** Resolves when what came so far is found under its name; at once when something is. */
  shown(): Promise<void> {
    const isShown = this.#file?.isHidden === false && !this.#isCleared;
    return isShown ? Promise.resolve() : this.flush();
  }

  /** Completes the file. */
  stop(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #open(): Promise<void> {
    try {
      this.#path = await this.#place();
      await this.#free.check(dirname(this.#path));
      this.#file = this.#mode === 'record' ? await FlvFile.create(this.#path) : await this.#goOn();
    } catch (error) {
      this.#early = undefined;
      this.#waitingBytes = 0;
      this.#writing = undefined;
      return this.#fail(...problemOf(error));
    }
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#waitingBytes = 0;
    this.#writing = undefined;
    this.#events.started();
    for (const [message, at] of early) this.#append(message, at);
    if (this.#flushed.length > 0) this.#startWriting();
  }

  async #goOn(): Promise<FlvFile> {
    const { file, existing, changedAt } = await FlvFile.goOn(this.#path);
    if (!existing || this.#isCleared) return file;
    const { endAt, lastMs, own, hasAudio, hasVideo, keys } = existing;
    this.#contents = { own, hasAudio, hasVideo, keys };
    this.#endAt = endAt;
    this.#startMs = this.#takenMs = lastMs;
    const gapMs = this.#mode === 'appendWithGap' ? Math.max(0, Date.now() - changedAt) : 0;
    // Begins a frame later: two messages of one time would be one picture.
    this.#timeline = new Timeline(Math.min(MAX_TIME_MS, Math.round(lastMs + gapMs + 40)));
    return file;
  }

  #append(message: RtmpMessage, now: number): void {
    const { type, payload } = message;
    const isMedia = type === MessageType.Audio || type === MessageType.Video;
    if (!isMedia && !this.#file?.hasHead && this.#waiting.length === 0) {
      const own = metadataOf(message);
      if (own) {
        this.#contents.own = own;
        return;
      }
    }
    const timeMs = Math.round(this.#timeline.map(message, now));
    const { recordingMs, recordingBytes } = this.#limits;
    const size = flvTagHeaderBytes + payload.length + flvTagTrailerBytes;
    if (timeMs > MAX_TIME_MS) return this.#quota('no file holds more than 24 days');
    if (recordingMs > 0 && timeMs > recordingMs)
      return this.#quota(`it is ${recordingMs / 1000} s long, and that is the limit`);
    if (recordingBytes > 0 && this.#endAt + size > recordingBytes)
      return this.#quota(`it has ${this.#endAt} bytes, and ${recordingBytes} are the limit`);

    if (type === MessageType.Video) {
      this.#contents.hasVideo = true;
      if (isVideoKeyFrame(payload)) this.#contents.keys.add(this.#endAt, timeMs);
    } else if (type === MessageType.Audio) this.#contents.hasAudio = true;
    const back = Buffer.allocUnsafe(flvTagTrailerBytes);
    back.writeUInt32BE(flvTagHeaderBytes + payload.length);
    this.#waiting.push(encodeFlvTagHeader(type, payload.length, timeMs), payload, back);
    this.#waitingBytes += size;
    this.#endAt += size;
    this.#takenMs = Math.max(this.#takenMs, timeMs);
    if (this.#waitingBytes > MAX_WAITING_BYTES || this.#waiting.length > 3 * MAX_WAITING_MESSAGES)
      this.#fail('NetStream.Record.Failed', 'the disk does not keep up');
    else if (this.#waitingBytes >= BATCH_BYTES || this.#isSynchronous()) this.#startWriting();
    else this.#timer ??= setTimeout(() => this.#startWriting(), BATCH_MS);
  }

  #startWriting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing || !this.#file) return;
    const writing = this.#writeAll(this.#file)
      .catch((error) => this.#fail(...problemOf(error)))
      .finally(() => {
        this.#writing = undefined;
        if (this.#waiting.length > 0 && !this.#ending) this.#startWriting();
        else this.#tellFlushed();
      });
    this.#writing = writing;
  }

  async #writeAll(file: FlvFile): Promise<void> {
    try {
      do {
        if (this.#isCleared) {
          this.#isCleared = false;
          await file.empty();
        }
        if (this.#waiting.length === 0) continue;
        await file.begin(this.#contents);
        if (this.#isCleared) continue;
        const batch = Buffer.concat(this.#waiting);
        const lastMs = this.#takenMs;
        this.#waiting = [];
        this.#waitingBytes = 0;
        await this.#free.check(dirname(this.#path));
        await file.append(batch, lastMs);
      } while (this.#waiting.length > 0 || this.#isCleared);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  #tellFlushed(): void {
    for (const tell of this.#flushed.splice(0)) tell();
  }

  #quota(description: string): void {
    this.#fail('NetStream.Record.DiskQuotaExceeded', description);
  }

  #fail(code: StatusCode, description: string): void {
    if (this.#ending) return;
    this.#ending = this.#end({ code, description });
  }

  async #end(problem?: RecordingProblem): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    const file = this.#file;
    let why = problem;
    if (file) {
      const failed = (error: unknown) => {
        const [code, description] = problemOf(error);
        why ??= { code, description };
      };
      if (!this.#isBroken) await this.#writeAll(file).catch(failed);
      await file.complete(this.#contents).catch(failed);
      await file.close().catch(failed);
    }
    this.#waiting = [];
    this.#isOver = true;
    this.#tellFlushed();
    if (why) this.#events.failed(why);
    if (file) this.#events.stopped({ durationMs: file.lastMs - this.#startMs, bytes: file.endAt });
    this.#events.ended?.();
  }
}
