import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Limits } from '../../host/base/limits.ts';
import { lineOf, startNode, stopChild } from './children.ts';
import { childrenOf } from './cpu.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** A Stagewire server in a process of its own. */
export interface StagewireServer {
  readonly pid: number;
  readonly port: number;
  /** `http://127.0.0.1:PORT`. */
  readonly http: string;
  /** From starting the process to its ready line. */
  readonly readyMs: number;
  /** The processes that run scripts, at this moment. */
  corePids(): number[];
  stop(): Promise<void>;
}

let profileFolder: string | undefined;

/** From now on servers write V8 profiles of their host process there when they stop. */
export function profileInto(folder: string): void {
  profileFolder = folder;
}

export function isProfiling(): boolean {
  return profileFolder !== undefined;
}

export async function startServer(
  apps: string,
  limits: Partial<Limits> = {},
  flags: readonly string[] = [],
): Promise<StagewireServer> {
  const folder = scratchFolder();
  const data = join(folder, 'data');
  const profiling = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
  const config = join(folder, 'stagewire.json');
  writeFileSync(config, JSON.stringify({ limits, typeCheck: false }));
  const options = ['--rtmp', '0', '--http', '0', '--apps', apps, '--data', data, '--log', 'json'];
  options.push('--config', config, ...flags);
  const startedAt = performance.now();
  const child = startNode([...profiling, join(root, 'host/main.ts'), ...options], { cwd: root });
  const [, port, http = ''] = await lineOf(child, /^stagewire ready rtmp:\/\/[^ ]*:(\d+) (\S+)/);
  return {
    pid: child.pid!,
    port: Number(port),
    http,
    readyMs: performance.now() - startedAt,
    corePids: () => childrenOf(child.pid!, 'stagewire-core'),
    stop: () => stopChild(child),
  };
}

/** One of the floors: a process that prints `ready PORT`. */
export interface FloorServer {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export async function startFloor(file: string): Promise<FloorServer> {
  const child: ChildProcess = startNode([join(root, 'bench/floors', file)]);
  const [, port] = await lineOf(child, /^ready (\d+)$/);
  return { pid: child.pid!, port: Number(port), stop: () => stopChild(child) };
}

const scratch: string[] = [];
process.once('exit', () => {
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is gone when the bench ends. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stagewire-bench-'));
  scratch.push(folder);
  return folder;
}

/** A copy of bench/apps that may be changed. */
export function copyApps(): string {
  const apps = join(scratchFolder(), 'apps');
  cpSync(join(root, 'bench/apps'), apps, { recursive: true });
  return apps;
}
