import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import type { Connections } from '../../base/connections.ts';
import { StagewireError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import type { Lobby } from '../../rtmp/ports.ts';
import { type FlvAddress, isFlvPath, parseFlvPath, targetOf } from './address.ts';
import {
  type Answer,
  BodyAnswer,
  type Problem,
  refuseUpgrade,
  respond,
  SocketAnswer,
  webSocketOptions,
} from './answer.ts';
import { corsHeaders, mayConnect, preflightHeaders } from './origins.ts';
import { FlvViewer } from './viewer.ts';

const METHODS = 'GET, HEAD, OPTIONS';
const TICK_MS = 1000;
const MAX_HOST = 255;

/** What viewers over HTTP need of the server. */
export interface FlvHouse {
  readonly lobby: Lobby;
  readonly limits: Limits;
  readonly connections: Connections;
  /** Whose pages may play an application's streams; undefined when there is no such application. */
  originsOf(app: string): readonly string[] | undefined;
}

/** Answers `GET /<app>/<instance>/<stream>.flv`, and the same as a WebSocket, with a stream (docs/scripting.md). */
export class FlvServer {
  readonly #house: FlvHouse;
  readonly #webSockets = new WebSocketServer(webSocketOptions);
  readonly #viewers = new Map<FlvViewer, Answer>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(house: FlvHouse) {
    this.#house = house;
  }

  /** Connections that are viewers now. */
  get count(): number {
    return this.#viewers.size;
  }

  /** Whether it is for us to answer. */
  takes(request: IncomingMessage): boolean {
    return isFlvPath(targetOf(request).path);
  }

  /** Whether a request for another protocol is one that we know. */
  upgrades(request: IncomingMessage): boolean {
    return this.takes(request) && request.headers.upgrade?.toLowerCase() === 'websocket';
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const { method = '' } = request;
    const address = addressOf(request);
    const origins = ('app' in address && this.#house.originsOf(address.app)) || [];
    const headers = corsHeaders(request.headers, origins);
    if (method === 'OPTIONS') {
      response.writeHead(204, { Allow: METHODS, ...preflightHeaders(request.headers, origins, METHODS) });
      response.end();
      return;
    }
    const problem = whyNot(request, address);
    if (problem)
      return respond(response, problem, { ...headers, ...(problem.status === 405 && { Allow: METHODS }) });
    if ('status' in address) return respond(response, address, headers);
    if (method === 'HEAD') return this.#head(response, address, headers);
    const refuse = (why: Problem) => respond(response, why, headers);
    this.#admit(request, address, refuse, () => new BodyAnswer(request, response, headers));
  }

  upgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    const address = addressOf(request);
    const origins = ('app' in address && this.#house.originsOf(address.app)) || [];
    const headers = corsHeaders(request.headers, origins);
    const refuse = (why: Problem) => refuseUpgrade(socket, why, headers);
    const problem = whyNotSocket(request, head) ?? whyNot(request, address);
    if (problem) return refuse(problem);
    if ('status' in address) return refuse(address);
    if (!mayConnect(request.headers.origin, targetOf(request).host, origins))
      return refuse(foreign(request.headers.origin));
    this.#admit(request, address, refuse, () => new SocketAnswer(request, this.#webSockets, headers));
  }

  /** Nobody watches any more. */
  close(): void {
    clearInterval(this.#ticker);
    for (const { socket } of this.#viewers.values()) socket.destroy();
  }

  /** What GET would say, as far as it is known without asking the application. */
  #head(response: ServerResponse, { app }: FlvAddress, headers: OutgoingHttpHeaders): void {
    const isThere = this.#house.originsOf(app) !== undefined;
    response.writeHead(isThere ? 200 : 404, {
      ...headers,
      'Content-Type': isThere ? 'video/x-flv' : 'application/json',
      'Cache-Control': 'no-store',
    });
    response.end();
  }

  #admit(
    request: IncomingMessage,
    address: FlvAddress,
    refuse: (why: Problem) => void,
    answer: () => Answer,
  ): void {
    const { socket, headers } = request;
    const { lobby, limits, connections } = this.#house;
    const from = socket.remoteAddress ?? '';
    const leave = connections.enter(from);
    if (!leave) return refuse(tooMany);
    const peer = `${from}:${socket.remotePort ?? 0}`;
    const isSecure = socket instanceof TLSSocket;
    const way = answer();
    const viewer: FlvViewer = new FlvViewer(way, address, isSecure, limits, {
      onDrop: (error) => connections.dropped(peer, error),
      onClose: () => {
        leave();
        this.#viewers.delete(viewer);
        if (this.#viewers.size > 0) return;
        clearInterval(this.#ticker);
        this.#ticker = undefined;
      },
    });
    this.#viewers.set(viewer, way);
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
    const { referer = '', origin = '' } = headers;
    const { host, path } = targetOf(request);
    const scheme = `${way.protocol}${isSecure ? 's' : ''}`;
    viewer.connect(lobby, {
      uri: `${scheme}://${host.slice(0, MAX_HOST)}${path}`,
      agent: headers['user-agent'] ?? '',
      referrer: referer,
      pageUrl: referer === '' ? origin : referer,
    });
  }

  #tick(): void {
    const now = performance.now();
    for (const viewer of this.#viewers.keys()) viewer.tick(now);
  }
}

function addressOf(request: IncomingMessage): FlvAddress | Problem {
  try {
    return parseFlvPath(targetOf(request).path);
  } catch (error) {
    if (!(error instanceof StagewireError)) throw error;
    return { status: 400, code: error.code, description: error.message };
  }
}

function whyNot({ method, headers }: IncomingMessage, address: FlvAddress | Problem): Problem | undefined {
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, code: 'E_METHOD', description: `a stream is played with GET, not ${method}` };
  // What nobody reads would keep us from noticing that the client leaves.
  if ((headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined)
    return { status: 400, code: 'E_BODY', description: 'who asks for a stream sends no body' };
  return 'status' in address ? address : undefined;
}

/** What a WebSocket's handshake must have (RFC 6455, section 4.2.1). */
function whyNotSocket({ headers }: IncomingMessage, head: Buffer): Problem | undefined {
  const key = headers['sec-websocket-key'] ?? '';
  const version = headers['sec-websocket-version'];
  if (/^[+/0-9A-Za-z]{22}==$/.test(key) && (version === '13' || version === '8') && head.length === 0)
    return undefined;
  return {
    status: 400,
    code: 'E_WEBSOCKET',
    description: 'that is no handshake of a WebSocket of version 13',
  };
}

function foreign(origin = ''): Problem {
  const description = `pages of ${origin.slice(0, 100)} may not: "cors" in the application's app.json lists who may`;
  return { status: 403, code: 'E_ORIGIN', description };
}

const tooMany: Problem = {
  status: 503,
  code: 'E_TOO_MANY_CONNECTIONS',
  description: 'The server has as many connections as it takes.',
};
