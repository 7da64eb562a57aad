import { StagewireError } from '../../wire/errors.ts';
import { MessageType } from '../../wire/messages.ts';
import { DelayControl } from './delay-control.ts';
import { FrameRate } from './frame-rate.ts';
import { ArrivalClock } from './low-latency/arrival-clock.ts';
import { Pictures, type PicturesOwner } from './low-latency/pictures.ts';
import { Sound, type SoundOwner } from './low-latency/sound.ts';
import type { Pace } from './low-latency/worklet.ts';
import { LIVE, type MediaStatus, type Player, type PlayerStats, type Situation } from './sink.ts';
import { Timeline } from './timeline.ts';
import { audioUnit, type Kind, videoUnit } from './unit.ts';

export interface LowLatencyPlayerOptions {
  readonly canvas: HTMLCanvasElement;
  /** What the delay is at best. Default 60. */
  readonly targetDelayMs?: number;
  /** Default: it is live. */
  readonly situation?: Situation;
  onStatus?(status: MediaStatus): void;
}

/** New beginnings of decoders, within half a minute. */
const MAX_FAILURES = 10;
const FAILURES_MS = 30_000;
const JUMP_MS = 400;
const OWN_PACE = { rate: 1, isJump: false };
const HELD = { rate: 0, isJump: false };

/**
 * Plays a live stream with WebCodecs: pictures on a canvas, sound in an AudioWorklet, which is the clock. Without sound the
 * clock is what comes. It is closer to what is live than a media element, and costs the page more.
 */
export class LowLatencyPlayer implements Player, PicturesOwner, SoundOwner {
  readonly #onStatus: (status: MediaStatus) => void;
  readonly #situation: Situation;
  readonly #delay: DelayControl;
  readonly #timeline = new Timeline();
  readonly #arrivals = new ArrivalClock();
  readonly #frameRate = new FrameRate();
  readonly #pictures: Pictures;
  readonly #sound: Sound;
  #newestMs = 0;
  #rate = 1;
  #stalls = 0;
  #jumps = 0;
  #malformed = 0;
  /** Since when a recording is paused, and for how long it was before. */
  #heldAt: number | undefined;
  #heldMs = 0;
  #failedAt: number[] = [];
  #isClosed = false;

  constructor({
    canvas,
    targetDelayMs = 60,
    situation = LIVE,
    onStatus = () => {},
  }: LowLatencyPlayerOptions) {
    this.#onStatus = onStatus;
    this.#situation = situation;
    this.#delay = new DelayControl(targetDelayMs, JUMP_MS);
    this.#pictures = new Pictures(canvas, this);
    this.#sound = new Sound(this);
  }

