import { expect, test } from 'vitest';
import { rtmpFormat } from '../../../../host/rtmp/format.ts';
import { segmentBytes } from '../../../../host/streams/play/segment-bytes.ts';
import { keyFrame } from '../../../support/media.ts';

test('a segment is written once for those who share a stream id, and kept for few of those', () => {
  const messages = [{ type: 9, streamId: 0, timestamp: 0, payload: keyFrame(1) }];
  const segment = { messages, next: undefined, endMs: 0 };
  const format = rtmpFormat(4096);
  const ids = Array.from({ length: 64 }, (_, i) => i + 1);
  const first = ids.map((id) => segmentBytes(segment, format, id));
  const isKept = ids.map((id, i) => segmentBytes(segment, format, id) === first[i]);
  expect(isKept[0]).toBe(true);
  expect(isKept.filter(Boolean).length).toBeLessThanOrEqual(4);
  expect(ids.map((id) => segmentBytes(segment, format, id))).toEqual(first);
});
