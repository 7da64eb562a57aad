import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket, WebSocketServer } from 'ws';
import { type FlvFormat, flvFormats } from './format.ts';

/** Why there is no stream. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly description: string;
}

/** How one viewer is answered, once it is known whether it may watch. */
export interface Answer {
  readonly protocol: 'http' | 'ws';
  readonly socket: Socket;
  readonly format: FlvFormat;
  /** Instead of a stream. */
  refuse(problem: Problem): void;
  /**
   * What is written to the socket from now on is in `format`. False when the client is gone. `isIdle`: nothing waits, so
   * that something else would not come in the middle of it.
   */
  begin(isIdle: () => boolean): boolean;
  /** Says that this was all. */
  end(): void;
}

const FLV_HEADERS = { 'Content-Type': 'video/x-flv', 'Cache-Control': 'no-store' } as const;
/** Of what a viewer sends, which nobody reads. */
const MAX_FRAME = 4096;
const NORMAL_CLOSURE = 1000;
/** How long a client has to take the last bytes. */
export const LAST_BYTES_MS = 1000;

export const webSocketOptions = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_FRAME,
  clientTracking: false,
  autoPong: false,
  closeTimeout: LAST_BYTES_MS,
} as const;

/** The body of a response, written past Node's own framing: what viewers share has its chunks in it. */
export class BodyAnswer implements Answer {
  readonly protocol = 'http';
  readonly socket: Socket;
  readonly format: FlvFormat;
  readonly #response: ServerResponse;
  readonly #headers: OutgoingHttpHeaders;

  constructor(
    { socket, httpVersionMinor }: IncomingMessage,
    response: ServerResponse,
    headers: OutgoingHttpHeaders,
  ) {
    this.socket = socket;
    this.format = httpVersionMinor >= 1 ? flvFormats.chunk : flvFormats.bare;
    this.#response = response;
    this.#headers = headers;
  }

  refuse(problem: Problem): void {
    respond(this.#response, problem, this.#headers);
  }

  begin(): boolean {
    if (this.socket.destroyed) return false;
    this.#response.writeHead(200, { ...this.#headers, ...FLV_HEADERS });
    this.#response.flushHeaders();
    return true;
  }

  end(): void {
    this.socket.end(this.format === flvFormats.chunk ? '0\r\n\r\n' : '');
  }
}

/** A WebSocket, accepted when there is something to see. */
export class SocketAnswer implements Answer {
  readonly protocol = 'ws';
  readonly socket: Socket;
  readonly format = flvFormats.frame;
  readonly #request: IncomingMessage;
  readonly #server: WebSocketServer;
  readonly #headers: OutgoingHttpHeaders;
  #webSocket: WebSocket | undefined;
  /** Who says anything before it is accepted, even goodbye, is out. */
  readonly #tooEarly = () => this.socket.destroy();

  constructor(request: IncomingMessage, server: WebSocketServer, headers: OutgoingHttpHeaders) {
    this.#request = request;
    this.#server = server;
    this.#headers = headers;
    this.socket = request.socket;
    this.socket.on('error', () => {}); // 'close' follows
    this.socket.on('data', this.#tooEarly).on('end', this.#tooEarly);
  }

  refuse(problem: Problem): void {
    this.#release();
    refuseUpgrade(this.socket, problem, this.#headers);
  }

  begin(isIdle: () => boolean): boolean {
    this.#release();
    this.#server.handleUpgrade(this.#request, this.socket, Buffer.alloc(0), (webSocket) => {
      this.#webSocket = webSocket;
      webSocket.on('error', () => {}); // it closes
      // Who asks and does not read gets no more answers.
      webSocket.on('ping', (payload) => {
        if (isIdle()) webSocket.pong(payload);
      });
    });
    return this.#webSocket !== undefined;
  }

  end(): void {
    this.#webSocket?.close(NORMAL_CLOSURE);
  }

  #release(): void {
    this.socket.off('data', this.#tooEarly).off('end', this.#tooEarly);
  }
}

export function respond(response: ServerResponse, problem: Problem, headers: OutgoingHttpHeaders): void {
  const body = bodyOf(problem);
  response.writeHead(problem.status, { ...headers, ...jsonHeaders(body) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

export function refuseUpgrade(socket: Socket, problem: Problem, headers: OutgoingHttpHeaders): void {
  const body = bodyOf(problem);
  const all = { ...headers, ...jsonHeaders(body), Connection: 'close' };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${String(value)}`);
  const first = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`;
  socket.on('error', () => {});
  socket.end(`${[first, ...head].join('\r\n')}\r\n\r\n${body}`);
  socket.resume(); // what is not read would become a reset, and the client would lose the answer
  setTimeout(() => socket.destroy(), LAST_BYTES_MS).unref();
}

function bodyOf({ code, description }: Problem): string {
  return `${JSON.stringify({ code, description })}\n`;
}

function jsonHeaders(body: string): OutgoingHttpHeaders {
  return {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  };
}
