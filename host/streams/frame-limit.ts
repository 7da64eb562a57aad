import { FrameType, isVideoKeyFrame, isVideoMetadata, isVideoSequenceHeader } from '../../wire/media-head.ts';

/** A key frame and all up to the next. */
interface Group {
  startedAt: number;
  /** Those that others refer to, the key frame included. */
  lasting: number;
  disposable: number;
}

const MAX_CREDIT = 2;

/**
 * The frames of a video for a viewer who wants so many per second (`receiveVideo` with a number). Only what nothing else
 * refers to can be left out: disposable frames, one by one, or all frames up to the next key frame. So where a viewer wants
 * less than a stream has without disposable frames, it gets what is nearer to it of two: those, or key frames alone.
 */
export class FrameLimit {
  readonly #fps: number;
  #group: Group | undefined;
  #hasKeyFramesOnly = false;
  /** A frame is missing that those up to the next key frame refer to. */
  #isBroken = false;
  /** Frames that it may get by now; those that cannot be left out are taken all the same. */
  #credit = MAX_CREDIT;
  #lastTime: number | undefined;

  constructor(fps: number) {
    this.#fps = Math.min(fps, 1000);
  }

  /** Inter frames are of no use before a key frame. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Whether this message is one that the viewer gets. To be asked for all messages with video, in order. */
  has(payload: Uint8Array, timestamp: number): boolean {
    if (payload.length === 0 || isVideoSequenceHeader(payload) || isVideoMetadata(payload)) return true;
    const isKeyFrame = isVideoKeyFrame(payload);
    if (isKeyFrame) this.#measure(timestamp);
    const isDisposable = frameTypeOf(payload) === FrameType.Disposable;
    if (this.#group) this.#group[isDisposable ? 'disposable' : 'lasting']++;
    this.#earn(timestamp);
    if (isKeyFrame) {
      this.#isBroken = !this.#take(!this.#hasKeyFramesOnly);
      return !this.#isBroken;
    }
    if (this.#hasKeyFramesOnly) this.#isBroken = true;
    return !this.#isBroken && this.#take(!isDisposable);
  }

  /** Decides what is left out up to the next key frame, by how many frames there were up to this one. */
  #measure(timestamp: number): void {
    const before = this.#group;
    const passedMs = before ? (timestamp - before.startedAt) | 0 : 0;
    // Key frames of one time are those of several tracks.
    if (before && passedMs === 0) return;
    this.#group = { startedAt: timestamp, lasting: 0, disposable: 0 };
    if (!before || passedMs < 0) return;
    const keyFps = 1000 / passedMs;
    const lastingFps = before.lasting * keyFps;
    const allFps = (before.lasting + before.disposable) * keyFps;
    const hadKeyFramesOnly = this.#hasKeyFramesOnly;
    this.#hasKeyFramesOnly = this.#fps < allFps && this.#fps ** 2 <= keyFps * lastingFps;
    if (this.#hasKeyFramesOnly !== hadKeyFramesOnly) this.#credit = MAX_CREDIT;
  }

  #earn(timestamp: number): void {
    // Times that go back are those of another source.
    const passedMs = Math.max(0, (timestamp - (this.#lastTime ?? timestamp)) | 0);
    this.#lastTime = timestamp;
    this.#credit = Math.min(MAX_CREDIT, this.#credit + (passedMs * this.#fps) / 1000);
  }

  /** Spends a frame, if there is one to spend or it must be. */
  #take(mustBe: boolean): boolean {
    const isTaken = mustBe || this.#credit >= 1;
    if (isTaken) this.#credit = Math.max(-this.#fps, this.#credit - 1);
    return isTaken;
  }
}

function frameTypeOf(payload: Uint8Array): number {
  const first = payload[0]!;
  return first & 0x80 ? (first >> 4) & 7 : first >> 4;
}
