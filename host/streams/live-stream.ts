import {
  audioCacheKey,
  isVideoKeyFrame,
  isVideoSequenceHeader,
  videoCacheKey,
} from '../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import type { CatchUp, Viewer, ViewerLimits } from './viewer.ts';

export interface LiveStreamLimits extends ViewerLimits {
  /** The group of pictures kept for late joiners. */
  gopBytes: number;
}

/** Codec headers, one per role and track; senders choose the track ids. */
const MAX_HEADERS = 64;
const MAX_DATA_FRAMES = 64;
/** What a kept message costs beside its payload. */
const MESSAGE_OVERHEAD = 256;

/** What the script and the API see of a publisher. */
export interface Publisher {
  readonly clientId: string;
}

/**
 * One live stream: a name with at most one source and any number of viewers, who stay when the source goes and go
 * on with the next. What arrives in one round of the event loop goes to each viewer as
 * one write, of bytes that all viewers of a format share.
 */
export class LiveStream {
  readonly name: string;
  readonly #limits: LiveStreamLimits;
  readonly #onIdle: () => void;
  readonly #viewers = new Set<Viewer>();
  readonly #headers = new Map<string, RtmpMessage>();
  /** Data that late joiners get too, by handler name: `onMetaData` above all. */
  readonly #dataFrames = new Map<string, RtmpMessage>();
  /** From the last key frame on; undefined while there is none, or none that fits. */
  #gop: RtmpMessage[] | undefined;
  #gopBytes = 0;
  #publisher: Publisher | undefined;
  #pending: RtmpMessage[] = [];
  /** Bytes of media received from the present publisher. */
  bytesIn = 0;

  constructor(name: string, limits: LiveStreamLimits, onIdle: () => void) {
    this.name = name;
    this.#limits = limits;
    this.#onIdle = onIdle;
  }

  get publisher(): Publisher | undefined {
    return this.#publisher;
  }

  get viewerCount(): number {
    return this.#viewers.size;
  }

  /** Takes the name for this source. False when it has one: the second gets BadName. */
  publish(publisher: Publisher): boolean {
    if (this.#publisher) return false;
    this.#publisher = publisher;
    this.bytesIn = 0;
    for (const viewer of this.#viewers) viewer.published();
    return true;
  }

  /** The source ends; another publisher's request to end is ignored. */
  unpublish(publisher: Publisher): void {
    if (this.#publisher !== publisher) return;
    this.#flush();
    this.#publisher = undefined;
    this.#headers.clear();
    this.#dataFrames.clear();
    this.#forgetPictures();
    for (const viewer of this.#viewers) viewer.unpublished();
    this.#checkIdle();
  }

  /** Adds a viewer and gives it what a late joiner needs: metadata, codec headers, the pictures since the key frame. */
  join(viewer: Viewer): void {
    this.#flush();
    this.#viewers.add(viewer);
    viewer.start(this.#catchUp());
  }

  leave(viewer: Viewer): void {
    if (this.#viewers.delete(viewer)) this.#checkIdle();
  }

  /** The catch-up of a viewer who was away (paused): a late joiner's, without the data that it has. */
  resume(viewer: Viewer): void {
    this.#flush();
    viewer.start({ ...this.#catchUp(), dataFrames: [] });
  }

  /** Data for those who are here and those who come later (`@setDataFrame`). */
  setDataFrame(key: string, message: RtmpMessage): void {
    if (this.#dataFrames.size < MAX_DATA_FRAMES || this.#dataFrames.has(key))
      this.#dataFrames.set(key, message);
    this.push(message);
  }

  clearDataFrame(key: string): void {
    this.#dataFrames.delete(key);
  }

  /** Audio, video or data of the publisher, in order. The payload is kept: it must not change. */
  push(message: RtmpMessage): void {
    this.bytesIn += message.payload.length;
    this.#remember(message);
    this.#pending.push(message);
    // The publisher's bytes of this round make one write to each viewer.
    if (this.#pending.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const messages = this.#pending;
    this.#pending = [];
    if (this.#viewers.size === 0) return;
    const now = performance.now();
    const shared = new Map<string, Buffer>();
    for (const viewer of this.#viewers) viewer.send(messages, shared, now, this.#limits);
  }

  #remember(message: RtmpMessage): void {
    const { type, payload } = message;
    if (type === MessageType.Video) {
      const key = videoCacheKey(payload);
      if (key !== undefined) this.#rememberHeader(key, message);
      if (isVideoKeyFrame(payload)) {
        this.#gop = [];
        this.#gopBytes = 0;
      }
      if (isVideoSequenceHeader(payload)) return;
    } else if (type === MessageType.Audio) {
      const key = audioCacheKey(payload);
      if (key !== undefined) {
        this.#rememberHeader(key, message);
        return;
      }
    } else {
      return; // data: late joiners get the data frames only
    }
    if (!this.#gop || payload.length === 0) return;
    this.#gop.push(keepable(message));
    this.#gopBytes += payload.length + MESSAGE_OVERHEAD;
    if (this.#gopBytes > this.#limits.gopBytes) this.#forgetPictures();
  }

  #rememberHeader(key: string, message: RtmpMessage): void {
    if (this.#headers.size < MAX_HEADERS || this.#headers.has(key)) {
      this.#headers.set(key, keepable(message));
    }
  }

  #forgetPictures(): void {
    this.#gop = undefined;
    this.#gopBytes = 0;
  }

  #catchUp(): CatchUp {
    return {
      dataFrames: [...this.#dataFrames.values()],
      headers: [...this.#headers.values()],
      pictures: this.#gop ?? [],
    };
  }

  #checkIdle(): void {
    if (!this.#publisher && this.#viewers.size === 0) this.#onIdle();
  }
}

/** A message that is kept may be a view: a small one would keep the whole buffer alive that it was read into. */
function keepable(message: RtmpMessage): RtmpMessage {
  const { payload } = message;
  return payload.length * 4 < payload.buffer.byteLength ? { ...message, payload: payload.slice() } : message;
}
