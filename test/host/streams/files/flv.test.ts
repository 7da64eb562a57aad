import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { decodeValues } from '../../../../wire/commands.ts';
import { isVideoKeyFrame } from '../../../../wire/media-head.ts';
import { AMF_LIMITS, type AmfObject, EcmaArray } from '../../../../wire/values.ts';
import { requireTools } from '../../../support/tools.ts';
import { avcAac, everythingIn, makeMedia, packetsOf, picture, probePackets, tone } from './clips.ts';

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

  test('of Sorenson and MP3 comes likewise', async (context) => {
    requireTools(context, 'ffmpeg', 'ffprobe');
    const old = ['-c:v', 'flv', '-g', '20', '-c:a', 'libmp3lame', '-ar', '44100'];
    const path = makeMedia(folder, 'old.flv', ...picture(3), ...tone(3), ...old);
    const file = await files.open(path);
    const packets = probePackets(path);
    expect(packetsOf(await everythingIn(file))).toEqual(packets);
    const { position, timestampMs } = await file.seek(2000);
    expect(timestampMs).toBe(
      packets.findLast((each) => each.kind === 'video' && each.isKey && each.dtsMs <= 2000)?.dtsMs,
    );
    expect(await file.headersAt(position)).toEqual([]);
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
    expect(headers.map(({ timestamp }) => timestamp)).toEqual([beyond.timestampMs, beyond.timestampMs]);
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
