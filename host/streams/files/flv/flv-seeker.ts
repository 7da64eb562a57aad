import { isVideoKeyFrame } from '../../../../wire/media-head.ts';
import { MessageType } from '../../../../wire/messages.ts';
import type { MediaInfo } from '../container.ts';
import { type FileBytes, Window } from '../file-bytes.ts';
import { TimeIndex } from '../time-index.ts';
import { Turnstile } from '../turnstile.ts';
import type { KeyFrameList } from './flv-metadata.ts';
import type { FlvScan } from './flv-scan.ts';
import { type TagAt, TagWalk } from './flv-tags.ts';

/** How far to look behind an entry for a later key frame that has none. */
const MAX_TAGS_BEHIND = 5000;
/** Lists are rounded, and some count from the first frame. */
const LIST_TOLERANCE_MS = 1000;
/** A list that ends earlier is that of the file before somebody appended to it. */
const LIST_END_MS = 60_000;
const SAMPLES = 8;

/** Hundreds may wait for the same pass over a file, and then look at it at once. */
const lookers = new Turnstile<FileBytes>(16);

export interface Found {
  readonly position: number;
  readonly timestampMs: number;
}

/**
 * Finds key frames by time: by the list in the metadata, as long as what it says is true, else by going through the
 * file as far as that time.
 */
export class FlvSeeker {
  readonly #file: FileBytes;
  readonly #scan: FlvScan;
  readonly #info: MediaInfo;
  #list: KeyFrameList | undefined;
  #checked: Promise<TimeIndex | undefined> | undefined;

  constructor(file: FileBytes, scan: FlvScan, info: MediaInfo, list: KeyFrameList | undefined) {
    this.#file = file;
    this.#scan = scan;
    this.#info = info;
    this.#list =
      info.hasVideo && (list?.times.at(-1) ?? 0) > info.durationMs - LIST_END_MS ? list : undefined;
  }

  /** Whether the list of the metadata serves, as far as is known. */
  get isListed(): boolean {
    return this.#list !== undefined;
  }

  get memoryBytes(): number {
    return (this.#list?.times.length ?? 0) * 32;
  }

  /** The last key frame at or before that time; without pictures, the last message. `undefined`: begin at the start. */
  async find(timeMs: number): Promise<Found | undefined> {
    const listed = await this.#fromList();
    if (listed) {
      const found = await this.#findIn(listed, timeMs);
      if (found !== 'wrong') return found;
      this.#distrust();
    }
    const index = this.#info.hasVideo ? this.#scan.keyFrames : this.#scan.sounds;
    await this.#scan.until(() => index.count > 0 && index.timeOf(index.count - 1) > timeMs);
    const found = await this.#findIn(index, timeMs);
    return found === 'wrong' ? undefined : found;
  }

  async #findIn(index: TimeIndex, timeMs: number): Promise<Found | 'wrong' | undefined> {
    // What is before the first key frame belongs to it: sound, data, configurations.
    if (index.count === 0 || timeMs <= index.timeOf(0)) return undefined;
    const entry = index.find(timeMs);
    const limit = entry + 1 < index.count ? index.positionOf(entry + 1) : this.#file.sizeBytes;
    return lookers.run(this.#file, () => this.#lookFrom(index, entry, limit, timeMs));
  }

  #lookFrom(
    index: TimeIndex,
    entry: number,
    limit: number,
    timeMs: number,
  ): Promise<Found | 'wrong' | undefined> {
    return Window.lend(this.#file, async (window) => {
      const walk = new TagWalk(this.#file, window, index.positionOf(entry));
      let found: Found | undefined;
      for (let tags = 0; tags < MAX_TAGS_BEHIND && walk.position < limit; tags++) {
        const tag = await walk.next();
        if (tags === 0 && !this.#isAt(tag, index.timeOf(entry))) return 'wrong';
        if (!tag) break;
        const { position, timestamp } = tag;
        if (this.#isPlace(tag) && (found === undefined || timestamp <= timeMs)) {
          found = { position, timestampMs: timestamp };
        }
        if (this.#isOfIndex(tag) && timestamp > timeMs) break;
      }
      return found;
    });
  }

  #isAt(tag: TagAt | undefined, timeMs: number): tag is TagAt {
    return tag !== undefined && this.#isPlace(tag) && Math.abs(tag.timestamp - timeMs) <= LIST_TOLERANCE_MS;
  }

  #isPlace(tag: TagAt): boolean {
    return this.#isOfIndex(tag) && (!this.#info.hasVideo || isVideoKeyFrame(tag.peek));
  }

  #isOfIndex({ isMessage, type }: TagAt): boolean {
    return isMessage && type === (this.#info.hasVideo ? MessageType.Video : MessageType.Audio);
  }

  /** The list as an index, once a few of its entries have been looked at. */
  #fromList(): Promise<TimeIndex | undefined> | undefined {
    const list = this.#list;
    if (!list) return undefined;
    this.#checked ??= this.#check(list).then((index) => {
      if (!index) this.#distrust();
      // Nobody waits for it: configurations that change in the middle of a long file are known from then on.
      else this.#scan.until(() => false).catch(() => {});
      return index;
    });
    return this.#checked;
  }

  #distrust(): void {
    this.#list = undefined;
    this.#checked = undefined;
  }

  async #check({ times, positions }: KeyFrameList): Promise<TimeIndex | undefined> {
    // The first entry is often that of the configuration.
    for (let sample = 1; sample <= SAMPLES; sample++) {
      const i = Math.ceil(((positions.length - 1) * sample) / SAMPLES);
      const tag = await Window.lend(this.#file, (window) =>
        new TagWalk(this.#file, window, positions[i]!).next(),
      );
      const isFirst = i === 0;
      if (!isFirst && !this.#isAt(tag, times[i]!)) return undefined;
    }
    const index = new TimeIndex();
    for (let i = 1; i < times.length; i++) index.add(times[i]!, positions[i]!);
    return index.count > 0 ? index : undefined;
  }
}
