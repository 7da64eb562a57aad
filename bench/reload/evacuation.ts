import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchClient } from '../support/client.ts';
import { type Figure, percentile, spreadOf } from '../support/figures.ts';
import { copyApps, startServer } from '../support/server.ts';

const ROUNDS = 20;
const ROOMS = 10;
const CLIENTS = 50;
/** So that all of them together make 2,000 calls a second. */
const CALL_EVERY_MS = 250;
const OBJECTS = 100;

const SOURCE = `const core = Math.random();
application.onConnect = (client) => {
  client.calls = 0;
  application.things ??= Object.fromEntries(Array.from({ length: ${OBJECTS} }, (_, n) => ['thing' + n, { n, x: n / 3 }]));
  return true;
};
Client.prototype.count = function (n) {
  application.things.thing0.n++;
  return [core, n, ++this.calls];
};
Client.prototype.stuck = () => { let x = 3n ** 100_000n; for (;;) x *= x; };
`;

/** A script that cannot be interrupted, and its neighbours: until each of them answers from another core, with what it knew. */
export async function evacuate(): Promise<Figure> {
  const apps = copyApps();
  writeFileSync(join(apps, 'reload', 'main.ts'), SOURCE);
  // With one core for all, the culprit lives with the others.
  const server = await startServer(apps, { cores: 1 });
  const movedMs: number[] = [];
  const slowestMs: number[] = [];
  let calls = 0;
  let wrong = 0;
  try {
    const neighbours: Neighbour[] = [];
    for (let room = 0; room < ROOMS; room++)
      for (let n = 0; n < CLIENTS; n++) {
        const client = await BenchClient.open(server.port);
        await client.connect(`reload/room${room}`);
        neighbours.push(new Neighbour(room, client));
      }
    for (let round = 0; round < ROUNDS; round++) {
      const culprit = await BenchClient.open(server.port);
      await culprit.connect(`reload/bad${round}`);
      await sleep(2000); // the spares have started
      for (const neighbour of neighbours) neighbour.slowestMs = 0;
      const moved = neighbours.map((neighbour) => neighbour.moved());
      await culprit.call('stuck').catch(() => undefined);
      const givenUpAt = performance.now();
      const firstMs = Array.from({ length: ROOMS }, () => Number.POSITIVE_INFINITY);
      for (const { room, at } of await Promise.all(moved))
        firstMs[room] = Math.min(firstMs[room]!, at - givenUpAt);
      movedMs.push(Math.max(...firstMs));
      culprit.close();
      slowestMs.push(Math.max(...neighbours.map((neighbour) => neighbour.slowestMs)));
    }
    for (const neighbour of neighbours) {
      await neighbour.stop();
      calls += neighbour.calls;
      wrong += neighbour.wrong;
    }
  } finally {
    await server.stop();
  }
  return {
    name: `a stuck script's ${ROOMS} neighbours, ${CLIENTS} clients each: given up to the last one's first answer from another core`,
    unit: 'ms',
    target: { p95: 500 },
    ...spreadOf(movedMs),
    floors: [],
    notes: [
      `${ROUNDS} times; a client calls every ${CALL_EVERY_MS} ms; ${calls} calls, ${wrong} lost, doubled or out of order`,
      `the slowest call of each time: p50 ${percentile(slowestMs, 50).toFixed(0)} ms, longest ${percentile(slowestMs, 100).toFixed(0)} ms`,
    ],
  };
}

/** A client that calls evenly over time. Each answer must be the next, by a script that knows of all before. */
class Neighbour {
  calls = 0;
  wrong = 0;
  slowestMs = 0;
  readonly #room: number;
  readonly #client: BenchClient;
  readonly #loop: Promise<void>;
  #isRunning = true;
  #core: number | undefined;
  #tell: ((first: { room: number; at: number }) => void) | undefined;

  constructor(room: number, client: BenchClient) {
    this.#room = room;
    this.#client = client;
    this.#loop = this.#run();
  }

  /** When the first answer from another core than now came. */
  moved(): Promise<{ room: number; at: number }> {
    return new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#loop;
  }

  async #run(): Promise<void> {
    await sleep(Math.random() * CALL_EVERY_MS);
    while (this.#isRunning) {
      const calledAt = performance.now();
      const n = ++this.calls;
      const answer = await this.#client.call('count', n).catch(() => undefined);
      const at = performance.now();
      this.slowestMs = Math.max(this.slowestMs, at - calledAt);
      const [core, echoed, count] = (answer ?? []) as number[];
      if (echoed !== n || count !== n) this.wrong++;
      if (core !== undefined && core !== this.#core) {
        if (this.#core !== undefined) this.#tell?.({ room: this.#room, at });
        this.#core = core;
      }
      await sleep(Math.max(0, CALL_EVERY_MS - (at - calledAt)));
    }
    this.#client.close();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
