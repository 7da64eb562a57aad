import { numberOf, reading, textOf } from './arguments.ts';
import type { Client } from './client.ts';
import { hide, turnTime } from './clock.ts';
import { describe } from './events.ts';
import type { AnyFunction } from './handlers.ts';
import { callFailed, type FailureInfo } from './invocations.ts';
import { natives } from './natives.ts';
import {
  apply,
  charCodeAt,
  fromCharCode,
  isAncestor,
  isArray,
  keysOf,
  NativeTypeError,
  SafeMap,
  SafeWeakMap,
  shown,
  toText,
} from './primordials.ts';

/** What a caller is to read of it: taken down when it was made, whatever becomes of the object. */
const infos = new SafeWeakMap<object, FailureInfo>();

/** What a remote method throws when its caller is to blame: it becomes the info object of the failed call, and no error of the script. */
export class RpcError extends Error {
  override readonly name: string = 'RpcError';
  readonly code: string;
  readonly data: unknown;

  constructor(code: unknown, message?: unknown, data?: unknown) {
    if (typeof code !== 'string' && typeof code !== 'number')
      throw new NativeTypeError(`new RpcError: expected a code as text, got ${shown(code)}`);
    const description = message === undefined ? '' : textOf('new RpcError', message);
    super(description);
    this.code = toText(code);
    this.data = data;
    infos.set(this, {
      level: 'error',
      code: this.code,
      description,
      ...(data !== undefined && { data }),
    });
  }
}

// Scripts get hold of the class: what it extends must stay what it is.
hide(RpcError, 'name', 'RpcError');
Object.freeze(RpcError);

export function isRpcError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && infos.has(error);
}

/** The info object for the caller of a method that threw this. */
export function infoOf(error: unknown): FailureInfo {
  const info = typeof error === 'object' && error !== null ? infos.get(error) : undefined;
  return info ?? callFailed(describe(error).message);
}

interface Exposed {
  call: AnyFunction;
  args: unknown;
  /** How often one client may call it; Infinity for as often as it likes. */
  perSecond: number;
  /** What each client has saved up, and when that was counted. */
  buckets: SafeWeakMap<object, { saved: number; at: number }>;
}

const MAX_EXPOSED = 10_000;
let exposed: SafeMap<string, Exposed> | undefined;

/**
 * `application.expose`: from now on clients may call these methods and no others, with the client as `this`. A method
 * is a function, or `{ args, call }` where `args` checks the list of arguments: a Standard Schema, an object with
 * `parse`, or a function that returns false or throws for what it refuses.
 */
export function expose(methods: unknown): void {
  if (typeof methods !== 'object' || methods === null || isArray(methods))
    throw new NativeTypeError(`application.expose: expected an object of methods, got ${shown(methods)}`);
  const get = (object: unknown, name: string): unknown =>
    reading('application.expose', () => (object as Record<string, unknown> | null | undefined)?.[name]);
  const names = reading('application.expose', () => keysOf(methods));
  const added = new SafeMap<string, Exposed>();
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const method = get(methods, name);
    const isPlain = typeof method === 'function';
    const call = isPlain ? method : get(method, 'call');
    const args = isPlain ? undefined : get(method, 'args');
    if (typeof call !== 'function')
      throw new NativeTypeError(
        `application.expose: expected a function for "${name}", or { args, call }, got ${shown(method)}`,
      );
    if (args !== undefined && typeof args !== 'function' && !isSchema(args, get))
      throw new NativeTypeError(
        `application.expose: the args of "${name}" are a function or a schema, not ${shown(args)}`,
      );
    const asked = isPlain ? undefined : get(method, 'perSecond');
    const perSecond = asked === undefined ? Infinity : numberOf('application.expose: perSecond', asked);
    if (!(perSecond > 0))
      throw new NativeTypeError(
        `application.expose: perSecond of "${name}" is ${shown(asked)}, expected a number over 0`,
      );
    added.set(dotted(name), { call: call as AnyFunction, args, perSecond, buckets: new SafeWeakMap() });
  }
  const all = exposed ?? new SafeMap<string, Exposed>();
  if (all.size + added.size > MAX_EXPOSED)
    throw new NativeTypeError(`application.expose: at most ${MAX_EXPOSED} methods`);
  added.forEach((method, name) => void all.set(name, method));
  exposed = all;
}

