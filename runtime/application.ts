import { argumentsOf } from './amf.ts';
import { ask } from './ask.ts';
import { registerClass } from './classes.ts';
import { Client, capBandwidth, withAccessFrozen } from './client.ts';
import { hide } from './clock.ts';
import { describe, type Outcome, reportError } from './events.ts';
import { type AnyFunction, functionIn, runHandler } from './handlers.ts';
import type { ClientKeeper } from './handover.ts';
import { expectClient, type Standing } from './host-side.ts';
import { Listeners } from './listeners.ts';
import type { Outbox } from './outbox.ts';
import {
  append,
  getOwnPropertyDescriptor,
  hasOwn,
  NativeTypeError,
  ownKeys,
  prepend,
  SafeMap,
  SafeWeakMap,
  shown,
} from './primordials.ts';
import { registerProxy } from './proxies.ts';
import { expose, infoOf, isRpcError } from './rpc.ts';
import { clearSharedObjects } from './share.ts';
import { clearStreams, endLive, liveStreams, publishedStream, Stream, setLive, streamFor } from './stream.ts';
import type { BootOptions } from './wall/boot.ts';
import type { ScriptProblem } from './wall/deliveries.ts';
import type { ClientInfo, StreamRequest } from './wall/fields.ts';

type Handlers = Record<string, unknown>;

/** The `application` object and the life of its clients (Server-Side ActionScript Language Reference, class Application). */
export class ApplicationSide implements ClientKeeper {
  /** What scripts see as `application`: theirs to extend, handlers are looked up on it at call time. */
  readonly application: Handlers = {};
  readonly #outbox: Outbox;
  readonly #started: () => void;
  readonly #listeners = new Listeners('application.on', EVENTS);
  /** `application.clients`: one array for the life of the instance. The script's to read; nothing here relies on it. */
  readonly #clients: Client[] = [];
  readonly #byNumber = new SafeMap<number, Client>();
  /** What `authorizePublish` was shown, so that `onPublish` gets the same object. */
  readonly #candidates = new SafeWeakMap<Client, Stream>();

