import type { RtmpMessage } from '../../../wire/messages.ts';
import type { LiveStream, Tap } from '../live-stream.ts';
import type { Source, SourceEnd } from './source.ts';

/** A live stream, under another name: for as long as it lasts, or for a time that counts from its first being there. */
export class LiveSource implements Source, Tap {
  readonly #stream: LiveStream;
  readonly #durationMs: number;
  readonly #end: SourceEnd & { published(isThere: boolean): void };
  #timer: NodeJS.Timeout | undefined;

  constructor(
    stream: LiveStream,
    durationMs: number,
    end: SourceEnd & { published(isThere: boolean): void },
  ) {
    this.#stream = stream;
    this.#durationMs = durationMs;
    this.#end = end;
  }

  start(): void {
    this.#startTimer();
    this.#stream.tap(this);
  }

  take(message: RtmpMessage): void {
    this.#end.take(message);
  }

  /** Without a time of its own an item lasts as long as its source; one that waits goes on waiting. */
  sourceChanged(isThere: boolean): void {
    this.#end.published(isThere);
    if (isThere) this.#startTimer();
    else this.#end.ended();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stream.untap(this);
  }

  #startTimer(): void {
    if (this.#durationMs < 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end.ended(), this.#durationMs);
  }
}
