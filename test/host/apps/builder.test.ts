import { mkdir, mkdtemp, realpath, rename, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BuildError } from '../../../host/apps/build-error.ts';
import { AppBuilder, type Build } from '../../../host/apps/builder.ts';
import { firstUnfinished } from '../../../host/apps/unfinished.ts';
import { type Clock, systemClock } from '../../../host/base/clock.ts';
import { mapStackTrace } from '../../../host/scripts/stack-trace.ts';

let root: string;
let folder: string;
let builder: AppBuilder;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'stagewire-builder-')));
  folder = join(root, 'chat');
  await mkdir(folder);
  builder = new AppBuilder(folder);
});

afterEach(async () => {
  await builder.dispose();
  await rm(root, { recursive: true, force: true });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

async function failureOf(build: Promise<Build>): Promise<BuildError> {
  const error = await build.then(
    () => new Error('the build succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BuildError);
  return error as BuildError;
}

/** Runs a build as an isolate would: a bare V8 without Node's globals. */
function run({ code, filename }: Build): Record<string, unknown> {
  const context = createContext({ trace: [] as unknown[] });
  runInContext(code, context, { filename });
  return context as Record<string, unknown>;
}

test('a module is bundled with its own files, data and packages', async () => {
  await write({
    'main.ts': `
      import { twice } from './lib/twice.ts';
      import { name } from './data.json';
      import text from './motto.txt';
      import left from 'left';
      import { up } from 'up';
      export enum Kind { A = 3 }
      export const result: string = [twice(21), name, text, left(1), up].join();`,
    'lib/twice.ts': 'export const twice = (n: number): number => n * 2;',
    'data.json': '{ "name": "lobby" }',
    'motto.txt': 'žijeme',
    'node_modules/left/package.json': '{ "main": "lib.js" }',
    'node_modules/left/lib.js': 'module.exports = function (n) { return n + 1; };',
    '../node_modules/up/package.json': '{ "exports": { "browser": "./b.js", "default": "./n.js" } }',
    '../node_modules/up/b.js': 'export const up = "browser";',
    '../node_modules/up/n.js': 'import "node:fs"; export const up = "node";',
  });
  const build = await builder.build();
  expect(run(build).__stagewireApp).toMatchObject({ result: '42,lobby,žijeme,2,browser' });
  expect(build).toMatchObject({
    app: 'chat',
    main: { path: join(folder, 'main.ts'), kind: 'module' },
    id: expect.stringMatching(/^[0-9a-f]{8}$/),
    filename: `app:chat/${build.id}.js`,
    warnings: [],
  });
  expect(build.inputs).toEqual(
    [
      join(folder, 'data.json'),
      join(folder, 'lib/twice.ts'),
      join(folder, 'main.ts'),
      join(folder, 'motto.txt'),
      join(folder, 'node_modules/left/lib.js'),
      join(root, 'node_modules/up/b.js'),
    ].sort(),
  );
  expect(JSON.parse(build.sourceMap!)).toMatchObject({
    sources: expect.arrayContaining(['main.ts', 'lib/twice.ts', '../node_modules/up/b.js']),
  });
  expect(build.texts?.get('lib/twice.ts')).toContain('n * 2');
  expect(build.texts?.has('../node_modules/up/b.js')).toBe(true);
});

test('modules are strict, keep their names, and have no native async functions', async () => {
  await write({
    'main.ts': `
      export const isStrict = (function () { return this === undefined; })();
      export const name = (class Lobby {}).name;
      export async function* ticks() { for await (const tick of [1, 2]) yield tick; }
      export async function all() { const seen = []; for await (const t of ticks()) seen.push(t); return seen; }
      function mark<T>(value: T, context: { name: string }) { marks.push(context.name); }
      export const marks: string[] = [];
      @mark class Marked {}
      export const made = new Marked();`,
  });
  const build = await builder.build();
  expect(build.code).not.toMatch(/\basync\b|\bawait\b/);
  const exported = run(build).__stagewireApp as { all(): Promise<number[]> };
  expect(exported).toMatchObject({ isStrict: true, name: 'Lobby', marks: ['Marked'] });
  expect(await exported.all()).toEqual([1, 2]);
});

test('the id follows the content and nothing else', async () => {
  await write({ 'main.ts': 'export const a = 1;' });
  const first = await builder.build();
  await write({ 'main.ts': 'export const a = 2;' });
  const second = await builder.build();
  await write({ 'main.ts': 'export const a = 1;' });
  const third = await builder.build();
  expect(second.id).not.toBe(first.id);
  expect(third.id).toBe(first.id);
  expect(run(second).__stagewireApp).toMatchObject({ a: 2 });
});

test('an app without a script is a build without a main file', async () => {
  expect(await builder.build()).toMatchObject({ code: '', inputs: [] });
  expect(await builder.build()).not.toHaveProperty('main');
  await write({ 'main.asc': 'x = 1;' });
  expect(await builder.build()).toMatchObject({ main: { kind: 'classic' } });
});

test('a classic script stays as it is: sloppy, its names global', async () => {
  const text = 'x = 010; var y = 2; function f() { return this.x; } with (Math) { z = max(1, 2); } // async';
  await write({ 'main.asc': `\ufeff${text}` });
  const build = await builder.build();
  expect(build.code).toBe(text);
  expect(build).not.toHaveProperty('sourceMap');
  expect(build.inputs).toEqual([join(folder, 'main.asc')]);
  expect(run(build)).toMatchObject({ x: 8, y: 2, z: 2 });
});

test('async functions of a classic script are lowered and its names stay global', async () => {
  await write({
    'main.js': 'x = 010;\nasync function f() { await null; return arguments.length; }\nvar y = f(1, 2);',
  });
  const build = await builder.build();
  expect(build).toMatchObject({ main: { kind: 'classic' }, warnings: [] });
  expect(build.code).not.toMatch(/\basync\b/);
  expect(JSON.parse(build.sourceMap!)).toMatchObject({ sources: ['main.js'] });
  const globals = run(build);
  expect(globals).toMatchObject({ x: 8, f: expect.any(Function) });
  expect(await globals.y).toBe(2);
});

test('what V8 takes and the bundler does not is kept, with a warning', async () => {
  const text = 'var async = 1, await = 2; // only names';
  await write({ 'main.asc': text });
  expect(await builder.build()).toMatchObject({ code: text, warnings: [{ file: 'main.asc', line: 1 }] });
});

const broken = [
  {
    name: 'main.ts',
    text: 'let ž = 1;\n\tž = = 2;',
    place: { line: 2, column: 6, lineText: '\tž = = 2;' },
    says: 'Unexpected "="',
  },
  {
    name: 'main.asc',
    text: 'var a = 1;\n  a = = 2;',
    place: { line: 2, column: 7, lineText: '  a = = 2;' },
    says: "Unexpected token '='",
  },
  {
    name: 'main.asc',
    text: 'function f() {',
    place: { line: 1, column: 15 },
    says: 'Unexpected end of input',
  },
  { name: 'main.js', text: 'a = ;', place: { line: 1, column: 5 }, says: "Unexpected token ';'" },
  {
    name: 'main.ts',
    text: 'import fs from "node:fs";\nexport { fs }; fs();',
    place: { line: 1, column: 16 },
    says: 'not available in the sandbox',
  },
  {
    name: 'main.js',
    text: 'export const os = require("os");',
    place: { line: 1, column: 27 },
    says: 'not available in the sandbox',
  },
  {
    name: 'main.ts',
    text: 'import "./gone.ts";',
    place: { line: 1, column: 8 },
    says: 'Could not resolve "./gone.ts"',
  },
  {
    name: 'main.ts',
    text: 'import "left-pad";',
    place: { line: 1, column: 8 },
    says: 'is the package installed',
  },
  {
    name: 'main.ts',
    text: 'export const a = await 1;',
    place: { line: 1, column: 18 },
    says: 'Top-level await is not available',
  },
  {
    name: 'main.js',
    text: 'const a = await f();',
    place: { line: 1, column: 11 },
    says: 'Top-level await is not available',
  },
  { name: 'main.ts', text: 'var a;\nwith (a) {}', place: { line: 2, column: 1 }, says: 'strict mode' },
] as const;

for (const { name, text, place, says } of broken) {
  test(`${name} with ${JSON.stringify(text)} fails with its place and reason`, async () => {
    await write({ [name]: text });
    const error = await failureOf(builder.build());
    expect(error).toMatchObject({ code: 'E_BUILD', blame: 'app' });
    expect(error.messages[0]).toMatchObject({ file: name, ...place, text: expect.stringContaining(says) });
    expect(error.inputs).toContain(join(folder, name));
  });
}

test('a failure prints file, reason, source line and caret', async () => {
  await write({ 'main.ts': 'import "./lib/a.ts";', 'lib/a.ts': 'export const a = 1;\nlet b = = 2;' });
  const error = await failureOf(builder.build());
  expect(error.format()).toBe('lib/a.ts:2:9: Unexpected "="\n2 | let b = = 2;\n  |         ^');
  expect(error.message).toBe('lib/a.ts:2:9: Unexpected "="');
  expect(error.inputs).toEqual([join(folder, 'main.ts'), join(folder, 'lib/a.ts')]);
});

test('a sloppy package that cannot be strict is found at build time, in its own file', async () => {
  await write({
    'main.ts': 'import q from "sloppy"; export { q };\nq();',
    'node_modules/sloppy/index.js': 'module.exports = 1;\ndelete module;',
  });
  const error = await failureOf(builder.build());
  expect(error.messages[0]).toMatchObject({ file: 'node_modules/sloppy/index.js', line: 2 });
});

test('after a failure the next good save builds', async () => {
  await write({ 'main.ts': 'import "./lib.ts";' });
  await failureOf(builder.build());
  await write({ 'lib.ts': 'globalThis.done = true;' });
  expect(run(await builder.build())).toMatchObject({ done: true });
});

test('two main files are refused by name', async () => {
  await write({ 'main.ts': '', 'main.js': '' });
  await expect(builder.build()).rejects.toMatchObject({ code: 'E_APP_MAINS', blame: 'app' });
});

test('the main file may change its name and kind', async () => {
  await write({ 'main.js': 'export const a = 1;' });
  expect(await builder.build()).toMatchObject({ main: { name: 'main.js', kind: 'module' } });
  await write({ 'main.js': 'a = 1;' });
  expect(await builder.build()).toMatchObject({ main: { name: 'main.js', kind: 'classic' } });
  await rename(join(folder, 'main.js'), join(folder, 'main.ts'));
  expect(await builder.build()).toMatchObject({ main: { name: 'main.ts', kind: 'module' } });
});

test('code over the limit is refused with both sizes', async () => {
  const small = new AppBuilder(folder, { maxCodeBytes: 1024 * 1024 });
  await write({ 'main.ts': `export const a = "${'x'.repeat(1024 * 1024)}";` });
  const error = await failureOf(small.build());
  expect(error.message).toBe('the built code measures 1.0 MiB, the limit is 1.0 MiB: import less');
  await rename(join(folder, 'main.ts'), join(folder, 'main.asc'));
  await truncate(join(folder, 'main.asc'), 100 * 1024 * 1024);
  expect((await failureOf(small.build())).message).toContain('main.asc measures 100.0 MiB');
  await rename(join(folder, 'main.asc'), join(folder, 'main.js'));
  expect((await failureOf(small.build())).message).toContain('main.js measures 100.0 MiB');
  await small.dispose();
});

/** Does something between the attempts of a build, as an editor would, instead of waiting. */
function whileWaiting(action: () => Promise<void>): Clock {
  return {
    ...systemClock,
    setTimer: (callback) => {
      void action().then(callback);
      return {};
    },
  };
}

test('a main file that is empty while an editor writes it is read again', async () => {
  await write({ 'main.ts': '' });
  builder = new AppBuilder(folder, {
    clock: whileWaiting(() => write({ 'main.ts': 'export const a = 1;' })),
  });
  expect(run(await builder.build()).__stagewireApp).toMatchObject({ a: 1 });
});

test('a main file or import that vanishes for a moment is waited for', async () => {
  const files = { 'main.ts': 'export { a } from "./a.ts";', 'a.ts': 'export const a = 1;' };
  builder = new AppBuilder(folder, { clock: whileWaiting(() => write(files)) });
  await write(files);
  const { id } = await builder.build();
  for (const name of Object.keys(files)) {
    await unlink(join(folder, name));
    expect(await builder.build()).toMatchObject({ id });
    await truncate(join(folder, name));
    expect(await builder.build()).toMatchObject({ id });
  }
});

test('an empty main file, or one that is gone for good, is accepted in the end', async () => {
  let waits = 0;
  const clock = whileWaiting(async () => void waits++);
  builder = new AppBuilder(folder, { clock });
  await write({ 'main.ts': '' });
  expect(await builder.build()).toMatchObject({ main: { name: 'main.ts' } });
  expect(waits).toBeLessThan(20);
  await unlink(join(folder, 'main.ts'));
  expect(await builder.build()).not.toHaveProperty('main');
});

test('what stays empty is built twice, however long the builder waits for its editor', async () => {
  let builds = 0;
  let waits = 0;
  const clock: Clock = { ...whileWaiting(async () => void waits++), now: () => ++builds };
  builder = new AppBuilder(folder, { clock });
  await write({ 'main.ts': 'import "./a.ts";', 'a.ts': '' });
  await builder.build();
  expect({ builds, waits }).toEqual({ builds: 2, waits: 8 });
  await builder.build();
  expect({ builds, waits }).toEqual({ builds: 3, waits: 8 });
});

test('of the many files of a build a few are looked at at one time, until one is being written', async () => {
  await write({ 'a.ts': 'export {};', 'empty.ts': '' });
  let looks = 0;
  function* many() {
    for (;;) {
      looks++;
      yield join(folder, looks < 1000 ? 'a.ts' : 'empty.ts');
    }
  }
  const found = firstUnfinished(many());
  expect(looks).toBeLessThan(100);
  expect(await found).toBe(join(folder, 'empty.ts'));
  expect(looks).toBeLessThan(1100);
  expect(await firstUnfinished([join(folder, 'a.ts')])).toBeUndefined();
  expect(await firstUnfinished([join(folder, 'a.ts'), join(folder, 'gone.ts')])).toBe(
    join(folder, 'gone.ts'),
  );
});

test('calls during a build share one more build, which sees what was written before them', async () => {
  await write({ 'main.ts': 'export const a = 1;' });
  const first = builder.build();
  await write({ 'main.ts': 'export const a = 2;' });
  const [second, third] = [builder.build(), builder.build()];
  expect(third).toBe(second);
  await first;
  expect(run(await second).__stagewireApp).toMatchObject({ a: 2 });
});

test('an app folder may be a symbolic link', async () => {
  await write({ 'main.ts': 'import "./a.ts";', 'a.ts': '' });
  await symlink(folder, join(root, 'link'));
  const linked = new AppBuilder(join(root, 'link'));
  expect(await linked.build()).toMatchObject({
    app: 'link',
    inputs: [join(folder, 'a.ts'), join(folder, 'main.ts')],
  });
  await linked.dispose();
});

test('a disposed builder builds no more', async () => {
  await write({ 'main.ts': 'export const a = 1;' });
  const last = builder.build();
  await Promise.all([builder.dispose(), last.catch(() => undefined)]);
  await builder.dispose();
  await expect(builder.build()).rejects.toMatchObject({ code: 'E_BUILDER' });
});

test('a tsconfig.json on the way up changes nothing', async () => {
  await write({
    'main.ts': 'export const a = 1;',
    '../tsconfig.json': '{ "compilerOptions": { "target": "nonsense" } ',
  });
  expect(await builder.build()).toMatchObject({ warnings: [] });
});

test('code that is too long to be checked in between is checked beside, with the same verdict', async () => {
  const filler = 'var filler = 1; // .............................................................\n'.repeat(
    6000,
  );
  await write({ 'main.asc': `${filler}var broken = ;\n` });
  const failure = await builder.build().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BuildError);
  expect((failure as BuildError).messages[0]).toMatchObject({
    file: 'main.asc',
    line: 6001,
    column: 14,
    lineText: 'var broken = ;',
    text: "Unexpected token ';'",
  });
  await write({ 'main.asc': filler });
  expect((await builder.build()).code).toBe(filler);
});

test('what is bundled is read where it lies, not where it seemed to lie', async () => {
  const [own, secret] = [join(folder, 't.txt'), join(root, `../${root.split('/').at(-1)}.txt`)];
  await writeFile(secret, 'SECRET');
  const toggled = { isOver: false };
  const toggling = (async () => {
    for (let n = 0; !toggled.isOver; n++) {
      await (n % 2 === 0 ? symlink(secret, `${own}.new`) : writeFile(`${own}.new`, 'own'));
      await rename(`${own}.new`, own);
    }
  })();
  try {
    for (let n = 0; n < 100; n++) {
      await write({ 'main.ts': `import t from "./t.txt"; trace(${n}, t);` });
      const code = await builder.build().then(
        (build) => build.code,
        (error: Error) => JSON.stringify(error),
      );
      expect(code).not.toContain('SECRET');
    }
  } finally {
    toggled.isOver = true;
    await toggling;
    await rm(secret);
  }
}, 60_000);

test('a package of another application is its own', async () => {
  await write({
    '../victim/main.ts': '',
    '../victim/node_modules/priv/index.js': 'export default 1;',
    'main.ts': 'import p from "../victim/node_modules/priv/index.js"; trace(p);',
  });
  expect((await failureOf(builder.build())).message).toContain(
    `imports ${join(root, 'victim/node_modules/priv/index.js')}: only its own files`,
  );
});

test('what is wrong with a file elsewhere says nothing of what is in it', async () => {
  const secret = join(root, '../', `${root.split('/').at(-1)}.secret`);
  await writeFile(secret, 'SECRET: abcdef\n');
  try {
    await mkdir(join(folder, 'lib'));
    await symlink(secret, join(folder, 'lib/package.json'));
    await write({ 'lib/x.js': '1', 'main.ts': 'import "./lib/x.js"; import "./lib";' });
    const failure = await failureOf(builder.build());
    expect(failure.messages).toContainEqual(
      expect.objectContaining({ file: 'lib/package.json', lineText: '', line: 0 }),
    );
    expect(JSON.stringify(failure.messages)).not.toMatch(/SECRET|abcdef/);
    await symlink(secret, join(folder, 'a.ts'));
    await write({ 'main.ts': 'import "./a.ts";' });
    expect(JSON.stringify((await failureOf(builder.build())).messages)).not.toMatch(/SECRET|abcdef/);
  } finally {
    await rm(secret);
  }
});

test('what esbuild answers has a bound, and the next good save builds', async () => {
  const imports = Array.from({ length: 400 }, (_, n) => `import "y${n}";`).join('');
  await write({ 'main.ts': `${imports}/*${'x'.repeat(200_000)}*/` });
  const failure = await failureOf(builder.build());
  expect(failure.message).toBe(
    'main.ts: ended the process that was to bundle it: what came of it measures more than 64 MB',
  );
  await write({ 'main.ts': Array.from({ length: 150_000 }, () => 'import "./a";').join('\n'), 'a.ts': '' });
  expect((await failureOf(builder.build())).message).toContain(
    'the list of its imports measures more than 8 MB',
  );
  await write({ 'main.ts': 'let a;'.repeat(1200) });
  expect((await failureOf(builder.build())).message).toContain('it has more than 1000 errors');
  await write({ 'main.ts': 'x === -0;\n'.repeat(1200) });
  expect((await failureOf(builder.build())).message).toContain('it has more than 1000 warnings');
  await write({ 'main.ts': 'let a: number = 1;' });
  expect((await builder.build()).main?.kind).toBe('module');
}, 30_000);

describe('a source map that a file names', () => {
  const mapOf = (source: string) => ({ version: 3, sources: [source], names: [], mappings: 'AAAA;AACA' });
  const code = 'export function f() { throw new Error("e"); }\nf();\n';
  const inline = (map: object) =>
    `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;

  test('is not followed to files elsewhere', async () => {
    await mkdir(join(root, 'victim'));
    await writeFile(join(root, 'victim/secret.txt'), 'TOP SECRET');
    await writeFile(
      join(root, 'victim/a.map'),
      JSON.stringify({ ...mapOf('hidden.ts'), sourcesContent: ['TOP SECRET'] }),
    );
    for (const url of [
      inline(mapOf('../victim/secret.txt')),
      inline(mapOf(join(root, 'victim/secret.txt'))),
      '../victim/a.map',
    ]) {
      await write({ 'main.js': `${code}//# sourceMappingURL=${url}\n` });
      const build = await builder.build();
      expect(build.texts?.size).toBe(1);
      expect(build.sourceMap).not.toMatch(/SECRET|victim|hidden/);
      expect([...(build.texts ?? [])].join()).not.toContain('SECRET');
      const at = build.code.slice(0, build.code.indexOf('new Error')).split('\n');
      const stack = `Error: e\n    at f (${build.filename}:${at.length}:${at.at(-1)!.length + 1})`;
      expect(mapStackTrace(stack, build)).toEqual({ message: 'Error: e', frames: [] });
    }
  });

  test('still leads to the sources of its own folder', async () => {
    await write({
      'main.js': `${code}//# sourceMappingURL=${inline(mapOf('src/main.coffee'))}\n`,
      'src/main.coffee': 'f',
    });
    expect(JSON.parse((await builder.build()).sourceMap!)).toMatchObject({ sources: ['src/main.coffee'] });
  });

  test('is left out when it would take long to read, with a warning', async () => {
    await write({ 'main.ts': `let a = 0;\n${'a++;'.repeat(1_000_000)}` });
    const build = await builder.build();
    expect(JSON.parse(build.sourceMap!)).toMatchObject({ sources: [], mappings: '' });
    expect(build.warnings).toMatchObject([
      {
        file: 'main.ts',
        text: expect.stringMatching(
          /^its source map measures \d+\.\d MiB, the limit is 4\.0: errors name no lines$/,
        ),
      },
    ]);
  });
});
