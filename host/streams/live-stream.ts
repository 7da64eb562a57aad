import type { RtmpMessage } from '../../wire/messages.ts';
import { Audience } from './audience.ts';
import { LateJoin } from './late-join.ts';
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
}

/** What the script and the API see of a publisher. */
export interface Publisher {
  readonly clientId: string;
}

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
  readonly #audiences = new Map<string, Audience>();
  readonly #late: LateJoin;
  #publisher: Publisher | undefined;
  #pending: RtmpMessage[] = [];
  #pendingBytes = 0;
  #windowMs: WindowMs = 0;
  #viewers = 0;
  /** Bytes of media received from the present publisher. */
  bytesIn = 0;

  constructor(name: string, house: StreamHouse, onIdle: () => void) {
    this.name = name;
    this.#house = house;
    this.#onIdle = onIdle;
    this.#late = new LateJoin(() => house.limits.gopBytes);
  }

  get publisher(): Publisher | undefined {
    return this.#publisher;
  }

  get viewerCount(): number {
    return this.#viewers;
  }

  /** Takes the name for this source. False when it has one: the second gets BadName. */
  publish(publisher: Publisher): boolean {
    if (this.#publisher) return false;
    this.#publisher = publisher;
    this.bytesIn = 0;
    this.#eachViewer((viewer) => viewer.published());
    return true;
  }

  /** The source ends; another publisher's request to end is ignored. */
  unpublish(publisher: Publisher): void {
    if (this.#publisher !== publisher) return;
    this.flush();
    this.#publisher = undefined;
    this.#late.forget();
    this.#eachViewer((viewer) => viewer.unpublished());
    this.#checkIdle();
  }

  /** Adds a viewer and gives it what a late joiner needs: metadata, codec headers, the pictures since the key frame. */
  join(viewer: Viewer): void {
    this.flush();
    const { format } = viewer.transport;
    const key = keyOf(viewer);
    let audience = this.#audiences.get(key);
    if (!audience) {
      audience = new Audience(format, viewer.streamId);
      this.#audiences.set(key, audience);
    }
    audience.viewers.add(viewer);
    this.#viewers++;
    this.#house.windows.viewers++;
    viewer.start(this.#late.catchUp, () => this.#late.bytesFor(format, viewer.streamId));
  }

  leave(viewer: Viewer): void {
    const key = keyOf(viewer);
    const audience = this.#audiences.get(key);
    if (!audience?.viewers.delete(viewer)) return;
    if (audience.viewers.size === 0) this.#audiences.delete(key);
    this.#viewers--;
    this.#house.windows.viewers--;
    this.#checkIdle();
  }

  /** The catch-up of a viewer who was away (paused): a late joiner's, without the data that it has. */
  resume(viewer: Viewer): void {
    this.flush();
    viewer.resume(this.#late.catchUp);
  }

  /** Data for those who are here and those who come later (`@setDataFrame`). */
  setDataFrame(key: string, message: RtmpMessage): void {
    this.#late.setDataFrame(key, message);
    this.push(message);
  }

  clearDataFrame(key: string): void {
    this.#late.clearDataFrame(key);
  }

  /** Audio, video or data of the source, in order. The payload is kept: it must not change. */
  push(message: RtmpMessage): void {
    this.bytesIn += message.payload.length;
    this.#late.remember(message);
    if (this.#viewers === 0) return;
    this.#pending.push(message);
    this.#pendingBytes += message.payload.length;
    if (this.#pending.length === 1) {
      const { windows, windowMs } = this.#house;
      this.#windowMs = windows.lengthFor(windowMs);
      windows.wait(this, this.#windowMs);
    } else if (this.#pendingBytes > EARLY_BYTES && this.#windowMs > 0) this.flush();
  }

  /** Sends what waits for the end of the window. */
  flush(): void {
    const messages = this.#pending;
    if (messages.length === 0) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    const { windows, limits } = this.#house;
    const figures = windows.figuresOf(this.#windowMs);
    figures.flushes++;
    figures.messages += messages.length;
    const now = performance.now();
    for (const audience of this.#audiences.values())
      audience.send(messages, windows.pool, now, limits, figures);
  }

  #eachViewer(tell: (viewer: Viewer) => void): void {
    for (const { viewers } of this.#audiences.values()) for (const viewer of viewers) tell(viewer);
  }

  #checkIdle(): void {
    if (!this.#publisher && this.#viewers === 0) this.#onIdle();
  }
}

function keyOf({ transport, streamId }: Viewer): string {
  return `${transport.format.name}/${streamId}`;
}
