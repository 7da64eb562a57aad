import {
  type Delivery,
  decodeDelivery,
  encodeDelivery,
  isShownFirst,
} from '../../runtime/wall/deliveries.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import type { Clock } from '../base/clock.ts';

export interface MailboxLimits {
  records: number;
  bytes: number;
}

/** Bytes of one turn: enough for a thousand calls, few enough that the other isolates of a core get their share. */
const TURN_BYTES = 512 * 1024;

/** What nobody can be stopped from posting (who leaves, what a timer says) may exceed the limits so many times. */
const OVERFLOW = 16;

/**
 * Memory of batches that are done, for the next ones: a mailbox under load would make half a megabyte of garbage for
 * each turn, outside of V8's heap, and have V8 look for it all the time.
 */
const spares: ByteWriter[] = [];
const MOST_SPARES = 8;
/** Smaller ones are soon made; and a mailbox whose last batch was smaller must not sit on more than it counts. */
const LEAST_SPARE = 16 * 1024;

interface Batch {
  records: ByteWriter;
  count: number;
  /** Of its first delivery, on the monotonic clock. */
  since: number;
}

export interface TakenBatch extends Omit<Batch, 'records'> {
  readonly records: Uint8Array;
  /** Says that nobody has use for `records` any more, nor for views into them: their memory is written again. */
  readonly recycle: () => void;
}

/**
 * The deliveries that wait for an isolate while a turn is under way. They are encoded when they are posted; a turn
 * takes them all, or as many as one turn carries. The mailbox never refuses: whoever posts looks at `isFull` and
 * stops reading from the socket that fills it. Once it is overflowing all the same, its script is given up.
 */
export class Mailbox {
  readonly #limits: MailboxLimits;
  #batches: Batch[] = [];
  #first: Batch | undefined;
  #records = 0;
  #bytes = 0;
  /** Of the batch that was taken last. */
  #lastBytes = 0;
  readonly #clock: Clock;

  constructor(limits: MailboxLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get length(): number {
    return this.#records;
  }

  get isFull(): boolean {
    return this.#records >= this.#limits.records || this.#bytes >= this.#limits.bytes;
  }

  get isOverflowing(): boolean {
    return this.#records >= this.#limits.records * OVERFLOW || this.#bytes >= this.#limits.bytes * OVERFLOW;
  }

  /** Whether so many bytes more would leave it well below overflowing. */
  hasRoomFor(bytes: number): boolean {
    return this.#bytes + bytes <= (this.#limits.bytes * OVERFLOW) / 2;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds that the oldest delivery has waited; 0 when there is none. */
  get ageMs(): number {
    const oldest = this.#batches[0] ?? this.#first;
    return oldest ? this.#clock.monotonic() - oldest.since : 0;
  }

  /** Enough has gone to read on. */
  get hasRoom(): boolean {
    return this.#records <= this.#limits.records / 2 && this.#bytes <= this.#limits.bytes / 2;
  }

  /** Before everything that waits, and after what was posted so before: what every handler is to find done. */
  postFirst(delivery: Delivery): void {
    this.#first ??= { records: new ByteWriter(1024), count: 0, since: this.#clock.monotonic() };
    const { records } = this.#first;
    const before = records.length;
    encodeDelivery(records, delivery);
    this.#first.count++;
    this.#records++;
    this.#bytes += records.length - before;
  }

  post(delivery: Delivery): void {
    let batch = this.#batches.at(-1);
    if (!batch || batch.records.length >= TURN_BYTES) {
      const spare = this.#lastBytes >= LEAST_SPARE ? spares.pop() : undefined;
      batch = { records: spare ?? new ByteWriter(1024), count: 0, since: this.#clock.monotonic() };
      this.#batches.push(batch);
    }
    const before = batch.records.length;
    encodeDelivery(batch.records, delivery);
    batch.count++;
    this.#records++;
    this.#bytes += batch.records.length - before;
  }

  /** The deliveries of the next turn, removed from the mailbox; empty when there are none. */
  take(): TakenBatch {
    const batch = this.#first ? this.#takeFirst(this.#first) : this.#batches.shift();
    if (!batch) return { records: new Uint8Array(0), count: 0, since: 0, recycle: () => {} };
    const { records, count, since } = batch;
    this.#records -= count;
    this.#bytes -= records.length;
    this.#lastBytes = records.length;
    const recycle = () => {
      const isWorthIt = records.capacity >= LEAST_SPARE && records.capacity <= 2 * TURN_BYTES;
      if (!isWorthIt || spares.length >= MOST_SPARES) return;
      records.truncate(0);
      spares.push(records);
    };
    return { records: records.view, count, since, recycle };
  }

  /** The rest of a batch that a turn did not come to: first in the next. */
  putBack(records: Uint8Array, since: number): void {
    const reader = new ByteReader(records);
    const first: Batch = { records: new ByteWriter(256), count: 0, since };
    const rest: Batch = { records: new ByteWriter(records.length), count: 0, since };
    while (reader.remaining > 0) {
      const start = reader.position;
      const length = reader.u32();
      const batch = rest.count === 0 && isShownFirst(reader) ? first : rest;
      reader.skip(length);
      batch.records.bytes(records.subarray(start, reader.position));
      batch.count++;
    }
    this.#records += first.count + rest.count;
    this.#bytes += records.length;
    if (rest.count > 0) this.#batches.unshift(rest);
    if (first.count === 0) return;
    // What was posted first meanwhile is younger.
    if (this.#first) first.records.bytes(this.#first.records.view);
    first.count += this.#first?.count ?? 0;
    this.#first = first;
  }

  /** What goes first and the next batch, as one. */
  #takeFirst(first: Batch): Batch {
    this.#first = undefined;
    const next = this.#batches.shift();
    if (!next) return first;
    first.records.bytes(next.records.view);
    return { records: first.records, count: first.count + next.count, since: next.since };
  }

  /** Everything that waits, removed from the mailbox, in order. */
  takeAll(): Delivery[] {
    const all: Delivery[] = [];
    for (let batch = this.take(); batch.count > 0; batch = this.take()) all.push(...decodeAll(batch.records));
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
