import { Amf0Decoder, Amf0Encoder } from '../wire/amf0.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import type { CommandBody } from './protocol.ts';

/** Message type 17: a command whose body starts with a format selector (RTMP 1.0, section 7.1.1). */
const COMMAND_AMF3 = 17;

const limits = { depth: 64, values: 65536 };

export function setAmfLimits(depth: number, values: number): void {
  limits.depth = depth;
  limits.values = values;
}

export interface Arguments {
  /** The method, `_result`, `connect` ... */
  name: string;
  /** What follows the transaction id and the command object. */
  args: unknown[];
}

/** Decodes a command as its client sent it. The host has walked the bytes: they are well formed. */
export function decodeArguments(command: CommandBody): Arguments {
  const reader = new ByteReader(command.body);
  // Some clients leave the selector out: then the name's string marker comes first.
  if (command.type === COMMAND_AMF3 && reader.peek() !== 2) reader.skip(1);
  const decoder = new Amf0Decoder(reader, limits);
  const name = decoder.value();
  decoder.value(); // transaction id: the host keeps it
  if (reader.remaining > 0) decoder.value(); // command object
  const args: unknown[] = [];
  while (reader.remaining > 0) args.push(decoder.value());
  return { name: String(name), args };
}

const writer = new ByteWriter(1024);
/** Objects that belong to the server: clients and streams. They never leave it. */
const opaque = new WeakSet<object>();
const encoder = new Amf0Encoder(writer, { isOpaque: (object) => opaque.has(object) });

export function makeOpaque(object: object): void {
  opaque.add(object);
}

/**
 * Values as AMF0, one after the other, as memory of its own. Functions are skipped and objects of the server become
 * undefined; cycles and shared references survive. Throws for what AMF cannot say, naming the place.
 */
export function encodeValues(values: readonly unknown[]): Uint8Array {
  writer.truncate(0);
  encoder.reset();
  for (const value of values) encoder.value(value);
  return writer.copy();
}
