import { expect, test } from 'vitest';
import { fillRandom, randomNumber, reseed } from '../../runtime/entropy.ts';
import { SEED_BYTES } from '../../runtime/wall/boot.ts';
import { toHex } from '../support/vectors.ts';

const seed = (fill: (bytes: Uint8Array) => void = () => {}) => {
  const bytes = new Uint8Array(SEED_BYTES);
  fill(bytes);
  return bytes;
};
const draw = (count: number) => {
  const bytes = new Uint8Array(count);
  fillRandom(bytes, count);
  return toHex(bytes);
};

test('crypto is ChaCha20: test vectors 1 and 2 of RFC 8439, appendix A.1', () => {
  reseed(seed());
  expect(draw(64)).toBe(
    '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7' +
      'da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586',
  );
  expect(draw(64)).toBe(
    '9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed' +
      '29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f',
  );
});

test('Math.random is xoshiro128**, two outputs a number', () => {
  reseed(seed((bytes) => bytes.set([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])));
  // The first outputs for the state 1, 2, 3, 4: 11520, 0, 5927040, 70819200.
  expect(randomNumber()).toBe((Math.floor(11520 / 32) * 2 ** 26) / 2 ** 53);
  expect(randomNumber()).toBe((Math.floor(5927040 / 32) * 2 ** 26 + Math.floor(70819200 / 64)) / 2 ** 53);
});

test('the same seed gives the same numbers, another seed others', () => {
  const numbers = () => [randomNumber(), randomNumber(), draw(16)];
  reseed(seed((bytes) => bytes.fill(1)));
  const first = numbers();
  reseed(seed((bytes) => bytes.fill(1)));
  expect(numbers()).toEqual(first);
  reseed(seed((bytes) => bytes.fill(2)));
  for (const [index, number] of numbers().entries()) expect(number).not.toBe(first[index]);
});

test('what Math.random shows tells nothing of crypto, and the other way round', () => {
  reseed(seed((bytes) => bytes.fill(7)));
  const alone = draw(32);
  reseed(seed((bytes) => bytes.fill(7)));
  randomNumber();
  expect(draw(32)).toBe(alone);
});

test('numbers are from 0 to below 1 and even', () => {
  reseed(seed((bytes) => bytes.fill(9)));
  const tenths = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const number = randomNumber();
    expect(number >= 0 && number < 1).toBe(true);
    tenths[Math.floor(number * 10)]!++;
  }
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
