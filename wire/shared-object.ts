import { skipAmf0Value } from './amf-walk.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { StagewireError } from './errors.ts';
import { MessageType } from './messages.ts';
import { utf8Length } from './utf8.ts';

/** Events of a shared object message. Adobe never published them. */
export const SharedObjectEventType = {
  Use: 1,
  Release: 2,
  RequestChange: 3,
  Change: 4,
  /** The receiver's own change of this slot was accepted. */
  Success: 5,
  Send: 6,
  Status: 7,
  Clear: 8,
  Remove: 9,
  RequestRemove: 10,
  /** The answer to `Use`: what follows in the same message is the whole content. */
  UseSuccess: 11,
  /** Seen from newer servers and ignored; never sent. */
  SlotVersion: 12,
  /** Seen from newer servers: an accepted change with the server's value. */
  AcceptedChange: 13,
  RequestClear: 14,
} as const;

type Type = typeof SharedObjectEventType;

export type SharedObjectEvent =
  | { type: Type['Use' | 'Release' | 'Clear' | 'UseSuccess' | 'RequestClear'] }
  /** `value` is one AMF value, not decoded. */
  | { type: Type['RequestChange' | 'Change' | 'AcceptedChange']; key: string; value: Uint8Array }
  | { type: Type['Success' | 'Remove' | 'RequestRemove']; key: string }
  /** `values` are AMF values, not decoded: the handler's name, then its arguments. */
  | { type: Type['Send']; values: Uint8Array }
  | { type: Type['Status']; code: string; level: string }
  | { type: Type['SlotVersion']; key: string; version: number }
  | { type: 'unknown'; event: number; data: Uint8Array };

export interface SharedObjectMessage {
  name: string;
  /** The version the sender knows. */
  version: number;
  isPersistent: boolean;
  events: SharedObjectEvent[];
}

/** In the first flag word. Newer servers set further bits of unknown meaning. */
const persistentFlag = 2;

/** The body of a message of type 19, or of type 16: the same after a format selector, whatever that says. */
export function decodeSharedObject(messageType: number, payload: Uint8Array): SharedObjectMessage {
  const body = new ByteReader(payload);
  if (messageType === MessageType.SharedObjectAmf3) body.skip(1);
  const name = body.utf8(body.u16());
  const version = body.u32();
  const flags = body.u32();
  body.skip(4);

  const events: SharedObjectEvent[] = [];
  while (body.remaining > 0) {
    const type = body.u8();
    const sizeBytes = body.u32();
    // The length rules: an event ends there, whatever its content needed.
    decodeEvent(type, new ByteReader(body.take(sizeBytes)), events);
  }
  return { name, version, isPersistent: (flags & persistentFlag) !== 0, events };
}

export function encodeSharedObject(messageType: number, message: SharedObjectMessage): Uint8Array {
  const writer = new ByteWriter();
  if (messageType === MessageType.SharedObjectAmf3) writer.u8(0);
  writeText(writer, message.name);
  writer.u32(message.version);
  writer.u32(message.isPersistent ? persistentFlag : 0);
  writer.u32(0);
  for (const event of message.events) encodeEvent(writer, event);
  return writer.view;
}

function decodeEvent(type: number, data: ByteReader, events: SharedObjectEvent[]): void {
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
      do events.push({ type, key: readText(data), value: takeValue(data) });
      while (data.remaining >= 3);
      return;
    case SharedObjectEventType.Success:
    case SharedObjectEventType.Remove:
    case SharedObjectEventType.RequestRemove:
      events.push({ type, key: readText(data) });
      return;
    case SharedObjectEventType.Send:
      events.push({ type, values: data.take(data.remaining) });
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

function encodeEvent(writer: ByteWriter, event: SharedObjectEvent): void {
  writer.u8(event.type === 'unknown' ? event.event : event.type);
  const lengthAt = writer.length;
  writer.u32(0);

  switch (event.type) {
    case SharedObjectEventType.RequestChange:
    case SharedObjectEventType.Change:
    case SharedObjectEventType.AcceptedChange:
      writeText(writer, event.key);
      writer.bytes(event.value);
      break;
    case SharedObjectEventType.Success:
    case SharedObjectEventType.Remove:
    case SharedObjectEventType.RequestRemove:
      writeText(writer, event.key);
      break;
    case SharedObjectEventType.Send:
      writer.bytes(event.values);
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
  return data.utf8(data.u16());
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

/** One value and not more, as further pairs may follow it in the same event. */
function takeValue(data: ByteReader): Uint8Array {
  data.peek();
  return data.take(valueEnd(data) - data.position);
}

function valueEnd(data: ByteReader): number {
  try {
    return skipAmf0Value(data.bytes, data.position, data.end);
  } catch (error) {
    if (!(error instanceof StagewireError)) throw error;
    // Malformed, or referring to an earlier value of the message: for whoever decodes it to say.
    return data.end;
  }
}
