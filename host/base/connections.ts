import { systemClock } from './clock.ts';
import type { StagewireError } from './errors.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { LogBudget } from './log-budget.ts';

/** What is printed in a second about peers that are refused or dropped: they come back as often as they like. */
const MAX_NEWS_BYTES = 16 * 1024;

/** The connections of clients, whichever listener they came to, and what the log says of them. */
export class Connections {
  readonly #limits: Pick<Limits, 'connections' | 'connectionsPerAddress'>;
  readonly #log: Log;
  readonly #budget: LogBudget;
  readonly #perAddress = new Map<string, number>();
  #count = 0;

  constructor(limits: Pick<Limits, 'connections' | 'connectionsPerAddress'>, log: Log) {
    this.#limits = limits;
    this.#log = log;
    this.#budget = new LogBudget({ bytesPerSecond: () => MAX_NEWS_BYTES, log, clock: systemClock });
  }

  get count(): number {
    return this.#count;
  }

  /** Undefined when there are too many, here or from that address; else what to call, once, when it has ended. */
  enter(address: string): (() => void) | undefined {
    const { connections, connectionsPerAddress } = this.#limits;
    const fromThere = this.#perAddress.get(address) ?? 0;
    if (this.#count >= connections || (connectionsPerAddress > 0 && fromThere >= connectionsPerAddress)) {
      const news = `${address} is refused: ${this.#count} connections, ${fromThere} from there`;
      if (this.#budget.takes(news)) this.#log.warn(news, { code: 'E_TOO_MANY_CONNECTIONS' });
      return undefined;
    }
    this.#count++;
    this.#perAddress.set(address, fromThere + 1);
    return () => {
      this.#count--;
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    };
  }

  /** We have ended one of them: `peer` is its address and port. */
  dropped(peer: string, { blame, code, message }: StagewireError): void {
    if (!this.#budget.takes(message)) return;
    if (blame === 'peer') this.#log.warn(`${peer} is dropped, its own fault: ${message}`, { code });
    else this.#log.error(`${peer} is dropped by a bug of the server`, { code, detail: message });
  }
}
