import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MediaFiles } from '../../../../host/streams/files/media-files.ts';
import { decodeValues } from '../../../../wire/commands.ts';
import { encodeFlvHeader, encodeFlvTag } from '../../../../wire/flv.ts';
import { parseVideoHead } from '../../../../wire/media-head.ts';
import type { RtmpMessage } from '../../../../wire/messages.ts';
import { AMF_LIMITS, EcmaArray } from '../../../../wire/values.ts';
import { requireTools } from '../../../support/tools.ts';
import {
  avcAac,
  everythingIn,
  makeMedia,
  type Packet,
  packetsOf,
  picture,
  probePackets,
  segmentsFrom,
  tone,
} from './clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-mp4-'));
let files: MediaFiles;
const made = new Map<string, string>();

beforeAll(() => {
  files = new MediaFiles({ cacheBytes: 64 * 1024 * 1024, maxOpen: 100, lingerMs: 0 });
});
beforeEach((context) => requireTools(context, 'ffmpeg', 'ffprobe'));
afterAll(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

const source = [...picture(4), ...tone(4)];
const hevc = '-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=3:keyint=25 -c:a aac'.split(
  ' ',
);
const av1 = '-c:v libaom-av1 -cpu-used 8 -g 25 -c:a aac'.split(' ');
const vp9 = '-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 25 -c:a aac'.split(' ');
const faststart = ['-movflags', '+faststart'];

describe.each([
  {
    name: 'AVC with B-frames and AAC, the index at the end',
    file: 'plain.mp4',
    options: [...source, ...avcAac],
  },
  { name: 'the index at the start', file: 'fast.mp4', options: [...source, ...avcAac, ...faststart] },
  { name: 'QuickTime', file: 'quick.mov', options: [...source, ...avcAac] },
  { name: 'F4V', file: 'flash.f4v', options: [...source, ...avcAac, '-f', 'f4v'] },
  { name: 'HEVC', file: 'hevc.mp4', options: [...source, ...hevc, '-tag:v', 'hvc1'] },
  { name: 'HEVC called hev1', file: 'hev1.mp4', options: [...source, ...hevc] },
  {
    name: 'fragments',
    file: 'pieces.mp4',
    options: [...source, ...avcAac, '-movflags', '+frag_keyframe+empty_moov'],
  },
  {
    name: 'fragments as of OBS',
    file: 'obs.mp4',
    options: [...source, ...avcAac, '-movflags', '+frag_keyframe+empty_moov+delay_moov+default_base_moof'],
  },
  {
    name: 'fragments behind a first one',
    file: 'first.mp4',
    options: [...source, ...avcAac, '-movflags', '+frag_keyframe'],
  },
  { name: 'AV1', file: 'av1.mp4', options: [...picture(3), ...tone(3), ...av1] },
  { name: 'VP9', file: 'vp9.mp4', options: [...picture(3), ...tone(3), ...vp9] },
  { name: 'pictures alone', file: 'mute.mp4', options: [...picture(3), ...avcAac.slice(0, 10)] },
  { name: 'sound alone', file: 'sound.m4a', options: [...tone(3), '-c:a', 'aac'] },
  { name: 'MP3 inside', file: 'mp3.mp4', options: [...source, ...avcAac.slice(0, 10), '-c:a', 'libmp3lame'] },
  {
    name: 'sound that begins later',
    file: 'late.mp4',
    options: [...picture(4), '-itsoffset', '0.7', ...tone(3), ...avcAac],
  },
  {
    name: 'pictures that begin later',
    file: 'late-picture.mp4',
    options: ['-itsoffset', '0.7', ...picture(3), ...tone(4), ...avcAac],
  },
  {
    name: 'a frame rate that varies',
    file: 'varies.mp4',
    options: [...source, '-vf', "select='not(eq(mod(n,7),3))'", '-vsync', 'vfr', ...avcAac],
  },
])('$name', ({ file: name, options }) => {
  test('comes packet by packet as FFmpeg reads it', async () => {
    const path = pathOf(name, options);
    const file = await files.open(path);
    const packets = packetsOf(await everythingIn(file));
    expect(file.kind).toBe('mp4');
    const expected = probePackets(path);
    const shift = Math.max(0, -Math.min(...expected.map(({ dtsMs }) => dtsMs)));
    let count = 0;
    for (const kind of ['video', 'audio'] as const) {
      const ours = packets.filter((packet) => packet.kind === kind);
      const theirs = expected.filter((packet) => packet.kind === kind);
      expect({ kind, count: ours.length }).toEqual({ kind, count: theirs.length });
      expect(kind === 'video' ? file.hasVideo : file.hasAudio).toBe(theirs.length > 0);
      for (const [i, { dtsMs, ptsMs, isKey, bytes }] of theirs.entries()) {
        // Both round.
        expectNear(ours[i]!, { kind, dtsMs: dtsMs + shift, ptsMs: ptsMs + shift, isKey, bytes });
      }
      count += ours.length;
    }
    expect(packets).toHaveLength(count);
    const times = packets.map(({ dtsMs }) => dtsMs);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    expect(Math.abs(file.durationMs - Math.max(...times))).toBeLessThan(130);
    file.release();
  });

  test('is sought to the key frame before', async () => {
    const file = await files.open(pathOf(name, options));
    const all = packetsOf(await everythingIn(file));
    const places = all.filter(({ kind, isKey }) => isKey && (kind === 'video') === file.hasVideo);
    for (const wanted of [300, 999, 1000, 2345, 2900]) {
      const before = places.filter(({ dtsMs }) => dtsMs <= wanted).at(-1)?.dtsMs ?? 0;
      const { position, timestampMs, isBeyondEnd } = await file.seek(wanted);
      const messages = (await segmentsFrom(file, position)).flatMap((segment) => segment.messages);
      expect(isBeyondEnd).toBe(false);
      expect(messages[0]!.timestamp).toBe(timestampMs);
      if (before > (places[0]?.dtsMs ?? 0)) expect(timestampMs).toBe(before);
      const from = all.findIndex(({ dtsMs }) => dtsMs === timestampMs);
      expect(packetsOf(messages)).toEqual(all.slice(from));
    }
    expect(await file.seek(60_000)).toMatchObject({ isBeyondEnd: true, timestampMs: places.at(-1)!.dtsMs });
    file.release();
  });

  test('plays as FLV in FFmpeg, without a complaint, pictures and sound as in the file', async () => {
    const path = pathOf(name, options);
    const file = await files.open(path);
    const messages = await everythingIn(file);
    file.release();
    // FFmpeg 5.1 does not know the enhanced heads.
    if (messages.some(({ type, payload }) => type === 9 && payload[0]! & 0x80)) return;
    const flv = join(folder, `${name}.flv`);
    execFileSync('sh', ['-c', `cat > '${flv}'`], { input: Buffer.concat([...asFlv(messages)]) });
    // Of sound alone FFmpeg leaves out the frame that it fades in from.
    const expected = decoded(path);
    expect(decoded(flv).slice(-expected.length)).toEqual(expected);
  });
});

test('a file cut without being encoded again begins with the key frame before, sound and pictures together', async () => {
  const plain = pathOf('plain.mp4', [...source, ...avcAac]);
  const path = makeMedia(folder, 'trimmed.mp4', '-ss', '1.3', '-i', plain, '-c', 'copy');
  const expected = probePackets(path);
  expect(expected.some(({ dtsMs }) => dtsMs < -300)).toBe(true);
  const file = await files.open(path);
  const packets = packetsOf(await everythingIn(file));
  expect(packets[0]).toMatchObject({ kind: 'video', dtsMs: 0, isKey: true });
  expect(packets.length).toBeGreaterThan(expected.length - 3);
  const shifts = (['video', 'audio'] as const).map((kind) => {
    const ours = packets.filter((packet) => packet.kind === kind);
    const theirs = expected.filter((packet) => packet.kind === kind).slice(-ours.length);
    const shift = ours[0]!.dtsMs - theirs[0]!.dtsMs;
    for (const [i, { dtsMs, ptsMs, ...rest }] of theirs.entries()) {
      expectNear(ours[i]!, { dtsMs: dtsMs + shift, ptsMs: ptsMs + shift, ...rest });
    }
    return shift;
  });
  // FFmpeg has the first picture that begins within the cut begin with it, up to one picture early.
  expect(Math.abs(shifts[0]! - shifts[1]!)).toBeLessThan(40);
  file.release();
});

test('headers are those of the codecs, in front of everything', async () => {
  const file = await files.open(pathOf('plain.mp4', [...source, ...avcAac]));
  const { position } = await file.seek(0);
  const [video, audio, ...others] = await file.headersAt(position);
  expect(others).toEqual([]);
  expect([...video!.payload.subarray(0, 6)]).toEqual([0x17, 0, 0, 0, 0, 1]);
  expect([...audio!.payload.subarray(0, 2)]).toEqual([0xaf, 0]);
  const later = await file.seek(2500);
  expect((await file.headersAt(later.position)).map(({ timestamp }) => timestamp)).toEqual([
    later.timestampMs,
    later.timestampMs,
  ]);
  file.release();
});

test('HEVC has enhanced heads', async () => {
  const file = await files.open(pathOf('hevc.mp4', [...source, ...hevc, '-tag:v', 'hvc1']));
  const videos = (await everythingIn(file)).filter(({ type }) => type === 9).map(({ payload }) => payload);
  expect(parseVideoHead(videos[0]!)).toMatchObject({ fourCc: 'hvc1', packetType: 0, frameType: 1 });
  expect(parseVideoHead(videos[1]!)).toMatchObject({ fourCc: 'hvc1', packetType: 1, frameType: 1 });
  expect(videos.slice(1).some((payload) => parseVideoHead(payload)!.compositionTime! > 0)).toBe(true);
  file.release();
});

test('metadata are those of Flash Media Server', async () => {
  const path = pathOf('plain.mp4', [...source, ...avcAac]);
  const file = await files.open(path);
  const [name, metadata] = decodeValues(
    { type: 18, streamId: 0, timestamp: 0, payload: file.metadata! },
    AMF_LIMITS,
    2,
  );
  expect(name).toBe('onMetaData');
  expect(metadata).toBeInstanceOf(EcmaArray);
  expect(metadata).toMatchObject({
    duration: Math.max(...(await everythingIn(file)).map(({ timestamp }) => timestamp)) / 1000,
    width: 160,
    height: 120,
    videocodecid: 'avc1',
    audiocodecid: 'mp4a',
    avcprofile: 100,
    aacaot: 2,
    audiosamplerate: 44_100,
    audiochannels: 1,
    videoframerate: 25,
    moovPosition: readFileSync(path).indexOf('moov') - 4,
  });
  expect(file.bytes).toBe(statSync(path).size);
  expect(await files.probe(path)).toEqual({
    durationMs: file.durationMs,
    bytes: file.bytes,
    metadata: file.metadata,
  });
  file.release();
});

test('a file without a track that RTMP knows is refused as such', async () => {
  const path = pathOf('mpeg2.mp4', [...picture(1), '-c:v', 'mpeg2video']);
  await expect(files.open(path)).rejects.toMatchObject({ kind: 'no-track' });
});

function pathOf(name: string, options: string[]): string {
  const path = made.get(name) ?? makeMedia(folder, name, ...options);
  made.set(name, path);
  return path;
}

function expectNear(ours: Packet, theirs: Packet): void {
  const isNear =
    Math.abs(ours.dtsMs - theirs.dtsMs) <= 1 &&
    Math.abs(ours.ptsMs - theirs.ptsMs) <= 1 &&
    ours.isKey === theirs.isKey &&
    ours.bytes === theirs.bytes;
  expect(isNear ? theirs : ours).toEqual(theirs);
}

function* asFlv(messages: readonly RtmpMessage[]): Generator<Uint8Array> {
  yield encodeFlvHeader({ hasAudio: true, hasVideo: true });
  for (const message of messages) yield encodeFlvTag(message);
}

/** Checksums of all pictures. */
function decoded(path: string): string[] {
  const args = [
    '-v',
    'error',
    '-i',
    path,
    '-map',
    '0:v?',
    '-map',
    '0:a?',
    '-vsync',
    'passthrough',
    '-f',
    'framemd5',
    '-',
  ];
  const output = execFileSync('ffmpeg', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return output
    .split('\n')
    .filter((line) => line.startsWith('0,'))
    .map((line) => line.split(',').at(-1)!.trim());
}
