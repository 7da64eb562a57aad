import { AmfBudget, amfError } from './amf-message.ts';
import { Amf0Decoder } from './amf0.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { StagewireError } from './errors.ts';
import { append, lengthOf } from './primordials.ts';
import { AMF_LIMITS, type AmfDecodeOptions, type AmfLimits, type AmfValue, NO_OPTIONS } from './values.ts';

/*
 * The packet of AMF over HTTP, which Flash Remoting gateways speak (AMF 0 specification, section 4): headers that go
 * with a connection, then bodies, each a call or the answer to one. Each value has reference tables of its own.
 */

/** `value`: AMF0 bytes in what is encoded. */
export interface PacketHeader<Value> {
  name: string;
  mustUnderstand: boolean;
  value: Value;
}

export interface PacketBody<Value> {
  /** The method that is called, or in an answer what the call named for that: `/1/onResult`. */
  target: string;
  /** Where the answer goes: `/1`; in an answer nowhere, `null`. */
  response: string;
  value: Value;
}

export interface Packet<Value> {
  version: number;
  headers: PacketHeader<Value>[];
  bodies: PacketBody<Value>[];
}

/** Headers, and bodies, of a packet that is read. */
const MAX_PARTS = 1000;
/** What players, servers and players with AMF3 begin with. */
const VERSIONS = { Player: 0, Server: 1, Amf3: 3 } as const;

/** Throws `E_AMF_ENCODE` for a name over 65535 bytes. */
export function encodePacket({ version, headers, bodies }: Packet<Uint8Array>): Uint8Array {
  const writer = new ByteWriter();
  writer.u16(version);
  writer.u16(headers.length);
  for (let i = 0; i < headers.length; i++) {
    const { name, mustUnderstand, value } = headers[i]!;
    writeName(writer, name);
    writer.u8(mustUnderstand ? 1 : 0);
    writeValue(writer, value);
  }
  writer.u16(bodies.length);
  for (let i = 0; i < bodies.length; i++) {
    const { target, response, value } = bodies[i]!;
    writeName(writer, target);
    writeName(writer, response);
    writeValue(writer, value);
  }
  return writer.copy();
}

/** `limits` are those of the whole packet. Throws `E_AMF` or `E_TRUNCATED` for what is no such packet. Bytes after it do not matter. */
export function decodePacket(
  bytes: Uint8Array,
  limits: AmfLimits = AMF_LIMITS,
  options: AmfDecodeOptions = NO_OPTIONS,
): Packet<AmfValue> {
  const reader = new ByteReader(bytes);
  const version = reader.u16();
  if (version !== VERSIONS.Player && version !== VERSIONS.Server && version !== VERSIONS.Amf3)
    throw amfError(`AMF packet of version ${version}`, 0);
  const budget = new AmfBudget(limits);
  const readValue = () => {
    // Often unknown (0xffffffff), and of some gateways wrong: the value says itself where it ends.
    reader.skip(4);
    return new Amf0Decoder(reader, limits, options, budget).value();
  };
  const headers: PacketHeader<AmfValue>[] = [];
  const headerCount = readCount(reader, 'headers');
  for (let i = 0; i < headerCount; i++) {
    const name = reader.utf8(reader.u16());
    const mustUnderstand = reader.u8() !== 0;
    append(headers, { name, mustUnderstand, value: readValue() });
  }
  const bodies: PacketBody<AmfValue>[] = [];
  const bodyCount = readCount(reader, 'bodies');
  for (let i = 0; i < bodyCount; i++) {
    const target = reader.utf8(reader.u16());
    const response = reader.utf8(reader.u16());
    append(bodies, { target, response, value: readValue() });
  }
  return { version, headers, bodies };
}

function readCount(reader: ByteReader, what: string): number {
  const at = reader.position;
  const count = reader.u16();
  if (count > MAX_PARTS) throw amfError(`${count} ${what} in a packet`, at);
  return count;
}

function writeName(writer: ByteWriter, name: string): void {
  if (!writer.utf8Short(name))
    throw new StagewireError('E_AMF_ENCODE', 'app', 'cannot send a name over 65535 bytes');
}

function writeValue(writer: ByteWriter, value: Uint8Array): void {
  writer.u32(lengthOf(value));
  writer.bytes(value);
}
