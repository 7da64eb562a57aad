import type { RtmpMessage } from '../../../wire/messages.ts';
import type { MediaInfo, MediaKind } from './container.ts';
import { FileThread, type FileThreadOptions } from './file-thread.ts';
import { FileProblem } from './problem.ts';
import { SegmentCache } from './segment-cache.ts';

export { FileProblem } from './problem.ts';

export interface MediaFilesOptions extends Omit<FileThreadOptions, 'maxOpen'> {
  /** All segments together; the least recently used go first. */
  readonly cacheBytes: number;
  readonly maxOpen: number;
  /** How long a file stays open that nobody uses. Default 5000. */
  readonly lingerMs?: number;
}

export interface MediaFile {
  readonly kind: MediaKind;
  readonly durationMs: number;
  readonly bytes: number;
  /** Payload of an AMF0 data message `onMetaData` with an ECMA array, ready for viewers. */
  readonly metadata: Uint8Array | undefined;
  readonly hasVideo: boolean;
  readonly hasAudio: boolean;
  /**
   * Where reading begins for that time: the last key frame at or before it; without video, the last message. Positions
   * are opaque. `timestampMs` is that of the first message there. Beyond the end: the last key frame.
   */
  seek(positionMs: number): Promise<{ position: number; timestampMs: number; isBeyondEnd: boolean }>;
  /**
   * Codec configurations in force before that position, as whole messages with the time of the first one there: what a
   * viewer who starts there needs first.
   */
  headersAt(position: number): Promise<readonly RtmpMessage[]>;
  /**
   * Messages from a position on, in the order of the file: about half a second, or 128 KB, at least one message. The
   * same position gives the very same segment while it is cached.
   */
  read(position: number): Promise<Segment>;
  /** The caller is done; may be called twice. */
  release(): void;
}

export interface Segment {
  readonly messages: readonly RtmpMessage[];
  /** Where the next segment begins; `undefined` at the end. */
  readonly next: number | undefined;
  /** The latest time of its messages. */
  readonly endMs: number;
}

/** What a script is told of a file. */
export interface MediaProbe {
  readonly durationMs: number;
  readonly bytes: number;
  readonly metadata: Uint8Array | undefined;
}

/** A file that is open in the worker, for all who use it. */
interface Shared {
  readonly number: number;
  readonly generation: number;
  readonly path: string;
  /** Who opened it first. */
  readonly app: string;
  readonly info: MediaInfo;
  readonly positions: Set<number>;
  users: number;
  /** Runs while nobody uses it. */
  linger: NodeJS.Timeout | undefined;
}

/**
 * Recorded media files as RTMP messages. A thread of its own opens and parses them (`worker.ts`); here is who uses
 * which, and what was read lately, once for all viewers. Everything that can go wrong with a file rejects with a
 * FileProblem.
 */
export class MediaFiles {
  readonly #options: MediaFilesOptions;
  readonly #thread: FileThread;
  readonly #cache: SegmentCache;
  readonly #reading = new Map<string, Promise<Segment>>();
  readonly #opening = new Map<string, Promise<Shared>>();
  readonly #shared = new Map<string, Shared>();
  /** Files that are open or being opened, by who opened them first. */
  readonly #openOf = new Map<string, number>();
  #reads = 0;

  constructor(options: MediaFilesOptions) {
    this.#options = options;
    this.#thread = new FileThread(options);
    this.#cache = new SegmentCache(options.cacheBytes);
  }

  /** For metrics: segments that were read from files, bytes of segments in memory, open files. */
  get usage(): { reads: number; cachedBytes: number; open: number } {
    return { reads: this.#reads, cachedBytes: this.#cache.bytes, open: this.#shared.size };
  }

  /**
   * Opens a file, or shares it while path, inode, size and time of change agree. The path is resolved and checked: a
   * symbolic link at its end is not followed. Applications that open many take turns, and leave others as many as they
   * have: alone, one gets half of `maxOpen`.
   */
  async open(path: string, app = ''): Promise<MediaFile> {
    let opening = this.#opening.get(path);
    if (!opening) {
      opening = this.#open(path, app).finally(() => this.#opening.delete(path));
      this.#opening.set(path, opening);
    }
    const shared = await opening;
    shared.users++;
    return this.#handle(shared);
  }

  async probe(path: string, app = ''): Promise<MediaProbe> {
    const file = await this.open(path, app);
    file.release();
    const { durationMs, bytes, metadata } = file;
    return { durationMs, bytes, metadata };
  }

  async close(): Promise<void> {
    for (const { linger } of this.#shared.values()) clearTimeout(linger);
    await this.#thread.close();
  }

  async #open(path: string, app: string): Promise<Shared> {
    this.#makeRoom(path, app);
    this.#count(app, 1);
    let isNew = false;
    try {
      const { file, info } = await this.#thread.ask({ method: 'open', path, app });
      const known = this.#shared.get(keyOf(this.#thread.generation, file));
      isNew = !known;
      return known ? this.#retain(known) : this.#share(file, path, app, info);
    } finally {
      if (!isNew) this.#count(app, -1);
    }
  }

  #retain(shared: Shared): Shared {
    clearTimeout(shared.linger);
    shared.linger = undefined;
    return shared;
  }

