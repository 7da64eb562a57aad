import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isSameSettings, readAppSettings } from '../../../host/apps/app-file.ts';
import { defaultLimits } from '../../../host/base/limits.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stagewire-app-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('an app without app.json says nothing of itself', async () => {
  expect(await readAppSettings(join(folder, 'nowhere'), defaultLimits)).toEqual({ limits: defaultLimits });
});

test('app.json suggests a stream to publish', async () => {
  await writeFile(join(folder, 'app.json'), '{ "try": "demo?key=x" }');
  expect(await readAppSettings(folder, defaultLimits)).toEqual({ try: 'demo?key=x', limits: defaultLimits });
});

test('app.json overrides limits of the server, and only those it names', async () => {
  await writeFile(join(folder, 'app.json'), '{ "limits": { "handlerMs": 77, "clientsPerInstance": 0 } }');
  const server = { ...defaultLimits, handlerMs: 500, clientsPerInstance: 10, timers: 5 };
  expect(await readAppSettings(folder, server)).toEqual({
    limits: { ...server, handlerMs: 77, clientsPerInstance: 0 },
  });
});

test('app.json lists the hosts that its scripts may fetch from', async () => {
  const hosts = ['api.example.com', '*.example.org:8443', '127.0.0.1:9000', '[::1]'];
  await writeFile(join(folder, 'app.json'), JSON.stringify({ fetch: { hosts } }));
  expect(await readAppSettings(folder, defaultLimits)).toEqual({ fetch: { hosts }, limits: defaultLimits });
});

test.each([
  [true, { strict: ['access', 'reload'], reload: 'disconnect' }],
  [['access'], { strict: ['access'] }],
  [['reload'], { strict: ['reload'], reload: 'disconnect' }],
  [false, {}],
  [[], {}],
])('strictFMS %j', async (strictFMS, expected) => {
  await writeFile(join(folder, 'app.json'), JSON.stringify({ strictFMS }));
  expect(await readAppSettings(folder, defaultLimits)).toEqual({ ...expected, limits: defaultLimits });
});

test('a switch of strictFMS gives way to what app.json says itself', async () => {
  await writeFile(join(folder, 'app.json'), '{ "strictFMS": true, "reload": "keep" }');
  expect(await readAppSettings(folder, defaultLimits)).toMatchObject({ reload: 'keep' });
});

const wrong = [
  { text: '{', says: 'app.json is not JSON' },
  { text: '[]', says: 'the content is [], expected a JSON object' },
  {
    text: String.raw`{ "try": "a\u001b[2J" }`,
    says: String.raw`try is "a\u001b[2J", expected a stream name`,
  },
  {
    text: '{ "try": "a$(reboot)" }',
    says: 'expected a stream name without control characters, ", `, $, ! and \\',
  },
  { text: '{ "try": "a`reboot`" }', says: 'expected a stream name' },
  { text: '{ "try": 7 }', says: 'try is 7, expected a stream name' },
  { text: '{ "tri": "x" }', says: 'unknown option "tri": did you mean try?' },
  {
    text: '{ "colour": "x" }',
    says: 'unknown option "colour": known are $schema, try, limits, loadOnStartup, allowCalls, folderAccess, reload, strictFMS, config, sharedObjects, streams, fetch, connect, cors',
  },
  {
    text: '{ "limits": { "handlrMs": 5 } }',
    says: 'unknown option "limits.handlrMs": did you mean limits.handlerMs?',
  },
  {
    text: '{ "limits": { "heapMb": "64" } }',
    says: 'limits.heapMb is "64", expected a whole number from 8 to 4096',
  },
  {
    text: '{ "limits": { "heapMb": 1 } }',
    says: 'limits.heapMb is 1, expected a whole number from 8 to 4096',
  },
  {
    text: '{ "limits": { "appFileBytes": -1 } }',
    says: 'limits.appFileBytes is -1, expected a whole number from 0 to 1099511627776',
  },
  { text: '{ "limits": { "connections": 5 } }', says: 'unknown option "limits.connections"' },
  { text: '{ "fetch": [] }', says: 'fetch is [], expected a JSON object' },
  { text: '{ "fetch": {} }', says: 'fetch.hosts is undefined, expected a list of hosts' },
  {
    text: '{ "fetch": { "hosts": [], "host": [] } }',
    says: 'unknown option "fetch.host": did you mean fetch.hosts?',
  },
  { text: '{ "fetch": { "hosts": "a" } }', says: 'fetch.hosts is "a", expected a list of hosts' },
  { text: '{ "fetch": { "hosts": ["a", 7] } }', says: 'fetch.hosts.1 is 7, expected a host such as' },
  { text: '{ "fetch": { "hosts": ["*"] } }', says: 'fetch.hosts.0 is "*", expected a host such as' },
  {
    text: JSON.stringify({ fetch: { hosts: new Array(1001).fill('a') } }),
    says: 'expected at most 1000 hosts',
  },
  {
    text: `{ "config": ${'{ "a": '.repeat(80_000)}1${' }'.repeat(80_000)} }`,
    says: 'app.json has objects more than 64 deep in one another',
  },
  {
    text: '{ "strictFMS": ["acces"] }',
    says: 'strictFMS is ["acces"], expected true, false or a list of "access" and "reload"',
  },
  { text: '{ "cors": "*" }', says: 'cors is "*", expected a list of origins' },
  ...[
    'https://a.example/',
    'a.example',
    'https://A.example',
    'https://*.example',
    'https://u@a.example',
    '',
  ].map((origin) => ({
    text: JSON.stringify({ cors: ['*', 'http://localhost:3000', origin] }),
    says: `cors.2 is "${origin}", expected an origin such as "https://example.com", or "*" for all`,
  })),
  { text: '{ "limits": 5 }', says: 'limits is 5, expected a JSON object' },
];
for (const { text, says } of wrong) {
  test(`${text.slice(0, 60)} is an error that says "${says}"`, async () => {
    await writeFile(join(folder, 'app.json'), text);
    const error = await readAppSettings(folder, defaultLimits).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'E_APP_FILE', blame: 'app', message: expect.stringContaining(says) });
  });
}

