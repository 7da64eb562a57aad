import { expect, test } from 'vitest';
import { box } from '../../../../client/media/fmp4/box.ts';
import { mediaSegment } from '../../../../client/media/fmp4/media-segment.ts';
import { START_MS, Timeline } from '../../../../client/media/timeline.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../../../support/media.ts';
import { hex, type Message, mux } from './sources.ts';

const video = (timestamp: number, payload: Uint8Array): Message => ({ type: 9, timestamp, payload });
const audio = (timestamp: number, payload: Uint8Array): Message => ({ type: 8, timestamp, payload });
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const times = (messages: Message[], kind = 'video') =>
  mux(messages)
    .segments.filter((segment) => segment.kind === kind && !segment.setup)
    .map(({ timeMs, endMs }) => [Math.round(timeMs - START_MS), Math.round(endMs - START_MS)]);

test('a box is its size, its type and its content', () => {
  expect(toHex(box('free', [1, 2], hex('0304')))).toBe('0000000c' + '66726565' + '01020304');
});

test('a media segment has times beyond 32 bits, a negative composition offset, and where its data begins', () => {
  const sample = {
    decodeTime: 2 ** 32 + 5,
    duration: 40,
    compositionOffset: -34,
    isKey: true,
    data: hex('aabbcc'),
  };
  const moof = [
    '00000068 6d6f6f66',
    '00000010 6d666864 00000000 00000007',
    '00000050 74726166',
    '00000010 74666864 00020000 00000001',
    '00000014 74666474 01000000 00000001 00000005',
    '00000024 7472756e 01000f01 00000001 00000070 00000028 00000003 02000000 ffffffde',
  ];
  const mdat = '0000000b 6d646174 aabbcc';
  expect(toHex(mediaSegment(7, sample))).toBe([...moof, mdat].join('').replaceAll(' ', ''));
});

test('a picture lasts until the next one, the last as long as the one before it', () => {
  const stream = [
    video(0, avcHeader),
    video(100, keyFrame(1)),
    video(140, interFrame(2)),
    video(290, interFrame(3)),
  ];
  expect(times(stream)).toEqual([
    [0, 40],
    [40, 190],
    [190, 340],
  ]);
});

test('time goes on where timestamps wrap', () => {
  const at = (ms: number) => (2 ** 32 - 60 + ms) % 2 ** 32;
  const stream = [0, 40, 80, 120].map((ms, i) => video(at(ms), i === 0 ? keyFrame(i) : interFrame(i)));
  expect(times([video(0, avcHeader), ...stream])).toEqual([
    [0, 40],
    [40, 80],
    [80, 120],
    [120, 160],
  ]);
});

test('after a long gap pictures are where they belong, and nothing fills it', () => {
  const stream = [
    video(0, avcHeader),
    video(0, keyFrame(1)),
    video(40, interFrame(2)),
    video(30_000, keyFrame(3)),
  ];
  expect(times(stream)).toEqual([
    [0, 40],
    [40, 80],
    [30_000, 30_040],
  ]);
});

test('a new publisher whose time begins anew follows on the old one', () => {
  const stream = [
    video(0, avcHeader),
    video(50_000, keyFrame(1)),
    video(50_040, interFrame(2)),
    video(0, keyFrame(3)),
  ];
  expect(times([...stream, video(33, interFrame(4))])).toEqual([
    [0, 40],
    [40, 80],
    [80, 113],
    [113, 146],
  ]);
});

test('decoding does not go back when timestamps do a little', () => {
  const stream = [
    video(0, avcHeader),
    video(0, keyFrame(1)),
    video(40, interFrame(2)),
    video(35, interFrame(3)),
  ];
  expect(times([...stream, video(80, interFrame(4))])).toEqual([
    [0, 40],
    [40, 40],
    [40, 80],
    [80, 120],
  ]);
});

test('sound stamped in whole milliseconds is seamless, and a gap in it stays one', () => {
  const stamps = [0, 23, 46, 70, 93, 500, 523];
  const sound = times([audio(0, aacHeader), ...stamps.map((ms) => audio(ms, aacFrame(ms)))], 'audio');
  expect(sound.map(([start]) => start)).toEqual([0, 23, 46, 70, 93, 500, 523]);
  expect(sound[4]).toEqual([93, 116]);
});

test('another configuration in mid-stream is another init segment, the same one again is none', () => {
  const other = avcHeader.slice();
  other[8] = 0x1f; // a higher level
  const { setups, segments } = mux([
    video(0, avcHeader),
    video(0, keyFrame(1)),
    video(40, avcHeader),
    video(40, interFrame(2)),
    video(80, other),
    video(80, interFrame(3)),
    video(120, keyFrame(4)),
  ]);
  expect(setups.map(({ codec }) => codec)).toEqual(['avc1.42c00d', 'avc1.42c01f']);
  // What depends on pictures before the change is of no use after it.
  expect(segments.map(({ setup, isKey }) => (setup ? 'init' : isKey ? 'key' : 'inter'))).toEqual([
    ...['init', 'key', 'inter'],
    ...['init', 'key'],
  ]);
});

test('nothing is shown before the first key frame', () => {
  expect(times([video(0, avcHeader), video(0, interFrame(1)), video(40, keyFrame(2))])).toEqual([[40, 80]]);
});

test('a codec that an MP4 cannot hold is named once, and the other track goes on', () => {
  const h263 = hex('22 0000840a');
  const { unsupported, setups } = mux([
    video(0, hex('12 0000840a')),
    video(40, h263),
    audio(0, aacHeader),
    audio(0, aacFrame(1)),
    video(80, hex('12 0000840b')),
  ]);
  expect(unsupported).toEqual(['video Sorenson H.263']);
  expect(setups.map(({ kind }) => kind)).toEqual(['audio']);
});

test('of several tracks in a message the one with id 0 is taken', () => {
  const config = '0142c00dffe1000a6742c00d95a0507e4401000468ce3c80';
  const size = (text: string) => (text.length / 2).toString(16).padStart(6, '0');
  const start = hex(`96 10 61766331 01 000002 ffff 00 ${size(config)} ${config}`);
  const frame = hex('96 11 61766331 01 000005 0000001122 00 000008 000000 0000000165');
  const { setups, segments, muxer } = mux([video(0, start), video(0, frame)]);
  expect(setups).toMatchObject([{ codec: 'avc1.42c00d' }]);
  expect(toHex(segments[1]!.bytes.subarray(-5))).toBe('0000000165');
  expect(muxer.malformed).toBe(0);
});

test('what is cut off is counted and left out', () => {
  const { segments, muxer } = mux([
    video(0, hex('17 01')),
    video(0, hex('93 6876')),
    audio(0, hex('af')),
    video(0, hex('17 00 000000 0142c00dffe1ffff67')),
    video(0, keyFrame(1)),
    video(0, new Uint8Array(0)),
  ]);
  expect(segments).toEqual([]);
  expect(muxer.malformed).toBe(4);
});

test('a time of the player is a timestamp of the stream, before and after a new beginning', () => {
  const timeline = new Timeline();
  timeline.place(2 ** 32 - 10);
  const later = timeline.place(10);
  expect(timeline.timestampAt(later)).toBe(10);
  expect(timeline.timestampAt(later - 15)).toBe(2 ** 32 - 5);
  timeline.place(100_000);
  const anew = timeline.place(7);
  expect(timeline.timestampAt(anew + 3)).toBe(10);
});
