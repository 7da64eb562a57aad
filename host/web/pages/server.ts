import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { splitQuery } from '../flv/address.ts';
import { contentTypeOf } from './content-types.ts';
import { openPublic } from './public-file.ts';

/** The server's own addresses: an application of that name has no pages. */
const RESERVED = ['api', 'healthz', 'metrics'];
const METHODS = 'GET, HEAD';
/** Who takes nothing for so long gets no more. */
const STALL_MS = 10_000;
/** Pages ask whether they have changed: an author saves, and loads again. */
const COMMON: OutgoingHttpHeaders = { 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff' };

export interface PageHouse {
  /** Undefined when there is no such application. */
  folderOf(app: string): string | undefined;
}

/** A script of ours, whole in memory. */
interface Script {
  readonly code: Buffer;
  readonly zipped: Buffer;
  readonly tag: string;
}

/** Serves the client's scripts (`/client.js` and others), and what applications have in `public/` as `/<app>/` (docs/client.md). */
export class PageServer {
  readonly #house: PageHouse;
  readonly #scripts: ReadonlyMap<string, Script>;

  /** `scripts`: by name, as `client.js`. */
  constructor(house: PageHouse, scripts: ReadonlyMap<string, string>) {
    this.#house = house;
    this.#scripts = new Map([...scripts].map(([name, code]) => [name, scriptOf(code)]));
  }

  /** Whether it is for us to answer. */
  takes({ url = '' }: IncomingMessage): boolean {
    const [path] = splitQuery(url);
    return this.#scripts.has(path.slice(1)) || this.#folderOf(path) !== undefined;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    response.setTimeout(STALL_MS, () => response.destroy());
    const [path, query] = splitQuery(request.url ?? '');
    const folder = this.#folderOf(path);
    const script = this.#scripts.get(path.slice(1));
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(response, 405, 'E_METHOD', `pages are read with GET, not ${request.method}`, { Allow: METHODS });
    } else if (script) sendScript(script, request, response);
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
    return RESERVED.includes(app) || this.#scripts.has(app) ? undefined : this.#house.folderOf(app);
  }
}

function sendScript({ code, zipped, tag }: Script, request: IncomingMessage, response: ServerResponse): void {
  const isZipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  const body = isZipped ? zipped : code;
  const headers = {
    ...COMMON,
    'Content-Type': contentTypeOf('client.js'),
    ETag: tag,
    Vary: 'Accept-Encoding',
    // It has no secrets, and pages elsewhere need it, too.
    'Access-Control-Allow-Origin': '*',
  };
  if (request.headers['if-none-match'] === tag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    'Content-Length': body.length,
    ...(isZipped && { 'Content-Encoding': 'gzip' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function scriptOf(text: string): Script {
  const code = Buffer.from(text);
  const hash = createHash('sha256').update(code).digest('base64url').slice(0, 16);
  return { code, zipped: gzipSync(code, { level: 9 }), tag: `"${hash}"` };
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
