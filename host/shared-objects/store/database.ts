import { randomInt } from 'node:crypto';
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { StagewireError } from '../../base/errors.ts';

/** One slot as it is on disk. `value` is AMF that stands by itself; null for one that was removed at that version. */
export interface StoredSlot {
  readonly name: string;
  readonly version: number;
  readonly value: Uint8Array | null;
}

export interface StoredObject {
  /** Otherwise it is new, and its version one that no object of its name has had before. */
  readonly isStored: boolean;
  readonly version: number;
  /** Whoever knows an older version has to be told everything. */
  readonly knownSince: number;
  /** What it counts as in the quota of its application. */
  readonly bytes: number;
  readonly slots: readonly StoredSlot[];
}

/** Whose object it is. */
export interface ObjectKey {
  readonly app: string;
  readonly instance: string;
  readonly name: string;
}

/** What has become of an object since it was saved last. */
export interface Save extends ObjectKey {
  readonly version: number;
  readonly knownSince: number;
  readonly bytes: number;
  readonly slots: readonly StoredSlot[];
  /** Names of slots that leave no trace. */
  readonly forgotten: readonly string[];
  /** There is nothing left of it. */
  readonly isGone: boolean;
}

/** All that an object is to hold from now on. */
export interface Replacement extends ObjectKey {
  readonly bytes: number;
  readonly slots: readonly { readonly name: string; readonly value: Uint8Array }[];
}

export interface StoredUsage {
  objects: number;
  bytes: number;
}

export interface AppUsage extends StoredUsage {
  readonly app: string;
}

/** "SWso": other programs' databases are not ours to write to. */
const APPLICATION_ID = 0x53_57_73_6f;

