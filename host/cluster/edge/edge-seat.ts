import type { CommandBody } from '../../../runtime/wall/fields.ts';
import { encodeValues } from '../../../wire/commands.ts';
import type { RtmpMessage } from '../../../wire/messages.ts';
import { type StatusCode, status } from '../../../wire/status.ts';
import type { StreamName } from '../../../wire/stream-name.ts';
import type { Limits } from '../../base/limits.ts';
import type {
  ClientEnd,
  ConnectRequest,
  InvokeId,
  PlayDecision,
  Seat,
  StreamEnd,
  Transport,
} from '../../rtmp/ports.ts';
import type { EdgeInstance } from './edge-instance.ts';
import { EdgeStream, MAX_QUERY, REFUSED } from './edge-stream.ts';
import { type Control, type Downward, messagesIn, type Upward } from './messages.ts';
import { SharedObjectUses } from './shared-object-uses.ts';

/** The link, as its clients see it. */
export interface Uplink {
  readonly limits: Limits;
  readonly isUp: boolean;
  readonly queuedBytes: number;
  nextNumber(): number;
  tell(op: Upward, id: number, bytes?: Uint8Array): void;
  send(message: RtmpMessage): void;
  /** An open question, which the link answers or gives up. */
  ask(answered: (answer: Downward | undefined) => void): number;
  left(seat: EdgeSeat): void;
}

interface Invoke {
  readonly request: number;
}

interface OrElse {
  readonly transaction: number;
  readonly run: () => void;
}

/** Calls that wait while the origin is told again of the client. */
const MAX_HELD = 256;
const MAX_HELD_BYTES = 1024 * 1024;
/** Whether a client may play, over links that are lost before they answer. */
const MAX_ASKED = 3;
const LOST = 'The connection to the origin was lost.';
const NO_ORIGIN = 'The origin cannot be reached.';

/** A client of this edge: the origin has it in an instance there, as if it were its own. */
export class EdgeSeat implements Seat {
  readonly number: number;
  readonly instance: EdgeInstance;
  id = '';
  readonly #request: ConnectRequest;
  readonly #client: ClientEnd;
  readonly #link: Uplink;
  /** `waiting`: nobody has decided about the client. `lost`: the link went down after it was accepted. */
  #state: 'waiting' | 'accepted' | 'lost' | 'gone' = 'waiting';
  #isTold = false;
  /** By transaction: what of `#orElse` is of that call, or 0. */
  readonly #calls = new Map<number, number>();
  /** What is to be done when the script has no such method, in the order of the calls. */
  readonly #orElse = new Map<number, OrElse>();
  #nextOrElse = 1;
  #held: { op: Upward; bytes: Uint8Array }[] = [];
  #heldBytes = 0;
  /** Those that play or publish. */
  readonly #streams = new Set<EdgeStream>();
  readonly #objects = new SharedObjectUses();
  /** Who waits until the origin knows the client again. */
  readonly #returns = new Set<(isAttached: boolean) => void>();
  #patience: NodeJS.Timeout | undefined;
  /** Until the origin is told of it once more. */
  #again: NodeJS.Timeout | undefined;
  /** Of what the origin sent: all, and what it was told that the client has taken. */
  #receivedBytes = 0;
  #toldTaken = 0;
  #toldAt = 0;
  #toldTraffic = -1;

  constructor(
    number: number,
    request: ConnectRequest,
    client: ClientEnd,
    instance: EdgeInstance,
    link: Uplink,
  ) {
    this.number = number;
    this.instance = instance;
    // The command is a view of what was read.
    this.#request = { ...request, command: { ...request.command, body: request.command.body.slice() } };
    this.#client = client;
    this.#link = link;
    instance.users++;
    if (link.isUp) this.attach();
    else this.#waitForLink();
  }

  // What the link does.

