import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { printable, StagewireError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Database, ObjectKey, Replacement, Save, StoredObject, StoredUsage } from './database.ts';
import type { Answer, Method, Request } from './worker.ts';

const FILE = 'shared-objects.db';
/** Who has the folder: for people, and for the message to who comes second. The lock itself is SQLite's. */
const LOCK_FILE = 'shared-objects.lock';
/** One transaction takes no more: what comes later waits for the next, and nobody waits for a huge one. */
const MAX_GROUP_BYTES = 8 * 1024 * 1024;
const MAX_GROUP_ROWS = 10_000;

interface Waiting {
  readonly save: Save;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The store as the shared objects of one instance see it. */
export interface InstanceStore {
  /** What the application has on disk, or will have, and what its objects in memory have on top. */
  readonly usage: StoredUsage;
  load(name: string): Promise<StoredObject>;
  save(name: string, save: SavedState): Promise<void>;
  names(): Promise<string[]>;
  /** For objects that nobody has in memory. */
  remove(names: readonly string[]): Promise<void>;
  losesVersions(): void;
}

export type SavedState = Omit<Save, keyof ObjectKey>;

/** Who counts for the server's metrics. */
export interface StoreLedger {
  committed(seconds: number): void;
  notCommitted(): void;
}

/**
 * Keeps persistent shared objects in the data folder. The database is in a thread of its own; saves that come while it
 * works are one transaction.
 */
export class Store {
  readonly #folder: string;
  readonly #log: Log;
  readonly #ledger: StoreLedger;
  readonly #usage = new Map<string, StoredUsage>();
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #worker: Worker | undefined;
  #nextNumber = 1;
  #waiting: Waiting[] = [];
  #isSaving = false;
  #isClosed = false;

  private constructor(folder: string, log: Log, ledger: StoreLedger) {
    this.#folder = folder;
    this.#log = log;
    this.#ledger = ledger;
  }

