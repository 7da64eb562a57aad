import { MessageType } from '../../../wire/messages.ts';
import { StagewireError } from '../../base/errors.ts';
import { type FileBytes, Window } from '../files/file-bytes.ts';
import { isMedia, type TagAt, TagWalk } from '../files/flv/flv-tags.ts';
import { mp3Header, type SoundSetup, soundSetup, type VideoSetup, videoSetup } from './codecs.ts';
import { Unfit } from './protocol.ts';
import { soundUnit, type Unit, videoUnit } from './units.ts';

/** What a recording has of one kind. */
export interface TrackPlan<Setup> {
  readonly setup: Setup;
  readonly frames: number;
}

/** All that has to be known of a recording before its MP4 is begun. */
export interface Plan {
  readonly video: TrackPlan<VideoSetup> | undefined;
  readonly sound: TrackPlan<SoundSetup> | undefined;
  /** When the first of it is seen or heard: 0 in the MP4. */
  readonly firstMs: number;
  readonly endMs: number;
  /** From picture to picture, on average. */
  readonly pictureMs: number;
}

const DEFAULT_PICTURE_MS = 40;
/** The index of an MP4 is made in memory, of some hundred bytes a frame: ten hours and more of pictures and sound. */
const MAX_FRAMES = 3_000_000;
/** How often it looks up from its work. */
const STEP_TAGS = 64;

/**
 * Goes through the heads of all tags. Whatever keeps the recording from becoming an MP4 is an Unfit now, before anything
 * is written.
 */
export function surveyFlv(
  file: FileBytes,
  start: number,
  progress: (position: number) => Promise<void>,
): Promise<Plan> {
  return Window.lend(file, async (window) => {
    const walk = new TagWalk(file, window, start);
    const survey = new Survey(file);
    let tags = 0;
    for (let tag = await walk.next(); tag; tag = await walk.next()) {
      if (tag.isMessage && isMedia(tag.type)) await survey.see(tag);
      if (++tags % STEP_TAGS === 0) await progress(tag.next);
    }
    if (walk.position < file.sizeBytes)
      throw new Unfit(`it is damaged: no message begins at byte ${walk.position} of ${file.sizeBytes}`);
    return survey.plan();
  });
}

/** What is being found out of a track. */
interface Seen<Setup> {
  readonly what: string;
  codec: string | undefined;
  /** The last that came, and the one that frames were made with. */
  told: Uint8Array | undefined;
  used: Uint8Array | undefined;
  setup: Setup | undefined;
  frames: number;
  hasFrames: boolean;
}

class Survey {
  readonly #file: FileBytes;
  readonly #video = nothingOf<VideoSetup>('pictures');
  readonly #sound = nothingOf<SoundSetup>('sound');
  #firstMs = Number.POSITIVE_INFINITY;
  #endMs = 0;
  #firstPictureMs = 0;
  #lastPictureMs = 0;
  #mp3Rate = 0;

  constructor(file: FileBytes) {
    this.#file = file;
  }

  async see(tag: TagAt): Promise<void> {
    const isVideo = tag.type === MessageType.Video;
    const unit = await this.#unitOf(tag, isVideo ? videoUnit : soundUnit);
    if (!unit) return;
    const seen: Seen<unknown> = isVideo ? this.#video : this.#sound;
    if (unit.kind === 'config') {
      seen.told = unit.data.slice();
      seen.codec ??= unit.codec;
      if (seen.codec !== unit.codec) throw changed(seen, tag.timestamp);
      return;
    }
    seen.hasFrames = true;
    seen.codec ??= unit.codec;
    if (seen.codec !== unit.codec) throw changed(seen, tag.timestamp);
    if (isVideo) this.#seePicture(tag, unit);
    else await this.#seeSound(tag, unit);
  }

