import { expect, test } from 'vitest';
import { FrameLimit } from '../../../host/streams/frame-limit.ts';

/** Heads of frames: K a key frame, i one that others refer to, d one that none does. */
const sorenson: Record<string, number[]> = { K: [0x12], i: [0x22], d: [0x32] };
const avc: Record<string, number[]> = { K: [0x17, 1], i: [0x27, 1], d: [0x37, 1] };
const hevc: Record<string, number[]> = { K: [0x93], i: [0xa3], d: [0xb3] };

const cases = [
  { name: 'more than there is leaves everything', gop: 'Kiiiiiiiii', fps: 30, perGop: 10 },
  { name: 'disposable frames go one by one', gop: 'Kdididididididididid', fps: 15, perGop: 15 },
  { name: 'all disposable frames go before the others', gop: 'Kdidididid', fps: 11, perGop: 5.5 },
  { name: 'a number nearer to all frames leaves them', gop: 'Kiiiiiiiiiiiiiiiiiii', fps: 15, perGop: 20 },
  {
    name: 'a number nearer to that of key frames leaves these',
    gop: 'Kiiiiiiiiiiiiiiiiiii',
    fps: 3,
    perGop: 1,
  },
  { name: 'of key frames as many as are wanted', gop: 'K', fps: 10, perGop: 0.5 },
] as const;

for (const codec of [sorenson, avc, hevc]) {
  for (const { name, gop, fps, perGop } of cases) {
    test(`${name} (${codec.K!.map((byte) => byte.toString(16)).join(' ')})`, () => {
      const limit = new FrameLimit(fps);
      const rounds = 40;
      const frames = gop.repeat(rounds).split('');
      const sent = frames.map((kind, i) => limit.has(Uint8Array.from([...codec[kind]!, 1, 2]), 50 * i));
      // The first group is measured.
      const counted = sent.slice(gop.length).filter(Boolean).length / (rounds - 1);
      expect(counted).toBeGreaterThan(perGop * 0.9);
      expect(counted).toBeLessThan(perGop * 1.1);
    });
  }
}

test('no frame is sent whose reference was left out, whatever comes', () => {
  const random = generator(5);
  for (let round = 0; round < 300; round++) {
    const limit = new FrameLimit(0.2 + random() * 40);
    let isWhole = true;
    let at = random() * 2 ** 32;
    for (let i = 0; i < 400; i++) {
      const kind = random() < 0.1 ? 'K' : random() < 0.4 ? 'd' : 'i';
      at = random() < 0.01 ? random() * 2 ** 32 : at + Math.floor(random() * 80);
      const isSent = limit.has(Uint8Array.from([...avc[kind]!, 1]), at >>> 0);
      if (kind === 'K') isWhole = isSent;
      else if (isSent) expect(isWhole).toBe(true);
      else if (kind === 'i') isWhole = false;
    }
  }
});

test('headers, and what is no frame, always come', () => {
  const limit = new FrameLimit(0.001);
  for (let at = 0; at < 10_000; at += 100) limit.has(Uint8Array.from([0x17, 1, 0]), at);
  expect(limit.has(Uint8Array.from([0x17, 1, 0]), 10_000)).toBe(false);
  expect(limit.has(Uint8Array.from([0x17, 0, 0]), 10_000)).toBe(true);
  expect(limit.has(new Uint8Array(0), 10_000)).toBe(true);
});

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
}
