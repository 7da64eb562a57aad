import { describe, expect, test } from 'vitest';
import { Congestion, type Network } from '../../../client/media/publish/congestion.ts';
import { ACKNOWLEDGED_EVERY } from '../../../client/sink.ts';

const CEILING = 1_500_000;
const FLOOR = 100_000;
const AUDIO = 96_000;
const TICK_MS = 10;

/**
 * A page that sends 25 pictures a second, as large as they may be, and 50 pieces of sound, on a way that takes `kbps` and so many
 * milliseconds each way. Time is only counted.
 */
class World implements Network {
  kbps = Infinity;
  delayMs = 10;
  /** Of the bytes that were said to be read, what comes late. */
  sentBytes: number;
  acknowledgedBytes: number;
  queuedBytes = 0;
  now = 0;
  pictures = 0;
  sounds = 0;
  leftOut = { pictures: 0, sounds: 0 };
  readonly bitrates: number[] = [];
  readonly shortages: boolean[] = [];
  readonly congestion: Congestion;
  /** What the network has not carried yet, and what is on its way back. */
  waiting = 0;
  mostWaiting = 0;
  #carried: number;
  #said: number;
  #arriving: { at: number; bytes: number }[] = [];
  #acknowledging: { at: number; bytes: number }[] = [];

  constructor(options: { floor?: number; ceiling?: number; from?: number } = {}) {
    const { floor = FLOOR, ceiling = CEILING, from = 0 } = options;
    this.sentBytes = this.#carried = this.#said = from;
    this.acknowledgedBytes = from >>> 0;
    this.congestion = new Congestion({
      network: this,
      ceiling,
      floor,
      audioBitrate: AUDIO,
      onBitrate: (bitrate) => this.bitrates.push(bitrate),
      onShortage: (isShort) => this.shortages.push(isShort),
    });
  }

  get delay(): number {
    return this.congestion.delayMs;
  }

  get bitrate(): number {
    return this.congestion.bitrate;
  }

  run(seconds: number, pictureShare = 1): void {
    const end = this.now + seconds * 1000;
    for (; this.now < end; this.now += TICK_MS) {
      if (this.now % 20 === 0) this.#sound();
      if (this.now % 40 === 0) this.#picture(pictureShare);
      this.#carry();
      this.mostWaiting = Math.max(this.mostWaiting, this.waiting);
    }
  }

  #sound(): void {
    if (!this.congestion.hasRoomForSound(this.now)) this.leftOut.sounds++;
    else {
      this.sounds++;
      this.#send(AUDIO / 8 / 50);
    }
  }

  #picture(share: number): void {
    if (!this.congestion.hasRoomForPicture(this.now)) {
      this.leftOut.pictures++;
      return;
    }
    const bytes = Math.round((this.bitrate / 8 / 25) * share);
    this.pictures++;
    this.#send(bytes);
    this.congestion.spend(bytes);
  }

  #send(bytes: number): void {
    this.sentBytes += bytes;
    this.waiting += bytes;
  }

  #carry(): void {
    const carried = Math.min(this.waiting, (this.kbps * TICK_MS) / 8);
    this.waiting -= carried;
    this.#carried += carried;
    this.#arriving.push({ at: this.now + this.delayMs, bytes: this.#carried });
    for (let [first] = this.#arriving; first && first.at <= this.now; [first] = this.#arriving) {
      this.#arriving.shift();
      if (first.bytes - this.#said < ACKNOWLEDGED_EVERY) continue;
      this.#said = first.bytes;
      this.#acknowledging.push({ at: this.now + this.delayMs, bytes: first.bytes });
    }
    for (let [first] = this.#acknowledging; first && first.at <= this.now; [first] = this.#acknowledging) {
      this.#acknowledging.shift();
      this.acknowledgedBytes = Math.floor(first.bytes) >>> 0;
    }
  }
}

