import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { lineOf, startNode, stopChild } from './support/children.ts';
import { BenchClient, openSocket } from './support/client.ts';
import { cpuMsOf } from './support/cpu.ts';
import { type Figure, median, type Report, rangeOf, type Spread, spreadOf } from './support/figures.ts';
import { root, scratchFolder, startFloor, startServer } from './support/server.ts';

const ROUNDS = 3;
const SUBSCRIBERS = 1000;
const CHANGES_PER_SECOND = 30;
const MEASURE_MS = 4000;
const APP = 'open/bench';
const OBJECT = 'board';

/** What it costs to tell many of a change, and how soon they know. The application has no script: all is the host's. */
export async function benchSharedObjects(): Promise<Report> {
  const apps = scratchFolder();
  mkdirSync(join(apps, 'open'));
  const server = await startServer(apps);
  const floor = await startFloor('fan-out.ts');
  try {
    return {
      name: 'shared objects',
      figures: [await fanOut(server, floor), await latency(server.port)],
    };
  } finally {
    await Promise.all([server.stop(), floor.stop()]);
  }
}

interface Process {
  readonly pid: number;
  readonly port: number;
}

/** One writer, many subscribers: processor time of the host for each update that reaches one of them. */
async function fanOut(server: Process, floor: Process): Promise<Figure> {
  const writer = await BenchClient.open(server.port);
  await writer.connect(APP);
  writer.use(OBJECT);
  // The floor's writer is who comes first.
  const bareWriter = await openSocket(floor.port);
  const subscribers = await Subscribers.start(server.port, APP);
  const readers = await Subscribers.start(floor.port, '-');
  const oursUs: number[] = [];
  const bareUs: number[] = [];
  let bytes = 0;
  try {
    let step = 0;
    for (let round = 0; round <= ROUNDS; round++) {
      const ours = await measure(server.pid, subscribers, () => writer.set(OBJECT, 'x', step++));
      bytes = Math.round(ours.bytes / ours.updates);
      const same = Buffer.alloc(bytes, 1);
      const bare = await measure(floor.pid, readers, () => bareWriter.write(same));
      if (round === 0) continue; // code that has never run
      oursUs.push((ours.cpuMs * 1000) / ours.updates);
      bareUs.push((bare.cpuMs * 1000) / (bare.bytes / bytes));
    }
  } finally {
    writer.close();
    bareWriter.destroy();
    await Promise.all([subscribers.stop(), readers.stop()]);
  }
  return {
    name: `a change to ${SUBSCRIBERS} subscribers, processor time for each`,
    unit: 'us',
    target: {},
    p50: median(oursUs),
    floors: [{ name: 'socket.write of the same bytes to as many', p50: median(bareUs) }],
    notes: [
      `${CHANGES_PER_SECOND} changes a second of ${bytes} bytes; ${ROUNDS} rounds of ${MEASURE_MS / 1000} s, ${rangeOf(oursUs, 'us')}; the ratio is to be 2 at the most`,
    ],
  };
}

interface Seen {
  bytes: number;
  updates: number;
}

/** A process full of connections that read. */
class Subscribers {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! });
  }

  static async start(port: number, app: string): Promise<Subscribers> {
    const file = join(root, 'bench/support/subscribers.ts');
    const child = startNode([file, String(port), app, OBJECT, String(SUBSCRIBERS)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await lineOf(child, /^ready$/, 60_000);
    return new Subscribers(child);
  }

  /** What has come so far. */
  async seen(): Promise<Seen> {
    const answer = once(this.#lines, 'line');
    this.#child.stdin?.write('?\n');
    const [line] = (await answer) as [string];
    return JSON.parse(line) as Seen;
  }

  stop(): Promise<void> {
    return stopChild(this.#child);
  }
}

async function measure(
  pid: number,
  readers: Subscribers,
  change: () => void,
): Promise<Seen & { cpuMs: number }> {
  const before = await readers.seen();
  const cpuBefore = cpuMsOf(pid) ?? Number.NaN;
  const changes = (MEASURE_MS / 1000) * CHANGES_PER_SECOND;
  const startedAt = performance.now();
  for (let i = 0; i < changes; i++) {
    const dueAt = startedAt + (i * 1000) / CHANGES_PER_SECOND;
    await sleep(Math.max(0, dueAt - performance.now()));
    change();
  }
  await sleep(200);
  const cpuMs = (cpuMsOf(pid) ?? Number.NaN) - cpuBefore;
  const after = await readers.seen();
  return { cpuMs, bytes: after.bytes - before.bytes, updates: after.updates - before.updates };
}

const FEW = 20;
const CHANGES = 400;

/** From sending a change until the last of a few subscribers has it, while others are busy with objects of their own. */
async function latency(port: number): Promise<Figure> {
  const quiet = await timeChanges(port, 'quiet', undefined);
  const objects = 100;
  const busy = await timeChanges(port, 'busy', await startCrowd(port, objects));
  return {
    name: `a change until all of ${FEW} have it, beside ${objects} busy objects`,
    unit: 'ms',
    target: {},
    ...busy,
    floors: [{ name: 'the same alone', ...quiet }],
    notes: [`${objects} objects of 10 subscribers each, 500 changes a second in all; ${CHANGES} changes`],
  };
}

async function timeChanges(port: number, name: string, crowd: (() => void) | undefined): Promise<Spread> {
  const clients = await Promise.all(Array.from({ length: FEW + 1 }, () => BenchClient.open(port)));
  let missing = 0;
  let done = () => {};
  for (const client of clients) {
    await client.connect(APP);
    const isThere = new Promise<void>((resolve) => {
      client.onShared = () => resolve();
    });
    client.use(name);
    await isThere;
    client.onShared = () => {
      if (--missing === 0) done();
    };
  }
  const samples: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const startedAt = performance.now();
    missing = clients.length;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    clients[0]!.set(name, 'x', i);
    await all;
    samples.push(performance.now() - startedAt);
    await sleep(2);
  }
  for (const client of clients) client.close();
  crowd?.();
  return spreadOf(samples);
}

/** Objects whose subscribers write at random. Returns what ends it. */
async function startCrowd(port: number, objects: number): Promise<() => void> {
  const members: { client: BenchClient; name: string }[] = [];
  for (let object = 0; object < objects; object++) {
    for (let i = 0; i < 10; i++) {
      const client = await BenchClient.open(port);
      await client.connect(APP);
      client.use(`crowd${object}`);
      members.push({ client, name: `crowd${object}` });
    }
  }
  let step = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 5; i++) {
      const { client, name } = members[Math.floor(Math.random() * members.length)]!;
      client.set(name, `s${step % 7}`, step++);
    }
  }, 10);
  return () => {
    clearInterval(timer);
    for (const { client } of members) client.close();
  };
}
