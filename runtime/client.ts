import { encodeValues, makeOpaque } from './amf.ts';
import { ask } from './ask.ts';
import { hide } from './clock.ts';
import { currentEvent } from './events.ts';
import { runHandler } from './handlers.ts';
import type { Outbox } from './outbox.ts';
import {
  append,
  apply,
  hasOwn,
  NativeTypeError,
  SafeMap,
  SafeWeakMap,
  shown,
  toNumber,
  toText,
} from './primordials.ts';
import { makePromise } from './promise.ts';
import type { Command } from './wall/commands.ts';
import { ACCESS_NAMES, type ClientAccess, type ClientBandwidth, type ClientInfo } from './wall/fields.ts';

/** Where a client stands with the script. */
export type Standing = 'pending' | 'accepted' | 'gone';

interface HostSide {
  number: number;
  standing: Standing;
  /** Calls to it that wait for an answer. */
  outstanding: number;
  access: ClientAccess;
  bandwidth: ClientBandwidth;
  /** While a re-attached client awaits its verdict: what `rejectConnection` means then. */
  refuse: (() => void) | undefined;
}

const hostSides = new SafeWeakMap<object, HostSide>();

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
      access: info.access,
      bandwidth: info.bandwidth,
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
    return invocations().call(this, method, responder, args);
  }

  invoke(method: string, ...args: unknown[]): Promise<unknown> {
    return invocations().invoke(this, method, args);
  }

  /** Sends a ping; whether the client answered the one before it. */
  ping(): boolean {
    return ask('client.ping', expectClient('client.ping', this).number) === true;
  }

  getStats(): object {
    return ask('client.stats', expectClient('client.getStats', this).number) as object;
  }

  /** 0 is from the client to the server, 1 from the server to the client; bytes per second, 0 for no limit. */
  getBandwidthLimit(direction: unknown): number {
    const { bandwidth } = expectClient('client.getBandwidthLimit', this);
    const asked = toNumber(direction);
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
  const asked = value === undefined ? 0 : toNumber(value);
  if (!(asked >= 0 && asked < Infinity))
    throw new NativeTypeError(
      `client.setBandwidthLimit: expected bytes per second, or 0 to leave it as it is, got ${shown(value)}`,
    );
  if (asked === 0) return present;
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
      const paths = value === undefined || value === null ? '' : toText(value);
      if (isAccessFrozen || side.standing === 'gone') return;
      side.access[name] = paths;
      invocations().send({ kind: 'access', client: side.number, name, paths });
    },
    enumerable: true,
    configurable: true,
  });
}

/** What `client.call` takes for the answer (Server-Side ActionScript Language Reference, Client.call). */
export interface ResultObject {
  onResult?(value: unknown): void;
  onStatus?(info: unknown): void;
}

/** The host's side of a client object; undefined for anything that the server did not make. */
export function hostSide(client: unknown): HostSide | undefined {
  return typeof client === 'object' && client !== null ? hostSides.get(client) : undefined;
}

