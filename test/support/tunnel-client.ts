import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { Duplex } from 'node:stream';
import { inTime } from './journal.ts';

/** The most that it sends at once. */
const MAX_BODY = 256 * 1024;
/** How long this client waits after an empty answer for each unit of the interval that came with it. */
const UNIT_MS = 5;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One POST of a tunnel's client. Without an agent it has a connection of its own. */
export function post(url: string, body: Uint8Array = Buffer.of(0), agent?: Agent): Promise<Answer> {
  return ask('POST', url, body, agent);
}

export function ask(method: string, url: string, body: Uint8Array, agent?: Agent): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    const headers = { 'Content-Type': 'application/x-fcs', 'Content-Length': body.length };
    const asked = request(url, { method, headers, agent: agent ?? false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts),
        }),
      );
    });
    asked.on('error', reject).end(body);
  });
  return inTime(`an answer to ${url}`, answer);
}

/** Opens a tunnel: the path of its requests, without kind and number. */
export async function openTunnel(http: string, agent?: Agent): Promise<string> {
  const { status, body } = await post(`${http}/open/1`, Buffer.of(0), agent);
  if (status !== 200) throw new Error(`the tunnel was not opened: ${status}`);
  return body.toString('latin1').trimEnd();
}

/** A tunnel in the place of a socket, on one HTTP connection, as its clients do it: `send` what there is, else `idle`. */
export class TunnelSocket extends Duplex {
  /** What came first in each answer. */
  readonly intervals: number[] = [];
  readonly #http: string;
  readonly #id: string;
  readonly #agent: Agent;
  #number = 0;
  #waiting: { bytes: Buffer; done: (error?: Error) => void } | undefined;
  #mayRead = true;
  #wake: (() => void) | undefined;
  #isAsking = true;

  static async open(http: string): Promise<TunnelSocket> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    return new TunnelSocket(http, await openTunnel(http, agent), agent);
  }

  private constructor(http: string, id: string, agent: Agent) {
    super();
    this.#http = http;
    this.#id = id;
    this.#agent = agent;
    void this.#run().catch((error: Error) => this.destroy(error));
  }

  /** The network is gone: nobody asks any more. */
  resetAndDestroy(): void {
    this.destroy();
  }

  override _write(bytes: Buffer, _: string, done: (error?: Error) => void): void {
    this.#waiting = { bytes, done };
    this.#wake?.();
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', done);
  }

  override _read(): void {
    this.#mayRead = true;
    this.#wake?.();
  }

  override _final(done: () => void): void {
    this.#isAsking = false;
    this.#wake?.();
    void this.#post('close').finally(() => {
      done();
      this.destroy();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#isAsking = false;
    this.#wake?.();
    this.#agent.destroy();
    done(error);
  }

  async #run(): Promise<void> {
    while (this.#isAsking) {
      const sent = this.#take();
      if (!sent && !this.#mayRead) {
        await this.#idle(60_000);
        continue;
      }
      const { status, body } = sent ? await this.#post('send', sent.bytes) : await this.#post('idle');
      sent?.done?.();
      if (status !== 200) {
        this.#isAsking = false;
        this.push(null);
        this.destroy();
        return;
      }
      this.intervals.push(body[0] ?? 0);
      if (body.length > 1) this.#mayRead = this.push(body.subarray(1));
      else if (!this.#waiting) await this.#idle((body[0] ?? 1) * UNIT_MS);
    }
  }

  /** What is sent next; `done` with the last of it. */
  #take(): { bytes: Buffer; done?: () => void } | undefined {
    const waiting = this.#waiting;
    if (!waiting || waiting.bytes.length <= MAX_BODY) {
      this.#waiting = undefined;
      return waiting;
    }
    const bytes = waiting.bytes.subarray(0, MAX_BODY);
    waiting.bytes = waiting.bytes.subarray(MAX_BODY);
    return { bytes };
  }

  #post(kind: string, body?: Uint8Array): Promise<Answer> {
    return post(`${this.#http}/${kind}/${this.#id}/${this.#number++}`, body, this.#agent);
  }

  /** Until there is something to do, or so long. */
  #idle(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
