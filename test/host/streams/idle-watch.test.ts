import { expect, test } from 'vitest';
import { ManualClock } from '../../../host/base/clock.ts';
import { IdleWatch } from '../../../host/streams/idle-watch.ts';

function watch(limitMs: number) {
  const clock = new ManualClock();
  const told: number[] = [];
  const idle = new IdleWatch(limitMs, () => told.push(clock.monotonic()), clock);
  return { clock, told, idle };
}

test('who never sends is idle once', () => {
  const { clock, told } = watch(1000);
  clock.advance(10_000);
  expect(told).toEqual([1000]);
  expect(clock.pending).toBe(0);
});

test('who sends is not, and silence counts from the last message on', () => {
  const { clock, told, idle } = watch(1000);
  for (let i = 0; i < 50; i++) {
    clock.advance(100);
    idle.heard();
    expect(clock.pending).toBe(1);
  }
  expect(told).toEqual([]);
  clock.advance(10_000);
  expect(told).toEqual([6000]);
  idle.heard();
  clock.advance(10_000);
  expect(told).toEqual([6000, 16_000]);
});

test('nobody is told after the end, or without a limit', () => {
  const { clock, told, idle } = watch(1000);
  idle.stop();
  clock.advance(10_000);
  const unlimited = watch(0);
  unlimited.idle.heard();
  unlimited.clock.advance(10_000);
  expect([...told, ...unlimited.told]).toEqual([]);
});
