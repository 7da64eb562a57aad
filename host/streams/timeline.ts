import { compositionTimeOf, isAudioSequenceHeader, isVideoSequenceHeader } from '../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';

/** Between the last message before a break and the first after it, in milliseconds. */
const SPLICE_MS = 40;
/** A clock that goes back by more was set anew. Audio and video may be apart by less. */
const MAX_BACK_MS = 1000;
/** A clock that runs ahead of ours by more, likewise. */
const MAX_AHEAD_MS = 10_000;

/** Beyond that a composition time is nonsense: 16 B-frames of a slow video have less. */
const MAX_COMPOSITION_MS = 5000;

/**
 * Times of messages, from one source or several after each other, as one line: it begins where it is told to, and a
 * source that sets its clock anew makes no hole in it. What a source sends is neither decoded nor shown before what the one
 * before it has sent: where it was cut off between B-frames, the last picture is yet to be shown.
 */
export class Timeline {
  /** The latest time so far. */
  endMs: number;
  #isNew = true;
  #lastStamp = 0;
  /** That of `#lastStamp` on the line. */
  #at: number;
  #heardAt = 0;
  /** Where the present source begins: what it sends with an earlier time moves all of it. */
  #startMs: number;
  /** When the latest picture is shown, and when the first one of the present source may be. */
  #shownMs = Number.NEGATIVE_INFINITY;
  #showFromMs = Number.NEGATIVE_INFINITY;

  constructor(startMs = 0) {
    this.endMs = this.#at = this.#startMs = startMs;
  }

  /** What follows comes from another source, or after a break. */
  splice(): void {
    if (this.#isNew) return;
    this.#isNew = true;
    this.#begin();
  }

  /** The time of a message on the line, in milliseconds. `now`: of the monotonic clock. */
  map(message: RtmpMessage, now: number): number {
    const { timestamp } = message;
    const step = (timestamp - this.#lastStamp) | 0;
    const isJump = !this.#isNew && (step < -MAX_BACK_MS || step > now - this.#heardAt + MAX_AHEAD_MS);
    const isMedia = isFrame(message);
    // Headers and data often come with a time of their own, which says nothing about the clock.
    if (isJump && !isMedia) return this.endMs;
    if (isJump) this.#begin();
    else if (!this.#isNew) this.#at += step;
    this.#isNew = false;
    this.#lastStamp = timestamp;
    this.#heardAt = now;
    if (isMedia) this.#at += this.#lackOf(message);
    const at = Math.max(this.#at, this.#startMs);
    this.endMs = Math.max(this.endMs, at);
    return at;
  }

  #begin(): void {
    this.#at = this.#startMs = this.endMs + SPLICE_MS;
    this.#showFromMs = this.#shownMs + SPLICE_MS;
  }

  /** By how much a frame, and with it the rest of its source, has to come later. */
  #lackOf({ type, payload }: RtmpMessage): number {
    let lackMs = Math.max(0, this.#startMs - this.#at);
    if (type !== MessageType.Video) return lackMs;
    const compositionMs = compositionTimeOf(payload);
    const shownAfterMs = Math.abs(compositionMs) > MAX_COMPOSITION_MS ? 0 : compositionMs;
    lackMs = Math.max(lackMs, this.#showFromMs - this.#at - shownAfterMs);
    this.#showFromMs = Number.NEGATIVE_INFINITY;
    this.#shownMs = Math.max(this.#shownMs, this.#at + lackMs + shownAfterMs);
    return lackMs;
  }
}

function isFrame({ type, payload }: RtmpMessage): boolean {
  if (type === MessageType.Video) return !isVideoSequenceHeader(payload);
  return type === MessageType.Audio && !isAudioSequenceHeader(payload);
}
