import type { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import {
  ACCESS_NAMES,
  type AccessName,
  blob,
  type ClientBandwidth,
  close,
  type HttpHeader,
  httpHeaders,
  open,
  openRecord,
  readBlob,
  readHttpHeaders,
  readText,
  text,
  unknownKind,
} from './fields.ts';
import {
  readSharedChanges,
  readSharedDecisions,
  type SharedChange,
  type SharedDecision,
  sharedChanges,
  sharedDecisions,
} from './sharing.ts';

/** What becomes of a redirect: the host follows it, it is a failure, or the script gets the redirect itself. */
export type RedirectMode = 'follow' | 'error' | 'manual';
export const REDIRECT_MODES: readonly RedirectMode[] = ['follow', 'error', 'manual'];

/** Isolate to host. `value`, `info` and `args` are AMF0 values, one after the other. */
export type Command =
  /** `functions`: the names under which the script has put some on `application`, handlers among them. */
  | { kind: 'started'; error: string; functions: string[] }
  | { kind: 'stopped'; isVetoed: boolean }
  /**
   * The state was handed over, unless `error` says why not. `waiting`: answers that it still waits for. `lost`: places
   * of what is no data and no start of the same code makes again; `timers`: those set since it has started. Both are 0 when
   * the author sees to them (`onSave`).
   */
  | { kind: 'saved'; error: string; objects: number; waiting: number; lost: number; timers: number }
  /** An instalment of the state was handed over, unless there can be none. `isLast`: it has all of it, as it is now. */
  | { kind: 'drafted'; isOk: boolean; isLast: boolean }
  /** `greets`: it wants to be asked about each client (`reattach`). `lost`: places that are without what they held. */
  | { kind: 'restored'; error: string; greets: boolean; lost: string[]; lostCount: number }
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
  | { kind: 'access'; client: number; name: AccessName; paths: string }
  | ({ kind: 'bandwidth'; client: number } & ClientBandwidth)
  | { kind: 'check-bandwidth'; client: number }
  /** `tcUrl` empty: to where it is connected now. */
  | { kind: 'reconnect'; client: number; tcUrl: string }
  /** What the script does to a shared object that it has opened, in one version. */
  | { kind: 'share'; object: number; changes: SharedChange[] }
  /** Whether changes of clients wait. */
  | { kind: 'share-lock'; object: number; isLocked: boolean }
  | { kind: 'share-close'; object: number }
  /** Over that connection of the script's lies the instance that the object belongs to. */
  | { kind: 'share-attach'; object: number; link: number }
  /** From now on the script decides about what clients do (`shared-guard`). */
  | { kind: 'share-guard'; object: number }
  /** `isLater`: it cannot now, and wants to be asked again. `isHeard`: it wants to be told what came of it. */
  | {
      kind: 'share-verdict';
      object: number;
      request: number;
      isLater: boolean;
      isHeard: boolean;
      decisions: SharedDecision[];
    }
  /** What was removed before that version need not be remembered. */
  | { kind: 'share-purge'; object: number; version: number }
  | { kind: 'share-auto-commit'; object: number; isAutomatic: boolean }
  /** -1: as many versions as there is room for. */
  | { kind: 'share-resync-depth'; object: number; depth: number }
  /** Answered by `shared-saved`. */
  | { kind: 'share-save'; object: number; request: number }
  /** `stream`: a name with the container's prefix. `values`: a data message, the name of the handler first. */
  | { kind: 'stream-send'; stream: string; values: Uint8Array }
  | {
      kind: 'stream-set';
      stream: string;
      isSynchronous: boolean;
      bufferMs: number;
      receivesAudio: boolean;
      receivesVideo: boolean;
    }
  /**
   * The script connects to another instance. `canReconnect`: it connects again when it is asked to. `args`: what follows the
   * command object of `connect`. Answered by `link-status`.
   */
  | {
      kind: 'link-open';
      link: number;
      uri: string;
      objectEncoding: number;
      canReconnect: boolean;
      args: Uint8Array;
    }
  | { kind: 'link-close'; link: number }
  /** The script publishes a stream of the instance, or none yet, over a connection of its own. Answered by `push-status`. */
  | {
      kind: 'push-start';
      push: number;
      link: number;
      stream: string;
      bufferMs: number;
      name: string;
      mode: string;
    }
  | { kind: 'push-set'; push: number; stream: string; bufferMs: number }
  | { kind: 'push-send'; push: number; values: Uint8Array }
  | { kind: 'push-stop'; push: number }
  /** The script wants the instance to end. */
  | { kind: 'shutdown' }
  | { kind: 'verdict'; request: number; isAllowed: boolean; description: string }
  /** The script does not want that answer any more. */
  | { kind: 'unfetch'; request: number }
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
  access: 18,
  bandwidth: 19,
  shutdown: 20,
  'check-bandwidth': 21,
  unfetch: 22,
  reconnect: 23,
  share: 24,
  'share-lock': 25,
  'share-close': 26,
  'share-purge': 27,
  'share-guard': 28,
  'share-verdict': 29,
  'share-auto-commit': 30,
  'share-resync-depth': 31,
  'share-save': 32,
  'stream-send': 33,
  'stream-set': 34,
  saved: 35,
  restored: 36,
  drafted: 37,
  'link-open': 38,
  'link-close': 39,
  'push-start': 50,
  'push-set': 51,
  'push-send': 52,
  'push-stop': 53,
  'share-attach': 45,
} as const;

