import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/**
 * The house: imports go one way. `wire/` imports nothing; `runtime/` and `client/` only `wire/`; `playground/` only what
 * `client/` has for all pages; inside `host/` a folder imports those before it. Only `host/core/` knows isolated-vm, and the host sees of the runtime only the wall.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const hostOrder = [
  'base',
  'rtmp',
  'links',
  'web',
  'streams',
  'shared-objects',
  'core',
  'scripts',
  'apps',
  'cluster',
];

interface Import {
  from: string;
  to: string;
  /** Of types only: nothing of it is in a bundle. */
  isType: boolean;
}

const imports = ['wire', 'runtime', 'client', 'playground', 'host'].flatMap((top) =>
  sourceFiles(join(root, top)).flatMap(importsOf),
);

describe('imports', () => {
  test('are found at all', () => {
    expect(imports.length).toBeGreaterThan(100);
  });

  test('of wire/ stay in wire/', () => {
    expect(offenders('wire/', (to) => to.startsWith('wire/'))).toEqual([]);
  });

  test('of runtime/ and client/ go to themselves and wire/', () => {
    expect(offenders('runtime/', (to) => /^(runtime|wire)\//.test(to))).toEqual([]);
    const isOf = (to: string) => /^(client|wire)\//.test(to) || to === '@mediabunny/aac-encoder';
    expect(offenders('client/', isOf)).toEqual([]);
  });

  test('of playground/ go to itself, to what the client has for all pages, and to Preact', () => {
    const isOf = (to: string) =>
      /^(playground\/|client\/index\.ts$|(@preact\/signals|preact)(\/|$))/.test(to);
    const entries = /^client\/media\/(attach-(video|canvas)|publish-media)\.ts$/;
    // What begins with a slash is in the code to copy.
    const wrong = offenders('playground/', isOf).filter(
      ({ isType, to }) => !isType && !entries.test(to) && !to.startsWith('/'),
    );
    expect(wrong).toEqual([]);
    const users = imports.filter(({ to }) => to.includes('preact')).map(({ from }) => from);
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter((from) => !from.startsWith('playground/'))).toEqual([]);
  });

  // A bundle of its own, evaluated beside the runtime's: whatever else it imported would be there twice.
  test.each(['data', 'file', 'share', 'stream', 'token', 'web'])(
    'of runtime/%s/ stay there, but for types, what parts share and numbers of the wall',
    (part) => {
      const own = new RegExp(`^runtime/(${part}/|shared.ts|wall/(asks|files).ts)`);
      const wrong = offenders(`runtime/${part}/`, (to) => own.test(to));
      expect(wrong.filter(({ isType }) => !isType)).toEqual([]);
      const ofShared = imports.filter(({ from }) => /^runtime\/(shared|wall\/(asks|files))\.ts$/.test(from));
      expect(ofShared.filter(({ isType, to }) => !isType && to !== 'runtime/wall/asks.ts')).toEqual([]);
    },
  );

  test('of runtime/shared.ts happen in the parts of the runtime only', () => {
    const users = imports.filter(({ to }) => to === 'runtime/shared.ts').map(({ from }) => from);
    expect(users.length).toBeGreaterThan(0);
    expect(
      users.filter((from) => !/^runtime\/(data|file|handover|net|share|stream|token|web)\//.test(from)),
    ).toEqual([]);
  });

  test('of host/ go to host/, wire/, packages, and of runtime/ only to the wall', () => {
    const isAllowed = (to: string) => !to.startsWith('runtime/') || to.startsWith('runtime/wall/');
    expect(
      offenders('host/', (to) => isAllowed(to) && !/^(test|bench|client|playground|sample-apps)\//.test(to)),
    ).toEqual([]);
  });

  test('inside host/ go to folders before their own', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [, fromFolder = ''] = /^host\/([^/]+)\//.exec(from) ?? [];
      const [, toFolder = ''] = /^host\/([^/]+)\//.exec(to) ?? [];
      return toFolder !== '' && fromFolder !== '' && rank(toFolder) > rank(fromFolder);
    });
    expect(wrong).toEqual([]);
    const upwards = imports.filter(({ from, to }) => /^host\/[^/]+\//.test(from) && /^host\/[^/]+$/.test(to));
    expect(upwards).toEqual([]);
  });

  test('of isolated-vm happen in host/core/ only', () => {
    const users = imports.filter(({ to }) => to === 'isolated-vm').map(({ from }) => from);
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter((from) => !/^(test\/)?host\/core\//.test(from))).toEqual([]);
  });

  test('of mediabunny happen in host/streams/remux/ only', () => {
    const users = imports.filter(({ to }) => to === 'mediabunny').map(({ from }) => from);
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter((from) => !from.startsWith('host/streams/remux/'))).toEqual([]);
  });

  test('of the encoder of AAC happen in client/media/aac/ only, which is loaded when it is needed', () => {
    const users = imports.filter(({ to }) => to === '@mediabunny/aac-encoder').map(({ from }) => from);
    expect(users).toEqual(['client/media/aac/encoder.ts']);
    const entries = imports.filter(({ to, isType }) => to === 'client/media/aac/encoder.ts' && !isType);
    expect(entries.map(({ from }) => from)).toEqual(['client/media/publish/encoders.ts']);
  });

  test('of Node in wire/, runtime/ and what plays and publishes in pages do not exist', () => {
    expect(offenders('client/media/', (to) => !to.startsWith('node:'))).toEqual([]);
    expect(offenders('wire/', (to) => !to.startsWith('node:'))).toEqual([]);
    expect(offenders('runtime/', (to) => !to.startsWith('node:'))).toEqual([]);
  });
});

test('every folder of host/ has its place in the order', () => {
  const folders = readdirSync(join(root, 'host'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map((entry) => entry.name).filter((name) => !hostOrder.includes(name))).toEqual([]);
});

function offenders(folder: string, isAllowed: (to: string) => boolean): Import[] {
  return imports.filter(({ from, to }) => from.startsWith(folder) && !isAllowed(to));
}

function rank(folder: string): number {
  return hostOrder.indexOf(folder);
}

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: false })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

/** Relative imports as paths from the root, packages by name. */
function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const from = relative(root, file);
  const found = text.matchAll(/(import type [^;]*?)?(?:from|import)\s*\(?\s*'([^']+)'/g);
  return [...found].map(([, type, to = '']) => ({
    from,
    isType: type !== undefined,
    to: to.startsWith('.') ? relative(root, resolve(dirname(file), to)) : to,
  }));
}
