import type { MediaNeeds } from '../../wire/codecs.ts';
import { isVideoMetadata, isVideoSequenceHeader } from '../../wire/media-head.ts';
import { MessageType } from '../../wire/messages.ts';
import type { Lane, MediaTransport, OutMessage, SharedBytes } from '../rtmp/ports.ts';
import { CodecFilter } from './codec-filter.ts';
import { EntryTrack } from './entry-track.ts';
import { FrameLimit } from './frame-limit.ts';
import { type CatchUp, type CatchUpBytes, serializeAll, withTimeOf } from './late-join.ts';

export interface ViewerLimits {
  /** What may wait for one viewer. */
  viewerQueueBytes: number;
  /** What it may be sent beyond what it says it has played. */
  viewerDelayMs: number;
  slowViewerMs: number;
}

/** What a viewer's stream has to say of its source. */
export interface ViewerEvents {
  published(): void;
  unpublished(): void;
  /** From now on it is behind, and pictures are left out. */
  behind?(): void;
  /** Behind for longer than it may be. */
  tooSlow(): void;
  /** The stream has a codec, or `TRACKS`, that the client did not announce. */
  refused(lack: string): void;
  /** A picture was left out since a key frame has to come first. */
  waits?(): void;
}

/** What a viewer takes of a window: all of it, what is chosen for it, or nothing. */
export type Share = 'all' | 'some' | 'none';

/** What a viewer that is behind does not get. */
type Drop = 'nothing' | 'video' | 'media' | 'all';

/** One play of a live stream by one client. */
export class Viewer {
  /** It took all of the last window and nothing has changed since: only what waits for it can. */
  #isSteady = false;
  readonly #lane: Lane | undefined;
  readonly transport: MediaTransport;
  readonly streamId: number;
  readonly #events: ViewerEvents;
  readonly #codecs: CodecFilter;
  #wantsAudio = true;
  #wantsVideo = true;
  #limit: FrameLimit | undefined;
  #isPaused = false;
  /** Sent with the time of the next message. */
  #headers: readonly OutMessage[] = [];
  /** Inter frames are of no use before a key frame. */
  #needsKeyFrame = true;
  readonly #entry = new EntryTrack();
  #behindSince: number | undefined;
  /** What waited for it when it fell behind. */
  #queuedThen = 0;
  #dropped: Drop = 'nothing';
  /** Of the last audio or video that it was sent. */
  #sentTime = 0;
  /** Up to where it has played; undefined while it has not said. */
  #playedTime: number | undefined;
  /** While it waits for a new key frame. */
  #began: (() => void) | undefined;
  /** What is chosen of one round, until it is written. */
  #chosen: OutMessage[] = [];

  constructor(transport: MediaTransport, streamId: number, events: ViewerEvents, codecs = transport.codecs) {
    this.transport = transport;
    this.#lane = transport.lane;
    this.streamId = streamId;
    this.#events = events;
    this.#codecs = new CodecFilter(codecs, (lack) => events.refused(lack));
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** It begins with a key frame that is still to come. */
  get awaitsKeyFrame(): boolean {
    return this.#began !== undefined;
  }

  get #takesAll(): boolean {
    return this.#wantsAudio && this.#wantsVideo && !this.#limit && !this.#codecs.isActive;
  }

  published(): void {
    this.#needKeyFrame();
    this.#headers = [];
    this.#playedTime = undefined;
    this.#events.published();
  }

  unpublished(): void {
    this.#codecs.reset();
    this.#events.unpublished();
  }

  /** The stream carries that. */
  meet(needs: MediaNeeds | undefined): void {
    this.#isSteady = false;
    this.#codecs.meet(needs);
  }

  pause(): void {
    this.#isSteady = false;
    this.#isPaused = true;
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#isSteady = false;
    if (medium === 'audio') {
      this.#wantsAudio = isWanted;
    } else if (isWanted !== this.#wantsVideo) {
      this.#wantsVideo = isWanted;
      this.#needKeyFrame();
    }
  }

  /** The client has played up to that timestamp. */
  played(timestamp: number): void {
    this.#isSteady = false;
    this.#playedTime = timestamp;
  }

