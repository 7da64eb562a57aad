import type { RtmpMessage } from '../../../wire/messages.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { ClientEnd, ConnectRequest, Refusal, Seat } from '../../rtmp/ports.ts';
import type { Archive } from '../../streams/library.ts';
import type { Tap } from '../../streams/live-stream.ts';
import type { WindowMs, Windows } from '../../streams/windows.ts';
import type { LinkReport } from '../../web/api.ts';
import type { Carried, Owner } from '../owner.ts';
import type { CarriedStream } from './carried-stream.ts';
import { EdgeInstance } from './edge-instance.ts';
import type { AppsToldToEdges } from './edge-port.ts';
import { EdgeSeat, type Uplink } from './edge-seat.ts';
import type { Control, Downward, Upward } from './messages.ts';
import { type OriginAddress, OriginLink } from './origin-link.ts';

export interface EdgeOptions {
  readonly address: OriginAddress;
  /** As it was given, for people. */
  readonly uri: string;
  readonly secret: string;
  readonly name: string;
  /** Of this process. */
  readonly run: string;
  readonly limits: Limits;
  readonly windows: Windows;
  readonly archive: Archive;
  readonly log: Log;
}

const LEAST_DELAY_MS = 100;
const MOST_DELAY_MS = 1000;
const REPORT_MS = 100;
const SWEEP_MS = 1000;
const MAX_NUMBER = 0xffff_ffff;
/** Questions that wait for the origin. */
const MAX_ASKS = 100_000;
/** The same complaint about the link is told once in so long. */
const COMPLAIN_MS = 60_000;

/** The origin, for a server that is its edge: who connects here is connected there. */
export class EdgeOrigin implements Owner, Uplink {
  readonly limits: Limits;
  readonly #options: EdgeOptions;
  readonly #seats = new Map<number, EdgeSeat>();
  readonly #instances = new Map<string, EdgeInstance>();
  /** By the number that its media has. */
  readonly #carried = new Map<number, CarriedStream>();
  /** The same by the number under which the origin sends what they carry. */
  readonly #media = new Map<number, CarriedStream>();
  readonly #asks = new Map<number, (answer: Downward | undefined) => void>();
  readonly #reporter: NodeJS.Timeout;
  readonly #sweeper: NodeJS.Timeout;
  #apps: AppsToldToEdges | undefined;
  #via: readonly string[] = [];
  #link: OriginLink | undefined;
  #isUp = false;
  #ups = 0;
  #delayMs = LEAST_DELAY_MS;
  #again: NodeJS.Timeout | undefined;
  #problem: string | undefined;
  #complainedAt = -Infinity;
  #isClosed = false;
  #lastNumber = 0;

  constructor(options: EdgeOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.#reporter = setInterval(() => this.#report(), REPORT_MS);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#connect();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get queuedBytes(): number {
    return this.#link?.queuedBytes ?? 0;
  }

