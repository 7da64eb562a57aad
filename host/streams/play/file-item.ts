import { setImmediate } from 'node:timers/promises';
import { CodecSupport, needsOfAll } from '../../../wire/codecs.ts';
import { isVideoSequenceHeader } from '../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { describe } from '../../../wire/status.ts';
import type { CodecPolicy } from '../codec-filter.ts';
import { FileProblem, type MediaFile, type Segment } from '../files/media-files.ts';
import { serializeAll } from '../late-join.ts';
import type { Voice } from '../voice.ts';
import { Choice } from './choice.ts';
import { type Item, type ItemEnd, refuseCodec, type Wants } from './item.ts';
import type { Paced, Pacer } from './pacer.ts';
import { PlayClock } from './play-clock.ts';
import { segmentBytes, segmentNeeds } from './segment-bytes.ts';

/** Of a file, in milliseconds. `durationMs`: -1 to its end, 0 for a single frame. */
export interface Range {
  startMs: number;
  durationMs: number;
}

interface Beginning {
  readonly positionMs: number;
  readonly clientMs: number;
  /** The first of a play from the middle. */
  readonly isStart: boolean;
  /** Called when it is found. */
  readonly announce: (() => void) | undefined;
}

/** Sent ahead of the time at which it is due: what clients that name no buffer can do with. */
const MIN_AHEAD_MS = 2000;
/** More is not read for a client before it has taken what waits. */
const MAX_QUEUED_BYTES = 512 * 1024;

/** A recorded file as one viewer plays it: at the file's pace, ahead by the client's buffer. */
export class FileItem implements Item, Paced {
  readonly #name: string;
  readonly #file: MediaFile;
  readonly #voice: Voice;
  readonly #choice: Choice;
  #endMs: number;
  readonly #isSingleFrame: boolean;
  readonly #pacer: Pacer;
  readonly #events: ItemEnd;
  #aheadMs = MIN_AHEAD_MS;
  /** Each beginning at another place is a run; what belongs to the one before comes to nothing. */
  #run = 0;
  #busyRun = -1;
  /** The latest beginning that was asked for while another was looked for. */
  #wanted: Beginning | undefined;
  #isBeginning = false;
  /** Where the next segment begins; undefined when all was read. */
  #position: number | undefined;
  #sentMs = 0;
  readonly #clock = new PlayClock();
  #isPaused = false;
  #sentBytes = 0;
  #isClosed = false;
  /**
   * What is time 0 for the client. Who plays from the middle sees times from there on, and after a seek those of the file: so
   * does librtmp reckon, which writes and resumes files by it.
   */
  #originMs = 0;

