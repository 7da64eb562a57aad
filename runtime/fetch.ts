import { ByteWriter } from '../wire/bytes.ts';
import { decodeUtf8 } from '../wire/utf8.ts';
import { bytesIn, reading, textOf } from './arguments.ts';
import { hide } from './clock.ts';
import type { Outbox } from './outbox.ts';
import {
  after,
  append,
  apply,
  Bytes,
  isArray,
  keysOf as keys,
  NativeTypeError,
  setBytes,
  toText as text,
} from './primordials.ts';
import { makePromise, touch } from './promise.ts';
import { reserveMethods } from './reserved.ts';
import { REDIRECT_MODES, type RedirectMode } from './wall/commands.ts';
import type { Delivery } from './wall/deliveries.ts';
import type { HttpHeader } from './wall/fields.ts';
import type { AbortSignal } from './web/abort.ts';
import { loadedWeb, loadWeb } from './web.ts';

// As they were before scripts could patch them.
const { create } = Object;
const { parse } = JSON;
const Memory = ArrayBuffer;
const { toLowerCase, indexOf, slice } = String.prototype;
const { sort } = Array.prototype;

/** What `fetch` rejects with. As the standard has it, a TypeError: with a code of Stagewire's. */
export class FetchError extends TypeError {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    hide(this, 'name', 'FetchError');
    this.code = code;
  }
}

hide(FetchError, 'name', 'FetchError');

/** An answer for those who know no promises. */
export type Answer = { status: number; text: string; bytes: number } | { error: unknown };

interface Pending {
  resolve(answer: Fetched): void;
  reject(reason: unknown): void;
  /** Nobody need tell that it was given up. */
  forget(): void;
  /** Knows the line of the script that called. */
  site: Error;
}

export type Fetched = Extract<Delivery, { kind: 'fetched' }>;

/** `fetch`: requests that the host makes for the script, and who waits for them. */
export class Fetches {
  readonly #outbox: Outbox;
  readonly #max: number;
  readonly #maxBytes: number;
  readonly #pending: Record<number, Pending> = create(null);
  #count = 0;
  #nextRequest = 1;

  constructor(outbox: Outbox, max: number, maxBytes: number) {
    this.#outbox = outbox;
    this.#max = max;
    this.#maxBytes = maxBytes;
  }

  /** How many answers the script waits for. */
  get waiting(): number {
    return this.#count;
  }

  /** What a request may measure. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  install(global: typeof globalThis): void {
    hide(global, 'fetch', (url: unknown, init?: unknown) => this.#fetch(url, init));
  }

  /** The answer arrived. Its body is a view: what is kept of it is copied. */
  settle(answer: Fetched): void {
    const pending = this.#take(answer.request);
    if (!pending) return;
    touch();
    pending.resolve(answer);
  }

  /** There will be no answer, and `message` says why. */
  fail(request: number, code: string, message: string): void {
    const pending = this.#take(request);
    if (!pending) return;
    touch();
    const error = new FetchError(code, message);
    // Made here, it would not know the author's line.
    const stack = text(pending.site.stack);
    hide(
      error,
      'stack',
      `FetchError: ${message}\n${apply(slice, stack, [apply(indexOf, stack, ['\n']) + 1])}`,
    );
    pending.reject(error);
  }

  /** For the runtime's own: `done` hears how it ended, at once when it cannot begin. */
  request(
    url: string,
    init: { method: string; headers: HttpHeader[]; body: string },
    done: (answer: Answer) => void,
  ): void {
    const error = this.#start(
      url,
      { ...init, body: bodyOf(init.body), redirect: 'follow', timeoutMs: 0 },
      undefined,
      {
        resolve: ({ status, body }) => done({ status, text: decode(body), bytes: body.length }),
        reject: (reason) => done({ error: reason }),
      },
    );
    if (error) done({ error });
  }

  /**
   * As `request`, of bytes, with the whole answer, or else why there is none. The answer's body is a view. Returns what
   * gives it up: `done` hears nothing then.
   */
  exchange(
    url: string,
    headers: HttpHeader[],
    body: Uint8Array,
    done: (answer: Fetched | undefined, error: unknown) => void,
  ): () => void {
    const request = this.#nextRequest;
    const options: Omit<Options, 'signal'> = {
      method: 'POST',
      headers,
      body,
      redirect: 'follow',
      timeoutMs: 0,
    };
    const error = this.#start(url, options, undefined, {
      resolve: (answer) => done(answer, undefined),
      reject: (reason) => done(undefined, reason),
    });
    if (error) done(undefined, error);
    return () => {
      if (this.#take(request)) this.#outbox.send({ kind: 'unfetch', request });
    };
  }

  #fetch(input: unknown, init: unknown): Promise<Response> {
    return makePromise<Response>((resolve, reject) => {
      const url = urlOf(input);
      const { signal, ...options } = optionsOf(init);
      const { isAborted, reason } = signal ? loadWeb().signalState(signal) : NOT_ABORTED;
      if (isAborted) return reject(reason);
      const error = this.#start(url, options, signal, {
        resolve: (answer) => resolve(new Response(answer)),
        reject,
      });
      if (error) reject(error);
    });
  }

  /** Returns why it cannot begin. */
  #start(
    url: string,
    options: Omit<Options, 'signal'>,
    signal: AbortSignal | undefined,
    { resolve, reject }: Pick<Pending, 'resolve' | 'reject'>,
  ): FetchError | undefined {
    if (this.#count >= this.#max) {
      const message = `fetch: ${this.#max} are under way, and that is the limit (limits.fetches)`;
      return new FetchError('E_FETCH_TOO_MANY', message);
    }
    const { length } = options.body;
    if (length > this.#maxBytes) {
      const message = `fetch: the body has ${length} bytes, more than the ${this.#maxBytes} of limits.fetchBytes`;
      return new FetchError('E_FETCH_TOO_LARGE', message);
    }
    const request = this.#nextRequest++;
    this.#outbox.send({ kind: 'fetch', request, url, ...options });
    const giveUp = () => {
      if (!this.#take(request)) return;
      touch();
      this.#outbox.send({ kind: 'unfetch', request });
      reject(loadWeb().signalState(signal!).reason);
    };
    const forget = signal ? loadWeb().watchSignal(signal, giveUp) : () => {};
    this.#pending[request] = { resolve, reject, forget, site: new Error() };
    this.#count++;
    return undefined;
  }

  #take(request: number): Pending | undefined {
    const pending = this.#pending[request];
    if (!pending) return undefined;
    delete this.#pending[request];
    this.#count--;
    pending.forget();
    return pending;
  }
}

