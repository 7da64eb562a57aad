import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import type { HttpHeader } from '../../runtime/wall/fields.ts';
import { ByteWriter } from '../../wire/bytes.ts';
import { StagewireError } from '../base/errors.ts';
import { hostOf, withoutBrackets } from '../base/host-list.ts';
import { checkedLookup, type Lookup } from '../base/lookup.ts';
import { denied, describeUrl } from './fetch-hosts.ts';

/** One request and what bounds its answer. */
export interface HttpRequest extends Lookup {
  /** Checked: see `FetchHosts`. */
  url: URL;
  method: string;
  /** By lower-case name. */
  headers: ReadonlyMap<string, string>;
  body: Uint8Array;
  maxBytes: number;
}

/** An answer whose body is still to come. Either read it or drop it. */
export interface HttpAnswer {
  status: number;
  statusText: string;
  /** Lower-case names, in the order they came. */
  headers: HttpHeader[];
  /** The decoded body. Throws `E_FETCH_TOO_LARGE` for what would exceed `maxBytes`; the connection is gone then. */
  read(): Promise<Uint8Array>;
  drop(): void;
}

export const MAX_HEADERS = 256;
export const MAX_HEADER_BYTES = 32 * 1024;
/** 1xx answers before the answer. */
const MAX_INTERIM = 10;
const MAX_CODINGS = 3;

// One connection for one request: nothing of one application is left for the next, not even a TLS session.
const agents = {
  'http:': new http.Agent({ keepAlive: false }),
  'https:': new https.Agent({ keepAlive: false, maxCachedSessions: 0 }),
};

/** Sends a request over a connection of its own; resolves when the answer's headers are there. */
export function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const { url, method, body } = request;
  const isSecure = url.protocol === 'https:';
  const headers = Object.fromEntries(request.headers);
  if (body.length > 0 || method === 'POST' || method === 'PUT' || method === 'PATCH')
    headers['content-length'] = String(body.length);
  const { request: open } = isSecure ? https : http;
  return new Promise((resolve, reject) => {
    const outgoing = open({
      protocol: url.protocol,
      hostname: withoutBrackets(hostOf(url)),
      port: url.port || (isSecure ? 443 : 80),
      path: url.pathname + url.search,
      method,
      headers,
      agent: agents[isSecure ? 'https:' : 'http:'],
      lookup: checkedLookup(request, (why) =>
        denied(url, `${why}: list the address itself and fetch from that`),
      ),
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      rejectUnauthorized: true, // whatever the environment says
      signal: request.signal,
    });
    outgoing.maxHeadersCount = MAX_HEADERS + 1; // what is beyond it is dropped unseen
    // Destroying it with the error is too late: what one packet brought is all told before.
    const fail = (error: Error) => {
      reject(error);
      outgoing.destroy();
    };
    let interim = 0;
    outgoing.on('information', () => {
      if (++interim > MAX_INTERIM) fail(tooLarge(url, `more than ${MAX_INTERIM} interim answers`));
    });
    outgoing.on('upgrade', (_, socket) => {
      socket.destroy();
      fail(new Error('the server switches protocols, which nobody asked for'));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const isFlood = error.code === 'HPE_HEADER_OVERFLOW';
      reject(isFlood ? tooLarge(url, `more than ${MAX_HEADER_BYTES} bytes of headers`) : error);
    });
    outgoing.on('response', (message) => {
      message.on('error', () => {}); // told to whoever reads it
      if (message.rawHeaders.length / 2 > MAX_HEADERS)
        fail(tooLarge(url, `more than ${MAX_HEADERS} headers`));
      else resolve(answerOf(message, request));
    });
    outgoing.end(body);
  });
}

export function tooLarge(url: URL, what: string): StagewireError {
  return new StagewireError('E_FETCH_TOO_LARGE', 'app', `fetch ${describeUrl(url)}: ${what}`);
}

function answerOf(message: IncomingMessage, { url, method, maxBytes }: HttpRequest): HttpAnswer {
  const headers: HttpHeader[] = [];
  const { rawHeaders } = message;
  for (let i = 0; i < rawHeaders.length; i += 2)
    headers.push([rawHeaders[i]!.toLowerCase(), rawHeaders[i + 1]!]);
  return {
    status: message.statusCode ?? 0,
    statusText: message.statusMessage ?? '',
    headers,
    read: async () => {
      const limit = `more than the ${maxBytes} bytes of limits.fetchBytes`;
      const announced = Number(message.headers['content-length']);
      const hasBody = method !== 'HEAD' && message.statusCode !== 204 && message.statusCode !== 304;
      if (announced > maxBytes && hasBody) {
        message.destroy();
        throw tooLarge(url, `the body is ${limit}: ${announced} bytes`);
      }
      // Copied as it comes: a chunk may be one byte that keeps a large buffer alive.
      const body = new ByteWriter(Math.min(announced || 4096, maxBytes) || 1);
      for await (const chunk of message as AsyncIterable<Uint8Array>) {
        if (body.length + chunk.length > maxBytes) throw tooLarge(url, `the body is ${limit}`);
        body.bytes(chunk);
      }
      const codings = message.headers['content-encoding'] ?? '';
      return decode(body.view, codings, maxBytes).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(url, `the decoded body is ${limit}`);
        throw error;
      });
    },
    drop: () => void message.destroy(),
  };
}

type Decoder = (body: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;

const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  // Some servers leave out the zlib wrapper that RFC 9110, section 8.4.1.2 asks for.
  deflate: (body, options) => promisify((body[0]! & 0x0f) === 8 ? inflate : inflateRaw)(body, options),
};

/** The coding that was applied last comes off first. A coding that nobody asked for stays on. */
async function decode(body: Uint8Array, codings: string, maxBytes: number): Promise<Uint8Array> {
  const names = codings
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length > MAX_CODINGS) throw new Error(`the body is encoded ${names.length} times`);
  let decoded = body;
  for (const name of names.reverse()) {
    const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
    if (!decoder || decoded.length === 0) return decoded;
    decoded = await decoder(decoded, { maxOutputLength: maxBytes });
  }
  return decoded;
}
