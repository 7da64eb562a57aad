import { expect, test } from 'vitest';
import {
  controlMessage,
  edgeFormat,
  messagesIn,
  readDownward,
  readUpward,
} from '../../../host/cluster/edge/messages.ts';
import { serialize } from '../../../host/rtmp/format.ts';

const bytes = new Uint8Array([1, 2, 3]);
const plain = <T extends { bytes: Uint8Array }>(control: T) => ({ ...control, bytes: [...control.bytes] });

test('what one side says is what the other reads, bytes and number included', () => {
  const call = { op: 'call', name: 'añadir', transaction: 7.5, type: 17, orElse: 0 } as const;
  expect(plain(readUpward(controlMessage(call, 0xffff_ffff, bytes)))).toEqual({
    id: 0xffff_ffff,
    op: call,
    bytes: [1, 2, 3],
  });
  const source = { op: 'source', publication: '', media: 3 } as const;
  expect(plain(readDownward(controlMessage(source)))).toEqual({ id: 0, op: source, bytes: [] });
});

test('what belongs to the other direction, has more than it should, or a wrong type is refused', () => {
  expect(() => readUpward(controlMessage({ op: 'ping' }))).toThrow('between edge and origin');
  expect(() => readDownward(controlMessage({ op: 'leave' }))).toThrow('between edge and origin');
  expect(() => readUpward(controlMessage({ op: 'leave', more: 1 } as never))).toThrow(
    'between edge and origin',
  );
  expect(() => readUpward(controlMessage({ op: 'seek', positionMs: '5' } as never))).toThrow(
    'between edge and origin',
  );
});

test('messages for a client come out as they went in, and what is cut off is refused', () => {
  const messages = [
    { type: 9, streamId: 1, timestamp: 0xffff_fff0, payload: bytes },
    { type: 20, streamId: 0xffff_ffff, timestamp: 0, payload: new Uint8Array(0) },
  ];
  const all = Buffer.concat(messages.map((message) => serialize(edgeFormat, message, message.streamId)));
  expect(
    [...messagesIn(all)].map((message) => ({ ...message, payload: new Uint8Array(message.payload) })),
  ).toEqual(messages);
  for (const end of [1, 12, 13, 15, all.length - 1])
    expect(() => [...messagesIn(all.subarray(0, end))]).toThrow('cut off');
});
