import type { Peer } from '../host-side.ts';
import type { InvokeOptions, ResultObject } from '../invocations.ts';
import {
  argumentsOf,
  define,
  findIn,
  functionIn,
  invocations,
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
import { Gateway, GatewayHeaders, isGateway } from './gateway.ts';

/** What the host knows a connection by; another each time that it connects. */
interface Side extends Peer {
  /** Of a gateway: there is no connection then, and there are calls at any time. */
  carrier: Gateway | undefined;
  readonly headers: GatewayHeaders;
  uri: string;
  objectEncoding: 0 | 3;
}

/** Whom a connection stands for that is none. */
const NOBODY = { number: 0, standing: 'gone', outstanding: 0, carrier: undefined } as const;

const sides = new SafeWeakMap<object, Side>();
/** Those that are connected, or about to be. */
const open = new SafeMap<number, NetConnection>();
let nextNumber = LINK;

/** A connection of the script to another instance, on this server or another (Server-Side ActionScript Language Reference, class NetConnection). */
export class NetConnection {
  constructor() {
    makeOpaque(this);
    linkPeers.set(this, () => calledSide('call', this));
    const headers = new GatewayHeaders();
    sides.set(this, { ...NOBODY, headers, uri: '', objectEncoding: 3 });
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

  /** For gateways (AMF over HTTP): goes with all calls from now on, in the place of one of that name; `undefined` removes it. */
  addHeader(name: unknown, mustUnderstand?: unknown, value?: unknown): void {
    sideOf('addHeader', this).headers.set('NetConnection.addHeader', name, !!mustUnderstand, value);
  }

  /** False for what is neither RTMP nor a gateway; what becomes of it is told to `onStatus`. */
  connect(uri: unknown, ...args: unknown[]): boolean {
    const before = sideOf('connect', this);
    if (typeof uri !== 'string')
      throw new NativeTypeError(`NetConnection.connect: expected an address, got ${shown(uri)}`);
    const encoded = argumentsOf('NetConnection.connect', args);
    drop(before);
    const { objectEncoding, headers } = before;
    // What follows `?` is for the other side, and may be secret.
    const query = findIn(uri, '?', 0);
    const shownUri = query < 0 ? uri : sliceOf(uri, 0, query);
    if (isGateway(uri)) {
      const carrier = new Gateway(uri, shownUri, headers, (info) => tell(this, info));
      sides.set(this, { ...NOBODY, standing: 'accepted', carrier, headers, uri: shownUri, objectEncoding });
      return true;
    }
    if (findIn(uri, 'rtmp:', 0) !== 0 && findIn(uri, 'rtmps:', 0) !== 0) {
      const description = 'Only rtmp, rtmps, http and https are spoken.';
      tell(this, { level: 'error', code: 'NetConnection.Call.BadVersion', description });
      return false;
    }
    const number = nextNumber++;
    sides.set(this, { ...NOBODY, number, standing: 'pending', headers, uri: shownUri, objectEncoding });
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
  return side.standing === 'accepted' ? side : { ...NOBODY };
}

function drop(side: Side): void {
  if (side.standing === 'gone') return;
  side.standing = 'gone';
  if (side.carrier) return side.carrier.close();
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