/** Each leads from the version that is its index to the next. A database of more versions is a newer server's. */
const MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
   INSERT INTO meta VALUES ('isClean', 1), ('floor', 0);
   CREATE TABLE objects (
     id INTEGER PRIMARY KEY,
     app TEXT NOT NULL,
     instance TEXT NOT NULL,
     name TEXT NOT NULL,
     version INTEGER NOT NULL,
     known_since INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     UNIQUE (app, instance, name)
   );
   CREATE TABLE slots (
     object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
     name TEXT NOT NULL,
     version INTEGER NOT NULL,
     value BLOB,
     PRIMARY KEY (object, name)
   );
   CREATE INDEX removed_slots ON slots (object, version) WHERE value IS NULL;`,
];

/**
 * Clients may have been told of versions that a server which was killed had not written yet. After that every object
 * goes on from so much further, and whoever knows an older version is told everything. By another number each time: a
 * backup that was restored goes on beside what came after it, and the same versions must not be two.
 */
const LEAP = 1 << 18;

const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

/**
 * The persistent shared objects of all applications, in one SQLite file: WAL, and `synchronous=FULL`, so that what was
 * committed survives the machine. One process has it at a time. Everything blocks: it is for a thread of its own.
 */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #leapsAll = false;
  readonly #file: string;
  readonly #inode: number | undefined;

  /** Throws `E_DATA` with one line for the terminal. */
  constructor(file: string) {
    if (existsSync(file) && statSync(file).size === 0 && existsSync(`${file}-wal`))
      throw new StagewireError('E_DATA', 'host', 'is empty, though something was written: restore a backup');
    reserve(file);
    const db = new DatabaseSync(file);
    this.#db = db;
    this.#file = file;
    this.#inode = inodeOf(file);
    try {
      db.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = ON');
      // The lock comes with the first transaction that writes, and stays.
      db.exec('BEGIN IMMEDIATE');
      this.#checkAndMigrate();
      if (this.#meta('isClean') === 0) this.#checkPages();
      db.exec('COMMIT');
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864');
      this.#transact(() => {
        if (this.#meta('isClean') === 0) this.#leap();
        this.#setMeta('isClean', 0);
      });
    } catch (error) {
      db.close();
      throw explained(error);
    }
  }

  load(key: ObjectKey): StoredObject {
    const { id, ...head } = this.#headOf(key);
    const slots = this.#prepare(
      'SELECT name, version, value FROM slots WHERE object = ? ORDER BY version, rowid',
    ).all(id);
    return { ...head, slots: slots as unknown as StoredSlot[] };
  }

  #headOf({ app, instance, name }: ObjectKey): Omit<StoredObject, 'slots'> & { id: number } {
    const leap = this.#leapsAll ? LEAP : 0;
    const found = this.#prepare(
      'SELECT id, version, known_since, bytes FROM objects WHERE app = ? AND instance = ? AND name = ?',
    ).get(app, instance, name) as ObjectRow | undefined;
    if (!found) {
      const version = this.#meta('floor') + leap + 1;
      return { id: 0, isStored: false, version, knownSince: version, bytes: 0 };
    }
    return {
      id: found.id,
      isStored: true,
      version: found.version + leap,
      knownSince: leap > 0 ? found.version + leap : found.known_since,
      bytes: found.bytes,
    };
  }

  /** All of them, or none. */
  save(saves: readonly Save[]): void {
    this.#transact(() => {
      for (const save of saves) this.#save(save);
    });
  }

  /** In a version that is newer than any that there was. Returns what it took before; undefined when it is new. */
  replace({ app, instance, name, bytes, slots }: Replacement): number | undefined {
    const before = this.load({ app, instance, name });
    const version = before.version + 1;
    const kept = new Set(slots.map((slot) => slot.name));
    this.save([
      {
        ...{ app, instance, name, version, knownSince: version, bytes, isGone: false },
        slots: slots.map((slot) => ({ ...slot, version })),
        forgotten: before.slots.flatMap((slot) => (kept.has(slot.name) ? [] : [slot.name])),
      },
    ]);
    return before.isStored ? before.bytes : undefined;
  }

  /** Removes those of them that there are. Returns what they took. */
  remove(app: string, instance: string, names: readonly string[]): StoredUsage {
    const removed = { objects: 0, bytes: 0 };
    this.#transact(() => {
      for (const name of names) {
        const { isStored, version, bytes } = this.#headOf({ app, instance, name });
        if (!isStored) continue;
        removed.objects++;
        removed.bytes += bytes;
        this.#delete({ app, instance, name }, version);
      }
    });
    return removed;
  }

  /** What each application has. */
  usage(): AppUsage[] {
    const rows = this.#prepare(
      'SELECT app, count(*) AS objects, sum(bytes) AS bytes FROM objects GROUP BY app',
    ).all();
    return rows as unknown as AppUsage[];
  }

  /** Names of the objects of an instance. */
  names(app: string, instance: string): string[] {
    const rows = this.#prepare('SELECT name FROM objects WHERE app = ? AND instance = ? ORDER BY name').all(
      app,
      instance,
    );
    return (rows as { name: string }[]).map(({ name }) => name);
  }

  /** Keys of up to `count` objects behind that one, in order; of one application, or all. */
  keysAfter(after: ObjectKey | undefined, count: number, app?: string): ObjectKey[] {
    const { app: a, instance: i, name: n } = after ?? { app: '', instance: '', name: '' };
    const rows = this.#prepare(
      `SELECT app, instance, name FROM objects
       WHERE (app, instance, name) > (?, ?, ?) AND (?4 IS NULL OR app = ?4)
       ORDER BY app, instance, name LIMIT ?`,
    ).all(a, i, n, app ?? null, count);
    return rows as unknown as ObjectKey[];
  }

  /** Writes a copy of all that is committed to a new file. */
  backup(file: string): void {
    // A part of it must not pass for all of it.
    const part = `${file}.part`;
    reserve(part);
    try {
      // SQLite's own backup in steps fails now and then when something is saved in between.
      this.#prepare('VACUUM INTO ?').run(part);
      renameSync(part, file);
    } finally {
      rmSync(part, { force: true });
    }
  }

  /** Some version that clients were told of will never be written: see `LEAP`. */
  losesVersions(): void {
    this.#leapsAll = true;
  }

  close(): void {
    if (!this.#leapsAll) this.#setMeta('isClean', 1);
    this.#db.close();
  }

  #checkAndMigrate(): void {
    const version = this.#pragma('user_version');
    const id = this.#pragma('application_id');
    const isEmpty = this.#prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count === 0;
    if (id !== APPLICATION_ID && !(isEmpty && version === 0))
      throw new StagewireError('E_DATA', 'host', 'is a database of another program');
    if (version > MIGRATIONS.length) {
      const text = `was written by a newer server (schema ${version}, and this one knows ${MIGRATIONS.length})`;
      throw new StagewireError('E_DATA', 'host', text);
    }
    for (const migration of MIGRATIONS.slice(version)) this.#db.exec(migration);
    this.#db.exec(`PRAGMA user_version = ${MIGRATIONS.length}; PRAGMA application_id = ${APPLICATION_ID}`);
  }

  /** After a start that did not end well. Throws `E_DATA`. */
  #checkPages(): void {
    const found = this.#prepare('PRAGMA quick_check(1)').get()?.quick_check;
    if (found !== 'ok') throw new StagewireError('E_DATA', 'host', `is damaged: ${String(found)}`);
  }

  #leap(): void {
    const leap = LEAP + randomInt(LEAP);
    this.#db.exec(
      `UPDATE objects SET version = version + ${leap}, known_since = version + ${leap};
       DELETE FROM slots WHERE value IS NULL;
       UPDATE meta SET value = value + ${leap} WHERE key = 'floor'`,
    );
  }

  #save(save: Save): void {
    const { app, instance, name, version, knownSince, bytes } = save;
    if (save.isGone) return this.#delete(save, version);
    const { id } = this.#prepare(
      `INSERT INTO objects (app, instance, name, version, known_since, bytes) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (app, instance, name) DO UPDATE
       SET version = excluded.version, known_since = excluded.known_since, bytes = excluded.bytes
       RETURNING id`,
    ).get(app, instance, name, version, knownSince, bytes) as { id: number };
    const set = this.#prepare(
      `INSERT INTO slots (object, name, version, value) VALUES (?, ?, ?, ?)
       ON CONFLICT (object, name) DO UPDATE SET version = excluded.version, value = excluded.value`,
    );
    for (const slot of save.slots) set.run(id, slot.name, slot.version, slot.value);
    const forget = this.#prepare('DELETE FROM slots WHERE object = ? AND name = ?');
    for (const slot of save.forgotten) forget.run(id, slot);
    this.#prepare('DELETE FROM slots WHERE object = ? AND value IS NULL AND version <= ?').run(
      id,
      knownSince,
    );
  }

  /** A new one of its name begins with a higher version. */
  #delete({ app, instance, name }: ObjectKey, version: number): void {
    this.#prepare('DELETE FROM objects WHERE app = ? AND instance = ? AND name = ?').run(app, instance, name);
    this.#prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'floor'").run(version);
  }

  #transact(work: () => void): void {
    // What is written to a file that has no name any more nobody will find.
    if (inodeOf(this.#file) !== this.#inode)
      throw new StagewireError(
        'E_DATA',
        'host',
        'was removed or replaced: end the server, and restore a backup',
      );
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      // SQLite has rolled back by itself after some errors.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #meta(key: string): number {
    return (this.#prepare('SELECT value FROM meta WHERE key = ?').get(key) as { value: number }).value;
  }

  #setMeta(key: string, value: number): void {
    this.#prepare('UPDATE meta SET value = ? WHERE key = ?').run(value, key);
  }

  #pragma(name: 'user_version' | 'application_id'): number {
    return this.#db.prepare(`PRAGMA ${name}`).get()?.[name] as number;
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

function inodeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino;
}

/** What clients stored is nobody else's to read. The files beside it (WAL) are made with the same rights. */
function reserve(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
}

interface ObjectRow {
  id: number;
  version: number;
  known_since: number;
  bytes: number;
}

function explained(error: unknown): unknown {
  switch ((error as { errcode?: number }).errcode) {
    case SQLITE_BUSY:
      return new StagewireError('E_DATA_IN_USE', 'host', 'is in use by another process');
    case SQLITE_NOTADB:
      return new StagewireError('E_DATA', 'host', 'is no SQLite database');
    default:
      return error;
  }
}
