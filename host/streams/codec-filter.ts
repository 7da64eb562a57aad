import type { CodecSupport, MediaNeeds } from '../../wire/codecs.ts';
import type { RtmpMessage } from '../../wire/messages.ts';

/** What is done about a codec that a viewer did not announce: its messages are left out, the play ends, or it is sent. */
export const CODEC_POLICIES = ['drop', 'refuse', 'send'] as const;
export type CodecPolicy = (typeof CODEC_POLICIES)[number];

/** Keeps from a viewer what it did not announce that it understands, and tells of each such thing once. */
export class CodecFilter {
  readonly #support: CodecSupport;
  readonly #onRefused: (lack: string) => void;
  readonly #refused = new Set<string>();
  #isActive = false;

  constructor(support: CodecSupport, onRefused: (lack: string) => void) {
    this.#support = support;
    this.#onRefused = onRefused;
  }

  /** Whether something of what the stream carries is left out, or sent in another way. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** The stream carries that. `undefined`: more than it tells of. */
  meet(needs: MediaNeeds | undefined): void {
    if (needs && this.#support.takes(needs)) return;
    this.#isActive = true;
    const lack = needs && this.#support.lackOf(needs);
    if (lack === undefined || this.#refused.has(lack)) return;
    this.#refused.add(lack);
    this.#onRefused(lack);
  }

  /** The message as the viewer is sent it, which may be another than it was; undefined when it is not. */
  fit<T extends RtmpMessage>(message: T): T | undefined {
    if (!this.#isActive) return message;
    const { type, payload } = message;
    const fitting = this.#support.fit(type, payload);
    if (fitting === payload) return message;
    return fitting && { ...message, payload: fitting };
  }

  /** Another source. */
  reset(): void {
    this.#refused.clear();
    this.#isActive = false;
  }
}
