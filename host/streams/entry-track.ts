import { isVideoKeyFrame, videoTrackOf } from '../../wire/media-head.ts';

/**
 * Where one can begin with a stream of several video tracks. Their key frames come one after the other: that of the
 * lowest track is the first, and the others follow it. To be asked for all frames in order.
 */
export class EntryTrack {
  #lowest = Number.POSITIVE_INFINITY;

  isEntry(payload: Uint8Array): boolean {
    const track = videoTrackOf(payload);
    if (track > this.#lowest) return false;
    this.#lowest = track;
    return isVideoKeyFrame(payload);
  }

  /** The lowest track may have ended. */
  forget(): void {
    this.#lowest = Number.POSITIVE_INFINITY;
  }
}
