import type { Command } from '../../runtime/wall/commands.ts';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { Clock } from '../base/clock.ts';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { LogBudget } from '../base/log-budget.ts';
import type { ByteStream } from '../rtmp/byte-stream.ts';
import type { Company, CorePool } from '../scripts/core-pool.ts';
import { CoreDeathError } from '../scripts/core-process.ts';
import type { CpuThrottle } from '../scripts/cpu-throttle.ts';
import { END_CODES, type EndReason } from '../scripts/ends.ts';
import type { Leash } from '../scripts/leash.ts';
import { BootError, Script, type ScriptEnd } from '../scripts/script.ts';
import { mapStackTrace } from '../scripts/stack-trace.ts';
import type { SharedObjects } from '../shared-objects/directory.ts';
import type { Usage } from '../shared-objects/slots.ts';
import type { Store } from '../shared-objects/store/store.ts';
import type { StreamDirectory } from '../streams/directory.ts';
import type { Archive } from '../streams/library.ts';
import type { Windows } from '../streams/windows.ts';
import { FetchHosts } from '../web/fetch-hosts.ts';
import { Fetcher, type FetchOutcome } from '../web/fetcher.ts';
import { type Answerer, answer } from './answers.ts';
import type { AppSettings } from './app-file.ts';
import type { Build } from './builder.ts';
import { EarlyCommands } from './early-commands.ts';
import { ADVICE, describeEnd, nameOfHandler } from './ends-told.ts';
import type { AppFiles } from './files/app-files.ts';
import { Files } from './files/files.ts';
import { tellMisspelled } from './hints.ts';
import type { InstanceLinks } from './instance-links.ts';
import { RemoteShares } from './remote-shares.ts';
import { ScriptLinks } from './script-links.ts';
import { type PushCommand, ScriptPushes } from './script-pushes.ts';
import { ScriptShares, type ShareCommand } from './script-shares.ts';
import { scriptSpec } from './script-spec.ts';
import { ScriptStreams, type StreamCommand } from './script-streams.ts';
import { nameOfState } from './state-names.ts';

/** What every instance of an application shares. */
export interface InstanceHost {
  readonly pool: CorePool;
  /** Of the application, as its last good `app.json` has them. */
  readonly settings: AppSettings;
  readonly log: Log;
  readonly clock: Clock;
  readonly ledger: Ledger;
  /** Those of the application, for its scripts. */
  readonly files: AppFiles;
  /** For persistent shared objects. */
  readonly store: Store;
  readonly windows: Windows;
  readonly archive: Archive;
  /** What the shared objects of the application's instances hold in memory. */
  readonly sharedUsage: Usage;
  /** What becomes of the instances is told there. */
  readonly news: Log;
  /** Of all instances together, for what their scripts print. */
  readonly logBudget: LogBudget;
  /** For a script that starts now. */
  readonly leash: Leash;
  /** `application.server` and `application.hostname` of the scripts. */
  readonly serverVersion: string;
  readonly hostname: string;
  /** Serves a client that is in this process, at the other end of a stream. */
  readonly serve: (stream: ByteStream) => void;
}

/** Who counts what scripts do, for the server's metrics. */
export interface Ledger {
  turn(deliveries: number): void;
  end(app: string, reason: EndReason): void;
}

/** A command about clients, streams or calls: those about the script itself end here. */
export type ClientCommand = Exclude<
  Command,
  {
    kind:
      | 'log'
      | 'script-error'
      | 'started'
      | 'stopped'
      | 'saved'
      | 'restored'
      | 'wake-at'
      | 'charge'
      | 'fetch'
      | 'unfetch'
      | 'link-open'
      | 'link-close'
      | ShareCommand['kind']
      | StreamCommand['kind']
      | PushCommand['kind']
      | 'shutdown';
  }
>;

