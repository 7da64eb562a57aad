import { StagewireError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { CodecPolicy } from '../../streams/codec-filter.ts';
import { StreamDirectory } from '../../streams/directory.ts';
import { type Archive, Library } from '../../streams/library.ts';
import type { WindowMs, Windows } from '../../streams/windows.ts';
import { CarriedStream } from './carried-stream.ts';

/** What the instances of an edge share. */
export interface EdgeStreams {
  readonly windows: Windows;
  readonly archive: Archive;
  readonly limits: Limits;
  readonly log: Log;
  /** What the application says of the windows of its streams. */
  windowMsOf(app: string): WindowMs | undefined;
  /** What becomes of codecs that its players did not announce. */
  codecPolicyOf(app: string): CodecPolicy;
  /** Has the origin send a stream under that number, and ends that. */
  carry(carried: CarriedStream, name: string): void;
  drop(carried: CarriedStream): void;
  nextNumber(): number;
}

/** What an edge has of an instance of its origin: the live streams that somebody here watches. */
export class EdgeInstance {
  readonly app: string;
  readonly instance: string;
  readonly streams: StreamDirectory;
  /** Clients, and edges of this edge. */
  users = 0;
  readonly #house: EdgeStreams;
  readonly #carried = new Map<string, CarriedStream>();

  constructor(app: string, instance: string, house: EdgeStreams) {
    this.app = app;
    this.instance = instance;
    this.#house = house;
    const { limits, windows, archive, log } = house;
    const library = new Library({
      // What is recorded is at the origin, and comes from there to each who plays it.
      storage: {
        at: () => Promise.reject(new StagewireError('E_NO_FILE', 'app', 'an edge has no files')),
      },
      app,
      instance,
      archive,
      log,
      virtual: {},
      remux: undefined,
      limits,
    });
    this.streams = new StreamDirectory(
      {
        windows,
        limits,
        get windowMs() {
          return house.windowMsOf(app);
        },
        get codecPolicy() {
          return house.codecPolicyOf(app);
        },
        erasesOnPublish: false,
        failed: (stream, error) =>
          log.error('a bug of the server', { code: 'E_BUG', instance: `${app}/${instance}`, stream, error }),
      },
      library,
    );
  }

  /** The stream of that name, which comes from the origin from now on. */
  carry(name: string): CarriedStream {
    let carried = this.#carried.get(name);
    if (!carried) {
      carried = new CarriedStream(this.#house.nextNumber(), this.streams.open(name));
      this.#carried.set(name, carried);
      this.#house.carry(carried, name);
    }
    return carried;
  }

  /** The link has come back: all of it is to be sent again. */
  carryAgain(): void {
    for (const [name, carried] of this.#carried) this.#house.carry(carried, name);
  }

  /** The link is gone. */
  lost(): void {
    for (const carried of this.#carried.values()) carried.lost();
  }

  /** Ends what nobody watches. */
  sweep(now: number): void {
    for (const [name, carried] of this.#carried) {
      if (!carried.isUnused(now)) continue;
      this.#carried.delete(name);
      this.#house.drop(carried);
      carried.close();
    }
  }

  close(): void {
    for (const carried of this.#carried.values()) {
      this.#house.drop(carried);
      carried.close();
    }
    this.#carried.clear();
  }
}
