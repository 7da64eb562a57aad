import { randomBytes } from 'node:crypto';
import type { Command, CommandBody, Delivery, StreamRequest } from '../../runtime/protocol.ts';
import { encodeValues, readCommandHead } from '../../wire/commands.ts';
import { status } from '../../wire/status.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { describeError, printable } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { IsolateStats } from '../core/frames.ts';
import type { ClientEnd, ConnectRequest, InvokeId, Refusal } from '../rtmp/ports.ts';
import type { CorePool } from '../scripts/core-pool.ts';
import { BootError, Script, type ScriptEnd, type ScriptSpec } from '../scripts/script.ts';
import { mapStackTrace } from '../scripts/stack-trace.ts';
import { StreamDirectory } from '../streams/directory.ts';
import type { StreamOwner, Verdict } from '../streams/net-stream.ts';
import type { Build } from './builder.ts';
import { LogBudget } from './log-budget.ts';
import { ClientSeat, type SeatHost } from './seat.ts';

/** What every instance shares. */
export interface InstanceHost {
  readonly pool: CorePool;
  readonly limits: Limits;
  readonly log: Log;
  readonly clock: Clock;
  /** `application.server` and `application.hostname` of the scripts. */
  readonly serverVersion: string;
  readonly hostname: string;
}

/** One build running in one isolate. */
interface Incarnation {
  readonly build: Build;
  readonly script: Script;
  readonly log: Log;
  onStarted?: (error: string) => void;
  onStopped?: (isVetoed: boolean) => void;
}

interface OpenCall {
  seat: ClientSeat;
  name: string;
  transaction: number;
  onMissing: (() => void) | undefined;
}

interface OpenVerdict {
  delivery: Delivery;
  settle: (verdict: Verdict) => void;
}

/** An answer that a script of ours waits for, and which one. */
interface Invocation {
  incarnation: Incarnation;
  request: number;
}

/** Why clients are handed to another script: what `client.reconnected` and `onReattach` tell. */
type HandoverReason = 'reload' | ScriptEnd['reason'];

