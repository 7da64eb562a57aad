import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BuildError } from '../../../host/apps/build-error.ts';
import { AppBuilder, type Build } from '../../../host/apps/builder.ts';
import { decodeSource } from '../../../host/apps/classic/decode.ts';
import { prepare, prepareNow } from '../../../host/apps/classic/prepare.ts';
import { mapStackTrace } from '../../../host/scripts/stack-trace.ts';

let root: string;
let folder: string;
let builder: AppBuilder;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'stagewire-classic-')));
  folder = join(root, 'apps', 'quiz');
  await mkdir(folder, { recursive: true });
  builder = new AppBuilder(folder);
});

afterEach(async () => {
  await builder.dispose();
  await rm(root, { recursive: true, force: true });
});

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

const filesOf = ({ loads }: Build) => loads?.files.map(({ name }) => name);
const failureOf = (build: Promise<Build>): Promise<BuildError> =>
  build.then(
    () => Promise.reject(new Error('the build succeeded')),
    (error: BuildError) => error,
  );

/** Runs preludes, the main script, and the files in their order, as a core would. */
function run(build: Build): Record<string, unknown> {
  const context = createContext({ load: () => {} });
  for (const { code, filename } of [...(build.preludes ?? []), build, ...(build.loads?.files ?? [])]) {
    runInContext(code, context, { filename });
  }
  return context as Record<string, unknown>;
}

