import { type FileBytes, Window } from '../file-bytes.ts';
import { Mp3Walk } from './mp3-walk.ts';

/** Every so many frames a place is kept. */
const STEP = 32;
/** Each time it goes on, it does so for about a minute of sound more than asked for. */
const AHEAD = 2048;
/** Ten days of sound. */
const MAX_FRAMES = 40_000_000;

/** Where the frames of a file are: the pass over them, as far as somebody needed it. */
export class Mp3Scan {
  readonly #file: FileBytes;
  readonly #like: number;
  #places = new Float64Array(1024);
  #frames = 0;
  #position: number;
  #isAtEnd = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: FileBytes, firstFrameAt: number, like: number) {
    this.#file = file;
    this.#position = firstFrameAt;
    this.#like = like;
  }

  /** How many are known. */
  get frames(): number {
    return this.#frames;
  }

  get memoryBytes(): number {
    return this.#places.byteLength;
  }

  /** Goes on until that frame is known, or the file ends. */
  until(frame: number): Promise<void> {
    const done = this.#last.then(() => this.#goOn(frame));
    this.#last = done.catch(() => {});
    return done;
  }

  /** A walk that begins at that frame, or at the end when there is none. */
  async walkFrom(frame: number, window: Window): Promise<Mp3Walk> {
    await this.until(frame);
    const step = Math.floor(Math.min(frame, this.#frames) / STEP);
    const isKnown = step * STEP < this.#frames;
    const start = isKnown ? this.#places[step]! : this.#position;
    const walk = new Mp3Walk(this.#file, window, start, this.#like);
    for (let at = step * STEP; isKnown && at < frame; at++) if (!(await walk.next())) break;
    return walk;
  }

  async #goOn(frame: number): Promise<void> {
    if (frame < this.#frames || this.#isAtEnd) return;
    const wanted = Math.min(frame + AHEAD, MAX_FRAMES);
    await Window.lend(this.#file, async (window) => {
      const walk = new Mp3Walk(this.#file, window, this.#position, this.#like);
      while (this.#frames < wanted) {
        const found = await walk.next();
        if (!found) break;
        if (this.#frames % STEP === 0) this.#keep(found.position);
        this.#frames++;
        this.#position = walk.position;
      }
    });
    this.#isAtEnd = this.#frames < wanted || wanted === MAX_FRAMES;
  }

  #keep(position: number): void {
    const place = this.#frames / STEP;
    if (place === this.#places.length) {
      const larger = new Float64Array(place * 2);
      larger.set(this.#places);
      this.#places = larger;
    }
    this.#places[place] = position;
  }
}
