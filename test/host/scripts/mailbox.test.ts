import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../host/base/clock.ts';
import { decodeAll, Mailbox } from '../../../host/scripts/mailbox.ts';
import type { Delivery } from '../../../runtime/wall/deliveries.ts';
import { ByteReader } from '../../../wire/bytes.ts';

const call = (number: number, bytes = 10): Delivery => ({
  kind: 'call',
  client: 1,
  call: number,
  command: { type: 20, body: new Uint8Array(bytes) },
});
const numbers = (deliveries: Delivery[]) =>
  deliveries.map((delivery) => (delivery.kind === 'call' ? delivery.call : 0));
const roomy = { records: 1000, bytes: 10_000_000 };

describe('a mailbox', () => {
  test('gives all that waits as one batch, in order, and is empty then', () => {
    const mailbox = new Mailbox(roomy, new ManualClock());
    for (const number of [1, 2, 3]) mailbox.post(call(number));
    expect(numbers(decodeAll(mailbox.take().records))).toEqual([1, 2, 3]);
    expect(mailbox.length).toBe(0);
    expect(mailbox.take()).toMatchObject({ count: 0 });
  });

  test('cuts large backlogs into turns without splitting a delivery', () => {
    const mailbox = new Mailbox(roomy, new ManualClock());
    for (let number = 1; number <= 20; number++) mailbox.post(call(number, 50_000));
    const turns: number[][] = [];
    for (let batch = mailbox.take(); batch.count > 0; batch = mailbox.take()) {
      expect(batch.records.length).toBeLessThan(600_000);
      turns.push(numbers(decodeAll(batch.records)));
      expect(turns.at(-1)).toHaveLength(batch.count);
    }
    expect(turns.length).toBeGreaterThan(1);
    expect(turns.flat()).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('writes memory again only when it was given back, and only for batches that need it', () => {
    const mailbox = new Mailbox(roomy, new ManualClock());
    const fill = () => {
      for (let number = 1; number <= 10; number++) mailbox.post(call(number, 10_000));
      return mailbox.take();
    };
    const memories = new Set<ArrayBufferLike>();
    // Others may have left some: after so many batches there is none that was never used here.
    for (let round = 0; round < 10; round++) memories.add(fill().records.buffer);
    expect(memories.size).toBe(10);
    const kept = fill();
    kept.recycle();
    const again = fill();
    expect(again.records.buffer).toBe(kept.records.buffer);
    expect(numbers(decodeAll(again.records))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    again.recycle();

    const idle = new Mailbox(roomy, new ManualClock());
    idle.post(call(1));
    expect(idle.take().records.buffer.byteLength).toBeLessThan(4096);
  });

  test('is full at its count of records and has room again at half of it', () => {
    const mailbox = new Mailbox({ records: 4, bytes: 1_000_000 }, new ManualClock());
    for (let number = 1; number <= 3; number++) mailbox.post(call(number));
    expect(mailbox.isFull).toBe(false);
    mailbox.post(call(4));
    expect([mailbox.isFull, mailbox.hasRoom]).toEqual([true, false]);
    mailbox.take();
    expect([mailbox.isFull, mailbox.hasRoom]).toEqual([false, true]);
  });

  test('is full at its bytes', () => {
    const mailbox = new Mailbox({ records: 1000, bytes: 1000 }, new ManualClock());
    mailbox.post(call(1, 900));
    expect(mailbox.isFull).toBe(false);
    mailbox.post(call(2, 100));
    expect(mailbox.isFull).toBe(true);
  });

  test('takes back what a turn did not come to, and gives it out first', () => {
    const mailbox = new Mailbox(roomy, new ManualClock());
    for (const number of [1, 2, 3]) mailbox.post(call(number));
    const { records: batch } = mailbox.take();
    mailbox.post(call(4));
    const [first] = decodeAll(batch);
    expect(first).toMatchObject({ call: 1 });
    mailbox.putBack(batch.subarray(batch.length / 3), 0);
    expect(mailbox.length).toBe(3);
    expect(numbers(mailbox.takeAll())).toEqual([2, 3, 4]);
    expect(mailbox.length).toBe(0);
  });

  test('what is posted first comes before all that waits, in order, also when a turn did not come to it', () => {
    const mailbox = new Mailbox(roomy, new ManualClock());
    const state = (version: number): Delivery => ({ kind: 'shared-state', object: 1, version, changes: [] });
    const seen = (all: Delivery[]) =>
      all.map((each) => (each.kind === 'shared-state' ? `s${each.version}` : `c${numbers([each])}`));
    mailbox.post(call(1));
    mailbox.postFirst(state(1));
    mailbox.post(call(2));
    mailbox.postFirst(state(2));
    expect(mailbox.length).toBe(4);
    const { records, count } = mailbox.take();
    expect([count, mailbox.length, mailbox.bytes]).toEqual([4, 0, 0]);
    expect(seen(decodeAll(records))).toEqual(['s1', 's2', 'c1', 'c2']);
    const reader = new ByteReader(records);
    reader.skip(reader.u32());
    const rest = records.slice(reader.position);
    mailbox.postFirst(state(3));
    mailbox.post(call(3));
    mailbox.putBack(rest, 0);
    mailbox.postFirst(state(4));
    expect(mailbox.length).toBe(6);
    expect(seen(mailbox.takeAll())).toEqual(['s2', 's3', 's4', 'c1', 'c2', 'c3']);
    expect([mailbox.length, mailbox.bytes]).toEqual([0, 0]);
  });

  test('hands everything to a successor', () => {
    const mailbox = new Mailbox(roomy, new ManualClock());
    for (let number = 1; number <= 10; number++) mailbox.post(call(number, 60_000));
    expect(numbers(mailbox.takeAll())).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect([mailbox.length, mailbox.hasRoom]).toEqual([0, true]);
  });

  test('tells how long its oldest delivery has waited', () => {
    const clock = new ManualClock();
    const mailbox = new Mailbox(roomy, clock);
    clock.advance(500);
    expect(mailbox.ageMs).toBe(0);
    mailbox.post(call(1));
    clock.advance(70);
    mailbox.post(call(2));
    clock.advance(5);
    expect(mailbox.ageMs).toBe(75);
    mailbox.take();
    expect(mailbox.ageMs).toBe(0);
  });

  test('has room for what leaves it at half of overflowing', () => {
    const mailbox = new Mailbox({ records: 100, bytes: 1000 }, new ManualClock());
    expect(mailbox.hasRoomFor(8000)).toBe(true);
    expect(mailbox.hasRoomFor(8001)).toBe(false);
    mailbox.post(call(1, 5000));
    expect(mailbox.hasRoomFor(2900)).toBe(true);
    expect(mailbox.hasRoomFor(3000)).toBe(false);
    mailbox.take();
    expect(mailbox.hasRoomFor(8000)).toBe(true);
  });

  test('is overflowing at sixteen times what it may hold', () => {
    const mailbox = new Mailbox({ records: 4, bytes: 1_000_000 }, new ManualClock());
    for (let number = 1; number <= 63; number++) mailbox.post(call(number));
    expect(mailbox.isOverflowing).toBe(false);
    mailbox.post(call(64));
    expect(mailbox.isOverflowing).toBe(true);
  });
});
