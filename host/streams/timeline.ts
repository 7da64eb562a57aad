import { isAudioSequenceHeader, isVideoSequenceHeader } from '../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';

/** Between the last message before a break and the first after it, in milliseconds. */
const SPLICE_MS = 40;
/** A clock that goes back by more was set anew. Audio and video may be apart by less. */
const MAX_BACK_MS = 1000;
/** A clock that runs ahead of ours by more, likewise. */
const MAX_AHEAD_MS = 10_000;

/**
 * Times of messages, from one source or several after each other, as one line: it begins where it is told to, and a
 * source that sets its clock anew makes no hole in it.
 */
export class Timeline {
  /** The latest time so far. */
  endMs: number;
  #isNew = true;
  #lastStamp = 0;
  /** That of `#lastStamp` on the line. */
  #at: number;
  #heardAt = 0;

  constructor(startMs = 0) {
    this.endMs = startMs;
    this.#at = startMs;
  }

  /** What follows comes from another source, or after a break. */
  splice(gapMs = SPLICE_MS): void {
    if (this.#isNew) return;
    this.#isNew = true;
    this.#at = this.endMs + gapMs;
  }

  /** The time of a message on the line, in milliseconds. `now`: of the monotonic clock. */
  map({ type, payload, timestamp }: RtmpMessage, now: number): number {
    if (this.#isNew) {
      this.#isNew = false;
      this.#lastStamp = timestamp;
      this.#heardAt = now;
      this.endMs = Math.max(this.endMs, this.#at);
      return this.#at;
    }
    const step = (timestamp - this.#lastStamp) | 0;
    const isJump = step < -MAX_BACK_MS || step > now - this.#heardAt + MAX_AHEAD_MS;
    // Headers and data often come with a time of their own, which says nothing about the clock.
    const isMedia = isFrame(type, payload);
    if (isJump && !isMedia) return this.endMs;
    const at = isJump ? this.endMs + SPLICE_MS : this.#at + step;
    if (isMedia || !isJump) {
      this.#at = at;
      this.#lastStamp = timestamp;
      this.#heardAt = now;
    }
    this.endMs = Math.max(this.endMs, at);
    return Math.max(0, at);
  }
}

function isFrame(type: number, payload: Uint8Array): boolean {
  if (type === MessageType.Video) return !isVideoSequenceHeader(payload);
  return type === MessageType.Audio && !isAudioSequenceHeader(payload);
}
