import type { InstanceHost } from './incarnation.ts';
import type { ClientSeat } from './seat.ts';

/** A client may fill this part of the mailbox while one turn is under way. */
const MAILBOX_SHARE = 8;

/** Whoever sends more than the script can take is read more slowly, first those who send most. Nothing is lost. */
export class BackPressure {
  readonly #host: InstanceHost;
  readonly #hasRoom: () => boolean;
  readonly #paused = new Set<ClientSeat>();
  /** Counts the script's turns: a client's share is what it has sent since the last. */
  #turn = 0;

  /** `hasRoom`: whether the script has come after what there was. */
  constructor(host: InstanceHost, hasRoom: () => boolean) {
    this.#host = host;
    this.#hasRoom = hasRoom;
  }

  pause(seat: ClientSeat): void {
    if (seat.standing === 'gone' || this.#paused.has(seat)) return;
    this.#paused.add(seat);
    seat.end.setReading(false);
  }

  /** Counts one delivery. Nobody fills the mailbox for the others while a turn is under way. */
  isOverShare(seat: ClientSeat): boolean {
    if (seat.turn !== this.#turn) {
      seat.turn = this.#turn;
      seat.posted = 0;
    }
    return ++seat.posted > this.#host.settings.limits.mailboxRecords / MAILBOX_SHARE;
  }

  /** A client that has used up its calls for now is read on when it may send the next. */
  countCall(seat: ClientSeat): void {
    const { callsPerSecond } = this.#host.settings.limits;
    if (callsPerSecond === 0) return;
    const { clock } = this.#host;
    const now = clock.monotonic();
    const overMs = Math.ceil(seat.calling.spend(now, callsPerSecond));
    if (overMs <= 0 || now < seat.pausedUntil) return;
    seat.pausedUntil = now + overMs;
    this.pause(seat);
    clock.setTimer(() => this.resume(), overMs + 1); // timers may be early by a fraction
  }

  /** A turn has ended. */
  turned(): void {
    this.#turn++;
    this.resume();
  }

  /** Reads on from those who were paused, if there is room for what they send. */
  resume(): void {
    if (this.#paused.size === 0 || !this.#hasRoom()) return;
    const now = this.#host.clock.monotonic();
    for (const seat of this.#paused) {
      if (seat.held || seat.pausedUntil > now) continue;
      this.#paused.delete(seat);
      seat.end.setReading(true);
    }
  }

  forget(seat: ClientSeat): void {
    this.#paused.delete(seat);
  }
}
