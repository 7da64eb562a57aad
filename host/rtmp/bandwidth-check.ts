import { encodeValues } from '../../wire/commands.ts';

/** Bytes of the first measured call; each further one carries as much more (FMS, `BandwidthDetection/DataSize`). */
const DATA_BYTES = 16_384;
const MAX_BYTES = 20 * DATA_BYTES;
const FILLER = 'stagewire-bandwidth-check-'.repeat(Math.ceil(MAX_BYTES / 26)).slice(0, MAX_BYTES);

/** Calls a method of the client; `check` hears of the answer. Without it nobody does. */
type Call = (method: string, check: BandwidthCheck | undefined, args: Uint8Array) => void;

/**
 * Measures what a client can be sent a second: `onBWCheck` with more and more data, each call after the answer to the
 * one before, then `onBWDone` with kilobits per second, kilobits sent, milliseconds that took, and the latency in
 * milliseconds (FMS, Configuration and Administration Guide, BandwidthDetection).
 */
export class BandwidthCheck {
  isOver = false;
  readonly #call: Call;
  readonly #maxMs: number;
  readonly #startedAt = performance.now();
  #sentAt = 0;
  #sentBytes = 0;
  #latencyMs: number | undefined;
  #totalBytes = 0;
  #totalMs = 0;

  constructor(maxMs: number, call: Call) {
    this.#maxMs = maxMs;
    this.#call = call;
    this.#send(0);
  }

  /** The client has answered the last call. One that knows no `onBWCheck` is not measured. */
  answered(isOk: boolean): void {
    const now = performance.now();
    const tookMs = now - this.#sentAt;
    if (!isOk) return this.#end();
    if (this.#latencyMs === undefined) this.#latencyMs = tookMs;
    else {
      this.#totalBytes += this.#sentBytes;
      this.#totalMs += Math.max(0.1, tookMs - this.#latencyMs);
    }
    const next = this.#sentBytes + DATA_BYTES;
    if (now - this.#startedAt >= this.#maxMs || next > MAX_BYTES) this.#end();
    else this.#send(next);
  }

  #send(bytes: number): void {
    this.#sentBytes = bytes;
    this.#sentAt = performance.now();
    this.#call('onBWCheck', this, encodeValues(FILLER.slice(0, bytes)));
  }

  #end(): void {
    this.isOver = true;
    const kilobits = (this.#totalBytes * 8) / 1000;
    const perSecond = this.#totalMs === 0 ? 0 : (kilobits / this.#totalMs) * 1000;
    const [kbps, deltaDown, deltaTime, latency] = [
      perSecond,
      kilobits,
      this.#totalMs,
      this.#latencyMs ?? 0,
    ].map(Math.round);
    this.#call('onBWDone', undefined, encodeValues(kbps, deltaDown, deltaTime, latency));
  }
}
