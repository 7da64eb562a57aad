import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { splitQuery } from '../flv/address.ts';
import { contentTypeOf } from './content-types.ts';
import { openPublic } from './public-file.ts';

const zip = promisify(gzip);
/** The server's own addresses: an application of that name has no pages. */
const RESERVED = ['api', 'healthz', 'metrics'];
const METHODS = 'GET, HEAD';
/** Who takes nothing for so long gets no more. */
const STALL_MS = 10_000;
/**
 * Nothing but what comes from this server; media are played from memory (`blob:`), and so runs what those scripts carry for other
 * threads: the encoder of AAC, with WebAssembly, and the AudioWorklet of low latency. Nobody shows the page inside of another.
 */
const PLAYGROUND: OutgoingHttpHeaders = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval' blob:",
    'worker-src blob:',
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "media-src 'self' blob: mediastream:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Referrer-Policy': 'no-referrer',
};
/** They have no secrets, and pages elsewhere need them, too. */
const FOR_ALL_PAGES: OutgoingHttpHeaders = { 'Access-Control-Allow-Origin': '*' };
/** Pages ask whether they have changed: an author saves, and loads again. */
const COMMON: OutgoingHttpHeaders = { 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff' };

export interface PageHouse {
  /** Undefined when there is no such application. */
  folderOf(app: string): string | undefined;
}

/** A file of ours, whole in memory. */
interface OwnFile {
  readonly content: Buffer;
  /** Made beside the event loop: one script has a megabyte. */
  readonly zipped: Promise<Buffer>;
  readonly headers: OutgoingHttpHeaders;
}

/**
 * Serves the client's scripts (`/client.js` and others), the playground at `/`, and what applications have in `public/` as
 * `/<app>/` (docs/client.md).
 */
export class PageServer {
  readonly #house: PageHouse;
  /** By address. */
  readonly #own: ReadonlyMap<string, OwnFile>;

  /** `scripts`: by name, as `client.js`; `playground`: by address. */
  constructor(
    house: PageHouse,
    scripts: ReadonlyMap<string, string>,
    playground: ReadonlyMap<string, string>,
  ) {
    this.#house = house;
    this.#own = new Map([
      ...[...scripts].map(([name, code]) => [`/${name}`, ownFile(name, code, FOR_ALL_PAGES)] as const),
      ...[...playground].map(
        ([path, text]) => [path, ownFile(path === '/' ? 'index.html' : path, text, PLAYGROUND)] as const,
      ),
    ]);
  }

  /** Whether it is for us to answer. */
  takes({ url = '' }: IncomingMessage): boolean {
    const [path] = splitQuery(url);
    return this.#own.has(path) || this.#folderOf(path) !== undefined;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    response.setTimeout(STALL_MS, () => response.destroy());
    const [path, query] = splitQuery(request.url ?? '');
    const folder = this.#folderOf(path);
    const own = this.#own.get(path);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(response, 405, 'E_METHOD', `pages are read with GET, not ${request.method}`, { Allow: METHODS });
    } else if (own) sendOwn(own, request, response);
    else if (folder === undefined) refuse(response, 404, 'E_NOT_FOUND', 'there is no such application');
    else {
      this.#page(request, response, folder, path, query).catch((error: Error) => response.destroy(error));
    }
  }

  async #page(
    request: IncomingMessage,
    response: ServerResponse,
    folder: string,
    path: string,
    query: string,
  ): Promise<void> {
    const names = decoded(path);
    const moved = () => {
      const to = `${path}/${query === '' ? '' : `?${query}`}`;
      response.writeHead(308, { ...COMMON, Location: to, 'Content-Length': 0 }).end();
    };
    // The application alone: its pages have addresses beside it.
    if (names?.length === 1) return moved();
    const [, ...below] = names ?? [];
    if (below.at(-1) === '') below[below.length - 1] = 'index.html';
    const found = names && (await openPublic(folder, below));
    if (found?.is === 'folder') return moved();
    if (!found) return refuse(response, 404, 'E_NOT_FOUND', `${path.slice(0, 200)} is not there`);
    const { file, bytes, changedMs } = found;
    const tag = `"${bytes.toString(36)}-${Math.floor(changedMs * 1000).toString(36)}"`;
    const headers = { ...COMMON, 'Content-Type': contentTypeOf(below.at(-1) ?? ''), ETag: tag };
    if (request.headers['if-none-match'] === tag || request.method === 'HEAD' || bytes === 0) {
      await file.close();
      const status = request.headers['if-none-match'] === tag ? 304 : 200;
      response.writeHead(status, status === 304 ? headers : { ...headers, 'Content-Length': bytes }).end();
      return;
    }
    response.writeHead(200, { ...headers, 'Content-Length': bytes });
    // No more than it had: somebody may be writing to it.
    pipeline(file.createReadStream({ start: 0, end: bytes - 1 }), response, () => {});
  }

  /** Of the application whose name comes first. */
  #folderOf(path: string): string | undefined {
    const [app = ''] = decoded(path) ?? [];
    return RESERVED.includes(app) || this.#own.has(`/${app}`) ? undefined : this.#house.folderOf(app);
  }
}

async function sendOwn(
  { content, zipped, headers }: OwnFile,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.headers['if-none-match'] === headers.ETag) {
    response.writeHead(304, headers).end();
    return;
  }
  const isZipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  const body = isZipped ? await zipped : content;
  response.writeHead(200, {
    ...headers,
    'Content-Length': body.length,
    ...(isZipped && { 'Content-Encoding': 'gzip' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function ownFile(name: string, text: string, more: OutgoingHttpHeaders): OwnFile {
  const content = Buffer.from(text);
  const hash = createHash('sha256').update(content).digest('base64url').slice(0, 16);
  return {
    content,
    zipped: zip(content, { level: 9 }),
    headers: {
      ...COMMON,
      ...more,
      'Content-Type': contentTypeOf(name),
      ETag: `"${hash}"`,
      Vary: 'Accept-Encoding',
    },
  };
}

/** The names in a path; undefined when an escape is broken. */
function decoded(path: string): string[] | undefined {
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  description: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const body = `${JSON.stringify({ code, description })}\n`;
  response.writeHead(status, {
    ...COMMON,
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
