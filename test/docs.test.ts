import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { defaultLimits } from '../host/base/limits.ts';

const configuration = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
const declarations = readFileSync(new URL('../runtime/globals.d.ts', import.meta.url), 'utf8');

describe('docs/configuration.md', () => {
  const rows = new Map(
    [...configuration.matchAll(/^\| `(\w+)` \| (\d+)(?: (KiB|MiB|a second))?/gm)].map(
      ([, name, number, unit]) => [
        name,
        Number(number) * (unit === 'KiB' ? 1024 : unit === 'MiB' ? 1024 * 1024 : 1),
      ],
    ),
  );

  for (const [name, value] of Object.entries(defaultLimits)) {
    test(`gives the default of ${name}`, () => expect(rows.get(name)).toBe(value));
  }

  test('names no limit that does not exist', () => {
    expect([...rows.keys()].filter((name) => !Object.hasOwn(defaultLimits, name ?? ''))).toEqual([]);
  });
});

test('globals.d.ts documents what it declares', () => {
  const undocumented = [
    ...declarations.matchAll(/(?<!\*\/)\n(?:declare (?:const|function)|interface) (\w+)/g),
  ]
    .map(([, name]) => name)
    .filter(
      (name) =>
        !/^(Stream|application|console|setTimeout|setInterval|clearTimeout|clearInterval|queueMicrotask|crypto)$/.test(
          name ?? '',
        ),
    );
  expect(undocumented).toEqual([]);
});

/** What examples of docs/scripting.md leave out. */
const AROUND = `
declare const client: Client;
declare const room: SharedObject;
declare const lobby: NetConnection;
declare const leaving: AbortController;
declare const key: any;
declare const text: string;
declare const password: string;
declare function count(votes: unknown): void;
declare function topicOf(room: unknown): string;
declare function findUser(ticket: unknown): any;
interface ClientMethods { notice(text: string): void; vote(): unknown; closing(reason: string): void }
`;

test('the examples of docs/scripting.md compile as an application', { timeout: 60_000 }, () => {
  const root = fileURLToPath(new URL('../', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'stagewire-docs-'));
  try {
    const text = readFileSync(join(root, 'docs/scripting.md'), 'utf8');
    const files = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(({ 1: code = '', index }) => {
      const file = join(folder, `line-${text.slice(0, index).split('\n').length}.ts`);
      writeFileSync(file, code);
      return file;
    });
    expect(files.length).toBeGreaterThan(20);
    writeFileSync(join(folder, 'around.d.ts'), AROUND);
    const project = join(folder, 'tsconfig.json');
    const options = { noEmit: true, paths: { zod: [join(root, 'node_modules/zod')] } };
    writeFileSync(
      project,
      JSON.stringify({
        extends: join(root, 'sample-apps/tsconfig.json'),
        compilerOptions: { ...options, allowImportingTsExtensions: true },
        include: [],
        files: [...files, join(folder, 'around.d.ts'), join(root, 'runtime/globals.d.ts')],
      }),
    );
    const { stdout } = spawnSync('npx', ['tsc', '-p', project, '--pretty', 'false'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