/** As `hostSide`, for API members that need a client: names the member when they got something else. */
export function expectClient(member: string, value: unknown): HostSide {
  const side = hostSide(value);
  if (!side)
    throw new NativeTypeError(`${member}: expected a Client, got ${value === null ? 'null' : typeof value}`);
  return side;
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

interface Pending {
  client: object;
  method: string;
  onValue(value: unknown): void;
  onFailure(info: FailureInfo): void;
}

/** The info object of a failed call (`NetConnection.Call.Failed`). */
export interface FailureInfo {
  level: 'error';
  code: string;
  description: string;
  [extra: string]: unknown;
}

export function callFailed(description: string): FailureInfo {
  return { level: 'error', code: 'NetConnection.Call.Failed', description };
}

/** What `client.invoke` rejects with: the info object of the failure, as an Error. */
export class CallError extends Error {
  override readonly name: string = 'CallError';
  readonly code: string;
  readonly info: unknown;

  constructor(method: string, info: unknown) {
    super(
      `${method}: ${textIn(info, 'description') ?? (typeof info === 'object' ? 'it failed' : toText(info))}`,
    );
    this.code = textIn(info, 'code') ?? 'NetConnection.Call.Failed';
    this.info = info;
  }
}

// Applications get hold of the class by way of what they catch: what it extends must stay what it is.
Object.freeze(CallError);

/** A text of an info object, which may be anything: a client sent it. */
function textIn(info: unknown, key: string): string | undefined {
  if (typeof info !== 'object' || info === null || !hasOwn(info, key)) return undefined;
  const value = (info as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : undefined;
}

/** Calls from the script to clients, and who waits for their answers. */
export class Invocations {
  readonly #outbox: Outbox;
  readonly #max: number;
  /** One client that never answers must not use up what is there for all. */
  readonly #maxPerClient: number;
  readonly #pending = new SafeMap<number, Pending>();
  #nextRequest = 1;

  constructor(outbox: Outbox, max: number) {
    this.#outbox = outbox;
    this.#max = max;
    this.#maxPerClient = Math.max(1, Math.floor(max / 10));
  }

  send(command: Command): void {
    this.#outbox.send(command);
  }

  /** `client.call`: true when the call was sent. A call that cannot be sent has no other effect. */
  call(client: object, method: string, responder: ResultObject | null | undefined, args: unknown[]): boolean {
    const side = expectClient('client.call', client);
    if (side.standing === 'gone') return false;
    checkMethod('client.call', method);
    if (
      responder !== undefined &&
      responder !== null &&
      typeof responder !== 'object' &&
      typeof responder !== 'function'
    ) {
      throw new NativeTypeError(
        `client.call: the second argument is the object that takes the answer, or null, not ${typeof responder}`,
      );
    }
    const encoded = encodeValues(args);
    if (!responder) {
      this.#outbox.send({ kind: 'invoke', client: side.number, request: 0, method, args: encoded });
      return true;
    }
    if (this.#isFull(side)) return false;
    const { where } = currentEvent();
    const answer = (member: 'onResult' | 'onStatus', value: unknown) => {
      const call = () => {
        const fn: unknown = responder[member];
        return typeof fn === 'function' ? apply(fn, responder, [value]) : undefined;
      };
      runHandler(`${member} of ${method} (${where})`, call, undefined, []);
    };
    this.#send(side, encoded, {
      client,
      method,
      onValue: (value) => answer('onResult', value),
      onFailure: (info) => answer('onStatus', info),
    });
    return true;
  }

  /** `client.invoke`: as `call`, with a promise for the answer. */
  invoke(client: object, method: string, args: unknown[]): Promise<unknown> {
    return makePromise((resolve, reject) => {
      const side = expectClient('client.invoke', client);
      checkMethod('client.invoke', method);
      if (side.standing === 'gone') {
        reject(new CallError(method, callFailed('Client disconnected')));
      } else if (this.#isFull(side)) {
        reject(new CallError(method, callFailed('Too many calls are waiting for answers')));
      } else {
        const onFailure = (info: FailureInfo) => reject(new CallError(method, info));
        this.#send(side, encodeValues(args), { client, method, onValue: resolve, onFailure });
      }
    });
  }

  /** An answer arrived: `values` are those after the command object. */
  settle(request: number, isOk: boolean, value: unknown): void {
    const pending = this.#pending.get(request);
    if (!pending) return; // answered twice, or after a time-out: nobody waits any more
    this.#pending.delete(request);
    const side = hostSide(pending.client);
    if (side) side.outstanding--;
    if (isOk) pending.onValue(value);
    else pending.onFailure(value as FailureInfo);
  }

  /** The answer will never come, and `description` says why. */
  fail(request: number, description: string): void {
    this.settle(request, false, callFailed(description));
  }

  /** The client left: whoever waits for it is told. */
  abandon(client: object): void {
    const requests: number[] = [];
    this.#pending.forEach((pending, request) => {
      if (pending.client === client) append(requests, request);
    });
    for (let i = 0; i < requests.length; i++) this.fail(requests[i]!, 'Client disconnected');
  }

  #isFull(side: HostSide): boolean {
    return this.#pending.size >= this.#max || side.outstanding >= this.#maxPerClient;
  }

  #send(side: HostSide, args: Uint8Array, pending: Pending): void {
    const request = this.#nextRequest++;
    const { method } = pending;
    this.#outbox.send({ kind: 'invoke', client: side.number, request, method, args });
    this.#pending.set(request, pending);
    side.outstanding++;
  }
}

function checkMethod(member: string, method: unknown): asserts method is string {
  if (typeof method !== 'string' || method === '') {
    throw new NativeTypeError(`${member}: expected the name of the client's method, got ${typeof method}`);
  }
}

let instance: Invocations | undefined;

export function startInvocations(invocations: Invocations): void {
  instance = invocations;
}

/** A client's call, passed on to another. False when that one is gone, or has too many to answer. */
export function relayCall(
  client: object,
  method: string,
  answer: ResultObject | null,
  args: unknown[],
): boolean {
  return invocations().call(client, method, answer, args);
}

function invocations(): Invocations {
  if (!instance) throw new Error('client.call: the runtime has not started');
  return instance;
}