const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
const MAX_HELD = 256;
const MAX_DEATHS = 5;
const DEATHS_WITHIN_MS = 60_000;

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
  readonly #onClosed: () => void;
  readonly #seats = new Map<number, ClientSeat>();
  readonly #calls = new Map<number, OpenCall>();
  readonly #verdicts = new Map<number, OpenVerdict>();
  readonly #paused = new Set<ClientSeat>();
  readonly #logBudget: LogBudget;
  /** Undefined while the script loads or is being replaced after its death, and for an app without a script. */
  #current: Incarnation | undefined;
  #build: Build | undefined;
  /** What came while there was no script. */
  readonly #waiting: Delivery[] = [];
  /** Loads, reloads and recoveries happen one after the other. */
  #work: Promise<void>;
  #isClosed = false;
  #deaths: number[] = [];
  #nextNumber = 1;

  constructor(
    app: string,
    instance: string,
    build: Promise<Build>,
    host: InstanceHost,
    onClosed: () => void,
  ) {
    this.app = app;
    this.instance = instance;
    this.name = `${app}/${instance}`;
    this.#host = host;
    this.#onClosed = onClosed;
    this.startedAt = host.clock.now();
    this.streams = new StreamDirectory(host.limits);
    this.#logBudget = new LogBudget(host.limits.logBytesPerSecond, host.clock);
    this.#work = this.#load(build);
  }

  get build(): Build | undefined {
    return this.#build;
  }

  get #log(): Log {
    return this.#host.log.child({ instance: this.name, build: this.#build?.id });
  }

  get clientCount(): number {
    return this.#seats.size;
  }

  get clients(): Iterable<ClientSeat> {
    return this.#seats.values();
  }

  get corePid(): number {
    return this.#current?.script.corePid ?? 0;
  }

  async stats(): Promise<IsolateStats | undefined> {
    return this.#current?.script.stats();
  }

  connect(request: ConnectRequest, end: ClientEnd): ClientSeat {
    const seat = new ClientSeat(this.#nextNumber++, randomBytes(9).toString('base64url'), request, end, this);
    this.#seats.set(seat.number, seat);
    this.post({ kind: 'connect', client: seat.number, info: seat.info, command: seat.command }, seat);
    const { clock, limits } = this.#host;
    seat.patience = clock.setTimer(() => {
      if (seat.standing === 'pending') this.#rejectSeat(seat, 'Connection timed out');
    }, limits.pendingConnectMs);
    return seat;
  }

  /** New code for the running instance. The old code goes on when the new one fails. */
  reload(build: Build): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#isClosed || this.#build?.id === build.id) return;
      const { clock } = this.#host;
      const startedAt = clock.monotonic();
      const next = build.main ? await this.#boot(build) : undefined;
      if (this.#isClosed) return next?.script.dispose();
      if (build.main && !next) return;

      const heldAt = clock.monotonic();
      const previous = this.#current;
      await previous?.script.hold();
      await next?.script.hold();
      const leftovers = [...(previous?.script.mailbox.takeAll() ?? []), ...this.#waiting.splice(0)];
      this.#build = build;
      if (next) this.#adopt(next, 'reload', leftovers);
      else this.#adoptNothing(leftovers);
      previous?.script.dispose();

      const now = clock.monotonic();
      const kept = `${this.#seats.size} ${this.#seats.size === 1 ? 'client' : 'clients'} kept`;
      const took = `ready in ${Math.round(now - startedAt)} ms, paused ${(now - heldAt).toFixed(1)} ms`;
      this.#log.info(`runs new code, ${kept} (${took})`);
    });
  }

  /** Asks the script to stop, tells the clients, and ends. Resolves within `patienceMs` whatever the script does. */
  async close(why: Refusal, patienceMs: number): Promise<void> {
    if (this.#isClosed) return;
    await this.#stopScript('Application.Shutdown', patienceMs);
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
    if (seat.held && seat.standing === 'accepted' && delivery.kind !== 'disconnect') {
      seat.held.push(delivery);
      if (seat.held.length >= MAX_HELD) this.#pause(seat);
      return;
    }
    const script = this.#current?.script;
    if (this.#build && !this.#build.main) {
      // Not at once: the session that asked has not yet noted that it did.
      queueMicrotask(() => this.#withoutScript(delivery));
    } else if (script) {
      script.post(delivery);
      if (script.mailbox.isFull) this.#pause(seat);
    } else {
      this.#waiting.push(delivery);
      if (this.#waiting.length >= this.#host.limits.mailboxRecords) this.#pause(seat);
    }
  }

  call(
    seat: ClientSeat,
    name: string,
    transaction: number,
    command: CommandBody,
    onMissing?: () => void,
  ): void {
    const isAnswered = transaction !== 0 || onMissing !== undefined;
    const call = isAnswered ? this.#nextNumber++ : 0;
    if (isAnswered) {
      this.#calls.set(call, { seat, name, transaction, onMissing });
      seat.calls.add(call);
    }
    this.post({ kind: 'call', client: seat.number, call, command: this.#keepable(command) }, seat);
  }

  reply(invocation: InvokeId, isOk: boolean, command: CommandBody): void {
    const { incarnation, request } = invocation as Invocation;
    if (incarnation === this.#current) incarnation.script.post({ kind: 'reply', request, isOk, command });
  }

  leave(seat: ClientSeat): void {
    if (seat.standing === 'gone') return;
    seat.standing = 'gone';
    this.#host.clock.clearTimer(seat.patience);
    seat.held = undefined;
    this.#seats.delete(seat.number);
    this.#paused.delete(seat);
    for (const call of seat.calls) this.#calls.delete(call);
    this.post({ kind: 'disconnect', client: seat.number }, seat);
    if (this.#seats.size === 0) this.#scheduleUnload();
  }

  streamOwner(seat: ClientSeat): StreamOwner {
    return {
      clientId: seat.id,
      streams: this.streams,
      authorize: (action, stream) => this.#authorize(seat, action, stream),
      published: (stream) => this.post({ kind: 'publish', client: seat.number, stream }, seat),
      unpublished: (stream) => this.post({ kind: 'unpublish', client: seat.number, stream }, seat),
      tooSlow: () => seat.end.disconnect(),
    };
  }

  // The life of the script.

  async #load(build: Promise<Build>): Promise<void> {
    let built: Build;
    try {
      built = await build;
    } catch (error) {
      this.#end({ code: 'NetConnection.Connect.Rejected', description: 'The application does not build.' });
      this.#host.log.debug(`${this.name} cannot load: ${describeError(error)}`);
      return;
    }
    this.#build = built;
    if (!built.main) {
      this.#adoptNothing(this.#waiting.splice(0));
      return;
    }
    const first = await this.#boot(built);
    if (this.#isClosed) return first?.script.dispose();
    if (!first) {
      this.#end({ code: 'NetConnection.Connect.Rejected', description: 'The application failed to start.' });
      return;
    }
    this.#current = first;
    for (const delivery of this.#waiting.splice(0)) first.script.post(delivery);
  }

  /** Boots a build and runs its `onAppStart`. Undefined when that failed: the author has been told. */
  async #boot(build: Build): Promise<Incarnation | undefined> {
    const log = this.#host.log.child({ instance: this.name, build: build.id });
    const { startMs } = this.#host.limits;
    let failure = '';
    const script = new Script(this.#spec(build), this.#host.clock, {
      onCommand: (command) => {
        try {
          this.#command(incarnation, command);
        } catch (error) {
          // A bug of ours: this command is lost, the instance is not.
          log.error(`the command "${command.kind}" failed`, { error });
        }
      },
      onError: (message, stack) => this.#scriptError(incarnation, 'promise', message, stack),
      onEnd: (end) => {
        if (incarnation === this.#current) this.#died(incarnation, end);
        else {
          failure = this.#describeEnd(end);
          incarnation.onStarted?.(failure);
        }
      },
    });
    const incarnation: Incarnation = { build, script, log };
    try {
      await script.boot(this.#host.pool);
    } catch (error) {
      if (error instanceof BootError)
        this.#scriptError(incarnation, 'top level', error.message, error.scriptStack);
      else log.error(`cannot start: ${describeError(error)}`, { error });
      return undefined;
    }
    failure = await new Promise<string>((resolve) => {
      const timer = this.#host.clock.setTimer(
        () => resolve(`onAppStart took longer than ${startMs} ms`),
        startMs,
      );
      incarnation.onStarted = (error) => {
        this.#host.clock.clearTimer(timer);
        resolve(error);
      };
      script.post({ kind: 'start' });
      script.release();
    });
    delete incarnation.onStarted;
    if (failure === '') return incarnation;
    log.error(`does not start: ${failure}`, { code: 'E_APP_START' });
    script.dispose();
    return undefined;
  }

  #spec(build: Build): ScriptSpec {
    const { limits, serverVersion, hostname } = this.#host;
    return {
      code: build.code,
      filename: build.filename,
      memoryMb: limits.heapMb,
      handlerMs: limits.handlerMs,
      bootMs: limits.startMs,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      mailbox: { records: limits.mailboxRecords, bytes: limits.mailboxBytes },
      options: {
        name: this.name,
        server: serverVersion,
        hostname,
        build: build.id,
        isClassic: build.main?.kind === 'classic',
        amfDepth: limits.amfDepth,
        amfValues: limits.amfValues,
        maxTimers: limits.timers,
        maxOutstandingInvokes: limits.outstandingCalls,
        yieldAfterMs: Math.min(50, limits.handlerMs / 4),
      },
    };
  }

  /** Hands clients, streams and everything that waits to another script. `leftovers` reached no script yet. */
  #adopt(next: Incarnation, reason: HandoverReason, leftovers: Delivery[]): void {
    const waiting = new Set(leftovers.map(keyOf));
    this.#current = next;
    for (const seat of this.#seats.values()) {
      const { number: client, info, command } = seat;
      if (seat.standing === 'accepted') {
        seat.held ??= [];
        next.script.post({ kind: 'reattach', client, info, command, reason });
      } else if (!waiting.has(`connect ${client}`)) {
        next.script.post({ kind: 'connect', client, info, command });
      }
    }
    // What the old script had taken and not answered died with it.
    for (const [call, { seat }] of this.#calls) {
      if (!waiting.has(`call ${call}`) && !seat.held?.some((held) => keyOf(held) === `call ${call}`)) {
        this.#failCall(call, `The script was replaced (${reason}) before it answered.`);
      }
    }
    for (const [request, { delivery }] of this.#verdicts) {
      if (!waiting.has(`authorize ${request}`)) leftovers.push(delivery);
    }
    for (const delivery of leftovers) {
      if (OLD_SCRIPT_ONLY.has(delivery.kind)) continue;
      const seat = 'client' in delivery ? this.#seats.get(delivery.client) : undefined;
      if (seat) this.post(delivery, seat);
      else if (delivery.kind === 'disconnect') next.script.post(delivery);
    }
    const { clock, limits } = this.#host;
    const attaching = [...this.#seats.values()].filter((seat) => seat.held);
    clock.setTimer(() => {
      for (const seat of attaching) {
        if (this.#current === next && seat.held) this.#refuseAttached(seat, 'gave no verdict in time');
      }
    }, limits.pendingConnectMs);
    next.script.release();
  }

  /** An app without a script accepts everybody. */
  #adoptNothing(leftovers: Delivery[]): void {
    this.#current = undefined;
    const pending = [...this.#seats.values()].filter((seat) => seat.standing === 'pending');
    for (const { number } of pending) this.#clientCommand(undefined, { kind: 'accept', client: number });
    for (const delivery of leftovers) this.#withoutScript(delivery);
    for (const call of [...this.#calls.keys()]) this.#answer({ kind: 'missing', call });
  }

  #withoutScript(delivery: Delivery): void {
    if (delivery.kind === 'connect')
      this.#clientCommand(undefined, { kind: 'accept', client: delivery.client });
    if (delivery.kind === 'call') this.#answer({ kind: 'missing', call: delivery.call });
    if (delivery.kind === 'authorize') {
      this.#verdicts.get(delivery.request)?.settle({ isAllowed: true, description: '' });
    }
  }

  #died(incarnation: Incarnation, end: ScriptEnd): void {
    this.#current = undefined;
    const trace = mapStackTrace(end.stack, incarnation.build);
    incarnation.log.error(this.#describeEnd(end), {
      code: END_CODES[end.reason],
      ...(trace.codeFrame && { detail: trace.codeFrame }),
    });
    this.#waiting.unshift(...incarnation.script.mailbox.takeAll());
    const now = this.#host.clock.monotonic();
    this.#deaths = [...this.#deaths.filter((at) => now - at < DEATHS_WITHIN_MS), now];
    if (this.#deaths.length >= MAX_DEATHS) {
      incarnation.log.error(`closed: its script died ${MAX_DEATHS} times within a minute`, {
        code: 'E_APP_CLOSED',
      });
      this.#end({
        code: 'NetConnection.Connect.AppShutdown',
        description: 'The application failed repeatedly.',
      });
      return;
    }
    void this.#enqueue(async () => {
      if (this.#current || this.#isClosed) return; // a reload was faster
      const next = await this.#boot(this.#build ?? incarnation.build);
      if (this.#isClosed) return next?.script.dispose();
      if (!next) {
        this.#end({
          code: 'NetConnection.Connect.AppShutdown',
          description: 'The application failed to restart.',
        });
        return;
      }
      await next.script.hold();
      this.#adopt(next, end.reason, this.#waiting.splice(0));
      next.log.info(`started again after ${END_NAMES[end.reason]}, ${this.#seats.size} clients kept`);
    });
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    const done = this.#work.then(task);
    this.#work = done.catch((error: unknown) =>
      this.#host.log.error(`${this.name}: ${describeError(error)}`, { error }),
    );
    return done;
  }

  async #stopScript(code: string, patienceMs: number): Promise<boolean> {
    const incarnation = this.#current;
    if (!incarnation) return false;
    return new Promise((resolve) => {
      const timer = this.#host.clock.setTimer(() => resolve(false), patienceMs);
      incarnation.onStopped = (isVetoed) => {
        this.#host.clock.clearTimer(timer);
        resolve(isVetoed);
      };
      incarnation.script.post({ kind: 'stop', code });
    });
  }

  #scheduleUnload(): void {
    const { clock, limits } = this.#host;
    const idleSince = clock.monotonic();
    this.#unloadTimer = clock.setTimer(() => {
      if (this.#seats.size > 0 || this.#isClosed) return;
      void this.#stopScript('Application.GC', limits.startMs).then((isVetoed) => {
        if (this.#seats.size > 0 || this.#isClosed) return;
        if (isVetoed) return this.#scheduleUnload();
        const idleSeconds = Math.round((clock.monotonic() - idleSince) / 1000);
        this.#log.info(`unloaded after ${idleSeconds} s without clients`);
        this.#end({ code: 'NetConnection.Connect.AppShutdown', description: 'The instance was idle.' });
      });
    }, limits.idleInstanceMs);
  }

  #unloadTimer: Timer | undefined;

  #end(why: Refusal): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.clock.clearTimer(this.#unloadTimer);
    for (const { settle } of this.#verdicts.values())
      settle({ isAllowed: false, description: why.description });
    this.#verdicts.clear();
    for (const seat of [...this.#seats.values()]) seat.end.disconnect(why);
    this.#current?.script.dispose();
    this.#current = undefined;
    this.#onClosed();
  }

  // What the script says.

  #command(incarnation: Incarnation | undefined, command: Command): void {
    const isCurrent = incarnation === this.#current;
    switch (command.kind) {
      case 'log':
        if (incarnation && this.#logBudget.takes(command.text.length, incarnation.log)) {
          incarnation.log[command.level](command.text);
        }
        return;
      case 'script-error':
        if (incarnation) this.#scriptError(incarnation, command.where, command.message, command.stack);
        return;
      case 'started':
        incarnation?.onStarted?.(command.error);
        return;
      case 'stopped':
        incarnation?.onStopped?.(command.isVetoed);
        return;
    }
    if (isCurrent && !this.#isClosed) this.#clientCommand(incarnation, command);
    this.#resume();
  }

  #clientCommand(incarnation: Incarnation | undefined, command: Command): void {
    switch (command.kind) {
      case 'result':
      case 'error':
      case 'missing':
        return this.#answer(command);
      case 'accept': {
        const seat = this.#seats.get(command.client);
        if (seat?.standing !== 'pending') return;
        this.#host.clock.clearTimer(seat.patience);
        seat.accept();
        return;
      }
      case 'reject': {
        const seat = this.#seats.get(command.client);
        if (seat?.standing === 'pending') seat.end.reject(command.info);
        return;
      }
      case 'attached': {
        const seat = this.#seats.get(command.client);
        if (!seat?.held) return;
        if (command.isKept) this.#releaseHeld(seat);
        else this.#refuseAttached(seat, 'did not keep it');
        return;
      }
      case 'disconnect':
        this.#seats.get(command.client)?.end.disconnect();
        return;
      case 'invoke': {
        const { method, request, args } = command;
        const invocation = request !== 0 && incarnation ? { incarnation, request } : undefined;
        const wasSent = this.#seats.get(command.client)?.invoke(method, invocation, args);
        if (!wasSent && invocation) {
          incarnation?.script.post({ kind: 'unanswered', request, description: 'Client disconnected' });
        }
        return;
      }
      case 'broadcast':
        for (const seat of this.#seats.values()) {
          if (seat.standing === 'accepted') seat.invoke(command.method, undefined, command.args);
        }
        return;
      case 'verdict': {
        const { isAllowed, description } = command;
        this.#verdicts.get(command.request)?.settle({ isAllowed, description });
        return;
      }
    }
  }

  #answer(command: Extract<Command, { kind: 'result' | 'error' | 'missing' }>): void {
    const open = this.#closeCall(command.call);
    if (!open) return;
    const { seat, name, transaction, onMissing } = open;
    if (command.kind === 'missing') {
      // Encoders call releaseStream and the like on every server: a miss is not worth a line in the author's log.
      if (onMissing) onMissing();
      else if (transaction !== 0) seat.end.error(transaction, callFailed(`Method not found (${name}).`));
    } else if (transaction !== 0) {
      if (command.kind === 'result') seat.end.result(transaction, command.value);
      else seat.end.error(transaction, command.info);
    }
  }

  #failCall(call: number, description: string): void {
    const open = this.#closeCall(call);
    if (open && open.transaction !== 0) open.seat.end.error(open.transaction, callFailed(description));
  }

  #closeCall(call: number): OpenCall | undefined {
    const open = this.#calls.get(call);
    this.#calls.delete(call);
    open?.seat.calls.delete(call);
    return open;
  }

  #releaseHeld(seat: ClientSeat): void {
    const held = seat.held ?? [];
    seat.held = undefined;
    for (const delivery of held) this.post(delivery, seat);
  }

  #refuseAttached(seat: ClientSeat, why: string): void {
    seat.held = undefined;
    this.#log.info(`client ${seat.id} is disconnected: the new script ${why}`);
    seat.end.disconnect({
      code: 'NetConnection.Connect.Rejected',
      description: 'The application was reloaded.',
    });
  }

  #rejectSeat(seat: ClientSeat, description: string): void {
    seat.end.reject(encodeValues(status('NetConnection.Connect.Rejected', description)));
  }

  #authorize(seat: ClientSeat, action: 'publish' | 'play', stream: StreamRequest): Promise<Verdict> {
    return new Promise((resolve) => {
      const request = this.#nextNumber++;
      const { clock, limits } = this.#host;
      const timer = clock.setTimer(
        () => settle({ isAllowed: false, description: 'no verdict in time' }),
        limits.authorizeMs,
      );
      const settle = (verdict: Verdict) => {
        clock.clearTimer(timer);
        if (this.#verdicts.delete(request)) resolve(verdict);
      };
      const delivery: Delivery = { kind: 'authorize', request, action, client: seat.number, stream };
      this.#verdicts.set(request, { delivery, settle });
      this.post(delivery, seat);
    });
  }

  /** Prints what a script threw, in the author's own lines, and tells the script's `application.onStatus`. */
  #scriptError(incarnation: Incarnation, where: string, message: string, stack: string): void {
    const trace = mapStackTrace(stack, incarnation.build);
    const place = trace.frames[0];
    const at = place ? ` (${place.file}:${place.line}:${place.column})` : '';
    if (this.#logBudget.takes(message.length + 200, incarnation.log)) {
      incarnation.log.error(`${where}: ${message}${at}`, {
        code: 'E_SCRIPT',
        ...(trace.codeFrame && { detail: trace.codeFrame }),
      });
    }
    if (where === 'application.onStatus' || incarnation !== this.#current) return;
    const line = trace.codeFrame?.split('\n')[0]?.replace(/^\d+ \| /, '') ?? '';
    incarnation.script.post({
      kind: 'status',
      info: { description: message, filename: place?.file ?? '', lineno: place?.line ?? 0, linebuf: line },
    });
  }

  #describeEnd({ reason, culprit, message }: ScriptEnd): string {
    const what = culprit ? nameOfHandler(culprit) : 'the script';
    if (reason === 'timeout') return `${what} ran for ${this.#host.limits.handlerMs} ms and was stopped`;
    if (reason === 'memory') return `${what} needed more than ${this.#host.limits.heapMb} MB and was stopped`;
    return `its script is gone: ${message}`;
  }

  // Back-pressure.

  #pause(seat: ClientSeat): void {
    if (seat.isPaused || seat.standing === 'gone') return;
    seat.isPaused = true;
    this.#paused.add(seat);
    seat.end.setReading(false);
  }

  #resume(): void {
    if (this.#paused.size === 0 || !(this.#current?.script.mailbox.hasRoom ?? true)) return;
    for (const seat of this.#paused) {
      if (seat.held) continue;
      this.#paused.delete(seat);
      seat.isPaused = false;
      seat.end.setReading(true);
    }
  }

  /** A command that may wait outside the mailbox must not be a view into what the socket read. */
  #keepable(command: CommandBody): CommandBody {
    return this.#current ? command : { type: command.type, body: command.body.slice() };
  }
}