  /** Throws `E_DATA` or `E_DATA_IN_USE` with one line for the terminal. */
  static async open(folder: string, log: Log, ledger: StoreLedger): Promise<Store> {
    const store = new Store(folder, log, ledger);
    const lock = join(folder, LOCK_FILE);
    try {
      await store.#start();
    } catch (error) {
      if ((error as StagewireError).code !== 'E_DATA_IN_USE') throw error;
      const owner = ownerIn(lock);
      const text = `the data folder ${printable(folder)} is in use by another server${owner}: stop it, or choose another folder with --data DIR`;
      throw new StagewireError('E_DATA_IN_USE', 'host', text);
    }
    const since = new Date().toISOString();
    writeFileSync(lock, `process ${process.pid} on ${hostname()} since ${since}\n`, { mode: 0o600 });
    for (const { app, objects, bytes } of await store.#ask('usage'))
      store.#usage.set(app, { objects, bytes });
    return store;
  }

  get file(): string {
    return join(this.#folder, FILE);
  }

  of(app: string, instance: string): InstanceStore {
    return {
      usage: this.usageOf(app),
      load: (name) => this.load({ app, instance, name }),
      save: (name, save) => this.save({ app, instance, name, ...save }),
      names: () => this.names(app, instance),
      remove: (names) => this.#remove(app, instance, names),
      losesVersions: () => this.losesVersions(),
    };
  }

  /** The same object for everybody, to be kept current by those who have the application's objects. */
  usageOf(app: string): StoredUsage {
    const usage = this.#usage.get(app) ?? { objects: 0, bytes: 0 };
    this.#usage.set(app, usage);
    return usage;
  }

  /** After everything that was saved before. */
  load(key: ObjectKey): Promise<StoredObject> {
    this.#saveAll();
    return this.#ask('load', key);
  }

  names(app: string, instance: string): Promise<string[]> {
    this.#saveAll();
    return this.#ask('names', app, instance);
  }

  async #remove(app: string, instance: string, names: readonly string[]): Promise<void> {
    this.#saveAll();
    const removed = await this.#ask('remove', app, instance, names);
    const usage = this.usageOf(app);
    usage.objects -= removed.objects;
    usage.bytes -= removed.bytes;
  }

  /** For an object that nobody has in memory. */
  async replace(replacement: Replacement): Promise<void> {
    this.#saveAll();
    const before = await this.#ask('replace', replacement);
    const usage = this.usageOf(replacement.app);
    usage.bytes += replacement.bytes - (before ?? 0);
    if (before === undefined) usage.objects++;
  }

  keysAfter(after: ObjectKey | undefined, count: number, app?: string): Promise<ObjectKey[]> {
    this.#saveAll();
    return this.#ask('keysAfter', after, count, app);
  }

  /** Resolves once it is on disk; rejects when it is not, and nothing of it is. */
  save(save: Save): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ save, resolve, reject });
      if (!this.#isSaving) this.#saveNext();
    });
  }

  /** Clients were told of a version that cannot be saved. */
  losesVersions(): void {
    void this.#ask('losesVersions').catch(() => {}); // then the next start finds that it was not closed
  }

  async backup(file: string): Promise<void> {
    this.#saveAll();
    await this.#ask('backup', file);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#saveAll();
    this.#isClosed = true;
    const worker = this.#worker;
    const gone = new Promise((resolve) => worker?.once('exit', resolve) ?? resolve(0));
    await this.#ask('close').catch((error: unknown) => {
      this.#log.error('the shared objects were not closed well', { error });
    });
    await gone;
    rmSync(join(this.#folder, LOCK_FILE), { force: true });
  }

  #start(): Promise<unknown> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { file: this.file } });
    this.#worker = worker;
    const opened = new Promise((resolve, reject) => this.#pending.set(0, { resolve, reject }));
    worker.on('message', (answer: Answer) => this.#answered(answer));
    worker.on('error', (error) => this.#log.error('the thread of the shared objects died', { error }));
    worker.on('exit', () => this.#gone(worker));
    return opened;
  }

  #ask<Name extends Method>(
    method: Name,
    ...args: Parameters<Database[Name]>
  ): Promise<Awaited<ReturnType<Database[Name]>>> {
    return new Promise((resolve, reject) => {
      if (!this.#worker) {
        if (this.#isClosed) return reject(failure('they are closed'));
        // It died. The next one finds what was committed.
        this.#start().catch((error: unknown) => this.#log.error('shared objects cannot be saved', { error }));
      }
      const number = this.#nextNumber++;
      this.#pending.set(number, { resolve: resolve as (result: unknown) => void, reject });
      this.#worker?.postMessage({ number, method, args } satisfies Request);
    });
  }

  #answered(answer: Answer): void {
    const asked = this.#pending.get(answer.number);
    this.#pending.delete(answer.number);
    if ('result' in answer) asked?.resolve(answer.result);
    else {
      const text = `the shared objects in ${printable(this.file)}: ${answer.message}`;
      asked?.reject(new StagewireError(answer.code, 'host', text));
    }
  }

  #gone(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(failure('their thread is gone'));
  }

  /** What waits is one transaction, as far as it has room. */
  #saveNext(): void {
    const group: Waiting[] = [];
    let bytes = 0;
    let rows = 0;
    for (const waiting of this.#waiting) {
      const { slots } = waiting.save;
      for (const { name, value } of slots) bytes += name.length + (value?.length ?? 0);
      rows += slots.length + 1;
      if (group.length > 0 && (bytes > MAX_GROUP_BYTES || rows > MAX_GROUP_ROWS)) break;
      group.push(waiting);
    }
    if (group.length === 0) return;
    this.#waiting = this.#waiting.slice(group.length);
    this.#isSaving = true;
    this.#saveGroup(group).finally(() => {
      this.#isSaving = this.#waiting.length > 0;
      this.#saveNext();
    });
  }

  /** So that what is asked next is answered as after them. */
  #saveAll(): void {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length > 0) void this.#saveGroup(group);
  }

  async #saveGroup(group: readonly Waiting[]): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.#ask(
        'save',
        group.map(({ save }) => save),
      );
      this.#ledger.committed((performance.now() - startedAt) / 1000);
    } catch (error) {
      this.#ledger.notCommitted();
      for (const { reject } of group) reject(error as Error);
      return;
    }
    for (const { resolve } of group) resolve();
  }
}

function failure(why: string): StagewireError {
  return new StagewireError('E_DATA', 'host', `the shared objects cannot be saved: ${why}`);
}

function ownerIn(file: string): string {
  try {
    return ` (${printable(readFileSync(file, 'utf8').trim(), 200)})`;
  } catch {
    return '';
  }
}
