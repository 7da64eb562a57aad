import { ByteWriter } from './bytes.ts';
import { MessageType } from './messages.ts';
import {
  readSharedObject,
  type SharedObjectEvent,
  type SharedObjectMessage,
  writeSharedObject,
} from './shared-object-body.ts';
import { joinerOf, type SharedValue, ValueSplitter } from './shared-values.ts';
import { AMF_LIMITS, type AmfLimits } from './values.ts';

export { MAX_EVENTS, type SharedObjectEvent, type SharedObjectMessage } from './shared-object-body.ts';
export * as SharedObjectEventType from './shared-object-event-type.ts';

/**
 * A message of type 19 or 16 whose values stay bytes. `limits` are those of all of them together. Throws `E_AMF` or
 * `E_TRUNCATED` for what is malformed.
 */
export function decodeSharedObject(
  messageType: number,
  payload: Uint8Array,
  limits: AmfLimits = AMF_LIMITS,
): SharedObjectMessage {
  const values = new ValueSplitter(payload, limits);
  const message = readSharedObject(messageType, payload, (data) => values.take(data));
  values.finish();
  return message;
}

export function encodeSharedObject(messageType: number, message: SharedObjectMessage): Uint8Array {
  const writer = new ByteWriter();
  const encoding = messageType === MessageType.SharedObjectAmf3 ? 3 : 0;
  writeSharedObject(
    writer,
    messageType,
    message,
    joinerOf(writer, message.events.flatMap(valuesOf), encoding),
  );
  return writer.view;
}

function valuesOf(event: SharedObjectEvent): readonly SharedValue[] {
  if ('value' in event) return [event.value];
  return 'values' in event ? event.values : [];
}
