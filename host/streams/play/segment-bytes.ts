import { type MediaNeeds, needsOfAll } from '../../../wire/codecs.ts';
import type { WireFormat } from '../../rtmp/ports.ts';
import type { Segment } from '../files/media-files.ts';
import { MAX_WRITTEN, serializeAll } from '../late-join.ts';

const needs = new WeakMap<Segment, readonly MediaNeeds[]>();

/** What players must know, beyond RTMP 1.0, for a segment. */
export function segmentNeeds(segment: Segment): readonly MediaNeeds[] {
  let found = needs.get(segment);
  if (!found) {
    found = needsOfAll(segment.messages);
    needs.set(segment, found);
  }
  return found;
}

const written = new WeakMap<Segment, Map<string, Buffer>>();

/**
 * A segment in that format, written once for all who play the file and for as long as the segment is in memory. Bytes
 * are not kept for every stream id: those of one client would fill the memory.
 */
export function segmentBytes(segment: Segment, format: WireFormat, streamId: number): Buffer {
  let formats = written.get(segment);
  if (!formats) {
    formats = new Map();
    written.set(segment, formats);
  }
  const key = `${format.name}/${streamId}`;
  let bytes = formats.get(key);
  if (!bytes) {
    bytes = serializeAll(format, segment.messages, streamId);
    if (formats.size < MAX_WRITTEN) formats.set(key, bytes);
  }
  return bytes;
}
