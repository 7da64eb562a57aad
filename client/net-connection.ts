import { commandMessage, decodeValues, encodeCommand } from '../wire/commands.ts';
import { decodeAcknowledgement, MessageType, type RtmpMessage } from '../wire/messages.ts';
import { AMF_LIMITS } from '../wire/values.ts';
import { CallError, guarded, type Handler, type Info, infoOf, Notifier } from './events.ts';
import { Link } from './link.ts';

/** Where the page is; empty in Node. */
const page = (globalThis as { location?: { href: string } }).location?.href ?? '';
/** User control messages (RTMP 1.0, section 7.1.7). */
const PING_REQUEST = 6;
const PING_RESPONSE = 7;
const FIRST_WAIT_MS = 250;
/** What is lost sooner has cost an attempt. */
const STABLE_MS = 10_000;
const MAX_VALUES = 65_536;

/** The methods of an application, or of a page: an interface, or what `typeof` says of an object of functions. */
export type MethodName<M> = keyof M & string;
export type Arguments<F> = F extends (...args: infer A) => unknown ? A : unknown[];
export type Answer<F> = F extends (...args: never[]) => infer R ? Awaited<R> : unknown;
/** Who says what the answer is may call methods that are not declared. Nothing is inferred: else whatever is wrong would be one of them. */
type AnyName<T> = [T] extends [never] ? never : string;

/** Takes the answer to a call, as in ActionScript. */
export interface Responder<T = unknown> {
  onResult?(value: T): void;
  onStatus?(info: Info): void;
}

/** What belongs to a connection and is there again when that is: shared objects and streams. */
export interface Tenant {
  /** The connection has been accepted, for the first time or again. */
  connected(): void;
  /** It is gone, and may come back. */
  disconnected(): void;
  /** Of shared objects, whichever it is for. */
  receive?(message: RtmpMessage): void;
}

interface OpenCall {
  done(value: unknown): void;
  failed(error: CallError): void;
}

/**
 * A connection to an instance of an application: calls both ways, and what shared objects and streams go through. `S` has
 * the methods of the application, for the compiler.
 *
 *     const connection = new NetConnection();
 *     connection.client = { heard(name, text) { ... } };
 *     await connection.connect('/chat/lobby', 'Ada');
 *     await connection.invoke('say', 'hello');
 *
 * When the connection is lost it comes back by itself, and with it shared objects and streams. That the server ends it, or
 * refuses it, is the end.
 */
// biome-ignore lint/suspicious/noExplicitAny: who declares nothing may call anything
export class NetConnection<S extends object = any> extends Notifier {
  /** The most to wait before the next attempt to connect again; 0 for no attempt. Default 10000. */
  reconnectMs = 10_000;
  #uri = '';
  #args: unknown[] = [];
  #link: Link | undefined;
  #isConnected = false;
  /** What the server has said to have read, modulo 2^32. */
  acknowledgedBytes = 0;
  /** It has been accepted once: what is lost from now on comes back. */
  #comesBack = false;
  /** The server has said that it closes the connection, or why. */
  #isOver = false;
  #restarts = false;
  #attempts = 0;
  #acceptedAt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #first: OpenCall | undefined;
  #calls = new Map<number, OpenCall>();
  #nextCall = 2;
  readonly #tenants = new Set<Tenant>();
  readonly #streams = new Map<number, (message: RtmpMessage) => void>();

  /** Whether calls reach the server now. */
  get connected(): boolean {
    return this.#isConnected;
  }

  /** Whether it is lost and will be there again, unless the application refuses it then. */
  get reconnecting(): boolean {
    return this.#comesBack && !this.#isConnected && !this.#isOver && this.reconnectMs > 0;
  }

  /** The whole address, as of `connect`. */
  get uri(): string {
    return this.#uri;
  }

  get protocol(): string {
    return this.#uri.split(':')[0]!;
  }

  get usingTLS(): boolean {
    return this.protocol === 'wss';
  }

  /** What waits to leave this machine. */
  get queuedBytes(): number {
    return this.#link?.queuedBytes ?? 0;
  }

  get sentBytes(): number {
    return this.#link?.bytesOut ?? 0;
  }

