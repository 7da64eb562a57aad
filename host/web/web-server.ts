import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Certificate } from '../base/certificate.ts';
import type { Limits } from '../base/limits.ts';
import type { Tunnels } from '../rtmp/tunnel/tunnels.ts';
import type { FlvServer } from './flv/server.ts';
import { answerOnce } from './one-request.ts';
import type { PageServer } from './pages/server.ts';
import type { SocketServer } from './socket/server.ts';

type WebLimits = Pick<Limits, 'httpConnections' | 'handshakeMs'>;

/** Who answers what. */
export interface Doors {
  readonly flv: FlvServer;
  readonly sockets: SocketServer;
  readonly tunnels: Tunnels;
  readonly pages: PageServer;
  /** Whatever is for nobody else. */
  readonly api: RequestListener;
}

/** How long a request may take to arrive. */
const REQUEST_MS = 10_000;

/**
 * Takes HTTP connections: one request each, for the API, a page or a stream, those that carry tunnels, and WebSockets. Who
 * watches a stream or has a WebSocket is a client like those of RTMP and is counted with them; the others are bounded here.
 */
export class WebServer {
  readonly #doors: Doors;
  readonly #limits: WebLimits;
  readonly #servers: Server[] = [];
  /** Connections, viewers included. */
  #open = 0;

  constructor(doors: Doors, limits: WebLimits) {
    this.#doors = doors;
    this.#limits = limits;
  }

  /** Resolves with the port; rejects with Node's error when it cannot listen. With a certificate it speaks TLS. */
  listen(host: string, port: number, certificate?: Certificate): Promise<number> {
    const options = {
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1000,
      // Whoever asks for what we do not know gets the plain answer.
      shouldUpgradeCallback: (request: IncomingMessage) => this.#doors.sockets.upgrades(request),
    };
    const { handshakeMs } = this.#limits;
    const server = certificate
      ? createSecureServer({ ...options, ...certificate.pair, handshakeTimeout: handshakeMs })
      : createServer(options);
    if (server instanceof TlsServer) certificate?.serve(server);
    this.#servers.push(server);
    server.prependListener('connection', (socket: Socket) => this.#count(socket));
    answerOnce(server, certificate ? 'secureConnection' : 'connection');
    server.on('request', (request, response) => {
      if (this.#doors.flv.takes(request)) this.#doors.flv.handle(request, response);
      else if (this.#doors.pages.takes(request)) this.#doors.pages.handle(request, response);
      else void this.#doors.api(request, response);
    });
    server.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => {
      if (this.#doors.flv.upgrades(request)) this.#doors.flv.upgrade(request, head);
      else if (this.#doors.sockets.upgrades(request)) this.#doors.sockets.upgrade(request, head);
      else request.socket.destroy();
    });
    // After all who listen for connections: those that a tunnel begins on are not for them.
    this.#doors.tunnels.shareServer(server, this.#limits.httpConnections);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  close(): void {
    this.#doors.flv.close();
    this.#doors.sockets.close();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #count(socket: Socket): void {
    const clients = this.#doors.flv.count + this.#doors.sockets.count + this.#doors.tunnels.secureLinks;
    if (this.#open - clients >= this.#limits.httpConnections) {
      socket.destroy();
      return;
    }
    this.#open++;
    socket.once('close', () => this.#open--);
  }
}