/** What one script leaves to the next, or a part of it. */
export interface Instalment {
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** The last instalment, and what there is to say of all. */
export interface Estate extends Instalment {
  readonly objects: number;
  /** Answers that the script still waited for. */
  readonly waiting: number;
  /** Places of what is no data, and timers, that starting the same code does not bring back. */
  readonly lost: number;
  readonly timers: number;
}

/** How a script has taken over an estate. */
export interface Inheritance {
  /** It wants to be asked about each client (`onReattach`). */
  readonly greets: boolean;
  /** Places that are without what they held, as far as they are told, and how many there are. */
  readonly lost: readonly string[];
  readonly lostCount: number;
}

export interface IncarnationListener {
  onCommand(incarnation: Incarnation, command: ClientCommand): void;
  onTurnEnd(): void;
  /** Its core will go: the script should have moved to another when this resolves. */
  onMove(incarnation: Incarnation): Promise<void>;
  /** The script wants the instance to end. */
  onShutdown(incarnation: Incarnation): void;
  /** A handler took so much time on behalf of a client (0 for nobody), as the isolate counts it. */
  onCharge(client: number, handler: string, ms: number): void;
  /** A handler threw, or nobody handled a rejection: the author has been told. */
  onThrow(incarnation: Incarnation, text: string): void;
  /** Whether one of that number is connected. */
  hasClient(client: number): boolean;
  /** Answers the script's blocking requests about clients and the instance, by name. */
  readonly answerers: Readonly<Record<string, Answerer>>;
  /** The script ended by itself; the author has been told. What it had not handled is in its mailbox. */
  onEnd(incarnation: Incarnation, end: ScriptEnd): void;
}

/**
 * `failed` is the application's fault, `crashed` its core's: that is worth another try. `guilty`: it killed its core.
 * `outdated`: it did not begin, as there is newer code.
 */
export type StartOutcome = 'started' | 'failed' | 'crashed' | 'guilty' | 'outdated';

/** Warnings of one build that the script hears of, and characters of their lines. The log has them all. */
const MAX_TOLD_WARNINGS = 16;
const MAX_TOLD_LINE = 500;
/** What isolated-vm says of it. */
const TIMED_OUT = 'Script execution timed out.';

/** Why one script cannot take over from another; the message is for the author. */
export class HandoverError extends StagewireError {
  constructor(message: string) {
    super('E_HANDOVER', 'app', message);
  }
}

/** One build of an application running for one instance: its script, its log lines, its errors. */
export class Incarnation {
  readonly build: Build;
  readonly log: Log;
  readonly script: Script;
  /** What it was started with: later ones are for those that start later. */
  readonly settings: AppSettings;
  readonly #app: string;
  readonly #host: InstanceHost;
  readonly #listener: IncarnationListener;
  readonly #scriptLog: Log;
  readonly #logBudget: LogBudget;
  readonly #fetcher: Fetcher;
  readonly #links: ScriptLinks;
  readonly #pushes: ScriptPushes;
  readonly #remotes: RemoteShares;
  /** Once the script has asked for something. */
  #files: Files | undefined;
  readonly #objects: SharedObjects;
  readonly #shares: ScriptShares;
  readonly #streams: ScriptStreams;
  /** While it starts: hears why it cannot, or an empty text. */
  #onStarted: ((error: string) => void) | undefined;
  #onStopped: ((isVetoed: boolean) => void) | undefined;
  #onSaved: ((said: Extract<Command, { kind: 'saved' }>) => void) | undefined;
  #onDrafted: ((said: Extract<Command, { kind: 'drafted' }>) => void) | undefined;
  #onRestored: ((said: Extract<Command, { kind: 'restored' }>) => void) | undefined;
  /** What it has handed over. */
  #state: Buffer | undefined;
  /** What it has sent before it is the instance's script, when there is another; undefined from then on. */
  #early: EarlyCommands | undefined;
  #hasStarted = false;
  /** What it has on `application` when it has started. */
  #functions: readonly string[] = [];
  #failure: StartOutcome = 'failed';
  /** How it died before it had started, in words. */
  #death = '';
  /** Of a start that killed its core: nobody else can have. */
  isOnlySuspect = false;

