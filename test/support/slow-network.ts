import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a way holds before it stops reading: a small router. */
const ROUTER_BYTES = 16 * 1024;
const TICK_MS = 5;

/** A proxy in front of a server: what goes to the server may be slow, late, or stand still. */
export class SlowNetwork {
  /** In both directions. */
  delayMs = 0;
  isStalled = false;
  /** To the server; 0 for no limit. */
  kbps = 0;
  /** Bytes that have come out at the server's end. */
  passed = 0;
  url = '';
  /** Who comes now is sent away. */
  isCut = false;
  readonly #sockets = new Set<Socket>();

  static async before(url: string): Promise<SlowNetwork> {
    const network = new SlowNetwork();
    const { hostname, port } = new URL(url);
    const sockets = network.#sockets;
    const server = createServer((client) => {
      if (network.isCut) return void client.destroy();
      const upstream = connect(Number(port), hostname);
      network.#carry(client, upstream, true);
      network.#carry(upstream, client, false);
      for (const socket of [client, upstream]) sockets.add(socket.setNoDelay(true));
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    onTestFinished(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    network.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return network;
  }

  /** Ends what goes through it, and lets nobody in until `isCut` is false again. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #carry(from: Socket, to: Socket, isUp: boolean): void {
    let isOver = false;
    const held: { due: number; bytes: Buffer }[] = [];
    let heldBytes = 0;
    let credit = 0;
    let then = performance.now();
    from.on('data', (bytes: Buffer) => {
      held.push({ due: performance.now() + this.delayMs, bytes });
      heldBytes += bytes.length;
      if (heldBytes > ROUTER_BYTES) from.pause();
    });
    const timer = setInterval(() => {
      const now = performance.now();
      const limit = isUp && this.kbps > 0 ? this.kbps / 8 : Infinity;
      credit =
        limit === Infinity
          ? Infinity
          : Math.min((credit === Infinity ? 0 : credit) + limit * (now - then), limit * 50);
      then = now;
      for (let [first] = held; first && !this.isStalled && first.due <= now && credit >= 1; [first] = held) {
        const bytes = first.bytes.subarray(0, Math.min(first.bytes.length, credit));
        if (bytes.length === first.bytes.length) held.shift();
        else first.bytes = first.bytes.subarray(bytes.length);
        credit -= bytes.length;
        heldBytes -= bytes.length;
        if (isUp) this.passed += bytes.length;
        to.write(bytes);
      }
      if (heldBytes <= ROUTER_BYTES) from.resume();
      if (!isOver || held.length > 0) return;
      clearInterval(timer);
      to.end();
    }, TICK_MS);
    from.on('error', () => {});
    from.on('close', () => {
      isOver = true;
    });
  }
}
