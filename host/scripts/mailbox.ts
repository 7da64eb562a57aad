import { type Delivery, decodeDelivery, encodeDelivery } from '../../runtime/protocol.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';

export interface MailboxLimits {
  records: number;
  bytes: number;
}

/** Bytes of one turn: enough for a thousand calls, few enough that the other isolates of a core get their share. */
const TURN_BYTES = 256 * 1024;

interface Batch {
  records: ByteWriter;
  count: number;
}

/**
 * The deliveries that wait for an isolate while a turn is under way. They are encoded when they are posted; a turn
 * takes them all, or as many as one turn carries. The mailbox never refuses: whoever posts looks at `isFull` and
 * stops reading from the socket that fills it.
 */
export class Mailbox {
  readonly #limits: MailboxLimits;
  #batches: Batch[] = [];
  #records = 0;
  #bytes = 0;

  constructor(limits: MailboxLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#records;
  }

  get isFull(): boolean {
    return this.#records >= this.#limits.records || this.#bytes >= this.#limits.bytes;
  }

  /** Enough has gone to read on. */
  get hasRoom(): boolean {
    return this.#records <= this.#limits.records / 2 && this.#bytes <= this.#limits.bytes / 2;
  }

  post(delivery: Delivery): void {
    let batch = this.#batches.at(-1);
    if (!batch || batch.records.length >= TURN_BYTES) {
      batch = { records: new ByteWriter(1024), count: 0 };
      this.#batches.push(batch);
    }
    const before = batch.records.length;
    encodeDelivery(batch.records, delivery);
    batch.count++;
    this.#records++;
    this.#bytes += batch.records.length - before;
  }

  /** The deliveries of the next turn, removed from the mailbox; empty when there are none. */
  take(): Uint8Array {
    const batch = this.#batches.shift();
    if (!batch) return new Uint8Array(0);
    this.#records -= batch.count;
    this.#bytes -= batch.records.length;
    return batch.records.view;
  }

  /** The rest of a batch that a turn did not come to: first in the next. */
  putBack(records: Uint8Array): void {
    const reader = new ByteReader(records);
    let count = 0;
    for (; reader.remaining > 0; count++) reader.skip(reader.u32());
    const batch: Batch = { records: new ByteWriter(records.length), count };
    batch.records.bytes(records);
    this.#batches.unshift(batch);
    this.#records += count;
    this.#bytes += records.length;
  }

  /** Everything that waits, removed from the mailbox, in order. */
  takeAll(): Delivery[] {
    const all: Delivery[] = [];
    for (let records = this.take(); records.length > 0; records = this.take())
      all.push(...decodeAll(records));
    return all;
  }
}

/** The deliveries of a batch, from `offset` on. Their byte fields are views into the batch. */
export function decodeAll(records: Uint8Array, offset = 0): Delivery[] {
  const reader = new ByteReader(records, offset);
  const all: Delivery[] = [];
  while (reader.remaining > 0) all.push(decodeDelivery(reader));
  return all;
}
