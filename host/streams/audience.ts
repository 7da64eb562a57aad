import { lengthOfAll, writeAll } from '../rtmp/format.ts';
import type { OutMessage, WireFormat } from '../rtmp/ports.ts';
import type { Block, BlockPool } from './blocks.ts';
import type { Viewer, ViewerLimits } from './viewer.ts';
import type { WindowFigures } from './windows.ts';

/** Viewers served before others have a turn. */
const STEP_VIEWERS = 4;

/** The viewers of one stream who take the same bytes: those of one format who play it under the same stream id. */
export class Audience {
  readonly viewers = new Set<Viewer>();
  readonly #format: WireFormat;
  readonly #streamId: number;

  constructor(format: WireFormat, streamId: number) {
    this.#format = format;
    this.#streamId = streamId;
  }

  /** Sends what came in one window: written once, and once to each who takes all of it. A step for some viewers. */
  *send(
    messages: readonly OutMessage[],
    pool: BlockPool,
    now: number,
    limits: ViewerLimits,
    figures: WindowFigures,
  ): Generator<void, void> {
    let block: Block | undefined;
    let served = 0;
    try {
      for (const viewer of this.viewers) {
        let isSent = block !== undefined && passes(viewer, block, messages.length);
        if (!isSent && takesAll(viewer, messages, now, limits)) {
          block ??= this.#write(messages, pool);
          writeTo(viewer, block, messages.length);
          isSent = true;
        }
        if (isSent) {
          figures.writes++;
          figures.bytes += block!.bytes.length;
        }
        if (++served % STEP_VIEWERS === 0) yield;
      }
    } finally {
      block?.close();
    }
  }

  #write(messages: readonly OutMessage[], pool: BlockPool): Block {
    const block = pool.take(lengthOfAll(this.#format, messages));
    try {
      writeAll(this.#format, block.bytes, messages, this.#streamId);
      return block;
    } catch (error) {
      block.close();
      throw error;
    }
  }
}

/*
 * What goes wrong with one viewer costs its connection, and the others nothing. These are functions of their own, with
 * no closures: they run for each viewer and window.
 */

/** Whether nothing is left to do for the viewer. */
function passes(viewer: Viewer, block: Block, messages: number): boolean {
  try {
    return viewer.pass(block, messages);
  } catch (error) {
    viewer.transport.fail(error);
    return true;
  }
}

/** Whether the viewer takes the shared bytes. What it takes otherwise it has been sent. */
function takesAll(
  viewer: Viewer,
  messages: readonly OutMessage[],
  now: number,
  limits: ViewerLimits,
): boolean {
  try {
    const share = viewer.shareOf(messages, now, limits);
    if (share === 'some') viewer.sendSome(messages);
    return share === 'all';
  } catch (error) {
    viewer.transport.fail(error);
    return false;
  }
}

function writeTo(viewer: Viewer, block: Block, messages: number): void {
  try {
    block.writeTo(viewer.transport, messages);
  } catch (error) {
    viewer.transport.fail(error);
  }
}
