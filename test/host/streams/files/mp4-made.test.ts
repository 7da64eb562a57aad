import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import type { RtmpMessage } from '../../../../wire/messages.ts';
import { everythingIn, packetsOf } from './clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-made-'));
let files: MediaFiles;

beforeAll(() => {
  files = new MediaFiles({ cacheBytes: 1024 * 1024, maxOpen: 10, lingerMs: 0 });
});
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a file made by hand', () => {
  const configs = ['0142c01effe100', '0164001fffe100'];
  const descriptions = configs.map((config) =>
    box('avc1', zeros(78), box('avcC', Buffer.from(config, 'hex'))),
  );
  const stsd = box('stsd', u32(0, 2), ...descriptions);
  const stts = box('stts', u32(0, 1, 4, 1000));
  const stsz = box('stsz', u32(0, 0, 4, 5, 6, 7, 8));
  // Two chunks of two samples, each chunk with its own description; only the first sample of each is a key frame.
  const stsc = box('stsc', u32(0, 2, 1, 2, 1, 2, 2, 2));
  const stss = box('stss', u32(0, 2, 1, 3));
  const ftyp = box('ftyp', zeros(8));
  const data = Buffer.from('aaaaabbbbbbcccccccdddddddd');

  test('with two descriptions gives each sample the configuration that it needs', async () => {
    const mdat = box('mdat', data);
    const start = ftyp.length + 8;
    const stco = box('stco', u32(0, 2, start, start + 11));
    const file = await open('two.mp4', [ftyp, mdat, movie([stsd, stts, stsz, stsc, stss, stco])]);
    expect(file.durationMs).toBe(4000);
    const texts = (messages: readonly RtmpMessage[]) =>
      messages.map(
        ({ timestamp, payload }) => `${timestamp} ${Buffer.from(payload).toString('latin1').slice(-1)}`,
      );
    const hex = (messages: readonly RtmpMessage[]) =>
      messages.map(({ payload }) => Buffer.from(payload).toString('hex'));
    const all = await everythingIn(file);
    expect(hex([all[0]!, all[3]!])).toEqual(configs.map((config) => `1700000000${config}`));
    expect(texts(all.toSpliced(3, 1).slice(1))).toEqual(['0 a', '1000 b', '2000 c', '3000 d']);
    for (const [wanted, config] of [
      [1500, 0],
      [3500, 1],
    ] as const) {
      const { position } = await file.seek(wanted);
      expect(hex(await file.headersAt(position))).toEqual([`1700000000${configs[config]}`]);
    }
    file.release();
  });

  test('with sizes and places of 64 bits is read like others', async () => {
    const mdat = Buffer.concat([u32(1), Buffer.from('mdat'), u32(0, data.length + 16), data]);
    const start = ftyp.length + 16;
    const co64 = box('co64', u32(0, 2, 0, start, 0, start + 11));
    const file = await open('long.mp4', [ftyp, mdat, movie([stsd, stts, stsz, stsc, stss, co64])]);
    const frames = (await everythingIn(file)).filter(({ payload }) => payload[1] === 1);
    expect(frames.map(({ payload }) => Buffer.from(payload.subarray(5)).toString())).toEqual([
      'aaaaa',
      'bbbbbb',
      'ccccccc',
      'dddddddd',
    ]);
    file.release();
  });

  test('of which the index comes first and the end is missing plays as far as it goes', async () => {
    const index = (start: number) =>
      movie([stsd, stts, stsz, stsc, stss, box('stco', u32(0, 2, start, start + 11))]);
    const start = ftyp.length + index(0).length + 8;
    const whole = [ftyp, index(start), box('mdat', data)];
    const file = await open('missing.mp4', [Buffer.concat(whole).subarray(0, -10)]);
    expect(file.durationMs).toBe(2000);
    expect(packetsOf(await everythingIn(file)).map(({ dtsMs }) => dtsMs)).toEqual([0, 1000]);
    file.release();
  });

  test('that is cut short while it is open gives an error', async () => {
    const mdat = box('mdat', data);
    const start = ftyp.length + 8;
    const stco = box('stco', u32(0, 2, start, start + 11));
    const file = await open('cut.mp4', [ftyp, mdat, movie([stsd, stts, stsz, stsc, stss, stco])]);
    truncateSync(join(folder, 'cut.mp4'), start + 4);
    await expect(file.read((await file.seek(0)).position)).rejects.toMatchObject({ kind: 'io' });
    file.release();
  });

  function movie(tables: Buffer[]): Buffer {
    const mdhd = box('mdhd', zeros(12), u32(1000, 4000, 0));
    const hdlr = box('hdlr', zeros(8), Buffer.from('vide'), zeros(12));
    const mdia = box('mdia', mdhd, hdlr, box('minf', box('stbl', ...tables)));
    return box(
      'moov',
      box('mvhd', zeros(12), u32(1000, 4000)),
      box('trak', box('tkhd', zeros(12), u32(1)), mdia),
    );
  }

  function open(name: string, parts: Buffer[]) {
    writeFileSync(join(folder, name), Buffer.concat(parts));
    return files.open(join(folder, name));
  }
});

function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(body.length + 8), Buffer.from(type), body]);
}

function u32(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [i, number] of numbers.entries()) bytes.writeUInt32BE(number, i * 4);
  return bytes;
}

function zeros(count: number): Buffer {
  return Buffer.alloc(count);
}
