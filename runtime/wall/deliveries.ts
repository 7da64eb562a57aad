/**
 * The wall: everything that crosses between the host and an isolate, and nothing else does.
 *
 * A turn carries a batch of deliveries into the isolate and brings a batch of commands back. Both are bytes:
 * `u32 length, u8 kind, fields`, where text and byte fields carry a u32 length. Values that came from a client
 * or go to one stay AMF, undecoded by the host.
 */
import type { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import {
  blob,
  type ClientInfo,
  type CommandBody,
  clientInfo,
  close,
  command,
  type HttpHeader,
  httpHeaders,
  open,
  openRecord,
  readBlob,
  readClientInfo,
  readCommand,
  readHttpHeaders,
  readStreamRequest,
  readText,
  type StreamRequest,
  streamRequest,
  text,
  unknownKind,
} from './fields.ts';
import {
  readSharedChanges,
  readSharedSyncs,
  type SharedChange,
  type SharedSync,
  sharedChanges,
  sharedSyncs,
} from './sharing.ts';

/** Host to isolate. `client`, `call` and `request` are numbers that mean nothing outside this instance. */
export type Delivery =
  | { kind: 'start' }
  | { kind: 'stop'; code: string }
  /**
   * It is to hand over soon: a further instalment of its state, or the first. `maxBytes`: of all of it; `maxMs`: what making it
   * may take.
   */
  | { kind: 'draft'; maxBytes: number; maxMs: number; isFirst: boolean }
  /** Nobody takes over after all: instalments so far are of no use. */
  | { kind: 'undraft' }
  /** Another script takes over from it now. `isDrafted`: that one has all instalments so far; the last is what they lack. */
  | { kind: 'save'; maxBytes: number; maxMs: number; isDrafted: boolean }
  /** An instalment of the state of another, the build `from`, comes with the entry; after the last it takes over. */
  | { kind: 'restore'; from: string; isLast: boolean }
  | { kind: 'connect'; client: number; info: ClientInfo; command: CommandBody }
  | { kind: 'reattach'; client: number; info: ClientInfo; command: CommandBody; reason: string }
  | { kind: 'disconnect'; client: number }
  | { kind: 'call'; client: number; call: number; command: CommandBody }
  | { kind: 'reply'; request: number; isOk: boolean; command: CommandBody }
  | { kind: 'unanswered'; request: number; description: string }
  | { kind: 'publish'; client: number; stream: StreamRequest }
  | { kind: 'unpublish'; client: number; stream: StreamRequest }
  | { kind: 'authorize'; request: number; action: 'publish' | 'play'; client: number; stream: StreamRequest }
  /** What has become of a connection of the script (`LinkChange`), and the command whose first argument says so. */
  | { kind: 'link-status'; link: number; change: number; command: CommandBody }
  /** What has become of a stream that the script publishes elsewhere (`PushChange`). */
  | { kind: 'push-status'; push: number; change: number; level: string; code: string; description: string }
  | { kind: 'status'; info: ScriptProblem }
  /** What clients have done to a shared object: the script's copy is to be so, before anything else of its turn. */
  | { kind: 'shared-state'; object: number; version: number; changes: SharedChange[] }
  /** The same for `onSync`, in its place among all else that a client does. `client`: whose doing it was. */
  | { kind: 'shared-sync'; object: number; client: number; list: SharedSync[] }
  | { kind: 'shared-send'; object: number; client: number; values: Uint8Array }
  /** For its `onStatus`. */
  | { kind: 'shared-status'; object: number; level: string; code: string; description: string }
  | { kind: 'shared-saved'; request: number; isOk: boolean }
  /** What a client wants to do in one message: the script decides (`share-verdict`). */
  | { kind: 'shared-guard'; object: number; request: number; client: number; changes: SharedChange[] }
  /** A client has waited for so long: the script's lock is to end. */
  | { kind: 'shared-unlock'; object: number; waitedMs: number }
  /** For the `onStatus` of a stream that the script has open, by name. */
  | {
      kind: 'stream-status';
      stream: string;
      level: string;
      code: string;
      description: string;
      details: string;
    }
  /** A data message that such a stream carries: the name of the handler, then its arguments. */
  | { kind: 'stream-data'; stream: string; values: Uint8Array }
  /** The heap holds so much, and may hold so much. */
  | { kind: 'low-memory'; usedMb: number; limitMb: number }
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

/** What `application.onStatus` is told of a mistake in the script, with the author's own positions. */
export interface ScriptProblem {
  /** Told by the build: nothing has failed yet. */
  isWarning: boolean;
  description: string;
  filename: string;
  lineno: number;
  linebuf: string;
}

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
  'low-memory': 16,
  'shared-state': 17,
  'shared-sync': 18,
  'shared-send': 19,
  'shared-unlock': 20,
  'shared-guard': 21,
  'shared-status': 22,
  'shared-saved': 23,
  'stream-status': 24,
  'stream-data': 25,
  save: 26,
  restore: 27,
  draft: 28,
  undraft: 29,
  'link-status': 30,
  'push-status': 40,
} as const;