  /**
   * Connects to `ws://host/app/instance`, or `/app/instance` of the page's own server; `args` are for `onConnect`. Resolves
   * when the application has accepted, rejects with a CallError when it has not, or is not there. Closes the connection
   * that there was.
   */
  connect(url: string | URL, ...args: unknown[]): Promise<Info> {
    const { href } = new URL(url, page || undefined);
    if (!/^(ws|http)/.test(href)) throw new TypeError(`connect to ws: or wss:, not to ${href}`);
    // Whoever hears that it is closed may connect.
    do this.close();
    while (this.#link);
    this.#uri = href.replace(/^http/, 'ws');
    this.#args = args;
    return new Promise((done, failed) => {
      encodeCommand('', 0, ...args); // what cannot be sent rejects at once
      this.#first = { done: done as (value: unknown) => void, failed };
      this.#open();
    });
  }

  /** Ends the connection, or the attempts to have it again. */
  close(): void {
    clearTimeout(this.#retry);
    this.#comesBack = false;
    this.#attempts = 0;
    const link = this.#link;
    this.#lost('The connection was closed.');
    link?.close();
  }

  /**
   * Calls a method of the application, as in ActionScript: the answer goes to `responder`, and to the promise. Without
   * `responder` it is null.
   */
  call<T = never>(
    method: AnyName<T>,
    responder?: Responder<NoInfer<T>> | null,
    ...args: unknown[]
  ): Promise<NoInfer<T>>;
  call<K extends MethodName<S>>(
    method: K,
    responder?: Responder<Answer<S[K]>> | null,
    ...args: Arguments<S[K]>
  ): Promise<Answer<S[K]>>;
  call(method: string, responder?: Responder | null, ...args: unknown[]): Promise<unknown> {
    const answer = this.invoke<unknown>(method, ...args);
    answer.then(
      (value) => guarded(() => responder?.onResult?.(value)),
      ({ info }: CallError) => guarded(() => responder?.onStatus?.(info)),
    );
    return answer;
  }

  /** Calls a method of the application; rejects with a CallError when that fails, or the connection is lost. */
  invoke<T = never>(method: AnyName<T>, ...args: unknown[]): Promise<NoInfer<T>>;
  invoke<K extends MethodName<S>>(method: K, ...args: Arguments<S[K]>): Promise<Answer<S[K]>>;
  invoke(method: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((done, failed) => {
      if (!this.#isConnected) throw callFailed('No connection.');
      const id = this.#nextCall++;
      const body = encodeCommand(method, id, null, ...args);
      this.#calls.set(id, { done, failed });
      this.sendMessage(commandMessage(body));
    });
  }

  // What shared objects and streams need.

  /** Sends a message when there is a connection; its payload must not change any more. */
  sendMessage(message: RtmpMessage): void {
    this.#link?.send(message);
  }

  /** Tells it, now or later, that there is a connection. */
  admit(tenant: Tenant): void {
    this.#tenants.add(tenant);
    if (this.#isConnected) tenant.connected();
  }

  /** False when it has been before. */
  dismiss(tenant: Tenant): boolean {
    return this.#tenants.delete(tenant);
  }

  /** Who hears what comes on that message stream; undefined for nobody. */
  listen(streamId: number, listener: ((message: RtmpMessage) => void) | undefined): void {
    if (listener) this.#streams.set(streamId, listener);
    else this.#streams.delete(streamId);
  }

  #open(): void {
    this.#isOver = this.#restarts = false;
    this.#nextCall = 2;
    this.acknowledgedBytes = 0;
    const link: Link = new Link(
      this.#uri,
      () => this.#greet(),
      (message) => this.#message(message),
      (reason) => {
        if (this.#link === link) this.#ended(reason);
      },
    );
    this.#link = link;
  }

  #greet(): void {
    // No `app`: the address says which.
    const object = {
      tcUrl: this.#uri,
      flashVer: `Stagewire ${navigator.userAgent}`,
      swfUrl: page,
      pageUrl: page,
      objectEncoding: 3,
      // It connects again when it is asked to, and what plays a stream says itself what it cannot play.
      capsEx: 1,
      fourCcList: ['*'],
    };
    this.#calls.set(1, {
      done: (info) => this.#accepted(info as Info),
      failed: ({ info }) => {
        this.#isOver = info.code !== 'NetConnection.Connect.AppShutdown';
        this.#refused(info);
      },
    });
    this.sendMessage(commandMessage(encodeCommand('connect', 1, object, ...this.#args)));
  }

  #accepted(info: Info): void {
    this.#isConnected = true;
    this.#comesBack = true;
    this.#acceptedAt = Date.now();
    // Before anybody hears of it, who may close it, and make others that are told when they are made.
    for (const tenant of this.#tenants) tenant.connected();
    this.#first?.done(info);
    this.#first = undefined;
    this.report(info);
  }

  #refused(info: Info): void {
    const first = this.#first;
    this.#first = undefined;
    first?.failed(new CallError(info));
    this.report(info);
  }

  /** Nobody here has closed it. */
  #ended(reason: string): void {
    const wasOpen = this.#isConnected;
    this.#lost(reason);
    if (!this.reconnecting) {
      this.#comesBack = false;
      if (!wasOpen && !this.#isOver) this.#refused(infoOf('error', 'NetConnection.Connect.Failed', reason));
      return;
    }
    if (wasOpen && Date.now() - this.#acceptedAt > STABLE_MS) this.#attempts = 0;
    const wait = Math.min(this.reconnectMs, FIRST_WAIT_MS * 2 ** this.#attempts++);
    // Not all pages of a server that was restarted come at one time.
    this.#retry = setTimeout(() => this.#open(), wait * (0.5 + Math.random() / 2));
  }

  #lost(reason: string): void {
    const wasOpen = this.#isConnected;
    this.#link = undefined;
    this.#isConnected = false;
    this.#streams.clear();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    if (!wasOpen) {
      this.#first?.failed(new CallError(infoOf('error', 'NetConnection.Connect.Failed', reason)));
      this.#first = undefined;
      return;
    }
    for (const { failed } of calls) failed(callFailed(reason));
    for (const tenant of this.#tenants) tenant.disconnected();
    this.report(infoOf('status', 'NetConnection.Connect.Closed', reason));
  }

  #message(message: RtmpMessage): void {
    const { type, streamId, payload } = message;
    if (type === MessageType.Acknowledgement) this.acknowledgedBytes = decodeAcknowledgement(payload);
    else if (type === MessageType.UserControl) {
      if (payload[1] === PING_REQUEST) {
        payload[1] = PING_RESPONSE;
        this.sendMessage(message);
      } else this.#streams.get(decodeAcknowledgement(payload.subarray(2)))?.(message);
    } else if (type === MessageType.SharedObjectAmf0 || type === MessageType.SharedObjectAmf3) {
      for (const tenant of [...this.#tenants]) tenant.receive?.(message);
    } else if (streamId !== 0) {
      this.#streams.get(streamId)?.(message);
    } else if (type === MessageType.CommandAmf0 || type === MessageType.CommandAmf3) {
      this.#command(message);
    }
  }

  #command(message: RtmpMessage): void {
    const values = decodeValues(message, AMF_LIMITS, MAX_VALUES) as unknown[];
    const [name, transaction, , ...args] = values as [string, number, unknown, ...unknown[]];
    const info = args[0] as Info;
    if (name === '_result' || name === '_error') {
      const call = this.#calls.get(transaction);
      this.#calls.delete(transaction);
      if (name === '_result') call?.done(info);
      else call?.failed(new CallError(info));
    } else if (name === 'onStatus') this.#status(info);
    else if (name === 'close') this.#isOver ||= this.#isConnected && !this.#restarts;
    else void this.#called(name, transaction, args);
  }

  #status(info: Info): void {
    const { code, tcUrl } = info;
    const link = this.#link;
    this.report(info);
    // The server or the instance starts anew: there will be something to come back to.
    if (code === 'NetConnection.Connect.AppShutdown') this.#restarts = true;
    if (code !== 'NetConnection.Connect.ReconnectRequest' || link !== this.#link) return;
    const { href } = new URL(String(tcUrl ?? ''), this.#uri);
    if (href.startsWith('ws')) this.#uri = href;
    this.#lost(info.description);
    link?.close();
    if (this.#comesBack && !this.#link) this.#open();
  }

  /** The server measures what it can send: an answer is all it wants. */
  protected override method(name: string): Handler | undefined {
    return super.method(name) ?? (name === 'onBWCheck' ? () => 0 : undefined);
  }

  async #called(name: string, transaction: number, args: unknown[]): Promise<void> {
    const link = this.#link;
    const answer = (kind: string, value: unknown) => {
      if (transaction !== 0) link?.send(commandMessage(encodeCommand(kind, transaction, null, value)));
    };
    try {
      answer('_result', await this.run(name, args, transaction !== 0));
    } catch (error) {
      answer('_error', callFailed(String((error as Error)?.message ?? error)).info);
    }
  }
}

function callFailed(description: string): CallError {
  return new CallError(infoOf('error', 'NetConnection.Call.Failed', description));
}
