import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isResourceName } from '../../wire/stream-name.ts';
import { describeError, StagewireError } from '../base/errors.ts';
import { costOfBytes } from '../shared-objects/slots.ts';
import type { ObjectKey } from '../shared-objects/store/database.ts';
import { LineThread } from '../shared-objects/store/line-thread.ts';
import type { ObjectLine } from '../shared-objects/store/lines.ts';
import type { Store } from '../shared-objects/store/store.ts';
import type { Registry } from './registry.ts';

/** Keys that are read at one time. */
const PAGE = 100;

/** Of a line: what an object may hold, in base64, and some more. */
const MAX_LINE = 64 * 1024 * 1024;

/** What an operator does with the persistent shared objects of all applications while the server runs. */
export class StoredObjects {
  readonly #store: Store;
  readonly #registry: Registry;
  readonly #folder: string;
  #isBackingUp = false;

  /** Backups go to `backups` in that folder. */
  constructor(store: Store, registry: Registry, folder: string) {
    this.#store = store;
    this.#registry = registry;
    this.#folder = join(folder, 'backups');
  }

  /** Copies the database. Throws `E_BACKUP` while another copy is being made. */
  async backup(): Promise<{ file: string; bytes: number }> {
    if (this.#isBackingUp) throw new StagewireError('E_BACKUP', 'host', 'a backup is being made already');
    this.#isBackingUp = true;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const time = new Date().toISOString().replace(/[:.]/g, '-');
      const file = join(this.#folder, `shared-objects-${time}.db`);
      await this.#store.backup(file);
      return { file, bytes: statSync(file).size };
    } finally {
      this.#isBackingUp = false;
    }
  }

  /** A line for each, with its line end; of one application, or all. What is changed meanwhile may be in it or not. */
  async *lines(app?: string): AsyncGenerator<string> {
    const thread = new LineThread();
    try {
      let after: ObjectKey | undefined;
      for (;;) {
        const keys = await this.#store.keysAfter(after, PAGE, app);
        for (const key of keys) {
          const object = await this.#store.load(key);
          if (object.isStored) yield `${await thread.write(key, object)}\n`;
        }
        after = keys.at(-1);
        if (!after) return;
      }
    } finally {
      await thread.close();
    }
  }

  /**
   * Each line replaces what its object held, for those who have it too. Returns how many there were. Throws `E_IMPORT`
   * for the first that is wrong: those before it are done.
   */
  async import(source: Readable): Promise<number> {
    const thread = new LineThread();
    let number = 0;
    let done = 0;
    try {
      for await (const text of linesOf(source)) {
        number++;
        if (text.trim() === '') continue;
        await this.#importLine(await thread.read(text));
        done++;
      }
    } catch (error) {
      const why = error instanceof StagewireError ? error.message : describeError(error, 300);
      const text = `line ${number}: ${why} (${done} objects were imported)`;
      throw new StagewireError('E_IMPORT', 'host', text);
    } finally {
      await thread.close();
    }
    return done;
  }

  async #importLine({ values, ...key }: ObjectLine): Promise<void> {
    for (const name of [key.app, key.instance, key.name])
      if (!isResourceName(name)) throw new Error(`${JSON.stringify(name.slice(0, 80))} is no name`);
    const limits = this.#registry.limitsOf(key.app);
    const { slots, slotBytes, sharedObjectBytes, persistentBytes, persistentObjects } = limits;
    let bytes = 0;
    for (const [name, value] of values) {
      if (name.length + value.length > slotBytes)
        throw new Error(
          `slots.${name.slice(0, 80)} measures more than ${slotBytes} bytes (limits.slotBytes)`,
        );
      bytes += costOfBytes(name, value);
    }
    if (values.size > slots) throw new Error(`it has more than ${slots} slots (limits.slots)`);
    if (bytes > sharedObjectBytes)
      throw new Error(`it takes more than ${sharedObjectBytes} bytes (limits.sharedObjectBytes)`);
    const running = this.#registry.find(key.app, key.instance);
    if (running) return running.sharedObjects.objects.replace(key.name, values);
    const { isStored, bytes: before } = await this.#store.load(key);
    const usage = this.#store.usageOf(key.app);
    if (!isStored && usage.objects >= persistentObjects)
      throw new Error(`its application has ${persistentObjects} already (limits.persistentObjects)`);
    if (bytes > before && usage.bytes + bytes - before > persistentBytes)
      throw new Error(`it leaves no room on disk (limits.persistentBytes: ${persistentBytes})`);
    const list = [...values].map(([name, value]) => ({ name, value }));
    return this.#store.replace({ ...key, bytes, slots: list });
  }
}

/** Throws `E_IMPORT` for a line that is too long, or when the source breaks off. */
async function* linesOf(source: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let length = 0;
  try {
    for await (const bytes of source) {
      const [first = '', ...others] = decoder.decode(bytes as Buffer, { stream: true }).split('\n');
      parts.push(first);
      length += first.length;
      if (length > MAX_LINE)
        throw new StagewireError('E_IMPORT', 'host', `a line is longer than ${MAX_LINE} characters`);
      const last = others.pop();
      if (last === undefined) continue;
      yield parts.join('');
      yield* others;
      parts = [last];
      length = last.length;
    }
  } catch (error) {
    if (error instanceof StagewireError) throw error;
    throw new StagewireError('E_IMPORT', 'host', `the request broke off: ${describeError(error, 100)}`);
  }
  if (length > 0) yield parts.join('');
}