  constructor(
    name: string,
    build: Build,
    host: InstanceHost,
    objects: SharedObjects,
    streams: StreamDirectory,
    links: InstanceLinks,
    throttle: CpuThrottle,
    listener: IncarnationListener,
  ) {
    this.build = build;
    this.#objects = objects;
    this.#shares = new ScriptShares(
      objects,
      () => this.#remotes,
      () => this.script,
      (client) => listener.hasClient(client),
      (text) => {
        if (this.#logBudget.takes(text)) this.log.warn(text);
      },
    );
    this.settings = host.settings;
    this.#streams = new ScriptStreams(
      streams,
      () => this.script,
      (link) => this.#links.place(link),
      this.settings.limits.outgoingConnectMs,
    );
    this.#app = build.app;
    this.#host = host;
    this.#listener = listener;
    const fields = { instance: name, build: build.id };
    this.log = host.news.child(fields);
    this.#scriptLog = host.log.child(fields);
    this.#logBudget = new LogBudget({
      bytesPerSecond: () => this.settings.limits.logBytesPerSecond,
      log: this.#scriptLog,
      clock: host.clock,
      all: host.logBudget,
    });
    this.#fetcher = new Fetcher({
      hosts: new FetchHosts(this.settings.fetch?.hosts ?? []),
      limits: this.settings.limits,
      clock: host.clock,
      onOutcome: (outcome) => this.#fetched(outcome),
    });
    this.#links = new ScriptLinks({
      app: build.app,
      settings: this.settings,
      clock: host.clock,
      script: () => this.script,
      all: links,
      serve: host.serve,
    });
    this.#pushes = new ScriptPushes({
      streams,
      script: () => this.script,
      placeOf: (link) => this.#links.place(link),
      limits: this.settings.limits,
    });
    this.#remotes = new RemoteShares(this.#links, host.clock, this.settings.limits);
    this.script = new Script(scriptSpec(name, build, host), host.clock, throttle, host.leash, {
      onCommand: (command) => this.#command(command),
      onTurnEnd: (deliveries) => {
        host.ledger.turn(deliveries);
        this.#shares.settle();
        this.#links.turned();
        listener.onTurnEnd();
      },
      onError: (message, stack) => this.#reportError('promise', message, stack),
      onDispose: () => {
        this.#fetcher.close();
        this.#pushes.close();
        this.#links.close();
        this.#files?.close();
        this.#shares.close();
        this.#streams.close();
      },
      onLowMemory: (heapBytes) => {
        const { heapMb: limitMb } = this.settings.limits;
        this.script.post({ kind: 'low-memory', usedMb: Math.round(heapBytes / 1024 / 1024), limitMb });
      },
      onState: (state) => {
        this.#state = state;
      },
      onMove: () => listener.onMove(this),
      onAsk: (question) => answer(question, this.#answerers()),
      onEnd: (end) => this.#ended(end),
    });
  }

  /** Another script is in charge until this one takes over: what it sends waits for that. */
  waitItsTurn(): void {
    this.#early = new EarlyCommands();
    this.#shares.isSuccessor = true;
  }

  /** Throws when it has sent too much before it takes over. */
  checkEarly(): void {
    if (this.#early?.isOverflowing) throw new HandoverError('it has sent too much before it has taken over');
  }

  /** Of the state, and of the time in which a turn may read it: the rest is for what has to be done with it. */
  get #bounds(): { maxBytes: number; maxMs: number } {
    const { stateBytes, handlerMs } = this.settings.limits;
    return { maxBytes: stateBytes, maxMs: Math.ceil(handlerMs / 2) };
  }

  /**
   * A further instalment of the data, or the first, for the next script, while this one goes on. It is held. Undefined when
   * there is none.
   */
  async draft(isFirst: boolean): Promise<Instalment | undefined> {
    let said: Extract<Command, { kind: 'drafted' }> | undefined;
    this.#onDrafted = (how) => {
      said = how;
    };
    this.#state = undefined;
    await this.script.perform({ kind: 'draft', ...this.#bounds, isFirst });
    this.#onDrafted = undefined;
    const bytes = this.#state;
    this.#state = undefined;
    if (!said?.isOk || !bytes || this.script.isEnded) return undefined;
    return { bytes, isLast: said.isLast };
  }

  /** Who should take over has died: what `draft` has given is of no use. It is held. */
  async forgetDraft(): Promise<void> {
    await this.script.perform({ kind: 'undraft' });
  }

  /**
   * All that the script has of data, for the next one, or what that lacks if `isDrafted`: it has what `draft` has given. It
   * is held. Throws what it says, or that it died of it.
   */
  async save(isDrafted: boolean): Promise<Estate> {
    let said: Extract<Command, { kind: 'saved' }> | undefined;
    this.#onSaved = (how) => {
      said = how;
    };
    this.#state = undefined;
    await this.script.perform({ kind: 'save', ...this.#bounds, isDrafted });
    this.#onSaved = undefined;
    const bytes = this.#state;
    this.#state = undefined;
    if (!said || this.script.isEnded) throw new HandoverError('the script died while its state was read');
    if (said.error !== '') throw new HandoverError(said.error);
    if (!bytes) throw new HandoverError('its state did not arrive');
    const { objects, waiting, lost, timers } = said;
    return { bytes, isLast: true, objects, waiting, lost, timers };
  }

  /**
   * Takes an instalment of what another build's script leaves, and with the last one all of it. It has started, and is held.
   * Throws as `save`.
   */
  async restore(build: string, { bytes, isLast }: Instalment): Promise<Inheritance> {
    let said: Extract<Command, { kind: 'restored' }> | undefined;
    this.#onRestored = (how) => {
      said = how;
    };
    await this.script.perform({ kind: 'restore', from: build, isLast }, bytes);
    this.#onRestored = undefined;
    if (!said || this.script.isEnded) throw new HandoverError('the script died while it took over the state');
    this.checkEarly();
    if (said.error !== '') throw new HandoverError(said.error);
    return said;
  }

  /** What waited for the script before this one, as this one knows it; undefined when it means nothing to it. */
  inherit(delivery: Delivery, from: Incarnation): Delivery | undefined {
    switch (delivery.kind) {
      case 'shared-sync':
      case 'shared-send':
      case 'shared-status': {
        const object = this.#shares.numberOf(from.#shares.objectOf(delivery.object));
        return object === undefined ? undefined : { ...delivery, object };
      }
      default:
        return delivery;
    }
  }

  #answerers(): Readonly<Record<string, Answerer>> {
    const { limits } = this.settings;
    this.#files ??= new Files({ files: this.#host.files, limits, inputs: this.build.inputs });
    if (this.script.isEnded) this.#files.close();
    return {
      ...this.#listener.answerers,
      ...this.#files.answerers,
      ...this.#shares.answerers,
      ...this.#streams.answerers,
      'state.name': (stack) => nameOfState(String(stack), this.build) ?? null,
    };
  }

  /** Boots and runs `onAppStart`. What is wrong with the application has been told to its author. Held afterwards. */
  async start(company: Company): Promise<StartOutcome> {
    const { clock, pool } = this.#host;
    const { limits } = this.settings;
    try {
      const hasBooted = await this.script.boot(pool, this.#app, company).finally(() => this.#chargeBoot());
      if (!hasBooted) {
        this.script.dispose();
        return 'outdated';
      }
    } catch (error) {
      if (!(error instanceof BootError)) return this.#crashed(error);
      const isLate = error.message === TIMED_OUT;
      const message = isLate ? `took longer than ${limits.startMs} ms (limits.startMs)` : error.message;
      this.#reportError('top level', message, error.scriptStack);
      return 'failed';
    }
    const failure = await new Promise<string>((resolve) => {
      const late = `application.onAppStart took longer than ${limits.startMs} ms (limits.startMs)`;
      const timer = clock.setTimer(() => resolve(late), limits.startMs);
      this.#onStarted = (error) => {
        clock.clearTimer(timer);
        resolve(error);
      };
      this.script.post({ kind: 'start' });
      this.script.release();
    });
    this.#onStarted = undefined;
    if (failure !== '') {
      this.log.error(`does not start: ${failure}`, { code: 'E_APP_START' });
      this.script.dispose();
      return this.#failure;
    }
    await this.script.hold();
    if (this.script.isEnded) {
      // It had said that it has started, and died of what it left behind in that turn.
      this.log.error(`does not start: ${this.#death}`, { code: 'E_APP_START' });
      return this.#failure;
    }
    this.#hasStarted = true;
    this.#objects.scriptStarted();
    this.#tellWarnings();
    tellMisspelled(this.build, this.log, this.#functions);
    return 'started';
  }

  /** What the build had to say, to the script's `application.onStatus` too. */
  #tellWarnings(): void {
    for (const { text, file, line, lineText } of this.build.warnings.slice(0, MAX_TOLD_WARNINGS)) {
      const place = { filename: file, lineno: line, linebuf: lineText.slice(0, MAX_TOLD_LINE) };
      this.script.post({ kind: 'status', info: { isWarning: true, description: text, ...place } });
    }
  }

  /** So that what the whole costs is not laid on its handlers alone. */
  #chargeBoot(): void {
    const { cpuMs } = this.script.figures;
    if (cpuMs > 0) this.#listener.onCharge(0, 'top level', cpuMs);
  }

  #crashed(error: unknown): StartOutcome {
    const death = error instanceof CoreDeathError ? error.death : undefined;
    const isGuilty = death?.isSuspect === true;
    this.isOnlySuspect = death?.isOnlySuspect === true;
    const code = isGuilty ? END_CODES[death.reason] : 'E_CORE_GONE';
    this.log.error(`does not start: ${death ? `top level: ${death.message}` : describeError(error)}`, {
      code,
    });
    return isGuilty ? 'guilty' : 'crashed';
  }

  /** It is the script of the instance now, and has been told who is there. */
  takeOver(): void {
    this.#shares.takeOver();
    const early = this.#early?.takeAll() ?? [];
    this.#early = undefined;
    for (const command of early) this.#command(command);
    // What it plays may come over connections that it has just opened.
    this.#streams.takeOver();
  }

  /** Runs `onAppStop`; true when it vetoed. False after `patienceMs`. */
  stop(code: string, patienceMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#host.clock.setTimer(() => resolve(false), patienceMs);
      this.#onStopped = (isVetoed) => {
        this.#host.clock.clearTimer(timer);
        resolve(isVetoed);
      };
      this.script.post({ kind: 'stop', code });
    });
  }

  #command(command: Command): void {
    try {
      if (this.#early?.takes(command)) return;
      switch (command.kind) {
        case 'log':
          if (this.#logBudget.takes(command.text)) this.#scriptLog[command.level](command.text);
          return;
        case 'script-error':
          return this.#reportError(command.where, command.message, command.stack);
        case 'started':
          this.#functions = command.functions;
          return this.#onStarted?.(command.error);
        case 'stopped':
          return this.#onStopped?.(command.isVetoed);
        case 'drafted':
          return this.#onDrafted?.(command);
        case 'saved':
          return this.#onSaved?.(command);
        case 'restored':
          return this.#onRestored?.(command);
        case 'charge':
          return this.#listener.onCharge(command.client, command.handler, command.ms);
        case 'fetch':
          return this.#fetcher.start(command);
        case 'unfetch':
          return this.#fetcher.cancel(command.request);
        case 'share':
        case 'share-lock':
        case 'share-guard':
        case 'share-verdict':
        case 'share-close':
        case 'share-attach':
        case 'share-purge':
        case 'share-auto-commit':
        case 'share-resync-depth':
        case 'share-save':
          return this.#shares.obey(command);
        case 'stream-send':
        case 'stream-set':
          return this.#streams.obey(command);
        case 'shutdown':
          return this.#listener.onShutdown(this);
        case 'wake-at':
          return; // the script's own
        case 'push-start':
        case 'push-set':
        case 'push-send':
        case 'push-stop':
          return this.#pushes.obey(command);
        case 'link-open':
        case 'link-close':
          return void this.#links.obey(command);
        default:
          // What is for the other side of a connection of the script's own looks like what is for a client.
          if (!this.#links.obey(command)) this.#listener.onCommand(this, command);
      }
    } catch (error) {
      // A bug of ours: this command is lost, the instance is not.
      this.log.error(`the command "${command.kind}" failed`, { error });
    }
  }

  /** Answers that a busy script has not come to must not be the end of it. */
  #fetched(outcome: FetchOutcome): void {
    if (outcome.kind === 'unfetched' || this.script.mailbox.hasRoomFor(outcome.body.length))
      return this.script.post(outcome);
    const message = `fetch: too much waits for this instance to take ${outcome.body.length} bytes more (limits.mailboxBytes)`;
    this.script.post({ kind: 'unfetched', request: outcome.request, code: 'E_FETCH_TOO_LARGE', message });
  }

  #ended(end: ScriptEnd): void {
    this.#shares.blame(end.culprit, end.lost);
    if ((end.reason === 'cpu' || end.reason === 'stuck') && end.culprit) {
      // It never came to charging itself.
      const client = 'client' in end.culprit ? end.culprit.client : 0;
      this.#listener.onCharge(client, nameOfHandler(end.culprit), this.settings.limits.handlerMs);
    }
    const why = describeEnd(end, this.settings.limits);
    if (!this.#hasStarted) {
      const isCore = end.reason === 'crash' || end.reason === 'stuck' || end.message.startsWith('its core');
      this.#death = why;
      this.isOnlySuspect = end.isOnlySuspect;
      this.#failure = !end.isGuilty ? 'crashed' : isCore ? 'guilty' : 'failed';
      return this.#onStarted?.(why);
    }
    const { codeFrame } = mapStackTrace(end.stack, this.build);
    const code = end.reason === 'reload' || end.reason === 'move' ? undefined : END_CODES[end.reason];
    const advice = end.isGuilty ? ADVICE[end.reason] : undefined;
    const detail = [codeFrame, advice].filter(Boolean).join('\n');
    const fields = { code, reason: end.reason, ...(detail && { detail }) };
    if (end.isGuilty) this.log.error(why, fields);
    else this.log.warn(why, fields);
    this.#listener.onEnd(this, end);
  }

  /** Prints what a script threw, in the author's own lines, and tells the script's `application.onStatus`. */
  #reportError(handler: string, message: string, stack: string): void {
    // A client chooses the name of what it calls, and a script which names there are.
    const where = printable(handler, 100);
    const { frames, codeFrame } = mapStackTrace(stack, this.build);
    const place = frames[0];
    if (this.#logBudget.takes(`${message}${codeFrame ?? ''}`)) {
      const at = place ? ` (${place.file}:${place.line}:${place.column})` : '';
      this.#scriptLog.error(`${where}: ${message}${at}`, {
        code: 'E_SCRIPT',
        ...(codeFrame && { detail: codeFrame }),
      });
    }
    this.#listener.onThrow(this, `${where}: ${message}`);
    // A script that throws faster than it listens hears of some of it only; the log has it all.
    if (where === 'application.onStatus' || !this.#hasStarted || this.script.mailbox.isFull) return;
    this.script.post({
      kind: 'status',
      info: {
        isWarning: false,
        description: message,
        filename: place?.file ?? '',
        lineno: place?.line ?? 0,
        linebuf: codeFrame?.split('\n')[0]?.replace(/^\d+ \| /, '') ?? '',
      },
    });
  }
}
