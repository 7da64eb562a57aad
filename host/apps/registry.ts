import { dirname, join, resolve } from 'node:path';
import { isResourceName } from '../../wire/stream-name.ts';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import { LogBudget } from '../base/log-budget.ts';
import type { ClientEnd, ConnectRequest, Lobby, Refusal, Seat } from '../rtmp/ports.ts';
import { App } from './app.ts';
import { readAppSettings } from './app-file.ts';
import type { BuildArchive } from './build-archive.ts';
import { BuildError, formatMessage } from './build-error.ts';
import { AppBuilder, type Build } from './builder.ts';
import { AppFiles } from './files/app-files.ts';
import type { InstanceHost } from './incarnation.ts';
import { Instance } from './instance.ts';
import { findMain } from './main-file.ts';
import type { TypeChecker } from './type-checker.ts';
import { AppWatcher } from './watcher.ts';

/** What every application shares. */
export type ServerHost = Omit<
  InstanceHost,
  'settings' | 'leash' | 'news' | 'logBudget' | 'sharedUsage' | 'files'
> & {
  readonly limits: Limits;
  readonly lockedLimits: readonly string[];
  /** By application: folders elsewhere that its scripts may use, by the path they know them under. */
  readonly fileDirectories: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly builds: BuildArchive;
  /** Undefined when nobody wants types to be checked. */
  readonly types: TypeChecker | undefined;
};

/** One application that takes long to build does not keep the others from being served. */
const FIRST_BUILDS_MS = 3000;
/** What is printed in a second about files that cannot be watched. */
const MAX_PROBLEM_BYTES = 4096;

/** The applications directory: which applications there are, what they run, and who is connected where. */
export class Registry implements Lobby {
  readonly #folder: string;
  readonly #host: ServerHost;
  readonly #scriptLib: readonly string[];
  readonly #watcher: AppWatcher;
  readonly #apps = new Map<string, App>();
  readonly #addressOf: (app: string) => string;
  #instanceCount = 0;
  #isStarted = false;
  #isClosing = false;