  #share(number: number, path: string, app: string, info: MediaInfo): Shared {
    const { generation } = this.#thread;
    const shared: Shared = {
      number,
      generation,
      path,
      app,
      info,
      positions: new Set(),
      users: 0,
      linger: undefined,
    };
    this.#shared.set(keyOf(generation, number), shared);
    return shared;
  }

  #count(app: string, by: number): void {
    const count = (this.#openOf.get(app) ?? 0) + by;
    if (count > 0) this.#openOf.set(app, count);
    else this.#openOf.delete(app);
  }

  #handle(shared: Shared): MediaFile {
    const { number: file } = shared;
    let isReleased = false;
    const check = () => {
      if (isReleased) throw new FileProblem('io', 'the file was released');
      if (this.#isLost(shared)) throw new FileProblem('io', 'the file was lost with the thread that read it');
    };
    return {
      ...shared.info,
      seek: async (positionMs) => {
        check();
        return this.#thread.ask({ method: 'seek', file, positionMs: positionMs > 0 ? positionMs : 0 });
      },
      headersAt: async (position) => {
        check();
        return this.#thread.ask({ method: 'headers', file, position });
      },
      read: async (position) => {
        check();
        return this.#read(shared, position);
      },
      release: () => {
        if (!isReleased) this.#release(shared);
        isReleased = true;
      },
    };
  }

  #read(shared: Shared, position: number): Promise<Segment> {
    const key = `${keyOf(shared.generation, shared.number)}:${position}`;
    const cached = this.#cache.get(key);
    if (cached) return Promise.resolve(cached);
    const known = this.#reading.get(key);
    if (known) return known;
    const reading = this.#readNew(shared, position, key).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }

  async #readNew(shared: Shared, position: number, key: string): Promise<Segment> {
    this.#reads++;
    const segment: Segment = await this.#thread.ask({ method: 'read', file: shared.number, position });
    if (this.#shared.get(keyOf(shared.generation, shared.number)) === shared) {
      this.#cache.add(key, segment);
      shared.positions.add(position);
    }
    return segment;
  }

  #release(shared: Shared): void {
    shared.users--;
    const key = keyOf(shared.generation, shared.number);
    if (shared.users > 0 || !this.#shared.delete(key)) return;
    // Behind those that have been unused for longer.
    this.#shared.set(key, shared);
    this.#letLinger(shared);
  }

  #letLinger(shared: Shared): void {
    clearTimeout(shared.linger);
    shared.linger = setTimeout(() => this.#drop(shared), this.#options.lingerMs ?? 5000).unref();
  }

  /**
   * Lets files go that nobody uses, the longest unused first, and those that are lost. Throws when the application has
   * its share all the same.
   */
  #makeRoom(path: string, app: string): void {
    for (const shared of this.#shared.values()) {
      if (this.#isLost(shared)) this.#drop(shared);
    }
    for (const shared of this.#shared.values()) {
      if (this.#isFair(app)) return;
      this.#drop(shared);
    }
    if (this.#isFair(app) || this.#isOpen(path)) return;
    const own = this.#openOf.get(app) ?? 0;
    throw new FileProblem('busy', `${own} of its media files are open, as many as are left for others`);
  }

  /** Whoever plays what is open already opens nothing. */
  #isOpen(path: string): boolean {
    for (const shared of this.#shared.values()) if (shared.path === path) return true;
    return false;
  }

  /** After Choudhury and Hahne's dynamic thresholds for queues that share memory. */
  #isFair(app: string): boolean {
    let open = 0;
    for (const count of this.#openOf.values()) open += count;
    return (this.#openOf.get(app) ?? 0) < this.#options.maxOpen - open;
  }

  /** Unless somebody uses it, or may be about to. */
  #drop(shared: Shared): void {
    const isLost = this.#isLost(shared);
    if (!isLost && shared.linger === undefined) return;
    if (!isLost && this.#opening.has(shared.path)) return this.#letLinger(shared);
    clearTimeout(shared.linger);
    const key = keyOf(shared.generation, shared.number);
    this.#shared.delete(key);
    this.#count(shared.app, -1);
    for (const position of shared.positions) this.#cache.delete(`${key}:${position}`);
    if (!isLost) this.#thread.ask({ method: 'close', file: shared.number }).catch(() => {});
  }

  #isLost(shared: Shared): boolean {
    return shared.generation !== this.#thread.generation;
  }
}

function keyOf(generation: number, file: number): string {
  return `${generation}:${file}`;
}