  /** The link is there: the origin hears of the client. */
  attach(): void {
    const {
      app,
      instance,
      query,
      uri,
      agent,
      referrer,
      pageUrl,
      address,
      protocol,
      isSecure,
      canReconnect,
      command,
    } = this.#request;
    clearTimeout(this.#again);
    // From now on the origin decides how long the client may wait.
    clearTimeout(this.#patience);
    this.#isTold = true;
    this.#receivedBytes = this.#toldTaken = 0;
    this.#link.tell(
      {
        op: 'connect',
        app,
        instance,
        query: query.slice(0, MAX_QUERY),
        uri: uri.slice(0, MAX_TEXT),
        agent: agent.slice(0, MAX_TEXT),
        referrer: referrer.slice(0, MAX_TEXT),
        pageUrl: pageUrl.slice(0, MAX_TEXT),
        address,
        protocol,
        isSecure,
        canReconnect,
        objectEncoding: this.#request.objectEncoding,
        type: command.type,
      },
      this.number,
      command.body,
    );
  }

  /** The link is gone: what was asked has no answer any more. */
  detach(): void {
    clearTimeout(this.#again);
    if (this.#state === 'waiting' && this.#isTold) this.#waitForLink();
    this.#isTold = false;
    if (this.#state === 'accepted') this.#state = 'lost';
    this.#failCalls(LOST);
    for (const stream of [...this.#streams]) stream.lost();
  }

  obey({ op, bytes }: Control<Downward>): void {
    const client = this.#client;
    switch (op.op) {
      case 'accept':
        return this.#accepted(op.id);
      case 'reject':
        if (this.#state === 'waiting') client.reject(bytes);
        else client.disconnect({ code: 'NetConnection.Connect.Rejected', description: REJECTED_AGAIN });
        return this.leave();
      case 'refuse':
        if (op.isPassing && this.#state === 'lost') return this.#attachLater();
        return this.#refuse(op.code as StatusCode, op.description);
      case 'result':
        this.#answered(op.transaction);
        return client.result(op.transaction, bytes);
      case 'error':
        this.#answered(op.transaction);
        return client.error(op.transaction, bytes);
      case 'missing': {
        const orElse = this.#orElse.get(op.orElse);
        this.#orElse.delete(op.orElse);
        if (orElse) this.#calls.delete(orElse.transaction);
        return orElse?.run();
      }
      case 'invoke': {
        const invoke: Invoke = { request: op.request };
        return client.invoke(op.method, op.request === 0 ? undefined : invoke, bytes);
      }
      case 'bandwidth-check':
        return client.checkBandwidth();
      case 'ping':
        return void client.ping();
      case 'limit':
        return client.limitBandwidth(op);
      case 'reconnect':
        return client.requestReconnect(op.tcUrl);
      case 'heard':
        for (const stream of this.#streams) stream.heard(op.stream);
        return;
      case 'reading':
        return client.setReading(op.isReading);
      case 'drop':
        client.drop(op.code, op.text);
        return this.leave();
      case 'disconnect':
        client.disconnect(
          op.code === undefined
            ? undefined
            : { code: op.code as StatusCode, description: op.description ?? '' },
        );
        return this.leave();
      case 'is-alive':
        return this.#isAlive(op);
    }
  }

  /** Messages of the origin's for the client. `made`: what they are in each format, for those who get the same. */
  receive(bytes: Uint8Array, made: Map<string, Buffer[]>): void {
    const client = this.#client;
    this.#receivedBytes += bytes.length;
    let messages = made.get(client.format);
    if (!messages) {
      messages = Array.from(messagesIn(bytes), (message) => client.serialize(message));
      made.set(client.format, messages);
    }
    for (const message of messages) client.deliver(message, 1);
  }

  /** Tells the origin how the client does, when there is news. */
  report(now: number): void {
    if (this.#state !== 'accepted') return;
    const { traffic, queuedBytes } = this.#client;
    const taken = Math.max(this.#toldTaken, this.#receivedBytes - queuedBytes);
    const isDue =
      now - this.#toldAt >= REPORT_MS && traffic.messagesIn + traffic.messagesOut !== this.#toldTraffic;
    if (taken === this.#toldTaken && !isDue) return;
    this.#toldTaken = taken;
    this.#toldAt = now;
    this.#toldTraffic = traffic.messagesIn + traffic.messagesOut;
    this.#link.tell({ op: 'traffic', ...traffic, taken }, this.number);
  }

  // What the client does.

  call(name: string, transaction: number, command: CommandBody): void {
    this.#call({ op: 'call', name, transaction, type: command.type, orElse: 0 }, command.body);
  }

  callOr(name: string, transaction: number, command: CommandBody, onMissing: () => void): void {
    if (this.#state !== 'accepted' && !this.#isTold) return onMissing();
    if (this.#orElse.size >= this.#link.limits.unansweredCalls) this.#forgetOldest();
    const orElse = this.#nextOrElse;
    this.#nextOrElse = orElse === 0xffff_ffff ? 1 : orElse + 1;
    this.#orElse.set(orElse, { transaction, run: onMissing });
    this.#call({ op: 'call', name, transaction, type: command.type, orElse }, command.body);
  }

  reply(request: InvokeId, isOk: boolean, command: CommandBody): void {
    const op: Upward = { op: 'reply', request: (request as Invoke).request, isOk, type: command.type };
    // A new connection of the link knows nothing of calls of the old one.
    if (this.#state === 'accepted') this.#link.tell(op, this.number, command.body);
  }

  openStream(streamId: number, transport: Transport): StreamEnd {
    const seat = this;
    const link = this.#link;
    return new EdgeStream(streamId, transport, {
      get clientId() {
        return seat.id;
      },
      instance: this.instance,
      get isAttached() {
        return seat.#state === 'accepted';
      },
      attached: () => this.#attached(),
      get queuedBytes() {
        return link.queuedBytes;
      },
      gopBytes: link.limits.gopBytes,
      setActive: (stream, isActive) => {
        if (isActive) this.#streams.add(stream);
        else this.#streams.delete(stream);
      },
      decide: (named, startMs) => this.#decide(named, startMs),
      nextNumber: () => link.nextNumber(),
      tell: (op, number) => {
        if (this.#state !== 'accepted') return;
        link.tell(op.op === 'open' ? { ...op, client: this.number } : op, number);
      },
      send: (message) => link.send(message),
      owner: (decision) => ({
        clientId: seat.id,
        limits: link.limits,
        streams: this.instance.streams,
        sampleAccess: () => decision(),
        authorize: () => Promise.resolve(decision()),
        published: () => {},
        unpublished: () => {},
        tooSlow: () => this.#client.disconnect(),
      }),
    });
  }

  async streamLength(stream: StreamName): Promise<number> {
    if (stream.query.length > MAX_QUERY || !(await this.#attached())) return 0;
    return new Promise((resolve) => {
      const ask = this.#link.ask((answer) => resolve(answer?.op === 'length-is' ? answer.seconds : 0));
      this.#link.tell({ op: 'length', ask, stream }, this.number);
    });
  }

  decidePlay(stream: StreamName, startMs: number): Promise<PlayDecision> {
    return this.#decide(stream, startMs);
  }

  sharedObject(message: RtmpMessage): void {
    this.#objects.note(message);
    const { type, streamId, timestamp, payload } = message;
    this.#sendOrHold({ op: 'shared', type, streamId, timestamp }, payload);
  }

  leave(): void {
    if (this.#state === 'gone') return;
    const isTold = this.#isTold;
    this.#state = 'gone';
    clearTimeout(this.#patience);
    clearTimeout(this.#again);
    this.#tellReturns(false);
    for (const stream of [...this.#streams]) stream.close();
    this.#calls.clear();
    this.#orElse.clear();
    this.#held = [];
    if (isTold && this.#link.isUp) this.#link.tell({ op: 'leave' }, this.number);
    this.instance.users--;
    this.#link.left(this);
  }

  #accepted(id: string): void {
    const isFirst = this.#state === 'waiting';
    this.id = id;
    if (this.#state === 'gone') return;
    this.#state = 'accepted';
    if (isFirst) return this.#client.accept();
    for (const use of this.#objects.uses()) this.sharedObject(use);
    for (const stream of this.#streams) stream.resume();
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { op, bytes } of held) this.#link.tell(op, this.number, bytes);
    this.#tellReturns(true);
  }

  /** Whether the origin knows the client, now or within the time that a new link may take. */
  #attached(): Promise<boolean> {
    const isExpected = this.#state === 'lost' && this.#returns.size < MAX_HELD;
    if (!isExpected) return Promise.resolve(this.#state === 'accepted');
    return new Promise((resolve) => {
      const done = (isAttached: boolean) => {
        clearTimeout(timer);
        this.#returns.delete(done);
        resolve(isAttached);
      };
      const timer = setTimeout(() => done(false), this.#link.limits.outgoingConnectMs);
      this.#returns.add(done);
    });
  }

  #tellReturns(isAttached: boolean): void {
    for (const done of [...this.#returns]) done(isAttached);
  }

  #waitForLink(): void {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(
      // As an application that is being restarted: clients come back by themselves.
      () => this.#refuse('NetConnection.Connect.AppShutdown', NO_ORIGIN),
      this.#link.limits.outgoingConnectMs,
    );
  }

  /** Many come at once when the link is back, and the instance takes no more for the moment. */
  #attachLater(): void {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.attach(), AGAIN_MS * (0.5 + Math.random()));
  }

  #refuse(code: StatusCode, description: string): void {
    this.#client.disconnect({ code, description });
    this.leave();
  }

  #call(named: Extract<Upward, { op: 'call' }>, bytes: Uint8Array): void {
    // JSON has no others, and nobody can tell an answer to one of those from another.
    const transaction = Number.isFinite(named.transaction) ? named.transaction : 0;
    const op = { ...named, transaction };
    if (transaction !== 0) this.#calls.set(transaction, op.orElse);
    if (!this.#sendOrHold(op, bytes)) this.#fail(transaction, NO_ORIGIN);
  }

  /** False when it cannot be sent. */
  #sendOrHold(op: Upward, bytes: Uint8Array): boolean {
    if (this.#state === 'accepted') {
      this.#link.tell(op, this.number, bytes);
      return true;
    }
    // The origin is being told of the client again.
    if (this.#state !== 'lost' || !this.#isTold) return false;
    if (this.#held.length >= MAX_HELD || this.#heldBytes + bytes.length > MAX_HELD_BYTES) return false;
    this.#heldBytes += bytes.length;
    this.#held.push({ op, bytes: bytes.slice() });
    return true;
  }

  /** The method is there. */
  #answered(transaction: number): void {
    const orElse = this.#calls.get(transaction);
    this.#calls.delete(transaction);
    if (orElse) this.#orElse.delete(orElse);
  }

  /** Of a call that wants no answer nobody hears that the method is there. */
  #forgetOldest(): void {
    const [oldest] = this.#orElse.keys();
    if (oldest !== undefined) this.#orElse.delete(oldest);
  }

  #failCalls(why: string): void {
    const calls = [...this.#calls.keys()];
    this.#held = [];
    this.#heldBytes = 0;
    this.#orElse.clear();
    for (const transaction of calls) this.#fail(transaction, why);
  }

  #fail(transaction: number, why: string): void {
    if (!this.#calls.delete(transaction)) return;
    this.#client.error(transaction, encodeValues(status('NetConnection.Call.Failed', why)));
  }

  /** Asked again when the link was lost meanwhile. */
  async #decide(stream: StreamName, startMs: number): Promise<PlayDecision> {
    for (let asked = 0; asked < MAX_ASKED && (await this.#attached()); asked++) {
      const decision = await this.#ask(stream, startMs);
      if (decision) return decision;
    }
    return REFUSED;
  }

  /** Undefined without an answer. */
  #ask(stream: StreamName, startMs: number): Promise<PlayDecision | undefined> {
    return new Promise((resolve) => {
      const ask = this.#link.ask((answer) => {
        if (answer?.op !== 'decided') return resolve(undefined);
        const { op: _, ask: __, ...decision } = answer;
        resolve(decision);
      });
      this.#link.tell({ op: 'decide', ask, stream, startMs }, this.number);
    });
  }

  #isAlive({ ask, withinMs }: Extract<Downward, { op: 'is-alive' }>): void {
    const [stream] = this.#streams;
    const answer = (isAlive: boolean) => this.#link.tell({ op: 'alive', ask, isAlive }, this.number);
    if (stream) void stream.isAlive(withinMs).then(answer);
    else answer(true);
  }
}

const MAX_TEXT = 32 * 1024;
/** Between two attempts to have the origin take a client that it has no room for. */
const AGAIN_MS = 300;
const REPORT_MS = 1000;
const REJECTED_AGAIN = 'The connection to the origin was lost, and it did not take the client again.';
