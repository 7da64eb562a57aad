import type { Peer } from '../host-side.ts';
import type { InvokeOptions, ResultObject } from '../invocations.ts';
import {
  argumentsOf,
  Bytes,
  define,
  findIn,
  functionIn,
  invocations,
  later,
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
  turnMonotonic,
} from '../shared.ts';
import { LINK, LinkChange } from '../wall/links.ts';
import { Gateway, GatewayHeaders, isGateway } from './gateway.ts';
import { addressOf, GOOD_MS, retryMs, textIn } from './reconnect.ts';

/** What the host knows a connection by; another each time that it connects. */
interface Side extends Peer {
  /** Of a gateway: there is no connection then, and there are calls at any time. */
  carrier: Gateway | undefined;
  readonly settings: Settings;
  uri: string;
  /** What `connect` was given, and where it is connected: elsewhere when the other side has asked for that. */
  readonly asked: string;
  readonly args: Uint8Array;
  address: string;
  /** It has been connected, and was not refused since: it may be again. */
  isWelcome: boolean;
  acceptedAt: number;
  /** Since it was connected for long. */
  attempts: number;
  /** Ends the waiting for the next attempt. */
  cancel: (() => void) | undefined;
}

/** What stays whatever a connection is connected to. */
interface Settings {
  objectEncoding: 0 | 3;
  reconnect: boolean;
  readonly headers: GatewayHeaders;
}

