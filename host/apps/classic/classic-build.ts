import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../../base/errors.ts';
import type { BootFile } from '../../core/frames.ts';
import { LIBRARY, loadCandidates } from '../../core/loads.ts';
import { BundlerDeath, type BundlerLimits, withBundler } from '../../scripts/bundler.ts';
import type { TracedFile } from '../../scripts/stack-trace.ts';
import { BuildError, type BuildMessage, deadly, errorsOf, fromEsbuild } from '../build-error.ts';
import type { MainFile } from '../main-file.ts';
import type { OwnFiles } from '../own-files.ts';
import { type PlainFile, readPlainFile } from '../plain-file.ts';
import { isNoScript } from '../watcher.ts';
import { decodeSource } from './decode.ts';
import { type NamedLoads, type Prepared, prepare } from './prepare.ts';
import { MAX_MAP_LENGTH } from './rewrite.ts';
import { findInLibrary, forEachPrelude, OWN_LIBRARY, secureModeBegins, secureModeEnds } from './scriptlib.ts';

/** A script of a build beside the main one. Missing its `filename`: that has the build's id in it. */
export type ClassicFile = TracedFile &
  Omit<BootFile, 'filename'> & {
    /** Of the server's own, whose frames are nobody's. */
    readonly filename?: string;
  };

/** A classic application, ready to be hashed. */
export interface ClassicBuild {
  readonly code: string;
  readonly sourceMap?: string;
  readonly preludes?: readonly ClassicFile[];
  readonly loads?: { readonly folders: readonly string[]; readonly files: readonly ClassicFile[] };
  readonly inputs: readonly string[];
  readonly empty: readonly string[];
  readonly warnings: readonly BuildMessage[];
  /** It depends on which scripts there are in the folder. */
  readonly isOpen: boolean;
}

export interface ClassicOptions {
  /** Real, as are the paths of the main file. */
  readonly folder: string;
  readonly own: OwnFiles;
  /** Where `load` looks behind the application's own folders, before what comes with the server. */
  readonly scriptLib: readonly string[];
  readonly maxCodeBytes: number;
  readonly limits: BundlerLimits;
  /** Which build has read such a number of bytes is told by whoever measures code. */
  readonly tooLarge: (what: string, sizeBytes: number, inputs: readonly string[]) => BuildError;
}

/** More scripts than any application of the time had. */
const MAX_FILES = 1000;
/** And more files beside them. */
const MAX_ENTRIES = 20_000;
const isScript = /\.(?:asc|js)$/;
const secureNames = ['scripts/secure.asc', 'secure.asc'];

export function buildClassic(main: MainFile, options: ClassicOptions): Promise<ClassicBuild> {
  return new ClassicBuilder(main, options).build();
}

/** Reads the main script and what it loads. One for each build. */
class ClassicBuilder {
  readonly #main: MainFile;
  readonly #options: ClassicOptions;
  readonly #folders: readonly string[];
  readonly #library: readonly string[];
  readonly #files = new Map<string, ClassicFile>();
  readonly #scripts = new Map<string, Script>();
  readonly #inputs: string[] = [];
  readonly #empty: string[] = [];
  readonly #warnings: BuildMessage[] = [];
  #bytes = 0;
  #mapLength = 0;
  #hasForEach = false;
  /** The scripts in the folder, listed when they are first needed. */
  #own: Promise<string[]> | undefined;