function isSchema(args: unknown, get: (object: unknown, name: string) => unknown): boolean {
  if (typeof args !== 'object' || args === null) return false;
  return (
    typeof get(get(args, '~standard'), 'validate') === 'function' || typeof get(args, 'parse') === 'function'
  );
}

/** Undefined when the application exposes nothing: then the methods of its clients are what may be called. */
export function exposedMethod(client: Client, name: string): { method: AnyFunction | undefined } | undefined {
  if (!exposed) return undefined;
  const found = exposed.get(dotted(name));
  if (!found) return { method: undefined };
  const { call, args: check } = found;
  return {
    method: (...args) => {
      if (found.perSecond < Infinity && !mayCall(found, client))
        throw new RpcError('NetConnection.Call.Failed', `${name}: at most ${found.perSecond} calls a second`);
      return apply(call, client, check === undefined ? args : checked(name, check, args));
    },
  };
}

/** A second's worth may come at once. */
function mayCall({ perSecond, buckets }: Exposed, client: object): boolean {
  const now = turnTime();
  const bucket = buckets.get(client) ?? { saved: perSecond < 1 ? 1 : perSecond, at: now };
  const most = perSecond < 1 ? 1 : perSecond;
  const earned = bucket.saved + ((now - bucket.at) / 1000) * perSecond;
  bucket.saved = earned < most ? earned : most;
  bucket.at = now;
  buckets.set(client, bucket);
  if (bucket.saved < 1) return false;
  bucket.saved--;
  return true;
}

interface Issue {
  message?: unknown;
  path?: unknown;
}

/** The arguments as the check wants them. Throws RpcError for what it refuses: the caller is to blame. */
function checked(name: string, check: unknown, args: unknown[]): unknown[] {
  const standard = (check as Record<string, unknown>)['~standard'];
  let outcome: unknown;
  let isUnfit = false;
  try {
    if (typeof standard === 'object' && standard !== null) {
      const { validate } = standard as { validate: AnyFunction };
      const result = apply(validate, standard, [args]) as { issues?: unknown; value?: unknown };
      isUnfit = typeof result !== 'object' || result === null || isPromise(result);
      if (isUnfit) outcome = result;
      else if (isArray(result.issues) && result.issues.length > 0)
        throw refusal(name, result.issues[0] as Issue);
      else outcome = result.value;
    } else if (typeof check === 'function') outcome = apply(check as AnyFunction, undefined, [args]);
    else outcome = apply((check as { parse: AnyFunction }).parse, check, [args]);
  } catch (error) {
    if (isRpcError(error)) throw error;
    const issues =
      typeof error === 'object' && error !== null ? (error as { issues?: unknown }).issues : undefined;
    throw refusal(name, isArray(issues) && issues.length > 0 ? (issues[0] as Issue) : describe(error));
  }
  // Nobody waits for a promise: what it refuses would pass.
  if (isUnfit || isPromise(outcome))
    throw new NativeTypeError(
      `application.expose: the args of "${name}" answered with ${isPromise(outcome) ? 'a promise' : shown(outcome)}`,
    );
  if (outcome === false) throw refusal(name, { message: 'the arguments were refused' });
  return isArray(outcome) ? outcome : args;
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && isAncestor(natives.promise, value);
}

function refusal(name: string, { message, path }: Issue): RpcError {
  let place = '';
  if (isArray(path))
    for (let i = 0; i < path.length; i++) place += `${i === 0 ? 'argument ' : '.'}${toText(path[i])}`;
  return new RpcError(
    'NetConnection.Call.Failed',
    `${name}: ${place === '' ? '' : `${place}: `}${toText(message)}`,
  );
}

const SLASH = 0x2f;

/** `a/b` and `a.b` are one name. */
function dotted(name: string): string {
  let text = '';
  for (let i = 0; i < name.length; i++) {
    const unit = charCodeAt(name, i);
    text += unit === SLASH ? '.' : fromCharCode(unit);
  }
  return text;
}

export function installRpc(global: typeof globalThis): void {
  hide(global, 'RpcError', RpcError);
}
