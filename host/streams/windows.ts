import { Rounds } from '../base/rounds.ts';
import type { WindowReader } from '../rtmp/ports.ts';
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

/** The window of one length that is under way. */
interface Running {
  senders: Set<Sender>;
  readers: Set<WindowReader>;
  /** Its end will come. */
  isTimed: boolean;
}

/** Pieces read of a source at the end of a window. */
const MAX_ROUNDS = 4;
/** Reading at a stretch. */
const READ_MS = 5;

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
  readonly #running = new Map<WindowMs, Running>();
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
    this.#run(length).senders.add(sender);
  }

  /** Reads nothing of a source before the running window ends, and goes on so as long as this is called in each. */
  readAtEnd(reader: WindowReader, length: WindowMs): void {
    if (reader.pause()) this.#run(length).readers.add(reader);
  }

  figuresOf(length: WindowMs): WindowFigures {
    let figures = this.figures.get(length);
    if (!figures) {
      figures = { flushes: 0, messages: 0, writes: 0, bytes: 0 };
      this.figures.set(length, figures);
    }
    return figures;
  }

  #run(length: WindowMs): Running {
    let running = this.#running.get(length);
    if (!running) {
      running = { senders: new Set(), readers: new Set(), isTimed: false };
      this.#running.set(length, running);
    }
    if (!running.isTimed) {
      running.isTimed = true;
      // Boundaries are the same for all senders, whenever they begin.
      const now = performance.now();
      setTimeout(() => this.#readAll(running), Math.ceil((Math.floor(now / length) + 1) * length - now));
    }
    return running;
  }

  #readAll(running: Running): void {
    running.isTimed = false;
    const { readers } = running;
    if (readers.size === 0) return this.#end(running);
    running.readers = new Set();
    this.#gather(running, readers, [...readers], 1);
  }

  #gather(
    running: Running,
    readers: ReadonlySet<WindowReader>,
    unread: readonly WindowReader[],
    round: number,
  ): void {
    for (const reader of unread) reader.gather();
    setImmediate(() => this.#take(running, readers, unread, [], round));
  }

  /** Others have a turn between many readers. `more`: those that have more. */
  #take(
    running: Running,
    readers: ReadonlySet<WindowReader>,
    unread: readonly WindowReader[],
    more: WindowReader[],
    round: number,
  ): void {
    const untilMs = performance.now() + READ_MS;
    for (const [index, reader] of unread.entries()) {
      if (reader.take()) more.push(reader);
      if (index + 1 < unread.length && performance.now() > untilMs) {
        setImmediate(() => this.#take(running, readers, unread.slice(index + 1), more, round));
        return;
      }
    }
    if (more.length > 0 && round < MAX_ROUNDS) return this.#gather(running, readers, more, round + 1);
    try {
      this.#end(running);
    } finally {
      for (const reader of readers) if (!running.readers.has(reader)) reader.resume();
    }
  }

  #end(running: Running): void {
    const { senders } = running;
    running.senders = new Set();
    for (const sender of senders) sender.endWindow();
  }
}
