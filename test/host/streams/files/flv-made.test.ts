import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { decodeValues, encodeData } from '../../../../wire/commands.ts';
import { encodeFlvHeader, encodeFlvTag } from '../../../../wire/flv.ts';
import { isVideoSequenceHeader } from '../../../../wire/media-head.ts';
import { AMF_LIMITS, type AmfObject, EcmaArray } from '../../../../wire/values.ts';
import { fromHex, loadVectors, toHex, type Vector } from '../../../support/vectors.ts';
import { everythingIn, segmentsFrom } from './clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-flv-made-'));
let files: MediaFiles;

beforeAll(() => {
  files = new MediaFiles({ cacheBytes: 64 * 1024 * 1024, maxOpen: 100, lingerMs: 0 });
});
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('files as they are', () => {
  const header = encodeFlvHeader({ hasAudio: false, hasVideo: false });
  const avcConfig = fromHex('17000000000142c01effe1');
  const otherConfig = fromHex('17000000000164001fffe1');
  const aacConfig = fromHex('af001210');
  const key = fromHex('1701000000aabbcc');
  const inter = fromHex('2701000000dd');
  const sound = fromHex('af01112233');

  test('without any tag are empty', async () => {
    const file = await open('empty', [header]);
    expect(file).toMatchObject({ durationMs: 0, hasVideo: false, hasAudio: false, metadata: undefined });
    const { position } = await file.seek(0);
    expect(await file.read(position)).toMatchObject({ messages: [], next: undefined });
    expect(await file.seek(1000)).toMatchObject({ isBeyondEnd: true, timestampMs: 0 });
    file.release();
  });

  interface Facts extends Vector {
    name: string;
    hex: string;
    countByType: Record<string, number>;
    lastTimestamp: number;
    allBackPointersMatch: boolean;
  }
  test.each(loadVectors<Facts>('flv-files'))('built like $name of $source are read whole', async (facts) => {
    const counts = Object.entries(facts.countByType).map(([type, count]) => ({ type: Number(type), count }));
    const media = counts.filter(({ type }) => type !== 18);
    const tags = media.flatMap(({ type, count }) =>
      Array.from({ length: count }, (_, i) => {
        const timestamp = Math.floor((facts.lastTimestamp * i) / (count - 1));
        return { type, timestamp, payload: type === 9 ? key : sound };
      }),
    );
    tags.sort((a, b) => a.timestamp - b.timestamp);
    const made = tags.map(encodeFlvTag);
    if (!facts.allBackPointersMatch) made.at(-1)!.fill(0, made.at(-1)!.length - 4);
    const file = await open(facts.id, [fromHex(facts.hex), ...made]);
    expect(file).toMatchObject({
      durationMs: facts.lastTimestamp,
      hasVideo: '9' in facts.countByType,
      hasAudio: '8' in facts.countByType,
    });
    const messages = await everythingIn(file);
    expect(messages.map(({ type, timestamp }) => [type, timestamp])).toEqual(
      tags.map(({ type, timestamp }) => [type, timestamp]),
    );
    file.release();
  });

  test('cut in the header are refused', async () => {
    await expect(open('short', [header.subarray(0, 7)])).rejects.toMatchObject({ kind: 'structure' });
    await expect(open('other', [fromHex('00112233445566')])).rejects.toMatchObject({ kind: 'structure' });
    await expect(open('nothing', [])).rejects.toMatchObject({ kind: 'structure' });
    await expect(files.open(join(folder, 'missing.flv'))).rejects.toMatchObject({ kind: 'not-found' });
    await expect(files.open(folder)).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('with wrong flags, wrong back pointers and no metadata play', async () => {
    const tags = [tag(9, 0, avcConfig), tag(9, 0, key), tag(8, 10, sound), tag(9, 40, inter)];
    for (const made of tags) made.fill(0, made.length - 4);
    const file = await open('pointers', [header, ...tags]);
    expect(file).toMatchObject({ durationMs: 40, hasVideo: true, hasAudio: true });
    expect((await everythingIn(file)).map(({ timestamp }) => timestamp)).toEqual([0, 0, 10, 40]);
    file.release();
  });

  test('have times above 2^24, up to 2^31, and never below 0', async () => {
    const times = [0xfffffff0, 0, 0x1000005, 0x7fffff00, 0x7fffffff];
    const file = await open('times', [header, ...times.map((time) => rawTag(9, time, key))]);
    expect(file.durationMs).toBe(0x7fffffff);
    const messages = await everythingIn(file);
    expect(messages.map(({ timestamp }) => timestamp)).toEqual([0, 0, 0x1000005, 0x7fffff00, 0x7fffffff]);
    expect(await file.seek(0x7ffffff0)).toMatchObject({ timestampMs: 0x7fffff00, isBeyondEnd: false });
    file.release();
  });

  test('whose times go back keep their order, and are sought in the first part', async () => {
    const first = [0, 1000, 2000, 3000].map((time) => tag(9, time, key));
    const second = [0, 1000].map((time) => tag(9, time, key));
    const file = await open('back', [header, ...first, ...second]);
    const messages = await everythingIn(file);
    expect(messages.map(({ timestamp }) => timestamp)).toEqual([0, 1000, 2000, 3000, 0, 1000]);
    const { position } = await file.seek(1000);
    expect((await segmentsFrom(file, position)).flatMap(({ messages }) => messages)).toHaveLength(5);
    file.release();
  });

  test('with configurations that change give each position its own', async () => {
    const frames = (from: number) => [tag(9, from, key), tag(8, from, sound), tag(9, from + 500, inter)];
    const file = await open('configs', [
      header,
      tag(9, 0, avcConfig),
      tag(8, 0, aacConfig),
      ...frames(0),
      ...frames(1000),
      tag(9, 2000, otherConfig),
      ...frames(2000),
      ...frames(3000),
    ]);
    const configAt = async (time: number) => {
      const { position } = await file.seek(time);
      const headers = await file.headersAt(position);
      return headers.map(({ payload }) => toHex(payload)).sort();
    };
    expect(await configAt(0)).toEqual([]); // They are the first messages there.
    expect(await configAt(1500)).toEqual([toHex(avcConfig), toHex(aacConfig)].sort());
    expect(await configAt(2999)).toEqual([toHex(otherConfig), toHex(aacConfig)].sort());
    expect(await configAt(9999)).toEqual([toHex(otherConfig), toHex(aacConfig)].sort());
    const messages = await everythingIn(file);
    expect(messages.filter(({ payload, type }) => type === 9 && isVideoSequenceHeader(payload))).toHaveLength(
      2,
    );
    file.release();
  });

  test('with sound alone are sought message by message', async () => {
    const times = Array.from({ length: 500 }, (_, i) => i * 23);
    const file = await open('sound', [
      header,
      tag(8, 0, aacConfig),
      ...times.map((time) => tag(8, time, sound)),
    ]);
    expect(file).toMatchObject({ hasVideo: false, hasAudio: true, durationMs: 499 * 23 });
    for (const wanted of [24, 230, 5000, 11_000]) {
      const { position, timestampMs } = await file.seek(wanted);
      expect(timestampMs).toBe(Math.floor(wanted / 23) * 23);
      expect((await file.read(position)).messages[0]!.timestamp).toBe(timestampMs);
      expect(await file.headersAt(position)).toHaveLength(1);
    }
    expect(await file.seek(1e12)).toMatchObject({ timestampMs: 499 * 23, isBeyondEnd: true });
    file.release();
  });

  test('with enhanced heads are read like others', async () => {
    const config = fromHex('906876633101020304');
    const frame = fromHex('91687663310000001122');
    const next = fromHex('a368766331aa');
    const file = await open('enhanced', [
      header,
      tag(9, 0, config),
      ...[0, 1000, 2000].flatMap((time) => [tag(9, time, frame), tag(9, time + 40, next)]),
    ]);
    const { position, timestampMs } = await file.seek(1100);
    expect(timestampMs).toBe(1000);
    expect((await file.headersAt(position)).map(({ payload }) => toHex(payload))).toEqual([toHex(config)]);
    file.release();
  });

  test('give data in order, without what encoders put before metadata, and skip what is no message', async () => {
    const properties = new EcmaArray({ duration: 99, title: 'x', keyframes: new EcmaArray({ times: [] }) });
    const file = await open('data', [
      header,
      tag(18, 0, encodeData('@setDataFrame', 'onMetaData', properties)),
      tag(9, 0, key),
      tag(18, 40, encodeData('onCuePoint', { name: 'a' })),
      tag(20, 50, fromHex('001122')),
      tag(9 | 32, 60, key),
      tag(18, 80, encodeData('@setDataFrame', 'onMetaData', new EcmaArray({ title: 'y' }))),
    ]);
    expect(metadataOf(file.metadata)).toEqual(new EcmaArray({ duration: 0, title: 'x' }));
    const messages = await everythingIn(file);
    expect(messages.map(({ type, timestamp }) => [type, timestamp])).toEqual([
      [9, 0],
      [18, 40],
      [18, 80],
    ]);
    expect(toHex(messages[2]!.payload)).toBe(toHex(encodeData('onMetaData', new EcmaArray({ title: 'y' }))));
    file.release();
  });

  test('that grow play as far as they were when they were opened', async () => {
    const parts = [header, tag(9, 0, key), tag(9, 40, inter)];
    const file = await open('growing', [...parts, tag(9, 80, inter).subarray(0, 14)]);
    appendFileSync(
      join(folder, 'growing.flv'),
      Buffer.concat([tag(9, 80, inter).subarray(14), tag(9, 120, inter)]),
    );
    expect(file.durationMs).toBe(40);
    expect(await everythingIn(file)).toHaveLength(2);
    const grown = await files.open(join(folder, 'growing.flv'));
    expect(grown.durationMs).toBe(120);
    expect(await everythingIn(grown)).toHaveLength(4);
    for (const each of [file, grown]) each.release();
  });

  test('that are cut short while they are open give what is left, then an error', async () => {
    const file = await open('shrinking', [header, ...[0, 1000, 2000].map((time) => tag(9, time, key))]);
    const { position } = await file.seek(0);
    const { position: last } = await file.seek(2000);
    truncateSync(join(folder, 'shrinking.flv'), 13 + 23);
    expect((await file.read(position)).messages).toHaveLength(1);
    await expect(file.read(last)).rejects.toMatchObject({ kind: 'io' });
    file.release();
  });

  test('that are removed while they are open play on', async () => {
    const file = await open('removed', [header, tag(9, 0, key), tag(9, 600, key)]);
    rmSync(join(folder, 'removed.flv'));
    expect(await everythingIn(file)).toHaveLength(2);
    file.release();
  });

  test('use the list of key frames when it is long, unless it is wrong', async () => {
    // One hour: a key frame every ten seconds, of 100 KB.
    const big = new Uint8Array(100_000);
    big.set(key);
    const make = (lie: number) => {
      const times = Array.from({ length: 360 }, (_, i) => i * 10);
      const sizeOf = (positions: number[]) => metadataTag(times, positions).length;
      const start = 13 + sizeOf(times.map(() => 0)) + tag(9, 0, avcConfig).length;
      const positions = times.map((_, i) => start + i * (big.length + 15) + lie);
      const tags = times.map((time) => tag(9, time * 1000, big));
      return [header, metadataTag(times, positions), tag(9, 0, avcConfig), ...tags];
    };
    for (const lie of [0, 1]) {
      const file = await open(`listed-${lie}`, make(lie));
      const { position, timestampMs } = await file.seek(1_234_567);
      expect(timestampMs).toBe(1_230_000);
      expect((await file.read(position)).messages[0]!.timestamp).toBe(1_230_000);
      expect((await file.headersAt(position)).map(({ payload }) => toHex(payload))).toEqual([
        toHex(avcConfig),
      ]);
      expect(await file.seek(1e9)).toMatchObject({ timestampMs: 3_590_000, isBeyondEnd: true });
      expect(metadataOf(file.metadata)).not.toHaveProperty('keyframes');
      file.release();
    }
  });

  function open(name: string, parts: Uint8Array[]) {
    const path = join(folder, `${name}.flv`);
    writeFileSync(path, Buffer.concat(parts));
    return files.open(path);
  }
});

function metadataOf(payload: Uint8Array | undefined): AmfObject {
  const [name, properties] = decodeValues(
    { type: 18, streamId: 0, timestamp: 0, payload: payload! },
    AMF_LIMITS,
    2,
  );
  expect(name).toBe('onMetaData');
  return properties as AmfObject;
}

function metadataTag(times: number[], filepositions: number[]): Uint8Array {
  return tag(
    18,
    0,
    encodeData('onMetaData', new EcmaArray({ keyframes: { times, filepositions } as AmfObject })),
  );
}

function tag(type: number, timestamp: number, payload: Uint8Array): Uint8Array {
  return encodeFlvTag({ type, timestamp, payload });
}

/** With the sign that the encoder would drop. */
function rawTag(type: number, timestamp: number, payload: Uint8Array): Uint8Array {
  const made = encodeFlvTag({ type, timestamp, payload });
  made[7] = timestamp >>> 24;
  return made;
}
