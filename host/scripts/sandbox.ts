import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fstatSync, readdirSync, readFileSync } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { StagewireError } from '../base/errors.ts';
import { offerToOomKiller } from './process-stat.ts';

/**
 * What is around the core processes. `permission`: Node's permission model, a fence against JavaScript that got out
 * of its isolate, not against native code. `bwrap`: in addition namespaces of Bubblewrap, with no network and a
 * read-only file system that holds nothing but isolated-vm: a boundary that the kernel keeps.
 */
export type SandboxKind = 'permission' | 'bwrap';

/** One core's process: the host has nothing else of it. */
export interface CoreChild {
  /** Of Node itself, as the host's /proc names it. */
  readonly pid: number;
  readonly socket: Duplex;
  onOutput(listener: (text: string) => void): void;
  /** Called once, with how it ended. */
  onExit(listener: (how: string) => void): void;
  kill(): void;
}

export interface Sandbox {
  /** For people: `permission model, empty environment`. */
  readonly layers: string;
  spawnCore(): CoreChild;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
/** All that a core reads, relative to the project: its own code comes over standard input. */
const CODE = ['package.json', 'node_modules/isolated-vm', 'node_modules/node-gyp-build'];
/** Constants, and nothing of the host's: no two machines may give scripts another time zone or locale. */
const ENVIRONMENT = { TZ: 'UTC', LANG: 'en_US.UTF-8', MALLOC_ARENA_MAX: '1' };

/** Throws E_SANDBOX when what was asked for is not to be had: less than that would not be what the operator meant. */
export function makeSandbox(kind: SandboxKind, coreCode: string): Sandbox {
  const node = nodeArguments();
  const base = `Node's permission model, an environment of constants, one inherited descriptor`;
  if (kind === 'permission')
    return { layers: base, spawnCore: () => new Child(process.execPath, node, coreCode) };

  const { status, error, stderr } = spawnSync(
    'bwrap',
    [...namespaces(), '--', process.execPath, '--version'],
    {
      encoding: 'utf8',
      timeout: 10_000,
    },
  );
  if (status !== 0) {
    const why =
      (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT' ? 'it is not installed' : stderr.trim();
    throw new StagewireError(
      'E_SANDBOX',
      'host',
      `--sandbox bwrap: bwrap does not work here: ${why || `exit code ${status}`}`,
    );
  }
  return {
    layers: `${base}; Bubblewrap: namespaces without network, a read-only file system`,
    spawnCore: () =>
      new Child('bwrap', [...namespaces(), '--info-fd', '4', '--', process.execPath, ...node], coreCode),
  };
}

class Child implements CoreChild {
  readonly socket: Duplex;
  readonly #child: ChildProcess;
  /** Behind Bubblewrap, once it has told. */
  #innerPid: number | undefined;
  #failure: string | undefined;

  constructor(command: string, args: readonly string[], code: string) {
    this.#child = spawn(command, args, {
      cwd: root,
      env: ENVIRONMENT,
      // In a group of its own: Ctrl-C in a terminal reaches all of the host's, and the host decides when it is over.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe', ...(command === 'bwrap' ? ['pipe' as const] : [])],
    });
    // Without processes or descriptors to be had there is no child: its 'error' tells.
    this.#child.on('error', (error) => {
      this.#failure = error.message;
    });
    if (!this.#child.stdio) throw new StagewireError('E_CORE_GONE', 'host', 'no process can be started now');
    // One that ended before it had read its code: its 'exit' tells.
    this.#child.stdin?.on('error', () => {}).end(code);
    this.socket = this.#child.stdio[3] as Duplex;
    const info = this.#child.stdio[4] as Readable | undefined;
    let text = '';
    info?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const [, pid] = /"child-pid": (\d+)/.exec(text) ?? [];
      if (pid !== undefined) this.#innerPid = Number(pid);
      offerToOomKiller(this.pid);
    });
    if (!info) offerToOomKiller(this.pid);
  }

  get pid(): number {
    return this.#innerPid ?? this.#child.pid ?? 0;
  }

  onOutput(listener: (text: string) => void): void {
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', listener);
    }
  }

  onExit(listener: (how: string) => void): void {
    this.#child.once('error', (error) => listener(error.message));
    if (this.#failure !== undefined) queueMicrotask(() => listener(this.#failure ?? ''));
    this.#child.once('exit', (code, signal) => {
      // Bubblewrap tells the signal that ended the core as a shell does.
      const isKilled = signal === 'SIGKILL' || (this.#innerPid !== undefined && code === 128 + 9);
      listener(isKilled ? KILLED : signal ? `killed by ${signal}` : `exit code ${code}`);
    });
  }

  kill(): void {
    if (this.#innerPid !== undefined) killIfThere(this.#innerPid);
    this.#child.kill('SIGKILL');
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function nodeArguments(): string[] {
  const reads = CODE.map((path) => `--allow-fs-read=${root}${path}`);
  return [
    '--permission',
    '--allow-addons',
    // The addon loader looks there to tell musl from glibc.
    '--allow-fs-read=/etc/alpine-release',
    ...reads,
    '--disable-warning=SecurityWarning',
    '--title=stagewire-core',
    // Most instances run little: what is between the interpreter and the optimizing compilers costs each of them a
    // tenth of its start.
    '--no-sparkplug',
    '--input-type=module',
    '-',
    ...leakedDescriptors(),
  ];
}

function namespaces(): string[] {
  const libraries = ['/lib', '/lib64', '/usr/lib', '/usr/lib64', '/etc/alpine-release'];
  const readOnly = [process.execPath, ...CODE.map((path) => `${root}${path}`)];
  return [
    '--unshare-all',
    '--die-with-parent',
    '--new-session',
    '--as-pid-1',
    ...['--cap-drop', 'ALL'],
    ...libraries.flatMap((path) => ['--ro-bind-try', path, path]),
    ...readOnly.flatMap((path) => ['--ro-bind', path, path]),
    ...['--proc', '/proc'],
    ...['--dev', '/dev'],
    ...['--chdir', root],
  ];
}

/** How a core ended that somebody killed: we, an operator, or the kernel when memory ran out. */
export const KILLED = 'killed by SIGKILL';

const O_CLOEXEC = 0o2000000;

/**
 * Descriptors that whoever started the host left open for everything that it starts, each with its inode. Node closes
 * its own on exec, but not those: the core does, first of all.
 */
function leakedDescriptors(): string[] {
  if (process.platform !== 'linux') return [];
  const leaked: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    if (Number(fd) <= 3) continue;
    try {
      const [, flags = ''] =
        /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? [];
      if ((Number.parseInt(flags, 8) & O_CLOEXEC) === 0) leaked.push(`${fd}:${fstatSync(Number(fd)).ino}`);
    } catch {
      // The descriptor that listed the folder is closed again.
    }
  }
  return leaked;
}
