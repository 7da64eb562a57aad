import { decodeValues, encodeData } from '../../wire/commands.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import { type AmfLimits, type AmfValue, EcmaArray } from '../../wire/values.ts';
import type { LiveStream } from './live-stream.ts';
import { LOOP_MARK } from './loop-mark.ts';

/** Metadata of a file with a key-frame index has some thousand values. */
const METADATA_LIMITS: AmfLimits = { depth: 16, values: 32_768 };

/**
 * A source's message on its way to the viewers: metadata is kept and loses its `@setDataFrame` (the reference's
 * section 18.6). Throws for data that cannot be read. `isOurs`: the source is the script.
 */
export function relay(stream: LiveStream, message: RtmpMessage, isOurs = false): void {
  if (message.type === MessageType.Audio || message.type === MessageType.Video) {
    stream.push(message);
    return;
  }
  const [first] = decodeValues(message, METADATA_LIMITS, 1);
  if (first === LOOP_MARK) {
    stream.pass(message);
  } else if (first === '@setDataFrame' || first === '@clearDataFrame') {
    const [, key, value] = decodeValues(message, METADATA_LIMITS, 3);
    if (typeof key !== 'string') return;
    if (first === '@clearDataFrame') stream.clearDataFrame(key);
    else stream.setDataFrame(key, dataMessage(message.timestamp, key, asEcmaArray(value)), isOurs);
  } else if (first === 'onMetaData') {
    const [, value] = decodeValues(message, METADATA_LIMITS, 2);
    stream.setDataFrame(first, dataMessage(message.timestamp, first, asEcmaArray(value)), isOurs);
  } else {
    stream.push(message, isOurs);
  }
}

function dataMessage(timestamp: number, name: string, value: AmfValue): RtmpMessage {
  return { type: MessageType.DataAmf0, streamId: 0, timestamp, payload: encodeData(name, value) };
}

/** FFmpeg as a player looks for stream properties in an ECMA array only. */
function asEcmaArray(value: AmfValue): AmfValue {
  const isPlain =
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? new EcmaArray(value as Record<string, AmfValue>) : value;
}
