import type { CommandBody } from '../../../runtime/wall/fields.ts';
import { CodecSupport } from '../../../wire/codecs.ts';
import type { RtmpMessage } from '../../../wire/messages.ts';
import { StagewireError } from '../../base/errors.ts';
import { serialize } from '../../rtmp/format.ts';
import type {
  BandwidthLimits,
  ClientEnd,
  InvokeId,
  Refusal,
  Seat,
  StreamEnd,
  Traffic,
  Transport,
} from '../../rtmp/ports.ts';
import { type Downward, EdgeType, edgeFormat, type Upward } from './messages.ts';

/** What of the connection to its edge a client needs. */
export interface EdgeEnd {
  tell(op: Downward, id: number, bytes?: Uint8Array): void;
  send(message: RtmpMessage): void;
  /** The same bytes for many clients, who are told of one after the other. */
  sendToMany(client: number, bytes: Buffer): void;
  /** Asks the edge whether a client is there. */
  askAlive(client: number, withinMs: number): Promise<boolean>;
  /** The client is gone, by what the instance did. */
  gone(client: number): void;
}

export interface RemoteRequest {
  number: number;
  objectEncoding: 0 | 3;
  address: string;
  protocol: string;
  isSecure: boolean;
}

/** A client of an edge, as the instances here know their own. */
export class RemoteClient implements ClientEnd {
  readonly number: number;
  readonly objectEncoding: 0 | 3;
  readonly format = edgeFormat.name;
  readonly traffic: Traffic = {
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    messagesDropped: 0,
    pingMs: 0,
  };
  seat: Seat | undefined;
  /** By the edge's number. */
  readonly streams = new Map<number, StreamEnd>();
  readonly #edge: EdgeEnd;
  readonly #request: RemoteRequest;
  readonly #invokes = new Map<number, InvokeId>();
  #nextInvoke = 1;
  #sentBytes = 0;
  #takenBytes = 0;
  #isGone = false;
  #isLimited = false;

  constructor(edge: EdgeEnd, request: RemoteRequest) {
    this.#edge = edge;
    this.#request = request;
    this.number = request.number;
    this.objectEncoding = request.objectEncoding;
  }

  accept(): void {
    this.#tell({ op: 'accept', id: this.seat?.id ?? '' });
  }

  reject(info: Uint8Array): void {
    this.#tell({ op: 'reject' }, info);
    this.#end();
  }

  result(transaction: number, value: Uint8Array): void {
    this.#tell({ op: 'result', transaction }, value);
  }

  error(transaction: number, info: Uint8Array): void {
    this.#tell({ op: 'error', transaction }, info);
  }

  missing(orElse: number): void {
    this.#tell({ op: 'missing', orElse });
  }

  invoke(method: string, id: InvokeId | undefined, args: Uint8Array): void {
    let request = 0;
    if (id !== undefined) {
      request = this.#nextInvoke;
      this.#nextInvoke = request === 0xffff_ffff ? 1 : request + 1;
      this.#invokes.set(request, id);
    }
    this.#tell({ op: 'invoke', method, request }, args);
  }

  replied({ request, isOk, type }: Extract<Upward, { op: 'reply' }>, body: Uint8Array): void {
    const id = this.#invokes.get(request);
    this.#invokes.delete(request);
    const command: CommandBody = { type, body };
    if (id !== undefined) this.seat?.reply(id, isOk, command);
  }

  serialize(message: RtmpMessage): Buffer {
    return serialize(edgeFormat, message, message.streamId);
  }

  deliver(bytes: Buffer): void {
    if (this.#isGone) return;
    this.#sentBytes += bytes.length;
    this.#edge.sendToMany(this.number, bytes);
  }

  checkBandwidth(): void {
    this.#tell({ op: 'bandwidth-check' });
  }

  ping(): boolean {
    this.#tell({ op: 'ping' });
    return true;
  }

  limitBandwidth({ toClient, toServer }: BandwidthLimits): void {
    if (toClient !== 0 || toServer !== 0 || this.#isLimited) this.#tell({ op: 'limit', toClient, toServer });
    this.#isLimited = toClient !== 0 || toServer !== 0;
  }

  requestReconnect(tcUrl: string): void {
    this.#tell({ op: 'reconnect', tcUrl });
  }

  setReading(isReading: boolean): void {
    this.#tell({ op: 'reading', isReading });
  }

  get queuedBytes(): number {
    return this.#sentBytes - this.#takenBytes;
  }

  drop(code: string, why: string): void {
    this.#tell({ op: 'drop', code, text: why });
    this.#end();
  }

  disconnect(why?: Refusal): void {
    this.#tell({ op: 'disconnect', ...why });
    this.#end();
  }

  /** The edge says how its client does. */
  heard({ op, taken, ...traffic }: Extract<Upward, { op: 'traffic' }>): void {
    Object.assign(this.traffic, traffic);
    this.#takenBytes = Math.min(taken, this.#sentBytes);
  }

  /** Where a stream of the client plays to. */
  transport(codecs: CodecSupport): Transport {
    const client = this;
    const { protocol, isSecure, address } = this.#request;
    return {
      protocol,
      isSecure,
      address,
      format: edgeFormat,
      codecs,
      traffic: this.traffic,
      get queuedBytes() {
        return client.queuedBytes;
      },
      send: (message) => this.#send(this.serialize(message)),
      write: (bytes, _messages, onWritten) => {
        this.#send(bytes);
        onWritten?.();
      },
      ping: () => this.ping(),
      isAlive: (withinMs) => this.#edge.askAlive(this.number, withinMs),
      limitBandwidth: (limits) => this.limitBandwidth(limits),
      setReading: (isReading) => this.setReading(isReading),
      accepted: () => {},
      fail: (error) => this.fail(error),
      close: () => this.disconnect(),
    };
  }

  fail(error: unknown): void {
    if (error instanceof StagewireError) return this.drop(error.code, error.message);
    this.drop('E_BUG', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** The client, or its edge, has gone. */
  leave(): void {
    this.#isGone = true;
    for (const stream of this.streams.values()) stream.close();
    this.streams.clear();
    this.#invokes.clear();
    this.seat?.leave();
    this.seat = undefined;
  }

  /** At once: the bytes may change afterwards. */
  #send(bytes: Buffer): void {
    if (this.#isGone) return;
    this.#sentBytes += bytes.length;
    this.#edge.send({ type: EdgeType.ToClient, streamId: this.number, timestamp: 0, payload: bytes });
  }

  #end(): void {
    if (this.#isGone) return;
    this.leave();
    this.#edge.gone(this.number);
  }

  #tell(op: Downward, bytes?: Uint8Array): void {
    if (!this.#isGone) this.#edge.tell(op, this.number, bytes);
  }
}

export function codecsOf(told: Extract<Upward, { op: 'open' }>['codecs']): CodecSupport {
  return told === 'plain' ? CodecSupport.plain : new CodecSupport(told.names, told.capsEx);
}
