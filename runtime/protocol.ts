/**
 * The wall: everything that crosses between the host and an isolate, and nothing else does.
 *
 * A turn carries a batch of deliveries into the isolate and brings a batch of commands back. Both are bytes:
 * `u32 length, u8 kind, fields`, where text and byte fields carry a u32 length. Values that came from a client
 * or go to one stay AMF, undecoded by the host.
 */
import { ByteReader, type ByteWriter } from '../wire/bytes.ts';
import { StagewireError } from '../wire/errors.ts';

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
  /** `live`, `record`, `append` for publishing; empty for playing. */
  mode: string;
}

/** One header of an HTTP message: name and value. */
export type HttpHeader = [name: string, value: string];

/** What becomes of a redirect: the host follows it, it is a failure, or the script gets the redirect itself. */
export type RedirectMode = 'follow' | 'error' | 'manual';
export const REDIRECT_MODES: readonly RedirectMode[] = ['follow', 'error', 'manual'];

/** Host to isolate. `client`, `call` and `request` are numbers that mean nothing outside this instance. */
export type Delivery =
  | { kind: 'start' }
  | { kind: 'stop'; code: string }
  | { kind: 'connect'; client: number; info: ClientInfo; command: CommandBody }
  | { kind: 'reattach'; client: number; info: ClientInfo; command: CommandBody; reason: string }
  | { kind: 'disconnect'; client: number }
  | { kind: 'call'; client: number; call: number; command: CommandBody }
  | { kind: 'reply'; request: number; isOk: boolean; command: CommandBody }
  | { kind: 'unanswered'; request: number; description: string }
  | { kind: 'publish'; client: number; stream: StreamRequest }
  | { kind: 'unpublish'; client: number; stream: StreamRequest }
  | { kind: 'authorize'; request: number; action: 'publish' | 'play'; client: number; stream: StreamRequest }
  | { kind: 'status'; info: ScriptErrorInfo }
  | {
      kind: 'fetched';
      request: number;
      status: number;
      statusText: string;
      url: string;
      isRedirected: boolean;
      headers: HttpHeader[];
      body: Uint8Array;
    }
  | { kind: 'unfetched'; request: number; code: string; message: string }
  | { kind: 'wake' };

/** The info object of `application.onStatus` after a script error, with the author's own positions. */
export interface ScriptErrorInfo {
  description: string;
  filename: string;
  lineno: number;
  linebuf: string;
}

/** Isolate to host. `value`, `info` and `args` are AMF0 values, one after the other. */
export type Command =
  | { kind: 'started'; error: string }
  | { kind: 'stopped'; isVetoed: boolean }
  | { kind: 'accept'; client: number }
  | { kind: 'reject'; client: number; info: Uint8Array }
  | { kind: 'attached'; client: number; isKept: boolean }
  | { kind: 'disconnect'; client: number }
  | { kind: 'result'; call: number; value: Uint8Array }
  | { kind: 'error'; call: number; info: Uint8Array }
  /** The script has no such method: the host may answer in its place. */
  | { kind: 'missing'; call: number }
  | { kind: 'invoke'; client: number; request: number; method: string; args: Uint8Array }
  | { kind: 'broadcast'; method: string; args: Uint8Array }
  | { kind: 'verdict'; request: number; isAllowed: boolean; description: string }
  /** `timeoutMs` 0: as long as the host allows. Answered once, by `fetched` or `unfetched`. */
  | {
      kind: 'fetch';
      request: number;
      url: string;
      method: string;
      headers: HttpHeader[];
      body: Uint8Array;
      redirect: RedirectMode;
      timeoutMs: number;
    }
  | { kind: 'log'; level: LogLevel; text: string }
  | { kind: 'script-error'; where: string; message: string; stack: string }
  | { kind: 'wake-at'; atMs: number }
  /** A handler took so many milliseconds on behalf of a client; 0 for nobody. */
  | { kind: 'charge'; client: number; handler: string; ms: number };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** What an isolate is told when it boots. */
export interface BootOptions {
  /** `app/instance`. */
  name: string;
  server: string;
  hostname: string;
  amfDepth: number;
  amfValues: number;
  maxTimers: number;
  maxOutstandingInvokes: number;
  maxFetches: number;
  maxFetchBytes: number;
  /** Of one call or broadcast to clients. */
  maxArgumentBytes: number;
  /** What one entry may print. */
  mostPrintedBytes: number;
  /** After this long the entry ends early, so that each event has the rest of the time limit to itself. */
  yieldAfterMs: number;
}

/** The runtime's bundle has this as its value. Called once by the core, before any application code, with memory that both sides share. */
export type Boot = (input: SharedArrayBuffer, output: SharedArrayBuffer, optionsJson: string) => Enter;

