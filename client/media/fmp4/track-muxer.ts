import { audioSetup } from '../codecs/audio.ts';
import type { Setup } from '../codecs/setup.ts';
import { videoSetup } from '../codecs/video.ts';
import type { Kind, Unit } from '../unit.ts';
import { initSegment, timescaleOf } from './init-segment.ts';
import { mediaSegment } from './media-segment.ts';

/** A piece of an MP4, in the order in which a SourceBuffer takes them. */
export interface Segment {
  readonly kind: Kind;
  /** With an init segment: what it announces. */
  readonly setup?: Setup;
  readonly isKey: boolean;
  /** When it is decoded, and until when it lasts. */
  readonly timeMs: number;
  readonly endMs: number;
  readonly bytes: Uint8Array;
}

export interface TrackOutput {
  segment(segment: Segment): void;
  /** Once for each codec that cannot be in an MP4. */
  unsupported(kind: Kind, codec: string): void;
}

interface Held {
  readonly time: number;
  readonly unit: Unit;
}

/** A picture that is shown for longer than this is followed by nothing. */
const MAX_PICTURE_MS = 10_000;
const DEFAULT_PICTURE_MS = 40;
/** How far stamps in whole milliseconds may be from where the samples before end. Beyond it there is a gap. */
const SOUND_TOLERANCE_MS = 60;

/**
 * One track: units in, segments out. A picture waits for the next one, whose time says how long it lasts; sound says so
 * itself, and is placed seamlessly as long as its stamps agree.
 */
export class TrackMuxer {
  readonly #output: TrackOutput;
  #record: Uint8Array = new Uint8Array(0);
  #codec = '';
  /** `undefined`: the next key frame begins with an init segment. */
  #setup: Setup | undefined;
  #refused = '';
  #sequence = 0;
  #held: Held | undefined;
  #next = 0;
  #lastDuration = DEFAULT_PICTURE_MS;

  constructor(output: TrackOutput) {
    this.#output = output;
  }

  /** `timeMs`: when the unit is decoded. Throws a StagewireError for a malformed configuration. */
  push(unit: Unit, timeMs: number): void {
    switch (unit.is) {
      case 'config':
        return this.#configure(unit.codec, unit.data);
      case 'end':
        // Encoders say so between two parts, too: the last picture lasts until the next then.
        return;
      case 'frame':
        if (unit.codec !== this.#codec) this.#configure(unit.codec, new Uint8Array(0));
        if (unit.isKey && this.#isResized(unit)) {
          this.flush();
          this.#setup = undefined;
        }
        if (this.#setup || (unit.isKey && this.#begin(unit, timeMs))) this.#frame(unit, timeMs);
    }
  }

  /** What waits for the next picture goes as it is. */
  flush(): void {
    if (this.#held) this.#emit(this.#held, this.#lastDuration);
    this.#held = undefined;
  }

  #configure(codec: string, record: Uint8Array): void {
    if (codec === this.#codec && isEqual(record, this.#record)) return;
    this.flush();
    this.#codec = codec;
    this.#record = record.slice();
    this.#setup = undefined;
  }

  /** Records of VP8 and VP9 do not have the size, but key frames do. */
  #isResized({ codec, data }: Unit): boolean {
    const setup = this.#setup;
    if (setup?.kind !== 'video') return false;
    const size = videoSetup(codec, this.#record, data);
    return size !== undefined && (size.width !== setup.width || size.height !== setup.height);
  }

  #begin(unit: Unit, timeMs: number): boolean {
    const { kind, codec, data } = unit;
    const setup = (kind === 'video' ? videoSetup : audioSetup)(codec, this.#record, data);
    if (!setup) {
      if (this.#refused !== codec) this.#output.unsupported(kind, codec);
      this.#refused = codec;
      return false;
    }
    this.#setup = setup;
    this.#next = 0;
    const bytes = initSegment(setup);
    this.#output.segment({ kind, setup, isKey: true, timeMs, endMs: timeMs, bytes });
    return true;
  }

  #frame(unit: Unit, timeMs: number): void {
    if (unit.kind === 'audio') return this.#sound(unit, timeMs);
    const held = this.#held;
    // Decoding does not go back in time.
    const time = held ? Math.max(timeMs, held.time) : timeMs;
    if (held) {
      const duration = time - held.time;
      const lasts = duration <= MAX_PICTURE_MS;
      if (lasts) this.#lastDuration = duration;
      this.#emit(held, this.#lastDuration);
    }
    const compositionMs = unit.compositionMs + timeMs - time;
    this.#held = { time, unit: { ...unit, compositionMs } };
  }

  #sound(unit: Unit, timeMs: number): void {
    const setup = this.#setup;
    if (setup?.kind !== 'audio') return;
    const stamp = Math.round((timeMs * setup.sampleRate) / 1000);
    const tolerance = (SOUND_TOLERANCE_MS * setup.sampleRate) / 1000;
    const time = Math.abs(stamp - this.#next) <= tolerance ? this.#next : stamp;
    const samples = setup.samplesOf(unit.data);
    this.#next = time + samples;
    this.#emit({ time, unit }, samples);
  }

  #emit({ time, unit }: Held, duration: number): void {
    const setup = this.#setup;
    if (!setup) return;
    const { kind, isKey, data, compositionMs } = unit;
    const toMs = 1000 / timescaleOf(setup);
    const sample = { decodeTime: time, duration, compositionOffset: compositionMs, isKey, data };
    const bytes = mediaSegment(++this.#sequence, sample);
    this.#output.segment({ kind, isKey, timeMs: time * toMs, endMs: (time + duration) * toMs, bytes });
  }
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
