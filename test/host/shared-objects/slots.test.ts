import { expect, test } from 'vitest';
import { Slots } from '../../../host/shared-objects/slots.ts';
import { sharedValueOf } from '../../../wire/shared-values.ts';

const value = sharedValueOf(1, 0);
const slot = (version: number) => ({ value, version, writer: 1, toldWriter: version });

test('removed slots are known, until their names take more than 64 KiB', () => {
  const slots = new Slots();
  for (let i = 0; i < 100; i++) slots.set(`s${i}`, slot(1));
  const { bytes } = slots;
  for (let version = 1; version <= 200; version += 2) {
    const name = String(version).padStart(1000, 'n');
    slots.set(name, slot(version));
    slots.remove(name, version + 1);
  }
  const known = [...slots.removed];
  expect(known).toHaveLength(65);
  expect(slots.knowsSince(known[0]![1], 1000)).toBe(true);
  expect(slots.knowsSince(known[0]![1] - 3, 1000)).toBe(false);
  expect(slots.bytes).toBe(bytes);
});

test('of removed slots no more are known than there are slots, or a few', () => {
  const slots = new Slots();
  for (let i = 0; i < 1000; i++) slots.set(`s${i}`, slot(i));
  for (let i = 0; i < 600; i++) slots.remove(`s${i}`, 1000 + i);
  expect([...slots.removed]).toHaveLength(400);
  for (let i = 600; i < 1000; i++) slots.remove(`s${i}`, 1000 + i);
  expect([...slots.removed]).toHaveLength(64);
  expect(slots.knowsSince(1935, 2000)).toBe(true);
  expect(slots.knowsSince(1934, 2000)).toBe(false);
});

test('a name that is a slot again is not kept among the removed', () => {
  const slots = new Slots();
  for (let version = 1; version <= 1000; version += 2) {
    slots.set('n'.repeat(1000), slot(version));
    slots.remove('n'.repeat(1000), version + 1);
  }
  expect([...slots.removed]).toHaveLength(1);
  expect(slots.knowsSince(1, 1000)).toBe(true);
});

test('a slot takes more of the limit than its few bytes', () => {
  const usage = { bytes: 0 };
  const slots = new Slots([usage]);
  for (let i = 0; i < 100; i++) slots.set(`s${i}`, slot(i));
  expect(usage.bytes).toBeGreaterThan(100 * 256);
  slots.set('s1', slot(101));
  slots.remove('s2', 102);
  slots.clear(103);
  expect(usage.bytes).toBe(0);
});
