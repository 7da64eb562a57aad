import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { decodeValues, encodeData } from '../../../../wire/commands.ts';
import { encodeFlvHeader, encodeFlvTag } from '../../../../wire/flv.ts';
import { isVideoKeyFrame, isVideoSequenceHeader } from '../../../../wire/media-head.ts';
import { AMF_LIMITS, type AmfObject, EcmaArray } from '../../../../wire/values.ts';
import { requireTools } from '../../../support/tools.ts';
import { fromHex, loadVectors, toHex, type Vector } from '../../../support/vectors.ts';
import {
  avcAac,
  everythingIn,
  makeMedia,
  packetsOf,
  picture,
  probePackets,
  segmentsFrom,
  tone,
} from './clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-flv-'));
let files: MediaFiles;

beforeAll(() => {
  files = new MediaFiles({ cacheBytes: 64 * 1024 * 1024, maxOpen: 100, lingerMs: 0 });
});
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a file of FFmpeg', () => {
  test('with B-frames comes packet by packet as FFmpeg reads it', async (context) => {
    requireTools(context, 'ffmpeg', 'ffprobe');
    const path = clip();
    const file = await files.open(path);
    expect(file).toMatchObject({
      kind: 'flv',
      hasVideo: true,
      hasAudio: true,
      bytes: readFileSync(path).length,
    });
    const packets = probePackets(path);
    expect(packetsOf(await everythingIn(file))).toEqual(packets);
    expect(file.durationMs).toBe(Math.max(...packets.map(({ dtsMs }) => dtsMs)));
    expect(packets.some(({ dtsMs, ptsMs }) => ptsMs > dtsMs + 40)).toBe(true);
    file.release();
  });

  test('has metadata for viewers, with the duration that it has', async (context) => {
    requireTools(context, 'ffmpeg');
    const file = await files.open(clip());
    const metadata = metadataOf(file.metadata);
    expect(metadata).toMatchObject({
      width: 160,
      height: 120,
      videocodecid: 7,
      duration: file.durationMs / 1000,
    });
    expect(metadata).toBeInstanceOf(EcmaArray);
    file.release();
  });

  test('is sought to the last key frame at or before a time, whatever the time', async (context) => {
    requireTools(context, 'ffmpeg', 'ffprobe');
    const path = clip();
    const keys = probePackets(path).filter(({ kind, isKey }) => kind === 'video' && isKey);
    expect(keys.length).toBeGreaterThan(5);
    const file = await files.open(path);
    for (const [i, { dtsMs }] of keys.entries()) {
      if (i === 0) continue;
      for (const [wanted, expected] of [
        [dtsMs, dtsMs],
        [dtsMs + 7, dtsMs],
        [dtsMs - 1, keys[i - 1]!.dtsMs],
      ] as const) {
        const { position, timestampMs, isBeyondEnd } = await file.seek(wanted);
        expect({ wanted, timestampMs, isBeyondEnd }).toEqual({
          wanted,
          timestampMs: expected,
          isBeyondEnd: false,
        });
        const [first] = (await file.read(position)).messages;
        if (position !== (await file.seek(0)).position) expect(isVideoKeyFrame(first!.payload)).toBe(true);
        if (i > 1) expect(first!.timestamp).toBe(expected);
      }
    }
    const beyond = await file.seek(file.durationMs + 5000);
    expect(beyond).toMatchObject({ timestampMs: keys.at(-1)!.dtsMs, isBeyondEnd: true });
    const headers = await file.headersAt(beyond.position);
    expect(headers.map(({ type }) => type).sort()).toEqual([8, 9]);
    file.release();
  });

  test('of which the end is missing plays to the last whole tag', async (context) => {
    requireTools(context, 'ffmpeg', 'ffprobe');
    const path = join(folder, 'cut.flv');
    copyFileSync(clip(), path);
    truncateSync(path, readFileSync(path).length - 500);
    const whole = probePackets(clip());
    const file = await files.open(path);
    const packets = packetsOf(await everythingIn(file));
    expect(packets.length).toBeGreaterThan(whole.length - 10);
    expect(packets).toEqual(whole.slice(0, packets.length));
    expect(file.durationMs).toBe(Math.max(...packets.map(({ dtsMs }) => dtsMs)));
    expect(file.durationMs).toBeGreaterThan(3500);
    expect((await file.seek(Number.NaN)).position).toBe((await file.seek(-5)).position);
    file.release();
  });

  test('with garbage behind it plays to the last whole tag', async (context) => {
    requireTools(context, 'ffmpeg', 'ffprobe');
    for (const [name, garbage] of Object.entries({
      zeros: Buffer.alloc(5000),
      ones: Buffer.alloc(5000, 0xff),
      text: Buffer.from('what a crash leaves behind '.repeat(200)),
    })) {
      const path = join(folder, `${name}.flv`);
      copyFileSync(clip(), path);
      appendFileSync(path, garbage);
      const file = await files.open(path);
      const packets = probePackets(clip());
      expect(packetsOf(await everythingIn(file))).toEqual(packets);
      expect(file.durationMs).toBe(Math.max(...packets.map(({ dtsMs }) => dtsMs)));
      file.release();
    }
  });
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

