import { expect, test } from 'vitest';
import { DelayControl } from '../../../client/media/delay-control.ts';
import { ArrivalClock } from '../../../client/media/low-latency/arrival-clock.ts';

test('the target is raised by stalls, told twice or not, and lowered slowly when there are none', () => {
  const delay = new DelayControl(120, 2000);
  delay.stalled(1000);
  delay.stalled(1100);
  expect(delay.targetMs).toBe(180);
  delay.stalled(2000);
  expect(delay.targetMs).toBe(270);
  for (let now = 2000; now < 60_000; now += 100) delay.decide(270, now);
  expect(delay.targetMs).toBe(120);
});

test('the target has an end', () => {
  const delay = new DelayControl(120, 2000);
  for (let now = 1000; now < 60_000; now += 1000) delay.stalled(now);
  expect(delay.targetMs).toBe(2000);
});

test('who is behind plays faster until the target is met, who is too near slower', () => {
  const delay = new DelayControl(120, 2000);
  const rates = [150, 260, 150, 119, 30, 100, 121, 900, 200].map((ahead) => delay.decide(ahead, 0).rate);
  expect(rates).toEqual([1, 1.05, 1.05, 1, 0.96, 0.96, 1, 1.1, 1.05]);
});

test('who is far behind leaves something out', () => {
  const delay = new DelayControl(120, 2000);
  expect(delay.decide(2121, 0)).toEqual({ rate: 1, isJump: true });
  expect(delay.decide(2119, 0)).toMatchObject({ isJump: false });
});

test('what comes late does not move the clock, and a sender that drifts is followed', () => {
  const clock = new ArrivalClock();
  expect(clock.at(0)).toBeUndefined();
  clock.arrived(1000, 5000);
  clock.arrived(1040, 5300);
  expect(clock.at(6000)).toBe(2000);
  for (let i = 0; i < 20; i++) clock.arrived(2000 + i * 1000, 6010 + i * 1000);
  expect(clock.at(30_000)).toBe(25_990);
});