/** Appends one delivery with its length to `out`. */
export function encodeDelivery(out: ByteWriter, delivery: Delivery): void {
  const start = open(out, DeliveryKind[delivery.kind]);
  switch (delivery.kind) {
    case 'start':
    case 'wake':
    case 'undraft':
      break;
    case 'stop':
      text(out, delivery.code);
      break;
    case 'draft':
      out.u32(delivery.maxBytes);
      out.u32(delivery.maxMs);
      out.u8(delivery.isFirst ? 1 : 0);
      break;
    case 'save':
      out.u32(delivery.maxBytes);
      out.u32(delivery.maxMs);
      out.u8(delivery.isDrafted ? 1 : 0);
      break;
    case 'restore':
      text(out, delivery.from);
      out.u8(delivery.isLast ? 1 : 0);
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
    case 'low-memory':
      out.u32(delivery.usedMb);
      out.u32(delivery.limitMb);
      break;
    case 'shared-state':
      out.u32(delivery.object);
      out.u32(delivery.version);
      sharedChanges(out, delivery.changes);
      break;
    case 'shared-sync':
      out.u32(delivery.object);
      out.u32(delivery.client);
      sharedSyncs(out, delivery.list);
      break;
    case 'shared-send':
      out.u32(delivery.object);
      out.u32(delivery.client);
      blob(out, delivery.values);
      break;
    case 'shared-status':
      out.u32(delivery.object);
      text(out, delivery.level);
      text(out, delivery.code);
      text(out, delivery.description);
      break;
    case 'stream-status':
      text(out, delivery.stream);
      text(out, delivery.level);
      text(out, delivery.code);
      text(out, delivery.description);
      text(out, delivery.details);
      break;
    case 'stream-data':
      text(out, delivery.stream);
      blob(out, delivery.values);
      break;
    case 'shared-saved':
      out.u32(delivery.request);
      out.u8(delivery.isOk ? 1 : 0);
      break;
    case 'shared-guard':
      out.u32(delivery.object);
      out.u32(delivery.request);
      out.u32(delivery.client);
      sharedChanges(out, delivery.changes);
      break;
    case 'link-status':
      out.u32(delivery.link);
      out.u8(delivery.change);
      command(out, delivery.command);
      break;
    case 'push-status':
      out.u32(delivery.push);
      out.u8(delivery.change);
      text(out, delivery.level);
      text(out, delivery.code);
      text(out, delivery.description);
      break;
    case 'shared-unlock':
      out.u32(delivery.object);
      out.u32(delivery.waitedMs);
      break;
    case 'status':
      out.u8(delivery.info.isWarning ? 1 : 0);
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
    case DeliveryKind.draft:
      return { kind: 'draft', maxBytes: record.u32(), maxMs: record.u32(), isFirst: record.u8() === 1 };
    case DeliveryKind['link-status']:
      return {
        kind: 'link-status',
        link: record.u32(),
        change: record.u8(),
        command: readCommand(record),
      };
    case DeliveryKind['push-status']:
      return {
        kind: 'push-status',
        push: record.u32(),
        change: record.u8(),
        level: readText(record),
        code: readText(record),
        description: readText(record),
      };
    case DeliveryKind.undraft:
      return { kind: 'undraft' };
    case DeliveryKind.save:
      return { kind: 'save', maxBytes: record.u32(), maxMs: record.u32(), isDrafted: record.u8() === 1 };
    case DeliveryKind.restore:
      return { kind: 'restore', from: readText(record), isLast: record.u8() === 1 };
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
    case DeliveryKind['low-memory']:
      return { kind: 'low-memory', usedMb: record.u32(), limitMb: record.u32() };
    case DeliveryKind['shared-state']:
      return {
        kind: 'shared-state',
        object: record.u32(),
        version: record.u32(),
        changes: readSharedChanges(record),
      };
    case DeliveryKind['shared-sync']:
      return {
        kind: 'shared-sync',
        object: record.u32(),
        client: record.u32(),
        list: readSharedSyncs(record),
      };
    case DeliveryKind['shared-send']:
      return { kind: 'shared-send', object: record.u32(), client: record.u32(), values: readBlob(record) };
    case DeliveryKind['shared-status']:
      return {
        kind: 'shared-status',
        object: record.u32(),
        level: readText(record),
        code: readText(record),
        description: readText(record),
      };
    case DeliveryKind['stream-status']:
      return {
        kind: 'stream-status',
        stream: readText(record),
        level: readText(record),
        code: readText(record),
        description: readText(record),
        details: readText(record),
      };
    case DeliveryKind['stream-data']:
      return { kind: 'stream-data', stream: readText(record), values: readBlob(record) };
    case DeliveryKind['shared-saved']:
      return { kind: 'shared-saved', request: record.u32(), isOk: record.u8() === 1 };
    case DeliveryKind['shared-guard']:
      return {
        kind: 'shared-guard',
        object: record.u32(),
        request: record.u32(),
        client: record.u32(),
        changes: readSharedChanges(record),
      };
    case DeliveryKind['shared-unlock']:
      return { kind: 'shared-unlock', object: record.u32(), waitedMs: record.u32() };
    case DeliveryKind.status:
      return {
        kind: 'status',
        info: {
          isWarning: record.u8() === 1,
          description: readText(record),
          filename: readText(record),
          lineno: record.u32(),
          linebuf: readText(record),
        },
      };
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

/** Whether a record, at the reader's position behind its length, is one that comes before the others of its turn. */
export function isShownFirst(reader: ByteReader): boolean {
  return reader.peek() === DeliveryKind['shared-state'];
}