describe('what a build has of the files beside the main script', () => {
  test('only what is loaded by name, however deep', async () => {
    await write({
      'main.asc': 'load("a.asc"); // load("comment.asc")\nvar s = "load(\\"text.asc\\")"; xml.load("x.asc");',
      'a.asc': 'load("sub/b.js");',
      'sub/b.js': 'load("a.asc");',
      'comment.asc': '',
      'text.asc': '',
      'x.asc': '',
      'broken.js': 'not JavaScript',
    });
    const build = await builder.build();
    expect(filesOf(build)).toEqual(['a.asc', 'sub/b.js']);
    expect(build).not.toHaveProperty('isOpen');
    expect(build.inputs).toEqual(
      expect.arrayContaining(['main.asc', 'a.asc', 'sub/b.js'].map((n) => join(folder, n))),
    );
  });

  test('all scripts of the folder when a name is reckoned, but neither packages, media nor public files', async () => {
    await write({
      'main.asc': 'load(which + ".asc");',
      'lib/a.asc': '',
      'broken.js': 'not JavaScript',
      'streams/x.js': '',
      'sharedobjects/x.js': '',
      'public/x.js': '',
      'node_modules/p/x.js': '',
      'notes.txt': '',
    });
    const build = await builder.build();
    expect(filesOf(build)?.filter((name) => !name.startsWith('scriptlib:'))).toEqual([
      'broken.js',
      'lib/a.asc',
      'main.asc',
    ]);
    expect(build.loads?.files[0]?.problem).toMatchObject({ line: 1, column: 5 });
    expect(build.isOpen).toBe(true);
  });

  test('nothing for a script without load', async () => {
    await write({ 'main.asc': 'x = 1;', 'a.asc': '' });
    expect(await builder.build()).not.toHaveProperty('loads');
  });

  test('a change of a loaded file is another build', async () => {
    await write({ 'main.asc': 'load("a.asc");', 'a.asc': 'a = 1;' });
    const first = await builder.build();
    await write({ 'a.asc': 'a = 2;' });
    const second = await builder.build();
    expect(second.id).not.toBe(first.id);
    expect(second.code).toBe(first.code);
  });

  test('where a missing file may appear is watched', async () => {
    await write({ 'main.asc': 'load("later.asc");' });
    const { inputs } = await builder.build();
    expect(inputs).toEqual(
      expect.arrayContaining([join(folder, 'later.asc'), join(folder, 'scripts/later.asc')]),
    );
  });

  test('the library of the server comes last, and its own files after that', async () => {
    const scriptLib = join(root, 'lib');
    await mkdir(scriptLib);
    await writeFile(join(scriptLib, 'netservices.asc'), 'mine = 1;');
    await writeFile(join(scriptLib, 'a.asc'), 'never = 1;');
    await write({
      'main.asc': 'load("a.asc"); load("netservices.asc"); load("components.asc");',
      'a.asc': 'a = 1;',
    });
    await builder.dispose();
    builder = new AppBuilder(folder, { scriptLib: [scriptLib] });
    const build = await builder.build();
    expect(filesOf(build)).toEqual(
      expect.arrayContaining(['a.asc', 'scriptlib:netservices.asc', 'scriptlib:components.asc']),
    );
    expect(build.loads?.files.find(({ name }) => name === 'scriptlib:netservices.asc')?.code).toBe(
      'mine = 1;',
    );
  });

  test('all files together count towards the limit', async () => {
    await builder.dispose();
    builder = new AppBuilder(folder, { maxCodeBytes: 64 * 1024 });
    await write({
      'main.asc': 'load("a.asc"); load("b.asc");',
      'a.asc': `//${'a'.repeat(40_000)}`,
      'b.asc': `//${'b'.repeat(40_000)}`,
    });
    expect((await failureOf(builder.build())).message).toContain(
      'b.asc measures 0.1 MiB, the limit is 0.1 MiB',
    );
  });

  test('of what is not there a thousand names, and the folder is listed once for all of them', async () => {
    const load = (n: number) => `load("no${n}.asc");`;
    for (let n = 0; n < 1500; n++) await writeFile(join(folder, `${n}.png`), '');
    await write({ 'main.asc': Array.from({ length: 1000 }, (_, n) => load(n)).join('\n') });
    const startedAt = performance.now();
    expect((await builder.build()).inputs).toHaveLength(2001);
    // Nine times, as files that are not there may be about to be written.
    expect(performance.now() - startedAt).toBeLessThan(6000);
    await write({ 'main.asc': Array.from({ length: 1001 }, (_, n) => load(n)).join('\n') });
    expect((await failureOf(builder.build())).message).toContain('may load more than 1000 files');
  }, 30_000);

  test('a name finds the first of its places, also when a later one is loaded already', async () => {
    await write({ 'scripts/main.asc': 'load("../a.asc"); load("a.asc");', 'a.asc': '', 'scripts/a.asc': '' });
    expect(filesOf(await builder.build())).toEqual(['a.asc', 'scripts/a.asc']);
  });

  test('a link out of the applications folder is refused', async () => {
    await writeFile(join(root, 'secret.js'), 'secret = 1;');
    await symlink(join(root, 'secret.js'), join(folder, 'a.js'));
    await write({ 'main.asc': 'load("a.js");' });
    expect((await failureOf(builder.build())).message).toContain(
      'only its own files, and those of folders that are no applications, can be loaded',
    );
  });

  test('a link to a file of another application is refused, and one to what is shared is not', async () => {
    const [victim, shared] = [join(dirname(folder), 'victim'), join(dirname(folder), 'shared')];
    for (const path of [victim, shared]) await mkdir(path);
    await writeFile(join(victim, 'main.asc'), 'key = "secret";');
    await writeFile(join(shared, 'lib.asc'), 'lib = 1;');
    await symlink('../shared/lib.asc', join(folder, 'b.asc'));
    await write({ 'main.asc': 'load("b.asc");' });
    expect(filesOf(await builder.build())).toEqual(['b.asc']);
    await symlink('../victim/main.asc', join(folder, 'a.asc'));
    await write({ 'main.asc': 'load("a.asc");' });
    expect((await failureOf(builder.build())).message).toContain(
      `a.asc: leads to ${join(victim, 'main.asc')}: only its own files`,
    );
  });
});