  plan(): Plan {
    const video = planOf(this.#video);
    const sound = planOf(this.#sound);
    if (!video && !sound) throw new Unfit('there are neither pictures nor sound in it');
    const { frames } = this.#video;
    const pictureMs =
      frames > 1 ? (this.#lastPictureMs - this.#firstPictureMs) / (frames - 1) : DEFAULT_PICTURE_MS;
    const firstMs = this.#firstMs;
    return { video, sound, firstMs, endMs: this.#endMs, pictureMs: Math.max(1, Math.round(pictureMs)) };
  }

  #seePicture(tag: TagAt, unit: Unit): void {
    const seen = this.#video;
    if (seen.frames === 0 && !unit.isKey) return;
    if (!seen.setup) {
      // Codecs that have no configuration have no place in an MP4 either: that is what is said then.
      seen.setup = videoSetup(unit.codec, seen.told ?? new Uint8Array(0));
      this.#firstPictureMs = tag.timestamp;
    } else this.#refuseChange(seen, tag.timestamp);
    seen.used = seen.told;
    this.#lastPictureMs = Math.max(this.#lastPictureMs, tag.timestamp);
    this.#count(seen, tag.timestamp, tag.timestamp + unit.compositionMs);
  }

  async #seeSound(tag: TagAt, unit: Unit): Promise<void> {
    const seen = this.#sound;
    // Sound that is ahead of its configuration cannot be decoded.
    if (unit.codec === 'aac' && !seen.told) return;
    if (!seen.setup) seen.setup = soundSetup(unit.codec, seen.told, unit.data);
    else this.#refuseChange(seen, tag.timestamp);
    if (unit.codec === 'mp3') {
      const rate = mp3Header(unit.data)?.rate ?? this.#mp3Rate;
      if (this.#mp3Rate !== 0 && rate !== this.#mp3Rate) throw changed(seen, tag.timestamp);
      this.#mp3Rate = rate;
    }
    seen.used = seen.told;
    this.#count(seen, tag.timestamp, tag.timestamp);
  }

  #count(seen: Seen<unknown>, timeMs: number, showMs: number): void {
    seen.frames++;
    if (this.#video.frames + this.#sound.frames > MAX_FRAMES)
      throw new Unfit(`it has more than ${MAX_FRAMES} frames, which is more than an index is made for`);
    this.#firstMs = Math.min(this.#firstMs, showMs);
    this.#endMs = Math.max(this.#endMs, timeMs, showMs);
  }

  /** A track of ours has one description. */
  #refuseChange(seen: Seen<unknown>, timeMs: number): void {
    if (seen.told === seen.used) return;
    if (!seen.told || !seen.used || Buffer.compare(seen.told, seen.used) !== 0) throw changed(seen, timeMs);
  }

  async #unitOf(tag: TagAt, read: (payload: Uint8Array) => Unit | undefined): Promise<Unit | undefined> {
    const isWhole = tag.peek.length === tag.sizeBytes;
    let unit: Unit | undefined;
    try {
      unit = read(tag.peek);
      if (isWhole || unit?.kind === 'frame') return unit;
    } catch (error) {
      if (!(error instanceof StagewireError)) throw error;
      if (isWhole) return undefined; // as viewers, the MP4 can do without it
    }
    const whole = await this.#file.take(tag.bodyAt, tag.sizeBytes);
    return readable(whole, read);
  }
}

/** As the writer reads it, too. */
export function readable(
  payload: Uint8Array,
  read: (payload: Uint8Array) => Unit | undefined,
): Unit | undefined {
  try {
    return read(payload);
  } catch (error) {
    if (error instanceof StagewireError) return undefined;
    throw error;
  }
}

function nothingOf<Setup>(what: string): Seen<Setup> {
  const nothing = { codec: undefined, told: undefined, used: undefined, setup: undefined };
  return { what, ...nothing, frames: 0, hasFrames: false };
}

function planOf<Setup>({ what, setup, frames, hasFrames }: Seen<Setup>): TrackPlan<Setup> | undefined {
  if (setup) return { setup, frames };
  if (hasFrames) throw new Unfit(`nothing says how its ${what} can be decoded`);
  return undefined;
}

function changed({ what }: Seen<unknown>, timeMs: number): Unfit {
  return new Unfit(`the codec of its ${what} changes after ${timeMs / 1000} s, and a track has one`);
}
