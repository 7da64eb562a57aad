import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { ClientInfo, CommandBody } from '../../runtime/wall/fields.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import type { StreamName } from '../../wire/stream-name.ts';
import type { Timer } from '../base/clock.ts';
import type {
  BandwidthLimits,
  ClientEnd,
  ConnectRequest,
  InvokeId,
  PlayDecision,
  Seat,
  StreamEnd,
  Transport,
} from '../rtmp/ports.ts';
import { NetStream, type StreamOwner } from '../streams/net-stream.ts';
import { CallRate } from './call-rate.ts';

/** What a seat needs of its instance. */
export interface SeatHost {
  post(delivery: Delivery, seat: ClientSeat): void;
  call(
    seat: ClientSeat,
    name: string,
    transaction: number,
    command: CommandBody,
    onMissing?: () => void,
  ): void;
  reply(request: InvokeId, isOk: boolean, command: CommandBody): void;
  sharedObject(seat: ClientSeat, message: RtmpMessage): void;
  leave(seat: ClientSeat): void;
  streamOwner(seat: ClientSeat): StreamOwner;
  streamLength(seat: ClientSeat, stream: StreamName): Promise<number>;
  readonly callQueueBytes: number;
  readonly bandwidth: BandwidthLimits;
}

/** A call to a client that is not accepted yet. */
interface QueuedInvoke {
  method: string;
  request: InvokeId | undefined;
  args: Uint8Array;
}

const MAX_QUEUED_INVOKES = 64;
/** `play` with a start of -1 (the reference's section 18.2). */
const LIVE_ONLY_MS = -1000;

/** One client of an instance: what must survive the script. */
export class ClientSeat implements Seat {
  readonly number: number;
  readonly info: ClientInfo;
  /** The connect command, for this script and the next. */
  readonly command: CommandBody;
  readonly end: ClientEnd;
  readonly connectedAt = Date.now();
  standing: 'pending' | 'accepted' | 'gone' = 'pending';
  /** After a reload, until the new script has said whether it keeps the client: its deliveries wait here. */
  held: Delivery[] | undefined;
  /** Runs out when the script does not decide about the client. */
  patience: Timer | undefined;
  /** Its deliveries since the script's turn of that number. */
  posted = 0;
  turn = 0;
  readonly calling = new CallRate();
  /** It sends too many calls a second: it is not read before then, on the monotonic clock. */
  pausedUntil = Number.NEGATIVE_INFINITY;
  /** What handlers spent on it, in milliseconds of the isolate's clock (docs/operating.md, "Accounts"). */
  busyMs = 0;
  /** Scripts that died while they may have been asked about this client. */
  losses = 0;
  readonly calls = new Set<number>();
  /** Requests to publish or play that wait for those. */
  waits = 0;
  readonly #host: SeatHost;
  #queued: QueuedInvoke[] = [];
  #queuedBytes = 0;

  constructor(number: number, id: string, request: ConnectRequest, end: ClientEnd, host: SeatHost) {
    this.number = number;
    this.command = request.command;
    this.end = end;
    this.#host = host;
    this.info = {
      id,
      ip: request.address,
      agent: request.agent,
      referrer: request.referrer,
      pageUrl: request.pageUrl,
      uri: request.uri,
      protocol: request.protocol,
      secure: request.isSecure,
      canReconnect: request.canReconnect,
      access: { readAccess: '/', writeAccess: '/', audioSampleAccess: '', videoSampleAccess: '' },
      bandwidth: { ...host.bandwidth },
    };
    end.limitBandwidth(this.info.bandwidth);
  }

  get id(): string {
    return this.info.id;
  }

  call(name: string, transaction: number, command: CommandBody): void {
    this.#host.call(this, name, transaction, command);
  }

  callOr(name: string, transaction: number, command: CommandBody, onMissing: () => void): void {
    this.#host.call(this, name, transaction, command, onMissing);
  }

  reply(request: InvokeId, isOk: boolean, command: CommandBody): void {
    this.#host.reply(request, isOk, command);
  }

  openStream(streamId: number, transport: Transport): StreamEnd {
    return new NetStream(streamId, transport, this.#host.streamOwner(this));
  }

  streamLength(stream: StreamName): Promise<number> {
    return this.#host.streamLength(this, stream);
  }

  async decidePlay(stream: StreamName, startMs: number): Promise<PlayDecision> {
    const { streams, authorize, sampleAccess } = this.#host.streamOwner(this);
    const { name, query } = stream;
    const isLive =
      startMs < 0 &&
      (startMs === LIVE_ONLY_MS ||
        streams.find(name)?.publisher !== undefined ||
        (await streams.library.find(stream)) === undefined);
    if (!isLive) return { at: 'recorded', isAllowed: false, description: '', audio: false, video: false };
    const verdict = await authorize('play', { name, query, mode: '' });
    return { at: 'live', ...verdict, ...sampleAccess(name) };
  }

  sharedObject(message: RtmpMessage): void {
    this.#host.sharedObject(this, message);
  }

  leave(): void {
    this.#host.leave(this);
  }

  limitBandwidth(limits: BandwidthLimits): void {
    this.info.bandwidth = limits;
    this.end.limitBandwidth(limits);
  }

  accept(): void {
    this.standing = 'accepted';
    this.end.accept();
    const queued = this.#queued;
    this.#queued = [];
    for (const { method, request, args } of queued) this.end.invoke(method, request, args);
  }

  /** Calls the client; before it is accepted the call waits behind the answer to connect. False when it cannot. */
  invoke(method: string, request: InvokeId | undefined, args: Uint8Array): boolean {
    if (this.standing === 'gone') return false;
    if (this.standing === 'accepted') {
      if (!this.canTakeCalls()) return false;
      this.end.invoke(method, request, args);
      return true;
    }
    const bytes = this.#queuedBytes + args.length;
    if (this.#queued.length >= MAX_QUEUED_INVOKES || bytes > this.#host.callQueueBytes) return false;
    this.#queuedBytes = bytes;
    this.#queued.push({ method, request, args: args.slice() });
    return true;
  }

  /** Whether it reads what it is sent; drops it when it does not. */
  canTakeCalls(): boolean {
    const { callQueueBytes } = this.#host;
    const { queuedBytes } = this.end;
    if (queuedBytes <= callQueueBytes) return true;
    const text = `it does not read: ${Math.round(queuedBytes)} bytes wait for it (limits.callQueueBytes)`;
    this.end.drop('E_SLOW_READER', text);
    return false;
  }
}