test('an app.json that is no file, or measures more than it can need, is not read', async (context) => {
  const cannotBeRead = (why: string) => ({ code: 'E_APP_FILE', message: `app.json cannot be read: ${why}` });
  const path = join(folder, 'app.json');
  await writeFile(path, ' '.repeat(2 ** 20 + 1));
  await expect(readAppSettings(folder, defaultLimits)).rejects.toMatchObject(
    cannotBeRead('it measures 1048577 bytes'),
  );
  if (process.platform === 'win32') return context.skip('Windows has no such pipes');
  await rm(path);
  spawnSync('mkfifo', [path]);
  await expect(readAppSettings(folder, defaultLimits)).rejects.toMatchObject(cannotBeRead('it is no file'));
});

test('an app.json that is a link to a file of the machine, or of another application, is not read', async () => {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'stagewire-app-file-')));
  for (const path of ['apps/chat', 'apps/victim', 'etc']) await mkdir(join(root, path), { recursive: true });
  const own = join(root, 'apps/chat');
  await writeFile(join(root, 'etc/passwords'), 'SECRET');
  await writeFile(join(root, 'apps/victim/app.json'), '{"config":{"key":"SECRET"}}');
  for (const target of ['etc/passwords', 'apps/victim/app.json']) {
    await symlink(join(root, target), join(own, 'app.json'));
    await expect(readAppSettings(own, defaultLimits)).rejects.toMatchObject({
      message: `app.json cannot be read: it leads to ${join(root, target)}, which is no file of this application`,
    });
    await rm(join(own, 'app.json'));
  }
  await rm(root, { recursive: true });
});

test('a large config costs little: whatever JSON can say it may hold', async () => {
  await rm(join(folder, 'app.json'), { force: true });
  const config = { a: new Array(100_000).fill([[[1]]]) };
  await writeFile(join(folder, 'app.json'), JSON.stringify({ config }));
  let read = await readAppSettings(folder, defaultLimits);
  const text = JSON.stringify({ config });
  let bestMs = Number.POSITIVE_INFINITY;
  let floorMs = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) {
    const startedAt = performance.now();
    read = await readAppSettings(folder, defaultLimits);
    bestMs = Math.min(bestMs, performance.now() - startedAt);
    const parsedAt = performance.now();
    JSON.parse(text);
    floorMs = Math.min(floorMs, performance.now() - parsedAt);
  }
  expect(bestMs / floorMs).toBeLessThan(50);
  expect(JSON.stringify(read.config)).toBe(JSON.stringify(config));

  const again = await readAppSettings(folder, defaultLimits);
  const comparedAt = performance.now();
  for (let instance = 0; instance < 100; instance++) {
    expect(isSameSettings(read, again)).toBe(true);
    expect(isSameSettings(read, { ...again })).toBe(true);
    expect(isSameSettings(read, { ...again, folderAccess: true })).toBe(false);
  }
  expect(performance.now() - comparedAt).toBeLessThan(2000);
});
