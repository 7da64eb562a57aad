import type { Command } from '../../runtime/wall/commands.ts';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { HttpHeader } from '../../runtime/wall/fields.ts';
import type { Clock } from '../base/clock.ts';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import { type Resolve, resolveName } from '../base/lookup.ts';
import { isPublicAddress } from '../base/public-address.ts';
import { trim } from '../base/trim.ts';
import { describeUrl, type FetchHosts } from './fetch-hosts.ts';
import { type HttpAnswer, MAX_HEADER_BYTES, MAX_HEADERS, sendRequest, tooLarge } from './http-exchange.ts';

export type FetchCommand = Extract<Command, { kind: 'fetch' }>;
export type FetchOutcome = Extract<Delivery, { kind: 'fetched' | 'unfetched' }>;

export interface FetcherOptions {
  hosts: FetchHosts;
  limits: Pick<Limits, 'fetches' | 'fetchBytes' | 'fetchMs'>;
  clock: Clock;
  /** Called once for each command, until the fetcher is closed. */
  onOutcome(outcome: FetchOutcome): void;
  /** The addresses of a name. Default: what DNS says. */
  resolve?: Resolve;
  /** Whether a name may lead to an address. Default: those of the public internet. */
  isPublic?: (address: string) => boolean;
}

const MAX_REDIRECTS = 5;
const MAX_URL = 8192;
const REDIRECTS = [301, 302, 303, 307, 308];
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** As the fetch standard normalises them; others keep their case. */
const COMMON_METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];
const FORBIDDEN_METHODS = ['CONNECT', 'TRACE', 'TRACK'];
/** How a message is framed and where it goes is the host's business. */
const FORBIDDEN_HEADERS = new Set(
  'connection content-length expect host http2-settings keep-alive proxy-connection te trailer transfer-encoding upgrade via'.split(
    ' ',
  ),
);
/** What describes a body goes with it (fetch standard, "request-body-header name"). */
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-location', 'content-type'];

const VIA = '1.1 stagewire';

interface UnderWay {
  readonly request: number;
  readonly abort: AbortController;
}

