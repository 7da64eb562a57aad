import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { StagewireError } from '../../../wire/errors.ts';
import { SUBPROTOCOL } from '../../../wire/packets.ts';
import type { Limits } from '../../base/limits.ts';
import type { ByteStream } from '../../rtmp/byte-stream.ts';
import type { RtmpConnection } from '../../rtmp/connection.ts';
import type { Framing } from '../../rtmp/framing.ts';
import { type AppAddress, parseApp } from '../../rtmp/names.ts';
import { decodePath, RESERVED, splitQuery } from '../flv/address.ts';
import { type Problem, refuseUpgrade } from '../flv/answer.ts';
import { mayConnect } from '../flv/origins.ts';
import { pongFrame } from '../frame.ts';
import { PacketFraming } from './framing.ts';
import { CloseCode, LAST_BYTES_MS, reasonOf, WebSocketStream } from './stream.ts';

/** Of a frame beside the largest message in it. */
const MORE_BYTES = 64 * 1024;

/** What may wait for a client whose ping is answered. */
const PONG_QUEUE_BYTES = 16 * 1024;

/** Says why also where `ws` itself closes: for what breaks the rules of WebSockets, or is larger than `maxPayload`. */
class ReasonedWebSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason ?? REASONS[code ?? 0]);
  }
}

const broken = 'E_WEBSOCKET: the frames are not as RFC 6455 has them';
const REASONS: Readonly<Record<number, string>> = {
  [CloseCode.ProtocolError]: broken,
  [CloseCode.NoText]: broken,
  [CloseCode.PolicyViolation]: 'E_WEBSOCKET: a message in too many fragments',
  [CloseCode.TooLarge]: 'E_MESSAGE_TOO_LARGE: a frame is larger than it may be',
};

const options = {
  WebSocket: ReasonedWebSocket,
  noServer: true,
  perMessageDeflate: false,
  clientTracking: false,
  autoPong: false,
  closeTimeout: LAST_BYTES_MS,
  handleProtocols: () => SUBPROTOCOL,
} as const;

/** What clients over WebSocket need of the server. */
export interface SocketHouse {
  readonly limits: Limits;
  /** Serves a connection; undefined when there are too many, which the stream is told. */
  accept(
    stream: ByteStream,
    isSecure: boolean,
    framing: Framing,
    place: AppAddress,
  ): RtmpConnection | undefined;
  /** Whose pages may connect to an application; undefined when there is no such application. */
  originsOf(app: string): readonly string[] | undefined;
}

/** Answers a WebSocket to `/<app>/<instance>` with a session like those of RTMP (docs/websocket.md). */
export class SocketServer {
  readonly #house: SocketHouse;
  readonly #webSockets: WebSocketServer;
  readonly #open = new Set<WebSocket>();

  constructor(house: SocketHouse) {
    this.#house = house;
    const maxPayload = house.limits.mediaMessageBytes + MORE_BYTES;
    this.#webSockets = new WebSocketServer({ ...options, maxPayload });
  }

  /** Connections that are open now. */
  get count(): number {
    return this.#open.size;
  }

  /** Whether a request for another protocol is one that we know. */
  upgrades({ headers, url = '' }: IncomingMessage): boolean {
    return headers.upgrade?.toLowerCase() === 'websocket' && !url.startsWith(RESERVED);
  }

  upgrade(request: IncomingMessage, head: Buffer): void {
    const { socket, url = '' } = request;
    const place = placeOf(url);
    const problem = 'status' in place ? place : whyNot(request, head);
    if (problem) return refuseUpgrade(socket, problem, {});
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      if ('app' in place) this.#serve(request, webSocket, place);
    });
  }

  close(): void {
    for (const webSocket of this.#open) webSocket.terminate();
  }

  #serve({ socket, headers }: IncomingMessage, webSocket: WebSocket, place: AppAddress): void {
    // A page reads why it was closed, and not why a handshake failed.
    if (!mayConnect(headers.origin, headers.host ?? '', this.#house.originsOf(place.app) ?? [])) {
      webSocket.on('error', () => {});
      webSocket.close(CloseCode.PolicyViolation, reasonOf(foreign(headers.origin)));
      setTimeout(() => socket.destroy(), LAST_BYTES_MS).unref();
      return;
    }
    const { limits } = this.#house;
    const largest = Math.max(limits.mediaMessageBytes, limits.commandBytes);
    const stream = new WebSocketStream(webSocket, socket, largest);
    const connection = this.#house.accept(
      stream,
      socket instanceof TLSSocket,
      new PacketFraming(limits),
      place,
    );
    if (!connection) return;
    // Those that are only told why not remain connections of HTTP, which are bounded.
    this.#open.add(webSocket);
    socket.once('close', () => this.#open.delete(webSocket));
    stream.onProblem = (error) => connection.fail(error);
    webSocket.on('pong', () => connection.heardControl());
    webSocket.on('ping', (payload) => {
      connection.heardControl();
      // Who asks and does not read gets no more answers.
      if (connection.queuedBytes < PONG_QUEUE_BYTES) connection.write(pongFrame(payload), 0);
    });
  }
}

function placeOf(target: string): AppAddress | Problem {
  const [path, query] = splitQuery(target);
  try {
    return { ...parseApp(decodePath(path), ''), query };
  } catch (error) {
    if (!(error instanceof StagewireError)) throw error;
    return { status: 400, code: error.code, description: error.message };
  }
}

/** What a handshake must have (RFC 6455, section 4.2.1). */
function whyNot({ method, headers }: IncomingMessage, head: Buffer): Problem | undefined {
  const key = headers['sec-websocket-key'] ?? '';
  if (method !== 'GET' || !/^[+/0-9A-Za-z]{22}==$/.test(key) || headers['sec-websocket-version'] !== '13')
    return badHandshake('that is no handshake of a WebSocket of version 13');
  if (head.length > 0) return badHandshake('something was sent before the handshake was answered');
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (offered.includes(SUBPROTOCOL)) return undefined;
  const seen = offered.join(', ').slice(0, 80);
  return badHandshake(
    `the subprotocol is ${SUBPROTOCOL}, and ${seen === '' ? 'none' : `"${seen}"`} was offered`,
  );
}

function badHandshake(description: string): Problem {
  return { status: 400, code: 'E_WEBSOCKET', description };
}

function foreign(origin = ''): string {
  return `E_ORIGIN: "cors" in app.json must list ${origin.slice(0, 60)}`;
}