function callFailed(description: string): Uint8Array {
  return encodeValues(status('NetConnection.Call.Failed', description));
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

const END_CODES = { timeout: 'E_HANDLER_TIMEOUT', memory: 'E_OUT_OF_MEMORY', crash: 'E_CORE_GONE' } as const;
const END_NAMES = {
  timeout: 'a handler ran too long',
  memory: 'it ran out of memory',
  crash: 'its core died',
} as const;

function keyOf(delivery: Delivery): string {
  if (delivery.kind === 'call') return `call ${delivery.call}`;
  if (delivery.kind === 'authorize') return `authorize ${delivery.request}`;
  if (delivery.kind === 'connect') return `connect ${delivery.client}`;
  return delivery.kind;
}

function nameOfHandler(delivery: Delivery): string {
  switch (delivery.kind) {
    case 'call': {
      const message = {
        type: delivery.command.type,
        streamId: 0,
        timestamp: 0,
        payload: delivery.command.body,
      };
      return printable(readCommandHead(message).name, 80);
    }
    case 'connect':
      return 'application.onConnect';
    case 'reattach':
      return 'application.onReattach';
    case 'authorize':
      return delivery.action === 'publish' ? 'application.authorizePublish' : 'application.authorizePlay';
    case 'disconnect':
      return 'application.onDisconnect';
    case 'publish':
      return 'application.onPublish';
    case 'unpublish':
      return 'application.onUnpublish';
    case 'start':
      return 'application.onAppStart';
    case 'stop':
      return 'application.onAppStop';
    case 'wake':
      return 'a timer';
    case 'reply':
    case 'unanswered':
      return 'the handler of an answer';
    case 'status':
      return 'application.onStatus';
  }
}
