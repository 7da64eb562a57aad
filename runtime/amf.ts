import { Amf0Decoder, Amf0Encoder } from '../wire/amf0.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { decodePacket, encodePacket, type Packet } from '../wire/remoting.ts';
import { reading } from './arguments.ts';
import { registeredClasses, registeredName } from './classes.ts';
import { append, lengthOf, OwnBytes, SafeWeakSet, setBytes, toText } from './primordials.ts';
import type { CommandBody } from './wall/fields.ts';

/** Message type 17: a command whose body starts with a format selector (RTMP 1.0, section 7.1.1). */
const COMMAND_AMF3 = 17;

const limits = { depth: 64, values: 65536 };

export function setAmfLimits(depth: number, values: number): void {
  limits.depth = depth;
  limits.values = values;
}

const DECODING = { __proto__: null, classes: registeredClasses } as object;

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
  const decoder = new Amf0Decoder(reader, limits, DECODING);
  const name = decoder.name();
  decoder.value(); // transaction id: the host keeps it
  if (reader.remaining > 0) decoder.value(); // command object
  const args: unknown[] = [];
  while (reader.remaining > 0) append(args, decoder.value());
  return { name: typeof name === 'string' ? name : '', args };
}

/** The first of a command's arguments, undefined when there is none. */
export function decodeArgument(command: CommandBody): unknown {
  const { args } = decodeArguments(command);
  return args.length > 0 ? args[0] : undefined;
}

/** Values that were encoded one after the other. The host has walked the bytes. */
export function decodeValues(bytes: Uint8Array): unknown[] {
  const reader = new ByteReader(bytes);
  const decoder = new Amf0Decoder(reader, limits, DECODING);
  const values: unknown[] = [];
  while (reader.remaining > 0) append(values, decoder.value());
  return values;
}

/** A packet of AMF over HTTP (wire/remoting.ts), as memory of its own. */
export function encodeRemoting(packet: Packet<Uint8Array>): Uint8Array {
  const encoded = encodePacket(packet);
  const bytes = new OwnBytes(lengthOf(encoded));
  setBytes(bytes, encoded, 0);
  return bytes;
}

/** The same, received. Nobody has looked at the bytes: throws for what is none. */
export function decodeRemoting(bytes: Uint8Array): Packet<unknown> {
  return decodePacket(bytes, limits, DECODING);
}

/** The answer to a blocking request (wall/asks.ts). Throws AskError for a refusal. */
export function decodeAnswer(bytes: Uint8Array): unknown {
  const decoder = new Amf0Decoder(new ByteReader(bytes), limits);
  if (decoder.value() === true) return decoder.value();
  const message = decoder.value();
  throw new AskError(toText(message), toText(decoder.value()));
}

/** What the host refused or could not do; `code` is of the house's, such as `E_FILE`. */
export class AskError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Objects that belong to the server: clients and streams. They never leave it. */
const opaque = new SafeWeakSet<object>();

export function makeOpaque(object: object): void {
  opaque.add(object);
}

export function isOpaque(object: object): boolean {
  return opaque.has(object);
}

/** Appends values to a writer, as `encodeValues` says. One at a time: a getter of what is being encoded may run. */
export class ValueEncoder {
  readonly #encoder: Amf0Encoder;

  constructor(writer: ByteWriter) {
    this.#encoder = new Amf0Encoder(writer, {
      __proto__: null, // nothing that a script puts on `Object.prototype` is an option
      isOpaque,
      classNameOf: registeredName,
    } as object);
  }

  append(value: unknown): void {
    this.#encoder.reset();
    this.#encoder.value(value);
  }

  appendAll(values: readonly unknown[]): void {
    this.#encoder.reset();
    for (let i = 0; i < values.length; i++) this.#encoder.value(values[i]);
  }
}

class ValueBytes {
  readonly #writer = new ByteWriter(1024);
  readonly #encoder = new ValueEncoder(this.#writer);

  encode(values: readonly unknown[]): Uint8Array {
    const writer = this.#writer;
    writer.truncate(0);
    this.#encoder.appendAll(values);
    const bytes = new OwnBytes(writer.length);
    writer.copyTo(bytes);
    return bytes;
  }
}

const encoder = new ValueBytes();
let isEncoding = false;

/**
 * Values as AMF0, one after the other, as memory of its own. Functions are skipped and objects of the server become
 * undefined; cycles and shared references survive. Throws for what AMF cannot say, naming the place.
 */
export function encodeValues(values: readonly unknown[]): Uint8Array {
  // A getter of what is being encoded sends something itself.
  if (isEncoding) return new ValueBytes().encode(values);
  isEncoding = true;
  try {
    return encoder.encode(values);
  } finally {
    isEncoding = false;
  }
}

/** As `encodeValues`, of a member's arguments. */
export function argumentsOf(member: string, values: readonly unknown[]): Uint8Array {
  return reading(member, () => encodeValues(values));
}
