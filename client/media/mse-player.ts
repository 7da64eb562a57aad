import { DelayControl } from './delay-control.ts';
import { Muxer } from './fmp4/muxer.ts';
import type { Segment, TrackOutput } from './fmp4/track-muxer.ts';
import { FrameRate } from './frame-rate.ts';
import { Recent } from './mse/recent.ts';
import type { SourceOwner } from './mse/source-queue.ts';
import { canPlay, Stage } from './mse/stage.ts';
import { LIVE, type MediaStatus, type Player, type PlayerStats, type Situation } from './sink.ts';
import type { Kind } from './unit.ts';

export interface MsePlayerOptions {
  readonly element: HTMLMediaElement;
  /** What the delay is at best. Default 120. */
  readonly targetDelayMs?: number;
  /** Default: it is live. */
  readonly situation?: Situation;
  onStatus?(status: MediaStatus): void;
}

/** So much of one track with nothing of the other: there is only one. */
const SOLO_MS = 500;
/** A track of which nothing comes for so long, while the other waits for it, has ended. */
const QUIET_MS = 5000;
/** So little of it is left when it is at its end. */
const LEFT_MS = 200;
const TICK_MS = 50;
/** What was shown is kept for so long: removing is not free. */
const KEEP_S = 5;
const TRIM_S = 10;
const LATE_START_S = 0.2;
/** So long at one place, with so much ahead: it does not wait for what is to come. */
const STUCK_MS = 300;
const STUCK_S = 0.3;
const HAVE_FUTURE_DATA = 3;
/** Elements stop a little before a hole. */
const NEAR_S = 0.1;
const JUMP_MS = 2000;
/** New beginnings for which the browser is to blame, within half a minute. */
const MAX_FAILURES = 3;
const FAILURES_MS = 30_000;

/**
 * Plays a stream in a media element through Media Source Extensions. Of what is live it begins with what comes first, the
 * pictures that a late joiner is sent, shows the newest of them, and stays as close to what comes as the network lets it. Of
 * a recording it shows all, at its own pace.
 *
 * Messages and the element's own events drive it, so that tabs in the background are no different; only a recording that
 * stands still is looked at again a moment later.
 */
export class MsePlayer implements Player, TrackOutput, SourceOwner {
  readonly #element: HTMLMediaElement;
  readonly #situation: Situation;
  readonly #onStatus: (status: MediaStatus) => void;
  readonly #delay: DelayControl;
  readonly #muxer = new Muxer(this);
  readonly #recent = new Recent();
  readonly #frameRate = new FrameRate();
  readonly #events = new AbortController();
  #stage: Stage | undefined;
  #isShowing = false;
  /** It has been put right once since it began to show. */
  #isOnTime = false;
  #isUnplayable = false;
  /** Of a recording: where it goes on with other tracks. */
  #headS: number | undefined;
  /** All of a recording has come, and the element is to be told. */
  #hasEnded = false;
  /** It was told to play, and has not run dry since. */
  #isFull = false;
  #tickedAt = 0;
  #stalls = 0;
  #jumps = 0;
  #failedAt: number[] = [];