/** What a script's `fetch` asks for, done by the host: checked, bounded, and ended with the script. */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #resolve: Resolve;
  readonly #isPublic: (address: string) => boolean;
  readonly #underWay = new Set<UnderWay>();
  #isClosed = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#resolve = options.resolve ?? resolveName;
    this.#isPublic = options.isPublic ?? isPublicAddress;
  }

  start(command: FetchCommand): void {
    if (this.#isClosed) return;
    const { limits } = this.#options;
    if (this.#underWay.size >= limits.fetches) {
      const message = `fetch: ${limits.fetches} are under way, and that is the limit (limits.fetches)`;
      return this.#tell(unfetched(command, new StagewireError('E_FETCH_TOO_MANY', 'app', message)));
    }
    const abort = new AbortController();
    const underWay = { request: command.request, abort };
    this.#underWay.add(underWay);
    // The body is a view of a batch of commands: it is not ours for longer than this call.
    const own = { ...command, body: new Uint8Array(command.body) };
    void this.#attempt(own, abort).then((outcome) => {
      if (this.#underWay.delete(underWay)) this.#tell(outcome);
    });
  }

  /** Nobody waits for it any more, and nobody hears of it: there is room for another at once. */
  cancel(request: number): void {
    for (const underWay of this.#underWay) {
      if (underWay.request !== request) continue;
      this.#underWay.delete(underWay);
      underWay.abort.abort(new Error('the script has given it up'));
    }
  }

  /** Ends everything that is under way; nobody hears of it. May be called twice. */
  close(): void {
    this.#isClosed = true;
    for (const { abort } of this.#underWay) abort.abort(new Error('the script has ended'));
  }

  #tell(outcome: FetchOutcome): void {
    if (!this.#isClosed) this.#options.onOutcome(outcome);
  }

  /** Never rejects, never outlasts its time, and leaves no connection behind. */
  async #attempt(command: FetchCommand, abort: AbortController): Promise<FetchOutcome> {
    const { clock, limits } = this.#options;
    const ms = command.timeoutMs > 0 ? Math.min(command.timeoutMs, limits.fetchMs) : limits.fetchMs;
    const timer = clock.setTimer(() => abort.abort(tooLate(command.url, ms)), ms);
    const { signal } = abort;
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    try {
      return await Promise.race([this.#run(command, signal), aborted]);
    } catch (error) {
      return unfetched(command, signal.aborted ? signal.reason : error);
    } finally {
      clock.clearTimer(timer);
      abort.abort();
    }
  }

  async #run(command: FetchCommand, signal: AbortSignal): Promise<FetchOutcome> {
    const { hosts, limits } = this.#options;
    const bounds = { maxBytes: limits.fetchBytes, signal, resolve: this.#resolve, isPublic: this.#isPublic };
    const first = firstHop(command, limits.fetchBytes);
    let hop = first;
    for (let redirects = 0; ; redirects++) {
      try {
        hosts.check(hop.url);
        const answer = await sendRequest({ ...hop, ...bounds });
        const location = command.redirect === 'manual' ? undefined : locationOf(answer);
        if (location === undefined) {
          const { status, statusText, headers } = answer;
          const { request } = command;
          const url = hop.url.href.replace(/#.*/, '');
          const body = await answer.read();
          return {
            kind: 'fetched',
            request,
            status,
            statusText,
            url,
            isRedirected: redirects > 0,
            headers,
            body,
          };
        }
        answer.drop();
        if (command.redirect === 'error')
          throw new Error(`it redirects to ${printable(location, 200)}, and redirect is "error"`);
        if (redirects === MAX_REDIRECTS) throw new Error(`more than ${MAX_REDIRECTS} redirects`);
        hop = nextHop(hop, answer.status, location);
      } catch (error) {
        throw explain(error, hop.url, redirects > 0 ? first.url : undefined);
      }
    }
  }
}

/** What one server is asked for. */
interface Hop {
  url: URL;
  method: string;
  headers: ReadonlyMap<string, string>;
  body: Uint8Array;
}

/** Reads what the script asked for. Throws `E_FETCH_INVALID` with the value seen. */
function firstHop(command: FetchCommand, maxBytes: number): Hop {
  const url = URL.parse(command.url);
  if (command.url.length > MAX_URL)
    throw invalid(`a URL of ${command.url.length} characters; ${MAX_URL} are allowed`);
  if (!url)
    throw invalid(`"${printable(command.url, 100)}" is no absolute URL, such as https://api.example.com/`);

  const upper = command.method.toUpperCase();
  const method = COMMON_METHODS.includes(upper) ? upper : command.method;
  if (!TOKEN.test(method) || method.length > 40) throw invalid(`"${printable(method, 40)}" is no method`);
  if (FORBIDDEN_METHODS.includes(upper)) throw invalid(`the method ${upper} cannot be used`);
  const { body } = command;
  if (body.length > 0 && (method === 'GET' || method === 'HEAD')) throw invalid(`${method} has no body`);
  if (body.length > maxBytes)
    throw tooLarge(url, `the body has ${body.length} bytes, more than the ${maxBytes} of limits.fetchBytes`);
  return { url, method, headers: requestHeaders(command.headers), body };
}

function requestHeaders(list: readonly HttpHeader[]): Map<string, string> {
  if (list.length > MAX_HEADERS) throw invalid(`${list.length} headers; ${MAX_HEADERS} are allowed`);
  const headers = new Map([
    ['accept', '*/*'],
    ['accept-encoding', 'gzip, deflate, br'],
    ['user-agent', 'stagewire'],
    // Nobody shall take a script's request for one of this machine's own (RFC 9110, section 7.6.3).
    ['via', VIA],
  ]);
  const own = new Map<string, string>();
  let bytes = 0;
  for (const [key, text] of list) {
    const name = key.toLowerCase();
    const value = trim(text, '\t\n\r ');
    if (!TOKEN.test(name)) throw invalid(`"${printable(key, 100)}" is no name of a header`);
    if (FORBIDDEN_HEADERS.has(name)) throw invalid(`the header "${name}" is set by the server: leave it out`);
    if (!FIELD_VALUE.test(value))
      throw invalid(`the header "${name}" cannot have the value "${printable(value, 100)}"`);
    bytes += name.length + value.length + 4;
    const before = own.get(name);
    own.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
  }
  if (bytes > MAX_HEADER_BYTES) throw invalid(`${bytes} bytes of headers; ${MAX_HEADER_BYTES} are allowed`);
  for (const [name, value] of own) headers.set(name, value);
  return headers;
}

/** Where a redirect leads; undefined for any other answer. */
function locationOf({ status, headers }: HttpAnswer): string | undefined {
  return REDIRECTS.includes(status) ? headers.find(([name]) => name === 'location')?.[1] : undefined;
}

/** The request that a redirect asks for (fetch standard, "HTTP-redirect fetch"). */
function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = URL.parse(location, hop.url.href);
  if (!url) throw new Error(`it redirects to "${printable(location, 200)}", which is no URL`);
  const headers = new Map(hop.headers);
  if (url.origin !== hop.url.origin) {
    for (const name of [...headers.keys()]) {
      if (name === 'authorization' || name === 'cookie' || name.startsWith('proxy-')) headers.delete(name);
    }
  }
  const { method, body } = hop;
  const isPostMoved = (status === 301 || status === 302) && method === 'POST';
  const isSeeOther = status === 303 && method !== 'GET' && method !== 'HEAD';
  if (!isPostMoved && !isSeeOther) return { url, method, headers, body };
  for (const name of BODY_HEADERS) headers.delete(name);
  return { url, method: 'GET', headers, body: new Uint8Array(0) };
}

/** As an error for the script, which names the URL and the one that it asked for. */
function explain(error: unknown, url: URL, first: URL | undefined): StagewireError {
  const from = first ? ` (redirected from ${describeUrl(first)})` : '';
  if (error instanceof StagewireError)
    return new StagewireError(error.code, 'app', `${error.message}${from}`);
  return failed(`fetch ${describeUrl(url)}: ${reasonOf(error)}${from}`);
}

/** Some errors of sockets have a code and no text: those of several addresses that were tried. */
function reasonOf(error: unknown): string {
  const { code = '', message = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return printable(message === '' ? code || describeError(error) : message, 300);
}

function tooLate(text: string, ms: number): StagewireError {
  const url = URL.parse(text);
  const what = `no complete answer within ${ms} ms (timeoutMs of the call, or limits.fetchMs)`;
  return new StagewireError('E_FETCH_TIMEOUT', 'app', `fetch ${url ? describeUrl(url) : ''}: ${what}`);
}

function invalid(what: string): StagewireError {
  return new StagewireError('E_FETCH_INVALID', 'app', `fetch: ${what}`);
}

function failed(message: string): StagewireError {
  return new StagewireError('E_FETCH_FAILED', 'app', message);
}

function unfetched({ request }: FetchCommand, error: unknown): FetchOutcome {
  const { code, message } =
    error instanceof StagewireError ? error : failed(`fetch: ${describeError(error, 300)}`);
  return { kind: 'unfetched', request, code, message };
}
