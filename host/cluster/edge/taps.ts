import type { RtmpMessage } from '../../../wire/messages.ts';
import type { RtmpConnection } from '../../rtmp/connection.ts';
import type { Carried, Placement } from '../owner.ts';
import type { Downward, Upward } from './messages.ts';
import type { Outgoing, OutgoingStream } from './outgoing.ts';
import { Valve } from './valve.ts';

type CarryOp = Extract<Upward, { op: 'carry' }>;

/** A stream that goes to the edge. */
interface Tapped {
  readonly op: CarryOp;
  readonly outgoing: OutgoingStream;
  readonly valve: Valve;
  readonly carried: Carried;
}

/** What waits for an edge before streams leave out pictures. */
const STREAM_BYTES = 16 * 1024 * 1024;
const MAX_STREAMS = 10_000;

/** The live streams that an edge has asked for, by the number that it has given them. */
export class Taps {
  readonly #placement: Placement;
  readonly #outgoing: Outgoing;
  readonly #connection: RtmpConnection;
  readonly #tell: (op: Downward, number: number) => void;
  readonly #tapped = new Map<number, Tapped>();
  #droppedBefore = 0;

  constructor(
    placement: Placement,
    outgoing: Outgoing,
    connection: RtmpConnection,
    tell: (op: Downward, number: number) => void,
  ) {
    this.#placement = placement;
    this.#outgoing = outgoing;
    this.#connection = connection;
    this.#tell = tell;
  }

  get size(): number {
    return this.#tapped.size;
  }

  /** Messages that were left out since there was no room on the link. */
  get dropped(): number {
    let dropped = this.#droppedBefore;
    for (const { valve } of this.#tapped.values()) dropped += valve.dropped;
    return dropped;
  }

  carry(number: number, op: CarryOp): void {
    if (this.#tapped.has(number)) return;
    if (this.#tapped.size >= MAX_STREAMS)
      return this.#tell({ op: 'source', publication: '', media: 0 }, number);
    const outgoing = this.#outgoing.take(op.app, op.instance, op.stream);
    const valve = new Valve(() => this.#connection.queuedBytes, STREAM_BYTES);
    this.#tapped.set(number, { op, outgoing, valve, carried: this.#tap(number, op, outgoing, valve) });
  }

  /** The edge has nobody who watches. */
  drop(number: number): void {
    const tapped = this.#tapped.get(number);
    if (!tapped) return;
    this.#tapped.delete(number);
    this.#droppedBefore += tapped.valve.dropped;
    this.#end(tapped);
  }

  /** Instances that have ended may be there again. */
  look(): void {
    for (const [number, tapped] of this.#tapped) {
      if (!tapped.carried.isOver) continue;
      tapped.carried.end();
      const carried = this.#tap(number, tapped.op, tapped.outgoing, tapped.valve);
      this.#tapped.set(number, { ...tapped, carried });
    }
  }

  /** The edge is gone. */
  close(): void {
    for (const tapped of this.#tapped.values()) this.#end(tapped);
    this.#tapped.clear();
  }

  #end({ op: { app, instance, stream }, carried }: Tapped): void {
    carried.end();
    this.#outgoing.release(app, instance, stream);
  }

  #tap(number: number, { app, instance, stream }: CarryOp, outgoing: OutgoingStream, valve: Valve): Carried {
    const connection = this.#connection;
    let told: string | undefined;
    let live: Carried | undefined;
    const tellSource = () => {
      const publication = live?.publication ?? '';
      if (told === publication) return;
      told = publication;
      this.#tell({ op: 'source', publication, media: outgoing.number }, number);
    };
    const early: RtmpMessage[] = [];
    const send = (message: RtmpMessage) => {
      if (valve.admits(message)) connection.write(outgoing.bytesOf(message, connection.format), 1);
    };
    live = this.#placement.ownerOf(app, instance).carry(app, instance, stream, {
      take: (message) => {
        // What there is comes before it can be said whose it is.
        if (!live) return void early.push(message);
        tellSource();
        send(message);
      },
      sourceChanged: () => tellSource(),
    });
    if (live.known && early.length === 0) void live.known.then(tellSource);
    else tellSource();
    for (const message of early) send(message);
    return live;
  }
}
