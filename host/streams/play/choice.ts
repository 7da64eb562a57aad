import type { CodecSupport } from '../../../wire/codecs.ts';
import { isVideoKeyFrame, isVideoSequenceHeader } from '../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { CodecFilter } from '../codec-filter.ts';
import { FrameLimit } from '../frame-limit.ts';
import type { Wants } from './item.ts';

/** What of a file's messages a viewer is sent. */
export class Choice {
  readonly #wants: Wants;
  readonly #codecs: CodecFilter;
  #limit: FrameLimit | undefined;
  #needsKeyFrame = false;

  constructor(wants: Wants, support: CodecSupport, onRefused: (fourCc: string) => void) {
    this.#wants = wants;
    this.#codecs = new CodecFilter(support, onRefused);
    this.limitFrames(wants.fps);
  }

  get isAll(): boolean {
    const { audio, video } = this.#wants;
    return audio && video && !this.#limit && !this.#needsKeyFrame && !this.#codecs.isActive;
  }

  /** The file has that codec. */
  meet(fourCc: string): void {
    this.#codecs.meet(fourCc);
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    if (medium === 'video' && isWanted && !this.#wants.video) this.#needsKeyFrame = true;
    this.#wants[medium] = isWanted;
  }

  limitFrames(fps: number | undefined): void {
    if (this.#limit?.isBroken) this.#needsKeyFrame = true;
    this.#limit = fps === undefined ? undefined : new FrameLimit(fps);
  }

  /** What follows begins with a key frame. */
  begin(): void {
    this.#needsKeyFrame = false;
  }

  /** Whether the client can do with it at all. */
  suits(message: RtmpMessage): boolean {
    return this.#codecs.passes(message);
  }

  has(message: RtmpMessage): boolean {
    const { type, payload } = message;
    if (!this.#codecs.passes(message)) return false;
    if (type === MessageType.Audio) return this.#wants.audio;
    if (type !== MessageType.Video) return true;
    if (!this.#wants.video) return false;
    if (this.#needsKeyFrame && !isVideoSequenceHeader(payload)) {
      if (!isVideoKeyFrame(payload)) return false;
      this.#needsKeyFrame = false;
    }
    return this.#limit?.has(payload, message.timestamp) ?? true;
  }

  /** A single picture, whatever came before it. */
  hasPicture(message: RtmpMessage): boolean {
    return this.#wants.video && this.#codecs.passes(message);
  }
}
