import { decodeArguments, encodeValues } from './amf.ts';
import { type Client, callFailed } from './client.ts';
import { describe, reportError } from './events.ts';
import { type AnyFunction, runHandler } from './handlers.ts';
import type { Outbox } from './outbox.ts';
import type { CommandBody } from './protocol.ts';

/** Members of the API itself: they are on the client's prototype, but no client may call them from outside. */
const API = new Set(['call', 'invoke', 'ping', 'getStats', 'getBandwidthLimit', 'setBandwidthLimit']);
const MAX_PATH = 16;

/**
 * A call by a client: a method of its Client object, `a/b/m` and `a.b.m` alike reaching `client.a.b.m` with
 * `this` being `client.a.b` (Server-Side ActionScript Language Reference, class Client). The answer goes back unless `call` is 0.
 */
export function dispatchCall(outbox: Outbox, client: Client, call: number, command: CommandBody): void {
  const fail = (description: string) => {
    if (call !== 0) outbox.send({ kind: 'error', call, info: encodeValues([callFailed(description)]) });
  };
  const succeed = (value: unknown) => {
    if (call === 0) return;
    try {
      outbox.send({ kind: 'result', call, value: encodeValues([value]) });
    } catch (error) {
      reportError(error);
      fail(describe(error).message);
    }
  };

  const { name, args } = decodeArguments(command);
  const target = findMethod(client, name);
  if (!target) {
    if (call !== 0) outbox.send({ kind: 'missing', call });
    return;
  }
  runHandler(name, target.method, target.owner, args, (outcome) => {
    if (outcome.isOk) succeed(outcome.value);
    else fail(describe(outcome.error).message);
  });
}

function findMethod(client: Client, name: string): { owner: object; method: AnyFunction } | undefined {
  if (!name.includes('.') && !name.includes('/')) {
    const method = API.has(name) ? undefined : member(client, name);
    return typeof method === 'function' ? { owner: client, method: method as AnyFunction } : undefined;
  }
  const path = name.split(/[./]/);
  if (path.length > MAX_PATH) return undefined;
  let owner: object = client;
  for (const step of path.slice(0, -1)) {
    const next = member(owner, step);
    if (typeof next !== 'object' || next === null) return undefined;
    owner = next;
  }
  const method = member(owner, path.at(-1) ?? '');
  return typeof method === 'function' ? { owner, method: method as AnyFunction } : undefined;
}

/** A member that the application made: on the object or its prototypes, but nothing that JavaScript put there. */
function member(owner: object, name: string): unknown {
  if (name === '' || name === 'constructor' || name === '__proto__') return undefined;
  for (let at: object | null = owner; at !== null; at = Object.getPrototypeOf(at)) {
    if (BUILT_IN.has(at)) return undefined;
    if (Object.hasOwn(at, name)) return (owner as Record<string, unknown>)[name];
  }
  return undefined;
}

const BUILT_IN = new Set<object>(
  [
    Object,
    Function,
    Array,
    Map,
    Set,
    WeakMap,
    WeakSet,
    Date,
    RegExp,
    Promise,
    String,
    Number,
    Boolean,
    Error,
  ].map((builtIn) => builtIn.prototype),
);
