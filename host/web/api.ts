import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { StagewireError } from '../base/errors.ts';
import { whyRefused } from './access.ts';

/** One instance as the API shows it. */
export interface InstanceReport {
  app: string;
  instance: string;
  /** Id of the build that runs; null while the first one boots. */
  build: string | null;
  /** When the instance was loaded, ISO 8601. */
  since: string;
  clients: number;
  streams: {
    name: string;
    /** Who publishes it; null while it is waited for. */
    source: 'client' | 'server' | null;
    /** The client's id. */
    publisher: string | null;
    viewers: number;
    /** From the present source. */
    bytes: number;
    /** Codecs; null while nothing tells. */
    video: string | null;
    audio: string | null;
    recording: boolean;
  }[];
  /** Of the script's heap when it last told; null for an application without a script, or before. */
  heapBytes: number | null;
  cpuMs: number | null;
}

/** What `GET /api/apps/:app` shows: which instance runs what. */
export interface AppReport {
  app: string;
  /** The newest build; null before the first. */
  build: string | null;
  /** When it was made, ISO 8601. */
  builtAt: string | null;
  /** Builds that have started, the latest first: `POST /api/apps/:app/rollback` gives all instances the one before. */
  kept: { build: string; builtAt: string }[];
  instances: {
    instance: string;
    build: string | null;
    clients: number;
    /** When it came to run that build; null while it loads. */
    since: string | null;
    /** How it took over from the build before; null when it was loaded with it. */
    switched: {
      from: string;
      /** From the news of the build until it had started; then calls waited for so long. Milliseconds. */
      readyMs: number;
      pausedMs: number;
      /** Of the state that came along: objects, and bytes on the way. */
      objects: number;
      bytes: number;
    } | null;
  }[];
}

/** What `GET /api/instances/:app/:instance` adds. Times are milliseconds. */
export interface InstanceDetails extends InstanceReport {
  /** Limits that apply, as the configuration and `app.json` have them. */
  limits: Readonly<Record<string, number>>;
  /** Process id of the core that its script lives in. */
  core: number | null;
  /** What the host has used of processors for what its scripts sent and asked. */
  hostMs: number;
  turns: number;
  deliveries: number;
  /** Deliveries a turn, on average. */
  batchSize: number;
  mailbox: { deliveries: number; bytes: number; ageMs: number };
  /** How often its script ended, by reason. */
  ends: Readonly<Record<string, number>>;
  /** Processor time by handler, the most expensive first. */
  handlers: { name: string; cpuMs: number }[];
  /** Shared objects that somebody has, the largest first; at most 100. */
  sharedObjects: {
    name: string;
    persistent: boolean;
    version: number;
    slots: number;
    bytes: number;
    subscribers: number;
  }[];
  /** What is recorded, by name; at most 100. */
  recordings: { name: string; bytes: number }[];
  /** Those who cost most first; at most 100. */
  connected: { id: string; ip: string; since: string; standing: string; cpuMs: number }[];
}

export interface ServerReport {
  status: 'ok';
  version: string;
  uptimeSeconds: number;
  connections: number;
  instances: number;
}

/** What `GET /api/edges` shows: what this server is an edge of, and which edges it has. */
export interface ClusterReport {
  origin: LinkReport | null;
  edges: EdgeReport[];
}

/** The link of an edge to its origin. */
export interface LinkReport {
  /** As the configuration has it. */
  origin: string;
  /** What this server is called there. */
  name: string;
  state: 'connecting' | 'connected';
  /** Why it is not connected; null while it is, and before the first attempt has failed. */
  problem: string | null;
  /** How often it was connected again. */
  reconnects: number;
  /** From here to there and back; 0 before it was measured. */
  pingMs: number;
  /** What waits to be sent. */
  queuedBytes: number;
  clients: number;
  /** Live streams that come over it, each once. */
  streams: number;
}

/** An edge of this server. */
export interface EdgeReport {
  name: string;
  address: string;
  clients: number;
  /** Live streams that go there, each once. */
  streams: number;
  pingMs: number;
  queuedBytes: number;
  /** Messages of media that the link had no room for. */
  dropped: number;
}

/** What the API asks of the server. */
export interface ApiSource {
  health(): ServerReport;
  instances(): InstanceReport[];
  edges(): ClusterReport;
  /** Where applications are, and their names. */
  readonly directory: string;
  apps(): string[];
  app(name: string): Promise<AppReport> | undefined;
  /** The id of the build that its instances were given; undefined when there is none to go back to. */
  rollback(app: string): Promise<string | undefined>;
  /** Undefined when there is none of that name. */
  instance(app: string, instance: string): Promise<InstanceDetails | undefined>;
  /** Starts its script anew, clients attached; false when it has none. Undefined as above. */
  restart(app: string, instance: string): boolean | undefined;
  /** Starts it without a client: false when it runs already, a text when it cannot. */
  start(app: string, instance: string): boolean | string;
  /** Ends it and disconnects its clients, without asking its script. False when there is none. */
  unload(app: string, instance: string): boolean;
  storedObjects: {
    /** Throws `E_BACKUP` while another is being made. */
    backup(): Promise<{ file: string; bytes: number }>;
    /** Of one application, or all. */
    lines(app?: string): AsyncIterable<string>;
    /** How many objects there were. Throws `E_IMPORT` for what is wrong. */
    import(source: Readable): Promise<number>;
  };
  metrics: { readonly contentType: string; text(): Promise<string> };
}