/** Whom a connection stands for that is none. */
const NOBODY = { number: 0, standing: 'gone', outstanding: 0, carrier: undefined } as const;
const NOWHERE = {
  ...NOBODY,
  uri: '',
  asked: '',
  args: new Bytes(0),
  address: '',
  isWelcome: false,
  acceptedAt: 0,
  attempts: 0,
  cancel: undefined,
} as const;

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
    const settings: Settings = { objectEncoding: 3, reconnect: false, headers: new GatewayHeaders() };
    sides.set(this, { ...NOWHERE, settings });
  }

  get isConnected(): boolean {
    return sideOf('isConnected', this).standing === 'accepted';
  }

  get uri(): string {
    return sideOf('uri', this).uri;
  }

  get objectEncoding(): 0 | 3 {
    return sideOf('objectEncoding', this).settings.objectEncoding;
  }

  set objectEncoding(value: unknown) {
    if (value !== 0 && value !== 3)
      throw new NativeTypeError(`NetConnection.objectEncoding: expected 0 or 3, got ${shown(value)}`);
    const side = sideOf('objectEncoding', this);
    if (side.standing !== 'gone')
      throw new NativeTypeError('NetConnection.objectEncoding: it is set before connect');
    side.settings.objectEncoding = value;
  }

  get reconnect(): boolean {
    return sideOf('reconnect', this).settings.reconnect;
  }

  /** Whether a connection that breaks is made again. */
  set reconnect(value: unknown) {
    if (typeof value !== 'boolean')
      throw new NativeTypeError(`NetConnection.reconnect: expected true or false, got ${shown(value)}`);
    const side = sideOf('reconnect', this);
    side.settings.reconnect = value;
    if (!value) giveUp(side);
  }

  /** For gateways (AMF over HTTP): goes with all calls from now on, in the place of one of that name; `undefined` removes it. */
  addHeader(name: unknown, mustUnderstand?: unknown, value?: unknown): void {
    sideOf('addHeader', this).settings.headers.set('NetConnection.addHeader', name, !!mustUnderstand, value);
  }

  /** False for what is neither RTMP nor a gateway; what becomes of it is told to `onStatus`. */
  connect(uri: unknown, ...args: unknown[]): boolean {
    const before = sideOf('connect', this);
    if (typeof uri !== 'string')
      throw new NativeTypeError(`NetConnection.connect: expected an address, got ${shown(uri)}`);
    const encoded = argumentsOf('NetConnection.connect', args);
    drop(before);
    const { settings } = before;
    if (isGateway(uri)) {
      const shownUri = withoutSecrets(uri);
      const carrier = new Gateway(uri, shownUri, settings.headers, (info) => tell(this, info));
      sides.set(this, { ...NOWHERE, standing: 'accepted', carrier, settings, uri: shownUri });
      return true;
    }
    if (findIn(uri, 'rtmp:', 0) !== 0 && findIn(uri, 'rtmps:', 0) !== 0) {
      const description = 'Only rtmp, rtmps, http and https are spoken.';
      tell(this, { level: 'error', code: 'NetConnection.Call.BadVersion', description });
      return false;
    }
    const side: Side = { ...NOWHERE, settings, asked: uri, address: uri, args: encoded };
    sides.set(this, side);
    start(this, side);
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

/** Under another number than before. */
function start(connection: NetConnection, side: Side): void {
  const { settings, args, address } = side;
  const { objectEncoding, reconnect } = settings;
  const link = nextNumber++;
  send(
    { kind: 'link-open', link, uri: address, objectEncoding, canReconnect: reconnect, args },
    'NetConnection.connect',
  );
  side.number = link;
  side.standing = 'pending';
  side.uri = withoutSecrets(address);
  open.set(link, connection);
}

/** It is over, and not because of the script: it is made again when that is wanted. */
function retry(connection: NetConnection, side: Side): void {
  const { settings, isWelcome } = side;
  if (!settings.reconnect || !isWelcome) return;
  side.cancel = later(retryMs(side.attempts++), () => {
    side.cancel = undefined;
    try {
      start(connection, side);
    } catch (error) {
      reportError(error, 'NetConnection.reconnect'); // more than one turn may send
      retry(connection, side);
    }
  });
}

function giveUp(side: Side): void {
  side.cancel?.();
  side.cancel = undefined;
}

/** What follows `?`, and a user and password, which are refused, are not for those who read it. */
function withoutSecrets(uri: string): string {
  const query = findIn(uri, '?', 0);
  const shown = query < 0 ? uri : sliceOf(uri, 0, query);
  const slashes = findIn(shown, '//', 0);
  if (slashes < 0) return shown;
  const from = slashes + 2;
  const path = findIn(shown, '/', from);
  const authority = sliceOf(shown, from, path < 0 ? shown.length : path);
  let host = 0;
  for (let at = findIn(authority, '@', 0); at >= 0; at = findIn(authority, '@', host)) host = at + 1;
  return sliceOf(shown, 0, from) + sliceOf(shown, from + host);
}

function drop(side: Side): void {
  giveUp(side);
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
  const code = textIn(info, 'code');
  if (change === LinkChange.Open) {
    side.standing = 'accepted';
    side.isWelcome = true;
    side.acceptedAt = turnMonotonic();
    // Some servers say no more than that.
    if (code === '')
      return tell(connection, { level: 'status', code: 'NetConnection.Connect.Success', description: '' });
  } else if (change === LinkChange.Over) {
    if (side.standing === 'pending') side.address = side.asked;
    else if (turnMonotonic() - side.acceptedAt >= GOOD_MS) side.attempts = 0;
    side.standing = 'gone';
    open.delete(number);
    retry(connection, side);
  } else if (code === 'NetConnection.Connect.Rejected') side.isWelcome = false;
  tell(connection, info);
  // Its handler may have closed it.
  if (code === 'NetConnection.Connect.ReconnectRequest' && open.get(number) === connection)
    move(connection, side, info);
}

/** The other side asks us to connect again (Enhanced RTMP v2). */
function move(connection: NetConnection, side: Side, info: unknown): void {
  if (!side.settings.reconnect || side.standing !== 'accepted') return;
  side.address = addressOf(info, side.address);
  if (turnMonotonic() - side.acceptedAt >= GOOD_MS) side.attempts = 0;
  drop(side);
  retry(connection, side);
  const description = 'The other side asked for another connection.';
  tell(connection, { level: 'status', code: 'NetConnection.Connect.Closed', description });
}
