import { availableParallelism } from 'node:os';
import { isResourceName } from '../../wire/stream-name.ts';
import type { Timer } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import { Gate } from '../base/gate.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { ClientEnd, ConnectRequest, Refusal, Seat } from '../rtmp/ports.ts';
import type { Company } from '../scripts/core-pool.ts';
import { CpuThrottle } from '../scripts/cpu-throttle.ts';
import { END_SENTENCES, type EndReason } from '../scripts/ends.ts';
import type { ScriptEnd, ScriptFigures } from '../scripts/script.ts';
import { SharedObjects } from '../shared-objects/directory.ts';
import { StreamDirectory } from '../streams/directory.ts';
import { Library } from '../streams/library.ts';
import { type AppSettings, isSameSettings, type ReloadMode } from './app-file.ts';
import type { Build } from './builder.ts';
import { Clients } from './clients.ts';
import { Deaths } from './deaths.ts';
import { type Carried, handOverMost, inherit, type Transition, tellLosses } from './handing-over.ts';
import { HandoverError, Incarnation, type InstanceHost } from './incarnation.ts';
import { InstanceLinks } from './instance-links.ts';
import { untilNewsCome } from './late-news.ts';
import { Sharing } from './sharing.ts';
import { Usage } from './usage.ts';

/** What all scripts of an instance have done together. */
export interface Totals {
  cpuMs: number;
  hostMs: number;
  turns: number;
  deliveries: number;
}

/** How new code took over from the build `from`: milliseconds, and what of its state came along. */
export interface Switch {
  readonly from: string;
  /** From the news of the build until it had started. */
  readonly readyMs: number;
  /** How long what clients sent waited. */
  readonly pausedMs: number;
  readonly objects: number;
  readonly bytes: number;
}

/** What an instance has to do with the application it is one of. */
export interface InstanceOwner {
  /** The last build that succeeded. */
  newest(): Build | undefined;
  /** A build that has started before: what a new instance falls back to. */
  proven(): Build | undefined;
  /**
   * Resolves when this instance may start that build, with the company in which: code that has never run is tried by
   * one instance at a time, in a core that serves nobody. `tried` must follow. Undefined when newer code came while it
   * waited: that is what it should start.
   */
  admit(build: Build): Promise<Company | undefined>;
  tried(build: Build, hasStarted: boolean): void;
  /** Whether its scripts may share cores with other applications' at all. */
  isTrusted(): boolean;
  /** A script of the application took its core with it. */
  killedCore(): void;
  /** Called once. */
  closed(): void;
}

/** Switches from one script to the next that go on at one time, of all instances. */
const switches = new Gate(availableParallelism());
const MAX_STARTS = 5;
const START_AGAIN_MS = 100;
/** A script that runs a handler does not tell its size before that is over. */
const ASK_MS = 300;
/** A stranger who was never let in does not keep an instance in memory. */
const NEVER_USED_MS = 5000;

/**
 * One application instance: the life of its script, which is loaded, replaced by a new build, started again after its
 * death, and in the end stopped, while clients and streams go on.
 */