  constructor(
    name: string,
    file: MediaFile,
    { startMs, durationMs }: Range,
    voice: Voice,
    wants: Wants,
    pacer: Pacer,
    policy: CodecPolicy,
    events: ItemEnd,
  ) {
    this.#name = name;
    this.#file = file;
    this.#voice = voice;
    this.#endMs = durationMs > 0 ? startMs + durationMs : Number.POSITIVE_INFINITY;
    this.#isSingleFrame = durationMs === 0;
    this.#pacer = pacer;
    const support = policy === 'send' ? CodecSupport.all : voice.transport.codecs;
    this.#choice = new Choice(wants, support, (lack) =>
      refuseCodec(voice, name, lack, policy, () => events.ended()),
    );
    this.#events = events;
    pacer.add(this);
  }

  /** For `onPlayStatus`: seconds, and bytes sent. */
  get figures(): { duration: number; bytes: number } {
    return { duration: this.#file.durationMs / 1000, bytes: this.#sentBytes };
  }

  get endMs(): number {
    return this.#sentMs;
  }

  get originMs(): number {
    return this.#originMs;
  }

  /** Ends before that time, since another item goes on from there. */
  endAt(timeMs: number): void {
    this.#endMs = Math.min(this.#endMs, timeMs);
    this.tick();
  }

  /** Where the client is, by the clock. */
  get nowMs(): number {
    return this.#clock.nowMs;
  }

  start(positionMs: number): void {
    this.#originMs = positionMs;
    this.#tellMetadata();
    this.#begin(positionMs, undefined, positionMs, positionMs > 0);
  }

  /** Takes the place of another, of which the client has not seen all that it was sent. */
  goOn(positionMs: number, { nowMs, originMs }: FileItem): void {
    this.#originMs = originMs;
    this.#tellMetadata();
    this.#begin(positionMs, undefined, nowMs);
  }

  pause(isPaused: boolean, positionMs: number | undefined): void {
    if (isPaused) {
      this.#isPaused = true;
      this.#clock.stop();
      this.#voice.status('NetStream.Pause.Notify', describe.paused(this.#name), this.#name);
      return;
    }
    this.#voice.status('NetStream.Unpause.Notify', describe.unpaused(this.#name), this.#name);
    this.#voice.status('NetStream.Play.Start', describe.playStarted(this.#name), this.#name);
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // The client goes on from where it says that it is: what was sent beyond that it has thrown away.
    this.#begin(positionMs === undefined ? this.#clock.nowMs : positionMs + this.#originMs);
  }

  seek(positionMs: number): void {
    const wanted = Math.max(0, Math.floor(positionMs));
    if (wanted > this.#file.durationMs) {
      const last = String(this.#file.durationMs / 1000);
      this.#voice.status('NetStream.Seek.InvalidTime', `${this.#name} ends at ${last} s.`, last);
      return;
    }
    this.#begin(wanted, () => {
      this.#originMs = 0;
      this.#voice.event('StreamEof');
      this.#voice.event('StreamIsRecorded');
      this.#voice.event('StreamBegin');
      this.#voice.status('NetStream.Seek.Notify', describe.seeking(wanted, this.#voice.streamId), this.#name);
      this.#voice.status('NetStream.Play.Start', describe.playStarted(this.#name), this.#name);
      this.#tellMetadata();
    });
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#choice.receive(medium, isWanted);
  }

  limitFrames(fps: number | undefined): void {
    this.#choice.limitFrames(fps);
  }

  setBuffer(bufferMs: number): void {
    this.#aheadMs = Math.max(MIN_AHEAD_MS, bufferMs);
    this.tick();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#run++;
    this.#pacer.remove(this);
    this.#file.release();
  }

  tick(): void {
    if (this.#busyRun === this.#run || this.#isPaused || this.#isClosed || !this.#clock.isRunning) return;
    void this.#work(this.#run, () => this.#fill(this.#run));
  }

  failed(error: unknown): void {
    this.#voice.transport.fail(error);
  }

  /** Begins at the last key frame before that time. However often a client seeks, the file is asked one thing at a time. */
  #begin(positionMs: number, announce?: () => void, clientMs = positionMs, isStart = false): void {
    this.#run++;
    this.#clock.stop();
    this.#wanted = { positionMs, clientMs, isStart, announce };
    if (!this.#isBeginning) void this.#beginWanted();
  }

  async #beginWanted(): Promise<void> {
    this.#isBeginning = true;
    while (this.#wanted && !this.#isClosed) {
      const beginning = this.#wanted;
      this.#wanted = undefined;
      await this.#beginAt(beginning, this.#run);
    }
    this.#isBeginning = false;
  }

  #beginAt({ positionMs, clientMs, isStart, announce }: Beginning, run: number): Promise<void> {
    return this.#work(run, async () => {
      const { position, timestampMs, isBeyondEnd } = await this.#file.seek(positionMs);
      if (run !== this.#run) return;
      const headers = await this.#file.headersAt(position);
      if (run !== this.#run) return;
      announce?.();
      if (isBeyondEnd) {
        this.#position = undefined;
        return this.#end();
      }
      this.#position = position;
      this.#sentMs = timestampMs;
      if (isStart) this.#originMs = timestampMs;
      this.#choice.begin();
      // The time runs from where the client wants to be; what comes before that is for its decoder.
      this.#clock.set(clientMs, !this.#isPaused);
      for (const needs of needsOfAll(headers)) this.#choice.meet(needs);
      this.#write(this.#choice.of(headers).map((header) => ({ ...header, timestamp: timestampMs })));
      if (this.#isPaused) return this.#showFrame(run);
      await this.#fill(run);
    });
  }

  async #work(run: number, task: () => Promise<void>): Promise<void> {
    this.#busyRun = run;
    try {
      await task();
    } catch (error) {
      if (!(error instanceof FileProblem)) return this.failed(error);
      if (run === this.#run && !this.#isClosed) this.#events.failed(error.message);
    } finally {
      if (this.#busyRun === run) this.#busyRun = -1;
    }
  }

  /** Sends as far ahead as the client's buffer goes. The pacer, or the client's reading, brings us back. */
  async #fill(run: number): Promise<void> {
    while (run === this.#run && !this.#isPaused && this.#position !== undefined) {
      if (this.#sentMs >= this.#endMs) this.#position = undefined;
      if (this.#position === undefined) break;
      if (this.#sentMs - this.#clock.nowMs >= this.#aheadMs) return;
      if (this.#voice.transport.queuedBytes > MAX_QUEUED_BYTES) return;
      const segment = await this.#file.read(this.#position);
      if (run !== this.#run || this.#isPaused) return;
      if (this.#isSingleFrame) return this.#sendFrame(segment);
      this.#send(segment);
      // What is in memory already comes without a pause, and hundreds of viewers may want a minute of it at once.
      await setImmediate();
    }
    if (run === this.#run && !this.#isPaused && this.#position === undefined) this.#end();
  }

  #tellMetadata(): void {
    const { metadata } = this.#file;
    if (metadata) this.#write([{ type: MessageType.DataAmf0, streamId: 0, timestamp: 0, payload: metadata }]);
  }

  /** A viewer who is paused sees where it is. */
  async #showFrame(run: number): Promise<void> {
    if (this.#position === undefined) return;
    const segment = await this.#file.read(this.#position);
    if (run !== this.#run) return;
    const frame = segment.messages.find(isFrame);
    const picture = frame && this.#choice.picture(frame);
    if (picture) this.#write([picture]);
  }

  #sendFrame({ messages, next }: Segment): void {
    const at = messages.findIndex(this.#file.hasVideo ? isFrame : () => true);
    this.#write(this.#choice.suitable(messages.slice(0, at + 1)));
    this.#position = at < 0 ? next : undefined;
    if (this.#position === undefined) this.#end();
  }

  #send(segment: Segment): void {
    const { messages, next, endMs } = segment;
    for (const needs of segmentNeeds(segment)) this.#choice.meet(needs);
    const isLast = endMs >= this.#endMs;
    if (this.#choice.isAll && !isLast && this.#originMs === 0) {
      const bytes = segmentBytes(segment, this.#voice.transport.format, this.#voice.streamId);
      this.#sentBytes += bytes.length;
      this.#voice.transport.write(bytes, messages.length, this.#goOn);
    } else {
      this.#write(this.#choice.of(messages.filter(({ timestamp }) => timestamp < this.#endMs)));
    }
    this.#sentMs = Math.max(this.#sentMs, endMs);
    this.#position = isLast ? undefined : next;
  }

  /** The client has taken what was written: there may be room for more. */
  readonly #goOn = () => {
    if (this.#voice.transport.queuedBytes <= MAX_QUEUED_BYTES / 2) this.tick();
  };

  #write(messages: readonly RtmpMessage[]): void {
    if (messages.length === 0) return;
    const { transport, streamId } = this.#voice;
    const origin = this.#originMs;
    const shown = origin === 0 ? messages : messages.map((message) => fromOrigin(message, origin));
    const bytes = serializeAll(transport.format, shown, streamId);
    this.#sentBytes += bytes.length;
    transport.write(bytes, messages.length, this.#goOn);
  }

  #end(): void {
    this.#clock.stop();
    this.#events.ended();
  }
}

/** What lies before, such as metadata with time 0, is at the origin. */
function fromOrigin(message: RtmpMessage, originMs: number): RtmpMessage {
  return { ...message, timestamp: Math.max(0, message.timestamp - originMs) };
}

function isFrame({ type, payload }: RtmpMessage): boolean {
  return type === MessageType.Video && payload.length > 0 && !isVideoSequenceHeader(payload);
}
