import { readFileSync } from 'node:fs';
import { eventually, type Journal } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from '../support/media.ts';
import {
  type ClientOptions,
  type ClientStream,
  type Info,
  RtmpClient,
  Type,
} from '../support/rtmp-client.ts';
import type { AppFiles, LogRecord } from '../support/server.ts';

/** What attacks need of a running server. Nothing here needs a test to run in, so a benchmark can use it too. */
export interface HostileServer {
  /** `rtmp://127.0.0.1:PORT`. */
  readonly rtmp: string;
  readonly pid: number;
  readonly log: Journal<LogRecord>;
}

/** What the neighbour keeps to itself: a hostile script that finds it has crossed the wall. */
export const NEIGHBOUR_SECRET = 'what only the neighbour knows';

/** The applications that must notice nothing. */
export const STAGE_APPS: Record<string, AppFiles> = {
  stage: { 'main.ts': 'application.onReattach = () => true;' },
  neighbour: {
    'main.ts': `
      globalThis.secret = '${NEIGHBOUR_SECRET}';
      application.onConnect = () => {
        application.life ??= crypto.randomUUID();
        return true;
      };
      application.onReattach = () => true;
      Object.assign(Client.prototype, {
        same: (n) => n,
        life: () => application.life,
        secret: () => globalThis.secret,
      });`,
  },
};

const TICK_MS = 20;
const FRAMES_PER_GROUP = 100;

/** Connects a client that closes when it is told to. Throws when it is refused. */
export async function join(url: string, options: ClientOptions = {}): Promise<RtmpClient> {
  const client = await RtmpClient.dial(url, options);
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.destroy();
    throw error;
  }
}

/** A publisher that sends frames on a steady schedule, numbered without a gap, and viewers that count them. */
export class Feed {
  readonly publisher: RtmpClient;
  readonly #output: ClientStream;
  readonly #viewers: Viewer[];
  readonly #ticker: NodeJS.Timeout;
  #sent = 0;

  static async open(url: string, viewers: number): Promise<Feed> {
    const publisher = await join(url, { args: ['stage'] });
    const output = await publisher.createStream();
    const answer = await output.publish('feed');
    if (answer.code !== 'NetStream.Publish.Start') throw new Error(`${url}: publish said ${answer.code}`);
    const watching = await Promise.all(Array.from({ length: viewers }, () => Viewer.open(url)));
    return new Feed(publisher, output, watching);
  }

  private constructor(publisher: RtmpClient, output: ClientStream, viewers: Viewer[]) {
    this.publisher = publisher;
    this.#output = output;
    this.#viewers = viewers;
    output.video(0, avcHeader);
    output.audio(0, aacHeader);
    this.#tick();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Messages that were sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /** The longest time that a viewer has waited for the next message. */
  get longestPauseMs(): number {
    return Math.max(...this.#viewers.map((viewer) => viewer.longestPauseMs));
  }

  /** Waits until every viewer has what was sent so far. Throws if one has lost a message or got one out of order. */
  async verify(): Promise<void> {
    const sent = this.#sent;
    for (const viewer of this.#viewers) {
      await eventually(`the viewer to have ${sent} messages, it has ${viewer.seen}`, () => {
        viewer.look();
        return viewer.seen >= sent;
      });
    }
  }

  close(): void {
    clearInterval(this.#ticker);
    for (const { destroy } of [this.publisher, ...this.#viewers].map((one) => ({
      destroy: () => one.destroy(),
    }))) {
      destroy();
    }
  }

  #tick(): void {
    const number = this.#sent;
    const timestamp = (number / 2) * TICK_MS;
    this.#output.video(timestamp, number % FRAMES_PER_GROUP === 0 ? keyFrame(number) : interFrame(number));
    this.#output.audio(timestamp, aacFrame(number + 1));
    this.#sent += 2;
    for (const viewer of this.#viewers) viewer.notePause();
  }
}

class Viewer {
  /** How many numbered messages have come, without a gap. */
  seen = 0;
  longestPauseMs = 0;
  readonly #client: RtmpClient;
  readonly #input: ClientStream;
  #looked = 0;
  #lastAt = performance.now();

  static async open(url: string): Promise<Viewer> {
    const client = await join(url, { args: ['stage'] });
    const input = await client.createStream();
    const answer = await input.play('feed');
    if (answer.code !== 'NetStream.Play.Start') throw new Error(`${url}: play said ${answer.code}`);
    return new Viewer(client, input);
  }

  private constructor(client: RtmpClient, input: ClientStream) {
    this.#client = client;
    this.#input = input;
  }

