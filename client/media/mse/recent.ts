import type { Segment } from '../fmp4/track-muxer.ts';
import type { Kind } from '../unit.ts';

const MAX_BYTES = 16 << 20;
/** Of a stream without pictures. */
const SOUND_MS = 2000;
const MAX_KEYS = 1000;

/** What a new beginning needs: the init segments, and all since the last key frame, if that is not too much. */
export class Recent {
  readonly inits = new Map<Kind, Segment>();
  /** Until when there is something of a track. */
  readonly endMs = new Map<Kind, number>();
  /** Of key frames that the browser may still have. */
  #keysMs: number[] = [];
  #media: Segment[] = [];
  #bytes = 0;

  /** `headMs`: nothing from there on may be missing, of a recording. */
  add(segment: Segment, headMs?: number): void {
    const { kind, setup, isKey, bytes, endMs } = segment;
    this.endMs.set(kind, endMs);
    if (setup) {
      this.inits.set(kind, segment);
      // Nothing from before belongs to it.
      this.#keep((other) => other.kind !== kind);
      return;
    }
    if (kind === 'video' && isKey) this.#keysMs = [...this.#keysMs.slice(1 - MAX_KEYS), segment.timeMs];
    if (headMs !== undefined) {
      if (isKey) this.#keepFrom(headMs);
    } else if (kind === 'video' ? isKey : !this.endMs.has('video')) this.#keepSince(segment);
    this.#media.push(segment);
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_BYTES) this.clear();
  }

  /** The init segments of the tracks that something comes of. */
  present(): Map<Kind, Segment> {
    return new Map([...this.inits].filter(([kind]) => this.endMs.has(kind)));
  }

  /**
   * The last key frame at or before that time; without pictures the time itself. What a browser removes it removes as far
   * as the next key frame, so that no other place is safe.
   */
  keyBefore(timeMs: number): number {
    if (!this.endMs.has('video')) return timeMs;
    const at = this.#keysMs.findLastIndex((keyMs) => keyMs <= timeMs);
    this.#keysMs = this.#keysMs.slice(Math.max(at, 0));
    return at < 0 ? 0 : this.#keysMs[0]!;
  }

  /** In their order, those of which a decoder can make something. */
  media(kinds: ReadonlySet<Kind>): Segment[] {
    return this.#media.filter(({ kind }) => kinds.has(kind));
  }

  /** The track ended, for now. */
  leave(kind: Kind): void {
    this.endMs.delete(kind);
    this.#keep((other) => other.kind !== kind);
  }

  /** The track cannot be played. */
  forget(kind: Kind): void {
    this.inits.delete(kind);
    this.leave(kind);
  }

  /** All media: it is for the next key frame to begin. */
  clear(): void {
    this.#media = [];
    this.#bytes = 0;
  }

  #keepFrom(headMs: number): void {
    const keyMs = this.#keysMs.findLast((each) => each <= headMs) ?? headMs;
    this.#keep((other) => other.endMs > Math.min(keyMs, headMs - SOUND_MS));
  }

  #keepSince({ kind, timeMs }: Segment): void {
    const from = kind === 'video' ? timeMs : timeMs - SOUND_MS;
    this.#keep((other) => other.kind === 'audio' && other.endMs > from);
  }

  #keep(isWanted: (segment: Segment) => boolean): void {
    this.#media = this.#media.filter(isWanted);
    this.#bytes = this.#media.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}