/** Headers of an answer, by lower-case name; what came several times is joined, as the standard does. */
class Headers {
  readonly #values: Record<string, string> = create(null);
  readonly #names: string[] = [];
  readonly #cookies: string[] = [];

  constructor(headers: readonly HttpHeader[]) {
    for (let i = 0; i < headers.length; i++) {
      const name = headers[i]![0];
      const value = headers[i]![1];
      const before = this.#values[name];
      if (before === undefined) this.#names[this.#names.length] = name;
      this.#values[name] = before === undefined ? value : `${before}, ${value}`;
      if (name === 'set-cookie') this.#cookies[this.#cookies.length] = value;
    }
    apply(sort, this.#names, []);
  }

  get(name: string): string | null {
    return this.#find('headers.get', name) ?? null;
  }

  has(name: string): boolean {
    return this.#find('headers.has', name) !== undefined;
  }

  #find(member: string, name: unknown): string | undefined {
    return this.#values[apply(toLowerCase, textOf(member, name), [])];
  }

  getSetCookie(): string[] {
    return after(this.#cookies, 0) as string[];
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    if (typeof callback !== 'function')
      throw new NativeTypeError(`headers.forEach: expected a function, got ${show(callback)}`);
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i]!;
      apply(callback, self, [this.#values[name]!, name, this]);
    }
  }

  *keys(): Generator<string> {
    for (let i = 0; i < this.#names.length; i++) yield this.#names[i]!;
  }

  *values(): Generator<string> {
    for (let i = 0; i < this.#names.length; i++) yield this.#values[this.#names[i]!]!;
  }

  *entries(): Generator<[string, string]> {
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i]!;
      yield [name, this.#values[name]!];
    }
  }

  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries();
  }
}

/** What `fetch` resolves with: an answer that is complete. */
class Response {
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  /** The last one, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: Headers;
  #body: Uint8Array | undefined;

  constructor({ status, statusText, url, isRedirected, headers, body }: Fetched) {
    this.ok = status >= 200 && status < 300;
    this.status = status;
    this.statusText = statusText;
    this.url = url;
    this.redirected = isRedirected;
    this.headers = new Headers(headers);
    this.#body = new Bytes(new Memory(body.length));
    setBytes(this.#body, body, 0);
  }

  get bodyUsed(): boolean {
    return this.#body === undefined;
  }

  text(): Promise<string> {
    return this.#read('text', decode);
  }

  json(): Promise<unknown> {
    return this.#read('json', (body) => parse(decode(body)));
  }

  bytes(): Promise<Uint8Array> {
    return this.#read('bytes', (body) => body);
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#read('arrayBuffer', (body) => body.buffer as ArrayBuffer);
  }

  #read<T>(member: string, take: (body: Uint8Array) => T): Promise<T> {
    return makePromise<T>((resolve) => {
      const body = this.#body;
      if (!body)
        throw new NativeTypeError(`response.${member}: the body was read before, and can be read once`);
      this.#body = undefined;
      resolve(take(body));
    });
  }
}

for (const { prototype } of [Headers, Response]) reserveMethods(prototype);

/** UTF-8 as the standard decodes bodies: without the byte order mark. */
function decode(body: Uint8Array): string {
  const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return decodeUtf8(body, hasMark ? 3 : 0, body.length);
}

function urlOf(input: unknown): string {
  if (typeof input === 'string') return input;
  const href =
    typeof input === 'object' && input !== null
      ? reading('fetch', () => (input as { href?: unknown }).href)
      : undefined;
  if (typeof href === 'string') return href; // a URL class that the application brought along
  throw new NativeTypeError(`fetch: expected a URL as text, got ${show(input)}`);
}

const NOT_ABORTED = { isAborted: false, reason: undefined };

interface Options {
  signal: AbortSignal | undefined;
  method: string;
  headers: HttpHeader[];
  body: Uint8Array;
  redirect: RedirectMode;
  timeoutMs: number;
}

function optionsOf(init: unknown): Options {
  if (init !== undefined && init !== null && typeof init !== 'object')
    throw new NativeTypeError(`fetch: expected an object with options, got ${show(init)}`);
  const {
    method = 'GET',
    headers,
    body,
    redirect = 'follow',
    timeoutMs,
    signal,
  } = reading('fetch', () => {
    const { method, headers, body, redirect, timeoutMs, signal } = (init ?? {}) as Record<string, unknown>;
    return { method, headers, body, redirect, timeoutMs, signal };
  });
  if (typeof method !== 'string')
    throw new NativeTypeError(`fetch: method: expected text, got ${show(method)}`);
  let mode: RedirectMode | undefined;
  for (let i = 0; i < REDIRECT_MODES.length; i++) {
    if (REDIRECT_MODES[i] === redirect) mode = REDIRECT_MODES[i];
  }
  if (!mode)
    throw new NativeTypeError(
      `fetch: redirect: expected "follow", "error" or "manual", got ${show(redirect)}`,
    );
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs > 0))
    throw new NativeTypeError(`fetch: timeoutMs: expected a number above 0, got ${show(timeoutMs)}`);
  if (signal !== undefined && signal !== null && !loadWeb().isSignal(signal))
    throw new NativeTypeError(`fetch: signal: expected an AbortSignal, got ${show(signal)}`);
  const list = headersOf(headers);
  const web = loadedWeb();
  const form = web?.isSearchParams(body) ? web.paramsText(body) : undefined;
  if (form !== undefined) addContentType(list, 'application/x-www-form-urlencoded;charset=UTF-8');
  else if (typeof body === 'string') addContentType(list, 'text/plain;charset=UTF-8');
  return {
    method,
    headers: list,
    body: bodyOf(form ?? body),
    redirect: mode,
    timeoutMs: timeoutMs ?? 0,
    signal: (signal ?? undefined) as AbortSignal | undefined,
  };
}

