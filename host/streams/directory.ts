import { LiveStream, type StreamHouse } from './live-stream.ts';

/** The live streams of one instance, by name. A stream exists while somebody publishes or views it. */
export class StreamDirectory {
  readonly #house: StreamHouse;
  readonly #streams = new Map<string, LiveStream>();

  constructor(house: StreamHouse) {
    this.#house = house;
  }

  /** The stream of that name, made when there is none. */
  open(name: string): LiveStream {
    let stream = this.#streams.get(name);
    if (!stream) {
      const made = new LiveStream(name, this.#house, () => {
        if (this.#streams.get(name) === made) this.#streams.delete(name);
      });
      stream = made;
      this.#streams.set(name, made);
    }
    return stream;
  }

  find(name: string): LiveStream | undefined {
    return this.#streams.get(name);
  }

  [Symbol.iterator](): Iterator<LiveStream> {
    return this.#streams.values();
  }
}
