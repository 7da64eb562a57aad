import { encodeValues } from '../../wire/commands.ts';
import { status } from '../../wire/status.ts';
import type { ClientSeat } from './seat.ts';

interface OpenCall {
  seat: ClientSeat;
  name: string;
  transaction: number;
  /** Answers in the script's place when it has no such method. */
  onMissing: (() => void) | undefined;
  /** Settled with the call, for those who wait for more than the answer. */
  closed: PromiseWithResolvers<void> | undefined;
}

/** Calls by clients that the script has not answered: each is answered exactly once, whatever becomes of the script. */
export class OpenCalls {
  readonly #calls = new Map<number, OpenCall>();
  #next = 1;

  /** The number under which the script answers; 0 when nobody waits. */
  open(seat: ClientSeat, name: string, transaction: number, onMissing?: () => void): number {
    if (transaction === 0 && !onMissing) return 0;
    const call = this.#next++;
    this.#calls.set(call, { seat, name, transaction, onMissing, closed: undefined });
    seat.calls.add(call);
    return call;
  }

  succeed(call: number, value: Uint8Array): void {
    const open = this.#close(call);
    if (open && open.transaction !== 0) open.seat.end.result(open.transaction, value);
  }

  fail(call: number, info: Uint8Array): void {
    const open = this.#close(call);
    if (open && open.transaction !== 0) open.seat.end.error(open.transaction, info);
  }

  failWith(call: number, description: string): void {
    this.fail(call, encodeValues(status('NetConnection.Call.Failed', description)));
  }

  /** Encoders call releaseStream and the like on every server: a miss is not worth a line in the author's log. */
  missing(call: number): void {
    const open = this.#calls.get(call);
    if (open?.onMissing) {
      this.#close(call);
      open.onMissing();
    } else if (open) {
      this.failWith(call, `Method not found (${open.name}).`);
    }
  }

  /** The client is gone: nobody waits any more. */
  forget(seat: ClientSeat): void {
    for (const call of [...seat.calls]) this.#close(call);
  }

  /** Resolves when all that the client waits for at present has been answered, or the client is gone. */
  async answered(seat: ClientSeat): Promise<void> {
    const all: Promise<void>[] = [];
    for (const number of seat.calls) {
      const call = this.#calls.get(number);
      if (!call) continue;
      call.closed ??= Promise.withResolvers<void>();
      all.push(call.closed.promise);
    }
    await Promise.all(all);
  }

  /** The calls that wait, with their callers. */
  *[Symbol.iterator](): Generator<[number, ClientSeat]> {
    for (const [call, { seat }] of [...this.#calls]) yield [call, seat];
  }

  #close(call: number): OpenCall | undefined {
    const open = this.#calls.get(call);
    this.#calls.delete(call);
    open?.seat.calls.delete(call);
    open?.closed?.resolve();
    return open;
  }
}