/** `/healthz` for everybody; the rest, `/metrics` included, for this machine or the administrator's token. */
export function createApi(
  source: ApiSource,
  adminToken: string | undefined,
): Hono<{ Bindings: HttpBindings }> {
  const api = new Hono<{ Bindings: HttpBindings }>();

  api.get('/healthz', (context) => context.json(source.health()));

  for (const path of ['/api/*', '/metrics']) {
    api.use(path, async (context, next) => {
      const reason = refusal(context.env.incoming, adminToken);
      if (reason) return context.json({ error: 'E_FORBIDDEN', message: reason }, 403);
      await next();
      return undefined;
    });
  }
  api.get('/api/apps', (context) => context.json({ directory: source.directory, apps: source.apps() }));
  api.get('/api/apps/:app', async (context) => {
    const { app } = context.req.param();
    const report = await source.app(app);
    return report ? context.json(report) : context.json(noApp(app), 404);
  });
  api.post('/api/apps/:app/rollback', async (context) => {
    const { app } = context.req.param();
    if (!source.app(app)) return context.json(noApp(app), 404);
    const build = await source.rollback(app);
    if (build !== undefined) return context.json({ app, build });
    const message = `no earlier build of ${app} is kept`.slice(0, 300);
    return context.json({ error: 'E_NO_BUILD', message }, 409);
  });
  api.get('/api/edges', (context) => context.json(source.edges()));
  api.get('/api/instances', (context) => context.json({ instances: source.instances() }));

  api.get('/api/instances/:app/:instance{.+}', async (context) => {
    const { app, instance } = context.req.param();
    const details = await source.instance(app, instance);
    return details ? context.json(details) : context.json(noInstance(app, instance), 404);
  });
  api.post('/api/instances/:app/:instance{.+}/restart', (context) => {
    const { app, instance } = context.req.param();
    const isRestarted = source.restart(app, instance);
    if (isRestarted === undefined) return context.json(noInstance(app, instance), 404);
    if (isRestarted) return context.json({ restarted: `${app}/${instance}` });
    const message = `${app}/${instance} has no script to restart`.slice(0, 300);
    return context.json({ error: 'E_NO_SCRIPT', message }, 409);
  });
  api.post('/api/instances/:app/:instance{.+}/start', (context) => {
    const { app, instance } = context.req.param();
    const started = source.start(app, instance);
    if (typeof started === 'string')
      return context.json({ error: 'E_NOT_STARTED', message: started.slice(0, 300) }, 409);
    return context.json({ started: `${app}/${instance}`, wasRunning: !started });
  });
  api.delete('/api/instances/:app/:instance{.+}', (context) => {
    const { app, instance } = context.req.param();
    if (!source.unload(app, instance)) return context.json(noInstance(app, instance), 404);
    return context.json({ unloaded: `${app}/${instance}` });
  });
  api.post('/api/backup', async (context) => {
    try {
      return context.json(await source.storedObjects.backup(), 201);
    } catch (error) {
      const problem = problemOf(error);
      return context.json(problem, problem.error === 'E_BACKUP' ? 409 : 500);
    }
  });
  api.get('/api/shared-objects', (context) => {
    const lines = source.storedObjects.lines(context.req.query('app'));
    const body = Readable.toWeb(Readable.from(lines)) as ReadableStream;
    return context.body(body, 200, { 'Content-Type': 'application/jsonl' });
  });
  api.post('/api/shared-objects', async (context) => {
    try {
      return context.json({ imported: await source.storedObjects.import(context.env.incoming) });
    } catch (error) {
      return context.json(problemOf(error), 400);
    }
  });
  api.get('/metrics', async (context) =>
    context.body(await source.metrics.text(), 200, { 'Content-Type': source.metrics.contentType }),
  );

  api.notFound((context) =>
    context.json({ error: 'E_NOT_FOUND', message: `nothing at ${context.req.path.slice(0, 200)}` }, 404),
  );
  return api;
}

/** What proxies add; not all of them all of it. */
const OF_PROXIES =
  /^(?:via|cdn-loop)$|forwarded|original-(?:for|host|ur[il])|(?:client|connecting|real|remote|user)-?(?:ip|addr)|external-address/;

function refusal(request: IncomingMessage, token: string | undefined): string | undefined {
  const { host, origin, authorization } = request.headers;
  const address = request.socket.remoteAddress ?? '';
  const isForwarded = Object.keys(request.headers).some((name) => OF_PROXIES.test(name));
  return whyRefused({ address, host, origin, authorization, isForwarded }, token);
}

function problemOf(error: unknown): { error: string; message: string } {
  if (!(error instanceof StagewireError)) throw error;
  return { error: error.code, message: error.message.slice(0, 500) };
}

function noApp(app: string): { error: string; message: string } {
  return { error: 'E_NOT_FOUND', message: `no application ${app}`.slice(0, 300) };
}

function noInstance(app: string, instance: string): { error: string; message: string } {
  return { error: 'E_NOT_FOUND', message: `no instance ${app}/${instance}`.slice(0, 300) };
}