/**
 * One entry into the isolate. Handles deliveries from the shared input buffer until all are finished, one of them
 * made a promise (its continuations must run before the next delivery, and they run when the entry ends), or the
 * entry has taken so long that the next delivery deserves a time limit of its own.
 */
export type Enter = (nowMs: number, monotonicMs: number) => void;

/**
 * The words (32 bits each) at the start of the input buffer that the core and the isolate share.
 * `running` is the input offset of the delivery being handled, or -1; `finished` the offset up to which all are;
 * `again` is 1 when the isolate wants to be entered once more.
 */
export const Header = { inputLength: 0, finished: 1, running: 2, outputLength: 3, again: 4 } as const;
/** Where the turn's random bytes lie in the header, and how many: 16 for `Math.random`, 32 for `crypto`. */
export const SEED_OFFSET = 32;
export const SEED_BYTES = 48;
/** The deliveries follow the header at this offset. */
export const HEADER_BYTES = 128;

const DeliveryKind = {
  start: 1,
  stop: 2,
  connect: 3,
  reattach: 4,
  disconnect: 5,
  call: 6,
  reply: 7,
  unanswered: 8,
  publish: 9,
  unpublish: 10,
  authorize: 11,
  wake: 12,
  status: 13,
  fetched: 14,
  unfetched: 15,
} as const;

const CommandKind = {
  started: 1,
  stopped: 2,
  accept: 3,
  reject: 4,
  attached: 5,
  disconnect: 6,
  result: 7,
  error: 8,
  invoke: 9,
  broadcast: 10,
  verdict: 11,
  log: 12,
  'script-error': 13,
  'wake-at': 14,
  missing: 15,
  charge: 16,
  fetch: 17,
} as const;

/** Appends one delivery with its length to `out`. */
export function encodeDelivery(out: ByteWriter, delivery: Delivery): void {
  const start = open(out, DeliveryKind[delivery.kind]);
  switch (delivery.kind) {
    case 'start':
    case 'wake':
      break;
    case 'stop':
      text(out, delivery.code);
      break;
    case 'connect':
    case 'reattach':
      out.u32(delivery.client);
      clientInfo(out, delivery.info);
      command(out, delivery.command);
      if (delivery.kind === 'reattach') text(out, delivery.reason);
      break;
    case 'disconnect':
      out.u32(delivery.client);
      break;
    case 'call':
      out.u32(delivery.client);
      out.u32(delivery.call);
      command(out, delivery.command);
      break;
    case 'reply':
      out.u32(delivery.request);
      out.u8(delivery.isOk ? 1 : 0);
      command(out, delivery.command);
      break;
    case 'unanswered':
      out.u32(delivery.request);
      text(out, delivery.description);
      break;
    case 'status':
      text(out, delivery.info.description);
      text(out, delivery.info.filename);
      out.u32(delivery.info.lineno);
      text(out, delivery.info.linebuf);
      break;
    case 'publish':
    case 'unpublish':
      out.u32(delivery.client);
      streamRequest(out, delivery.stream);
      break;
    case 'authorize':
      out.u32(delivery.request);
      out.u8(delivery.action === 'publish' ? 0 : 1);
      out.u32(delivery.client);
      streamRequest(out, delivery.stream);
      break;
    case 'fetched':
      out.u32(delivery.request);
      out.u16(delivery.status);
      text(out, delivery.statusText);
      text(out, delivery.url);
      out.u8(delivery.isRedirected ? 1 : 0);
      httpHeaders(out, delivery.headers);
      blob(out, delivery.body);
      break;
    case 'unfetched':
      out.u32(delivery.request);
      text(out, delivery.code);
      text(out, delivery.message);
      break;
  }
  close(out, start);
}

