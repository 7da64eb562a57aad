import { expect, test } from 'vitest';
import { Valve } from '../../../host/cluster/edge/valve.ts';
import { MessageType } from '../../../wire/messages.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../../support/media.ts';

const video = (payload: Uint8Array) => ({ type: MessageType.Video, streamId: 1, timestamp: 0, payload });
const audio = (payload: Uint8Array) => ({ type: MessageType.Audio, streamId: 1, timestamp: 0, payload });

test('when too much waits it leaves out pictures and sound until there is room and a key frame; headers and data pass', () => {
  let queued = 0;
  const valve = new Valve(() => queued, 1000);
  expect([video(avcHeader), video(keyFrame(1)), audio(aacFrame(1))].map((one) => valve.admits(one))).toEqual([
    true,
    true,
    true,
  ]);
  queued = 1001;
  expect(valve.admits(video(interFrame(2)))).toBe(false);
  expect(valve.admits(audio(aacFrame(2)))).toBe(false);
  expect(valve.admits(video(avcHeader))).toBe(true);
  expect(valve.admits({ ...video(new Uint8Array([1])), type: MessageType.DataAmf0 })).toBe(true);
  // Some room is not enough, and neither is room without a key frame.
  queued = 600;
  expect(valve.admits(video(keyFrame(3)))).toBe(false);
  queued = 400;
  expect(valve.admits(video(interFrame(4)))).toBe(false);
  expect(valve.admits(audio(aacFrame(4)))).toBe(false);
  expect(valve.admits(video(keyFrame(5)))).toBe(true);
  expect(valve.admits(audio(aacFrame(5)))).toBe(true);
  expect(valve.dropped).toBe(5);
});

test('of sound alone any piece is a beginning', () => {
  let queued = 2000;
  const valve = new Valve(() => queued, 1000);
  expect(valve.admits(audio(aacFrame(1)))).toBe(false);
  queued = 0;
  expect(valve.admits(audio(aacHeader))).toBe(true);
  expect(valve.admits(audio(aacFrame(2)))).toBe(true);
});
