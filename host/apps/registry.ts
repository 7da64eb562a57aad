import { join } from 'node:path';
import { describeError } from '../base/errors.ts';
import type { ClientEnd, ConnectRequest, Lobby, Refusal, Seat } from '../rtmp/ports.ts';
import { BuildError, formatMessage } from './build-error.ts';
import { AppBuilder, type Build } from './builder.ts';
import type { InstanceHost } from './incarnation.ts';
import { Instance } from './instance.ts';
import { AppWatcher } from './watcher.ts';

/** One application: its folder, its last good build, and the instances that run it. */
export class App {
  readonly name: string;
  readonly instances = new Map<string, Instance>();
  readonly builder: AppBuilder;
  /** The last build that succeeded. */
  build: Build | undefined;
  /** The last build that started in an instance. */
  proven: Build | undefined;
  /** Settles with the first verdict on the folder: a build, or why there is none. */
  building: Promise<Build>;

  get folder(): string {
    return this.builder.folder;
  }

  constructor(name: string, builder: AppBuilder, building: Promise<Build>) {
    this.name = name;
    this.builder = builder;
    this.building = building;
    this.building.catch(() => {}); // reported by whoever builds
  }
}

/** The applications directory: which applications there are, what they run, and who is connected where. */
export class Registry implements Lobby {
  readonly #folder: string;
  readonly #host: InstanceHost;
  readonly #watcher: AppWatcher;
  readonly #apps = new Map<string, App>();
  readonly #addressOf: (app: string) => string;
  #instanceCount = 0;
  #isStarted = false;
  #isClosing = false;

  /** `addressOf` tells where clients reach an application that appears while the server runs. */
  constructor(folder: string, host: InstanceHost, addressOf: (app: string) => string) {
    this.#folder = folder;
    this.#host = host;
    this.#addressOf = addressOf;
    this.#watcher = new AppWatcher(folder, { clock: host.clock });
    this.#watcher.on('added', (name) => void this.#add(name, true));
    this.#watcher.on('removed', (name) => void this.#remove(name));
    this.#watcher.on('changed', (name) => void this.#changed(name));
    this.#watcher.on('refused', (name, reason) =>
      host.log.warn(`the folder ${name} is no application: ${reason}`),
    );
    this.#watcher.on('problem', (error) => host.log.warn(error.message, { code: error.code }));
  }

  get apps(): readonly App[] {
    return [...this.#apps.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  get instances(): Instance[] {
    return this.apps.flatMap((app) => [...app.instances.values()]);
  }

  /** Finds and builds what is there. Resolves when every application has a build or an error. */
  async start(): Promise<void> {
    await this.#watcher.start();
    await Promise.all(this.#watcher.apps.map((name) => this.#add(name, false)));
    this.#isStarted = true;
  }

  connect(request: ConnectRequest, client: ClientEnd): Seat | Refusal {
    const { limits } = this.#host;
    const app = this.#apps.get(request.app);
    if (this.#isClosing) return refusal('The server is shutting down.');
    if (!app) return refusal(`Application (${request.app}) is not defined.`);
    let instance = app.instances.get(request.instance);
    if (!instance) {
      if (this.#instanceCount >= limits.instances) this.#evictIdle();
      if (this.#instanceCount >= limits.instances)
        return refusal('Resource.Limit.Exceeded: too many instances.');
      instance = this.#open(app, request.instance);
    }
    if (limits.clientsPerInstance > 0 && instance.clientCount >= limits.clientsPerInstance) {
      return refusal('Resource.Limit.Exceeded: too many clients in this instance.');
    }
    return instance.connect(request, client);
  }

  /** Stops every instance; resolves within `patienceMs` and a little. */
  async close(patienceMs: number): Promise<void> {
    this.#isClosing = true;
    await this.#watcher.close();
    const why: Refusal = {
      code: 'NetConnection.Connect.AppShutdown',
      description: 'The server is shutting down.',
    };
    await Promise.all(this.instances.map((instance) => instance.close(why, patienceMs)));
    await Promise.all(this.apps.map((app) => app.builder.dispose()));
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
    const instance: Instance = new Instance(app.name, name, build, this.#host, {
      proven: () => app.proven,
      started: (started) => {
        app.proven = started;
      },
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
    const maxCodeBytes = this.#host.limits.codeBytes;
    const builder = new AppBuilder(join(this.#folder, name), { app: name, maxCodeBytes });
    const app = new App(name, builder, isNew ? buildWhenWhole(builder) : builder.build());
    this.#apps.set(name, app);
    await this.#take(app);
  }

  async #changed(name: string): Promise<void> {
    const app = this.#apps.get(name);
    if (!app || this.#isClosing) return;
    app.building = app.builder.build();
    await this.#take(app);
  }

  /** Awaits the build under way and gives it to the instances; a failure leaves them as they are. */
  async #take(app: App): Promise<void> {
    const { log } = this.#host;
    let build: Build;
    try {
      build = await app.building;
    } catch (error) {
      const runs = app.build
        ? `${app.name} goes on with build ${app.build.id}`
        : `${app.name} has no build yet`;
      const detail = error instanceof BuildError ? error.format() : describeError(error);
      log.error(`does not build; ${runs}`, { instance: app.name, code: 'E_BUILD', detail });
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
    this.#watcher.setInputs(app.name, build.inputs);
    for (const warning of build.warnings)
      log.warn('build', { instance: app.name, detail: formatMessage(warning) });
    if (this.#isClosing || app.build?.id === build.id) return;
    const isFirst = app.build === undefined;
    app.build = build;
    const news = isFirst ? `new application at ${this.#addressOf(app.name)}` : 'built';
    if (!isFirst || this.#isStarted) log.info(news, { instance: app.name, build: build.id });
    await Promise.all([...app.instances.values()].map((instance) => instance.reload(build)));
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
