import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Limits } from '../../base/limits.ts';
import type { ByteStream } from '../byte-stream.ts';
import { type Desk, Link } from './link.ts';
import { isOfTunnel } from './request-head.ts';
import { Tunnel } from './tunnel.ts';

const TICK_MS = 1000;
/** How long a connection may take to say whether it is for the tunnels. */
const FIRST_LINE_MS = 10_000;
/** A client may have so many HTTP connections for its one; browsers use two, and six at the most. */
const LINKS_PER_CLIENT = 4;

/** Who serves what comes out of a tunnel. Destroys it at once when there are too many connections. */
interface Acceptor {
  accept(stream: ByteStream, isSecure: boolean): void;
}

/** RTMP through HTTP (RTMPT): all tunnels by id, and the HTTP connections that carry them. */
export class Tunnels implements Desk {
  readonly maxBodyBytes: number;
  readonly maxSilentMs: number;
  readonly #acceptor: Acceptor;
  readonly #limits: Limits;
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #links = new Map<Socket, Link>();
  readonly #perAddress = new Map<string, number>();
  readonly #ticker: NodeJS.Timeout;

  constructor(acceptor: Acceptor, limits: Limits) {
    this.#acceptor = acceptor;
    this.#limits = limits;
    this.maxBodyBytes = limits.mediaMessageBytes * 2;
    this.maxSilentMs = limits.dropSilentMs;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Connections over TLS that carry tunnels: who counts those of the server has them among the others. */
  get secureLinks(): number {
    let count = 0;
    for (const socket of this.#links.keys()) if ('encrypted' in socket) count++;
    return count;
  }

  /**
   * Takes the connections of an HTTP server that begin with a request of a tunnel, until another request comes on one; all
   * others are for those who listened to the server before. `maxSilent` at one time have not said what they want.
   */
  shareServer(server: Server, maxSilent: number): void {
    const event = 'setSecureContext' in server ? 'secureConnection' : 'connection';
    const listeners = server.listeners(event);
    let silent = 0;
    const passOn = (socket: Socket, beginning: Buffer) => {
      socket.unshift(beginning);
      for (const listener of listeners) Reflect.apply(listener, server, [socket]);
      socket.resume();
    };
    server.removeAllListeners(event);
    server.on(event, (socket: Socket) => {
      if (silent >= maxSilent) {
        socket.destroy();
        return;
      }
      silent++;
      const spoken = () => silent--;
      socket.once('close', spoken);
      firstLine(socket, (isTunnels, beginning) => {
        socket.off('close', spoken);
        spoken();
        if (!isTunnels) return passOn(socket, beginning);
        // Proxies and browsers send anything on a connection that is open.
        this.#carry(socket, beginning, (rest) => passOn(socket, rest));
      });
    });
  }

  open(address: string, port: number, isSecure: boolean): { id: string; tunnel: Tunnel } | undefined {
    const tunnel = new Tunnel(address, port, this.maxBodyBytes, this.maxSilentMs);
    this.#acceptor.accept(tunnel.stream, isSecure);
    if (tunnel.stream.destroyed) return undefined;
    const id = randomBytes(16).toString('hex');
    this.#tunnels.set(id, tunnel);
    tunnel.stream.on('close', () => this.#tunnels.delete(id));
    return { id, tunnel };
  }

  find(id: string): Tunnel | undefined {
    const tunnel = this.#tunnels.get(id);
    return tunnel?.stream.destroyed ? undefined : tunnel;
  }

  /** Ends them all. */
  close(): void {
    clearInterval(this.#ticker);
    for (const { stream } of this.#tunnels.values()) stream.destroy();
    for (const socket of this.#links.keys()) socket.destroy();
  }

  #carry(socket: Socket, beginning: Buffer, onOther: (rest: Buffer) => void): void {
    const address = socket.remoteAddress ?? '';
    const fromThere = this.#perAddress.get(address) ?? 0;
    const { connections, connectionsPerAddress } = this.#limits;
    const isTooMany = connectionsPerAddress > 0 && fromThere >= connectionsPerAddress * LINKS_PER_CLIENT;
    if (isTooMany || this.#links.size >= connections * LINKS_PER_CLIENT) {
      socket.destroy();
      return;
    }
    const leave = () => {
      this.#links.delete(socket);
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    };
    this.#perAddress.set(address, fromThere + 1);
    socket.once('close', leave);
    const link = new Link(socket, beginning, this, (rest) => {
      socket.off('close', leave);
      leave();
      onOther(rest);
    });
    this.#links.set(socket, link);
  }

  #tick(): void {
    const now = performance.now();
    for (const link of this.#links.values()) link.tick(now);
    for (const tunnel of this.#tunnels.values()) tunnel.tick(now);
  }
}

/** Reads as much as it takes to tell whose request it is, and leaves the socket paused, without a listener. */
function firstLine(socket: Socket, told: (isTunnels: boolean, beginning: Buffer) => void): void {
  let beginning: Buffer = Buffer.alloc(0);
  const giveUp = () => socket.destroy();
  const timer = setTimeout(giveUp, FIRST_LINE_MS);
  const stop = () => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', giveUp).off('error', giveUp).off('close', stop);
  };
  const onData = (bytes: Buffer) => {
    beginning = Buffer.concat([beginning, bytes]);
    const isTunnels = isOfTunnel(beginning.toString('latin1', 0, 512));
    if (isTunnels === undefined) return;
    stop();
    socket.pause();
    told(isTunnels, beginning);
  };
  socket.on('data', onData).on('end', giveUp).on('error', giveUp).on('close', stop);
}
