import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type * as esbuild from 'esbuild';
import { type Clock, systemClock } from '../base/clock.ts';
import { StagewireError } from '../base/errors.ts';
import type { BootFile } from '../core/frames.ts';
import { type Bundler, BundlerDeath, type BundlerLimits, withBundler } from '../scripts/bundler.ts';
import { sourcePositions, type TracedFile } from '../scripts/stack-trace.ts';
import { BuildError, type BuildMessage, checkScript, deadly, errorsOf, fromEsbuild } from './build-error.ts';
import {
  buildClassic,
  type ClassicBuild,
  type ClassicFile,
  lowered,
  NO_MAP,
} from './classic/classic-build.ts';
import { MAX_MAP_LENGTH } from './classic/rewrite.ts';
import { InputLoader, inputPlugin } from './input-loader.ts';
import { findMain, type MainFile } from './main-file.ts';
import { OwnFiles } from './own-files.ts';
import { firstUnfinished } from './unfinished.ts';

/** A script of a classic application beside the main one. */
export type BuiltFile = TracedFile & BootFile;

/** What an isolate runs: one script, or a classic one with those that it may load, ready to be compiled. */
export interface Build {
  /** Eight hex digits of a hash of kind and code: the same content has the same id. */
  readonly id: string;
  readonly app: string;
  /** Missing when the app has no script. */
  readonly main?: MainFile;
  readonly code: string;
  /** JSON. Missing when the code is the author's file as it is. */
  readonly sourceMap?: string;
  /** What is in the map's sources, as far as it is known. */
  readonly texts?: ReadonlyMap<string, string>;
  /** Absolute paths of the files that were read: what to watch. */
  readonly inputs: readonly string[];
  /** What V8 calls the script in stack traces. */
  readonly filename: string;
  /** Run before it, in this order. */
  readonly preludes?: readonly BuiltFile[];
  /** What it may `load`, and the folders in which that is looked for (core/loads.ts). */
  readonly loads?: { readonly folders: readonly string[]; readonly files: readonly BuiltFile[] };
  /** It depends on which scripts there are in the folder: watch all. */
  readonly isOpen?: boolean;
  readonly warnings: readonly BuildMessage[];
  /** Wall time, milliseconds since 1970. */
  readonly builtAt: number;
  /** When the files began to be read, milliseconds since 1970 by the system's clock. */
  readonly readAt: number;
}

export interface AppBuilderOptions {
  /** Default: the folder's name. */
  readonly app?: string;
  /** The most that the built code may measure. Default 16 MiB. */
  readonly maxCodeBytes?: number;
  /** Where classic scripts find what they `load`, behind their own folder. Default: what comes with the server. */
  readonly scriptLib?: readonly string[];
  /** How long bundling may take, and what its process may measure. Default 20000, 2048. */
  readonly buildMs?: number;
  readonly buildMb?: number;
  readonly clock?: Clock;
}

/** Where the built script of a module app leaves its exports. */
export const exportsName = '__stagewireApp';

// An editor that saves by truncating and writing is done within a few milliseconds.
const mostWaits = 8;
const waitMs = 25;

/** Builds one application again and again; between builds esbuild keeps what has not changed. */
export class AppBuilder {
  readonly app: string;
  readonly folder: string;
  readonly #maxCodeBytes: number;
  readonly #scriptLib: readonly string[];
  readonly #limits: BundlerLimits;
  readonly #clock: Clock;
  #bundling: { entry: string; bundler: Bundler; context: BundleContext } | undefined;
  /** Of the build under way. */
  #loader: InputLoader | undefined;
  /** What the last good build read: one of these gone missing is probably being saved. */
  #lastInputs: readonly string[] = [];
  /** Inputs that were found empty again and again: their authors mean it. */
  #knownEmpty: ReadonlySet<string> = new Set();
  #running: Promise<unknown> | undefined;
  #next: Promise<Build> | undefined;
  #isDisposed = false;

