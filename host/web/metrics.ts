import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the metrics say of one instance. */
export interface InstanceFigures {
  readonly app: string;
  readonly instance: string;
  readonly clients: number;
  readonly cpuMs: number;
  readonly hostMs: number;
  readonly heapBytes: number | undefined;
  readonly turns: number;
  readonly deliveries: number;
  readonly mailboxDeliveries: number;
  readonly mailboxAgeMs: number;
}

export interface CoreFigures {
  readonly pid: number;
  readonly isolates: number;
  readonly residentBytes: number | undefined;
}

export interface WindowFigures {
  readonly flushes: number;
  readonly messages: number;
  readonly writes: number;
  readonly bytes: number;
}

/** Where the figures come from when somebody asks. */
export interface MetricsSource {
  connections(): number;
  instances(): Iterable<InstanceFigures>;
  cores(): Iterable<CoreFigures>;
  /** What was sent to viewers of live streams, by the length of the window in milliseconds. */
  windows(): ReadonlyMap<number, WindowFigures>;
  viewers(): number;
  /** Recorded files that are played, and streams that are recorded. */
  archive(): { reads: number; cachedBytes: number; open: number; recordings: number };
  /** Cores that ended by themselves or were killed for cause. */
  coreDeaths(): number;
}

/** `GET /metrics`: the server in Prometheus' text format. Nothing is measured while nobody asks, but what scripts do. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #turns: Histogram;
  readonly #ends: Counter<'app' | 'reason'>;
  readonly #commits: Histogram;
  readonly #failedCommits: Counter;

  constructor(source: MetricsSource) {
    const registers = [this.#registry];
    this.#turns = new Histogram({
      name: 'stagewire_turn_deliveries',
      help: 'Deliveries (calls, connects, timers ...) that went to a script in one turn.',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
      registers,
    });
    this.#ends = new Counter({
      name: 'stagewire_script_ends_total',
      help: 'Scripts that ended while their instance went on, by reason.',
      labelNames: ['app', 'reason'],
      registers,
    });
    this.#commits = new Histogram({
      name: 'stagewire_shared_object_commit_seconds',
      help: 'How long it took to have a group of changes of shared objects on disk.',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1],
      registers,
    });
    this.#failedCommits = new Counter({
      name: 'stagewire_shared_object_commit_failures_total',
      help: 'Groups of changes of shared objects that could not be written, and were taken back.',
      registers,
    });
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    const total = (name: string, help: string, read: () => number) =>
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    gauge('stagewire_connections', 'Open connections.', () => source.connections());
    total('stagewire_core_deaths_total', 'Core processes that died or were killed for cause.', () =>
      source.coreDeaths(),
    );
    gauge('process_resident_memory_bytes', 'Resident memory of the host process.', () =>
      process.memoryUsage.rss(),
    );
    total('process_cpu_seconds_total', 'Processor time of the host process.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });

    gauge('stagewire_viewers', 'Plays of live streams.', () => source.viewers());
    total(
      'stagewire_media_file_reads_total',
      'Segments that were read from recorded files.',
      () => source.archive().reads,
    );
    gauge(
      'stagewire_media_file_cache_bytes',
      'Segments of recorded files in memory.',
      () => source.archive().cachedBytes,
    );
    gauge('stagewire_media_files_open', 'Recorded files that are open.', () => source.archive().open);
    gauge('stagewire_recordings', 'Streams that are recorded.', () => source.archive().recordings);
    const totalPerWindow = (name: string, help: string, read: (figures: WindowFigures) => number) =>
      new Counter({
        name,
        help,
        labelNames: ['window_ms'],
        registers,
        collect() {
          this.reset();
          for (const [ms, figures] of source.windows()) this.inc({ window_ms: ms }, read(figures));
        },
      });
    totalPerWindow(
      'stagewire_window_flushes_total',
      'Windows at whose end a live stream had something to send.',
      (f) => f.flushes,
    );
    totalPerWindow('stagewire_window_messages_total', 'Messages that were sent in them.', (f) => f.messages);
    totalPerWindow(
      'stagewire_window_writes_total',
      'Writes to viewers, each of one window.',
      (f) => f.writes,
    );
    totalPerWindow('stagewire_window_bytes_total', 'Bytes of these writes.', (f) => f.bytes);

    const perCore = (name: string, help: string, read: (core: CoreFigures) => number | undefined) =>
      new Gauge({
        name,
        help,
        labelNames: ['pid'],
        registers,
        collect() {
          this.reset();
          for (const core of source.cores()) {
            const value = read(core);
            if (value !== undefined) this.set({ pid: core.pid }, value);
          }
        },
      });
    perCore('stagewire_core_isolates', 'Instances that live in a core process.', ({ isolates }) => isolates);
    perCore(
      'stagewire_core_resident_bytes',
      'Resident memory of a core process when it was last read.',
      ({ residentBytes }) => residentBytes,
    );

    const perInstance = (
      name: string,
      help: string,
      read: (figures: InstanceFigures) => number | undefined,
    ) =>
      new Gauge({
        name,
        help,
        labelNames: ['app', 'instance'],
        registers,
        collect() {
          this.reset();
          for (const figures of source.instances()) {
            const { app, instance } = figures;
            const value = read(figures);
            if (value !== undefined) this.set({ app, instance }, value);
          }
        },
      });
    const totalPerInstance = (name: string, help: string, read: (figures: InstanceFigures) => number) =>
      new Counter({
        name,
        help,
        labelNames: ['app', 'instance'],
        registers,
        collect() {
          this.reset();
          for (const figures of source.instances()) {
            this.inc({ app: figures.app, instance: figures.instance }, read(figures));
          }
        },
      });
    perInstance('stagewire_instance_clients', 'Clients of an instance.', ({ clients }) => clients);
    totalPerInstance(
      'stagewire_instance_cpu_seconds_total',
      "Processor time of an instance's scripts.",
      ({ cpuMs }) => cpuMs / 1000,
    );
    totalPerInstance(
      'stagewire_instance_host_seconds_total',
      'Processor time of the host for what its scripts sent and asked.',
      ({ hostMs }) => hostMs / 1000,
    );
    perInstance(
      'stagewire_instance_heap_bytes',
      'Heap of its script, when it last told.',
      (f) => f.heapBytes,
    );
    totalPerInstance('stagewire_instance_turns_total', 'Turns of its scripts.', ({ turns }) => turns);
    totalPerInstance(
      'stagewire_instance_deliveries_total',
      'Deliveries that its scripts have handled.',
      (f) => f.deliveries,
    );
    perInstance('stagewire_instance_mailbox_deliveries', 'Deliveries that wait.', (f) => f.mailboxDeliveries);
    perInstance(
      'stagewire_instance_mailbox_age_seconds',
      'How long the oldest of them has waited.',
      ({ mailboxAgeMs }) => mailboxAgeMs / 1000,
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  committed(seconds: number): void {
    this.#commits.observe(seconds);
  }

  notCommitted(): void {
    this.#failedCommits.inc();
  }

  turn(deliveries: number): void {
    this.#turns.observe(deliveries);
  }

  end(app: string, reason: string): void {
    this.#ends.inc({ app, reason });
  }
}
