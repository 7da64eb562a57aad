import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodeSharedObject, SharedObjectEventType } from '../wire/shared-object.ts';
import { BenchClient } from './support/client.ts';
import { type Figure, median, type Report, spreadOf } from './support/figures.ts';
import { scratchFolder, startServer } from './support/server.ts';

const ROUNDS = 3;
const MEASURE_MS = 3000;
const VALUE = 'x'.repeat(100);

/** How many changes of persistent shared objects are on disk, and confirmed, in a second. */
export async function benchDurable(): Promise<Report> {
  const apps = scratchFolder();
  mkdirSync(join(apps, 'open'));
  const server = await startServer(apps);
  try {
    const figures: Figure[] = [];
    for (const writers of [1, 64]) figures.push(await changes(server.port, writers));
    return { name: 'durable shared objects', figures };
  } finally {
    await server.stop();
  }
}

/** Each writer has an object of its own, and waits for the `success` of one change before it makes the next. */
async function changes(port: number, writers: number): Promise<Figure> {
  const all = await Promise.all(
    Array.from({ length: writers }, (_, index) => Writer.open(port, `w${index}`)),
  );
  const rates: number[] = [];
  const floors: number[] = [];
  const latencies: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const samples: number[] = [];
    const endsAt = performance.now() + MEASURE_MS;
    await Promise.all(
      all.map(async (writer) => {
        while (performance.now() < endsAt) samples.push(await writer.change());
      }),
    );
    const floor = commitsPerSecond(writers);
    if (round === 0) continue; // code that has never run
    rates.push((samples.length * 1000) / MEASURE_MS);
    floors.push(floor);
    latencies.push(...samples);
  }
  for (const writer of all) writer.close();
  const { p50, p95 = 0, p99 = 0 } = spreadOf(latencies);
  const ms = [p50, p95, p99].map((value) => value.toFixed(2)).join(' / ');
  return {
    name: `confirmed changes, ${writers} ${writers === 1 ? 'writer' : 'writers'}`,
    unit: '/s',
    target: {},
    p50: median(rates),
    floors: [{ name: `node:sqlite alone, ${writers} rows a commit`, p50: median(floors) }],
    notes: [
      `from the change to its success ${ms} ms (p50, p95, p99); ${ROUNDS} rounds of ${MEASURE_MS / 1000} s`,
    ],
  };
}

class Writer {
  readonly #client: BenchClient;
  readonly #name: string;
  #step = 0;
  #confirmed = () => {};

  private constructor(client: BenchClient, name: string) {
    this.#client = client;
    this.#name = name;
    client.onShared = ({ type, payload }) => {
      const { events } = decodeSharedObject(type, payload);
      if (events.some((event) => event.type === SharedObjectEventType.Success)) this.#confirmed();
    };
  }

  static async open(port: number, name: string): Promise<Writer> {
    const client = await BenchClient.open(port);
    await client.connect('open/durable');
    client.use(name, true);
    return new Writer(client, name);
  }

  /** Milliseconds until it was confirmed. */
  async change(): Promise<number> {
    const startedAt = performance.now();
    const isConfirmed = new Promise<void>((resolve) => {
      this.#confirmed = resolve;
    });
    this.#client.set(this.#name, `s${this.#step % 50}`, `${this.#step++} ${VALUE}`, true);
    await isConfirmed;
    return performance.now() - startedAt;
  }

  close(): void {
    this.#client.close();
  }
}

/** The least that there could be: the same rows in the same table, with nobody to tell. */
function commitsPerSecond(rows: number): number {
  const database = new DatabaseSync(join(scratchFolder(), 'floor.db'));
  database.exec(
    `PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     CREATE TABLE slots (object INTEGER, name TEXT, version INTEGER, value BLOB, PRIMARY KEY (object, name))`,
  );
  const set = database.prepare('INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?)');
  const value = Buffer.from(VALUE);
  const startedAt = performance.now();
  let commits = 0;
  for (; performance.now() - startedAt < MEASURE_MS / 3; commits++) {
    database.exec('BEGIN');
    for (let row = 0; row < rows; row++) set.run(row, `s${commits % 50}`, commits, value);
    database.exec('COMMIT');
  }
  const seconds = (performance.now() - startedAt) / 1000;
  database.close();
  return (commits * rows) / seconds;
}
