import { ByteReader, type ByteWriter } from '../../wire/bytes.ts';
import { StagewireError } from '../../wire/errors.ts';
import { append } from '../../wire/primordials.ts';

/** What the host knows of a client; the script's `Client` shows it. */
export interface ClientInfo {
  /** Unique and opaque: `client.id`. */
  id: string;
  ip: string;
  agent: string;
  referrer: string;
  pageUrl: string;
  uri: string;
  protocol: string;
  secure: boolean;
  /** Whether it connects again when it is asked to. */
  canReconnect: boolean;
  access: ClientAccess;
  bandwidth: ClientBandwidth;
}

/** Path lists (Server-Side ActionScript Language Reference, Client.readAccess). */
export interface ClientAccess {
  readAccess: string;
  writeAccess: string;
  audioSampleAccess: string;
  videoSampleAccess: string;
}

/** Of one path list, in characters: the host walks it at every play and publish. */
export const MAX_ACCESS = 4096;
/** Of an address that a client is asked to connect to, in characters. */
export const MAX_TC_URL = 2048;
/** Bytes per second: a connection that is slower is none. */
export const LEAST_BANDWIDTH = 100;

export const ACCESS_NAMES = ['readAccess', 'writeAccess', 'audioSampleAccess', 'videoSampleAccess'] as const;
export type AccessName = keyof ClientAccess;

/** Bytes per second; 0 for no limit. */
export interface ClientBandwidth {
  toClient: number;
  toServer: number;
}

/** An AMF command body as it came from a client: message type 17 or 20, then the bytes (RTMP 1.0, section 7.1.1). */
export interface CommandBody {
  type: number;
  body: Uint8Array;
}

/** A stream as its publisher or player named it: `name` without the query, `query` without the `?`. */
export interface StreamRequest {
  name: string;
  query: string;
  /** `live`, `record`, `append`, `appendWithGap` for publishing; empty for playing. */
  mode: string;
}

/** One header of an HTTP message: name and value. */
export type HttpHeader = [name: string, value: string];

export function open(out: ByteWriter, kind: number): number {
  const start = out.length;
  out.u32(0);
  out.u8(kind);
  return start;
}

export function close(out: ByteWriter, start: number): void {
  out.setU32(start, out.length - start - 4);
}

/** A reader bounded by the record at the reader's position, which moves past it. */
export function openRecord(reader: ByteReader): ByteReader {
  const length = reader.u32();
  const start = reader.position;
  reader.skip(length);
  return new ByteReader(reader.bytes, start, start + length);
}

export function text(out: ByteWriter, value: string): void {
  const at = out.length;
  out.u32(0);
  out.utf8(value);
  out.setU32(at, out.length - at - 4);
}

export function readText(record: ByteReader): string {
  return record.utf8(record.u32());
}

export function blob(out: ByteWriter, value: Uint8Array): void {
  out.u32(value.length);
  out.bytes(value);
}

export function readBlob(record: ByteReader): Uint8Array {
  return record.take(record.u32());
}

export function command(out: ByteWriter, value: CommandBody): void {
  out.u8(value.type);
  blob(out, value.body);
}

export function readCommand(record: ByteReader): CommandBody {
  return { type: record.u8(), body: readBlob(record) };
}

export function clientInfo(out: ByteWriter, info: ClientInfo): void {
  text(out, info.id);
  text(out, info.ip);
  text(out, info.agent);
  text(out, info.referrer);
  text(out, info.pageUrl);
  text(out, info.uri);
  text(out, info.protocol);
  out.u8(info.secure ? 1 : 0);
  out.u8(info.canReconnect ? 1 : 0);
  for (let i = 0; i < ACCESS_NAMES.length; i++) text(out, info.access[ACCESS_NAMES[i]!]);
  out.f64(info.bandwidth.toClient);
  out.f64(info.bandwidth.toServer);
}

export function readClientInfo(record: ByteReader): ClientInfo {
  return {
    id: readText(record),
    ip: readText(record),
    agent: readText(record),
    referrer: readText(record),
    pageUrl: readText(record),
    uri: readText(record),
    protocol: readText(record),
    secure: record.u8() === 1,
    canReconnect: record.u8() === 1,
    access: {
      readAccess: readText(record),
      writeAccess: readText(record),
      audioSampleAccess: readText(record),
      videoSampleAccess: readText(record),
    },
    bandwidth: { toClient: record.f64(), toServer: record.f64() },
  };
}

export function streamRequest(out: ByteWriter, stream: StreamRequest): void {
  text(out, stream.name);
  text(out, stream.query);
  text(out, stream.mode);
}

export function readStreamRequest(record: ByteReader): StreamRequest {
  return { name: readText(record), query: readText(record), mode: readText(record) };
}

export function httpHeaders(out: ByteWriter, headers: readonly HttpHeader[]): void {
  out.u32(headers.length);
  for (let i = 0; i < headers.length; i++) {
    text(out, headers[i]![0]);
    text(out, headers[i]![1]);
  }
}

export function readHttpHeaders(record: ByteReader): HttpHeader[] {
  const headers: HttpHeader[] = [];
  const count = record.u32();
  for (let i = 0; i < count; i++) append(headers, [readText(record), readText(record)]);
  return headers;
}

export function unknownKind(what: string, kind: number): StagewireError {
  return new StagewireError('E_WALL', 'host', `unknown ${what} kind ${kind}`);
}
