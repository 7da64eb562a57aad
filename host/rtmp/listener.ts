import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import type { Certificate } from '../base/certificate.ts';
import type { Connections } from '../base/connections.ts';
import { StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { ByteStream } from './byte-stream.ts';
import { type MessageHandler, RtmpConnection } from './connection.ts';
import type { Framing } from './framing.ts';
import type { AppAddress } from './names.ts';
import type { Lobby } from './ports.ts';
import { Session } from './session.ts';

const TICK_MS = 1000;

/** Who else than clients may connect: given a connection, and who serves it when it is a client's. */
export type Door = (connection: RtmpConnection, client: MessageHandler) => MessageHandler;

/** Accepts RTMP connections, over TCP or TLS, and gives each a session. */
export class RtmpListener {
  readonly #server: Server;
  readonly #lobby: Lobby;
  readonly #limits: Limits;
  readonly #log: Log;
  readonly #all: Connections;
  readonly #connections = new Set<RtmpConnection>();
  /** Without it there are clients only. */
  door: Door | undefined;
  #ticker: NodeJS.Timeout | undefined;

  /** `all`: its connections are counted with those of the other listeners. With a certificate it speaks TLS. */
  constructor(lobby: Lobby, limits: Limits, all: Connections, log: Log, certificate?: Certificate) {
    this.#lobby = lobby;
    this.#limits = limits;
    this.#all = all;
    this.#log = log;
    this.#server = certificate ? this.#secure(certificate) : createServer((socket) => this.#serve(socket));
    // Whoever does not even shake hands counts, too.
    this.#server.prependListener('connection', (socket: Socket) => this.#enter(socket));
  }

  /** Resolves with the port; rejects with Node's error when it cannot listen. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', (error) => this.#log.error(`rtmp: ${error.message}`, { error }));
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  /** Accepts nobody any more and ends every connection. */
  close(): void {
    clearInterval(this.#ticker);
    this.#server.close();
    for (const connection of this.#connections) connection.close(0);
  }

  #secure(certificate: Certificate): Server {
    const server = createSecureServer({ ...certificate.pair, handshakeTimeout: this.#limits.handshakeMs });
    certificate.serve(server);
    server.on('secureConnection', (socket) => this.#serve(socket, true));
    server.on('tlsClientError', ({ message }, socket) => {
      const error = new StagewireError('E_TLS', 'peer', `no handshake of TLS: ${message.trim()}`);
      // Of one that is gone, as those are that were refused, there is nothing to say.
      if (socket.remoteAddress !== undefined) this.#all.dropped(peerOf(socket), error);
      socket.destroy();
    });
    return server;
  }

  #enter(socket: Socket): void {
    const leave = this.#all.enter(socket.remoteAddress ?? '');
    if (leave) socket.once('close', leave);
    else socket.destroy();
  }

  /** Serves whoever is at the other end of a stream that came another way; ends it when there are too many. */
  accept(
    stream: ByteStream,
    isSecure: boolean,
    framing?: Framing,
    place?: AppAddress,
  ): RtmpConnection | undefined {
    const leave = this.#all.enter(stream.remoteAddress ?? '');
    if (!leave) {
      if (stream.fail) stream.fail(tooMany());
      else stream.destroy();
      return undefined;
    }
    stream.on('close', leave);
    return this.#serve(stream, isSecure, framing, place);
  }

  #serve(
    stream: ByteStream,
    isSecure = false,
    framing?: Framing,
    place?: AppAddress,
  ): RtmpConnection | undefined {
    if (stream.destroyed) return undefined;
    const peer = peerOf(stream);
    const connection = new RtmpConnection(
      stream,
      isSecure,
      this.#limits,
      (error) => this.#all.dropped(peer, error),
      (made) => {
        const session = new Session(made, this.#lobby, this.#limits, () => made.announceChunkSize());
        return this.door?.(made, session) ?? session;
      },
      framing,
      place,
    );
    this.#connections.add(connection);
    stream.on('close', () => this.#connections.delete(connection));
    return connection;
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}

function tooMany(): StagewireError {
  return new StagewireError(
    'E_TOO_MANY_CONNECTIONS',
    'peer',
    'the server has as many connections as it takes',
  );
}

function peerOf({ remoteAddress = '', remotePort = 0 }: ByteStream): string {
  return `${remoteAddress}:${remotePort}`;
}
