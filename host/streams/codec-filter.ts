import { type CodecSupport, fourCcsOf } from '../../wire/codecs.ts';
import type { RtmpMessage } from '../../wire/messages.ts';

/** What is done about a codec that a viewer did not announce: its messages are left out, the play ends, or it is sent. */
export const CODEC_POLICIES = ['drop', 'refuse', 'send'] as const;
export type CodecPolicy = (typeof CODEC_POLICIES)[number];

/** Keeps from a viewer the codecs that it did not announce, and tells of each of them once. */
export class CodecFilter {
  readonly #support: CodecSupport;
  readonly #onRefused: (fourCc: string) => void;
  readonly #refused = new Set<string>();

  constructor(support: CodecSupport, onRefused: (fourCc: string) => void) {
    this.#support = support;
    this.#onRefused = onRefused;
  }

  /** Whether something of what the stream carries is left out. */
  get isActive(): boolean {
    return this.#refused.size > 0;
  }

  /** The stream carries that codec. */
  meet(fourCc: string): void {
    if (this.#support.accepts(fourCc) || this.#refused.has(fourCc)) return;
    this.#refused.add(fourCc);
    this.#onRefused(fourCc);
  }

  passes({ type, payload }: RtmpMessage): boolean {
    if (this.#refused.size === 0) return true;
    // A stream tells of so many codecs and no more: those that it did not tell of are judged here.
    return fourCcsOf(type, payload).every((fourCc) => this.#support.accepts(fourCc));
  }

  /** Another source. */
  reset(): void {
    this.#refused.clear();
  }
}