  /** Goes through what has come since the last look. */
  look(): void {
    const { entries } = this.#input.received;
    for (; this.#looked < entries.length; this.#looked++) {
      const { type, payload } = entries[this.#looked]!;
      const isNumbered = (type === Type.Audio || type === Type.Video) && payload[1] === 1;
      if (!isNumbered) continue;
      const number = Buffer.from(payload).readUInt32BE(payload.length - 4);
      if (number !== this.seen) throw new Error(`a viewer got message ${number} where ${this.seen} was next`);
      this.seen++;
    }
    if (this.#client.isClosed) throw new Error(`a viewer was closed: ${farewell(this.#client)}`);
  }

  notePause(): void {
    const before = this.seen;
    try {
      this.look();
    } catch {
      return; // whoever verifies is told
    }
    const now = performance.now();
    this.longestPauseMs = Math.max(this.longestPauseMs, now - this.#lastAt);
    if (this.seen > before) this.#lastAt = now;
  }

  destroy(): void {
    this.#client.destroy();
  }
}

/** A client of another instance that calls it all the time. */
export class Neighbour {
  answered = 0;
  failed = 0;
  /** How long each good answer took. */
  readonly latenciesMs: number[] = [];
  /** The longest time between two good answers. */
  longestGapMs = 0;
  #answeredAt = performance.now();
  readonly #client: RtmpClient;
  readonly #ticker: NodeJS.Timeout;
  readonly #counts = new Map<number, number>();
  #looked = 0;
  #sent = 0;

  static async open(url: string): Promise<Neighbour> {
    return new Neighbour(await join(url));
  }

  private constructor(client: RtmpClient) {
    this.#client = client;
    this.#ticker = setInterval(() => this.#call(), TICK_MS);
  }

  get calls(): number {
    return this.#sent;
  }

  /** Throws unless each call has one answer and the instance answers now. */
  async verify(): Promise<void> {
    await eventually('an answer of the neighbour', () =>
      this.ask('same', 'hello').then((value) => value === 'hello'),
    );
    const secret = await this.ask('secret');
    if (secret !== NEIGHBOUR_SECRET) throw new Error(`the neighbour's data has changed: ${String(secret)}`);
    const sent = this.#sent;
    await eventually('an answer to each call', () => this.answered + this.failed >= sent);
    this.#look();
    const twice = [...this.#counts].find(([, count]) => count !== 1);
    if (twice) throw new Error(`call ${twice[0]} was answered ${twice[1]} times`);
  }

  /** Names the script's state: another name says that it was started again, and not just moved to another core. */
  life(): Promise<unknown> {
    return this.ask('life');
  }

  /** The value, or undefined when the call failed. */
  async ask(method: string, ...args: unknown[]): Promise<unknown> {
    if (this.#client.isClosed)
      throw new Error(`the neighbour's client was closed: ${farewell(this.#client)}`);
    const answer = await this.#client.startCall(method, ...args);
    return answer.name === '_result' ? answer.args[0] : undefined;
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#client.destroy();
  }

  #call(): void {
    const number = ++this.#sent;
    const sentAt = performance.now();
    this.#client.startCall('same', number).then(
      ({ name, args }) => {
        if (name === '_result' && args[0] === number) this.#answer(sentAt);
        else if (name === '_error') this.failed++;
      },
      () => {}, // whoever verifies is told
    );
  }

  #answer(sentAt: number): void {
    const now = performance.now();
    this.answered++;
    this.latenciesMs.push(now - sentAt);
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#answeredAt);
    this.#answeredAt = now;
  }

  #look(): void {
    const { entries } = this.#client.received;
    for (; this.#looked < entries.length; this.#looked++) {
      const { name, transaction } = entries[this.#looked]!;
      if (name !== '_result' && name !== '_error') continue;
      this.#counts.set(transaction, (this.#counts.get(transaction) ?? 0) + 1);
    }
  }
}

/** Everybody who must not notice that scripts beside them die: a stream with two viewers, and a neighbour. */
export class Stage {
  readonly server: HostileServer;
  readonly feed: Feed;
  readonly neighbour: Neighbour;
  readonly #mbAtFirst: number;

  static async open(server: HostileServer): Promise<Stage> {
    const feed = await Feed.open(`${server.rtmp}/stage`, 2);
    return new Stage(server, feed, await Neighbour.open(`${server.rtmp}/neighbour/room`));
  }

  private constructor(server: HostileServer, feed: Feed, neighbour: Neighbour) {
    this.server = server;
    this.feed = feed;
    this.neighbour = neighbour;
    this.#mbAtFirst = residentMb(server.pid);
  }

  /** By how much the host process has grown since the stage was opened. */
  get grownMb(): number {
    return residentMb(this.server.pid) - this.#mbAtFirst;
  }

  /** Throws if anybody here has noticed anything but a pause. */
  async verify(): Promise<void> {
    await this.feed.verify();
    await this.neighbour.verify();
  }

  close(): void {
    this.feed.close();
    this.neighbour.close();
  }
}

/** What a server last said to a client that it closed. */
export function farewell(client: RtmpClient): string {
  const last = client.received.entries.findLast(({ name }) => name === 'onStatus' || name === '_error');
  const info = last?.args[0] as Info | undefined;
  return info ? `${info.code} ${info.description}` : 'without a word';
}

/** Megabytes that a process has in memory; 0 where nobody tells. */
function residentMb(pid: number): number {
  try {
    const [, kb] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kb) / 1024;
  } catch {
    return 0;
  }
}
