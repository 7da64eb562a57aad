import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { lineOf, lineStarts } from '../scripts/lines.ts';
import { residentBytes } from '../scripts/process-stat.ts';
import { type BuildMessage, formatMessage } from './build-error.ts';
import type { Build } from './builder.ts';

/** What scripts find in their global scope. */
const GLOBALS = fileURLToPath(new URL('../../runtime/globals.d.ts', import.meta.url));
/** As sample-apps/tsconfig.json has it: what holds where nobody says otherwise. */
const DEFAULTS = {
  target: 'esnext',
  lib: ['esnext'],
  module: 'esnext',
  moduleResolution: 'bundler',
  moduleDetection: 'force',
  types: [],
  strict: true,
  allowImportingTsExtensions: true,
};
const NICENESS = 10;
const POLL_MS = 100;
/** What the compiler may print, and what of it is told. */
const MAX_OUTPUT = 256 * 1024;
const MAX_TOLD = 5;
/** `main.ts(3,7): error TS2322: Type ...`; indented lines after it go on. */
const PROBLEM = /^(.{1,1000}?)\((\d{1,9}),(\d{1,9})\): error (TS\d+: .*)$/;
/** The compiler's advice would bring names that scripts do not have. */
const NODE = /Do you need to install type definitions for node\?.*/;
const NO_NODE =
  'There is no Node in an application: application.config has its settings, File its files, fetch makes requests, Uint8Array holds bytes.';

/**
 * Tells authors what TypeScript finds in their applications: after each build, beside everything else, one application
 * at a time. It only ever warns. Without the compiler (`npm install --omit=dev`) it does nothing.
 */
export class TypeChecker {
  readonly #folder: string;
  readonly #limits: Pick<Limits, 'buildMs' | 'buildMb'>;
  readonly #log: Log;
  readonly #compiler: string | undefined;
  /** The build of each application that is to be looked at next. */
  readonly #waiting = new Map<string, { build: Build; folder: string }>();
  #child: ChildProcess | undefined;
  #isWorking = false;
  #isClosed = false;

  /** `folder`: the applications directory, whose tsconfig.json holds where an application has none. */
  constructor(folder: string, limits: Pick<Limits, 'buildMs' | 'buildMb'>, log: Log) {
    this.#folder = folder;
    this.#limits = limits;
    this.#log = log;
    this.#compiler = compilerPath();
  }

  check(build: Build, folder: string): void {
    if (!this.#compiler || this.#isClosed || !build.main?.name.endsWith('.ts')) return;
    this.#waiting.set(build.app, { build, folder });
    if (!this.#isWorking) void this.#work();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#child?.kill('SIGKILL');
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (;;) {
      const [next] = this.#waiting;
      if (!next) break;
      const [app, { build, folder }] = next;
      this.#waiting.delete(app);
      try {
        const problems = await this.#problemsOf(build, folder);
        if (problems.length > 0 && !this.#waiting.has(app) && !this.#isClosed) this.#tell(build, problems);
      } catch (error) {
        if (!this.#isClosed)
          this.#log.warn(`its types were not checked: ${describeError(error)}`, { instance: app });
      }
    }
    this.#isWorking = false;
  }

  #tell({ app, id }: Build, problems: readonly BuildMessage[]): void {
    const told = problems.slice(0, MAX_TOLD).map(formatMessage);
    if (problems.length > MAX_TOLD) told.push(`... and ${problems.length - MAX_TOLD} more`);
    const what = problems.length === 1 ? 'a type error' : `${problems.length} type errors`;
    this.#log.warn(`${what}; it runs all the same`, { instance: app, build: id, detail: told.join('\n') });
  }

  async #problemsOf(build: Build, folder: string): Promise<BuildMessage[]> {
    const scratch = await mkdtemp(join(tmpdir(), 'stagewire-types-'));
    try {
      const project = join(scratch, 'tsconfig.json');
      const own = [folder, this.#folder].map((each) => join(each, 'tsconfig.json')).find(existsSync);
      const config = {
        ...(own ? { extends: own } : {}),
        compilerOptions: { ...(own ? {} : DEFAULTS), noEmit: true, skipLibCheck: true, incremental: false },
        include: [],
        files: [join(folder, build.main!.name), GLOBALS],
      };
      await writeFile(project, JSON.stringify(config));
      return readProblems(await this.#compile(project, folder), build);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  /** What the compiler prints. Rejects when it takes too long or too much. */
  #compile(project: string, folder: string): Promise<string> {
    const { buildMs, buildMb } = this.#limits;
    return new Promise((resolve, reject) => {
      const options = ['--project', project, '--pretty', 'false'];
      const child = spawn(this.#compiler!, options, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
      this.#child = child;
      let output = '';
      const give = (why: string) => {
        reject(new Error(why));
        child.kill('SIGKILL');
      };
      const late = setTimeout(() => give(`the compiler took longer than ${buildMs} ms`), buildMs);
      const poll = setInterval(() => {
        const bytes = child.pid === undefined ? undefined : residentBytes(child.pid);
        if (bytes !== undefined && bytes > buildMb * 1024 * 1024) give(`the compiler took ${buildMb} MB`);
      }, POLL_MS);
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (output.length < MAX_OUTPUT) output += text;
      });
      child.once('error', reject);
      child.once('spawn', () => setPriority(child.pid!, NICENESS));
      child.once('close', () => {
        clearTimeout(late);
        clearInterval(poll);
        this.#child = undefined;
        resolve(output);
      });
    });
  }
}

/** Errors in the application's own files; its libraries are nobody's business here. */
function readProblems(output: string, { texts }: Build): BuildMessage[] {
  const problems: BuildMessage[] = [];
  for (const printed of output.slice(0, MAX_OUTPUT).split('\n')) {
    const [, file, line, column, text] = PROBLEM.exec(printed) ?? [];
    if (file === undefined || text === undefined) continue;
    const source = texts?.get(file);
    if (source === undefined) continue;
    const lineText = lineOf(source, lineStarts(source), Number(line)) ?? '';
    problems.push({
      file,
      line: Number(line),
      column: Number(column),
      lineText,
      text: text.replace(NODE, NO_NODE),
    });
  }
  return problems;
}

/** The native compiler of the TypeScript that is installed; undefined when none is. */
function compilerPath(): string | undefined {
  try {
    const typescript = fileURLToPath(import.meta.resolve('typescript/package.json'));
    const platform = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
    const native = dirname(createRequire(typescript).resolve(platform));
    const path = join(native, 'lib', process.platform === 'win32' ? 'tsc.exe' : 'tsc');
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