describe('text', () => {
  const euro = 'a = "h\u00e9 \u20ac";';
  const cases = [
    { name: 'UTF-8', bytes: Buffer.from(euro) },
    { name: 'UTF-8 with a byte order mark', bytes: Buffer.from(`\ufeff${euro}`) },
    { name: 'UTF-16, little end first', bytes: Buffer.from(`\ufeff${euro}`, 'utf16le') },
    { name: 'UTF-16, big end first', bytes: Buffer.from(`\ufeff${euro}`, 'utf16le').swap16() },
    {
      name: 'Windows-1252',
      bytes: Buffer.concat([Buffer.from('a = "h'), Buffer.from([0xe9, 0x20, 0x80]), Buffer.from('";')]),
    },
  ];
  for (const { name, bytes } of cases) {
    test(`in ${name} is read as it was meant`, async () => {
      expect(decodeSource(bytes)).toBe(euro);
      await write({ 'main.asc': bytes });
      expect(run(await builder.build())).toMatchObject({ a: 'h\u00e9 \u20ac' });
    });
  }

  test('whose lines end in CR has lines', async () => {
    await write({
      'main.asc': 'var a = 1; // one\rvar b = 2;\rfunction f() {\r  nothing();\r}\rconst c = 3;',
    });
    const build = await builder.build();
    const context = run(build) as { f(): void };
    expect(context).toMatchObject({ a: 1, b: 2, c: 3 });
    expect(stackOf(context.f, build).frames[0]).toMatchObject({ file: 'main.asc', line: 4, column: 3 });
  });
});

function stackOf(fn: () => void, build: Build) {
  try {
    fn();
  } catch (error) {
    return mapStackTrace((error as Error).stack ?? '', build);
  }
  throw new Error('nothing was thrown');
}

describe('for each', () => {
  const values = (loop: string, before = '') => {
    const { code, problem } = prepareNow(`${before}\nvar seen = [], x;\n${loop}`, 'main.asc');
    expect(problem).toBeUndefined();
    const context = createContext({});
    runInContext(forEachOf(code), context);
    return JSON.parse(runInContext('JSON.stringify(seen)', context) as string) as unknown;
  };
  // The prelude that a build would have.
  const forEachOf = (code: string) =>
    `this.$_of = function* (o) { for (const name in o) yield o[name]; };${code}`;

  const loops = [
    { loop: 'for each (var v in [1, , "two"]) seen.push(v);', seen: [1, 'two'] },
    { loop: 'for each (x in { a: 1, b: [2] }) seen.push(x);', seen: [1, [2]] },
    { loop: 'var o = {}; for each (o.p in "ab") seen.push(o.p);', seen: ['a', 'b'] },
    { loop: 'for each (var v in null) seen.push(v); for each (v in undefined) seen.push(v);', seen: [] },
    {
      loop: 'P.prototype.c = 3; function P() { this.a = 1; } for each (var v in new P) seen.push(v);',
      seen: [1, 3],
    },
    { loop: 'var a = [1, 2, 3]; for each (v in a) { seen.push(v); delete a[1]; }', seen: [1, 3] },
    {
      loop: 'outer: for each (v in [[1, 2], [3]]) for each (w in v) { if (w == 2) continue outer; seen.push(w); }',
      seen: [1, 3],
    },
    { loop: 'for each (v in "never", [5]) seen.push(v);', seen: [5] },
    { loop: 'for each (v in (1 in [0, 1]) ? [7] : []) seen.push(v);', seen: [7] },
    { loop: 'for // why\n each /* not */ (v in [1]) seen.push(v)', seen: [1] },
    {
      loop: 'for each (v in function () { var r = []; for each (w in [1]) r.push(w); return r; }()) seen.push(v);',
      seen: [1],
    },
    { loop: 'var each = [9]; for (v in each) seen.push(each[v]);', seen: [9] },
  ];
  for (const { loop, seen } of loops)
    test(`${loop} sees ${JSON.stringify(seen)}`, () => expect(values(loop)).toEqual(seen));

  test('stays where it is no code', () => {
    const text =
      'var s = "for each (x in y)", r = /for each (x in y)/; // for each (x in y)\n/* for each (x in y) */';
    expect(prepareNow(text, 'main.asc')).toMatchObject({ code: text, hasForEach: false });
  });

  test('moves no line, and errors are found in their column', async () => {
    await write({ 'main.asc': 'var list = [1];\nfunction f() { for each (var v in list) { v.a.b(); } }' });
    const build = await builder.build();
    const { frames, codeFrame } = stackOf((run(build) as { f(): void }).f, build);
    expect(frames[0]).toMatchObject({ file: 'main.asc', line: 2, column: 47 });
    expect(codeFrame).toContain('for each (var v in list) { v.a.b(); }');
  });

  test('goes with async functions', async () => {
    await write({
      'main.asc':
        'var list = [1];\nasync function f() {\n  for each (var v in list) { await v; v.a.b(); }\n}',
    });
    const build = await builder.build();
    expect(build.code).not.toMatch(/\basync\b/);
    const { f } = run(build) as { f(): Promise<void> };
    const stack = await f().then(
      () => '',
      (error: Error) => error.stack ?? '',
    );
    expect(mapStackTrace(stack, build).frames[0]).toMatchObject({ file: 'main.asc', line: 3 });
  });
});

