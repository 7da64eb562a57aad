import { randomUUID } from 'node:crypto';
import { codecTitleOf } from '../../wire/codec-titles.ts';
import { type MediaNeeds, nameOfNeeds, needsOf } from '../../wire/codecs.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import type { OutMessage, WindowReader } from '../rtmp/ports.ts';
import { Audience } from './audience.ts';
import type { CodecPolicy } from './codec-filter.ts';
import { LateJoin } from './late-join.ts';
import { Newcomers } from './newcomers.ts';
import type { Recording } from './recording/recording.ts';
import { Timeline } from './timeline.ts';
import type { Viewer, ViewerLimits } from './viewer.ts';
import type { WindowMs, Windows } from './windows.ts';

export interface LiveStreamLimits extends ViewerLimits {
  /** The group of pictures kept for late joiners. */
  gopBytes: number;
}

/** What the streams of an instance have in common. */
export interface StreamHouse {
  readonly windows: Windows;
  readonly limits: LiveStreamLimits;
  /** What the application chose; undefined for one that grows with the server's viewers. */
  readonly windowMs: WindowMs | undefined;
  readonly codecPolicy: CodecPolicy;
  /** Something went wrong with a stream which nobody had thought of. */
  failed(stream: string, error: unknown): void;
  /** Publishing live removes the recording of that name. */
  readonly erasesOnPublish: boolean;
}

/** Who a stream comes from: a client, or the server itself, which has no client's id. */
export interface Publisher {
  readonly clientId: string;
  /** Of a source that comes from another server: what it has there. */
  readonly publication?: string;
  /** Whether it gives a sign of life within that time. */
  isAlive(withinMs: number): Promise<boolean>;
  /** The name is taken from it. It may not publish again before that returns. */
  evicted(): void;
  /** Asks for a key frame; undefined of those that do not know that. */
  forceKeyFrame?: (() => void) | undefined;
  /** Of those that can be read once for each window. */
  readonly reader?: WindowReader | undefined;
}

/** Takes what a stream carries within the server: what records it, or sends it on under another name. */
export interface Tap {
  take(message: RtmpMessage): void;
  /** Another source than before is there, or none. */
  sourceChanged(isThere: boolean): void;
}

/** Of one source: that many it tells its viewers of. */
const MAX_NEEDS = 64;
/** FMS, Application.xml, MaxLatency. */
const MAX_LATENCY_MS = 500;
/** A window ends early when so much has come. */
const EARLY_BYTES = 256 * 1024;

/**
 * One live stream: a name with at most one source and any number of viewers, who stay when the source goes and go
 * on with the next. What arrives in one window goes to each viewer as one write, of bytes that all viewers of a
 * format share.
 */
export class LiveStream {
  readonly name: string;
  readonly #house: StreamHouse;
  readonly #onIdle: () => void;
  readonly #onData: (message: RtmpMessage) => void;
  readonly #audiences = new Map<string, Audience>();
  readonly #late: LateJoin;
  readonly #newcomers = new Newcomers((viewer) => this.#admitLater(viewer));
  #publisher: Publisher | undefined;
  #publication = '';
  #pending: OutMessage[] = [];
  #pendingBytes = 0;
  /** What is on its way to the viewers, and whether what is pending is to follow at once. */
  #sending: Generator<void, void> | undefined;
  #isDue = false;
  #isInStep = false;
  #windowMs: WindowMs = 0;
  /** What viewers must know, beyond RTMP 1.0, for what has come from the present source; `undefined` for all beyond the bound. */
  readonly #needs = new Map<string, MediaNeeds | undefined>();
  #viewers = 0;
  /** Of the last audio or video message, and when it came. */
  #lastTime = 0;
  #pushedAt = performance.now();
  /** All its sources after each other, for formats whose times may not go back; and what brings the present one there. */
  #timeline: Timeline | undefined;
  #shiftMs = 0;
  #recording: Recording | undefined;
  readonly #taps = new Set<Tap>();
  /** Something went wrong with the present source: it would be told with every window. */
  #hasFailed = false;
  /** Bytes of media received from the present publisher. */
  bytesIn = 0;

  constructor(
    name: string,
    house: StreamHouse,
    onIdle: () => void,
    onData: (message: RtmpMessage) => void = () => {},
  ) {
    this.name = name;
    this.#house = house;
    this.#onIdle = onIdle;
    this.#onData = onData;
    this.#late = new LateJoin(() => house.limits.gopBytes);
  }

  get publisher(): Publisher | undefined {
    return this.#publisher;
  }

  /** Names what the present source has published since it came, on whatever server; empty without one. */
  get publication(): string {
    return this.#publication;
  }

  get viewerCount(): number {
    return this.#viewers;
  }

