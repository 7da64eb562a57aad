import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { MailboxLimits } from '../scripts/mailbox.ts';

/** What a delivery costs beside the bytes that its client sent. */
const OVERHEAD = 256;

/**
 * Counts the deliveries of an instance that wait outside its mailbox: for the script to load, or for a new script's
 * verdict about their client. When it is full, the sockets that add to it are read no further.
 */
export class Backlog {
  readonly #limits: () => MailboxLimits;
  #records = 0;
  #bytes = 0;

  constructor(limits: () => MailboxLimits) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    const { records, bytes } = this.#limits();
    return this.#records >= records || this.#bytes >= bytes;
  }

  /** Appends to a queue that this backlog counts. */
  add(queue: Delivery[], delivery: Delivery): void {
    queue.push(delivery);
    this.#records++;
    this.#bytes += sizeOf(delivery);
  }

  /** Empties such a queue. */
  takeAll(queue: Delivery[]): Delivery[] {
    for (const delivery of queue) this.#bytes -= sizeOf(delivery);
    this.#records -= queue.length;
    return queue.splice(0);
  }
}

function sizeOf(delivery: Delivery): number {
  return OVERHEAD + ('command' in delivery ? delivery.command.body.length : 0);
}
