import { randomBytes } from 'node:crypto';
import type { CommandBody, Delivery } from '../../runtime/protocol.ts';
import { encodeValues } from '../../wire/commands.ts';
import { status } from '../../wire/status.ts';
import type { Timer } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IsolateStats } from '../core/frames.ts';
import type { ClientEnd, ConnectRequest, InvokeId, Refusal } from '../rtmp/ports.ts';
import type { ScriptEnd } from '../scripts/script.ts';
import { StreamDirectory } from '../streams/directory.ts';
import type { StreamOwner } from '../streams/net-stream.ts';
import { Backlog } from './backlog.ts';
import type { Build } from './builder.ts';
import { type ClientCommand, Incarnation, type InstanceHost } from './incarnation.ts';
import { OpenCalls } from './open-calls.ts';
import { OpenVerdicts } from './open-verdicts.ts';
import { ClientSeat, type SeatHost } from './seat.ts';

/** What an instance has to do with the application it is one of. */
export interface InstanceOwner {
  /** A build that has started before: what a new instance falls back to. */
  proven(): Build | undefined;
  started(build: Build): void;
  /** Called once. */
  closed(): void;
}

/** An answer of a client that a script of ours waits for, and which script. */
interface Invocation {
  incarnation: Incarnation;
  request: number;
}

/** Why clients are handed to another script: what `client.reconnected` and `onReattach` tell. */
type HandoverReason = 'reload' | ScriptEnd['reason'];

const MAX_HELD = 256;
const MAX_STARTS = 5;
const START_AGAIN_MS = 100;
/** A stranger who was never let in does not keep an instance in memory. */
const NEVER_USED_MS = 5000;
const MAX_DEATHS = 5;
const DEATHS_WITHIN_MS = 60_000;
const END_NAMES = {
  timeout: 'a handler ran too long',
  memory: 'it ran out of memory',
  crash: 'its core died',
} as const;

/**
 * One application instance. It owns what must survive the script (clients, streams, open calls) and talks to the
 * script in turns; the script can be replaced, by a new build or after its death, while everything else goes on.
 */
export class Instance implements SeatHost {
  readonly app: string;
  readonly instance: string;
  readonly name: string;
  readonly streams: StreamDirectory;
  readonly startedAt: number;
  readonly #host: InstanceHost;
  readonly #owner: InstanceOwner;
  readonly #seats = new Map<number, ClientSeat>();
  readonly #calls = new OpenCalls();
  readonly #verdicts: OpenVerdicts;
  readonly #paused = new Set<ClientSeat>();
  /** Undefined while the script loads or is being replaced after its death, and for an app without a script. */
  #current: Incarnation | undefined;
  #build: Build | undefined;
  /** What came while there was no script. */
  readonly #waiting: Delivery[] = [];
  readonly #backlog: Backlog;
  /** Loads, reloads and recoveries happen one after the other. */
  #work: Promise<void>;
  #unloadTimer: Timer | undefined;
  #idleSince: number | undefined;
  #wasUsed = false;
  #isClosing = false;
  #isClosed = false;
  #deaths: number[] = [];
  #nextNumber = 1;

  constructor(
    app: string,
    instance: string,
    build: Promise<Build>,
    host: InstanceHost,
    owner: InstanceOwner,
  ) {
    this.app = app;
    this.instance = instance;
    this.name = `${app}/${instance}`;
    this.#host = host;
    this.#owner = owner;
    this.startedAt = host.clock.now();
    this.streams = new StreamDirectory(host.limits);
    this.#verdicts = new OpenVerdicts(host.clock, host.limits.authorizeMs);
    this.#backlog = new Backlog({ records: host.limits.mailboxRecords, bytes: host.limits.mailboxBytes });
    this.#work = this.#load(build);
  }

  get build(): Build | undefined {
    return this.#build;
  }

  get clientCount(): number {
    return this.#seats.size;
  }

  /** Since when nobody has been connected, on the monotonic clock; undefined while somebody is. */
  get idleSince(): number | undefined {
    return this.#seats.size === 0 ? this.#idleSince : undefined;
  }

  /** Makes room for another instance: nobody is connected to this one. */
  evict(): void {
    if (this.idleSince === undefined) return;
    this.#log.info('unloaded to make room: it was idle for longest');
    this.#end({ code: 'NetConnection.Connect.AppShutdown', description: 'The instance was idle.' });
  }

  /** Heap and processor time of the script; undefined without one. */
  async stats(): Promise<IsolateStats | undefined> {
    return this.#current?.script.stats();
  }

  connect(request: ConnectRequest, end: ClientEnd): ClientSeat {
    const seat = new ClientSeat(this.#nextNumber++, randomBytes(9).toString('base64url'), request, end, this);
    this.#seats.set(seat.number, seat);
    this.post({ kind: 'connect', client: seat.number, info: seat.info, command: seat.command }, seat);
    seat.patience = this.#host.clock.setTimer(() => {
      if (seat.standing === 'pending') this.#reject(seat, 'Connection timed out');
    }, this.#host.limits.pendingConnectMs);
    return seat;
  }

