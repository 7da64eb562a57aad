import type { CommandBody } from '../../../runtime/wall/fields.ts';
import type { RtmpMessage } from '../../../wire/messages.ts';
import { MessageType } from '../../../wire/messages.ts';
import type { StreamName } from '../../../wire/stream-name.ts';
import { StagewireError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { MessageHandler, RtmpConnection } from '../../rtmp/connection.ts';
import type { ConnectRequest, Seat } from '../../rtmp/ports.ts';
import type { EdgeReport } from '../../web/api.ts';
import type { Placement } from '../owner.ts';
import type { Edges, KnownEdge } from './edges.ts';
import {
  type Control,
  controlMessage,
  type Downward,
  EdgeType,
  readUpward,
  type Upward,
} from './messages.ts';
import type { Outgoing } from './outgoing.ts';
import { codecsOf, type EdgeEnd, RemoteClient } from './remote-client.ts';
import { isProof, makeNonce, proofOf } from './secret.ts';
import { encodeForMany, SharedBytes } from './shared-bytes.ts';
import { Taps } from './taps.ts';

/** Spoken by both sides, or they do not speak. */
export const EDGE_VERSION = 3;

/** What a server has for its edges. */
export interface EdgeHouse {
  /** Undefined: it has none. */
  readonly secret: string | undefined;
  readonly placement: Placement;
  readonly edges: Edges;
  readonly outgoing: Outgoing;
  readonly limits: Limits;
  readonly log: Log;
  /** Tells the edge who this is. */
  readonly server: string;
  /** The servers from here to the origin of all, this one included, by run. */
  via(): string[];
  /** What an edge must know of each application. */
  apps(): AppsToldToEdges;
}

export type AppsToldToEdges = Extract<Downward, { op: 'apps' }>['apps'];

/** What waits for an edge before it is dropped. */
export const LINK_BYTES = 128 * 1024 * 1024;
const LOOK_MS = 1000;
/** An edge that says nothing for so long is gone: it is pinged every second. */
const SILENT_MS = 5000;
const MAX_ASKS = 10_000;

type State =
  | { at: 'new' }
  | { at: 'challenged'; hello: Extract<Upward, { op: 'hello' }>; nonce: string }
  | { at: 'deciding'; name: string }
  | { at: 'open'; name: string }
  | { at: 'closed' };

/** Whether a client is there, asked of its edge. */
interface Ask {
  readonly client: number;
  readonly answer: (isAlive: boolean) => void;
}

/** An edge as its origin sees it: who is connected there is connected here. */
export class EdgePort implements MessageHandler, EdgeEnd, KnownEdge {
  readonly #connection: RtmpConnection;
  readonly #house: EdgeHouse;
  readonly #clients = new Map<number, RemoteClient>();
  readonly #streams = new Map<number, RemoteClient>();
  /** Of those that publish: the edge knows that it has begun. */
  readonly #heard = new Set<number>();
  readonly #taps: Taps;
  readonly #asks = new Map<number, Ask>();
  #nextAsk = 1;
  readonly #forMany = new SharedBytes((clients, bytes) => {
    const [client = 0] = clients;
    this.#connection.send(
      clients.length === 1
        ? { type: EdgeType.ToClient, streamId: client, timestamp: 0, payload: bytes }
        : { type: EdgeType.ToClients, streamId: 0, timestamp: 0, payload: encodeForMany(clients, bytes) },
    );
  });
  #state: State = { at: 'new' };
  #timer: NodeJS.Timeout | undefined;
  #toldApps = '';
  run = '';

  constructor(connection: RtmpConnection, house: EdgeHouse) {
    this.#connection = connection;
    this.#house = house;
    this.#taps = new Taps(house.placement, house.outgoing, connection, (op, number) => this.tell(op, number));
  }

  onMessage(message: RtmpMessage): void {
    const state = this.#state;
    if (state.at === 'closed' || state.at === 'deciding') return;
    if (message.type !== EdgeType.Control) {
      if (state.at === 'open') this.#media(message);
      return;
    }
    if (state.at === 'open') return this.#control(message);
    const control = readUpward(message);
    const { op } = control;
    if (state.at === 'new' && op.op === 'hello') this.#greet(op);
    else if (state.at === 'challenged' && op.op === 'proof') this.#prove(state, op.proof);
    else throw new StagewireError('E_EDGE', 'peer', `"${op.op}" came before the edge was let in`);
  }

  onBuffer(): void {}
  onPlayed(): void {}
  onMakesKeyFrames(): void {}
  onIdle(): void {}

  onClose(): void {
    const state = this.#state;
    this.#state = { at: 'closed' };
    clearInterval(this.#timer);
    if (state.at === 'open' || state.at === 'deciding') this.#house.edges.leave(state.name, this);
    this.#taps.close();
    for (const { answer } of this.#asks.values()) answer(false);
    this.#asks.clear();
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    this.#streams.clear();
    for (const client of clients) client.leave();
    if (state.at === 'open')
      this.#house.log.warn(`the edge ${state.name} is gone, and ${clients.length} clients with it`);
  }

  // For its clients.

  tell(op: Downward, id: number, bytes?: Uint8Array): void {
    if (this.#state.at !== 'closed') this.send(controlMessage(op, id, bytes));
  }

  send(message: RtmpMessage): void {
    this.#forMany.flush();
    this.#connection.send(message);
  }

  sendToMany(client: number, bytes: Buffer): void {
    this.#forMany.add(client, bytes);
  }

  askAlive(client: number, withinMs: number): Promise<boolean> {
    if (this.#asks.size >= MAX_ASKS) return Promise.resolve(true);
    const ask = this.#nextAsk++ >>> 0;
    return new Promise((resolve) => {
      this.#asks.set(ask, { client, answer: resolve });
      this.tell({ op: 'is-alive', ask, withinMs }, client);
    });
  }

  gone(client: number): void {
    this.#forget(client);
  }

  // For who comes under its name.

  get report(): EdgeReport {
    const { address, traffic, queuedBytes } = this.#connection;
    return {
      name: 'name' in this.#state ? this.#state.name : '',
      address,
      clients: this.#clients.size,
      streams: this.#taps.size,
      pingMs: traffic.pingMs,
      queuedBytes,
      dropped: this.#taps.dropped,
    };
  }

  isAlive(withinMs: number): Promise<boolean> {
    return this.#connection.isAlive(withinMs);
  }

  replaced(): void {
    this.#connection.close(0);
    this.onClose();
  }

  // Who it is.

  #greet(hello: Extract<Upward, { op: 'hello' }>): void {
    const { secret } = this.#house;
    if (secret === undefined)
      return this.#refuse('this server takes no edges: start it with --edge-secret-file');
    if (hello.version !== EDGE_VERSION)
      return this.#refuse(`the edge speaks version ${hello.version}, and this server ${EDGE_VERSION}`);
    if (this.#house.via().includes(hello.run)) return this.#refuse('the edge would be an edge of itself');
    const nonce = makeNonce();
    this.#state = { at: 'challenged', hello, nonce };
    this.tell({ op: 'challenge', nonce }, 0);
  }

  #prove({ hello, nonce }: State & { at: 'challenged' }, proof: string): void {
    const { secret = '', edges, log, server } = this.#house;
    const { name, run } = hello;
    const nonces = { edge: hello.nonce, origin: nonce };
    if (!isProof(proof, proofOf('edge', secret, nonces, name))) {
      log.warn(`an edge was refused: its secret is another (${name}, from ${this.#connection.address})`, {
        code: 'E_EDGE',
      });
      return this.#refuse('the secret is another');
    }
    this.run = run;
    this.#state = { at: 'deciding', name };
    void edges.admit(name, this).then((why) => {
      if (this.#state.at !== 'deciding') return why === undefined && edges.leave(name, this);
      if (why !== undefined) {
        log.warn(`an edge was refused: ${why}`, { code: 'E_EDGE' });
        return this.#refuse(why);
      }
      this.#state = { at: 'open', name };
      this.#connection.becomesLink(LINK_BYTES);
      this.#connection.announceChunkSize();
      this.tell(
        { op: 'welcome', proof: proofOf('origin', secret, nonces, name), server, via: this.#house.via() },
        0,
      );
      this.#tellApps();
      this.#timer = setInterval(() => this.#look(), LOOK_MS);
      log.info(`the edge ${name} is connected, from ${this.#connection.address}`);
    });
  }

  #refuse(why: string): void {
    this.tell({ op: 'no', why }, 0);
    this.#state = { at: 'closed' };
    this.#connection.close(this.#house.limits.rejectLingerMs);
  }

  #look(): void {
    if (this.#connection.silentMs > SILENT_MS)
      return this.#connection.fail(
        new StagewireError('E_EDGE', 'peer', `the edge was silent for ${SILENT_MS} ms`),
      );
    this.#connection.ping();
    this.#tellApps();
    this.#taps.look();
  }

  #tellApps(): void {
    const apps = this.#house.apps();
    const text = JSON.stringify(apps);
    if (text === this.#toldApps) return;
    this.#toldApps = text;
    this.tell({ op: 'apps', apps }, 0);
  }

  // What its clients do.

  #control(message: RtmpMessage): void {
    let control: Control<Upward>;
    try {
      control = readUpward(message);
    } catch (error) {
      // What a client said has got that far, and nobody else is to blame.
      const { streamId } = message;
      if (streamId === 0 || !(error instanceof StagewireError)) throw error;
      const client = this.#clients.get(streamId) ?? this.#streams.get(streamId);
      if (client) return client.fail(error);
      return this.tell({ op: 'drop', code: error.code, text: error.message }, streamId);
    }
    this.#obey(control);
  }

  #media(message: RtmpMessage): void {
    const { type, streamId } = message;
    const client = this.#streams.get(streamId);
    const isMedia = type === MessageType.Audio || type === MessageType.Video || type === MessageType.DataAmf0;
    if (!client || (!isMedia && type !== MessageType.DataAmf3)) return;
    this.#forClient(client, () => {
      const stream = client.streams.get(streamId);
      stream?.media(message);
      if (!stream?.hasBegun || this.#heard.has(streamId)) return;
      this.#heard.add(streamId);
      this.tell({ op: 'heard', stream: streamId }, client.number);
    });
  }

  #obey({ id, op, bytes }: Control<Upward>): void {
    switch (op.op) {
      case 'connect':
        return this.#connect(id, op, bytes);
      case 'carry':
        return this.#taps.carry(id, op);
      case 'drop-stream':
        return this.#taps.drop(id);
      case 'open':
        return this.#open(id, op);
      case 'alive': {
        const ask = this.#asks.get(op.ask);
        this.#asks.delete(op.ask);
        return ask?.answer(op.isAlive);
      }
    }
    const ofStream = this.#streams.get(id);
    if (STREAM_OPS.has(op.op)) {
      if (ofStream) this.#forClient(ofStream, () => this.#streamOp(ofStream, id, op));
      return;
    }
    const client = this.#clients.get(id);
    const seat = client?.seat;
    if (client && seat) this.#forClient(client, () => this.#clientOp(client, seat, op, bytes));
  }

  /** One client's fault is no other's. */
  #forClient(client: RemoteClient, run: () => void): void {
    try {
      run();
    } catch (error) {
      client.fail(error);
    }
  }

  #connect(number: number, op: Extract<Upward, { op: 'connect' }>, bytes: Uint8Array): void {
    const { limits, placement } = this.#house;
    if (this.#clients.has(number)) throw new StagewireError('E_EDGE', 'peer', `client ${number} came twice`);
    const { op: _, type, objectEncoding, ...rest } = op;
    const client = new RemoteClient(this, { number, objectEncoding, ...rest });
    this.#clients.set(number, client);
    if (this.#clients.size > limits.connections)
      return client.disconnect({
        code: 'NetConnection.Connect.Rejected',
        description: 'Resource.Limit.Exceeded: too many clients of this edge.',
      });
    const command: CommandBody = { type, body: bytes.slice() };
    const request: ConnectRequest = { ...rest, objectEncoding, command };
    const seat = placement.ownerOf(op.app, op.instance).connect(request, client);
    if ('code' in seat) {
      this.tell({ op: 'refuse', ...seat }, number);
      this.#forget(number);
    } else if (this.#clients.has(number)) client.seat = seat;
    else seat.leave();
  }

  #clientOp(client: RemoteClient, seat: Seat, op: Upward, bytes: Uint8Array): void {
    switch (op.op) {
      case 'leave':
        this.#forget(client.number);
        return client.leave();
      case 'call': {
        const command = { type: op.type, body: bytes.slice() };
        if (op.orElse === 0) return seat.call(op.name, op.transaction, command);
        return seat.callOr(op.name, op.transaction, command, () => client.missing(op.orElse));
      }
      case 'reply':
        return client.replied(op, bytes.slice());
      case 'shared':
        return seat.sharedObject({
          type: op.type,
          streamId: op.streamId,
          timestamp: op.timestamp,
          payload: bytes.slice(),
        });
      case 'length':
        void seat
          .streamLength(streamOf(op.stream))
          .then((seconds) => this.tell({ op: 'length-is', ask: op.ask, seconds }, client.number));
        return;
      case 'decide':
        void seat
          .decidePlay(streamOf(op.stream), op.startMs)
          .then((decision) => this.tell({ op: 'decided', ask: op.ask, ...decision }, client.number));
        return;
      case 'traffic':
        return client.heard(op);
    }
  }

  #open(number: number, op: Extract<Upward, { op: 'open' }>): void {
    const client = this.#clients.get(op.client);
    if (!client?.seat || this.#streams.has(number)) return;
    if (client.streams.size >= this.#house.limits.streamsPerConnection)
      return client.drop('E_STREAMS', `more than ${client.streams.size} streams`);
    this.#streams.set(number, client);
    client.streams.set(number, client.seat.openStream(op.streamId, client.transport(codecsOf(op.codecs))));
  }

  #streamOp(client: RemoteClient, number: number, op: Upward): void {
    const stream = client.streams.get(number);
    if (!stream) return;
    switch (op.op) {
      case 'publish':
        return stream.publish(streamOf(op.stream), op.mode);
      case 'play': {
        const { op: _, stream: wanted, ...request } = op;
        return stream.play({ ...request, stream: streamOf(wanted) });
      }
      case 'pause':
        return stream.pause(op.isPaused, op.positionMs);
      case 'seek':
        return stream.seek(op.positionMs);
      case 'receive':
        return stream.receive(op.medium, op.isWanted);
      case 'frames':
        return stream.limitFrames(op.fps);
      case 'buffer':
        return stream.setBuffer(op.bufferMs);
      case 'played':
        return stream.played(op.timestamp);
      case 'makes-key-frames':
        return stream.makesKeyFrames();
      case 'close':
        this.#streams.delete(number);
        this.#heard.delete(number);
        client.streams.delete(number);
        return stream.close();
    }
  }

  #forget(number: number): void {
    const client = this.#clients.get(number);
    if (!client) return;
    this.#clients.delete(number);
    for (const [stream, of] of this.#streams) {
      if (of !== client) continue;
      this.#streams.delete(stream);
      this.#heard.delete(stream);
    }
    // The edge has nobody to ask any more.
    for (const [ask, { client: asked, answer }] of this.#asks) {
      if (asked !== number) continue;
      this.#asks.delete(ask);
      answer(false);
    }
  }
}

const STREAM_OPS: ReadonlySet<string> = new Set([
  'publish',
  'play',
  'pause',
  'seek',
  'receive',
  'frames',
  'buffer',
  'played',
  'makes-key-frames',
  'close',
]);

function streamOf({
  name,
  query,
  container,
}: {
  name: string;
  query: string;
  container: string;
}): StreamName {
  return { name, query, container } as StreamName;
}