  /** At most so many pictures per second, as far as they can be left out; undefined for all. */
  limitFrames(fps: number | undefined): void {
    this.#isSteady = false;
    if (this.#limit?.isBroken) this.#needKeyFrame();
    this.#limit = fps === undefined ? undefined : new FrameLimit(fps);
  }

  /** Nothing is sent before a key frame comes that is new; `began` is called before it is written. */
  awaitKeyFrame(began: () => void): void {
    this.#isSteady = false;
    this.#began = began;
  }

  /** Begins. `shared` has the catch-up as bytes, for whom takes all of it. */
  start(catchUp: CatchUp, shared: () => CatchUpBytes): void {
    if (this.#began) {
      this.#headers = catchUp.headers;
      return;
    }
    if (this.#takesAll && catchUp.pictures.length > 0) {
      this.#needsKeyFrame = false;
      this.#noteSent(catchUp.pictures);
      const { pieces, messages } = shared();
      for (const [i, bytes] of pieces.entries()) this.transport.write(bytes, i === 0 ? messages : 0);
      return;
    }
    for (const message of catchUp.dataFrames) this.#chosen.push({ ...message, timestamp: 0 });
    this.#begin(catchUp);
  }

  /** Begins again after a pause; it has the data frames. */
  resume(catchUp: CatchUp): void {
    this.#isPaused = false;
    this.#begin(catchUp);
  }

  /** Sends it all of a window the short way. False, and nothing is sent, when it has to be asked what it takes. */
  pass(shared: SharedBytes, messages: number): boolean {
    return this.#isSteady && this.#lane?.pass(shared, messages) === true;
  }

  /** What it takes of these messages. A viewer that takes some of them is given them by `sendSome`. */
  shareOf(messages: readonly OutMessage[], now: number, limits: ViewerLimits): Share {
    const { transport } = this;
    if (this.#isSteady && transport.queuedBytes <= limits.viewerQueueBytes) return 'all';
    if (this.#isPaused) return 'none';
    this.#dropped = this.#dueDrop(now, limits);
    if (this.#dropped === 'all') {
      transport.traffic.messagesDropped += messages.length;
      return 'none';
    }
    const isComplete = this.#takesAll && !this.#needsKeyFrame && this.#headers.length === 0;
    if (!isComplete || this.#behindSince !== undefined) return 'some';
    this.#noteSent(messages);
    this.#isSteady = this.#playedTime === undefined && transport.lag === undefined;
    return 'all';
  }

  sendSome(messages: readonly OutMessage[]): void {
    for (const message of messages) this.#choose(message);
    this.#writeChosen();
  }

  /**
   * Beyond its bounds a viewer loses video until the next key frame, half as much further audio too; of data messages it
   * gets as much again (FMS: they are never dropped). One that plays what it was sent too slowly is not closed for it.
   */
  #dueDrop(now: number, { viewerQueueBytes, viewerDelayMs, slowViewerMs }: ViewerLimits): Drop {
    const queued = this.transport.queuedBytes;
    const { lag = 0 } = this.transport;
    const excess = Math.max(queued / viewerQueueBytes, this.#delayMs / viewerDelayMs, lag);
    if (excess <= 1) {
      if (this.#behindSince !== undefined && excess <= 0.5) this.#behindSince = undefined;
    } else if (this.#behindSince === undefined) {
      this.#behindSince = now;
      this.#queuedThen = queued;
      this.#needKeyFrame();
      this.#events.behind?.();
    }
    if (this.#behindSince === undefined) return 'nothing';
    if (now - this.#behindSince > slowViewerMs && queued > viewerQueueBytes / 2) {
      this.#isPaused = true;
      this.#events.tooSlow();
      return 'all';
    }
    // One window may have brought much more than the bound.
    if (queued > this.#queuedThen + viewerQueueBytes) return 'all';
    return excess > 1.5 ? 'media' : 'video';
  }

  /** What it was sent and has not played. Timestamps wrap. */
  get #delayMs(): number {
    return this.#playedTime === undefined ? 0 : Math.max(0, (this.#sentTime - this.#playedTime) | 0);
  }

  #noteSent(messages: readonly OutMessage[]): void {
    const last = messages.findLast(({ type }) => type === MessageType.Audio || type === MessageType.Video);
    if (last) this.#sentTime = last.timestamp;
  }

  #needKeyFrame(): void {
    this.#isSteady = false;
    this.#needsKeyFrame = true;
    this.#entry.forget();
  }

  #begin({ headers, pictures }: CatchUp): void {
    this.#headers = headers;
    this.#needKeyFrame();
    for (const message of pictures) this.#choose(message);
    this.#writeChosen();
  }

  #choose(original: OutMessage): void {
    const message = this.#begins(original) ? this.#codecs.fit(original) : undefined;
    if (!message || !this.#isDue(message)) {
      if (this.#behindSince !== undefined) this.transport.traffic.messagesDropped++;
      return;
    }
    if (this.#headers.length > 0 && message.type !== MessageType.DataAmf0) {
      for (const header of this.#headers) {
        const fitting = this.#codecs.fit(header);
        if (fitting) this.#chosen.push(withTimeOf(message, fitting));
      }
      this.#headers = [];
    }
    this.#chosen.push(message);
  }

  /** False while it waits for a new key frame. */
  #begins({ type, payload }: OutMessage): boolean {
    if (!this.#began) return true;
    if (type !== MessageType.Video || !this.#entry.isEntry(payload)) return false;
    const began = this.#began;
    this.#began = undefined;
    began();
    return true;
  }

  #isDue({ type, payload, timestamp }: OutMessage): boolean {
    if (type === MessageType.Audio) return this.#wantsAudio && this.#dropped !== 'media';
    if (type !== MessageType.Video) return true;
    if (!this.#wantsVideo || this.#dropped === 'media') return false;
    if (isVideoSequenceHeader(payload) || isVideoMetadata(payload)) return true;
    if (this.#needsKeyFrame) {
      const isEntry = this.#entry.isEntry(payload);
      if (this.#behindSince !== undefined) return false;
      if (!isEntry) {
        this.#events.waits?.();
        return false;
      }
      this.#needsKeyFrame = false;
    }
    return this.#limit?.has(payload, timestamp) ?? true;
  }

  #writeChosen(): void {
    const chosen = this.#chosen;
    if (chosen.length === 0) return;
    this.#chosen = [];
    this.#noteSent(chosen);
    this.transport.write(serializeAll(this.transport.format, chosen, this.streamId), chosen.length);
  }
}
