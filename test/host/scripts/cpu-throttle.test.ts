import { expect, test } from 'vitest';
import { CpuThrottle } from '../../../host/scripts/cpu-throttle.ts';

test('the whole window may be used at once, then turns are spaced out to the share', () => {
  const throttle = new CpuThrottle(() => 20);
  throttle.spend(1000, 1999);
  expect(throttle.restMs(1000)).toBe(0);
  throttle.spend(1000, 11);
  expect(throttle.restMs(1000)).toBe(50); // 10 ms over, at a fifth of the time
  expect(throttle.restMs(1040)).toBe(10);
  expect(throttle.restMs(1050)).toBe(0);
});

test('over any stretch after the first window the share holds', () => {
  const throttle = new CpuThrottle(() => 25);
  let now = 0;
  let used = 0;
  while (now < 100_000) {
    throttle.spend(now, 30);
    used += 30;
    now += 30 + throttle.restMs(now + 30);
  }
  expect(used / now).toBeLessThan(0.25 + 2500 / now + 0.001);
  expect(used / now).toBeGreaterThan(0.25);
});

test('what was not used for long does not add up beyond one window', () => {
  const throttle = new CpuThrottle(() => 10);
  throttle.spend(1_000_000, 1100);
  expect(throttle.restMs(1_000_000)).toBe(1000);
});

test('100 percent is no throttle', () => {
  const throttle = new CpuThrottle(() => 100);
  throttle.spend(0, 100_000);
  expect(throttle.restMs(0)).toBe(0);
});
