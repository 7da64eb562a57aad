import { expect, test } from 'vitest';
import { walkAmf0 } from '../../wire/amf-walk.ts';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { Amf3Decoder, Amf3Encoder } from '../../wire/amf3.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { StagewireError } from '../../wire/errors.ts';
import { AMF_LIMITS, type AmfLimits, type AmfValue } from '../../wire/values.ts';
import { AmfGenerator, type Random, seeded } from '../support/amf-generator.ts';
import { portrait } from '../support/amf-values.ts';
import { loadVectors, toHex, vectorBytes } from '../support/vectors.ts';

const corpus = [
  ...loadVectors('amf0').map(vectorBytes),
  ...loadVectors('amf-invalid').map(vectorBytes),
  ...loadVectors('fuzz').map(vectorBytes),
  ...loadVectors('amf3').map((vector) => Uint8Array.of(0x11, ...vectorBytes(vector))),
].filter((bytes) => bytes.length < 4096);

const smallLimits: AmfLimits = { depth: 5, values: 40 };

test('mutated captures are decoded or refused, and the walker agrees', () => {
  const random = seeded(1);
  for (let i = 0; i < 30_000; i++) check(mutated(corpus[i % corpus.length]!, random), i);
});

test('random bytes are decoded or refused, and the walker agrees', () => {
  const random = seeded(2);
  for (let i = 0; i < 20_000; i++) {
    // Small bytes are markers and short lengths.
    const bytes = Uint8Array.from({ length: random(48) }, () => (random(4) === 0 ? random(256) : random(18)));
    check(bytes, i);
  }
});

test('generated messages with all markers and references are decoded or refused, and the walker agrees', () => {
  const random = seeded(3);
  let accepted = 0;
  for (let i = 0; i < 20_000; i++) {
    const bytes = new AmfGenerator(random).message();
    if (check(bytes, i)) accepted++;
    check(mutated(bytes, random), i);
  }
  expect(accepted).toBeGreaterThan(5_000);
});

/** The decoder and the walker must say the same; what was decoded must survive being encoded. */
function check(bytes: Uint8Array, round: number): boolean {
  const limits = round % 3 === 0 ? smallLimits : AMF_LIMITS;
  const lenientEnd = round % 5 === 0;
  let values: AmfValue[] = [];
  const decoded = outcome(bytes, () => {
    values = decodeAmf0(bytes, limits, { lenientEnd });
    return values.length;
  });
  const walked = outcome(bytes, () => walkAmf0(bytes, 0, bytes.length, limits, lenientEnd));
  if (decoded !== walked) expect(`${walked} ${toHex(bytes)}`).toBe(`${decoded} ${toHex(bytes)}`);
  if (typeof decoded !== 'number') return false;

  const before3 = portrait(values, true);
  const after3 = portrait(decoded3(encoded3(values), values.length), true);
  if (before3 !== after3) expect(`${after3} ${toHex(bytes)}`).toBe(`${before3} ${toHex(bytes)}`);
  // What AMF0 shares with a dictionary or a vector of objects, which are AMF3 throughout, becomes two objects.
  const before0 = portrait(values);
  if (before0.includes('Map{') || before0.includes('Vector<')) return true;
  const after0 = portrait(decodeAmf0(encodeAmf0(values)));
  if (before0 !== after0) expect(`${after0} ${toHex(bytes)}`).toBe(`${before0} ${toHex(bytes)}`);
  return true;
}

function outcome(bytes: Uint8Array, run: () => number): number | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof StagewireError && error.blame === 'peer') return error.code;
    throw new Error(`not a refusal: ${toHex(bytes)}`, { cause: error });
  }
}

function encoded3(values: readonly AmfValue[]): Uint8Array {
  const writer = new ByteWriter();
  const encoder = new Amf3Encoder(writer);
  for (const value of values) encoder.value(value);
  return writer.view;
}

function decoded3(bytes: Uint8Array, count: number): AmfValue[] {
  const reader = new ByteReader(bytes);
  const decoder = new Amf3Decoder(reader);
  const values = Array.from({ length: count }, () => decoder.value());
  expect(reader.remaining).toBe(0);
  return values;
}

function mutated(source: Uint8Array, random: Random): Uint8Array {
  let bytes = Uint8Array.from(source);
  for (let edits = 1 + random(3); edits > 0 && bytes.length > 0; edits--) {
    const at = random(bytes.length);
    switch (random(6)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << random(8));
        break;
      case 2:
        bytes[at] = random(18);
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes = Uint8Array.of(
          ...bytes.subarray(0, at),
          ...bytes.subarray(Math.min(at + 1 + random(4), bytes.length)),
        );
        break;
      default: {
        const from = random(bytes.length);
        const copied = bytes.subarray(from, from + random(24));
        bytes = Uint8Array.of(...bytes.subarray(0, at), ...copied, ...bytes.subarray(at));
      }
    }
  }
  return bytes;
}