export class Instance {
  readonly app: string;
  readonly instance: string;
  readonly name: string;
  readonly streams: StreamDirectory;
  readonly #links = new InstanceLinks();
  readonly sharedObjects: SharedObjects;
  readonly startedAt: number;
  readonly #host: InstanceHost;
  readonly #owner: InstanceOwner;
  readonly #clients: Clients;
  /** Undefined while the script loads or is being replaced after its death, and for an app without a script. */
  #current: Incarnation | undefined;
  #build: Build | undefined;
  /** What the present script was started with. */
  #settings: AppSettings | undefined;
  /** Loads, reloads and recoveries happen one after the other. */
  #work: Promise<void>;
  #unloadTimer: Timer | undefined;
  #idleSince: number | undefined;
  #isClosing = false;
  #isClosed = false;
  readonly #deaths: Deaths;
  /** One for all its scripts: dying is no way to a new allowance. */
  readonly #throttle: CpuThrottle;
  /** The script that died and why, until another has taken over. */
  #bereaved: { by: Incarnation; reason: EndReason } | undefined;
  /** Reloads that wait for their turn. */
  #reloads = 0;
  /** Another is under way. */
  #isReloading = false;
  /** Somebody wants to know whether the present build does well. */
  #onFailure: ((text?: string) => void) | undefined;
  /** Ends the waiting time before the next start. */
  #startNow: (() => void) | undefined;
  readonly #ends = new Map<EndReason, number>();
  /** When it came to run the present build, milliseconds since 1970, and how it took over from the one before. */
  runsSince: number | undefined;
  switched: Switch | undefined;
  readonly usage = new Usage();
  /** Of the scripts that have ended. */
  readonly #past: Totals = { cpuMs: 0, hostMs: 0, turns: 0, deliveries: 0 };

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
    this.#deaths = new Deaths(host);
    this.#throttle = new CpuThrottle(() => host.settings.limits.cpuPercent);
    const library = new Library({
      storage: host.files.sandbox,
      app,
      instance,
      archive: host.archive,
      log: host.news.child({ instance: this.name }),
      get virtual() {
        return host.settings.streams?.virtual ?? {};
      },
      get remux() {
        return host.settings.streams?.remux;
      },
      get limits() {
        return host.settings.limits;
      },
    });
    const house = {
      windows: host.windows,
      get limits() {
        return host.settings.limits;
      },
      get windowMs() {
        return host.settings.streams?.windowMs;
      },
      get codecPolicy() {
        return host.settings.streams?.codecs ?? 'drop';
      },
      get erasesOnPublish() {
        return host.settings.streams?.eraseOnPublish === true;
      },
      failed: (stream: string, error: unknown) =>
        host.news.error('a bug of the server', { code: 'E_BUG', instance: this.name, stream, error }),
    };
    this.streams = new StreamDirectory(house, library);
    this.sharedObjects = new SharedObjects({
      get settings() {
        return host.settings;
      },
      store: host.store.of(app, instance),
      appUsage: host.sharedUsage,
      log: host.log.child({ instance: this.name }),
      isName: isResourceName,
    });
    this.#clients = new Clients(host, this.streams, new Sharing(host, this.sharedObjects), {
      onEmpty: () => this.#scheduleUnload(),
      log: () => this.#log,
    });
    this.#work = this.#load(build);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get build(): Build | undefined {
    return this.#build;
  }

  get clientCount(): number {
    return this.#clients.count;
  }

  /** Since when nobody has been connected, on the monotonic clock; undefined while somebody is. */
  get idleSince(): number | undefined {
    return this.#clients.count === 0 ? this.#idleSince : undefined;
  }

  /** Makes room for another instance: nobody is connected to this one. */
  evict(): void {
    if (this.idleSince === undefined) return;
    this.#log.info('unloaded to make room: it was idle for longest');
    this.#end({ code: 'NetConnection.Connect.AppShutdown', description: 'The instance was idle.' });
  }

  get clients(): Clients {
    return this.#clients;
  }

  /** What the script that runs now has done; undefined without one. */
  get figures(): ScriptFigures | undefined {
    return this.#current?.script.figures;
  }

  get totals(): Readonly<Totals> {
    const { cpuMs = 0, hostMs = 0, turns = 0, deliveries = 0 } = this.figures ?? {};
    const past = this.#past;
    return {
      cpuMs: past.cpuMs + cpuMs,
      hostMs: past.hostMs + hostMs,
      turns: past.turns + turns,
      deliveries: past.deliveries + deliveries,
    };
  }

  get limits(): Limits {
    return this.#host.settings.limits;
  }

  /** How often its script ended, by reason. */
  get ends(): ReadonlyMap<EndReason, number> {
    return this.#ends;
  }

  /** The size of the script's heap now, or when it last told if it is busy; undefined without one. */
  async heapBytes(): Promise<number | undefined> {
    const script = this.#current?.script;
    if (!script) return undefined;
    const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ASK_MS).unref());
    return (await Promise.race([script.stats(), late]))?.heapBytes ?? script.figures.heapBytes;
  }

  /** Starts the script anew, clients attached, as after a death, or ends its waiting for that. False when it has none. */
  restart(): boolean {
    if (this.#startNow) {
      this.#startNow();
      return true;
    }
    if (!this.#current) return false;
    this.#current.script.end('operator', 'restarted through the API', false);
    return true;
  }

  connect(request: ConnectRequest, end: ClientEnd): Seat {
    return this.#clients.connect(request, end);
  }

  /** New code, or new settings, for the running instance. The old script goes on when the new one fails. */
  reload(build: Build, why: 'reload' | 'return' = 'reload'): Promise<void> {
    if (this.#current && this.#modeFor(build) === 'disconnect' && !this.#runs(build)) {
      const why =
        this.#host.settings.reload === undefined
          ? 'new code ends a classic script and disconnects its clients, unless app.json says "reload": "keep"'
          : 'there is new code, and app.json wants clients disconnected then';
      this.#log.info(`ended: ${why}`);
      this.unload('The application was reloaded.');
      return Promise.resolve();
    }
    if (this.#runs(build) && this.#reloads === 0 && !this.#isReloading) return Promise.resolve(); // nothing new
    this.#deaths.forgive();
    this.#reloads++;
    this.#startNow?.();
    return this.#enqueue(async () => {
      this.#reloads--;
      if (this.#isClosed || this.#isClosing || this.#reloads > 0) return; // newer code comes next
      if (this.#runs(build)) return this.#revive();
      this.#isReloading = true;
      await this.#replace(build, why).finally(() => {
        this.#isReloading = false;
      });
    });
  }

  /** To another core, with its state: the present one will go. It stays when that fails, and is then recovered. */
  #move(from: Incarnation): Promise<void> {
    const isThere = () => this.#current === from && !this.#isClosed && !this.#isClosing;
    return this.#enqueue(async () => {
      if (!isThere()) return;
      const startedAt = this.#host.clock.monotonic();
      const next = await this.#start(from.build, true);
      if (!next) return;
      await switches.run(async () => {
        if (isThere()) return this.#switchTo(from.build, next, startedAt, 'move');
        this.#addUp(next);
        next.script.dispose();
      });
    });
  }

  /** What it takes over: as FMS had it, new code of a classic application begins anew. */
  #modeFor(build: Build): ReloadMode {
    const isNewClassic = build.main?.name.endsWith('.asc') && build.id !== this.#build?.id;
    return this.#host.settings.reload ?? (isNewClassic ? 'disconnect' : 'keep');
  }

  /** Starts that build beside the script that runs now, and hands everything over to it. */
  async #replace(build: Build, why: Transition): Promise<void> {
    const { clock } = this.#host;
    const startedAt = clock.monotonic();
    const next = build.main ? await this.#start(build, this.#current !== undefined) : undefined;
    if (build.main && !next) {
      if (this.#reloads > 0) return;
      this.#log.warn('goes on with the code it has');
      return this.#revive();
    }
    if (next && why === 'reload') await untilNewsCome(build, () => this.#isOutdated(build));
    // When hundreds have new code each switch has a processor to itself, and time limits hold for what they are about.
    await switches.run(() => {
      if (!next || !this.#isOutdated(build)) return this.#switchTo(build, next, startedAt, why);
      this.#addUp(next);
      next.script.dispose();
      return this.#revive(); // newer code comes next
    });
  }

  /** Hands everything over to a script that has started and is held; to nobody when the application has none any more. */
  async #switchTo(
    build: Build,
    next: Incarnation | undefined,
    startedAt: number,
    why: Transition,
  ): Promise<void> {
    const { clock } = this.#host;
    const reason = why === 'move' ? 'move' : 'reload';
    // The mode is about new code: what moves is the same.
    const isKept = why === 'move' || (why !== 'fresh' && this.#modeFor(build) === 'keep');
    // Who moves does so because its core is about to be killed: that must not take longer than it has to.
    const draft =
      next && this.#current && isKept && why !== 'move'
        ? await handOverMost(this.#current, next, clock)
        : undefined;
    const heldAt = clock.monotonic();
    const previous = this.#current;
    await previous?.script.hold();
    if (this.#isClosed) return next?.script.dispose();
    if (next?.script.isEnded) {
      next.log.error('died before it could take over; the one before goes on');
      this.#addUp(next);
      if (draft) await previous?.forgetDraft();
      previous?.script.release();
      return;
    }

    let carried: Carried | undefined;
    try {
      if (next && previous && !previous.script.isEnded && isKept)
        carried = await inherit(previous, next, why, draft);
      next?.checkEarly();
    } catch (error) {
      if (!(error instanceof HandoverError)) throw error;
      next?.log.error(`does not take over: ${error.message}`, { code: error.code });
      if (next) this.#addUp(next);
      next?.script.dispose();
      if (this.#isClosed) return;
      previous?.script.release();
      if (why === 'return') return this.#startWithout(build, startedAt);
      this.#log.warn(why === 'move' ? 'stays where it is' : 'goes on with the code it has');
      return this.#revive();
    }
    if (this.#isClosed) return next?.script.dispose();

    const unhandled = previous?.script.mailbox.takeAll() ?? [];
    const from = this.#build?.id ?? '';
    this.#current = next;
    this.#build = build;
    if (!next) this.#clients.openToAll(unhandled);
    else if (carried && previous) {
      const own = unhandled.flatMap((delivery) => next.inherit(delivery, previous) ?? []);
      this.#clients.carryOver(next, reason, carried.inheritance.greets, own);
    } else this.#clients.handOver(next, reason, unhandled);
    this.#bereaved = undefined;
    if (previous && !previous.script.isEnded) {
      previous.script.dispose();
      this.#count(previous, reason);
    }
    if (next) next.takeOver();
    else this.sharedObjects.takenOver(false);

    const readyMs = heldAt - startedAt;
    const pausedMs = Math.max(clock.monotonic() - heldAt, draft?.longestHoldMs ?? 0);
    const { objects = 0 } = carried?.estate ?? {};
    if (why !== 'move') {
      this.runsSince = clock.now();
      this.switched = { from, readyMs, pausedMs, objects, bytes: carried?.bytes ?? 0 };
    }
    const took = `ready in ${Math.round(readyMs)} ms, paused ${pausedMs.toFixed(1)} ms`;
    const along = carried ? `, ${objects} objects carried over` : '';
    const what = why === 'move' ? 'moved to another core' : 'runs new code';
    this.#log.info(`${what}, ${this.#clientsKept()}${along} (${took})`);
    if (carried && next) tellLosses(next, carried.estate, carried.inheritance);
  }

  /** Older code that cannot take over what newer code has left: it is wanted all the same. */
  async #startWithout(build: Build, startedAt: number): Promise<void> {
    this.#host.news.warn('starts without the state, which it cannot take over', {
      instance: this.name,
      build: build.id,
    });
    const next = await this.#start(build, this.#current !== undefined);
    if (next) return this.#switchTo(build, next, startedAt, 'fresh');
    this.#log.warn('goes on with the code it has');
    return this.#revive();
  }

  /**
   * Whether it runs that build for so long without a fault. Resolves with what a handler threw, or why the script ended;
   * with nothing when there was no fault, or it does not run that build.
   */
  prove(build: Build, ms: number): Promise<string | undefined> {
    if (this.#build?.id !== build.id || this.#isClosed) return Promise.resolve(undefined);
    const { clock } = this.#host;
    return new Promise((resolve) => {
      const end = (text?: string) => {
        clock.clearTimer(timer);
        this.#onFailure = undefined;
        resolve(text);
      };
      const timer = clock.setTimer(() => end(), ms);
      this.#onFailure?.(); // newer code is asked about
      this.#onFailure = end;
    });
  }

  /** Ends it without asking its script. */
  unload(description: string): void {
    this.#end({ code: 'NetConnection.Connect.AppShutdown', description });
  }

  /** Asks the script to stop, tells the clients, and ends. Takes little longer than `patienceMs` whatever it does. */
  async close(why: Refusal, patienceMs: number): Promise<void> {
    if (this.#isClosed || this.#isClosing) return;
    this.#isClosing = true;
    await this.#current?.stop('Application.Shutdown', patienceMs);
    // Each client's onDisconnect follows; what the script does in them reaches nobody any more.
    const script = this.#current?.script;
    this.#clients.disconnectAll(why);
    await script?.whenIdle(patienceMs / 4);
    this.#end(why);
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
    let first: Incarnation | undefined;
    for (;;) {
      this.#build = built;
      if (!built.main) return this.#clients.openToAll([]);
      first = await this.#start(built);
      if (!first && !this.#isOutdated(built)) first = await this.#startProven(built);
      if (first || this.#isClosed || !this.#isOutdated(built)) break;
      built = this.#owner.newest() ?? built;
    }
    if (!first) return refuse('The application failed to start.');
    if (this.#isClosed) return first.script.dispose();
    this.#build = first.build;
    this.#current = first;
    this.runsSince = this.#host.clock.now();
    this.#clients.begin(first);
    first.takeOver();
  }

  /** Undefined when the build does not start: its author has been told. A core that died is not the build's fault. */
  async #start(build: Build, isSuccessor = false): Promise<Incarnation | undefined> {
    for (let attempt = 1; attempt <= MAX_STARTS && !this.#isClosed; attempt++) {
      const admitted = await this.#owner.admit(build);
      if (!admitted) return undefined;
      if (this.#isClosed) {
        this.#owner.tried(build, false);
        return undefined;
      }
      const incarnation = this.#incarnate(build);
      if (isSuccessor) incarnation.waitItsTurn();
      else this.#settings = incarnation.settings; // others may be saved before it has started
      const outcome = await incarnation.start(this.#companyFor(admitted));
      this.#owner.tried(build, outcome === 'started');
      if (outcome !== 'started') this.#addUp(incarnation);
      if (outcome === 'started') {
        this.#settings = incarnation.settings;
        this.#deaths.onQuarantineOver(() => {
          if (this.#owner.isTrusted()) incarnation.script.settleIn();
        });
        return incarnation;
      }
      if (outcome === 'guilty') {
        if (incarnation.isOnlySuspect) this.#owner.killedCore();
        // Others were at work in that core: code that has started before gets another chance, alone.
        if (this.#owner.proven()?.id !== build.id || this.#deaths.add('alone') === undefined)
          return undefined;
      } else if (outcome !== 'crashed') return undefined;
      await new Promise((resolve) =>
        this.#host.clock.setTimer(() => resolve(undefined), START_AGAIN_MS * attempt),
      );
    }
    return undefined;
  }

  /** Code that has never run joins no ward: it may be worse than what the others there are suspected of. */
  #companyFor(admitted: Company): Company {
    const { company } = this.#deaths;
    if (!company) return admitted;
    return admitted === 'fresh' ? 'alone' : company;
  }

  #isOutdated(build: Build): boolean {
    const newest = this.#owner.newest();
    return newest !== undefined && newest.id !== build.id;
  }

  #runs(build: Build): boolean {
    return (
      this.#build?.id === build.id && (!this.#settings || isSameSettings(this.#settings, this.#host.settings))
    );
  }

  /** Code that does not start never takes over, not in new instances either. */
  async #startProven(failed: Build): Promise<Incarnation | undefined> {
    const proven = this.#owner.proven();
    if (!proven?.main || proven.id === failed.id || this.#isClosed) return undefined;
    this.#host.news.warn(`starts with build ${proven.id} instead`, { instance: this.name, build: failed.id });
    return this.#start(proven);
  }

  #incarnate(build: Build): Incarnation {
    const { sharedObjects, streams } = this;
    return new Incarnation(
      this.name,
      build,
      this.#host,
      sharedObjects,
      streams,
      this.#links,
      this.#throttle,
      {
        onCommand: (incarnation, command) => this.#clients.obey(incarnation, command),
        onCharge: (client, handler, ms) => {
          this.usage.add(handler, ms);
          this.#clients.charge(client, ms);
        },
        onTurnEnd: () => this.#clients.turned(),
        onMove: (incarnation) => this.#move(incarnation),
        onThrow: (incarnation, text) => {
          if (incarnation === this.#current) this.#onFailure?.(text);
        },
        onShutdown: (incarnation) => {
          if (incarnation !== this.#current) return;
          const description = 'The application has shut the instance down.';
          void this.close({ code: 'NetConnection.Connect.AppShutdown', description }, this.limits.startMs);
        },
        hasClient: (client) => this.#clients.has(client),
        answerers: this.#clients.answerers,
        onEnd: (incarnation, end) => {
          if (incarnation === this.#current) this.#recover(incarnation, end);
        },
      },
    );
  }

  /** The script is gone: another takes its place, at once or after a while, or the instance is given up. */
  #recover(dead: Incarnation, end: ScriptEnd): void {
    const { reason, isGuilty, culprit, lost, ward } = end;
    this.#current = undefined;
    if (isGuilty) this.#onFailure?.(END_SENTENCES[reason]);
    this.#count(dead, reason);
    this.#clients.bereave(reason, dead.script.mailbox.takeAll(), culprit, lost);
    const isCoreDeath =
      reason === 'stuck' || reason === 'crash' || (reason === 'memory' && culprit === undefined);
    if (end.isOnlySuspect) this.#owner.killedCore();
    const company: Company = ward === undefined ? 'alone' : { ward };
    const waitMs = isGuilty ? this.#deaths.add(isCoreDeath ? company : undefined, end.isStarved) : 0;
    if (waitMs === undefined) {
      const { count, windowMs } = this.#deaths;
      const text = `its script died ${count} times within ${windowMs / 1000} s, at last because ${END_SENTENCES[reason]}`;
      dead.log.error(`closed: ${text}`, { code: 'E_APP_CLOSED', reason });
      const description = `The application failed repeatedly: ${text}.`;
      return this.#end({ code: 'NetConnection.Connect.AppShutdown', description });
    }
    if (waitMs > 0) dead.log.warn(`starts again in ${waitMs / 1000} s: it has died before`);
    this.#bereaved = { by: dead, reason };
    void this.#enqueue(async () => {
      if (waitMs > 0) await this.#wait(waitMs);
      if (this.#reloads === 0) await this.#revive(); // else newer code comes next
    });
  }

  /** A script for those whose script has died, if that is still so. */
  async #revive(): Promise<void> {
    if (!this.#bereaved || this.#current || this.#isClosed) return;
    const { by, reason } = this.#bereaved;
    const next = await this.#start(this.#build ?? by.build);
    if (!next) {
      if (this.#reloads > 0) return; // newer code comes next
      const description = 'The application failed to restart.';
      return this.#end({ code: 'NetConnection.Connect.AppShutdown', description });
    }
    if (this.#isClosed) return next.script.dispose();
    this.#bereaved = undefined;
    this.#current = next;
    this.#clients.handOver(next, reason, []);
    next.takeOver();
    next.log.info(`started again, ${this.#clientsKept()}`, { reason });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#startNow = () => {
        this.#host.clock.clearTimer(timer);
        this.#startNow = undefined;
        resolve();
      };
      const timer = this.#host.clock.setTimer(this.#startNow, ms);
    });
  }

  #count(dead: Incarnation, reason: EndReason): void {
    this.#ends.set(reason, (this.#ends.get(reason) ?? 0) + 1);
    this.#host.ledger.end(this.app, reason);
    this.#addUp(dead);
  }

  /** What a script has done counts beyond its end, and if it never came to start. */
  #addUp({ script }: Incarnation): void {
    const { cpuMs, hostMs, turns, deliveries } = script.figures;
    this.#past.cpuMs += cpuMs;
    this.#past.hostMs += hostMs;
    this.#past.turns += turns;
    this.#past.deliveries += deliveries;
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(task).catch((error: unknown) => {
      this.#log.error(`cannot change its script: ${describeError(error)}`, { error });
    });
    return this.#work;
  }

  #scheduleUnload(): void {
    if (this.#isClosed) return;
    const { clock, settings } = this.#host;
    const { idleInstanceMs } = settings.limits;
    this.#idleSince = clock.monotonic();
    this.#unloadIn(this.#clients.wasUsed ? idleInstanceMs : Math.min(NEVER_USED_MS, idleInstanceMs));
  }

  #unloadIn(waitMs: number): void {
    const { clock, settings } = this.#host;
    const { startMs, gcIntervalMs } = settings.limits;
    const isIdle = () => this.#clients.count === 0 && !this.#isClosed;
    clock.clearTimer(this.#unloadTimer);
    this.#unloadTimer = clock.setTimer(async () => {
      if (!isIdle()) return;
      const isVetoed = await this.#current?.stop('Application.GC', startMs);
      if (!isIdle()) return;
      if (isVetoed) return this.#unloadIn(gcIntervalMs);
      const idleMs = clock.monotonic() - (this.#idleSince ?? 0);
      this.#log.info(`unloaded after ${Math.round(idleMs / 100) / 10} s without clients`);
      this.#end({ code: 'NetConnection.Connect.AppShutdown', description: 'The instance was idle.' });
    }, waitMs);
  }

  #end(why: Refusal): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.clock.clearTimer(this.#unloadTimer);
    this.#deaths.close();
    this.#startNow?.();
    this.#clients.close(why);
    this.streams.close();
    this.sharedObjects.close();
    this.#current?.script.dispose();
    this.#current = undefined;
    this.#owner.closed();
  }

  get #log(): Log {
    return this.#host.news.child({ instance: this.name, build: this.#build?.id });
  }

  #clientsKept(): string {
    return `${this.#clients.count} ${this.#clients.count === 1 ? 'client' : 'clients'} kept`;
  }
}
