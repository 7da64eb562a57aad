import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { BuildArchive } from './apps/build-archive.ts';
import { Registry } from './apps/registry.ts';
import { appReportOf, detailsOf, figuresOf, reportOf } from './apps/reports.ts';
import { StoredObjects } from './apps/stored-objects.ts';
import { TypeChecker } from './apps/type-checker.ts';
import { Certificate } from './base/certificate.ts';
import { type Clock, systemClock } from './base/clock.ts';
import { Connections } from './base/connections.ts';
import { describeError, StagewireError } from './base/errors.ts';
import type { Log } from './base/log.ts';
import { Cluster } from './cluster/cluster.ts';
import { type Address, type Config, formatAddress } from './config.ts';
import type { ByteStream } from './rtmp/byte-stream.ts';
import { ChunkFraming } from './rtmp/framing.ts';
import { RtmpListener } from './rtmp/listener.ts';
import { Tunnels } from './rtmp/tunnel/tunnels.ts';
import { bundleCore, bundlePageScripts, bundlePlayground, bundleRuntime } from './scripts/bundles.ts';
import { CorePool } from './scripts/core-pool.ts';
import { makeSandbox } from './scripts/sandbox.ts';
import { Store } from './shared-objects/store/store.ts';
import { Archive } from './streams/library.ts';
import { Windows } from './streams/windows.ts';
import { createApi } from './web/api.ts';
import { FlvServer } from './web/flv/server.ts';
import { Metrics } from './web/metrics.ts';
import { PageServer } from './web/pages/server.ts';
import { SocketServer } from './web/socket/server.ts';
import { WebServer } from './web/web-server.ts';

/** How long scripts may take in `onAppStop` when the server stops. */
const STOP_PATIENCE_MS = 2000;
/** How long clients have to read why they are disconnected. */
const LINGER_MS = 500;

/** A running server. */
export interface Server {
  readonly rtmp: Address;
  readonly http: Address;
  readonly rtmps: Address | undefined;
  readonly https: Address | undefined;
  readonly registry: Registry;
  readonly version: string;
  /** Process ids of the cores that run the scripts. */
  readonly corePids: number[];
  /** Stops within about three seconds, whatever scripts do. May be called twice. */
  close(): Promise<void>;
}

