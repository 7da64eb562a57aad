import { createServer, type Server } from 'node:net';
import { systemClock } from '../base/clock.ts';
import type { StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { LogBudget } from '../base/log-budget.ts';
import type { ByteStream } from './byte-stream.ts';
import { RtmpConnection } from './connection.ts';
import type { Lobby } from './ports.ts';
import { Session } from './session.ts';

const TICK_MS = 1000;
/** What is printed in a second about peers that are refused or dropped: they come back as often as they like. */
const MAX_NEWS_BYTES = 16 * 1024;

/** Accepts RTMP connections and gives each a session. */
export class RtmpListener {
  readonly #server: Server;
  readonly #lobby: Lobby;
  readonly #limits: Limits;
  readonly #log: Log;
  readonly #budget: LogBudget;
  readonly #connections = new Set<RtmpConnection>();
  readonly #perAddress = new Map<string, number>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(lobby: Lobby, limits: Limits, log: Log) {
    this.#lobby = lobby;
    this.#limits = limits;
    this.#log = log;
    this.#budget = new LogBudget({ bytesPerSecond: () => MAX_NEWS_BYTES, log, clock: systemClock });
    this.#server = createServer((socket) => this.accept(socket, false));
  }

  get connections(): number {
    return this.#connections.size;
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

  /** Serves whoever is at the other end, or destroys the stream when there are too many. */
  accept(socket: ByteStream, isSecure: boolean): void {
    const address = socket.remoteAddress ?? '';
    const fromThere = this.#perAddress.get(address) ?? 0;
    const { connections, connectionsPerAddress } = this.#limits;
    if (
      this.#connections.size >= connections ||
      (connectionsPerAddress > 0 && fromThere >= connectionsPerAddress)
    ) {
      const news = `${address} is refused: ${this.#connections.size} connections, ${fromThere} from there`;
      if (this.#budget.takes(news)) this.#log.warn(news, { code: 'E_TOO_MANY_CONNECTIONS' });
      socket.destroy();
      return;
    }
    this.#perAddress.set(address, fromThere + 1);

    const peer = `${address}:${socket.remotePort ?? 0}`;
    const onDrop = ({ blame, code, message }: StagewireError) => {
      if (!this.#budget.takes(message)) return;
      if (blame === 'peer') this.#log.warn(`${peer} is dropped, its own fault: ${message}`, { code });
      else this.#log.error(`${peer} is dropped by a bug of the server`, { code, detail: message });
    };
    const connection: RtmpConnection = new RtmpConnection(
      socket,
      isSecure,
      this.#limits,
      onDrop,
      (transport) => {
        return new Session(transport, this.#lobby, this.#limits, () => connection.announceChunkSize());
      },
    );
    this.#connections.add(connection);
    socket.on('close', () => {
      this.#connections.delete(connection);
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    });
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}
