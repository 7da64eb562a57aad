import { argumentsOf } from './amf.ts';
import { numberOf, reading } from './arguments.ts';
import { hide } from './clock.ts';
import { currentEvent, reportError } from './events.ts';
import { functionIn, runHandler } from './handlers.ts';
import { expectClient, type Peer } from './host-side.ts';
import type { Outbox } from './outbox.ts';
import { append, apply, hasOwn, NativeTypeError, SafeMap, shown, toText } from './primordials.ts';
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
  peer: Peer;
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

  send(command: Command, member?: string): void {
    this.#outbox.send(command, member);
  }

  /** `client.call` and the like, which `member` names: true when the call was sent. A call that cannot be sent has no other effect. */
  call(
    member: string,
    side: Peer,
    method: unknown,
    responder: ResultObject | null | undefined,
    args: unknown[],
  ): boolean {
    checkMethod(member, method);
    if (
      responder !== undefined &&
      responder !== null &&
      typeof responder !== 'object' &&
      typeof responder !== 'function'
    ) {
      throw new NativeTypeError(
        `${member}: the second argument is the object that takes the answer, or null, not ${shown(responder)}`,
      );
    }
    const encoded = encodeFor(side, member, args);
    if (side.standing === 'gone' || side.carrier?.isFull) return false;
    if (!responder) {
      if (side.carrier) {
        side.carrier.carry(0, method, encoded);
        return true;
      }
      const command = { kind: 'invoke', client: side.number, request: 0, method, args: encoded } as const;
      this.#outbox.send(command, member);
      return true;
    }
    if (this.#isFull(side)) return false;
    const { where } = currentEvent();
    const answer = (slot: 'onResult' | 'onStatus', value: unknown) => {
      const call = () => {
        const fn = functionIn(`${member}: ${slot}`, responder[slot]);
        return fn && apply(fn, responder, [value]);
      };
      runHandler(`${slot} of ${method} (${where})`, call, undefined, []);
    };
    this.#send(member, side, encoded, {
      peer: side,
      method,
      onValue: (value) => answer('onResult', value),
      onFailure: (info) => answer('onStatus', info),
      cleanUp: undefined,
    });
    return true;
  }

  /** `client.invoke` and the like: as `call`, with a promise for the answer. `find` may throw. */
  invoke(member: string, find: () => Peer, asked: string | InvokeOptions, args: unknown[]): Promise<unknown> {
    return makePromise((resolve, reject) => {
      const side = find();
      const { method, timeoutMs, signal } =
        typeof asked === 'object' && asked !== null
          ? optionsOf(member, asked)
          : { method: asked, timeoutMs: undefined, signal: undefined };
      checkMethod(member, method);
      const waitMs = timeoutMs === undefined ? Infinity : numberOf(`${member}: timeoutMs`, timeoutMs);
      if (!(waitMs >= 0))
        throw new NativeTypeError(`${member}: timeoutMs is ${shown(timeoutMs)}, expected milliseconds`);
      const { isAborted, reason, watch } = signal ?? NOT_ABORTED;
      if (isAborted) return reject(reason());
      const encoded = encodeFor(side, member, args);
      if (side.standing === 'gone') {
        reject(new CallError(method, callFailed(absenceOf(side))));
      } else if (this.#isFull(side)) {
        reject(new CallError(method, callFailed('Too many calls are waiting for answers')));
      } else {
        let request = 0;
        let cancel: (() => void) | undefined;
        const giveUp = (why: unknown) => {
          if (this.#forget(request)) reject(why);
        };
        // Before it is sent: a signal that cannot be heard is no call.
        const unwatch = watch(() => giveUp(reason()));
        request = this.#send(member, side, encoded, {
          peer: side,
          method,
          onValue: resolve,
          onFailure: (info) => reject(new CallError(method, info)),
          cleanUp: () => {
            cancel?.();
            unwatch();
          },
        });
        const late = { ...callFailed(`No answer within ${waitMs} ms`), code: 'E_TIMEOUT' };
        if (waitMs < Infinity) cancel = later(waitMs, () => giveUp(new CallError(method, late)));
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
    pending.peer.outstanding--;
    pending.cleanUp?.();
    return pending;
  }

  /** How many answers the script waits for. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** The answer will never come, and `description` says why. */
  fail(request: number, description: string): void {
    this.settle(request, false, callFailed(description));
  }

  /** The client left: whoever waits for it is told. */
  abandon(client: object): void {
    const peer = expectClient('abandon', client);
    const requests: number[] = [];
    this.#pending.forEach((pending, request) => {
      if (pending.peer === peer) append(requests, request);
    });
    for (let i = 0; i < requests.length; i++) this.fail(requests[i]!, 'Client disconnected');
  }

  #isFull(side: Peer): boolean {
    const { carrier, outstanding } = side;
    return this.#pending.size >= this.#max || outstanding >= this.#maxPerClient || carrier?.isFull === true;
  }

  #send(member: string, side: Peer, args: Uint8Array, pending: Pending): number {
    const request = this.#nextRequest++;
    const { method } = pending;
    if (side.carrier) side.carrier.carry(request, method, args);
    else this.#outbox.send({ kind: 'invoke', client: side.number, request, method, args }, member);
    this.#pending.set(request, pending);
    side.outstanding++;
    return request;
  }
}

