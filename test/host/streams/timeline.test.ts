import { describe, expect, test } from 'vitest';
import { Timeline } from '../../../host/streams/timeline.ts';
import type { RtmpMessage } from '../../../wire/messages.ts';
import { MessageType } from '../../../wire/messages.ts';

const message = (type: number, timestamp: number, ...payload: number[]): RtmpMessage => ({
  type,
  streamId: 1,
  timestamp,
  payload: Uint8Array.from(payload),
});
const sound = (at: number) => message(MessageType.Audio, at, 0xaf, 1, 9);
const header = (at: number) => message(MessageType.Video, at, 0x17, 0, 0, 0, 0, 1);
const picture = (at: number, compositionMs: number, isKey = false) =>
  message(MessageType.Video, at, isKey ? 0x17 : 0x27, 1, 0, compositionMs >> 8, compositionMs & 255, 9);

/** Two B-frames between others, one of which refers to the other, at 25 pictures a second; sound `aheadMs` before them. */
function show(pictures: number, startMs: number, aheadMs: number): RtmpMessage[] {
  const all: RtmpMessage[] = [];
  for (let i = 0; i < pictures; i++) {
    const at = startMs + 40 * i;
    const compositionMs = i === 0 ? 80 : [160, 0, 40][(i - 1) % 3]!;
    all.push(sound(at + aheadMs), picture(at, compositionMs, i === 0));
  }
  return all;
}

const compositionOf = ({ payload }: RtmpMessage) => payload[3]! * 256 + payload[4]!;

describe('a source that is cut off anywhere', () => {
  for (const aheadMs of [0, 60, 400]) {
    test(`goes on with one whose sound is ${aheadMs} ms ahead, and no time comes twice`, () => {
      for (let cut = 1; cut < 40; cut++) {
        const line = new Timeline();
        const sent: { isVideo: boolean; at: number; shownAt: number; of: number }[] = [];
        const sources = [show(20, 0, 0).slice(0, cut), show(10, 5000, aheadMs), show(10, 100, aheadMs)];
        for (const [of, source] of sources.entries()) {
          line.splice();
          line.map(header(source[0]!.timestamp), 0);
          for (const one of source) {
            const at = line.map(one, 0);
            const isVideo = one.type === MessageType.Video;
            sent.push({ isVideo, at, shownAt: at + (isVideo ? compositionOf(one) : 0), of });
          }
        }
        const video = sent.filter(({ isVideo }) => isVideo);
        const notLater = (list: typeof sent) => list.filter(({ at }, i) => i > 0 && at <= list[i - 1]!.at);
        expect([notLater(video), notLater(sent.filter(({ isVideo }) => !isVideo))]).toEqual([[], []]);
        for (const of of [1, 2]) {
          const shown = (one: number) => video.filter((each) => each.of === one).map((each) => each.shownAt);
          if (cut === 1 && of === 1) continue; // nothing but a sound came before
          expect(Math.min(...shown(of))).toBeGreaterThan(Math.max(...shown(of - 1)));
        }
      }
    });
  }
});

test('a cut at the end of a group makes no gap', () => {
  const line = new Timeline();
  const first = [picture(0, 80, true), picture(40, 160), picture(80, 0), picture(120, 40)];
  for (const one of first) line.map(one, 0);
  line.splice();
  // Shown are 80, 200, 80 + 40 and 160, so the next may be at 240 or later.
  expect(line.map(picture(0, 80, true), 0)).toBe(160);
});

test('a composition time that is nonsense moves nothing', () => {
  const line = new Timeline();
  line.map(message(MessageType.Video, 0, 0x17, 1, 0x7f, 0xff, 0xff, 9), 0);
  line.splice();
  expect(line.map(picture(0, 0, true), 0)).toBe(40);
});

test('sound and pictures stay together when a source moves', () => {
  const line = new Timeline();
  line.map(picture(0, 0, true), 0);
  line.splice();
  expect(
    [sound(500), picture(400, 0, true), sound(523), picture(440, 0)].map((one) => line.map(one, 0)),
  ).toEqual([40, 40, 163, 80]);
});
