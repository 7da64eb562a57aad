import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import type { Limits } from '../../host/base/limits.ts';
import type { InstanceDetails } from '../../host/web/api.ts';
import { DEADLINE_MS, eventually, inTime, Journal } from './journal.ts';
import { httpByRtmpPort } from './websocket-client.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** The files of one application: relative path and content. */
export type AppFiles = Record<string, string | Uint8Array>;

export interface ServerOptions {
  /** Applications to begin with, by name. */
  apps?: Record<string, AppFiles>;
  /** Named pipes in their folders: whoever reads one waits for somebody to write to it. */
  pipes?: string[];
  /** Folders of `sample-apps` to copy. */
  samples?: string[];
  /** Folders of `test/classic/apps` to copy. */
  classics?: string[];
  /** A folder for `scriptLibPath`. */
  scriptLib?: AppFiles;
  /** By application and path: folders beside the applications directory. */
  fileDirectories?: Record<string, Record<string, AppFiles>>;
  limits?: Partial<Limits>;
  lockedLimits?: string[];
  sandbox?: 'permission' | 'bwrap';
  log?: 'json' | 'pretty';
  logLevel?: 'debug' | 'info';
  /** Whether the compiler looks at the applications. Default false: it would have to look at hundreds. */
  typeCheck?: boolean;
  /** Whether there is a page at `/`. Default true. */
  playground?: boolean;
  /** The data folder; by default one of its own, that goes with it. */
  data?: string;
  /** The content of the file for `--admin-token-file`. */
  adminToken?: string;
  /** The port for HTTP, of a server that was there before. */
  http?: number;
  /** The port for RTMP, likewise. */
  rtmp?: number;
  /** A network namespace: it listens at all addresses there. */
  namespace?: string;
  /** The address of the server that it is an edge of, and what it is called there. */
  edgeOf?: string;
  edgeName?: string;
  /** The content of the file for `--edge-secret-file`. */
  edgeSecret?: string;
  /** Files: it listens with TLS, too. */
  tls?: { certificate: string; key: string };
}

/** One line of the server's log. In `pretty` mode only `message` is filled. */
export interface LogRecord {
  level: string;
  message: string;
  instance?: string;
  build?: string;
  code?: string;
  detail?: string;
  [field: string]: unknown;
}

const running = new Set<ChildProcess>();
const killAll = () => {
  for (const child of running) killGroup(child);
};
process.on('exit', killAll);
// The test runner is gone: its worker has no exit of its own then.
process.on('disconnect', killAll);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll();
    process.exit(1);
  });
}

/** A Stagewire server in a process of its own, with folders of its own. */
export class TestServer {
  readonly log = new Journal<LogRecord>('the log', (record) => JSON.stringify(record).slice(0, 300));
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  readonly appsFolder: string;
  readonly dataFolder: string;
  /** `rtmp://127.0.0.1:PORT`. */
  rtmp = '';
  /** `http://127.0.0.1:PORT`. */
  http = '';
  /** With `tls`. */
  rtmps = '';
  https = '';
  output = '';
  errors = '';
  readonly #folder: string;
  readonly #child: ChildProcess;

