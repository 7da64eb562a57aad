import { expect, test } from 'vitest';
import { covers } from '../../../host/apps/access.ts';

test.each([
  ['/', 'anything/at all', true],
  ['', 'anything', false],
  [';', 'anything', false],
  ['pub', 'pub', true],
  ['pub', 'pub/a', true],
  ['/pub/', 'pub/a/b', true],
  ['pub', 'public/a', false],
  ['pub/a', 'pub', false],
  ['a;b/c', 'b/c/d', true],
  ['a; b', 'b', true],
  ['vod', 'mp4:vod/film.mp4', true],
  ['vod', 'vod/film?token=vod', true],
  ['token', 'film?/token', false],
])('%j covers %j: %j', (paths, name, expected) => {
  expect(covers(paths, name)).toBe(expected);
});

test.each([
  ['pub', 'public/a', true],
  ['/pub/', 'pub/a', true],
  ['pub/a', 'pub/ab?key=1', true],
  ['pub/a', 'pub', false],
  ['', 'pub', false],
  ['a;pub', 'mp4:public', true],
])('as text %j covers %j: %j', (paths, name, expected) => {
  expect(covers(paths, name, true)).toBe(expected);
});
