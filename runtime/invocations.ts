import { encodeValues } from './amf.ts';
import { hide } from './clock.ts';
import { currentEvent } from './events.ts';
import { runHandler } from './handlers.ts';
import { expectClient, type HostSide, hostSide } from './host-side.ts';
import type { Outbox } from './outbox.ts';
import { append, apply, hasOwn, NativeTypeError, SafeMap, shown, toNumber, toText } from './primordials.ts';
import { makePromise } from './promise.ts';
import { later } from './timers.ts';
import type { Command } from './wall/commands.ts';

/** `client.invoke` with a time limit, or a signal that ends the waiting. */
export interface InvokeOptions {
  method: string;
  timeoutMs?: number;
  signal?: unknown;
}

/** What `client.call` takes for the answer (Server-Side ActionScript Language Reference, Client.call). */
export interface ResultObject {
  onResult?(value: unknown): void;
  onStatus?(info: unknown): void;
}

interface Pending {
  client: object;
  method: string;
  onValue(value: unknown): void;
  onFailure(info: FailureInfo): void;
  /** Nobody waits for it any more. */
  cleanUp: (() => void) | undefined;
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
hide(CallError, 'name', 'CallError');
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
      cleanUp: undefined,
    });
    return true;
  }

  /** `client.invoke`: as `call`, with a promise for the answer. */
  invoke(client: object, asked: string | InvokeOptions, args: unknown[]): Promise<unknown> {
    return makePromise((resolve, reject) => {
      const side = expectClient('client.invoke', client);
      const options = typeof asked === 'object' && asked !== null ? asked : undefined;
      const method = options ? options.method : (asked as string);
      checkMethod('client.invoke', method);
      const waitMs = options?.timeoutMs === undefined ? Infinity : toNumber(options.timeoutMs);
      if (!(waitMs >= 0))
        throw new NativeTypeError(
          `client.invoke: timeoutMs is ${shown(options?.timeoutMs)}, expected milliseconds`,
        );
      const signal = options?.signal as AbortSignalLike | null | undefined;
      if (signal?.aborted) return reject(signal.reason);
      if (side.standing === 'gone') {
        reject(new CallError(method, callFailed('Client disconnected')));
      } else if (this.#isFull(side)) {
        reject(new CallError(method, callFailed('Too many calls are waiting for answers')));
      } else {
        const onFailure = (info: FailureInfo) => reject(new CallError(method, info));
        const request = this.#send(side, encodeValues(args), {
          client,
          method,
          onValue: resolve,
          onFailure,
          cleanUp: undefined,
        });
        const giveUp = (reason: unknown) => {
          if (this.#forget(request)) reject(reason);
        };
        const late = { ...callFailed(`No answer within ${waitMs} ms`), code: 'E_TIMEOUT' };
        const cancel =
          waitMs < Infinity ? later(waitMs, () => giveUp(new CallError(method, late))) : undefined;
        const abort = () => giveUp(signal?.reason);
        signal?.addEventListener('abort', abort);
        const pending = this.#pending.get(request);
        if (pending)
          pending.cleanUp = () => {
            cancel?.();
            signal?.removeEventListener('abort', abort);
          };
      }
    });
  }

  /** An answer arrived: `values` are those after the command object. */
  settle(request: number, isOk: boolean, value: unknown): void {
    const pending = this.#forget(request);
    if (!pending) return; // answered twice, or after a time-out: nobody waits any more
    if (isOk) pending.onValue(value);
    else pending.onFailure(value as FailureInfo);
  }

  #forget(request: number): Pending | undefined {
    const pending = this.#pending.get(request);
    if (!pending) return undefined;
    this.#pending.delete(request);
    const side = hostSide(pending.client);
    if (side) side.outstanding--;
    pending.cleanUp?.();
    return pending;
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

  #send(side: HostSide, args: Uint8Array, pending: Pending): number {
    const request = this.#nextRequest++;
    const { method } = pending;
    this.#outbox.send({ kind: 'invoke', client: side.number, request, method, args });
    this.#pending.set(request, pending);
    side.outstanding++;
    return request;
  }
}

/** What `invoke` needs of an AbortSignal. */
interface AbortSignalLike {
  aborted: boolean;
  reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
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

export function invocations(): Invocations {
  if (!instance) throw new Error('client.call: the runtime has not started');
  return instance;
}
