import type { Traffic } from '../rtmp/ports.ts';
import type { ClientSeat } from './seat.ts';

/** `onDisconnect` may still ask for the statistics of who has left; of so many the last are known. */
const MAX_DEPARTED = 256;

/** What a script's `getStats` tells. All numbers; `in` is what the server received, `out` what it sent. */
export type Stats = Record<string, number>;

/** Who came to an instance and went, and how much crossed their connections. */
export class Census {
  readonly #past: Traffic = noTraffic();
  readonly #departed = new Map<number, Stats>();
  #connects = 0;
  #disconnects = 0;
  #accepted = 0;
  #rejected = 0;

  came(): void {
    this.#connects++;
  }

  accepted(): void {
    this.#accepted++;
  }

  left(seat: ClientSeat, wasAccepted: boolean): void {
    if (wasAccepted) this.#disconnects++;
    else this.#rejected++;
    addTo(this.#past, seat.end.traffic);
    this.#departed.set(seat.number, statsOf(seat));
    const [oldest] = this.#departed.keys();
    if (this.#departed.size > MAX_DEPARTED && oldest !== undefined) this.#departed.delete(oldest);
  }

  /** Of a client that is here or has just left. */
  ofClient(number: number, seat: ClientSeat | undefined): Stats | undefined {
    return seat ? statsOf(seat) : this.#departed.get(number);
  }

  /** Of the instance since it began (Server-Side ActionScript Language Reference, Application.getStats). */
  ofAll(seats: Iterable<ClientSeat>): Stats {
    const sum = { ...this.#past };
    let connected = 0;
    for (const seat of seats) {
      addTo(sum, seat.end.traffic);
      if (seat.standing === 'accepted') connected++;
    }
    return {
      ...traffic(sum),
      total_connects: this.#connects,
      total_disconnects: this.#disconnects,
      connected,
      accepted: this.#accepted,
      rejected: this.#rejected,
    };
  }
}

/** Server-Side ActionScript Language Reference, Client.getStats; what waits for the client is one queue here. */
function statsOf({ end }: ClientSeat): Stats {
  return { ...traffic(end.traffic), ping_rtt: end.traffic.pingMs, queue_bytes: Math.round(end.queuedBytes) };
}

function traffic({ bytesIn, bytesOut, messagesIn, messagesOut, messagesDropped }: Traffic): Stats {
  return {
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    msg_in: messagesIn,
    msg_out: messagesOut,
    msg_dropped: messagesDropped,
  };
}

function addTo(sum: Traffic, { bytesIn, bytesOut, messagesIn, messagesOut, messagesDropped }: Traffic): void {
  sum.bytesIn += bytesIn;
  sum.bytesOut += bytesOut;
  sum.messagesIn += messagesIn;
  sum.messagesOut += messagesOut;
  sum.messagesDropped += messagesDropped;
}

function noTraffic(): Traffic {
  return { bytesIn: 0, bytesOut: 0, messagesIn: 0, messagesOut: 0, messagesDropped: 0, pingMs: 0 };
}