/** Appends one command with its length to `out`. */
export function encodeCommand(out: ByteWriter, cmd: Command): void {
  const start = open(out, CommandKind[cmd.kind]);
  switch (cmd.kind) {
    case 'started':
      text(out, cmd.error);
      out.u32(cmd.functions.length);
      for (let i = 0; i < cmd.functions.length; i++) text(out, cmd.functions[i]!);
      break;
    case 'stopped':
      out.u8(cmd.isVetoed ? 1 : 0);
      break;
    case 'saved':
      text(out, cmd.error);
      out.u32(cmd.objects);
      out.u32(cmd.waiting);
      out.u32(cmd.lost);
      out.u32(cmd.timers);
      break;
    case 'drafted':
      out.u8(cmd.isOk ? 1 : 0);
      out.u8(cmd.isLast ? 1 : 0);
      break;
    case 'restored':
      text(out, cmd.error);
      out.u8(cmd.greets ? 1 : 0);
      out.u32(cmd.lostCount);
      out.u32(cmd.lost.length);
      for (let i = 0; i < cmd.lost.length; i++) text(out, cmd.lost[i]!);
      break;
    case 'accept':
    case 'disconnect':
    case 'check-bandwidth':
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
    case 'link-open':
      out.u32(cmd.link);
      text(out, cmd.uri);
      out.u8(cmd.objectEncoding);
      out.u8(cmd.canReconnect ? 1 : 0);
      blob(out, cmd.args);
      break;
    case 'link-close':
      out.u32(cmd.link);
      break;
    case 'push-start':
      out.u32(cmd.push);
      out.u32(cmd.link);
      text(out, cmd.stream);
      out.f64(cmd.bufferMs);
      text(out, cmd.name);
      text(out, cmd.mode);
      break;
    case 'push-set':
      out.u32(cmd.push);
      text(out, cmd.stream);
      out.f64(cmd.bufferMs);
      break;
    case 'push-send':
      out.u32(cmd.push);
      blob(out, cmd.values);
      break;
    case 'push-stop':
      out.u32(cmd.push);
      break;
    case 'broadcast':
      text(out, cmd.method);
      blob(out, cmd.args);
      break;
    case 'access':
      out.u32(cmd.client);
      out.u8(indexOfAccess(cmd.name));
      text(out, cmd.paths);
      break;
    case 'reconnect':
      out.u32(cmd.client);
      text(out, cmd.tcUrl);
      break;
    case 'bandwidth':
      out.u32(cmd.client);
      out.f64(cmd.toClient);
      out.f64(cmd.toServer);
      break;
    case 'share':
      out.u32(cmd.object);
      sharedChanges(out, cmd.changes);
      break;
    case 'share-lock':
      out.u32(cmd.object);
      out.u8(cmd.isLocked ? 1 : 0);
      break;
    case 'share-close':
    case 'share-guard':
      out.u32(cmd.object);
      break;
    case 'share-attach':
      out.u32(cmd.object);
      out.u32(cmd.link);
      break;
    case 'share-auto-commit':
      out.u32(cmd.object);
      out.u8(cmd.isAutomatic ? 1 : 0);
      break;
    case 'share-resync-depth':
      out.u32(cmd.object);
      out.f64(cmd.depth);
      break;
    case 'share-save':
      out.u32(cmd.object);
      out.u32(cmd.request);
      break;
    case 'share-verdict':
      out.u32(cmd.object);
      out.u32(cmd.request);
      out.u8(cmd.isLater ? 1 : 0);
      out.u8(cmd.isHeard ? 1 : 0);
      sharedDecisions(out, cmd.decisions);
      break;
    case 'share-purge':
      out.u32(cmd.object);
      out.u32(cmd.version);
      break;
    case 'stream-send':
      text(out, cmd.stream);
      blob(out, cmd.values);
      break;
    case 'stream-set':
      text(out, cmd.stream);
      out.u8(cmd.isSynchronous ? 1 : 0);
      out.f64(cmd.bufferMs);
      out.u8(cmd.receivesAudio ? 1 : 0);
      out.u8(cmd.receivesVideo ? 1 : 0);
      break;
    case 'shutdown':
      break;
    case 'unfetch':
      out.u32(cmd.request);
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
    case CommandKind.started: {
      const error = readText(record);
      const functions: string[] = [];
      const count = record.u32();
      for (let i = 0; i < count; i++) functions[i] = readText(record);
      return { kind: 'started', error, functions };
    }
    case CommandKind['link-open']:
      return {
        kind: 'link-open',
        link: record.u32(),
        uri: readText(record),
        objectEncoding: record.u8(),
        canReconnect: record.u8() === 1,
        args: readBlob(record),
      };
    case CommandKind['push-start']:
      return {
        kind: 'push-start',
        push: record.u32(),
        link: record.u32(),
        stream: readText(record),
        bufferMs: record.f64(),
        name: readText(record),
        mode: readText(record),
      };
    case CommandKind['push-set']:
      return { kind: 'push-set', push: record.u32(), stream: readText(record), bufferMs: record.f64() };
    case CommandKind['push-send']:
      return { kind: 'push-send', push: record.u32(), values: readBlob(record) };
    case CommandKind['push-stop']:
      return { kind: 'push-stop', push: record.u32() };
    case CommandKind['link-close']:
      return { kind: 'link-close', link: record.u32() };
    case CommandKind.stopped:
      return { kind: 'stopped', isVetoed: record.u8() === 1 };
    case CommandKind.saved:
      return {
        kind: 'saved',
        error: readText(record),
        objects: record.u32(),
        waiting: record.u32(),
        lost: record.u32(),
        timers: record.u32(),
      };
    case CommandKind.drafted:
      return { kind: 'drafted', isOk: record.u8() === 1, isLast: record.u8() === 1 };
    case CommandKind.restored: {
      const error = readText(record);
      const greets = record.u8() === 1;
      const lostCount = record.u32();
      const lost: string[] = [];
      const count = record.u32();
      for (let i = 0; i < count; i++) lost[i] = readText(record);
      return { kind: 'restored', error, greets, lost, lostCount };
    }
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
    case CommandKind.access:
      return {
        kind: 'access',
        client: record.u32(),
        name: ACCESS_NAMES[record.u8()] ?? 'readAccess',
        paths: readText(record),
      };
    case CommandKind.bandwidth:
      return { kind: 'bandwidth', client: record.u32(), toClient: record.f64(), toServer: record.f64() };
    case CommandKind.reconnect:
      return { kind: 'reconnect', client: record.u32(), tcUrl: readText(record) };
    case CommandKind['check-bandwidth']:
      return { kind: 'check-bandwidth', client: record.u32() };
    case CommandKind.share:
      return { kind: 'share', object: record.u32(), changes: readSharedChanges(record) };
    case CommandKind['share-lock']:
      return { kind: 'share-lock', object: record.u32(), isLocked: record.u8() === 1 };
    case CommandKind['share-close']:
      return { kind: 'share-close', object: record.u32() };
    case CommandKind['share-attach']:
      return { kind: 'share-attach', object: record.u32(), link: record.u32() };
    case CommandKind['share-auto-commit']:
      return { kind: 'share-auto-commit', object: record.u32(), isAutomatic: record.u8() === 1 };
    case CommandKind['share-resync-depth']:
      return { kind: 'share-resync-depth', object: record.u32(), depth: record.f64() };
    case CommandKind['share-save']:
      return { kind: 'share-save', object: record.u32(), request: record.u32() };
    case CommandKind['share-guard']:
      return { kind: 'share-guard', object: record.u32() };
    case CommandKind['share-verdict']:
      return {
        kind: 'share-verdict',
        object: record.u32(),
        request: record.u32(),
        isLater: record.u8() === 1,
        isHeard: record.u8() === 1,
        decisions: readSharedDecisions(record),
      };
    case CommandKind['share-purge']:
      return { kind: 'share-purge', object: record.u32(), version: record.u32() };
    case CommandKind['stream-send']:
      return { kind: 'stream-send', stream: readText(record), values: readBlob(record) };
    case CommandKind['stream-set']:
      return {
        kind: 'stream-set',
        stream: readText(record),
        isSynchronous: record.u8() === 1,
        bufferMs: record.f64(),
        receivesAudio: record.u8() === 1,
        receivesVideo: record.u8() === 1,
      };
    case CommandKind.shutdown:
      return { kind: 'shutdown' };
    case CommandKind.unfetch:
      return { kind: 'unfetch', request: record.u32() };
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

function indexOfAccess(name: AccessName): number {
  let at = 0;
  while (ACCESS_NAMES[at] !== name) at++;
  return at;
}
