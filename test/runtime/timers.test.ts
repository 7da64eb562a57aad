import { beforeEach, expect, test } from 'vitest';
import { setTime } from '../../runtime/clock.ts';
import type { Outbox } from '../../runtime/outbox.ts';
import { Timers } from '../../runtime/timers.ts';
import type { Command } from '../../runtime/wall/commands.ts';

type Schedule = (...args: unknown[]) => number;
let scope: { setTimeout: Schedule; setInterval: Schedule; clearTimeout: (id: unknown) => void };
let timers: Timers;
let alarms: number[];

/** The clock stands at `now`, and what is due runs. */
function wakeAt(now: number, mustYield: () => boolean = () => false): void {
  setTime(now, now);
  timers.wake(mustYield);
}

beforeEach(() => {
  alarms = [];
  const send = (command: Command) => {
    if (command.kind === 'wake-at') alarms.push(command.atMs);
  };
  timers = new Timers({ send } as unknown as Outbox, 5);
  scope = {} as typeof scope;
  timers.install(scope as never);
  setTime(1000, 1000);
});

test('the host is asked for an alarm only when an earlier one is needed', () => {
  scope.setTimeout(() => {}, 50);
  scope.setTimeout(() => {}, 80);
  scope.setTimeout(() => {}, 20);
  expect(alarms).toEqual([1050, 1020]);
  wakeAt(1020);
  expect(alarms).toEqual([1050, 1020, 1050]);
});

test('what is due runs in the order of time, then of creation', () => {
  const seen: string[] = [];
  scope.setTimeout(() => seen.push('b'), 20);
  scope.setTimeout(() => seen.push('c'), 20);
  scope.setTimeout(() => seen.push('a'), 10);
  scope.setTimeout(() => seen.push('later'), 31);
  wakeAt(1030);
  expect(seen).toEqual(['a', 'b', 'c']);
});

test('an interval that missed ticks goes on in step without repeating them', () => {
  let ticks = 0;
  scope.setInterval(() => ticks++, 100);
  wakeAt(1350);
  expect(ticks).toBe(1);
  expect(alarms.at(-1)).toBe(1400);
  wakeAt(1400);
  expect(ticks).toBe(2);
});

test('a timer cleared by one before it does not run', () => {
  const seen: string[] = [];
  scope.setTimeout(() => {
    seen.push('first');
    scope.clearTimeout(second);
  }, 5);
  const second = scope.setTimeout(() => seen.push('second'), 6);
  wakeAt(1010);
  expect(seen).toEqual(['first']);
});

test('what would take too long waits for an entry of its own, and loses nothing', () => {
  const seen: number[] = [];
  for (const n of [1, 2, 3]) scope.setTimeout(() => seen.push(n), n);
  for (const wakes of [1, 2, 3]) {
    wakeAt(1010, () => true);
    expect(seen).toHaveLength(wakes);
  }
  expect(seen).toEqual([1, 2, 3]);
});

const delays = [
  { ms: -5, timeout: 1000, interval: 1001 },
  { ms: Number.NaN, timeout: 1000, interval: 1001 },
  { ms: undefined, timeout: 1000, interval: 1001 },
  { ms: '20', timeout: 1020, interval: 1020 },
  { ms: Number.POSITIVE_INFINITY, timeout: 1000 + 2 ** 31 - 1, interval: 1000 + 2 ** 31 - 1 },
];
for (const { ms, timeout, interval } of delays) {
  test(`a delay of ${ms} is understood`, () => {
    scope.clearTimeout(scope.setTimeout(() => {}, ms));
    expect(alarms).toEqual([timeout]);
    const own = new Timers(
      { send: (command: Command) => alarms.push((command as { atMs: number }).atMs) } as never,
      5,
    );
    own.install(scope as never);
    scope.setInterval(() => {}, ms);
    expect(alarms).toEqual([timeout, interval]);
  });
}

test('timers beyond the limit throw', () => {
  for (let i = 0; i < 5; i++) scope.setTimeout(() => {}, 10);
  expect(() => scope.setTimeout(() => {}, 10)).toThrow('5 timers are running');
  wakeAt(1010);
  expect(scope.setTimeout(() => {}, 10)).toBeTypeOf('number');
});

for (const value of [undefined, 'code()', {}, 5]) {
  test(`${JSON.stringify(value)} is no function for a timer`, () => {
    expect(() => scope.setTimeout(value, 10)).toThrow(TypeError);
  });
}
