import { createServer, type Server, type Socket } from 'node:net';
import type { Connections } from '../base/connections.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { RtmpConnection } from './connection.ts';
import type { Lobby } from './ports.ts';
import { Session } from './session.ts';

const TICK_MS = 1000;

/** Accepts RTMP connections and gives each a session. */
export class RtmpListener {
  readonly #server: Server;
  readonly #lobby: Lobby;
  readonly #limits: Limits;
  readonly #log: Log;
  readonly #all: Connections;
  readonly #connections = new Set<RtmpConnection>();
  #ticker: NodeJS.Timeout | undefined;

  /** `all`: its connections are counted with those of the other listeners. */
  constructor(lobby: Lobby, limits: Limits, all: Connections, log: Log) {
    this.#lobby = lobby;
    this.#limits = limits;
    this.#all = all;
    this.#log = log;
    this.#server = createServer((socket) => this.#accept(socket));
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

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const leave = this.#all.enter(address);
    if (!leave) {
      socket.destroy();
      return;
    }
    const peer = `${address}:${socket.remotePort ?? 0}`;
    const connection: RtmpConnection = new RtmpConnection(
      socket,
      false,
      this.#limits,
      (error) => this.#all.dropped(peer, error),
      (transport) => {
        return new Session(transport, this.#lobby, this.#limits, () => connection.announceChunkSize());
      },
    );
    this.#connections.add(connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      leave();
    });
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}
