import { lengthOfAll, writeAll } from '../rtmp/format.ts';
import type { OutMessage, WireFormat } from '../rtmp/ports.ts';
import type { Block, BlockPool } from './blocks.ts';
import type { Viewer, ViewerLimits } from './viewer.ts';
import type { WindowFigures } from './windows.ts';

/** The viewers of one stream who take the same bytes: those of one format who play it under the same stream id. */
export class Audience {
  readonly viewers = new Set<Viewer>();
  readonly #format: WireFormat;
  readonly #streamId: number;

  constructor(format: WireFormat, streamId: number) {
    this.#format = format;
    this.#streamId = streamId;
  }

  /** Sends what came in one window: written once, and once to each who takes all of it. A step for each viewer. */
  *send(
    messages: readonly OutMessage[],
    pool: BlockPool,
    now: number,
    limits: ViewerLimits,
    figures: WindowFigures,
  ): Generator<void, void> {
    let block: Block | undefined;
    try {
      for (const viewer of this.viewers) {
        const share = attempt(viewer, () => viewer.shareOf(messages, now, limits));
        if (share === 'some') attempt(viewer, () => viewer.sendSome(messages));
        else if (share === 'all') {
          block ??= this.#write(messages, pool);
          const shared = block;
          attempt(viewer, () => shared.writeTo(viewer.transport, messages.length));
          figures.writes++;
          figures.bytes += shared.bytes.length;
        }
        yield;
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

/** What goes wrong with one viewer costs its connection, and the others nothing. */
function attempt<Result>(viewer: Viewer, work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    viewer.transport.fail(error);
    return undefined;
  }
}