  /** `started` is called when the application has begun, before the host hears of it. */
  constructor(outbox: Outbox, options: BootOptions, started: () => void) {
    this.#outbox = outbox;
    this.#started = started;
    const { application } = this;
    const fixed = (name: string, value: unknown) =>
      Object.defineProperty(application, name, {
        value,
        writable: false,
        configurable: false,
        enumerable: true,
      });
    capBandwidth(options.bandwidthCap);
    fixed('clients', this.#clients);
    fixed('name', options.name);
    fixed('server', options.server);
    fixed('hostname', options.hostname);
    fixed('config', options.config);
    fixed('streams', liveStreams);
    hide(application, 'acceptConnection', (client: unknown) => this.#accept(client));
    hide(application, 'rejectConnection', (client: unknown, first?: unknown, second?: unknown) => {
      // FMS 3: (client, description, errorObj); before: (client, errorObj).
      const member = 'application.rejectConnection';
      if (typeof first === 'string') this.#reject(member, client, first, second);
      else this.#reject(member, client, '', first);
    });
    hide(
      application,
      'redirectConnection',
      (client: unknown, url?: unknown, first?: unknown, second?: unknown) => {
        const member = 'application.redirectConnection';
        if (url !== undefined && url !== null && typeof url !== 'string')
          throw new NativeTypeError(`${member}: expected an address as text, got ${shown(url)}`);
        const ex = typeof url === 'string' ? { code: 302, redirect: url } : undefined;
        if (typeof first === 'string') this.#reject(member, client, first, second, ex);
        else this.#reject(member, client, '', first, ex);
      },
    );
    hide(application, 'expose', expose);
    hide(application, 'on', (event: unknown, listener: unknown) => this.#listeners.add(event, listener));
    hide(application, 'clearSharedObjects', clearSharedObjects);
    hide(application, 'clearStreams', clearStreams);
    hide(application, 'getStats', () => ask('application.stats'));
    hide(application, 'registerClass', registerClass);
    hide(application, 'registerProxy', registerProxy);
    hide(application, 'shutdown', () => this.#outbox.send({ kind: 'shutdown' }));
    // V8 collects its garbage when it is time to.
    hide(application, 'gc', () => undefined);
    hide(application, 'disconnect', (client: unknown) => this.#disconnect(client));
    hide(application, 'broadcastMsg', (method: unknown, ...args: unknown[]) => this.#broadcast(method, args));
  }

  client(number: number): Client | undefined {
    return this.#byNumber.get(number);
  }

  start(): void {
    this.#run('onAppStart', [], (outcome) => {
      if (outcome.isOk) this.#emit('start', []);
      this.#started();
      const error = outcome.isOk ? '' : `application.onAppStart failed: ${describe(outcome.error).message}`;
      this.#outbox.send({ kind: 'started', error, functions: this.#functions() });
    });
  }

  /** Where the host looks for handlers whose names are misspelled. */
  #functions(): string[] {
    const names: string[] = [];
    const keys = ownKeys(this.application);
    for (let i = 0; i < keys.length && names.length < MAX_FUNCTIONS; i++) {
      const name = keys[i]!;
      if (typeof name !== 'string' || name.length > MAX_HANDLER_NAME) continue;
      const property = getOwnPropertyDescriptor(this.application, name);
      if (property?.enumerable && hasOwn(property, 'value') && typeof property.value === 'function')
        append(names, name);
    }
    return names;
  }

  stop(code: string): void {
    this.#run('onAppStop', [{ code, level: 'status' }], (outcome) => {
      this.#emit('stop', [{ code, level: 'status' }]);
      this.#outbox.send({ kind: 'stopped', isVetoed: outcome.isOk && outcome.value === false });
    });
  }

  connect(number: number, info: ClientInfo, args: unknown[]): void {
    // One that waited for the decision of an older script is known.
    const client = this.#byNumber.get(number) ?? new Client(number, info);
    this.#byNumber.set(number, client);
    if (!this.#has('onConnect')) return this.#accept(client);
    const decide = (outcome: Outcome) => {
      // Only the booleans decide; anything else leaves the client pending.
      if (!outcome.isOk) this.#refuse(client, outcome.error);
      else if (outcome.value === true) this.#accept(client);
      else if (outcome.value === false) this.#reject('', client, '');
    };
    this.#run('onConnect', prepend(client, args), decide, isRpcError);
  }

  /** After `onConnect` threw: an RpcError is the reason that it wants the client to read. */
  #refuse(client: Client, error: unknown): void {
    if (!isRpcError(error)) return this.#reject('', client, 'Script error');
    try {
      const info = infoOf(error);
      this.#reject('application.onConnect', client, info.description, info);
    } catch (failure) {
      reportError(failure, 'application.onConnect'); // data that AMF cannot say
      this.#reject('', client, 'Script error');
    }
  }

  known(): Client[] {
    const clients: Client[] = [];
    this.#byNumber.forEach((client) => void append(clients, client));
    return clients;
  }

  /** A client that an older script has, or had. */
  make(number: number, standing: Standing, info: ClientInfo): Client {
    const client = new Client(number, info);
    expectClient('make', client).standing = standing;
    return client;
  }

  /** It is this script's now. */
  takeOver(client: Client): void {
    const { number, standing } = expectClient('takeOver', client);
    if (standing !== 'gone') this.#byNumber.set(number, client);
    if (standing === 'accepted') list(this.#clients, client);
  }

  /** Whether clients that an older script had are asked about. */
  get greets(): boolean {
    return this.#has('onReattach');
  }

  /**
   * A client that an earlier build (or a core that died) had accepted: `onReattach`, else `onConnect` again, unless
   * this script has taken it over with what the other knew of it.
   */
  reattach(number: number, info: ClientInfo, args: unknown[], reason: string): void {
    const known = this.#byNumber.get(number);
    const client = known ?? new Client(number, info);
    client.reconnected = reason;
    this.#byNumber.set(number, client);
    // It was accepted before this build came: it counts as connected while the handler decides.
    if (!known) this.#enter(client);
    const side = expectClient('reattach', client);
    let isDecided = false;
    const keep = (isKept: boolean) => {
      if (isDecided || side.standing === 'gone') return;
      isDecided = true;
      side.refuse = undefined;
      this.#outbox.send({ kind: 'attached', client: number, isKept });
    };
    side.refuse = () => keep(false);
    const decide = (outcome: Outcome) => keep(outcome.isOk && outcome.value !== false);
    if (this.#has('onReattach')) this.#run('onReattach', [client, reason], decide, isRpcError);
    else if (known) keep(true);
    else this.#run('onConnect', prepend(client, args), decide, isRpcError);
  }

  disconnect(number: number): Client | undefined {
    const client = this.#byNumber.get(number);
    if (!client) return undefined;
    const side = expectClient('disconnect', client);
    const wasAccepted = side.standing === 'accepted';
    side.standing = 'gone';
    this.#byNumber.delete(number);
    if (wasAccepted) unlist(this.#clients, client);
    if (wasAccepted) {
      this.#run('onDisconnect', [client]);
      this.#emit('disconnect', [client]);
      side.listeners?.emit('disconnect', client, []);
    }
    return client;
  }

  publish(number: number, request: StreamRequest): void {
    const client = this.#byNumber.get(number);
    if (!client) return;
    const candidate = this.#candidates.get(client);
    const stream = publishedStream(request, candidate);
    this.#candidates.delete(client);
    setLive(stream);
    withAccessFrozen(() => this.#run('onPublish', [client, stream]));
    this.#emit('publish', [client, stream]);
  }

  unpublish(number: number, request: StreamRequest): void {
    const stream = streamFor(request);
    endLive(request.name);
    const client = this.#byNumber.get(number);
    if (!client) return;
    withAccessFrozen(() => this.#run('onUnpublish', [client, stream]));
    this.#emit('unpublish', [client, stream]);
  }

  /** Fails closed: without a handler everybody may, with one only `true` lets the request pass; a string says why not. */
  authorize(request: number, action: 'publish' | 'play', number: number, wanted: StreamRequest): void {
    const verdict = (isAllowed: boolean, description: string) =>
      this.#outbox.send({ kind: 'verdict', request, isAllowed, description });
    const client = this.#byNumber.get(number);
    if (!client) return verdict(false, 'the client is gone');
    const stream = action === 'publish' ? new Stream(wanted) : streamFor(wanted);
    if (action === 'publish') this.#candidates.set(client, stream);
    const handler = action === 'publish' ? 'authorizePublish' : 'authorizePlay';
    if (!this.#has(handler)) return verdict(true, '');
    const decide = (outcome: Outcome) => {
      if (!outcome.isOk)
        verdict(false, isRpcError(outcome.error) ? infoOf(outcome.error).description : 'script error');
      else if (typeof outcome.value === 'string') verdict(false, outcome.value);
      else verdict(outcome.value === true, `not allowed to ${action} ${wanted.name}`);
    };
    this.#run(handler, [client, stream], decide, isRpcError);
  }

  status({ isWarning, ...place }: ScriptProblem): void {
    const code = isWarning ? 'Application.Script.Warning' : 'Application.Script.Error';
    this.#status({ code, level: isWarning ? 'warning' : 'error', ...place });
  }

  lowMemory(usedMb: number, limitMb: number): void {
    const description = `The heap holds ${usedMb} MB of ${limitMb}: beyond that the script is stopped.`;
    this.#status({ code: 'Application.Resource.LowMemory', level: 'warning', description });
  }

  #status(info: object): void {
    this.#run('onStatus', [info]);
    this.#emit('status', [info]);
  }

  /** True also for one that cannot be looked up or called: then `#run` fails. */
  #has(name: string): boolean {
    try {
      const handler = this.application[name];
      return handler !== undefined && handler !== null;
    } catch {
      return true;
    }
  }

  /** Runs the handler of that name, looked up now; without one `done` hears `undefined` at once. */
  #run(
    name: string,
    args: unknown[],
    done?: (outcome: Outcome) => void,
    isExpected?: (error: unknown) => boolean,
  ): void {
    const where = `application.${name}`;
    let handler: AnyFunction | undefined;
    try {
      handler = functionIn(where, this.application[name]);
    } catch (error) {
      reportError(error, where);
      done?.({ isOk: false, error });
      return;
    }
    if (!handler) done?.({ isOk: true, value: undefined });
    else runHandler(where, handler, this.application, args, done, isExpected);
  }

  #accept(client: unknown): void {
    const side = expectClient('application.acceptConnection', client);
    if (side.standing !== 'pending') return;
    this.#enter(client as Client);
    this.#outbox.send({ kind: 'accept', client: side.number });
  }

  #reject(member: string, client: unknown, description: string, application?: unknown, ex?: object): void {
    const side = expectClient(member, client);
    const info = {
      level: 'error',
      code: 'NetConnection.Connect.Rejected',
      description: description === '' ? 'Connection failed.' : description,
      ...(application !== undefined && { application }),
      ...(ex && { ex }),
    };
    // First: a getter of what is encoded may decide otherwise.
    const encoded = argumentsOf(member, [info]);
    side.refuse?.();
    if (side.standing !== 'pending') return;
    side.standing = 'gone';
    this.#byNumber.delete(side.number);
    this.#outbox.send({ kind: 'reject', client: side.number, info: encoded });
  }

  #disconnect(client: unknown): boolean {
    const side = expectClient('application.disconnect', client);
    if (side.standing !== 'accepted') return false;
    this.#outbox.send({ kind: 'disconnect', client: side.number });
    return true;
  }

  #broadcast(method: unknown, args: unknown[]): void {
    if (typeof method !== 'string' || method === '') {
      throw new NativeTypeError(
        `application.broadcastMsg: expected the name of a method, got ${shown(method)}`,
      );
    }
    const member = 'application.broadcastMsg';
    this.#outbox.send({ kind: 'broadcast', method, args: argumentsOf(member, args) }, member);
  }

  #enter(client: Client): void {
    expectClient('application.acceptConnection', client).standing = 'accepted';
    list(this.#clients, client);
    this.#emit('connect', [client]);
  }

  #emit(event: string, args: unknown[]): void {
    this.#listeners.emit(event, this.application, args);
  }
}

/** Of what a script has on `application`, for the host to look at; handlers have shorter names. */
const MAX_FUNCTIONS = 100;
const MAX_HANDLER_NAME = 24;

const EVENTS = ['start', 'stop', 'connect', 'disconnect', 'publish', 'unpublish', 'status'];

function list(clients: Client[], client: Client): void {
  try {
    append(clients, client);
  } catch {
    // The script has frozen the array, or worse: it has the list it wanted.
  }
}

function unlist(clients: Client[], client: Client): void {
  try {
    const last = clients.length - 1;
    let at = 0;
    while (at <= last && clients[at] !== client) at++;
    if (at > last) return;
    for (; at < last; at++) clients[at] = clients[at + 1]!;
    clients.length = last;
  } catch {
    // As above.
  }
}