  constructor(folder: string, options: AppBuilderOptions = {}) {
    this.folder = resolve(folder);
    this.app = options.app ?? basename(this.folder);
    this.#maxCodeBytes = options.maxCodeBytes ?? 16 * 1024 * 1024;
    this.#scriptLib = options.scriptLib ?? [];
    this.#limits = { buildMs: options.buildMs ?? 20_000, buildMb: options.buildMb ?? 2048 };
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Builds what is on disk now. A call during a build waits for one more that starts afterwards, so the
   * result is never older than the call. Throws BuildError (or `E_APP_MAINS`) when the author must act.
   */
  build(): Promise<Build> {
    if (!this.#running) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  /** May be called twice, and during a build, which then fails. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#running;
    await this.#dropContext();
  }

  #start(): Promise<Build> {
    const build = this.#buildUntilWhole();
    const running = build.then(noop, noop).then(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return build;
  }

  /** A build may fail, or lack something, because an editor has just emptied or removed a file that it is about to write. */
  async #buildUntilWhole(): Promise<Build> {
    for (let waits = 0; ; ) {
      const isLast = waits >= mostWaits || this.#isDisposed;
      let suspect: string | undefined;
      try {
        const { build, empty } = await this.#buildOnce();
        suspect = build.main
          ? empty.find((input) => !this.#knownEmpty.has(input))
          : ((await firstUnfinished(this.#lastInputs)) ?? this.#lastInputs[0]);
        if (isLast || suspect === undefined) {
          this.#lastInputs = build.inputs;
          this.#knownEmpty = new Set(empty);
          return build;
        }
      } catch (error) {
        if (isLast || !(error instanceof BuildError) || error.isFinal) throw error;
        suspect = await firstUnfinished(new Set([...this.#lastInputs, ...error.inputs]));
        if (suspect === undefined) throw error;
      }
      // What stays as it is is meant to be: it is built once more, since others may have changed meanwhile.
      do {
        await new Promise<void>((done) => this.#clock.setTimer(done, waitMs));
        waits++;
      } while (waits < mostWaits && !this.#isDisposed && (await firstUnfinished([suspect])) !== undefined);
    }
  }

  async #buildOnce(): Promise<{ build: Build; empty: readonly string[] }> {
    if (this.#isDisposed)
      throw new StagewireError('E_BUILDER', 'host', `the builder of ${this.app} was disposed`);
    const readAt = Date.now(); // as file systems have it
    // Inputs and messages name real paths: esbuild follows symbolic links.
    const folder = await realpath(this.folder).catch(() => this.folder);
    const main = await findMain(folder, this.#maxCodeBytes, this.app);
    if (!main) return { build: await this.#finish({ code: '', inputs: [] }, readAt), empty: [] };

    const built =
      main.kind === 'module' ? await this.#bundle(folder, main) : await this.#buildClassic(folder, main);
    return { build: await this.#finish({ ...built, main }, readAt), empty: built.empty ?? [] };
  }

  async #finish(parts: BuiltParts, readAt: number): Promise<Build> {
    const {
      main,
      code,
      sourceMap,
      texts,
      inputs,
      warnings = [],
      preludes = [],
      loads,
      isOpen = false,
    } = parts;
    const files = [...preludes, ...(loads?.files ?? [])];
    const sizeBytes = [{ code }, ...files].reduce((sum, file) => sum + Buffer.byteLength(file.code), 0);
    if (sizeBytes > this.#maxCodeBytes) throw this.#tooLarge('the built code', sizeBytes, inputs);

    const hash = createHash('sha256').update(`${main?.kind}\n${code}`);
    if (loads) hash.update(`\n${loads.folders.join()}`);
    for (const file of files) hash.update(`\n${JSON.stringify(file.name)}\n${file.code}`);
    const id = hash.digest('hex').slice(0, 8);
    const filename = `app:${this.app}/${id}.js`;
    const named = (file: ClassicFile) => ({ ...file, filename: file.filename ?? `${filename}/${file.name}` });
    const passedOver = main?.passedOver?.map(({ name, why }) => note(name, why)) ?? [];
    const build: Build = {
      id,
      app: this.app,
      ...(main && { main }),
      code,
      ...(sourceMap !== undefined && { sourceMap }),
      ...(texts && { texts }),
      inputs,
      filename,
      ...(preludes.length > 0 && { preludes: preludes.map(named) }),
      ...(loads && { loads: { folders: loads.folders, files: loads.files.map(named) } }),
      ...(isOpen && { isOpen }),
      warnings: [...passedOver, ...warnings],
      builtAt: this.#clock.now(),
      readAt,
    };
    // esbuild passes new syntax through as it is; V8's verdict is the one that counts.
    if (main?.kind === 'module') {
      const problem = await checkScript(code, main.name);
      const position = problem && sourcePositions(build)(problem.line, problem.column);
      if (problem) throw new BuildError([{ ...problem, lineText: '', ...position }], inputs);
    }
    return build;
  }

  async #bundle(folder: string, main: MainFile): Promise<BuiltParts> {
    const loader = new InputLoader(new OwnFiles(this.folder, this.#maxCodeBytes));
    try {
      return await this.#bundleWith(loader, folder, main);
    } finally {
      loader.forget();
    }
  }

  async #bundleWith(loader: InputLoader, folder: string, main: MainFile): Promise<BuiltParts> {
    const result = await this.#rebuild(folder, main, loader);
    const { code, map, warnings } = outputsOf(result, main.name);
    const files = Object.entries(result.metafile.inputs);
    const inputs = files.flatMap(([name]) => inputPath(folder, name)).sort();
    const empty = files.flatMap(([name, { bytes }]) => (bytes === 0 ? inputPath(folder, name) : []));
    return {
      code,
      sourceMap: withoutForeignSources(map, folder, result.metafile.inputs),
      texts: textsOf(folder, Object.keys(result.metafile.inputs), loader),
      inputs,
      empty,
      warnings: [...warnings, ...messagesOf(result.warnings, folder, loader)],
    };
  }

  async #rebuild(
    folder: string,
    { path: entry, name }: MainFile,
    loader: InputLoader,
  ): Promise<BundleResult> {
    try {
      return await withBundler(this.#limits, async (bundler) => {
        loader.forget(); // of a bundler that was lost
        const optionsWith = (current: () => InputLoader) => ({
          ...bundleFlags,
          ...bundlePaths(folder, entry),
          plugins: [inputPlugin(current)],
        });
        if (bundler.isTrial) return bundler.api.build(optionsWith(() => loader));
        if (this.#bundling?.entry !== entry || this.#bundling.bundler !== bundler) {
          await this.#dropContext();
          const context = await bundler.api.context(optionsWith(() => this.#loader ?? loader));
          this.#bundling = { entry, bundler, context };
        }
        this.#loader = loader;
        return this.#bundling.context.rebuild();
      });
    } catch (error) {
      if (error instanceof BundlerDeath) throw deadly(error, name, [entry, ...this.#lastInputs]);
      const raw = errorsOf(error, this.app);
      const { foreign, tried } = loader;
      const foreignText = `imports ${foreign}: only its own files, those of folders that are no applications, and npm packages can be imported`;
      const messages = foreign === undefined ? messagesOf(raw, folder, loader) : [note(name, foreignText)];
      throw new BuildError(messages, [
        entry,
        ...tried,
        ...raw.slice(0, MAX_MESSAGES).flatMap((each) => missing(folder, each)),
      ]);
    } finally {
      this.#loader = undefined;
    }
  }

  #buildClassic(folder: string, main: MainFile): Promise<ClassicBuild> {
    return buildClassic(main, {
      folder,
      own: new OwnFiles(this.folder, this.#maxCodeBytes),
      scriptLib: this.#scriptLib,
      maxCodeBytes: this.#maxCodeBytes,
      limits: this.#limits,
      tooLarge: (what, sizeBytes, inputs) => this.#tooLarge(what, sizeBytes, inputs),
    });
  }

  #tooLarge(what: string, sizeBytes: number, inputs: readonly string[]): BuildError {
    const text = `${what} measures ${mebibytes(sizeBytes)} MiB, the limit is ${mebibytes(this.#maxCodeBytes)} MiB: import less`;
    return new BuildError([{ file: '', line: 0, column: 0, lineText: '', text }], inputs);
  }

  async #dropContext(): Promise<void> {
    const { bundler, context } = this.#bundling ?? {};
    this.#bundling = undefined;
    // A context goes with its process.
    if (bundler?.isOver === false) await context?.dispose();
  }
}

interface BuiltParts extends Partial<Omit<ClassicBuild, 'code' | 'inputs'>> {
  readonly main?: MainFile;
  readonly code: string;
  readonly texts?: ReadonlyMap<string, string>;
  readonly inputs: readonly string[];
}

function note(file: string, text: string): BuildMessage {
  return { file, line: 0, column: 0, lineText: '', text };
}

type BundleResult = esbuild.BuildResult<typeof bundleFlags>;
type BundleContext = esbuild.BuildContext<typeof bundleFlags>;

const bundleFlags = {
  bundle: true,
  write: false,
  metafile: true,
  format: 'iife',
  globalName: exportsName,
  // A bare V8: neither Node nor a browser. Of a package's builds the browser's needs the least.
  platform: 'neutral',
  mainFields: ['browser', 'module', 'main'],
  conditions: ['browser', 'module'],
  target: 'esnext',
  supported: lowered,
  sourcemap: 'external',
  // What is in the files is read below: esbuild would follow the maps that they name, wherever those point.
  sourcesContent: false,
  keepNames: true,
  charset: 'utf8',
  logLevel: 'silent',
  loader: { '.txt': 'text', '.md': 'text', '.html': 'text', '.csv': 'text', '.sql': 'text' },
  // Modules are strict. Given raw, no tsconfig.json on the way up can change what a folder means.
  tsconfigRaw: { compilerOptions: { alwaysStrict: true } },
} as const satisfies esbuild.BuildOptions;

function bundlePaths(folder: string, entry: string) {
  // Never written: the name only makes the map's sources relative to the folder.
  return { absWorkingDir: folder, entryPoints: [entry], outfile: join(folder, '.stagewire-build.js') };
}

function outputsOf(
  result: { outputFiles: esbuild.OutputFile[] },
  main: string,
): { code: string; map: string; warnings: BuildMessage[] } {
  const [map, code] = [true, false].map((isMap) =>
    result.outputFiles.find(({ path }) => path.endsWith('.map') === isMap),
  );
  const mapBytes = map?.contents.length ?? 0;
  if (mapBytes <= MAX_MAP_LENGTH) return { code: code?.text ?? '', map: map?.text ?? NO_MAP, warnings: [] };
  const text = `its source map measures ${mebibytes(mapBytes)} MiB, the limit is ${mebibytes(MAX_MAP_LENGTH)}: errors name no lines`;
  return { code: code?.text ?? '', map: NO_MAP, warnings: [note(main, text)] };
}

/** Of a map that an input names, a script must not learn what files there are elsewhere. */
function withoutForeignSources(
  map: string,
  folder: string,
  inputs: Readonly<Record<string, unknown>>,
): string {
  const content = JSON.parse(map) as { sources: (string | null)[] };
  const isKnown = (name: string | null) =>
    name !== null &&
    (Object.hasOwn(inputs, name) ||
      !relative(folder, resolve(folder, name)).startsWith('..') ||
      name.includes('/node_modules/'));
  if (content.sources.every(isKnown)) return map;
  return JSON.stringify({
    ...content,
    sources: content.sources.map((name) => (isKnown(name) ? name : null)),
  });
}

/** Of what esbuild says: each has its line in it. */
const MAX_MESSAGES = 100;

/** So much text of one build is kept for the frames of its errors. */
const MAX_TEXTS = 4 * 1024 * 1024;

/** The texts of the inputs, the application's own first. */
function textsOf(
  folder: string,
  names: readonly string[],
  { read }: InputLoader,
): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  let left = MAX_TEXTS;
  const isPackage = (name: string) => Number(name.includes('node_modules/'));
  for (const name of [...names].sort((a, b) => isPackage(a) - isPackage(b))) {
    const bytes = read.get(resolve(folder, name));
    if (bytes === undefined || bytes.length > left) continue;
    left -= bytes.length;
    texts.set(name, new TextDecoder().decode(bytes));
  }
  return texts;
}

/** What esbuild says of a file that it has read itself, such as a package.json, could quote any file of the machine. */
function messagesOf(raw: readonly esbuild.Message[], folder: string, { read }: InputLoader): BuildMessage[] {
  return raw
    .slice(0, MAX_MESSAGES)
    .map(fromEsbuild)
    .map((message) => {
      const { file, line, column } = message;
      const path = resolve(folder, file);
      if (file === '' || (read.has(path) && path.startsWith(folder + sep))) return message;
      if (read.has(path)) return { ...message, lineText: '' }; // of others, whose lines are not the author's to read
      return note(file, `is not what the bundler expects (line ${line}, column ${column})`);
    });
}

/** Where a file may appear that an import looked for in vain. */
function missing(folder: string, { text, location }: esbuild.Message): string[] {
  const name = /^Could not resolve "(\.{1,2}\/.*)"$/.exec(text)?.[1];
  if (name === undefined || !location) return [];
  const path = resolve(folder, dirname(location.file), name);
  const sources = path.replace(/\.([cm]?)js(x?)$/, '.$1ts$2');
  return [path, sources, ...['.ts', '.tsx', '.js', '.jsx', '.json'].map((ending) => path + ending)];
}

/** esbuild names inputs relative to the folder, and things that are no files as `<runtime>` or `(disabled):x`. */
function inputPath(folder: string, name: string): string[] {
  return name.startsWith('<') || name.startsWith('(') ? [] : [resolve(folder, name)];
}

function mebibytes(sizeBytes: number): string {
  return (sizeBytes / 1024 / 1024).toFixed(1);
}

function noop(): void {}