function addContentType(headers: HttpHeader[], type: string): void {
  for (let i = 0; i < headers.length; i++) {
    if (apply(toLowerCase, headers[i]![0], []) === 'content-type') return;
  }
  headers[headers.length] = ['content-type', type];
}

function bodyOf(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Bytes(0);
  if (typeof body === 'string') {
    const writer = new ByteWriter(body.length);
    writer.utf8(body);
    return writer.view;
  }
  const bytes = bytesIn(body);
  if (bytes) return bytes;
  throw new NativeTypeError(
    `fetch: body: expected text, an ArrayBuffer, a typed array or URLSearchParams, got ${show(body)}; JSON.stringify makes text of values`,
  );
}

/** An object, pairs, or anything with `forEach` as `Headers` has it. */
function headersOf(headers: unknown): HttpHeader[] {
  const list: HttpHeader[] = [];
  if (headers === undefined || headers === null) return list;
  if (typeof headers !== 'object')
    throw new NativeTypeError(`fetch: headers: expected an object or pairs, got ${show(headers)}`);
  const pairs = reading('fetch: headers', () => pairsIn(headers));
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!;
    if (pair.length !== 2)
      throw new NativeTypeError(`fetch: headers: expected pairs of name and value, got ${show(pair[0])}`);
    const name = pair[0];
    const value = pair[1];
    if (typeof name !== 'string')
      throw new NativeTypeError(`fetch: headers: a name is text, not ${show(name)}`);
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new NativeTypeError(`fetch: headers: "${name}": expected text, got ${show(value)}`);
    append(list, [name, text(value)]);
  }
  return list;
}

/** What is no pair stands alone. */
function pairsIn(headers: object): unknown[][] {
  const pairs: unknown[][] = [];
  if (isArray(headers)) {
    for (let i = 0; i < headers.length; i++) {
      const pair = headers[i];
      append(pairs, isArray(pair) && pair.length === 2 ? [pair[0], pair[1]] : [pair]);
    }
  } else if (typeof (headers as Partial<Headers>).forEach === 'function') {
    (headers as Headers).forEach((value, name) => {
      append(pairs, [name, value]);
    });
  } else {
    const names = keys(headers);
    for (let i = 0; i < names.length; i++)
      append(pairs, [names[i], (headers as Record<string, unknown>)[names[i]!]]);
  }
  return pairs;
}

/** The value seen, for a message. */
function show(value: unknown): string {
  if (typeof value === 'string') return `"${apply(slice, value, [0, 100])}"`;
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return text(value);
  return isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

// What scripts print should not be called what the bundle calls it.
hide(Headers, 'name', 'Headers');
hide(Response, 'name', 'Response');