  constructor({ element, targetDelayMs = 120, situation = LIVE, onStatus = () => {} }: MsePlayerOptions) {
    this.#element = element;
    this.#situation = situation;
    this.#onStatus = onStatus;
    this.#delay = new DelayControl(targetDelayMs, JUMP_MS);
    const { signal } = this.#events;
    const on = (event: string, listener: () => void) => element.addEventListener(event, listener, { signal });
    on('waiting', () => this.#stalled());
    on('ended', () => this.#ranDry('All has been played.'));
    on('playing', () => this.#playing());
    on('timeupdate', () => this.#tick());
    on('play', () => this.#tick());
    on('resize', () => this.#resized());
    on('error', () => this.broken(element.error?.message ?? 'the browser cannot decode it'));
  }

  message(type: number, timestamp: number, payload: Uint8Array): void {
    if (this.#events.signal.aborted || this.#isUnplayable) return;
    this.#hasEnded = false;
    this.#muxer.message(type, timestamp, payload);
    const { isRecorded, isPaused } = this.#situation;
    // Nothing follows that would say how long the picture lasts.
    if (isRecorded && isPaused) this.#muxer.flush();
    if (performance.now() - this.#tickedAt >= TICK_MS) this.#tick();
  }

  ended(): void {
    if (this.#events.signal.aborted || this.#isUnplayable) return;
    this.#muxer.flush();
    if (!this.#situation.isRecorded) return;
    this.#hasEnded = true;
    if (!this.#stage) this.#restart();
    this.#end();
  }

  close(): void {
    if (this.#events.signal.aborted) return;
    this.#events.abort();
    this.#stage?.close();
    this.#element.removeAttribute('src');
    this.#element.load();
  }

  get stats(): PlayerStats {
    const { playbackRate: rate, buffered } = this.#element;
    const quality = this.#quality;
    let bufferedMs = 0;
    for (let i = 0; i < buffered.length; i++) bufferedMs += (buffered.end(i) - buffered.start(i)) * 1000;
    return {
      delayMs: this.#isShowing ? (this.#endS - this.#element.currentTime) * 1000 : 0,
      targetMs: this.#delay.targetMs,
      bufferedMs,
      decodedFrames: quality?.totalVideoFrames ?? 0,
      droppedFrames: quality?.droppedVideoFrames ?? 0,
      currentFps: this.#measureFps(),
      rate,
      stalls: this.#stalls,
      jumps: this.#jumps,
      malformed: this.#muxer.malformed,
    };
  }

  get playedTimestamp(): number | undefined {
    return this.#isShowing ? this.#muxer.timeline.timestampAt(this.#element.currentTime * 1000) : undefined;
  }

  /** From the muxer. */
  segment(segment: Segment): void {
    const { kind, setup } = segment;
    if (setup && !canPlay(setup)) return this.unsupported(kind, setup.codec);
    const headMs = this.#isShowing ? this.#element.currentTime * 1000 : 0;
    this.#recent.add(segment, this.#situation.isRecorded ? headMs : undefined);
    if (!this.#recent.inits.has(kind)) return;
    if (!this.#stage) return this.#beginIfComplete();
    if (this.#stage.kinds.has(kind)) this.#stage.append(segment);
    else this.#takeLateTrack();
  }

  /** From the muxer, and for what the browser does not know. The other track goes on, if there is one. */
  unsupported(kind: Kind, codec: string): void {
    this.#recent.forget(kind);
    const what = `This browser cannot play ${kind} of the codec ${codec}.`;
    this.#status('warning', 'NetStream.Play.NoSupportedTrackFound', what);
    if (this.#stage?.kinds.has(kind)) this.#restart();
  }

  /** From the queues of the stage. */
  shownUntilS(): number {
    return this.#recent.keyBefore(this.#element.currentTime * 1000 - 1000) / 1000;
  }

  /** From the queues of the stage. A recording may come in one piece, with nothing after it. */
  appended(): void {
    if (!this.#isShowing) this.#tick();
    this.#end();
  }

  /** From the stage, when it cannot go on: the next key frame begins anew. */
  broken(reason: string): void {
    if (this.#events.signal.aborted || !this.#stage) return;
    const now = performance.now();
    this.#failedAt = [...this.#failedAt.filter((at) => now - at < FAILURES_MS), now];
    this.#recent.clear();
    if (this.#failedAt.length > MAX_FAILURES) {
      this.#isUnplayable = true;
      this.#stage.close();
      return this.#status('error', 'NetStream.Play.Failed', reason);
    }
    this.#status('warning', 'NetStream.Play.Failed', `${reason}; it begins anew`);
    this.#restart();
  }

  #beginIfComplete(): void {
    const { inits, endMs } = this.#recent;
    const firstMs = Math.min(...[...inits.values()].map(({ timeMs }) => timeMs));
    const lastMs = Math.max(...endMs.values());
    // Of what was sought while it is paused a single picture comes.
    const { isRecorded, isPaused } = this.#situation;
    if (inits.size === 2 || lastMs - firstMs >= SOLO_MS || (isRecorded && isPaused)) this.#restart();
  }

  #end(): void {
    if (this.#hasEnded) this.#stage?.end();
  }

  /** A new stage with the tracks that there are now, and what is known since the last key frame. */
  #restart(): void {
    this.#stage?.close();
    this.#headS = this.#isShowing ? this.#element.currentTime : undefined;
    this.#isShowing = false;
    this.#isOnTime = false;
    const inits = this.#recent.present();
    this.#stage = inits.size > 0 ? new Stage(this.#element, inits, this) : undefined;
    const stage = this.#stage;
    if (stage) for (const segment of this.#recent.media(stage.kinds)) stage.append(segment);
  }

  #tick(): void {
    this.#tickedAt = performance.now();
    this.#measureFps();
    const element = this.#element;
    const { buffered, currentTime } = element;
    if (buffered.length === 0) return;
    if (!this.#isShowing) return this.#show();
    const nextS = this.#nextRange(currentTime);
    if (nextS !== undefined) this.#jumpTo(nextS);
    else if (!element.paused) this.#correct();
    this.#leaveQuietTrack();
    this.#takeLateTrack();
    const isKept = this.#situation.isRecorded || !element.paused;
    const untilS = Math.max(currentTime - KEEP_S, isKept ? 0 : this.#endS - TRIM_S);
    if (untilS - buffered.start(0) > TRIM_S - KEEP_S)
      this.#stage?.trim(this.#recent.keyBefore(untilS * 1000) / 1000);
  }

  #show(): void {
    const { isRecorded, isPaused } = this.#situation;
    this.#isShowing = true;
    this.#element.currentTime = isRecorded ? this.#ownStartS : this.#liveS;
    if (isRecorded && isPaused) return;
    this.#element.play().catch((error: unknown) => {
      // Others come when the source changes meanwhile.
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
      this.#status('warning', 'NetStream.Play.AutoplayBlocked', error.message);
    });
  }

  #correct(): void {
    if (this.#situation.isRecorded) return;
    const element = this.#element;
    const { rate, isJump } = this.#delay.decide((this.#endS - element.currentTime) * 1000, performance.now());
    if (isJump) this.#jumpTo(this.#liveS);
    else if (element.playbackRate !== rate) element.playbackRate = rate;
  }

  #jumpTo(timeS: number): void {
    this.#jumps++;
    this.#element.currentTime = timeS;
  }

  /** Where a gap that the play head stands in ends. */
  #nextRange(timeS: number): number | undefined {
    const { buffered } = this.#element;
    for (let i = 0; i < buffered.length; i++) {
      if (timeS < buffered.start(i)) return buffered.start(i);
      if (timeS < buffered.end(i)) return undefined;
    }
    return undefined;
  }

  /** A recording may have holes, and decoders stand still at those of one track while the other goes on. */
  #pass(stalledAtS: number): void {
    const { currentTime, seeking, readyState } = this.#element;
    const isStuck = !seeking && readyState < HAVE_FUTURE_DATA && currentTime === stalledAtS;
    if (this.#events.signal.aborted || !isStuck || this.#endS - currentTime < STUCK_S) return;
    this.#jumpTo(this.#nextRange(currentTime + NEAR_S) ?? currentTime);
  }

  /** A track that the stage does not have. The element shows only what it has of both: of a recording when its time has come. */
  #takeLateTrack(): void {
    const headMs = this.#element.currentTime * 1000;
    for (const [kind, { timeMs }] of this.#recent.present())
      if (!this.#stage?.kinds.has(kind) && (!this.#situation.isRecorded || timeMs - headMs < LEFT_MS))
        return this.#restart();
  }

  /** The element shows only what it has of both: a track that has ended must not stop the other. */
  #leaveQuietTrack(): void {
    const { endMs } = this.#recent;
    const [audio, video] = [endMs.get('audio'), endMs.get('video')];
    if (audio === undefined || video === undefined || Math.abs(audio - video) < QUIET_MS) return;
    // What there is of a recording is shown first.
    const leftMs = Math.min(audio, video) - this.#element.currentTime * 1000;
    if (this.#situation.isRecorded && leftMs > LEFT_MS) return;
    this.#recent.leave(audio < video ? 'audio' : 'video');
    this.#restart();
  }

  /** The browser took its time to begin, and more has come meanwhile. */
  #playing(): void {
    // Elements tell it again for each jump.
    if (!this.#isFull) this.#status('status', 'NetStream.Buffer.Full', 'Playing.');
    this.#isFull = true;
    if (this.#isOnTime || !this.#isShowing || this.#situation.isRecorded) return;
    this.#isOnTime = true;
    if (this.#liveS - this.#element.currentTime > LATE_START_S) this.#element.currentTime = this.#liveS;
  }

  #stalled(): void {
    if (!this.#isShowing || this.#element.seeking) return;
    this.#stalls++;
    const { currentTime } = this.#element;
    if (this.#situation.isRecorded) setTimeout(() => this.#pass(currentTime), STUCK_MS);
    this.#delay.stalled(performance.now());
    this.#ranDry('Waiting for data.');
  }

  #ranDry(why: string): void {
    // Elements wait before they begin, too.
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#status('status', 'NetStream.Buffer.Empty', why);
  }

  get #quality(): VideoPlaybackQuality | undefined {
    return (this.#element as Partial<HTMLVideoElement>).getVideoPlaybackQuality?.();
  }

  #measureFps(): number {
    return this.#frameRate.at(performance.now(), () => {
      const quality = this.#quality;
      return quality ? quality.totalVideoFrames - quality.droppedVideoFrames : 0;
    });
  }

  get #endS(): number {
    const { buffered, currentTime } = this.#element;
    return buffered.length > 0 ? buffered.end(buffered.length - 1) : currentTime;
  }

  /** Where a recording begins, or goes on. */
  get #ownStartS(): number {
    const { buffered } = this.#element;
    return Math.max(buffered.start(0), Math.min(this.#headS ?? 0, this.#endS));
  }

  /** Where to be: as far from the end as the target says, in what is there. */
  get #liveS(): number {
    const { buffered } = this.#element;
    return Math.max(buffered.start(buffered.length - 1), this.#endS - this.#delay.targetMs / 1000);
  }

  /** An element that begins anew, or with sound only, has no size. */
  #resized(): void {
    const { videoWidth, videoHeight } = this.#element as HTMLVideoElement;
    if (videoWidth > 0)
      this.#status('status', 'NetStream.Video.DimensionChange', `${videoWidth} x ${videoHeight}`);
  }

  #status(level: MediaStatus['level'], code: string, description: string): void {
    if (!this.#events.signal.aborted) this.#onStatus({ level, code, description });
  }
}
