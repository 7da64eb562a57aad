import { decodeValues, encodeData } from '../../../wire/commands.ts';
import {
  encodeFlvHeader,
  encodeFlvTag,
  flvHeaderBytes,
  flvTagHeaderBytes,
  flvTagTrailerBytes,
} from '../../../wire/flv.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { type AmfLimits, type AmfValue, EcmaArray } from '../../../wire/values.ts';
import { StagewireError } from '../../base/errors.ts';
import type { KeyIndex } from './key-index.ts';

/** What is kept free at the head of a recording for what is known at its end only. */
export const HEAD_BYTES = flvHeaderBytes + 16 * 1024;
/** As many key frames as fit into it, nine bytes a number, beside 4 KiB of the publisher's own metadata. */
export const MAX_KEY_FRAMES = 600;
const AMF0_NULL = 5;
const MAX_OWN_BYTES = 4 * 1024;
/** Metadata of a file with a key-frame index has some thousand values. */
const METADATA_LIMITS: AmfLimits = { depth: 16, values: 32_768 };

/** What a recording has in it. */
export interface FlvContents {
  /** The publisher's own metadata. */
  own: Readonly<Record<string, AmfValue>>;
  hasAudio: boolean;
  hasVideo: boolean;
  keys: KeyIndex;
}

/**
 * The first `HEAD_BYTES` of a recording: the file's header and one `onMetaData` tag, filled up so that it can be
 * written again when the recording ends (Video File Format 10.1, section E.5).
 */
export function encodeHead(
  { own, hasAudio, hasVideo, keys }: FlvContents,
  { durationMs, bytes }: { durationMs: number; bytes: number },
): Uint8Array {
  const known: Record<string, AmfValue> = {
    ...own,
    duration: durationMs / 1000,
    filesize: bytes,
    lasttimestamp: durationMs / 1000,
    hasAudio,
    hasVideo,
    hasMetadata: true,
    hasKeyframes: keys.times.length > 0,
    canSeekToEnd: false,
  };
  if (keys.times.length > 0) {
    known.lastkeyframetimestamp = keys.times.at(-1)! / 1000;
    known.keyframes = {
      filepositions: [...keys.positions],
      times: keys.times.map((ms) => ms / 1000),
    };
  }
  const wanted = HEAD_BYTES - flvHeaderBytes - flvTagHeaderBytes - flvTagTrailerBytes;
  // Behind the values come nulls, a byte each: FFmpeg has no room for a long string.
  const payload = new Uint8Array(wanted).fill(AMF0_NULL);
  payload.set(encodeData('onMetaData', new EcmaArray(known)));
  const head = new Uint8Array(HEAD_BYTES);
  head.set(encodeFlvHeader({ hasAudio, hasVideo }));
  head.set(encodeFlvTag({ type: MessageType.DataAmf0, timestamp: 0, payload }), flvHeaderBytes);
  return head;
}

/** What a publisher says of its stream, as far as it is worth keeping at the head of a file. */
export function ownMetadata(payload: Uint8Array): Record<string, AmfValue> {
  const message = { type: MessageType.DataAmf0, streamId: 0, timestamp: 0, payload };
  const [name, value] = decodeValues(message, METADATA_LIMITS, 2);
  if (name !== 'onMetaData' || typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const own: Record<string, AmfValue> = {};
  let bytes = 0;
  for (const [key, one] of Object.entries(value)) {
    if (typeof one !== 'number' && typeof one !== 'string' && typeof one !== 'boolean') continue;
    bytes += 2 * key.length + (typeof one === 'string' ? 3 * one.length : 8) + 4;
    if (bytes > MAX_OWN_BYTES) break;
    own[key] = one;
  }
  return own;
}

/** As `ownMetadata`; undefined for all else, and for what cannot be read. */
export function metadataOf({ type, payload }: RtmpMessage): Record<string, AmfValue> | undefined {
  if (type !== MessageType.DataAmf0) return undefined;
  try {
    const own = ownMetadata(payload);
    return Object.keys(own).length > 0 ? own : undefined;
  } catch (error) {
    if (error instanceof StagewireError) return undefined; // not ours to judge: it is recorded as it came
    throw error;
  }
}
