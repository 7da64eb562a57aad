import { decodeValues } from '../../../wire/commands.ts';
import { StagewireError } from '../../../wire/errors.ts';
import { isAudioSequenceHeader, isVideoMetadata, isVideoSequenceHeader } from '../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import type { AmfValue } from '../../../wire/values.ts';
import type { LinkPlace } from '../../links/link.ts';
import { type RemoteStatus, RemoteStream, type RemoteStreamOwner } from '../../links/remote-stream.ts';
import type { Paced, Pacer } from '../play/pacer.ts';
import type { Source, SourceEnd } from './source.ts';

/** What is played there; times as in `PlayRequest`. */
export interface RemoteRequest {
  readonly place: LinkPlace;
  /** With container and query, as the other side is to have it. */
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

export interface RemoteSourceEnd extends SourceEnd {
  /** It plays, or waits for somebody to publish it. */
  started(): void;
  published(isThere: boolean): void;
  notFound(): void;
}

export interface RemoteSettings {
  readonly bufferMs: number;
  /** For each answer of the other side. */
  readonly patienceMs: number;
  readonly pacer: Pacer;
}

/** Data that a server says of one play: no part of the stream. */
const OF_THE_PLAY = ['onStatus', 'onPlayStatus', '|RtmpSampleAccess'];
/** What may wait here of a recording; what comes beyond it goes on at once. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** What a waiting message costs beside its payload. */
const MESSAGE_OVERHEAD = 256;
/** A message whose time differs by more from what is due begins anew. */
const MAX_BACK_MS = 1000;
const MAX_AHEAD_MS = 10_000;
/** The other side ends a recording itself, where it knows how. */
const END_SLACK_MS = 1000;

/**
 * A stream of another instance, here or elsewhere (server-side `Stream.play` with a NetConnection). A live one is passed on as
 * it comes; a recording comes ahead of its time, as much as was said to be buffered, and goes on when it is due.
 */
export class RemoteSource implements Source, Paced, RemoteStreamOwner {
  readonly #request: RemoteRequest;
  readonly #settings: RemoteSettings;
  readonly #end: RemoteSourceEnd;
  readonly #remote: RemoteStream;
  #isRecorded: boolean;
  #hasStarted = false;
  #hasMedia = false;
  /** The other side has sent everything. */
  #isComplete = false;
  #isClosed = false;
  #waiting: RtmpMessage[] = [];
  #waitingBytes = 0;
  /** Where the clock was when the time of the recording was 0; undefined before its first message. */
  #beganAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(request: RemoteRequest, settings: RemoteSettings, end: RemoteSourceEnd) {
    this.#request = request;
    this.#settings = settings;
    this.#end = end;
    this.#isRecorded = request.startMs >= 0;
    this.#remote = new RemoteStream(request.place, this, settings.patienceMs);
  }

  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  start(): void {
    this.#remote.start();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#settings.pacer.remove(this);
    this.#waiting = [];
    this.#remote.close();
  }

  setBuffer(bufferMs: number): void {
    this.#remote.setBuffer(bufferMs);
  }

