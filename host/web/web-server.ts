import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Certificate } from '../base/certificate.ts';
import type { Limits } from '../base/limits.ts';
import type { Tunnels } from '../rtmp/tunnel/tunnels.ts';
import type { FlvServer } from './flv/server.ts';
import { answerOnce } from './one-request.ts';
import type { SocketServer } from './socket/server.ts';

type WebLimits = Pick<Limits, 'httpConnections' | 'handshakeMs'>;

/** How long a request may take to arrive. */
const REQUEST_MS = 10_000;

/**
 * Takes HTTP connections: one request each, for the API or for a stream, those that carry tunnels, and WebSockets. Who
 * watches a stream or has a WebSocket is a client like those of RTMP and is counted with them; the others are bounded here.
 */
export class WebServer {
  readonly #api: RequestListener;
  readonly #flv: FlvServer;
  readonly #sockets: SocketServer;
  readonly #tunnels: Tunnels;
  readonly #limits: WebLimits;
  readonly #servers: Server[] = [];
  /** Connections, viewers included. */
  #open = 0;

  constructor(
    api: RequestListener,
    flv: FlvServer,
    sockets: SocketServer,
    tunnels: Tunnels,
    limits: WebLimits,
  ) {
    this.#api = api;
    this.#flv = flv;
    this.#sockets = sockets;
    this.#tunnels = tunnels;
    this.#limits = limits;
  }

  /** Resolves with the port; rejects with Node's error when it cannot listen. With a certificate it speaks TLS. */
  listen(host: string, port: number, certificate?: Certificate): Promise<number> {
    const options = {
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1000,
      // Whoever asks for what we do not know gets the plain answer.
      shouldUpgradeCallback: (request: IncomingMessage) => this.#sockets.upgrades(request),
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
      if (this.#flv.takes(request)) this.#flv.handle(request, response);
      else void this.#api(request, response);
    });
    server.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => {
      if (this.#flv.upgrades(request)) this.#flv.upgrade(request, head);
      else if (this.#sockets.upgrades(request)) this.#sockets.upgrade(request, head);
      else request.socket.destroy();
    });
    // After all who listen for connections: those that a tunnel begins on are not for them.
    this.#tunnels.shareServer(server, this.#limits.httpConnections);
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
    this.#flv.close();
    this.#sockets.close();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #count(socket: Socket): void {
    const clients = this.#flv.count + this.#sockets.count + this.#tunnels.secureLinks;
    if (this.#open - clients >= this.#limits.httpConnections) {
      socket.destroy();
      return;
    }
    this.#open++;
    socket.once('close', () => this.#open--);
  }
}
