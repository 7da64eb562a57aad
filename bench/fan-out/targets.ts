/** The servers that one stream is sent through: ours, the floors under it, and its peers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineOf, startChild, stopChild } from '../support/children.ts';
import { compileC, hasCompiler } from '../support/compile.ts';
import { startNginx } from '../support/nginx.ts';
import { startNodeMediaServer } from '../support/node-media-server.ts';
import type { PeerServer } from '../support/peer.ts';
import { isProfiling, scratchFolder, startFloor, startServer } from '../support/server.ts';
import type { Transport } from '../support/viewers.ts';

/** What is collected before it is sent to all viewers, in milliseconds; or as the server does it by itself. */
export type Window = 0 | 50 | 100 | 'adaptive';
export const WINDOWS = [0, 50, 100] as const satisfies readonly Window[];

export interface Target {
  readonly name: string;
  /** What tells ours apart. */
  readonly label?: string;
  readonly role: 'ours' | 'floor' | 'peer';
  /** Ours and the floors have one; the peers do as they do. */
  readonly window?: Window;
  readonly pid: number;
  /** For RTMP; of a floor its own. */
  readonly port: number;
  /** Of ours and the peers; the floors only pass bytes on. */
  readonly app?: string;
  /** How viewers come. */
  readonly transport: Transport;
  /** For viewers over WebSocket. */
  readonly webPort?: number;
  /** The address of our API. */
  readonly http?: string;
  /** How far from what is due what arrives in one run may be. */
  readonly tolerance?: number;
  stop(): Promise<void>;
}

const APP = 'open/bench';

/** Everything that can be had here. What cannot is said in a line. */
export async function startTargets(): Promise<Target[]> {
  const targets: Target[] = [];
  for (const window of WINDOWS) targets.push(await startOurs(window));
  if (isProfiling()) return targets;
  for (const window of WINDOWS) targets.push(...(await startFloors(window)));
  const nginx = await startNginx();
  if (nginx) targets.push({ ...nginx, role: 'peer', app: 'live', transport: 'rtmp' });
  const nodeMediaServer = await startNodeMediaServer();
  // It merges ten messages, and so keeps back up to nine of a run, a key frame among them.
  if (nodeMediaServer)
    targets.push({ ...nodeMediaServer, role: 'peer', app: 'live', transport: 'rtmp', tolerance: 0.2 });
  return targets;
}

/** A server with one application, which has no script. */
export async function startOurs(window: Window, transport: Transport = 'rtmp'): Promise<Target> {
  const apps = scratchFolder();
  mkdirSync(join(apps, 'open'));
  const streams = window === 'adaptive' ? {} : { windowMs: window };
  writeFileSync(join(apps, 'open', 'app.json'), JSON.stringify({ streams }));
  const { pid, port, http, stop } = await startServer(apps);
  const label = window === 'adaptive' ? 'adaptive window' : `window ${window} ms`;
  return {
    name: `Stagewire, ${label}`,
    label,
    role: 'ours',
    window,
    pid,
    port,
    http,
    app: APP,
    transport,
    webPort: Number(new URL(http).port),
    stop,
  };
}

async function startFloors(window: Window): Promise<Target[]> {
  const name = (what: string) => `${what}, window ${window} ms`;
  const inNode = await startFloor('windows.ts');
  const floors: Target[] = [
    { ...inNode, name: name('socket.write'), role: 'floor', transport: 'rtmp', window },
  ];
  const inC = await startCFloor();
  if (inC) floors.push({ ...inC, name: name('send() in C'), role: 'floor', transport: 'rtmp', window });
  return floors;
}

async function startCFloor(): Promise<Omit<PeerServer, 'name'> | undefined> {
  if (!hasCompiler()) return undefined;
  const child = startChild(compileC('bench/floors/fan-out.c'), []);
  const [, port] = await lineOf(child, /^ready (\d+)$/);
  return { pid: child.pid!, port: Number(port), stop: () => stopChild(child) };
}
