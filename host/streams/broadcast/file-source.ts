import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { describeError } from '../../base/errors.ts';
import { FileProblem, type MediaFile, type Segment } from '../files/media-files.ts';
import type { Range } from '../play/file-item.ts';
import type { Paced, Pacer } from '../play/pacer.ts';
import type { Source, SourceEnd } from './source.ts';

/** A file at its own pace, message by message when each is due. */
export class FileSource implements Source, Paced {
  readonly #file: MediaFile;
  readonly #startMs: number;
  readonly #endMs: number;
  readonly #isSingleFrame: boolean;
  readonly #pacer: Pacer;
  readonly #end: SourceEnd;
  #segment: Segment | undefined;
  /** Of the next message in the segment. */
  #at = 0;
  #position: number | undefined;
  #startedAt = 0;
  #isReading = false;
  #isClosed = false;

  constructor(file: MediaFile, { startMs, durationMs }: Range, pacer: Pacer, end: SourceEnd) {
    this.#file = file;
    this.#startMs = startMs;
    this.#endMs = durationMs > 0 ? startMs + durationMs : Number.POSITIVE_INFINITY;
    this.#isSingleFrame = durationMs === 0;
    this.#pacer = pacer;
    this.#end = end;
  }

  start(): void {
    void this.#whileOpen(async () => {
      const { position, timestampMs, isBeyondEnd } = await this.#file.seek(this.#startMs);
      const headers = await this.#file.headersAt(position);
      if (this.#isClosed) return;
      const { metadata } = this.#file;
      if (metadata)
        this.#end.take({
          type: MessageType.DataAmf0,
          streamId: 0,
          timestamp: timestampMs,
          payload: metadata,
        });
      for (const header of headers) this.#end.take({ ...header, timestamp: timestampMs });
      if (isBeyondEnd) return this.#end.ended();
      this.#position = position;
      this.#startedAt = performance.now() - timestampMs;
      this.#pacer.add(this);
      await this.#readNext();
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pacer.remove(this);
    this.#file.release();
  }

  tick(): void {
    const nowMs = performance.now() - this.#startedAt;
    while (this.#segment && !this.#isClosed) {
      const message = this.#segment.messages[this.#at];
      if (!message) {
        this.#segment = undefined;
        if (this.#position === undefined) return this.#end.ended();
        void this.#whileOpen(() => this.#readNext());
        return;
      }
      if (message.timestamp >= this.#endMs) return this.#end.ended();
      if (message.timestamp > nowMs) return;
      this.#at++;
      this.#end.take(message);
      if (this.#isSingleFrame && isPicture(message, this.#file)) return this.#end.ended();
    }
  }

  failed(error: unknown): void {
    if (this.#isClosed) return;
    this.#end.failed(error instanceof FileProblem ? error.message : describeError(error, 500));
  }

  async #readNext(): Promise<void> {
    if (this.#position === undefined || this.#isReading) return;
    this.#isReading = true;
    try {
      const segment = await this.#file.read(this.#position);
      this.#position = segment.next;
      this.#segment = segment;
      this.#at = 0;
    } finally {
      this.#isReading = false;
    }
  }

  async #whileOpen(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.failed(error);
    }
  }
}

function isPicture({ type }: RtmpMessage, { hasVideo }: MediaFile): boolean {
  return type === (hasVideo ? MessageType.Video : MessageType.Audio);
}
