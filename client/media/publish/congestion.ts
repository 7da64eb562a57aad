import { ACKNOWLEDGED_EVERY } from '../../sink.ts';

/** What is known of the way to the server: bytes since the connection began. */
export interface Network {
  readonly sentBytes: number;
  /** What the server has read, modulo 2^32: it says so each time that `ACKNOWLEDGED_EVERY` have come. */
  readonly acknowledgedBytes: number;
  /** What has not left this page. */
  readonly queuedBytes: number;
}

export interface CongestionOptions {
  readonly network: Network;
  /** Of the pictures, in bits a second: the most and the least. */
  readonly ceiling: number;
  readonly floor: number;
  readonly audioBitrate: number;
  onBitrate(bitrate: number): void;
  /** Pictures have been left out for a second, or are not any more. */
  onShortage(isShort: boolean): void;
}

interface Mark {
  readonly at: number;
  bytes: number;
}

/** What waits on the way: so long, and the bit rate falls; pictures are left out; sound is; it rises again. */
const HIGH_MS = 200;
const BEHIND_MS = 400;
const LATE_MS = 2000;
const LOW_MS = 100;
/** In this page, whatever is acknowledged. */
const MAX_QUEUED = { video: 64 * 1024, audio: 256 * 1024 } as const;
/** How much of what gets through is made use of, and what a round that fell behind costs. */
const SHARE = 0.85;
const STEP_DOWN = 0.85;
/** A key frame may be so much more than its share. */
const DEBT_MS = 500;
/** Each second: of the ceiling, and of itself at the most. */
const STEP_UP = 0.05;
const MOST_UP = 0.15;
const STEP_MS = 1000;
const CALM_MS = 2000;
const LOWER_MS = 500;
const SHORT_MS = 1000;
/** What gets through is measured for so long, and anew after a silence. */
const WINDOW_MS = 1500;
const LEAST_WINDOW_MS = 300;
const SILENCE_MS = 1000;
/** A way may become a longer one: the shortest of this time and the one before counts. */
const BASE_MS = 10_000;
const FIRST_BASE_MS = 300;
const MARK_MS = 20;
const MAX_MARKS = 512;

/**
 * Decides what is sent, by how long it waits on the way. The bit rate falls to what gets through, by measure where there is one and once a
 * round, and rises slowly: additive increase, multiplicative decrease, as in TCP. It only ever looks when there is something to send.
 */
export class Congestion {
  readonly #options: CongestionOptions;
  #ceiling: number;
  #bitrate: number;
  /** What was sent and not acknowledged, and what was acknowledged lately. */
  readonly #sent: Mark[] = [];
  #arrived: Mark[] = [];
  #acknowledged = 0;
  /** How long the last that was acknowledged had taken, and when. */
  #tripMs = 0;
  #trippedAt = -Infinity;
  #bases = [Infinity, Infinity];
  #baseEnd = 0;
  #delayMs = 0;
  /** A round ends when all that was sent at the last step down is there. */
  #roundEnd = 0;
  #loweredAt = -Infinity;
  #isHigh = false;
  /** Bits of pictures beyond the bit rate: encoders do not keep to a low one. */
  #debt = 0;
  #lookedAt = 0;
  #raisedAt = -Infinity;
  #shortSince: number | undefined;
  #lastBehind = 0;
  #isShort = false;

  constructor(options: CongestionOptions) {
    this.#options = options;
    this.#ceiling = this.#bitrate = options.ceiling;
  }

  get bitrate(): number {
    return this.#bitrate;
  }

  /** What is sent now comes so much later than on an empty way. */
  get delayMs(): number {
    return this.#delayMs;
  }

  setCeiling(ceiling: number): void {
    this.#ceiling = ceiling;
    this.#set(ceiling);
  }

  /** Whether a picture, which has not been encoded, may be sent. */
  hasRoomForPicture(now: number): boolean {
    this.#look(now);
    const isDeep = this.#bitrate < this.#ceiling && this.#debt > (this.#bitrate * DEBT_MS) / 1000;
    const isBehind =
      isDeep || this.#delayMs > BEHIND_MS || this.#options.network.queuedBytes > MAX_QUEUED.video;
    this.#noteShortage(isBehind, now);
    return !isBehind;
  }

  /** A picture of so many bytes has been sent. */
  spend(bytes: number): void {
    this.#debt += bytes * 8;
  }

  /** Sound gives way only where it would come much too late. */
  hasRoomForSound(now: number): boolean {
    this.#look(now);
    return this.#delayMs <= LATE_MS && this.#options.network.queuedBytes <= MAX_QUEUED.audio;
  }