/** Reads the delivery at the reader's position. Byte fields are views. */
export function decodeDelivery(reader: ByteReader): Delivery {
  const record = openRecord(reader);
  const kind = record.u8();
  switch (kind) {
    case DeliveryKind.start:
      return { kind: 'start' };
    case DeliveryKind.stop:
      return { kind: 'stop', code: readText(record) };
    case DeliveryKind.connect:
      return {
        kind: 'connect',
        client: record.u32(),
        info: readClientInfo(record),
        command: readCommand(record),
      };
    case DeliveryKind.reattach: {
      const client = record.u32();
      const info = readClientInfo(record);
      return { kind: 'reattach', client, info, command: readCommand(record), reason: readText(record) };
    }
    case DeliveryKind.disconnect:
      return { kind: 'disconnect', client: record.u32() };
    case DeliveryKind.call:
      return { kind: 'call', client: record.u32(), call: record.u32(), command: readCommand(record) };
    case DeliveryKind.reply:
      return { kind: 'reply', request: record.u32(), isOk: record.u8() === 1, command: readCommand(record) };
    case DeliveryKind.unanswered:
      return { kind: 'unanswered', request: record.u32(), description: readText(record) };
    case DeliveryKind.publish:
      return { kind: 'publish', client: record.u32(), stream: readStreamRequest(record) };
    case DeliveryKind.unpublish:
      return { kind: 'unpublish', client: record.u32(), stream: readStreamRequest(record) };
    case DeliveryKind.authorize: {
      const request = record.u32();
      const action = record.u8() === 0 ? 'publish' : 'play';
      return { kind: 'authorize', request, action, client: record.u32(), stream: readStreamRequest(record) };
    }
    case DeliveryKind.status: {
      const description = readText(record);
      const filename = readText(record);
      return {
        kind: 'status',
        info: { description, filename, lineno: record.u32(), linebuf: readText(record) },
      };
    }
    case DeliveryKind.fetched:
      return {
        kind: 'fetched',
        request: record.u32(),
        status: record.u16(),
        statusText: readText(record),
        url: readText(record),
        isRedirected: record.u8() === 1,
        headers: readHttpHeaders(record),
        body: readBlob(record),
      };
    case DeliveryKind.unfetched:
      return {
        kind: 'unfetched',
        request: record.u32(),
        code: readText(record),
        message: readText(record),
      };
    case DeliveryKind.wake:
      return { kind: 'wake' };
    default:
      throw unknownKind('delivery', kind);
  }
}

/** Appends one command with its length to `out`. */
export function encodeCommand(out: ByteWriter, cmd: Command): void {
  const start = open(out, CommandKind[cmd.kind]);
  switch (cmd.kind) {
    case 'started':
      text(out, cmd.error);
      break;
    case 'stopped':
      out.u8(cmd.isVetoed ? 1 : 0);
      break;
    case 'accept':
    case 'disconnect':
      out.u32(cmd.client);
      break;
    case 'reject':
      out.u32(cmd.client);
      blob(out, cmd.info);
      break;
    case 'attached':
      out.u32(cmd.client);
      out.u8(cmd.isKept ? 1 : 0);
      break;
    case 'missing':
      out.u32(cmd.call);
      break;
    case 'result':
      out.u32(cmd.call);
      blob(out, cmd.value);
      break;
    case 'error':
      out.u32(cmd.call);
      blob(out, cmd.info);
      break;
    case 'invoke':
      out.u32(cmd.client);
      out.u32(cmd.request);
      text(out, cmd.method);
      blob(out, cmd.args);
      break;
    case 'broadcast':
      text(out, cmd.method);
      blob(out, cmd.args);
      break;
    case 'verdict':
      out.u32(cmd.request);
      out.u8(cmd.isAllowed ? 1 : 0);
      text(out, cmd.description);
      break;
    case 'fetch':
      out.u32(cmd.request);
      text(out, cmd.url);
      text(out, cmd.method);
      httpHeaders(out, cmd.headers);
      blob(out, cmd.body);
      out.u8(REDIRECT_MODES.indexOf(cmd.redirect));
      out.f64(cmd.timeoutMs);
      break;
    case 'log':
      out.u8(LOG_LEVELS.indexOf(cmd.level));
      text(out, cmd.text);
      break;
    case 'script-error':
      text(out, cmd.where);
      text(out, cmd.message);
      text(out, cmd.stack);
      break;
    case 'wake-at':
      out.f64(cmd.atMs);
      break;
    case 'charge':
      out.u32(cmd.client);
      out.u32(cmd.ms);
      text(out, cmd.handler);
      break;
  }
  close(out, start);
}

/** As `encodeCommand` does for a result whose value `encode` appends. */
export function encodeResult(out: ByteWriter, call: number, encode: () => void): void {
  const start = open(out, CommandKind.result);
  out.u32(call);
  const at = out.length;
  out.u32(0);
  encode();
  out.setU32(at, out.length - at - 4);
  close(out, start);
}

