import type { Clock } from '../base/clock.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { bounded, LOUD_INSTANCES, LogBudget } from '../base/log-budget.ts';
import type { Company } from '../scripts/core-pool.ts';
import { Leash } from '../scripts/leash.ts';
import type { Usage } from '../shared-objects/slots.ts';
import type { AppSettings } from './app-file.ts';
import type { AppBuilder, Build } from './builder.ts';
import type { AppFiles } from './files/app-files.ts';
import type { Instance } from './instance.ts';

/** So many cores may an application's scripts take with them within `quarantineMs` before others are kept away from it. */
const TRUSTED_KILLS = 2;
/** What is printed in a second about what becomes of its instances. */
const MAX_NEWS_BYTES = 64 * 1024;

/** One application: its folder, its settings, its last good build, and the instances that run it. */
export class App {
  readonly name: string;
  readonly instances = new Map<string, Instance>();
  readonly builder: AppBuilder;
  readonly files: AppFiles;
  /** Settles with the latest verdict on the folder: a build, or why there is none. */
  building: Promise<Build> = Promise.reject(new Error('not built yet'));
  /** The last build that started in an instance. */
  proven: Build | undefined;
  hasSettings = false;
  /** More files have changed since the last build began: the next will come when there was quiet. */
  isHeld = false;
  /** What there was before `build`, while instances switch to it. */
  #before: { build: Build; proven: Build | undefined } | undefined;
  /** Of half of what has changed: it is nothing to fall back to, though it may start. */
  #takenBack: string | undefined;
  /** For what becomes of its instances: clients make ever new ones. */
  readonly news: Log;
  /** Of all its instances together. */
  readonly logBudget: LogBudget;
  /** What the shared objects of its instances hold in memory. */
  readonly sharedUsage: Usage = { bytes: 0 };
  /** Of the scripts that start from now on: new code begins with a clean record. */
  leash: Leash;
  #settings: AppSettings;
  #build: Build | undefined;
  readonly #clock: Clock;
  readonly #newLeash: () => Leash;
  readonly #started: (build: Build) => void;
  /** While one instance tries a build that has never started. */
  #trial: { build: Build; end: () => void; over: Promise<void> } | undefined;
  #kills: number[] = [];

  /** `all`: the applications beside which it lives; `started`: hears of a build that has started after another. */
  constructor(
    name: string,
    builder: AppBuilder,
    files: AppFiles,
    limits: Limits,
    log: Log,
    clock: Clock,
    all: () => App[],
    started: (build: Build) => void,
  ) {
    this.#started = started;
    this.name = name;
    this.builder = builder;
    this.files = files;
    this.#settings = { limits };
    this.#clock = clock;
    const ownLog = log.child({ instance: name });
    this.logBudget = new LogBudget({
      bytesPerSecond: () => this.#settings.limits.logBytesPerSecond * LOUD_INSTANCES,
      log: ownLog,
      clock,
    });
    const newsBudget = new LogBudget({ bytesPerSecond: () => MAX_NEWS_BYTES, log: ownLog, clock });
    this.news = bounded(log, newsBudget);
    const leashes = () => all().map(({ leash }) => leash);
    this.#newLeash = () => new Leash(() => this.#settings.limits, ownLog, clock, leashes);
    this.leash = this.#newLeash();
    this.building.catch(() => {}); // whoever builds reports
  }

  get folder(): string {
    return this.builder.folder;
  }

  /** As the last good `app.json` has them. */
  get settings(): AppSettings {
    return this.#settings;
  }

  /** The last build that succeeded. */
  get build(): Build | undefined {
    return this.#build;
  }

  setBuild(build: Build): void {
    const retired = this.#build && this.#build.id !== build.id ? this.leash : undefined;
    if (retired) this.leash = this.#newLeash();
    this.#build = build;
    this.#takenBack = undefined;
    retired?.retire();
    // Who waits for the trial of an older one may have the new one now.
    if (this.#trial && this.#trial.build.id !== build.id) this.#endTrial(this.#trial);
  }

  /** Takes back a build that no instance has come to run, since it may be of half of what has changed. */
  hold(): void {
    this.isHeld = true;
    const before = this.#before;
    this.#before = undefined;
    const isRun = [...this.instances.values()].some(({ build }) => build?.id === this.#build?.id);
    if (!before || isRun) return;
    const half = this.#build!.id;
    this.setBuild(before.build);
    this.#takenBack = half;
    if (this.proven?.id === half) this.proven = before.proven;
  }

  /** While `switching` goes on the build can be taken back. */
  async introduce(build: Build, switching: () => Promise<void>): Promise<void> {
    const isNew = this.#build && this.#build.id !== build.id;
    const before = isNew ? { build: this.#build!, proven: this.proven } : undefined;
    this.setBuild(build);
    this.#before = before;
    await switching();
    if (this.#before === before) this.#before = undefined;
  }

  setSettings(settings: AppSettings): void {
    this.#settings = settings;
    this.hasSettings = true;
  }

  /** In which company an instance may start that build, and when: see InstanceOwner. */
  async admit(build: Build): Promise<Company | undefined> {
    const newest = this.#build?.id;
    while (this.proven?.id !== build.id && this.#trial?.build.id === build.id) {
      await this.#trial.over;
      if (this.#build?.id !== newest && this.#build?.id !== build.id) return undefined;
    }
    if (this.proven?.id === build.id) return this.isTrusted ? 'shared' : 'app';
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#trial = { build, end, over };
    return 'fresh';
  }

  tried(build: Build, hasStarted: boolean): void {
    const isProven = hasStarted && build.id !== this.#takenBack;
    if (isProven && this.proven?.id !== build.id) this.#started(build);
    if (isProven) this.proven = build;
    if (this.#trial?.build === build) this.#endTrial(this.#trial);
  }

  #endTrial(trial: { end: () => void }): void {
    this.#trial = undefined;
    trial.end();
  }

  killedCore(): void {
    this.#kills = [...this.#kills.slice(-TRUSTED_KILLS), this.#clock.monotonic()];
  }

  /** Whose scripts keep killing cores must not meet other applications' instances there, under whatever name. */
  get isTrusted(): boolean {
    const now = this.#clock.monotonic();
    const { quarantineMs } = this.#settings.limits;
    return this.#kills.filter((at) => now - at < quarantineMs).length < TRUSTED_KILLS;
  }
}