  message(type: number, timestamp: number, payload: Uint8Array): void {
    if (this.#isClosed || (type !== MessageType.Audio && type !== MessageType.Video)) return;
    try {
      const unit = type === MessageType.Audio ? audioUnit(payload) : videoUnit(payload);
      if (!unit) return;
      this.#measureFps();
      const timeMs = unit.is === 'frame' ? this.#place(timestamp) + unit.compositionMs : 0;
      if (unit.kind === 'audio') this.#sound.push(unit, timeMs);
      else this.#pictures.push(unit, timeMs);
    } catch (error) {
      if (!(error instanceof StagewireError)) throw error;
      this.#malformed++;
    }
  }

  /** In a gesture of the user, after `NetStream.Play.AutoplayBlocked`. */
  resume(): Promise<void> {
    return this.#sound.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pictures.close();
    this.#sound.close();
  }

  get stats(): PlayerStats {
    const { clockMs = this.#newestMs } = this;
    return {
      delayMs: this.#newestMs - clockMs,
      targetMs: this.#delay.targetMs,
      bufferedMs: this.#sound.bufferedMs,
      decodedFrames: this.#pictures.decoded,
      droppedFrames: this.#pictures.dropped,
      currentFps: this.#measureFps(),
      rate: this.#rate,
      stalls: this.#stalls,
      jumps: this.#jumps,
      malformed: this.#malformed,
    };
  }

  get playedTimestamp(): number | undefined {
    const { clockMs } = this;
    return clockMs === undefined ? undefined : this.#timeline.timestampAt(clockMs);
  }

  /** For the pictures: what is heard, or what would be due. */
  get clockMs(): number | undefined {
    const heard = this.#sound.clockMs;
    if (heard !== undefined) {
      // When no sound is to be heard, a recording goes on from where that was.
      if (this.#situation.isRecorded) this.#arrivals.set(heard + this.#delay.targetMs, this.#nowMs);
      return Math.min(heard, this.#newestMs);
    }
    const arriving = this.#arrivals.at(this.#nowMs);
    return arriving === undefined ? undefined : Math.min(arriving - this.#delay.targetMs, this.#newestMs);
  }

  /** From the pictures: there was not enough time for them. */
  late(): void {
    this.#delay.stalled(performance.now());
  }

  /** From the sound, some forty times in a second. */
  pace(bufferedMs: number, isDry: boolean): Pace {
    const now = performance.now();
    if (isDry) {
      this.#stalls++;
      this.#delay.stalled(now);
      this.#status('status', 'NetStream.Buffer.Empty', 'Waiting for data.');
    }
    const { rate, isJump } = this.#pace(bufferedMs, now);
    this.#rate = rate;
    if (isJump) this.#jumps++;
    return { rate, targetMs: this.#delay.targetMs, skip: isJump };
  }

  unsupported(kind: Kind, codec: string): void {
    const what = `This browser cannot play ${kind} of the codec ${codec}.`;
    this.#status('warning', 'NetStream.Play.NoSupportedTrackFound', what);
  }

  failed(reason: string): void {
    const now = performance.now();
    this.#failedAt = [...this.#failedAt.filter((at) => now - at < FAILURES_MS), now];
    const isOver = this.#failedAt.length > MAX_FAILURES;
    this.#status(isOver ? 'error' : 'warning', 'NetStream.Play.Failed', reason);
    if (isOver) this.close();
  }

  blocked(): void {
    const what = 'The browser lets it make a sound after a gesture of the user only.';
    this.#status('warning', 'NetStream.Play.AutoplayBlocked', what);
  }

  resized(width: number, height: number): void {
    this.#status('status', 'NetStream.Video.DimensionChange', `${width} x ${height}`);
  }

  /** Live streams stop by themselves: nothing comes. Of a recording much is here already, and the picture that was sought is shown. */
  get #isHeld(): boolean {
    const { isPaused, isRecorded } = this.#situation;
    return isPaused && isRecorded && (this.#pictures.shown > 0 || this.#sound.clockMs !== undefined);
  }

  /** Stands still while a recording is paused. */
  get #nowMs(): number {
    const now = performance.now();
    if (this.#isHeld) this.#heldAt ??= now;
    else if (this.#heldAt !== undefined) {
      this.#heldMs += now - this.#heldAt;
      this.#heldAt = undefined;
    }
    return (this.#heldAt ?? now) - this.#heldMs;
  }

  #pace(bufferedMs: number, now: number): { rate: number; isJump: boolean } {
    if (this.#isHeld) return HELD;
    return this.#situation.isRecorded ? OWN_PACE : this.#delay.decide(bufferedMs, now);
  }

  #measureFps(): number {
    return this.#frameRate.at(performance.now(), () => this.#pictures.shown);
  }

  #place(timestamp: number): number {
    const timeMs = this.#timeline.place(timestamp);
    const now = this.#nowMs;
    // Of a recording much comes at once: its clock begins with the first.
    if (!this.#situation.isRecorded || this.#arrivals.at(now) === undefined)
      this.#arrivals.arrived(timeMs, now);
    this.#newestMs = Math.max(this.#newestMs, timeMs);
    return timeMs;
  }

  #status(level: MediaStatus['level'], code: string, description: string): void {
    if (!this.#isClosed) this.#onStatus({ level, code, description });
  }
}
