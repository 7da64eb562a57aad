import type { Peer } from '../host-side.ts';
import type { InvokeOptions, ResultObject } from '../invocations.ts';
import {
  argumentsOf,
  define,
  findIn,
  functionIn,
  invocations,
  linkNumbers,
  linkPeers,
  makeOpaque,
  NativeTypeError,
  reportError,
  runHandler,
  SafeMap,
  SafeWeakMap,
  send,
  shown,
  sliceOf,
} from '../shared.ts';
import { LINK, LinkChange } from '../wall/links.ts';

/** What the host knows a connection by; another each time that it connects. */
interface Side extends Peer {
  uri: string;
  objectEncoding: 0 | 3;
}

const sides = new SafeWeakMap<object, Side>();
/** Those that are connected, or about to be. */
const open = new SafeMap<number, NetConnection>();
let nextNumber = LINK;

/** A connection of the script to another instance, on this server or another (Server-Side ActionScript Language Reference, class NetConnection). */
export class NetConnection {
  constructor() {
    makeOpaque(this);
    linkPeers.set(this, () => calledSide('call', this));
    linkNumbers.set(this, () => {
      const { standing, number } = sideOf('call', this);
      return standing === 'gone' ? 0 : number;
    });
    sides.set(this, { number: 0, standing: 'gone', outstanding: 0, uri: '', objectEncoding: 3 });
  }

  get isConnected(): boolean {
    return sideOf('isConnected', this).standing === 'accepted';
  }

  get uri(): string {
    return sideOf('uri', this).uri;
  }

  get objectEncoding(): 0 | 3 {
    return sideOf('objectEncoding', this).objectEncoding;
  }

  set objectEncoding(value: unknown) {
    if (value !== 0 && value !== 3)
      throw new NativeTypeError(`NetConnection.objectEncoding: expected 0 or 3, got ${shown(value)}`);
    const side = sideOf('objectEncoding', this);
    if (side.standing !== 'gone')
      throw new NativeTypeError('NetConnection.objectEncoding: it is set before connect');
    side.objectEncoding = value;
  }

  /** False for what is no RTMP; what becomes of it is told to `onStatus`. */
  connect(uri: unknown, ...args: unknown[]): boolean {
    const before = sideOf('connect', this);
    if (typeof uri !== 'string')
      throw new NativeTypeError(`NetConnection.connect: expected an address, got ${shown(uri)}`);
    const encoded = argumentsOf('NetConnection.connect', args);
    drop(before);
    if (findIn(uri, 'rtmp:', 0) !== 0 && findIn(uri, 'rtmps:', 0) !== 0) {
      const description = 'Only rtmp and rtmps are spoken.';
      tell(this, { level: 'error', code: 'NetConnection.Call.BadVersion', description });
      return false;
    }
    const { objectEncoding } = before;
    const number = nextNumber++;
    // What follows `?` is for the other side, and may be secret.
    const query = findIn(uri, '?', 0);
    const shownUri = query < 0 ? uri : sliceOf(uri, 0, query);
    sides.set(this, { number, standing: 'pending', outstanding: 0, uri: shownUri, objectEncoding });
    open.set(number, this);
    send({ kind: 'link-open', link: number, uri, objectEncoding, args: encoded }, 'NetConnection.connect');
    return true;
  }

  /** True when it was sent. */
  call(method: unknown, responder?: ResultObject | null, ...args: unknown[]): boolean {
    return invocations().call('NetConnection.call', calledSide('call', this), method, responder, args);
  }

  /** As `call`, with a promise for the answer. */
  invoke(asked: string | InvokeOptions, ...args: unknown[]): Promise<unknown> {
    return invocations().invoke('NetConnection.invoke', () => calledSide('invoke', this), asked, args);
  }

  /** The other side's `onDisconnect` is called. */
  close(): void {
    drop(sideOf('close', this));
  }
}

define(NetConnection.prototype, 'onStatus', undefined);

function sideOf(member: string, connection: unknown): Side {
  const side = typeof connection === 'object' && connection !== null ? sides.get(connection) : undefined;
  if (!side)
    throw new NativeTypeError(`NetConnection.${member}: expected a NetConnection, got ${shown(connection)}`);
  return side;
}

/** As of one that is gone until it is accepted. */
function calledSide(member: string, connection: unknown): Peer {
  const side = sideOf(member, connection);
  return side.standing === 'accepted' ? side : { number: 0, standing: 'gone', outstanding: 0 };
}

function drop(side: Side): void {
  if (side.standing === 'gone') return;
  side.standing = 'gone';
  open.delete(side.number);
  send({ kind: 'link-close', link: side.number });
}

function tell(connection: NetConnection, info: unknown): void {
  const where = 'NetConnection.onStatus';
  try {
    const handler = functionIn(where, (connection as { onStatus?: unknown }).onStatus);
    if (handler) runHandler(where, handler, connection, [info]);
  } catch (error) {
    reportError(error, where);
  }
}

export function find(number: number): object | undefined {
  return open.get(number);
}

export function receive(number: number, change: number, info: unknown): void {
  const connection = open.get(number);
  const side = connection && sides.get(connection);
  if (!connection || !side) return;
  if (change === LinkChange.Open) side.standing = 'accepted';
  if (change === LinkChange.Over) {
    side.standing = 'gone';
    open.delete(number);
  }
  tell(connection, info);
}