/** Why nothing can be called there. */
export function absenceOf(peer: Peer | undefined): string {
  return peer?.number === 0 ? 'Not connected' : 'Client disconnected';
}

/** As whoever carries them wants them: one after the other, or as one list. */
function encodeFor(side: Peer, member: string, args: unknown[]): Uint8Array {
  return argumentsOf(member, side.carrier ? [args] : args);
}

/** What `invoke` needs of an AbortSignal. */
interface Signal {
  isAborted: boolean;
  reason(): unknown;
  /** Returns what ends the watching. */
  watch(onAbort: () => void): () => void;
}

const NOT_ABORTED: Signal = { isAborted: false, reason: () => undefined, watch: () => () => {} };

/** Each read once: the object is the application's, and so may be what it answers with. */
function optionsOf(
  member: string,
  asked: object,
): { method: unknown; timeoutMs: unknown; signal: Signal | undefined } {
  const { method, timeoutMs, signal } = reading(member, () => {
    const { method, timeoutMs, signal } = asked as Record<string, unknown>;
    return { method, timeoutMs, signal };
  });
  return { method, timeoutMs, signal: signalOf(member, signal) };
}

function signalOf(member: string, signal: unknown): Signal | undefined {
  if (signal === undefined || signal === null) return undefined;
  const { aborted, add, remove } = reading(`${member}: signal`, () => {
    const { aborted, addEventListener: add, removeEventListener: remove } = signal as Record<string, unknown>;
    return { aborted, add, remove };
  });
  if (typeof add !== 'function' || typeof remove !== 'function')
    throw new NativeTypeError(`${member}: signal: expected an AbortSignal, got ${shown(signal)}`);
  return {
    isAborted: !!aborted,
    reason() {
      try {
        return (signal as { reason?: unknown }).reason;
      } catch (error) {
        return error;
      }
    },
    watch(onAbort) {
      reading(`${member}: signal`, () => apply(add, signal, ['abort', onAbort]));
      return () => {
        try {
          apply(remove, signal, ['abort', onAbort]);
        } catch (error) {
          reportError(error, `${member}: signal`); // whoever waits for the answer has it all the same
        }
      };
    },
  };
}

function checkMethod(member: string, method: unknown): asserts method is string {
  if (typeof method !== 'string' || method === '') {
    throw new NativeTypeError(`${member}: expected the name of the client's method, got ${shown(method)}`);
  }
}

let instance: Invocations | undefined;

export function startInvocations(invocations: Invocations): void {
  instance = invocations;
}

/** A client's call, passed on to another. False when that one is gone, or has too many to answer. */
export function relayCall(
  peer: Peer | undefined,
  method: string,
  answer: ResultObject | null,
  args: unknown[],
): boolean {
  return peer !== undefined && invocations().call('client.call', peer, method, answer, args);
}

export function invocations(): Invocations {
  if (!instance) throw new Error('client.call: the runtime has not started');
  return instance;
}