  constructor(options: ServerOptions = {}) {
    this.#folder = mkdtempSync(join(tmpdir(), 'stagewire-test-'));
    this.appsFolder = join(this.#folder, 'apps');
    mkdirSync(this.appsFolder);
    for (const [name, files] of Object.entries(options.apps ?? {})) this.writeApp(name, files);
    for (const path of options.pipes ?? []) execFileSync('mkfifo', [join(this.appsFolder, path)]);
    for (const name of options.samples ?? []) this.copySample(name);
    for (const name of options.classics ?? []) {
      cpSync(join(root, 'test/classic/apps', name), join(this.appsFolder, name), { recursive: true });
    }
    for (const [name, content] of Object.entries(options.scriptLib ?? {}))
      this.writeFile(`../scriptlib/${name}`, content);
    const scriptLibPath = options.scriptLib ? ['scriptlib'] : [];
    const fileDirectories: Record<string, Record<string, string>> = {};
    for (const [app, folders] of Object.entries(options.fileDirectories ?? {})) {
      for (const [path, files] of Object.entries(folders)) {
        const folder = `elsewhere/${app}${path}`;
        fileDirectories[app] = { ...fileDirectories[app], [path]: folder };
        mkdirSync(join(this.#folder, folder), { recursive: true });
        for (const [name, content] of Object.entries(files)) this.writeFile(`../${folder}/${name}`, content);
      }
    }
    this.dataFolder = options.data ?? join(this.#folder, 'data');
    const config = join(this.#folder, 'config.json');
    const {
      limits = {},
      logLevel = 'info',
      log = 'json',
      sandbox = 'permission',
      adminToken,
      lockedLimits = [],
      typeCheck = false,
      playground = true,
      tls,
    } = options;
    writeFileSync(
      config,
      JSON.stringify({
        limits: { spreadCores: 1, canaryMs: 0, ...limits },
        logLevel,
        sandbox,
        scriptLibPath,
        fileDirectories,
        lockedLimits,
        typeCheck,
        playground,
      }),
    );
    const args = ['--apps', this.appsFolder, '--data', this.dataFolder, '--log', log];
    const everywhere = options.namespace === undefined ? '' : '0.0.0.0:';
    args.push(
      '--rtmp',
      `${everywhere}${options.rtmp ?? 0}`,
      '--http',
      String(options.http ?? 0),
      '--config',
      config,
    );
    if (tls) args.push('--rtmps', '0', '--https', '0', '--tls-cert', tls.certificate, '--tls-key', tls.key);
    if (adminToken !== undefined) {
      const file = join(this.#folder, 'token');
      writeFileSync(file, `${adminToken}\n`);
      args.push('--admin-token-file', file);
    }
    if (options.edgeSecret !== undefined) {
      const file = join(this.#folder, 'edge-secret');
      writeFileSync(file, `${options.edgeSecret}\n`);
      args.push('--edge-secret-file', file);
    }
    if (options.edgeOf !== undefined) args.push('--edge-of', options.edgeOf);
    if (options.edgeName !== undefined) args.push('--edge-name', options.edgeName);
    const inside = options.namespace === undefined ? [] : ['ip', 'netns', 'exec', options.namespace];
    const [program, ...words] = [...inside, process.execPath, join(root, 'host/main.ts'), ...args];
    this.#child = spawn(program!, words, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of its own, so that nothing it started can outlive the test
    });
    running.add(this.#child);
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        running.delete(this.#child);
        this.log.end(`the server left with ${signal ?? code}${this.errors && `: ${this.errors}`}`);
        resolve({ code, signal });
      });
    });
    let line = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      for (const each of lines) this.log.add(parseLine(each));
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get rtmpPort(): number {
    return Number(new URL(this.rtmp).port);
  }

  async ready(): Promise<this> {
    const { message } = await this.log.waitFor('the ready line', ({ message }) =>
      message.startsWith('stagewire ready'),
    );
    const urls = message.split(' ');
    for (const scheme of ['rtmp', 'http', 'rtmps', 'https'] as const)
      this[scheme] = urls.find((url) => url.startsWith(`${scheme}:`)) ?? '';
    httpByRtmpPort.set(this.rtmpPort, this.http);
    return this;
  }

  /** Makes or replaces an application's folder. */
  writeApp(name: string, files: AppFiles): void {
    mkdirSync(join(this.appsFolder, name), { recursive: true });
    for (const [file, content] of Object.entries(files)) this.writeFile(`${name}/${file}`, content);
  }

  /** `path` is relative to the applications folder. */
  writeFile(path: string, content: string | Uint8Array): void {
    const file = join(this.appsFolder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  readFile(path: string): string {
    return readFileSync(join(this.appsFolder, path), 'utf8');
  }

  remove(path: string): void {
    rmSync(join(this.appsFolder, path), { recursive: true });
  }

  copySample(name: string): void {
    cpSync(join(root, 'sample-apps', name), join(this.appsFolder, name), { recursive: true });
  }

  /** Waits for a record whose message contains `text`, or that `matches`, from the place `from` on. */
  waitForLog(matches: string | ((record: LogRecord) => boolean), from = 0): Promise<LogRecord> {
    const test = typeof matches === 'string' ? (r: LogRecord) => r.message.includes(matches) : matches;
    return this.log.waitFor(`a line with ${String(matches)}`, test, from);
  }

  /** What an instance's script has printed; waits until there is as much as `expected`, then compares. */
  async expectTraces(instance: string, expected: readonly unknown[]): Promise<void> {
    const traces = () => this.log.entries.filter((r) => r.instance === instance).map((r) => r.message);
    await eventually(
      `${expected.length} lines of ${instance}`,
      () => traces().length >= expected.length,
    ).catch(
      () => {}, // the comparison says what is missing
    );
    expect(traces()).toEqual(expected);
  }

  /** Process ids of the cores: the children of the server that are called stagewire-core. */
  corePids(): number[] {
    return this.childPids('stagewire-core');
  }

  /** Kills those that run. What has ended meanwhile need not be killed. */
  killCores(): void {
    for (const pid of this.corePids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** Of the server's children with that in their command line. */
  childPids(words: string): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        const [parent, command] = processOf(pid);
        return parent === this.pid && command.includes(words);
      })
      .map(Number);
  }

  async health(): Promise<{ connections: number; instances: number }> {
    return (await (await fetch(`${this.http}/healthz`)).json()) as { connections: number; instances: number };
  }

  async instance(app: string, name: string): Promise<InstanceDetails> {
    return (await (await fetch(`${this.http}/api/instances/${app}/${name}`)).json()) as InstanceDetails;
  }

  /** A metric without labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  /** What was sent in windows of that length. */
  async windows(windowMs: number): Promise<Record<string, number>> {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    const pattern = new RegExp(`^stagewire_window_(\\w+)_total\\{window_ms="${windowMs}"\\} (\\d+)$`, 'gm');
    return Object.fromEntries([...text.matchAll(pattern)].map(([, name, value]) => [name, Number(value)]));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM; the server has to leave with code 0. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const { code, signal } = await inTime('the server to stop', this.exited);
    expect({ code, signal, errors: this.errors }).toEqual({ code: 0, signal: null, errors: '' });
  }

  /** Whatever happened: the process ends and its folders go. */
  async destroy(): Promise<void> {
    killGroup(this.#child);
    await this.exited;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A server for all tests of a file. Its clean stop is asserted after the last of them. */
export function useServer(options: ServerOptions = {}): TestServer {
  let server: TestServer | undefined;
  beforeAll(async () => {
    server = new TestServer(options);
    await server.ready();
  }, DEADLINE_MS * 2);
  afterAll(async () => {
    try {
      await server?.stop();
    } finally {
      await server?.destroy();
    }
  }, DEADLINE_MS * 2);
  // Tests get the object before the server starts: every use is looked up when it happens.
  return new Proxy({} as TestServer, {
    get(_, member) {
      if (!server) throw new Error('the server runs only inside of tests');
      const value = Reflect.get(server, member, server) as unknown;
      return typeof value === 'function' ? value.bind(server) : value;
    },
  });
}

/** A server for one test, killed when the test ends. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const server = new TestServer(options);
  onTestFinished(() => server.destroy());
  return server.ready();
}

/** A folder for what outlives a server, until the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stagewire-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Of files that it writes to from now on (`RLIMIT_FSIZE`): whatever would grow beyond fails, as on a full disk. */
export function limitFileSize(pid: number, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
}

/** Runs the command line and waits for its end: for what must not start. */
export async function runMain(...args: string[]): Promise<{ code: number; output: string; errors: string }> {
  const child = spawn(process.execPath, [join(root, 'host/main.ts'), ...args], {
    cwd: tmpdir(),
    detached: true,
  });
  running.add(child);
  onTestFinished(() => killGroup(child));
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exit = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  const code = await inTime('the command line to end', exit);
  running.delete(child);
  return { code, output, errors };
}

/** Ends a process and all that it started, also when it has ended itself. */
function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}

function parseLine(line: string): LogRecord {
  if (!line.startsWith('{')) return { level: '', message: line };
  return JSON.parse(line) as LogRecord;
}

/** Parent and command line; a process that has just ended has neither. */
function processOf(pid: string): [number, string] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return [parent, readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
  } catch {
    return [0, ''];
  }
}
