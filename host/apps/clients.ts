import { randomBytes } from 'node:crypto';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import {
  type CommandBody,
  LEAST_BANDWIDTH,
  MAX_ACCESS,
  MAX_TC_URL,
  type StreamRequest,
} from '../../runtime/wall/fields.ts';
import { commandMessage, encodeCommandAround, encodeValues } from '../../wire/commands.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import { status } from '../../wire/status.ts';
import type { StreamName } from '../../wire/stream-name.ts';
import type { Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type {
  BandwidthLimits,
  BroadcastCall,
  ClientEnd,
  ConnectRequest,
  InvokeId,
  Refusal,
} from '../rtmp/ports.ts';
import { END_SENTENCES, type EndReason } from '../scripts/ends.ts';
import type { StreamDirectory } from '../streams/directory.ts';
import type { StreamOwner, Verdict } from '../streams/net-stream.ts';
import { titleOf } from '../streams/stream-files.ts';
import { covers, isCovered } from './access.ts';
import type { Answerer } from './answers.ts';
import { BackPressure } from './back-pressure.ts';
import { Backlog } from './backlog.ts';
import { Census } from './census.ts';
import { tellUndecided } from './hints.ts';
import type { ClientCommand, Incarnation, InstanceHost } from './incarnation.ts';
import { OpenCalls } from './open-calls.ts';
import { OpenVerdicts } from './open-verdicts.ts';
import { ClientSeat, type SeatHost } from './seat.ts';
import type { Sharing } from './sharing.ts';

/** What the clients of an instance need it for. */
export interface ClientsEvents {
  /** The last one has left. */
  onEmpty(): void;
  log(): Log;
}

/** An answer of a client that a script of ours waits for, and which script. */
interface Invocation {
  incarnation: Incarnation;
  request: number;
}

const MAX_HELD = 256;
/** Of requests to publish or play that wait until what a client called before is answered, each for all of that. */
const MAX_WAITS = 16;
/** Of a method that was called, for the error that it does not exist. */
const MAX_NAME = 200;

/**
 * The clients of one instance and all that is under way with them: what survives the script. They go on with whichever
 * script runs, wait while there is none, and do without where the application has none.
 */
export class Clients implements SeatHost {
  /** Somebody was accepted at least once. */
  wasUsed = false;
  readonly #host: InstanceHost;
  readonly #streams: StreamDirectory;
  readonly #events: ClientsEvents;
  readonly #seats = new Map<number, ClientSeat>();
  readonly #sharing: Sharing;
  readonly #calls = new OpenCalls();
  readonly #verdicts: OpenVerdicts;
  readonly #pressure: BackPressure;
  readonly #census = new Census();
  /** Blocking requests of the script about its clients (runtime/wall/asks.ts). */
  readonly answerers: Readonly<Record<string, Answerer>> = {
    'client.stats': (number) => this.#census.ofClient(Number(number), this.#seats.get(Number(number))) ?? {},
    'client.ping': (number) => this.#seats.get(Number(number))?.end.ping() ?? false,
    'application.stats': () => this.#census.ofAll(this.#seats.values()),
  };
  /** What came while there was no script. */
  readonly #waiting: Delivery[] = [];
  readonly #backlog: Backlog;
  /** Of the turn whose commands are being read: views, to be sent before it is over. */
  #broadcasts: BroadcastCall[] = [];
  #script: Incarnation | undefined;
  /** Runs out when a new script has not decided about those who were handed to it. */
  #patience: Timer | undefined;
  #isOpenToAll = false;
  #isClosed = false;
  #nextNumber = 1;
  #pending = 0;

  constructor(host: InstanceHost, streams: StreamDirectory, sharing: Sharing, events: ClientsEvents) {
    this.#host = host;
    this.#streams = streams;
    this.#sharing = sharing;
    this.#events = events;
    this.#verdicts = new OpenVerdicts(host.clock, () => host.settings.limits.authorizeMs);
    this.#backlog = new Backlog(() => {
      const { mailboxRecords: records, mailboxBytes: bytes } = host.settings.limits;
      return { records, bytes };
    });
    this.#pressure = new BackPressure(host, () =>
      this.#script ? this.#script.script.mailbox.hasRoom : this.#isOpenToAll,
    );
  }

  get count(): number {
    return this.#seats.size;
  }

  has(number: number): boolean {
    return this.#seats.has(number);
  }

  get bandwidth(): BandwidthLimits {
    const { bytesPerSecondToClient, bytesPerSecondToServer } = this.#host.settings.limits;
    return { toClient: bytesPerSecondToClient, toServer: bytesPerSecondToServer };
  }

  get callQueueBytes(): number {
    return this.#host.settings.limits.callQueueBytes;
  }

  /** Clients that the script has not decided about. */
  get pendingCount(): number {
    return this.#pending;
  }

  [Symbol.iterator](): Iterator<ClientSeat> {
    return this.#seats.values();
  }

  /** A turn of the script has ended. */
  turned(): void {
    this.#flushBroadcasts();
    this.#pressure.turned();
  }

  /** A handler used so much time on behalf of that client. */
  charge(client: number, ms: number): void {
    const seat = this.#seats.get(client);
    if (seat) seat.busyMs += ms;
  }

  connect(request: ConnectRequest, end: ClientEnd): ClientSeat {
    const seat = new ClientSeat(this.#nextNumber++, randomBytes(9).toString('base64url'), request, end, this);
    this.#seats.set(seat.number, seat);
    this.#census.came();
    this.#pending++;
    this.post({ kind: 'connect', client: seat.number, info: seat.info, command: seat.command }, seat);
    const { pendingConnectMs } = this.#host.settings.limits;
    seat.patience = this.#host.clock.setTimer(() => {
      if (seat.standing !== 'pending') return;
      this.#reject(seat, 'Connection timed out');
      // Unless it has not come to that yet.
      if (this.#script && this.#script.script.mailbox.ageMs < pendingConnectMs)
        tellUndecided(this.#script.build, this.#script.log, pendingConnectMs);
    }, pendingConnectMs);
    return seat;
  }

  /** Tells everybody why and lets them go. */
  disconnectAll(why: Refusal): void {
    for (const seat of [...this.#seats.values()]) {
      seat.end.disconnect(why);
      this.leave(seat);
    }
  }

  /** Nothing is posted any more, and nobody waits for a verdict. */
  close(why: Refusal): void {
    this.#isClosed = true;
    this.#host.clock.clearTimer(this.#patience);
    this.#verdicts.refuseAll(why.description);
    this.disconnectAll(why);
    this.#script = undefined;
  }

  // What seats ask for.

  post(delivery: Delivery, seat: ClientSeat): void {
    if (this.#isClosed) return;
    if (seat.held && delivery.kind !== 'disconnect') {
      this.#backlog.add(seat.held, delivery);
      if (seat.held.length >= MAX_HELD || this.#backlog.isFull) this.#pressure.pause(seat);
    } else if (this.#isOpenToAll) {
      // Not at once: the session that asked has not yet noted that it did.
      queueMicrotask(() => this.#withoutScript(delivery));
    } else if (this.#script) {
      const { script } = this.#script;
      script.post(delivery);
      if (this.#pressure.isOverShare(seat) || script.mailbox.isFull) this.#pressure.pause(seat);
    } else {
      this.#backlog.add(this.#waiting, delivery);
      if (this.#backlog.isFull) this.#pressure.pause(seat);
    }
  }

  call(
    seat: ClientSeat,
    name: string,
    transaction: number,
    { type, body }: CommandBody,
    onMissing?: () => void,
  ): void {
    this.#pressure.countCall(seat);
    const { unansweredCalls } = this.#host.settings.limits;
    if (seat.calls.size >= unansweredCalls) {
      const text = `${seat.calls.size} calls of this client wait for their answers, and that is the limit.`;
      if (transaction !== 0)
        seat.end.error(transaction, encodeValues(status('NetConnection.Call.Failed', text)));
      return;
    }
    const call = this.#calls.open(seat, name.slice(0, MAX_NAME), transaction, onMissing);
    const { allowCalls } = this.#host.settings;
    const dotted = name.replaceAll('/', '.');
    if (allowCalls && !allowCalls.some((allowed) => dotted.startsWith(allowed.replaceAll('/', '.'))))
      return this.#calls.missing(call);
    // What waits outside a mailbox must not keep the whole buffer alive that it was read into.
    const command = this.#script && !seat.held ? { type, body } : { type, body: body.slice() };
    this.post({ kind: 'call', client: seat.number, call, command }, seat);
  }

  reply(invocation: InvokeId, isOk: boolean, command: CommandBody): void {
    const { incarnation, request } = invocation as Invocation;
    if (incarnation === this.#script) incarnation.script.post({ kind: 'reply', request, isOk, command });
  }

  leave(seat: ClientSeat): void {
    if (seat.standing === 'gone') return;
    const held = this.#takeHeld(seat);
    if (seat.standing === 'pending') this.#pending--;
    this.#census.left(seat, seat.standing === 'accepted');
    seat.standing = 'gone';
    this.#host.clock.clearTimer(seat.patience);
    this.#seats.delete(seat.number);
    this.#pressure.forget(seat);
    this.#calls.forget(seat);
    this.#sharing.leave(seat);
    // What it published or ended while a new script was deciding about it is true all the same.
    const streams = held.filter(({ kind }) => kind === 'publish' || kind === 'unpublish');
    for (const delivery of streams) this.post(delivery, seat);
    this.post({ kind: 'disconnect', client: seat.number }, seat);
    if (this.#seats.size === 0) this.#events.onEmpty();
  }

  sharedObject(seat: ClientSeat, message: RtmpMessage): void {
    this.#pressure.countCall(seat);
    const isCrowded = this.#sharing.receive(seat, message);
    // It is read again after a turn, and one is sure to come.
    if (this.#script && (isCrowded || this.#script.script.mailbox.isFull)) this.#pressure.pause(seat);
  }

  /**
   * Seconds of a recorded stream that the client has read access to. `authorizePlay` is not asked: FFmpeg wants the length
   * before it plays, and would spend a key that is good for one play.
   */
  async streamLength(seat: ClientSeat, stream: StreamName): Promise<number> {
    const isAllowed = isCovered(seat.info.access.readAccess, stream.name, this.#host.settings);
    return isAllowed ? this.#streams.library.lengthOf(stream) : 0;
  }

  streamOwner(seat: ClientSeat): StreamOwner {
    return {
      clientId: seat.id,
      limits: this.#host.settings.limits,
      streams: this.#streams,
      sampleAccess: (name) => {
        const { audioSampleAccess, videoSampleAccess } = seat.info.access;
        return { audio: covers(audioSampleAccess, name), video: covers(videoSampleAccess, name) };
      },
      authorize: (action, stream) => this.#authorize(seat, action, stream),
      published: (stream) => this.post({ kind: 'publish', client: seat.number, stream }, seat),
      unpublished: (stream) => this.post({ kind: 'unpublish', client: seat.number, stream }, seat),
      tooSlow: () => seat.end.disconnect(),
    };
  }

  /** The client's access strings come first, then the script (the reference's section 6.3). */
  async #authorize(seat: ClientSeat, action: 'publish' | 'play', stream: StreamRequest): Promise<Verdict> {
    const isPlay = action === 'play';
    const hasAccess = () => {
      const { readAccess, writeAccess } = seat.info.access;
      return isCovered(isPlay ? readAccess : writeAccess, stream.name, this.#host.settings);
    };
    // What it called before may give it access (FCPublish, with the key), and the script may not have come to that yet.
    if (!hasAccess() && seat.waits < MAX_WAITS) {
      seat.waits++;
      await this.#answered(seat);
      seat.waits--;
    }
    if (!this.#seats.has(seat.number) || !hasAccess())
      return { isAllowed: false, description: `No ${isPlay ? 'read' : 'write'} access to ${stream.name}.` };
    // A script that refuses a recording refuses it under all its names.
    const named = { ...stream, name: titleOf(stream.name) };
    return this.#verdicts.ask(seat, action, named, (delivery) => this.post(delivery, seat));
  }

  /** Resolves when the calls of that client have been answered, or have taken as long as a verdict may. */
  #answered(seat: ClientSeat): Promise<void> {
    const { clock, settings } = this.#host;
    return new Promise((resolve) => {
      const timer = clock.setTimer(resolve, settings.limits.authorizeMs);
      void this.#calls.answered(seat).then(() => {
        clock.clearTimer(timer);
        resolve();
      });
    });
  }

  // From one script to the next.

  /** The first script: nobody was handed to one before. */
  begin(first: Incarnation): void {
    this.#script = first;
    for (const delivery of this.#backlog.takeAll(this.#waiting)) first.script.post(delivery);
    first.script.release();
  }

  /**
   * The script died. What it had not come to waits for the next; what killed it does not. `lost` may have killed it:
   * a client whose connect is among it twice is not given to a third.
   */
  bereave(reason: EndReason, unhandled: Delivery[], culprit: Delivery | undefined, lost: Delivery[]): void {
    this.#flushBroadcasts();
    this.#script = undefined;
    if (culprit) this.#giveUpOn(culprit);
    for (const delivery of lost) {
      const seat = 'client' in delivery ? this.#seats.get(delivery.client) : undefined;
      if (delivery.kind === 'authorize') this.#giveUpOn(delivery);
      else if (seat && (delivery.kind === 'connect' || delivery.kind === 'reattach') && ++seat.losses > 1)
        this.#giveUpOn(delivery);
    }
    for (const delivery of unhandled) this.#backlog.add(this.#waiting, delivery);
    const waiting = new Set(this.#waiting.map(keyOf));
    for (const { held } of this.#seats.values())
      for (const delivery of held ?? []) waiting.add(keyOf(delivery));
    this.#failUnanswered(waiting, reason);
  }

  /** Everything goes on with another script. `unhandled` is what the one before it had not come to. */
  handOver(next: Incarnation, reason: EndReason, unhandled: Delivery[]): void {
    const leftovers = [...unhandled, ...this.#backlog.takeAll(this.#waiting)];
    const waiting = new Set(leftovers.map(keyOf));
    this.#script = next;
    this.#isOpenToAll = false;
    for (const { standing, number: client, info, command, held } of this.#seats.values()) {
      for (const delivery of held ?? []) waiting.add(keyOf(delivery));
      if (standing === 'accepted') next.script.post({ kind: 'reattach', client, info, command, reason });
      else if (!waiting.has(`connect ${client}`))
        next.script.post({ kind: 'connect', client, info, command });
    }
    for (const seat of this.#seats.values()) if (seat.standing === 'accepted') seat.held ??= [];
    this.#failUnanswered(waiting, reason);
    for (const [request, delivery] of this.#verdicts) {
      if (!waiting.has(`authorize ${request}`)) leftovers.push(delivery);
    }
    for (const delivery of leftovers) {
      const seat = 'client' in delivery ? this.#seats.get(delivery.client) : undefined;
      if (seat && !OLD_SCRIPT_ONLY.has(delivery.kind)) this.post(delivery, seat);
    }
    this.#expectVerdicts(next);
    next.script.release();
  }

  /** About those who were handed to it. */
  #expectVerdicts(next: Incarnation): void {
    this.#host.clock.clearTimer(this.#patience);
    this.#patience = this.#host.clock.setTimer(() => {
      if (this.#script !== next) return;
      for (const seat of this.#seats.values()) if (seat.held) this.#dismiss(seat, 'gave no verdict in time');
    }, this.#host.settings.limits.pendingConnectMs);
  }

  /**
   * Everything goes on with a script that has taken over what the one before it knew. `unhandled` is what that one had
   * not come to, and goes on where it was: also what those did who have left meanwhile.
   */
  carryOver(next: Incarnation, why: EndReason, greets: boolean, unhandled: Delivery[]): void {
    const waiting = new Set(unhandled.map(keyOf));
    this.#script = next;
    for (const seat of this.#seats.values()) {
      const { standing, number: client, info, command } = seat;
      for (const delivery of seat.held ?? []) waiting.add(keyOf(delivery));
      if (waiting.has(`connect ${client}`)) continue;
      if (standing === 'pending') next.script.post({ kind: 'connect', client, info, command });
      else if (greets) {
        seat.held ??= [];
        next.script.post({ kind: 'reattach', client, info, command, reason: why });
      }
    }
    this.#failUnanswered(waiting, why);
    if (!greets) {
      // An older script has not come to decide about them.
      for (const seat of this.#seats.values())
        for (const delivery of this.#takeHeld(seat)) next.script.post(delivery);
    }
    for (const [request, delivery] of this.#verdicts) {
      if (!waiting.has(`authorize ${request}`)) unhandled.push(delivery);
    }
    for (const delivery of unhandled) {
      if (OF_THE_OLD_SCRIPT.has(delivery.kind)) continue;
      const seat = 'client' in delivery ? this.#seats.get(delivery.client) : undefined;
      if (seat) this.post(delivery, seat);
      else next.script.post(delivery);
    }
    this.#expectVerdicts(next);
    next.script.release();
  }

  /** What the old script had taken and not answered died with it. */
  #failUnanswered(waiting: ReadonlySet<string>, reason: EndReason): void {
    for (const [call] of this.#calls) {
      if (waiting.has(`call ${call}`)) continue;
      this.#calls.failWith(
        call,
        `The script ended before it answered (${reason}: ${END_SENTENCES[reason]}).`,
      );
    }
  }

  /** An app without a script accepts everybody and has no methods. */
  openToAll(unhandled: Delivery[]): void {
    this.#script = undefined;
    this.#isOpenToAll = true;
    const leftovers = [...unhandled, ...this.#backlog.takeAll(this.#waiting)];
    for (const seat of this.#seats.values()) if (seat.standing === 'pending') this.#accept(seat);
    for (const delivery of leftovers) this.#withoutScript(delivery);
    for (const [call] of this.#calls) this.#calls.missing(call);
    this.#pressure.resume();
  }

  #withoutScript(delivery: Delivery): void {
    if (delivery.kind === 'connect') this.#accept(this.#seats.get(delivery.client));
    if (delivery.kind === 'call') this.#calls.missing(delivery.call);
    if (delivery.kind === 'authorize') {
      this.#verdicts.settle(delivery.request, { isAllowed: true, description: '' });
    }
  }

  /** What killed one script is not given to the next: its client hears that it failed. */
  #giveUpOn(culprit: Delivery): void {
    if (culprit.kind === 'authorize') {
      this.#verdicts.settle(culprit.request, { isAllowed: false, description: 'script error' });
    }
    if (culprit.kind !== 'connect' && culprit.kind !== 'reattach') return;
    const seat = this.#seats.get(culprit.client);
    if (seat?.standing === 'pending') this.#reject(seat, 'Script error');
    else if (seat && culprit.kind === 'reattach') this.#dismiss(seat, 'was stopped in its handler');
  }

  // What the script says.

  obey(incarnation: Incarnation, command: ClientCommand): void {
    if (incarnation !== this.#script || this.#isClosed) return;
    if (command.kind === 'broadcast') {
      if (this.#broadcasts.push(command) >= MAX_BROADCASTS) this.#flushBroadcasts();
      return;
    }
    this.#flushBroadcasts();
    switch (command.kind) {
      case 'result':
        return this.#calls.succeed(command.call, command.value);
      case 'error':
        return this.#calls.fail(command.call, command.info);
      case 'missing':
        return this.#calls.missing(command.call);
      case 'accept':
        return this.#accept(this.#seats.get(command.client));
      case 'reject': {
        const seat = this.#seats.get(command.client);
        if (seat?.standing === 'pending') seat.end.reject(command.info);
        return;
      }
      case 'attached': {
        const seat = this.#seats.get(command.client);
        if (!seat?.held) return;
        if (!command.isKept) return this.#dismiss(seat, 'did not keep it');
        for (const delivery of this.#takeHeld(seat)) this.post(delivery, seat);
        return;
      }
      case 'disconnect':
        this.#seats.get(command.client)?.end.disconnect();
        return;
      case 'invoke': {
        const { method, request, args } = command;
        const invocation: Invocation | undefined = request === 0 ? undefined : { incarnation, request };
        const wasSent = this.#seats.get(command.client)?.invoke(method, invocation, args);
        if (!wasSent && invocation) {
          incarnation.script.post({ kind: 'unanswered', request, description: 'Client disconnected' });
        }
        return;
      }
      case 'check-bandwidth': {
        const seat = this.#seats.get(command.client);
        if (seat?.standing === 'accepted') seat.end.checkBandwidth();
        return;
      }
      case 'reconnect': {
        const seat = this.#seats.get(command.client);
        if (seat?.standing === 'accepted' && seat.info.canReconnect && seat.canTakeCalls())
          seat.end.requestReconnect(command.tcUrl.slice(0, MAX_TC_URL));
        return;
      }
      case 'access': {
        const seat = this.#seats.get(command.client);
        // The isolate has refused longer ones already, unless somebody has taken it over.
        if (seat && command.paths.length <= MAX_ACCESS) seat.info.access[command.name] = command.paths;
        return;
      }
      case 'bandwidth': {
        const [toClient, toServer] = [command.toClient, command.toServer].map(bandwidthOf) as [
          number,
          number,
        ];
        this.#seats.get(command.client)?.limitBandwidth({ toClient, toServer });
        return;
      }
      case 'verdict': {
        const { request, isAllowed, description } = command;
        this.#verdicts.settle(request, { isAllowed, description });
        return;
      }
    }
  }

  /** Broadcasts in a row reach each client as one write, of bytes that all clients of a format share. */
  #flushBroadcasts(): void {
    if (this.#broadcasts.length === 0) return;
    const calls = this.#broadcasts;
    this.#broadcasts = [];
    const shared = new Map<string, Buffer>();
    for (const seat of this.#seats.values()) {
      if (seat.standing !== 'accepted' || !seat.canTakeCalls()) continue;
      const { end } = seat;
      const bytes = shared.get(end.format) ?? Buffer.concat(calls.map((call) => serialize(end, call)));
      shared.set(end.format, bytes);
      end.deliver(bytes, calls.length);
    }
  }

  #accept(seat: ClientSeat | undefined): void {
    if (seat?.standing !== 'pending') return;
    this.#host.clock.clearTimer(seat.patience);
    this.#pending--;
    this.wasUsed = true;
    this.#census.accepted();
    seat.accept();
  }

  #reject(seat: ClientSeat, description: string): void {
    seat.end.reject(encodeValues(status('NetConnection.Connect.Rejected', description)));
  }

  /** What waited for the verdict about this client; it waits no longer. */
  #takeHeld(seat: ClientSeat): Delivery[] {
    const { held = [] } = seat;
    seat.held = undefined;
    return this.#backlog.takeAll(held);
  }

  /** A client that the new script does not want. */
  #dismiss(seat: ClientSeat, why: string): void {
    this.#takeHeld(seat);
    this.#events.log().info(`client ${seat.id} is disconnected: the new script ${why}`);
    seat.end.disconnect({
      code: 'NetConnection.Connect.Rejected',
      description: 'The application was replaced and did not keep this client.',
    });
  }
}

function serialize(end: ClientEnd, { method, args }: BroadcastCall): Buffer {
  return end.serialize(commandMessage(encodeCommandAround(method, 0, args)));
}

/** What comes out of an isolate may be any number. */
function bandwidthOf(value: number): number {
  return value > 0 && value < Number.MAX_SAFE_INTEGER ? Math.max(LEAST_BANDWIDTH, Math.round(value)) : 0;
}

/** In one write: the host makes it without a pause. */
const MAX_BROADCASTS = 1000;

/** Deliveries that mean nothing to another script than the one they were for, whatever that one knew. */
const OF_THE_OLD_SCRIPT: ReadonlySet<string> = new Set([
  'reply',
  'unanswered',
  'fetched',
  'unfetched',
  'status',
  'low-memory',
  'shared-state',
  'shared-saved',
  'shared-unlock',
  'shared-guard',
  'wake',
  'start',
  'stop',
  'draft',
  'undraft',
  'link-status',
  'push-status',
  'save',
  'restore',
]);
const OLD_SCRIPT_ONLY: ReadonlySet<string> = new Set([...OF_THE_OLD_SCRIPT, 'shared-sync', 'shared-send']);

function keyOf(delivery: Delivery): string {
  if (delivery.kind === 'call') return `call ${delivery.call}`;
  if (delivery.kind === 'authorize') return `authorize ${delivery.request}`;
  if (delivery.kind === 'connect') return `connect ${delivery.client}`;
  return delivery.kind;
}
