import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppBuilder, type Build } from '../../../host/apps/builder.ts';
import { mapStackTrace } from '../../../host/scripts/stack-trace.ts';

let folder: string;

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'stagewire-stack-')), 'chat (2): x.js');
  await mkdir(folder);
});

afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

async function build(files: Record<string, string>): Promise<Build> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const builder = new AppBuilder(folder);
  try {
    return await builder.build();
  } finally {
    await builder.dispose();
  }
}

/** The stack that running the build and then `call` leaves behind. */
async function stackOf({ code, filename }: Build, call: string): Promise<string> {
  const context = createContext({});
  runInContext(code, context, { filename });
  const runtime = `(async () => { try { await (${call}); return ''; } catch (error) { return error.stack; } })()`;
  return runInContext(runtime, context, { filename: 'stagewire:runtime.js' });
}

test('frames of a bundled module are those of the files it was made from', async () => {
  const built = await build({
    'main.ts': `import { check } from './check.ts';
type Name = string;
export function onConnect(name: Name) {
  check(name);
}`,
    'check.ts': `interface Unused {}

export function check(name: string): void {
  if (!name) throw new TypeError('no\\nname');
}`,
  });
  const trace = mapStackTrace(await stackOf(built, '__stagewireApp.onConnect("")'), built);
  expect(trace).toEqual({
    message: 'TypeError: no\nname',
    frames: [
      { file: 'check.ts', line: 4, column: 20, function: 'check' },
      { file: 'main.ts', line: 4, column: 3, function: expect.stringMatching(/onConnect$/) },
    ],
    codeFrame: `4 |   if (!name) throw new TypeError('no\\nname');\n  |                    ^`,
  });
});

test('a lowered async function keeps its lines', async () => {
  const built = await build({
    'main.ts': `export class Lobby {
  async enter() {
    await null;
    (undefined as any).name;
  }
}`,
  });
  const trace = mapStackTrace(await stackOf(built, 'new __stagewireApp.Lobby().enter()'), built);
  expect(trace.frames[0]).toMatchObject({ file: 'main.ts', line: 4 });
  expect(trace.codeFrame).toContain('4 |     (undefined as any).name;');
});

test('a classic script is its own map', async () => {
  const built = await build({ 'main.asc': 'var a = 1;\nfunction f() {\n\tmissing();\n}' });
  expect(built).not.toHaveProperty('sourceMap');
  expect(mapStackTrace(await stackOf(built, 'f()'), built)).toEqual({
    message: 'ReferenceError: missing is not defined',
    frames: [{ file: 'main.asc', line: 3, column: 2, function: 'f' }],
    codeFrame: '3 |   missing();\n  |   ^',
  });
});

test('code made by eval is placed where eval was called', async () => {
  const built = await build({ 'main.asc': '\n\nfunction f() { eval("missing()"); }' });
  expect(mapStackTrace(await stackOf(built, 'f()'), built).frames[0]).toMatchObject({
    file: 'main.asc',
    line: 3,
  });
});

test('the place of a compile error is taken from its message', async () => {
  const built = await build({ 'main.asc': 'var a = 1;\nvar b = 2;' });
  const message = `SyntaxError: Identifier 'a' has already been declared`;
  const stack = `${message} [${built.filename}:2:5]\n    at (<isolated-vm boundary>)`;
  expect(mapStackTrace(stack, built)).toMatchObject({
    message,
    frames: [{ file: 'main.asc', line: 2, column: 5 }],
    codeFrame: '2 | var b = 2;\n  |     ^',
  });
});

const script = { filename: 'app:chat/7f3a90c1.js', code: 'a\nb\nc', main: { name: 'main.asc' } };

test('frames of the runtime, of V8 and of other scripts are dropped', () => {
  const stack = [
    'Error: x',
    '    at stagewire:runtime.js:1:1',
    '    at deliver (stagewire:runtime.js:2:2)',
    '    at new Promise (<anonymous>)',
    '    at f (app:other/00000000.js:1:1)',
    '    at async Object.onConnect (app:chat/7f3a90c1.js:2:1)',
    '    at app:chat/7f3a90c1.js:3:1',
  ].join('\n');
  expect(mapStackTrace(stack, script)).toMatchObject({
    message: 'Error: x',
    frames: [
      { file: 'main.asc', line: 2, column: 1, function: 'Object.onConnect' },
      { file: 'main.asc', line: 3, column: 1 },
    ],
  });
});

const crafted = [
  { name: 'an empty text', stack: '' },
  { name: 'no frames at all', stack: 'just words' },
  { name: 'a line that does not exist', stack: 'E\n    at f (app:chat/7f3a90c1.js:99:1)' },
  { name: 'line and column 0', stack: 'E\n    at f (app:chat/7f3a90c1.js:0:0)' },
  { name: 'numbers beyond any file', stack: `E\n    at f (app:chat/7f3a90c1.js:${'9'.repeat(400)}:1)` },
  { name: 'no numbers', stack: 'E\n    at f (app:chat/7f3a90c1.js:x:y)' },
  { name: 'a place that names nothing', stack: 'E [app:chat/7f3a90c1.js:' },
] as const;

for (const { name, stack } of crafted) {
  test(`a stack with ${name} has no frames`, () => {
    const trace = mapStackTrace(stack, script);
    expect(trace.frames).toEqual([]);
    expect(trace).not.toHaveProperty('codeFrame');
  });
}

test('a huge crafted stack costs little', () => {
  const frame = `\n    at ${'f ('.repeat(30)}(app:chat/7f3a90c1.js:1:1)`;
  const texts = [
    `E${frame.repeat(100_000)}`,
    'x'.repeat(10_000_000),
    `E${'\n'.repeat(10_000_000)}`,
    `E\n${' '.repeat(10_000_000)}at x`,
    `E\n    at ${'app:chat/7f3a90c1.js:'.repeat(500_000)}1:1`,
  ];
  const startedAt = performance.now();
  for (const text of texts) {
    const trace = mapStackTrace(text, script);
    expect(trace.frames.length).toBeLessThanOrEqual(32);
    expect(trace.message.length).toBeLessThanOrEqual(4096);
  }
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

test('what a stack names again and again is read once', () => {
  const files = Array.from({ length: 200 }, (_, n) => ({ name: `${n}.asc`, code: '\n'.repeat(32 * 1024) }));
  const many = { ...script, loads: { files } };
  const stack = `E${files.map(({ name }) => `\n    at f (app:chat/7f3a90c1.js/${name}:99999:1)`).join('')}`;
  mapStackTrace(stack, many);
  const startedAt = performance.now();
  for (let n = 0; n < 50; n++) mapStackTrace(stack, many);
  expect(performance.now() - startedAt).toBeLessThan(1000);
});
