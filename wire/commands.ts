import { Amf0Decoder, Amf0Encoder } from './amf0.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { controlMessage, MessageType, type RtmpMessage } from './messages.ts';
import type { AmfLimits, AmfValue } from './values.ts';

/** How a command message begins (RTMP 1.0, section 7.2): its name and transaction id. */
export interface CommandHead {
  name: string;
  /** 0: no answer wanted. Echoed bit for bit. */
  transaction: number;
  /** Where the AMF0 values begin: after the format selector of type 17. */
  valuesAt: number;
  /** That selector: 0, or of some senders 3, and 0 where there is none. Others nobody knows. */
  format: number;
}

const STRING_MARKER = 2;
const NUMBER_MARKER = 0;
const NULL_MARKER = 5;

/** Reads name and transaction id and decodes nothing else. */
export function readCommandHead(message: RtmpMessage): CommandHead {
  const reader = valuesOf(message);
  const valuesAt = reader.position;
  const format = valuesAt === 0 ? 0 : message.payload[0]!;
  if (reader.u8() !== STRING_MARKER) return { name: '', transaction: 0, valuesAt, format };
  const name = reader.utf8(reader.u16());
  // Some senders of notifications leave the id out.
  const hasId = reader.remaining >= 9 && reader.u8() === NUMBER_MARKER;
  return { name, transaction: hasId ? reader.f64() : 0, valuesAt, format };
}

/** What the host itself reads of a command: the command object (or null) and the first arguments. */
export interface CommandValues {
  object: AmfValue;
  args: AmfValue[];
}

/** Decodes the command object and at most `maxArgs` arguments. Throws E_AMF for what is malformed or too much. */
export function decodeCommandValues(message: RtmpMessage, limits: AmfLimits, maxArgs: number): CommandValues {
  const [, , object, ...args] = decodeValues(message, limits, 3 + maxArgs);
  return { object, args };
}

/** The first values of a command or data message. */
export function decodeValues(message: RtmpMessage, limits: AmfLimits, maxValues: number): AmfValue[] {
  const reader = valuesOf(message);
  const decoder = new Amf0Decoder(reader, limits);
  const values: AmfValue[] = [];
  while (reader.remaining > 0 && values.length < maxValues) values.push(decoder.value());
  return values;
}

/** Types 15 to 17 begin with a format selector, which some senders leave out. */
function valuesOf(message: RtmpMessage): ByteReader {
  const reader = new ByteReader(message.payload);
  const hasSelector = message.type === MessageType.CommandAmf3 || message.type === MessageType.DataAmf3;
  if (hasSelector && reader.remaining > 0 && reader.peek() !== STRING_MARKER) reader.skip(1);
  return reader;
}

/** Values as AMF0, one after the other. */
export function encodeValues(...values: unknown[]): Uint8Array {
  const writer = new ByteWriter();
  const encoder = new Amf0Encoder(writer);
  for (const value of values) encoder.value(value);
  return writer.view;
}

/** The body of a command: `null` for the command object is the caller's to give. */
export function encodeCommand(name: string, transaction: number, ...values: unknown[]): Uint8Array {
  return encodeValues(name, transaction, ...values);
}

// Who never answers calls leaves these out of a bundle.
const around = /* @__PURE__ */ new ByteWriter(1024);
const aroundEncoder = /* @__PURE__ */ new Amf0Encoder(around);

/**
 * The body of a command whose arguments are AMF0 already; the command object is null. The result is a view that the
 * next call overwrites: this runs once for every answer.
 */
export function encodeCommandAround(name: string, transaction: number, args: Uint8Array): Uint8Array {
  around.truncate(0);
  aroundEncoder.reset();
  aroundEncoder.value(name);
  around.u8(NUMBER_MARKER);
  around.f64(transaction);
  around.u8(NULL_MARKER);
  around.bytes(args);
  return around.view;
}

/** A command by its body. */
export function commandMessage(payload: Uint8Array): RtmpMessage {
  return controlMessage(MessageType.CommandAmf0, payload);
}

/** The body of a data message: handler name, then its arguments. */
export function encodeData(name: string, ...values: unknown[]): Uint8Array {
  return encodeValues(name, ...values);
}