  /** Takes the name for this source. False when it has one: the second gets BadName. */
  publish(publisher: Publisher): boolean {
    if (this.#publisher) return false;
    this.#publisher = publisher;
    this.#publication = publisher.publication ?? randomUUID();
    this.bytesIn = 0;
    this.#hasFailed = false;
    this.#recording?.splice();
    this.#timeline?.splice();
    for (const tap of this.#taps) tap.sourceChanged(true);
    this.#eachViewer((viewer) => viewer.published());
    return true;
  }

  /** The source ends; another publisher's request to end is ignored. */
  unpublish(publisher: Publisher): void {
    if (this.#publisher !== publisher) return;
    this.#newcomers.release();
    this.flush();
    this.#publisher = undefined;
    this.#publication = '';
    this.#late.forget();
    this.#needs.clear();
    for (const tap of this.#taps) tap.sourceChanged(false);
    this.#eachViewer((viewer) => viewer.unpublished());
    this.checkIdle();
  }

  /** Adds a viewer, at once or when a key frame has come that the source was asked for. */
  join(viewer: Viewer): void {
    this.#viewers++;
    this.#house.windows.viewers++;
    if (this.askKeyFrame() && !viewer.awaitsKeyFrame) this.#newcomers.hold(viewer);
    else this.#admit(viewer);
  }

  /** A viewer waits for a key frame. Whether one is on its way. */
  askKeyFrame(): boolean {
    return this.#newcomers.ask(this.#late.ageMs, this.#publisher?.forceKeyFrame);
  }

  /** What goes wrong with it is not the fault of whoever sent the key frame. */
  #admitLater(viewer: Viewer): void {
    try {
      this.#admit(viewer);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Gives a viewer what a late joiner needs: metadata, codec headers, the pictures since the key frame. */
  #admit(viewer: Viewer): void {
    this.flush();
    const { format } = viewer.transport;
    const key = keyOf(viewer);
    let audience = this.#audiences.get(key);
    if (!audience) {
      audience = new Audience(format, viewer.streamId);
      this.#audiences.set(key, audience);
    }
    audience.viewers.add(viewer);
    for (const needs of this.#needs.values()) viewer.meet(needs);
    viewer.start(this.#late.catchUp, () => this.#late.bytesFor(format, viewer.streamId));
  }

  leave(viewer: Viewer): void {
    const key = keyOf(viewer);
    const audience = this.#audiences.get(key);
    if (!this.#newcomers.remove(viewer) && !audience?.viewers.delete(viewer)) return;
    if (audience?.viewers.size === 0) this.#audiences.delete(key);
    this.#viewers--;
    this.#house.windows.viewers--;
    this.checkIdle();
  }

  /** The catch-up of a viewer who was away (paused): a late joiner's, without the data that it has. */
  resume(viewer: Viewer): void {
    if (this.#newcomers.remove(viewer)) this.#admit(viewer);
    this.askKeyFrame();
    this.flush();
    viewer.resume(this.#late.catchUp);
  }

  get recording(): Recording | undefined {
    return this.#recording;
  }

  /** What its source sends, by name, as far as what is kept for late joiners tells. */
  codecOf(type: number): string | undefined {
    const { headers, pictures } = this.#late.catchUp;
    const told =
      headers.find((message) => message.type === type) ?? pictures.find((one) => one.type === type);
    return told && codecTitleOf(type, told.payload);
  }

  /** What whoever takes the stream from now on needs first. */
  get headers(): readonly RtmpMessage[] {
    const { dataFrames, headers } = this.#late.catchUp;
    return [...dataFrames, ...headers];
  }

  /** What comes from now on is recorded, from the last key frame on. */
  record(recording: Recording): void {
    this.#recording = recording;
    this.#catchUp(recording);
  }

  /** The tap takes all that comes, from the last key frame on. */
  tap(tap: Tap): void {
    this.#taps.add(tap);
    this.#catchUp(tap);
  }

  untap(tap: Tap): void {
    if (this.#taps.delete(tap)) this.checkIdle();
  }

  #catchUp(tap: Pick<Tap, 'take'>): void {
    const { pictures } = this.#late.catchUp;
    const timestamp = pictures[0]?.timestamp ?? 0;
    for (const message of this.headers) tap.take({ ...message, timestamp });
    for (const message of pictures) tap.take(message);
  }

  /** Another recording than the present one goes on. */
  stopRecording(recording: Recording): Promise<void> {
    if (this.#recording === recording) {
      this.#recording = undefined;
      this.checkIdle();
    }
    return recording.stop();
  }

  /** Data for those who are here and those who come later (`@setDataFrame`). */
  setDataFrame(key: string, message: RtmpMessage, isOurs = false): void {
    const frame: OutMessage = { ...message, isDataFrame: true };
    this.#late.setDataFrame(key, this.#shifted(frame));
    this.push(frame, isOurs);
  }

  clearDataFrame(key: string): void {
    this.#late.clearDataFrame(key);
  }

  /** The time for a message of the server's own: that of the last, or as much later as has passed since (FMS, MaxLatency). */
  get nowForData(): number {
    const passed = performance.now() - this.#pushedAt;
    return (passed > MAX_LATENCY_MS ? this.#lastTime + Math.round(passed) : this.#lastTime) >>> 0;
  }

  /** The same for formats whose times go on. */
  get nowOnTimeline(): number {
    return (this.nowForData + this.#shiftMs) >>> 0;
  }

  /** Audio, video or data of the source, in order. The payload is kept: it must not change. `isOurs`: it comes from the script. */
  push(message: RtmpMessage, isOurs = false): void {
    this.bytesIn += message.payload.length;
    if (message.type === MessageType.Audio || message.type === MessageType.Video) {
      this.#noteNeeds(message);
      this.#lastTime = message.timestamp;
      this.#pushedAt = performance.now();
      this.#timeline ??= new Timeline(message.timestamp);
      this.#shiftMs = (this.#timeline.map(message, this.#pushedAt) - message.timestamp) | 0;
    } else if (!isOurs) this.#onData(message);
    const shifted = this.#shifted(message);
    const isBeginning = this.#late.remember(shifted);
    if (this.#recording) this.#give(this.#recording, message);
    for (const tap of this.#taps) this.#give(tap, message);
    if (this.#viewers > 0) this.#await(shifted);
    if (isBeginning) this.#newcomers.release();
  }

  /** Data for whoever passes the stream on: other servers that play it, and taps. */
  pass(message: RtmpMessage): void {
    this.flush();
    this.#eachViewer(({ transport, streamId }) => {
      if (transport.marksLoops) transport.send({ ...message, streamId });
    });
    for (const tap of this.#taps) this.#give(tap, message);
  }

  /** Sends it when the window ends. */
  #await(message: OutMessage): void {
    this.#pending.push(message);
    this.#pendingBytes += message.payload.length;
    if (this.#pending.length === 1) {
      const { windows, windowMs } = this.#house;
      this.#windowMs = windows.lengthFor(windowMs);
      windows.wait(this, this.#windowMs);
    } else if (this.#pendingBytes > EARLY_BYTES && this.#windowMs > 0) this.#sendInRounds();
  }

  endWindow(): void {
    this.#sendInRounds();
    const reader = this.#publisher?.reader;
    // Taps take what comes at once.
    if (reader && this.#windowMs > 0 && this.#taps.size === 0)
      this.#house.windows.readAtEnd(reader, this.#windowMs);
  }

  /** Sends what has come, as far as there is time in this round of the event loop, and the rest in the next ones. */
  #sendInRounds(): void {
    this.#isDue = true;
    if (!this.#sending)
      void this.#house.windows.rounds.run(
        () => this.#sendOn(),
        () => {},
      );
  }

  /** Sends all that has come at once: what follows may not come before it. */
  flush(): void {
    this.#isDue = true;
    while (this.#sendOn());
  }

  /** Sends to one more viewer. Whether there are others. */
  #sendOn(): boolean {
    // A viewer that is closed for being slow may be who publishes.
    if (this.#isInStep) return false;
    if (!this.#sending) {
      const isDue = this.#isDue;
      this.#isDue = false;
      if (!isDue || this.#pending.length === 0) return false;
      this.#sending = this.#send();
    }
    this.#isInStep = true;
    try {
      if (this.#sending.next().done) this.#sending = undefined;
    } finally {
      this.#isInStep = false;
    }
    return true;
  }

  *#send(): Generator<void, void> {
    const messages = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const { windows, limits } = this.#house;
    const figures = windows.figuresOf(this.#windowMs);
    figures.flushes++;
    figures.messages += messages.length;
    const now = performance.now();
    for (const audience of this.#audiences.values()) {
      try {
        yield* audience.send(messages, windows.pool, now, limits, figures);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  /** Whoever takes it fails alone. */
  #give(tap: Pick<Tap, 'take'>, message: RtmpMessage): void {
    try {
      tap.take(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.#hasFailed) this.#house.failed(this.name, error);
    this.#hasFailed = true;
  }

  /** Viewers that do not know what is needed hear of it before the first message that needs it. */
  #noteNeeds({ type, payload }: RtmpMessage): void {
    const needs = needsOf(type, payload);
    if (!needs || this.#needs.size > MAX_NEEDS) return;
    const name = nameOfNeeds(needs);
    if (this.#needs.has(name)) return;
    this.flush();
    const told = this.#needs.size < MAX_NEEDS ? needs : undefined;
    this.#needs.set(name, told);
    this.#eachViewer((viewer) => viewer.meet(told));
  }

  /** A message of another stream may bring that one's shift. */
  #shifted(message: OutMessage): OutMessage {
    const { shiftMs = 0 } = message;
    return shiftMs === this.#shiftMs ? message : { ...message, shiftMs: this.#shiftMs };
  }

  #eachViewer(tell: (viewer: Viewer) => void): void {
    for (const { viewers } of this.#audiences.values()) for (const viewer of viewers) tell(viewer);
  }

  /** It goes when nobody has anything to do with it; for whoever has opened it and left nothing behind, too. */
  checkIdle(): void {
    if (!this.#publisher && !this.#recording && this.#taps.size === 0 && this.#viewers === 0) this.#onIdle();
  }
}

function keyOf({ transport, streamId }: Viewer): string {
  return `${transport.format.name}/${streamId}`;
}
