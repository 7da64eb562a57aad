import { ByteReader, type ByteWriter } from './bytes.ts';
import { StagewireError } from './errors.ts';
import { MessageType } from './messages.ts';
import * as SharedObjectEventType from './shared-object-event-type.ts';
import type { SharedValue } from './shared-values.ts';
import { utf8Length } from './utf8.ts';

type Type = typeof SharedObjectEventType;

/** `V`: what a value is to whoever reads or writes it. */
export type SharedObjectEvent<V = SharedValue> =
  | { type: Type['Use' | 'Release' | 'Clear' | 'UseSuccess' | 'RequestClear'] }
  | { type: Type['RequestChange' | 'Change' | 'AcceptedChange']; key: string; value: V }
  | { type: Type['Success' | 'Remove' | 'RequestRemove']; key: string }
  /** The handler's name, then its arguments. */
  | { type: Type['Send']; values: readonly V[] }
  | { type: Type['Status']; code: string; level: string }
  | { type: Type['SlotVersion']; key: string; version: number }
  | { type: 'unknown'; event: number; data: Uint8Array };

export interface SharedObjectMessage<V = SharedValue> {
  name: string;
  /** The version the sender knows. */
  version: number;
  isPersistent: boolean;
  /**
   * Of a subscriber: it stands between the object and others, and wants its changes back with their values. Of the answer to
   * its `use`: the owner does that. Default false.
   */
  isProxy?: boolean;
  events: readonly SharedObjectEvent<V>[];
}

/** Of one message: each may have to be answered. What has more is refused. */
export const MAX_EVENTS = 4096;

/** Of the name of an object, a slot or a status. The longest that is in use is far shorter. */
const MAX_TEXT_BYTES = 1024;

/** In the first flag word. Newer servers set further bits of unknown meaning. */
const persistentFlag = 2;
/** Set by what shares an object of another server. */
const proxyFlag = 16;

/**
 * The body of a message of type 19, or of type 16: the same after a format selector, whatever that says. `take` reads the
 * value at the reader's position. Throws `E_AMF` or `E_TRUNCATED` for what is malformed.
 */
export function readSharedObject<V>(
  messageType: number,
  payload: Uint8Array,
  take: (data: ByteReader) => V,
): SharedObjectMessage<V> {
  const body = new ByteReader(payload);
  if (messageType === MessageType.SharedObjectAmf3) body.skip(1);
  const name = readText(body);
  const version = body.u32();
  const flags = body.u32();
  body.skip(4);

  const events: SharedObjectEvent<V>[] = [];
  while (body.remaining > 0) {
    const type = body.u8();
    const sizeBytes = body.u32();
    const start = body.position;
    // The length rules: an event ends there, whatever its content needed.
    body.skip(sizeBytes);
    decodeEvent(type, new ByteReader(payload, start, body.position), take, events);
    if (events.length > MAX_EVENTS)
      throw new StagewireError('E_AMF', 'peer', `more than ${MAX_EVENTS} events in one message`);
  }
  const isPersistent = (flags & persistentFlag) !== 0;
  return { name, version, isPersistent, isProxy: (flags & proxyFlag) !== 0, events };
}

/** Its twin; `writeValue` writes one value, in the order of the events. */
export function writeSharedObject<V>(
  writer: ByteWriter,
  messageType: number,
  message: SharedObjectMessage<V>,
  writeValue: (value: V) => void,
): void {
  if (messageType === MessageType.SharedObjectAmf3) writer.u8(0);
  writeText(writer, message.name);
  writer.u32(message.version);
  writer.u32((message.isPersistent ? persistentFlag : 0) | (message.isProxy ? proxyFlag : 0));
  writer.u32(0);
  for (const event of message.events) encodeEvent(writer, event, writeValue);
}

function decodeEvent<V>(
  type: number,
  data: ByteReader,
  take: (data: ByteReader) => V,
  events: SharedObjectEvent<V>[],
): void {
  switch (type) {
    case SharedObjectEventType.Use:
    case SharedObjectEventType.Release:
    case SharedObjectEventType.Clear:
    case SharedObjectEventType.UseSuccess:
    case SharedObjectEventType.RequestClear:
      events.push({ type });
      return;
    case SharedObjectEventType.RequestChange:
    case SharedObjectEventType.Change:
    case SharedObjectEventType.AcceptedChange:
      // One event may bring several pairs. Less than a key and a value is surplus.
      do events.push({ type, key: readText(data), value: take(data) });
      while (data.remaining >= 3);
      return;
    case SharedObjectEventType.Success:
    case SharedObjectEventType.Remove:
    case SharedObjectEventType.RequestRemove:
      events.push({ type, key: readText(data) });
      return;
    case SharedObjectEventType.Send:
      events.push({ type, values: takeAll(take, data) });
      return;
    case SharedObjectEventType.Status:
      events.push({ type, code: readText(data), level: readText(data) });
      return;
    case SharedObjectEventType.SlotVersion:
      events.push({ type, key: readText(data), version: data.u32() });
      return;
    default:
      events.push({ type: 'unknown', event: type, data: data.take(data.remaining) });
  }
}

function encodeEvent<V>(
  writer: ByteWriter,
  event: SharedObjectEvent<V>,
  writeValue: (value: V) => void,
): void {
  writer.u8(event.type === 'unknown' ? event.event : event.type);
  const lengthAt = writer.length;
  writer.u32(0);

  switch (event.type) {
    case SharedObjectEventType.RequestChange:
    case SharedObjectEventType.Change:
    case SharedObjectEventType.AcceptedChange:
      writeText(writer, event.key);
      writeValue(event.value);
      break;
    case SharedObjectEventType.Success:
    case SharedObjectEventType.Remove:
    case SharedObjectEventType.RequestRemove:
      writeText(writer, event.key);
      break;
    case SharedObjectEventType.Send:
      for (const value of event.values) writeValue(value);
      break;
    case SharedObjectEventType.Status:
      writeText(writer, event.code);
      writeText(writer, event.level);
      break;
    case SharedObjectEventType.SlotVersion:
      writeText(writer, event.key);
      writer.u32(event.version);
      break;
    case 'unknown':
      writer.bytes(event.data);
      break;
  }
  writer.setU32(lengthAt, writer.length - lengthAt - 4);
}

/** Names and keys carry no AMF marker. */
function readText(data: ByteReader): string {
  const sizeBytes = data.u16();
  if (sizeBytes > MAX_TEXT_BYTES)
    throw new StagewireError(
      'E_TOO_LONG',
      'peer',
      `a name of ${sizeBytes} bytes, ${MAX_TEXT_BYTES} are allowed`,
    );
  return data.utf8(sizeBytes);
}

function writeText(writer: ByteWriter, text: string): void {
  const sizeBytes = utf8Length(text);
  if (sizeBytes > 0xffff) {
    const start = text.slice(0, 20);
    throw new StagewireError('E_SHARED_OBJECT_TEXT', 'app', `"${start}…" has ${sizeBytes} bytes, 65535 fit`);
  }
  writer.u16(sizeBytes);
  writer.utf8(text);
}

function takeAll<V>(take: (data: ByteReader) => V, data: ByteReader): V[] {
  const all: V[] = [];
  while (data.remaining > 0) all.push(take(data));
  return all;
}
