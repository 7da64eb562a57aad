import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findMain, scriptKind, whyNotAnApp } from '../../../host/apps/main-file.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stagewire-app-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const mains = [
  { name: 'main.ts', text: 'var x = 1;', kind: 'module' },
  { name: 'main.asc', text: 'export default 1;', kind: 'classic' },
  { name: 'main.js', text: 'import "./other.js";', kind: 'module' },
  { name: 'main.js', text: 'application.onConnect = function () {};', kind: 'classic' },
] as const;

for (const { name, text, kind } of mains) {
  test(`${name} with ${text} is a ${kind} script`, async () => {
    await writeFile(join(folder, name), text);
    expect(await findMain(folder, 1000)).toEqual({ path: join(folder, name), name, kind });
  });
}

test('a main.js that is too long is not read to know what it is', async () => {
  await writeFile(join(folder, 'main.js'), `export default 1; //${'.'.repeat(1000)}`);
  expect(await findMain(folder, 1000)).toMatchObject({ kind: 'classic' });
  expect(await findMain(folder, 10_000)).toMatchObject({ kind: 'module' });
});

test('an app may have no script, and its folder may be gone', async () => {
  await writeFile(join(folder, 'main.txt'), '');
  await mkdir(join(folder, 'main.js'));
  expect(await findMain(folder, 1000)).toBeUndefined();
  expect(await findMain(join(folder, 'gone'), 1000)).toBeUndefined();
});

test('a module in the folder itself comes before what a folder scripts/ holds', async () => {
  await mkdir(join(folder, 'scripts'));
  await writeFile(join(folder, 'scripts/main.js'), 'import "fs";');
  await writeFile(join(folder, 'scripts/main.asc'), '');
  for (const name of ['main.ts', 'main.js']) {
    await writeFile(join(folder, name), 'export {};');
    expect(await findMain(folder, 1000)).toEqual({ path: join(folder, name), name, kind: 'module' });
    await rm(join(folder, name));
  }
  expect(await findMain(folder, 1000)).toMatchObject({
    name: 'scripts/main.asc',
    kind: 'classic',
    passedOver: [{ name: 'scripts/main.js', why: 'is not run: scripts/main.asc comes before it' }],
  });
});

test('the name of the application is a name for its script', async () => {
  await writeFile(join(folder, 'chat.js'), '');
  expect(await findMain(folder, 1000, 'chat')).toMatchObject({ name: 'chat.js', kind: 'classic' });
  expect(await findMain(folder, 1000, 'other')).toBeUndefined();
});

test('two main files are an error of the author that names them', async () => {
  await writeFile(join(folder, 'main.ts'), '');
  await writeFile(join(folder, 'main.asc'), '');
  await expect(findMain(folder, 1000)).rejects.toMatchObject({
    code: 'E_APP_MAINS',
    blame: 'app',
    message: expect.stringContaining('main.asc and main.ts'),
  });
});

const scripts = [
  { text: 'export {};', kind: 'module' },
  { text: 'var a = 1;\nexport default a;', kind: 'module' },
  { text: 'import a from "a"; a(;', kind: 'module' },
  { text: 'console.log(import.meta);', kind: 'module' },
  { text: 'const a = await import("a"); export { a };', kind: 'module' },
  { text: '// import a from "a";\n/* export default 1; */ var s = "export default 1";', kind: 'classic' },
  { text: 'var t = `\nimport a from "a";\nexport { a };\n`;', kind: 'classic' },
  { text: 'var r = /import x/; import("a"); x.import = x.export = 1;', kind: 'classic' },
  { text: 'with (a) { b = 010; } <!-- old\nvar let = 1, await = 2;', kind: 'classic' },
  { text: 'var a = ;\nimport "a";', kind: 'classic' },
  { text: '', kind: 'classic' },
] as const;

for (const { text, kind } of scripts) {
  test(`${JSON.stringify(text)} is ${kind} by its syntax`, async () => {
    expect(await scriptKind(text)).toBe(kind);
  });
}

const names = [
  { name: 'chat', reason: undefined },
  { name: 'Můj chat (2)', reason: undefined },
  { name: 'constructor', reason: undefined },
  { name: '', reason: /empty/ },
  { name: '.git', reason: /hidden/ },
  { name: '..', reason: /hidden/ },
  { name: 'a/b', reason: /cannot contain/ },
  { name: 'a\\b', reason: /cannot contain/ },
  { name: 'a\nb', reason: /control/ },
  { name: 'a\u202eb', reason: /control/ },
  { name: 'api', reason: /HTTP API is served under \/api/ },
  { name: 'metrics', reason: /\/metrics/ },
  { name: 'healthz', reason: /\/healthz/ },
  { name: 'node_modules', reason: /npm/ },
] as const;

for (const { name, reason } of names) {
  test(`the name ${JSON.stringify(name)} is ${reason ? 'refused with a reason' : 'an application'}`, () => {
    if (reason) expect(whyNotAnApp(name)).toMatch(reason);
    else expect(whyNotAnApp(name)).toBeUndefined();
  });
}
