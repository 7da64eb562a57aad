import { decodeValues, encodeData } from '../../../../wire/commands.ts';
import { MessageType, type RtmpMessage } from '../../../../wire/messages.ts';
import { type AmfObject, type AmfValue, EcmaArray } from '../../../../wire/values.ts';

/** A list of key frames for ten hours is shorter. */
export const MAX_METADATA_BYTES = 2 * 1024 * 1024;
const METADATA_LIMITS = { depth: 16, values: 200_000 };
const MAX_KEY_FRAMES = 65_536;

/** What `keyframes` says: where key frames begin, in milliseconds. */
export interface KeyFrameList {
  readonly times: readonly number[];
  readonly positions: readonly number[];
}

/** `@setDataFrame` as AMF0: some recorders keep the command with which encoders set metadata. */
const SET_DATA_FRAME = new Uint8Array([2, 0, 13, ...new TextEncoder().encode('@setDataFrame')]);

/** The body of a data message without the command that it came with. */
export function withoutSetDataFrame(payload: Uint8Array): Uint8Array {
  const isSet =
    payload.length > SET_DATA_FRAME.length && SET_DATA_FRAME.every((byte, i) => payload[i] === byte);
  return isSet ? payload.subarray(SET_DATA_FRAME.length) : payload;
}

/** The properties of an `onMetaData`; `undefined` for any other data, and what is malformed. */
export function decodeMetadata(type: number, payload: Uint8Array): AmfObject | undefined {
  const message: RtmpMessage = { type, streamId: 0, timestamp: 0, payload: withoutSetDataFrame(payload) };
  try {
    const [name, values] = decodeValues(message, METADATA_LIMITS, 2);
    if (name !== 'onMetaData' || typeof values !== 'object' || values === null) return undefined;
    return Array.isArray(values) ? {} : (values as AmfObject);
  } catch {
    return undefined;
  }
}

/** Only the name, of data that may be long. */
export function isMetadata(type: number, peek: Uint8Array): boolean {
  const selector = type === MessageType.DataAmf3 && peek[0] !== 2 ? 1 : 0;
  const payload = withoutSetDataFrame(peek.subarray(selector));
  return ON_META_DATA.every((byte, i) => payload[i] === byte);
}

/**
 * What viewers are sent: as it is in the file, without places in the file, and with what is true of it. A recording that
 * goes on, or was not finished, says itself that it is empty.
 */
export function encodeMetadata(properties: AmfObject, durationMs: number, bytes: number): Uint8Array {
  const { keyframes: _, ...others } = properties;
  const duration = durationMs / 1000;
  if ('filesize' in others) others.filesize = bytes;
  if ('lasttimestamp' in others) others.lasttimestamp = duration;
  return encodeData('onMetaData', new EcmaArray({ ...others, duration }));
}

/** The list of key frames, if it can be one at all. */
export function keyFrameList(properties: AmfObject, fileBytes: number): KeyFrameList | undefined {
  const { keyframes } = properties;
  if (typeof keyframes !== 'object' || keyframes === null || Array.isArray(keyframes)) return undefined;
  const { times, filepositions: positions } = keyframes as AmfObject;
  if (!isNumbers(times) || !isNumbers(positions)) return undefined;
  if (times.length !== positions.length || times.length === 0 || times.length > MAX_KEY_FRAMES)
    return undefined;
  for (let i = 0; i < times.length; i++) {
    if (!(times[i]! >= (times[i - 1] ?? 0)) || times[i] === Infinity) return undefined;
    const position = positions[i]!;
    if (!Number.isSafeInteger(position) || position <= (positions[i - 1] ?? 0) || position >= fileBytes)
      return undefined;
  }
  return { times: times.map((seconds) => Math.round(seconds * 1000)), positions };
}

function isNumbers(value: AmfValue): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}

const ON_META_DATA = new Uint8Array([2, 0, 10, ...new TextEncoder().encode('onMetaData')]);
