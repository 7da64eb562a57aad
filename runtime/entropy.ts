import { imul } from './primordials.ts';

/**
 * Randomness enters with the turn: the host supplies 48 bytes, of which `Math.random` takes 16 (xoshiro128**,
 * Blackman and Vigna) and `crypto` 32 (ChaCha20, RFC 8439). Two generators, so that numbers which a script shows
 * to its clients tell nothing of the identifiers it makes.
 */

const state = new Uint32Array(4);
const block = new Uint32Array(16);
const work = new Uint32Array(16);
let wordsUsed = 16;

/** Takes the turn's seed, 48 bytes. */
export function reseed(seed: Uint8Array): void {
  // Index by index: methods of arrays may have been patched, and the seed is in memory that the core shares.
  for (let i = 0; i < 4; i++) state[i] = littleEndian(seed, i * 4);
  for (let i = 0; i < 4; i++) block[i] = EXPAND_32_BYTE_K[i]!;
  for (let i = 0; i < 8; i++) block[4 + i] = littleEndian(seed, 16 + i * 4);
  for (let i = 12; i < 16; i++) block[i] = 0;
  wordsUsed = 16;
}

const EXPAND_32_BYTE_K = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

function littleEndian(bytes: Uint8Array, at: number): number {
  return bytes[at]! + bytes[at + 1]! * 0x100 + bytes[at + 2]! * 0x10000 + bytes[at + 3]! * 0x1000000;
}

/** A number in [0, 1) with 53 random bits. */
export function randomNumber(): number {
  const high = nextRandom() >>> 5;
  const low = nextRandom() >>> 6;
  return (high * 0x4000000 + low) / 0x20000000000000;
}

/** Fills the first `count` of `target` with bytes fit for identifiers and keys. */
export function fillRandom(target: Uint8Array, count: number): void {
  let word = 0;
  for (let i = 0; i < count; i++) {
    if ((i & 3) === 0) word = nextKeyWord();
    target[i] = word >>> ((i & 3) * 8);
  }
}

function nextRandom(): number {
  const result = imul(rotate(imul(state[1]!, 5), 7), 9);
  const shifted = state[1]! << 9;
  state[2]! ^= state[0]!;
  state[3]! ^= state[1]!;
  state[1]! ^= state[2]!;
  state[0]! ^= state[3]!;
  state[2]! ^= shifted;
  state[3] = rotate(state[3]!, 11);
  return result >>> 0;
}

function nextKeyWord(): number {
  if (wordsUsed === 16) {
    for (let i = 0; i < 16; i++) work[i] = block[i]!;
    for (let round = 0; round < 10; round++) {
      quarter(0, 4, 8, 12);
      quarter(1, 5, 9, 13);
      quarter(2, 6, 10, 14);
      quarter(3, 7, 11, 15);
      quarter(0, 5, 10, 15);
      quarter(1, 6, 11, 12);
      quarter(2, 7, 8, 13);
      quarter(3, 4, 9, 14);
    }
    for (let i = 0; i < 16; i++) work[i]! += block[i]!;
    block[12]! += 1;
    wordsUsed = 0;
  }
  return work[wordsUsed++]!;
}

function quarter(a: number, b: number, c: number, d: number): void {
  work[a]! += work[b]!;
  work[d] = rotate(work[d]! ^ work[a]!, 16);
  work[c]! += work[d]!;
  work[b] = rotate(work[b]! ^ work[c]!, 12);
  work[a]! += work[b]!;
  work[d] = rotate(work[d]! ^ work[a]!, 8);
  work[c]! += work[d]!;
  work[b] = rotate(work[b]! ^ work[c]!, 7);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
