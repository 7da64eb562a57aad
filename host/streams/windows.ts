import { Rounds } from '../base/rounds.ts';
import { BlockPool } from './blocks.ts';
import { Pacer } from './play/pacer.ts';

/** Lengths an application may choose, in milliseconds. */
export const WINDOWS_MS = [0, 20, 50, 100] as const;
export type WindowMs = (typeof WINDOWS_MS)[number];

/** From so many viewers of the server on, an application that chose no window has this one. */
const ADAPTIVE: readonly (readonly [viewers: number, ms: WindowMs])[] = [
  [200, 50],
  [50, 20],
];

const FILE_TICK_MS = 100;
/** About a picture: what a broadcast sends at once is as large as that. */
const BROADCAST_TICK_MS = 40;

/** Who has something to send at the end of a window. */
export interface Sender {
  endWindow(): void;
}

/** What has been sent to viewers in windows of one length. */
export interface WindowFigures {
  /** Streams that had something to send at a window's end. */
  flushes: number;
  messages: number;
  /** Writes to viewers, and their bytes. */
  writes: number;
  bytes: number;
}

/**
 * When the streams of the server send: all those of one window length at the same moment, and no timer runs while
 * nobody has anything to send. What costs is the number of writes (DESIGN.md, "Streams"), so the window grows with
 * the number of viewers, whatever streams they watch.
 */
export class Windows {
  readonly pool = new BlockPool();
  /** What streams send at the end of a window shares these: so many viewers take longer than others may have to wait. */
  readonly rounds = new Rounds();
  /** Of those who play files, and of what the server itself broadcasts. */
  readonly pacer = new Pacer(FILE_TICK_MS);
  readonly broadcastPacer = new Pacer(BROADCAST_TICK_MS);
  readonly figures = new Map<WindowMs, WindowFigures>();
  readonly #waiting = new Map<WindowMs, Set<Sender>>();
  /** Of all streams. */
  viewers = 0;

  /** The length for an application that chose `chosen`, or none. */
  lengthFor(chosen: WindowMs | undefined): WindowMs {
    if (chosen !== undefined) return chosen;
    for (const [viewers, ms] of ADAPTIVE) if (this.viewers >= viewers) return ms;
    return 0;
  }

  /** Calls `endWindow` at the end of the running window; at once after this round of events for a length of 0. */
  wait(sender: Sender, length: WindowMs): void {
    if (length === 0) {
      queueMicrotask(() => sender.endWindow());
      return;
    }
    const waiting = this.#waiting.get(length);
    if (waiting) {
      waiting.add(sender);
      return;
    }
    this.#waiting.set(length, new Set([sender]));
    // Boundaries are the same for all senders, whenever they begin.
    const now = performance.now();
    setTimeout(() => this.#end(length), Math.ceil((Math.floor(now / length) + 1) * length - now));
  }

  figuresOf(length: WindowMs): WindowFigures {
    let figures = this.figures.get(length);
    if (!figures) {
      figures = { flushes: 0, messages: 0, writes: 0, bytes: 0 };
      this.figures.set(length, figures);
    }
    return figures;
  }

  #end(length: WindowMs): void {
    const senders = this.#waiting.get(length) ?? [];
    this.#waiting.delete(length);
    for (const sender of senders) sender.endWindow();
  }
}
