import { decodeArguments, encodeValues } from './amf.ts';
import type { Client } from './client.ts';
import { describe, type Outcome, reportError } from './events.ts';
import { type AnyFunction, functionIn, runHandler } from './handlers.ts';
import { peerOf } from './host-side.ts';
import { absenceOf, callFailed, relayCall } from './invocations.ts';
import type { Outbox } from './outbox.ts';
import {
  append,
  apply,
  charCodeAt,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  ownKeys,
  SafeSet,
  sliceOf,
} from './primordials.ts';
import { proxyFor } from './proxies.ts';
import { isReserved } from './reserved.ts';
import { exposedMethod, infoOf, isRpcError } from './rpc.ts';
import type { CommandBody } from './wall/fields.ts';

/** Methods of the client that are the server's, whatever a script has put in their place. */
const API = new SafeSet([
  'call',
  'invoke',
  'on',
  'ping',
  'getStats',
  'getBandwidthLimit',
  'setBandwidthLimit',
  'requestReconnect',
]);
const MAX_PATH = 16;

/**
 * A call by a client: a method of its Client object, `a/b/m` and `a.b.m` alike reaching `client.a.b.m` with
 * `this` being `client.a.b` (Server-Side ActionScript Language Reference, class Client). The answer goes back unless `call` is 0.
 */
export function dispatchCall(outbox: Outbox, client: Client, call: number, command: CommandBody): void {
  dispatch(outbox, client, call, command, client);
}

/** A call by the other side of the script's own connection: a function on that object (class NetConnection, handlerName). */
export function dispatchLinkCall(
  outbox: Outbox,
  connection: object,
  call: number,
  command: CommandBody,
): void {
  dispatch(outbox, connection, call, command, undefined);
}

function dispatch(
  outbox: Outbox,
  called: object,
  call: number,
  command: CommandBody,
  client: Client | undefined,
): void {
  const failWith = (info: unknown) => {
    if (call !== 0) outbox.send({ kind: 'error', call, info: encodeValues([info]) });
  };
  const fail = (description: string) => failWith(callFailed(description));
  const succeed = (value: unknown) => {
    if (call === 0) return;
    try {
      outbox.sendResult(call, value);
    } catch (error) {
      reportError(error);
      fail(describe(error).message);
    }
  };

  const { name, args } = decodeArguments(command);
  const proxy = client && proxyFor(name);
  if (proxy) {
    const answer = {
      __proto__: null,
      onResult: succeed,
      onStatus: failWith,
    };
    const peer = peerOf(proxy.target);
    const wasSent = relayCall(peer, proxy.method, call === 0 ? null : answer, args);
    if (!wasSent) fail(absenceOf(peer));
    return;
  }
  const exposed = client && exposedMethod(client, name);
  const target = exposed
    ? exposed.method && { owner: called, method: exposed.method }
    : findMethod(called, name);
  if (!target) {
    if (call !== 0) outbox.send({ kind: 'missing', call });
    return;
  }
  const done = (outcome: Outcome) => {
    if (outcome.isOk) return succeed(outcome.value);
    try {
      failWith(infoOf(outcome.error));
    } catch (error) {
      reportError(error, name); // the data of an RpcError that AMF cannot say
      fail(describe(outcome.error).message);
    }
  };
  runHandler(name, target.method, target.owner, args, done, isRpcError);
}

function findMethod(client: object, name: string): { owner: object; method: AnyFunction } | undefined {
  const path = pathOf(name);
  const last = path.length - 1;
  if (last >= MAX_PATH) return undefined;
  if (last === 0 && API.has(name)) return undefined;
  let owner: object = client;
  for (let i = 0; i < last; i++) {
    const next = member(owner, path[i]!) ?? resolveMissing(owner, path[i]!);
    if (typeof next !== 'object' || next === null) return undefined;
    owner = next;
  }
  const method = member(owner, path[last]!) ?? resolveMissing(owner, path[last]!, functionIn);
  return typeof method === 'function' ? { owner, method: method as AnyFunction } : undefined;
}

/**
 * `__resolve` may stand in for a method that is not there, or for an object on the way to it (Server-Side ActionScript
 * Language Reference, Client.__resolve).
 */
function resolveMissing(
  owner: object,
  name: string,
  check: (where: string, value: unknown) => unknown = (_where, value) => value,
): unknown {
  if (name === '__resolve') return undefined;
  const where = 'client.__resolve';
  try {
    const resolve = functionIn(where, member(owner, '__resolve'));
    return resolve && check(`${where}: what it returned`, apply(resolve, owner, [name]));
  } catch (error) {
    reportError(error, where);
    return undefined;
  }
}

const DOT = 0x2e;
const SLASH = 0x2f;

/** The steps between dots and slashes: at least one, which may be empty. */
function pathOf(name: string): string[] {
  const steps: string[] = [];
  let start = 0;
  for (let at = 0; at < name.length; at++) {
    const unit = charCodeAt(name, at);
    if (unit !== DOT && unit !== SLASH) continue;
    append(steps, sliceOf(name, start, at));
    start = at + 1;
  }
  append(steps, start === 0 ? name : sliceOf(name, start));
  return steps;
}

/** A member that the application made: on the object or its prototypes, but nothing that JavaScript or the API put there. */
function member(owner: object, name: string): unknown {
  if (name === '' || name === 'constructor' || name === '__proto__') return undefined;
  for (let at: object | null = owner; at !== null; at = getPrototypeOf(at)) {
    if (BUILT_IN.has(at)) return undefined;
    if (!hasOwn(at, name)) continue;
    const value = (owner as Record<string, unknown>)[name];
    return isReserved(at, value) ? undefined : value;
  }
  return undefined;
}

/** What JavaScript has methods on: the prototypes of its classes, of iterators and generators, and its namespaces. */
const BUILT_IN = new SafeSet<object>([Math, JSON, Reflect, Intl]);
const globals = ownKeys(globalThis);
for (let i = 0; i < globals.length; i++) {
  const name = globals[i]!;
  if (name === 'Temporal' || name === 'WebAssembly') continue; // V8 makes them when they are first looked at
  const value: unknown = getOwnPropertyDescriptor(globalThis, name)?.value;
  if (typeof value === 'function' && isObject(value.prototype)) BUILT_IN.add(value.prototype);
}
const iterators: object[] = [
  [].values(),
  new Map().values(),
  new Set().values(),
  ''[Symbol.iterator](),
  ''.matchAll(/x/g),
  (function* () {})(),
];
for (let i = 0; i < iterators.length; i++) {
  for (let at = getPrototypeOf(iterators[i]!); at !== null; at = getPrototypeOf(at)) BUILT_IN.add(at);
}
BUILT_IN.add(getPrototypeOf(Uint8Array.prototype)!);

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
