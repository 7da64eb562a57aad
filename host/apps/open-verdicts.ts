import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { StreamRequest } from '../../runtime/wall/fields.ts';
import type { Clock } from '../base/clock.ts';
import type { Verdict } from '../streams/net-stream.ts';
import type { ClientSeat } from './seat.ts';

interface OpenVerdict {
  delivery: Delivery;
  settle: (verdict: Verdict) => void;
}

/** Questions to the script whether a client may publish or play: each gets a verdict, a refusal if need be. */
export class OpenVerdicts {
  readonly #clock: Clock;
  readonly #patienceMs: () => number;
  readonly #open = new Map<number, OpenVerdict>();
  #next = 1;

  constructor(clock: Clock, patienceMs: () => number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** Asks by `post`. Resolves with the verdict, or with a refusal when there is none in time. */
  ask(
    seat: ClientSeat,
    action: 'publish' | 'play',
    stream: StreamRequest,
    post: (delivery: Delivery) => void,
  ): Promise<Verdict> {
    return new Promise((resolve) => {
      const request = this.#next++;
      const settle = (verdict: Verdict) => {
        this.#clock.clearTimer(timer);
        if (this.#open.delete(request)) resolve(verdict);
      };
      const late = { isAllowed: false, description: 'The application gave no verdict in time.' };
      const timer = this.#clock.setTimer(() => settle(late), this.#patienceMs());
      const delivery: Delivery = { kind: 'authorize', request, action, client: seat.number, stream };
      this.#open.set(request, { delivery, settle });
      post(delivery);
    });
  }

  settle(request: number, verdict: Verdict): void {
    this.#open.get(request)?.settle(verdict);
  }

  refuseAll(description: string): void {
    for (const { settle } of [...this.#open.values()]) settle({ isAllowed: false, description });
  }

  /** The questions that are open, as they were asked. */
  *[Symbol.iterator](): Generator<[number, Delivery]> {
    for (const [request, { delivery }] of [...this.#open]) yield [request, delivery];
  }
}
