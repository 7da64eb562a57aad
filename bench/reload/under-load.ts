import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AppReport } from '../../host/web/api.ts';
import { Feed } from '../../test/hostile/stage.ts';
import { BenchClient } from '../support/client.ts';
import { memoryMbOf } from '../support/cpu.ts';
import { type Figure, percentile, rangeOf, spreadOf } from '../support/figures.ts';
import { copyApps, type StagewireServer, startServer } from '../support/server.ts';

const CLIENTS = 500;
const VIEWERS = 100;
const RELOADS = 50;
const MORE_RELOADS = 150;
/** So that all of them together make 2,000 calls a second. */
const CALL_EVERY_MS = 250;
const OBJECTS = 1000;
const ROOM = 'reload/room';

/** The state that each build takes over, and a method whose answers tell who gave them. */
function source(version: number): string {
  return `application.onConnect = (client, n) => {
  client.name = 'client ' + n; client.calls = 0;
  return true;
};
Client.prototype.fill = () => {
  application.things = Object.fromEntries(Array.from({ length: ${OBJECTS} }, (_, n) =>
    ['thing' + n, { n, name: 'thing ' + n, x: n / 3, y: n / 7, isOpen: true }]));
};
Client.prototype.count = function (n) {
  this.calls++;
  return [${version}, n, this.calls];
};
`;
}

/** 500 clients that call, a stream with 100 viewers, and one reload after the other. */
export async function reloadUnderLoad(): Promise<Figure[]> {
  const apps = copyApps();
  const main = join(apps, 'reload', 'main.ts');
  writeFileSync(main, source(0));
  const server = await startServer(apps);
  try {
    const callers = await openCallers(server);
    await callers[0]!.call('fill');
    const feed = await Feed.open(`rtmp://127.0.0.1:${server.port}/${ROOM}`, VIEWERS);
    const load = new Load(callers);
    const answersMs: number[] = [];
    const pausesMs: number[] = [];
    let slowestCallMs = 0;
    let last: Switched | undefined;
    const reload = async (version: number) => {
      await sleep(300);
      const savedAt = performance.now();
      const answered = load.firstOf(version);
      writeFileSync(main, source(version));
      const at = await answered;
      last = await switchOf(server);
      return { answerMs: at - savedAt, pausedMs: last.pausedMs };
    };
    for (let version = 1; version <= RELOADS; version++) {
      const { answerMs, pausedMs } = await reload(version);
      answersMs.push(answerMs);
      pausesMs.push(pausedMs);
    }
    await feed.verify();
    slowestCallMs = load.slowestMs;
    const { longestPauseMs } = feed;
    feed.close();
    const before = memoryOf(server);
    for (let version = RELOADS + 1; version <= RELOADS + MORE_RELOADS; version++) await reload(version);
    const after = memoryOf(server);
    const { calls, wrong } = await load.stop();
    const state = `${last!.objects} objects, ${(last!.bytes / 1024).toFixed(0)} KB`;
    const during = `${RELOADS} reloads, ${calls} calls, ${wrong} lost, doubled or out of order; no media lost, longest pause ${longestPauseMs.toFixed(0)} ms of 20 ms between frames`;
    return [
      {
        name: `pause of a switch, ${CLIENTS} clients, 2,000 calls/s, ${VIEWERS} viewers`,
        unit: 'ms',
        target: { p50: 10, p99: 20 },
        ...spreadOf(pausesMs),
        p99: percentile(pausesMs, 100),
        floors: [],
        notes: [
          `p99 is the longest of all; ${state}; the slowest call took ${slowestCallMs.toFixed(0)} ms`,
          during,
        ],
      },
      {
        name: 'save to the first answer of the new code, under that load',
        unit: 'ms',
        target: { p50: 60, p95: 120 },
        ...spreadOf(answersMs),
        floors: [],
        notes: [rangeOf(answersMs, 'ms')],
      },
      {
        name: `memory of host and cores after ${RELOADS + MORE_RELOADS} reloads`,
        unit: 'MB',
        target: {},
        p50: after,
        floors: [{ name: `after ${RELOADS}`, p50: before }],
        notes: [`${MORE_RELOADS} reloads more: ${(after - before).toFixed(1)} MB`],
      },
    ];
  } finally {
    await server.stop();
  }
}

type Switched = NonNullable<AppReport['instances'][number]['switched']>;

async function switchOf(server: StagewireServer): Promise<Switched> {
  const report = (await (await fetch(`${server.http}/api/apps/reload`)).json()) as AppReport;
  return report.instances.find(({ instance }) => instance === 'room')!.switched!;
}

function memoryOf(server: StagewireServer): number {
  return [server.pid, ...server.corePids()].reduce((sum, pid) => sum + (memoryMbOf(pid) ?? 0), 0);
}

async function openCallers(server: StagewireServer): Promise<BenchClient[]> {
  const callers: BenchClient[] = [];
  for (let n = 0; n < CLIENTS; n++) {
    const client = await BenchClient.open(server.port);
    await client.connect(ROOM);
    callers.push(client);
  }
  return callers;
}

/** Calls by all clients, evenly over time. Each answer must be the next of its client, and of no older build than the last. */
class Load {
  slowestMs = 0;
  #calls = 0;
  #wrong = 0;
  #isRunning = true;
  readonly #loops: Promise<void>[];
  #newest = 0;
  #wanted: { version: number; tell: (at: number) => void } | undefined;

  constructor(callers: readonly BenchClient[]) {
    this.#loops = callers.map((client, index) => this.#run(client, (index / callers.length) * CALL_EVERY_MS));
  }

  /** When the first answer of that build came. */
  firstOf(version: number): Promise<number> {
    return new Promise((tell) => {
      this.#wanted = { version, tell };
    });
  }

  async stop(): Promise<{ calls: number; wrong: number }> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
    return { calls: this.#calls, wrong: this.#wrong };
  }

  async #run(client: BenchClient, offsetMs: number): Promise<void> {
    await sleep(offsetMs);
    let newest = 0;
    for (let n = 1; this.#isRunning; n++) {
      const calledAt = performance.now();
      const answer = await client.call('count', n).catch(() => undefined);
      const at = performance.now();
      this.#calls++;
      this.slowestMs = Math.max(this.slowestMs, at - calledAt);
      const [version = -1, echoed, count] = (answer ?? []) as number[];
      if (version < newest || echoed !== n || count !== n) this.#wrong++;
      newest = Math.max(newest, version);
      this.#newest = Math.max(this.#newest, version);
      if (this.#wanted && this.#newest >= this.#wanted.version) {
        this.#wanted.tell(at);
        this.#wanted = undefined;
      }
      await sleep(Math.max(0, CALL_EVERY_MS - (at - calledAt)));
    }
    client.close();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
