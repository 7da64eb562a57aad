import { describe, expect, test } from 'vitest';
import { fillRandom, randomNumber, reseed } from '../../runtime/entropy.ts';
import { SEED_BYTES } from '../../runtime/protocol.ts';
import { fromHex, toHex } from '../support/vectors.ts';

/** 16 bytes for Math.random, then the key. */
function seedWithKey(key: string): Uint8Array {
  const seed = new Uint8Array(SEED_BYTES);
  seed.set(fromHex(key), 16);
  return seed;
}

describe('the bytes for crypto', () => {
  test('are the ChaCha20 key stream of RFC 8439 (appendix A.1, vectors 1 and 2)', () => {
    reseed(new Uint8Array(SEED_BYTES));
    const stream = new Uint8Array(128);
    fillRandom(stream);
    expect(toHex(stream)).toBe(
      '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7' +
        'da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586' +
        '9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed' +
        '29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f',
    );
  });

  test('use the key (appendix A.1, vector 3 begins so at counter 1)', () => {
    reseed(seedWithKey(`${'00'.repeat(31)}01`));
    const stream = new Uint8Array(96);
    fillRandom(stream);
    expect(toHex(stream.subarray(64))).toBe(
      '3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a',
    );
  });

  test('do not depend on how much Math.random was used', () => {
    const take = (numbers: number) => {
      reseed(seedWithKey('11'.repeat(32)));
      for (let i = 0; i < numbers; i++) randomNumber();
      const bytes = new Uint8Array(16);
      fillRandom(bytes);
      return toHex(bytes);
    };
    expect(take(1000)).toBe(take(0));
  });
});

describe('Math.random', () => {
  test('repeats for the same seed and differs for another', () => {
    const numbers = (fill: number) => {
      reseed(new Uint8Array(SEED_BYTES).fill(fill));
      return Array.from({ length: 5 }, randomNumber);
    };
    expect(numbers(7)).toEqual(numbers(7));
    expect(numbers(7)).not.toEqual(numbers(8));
  });

  test('stays in [0, 1) and spreads evenly', () => {
    reseed(new Uint8Array(SEED_BYTES).fill(3));
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) {
      const number = randomNumber();
      expect(number >= 0 && number < 1).toBe(true);
      buckets[Math.floor(number * 10)]! += 1;
    }
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