describe('const', () => {
  test('at the top level is a property of the global object, and may be declared again', async () => {
    await write({
      'main.asc': 'const A = 1, B = 2; load("c.asc");',
      'c.asc': 'const A = 3; x = { const: 4 }; y = x.const; f = function () { const A = 5; return A; };',
    });
    const build = await builder.build();
    expect(build).not.toHaveProperty('sourceMap');
    const context = run(build);
    runInContext(build.loads!.files[0]!.code, createContext(context));
    expect(context).toMatchObject({ A: 3, B: 2, y: 4 });
    expect((context as { f(): number }).f()).toBe(5);
    expect(build.loads?.files[0]?.code).toContain('const A = 5');
  });
});

describe('what V8 cannot run is named', () => {
  const cases = [
    ['var x = <a b="it\'s">text</a>;', 9, 'XML literal (E4X)'],
    ['return_ = f(<></>);', 13, 'XML literal (E4X)'],
    ['x = y.@id;', 7, 'XML attribute, "@" (E4X)'],
    ['x = y..item;', 7, 'XML descendants, ".." (E4X)'],
    ['x = y.(@id == 3);', 7, 'XML filter'],
    ['x = y.*;', 7, 'XML wildcard'],
    ['x = soap::Body;', 9, 'namespace qualifier, "::"'],
    ['default xml namespace = "urn:x";', 1, 'default xml namespace'],
    ['var f = function (a) a * a;', 22, 'expression closure'],
    ['let (a = 1) { trace(a); }', 13, 'let block'],
    ['try { f(); } catch (e if e.code == 3) { }', 23, 'condition in catch'],
    ['var a = [i * 2 for (i in b)];', 16, 'array comprehension'],
    ['function g() { yield 1; }', 22, 'generator of JavaScript 1.7'],
    ['var a = #1={ self: #1# };', 9, 'sharp variable'],
    ['#include "NetServices.as"', 1, '#include'],
    ['x.y getter = function () { };', 5, 'getter or setter assignment'],
    ['var n:Number = 1;', 6, 'type annotation (ActionScript 2)'],
    ['function f(a, b:String) { }', 16, 'type annotation (ActionScript 2)'],
    ['function f(a):Void { }', 14, 'type annotation (ActionScript 2)'],
    ['class Room { var size; }', 18, 'class (ActionScript 2)'],
    ['class fc.Room extends Base { }', 9, 'class (ActionScript 2)'],
    ['dynamic class Room { }', 9, 'class (ActionScript 2)'],
    ['import mx.remoting.*;', 1, 'import (ActionScript 2)'],
  ] as const;
  for (const [text, column, name] of cases) {
    test(`${text}`, async () => {
      for (const main of ['main.asc', 'main.js']) {
        await rm(join(folder, 'main.asc'), { force: true });
        await write({ [main]: `// a line\r\n\r\n${text}` });
        const { messages } = await failureOf(builder.build());
        expect(messages[0]).toMatchObject({ file: main, line: 3, column, lineText: text });
        expect(messages[0]?.text.startsWith(name)).toBe(true);
      }
    });
  }

  test('in a file that is loaded, with that file', async () => {
    await write({ 'main.asc': 'load("lib/soap.asc");', 'lib/soap.asc': 'var a = 1;\n  var b = <b/>;' });
    expect((await failureOf(builder.build())).messages[0]).toMatchObject({
      file: 'lib/soap.asc',
      line: 2,
      column: 11,
    });
  });

  const plain = [
    'var a = 1 2;',
    'var a = (1;',
    'function f() {',
    'if (a <) b();',
    'x = [1, 2',
    'var a = b ? c : : d;',
  ];
  for (const text of plain) {
    test(`${text} is only what V8 says`, () => {
      expect(prepareNow(text, 'main.asc').problem?.text).toMatch(/^(?:Unexpected|missing|Invalid)/);
    });
  }
});

