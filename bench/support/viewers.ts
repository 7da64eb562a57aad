import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { lineOf, startChild, stopChild } from './children.ts';
import { compileC } from './compile.ts';

/** What so many viewers got since the last `zero`. */
export interface Seen {
  viewers: number;
  /** Closed by the server, ever. */
  closed: number;
  bytes: number;
  /** What the viewer got that got least. */
  least: number;
  most: number;
  /** Over WebSocket: audio and video of who got least and most of it, and the frames that all of them got. */
  fewest?: number;
  mostMessages?: number;
  frames?: number;
}

export type Transport = 'rtmp' | 'ws';

/** A cheap process full of viewers (viewers.c), who throw away what they get. */
export class Viewers {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess) {
    this.pid = child.pid!;
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! });
  }

  /** Of an application's streams, of which `stream` is the name with %d for a number; else they only read. */
  static async start(
    port: number,
    transport: Transport,
    what?: { app: string; stream: string },
  ): Promise<Viewers> {
    const args = [String(port), transport, ...(what ? [what.app, what.stream] : [])];
    const child = startChild(compileC('bench/support/viewers.c'), args, {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await lineOf(child, /^ready$/);
    return new Viewers(child);
  }

  async open(count: number, streams = 1): Promise<void> {
    if (count > 0) await this.#ask(`open ${count} ${streams}`);
  }

  /** Opens some who never read. */
  async openStuck(count: number): Promise<void> {
    await this.#ask(`stuck ${count}`);
  }

  async zero(): Promise<void> {
    await this.#ask('zero');
  }

  async seen(): Promise<Seen> {
    return JSON.parse(await this.#ask('seen')) as Seen;
  }

  stop(): Promise<void> {
    return stopChild(this.#child);
  }

  async #ask(command: string): Promise<string> {
    const ended = new AbortController();
    const onExit = () => ended.abort(new Error(`the viewers ended at "${command}"`));
    this.#child.once('exit', onExit);
    const answer = once(this.#lines, 'line', { signal: ended.signal });
    this.#child.stdin!.write(`${command}\n`);
    const [line] = (await answer) as [string];
    this.#child.off('exit', onExit);
    return line;
  }
}
