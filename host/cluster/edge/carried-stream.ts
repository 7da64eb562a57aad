import { isVideoSequenceHeader } from '../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { StagewireError } from '../../base/errors.ts';
import type { LiveStream, Publisher, Tap } from '../../streams/live-stream.ts';
import { relay } from '../../streams/relay.ts';

/** It is kept for so long without anybody who watches: many leave and come back. */
const LINGER_MS = 3000;
/** When the link is gone, so long passes before viewers hear that the stream is. */
const PATIENCE_MS = 1500;

/** A live stream of the origin, here: carried over the link once, whoever watches it. */
export class CarriedStream implements Tap {
  readonly number: number;
  readonly stream: LiveStream;
  /** Under which the origin sends what it carries. */
  media = 0;
  /** Who takes all of it, such as edges of this edge. */
  users = 0;
  /** Resolves when the origin has said whether the stream has a source, or cannot say. */
  readonly known: Promise<void>;
  #isKnown!: () => void;
  #source: Publisher | undefined;
  #publication = '';
  #patience: NodeJS.Timeout | undefined;
  /** By type, of what came last: a new link begins with what may have come over the old one. */
  readonly #lastTime = new Map<number, number>();
  #isRepeating = false;
  #unwatchedSince: number | undefined;

  constructor(number: number, stream: LiveStream) {
    this.number = number;
    this.stream = stream;
    this.known = new Promise((resolve) => {
      this.#isKnown = resolve;
    });
    // Without it the stream would go whenever nobody watches and nothing comes.
    stream.tap(this);
  }

  take(): void {}
  sourceChanged(): void {}

  /** Media from the origin. */
  receive(message: RtmpMessage): void {
    if (!this.#source || this.#wasHad(message)) return;
    try {
      relay(this.stream, { ...message, streamId: 0 });
    } catch (error) {
      // The publisher's fault, which the origin has let pass.
      if (!(error instanceof StagewireError)) throw error;
    }
  }

  /** What the source of the origin's stream is known by; empty when there is none. */
  setSource(publication: string): void {
    this.#isKnown();
    this.#stopWaiting();
    const isSame = publication !== '' && publication === this.#publication;
    this.#isRepeating = isSame;
    if (isSame && this.#source) return;
    this.#unpublish();
    if (publication === '') return;
    if (!isSame) this.#lastTime.clear();
    this.#publication = publication;
    const source: Publisher = {
      clientId: '',
      publication,
      isAlive: () => Promise.resolve(true),
      evicted: () => {},
    };
    if (this.stream.publish(source)) this.#source = source;
  }

  /** The link is gone: nothing comes until there is another. */
  lost(): void {
    this.#isKnown();
    this.#patience ??= setTimeout(() => this.#unpublish(), PATIENCE_MS);
  }

  /** Nobody has watched for a while. */
  isUnused(now: number): boolean {
    if (this.stream.viewerCount > 0 || this.users > 0) this.#unwatchedSince = undefined;
    else this.#unwatchedSince ??= now;
    return this.#unwatchedSince !== undefined && now - this.#unwatchedSince >= LINGER_MS;
  }

  close(): void {
    this.#isKnown();
    this.#stopWaiting();
    this.#unpublish();
    this.stream.untap(this);
  }

  #stopWaiting(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  #unpublish(): void {
    if (this.#source) this.stream.unpublish(this.#source);
    this.#source = undefined;
  }

  /** Of a source that has gone on meanwhile: whether viewers have had it. Headers come again, and do no harm. */
  #wasHad({ type, timestamp, payload }: RtmpMessage): boolean {
    const isVideo = type === MessageType.Video;
    if ((!isVideo && type !== MessageType.Audio) || (isVideo && isVideoSequenceHeader(payload))) return false;
    const last = this.#lastTime.get(type);
    if (this.#isRepeating && last !== undefined && ((timestamp - last) | 0) <= 0) return true;
    if (isVideo || !this.#lastTime.has(MessageType.Video)) this.#isRepeating = false;
    this.#lastTime.set(type, timestamp);
    return false;
  }
}