  #look(now: number): void {
    const { sentBytes, acknowledgedBytes } = this.#options.network;
    this.#debt = Math.max(0, this.#debt - (this.#bitrate * (now - this.#lookedAt)) / 1000);
    this.#lookedAt = now;
    const last = this.#sent.at(-1);
    if (last && (now - last.at < MARK_MS || this.#sent.length >= MAX_MARKS)) last.bytes = sentBytes;
    else if (sentBytes !== last?.bytes) this.#sent.push({ at: now, bytes: sentBytes });
    const acknowledged = sentBytes - ((sentBytes - acknowledgedBytes) >>> 0);
    if (acknowledged > this.#acknowledged) this.#noteArrival(acknowledged, now);
    const due = this.#sent.find(({ bytes }) => bytes >= this.#acknowledged + ACKNOWLEDGED_EVERY);
    const waitedMs = due ? now - due.at : 0;
    const [first] = this.#sent;
    const isKnown = first && now - this.#trippedAt < SILENCE_MS;
    const tripMs = isKnown ? Math.min(this.#tripMs, now - first.at) : 0;
    const base = Math.min(...this.#bases);
    this.#delayMs = Math.max(0, Math.max(waitedMs, tripMs) - (base === Infinity ? FIRST_BASE_MS : base));
    this.#decide(now, sentBytes);
  }

  #noteArrival(acknowledged: number, now: number): void {
    this.#acknowledged = acknowledged;
    for (let [first] = this.#sent; first && first.bytes <= acknowledged; [first] = this.#sent) {
      this.#tripMs = now - first.at;
      this.#trippedAt = now;
      this.#sent.shift();
    }
    if (now >= this.#baseEnd) {
      this.#bases = [Infinity, this.#bases[0]!];
      this.#baseEnd = now + BASE_MS;
    }
    if (this.#trippedAt === now) this.#bases[0] = Math.min(this.#bases[0]!, this.#tripMs);
    if (now - (this.#arrived.at(-1)?.at ?? now) > SILENCE_MS) this.#arrived = [];
    this.#arrived.push({ at: now, bytes: acknowledged });
    while (this.#arrived.length > 2 && now - this.#arrived[1]!.at > WINDOW_MS) this.#arrived.shift();
  }

  /** What gets through, in bits a second; undefined where that is not known. */
  #through(now: number): number | undefined {
    const [first, last] = [this.#arrived[0], this.#arrived.at(-1)];
    if (!first || !last || now - last.at > SILENCE_MS || last.at - first.at < LEAST_WINDOW_MS)
      return undefined;
    return ((last.bytes - first.bytes) * 8000) / (last.at - first.at);
  }

  #decide(now: number, sentBytes: number): void {
    const isHigh = this.#delayMs > HIGH_MS;
    // What got through before says nothing.
    if (isHigh && !this.#isHigh) this.#arrived = this.#arrived.slice(-1);
    this.#isHigh = isHigh;
    const through = this.#through(now);
    if (isHigh) {
      const isRoundOver = this.#acknowledged >= this.#roundEnd;
      const isKnown = through !== undefined && now - this.#loweredAt >= LOWER_MS;
      if (!isRoundOver && !isKnown) return;
      const fitting = isKnown ? through * SHARE - this.#options.audioBitrate : Infinity;
      const step = isRoundOver ? STEP_DOWN : 1;
      this.#set(Math.min(this.#bitrate * step, fitting));
      this.#loweredAt = now;
      if (isRoundOver) this.#roundEnd = sentBytes;
    } else if (this.#delayMs < LOW_MS && this.#bitrate < this.#ceiling) {
      if (now - this.#loweredAt < CALM_MS || now - this.#raisedAt < STEP_MS) return;
      // A picture that stands still proves nothing.
      if (through === undefined || through < this.#bitrate / 2) return;
      this.#raisedAt = now;
      this.#set(this.#bitrate + Math.min(this.#ceiling * STEP_UP, this.#bitrate * MOST_UP));
    }
  }

  #set(wanted: number): void {
    const { floor, onBitrate } = this.#options;
    const bitrate = Math.round(Math.min(this.#ceiling, Math.max(floor, wanted)));
    if (bitrate === this.#bitrate) return;
    this.#bitrate = bitrate;
    onBitrate(bitrate);
  }

  #noteShortage(isBehind: boolean, now: number): void {
    if (isBehind) {
      this.#shortSince ??= now;
      this.#lastBehind = now;
    } else if (now - this.#lastBehind > CALM_MS) this.#shortSince = undefined;
    const isShort = this.#isShort
      ? this.#shortSince !== undefined
      : isBehind && now - this.#shortSince! > SHORT_MS;
    if (isShort === this.#isShort) return;
    this.#isShort = isShort;
    this.#options.onShortage(isShort);
  }
}
