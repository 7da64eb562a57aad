import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Registry } from '../apps/registry.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Door } from '../rtmp/listener.ts';
import type { Lobby } from '../rtmp/ports.ts';
import type { Archive } from '../streams/library.ts';
import type { Windows } from '../streams/windows.ts';
import type { ClusterReport } from '../web/api.ts';
import { Door as EdgeDoor } from './edge/door.ts';
import { EdgeOrigin } from './edge/edge-origin.ts';
import type { AppsToldToEdges } from './edge/edge-port.ts';
import { Edges } from './edge/edges.ts';
import { Outgoing } from './edge/outgoing.ts';
import { ownedHere } from './local-owner.ts';
import { lobbyOf, type Placement } from './owner.ts';

/** The origin of an edge: all applications there, or one. */
export interface Origin {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  readonly app: string | undefined;
  readonly uri: string;
}

export interface ClusterOptions {
  readonly origin: Origin | undefined;
  readonly name: string | undefined;
  /** What edges and origins share; without it there are no edges here. */
  readonly secret: string | undefined;
  readonly version: string;
  readonly registry: Registry;
  readonly limits: Limits;
  readonly windows: Windows;
  readonly archive: Archive;
  readonly log: Log;
}

/** This server among others: what it is an edge of, and which edges it has. */
export class Cluster {
  readonly placement: Placement;
  readonly lobby: Lobby;
  readonly door: Door;
  readonly #options: ClusterOptions;
  /** Of this process, whoever starts it again. */
  readonly #run = randomBytes(12).toString('base64url');
  readonly #edges = new Edges();
  #origin: EdgeOrigin | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { origin, registry, limits, log, secret, version } = options;
    const here = ownedHere(registry);
    const isElsewhere = (app: string) => origin !== undefined && (origin.app ?? app) === app;
    this.placement = {
      ownerOf: (app, instance) =>
        (isElsewhere(app) ? this.#origin : undefined) ?? here.ownerOf(app, instance),
    };
    this.lobby = lobbyOf(this.placement);
    const house = {
      secret,
      placement: this.placement,
      edges: this.#edges,
      outgoing: new Outgoing(),
      limits,
      log,
      server: `Stagewire/${version}`,
      via: () => this.#origin?.via ?? [this.#run],
      apps: () => this.#apps(),
    };
    this.door = (connection, client) => new EdgeDoor(connection, client, house);
  }

  /** Connects to the origin, if there is one, and keeps doing so. */
  start(): void {
    const { origin, secret = '', name, limits, windows, archive, log } = this.#options;
    if (!origin) return;
    this.#origin = new EdgeOrigin({
      address: origin,
      uri: origin.uri,
      secret,
      name: name ?? `${hostname()}-${this.#run.slice(0, 4)}`,
      run: this.#run,
      limits,
      windows,
      archive,
      log,
    });
  }

  /** Whose pages may connect to an application. */
  originsOf(app: string): readonly string[] | undefined {
    return this.placement.ownerOf(app, '').originsOf(app);
  }

  get report(): ClusterReport {
    return { origin: this.#origin?.report ?? null, edges: this.#edges.reports };
  }

  close(): void {
    this.#origin?.close();
  }

  #apps(): AppsToldToEdges {
    const { origin, registry } = this.#options;
    const apps: AppsToldToEdges = {};
    if (origin?.app !== undefined || !origin)
      for (const { name, settings } of registry.apps) {
        const { windowMs, codecs } = settings.streams ?? {};
        apps[name] = {
          cors: [...(settings.cors ?? [])],
          ...(windowMs !== undefined && { windowMs }),
          ...(codecs !== undefined && { codecs }),
        };
      }
    for (const [name, told] of Object.entries(this.#origin?.apps ?? {}))
      if ((origin?.app ?? name) === name) apps[name] = told;
    return apps;
  }
}
