import type { Segment } from './media-files.ts';

/** What a message takes beside its bytes. */
const MESSAGE_BYTES = 250;

/** Segments that were read, as long as there is room: the least recently used go first. */
export class SegmentCache {
  readonly #maxBytes: number;
  /** In the order of use. */
  readonly #segments = new Map<string, { segment: Segment; bytes: number }>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Segment | undefined {
    const found = this.#segments.get(key);
    if (!found) return undefined;
    this.#segments.delete(key);
    this.#segments.set(key, found);
    return found.segment;
  }

  add(key: string, segment: Segment): void {
    const bytes = segment.messages.reduce((sum, { payload }) => sum + payload.length + MESSAGE_BYTES, 0);
    if (bytes > this.#maxBytes) return;
    this.#segments.set(key, { segment, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#segments.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const found = this.#segments.get(key);
    if (!found) return;
    this.#segments.delete(key);
    this.#bytes -= found.bytes;
  }
}
