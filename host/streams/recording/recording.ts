import { type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { encodeFlvTagHeader, flvTagHeaderBytes, flvTagTrailerBytes } from '../../../wire/flv.ts';
import { isVideoKeyFrame } from '../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import type { StatusCode } from '../../../wire/status.ts';
import type { AmfValue } from '../../../wire/values.ts';
import { StagewireError } from '../../base/errors.ts';
import { Timeline } from '../timeline.ts';
import { DiskFull, freeMbOf } from './disk.ts';
import { readExisting } from './existing.ts';
import { encodeHead, HEAD_BYTES, MAX_KEY_FRAMES, ownMetadata } from './flv-head.ts';
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
  /** Called once if it started: what there is of the file is complete. */
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
const FREE_CHECK_MS = 2000;
/** FLV times are signed 32-bit numbers. */
const MAX_TIME_MS = 0x7fffffff;

/**
 * One stream on its way to a file. Tags are only ever appended, so that the file can be read up to the last batch
 * whatever happens; its duration and key frames are written into the head when it ends. Nobody waits for the disk.
 */
export class Recording {
  readonly #place: () => Promise<string>;
  #path = '';
  readonly #mode: RecordMode;
  readonly #limits: RecordingLimits;
  readonly #events: RecordingEvents;
  readonly #isSynchronous: () => boolean;
  #file: FileHandle | undefined;
  /** What came before the file was open. */
  #early: [message: RtmpMessage, at: number][] | undefined = [];
  #timeline = new Timeline();
  #keys = new KeyIndex(MAX_KEY_FRAMES);
  #own: Record<string, AmfValue> = {};
  #hasAudio = false;
  #hasVideo = false;
  /** A file of other making: its head stays. */
  #hasHead = true;
  #isHeadWritten = false;
  #startMs = 0;
  /** Of the last message that is in the file, and of the last that is to be. */
  #writtenMs = 0;
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
  #writtenTo = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #checkedFreeAt = Number.NEGATIVE_INFINITY;
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
    this.#keys = new KeyIndex(MAX_KEY_FRAMES);
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

  /** Completes the file. */
  stop(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #open(): Promise<void> {
    try {
      this.#path = await this.#place();
      await this.#checkFree();
      if (this.#mode === 'record') {
        // Who plays what was there goes on with it.
        await unlink(this.#path).catch(unlessMissing);
        this.#file = await open(this.#path, 'wx+');
      } else {
        this.#file = await open(this.#path, 'r+').catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
          return open(this.#path, 'wx+');
        });
        await this.#goOn(this.#file);
      }
    } catch (error) {
      this.#early = undefined;
      this.#waitingBytes = 0;
      this.#writing = undefined;
      // Whatever it is, it is not ours to change.
      const file = this.#file;
      this.#file = undefined;
      await file?.close().catch(() => {}); // nothing was written
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

  /** Reads what is there, cuts off what a crash left of a tag, and goes on behind it. */
  async #goOn(file: FileHandle): Promise<void> {
    const { size, mtimeMs } = await file.stat();
    if (size === 0) return;
    const existing = await readExisting(file);
    if (existing.endAt < size) await file.truncate(existing.endAt);
    if (this.#isCleared) return;
    this.#endAt = this.#writtenTo = existing.endAt;
    this.#keys = existing.keys;
    this.#own = existing.own;
    this.#hasAudio = existing.hasAudio;
    this.#hasVideo = existing.hasVideo;
    this.#isHeadWritten = true;
    this.#hasHead = existing.hasOurHead;
    const gapMs = this.#mode === 'appendWithGap' ? Math.max(0, Date.now() - mtimeMs) : 0;
    // Begins a frame later: two messages of one time would be one picture.
    this.#startMs = this.#writtenMs = this.#takenMs = existing.lastMs;
    this.#timeline = new Timeline(Math.min(MAX_TIME_MS, Math.round(existing.lastMs + gapMs + 40)));
  }

  #append(message: RtmpMessage, now: number): void {
    const { type, payload } = message;
    const isMedia = type === MessageType.Audio || type === MessageType.Video;
    if (!isMedia && !this.#isHeadWritten && this.#waiting.length === 0) {
      const own = metadataOf(message);
      if (own) {
        this.#own = own;
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
      this.#hasVideo = true;
      if (isVideoKeyFrame(payload)) this.#keys.add(this.#endAt, timeMs);
    } else if (type === MessageType.Audio) this.#hasAudio = true;
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

  async #writeAll(file: FileHandle): Promise<void> {
    try {
      do {
        if (this.#isCleared) {
          this.#isCleared = this.#isHeadWritten = false;
          this.#hasHead = true;
          this.#writtenMs = 0;
          await file.truncate(0);
        }
        if (!this.#isHeadWritten) {
          await writeFully(file, encodeHead(this.#own, this.#figures), 0);
          this.#isHeadWritten = true;
          this.#writtenTo = HEAD_BYTES;
        }
        if (this.#waiting.length === 0) continue;
        const batch = Buffer.concat(this.#waiting);
        const endMs = this.#takenMs;
        this.#waiting = [];
        this.#waitingBytes = 0;
        await this.#checkFree();
        await writeFully(file, batch, this.#writtenTo);
        this.#writtenTo += batch.length;
        this.#writtenMs = endMs;
      } while (this.#waiting.length > 0 || this.#isCleared);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  #tellFlushed(): void {
    for (const tell of this.#flushed.splice(0)) tell();
  }

  get #figures() {
    return {
      durationMs: this.#writtenMs,
      bytes: this.#writtenTo,
      hasAudio: this.#hasAudio,
      hasVideo: this.#hasVideo,
      keys: this.#keys,
    };
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
      await this.#complete(file).catch(failed);
      await file.close().catch(failed);
    }
    this.#waiting = [];
    this.#isOver = true;
    this.#tellFlushed();
    if (why) this.#events.failed(why);
    if (file) this.#events.stopped({ durationMs: this.#writtenMs - this.#startMs, bytes: this.#writtenTo });
    this.#events.ended?.();
  }

  /** Half a tag at the end is cut off, and the head told what there is. */
  async #complete(file: FileHandle): Promise<void> {
    const { size } = await file.stat();
    if (size > this.#writtenTo) await file.truncate(this.#writtenTo);
    this.#keys.cutAt(this.#writtenTo);
    if (this.#hasHead && this.#isHeadWritten) await writeFully(file, encodeHead(this.#own, this.#figures), 0);
    await file.datasync();
  }

  async #checkFree(): Promise<void> {
    const now = performance.now();
    if (now - this.#checkedFreeAt < FREE_CHECK_MS) return;
    this.#checkedFreeAt = now;
    const freeMb = await freeMbOf(dirname(this.#path));
    if (freeMb < this.#limits.freeDiskMb) throw new DiskFull(freeMb, this.#limits.freeDiskMb);
  }
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

function metadataOf({ type, payload }: RtmpMessage): Record<string, AmfValue> | undefined {
  if (type !== MessageType.DataAmf0) return undefined;
  try {
    const own = ownMetadata(payload);
    return Object.keys(own).length > 0 ? own : undefined;
  } catch (error) {
    if (error instanceof StagewireError) return undefined; // not ours to judge: it is recorded as it came
    throw error;
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