test('what the language had and has is left alone', async () => {
  const text = `var made = new Date, key = { class: 1, default: 2, new: 3 }.default;
undeclared = 010; delete undeclared; var gone = typeof undeclared;
function who() { return this; } var isGlobal = who() == this; with (Math) { largest = max(1, 2); }
function f(a) { return arguments.callee.length + f.arguments.length; } var n = f(1); a: for (;;) { break a; }
<!-- an old comment
if (true) { function inner() { return "inner"; } } var i = inner();
switch (1) { case 1: default: } var r = "a/b".split(/[/]/g), oct = "\\101";`;
  await write({ 'main.asc': text });
  const build = await builder.build();
  expect(build.code).toBe(text);
  expect(run(build)).toMatchObject({
    key: 2,
    gone: 'undefined',
    isGlobal: true,
    largest: 2,
    n: 2,
    i: 'inner',
    r: ['a', 'b'],
    oct: 'A',
  });
});

test('a long script is prepared elsewhere, with the same result', async () => {
  const text = `for each (v in [1]) x = v;\n${'// filler\n'.repeat(40_000)}const a = <b/>;`;
  const startedAt = performance.now();
  const prepared = await prepare(text, 'main.asc');
  expect(prepared).toEqual(prepareNow(text, 'main.asc'));
  expect(prepared.problem).toMatchObject({ line: 40_002, column: 11 });
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test('crafted scripts cost little', () => {
  const texts = [
    'for each (',
    'for each(x in ',
    '(',
    '<!--',
    '/',
    '#',
    'load(',
    '"',
    'function f(a',
    'class A {',
    '`${',
  ];
  for (const text of texts) {
    const startedAt = performance.now();
    prepareNow(text.repeat(200_000 / text.length), 'main.asc');
    expect(performance.now() - startedAt, text).toBeLessThan(2000);
  }
  const startedAt = performance.now();
  prepareNow(`\`${'class a implements '.repeat(10_000)}\n\`;{ var 1`, 'main.asc');
  expect(performance.now() - startedAt).toBeLessThan(500);
});

test('a source map that would take long to read is left out', async () => {
  const statements = 'a;'.repeat(500_000);
  expect(prepareNow(`for each (x in y);${statements}`, 'main.asc')).toMatchObject({ hasForEach: true });
  expect(prepareNow(`for each (x in y);${statements}`, 'main.asc').sourceMap).toBeUndefined();
  await write({ 'main.asc': `async function f() { await 1; }\n${statements}${statements}` });
  const build = await builder.build();
  expect(JSON.parse(build.sourceMap!)).toMatchObject({ sources: [] });
  expect(build.warnings).toMatchObject([
    { file: 'main.asc', text: expect.stringContaining('would measure more than 4194304 bytes') },
  ]);
});
