import type { CodecSupport, MediaNeeds } from '../../../wire/codecs.ts';
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

  constructor(wants: Wants, support: CodecSupport, onRefused: (lack: string) => void) {
    this.#wants = wants;
    this.#codecs = new CodecFilter(support, onRefused);
    this.limitFrames(wants.fps);
  }

  get isAll(): boolean {
    const { audio, video } = this.#wants;
    return audio && video && !this.#limit && !this.#needsKeyFrame && !this.#codecs.isActive;
  }

  /** The file has that. */
  meet(needs: MediaNeeds): void {
    this.#codecs.meet(needs);
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

  /** Those that the client can do with at all. */
  suitable(messages: readonly RtmpMessage[]): RtmpMessage[] {
    return messages.map((message) => this.#codecs.fit(message)).filter((message) => message !== undefined);
  }

  /** Those that it gets. To be asked for all in order. */
  of(messages: readonly RtmpMessage[]): RtmpMessage[] {
    return this.suitable(messages).filter((message) => this.#isDue(message));
  }

  /** A single picture, whatever came before it. */
  picture(message: RtmpMessage): RtmpMessage | undefined {
    return this.#wants.video ? this.#codecs.fit(message) : undefined;
  }

  #isDue({ type, payload, timestamp }: RtmpMessage): boolean {
    if (type === MessageType.Audio) return this.#wants.audio;
    if (type !== MessageType.Video) return true;
    if (!this.#wants.video) return false;
    if (this.#needsKeyFrame && !isVideoSequenceHeader(payload)) {
      if (!isVideoKeyFrame(payload)) return false;
      this.#needsKeyFrame = false;
    }
    return this.#limit?.has(payload, timestamp) ?? true;
  }
}