  /** New code for the running instance. The old code goes on when the new one fails. */
  reload(build: Build): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#isClosed || this.#isClosing || this.#build?.id === build.id) return;
      const { clock } = this.#host;
      const startedAt = clock.monotonic();
      const next = build.main ? await this.#start(build) : undefined;
      if (build.main && !next) {
        this.#log.warn('goes on with the code it has');
        return;
      }
      const heldAt = clock.monotonic();
      const previous = this.#current;
      await previous?.script.hold();
      if (this.#isClosed) return next?.script.dispose();
      if (next?.script.isEnded) {
        next.log.error('died before it could take over; the old code goes on');
        previous?.script.release();
        return;
      }

      const leftovers = [
        ...(previous?.script.mailbox.takeAll() ?? []),
        ...this.#backlog.takeAll(this.#waiting),
      ];
      this.#build = build;
      if (next) this.#adopt(next, 'reload', leftovers);
      else this.#adoptNothing(leftovers);
      previous?.script.dispose();

      const now = clock.monotonic();
      const took = `ready in ${Math.round(heldAt - startedAt)} ms, paused ${(now - heldAt).toFixed(1)} ms`;
      this.#log.info(`runs new code, ${this.#clientsKept()} (${took})`);
    });
  }

  /** Asks the script to stop, tells the clients, and ends. Takes little longer than `patienceMs` whatever it does. */
  async close(why: Refusal, patienceMs: number): Promise<void> {
    if (this.#isClosed || this.#isClosing) return;
    this.#isClosing = true;
    await this.#current?.stop('Application.Shutdown', patienceMs);
    // Each client's onDisconnect follows; what the script does in them reaches nobody any more.
    const script = this.#current?.script;
    for (const seat of [...this.#seats.values()]) {
      seat.end.disconnect(why);
      this.leave(seat);
    }
    await script?.whenIdle(patienceMs / 4);
    this.#end(why);
  }

  // What seats ask for.

  post(delivery: Delivery, seat: ClientSeat): void {
    if (this.#isClosed) return;
    if (seat.held && delivery.kind !== 'disconnect') {
      this.#backlog.add(seat.held, delivery);
      if (seat.held.length >= MAX_HELD || this.#backlog.isFull) this.#pause(seat);
    } else if (this.#build && !this.#build.main) {
      // Not at once: the session that asked has not yet noted that it did.
      queueMicrotask(() => this.#withoutScript(delivery));
    } else if (this.#current) {
      const { script } = this.#current;
      script.post(delivery);
      if (script.mailbox.isFull) this.#pause(seat);
    } else {
      this.#backlog.add(this.#waiting, delivery);
      if (this.#backlog.isFull) this.#pause(seat);
    }
  }

  call(
    seat: ClientSeat,
    name: string,
    transaction: number,
    { type, body }: CommandBody,
    onMissing?: () => void,
  ): void {
    const call = this.#calls.open(seat, name, transaction, onMissing);
    // What waits outside a mailbox must not keep the whole buffer alive that it was read into.
    const command = this.#current && !seat.held ? { type, body } : { type, body: body.slice() };
    this.post({ kind: 'call', client: seat.number, call, command }, seat);
  }

  reply(invocation: InvokeId, isOk: boolean, command: CommandBody): void {
    const { incarnation, request } = invocation as Invocation;
    if (incarnation === this.#current) incarnation.script.post({ kind: 'reply', request, isOk, command });
  }

  leave(seat: ClientSeat): void {
    if (seat.standing === 'gone') return;
    const held = this.#takeHeld(seat);
    seat.standing = 'gone';
    this.#host.clock.clearTimer(seat.patience);
    this.#seats.delete(seat.number);
    this.#paused.delete(seat);
    this.#calls.forget(seat);
    // What it published or ended while a new script was deciding about it is true all the same.
    const streams = held.filter(({ kind }) => kind === 'publish' || kind === 'unpublish');
    for (const delivery of streams) this.post(delivery, seat);
    this.post({ kind: 'disconnect', client: seat.number }, seat);
    if (this.#seats.size === 0) this.#scheduleUnload();
  }

  streamOwner(seat: ClientSeat): StreamOwner {
    return {
      clientId: seat.id,
      streams: this.streams,
      authorize: (action, stream) =>
        this.#verdicts.ask(seat, action, stream, (delivery) => this.post(delivery, seat)),
      published: (stream) => this.post({ kind: 'publish', client: seat.number, stream }, seat),
      unpublished: (stream) => this.post({ kind: 'unpublish', client: seat.number, stream }, seat),
      tooSlow: () => seat.end.disconnect(),
    };
  }

  // The life of the script.

  async #load(build: Promise<Build>): Promise<void> {
    const refuse = (description: string) =>
      this.#end({ code: 'NetConnection.Connect.Rejected', description });
    let built: Build;
    try {
      built = await build;
    } catch {
      return refuse('The application does not build.'); // its author has been told
    }
    this.#build = built;
    if (!built.main) return this.#adoptNothing(this.#backlog.takeAll(this.#waiting));
    const first = (await this.#start(built)) ?? (await this.#startProven(built));
    if (!first) return refuse('The application failed to start.');
    if (this.#isClosed) return first.script.dispose();
    this.#build = first.build;
    this.#current = first;
    for (const delivery of this.#backlog.takeAll(this.#waiting)) first.script.post(delivery);
    first.script.release();
  }

  /** Undefined when the build does not start: its author has been told. A core that died is not the build's fault. */
  async #start(build: Build): Promise<Incarnation | undefined> {
    for (let attempt = 1; attempt <= MAX_STARTS && !this.#isClosed; attempt++) {
      const incarnation = this.#incarnate(build);
      const outcome = await incarnation.start();
      if (outcome === 'started') {
        this.#owner.started(build);
        return incarnation;
      }
      if (outcome === 'failed') return undefined;
      await new Promise((resolve) =>
        this.#host.clock.setTimer(() => resolve(undefined), START_AGAIN_MS * attempt),
      );
    }
    return undefined;
  }

  /** Code that does not start never takes over, not in new instances either. */
  async #startProven(failed: Build): Promise<Incarnation | undefined> {
    const proven = this.#owner.proven();
    if (!proven?.main || proven.id === failed.id || this.#isClosed) return undefined;
    this.#host.log.warn(`starts with build ${proven.id} instead`, { instance: this.name, build: failed.id });
    return this.#start(proven);
  }

  #incarnate(build: Build): Incarnation {
    return new Incarnation(this.name, build, this.#host, {
      onCommand: (incarnation, command) => {
        if (incarnation === this.#current && !this.#isClosed) this.#obey(incarnation, command);
      },
      onTurnEnd: () => this.#resume(),
      onEnd: (incarnation, end) => {
        if (incarnation === this.#current) this.#recover(incarnation, end);
      },
    });
  }

  /** Hands clients, streams and everything that waits to another script. `leftovers` reached no script yet. */
  #adopt(next: Incarnation, reason: HandoverReason, leftovers: Delivery[]): void {
    const waiting = new Set(leftovers.map(keyOf));
    this.#current = next;
    for (const { standing, number: client, info, command, held } of this.#seats.values()) {
      for (const delivery of held ?? []) waiting.add(keyOf(delivery));
      if (standing === 'accepted') next.script.post({ kind: 'reattach', client, info, command, reason });
      else if (!waiting.has(`connect ${client}`))
        next.script.post({ kind: 'connect', client, info, command });
    }
    for (const seat of this.#seats.values()) if (seat.standing === 'accepted') seat.held ??= [];
    // What the old script had taken and not answered died with it.
    for (const [call] of this.#calls) {
      if (!waiting.has(`call ${call}`)) {
        this.#calls.failWith(call, `The script was replaced (${reason}) before it answered.`);
      }
    }
    for (const [request, delivery] of this.#verdicts) {
      if (!waiting.has(`authorize ${request}`)) leftovers.push(delivery);
    }
    for (const delivery of leftovers) {
      const seat = 'client' in delivery ? this.#seats.get(delivery.client) : undefined;
      if (seat && !OLD_SCRIPT_ONLY.has(delivery.kind)) this.post(delivery, seat);
    }
    this.#host.clock.setTimer(() => {
      if (this.#current !== next) return;
      for (const seat of this.#seats.values()) if (seat.held) this.#dismiss(seat, 'gave no verdict in time');
    }, this.#host.limits.pendingConnectMs);
    next.script.release();
  }

  /** An app without a script accepts everybody and has no methods. */
  #adoptNothing(leftovers: Delivery[]): void {
    this.#current = undefined;
    for (const seat of this.#seats.values()) if (seat.standing === 'pending') this.#accept(seat);
    for (const delivery of leftovers) this.#withoutScript(delivery);
    for (const [call] of this.#calls) this.#calls.missing(call);
    this.#resume();
  }

  #withoutScript(delivery: Delivery): void {
    if (delivery.kind === 'connect') this.#accept(this.#seats.get(delivery.client));
    if (delivery.kind === 'call') this.#calls.missing(delivery.call);
    if (delivery.kind === 'authorize') {
      this.#verdicts.settle(delivery.request, { isAllowed: true, description: '' });
    }
  }

  #recover(dead: Incarnation, { reason, culprit }: ScriptEnd): void {
    this.#current = undefined;
    if (culprit) this.#giveUpOn(culprit);
    // While it ran nothing waited elsewhere, so these come first.
    for (const delivery of dead.script.mailbox.takeAll()) this.#backlog.add(this.#waiting, delivery);
    const shutDown = (description: string) =>
      this.#end({ code: 'NetConnection.Connect.AppShutdown', description });
    const now = this.#host.clock.monotonic();
    this.#deaths = [...this.#deaths.filter((at) => now - at < DEATHS_WITHIN_MS), now];
    if (this.#deaths.length >= MAX_DEATHS) {
      dead.log.error(`closed: its script died ${MAX_DEATHS} times within a minute`, { code: 'E_APP_CLOSED' });
      return shutDown('The application failed repeatedly.');
    }
    void this.#enqueue(async () => {
      if (this.#current || this.#isClosed) return; // a reload was faster
      const next = await this.#start(this.#build ?? dead.build);
      if (!next) return shutDown('The application failed to restart.');
      if (this.#isClosed) return next.script.dispose();
      this.#adopt(next, reason, this.#backlog.takeAll(this.#waiting));
      next.log.info(`started again after ${END_NAMES[reason]}, ${this.#clientsKept()}`);
    });
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

  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(task).catch((error: unknown) => {
      this.#log.error(`cannot change its script: ${describeError(error)}`, { error });
    });
    return this.#work;
  }

  #scheduleUnload(): void {
    const { clock, limits } = this.#host;
    this.#idleSince = clock.monotonic();
    const patienceMs = this.#wasUsed ? limits.idleInstanceMs : Math.min(NEVER_USED_MS, limits.idleInstanceMs);
    const isIdle = () => this.#seats.size === 0 && !this.#isClosed;
    clock.clearTimer(this.#unloadTimer);
    this.#unloadTimer = clock.setTimer(async () => {
      if (!isIdle()) return;
      const isVetoed = await this.#current?.stop('Application.GC', limits.startMs);
      if (!isIdle()) return;
      if (isVetoed) return this.#scheduleUnload();
      this.#log.info(`unloaded after ${patienceMs / 1000} s without clients`);
      this.#end({ code: 'NetConnection.Connect.AppShutdown', description: 'The instance was idle.' });
    }, patienceMs);
  }

  #end(why: Refusal): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.clock.clearTimer(this.#unloadTimer);
    this.#verdicts.refuseAll(why.description);
    for (const seat of [...this.#seats.values()]) seat.end.disconnect(why);
    this.#current?.script.dispose();
    this.#current = undefined;
    this.#owner.closed();
  }

  // What the script says.

  #obey(incarnation: Incarnation, command: ClientCommand): void {
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
      case 'broadcast':
        for (const seat of this.#seats.values()) {
          if (seat.standing === 'accepted') seat.invoke(command.method, undefined, command.args);
        }
        return;
      case 'verdict': {
        const { request, isAllowed, description } = command;
        this.#verdicts.settle(request, { isAllowed, description });
        return;
      }
    }
  }

  #accept(seat: ClientSeat | undefined): void {
    if (seat?.standing !== 'pending') return;
    this.#host.clock.clearTimer(seat.patience);
    this.#wasUsed = true;
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
    this.#log.info(`client ${seat.id} is disconnected: the new script ${why}`);
    seat.end.disconnect({
      code: 'NetConnection.Connect.Rejected',
      description: 'The application was replaced and did not keep this client.',
    });
  }

  // Back-pressure.

  #pause(seat: ClientSeat): void {
    if (seat.standing === 'gone' || this.#paused.has(seat)) return;
    this.#paused.add(seat);
    seat.end.setReading(false);
  }

  #resume(): void {
    const hasRoom = this.#current ? this.#current.script.mailbox.hasRoom : !this.#build?.main;
    if (this.#paused.size === 0 || !hasRoom) return;
    for (const seat of this.#paused) {
      if (seat.held) continue;
      this.#paused.delete(seat);
      seat.end.setReading(true);
    }
  }

  get #log(): Log {
    return this.#host.log.child({ instance: this.name, build: this.#build?.id });
  }

  #clientsKept(): string {
    return `${this.#seats.size} ${this.#seats.size === 1 ? 'client' : 'clients'} kept`;
  }
}

/** Deliveries that mean nothing to another script than the one they were for. */
const OLD_SCRIPT_ONLY: ReadonlySet<string> = new Set([
  'reply',
  'unanswered',
  'status',
  'wake',
  'start',
  'stop',
]);

function keyOf(delivery: Delivery): string {
  if (delivery.kind === 'call') return `call ${delivery.call}`;
  if (delivery.kind === 'authorize') return `authorize ${delivery.request}`;
  if (delivery.kind === 'connect') return `connect ${delivery.client}`;
  return delivery.kind;
}