  constructor(main: MainFile, options: ClassicOptions) {
    this.#main = main;
    this.#options = options;
    this.#folders = [
      ...new Set([main.name.startsWith('scripts/') ? 'scripts/' : '', 'scripts/', '', LIBRARY]),
    ];
    this.#library = [...options.scriptLib, OWN_LIBRARY];
  }

  async build(): Promise<ClassicBuild> {
    const main = await this.#read(this.#main.path, this.#main.name);
    if (!main) {
      this.#inputs.push(this.#main.path);
      throw this.#failure(this.#main.name, 'cannot be read: it is gone');
    }
    const secure = await this.#readFirst(secureNames);
    const scripts = [main, ...(secure ? [secure] : [])];
    for (const script of scripts) this.#require(script);
    const isOpen = await this.#follow(scripts);
    if (isOpen) await this.#readAll();

    const preludes = [
      ...(this.#hasForEach ? [forEachPrelude] : []),
      ...(secure ? [secureModeBegins, fileOf(secure), secureModeEnds] : []),
    ];
    const hasLoads = isOpen || scripts.some(({ loads }) => loads.names.length > 0);
    const { code, sourceMap } = main;
    return {
      code,
      ...(sourceMap !== undefined && { sourceMap }),
      ...(preludes.length > 0 && { preludes }),
      ...(hasLoads && { loads: { folders: this.#folders, files: [...this.#files.values()] } }),
      inputs: this.#inputs,
      empty: this.#empty,
      warnings: this.#warnings,
      isOpen,
    };
  }

  /**
   * Reads what is loaded by name, and what that loads. True when a name cannot be read in a text. What is not there is
   * for the script to miss: it may never come to that call.
   */
  async #follow(scripts: readonly Script[]): Promise<boolean> {
    const queue: NamedLoads[] = scripts.map(({ loads }) => loads);
    let isOpen = false;
    const named = new Set<string>();
    for (let loads = queue.shift(); loads; loads = queue.shift()) {
      isOpen ||= loads.isOpen;
      for (const name of loads.names) {
        if (named.has(name)) continue;
        if (named.size >= MAX_FILES) throw this.#tooMany();
        named.add(name);
        const candidates = loadCandidates(name, this.#folders);
        const found = await this.#readFirst(candidates);
        // What comes before it may come to be there.
        const tried = found ? candidates.slice(0, candidates.indexOf(found.name)) : candidates;
        const paths = tried.filter(isOwn).map((candidate) => join(this.#options.folder, candidate));
        this.#inputs.push(...paths);
        if (!found) {
          // An editor may be about to write it.
          this.#empty.push(...paths);
          await this.#readNearly(candidates);
          continue;
        }
        if (this.#files.has(found.name)) continue;
        this.#require(found);
        this.#add(found);
        queue.push(found.loads);
      }
    }
    return isOpen;
  }

  /** A file whose name differs in case only: whoever misses it may be told. */
  async #readNearly(candidates: readonly string[]): Promise<void> {
    const wanted = candidates.map((name) => name.toLowerCase());
    const nearly = (await this.#ownScripts()).find((name) => wanted.includes(name.toLowerCase()));
    if (nearly !== undefined) await this.#readAlso(nearly);
  }

  /** All that may be loaded by a name that only the running script knows. */
  async #readAll(): Promise<void> {
    for (const name of await this.#ownScripts()) await this.#readAlso(name);
    for (const library of this.#library) {
      for (const name of await this.#scriptsIn(library)) await this.#readAlso(LIBRARY + name);
    }
  }

  async #readAlso(name: string): Promise<void> {
    if (this.#files.has(name)) return;
    const script = await this.#readFirst([name]);
    if (script) this.#add(script);
  }

  #ownScripts(): Promise<string[]> {
    this.#own ??= this.#scriptsIn(this.#options.folder);
    return this.#own;
  }

  /** The scripts in and below that folder, by name; neither packages nor media. */
  async #scriptsIn(folder: string): Promise<string[]> {
    const found: string[] = [];
    const folders = [''];
    let seen = 0;
    for (let below = folders.shift(); below !== undefined; below = folders.shift()) {
      const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => []);
      seen += entries.length;
      if (seen > MAX_ENTRIES)
        throw this.#failure(
          this.#main.name,
          `loads files by names that are reckoned, and ${folder} has more than ${MAX_ENTRIES}: move what is no script of the server into public/`,
        );
      for (const entry of entries) {
        const name = below + entry.name;
        if (isNoScript(name.split('/'))) continue;
        if (entry.isDirectory()) folders.push(`${name}/`);
        else if (isScript.test(name)) found.push(name);
      }
    }
    return found.sort();
  }

  #add(script: Script): void {
    if (this.#files.size >= MAX_FILES) throw this.#tooMany();
    this.#files.set(script.name, fileOf(script));
  }

  #tooMany(): BuildError {
    return this.#failure(
      this.#main.name,
      `may load more than ${MAX_FILES} files: move what is no script of the server into public/`,
    );
  }

  /** What is certain to run must compile. */
  #require({ problem }: Script): void {
    if (problem) throw new BuildError([problem], this.#inputs);
  }

  /** The first of those names that is there: a file that has been read already, or a new one. */
  async #readFirst(names: readonly string[]): Promise<Script | undefined> {
    for (const name of names) {
      const known = this.#scripts.get(name);
      if (known) return known;
      if (!isScript.test(name) || (isOwn(name) && isNoScript(name.split('/')))) continue;
      const path = isOwn(name)
        ? join(this.#options.folder, name)
        : await findInLibrary(this.#library, name.slice(LIBRARY.length));
      const script = path === undefined ? undefined : await this.#read(path, name);
      if (script) return script;
    }
    return undefined;
  }

  /** Undefined when there is no such file. */
  async #read(path: string, name: string): Promise<Script | undefined> {
    const stats = await stat(path).catch(() => undefined);
    if (!stats?.isFile()) return undefined;
    this.#inputs.push(path);
    this.#bytes += stats.size;
    const { maxCodeBytes, tooLarge } = this.#options;
    if (this.#bytes > maxCodeBytes) throw tooLarge(name, this.#bytes, this.#inputs);
    let file: PlainFile;
    try {
      file = await readPlainFile(path, maxCodeBytes);
    } catch (error) {
      throw this.#failure(name, `cannot be read: ${describeError(error)}`);
    }
    await this.#requireOwn(file, name);
    const text = decodeSource(file.bytes);
    if (text === '') this.#empty.push(path);
    const prepared = await prepare(text, name);
    this.#hasForEach ||= prepared.hasForEach;
    const script = { ...prepared, name, ...(await this.#lower(text, prepared, name, path)) };
    this.#scripts.set(name, script);
    return script;
  }

  /** The machine's files, and those of other applications, are none of the author's business: a link may lead to them. */
  async #requireOwn({ real }: PlainFile, name: string): Promise<void> {
    if (isOwn(name) && !(await this.#options.own.has(real)))
      throw this.#failure(
        name,
        `leads to ${real}: only its own files, and those of folders that are no applications, can be loaded`,
      );
  }

  async #lower(
    text: string,
    prepared: Prepared,
    name: string,
    path: string,
  ): Promise<{ code: string; sourceMap?: string }> {
    const { code, sourceMap } = prepared;
    // The keyword cannot be spelled otherwise, so a script without the word has no async functions.
    const lowered =
      prepared.problem || !/\basync\b/.test(text)
        ? undefined
        : await lowerAsync(prepared, name, path, this.#options.limits);
    this.#warnings.push(...(lowered?.warnings ?? []));
    if (lowered?.code === undefined)
      return { code, ...(sourceMap !== undefined && this.#hasRoomFor(sourceMap, name) && { sourceMap }) };
    return {
      code: lowered.code,
      sourceMap: this.#hasRoomFor(lowered.sourceMap, name) ? lowered.sourceMap : NO_MAP,
    };
  }

  #hasRoomFor(map: string, name: string): boolean {
    this.#mapLength += map.length;
    if (this.#mapLength <= MAX_MAP_LENGTH) return true;
    this.#mapLength -= map.length;
    const text = `with its source map those of this application would measure more than ${MAX_MAP_LENGTH} bytes: its errors name no lines, or the wrong columns`;
    this.#warnings.push({ file: name, line: 0, column: 0, lineText: '', text });
    return false;
  }

  #failure(file: string, text: string): BuildError {
    return new BuildError([{ file, line: 0, column: 0, lineText: '', text }], this.#inputs);
  }
}

function isOwn(name: string): boolean {
  return !name.startsWith(LIBRARY);
}

interface Script extends Prepared {
  readonly name: string;
}

function fileOf({ name, code, sourceMap, problem }: Script): ClassicFile {
  return {
    name,
    code,
    ...(sourceMap !== undefined && { sourceMap }),
    ...(problem && { problem: { text: problem.text, line: problem.line, column: problem.column } }),
  };
}

/**
 * Native `await` continues only after the isolate has been left and cannot be attributed to an event, so
 * async functions become generators over the runtime's Promise. Decorators V8 does not know yet.
 */
export const lowered = {
  'async-await': false,
  'async-generator': false,
  'for-await': false,
  decorators: false,
};

/** Of positions that are unknown. */
export const NO_MAP = '{"version":3,"sources":[],"mappings":""}';

type Lowered =
  | { code: string; sourceMap: string; warnings: BuildMessage[] }
  | { code: undefined; warnings: BuildMessage[] };

/** Lowers async functions of a classic script. It stays sloppy and its top-level names stay globals. */
async function lowerAsync(
  { code, sourceMap }: Prepared,
  name: string,
  path: string,
  limits: BundlerLimits,
): Promise<Lowered> {
  const flags = { sourcefile: name, target: 'esnext', charset: 'utf8', logLevel: 'silent' } as const;
  // What has moved already: esbuild follows such a comment.
  const inline = sourceMap && Buffer.from(sourceMap).toString('base64');
  const text = inline ? `${code}\n//# sourceMappingURL=data:application/json;base64,${inline}` : code;
  try {
    const [low, asIs] = await withBundler(limits, ({ api }) =>
      Promise.all([
        api.transform(text, { ...flags, supported: lowered, sourcemap: 'external' }),
        api.transform(text, flags),
      ]),
    );
    // Where lowering changes nothing, `async` was a word in a string, a comment or a name.
    if (low.code === asIs.code) return { code: undefined, warnings: [] };
    if (low.map.length > MAX_MAP_LENGTH) return { code: low.code, sourceMap: low.map, warnings: [] }; // not to be used
    const map = { ...(JSON.parse(low.map) as object), sources: [name] };
    return { code: low.code, sourceMap: JSON.stringify(map), warnings: [] };
  } catch (error) {
    if (error instanceof BundlerDeath) throw deadly(error, name, [path]);
    // V8 has accepted the script, so it runs: only its async functions stay as they are.
    return { code: undefined, warnings: errorsOf(error, name).map(fromEsbuild) };
  }
}
