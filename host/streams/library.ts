import type { Dirent } from 'node:fs';
import { access, mkdir, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { StreamName } from '../../wire/stream-name.ts';
import { StagewireError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { matches } from '../base/resource-path.ts';
import { FileProblem, type MediaFile, MediaFiles, type MediaProbe } from './files/media-files.ts';
import { AlreadyRecorded } from './recording/problem.ts';
import {
  Recording,
  type RecordingEvents,
  type RecordingLimits,
  type RecordMode,
} from './recording/recording.ts';
import { Remuxer } from './remux/remuxer.ts';
import {
  endingsOf,
  filesFor,
  isMediaFile,
  type MovieMode,
  movieOf,
  nameOf,
  recordingFile,
} from './stream-files.ts';

/** The folder of an application, as Sandbox of host/apps has it: links are followed as long as they stay inside. */
export interface MediaStorage {
  /** Does something with what is, or will be, at that path below the application's folder. */
  at<T>(path: string, use: (spot: { at: string; real: string }) => Promise<T>): Promise<T>;
}

export interface LibraryOptions {
  readonly storage: MediaStorage;
  readonly app: string;
  readonly instance: string;
  readonly limits: RecordingLimits & { readonly recordings: number; readonly broadcasts: number };
  /** Where streams are whose name begins so: paths below the application's folder, by folder, or by `/` for all. */
  readonly virtual: Readonly<Record<string, string>>;
  /** Whether MP4 files are made of recordings. */
  readonly remux: MovieMode | undefined;
  readonly archive: Archive;
  readonly log: Log;
}

/** What all libraries of the server share. */
export class Archive {
  readonly files: MediaFiles;
  readonly remuxer = new Remuxer();
  /** What is being recorded, by the real path. */
  readonly recorded = new Map<string, Recording>();
  /** All that have not ended, and of which application each is. */
  readonly #recordings = new Map<Recording, MediaStorage>();
  /** Streams whose source is the server: how many an application has. */
  readonly #broadcasts = new Map<MediaStorage, number>();

  constructor(cacheBytes: number, maxOpen: number) {
    this.files = new MediaFiles({ cacheBytes, maxOpen });
  }

  began(recording: Recording, storage: MediaStorage): void {
    this.#recordings.set(recording, storage);
  }

  /** What an application records, and has something of, is found under its name then. */
  async shown(storage: MediaStorage): Promise<void> {
    const own = [...this.#recordings].filter(([, each]) => each === storage);
    await Promise.all(own.map(([recording]) => recording.shown()));
  }

  /** How many there are of an application. */
  countOf(storage: MediaStorage): number {
    return [...this.#recordings.values()].filter((one) => one === storage).length;
  }

  ended(recording: Recording): void {
    this.#recordings.delete(recording);
  }

  /** False when the application has so many. */
  beginBroadcast(storage: MediaStorage, limit: number): boolean {
    const present = this.#broadcasts.get(storage) ?? 0;
    if (limit > 0 && present >= limit) return false;
    this.#broadcasts.set(storage, present + 1);
    return true;
  }

  endBroadcast(storage: MediaStorage): void {
    const left = (this.#broadcasts.get(storage) ?? 0) - 1;
    if (left > 0) this.#broadcasts.set(storage, left);
    else this.#broadcasts.delete(storage);
  }

  get figures() {
    return { ...this.files.usage, recordings: this.#recordings.size };
  }

  /** Completes all recordings; no more MP4 files are made of them. */
  async close(): Promise<void> {
    const givenUp = this.remuxer.close();
    await Promise.all([...this.#recordings.keys()].map((recording) => recording.stop()));
    await givenUp;
    await this.files.close();
  }
}

/** Files and folders that are looked at when several are removed. */
const MAX_ENTRIES = 10_000;
/** The recorded streams of one instance: files in the application's folder, under `streams/<instance>/`. */
export class Library {
  readonly #storage: MediaStorage;
  readonly #folder: string;
  readonly #options: LibraryOptions;
  readonly #archive: Archive;
  readonly #log: Log;

  constructor(options: LibraryOptions) {
    const { storage, instance, archive, log } = options;
    this.#storage = storage;
    this.#folder = `/streams/${instance}`;
    this.#options = options;
    this.#archive = archive;
    this.#log = log;
  }

  /** The absolute path of the file that a stream was recorded to, links resolved; undefined when there is none. */
  async find(stream: StreamName): Promise<string | undefined> {
    const { recorded } = this.#archive;
    for (const file of filesFor(stream)) {
      if (recorded.size > 0) await (await this.#at(file, async ({ real }) => recorded.get(real)))?.shown();
      const found = await this.#at(file, async ({ at, real }) => {
        const stats = await stat(at);
        // An empty one that is recorded is about to be replaced.
        return stats.isFile() && (stats.size > 0 || !recorded.has(real)) ? real : undefined;
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Opens the file of a recorded stream; undefined when there is none. Rejects with a FileProblem. */
  async open(stream: StreamName): Promise<MediaFile | undefined> {
    const path = await this.find(stream);
    return path === undefined ? undefined : this.#archive.files.open(path, this.#options.app);
  }

  /** Seconds; 0 for what is not there, or is no recording. */
  async lengthOf(stream: StreamName): Promise<number> {
    return ((await this.probe(stream))?.durationMs ?? 0) / 1000;
  }

  /** Something is wrong with a file: for the log. */
  complain(name: string, problem: string): void {
    this.#log.warn(`the recorded stream ${name}: ${problem}`, { code: 'E_MEDIA_FILE' });
  }

  /** The server is to be a stream's source: false, with a line in the log, when it is that of too many. */
  beginBroadcast(name: string): boolean {
    const { broadcasts } = this.#options.limits;
    if (this.#archive.beginBroadcast(this.#storage, broadcasts)) return true;
    const why = `the server is the source of ${broadcasts} streams, and that is the limit (limits.broadcasts)`;
    this.#log.warn(`nothing is played as ${name}: ${why}`, { code: 'E_BROADCAST' });
    return false;
  }

  endBroadcast(): void {
    this.#archive.endBroadcast(this.#storage);
  }

  /** Begins to record under that name, when `before` has ended. Whatever goes wrong is told to `events`. */
  record(
    stream: StreamName,
    mode: RecordMode,
    own: { maxMs: number; maxBytes: number },
    events: RecordingEvents,
    isSynchronous?: () => boolean,
    before?: Promise<void>,
  ): Recording {
    let place: string | undefined;
    let isComplete = false;
    const archive = this.#archive;
    const recording: Recording = new Recording(
      async () => {
        await before;
        const { recordings } = this.#options.limits;
        if (recordings > 0 && archive.countOf(this.#storage) > recordings)
          throw new StagewireError(
            'E_RECORD',
            'app',
            `${recordings} streams are recorded, and that is the limit (limits.recordings)`,
          );
        const real = await this.#place(stream);
        if (archive.recorded.has(real)) throw new AlreadyRecorded(`${stream.name} is being recorded already`);
        archive.recorded.set(real, recording);
        place = real;
        await archive.remuxer.giveUp(real, 'it is recorded again');
        if (mode !== 'record') await this.#assertContinues(stream, real);
        return real;
      },
      mode,
      this.#limitsWith(own),
      {
        ...events,
        failed: (problem) => {
          this.complain(stream.name, problem.description);
          events.failed(problem);
        },
        stopped: (figures) => {
          isComplete = true;
          events.stopped(figures);
        },
        ended: () => {
          archive.ended(recording);
          events.ended?.();
          if (place === undefined) return;
          archive.recorded.delete(place);
          if (isComplete) this.#remux(stream, place);
        },
      },
      isSynchronous,
    );
    archive.began(recording, this.#storage);
    return recording;
  }

  #remux(stream: StreamName, from: string): void {
    const movie = movieOf(stream, this.#options.remux);
    if (!movie) return;
    this.#archive.remuxer.add({
      from,
      to: join(dirname(from), basename(movie.file)),
      isMoved: movie.isAlone,
      freeDiskMb: this.#options.limits.freeDiskMb,
      log: this.#log,
    });
  }

  /** What has become an MP4, and is nothing else any more, cannot be gone on with: it would be replaced. */
  async #assertContinues(stream: StreamName, recording: string): Promise<void> {
    const movie = movieOf(stream, this.#options.remux);
    if (!movie?.isAlone || (await isThere(recording))) return;
    const file = basename(movie.file);
    if (await isThere(join(dirname(recording), file)))
      throw new StagewireError('E_RECORD', 'app', `nothing can be appended to ${file}`);
  }

  /** A script may ask for less than the application allows. */
  #limitsWith({ maxMs, maxBytes }: { maxMs: number; maxBytes: number }): RecordingLimits {
    const { recordingMs, recordingBytes, freeDiskMb } = this.#options.limits;
    return {
      recordingMs: least(recordingMs, maxMs),
      recordingBytes: least(recordingBytes, maxBytes),
      freeDiskMb,
    };
  }

  /** What a script is told of a recorded stream; undefined when there is none that can be read. */
  async probe(stream: StreamName): Promise<MediaProbe | undefined> {
    const path = await this.find(stream);
    if (path === undefined) return undefined;
    try {
      return await this.#archive.files.probe(path, this.#options.app);
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      this.complain(stream.name, error.message);
      return undefined;
    }
  }

  /** Removes the file; one that is being recorded is emptied. False when there is none, or the system refuses. */
  async remove(stream: StreamName): Promise<boolean> {
    const remove = (file: string) => this.#at(file, (spot) => this.#removeFile(spot));
    // What an MP4 is made of goes with it.
    const source = movieOf(stream, undefined) && recordingFile(stream);
    const isGone = source !== undefined && (await remove(source)) === true;
    // Whoever names another file with `mp4:` may try to play it, and no more.
    for (const file of filesFor(stream).filter(isMediaFile)) if (await remove(file)) return true;
    return isGone;
  }

  /**
   * Removes the recordings that the path stands for, of one container (`application.clearStreams`), and the folders that
   * are empty then. Returns the names of those that are gone and of those that are not.
   */
  async removeAll(path: string, container: string): Promise<{ gone: string[]; kept: string[] }> {
    await this.#archive.shown(this.#storage);
    const endings = endingsOf(container);
    const gone: string[] = [];
    const kept: string[] = [];
    const folders = [''];
    for (const folder of folders) {
      for (const entry of (await this.#at(folder, ({ at }) => readdir(at, { withFileTypes: true }))) ?? []) {
        const file = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (gone.length + kept.length + folders.length > MAX_ENTRIES) return { gone, kept: [...kept, '...'] };
        if (entry.isDirectory()) folders.push(file);
        const ending = endings.find((one) => file.toLowerCase().endsWith(one));
        if (!entry.isFile() || ending === undefined) continue;
        const name = ending === '.flv' ? file.slice(0, -ending.length) : file;
        if (!matches(path, name)) continue;
        const isGone = await this.#at(file, (spot) => this.#removeFile(spot));
        (isGone ? gone : kept).push(name);
      }
    }
    for (const folder of folders.slice(1).reverse())
      await this.#at(folder, ({ at }) => rmdir(at).catch(() => {}));
    return { gone, kept };
  }

  /** Recordings under their own names, without those in virtual folders; not more than `most`, in order. */
  async list(most: number): Promise<{ name: string; bytes: number }[]> {
    const found: { name: string; bytes: number }[] = [];
    const folders = [''];
    let entries = 0;
    for (const folder of folders) {
      for (const entry of (await this.#entriesOf(folder)) ?? []) {
        if (++entries > MAX_ENTRIES || found.length >= most) return found;
        const file = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (entry.name.startsWith('.')) continue;
        if (entry.isDirectory()) folders.push(file);
        if (!entry.isFile() || !isMediaFile(file)) continue;
        const bytes = await this.#at(file, async ({ at }) => (await stat(at)).size);
        if (bytes !== undefined) found.push({ name: nameOf(file), bytes });
      }
    }
    return found;
  }

  async #entriesOf(folder: string): Promise<Dirent[] | undefined> {
    const entries = await this.#at(folder, ({ at }) => readdir(at, { withFileTypes: true }));
    return entries?.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #removeFile({ at, real }: { at: string; real: string }): Promise<boolean> {
    await this.#archive.remuxer.giveUp(real, 'it was removed');
    const recording = this.#archive.recorded.get(real);
    // What is recorded there may have no file yet.
    if (!recording && !(await stat(at)).isFile()) return false;
    if (recording) recording.clear();
    else await unlink(at);
    return true;
  }

  /** The folders on the way are made. */
  async #place(stream: StreamName): Promise<string> {
    const recorded = recordingFile(stream);
    if (recorded === undefined)
      throw new StagewireError('E_RECORD', 'app', `nothing is recorded as ${stream.container}`);
    const file = this.#pathOf(recorded);
    const components = file.slice(1).split('/');
    for (let depth = 1; depth < components.length; depth++) {
      const folder = `/${components.slice(0, depth).join('/')}`;
      await this.#storage.at(folder, ({ at }) => mkdir(at).catch(unlessThere));
    }
    return this.#storage.at(file, async ({ real }) => real);
  }

  /** The longest of the virtual folders that fits comes first (FMS, VirtualDirectory). */
  #pathOf(file: string): string {
    const { virtual } = this.#options;
    const own = file === '' ? this.#folder : `${this.#folder}/${file}`;
    const components = file.split('/');
    for (let depth = components.length - 1; depth > 0; depth--) {
      const folder = components.slice(0, depth).join('/');
      if (Object.hasOwn(virtual, folder)) return joined(virtual[folder]!, components.slice(depth).join('/'));
    }
    return Object.hasOwn(virtual, '/') ? joined(virtual['/']!, file) : own;
  }

  /** Undefined for what is not there, or cannot be reached. */
  async #at<T>(
    file: string,
    use: (spot: { at: string; real: string }) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await this.#storage.at(this.#pathOf(file), use);
    } catch (error) {
      if (error instanceof StagewireError) return undefined;
      throw error;
    }
  }
}

/** 0 stands for no limit. */
function least(a: number, b: number): number {
  if (a === 0 || b === 0) return a + b;
  return Math.min(a, b);
}

function joined(folder: string, file: string): string {
  return [folder.replace(/\/$/, ''), file].filter((part) => part !== '').join('/');
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