  opened(): void {
    const { name, startMs, durationMs } = this.#request;
    this.#remote.setBuffer(this.#settings.bufferMs);
    // In milliseconds, as players say it, where the protocol has seconds.
    if (durationMs < 0) this.#remote.command('play', name, startMs);
    else this.#remote.command('play', name, startMs, durationMs);
    // Who waits for a live stream may be told nothing until it is there.
    if (this.#isRecorded) this.#remote.expect('play');
  }

  status({ code, level, description }: RemoteStatus): void {
    switch (code) {
      case 'NetStream.Play.Start':
        return this.#start();
      case 'NetStream.Play.StreamNotFound':
        return this.#end.notFound();
      case 'NetStream.Play.PublishNotify':
        this.#start();
        return this.#end.published(true);
      case 'NetStream.Play.UnpublishNotify':
        this.#end.published(false);
        return this.#complete();
      case 'NetStream.Play.Stop':
        return this.#complete();
      default:
        if (level === 'error') this.#end.failed(description || code);
    }
  }

  recorded(): void {
    this.#isRecorded = true;
  }

  media(message: RtmpMessage): void {
    if (this.#isClosed || this.#isComplete) return;
    const isData = message.type === MessageType.DataAmf0 || message.type === MessageType.DataAmf3;
    if (isData && this.#isOfThePlay(message)) return;
    this.#start();
    if (!isData && !this.#hasMedia && isFrame(message)) this.#noteMedia();
    if (this.#isRecorded) this.#await(message);
    else this.#take(message);
  }

  failed(why: unknown): void {
    this.#end.failed(String(why));
  }

  tick(): void {
    const now = performance.now();
    for (let at = 0; ; at++) {
      const message = this.#waiting[at];
      if (!message || this.#dueAt(message, now) > now) {
        this.#waiting.splice(0, at);
        break;
      }
      this.#waitingBytes -= costOf(message);
      this.#take(message);
      if (this.#isClosed) return;
    }
    if (this.#waiting.length === 0 && this.#isComplete) this.#end.ended();
  }

  /** A server that does not say so has begun all the same when something comes. */
  #start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    this.#remote.heard();
    this.#startTimer(this.#request.durationMs);
    this.#end.started();
  }

  /** A live stream counts from its first being there, and one that is waited for is waited for as long. */
  #startTimer(durationMs: number): void {
    clearTimeout(this.#timer);
    if (durationMs >= 0 && !this.#isRecorded) this.#timer = setTimeout(() => this.#end.ended(), durationMs);
  }

  #noteMedia(): void {
    this.#hasMedia = true;
    const { durationMs } = this.#request;
    if (!this.#isRecorded) return this.#startTimer(durationMs);
    clearTimeout(this.#timer);
    if (durationMs > 0)
      this.#timer = setTimeout(() => this.#complete(), durationMs + this.#settings.bufferMs + END_SLACK_MS);
  }

  /** What has come of a recording is still to be played. */
  #complete(): void {
    if (this.#isClosed || this.#isComplete) return;
    this.#isComplete = true;
    if (this.#waiting.length === 0) this.#end.ended();
  }

  #await(message: RtmpMessage): void {
    if (this.#beganAt === undefined) this.#settings.pacer.add(this);
    this.#waiting.push(message);
    this.#waitingBytes += costOf(message);
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      for (const first of this.#waiting.splice(0, Math.ceil(this.#waiting.length / 2))) {
        this.#waitingBytes -= costOf(first);
        this.#take(first);
        if (this.#isClosed) return;
      }
    }
    this.tick();
  }

  /** When it is to go on. Headers and data have often another time than what is around them. */
  #dueAt(message: RtmpMessage, now: number): number {
    if (!isFrame(message)) return this.#beganAt === undefined ? now : -Infinity;
    const { timestamp } = message;
    this.#beganAt ??= now - timestamp;
    const dueAt = this.#beganAt + timestamp;
    if (dueAt >= now - MAX_BACK_MS && dueAt <= now + MAX_AHEAD_MS + this.#settings.bufferMs) return dueAt;
    this.#beganAt = now - timestamp;
    return now;
  }

  #take(message: RtmpMessage): void {
    this.#end.take({ ...message, streamId: 0 });
    const isPicture = message.type === MessageType.Video && isFrame(message);
    if (isPicture && this.#request.durationMs === 0 && !this.#isClosed) this.#end.ended();
  }

  #isOfThePlay(message: RtmpMessage): boolean {
    let name: AmfValue;
    let info: AmfValue;
    try {
      [name, info] = decodeValues(message, { depth: 4, values: 64 }, 1);
      if (name === 'onPlayStatus') [, info] = decodeValues(message, { depth: 8, values: 256 }, 2);
    } catch (error) {
      if (error instanceof StagewireError) return true; // what nobody can read is no data
      throw error;
    }
    if (typeof info === 'object' && info !== null && Reflect.get(info, 'code') === 'NetStream.Play.Complete')
      this.#complete();
    return typeof name !== 'string' || OF_THE_PLAY.includes(name);
  }
}

function isFrame({ type, payload }: RtmpMessage): boolean {
  if (type === MessageType.Video) return !isVideoSequenceHeader(payload) && !isVideoMetadata(payload);
  return type === MessageType.Audio && !isAudioSequenceHeader(payload);
}

function costOf({ payload }: RtmpMessage): number {
  return payload.length + MESSAGE_OVERHEAD;
}
