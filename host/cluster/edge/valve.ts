import { isVideoKeyFrame, isVideoSequenceHeader } from '../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';

/** What of one stream goes over a link that has come to hold too much: nothing, until there is room and a key frame. */
export class Valve {
  readonly #queuedBytes: () => number;
  readonly #maxBytes: number;
  #isShut = false;
  #awaitsKeyFrame = false;
  #hasVideo = false;
  dropped = 0;

  constructor(queuedBytes: () => number, maxBytes: number) {
    this.#queuedBytes = queuedBytes;
    this.#maxBytes = maxBytes;
  }

  /** Headers and data always pass: what follows cannot do without them. */
  admits({ type, payload }: RtmpMessage): boolean {
    const isVideo = type === MessageType.Video;
    if (isVideo) this.#hasVideo = true;
    if ((!isVideo && type !== MessageType.Audio) || (isVideo && isVideoSequenceHeader(payload))) return true;
    const queued = this.#queuedBytes();
    if (queued > this.#maxBytes) this.#isShut = this.#awaitsKeyFrame = true;
    else if (this.#isShut && queued < this.#maxBytes / 2) this.#isShut = false;
    if (!this.#isShut && this.#awaitsKeyFrame && (!this.#hasVideo || (isVideo && isVideoKeyFrame(payload))))
      this.#awaitsKeyFrame = false;
    const isAdmitted = !this.#isShut && !this.#awaitsKeyFrame;
    if (!isAdmitted) this.dropped++;
    return isAdmitted;
  }
}
