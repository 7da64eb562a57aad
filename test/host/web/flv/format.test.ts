import { expect, test } from 'vitest';
import { flvFormats } from '../../../../host/web/flv/format.ts';
import { encodeData } from '../../../../wire/commands.ts';
import { encodeFlvTag } from '../../../../wire/flv.ts';
import { MessageType } from '../../../../wire/messages.ts';

const { bare, chunk, frame } = flvFormats;
type Message = Parameters<typeof bare.serializeInto>[2];

function write(format: typeof bare, message: Message): Buffer {
  const bytes = Buffer.alloc(format.lengthOf(message) + 4, 0xee);
  const end = format.serializeInto(bytes, 2, message);
  expect(end).toBe(bytes.length - 2);
  expect([bytes[1], bytes[end]]).toEqual([0xee, 0xee]);
  return bytes.subarray(2, end);
}

const video = (size: number, timestamp = 5): Message => ({
  type: MessageType.Video,
  streamId: 1,
  timestamp,
  payload: new Uint8Array(size).fill(0x27),
});

test.each([1, 111, 112, 241, 242, 4081, 65_521, 70_000])('a tag of %i bytes is one chunk', (size) => {
  const tag = Buffer.from(encodeFlvTag(video(size)));
  const expected = Buffer.concat([Buffer.from(`${tag.length.toString(16)}\r\n`), tag, Buffer.from('\r\n')]);
  expect(write(chunk, video(size)).equals(expected)).toBe(true);
  expect(chunk.wrap(tag).equals(expected)).toBe(true);
});

test.each([
  [110, '827d'],
  [111, '827e007e'],
  [65_520, '827effff'],
  [65_521, '827f0000000000010000'],
])('a tag of %i bytes is a message that begins with %s', (size, head) => {
  const tag = encodeFlvTag(video(size));
  const expected = Buffer.concat([Buffer.from(head, 'hex'), tag]);
  expect(write(frame, video(size)).equals(expected)).toBe(true);
});

test('times are shifted, but for metadata from the beginning', () => {
  const timeOf = (message: Message) => write(bare, message).readUIntBE(4, 3);
  expect(timeOf({ ...video(3, 1000), shiftMs: 500 })).toBe(1500);
  expect(timeOf({ ...video(3, 1000), shiftMs: -1000 })).toBe(0);
  const meta = {
    ...video(0, 0),
    type: MessageType.DataAmf0,
    payload: encodeData('onMetaData', {}),
    shiftMs: 500,
  };
  expect(timeOf(meta)).toBe(0);
  expect(timeOf({ ...meta, timestamp: 40 })).toBe(540);
  expect(timeOf({ ...video(3, 0), shiftMs: 500 })).toBe(500);
});

test('data in AMF3 is written as what it holds; what is no media is left out', () => {
  const data = encodeData('onCue', 1);
  const amf3 = { ...video(0), type: MessageType.DataAmf3, payload: Uint8Array.of(0, ...data) };
  const expected = encodeFlvTag({ type: MessageType.DataAmf0, timestamp: 5, payload: data });
  expect(write(bare, amf3).equals(expected)).toBe(true);
  for (const message of [
    { ...video(0), type: MessageType.CommandAmf0, payload: data },
    { ...video(0), type: MessageType.DataAmf3, payload: Uint8Array.of(3, 1) },
    video(0),
  ])
    expect(bare.lengthOf(message)).toBe(0);
});
