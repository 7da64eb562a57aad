import {
  audioCacheKey,
  isAudioSequenceHeader,
  isVideoKeyFrame,
  isVideoMetadata,
  isVideoSequenceHeader,
  videoCacheKey,
} from '../../../../wire/media-head.ts';
import { MessageType } from '../../../../wire/messages.ts';
import { type FileBytes, Window } from '../file-bytes.ts';
import { TimeIndex } from '../time-index.ts';
import { isMetadata, MAX_METADATA_BYTES } from './flv-metadata.ts';
import { type TagAt, TagWalk } from './flv-tags.ts';

/** Longer ones are nobody's. */
const MAX_CONFIG_BYTES = 16 * 1024;
const MAX_CONFIGS = 4096;
/** Tracks and roles with configurations. */
const MAX_CONFIG_KEYS = 64;

/** A configuration that was not in force before. */
export interface ConfigAt {
  readonly key: string;
  readonly tag: TagAt;
}

/**
 * The pass over the tags of a file, as far as somebody needed it: where key frames are, which configurations come
 * where, what the file has. It goes on where it stopped, reads in large pieces, and never twice.
 */
export class FlvScan {
  readonly keyFrames = new TimeIndex();
  /** Messages with sound, for files without pictures. */
  readonly sounds = new TimeIndex();
  /** In the order of the file. */
  readonly configs: ConfigAt[] = [];
  hasVideo = false;
  hasAudio = false;
  /** The first `onMetaData` of the file, when no media come before it. */
  metadata: TagAt | undefined;
  /** The first tag that viewers are sent. */
  first: TagAt | undefined;
  isAtEnd = false;
  tags = 0;
  /** How far it is: where the next tag begins. */
  position: number;
  readonly #lastTimes = new Map<number, number>();
  readonly #file: FileBytes;
  readonly #inForce = new Map<string, Uint8Array>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: FileBytes, firstTagAt: number) {
    this.#file = file;
    this.position = firstTagAt;
  }

  /** The later one of the last tags of sound and pictures. */
  get lastTimestamp(): number {
    return Math.max(0, ...this.#lastTimes.values());
  }

  get memoryBytes(): number {
    return this.keyFrames.memoryBytes + this.sounds.memoryBytes + this.configs.length * 200;
  }

  /** Goes on until that is so, or the file ends. */
  until(isEnough: () => boolean): Promise<void> {
    const done = this.#last.then(() => Window.lend(this.#file, (window) => this.#goOn(window, isEnough)));
    this.#last = done.catch(() => {});
    return done;
  }

  async #goOn(window: Window, isEnough: () => boolean): Promise<void> {
    const walk = new TagWalk(this.#file, window, this.position);
    while (!this.isAtEnd && !isEnough()) {
      const tag = await walk.next();
      if (tag) await this.#meet(tag, window);
      else this.isAtEnd = true;
      this.position = walk.position;
    }
  }

  async #meet(tag: TagAt, window: Window): Promise<void> {
    this.tags++;
    if (!tag.isMessage) return;
    const { type, timestamp, peek } = tag;
    if (type === MessageType.Video) {
      this.hasVideo = true;
      this.#lastTimes.set(type, timestamp);
      if (isVideoKeyFrame(peek)) this.keyFrames.add(timestamp, tag.position);
      else if (isVideoSequenceHeader(peek) || isVideoMetadata(peek)) await this.#meetConfig(tag, window);
    } else if (type === MessageType.Audio) {
      this.hasAudio = true;
      this.#lastTimes.set(type, timestamp);
      if (isAudioSequenceHeader(peek) || isEnhancedAudio(peek)) await this.#meetConfig(tag, window);
      else this.sounds.add(timestamp, tag.position);
    } else if (this.metadata === undefined && this.first === undefined && isMetadata(type, peek)) {
      if (tag.sizeBytes <= MAX_METADATA_BYTES) this.metadata = kept(tag);
      return;
    }
    this.first ??= kept(tag);
  }

  async #meetConfig(tag: TagAt, window: Window): Promise<void> {
    const { bodyAt, sizeBytes } = tag;
    if (sizeBytes > MAX_CONFIG_BYTES || this.configs.length === MAX_CONFIGS) return;
    const isHeld = window.holds(bodyAt, sizeBytes);
    const payload = isHeld
      ? window.view(bodyAt, sizeBytes).slice()
      : await this.#file.take(bodyAt, sizeBytes);
    const key = tag.type === MessageType.Video ? videoCacheKey(payload) : audioCacheKey(payload);
    if (key === undefined) return;
    const before = this.#inForce.get(key);
    if (before === undefined && this.#inForce.size === MAX_CONFIG_KEYS) return;
    if (before?.length === payload.length && before.every((byte, i) => byte === payload[i])) return;
    this.#inForce.set(key, payload);
    this.configs.push({ key, tag: kept(tag) });
  }
}

/** Without the view of a window that moves on. */
function kept(tag: TagAt): TagAt {
  return { ...tag, peek: new Uint8Array(0) };
}

/** Sequence starts and channel layouts of these are told apart by their whole heads. */
function isEnhancedAudio(peek: Uint8Array): boolean {
  return peek.length > 0 && peek[0]! >> 4 === 9 && audioCacheKey(peek) !== undefined;
}
