import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way to a port that can be cut and healed. It ends with the test. */
export class WireCutter {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #isCut = false;

  private constructor(target: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) return void near.destroy();
      const far = dial(target, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        // Whatever ends one of them ends the other.
        from.on('error', () => {});
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  }

  static async to(target: number): Promise<WireCutter> {
    const cutter = new WireCutter(target);
    await new Promise<void>((done) => cutter.#server.listen(0, '127.0.0.1', done));
    onTestFinished(() => {
      cutter.cut();
      cutter.#server.close();
    });
    return cutter;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** In the middle of whatever is on its way; who connects afterwards is turned away. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Takes what comes, and hands nothing of it over any more: until it is cut, both sides think that all is well. */
  swallow(): void {
    for (const socket of this.#sockets) socket.unpipe().resume();
  }

  heal(): void {
    this.#isCut = false;
  }
}
