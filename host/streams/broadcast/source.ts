import type { RtmpMessage } from '../../../wire/messages.ts';

/** One item of a broadcast: it gives messages until it ends or is closed. */
export interface Source {
  start(): void;
  close(): void;
}

export interface SourceEnd {
  take(message: RtmpMessage): void;
  /** Called once, unless it fails. */
  ended(): void;
  failed(description: string): void;
}