/** Starts everything. Throws a StagewireError with one line for the terminal when it cannot. */
export async function startServer(config: Config, log: Log, clock: Clock = systemClock): Promise<Server> {
  const version = readVersion();
  const adminToken =
    config.adminTokenFile === undefined ? undefined : readSecret(config.adminTokenFile, 'admin token');
  const edgeSecret =
    config.edgeSecretFile === undefined ? undefined : readSecret(config.edgeSecretFile, 'edge secret');
  const { tlsCert, tlsKey } = config;
  const certificate =
    tlsCert !== undefined && tlsKey !== undefined ? new Certificate(tlsCert, tlsKey, log) : undefined;
  const startedAt = clock.monotonic();
  const [coreCode, runtime, pageScripts, playground] = await Promise.all([
    bundleCore(),
    bundleRuntime(),
    bundlePageScripts(),
    config.playground ? bundlePlayground() : new Map<string, string>(),
  ]);
  const sandbox = makeSandbox(config.sandbox, coreCode);
  const { limits } = config;
  const pool = new CorePool({ runtime, sandbox, limits, log });
  const connections = new Connections(limits, log);
  const metrics = new Metrics({
    connections: () => connections.count,
    instances: () => registry.instances.map(figuresOf),
    windows: () => windows.figures,
    viewers: () => windows.viewers,
    archive: () => archive.figures,
    cores: () => pool.cores,
    coreDeaths: () => pool.deaths,
  });
  const store = await Store.open(config.data, log, metrics);
  const windows = new Windows();
  const archive = new Archive(limits.fileCacheBytes, limits.openMediaFiles);
  const builds = new BuildArchive(join(config.data, 'builds'), log);
  const types = config.typeCheck ? new TypeChecker(config.apps, limits, log) : undefined;
  const rtmpAddress = { ...config.rtmp };
  const host = {
    pool,
    limits,
    lockedLimits: config.lockedLimits,
    fileDirectories: config.fileDirectories,
    store,
    windows,
    archive,
    builds,
    types,
    ledger: metrics,
    log,
    clock,
    serverVersion: `FMS/4,5,0,297 compatible; Stagewire/${version}`,
    hostname: hostname(),
    serve: (stream: ByteStream) => void rtmp.accept(stream, false, new ChunkFraming(limits, null)),
  };
  const registry = new Registry(
    config.apps,
    host,
    (app) => `rtmp://${formatAddress(rtmpAddress)}/${app}`,
    config.scriptLibPath,
  );
  const { edgeOf: origin, edgeName: name } = config;
  const cluster = new Cluster({
    origin,
    name,
    secret: edgeSecret,
    version,
    registry,
    limits,
    windows,
    archive,
    log,
  });
  const { lobby } = cluster;
  const rtmp = new RtmpListener(lobby, limits, connections, log);
  const rtmps = new RtmpListener(lobby, limits, connections, log, certificate);
  rtmp.door = rtmps.door = cluster.door;
  // Whoever is an edge in all applications has none of its own.
  const hasApps = !origin || origin.app !== undefined;
  const api = createApi(
    {
      health: () => ({
        status: 'ok',
        version,
        uptimeSeconds: Math.round((clock.monotonic() - startedAt) / 1000),
        connections: connections.count,
        instances: registry.instances.length,
      }),
      instances: () => registry.instances.map(reportOf),
      edges: () => cluster.report,
      instance: async (app, name) => {
        const instance = registry.find(app, name);
        return instance && detailsOf(instance);
      },
      directory: resolve(config.apps),
      apps: () => registry.apps.map(({ name }) => name),
      app: (name) => {
        const app = registry.app(name);
        return app && appReportOf(app, builds);
      },
      rollback: (name) => registry.rollback(name),
      restart: (app, name) => registry.find(app, name)?.restart(),
      start: (app, name) => {
        const loaded = registry.load(app, name);
        return typeof loaded === 'boolean' ? loaded : loaded.description;
      },
      unload: (app, name) => {
        const instance = registry.find(app, name);
        instance?.unload('The instance was unloaded.');
        return instance !== undefined;
      },
      metrics,
      storedObjects: new StoredObjects(store, registry, config.data),
    },
    adminToken,
  );
  const flv = new FlvServer({
    lobby,
    limits,
    connections,
    originsOf: (app) => cluster.originsOf(app),
  });
  const sockets = new SocketServer({
    limits,
    accept: (...args) => rtmp.accept(...args),
    originsOf: (app) => cluster.originsOf(app),
  });
  const pages = new PageServer({ folderOf: (app) => registry.app(app)?.folder }, pageScripts, playground);
  const apiListener = getRequestListener(api.fetch, { overrideGlobalObjects: false });
  const tunnels = new Tunnels(rtmp, limits);
  const web = new WebServer({ flv, sockets, tunnels, pages, api: apiListener }, limits);

  try {
    if (hasApps) await Promise.all([registry.start(), pool.warmUp()]);
    cluster.start();
    const { port } = await listen('RTMP', config.rtmp, (host, port) => rtmp.listen(host, port));
    rtmpAddress.port = port;
    const addresses = {
      rtmp: rtmpAddress,
      http: await listen('HTTP', config.http, (host, port) => web.listen(host, port)),
      rtmps: config.rtmps && (await listen('RTMPS', config.rtmps, (host, port) => rtmps.listen(host, port))),
      https:
        config.https &&
        (await listen('HTTPS', config.https, (host, port) => web.listen(host, port, certificate))),
    };

    log.info(`scripts run behind ${sandbox.layers}`);

    let closing: Promise<void> | undefined;
    return {
      ...addresses,
      registry,
      version,
      get corePids() {
        return pool.cores.map(({ pid }) => pid);
      },
      close: () => {
        closing ??= (async () => {
          await registry.close(STOP_PATIENCE_MS);
          cluster.close();
          certificate?.close();
          rtmp.close();
          rtmps.close();
          await waitUntil(() => connections.count === 0, LINGER_MS);
          web.close();
          tunnels.close();
          pool.close();
          await archive.close();
          await store.close();
        })();
        return closing;
      },
    };
  } catch (error) {
    certificate?.close();
    cluster.close();
    pool.close();
    rtmp.close();
    rtmps.close();
    web.close();
    tunnels.close();
    await registry.close(0);
    await archive.close();
    await store.close();
    throw error;
  }
}

async function listen(
  what: string,
  address: Address,
  start: (host: string, port: number) => Promise<number>,
): Promise<Address> {
  const { host } = address;
  try {
    return { host, port: await start(host, address.port) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'EADDRINUSE'
        ? 'another program uses that port: stop it, or choose another port (0 picks a free one)'
        : describeError(error);
    throw new StagewireError(
      'E_LISTEN',
      'host',
      `${what} cannot listen on ${formatAddress(address)}: ${why}`,
    );
  }
}

/** The text of a file. `what` names it. */
function readSecret(file: string, what: string): string {
  let secret: string;
  try {
    secret = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new StagewireError(
      'E_CONFIG',
      'host',
      `the ${what} file ${file} cannot be read: ${describeError(error)}`,
    );
  }
  if (secret.length < 16) {
    throw new StagewireError(
      'E_CONFIG',
      'host',
      `the ${what} in ${file} has ${secret.length} characters: use 16 or more`,
    );
  }
  return secret;
}

function readVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

async function waitUntil(condition: () => boolean, patienceMs: number): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
}
