import { expect, test } from 'vitest';
import { HostTime } from '../../../host/scripts/host-time.ts';

let cpuMs = 0;
let now = 0;
const newTime = () =>
  new HostTime(
    () => cpuMs,
    () => now,
  );

function pass(ms: number, usedMs: number): void {
  now += ms;
  cpuMs += usedMs;
}

test('those who wait share what the host has used meanwhile, and what it used before counts for nobody', () => {
  const time = newTime();
  pass(100, 100);
  const a = time.begin();
  pass(10, 8);
  const b = time.begin();
  pass(10, 8);
  expect(a()).toBe(12);
  pass(10, 3);
  expect(b()).toBe(7);
  pass(100, 100);
  const c = time.begin();
  pass(5, 1);
  expect(c()).toBe(1);
});

test('nobody is charged for more than the time that it has waited', () => {
  const time = newTime();
  const end = time.begin();
  pass(10, 25);
  expect(end()).toBe(10);
});