describe('Congestion', () => {
  test('leaves a way that takes everything alone', () => {
    for (const delayMs of [1, 40, 150]) {
      const world = new World();
      world.delayMs = delayMs;
      world.run(60);
      expect({ delayMs, bitrates: world.bitrates, shortages: world.shortages }).toEqual({
        delayMs,
        bitrates: [],
        shortages: [],
      });
      expect(world.leftOut.sounds).toBe(0);
      expect(world.leftOut.pictures).toBeLessThan(10);
    }
  });

  test('takes a way by satellite for a slow one at first, and learns better', () => {
    const world = new World();
    world.delayMs = 300;
    world.run(60);
    expect(world.bitrate).toBe(CEILING);
    expect(world.leftOut.sounds).toBe(0);
  });

  test.each([300, 500, 800, 1200])(
    'falls to about what a way of %i kb/s takes, and sound goes on',
    (kbps) => {
      const world = new World();
      world.run(5);
      world.kbps = kbps;
      world.run(30);
      expect(world.bitrate).toBeLessThanOrEqual(kbps * 1000 + CEILING * 0.05);
      expect(world.bitrate).toBeGreaterThan((kbps * 1000 - AUDIO) / 2);
      // What was on its way when it became slow stands before the sound, once.
      expect(world.leftOut.sounds).toBeLessThan(50);
      const { pictures, sounds } = world;
      world.run(20);
      expect(world.sounds - sounds).toBe(20 * 50);
      expect(world.pictures - pictures).toBeGreaterThan(20 * 25 * 0.8);
      expect(world.delay).toBeLessThan(400);
    },
  );

  test('rises again slowly, to where it was, when the way is free', () => {
    const world = new World();
    world.run(5);
    world.kbps = 400;
    world.run(20);
    const low = world.bitrate;
    const steps = world.bitrates.length;
    world.kbps = Infinity;
    world.run(60);
    expect(world.bitrate).toBe(CEILING);
    const rises = [low, ...world.bitrates.slice(steps)];
    for (let i = 1; i < rises.length; i++) {
      expect(rises[i]).toBeGreaterThan(rises[i - 1]!);
      expect(rises[i]! - rises[i - 1]!).toBeLessThanOrEqual(CEILING * 0.05 + 1);
    }
  });

  test('does not rise on the strength of pictures that stand still', () => {
    const world = new World();
    world.run(5);
    world.kbps = 400;
    world.run(20);
    world.kbps = Infinity;
    world.run(2, 0.01);
    const { bitrate } = world;
    world.run(30, 0.01);
    expect(world.bitrate).toBe(bitrate);
  });

  test('a way that stands still: pictures stop at once, sound later, what waits is bounded, and both come back', () => {
    const world = new World();
    world.run(5);
    world.kbps = 0;
    world.mostWaiting = 0;
    world.run(2);
    expect(world.shortages).toEqual([true]);
    const before = { ...world.leftOut, pictures: world.pictures };
    world.run(10);
    expect(world.pictures).toBe(before.pictures);
    expect(world.leftOut.sounds).toBeGreaterThan(7 * 50);
    expect(world.mostWaiting).toBeLessThan(256 * 1024);
    world.kbps = Infinity;
    world.run(5);
    expect(world.shortages).toEqual([true, false]);
    expect(world.delay).toBeLessThan(100);
    const { sounds } = world;
    world.run(60);
    expect(world.sounds - sounds).toBe(60 * 50);
    expect(world.bitrate).toBe(CEILING);
  });

  test('where not even the least fits, pictures are left out and sound is not', () => {
    const world = new World({ floor: 600_000 });
    world.run(5);
    world.kbps = 300;
    world.run(30);
    expect(world.bitrate).toBe(600_000);
    expect(world.shortages[0]).toBe(true);
    const { pictures, sounds, leftOut } = world;
    const before = leftOut.pictures;
    world.run(20);
    expect(world.sounds - sounds).toBe(20 * 50);
    // About what fits: 204 kb/s of the 600.
    expect(world.pictures - pictures).toBeGreaterThan(20 * 25 * 0.15);
    expect(leftOut.pictures - before).toBeGreaterThan(20 * 25 * 0.4);
  });

  test('counts of bytes that go round after 2^32 are no congestion', () => {
    const world = new World({ from: 2 ** 32 - 100_000 });
    world.run(20);
    expect(world.sentBytes).toBeGreaterThan(2 ** 32);
    expect(world.bitrates).toEqual([]);
    world.kbps = 400;
    world.run(20);
    expect(world.bitrate).toBeLessThan(400_000);
  });

  test('what waits in the page counts, whatever is acknowledged', () => {
    const world = new World();
    world.queuedBytes = 65 * 1024;
    expect(world.congestion.hasRoomForPicture(0)).toBe(false);
    expect(world.congestion.hasRoomForSound(0)).toBe(true);
    world.queuedBytes = 257 * 1024;
    expect(world.congestion.hasRoomForSound(0)).toBe(false);
    world.queuedBytes = 0;
    expect(world.congestion.hasRoomForPicture(0)).toBe(true);
  });

  test('where nothing is acknowledged because nothing is sent, there is room', () => {
    const network = { sentBytes: 0, acknowledgedBytes: 0, queuedBytes: 0 };
    const congestion = new Congestion({
      network,
      ceiling: CEILING,
      floor: FLOOR,
      audioBitrate: AUDIO,
      onBitrate: () => expect.unreachable(),
      onShortage: () => expect.unreachable(),
    });
    for (let now = 0; now < 100_000; now += 40) {
      expect(congestion.hasRoomForPicture(now)).toBe(true);
      expect(congestion.hasRoomForSound(now)).toBe(true);
      congestion.spend(7500);
    }
  });

  test('a new ceiling counts at once, and the least is kept', () => {
    const world = new World();
    world.congestion.setCeiling(400_000);
    expect(world.bitrates).toEqual([400_000]);
    world.congestion.setCeiling(50_000);
    expect(world.bitrate).toBeLessThanOrEqual(FLOOR);
  });

  test('on whatever way, the bit rate stays between the least and the most, and what waits is bounded', () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 48_271) % 0x7fffffff;
      return seed / 0x7fffffff;
    };
    for (let round = 0; round < 20; round++) {
      const world = new World();
      for (let leg = 0; leg < 12; leg++) {
        world.kbps = random() < 0.2 ? 0 : 100 + random() * 3000;
        world.delayMs = Math.round(random() * 200);
        world.run(1 + random() * 5, random() * 2);
      }
      expect(world.bitrates.every((bitrate) => bitrate >= FLOOR && bitrate <= CEILING)).toBe(true);
      expect(world.mostWaiting).toBeLessThan(512 * 1024);
      // Whatever was, it is well in the end.
      world.kbps = Infinity;
      world.delayMs = 10;
      world.run(90);
      expect(world.bitrate).toBe(CEILING);
    }
  });
});