/** Reads the command at the reader's position. Byte fields are views. */
export function decodeCommand(reader: ByteReader): Command {
  const record = openRecord(reader);
  const kind = record.u8();
  switch (kind) {
    case CommandKind.started:
      return { kind: 'started', error: readText(record) };
    case CommandKind.stopped:
      return { kind: 'stopped', isVetoed: record.u8() === 1 };
    case CommandKind.accept:
      return { kind: 'accept', client: record.u32() };
    case CommandKind.reject:
      return { kind: 'reject', client: record.u32(), info: readBlob(record) };
    case CommandKind.attached:
      return { kind: 'attached', client: record.u32(), isKept: record.u8() === 1 };
    case CommandKind.disconnect:
      return { kind: 'disconnect', client: record.u32() };
    case CommandKind.result:
      return { kind: 'result', call: record.u32(), value: readBlob(record) };
    case CommandKind.missing:
      return { kind: 'missing', call: record.u32() };
    case CommandKind.error:
      return { kind: 'error', call: record.u32(), info: readBlob(record) };
    case CommandKind.invoke:
      return {
        kind: 'invoke',
        client: record.u32(),
        request: record.u32(),
        method: readText(record),
        args: readBlob(record),
      };
    case CommandKind.broadcast:
      return { kind: 'broadcast', method: readText(record), args: readBlob(record) };
    case CommandKind.verdict:
      return {
        kind: 'verdict',
        request: record.u32(),
        isAllowed: record.u8() === 1,
        description: readText(record),
      };
    case CommandKind.fetch:
      return {
        kind: 'fetch',
        request: record.u32(),
        url: readText(record),
        method: readText(record),
        headers: readHttpHeaders(record),
        body: readBlob(record),
        redirect: REDIRECT_MODES[record.u8()] ?? 'error',
        timeoutMs: record.f64(),
      };
    case CommandKind.log:
      return { kind: 'log', level: LOG_LEVELS[record.u8()] ?? 'info', text: readText(record) };
    case CommandKind['script-error']:
      return {
        kind: 'script-error',
        where: readText(record),
        message: readText(record),
        stack: readText(record),
      };
    case CommandKind['wake-at']:
      return { kind: 'wake-at', atMs: record.f64() };
    case CommandKind.charge:
      return { kind: 'charge', client: record.u32(), ms: record.u32(), handler: readText(record) };
    default:
      throw unknownKind('command', kind);
  }
}

function open(out: ByteWriter, kind: number): number {
  const start = out.length;
  out.u32(0);
  out.u8(kind);
  return start;
}

function close(out: ByteWriter, start: number): void {
  out.setU32(start, out.length - start - 4);
}

/** A reader bounded by the record at the reader's position, which moves past it. */
function openRecord(reader: ByteReader): ByteReader {
  const length = reader.u32();
  const start = reader.position;
  reader.skip(length);
  return new ByteReader(reader.bytes, start, start + length);
}

function text(out: ByteWriter, value: string): void {
  const at = out.length;
  out.u32(0);
  out.utf8(value);
  out.setU32(at, out.length - at - 4);
}

function readText(record: ByteReader): string {
  return record.utf8(record.u32());
}

function blob(out: ByteWriter, value: Uint8Array): void {
  out.u32(value.length);
  out.bytes(value);
}

function readBlob(record: ByteReader): Uint8Array {
  return record.take(record.u32());
}

function command(out: ByteWriter, value: CommandBody): void {
  out.u8(value.type);
  blob(out, value.body);
}

function readCommand(record: ByteReader): CommandBody {
  return { type: record.u8(), body: readBlob(record) };
}

function clientInfo(out: ByteWriter, info: ClientInfo): void {
  text(out, info.id);
  text(out, info.ip);
  text(out, info.agent);
  text(out, info.referrer);
  text(out, info.pageUrl);
  text(out, info.uri);
  text(out, info.protocol);
  out.u8(info.secure ? 1 : 0);
}

function readClientInfo(record: ByteReader): ClientInfo {
  return {
    id: readText(record),
    ip: readText(record),
    agent: readText(record),
    referrer: readText(record),
    pageUrl: readText(record),
    uri: readText(record),
    protocol: readText(record),
    secure: record.u8() === 1,
  };
}

function streamRequest(out: ByteWriter, stream: StreamRequest): void {
  text(out, stream.name);
  text(out, stream.query);
  text(out, stream.mode);
}

function readStreamRequest(record: ByteReader): StreamRequest {
  return { name: readText(record), query: readText(record), mode: readText(record) };
}

function httpHeaders(out: ByteWriter, headers: readonly HttpHeader[]): void {
  out.u32(headers.length);
  for (let i = 0; i < headers.length; i++) {
    text(out, headers[i]![0]);
    text(out, headers[i]![1]);
  }
}

function readHttpHeaders(record: ByteReader): HttpHeader[] {
  const headers: HttpHeader[] = [];
  const count = record.u32();
  for (let i = 0; i < count; i++) headers[i] = [readText(record), readText(record)];
  return headers;
}

function unknownKind(what: string, kind: number): StagewireError {
  return new StagewireError('E_WALL', 'host', `unknown ${what} kind ${kind}`);
}
