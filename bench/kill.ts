import { Feed } from '../test/hostile/stage.ts';
import { BenchClient } from './support/client.ts';
import { type Figure, median, percentile, type Report, spreadOf } from './support/figures.ts';
import { copyApps, type StagewireServer, startServer } from './support/server.ts';

const ROUNDS = 5;
const CASES = [
  { instances: 10, clients: 200, p95: 100 },
  { instances: 100, clients: 200, p95: 400 },
] as const;
/** Each client calls so often while nothing happens: few instances are in a turn when the core dies. */
const CALL_EVERY_MS = 100;

/** `kill -9` of the core with all instances in it: until each client has an answer to a call that it began afterwards. */
export async function benchKill(): Promise<Report> {
  const figures: Figure[] = [];
  for (const asked of CASES) figures.push(await killCore(asked));
  return { name: 'kill', figures };
}

async function killCore({ instances, clients, p95 }: (typeof CASES)[number]): Promise<Figure> {
  const samples: number[] = [];
  const pauses: number[] = [];
  let failed = 0;
  let calls = 0;
  const loads: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const server = await startServer(copyApps(), { instancesPerCore: 1000 });
    try {
      const callers: Caller[] = [];
      for (let count = 0; count < clients; count++) {
        callers.push(await Caller.open(server.port, `calls/room${count % instances}`));
        if (count < instances) loads.push(callers.at(-1)!.connectMs);
      }
      const feed = await Feed.open(`rtmp://127.0.0.1:${server.port}/calls/room0`, 2);
      await sleep(1500); // the spares have started
      const core = await busiestCore(server);
      for (const caller of callers) caller.start();
      await sleep(500);
      const killedAt = performance.now();
      process.kill(core, 'SIGKILL');
      const times = await Promise.all(callers.map((caller) => caller.firstAnswerAfter(killedAt)));
      samples.push(...times);
      await feed.verify();
      pauses.push(feed.longestPauseMs);
      for (const caller of callers) {
        await caller.stop();
        failed += caller.failed;
        calls += caller.calls;
      }
      feed.close();
    } finally {
      await server.stop();
    }
  }
  return {
    name: `kill -9 of a core, ${instances} instances, ${clients} clients`,
    unit: 'ms',
    target: { p95 },
    ...spreadOf(samples),
    floors: [{ name: 'a first connect to an instance', ...spreadOf(loads) }],
    notes: [
      `${ROUNDS} kills; slowest client ${percentile(samples, 100).toFixed(0)} ms; every client stayed connected`,
      `${calls} calls, each answered once, ${failed} of them with _error; no media lost, longest pause ${median(pauses).toFixed(0)} ms of 20 ms between frames`,
    ],
  };
}

/** A client that calls again and again, and counts that each call is answered once. */
class Caller {
  readonly connectMs: number;
  calls = 0;
  failed = 0;
  readonly #client: BenchClient;
  #isRunning = false;
  #loop: Promise<void> | undefined;
  /** Ends the pause between two calls. */
  #cutShort = () => {};
  /** Since when somebody waits for the answer to a call begun later, and whom to tell how long it took. */
  #wanted: { since: number; tell: (ms: number) => void } | undefined;

  static async open(port: number, app: string): Promise<Caller> {
    const client = await BenchClient.open(port);
    return new Caller(client, await client.connect(app));
  }

  private constructor(client: BenchClient, connectMs: number) {
    this.#client = client;
    this.connectMs = connectMs;
  }

  start(): void {
    this.#isRunning = true;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#loop;
    this.#client.close();
  }

  /** Milliseconds from `since` to the first good answer to a call that was sent after it: now, or when the one under way has failed. */
  firstAnswerAfter(since: number): Promise<number> {
    this.#cutShort();
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => reject(new Error('no answer within 20 s')), 20_000);
      const tell = (ms: number) => {
        clearTimeout(deadline);
        resolve(ms);
      };
      this.#wanted = { since, tell };
    });
  }

  async #run(): Promise<void> {
    await sleep(Math.random() * CALL_EVERY_MS);
    while (this.#isRunning) {
      const sentAt = performance.now();
      this.calls++;
      try {
        // Rejects when the connection is closed, too: then the next call does, and nobody hears an answer.
        await this.#client.call('move', { x: 1, y: 2, name: 'rook' });
        const wanted = this.#wanted;
        if (wanted && sentAt >= wanted.since) {
          this.#wanted = undefined;
          wanted.tell(performance.now() - wanted.since);
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, CALL_EVERY_MS);
          this.#cutShort = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      } catch {
        this.failed++;
      }
    }
  }
}

/** The core that the rooms live in. */
async function busiestCore(server: StagewireServer): Promise<number> {
  const answer = await fetch(`${server.http}/api/instances/calls/room0`);
  const { core } = (await answer.json()) as { core: number };
  return core;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
