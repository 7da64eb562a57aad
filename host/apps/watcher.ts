import { EventEmitter } from 'node:events';
import { realpathSync, type Stats, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { type Clock, systemClock, type Timer } from '../base/clock.ts';
import { describeError, StagewireError } from '../base/errors.ts';
import { whyNotAnApp } from './main-file.ts';

export interface AppWatcherEvents {
  /** A folder that can be an application has appeared. */
  added: [app: string];
  /** The folder is gone. */
  removed: [app: string];
  /** Something that its script depends on was written: time to build. */
  changed: [app: string];
  /** More was written closely after that, so that what is being built may be half of it. `changed` follows after quiet. */
  held: [app: string];
  /** A folder has appeared whose name no application can have. */
  refused: [name: string, reason: string];
  /** Watching has suffered (too many files, no permission); it goes on where it can. */
  problem: [error: StagewireError];
}

export interface AppWatcherOptions {
  /** After the first change, further ones are held until nothing has happened for so long. Default 100. */
  readonly quietMs?: number;
  /** Files and folders of one application that are watched. Default 20000. */
  readonly maxEntries?: number;
  /** What may happen in one round of the event loop before watching pauses. Default 1000. */
  readonly maxEvents?: number;
  /** Whether the scripts of an application have written that file: it is none that its author has changed. */
  readonly isWrittenBy?: (app: string, file: string) => boolean;
  readonly clock?: Clock;
}

interface WatchedApp {
  readonly folder: string;
  /** Where the folder really is: builds name their inputs so. */
  realFolder: string;
  /** Its folder has gone: runs out when it does not come back soon. */
  leaving: Timer | undefined;
  readonly changes: Coalescer;
  inputs: ReadonlySet<string>;
  /** Inputs that lie where the folder's own watch does not look. */
  outside: ReadonlySet<string>;
  /** The last build failed, or there was none: any source file may be what it needs. */
  isOpen: boolean;
  /** What is watched in it, by path. */
  readonly entries: Set<string>;
  /** Links to files, and where they lead: builds name their inputs so. */
  readonly links: Map<string, string>;
  isFull: boolean;
}

/** Each costs memory, and each folder one of the machine's watches: no application of the time had so many. */
const MAX_ENTRIES = 20_000;
/** Folders in one another. */
const MAX_DEPTH = 32;
/**
 * The operating system's news are read until there are no more. Where a folder is renamed again and again they come
 * faster than they are handled: the event loop would not go on until that ends.
 */
const MAX_EVENTS = 1000;
/** Deploying may mean to put another folder in the place of one. */
const AWAY_MS = 500;
/** The first pause, and the longest: each is twice as long as the one before unless that was long ago. */
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

// An app that imports half of npm must not use up the machine's watches.
const maxOutsideFiles = 512;

/** Watches the applications directory and says which app to build, add or remove. */
export class AppWatcher extends EventEmitter<AppWatcherEvents> {
  readonly #root: string;
  readonly #quietMs: number;
  readonly #maxEntries: number;
  readonly #maxEvents: number;
  readonly #isWrittenBy: (app: string, file: string) => boolean;
  readonly #clock: Clock;
  readonly #apps = new Map<string, WatchedApp>();
  #folders: FSWatcher | undefined;
  #outside: FSWatcher | undefined;
  /** There was a first time. */
  #isReady = false;
  /** What is there is being found out. */
  #isLooking = true;
  /** The applications that were found. */
  readonly #found = new Set<string>();
  /** In this round of the event loop. */
  #events = 0;
  #pause: Timer | undefined;
  #pauseMs = PAUSE_MS;
  #resumedAt = 0;
  #isClosed = false;

  constructor(appsFolder: string, options: AppWatcherOptions = {}) {
    super();
    this.#root = resolve(appsFolder);
    this.#quietMs = options.quietMs ?? 100;
    this.#maxEntries = options.maxEntries ?? MAX_ENTRIES;
    this.#maxEvents = options.maxEvents ?? MAX_EVENTS;
    this.#isWrittenBy = options.isWrittenBy ?? (() => false);
    this.#clock = options.clock ?? systemClock;
  }

  /** The applications there are now, sorted. */
  get apps(): string[] {
    return [...this.#apps.keys()].sort();
  }

  /** Resolves when every change from now on will be seen. What exists by then is in `apps`, without events. */
  async start(): Promise<void> {
    await this.#watch();
    this.#isReady = true;
  }

  async #watch(): Promise<void> {
    this.#isLooking = true;
    const ignored = (path: string, stats?: Stats) => this.#isIgnored(path, stats);
    const outside = watch(
      [...this.#apps.values()].flatMap((app) => [...app.outside]),
      { ignoreInitial: true },
    );
    const folders = watch(this.#root, { ignored });
    this.#outside = outside;
    this.#folders = folders;
    for (const watcher of [folders, outside]) {
      watcher.on('raw', () => this.#count());
      watcher.on('error', (error) => this.#complain(describeError(error)));
    }
    folders.on('addDir', (path) => this.#onFolder(path));
    folders.on('unlinkDir', (path) => this.#onFolderGone(path));
    for (const event of ['unlink', 'unlinkDir'] as const) folders.on(event, (path) => this.#forget(path));
    for (const event of ['add', 'change', 'unlink'] as const) {
      folders.on(event, (path) => !this.#isLooking && this.#onFile(path));
      outside.on(event, (path) => this.#onOutsideFile(path));
    }
    await new Promise<void>((done) => folders.once('ready', done));
    if (this.#folders === folders) this.#isLooking = false;
  }

  #complain(why: string): void {
    this.emit('problem', new StagewireError('E_WATCH', 'host', `watching ${this.#root}: ${why}`));
  }

  #count(): void {
    if (this.#events++ === 0)
      setImmediate(() => {
        this.#events = 0;
      });
    if (this.#events <= this.#maxEvents || this.#pause || !this.#isReady) return;
    const pauseMs = this.#pauseMs;
    this.#unwatchAll();
    this.#complain(`too much happens at once: what has changed is looked for in ${pauseMs / 1000} s`);
    this.#pause = this.#clock.setTimer(() => void this.#resume(), pauseMs);
    const isNew = this.#clock.monotonic() - this.#resumedAt > LONGEST_PAUSE_MS;
    this.#pauseMs = isNew ? PAUSE_MS * 2 : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }

  /** Whatever has changed meanwhile, nobody has seen: all applications are built. */
  async #resume(): Promise<void> {
    this.#pause = undefined;
    this.#found.clear();
    for (const app of this.#apps.values()) {
      app.entries.clear();
      app.links.clear();
      app.isFull = false;
    }
    this.#resumedAt = this.#clock.monotonic();
    await this.#watch();
    if (this.#isLooking || this.#isClosed) return;
    for (const [name, { folder, changes }] of [...this.#apps]) {
      if (this.#found.has(name)) changes.touch();
      else this.#onFolderGone(folder);
    }
  }

  #unwatchAll(): Promise<unknown> {
    const watchers = [this.#folders, this.#outside];
    this.#folders = undefined;
    this.#outside = undefined;
    return Promise.all(watchers.map((watcher) => watcher?.close()));
  }

  /**
   * Says what the last build read (absolute paths). After a failed build say so: then any source file of
   * the folder counts, for a missing import may be satisfied by a file that nobody has read yet. `isOpen` says the
   * same of a build that depends on what files there are.
   */
  setInputs(
    app: string,
    files: readonly string[],
    options: { failed?: boolean; isOpen?: boolean } = {},
  ): void {
    const watched = this.#apps.get(app);
    if (!watched) return;
    watched.inputs = new Set(files);
    watched.isOpen = options.failed === true || options.isOpen === true;

    // Own files before those of packages, should there be too many.
    const outside = files.filter((file) => !this.#isCovered(file));
    outside.sort((a, b) => Number(a.includes(packages)) - Number(b.includes(packages)));
    const before = watched.outside;
    watched.outside = new Set(outside.slice(0, maxOutsideFiles));
    this.#outside?.add([...watched.outside].filter((file) => !before.has(file)));
    this.#unwatch(before);
  }

  /** May be called twice. No event comes afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.removeAllListeners();
    this.#clock.clearTimer(this.#pause);
    for (const { changes, leaving } of this.#apps.values()) {
      changes.cancel();
      this.#clock.clearTimer(leaving);
    }
    await this.#unwatchAll();
  }

  #onFolder(path: string): void {
    const name = relative(this.#root, path);
    if (name === '' || name.includes(sep)) return;
    const reason = whyNotAnApp(name);
    if (reason !== undefined) {
      if (!this.#isReady || !this.#isLooking) this.emit('refused', name, reason);
      return;
    }
    this.#found.add(name);
    const known = this.#apps.get(name);
    if (known) return this.#onReturn(known);
    this.#apps.set(name, {
      folder: path,
      realFolder: realPath(path),
      leaving: undefined,
      changes: new Coalescer(
        this.#clock,
        this.#quietMs,
        () => this.emit('changed', name),
        () => this.emit('held', name),
      ),
      inputs: new Set(),
      outside: new Set(),
      isOpen: true,
      entries: new Set(),
      links: new Map(),
      isFull: false,
    });
    if (this.#isReady) this.emit('added', name);
  }

  #onFolderGone(path: string): void {
    const name = relative(this.#root, path);
    const watched = this.#apps.get(name);
    if (!watched || watched.leaving) return;
    // Another may be put in its place.
    watched.leaving = this.#clock.setTimer(() => {
      if (isFolder(path)) this.#onReturn(watched);
      else this.#remove(name, watched);
    }, AWAY_MS);
  }

  /** The folder is there, and may be another. */
  #onReturn(watched: WatchedApp): void {
    if (!watched.leaving) return;
    this.#clock.clearTimer(watched.leaving);
    watched.leaving = undefined;
    watched.realFolder = realPath(watched.folder);
    watched.changes.touch();
  }

  #remove(name: string, watched: WatchedApp): void {
    watched.changes.cancel();
    this.#apps.delete(name);
    this.#unwatch(watched.outside);
    this.emit('removed', name);
  }

  #onFile(path: string): void {
    const parts = relative(this.#root, path).split(sep);
    const owner = this.#apps.get(parts[0]!);
    if (!owner || owner.leaving) return;
    const realFile = join(owner.realFolder, ...parts.slice(1));
    const isMain = couldBeMain(parts[0]!, parts.slice(1).join('/'));
    const led = owner.links.get(path);
    if (led !== undefined) owner.links.set(path, realPath(path));

    const isSource = sourceFile.test(path) && !this.#isWrittenBy(parts[0]!, realFile);

    for (const watched of this.#apps.values()) {
      const isOwn = watched === owner && (isMain || (watched.isOpen && isSource));
      const isInput = watched.inputs.has(realFile) || (led !== undefined && watched.inputs.has(led));
      if (isOwn || isInput) watched.changes.touch();
    }
  }

  #onOutsideFile(path: string): void {
    for (const watched of this.#apps.values()) {
      if (watched.outside.has(path)) watched.changes.touch();
    }
  }

  /** Stops watching files that no app has among its inputs any longer. */
  #unwatch(files: ReadonlySet<string>): void {
    const unused = [...files].filter((file) => {
      for (const { outside } of this.#apps.values()) if (outside.has(file)) return false;
      return true;
    });
    if (unused.length > 0) this.#outside?.unwatch(unused);
  }

  #isCovered(file: string): boolean {
    for (const [name, { realFolder, folder, entries, isFull }] of this.#apps) {
      if (!file.startsWith(realFolder + sep)) continue;
      const inside = relative(realFolder, file);
      const path = inside.split(sep);
      if (isIgnoredIn(name, path) || path.length > MAX_DEPTH) return false;
      return !isFull || entries.has(join(folder, inside));
    }
    return false;
  }

  /** Asked of each path before it is watched, with what it is itself, and now and then without. */
  #isIgnored(path: string, stats: Stats | undefined): boolean {
    const [name = '', ...rest] = relative(this.#root, path).split(sep);
    if (name === '' || name === '..') return false;
    if (isIgnoredIn(name, rest) || rest.length > MAX_DEPTH) return true;
    const app = this.#apps.get(name);
    if (!app || rest.length === 0) return false;
    // A link to a folder may lead to all there is on the machine. What a build reads there is watched by itself.
    if (stats?.isSymbolicLink() && isFolder(path)) return true;
    if (app.entries.has(path) || couldBeMain(name, rest.join('/'))) return false;
    if (app.entries.size >= this.#maxEntries) {
      this.#fill(name, app, path);
      return true;
    }
    if (stats) app.entries.add(path);
    if (stats?.isSymbolicLink()) app.links.set(path, realPath(path));
    return false;
  }

  #fill(name: string, app: WatchedApp, path: string): void {
    if (app.isFull) return;
    app.isFull = true;
    const text = `${name} has more than ${this.#maxEntries} files and folders: changes of others, such as ${path}, are not seen`;
    this.emit('problem', new StagewireError('E_WATCH', 'app', text));
  }

  #forget(path: string): void {
    const [name = ''] = relative(this.#root, path).split(sep);
    this.#apps.get(name)?.entries.delete(path);
  }
}

/** What an application begins with, wherever it may lie (main-file.ts), and what is run before it. */
function couldBeMain(app: string, name: string): boolean {
  if (/^app\.json$|^(?:scripts\/)?(?:main\.ts|secure\.asc)$/.test(name)) return true;
  const own = /^(?:scripts\/)?(.+)\.(?:asc|js|far|ase)$/.exec(name)?.[1];
  return own === 'main' || own === app;
}

const packages = `${sep}node_modules${sep}`;
const sourceFile = /\.(?:[cm]?[jt]s|[jt]sx|asc|json|txt|md|html|csv|sql)$/;

/** Whether a path inside an app folder is none of its script's: media, stored data, packages, editors' files. */
function isIgnoredIn(app: string, path: readonly string[]): boolean {
  if (app.startsWith('.') || app === 'node_modules') return true;
  if (path.length === 0) return false;
  return whyNotAnApp(app) !== undefined || isNoScript(path);
}

export function isNoScript(path: readonly string[]): boolean {
  return notScript.has(path[0]!) || path.some((part) => part === 'node_modules' || isEditorFile(part));
}

const notScript = new Set(['streams', 'sharedobjects', 'public']);

/** Hidden files (vim's swap files among them), backups, and what editors write before they rename it. */
function isEditorFile(name: string): boolean {
  return /^\.|^#|~$|\.sw[a-z]$|\.tmp$|^4913$/.test(name) || name.includes('___jb_');
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // leads nowhere
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Fires at once, then holds further touches until there was quiet, but never longer than ten times that. */
export class Coalescer {
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #fire: () => void;
  readonly #held: () => void;
  #timer: Timer | undefined;
  #heldSince: number | undefined;
  /** It has fired without there having been quiet. */
  #isForced = false;

  /** `held`: what it has fired for last is not all. Not called when there was no quiet before: that would never end. */
  constructor(clock: Clock, quietMs: number, fire: () => void, held: () => void = () => {}) {
    this.#clock = clock;
    this.#quietMs = quietMs;
    this.#fire = fire;
    this.#held = held;
  }

  touch(): void {
    if (!this.#timer) {
      this.#restart();
      this.#fire();
      return;
    }
    const now = this.#clock.monotonic();
    this.#heldSince ??= now;
    // Something that writes without pause still gets its builds.
    if (now - this.#heldSince < this.#quietMs * 10) this.#restart();
    if (!this.#isForced) this.#held();
  }

  /** Forgets what is held. */
  cancel(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#heldSince = undefined;
    this.#isForced = false;
  }

  #restart(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(() => this.#onQuiet(), this.#quietMs);
  }

  #onQuiet(): void {
    const since = this.#heldSince;
    this.#timer = undefined;
    this.#heldSince = undefined;
    this.#isForced = since !== undefined && this.#clock.monotonic() - since >= this.#quietMs * 10;
    if (since === undefined) return;
    this.#restart();
    this.#fire();
  }
}