  /**
   * `addressOf` tells where clients reach an application that appears while the server runs, `scriptLib` where classic
   * scripts find what they load.
   */
  constructor(
    folder: string,
    host: ServerHost,
    addressOf: (app: string) => string,
    scriptLib: readonly string[] = [],
  ) {
    this.#folder = folder;
    this.#scriptLib = scriptLib;
    this.#host = host;
    this.#addressOf = addressOf;
    this.#watcher = new AppWatcher(folder, {
      clock: host.clock,
      isWrittenBy: (app, file) => this.#apps.get(app)?.files.hasWritten(file) === true,
    });
    this.#watcher.on('added', (name) => void this.#add(name, true));
    this.#watcher.on('removed', (name) => void this.#remove(name));
    this.#watcher.on('changed', (name) => void this.#changed(name));
    this.#watcher.on('held', (name) => this.#apps.get(name)?.hold());
    this.#watcher.on('refused', (name, reason) =>
      host.log.warn(`the folder ${name} is no application: ${reason}`),
    );
    // There may be one for each of an author's files.
    const budget = new LogBudget({
      bytesPerSecond: () => MAX_PROBLEM_BYTES,
      log: host.log,
      clock: host.clock,
    });
    this.#watcher.on('problem', ({ code, message }) => {
      if (budget.takes(message)) host.log.warn(message, { code });
    });
  }

  get apps(): readonly App[] {
    return [...this.#apps.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  get instances(): Instance[] {
    return this.apps.flatMap((app) => [...app.instances.values()]);
  }

  /** Those of the server for an application that is not there. */
  limitsOf(app: string): Limits {
    return this.#apps.get(app)?.settings.limits ?? this.#host.limits;
  }

  /** Whose pages may connect to an application and play its streams; undefined when there is no such application. */
  originsOf(app: string): readonly string[] | undefined {
    const known = this.#apps.get(app);
    return known && (known.settings.cors ?? []);
  }

  find(app: string, instance: string): Instance | undefined {
    return this.#apps.get(app)?.instances.get(instance);
  }

  /** Finds and builds what is there. Resolves when every application has a build or an error, or has taken its time. */
  async start(): Promise<void> {
    await this.#watcher.start();
    await this.#tellIfApplication();
    const added = Promise.all(this.#watcher.apps.map((name) => this.#add(name, false)));
    const { clock } = this.#host;
    await new Promise<void>((resolve, reject) => {
      const timer = clock.setTimer(resolve, FIRST_BUILDS_MS);
      added.then(() => resolve(), reject).finally(() => clock.clearTimer(timer));
    });
    this.#isStarted = true;
  }

  /** Its own folders would be applications then, such as `public`, which accepts everybody. */
  async #tellIfApplication(): Promise<void> {
    const main = await findMain(this.#folder, this.#host.limits.codeBytes).catch(() => undefined);
    if (!main) return;
    const folder = resolve(this.#folder);
    this.#host.log.warn(
      `${folder} has a ${main.name}: it looks like an application. Give --apps the folder that it is in: ${dirname(folder)}`,
    );
  }

  /** Starts an instance that nobody has connected to: it stays until somebody has. False when it runs already. */
  load(appName: string, name: string): boolean | Refusal {
    const app = this.#apps.get(appName);
    if (!app || this.#isClosing) return notDefined(appName);
    if (app.instances.has(name)) return false;
    if (!isResourceName(name)) return refusal(`"${name.slice(0, 80)}" is no name of an instance.`);
    const full = this.#whyFull(app);
    if (full) return full;
    this.#open(app, name);
    return true;
  }

  connect(request: ConnectRequest, client: ClientEnd): Seat | Refusal {
    const app = this.#apps.get(request.app);
    if (this.#isClosing) return refusal('The server is shutting down.');
    if (!app) return notDefined(request.app);
    const { limits } = app.settings;
    let instance = app.instances.get(request.instance);
    if (!instance) {
      const full = this.#whyFull(app);
      if (full) return full;
      instance = this.#open(app, request.instance);
    }
    if (limits.clientsPerInstance > 0 && instance.clientCount >= limits.clientsPerInstance) {
      return refusal('Resource.Limit.Exceeded: too many clients in this instance.');
    }
    if (instance.clients.pendingCount >= limits.pendingClients) {
      return {
        ...refusal('Resource.Limit.Exceeded: too many clients wait for this instance.'),
        isPassing: true,
      };
    }
    return instance.connect(request, client);
  }

  app(name: string): App | undefined {
    return this.#apps.get(name);
  }

  /**
   * Gives all instances of an application the build that ran before the present one, until a file is saved. Resolves with
   * its id when they run it, or have kept what they had; undefined when none is kept.
   */
  async rollback(name: string): Promise<string | undefined> {
    const app = this.#apps.get(name);
    const previous = app?.build && (await this.#host.builds.before(name, this.#runningBuild(app, app.build)));
    if (!app || !previous || this.#isClosing) return undefined;
    app.building = Promise.resolve(previous);
    this.#host.log.info(`goes back to build ${previous.id}`, { instance: name, build: app.build?.id });
    app.setBuild(previous);
    await Promise.all([...app.instances.values()].map((instance) => instance.reload(previous, 'return')));
    return previous.id;
  }

  /** The build that is to be left: what all instances run, or the newest. */
  #runningBuild({ instances }: App, newest: Build): string {
    const running = new Set([...instances.values()].map(({ build }) => build?.id ?? newest.id));
    const [only = newest.id, ...others] = running;
    return others.length === 0 ? only : newest.id;
  }

  /** Stops every instance; resolves within `patienceMs` and a little. */
  async close(patienceMs: number): Promise<void> {
    this.#isClosing = true;
    this.#host.types?.close();
    await this.#watcher.close();
    const why: Refusal = {
      code: 'NetConnection.Connect.AppShutdown',
      description: 'The server is shutting down.',
    };
    await Promise.all(this.instances.map((instance) => instance.close(why, patienceMs)));
    // A build under way may take longer than anybody wants to wait for the end.
    for (const app of this.apps) void app.builder.dispose();
  }

  /** Why there can be no further instance of that application, after making room. */
  #whyFull({ settings: { limits }, instances }: App): Refusal | undefined {
    if (limits.instancesPerApp > 0 && instances.size >= limits.instancesPerApp)
      return refusal('Resource.Limit.Exceeded: too many instances of this application.');
    if (this.#instanceCount >= limits.instances) this.#evictIdle();
    if (this.#instanceCount >= limits.instances)
      return refusal('Resource.Limit.Exceeded: too many instances.');
    return undefined;
  }

  /** Ends the instance that has been without clients for longest, if there is one. */
  #evictIdle(): void {
    let longest: Instance | undefined;
    for (const instance of this.instances) {
      const { idleSince } = instance;
      if (idleSince !== undefined && idleSince < (longest?.idleSince ?? Number.POSITIVE_INFINITY))
        longest = instance;
    }
    longest?.evict();
  }

  #open(app: App, name: string): Instance {
    const build = app.build ? Promise.resolve(app.build) : app.building;
    const host: InstanceHost = {
      ...this.#host,
      news: app.news,
      logBudget: app.logBudget,
      sharedUsage: app.sharedUsage,
      files: app.files,
      get leash() {
        return app.leash;
      },
      get settings() {
        return app.settings;
      },
    };
    const instance: Instance = new Instance(app.name, name, build, host, {
      newest: () => app.build,
      proven: () => app.proven,
      admit: (wanted) => app.admit(wanted),
      tried: (tried, hasStarted) => app.tried(tried, hasStarted),
      isTrusted: () => app.isTrusted,
      killedCore: () => app.killedCore(),
      closed: () => {
        if (app.instances.get(name) !== instance) return;
        app.instances.delete(name);
        this.#instanceCount--;
      },
    });
    app.instances.set(name, instance);
    this.#instanceCount++;
    return instance;
  }

  async #add(name: string, isNew: boolean): Promise<void> {
    if (this.#apps.has(name)) return this.#changed(name);
    const { limits, log, clock } = this.#host;
    const { codeBytes: maxCodeBytes, buildMs, buildMb } = limits;
    const builder = new AppBuilder(join(this.#folder, name), {
      app: name,
      maxCodeBytes,
      scriptLib: this.#scriptLib,
      buildMs,
      buildMb,
    });
    const { fileDirectories } = this.#host;
    const elsewhere = Object.hasOwn(fileDirectories, name) ? fileDirectories[name] : undefined;
    const files = new AppFiles(builder.folder, elsewhere);
    const app = new App(
      name,
      builder,
      files,
      limits,
      log,
      clock,
      () => [...this.#apps.values()],
      (build) => void this.#host.builds.keep(build),
    );
    this.#apps.set(name, app);
    app.building = this.#build(app, isNew);
    await this.#take(app);
  }

  /** What the folder says now: a build, and the settings. Rejects when there is no build, or never were settings. */
  async #build(app: App, isNew: boolean): Promise<Build> {
    const [build] = await Promise.allSettled([isNew ? buildWhenWhole(app.builder) : app.builder.build()]);
    // After the build: of a folder that is being copied, app.json may come last.
    const [settings] = await Promise.allSettled([
      readAppSettings(app.folder, this.#host.limits, this.#host.lockedLimits),
    ]);
    if (settings.status === 'fulfilled') app.setSettings(settings.value);
    else if (!app.hasSettings) throw settings.reason;
    else {
      const problem = describeError(settings.reason).replace(/^E_APP_FILE {2}/, '');
      this.#host.log.error(`${problem}; ${app.name} goes on with the settings it has`, {
        instance: app.name,
        code: 'E_APP_FILE',
      });
    }
    if (build.status === 'rejected') throw build.reason;
    return build.value;
  }

  async #changed(name: string): Promise<void> {
    const app = this.#apps.get(name);
    if (!app || this.#isClosing) return;
    app.isHeld = false;
    // Until there is a first build, each gets its moment to show a main file.
    app.building = this.#build(app, app.build === undefined);
    app.building.catch(() => {}); // `#take` reports it
    await this.#take(app);
  }

  /** Awaits the build under way and gives it to the instances; a failure leaves them as they are. */
  async #take(app: App): Promise<void> {
    const { log } = this.#host;
    const verdict = app.building;
    let build: Build;
    try {
      build = await verdict;
      if (app.building !== verdict || app.isHeld) return; // a newer one is on its way
    } catch (error) {
      if (app.building !== verdict || app.isHeld) return;
      const runs = app.build
        ? `${app.name} goes on with build ${app.build.id}`
        : `${app.name} has no build yet`;
      const isAppFile = error instanceof StagewireError && error.code === 'E_APP_FILE';
      const detail =
        error instanceof BuildError ? error.format() : isAppFile ? error.message : describeError(error);
      const code = isAppFile ? 'E_APP_FILE' : 'E_BUILD';
      log.error(`does not build; ${runs}`, { instance: app.name, code, detail });
      this.#watcher.setInputs(app.name, error instanceof BuildError ? error.inputs : [], { failed: true });
      return;
    }
    if (!build.main && app.build?.main) {
      // Without a script everybody would be let in: a file on its way (a checkout, a copy) must not open the door.
      log.warn(`its main file is gone: it goes on with build ${app.build.id}; remove the folder to end it`, {
        instance: app.name,
      });
      this.#watcher.setInputs(app.name, [], { failed: true });
      return;
    }
    this.#watcher.setInputs(app.name, build.inputs, { isOpen: build.isOpen === true });
    for (const warning of build.warnings)
      log.warn('build', { instance: app.name, detail: formatMessage(warning) });
    if (this.#isClosing) return;
    const hasNewCode = app.build?.id !== build.id;
    const isFirst = app.build === undefined;
    await app.introduce(build, async () => {
      const news = isFirst ? `new application at ${this.#addressOf(app.name)}` : 'built';
      if (hasNewCode && (!isFirst || this.#isStarted))
        log.info(news, { instance: app.name, build: build.id });
      if (hasNewCode) this.#host.types?.check(build, app.folder);
      if (isFirst && !this.#isStarted) this.#loadOnStartup(app);
      if (!hasNewCode || isFirst || (await this.#provesItself(app, build)))
        await Promise.all([...app.instances.values()].map((instance) => instance.reload(build)));
    });
  }

  /**
   * Of several instances one tries new code before the others have it: where its handlers throw, all keep the build that they
   * have. False when they do, or when there is newer code.
   */
  async #provesItself(app: App, build: Build): Promise<boolean> {
    const { canaryMs } = app.settings.limits;
    const running = [...app.instances.values()].filter((instance) => instance.build?.main);
    if (canaryMs === 0 || running.length < 2 || !build.main) return true;
    const canary = running.reduce((most, next) => (next.clientCount > most.clientCount ? next : most));
    const previous = canary.build!;
    if (previous.id === build.id) return true;
    const verdict = app.building;
    await canary.reload(build);
    const hasTaken = canary.build?.id === build.id;
    const fault = hasTaken ? await canary.prove(build, canaryMs) : 'it did not start';
    if (app.building !== verdict || app.isHeld || this.#isClosing) return false;
    if (!hasTaken && canary.isClosed) return true;
    if (fault === undefined) return true;
    const text = `${canary.name} has tried the new code first, and it failed there (${printable(fault, 200)}): all instances keep build ${previous.id} until a file is saved`;
    this.#host.log.error(text, { instance: app.name, build: build.id, code: 'E_CANARY' });
    app.building = Promise.resolve(previous);
    app.setBuild(previous);
    await Promise.all([...app.instances.values()].map((instance) => instance.reload(previous, 'return')));
    return false;
  }

  #loadOnStartup(app: App): void {
    const { loadOnStartup = false } = app.settings;
    const names = loadOnStartup === true ? ['_definst_'] : loadOnStartup || [];
    for (const name of names) {
      const loaded = this.load(app.name, name);
      if (typeof loaded === 'object')
        this.#host.log.warn(`is not loaded on startup: ${loaded.description}`, {
          instance: `${app.name}/${name}`,
        });
    }
  }

  async #remove(name: string): Promise<void> {
    const app = this.#apps.get(name);
    if (!app) return;
    this.#apps.delete(name);
    this.#host.log.info('removed: its folder is gone', { instance: name });
    const why: Refusal = {
      code: 'NetConnection.Connect.AppShutdown',
      description: 'The application was removed.',
    };
    await Promise.all([...app.instances.values()].map((instance) => instance.close(why, 2000)));
    await app.builder.dispose();
  }
}

function notDefined(app: string): Refusal {
  return {
    code: 'NetConnection.Connect.InvalidApp',
    description: `Application (${app}) is not defined.`,
  };
}

function refusal(description: string): Refusal {
  return { code: 'NetConnection.Connect.Rejected', description };
}

/**
 * A folder that has just appeared may still be on its way here. An application without a script accepts everybody, so
 * it gets half a second to show one.
 */
async function buildWhenWhole(builder: AppBuilder): Promise<Build> {
  for (let attempt = 1; ; attempt++) {
    const build = await builder.build();
    if (build.main || attempt > 5) return build;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