  /** The servers from here to the origin of all, this one included. */
  get via(): string[] {
    return [this.#options.run, ...this.#via];
  }

  get apps(): AppsToldToEdges {
    return this.#apps ?? {};
  }

  get report(): LinkReport {
    const { uri, name } = this.#options;
    return {
      origin: uri,
      name,
      state: this.#isUp ? 'connected' : 'connecting',
      problem: this.#problem ?? null,
      reconnects: Math.max(0, this.#ups - 1),
      pingMs: this.#link?.pingMs ?? 0,
      queuedBytes: this.queuedBytes,
      clients: this.#seats.size,
      streams: this.#carried.size,
    };
  }

  // For who comes here.

  connect(request: ConnectRequest, client: ClientEnd): Seat | Refusal {
    const { app, instance } = request;
    if (this.#isClosed)
      return { code: 'NetConnection.Connect.AppShutdown', description: 'The server is shutting down.' };
    if (this.#isUp && this.#apps && !Object.hasOwn(this.#apps, app))
      return {
        code: 'NetConnection.Connect.InvalidApp',
        description: `Application (${app}) is not defined.`,
      };
    const number = this.nextNumber();
    const seat = new EdgeSeat(number, request, client, this.#instance(app, instance), this);
    this.#seats.set(number, seat);
    return seat;
  }

  carry(app: string, instance: string, stream: string, tap: Tap): Carried {
    const here = this.#instance(app, instance);
    here.users++;
    const carried = here.carry(stream);
    carried.users++;
    carried.stream.tap(tap);
    return {
      get publication() {
        return carried.stream.publication;
      },
      isOver: false,
      known: carried.known,
      end: () => {
        carried.users--;
        carried.stream.untap(tap);
        here.users--;
        this.#release(here);
      },
    };
  }

  originsOf(app: string): readonly string[] | undefined {
    if (!this.#apps) return [];
    return Object.hasOwn(this.#apps, app) ? this.#apps[app]!.cors : undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#reporter);
    clearInterval(this.#sweeper);
    clearTimeout(this.#again);
    this.#link?.close();
  }

  // For its clients.

  nextNumber(): number {
    this.#lastNumber = this.#lastNumber === MAX_NUMBER ? 1 : this.#lastNumber + 1;
    return this.#lastNumber;
  }

  tell(op: Upward, id: number, bytes?: Uint8Array): void {
    if (this.#isUp) this.#link?.tell(op, id, bytes);
  }

  send(message: RtmpMessage): void {
    if (this.#isUp) this.#link?.send(message);
  }

  ask(answered: (answer: Downward | undefined) => void): number {
    const number = this.nextNumber();
    if (this.#asks.size >= MAX_ASKS) answered(undefined);
    else this.#asks.set(number, answered);
    return number;
  }

  left(seat: EdgeSeat): void {
    if (this.#seats.delete(seat.number)) this.#release(seat.instance);
  }

  #instance(app: string, instance: string): EdgeInstance {
    const name = `${app}/${instance}`;
    let present = this.#instances.get(name);
    if (!present) {
      const { windows, archive, limits, log } = this.#options;
      present = new EdgeInstance(app, instance, {
        windows,
        archive,
        limits,
        log,
        windowMsOf: (of) => this.#apps?.[of]?.windowMs as WindowMs | undefined,
        codecPolicyOf: (of) => this.#apps?.[of]?.codecs ?? 'drop',
        carry: (carried, name) => {
          this.#carried.set(carried.number, carried);
          this.tell({ op: 'carry', app, instance, stream: name }, carried.number);
        },
        drop: (carried) => {
          const { number, media } = carried;
          this.#carried.delete(number);
          if (this.#media.get(media) === carried) this.#media.delete(media);
          this.tell({ op: 'drop-stream' }, number);
        },
        nextNumber: () => this.nextNumber(),
      });
      this.#instances.set(name, present);
    }
    return present;
  }

  #release(instance: EdgeInstance): void {
    if (instance.users > 0) return;
    instance.close();
    this.#instances.delete(`${instance.app}/${instance.instance}`);
  }

  // The link.

  #connect(): void {
    const { address, secret, name, run, limits, log, uri } = this.#options;
    this.#link = new OriginLink(
      { address, secret, name, run, limits },
      {
        up: ({ server, via }) => {
          if (via.includes(run)) return this.#down('this server would be an edge of itself');
          this.#isUp = true;
          this.#ups++;
          this.#via = via;
          this.#delayMs = LEAST_DELAY_MS;
          this.#problem = undefined;
          this.#complainedAt = -Infinity;
          log.info(`is an edge of ${uri} (${server}), as ${name}`);
          for (const seat of this.#seats.values()) seat.attach();
          for (const instance of this.#instances.values()) instance.carryAgain();
        },
        control: (control) => this.#control(control),
        toClients: (clients, bytes) => this.#receive(clients, bytes),
        media: (message) => this.#media.get(message.streamId)?.receive(message),
        down: (why) => this.#down(why),
      },
    );
  }

  #down(why: string): void {
    const { log, uri } = this.#options;
    const wasUp = this.#isUp;
    this.#isUp = false;
    this.#via = [];
    this.#problem = why;
    this.#link?.close();
    this.#link = undefined;
    if (this.#isClosed) return;
    const now = performance.now();
    if (wasUp || now - this.#complainedAt >= COMPLAIN_MS) {
      this.#complainedAt = now;
      log.warn(`${wasUp ? 'lost' : 'cannot reach'} the origin ${uri}: ${why}; trying again`, {
        code: 'E_EDGE',
      });
    }
    const asks = [...this.#asks.values()];
    this.#asks.clear();
    for (const answered of asks) answered(undefined);
    for (const seat of this.#seats.values()) seat.detach();
    for (const instance of this.#instances.values()) instance.lost();
    this.#media.clear();
    this.#again = setTimeout(() => this.#connect(), this.#delayMs * (0.5 + Math.random() / 2));
    this.#delayMs = Math.min(MOST_DELAY_MS, this.#delayMs * 2);
  }

  /** Made once for all clients of one format. */
  #receive(clients: readonly number[], bytes: Uint8Array): void {
    const made = new Map<string, Buffer[]>();
    for (const client of clients) this.#seats.get(client)?.receive(bytes, made);
  }

  #control(control: Control<Downward>): void {
    const { id, op } = control;
    switch (op.op) {
      case 'apps':
        this.#apps = op.apps;
        return;
      case 'source': {
        const carried = this.#carried.get(id);
        if (!carried) return;
        carried.media = op.media;
        this.#media.set(op.media, carried);
        return carried.setSource(op.publication);
      }
      case 'length-is':
      case 'decided': {
        const answered = this.#asks.get(op.ask);
        this.#asks.delete(op.ask);
        return answered?.(op);
      }
      default:
        return this.#seats.get(id)?.obey(control);
    }
  }

  #report(): void {
    if (!this.#isUp) return;
    const now = performance.now();
    for (const seat of this.#seats.values()) seat.report(now);
  }

  #sweep(): void {
    const now = performance.now();
    for (const instance of this.#instances.values()) instance.sweep(now);
  }
}
