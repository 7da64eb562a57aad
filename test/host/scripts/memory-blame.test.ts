import { expect, test } from 'vitest';
import { MemoryBlame } from '../../../host/scripts/memory-blame.ts';

const MB = 1024 * 1024;
const MOST = 100 * MB;

test('growth in many short turns is charged to whoever had them, until it is too much', () => {
  const blame = new MemoryBlame();
  let size = 100;
  blame.weigh(size * MB, [], MOST);
  for (let turn = 1; turn <= 20; turn++) {
    blame.isAtWork(1, 10);
    size += 6;
    // Twice its heap is its own business: 20 MB, and 100 MB beyond that.
    expect(blame.weigh(size * MB, [], MOST), `turn ${turn}`).toEqual([]);
  }
  blame.isAtWork(1, 10);
  expect(blame.weigh((size + 6) * MB, [], MOST)).toEqual([1]);
});

test('who was not at work is not charged, who has gone is forgotten', () => {
  const blame = new MemoryBlame();
  blame.isAtWork(2, 10);
  blame.weigh(100 * MB, [], MOST);
  blame.isAtWork(1, 10);
  blame.weigh(200 * MB, [1], MOST);
  blame.isAtWork(2, 10);
  blame.forget(1);
  expect(blame.weigh(210 * MB, [], MOST)).toEqual([]);
  blame.isAtWork(3, 10);
  expect(blame.weigh(400 * MB, [], MOST)).toEqual([3]);
});

test('work that goes on is charged at each reading, and what is given back is taken off', () => {
  const blame = new MemoryBlame();
  blame.weigh(0, [], MOST);
  blame.isAtWork(1, 10);
  blame.weigh(90 * MB, [1], MOST);
  blame.weigh(20 * MB, [1], MOST);
  expect(blame.weigh(110 * MB, [1], MOST)).toEqual([]);
  expect(blame.weigh(130 * MB, [1], MOST)).toEqual([1]);
});

test('those who always work together are suspects together', () => {
  const blame = new MemoryBlame();
  blame.weigh(0, [], MOST);
  for (const isolate of [1, 2, 3]) blame.isAtWork(isolate, 10);
  blame.weigh(30 * MB, [1, 2], MOST);
  expect(blame.weigh(300 * MB, [], MOST)).toEqual([1, 2]);
});