describe('viewers of one file', () => {
  test('share one read of each segment', async (context) => {
    requireTools(context, 'ffmpeg');
    const path = join(folder, 'shared.flv');
    copyFileSync(clip(), path);
    const before = files.usage.reads;
    const viewers = await Promise.all(Array.from({ length: 300 }, () => files.open(path)));
    const all = await Promise.all(
      viewers.map(async (file) => segmentsFrom(file, (await file.seek(0)).position)),
    );
    const [first] = all;
    expect(first!.length).toBeGreaterThan(5);
    expect(files.usage.reads - before).toBe(first!.length);
    for (const segments of all) expect(segments.every((segment, i) => segment === first![i])).toBe(true);
    for (const file of viewers) file.release();
    for (const file of viewers) file.release();
    await expect(viewers[0]!.read(0)).rejects.toMatchObject({ kind: 'io' });
  });

  test('are told when too many files are open, and files that nobody uses make room', async () => {
    const few = new MediaFiles({ cacheBytes: 1000, maxOpen: 2 });
    const paths = ['a', 'b', 'c'].map((name) => join(folder, `room-${name}.flv`));
    for (const path of paths) writeFileSync(path, encodeFlvHeader({ hasAudio: true, hasVideo: true }));
    const [first, second] = await Promise.all(paths.slice(0, 2).map((path) => few.open(path)));
    await expect(few.open(paths[2]!)).rejects.toMatchObject({ kind: 'busy' });
    first!.release();
    const third = await few.open(paths[2]!);
    expect(few.usage.open).toBe(2);
    const again = await few.open(paths[1]!);
    for (const file of [second, third, again]) file!.release();
    expect(await few.probe(paths[0]!)).toMatchObject({ durationMs: 0, bytes: 13 });
    await few.close();
    await expect(few.open(paths[0]!)).rejects.toMatchObject({ kind: 'io' });
  });

  test('have no more in memory than the cache may hold', async (context) => {
    requireTools(context, 'ffmpeg');
    const small = new MediaFiles({ cacheBytes: 60_000, maxOpen: 2 });
    const file = await small.open(clip());
    const segments = await segmentsFrom(file, (await file.seek(0)).position);
    expect(small.usage.cachedBytes).toBeLessThanOrEqual(60_000);
    expect(small.usage.cachedBytes).toBeGreaterThan(20_000);
    const again = await segmentsFrom(file, (await file.seek(0)).position);
    expect(again).toEqual(segments);
    expect(small.usage.reads).toBeGreaterThan(segments.length);
    await small.close();
  });
});

let clipFile: string | undefined;
function clip(): string {
  clipFile ??= makeMedia(folder, 'clip.flv', ...picture(4), ...tone(4), ...avcAac);
  return clipFile;
}

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
