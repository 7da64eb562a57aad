import { makeOpaque } from './amf.ts';
import { numberOf } from './arguments.ts';
import { ask } from './ask.ts';
import { hide } from './clock.ts';
import { expectClient, hostSide, hostSides } from './host-side.ts';
import { type InvokeOptions, invocations, type ResultObject } from './invocations.ts';
import { Listeners } from './listeners.ts';
import { NativeRangeError, NativeTypeError, shown } from './primordials.ts';
import { ACCESS_NAMES, type ClientInfo, LEAST_BANDWIDTH, MAX_ACCESS, MAX_TC_URL } from './wall/fields.ts';

/** One object per connection, the same in every event. Scripts add properties and methods of their own. */
export class Client {
  readonly id: string;
  readonly ip: string;
  readonly agent: string;
  readonly referrer: string;
  readonly pageUrl: string;
  readonly uri: string;
  readonly protocol: string;
  readonly secure: boolean;
  /** False, or why the script is being given this client again: `reload`, `crash` ... */
  reconnected: false | string = false;

  constructor(number: number, info: ClientInfo) {
    makeOpaque(this);
    hostSides.set(this, {
      number,
      standing: 'pending',
      outstanding: 0,
      carrier: undefined,
      canReconnect: info.canReconnect,
      info,
      access: info.access,
      bandwidth: info.bandwidth,
      listeners: undefined,
      refuse: undefined,
    });
    this.id = info.id;
    this.ip = info.ip;
    this.agent = info.agent;
    this.referrer = info.referrer;
    this.pageUrl = info.pageUrl;
    this.uri = info.uri;
    this.protocol = info.protocol;
    this.secure = info.secure;
  }

  call(method: string, responder?: ResultObject | null, ...args: unknown[]): boolean {
    const side = expectClient('client.call', this);
    return invocations().call('client.call', side, method, responder, args);
  }

  invoke(method: string | InvokeOptions, ...args: unknown[]): Promise<unknown> {
    return invocations().invoke('client.invoke', () => expectClient('client.invoke', this), method, args);
  }

  /** `disconnect`: called after `application.onDisconnect`. Returns what takes the listener away. */
  on(event: unknown, listener: unknown): () => void {
    const side = expectClient('client.on', this);
    side.listeners ??= new Listeners('client.on', CLIENT_EVENTS);
    return side.listeners.add(event, listener);
  }

  /** Sends a ping; whether the client answered the one before it. */
  ping(): boolean {
    return ask('client.ping', expectClient('client.ping', this).number) === true;
  }

  /** Measures what the client can be sent, and tells the client: `onBWCheck`, then `onBWDone`. */
  checkBandwidth(): void {
    const { number } = expectClient('client.checkBandwidth', this);
    invocations().send({ kind: 'check-bandwidth', client: number });
  }

  /** Asks it to connect again, to `tcUrl` or where it is; whether it is one that does (Enhanced RTMP v2). */
  requestReconnect(tcUrl?: unknown): boolean {
    const member = 'client.requestReconnect';
    const side = expectClient(member, this);
    const url = tcUrl === undefined || tcUrl === null ? '' : tcUrl;
    if (typeof url !== 'string')
      throw new NativeTypeError(`${member}: expected an address as text, got ${shown(tcUrl)}`);
    if (url.length > MAX_TC_URL)
      throw new NativeRangeError(`${member}: at most ${MAX_TC_URL} characters, and these are ${url.length}`);
    if (side.standing !== 'accepted' || !side.canReconnect) return false;
    invocations().send({ kind: 'reconnect', client: side.number, tcUrl: url });
    return true;
  }

  getStats(): object {
    return ask('client.stats', expectClient('client.getStats', this).number) as object;
  }

  /** 0 is from the client to the server, 1 from the server to the client; bytes per second, 0 for no limit. */
  getBandwidthLimit(direction: unknown): number {
    const { bandwidth } = expectClient('client.getBandwidthLimit', this);
    const asked = numberOf('client.getBandwidthLimit', direction);
    if (asked !== 0 && asked !== 1)
      throw new NativeTypeError(
        `client.getBandwidthLimit: expected 0 (client to server) or 1 (server to client), got ${shown(direction)}`,
      );
    return asked === 0 ? bandwidth.toServer : bandwidth.toClient;
  }

  /** 0 leaves a direction as it is. */
  setBandwidthLimit(toClient: unknown, toServer: unknown): void {
    const side = expectClient('client.setBandwidthLimit', this);
    const { bandwidth } = side;
    side.bandwidth = {
      toClient: limitOf(toClient, bandwidth.toClient),
      toServer: limitOf(toServer, bandwidth.toServer),
    };
    if (side.standing !== 'gone')
      invocations().send({ kind: 'bandwidth', client: side.number, ...side.bandwidth });
  }
}

const CLIENT_EVENTS = ['disconnect'];

const bandwidth = { cap: 0 };
/** In `onPublish` and `onUnpublish` what a client may do is settled (the manual's onPublish). */
let isAccessFrozen = false;

export function capBandwidth(bytesPerSecond: number): void {
  bandwidth.cap = bytesPerSecond;
}

export function withAccessFrozen(run: () => void): void {
  isAccessFrozen = true;
  try {
    run();
  } finally {
    isAccessFrozen = false;
  }
}

function limitOf(value: unknown, present: number): number {
  const asked = value === undefined ? 0 : numberOf('client.setBandwidthLimit', value);
  if (!(asked >= 0 && asked < Infinity))
    throw new NativeTypeError(
      `client.setBandwidthLimit: expected bytes per second, or 0 to leave it as it is, got ${shown(value)}`,
    );
  if (asked === 0) return present;
  if (asked < LEAST_BANDWIDTH) return LEAST_BANDWIDTH;
  return bandwidth.cap > 0 && asked > bandwidth.cap ? bandwidth.cap : asked;
}

for (let i = 0; i < ACCESS_NAMES.length; i++) {
  const name = ACCESS_NAMES[i]!;
  Object.defineProperty(Client.prototype, name, {
    get(this: unknown) {
      return hostSide(this)?.access[name];
    },
    set(this: unknown, value: unknown) {
      const side = expectClient(`client.${name}`, this);
      const paths = value === undefined || value === null ? '' : value;
      if (typeof paths !== 'string')
        throw new NativeTypeError(`client.${name}: expected paths as text, got ${shown(value)}`);
      if (paths.length > MAX_ACCESS)
        throw new NativeRangeError(
          `client.${name}: at most ${MAX_ACCESS} characters of paths, and these are ${paths.length}`,
        );
      if (isAccessFrozen || side.standing === 'gone') return;
      side.access = { ...side.access, [name]: paths };
      invocations().send({ kind: 'access', client: side.number, name, paths });
    },
    enumerable: true,
    configurable: true,
  });
}

export function installClient(global: typeof globalThis): void {
  function PublicClient(): never {
    throw new NativeTypeError('Client: clients are made by the server when somebody connects');
  }
  Object.defineProperty(PublicClient, 'name', { value: 'Client' });
  Object.defineProperty(PublicClient, 'prototype', { value: Client.prototype, writable: false });
  hide(Client.prototype, 'constructor', PublicClient);
  hide(global, 'Client', PublicClient);
}
