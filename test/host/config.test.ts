import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Config, defaultLimits, formatAddress, parseCommandLine } from '../../host/config.ts';

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stagewire-config-')));
  mkdirSync(join(folder, 'sample-apps'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function configOf(...argv: string[]): Config {
  const parsed = parseCommandLine(argv, folder);
  if (!('config' in parsed)) throw new Error(`expected a configuration, got ${parsed.print}`);
  return parsed.config;
}

function writeConfig(content: unknown, file = 'stagewire.json'): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  writeFileSync(join(folder, file), text);
  return file;
}

function failure(code: string, message: string | RegExp) {
  const matcher =
    typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message);
  return expect.objectContaining({ code, blame: 'host', message: matcher });
}

test('without arguments everything has its default', () => {
  expect(configOf()).toEqual({
    apps: join(folder, 'sample-apps'),
    data: join(folder, '.stagewire'),
    rtmp: { host: '127.0.0.1', port: 1935 },
    http: { host: '127.0.0.1', port: 8080 },
    log: 'pretty',
    logLevel: 'info',
    sandbox: 'permission',
    lockedLimits: [],
    scriptLibPath: [],
    typeCheck: true,
    playground: true,
    fileDirectories: {},
    limits: defaultLimits,
  });
  expect(defaultLimits).toMatchObject({
    handlerMs: 1000,
    heapMb: 64,
    chunkStreams: 64,
    commandBytes: 1_048_576,
  });
});

test('the playground can be turned off', () => {
  expect(configOf('--no-playground').playground).toBe(false);
  expect(configOf('--config', writeConfig({ playground: false })).playground).toBe(false);
  expect(() => configOf('--no-playground=yes')).toThrow(failure('E_USAGE', 'takes no value'));
});

test('the data folder is created, for its owner only', () => {
  const { data } = configOf('--data', 'deep/data');
  const stats = statSync(data);
  expect(stats.isDirectory()).toBe(true);
  if (process.platform !== 'win32') expect(stats.mode & 0o077).toBe(0);
});

const addresses = [
  { text: '1936', address: { host: '127.0.0.1', port: 1936 } },
  { text: '0', address: { host: '127.0.0.1', port: 0 } },
  { text: '0.0.0.0:1935', address: { host: '0.0.0.0', port: 1935 } },
  { text: 'media.example:65535', address: { host: 'media.example', port: 65535 } },
  { text: '[::1]:1935', address: { host: '::1', port: 1935 } },
] as const;

for (const { text, address } of addresses) {
  test(`an address may be written ${text}`, () => {
    expect(configOf('--rtmp', text).rtmp).toEqual(address);
    expect(configOf(`--http=${text}`).http).toEqual(address);
    expect(formatAddress(address)).toBe(text.includes(':') ? text : `127.0.0.1:${text}`);
  });
}

test('a port in the file may be a number', () => {
  expect(configOf('--config', writeConfig({ rtmp: 0 })).rtmp).toEqual({ host: '127.0.0.1', port: 0 });
});

const wrongCommandLines = [
  { argv: ['--rmtp', '1'], message: 'unknown option "--rmtp": did you mean --rtmp?' },
  { argv: ['--bogus-thing'], message: 'unknown option "--bogus-thing": see --help' },
  { argv: ['chat'], message: 'unknown argument "chat"' },
  { argv: ['--rtmp'], message: '--rtmp needs a value: --rtmp [HOST:]PORT' },
  { argv: ['--rtmp', '--log', 'json'], message: '--rtmp needs a value' },
  { argv: ['--help=3'], message: '--help takes no value, got "3"' },
  { argv: ['--log', 'xml'], message: '--log is "xml", expected pretty or json' },
  { argv: ['--http', '65536'], message: '--http is "65536", expected [HOST:]PORT' },
  { argv: ['--http', '::1:80'], message: '--http is "::1:80", expected [HOST:]PORT' },
  { argv: ['--http', '[host]:80'], message: '--http is "[host]:80", expected [HOST:]PORT' },
  { argv: ['--\u001b[31m'], message: 'unknown option "--\\u001b[31m"' },
] as const;

for (const { argv, message } of wrongCommandLines) {
  test(`${JSON.stringify(argv)} is refused in one line`, () => {
    expect(() => configOf(...argv)).toThrow(failure('E_USAGE', message));
    expect(() => configOf(...argv)).toThrow(failure('E_USAGE', /^[^\n]*$/));
  });
}

const wrongFiles = [
  {
    content: { limits: { handlerMS: 3 } },
    message: 'unknown option "limits.handlerMS": did you mean limits.handlerMs?',
  },
  { content: { limits: { nonsense: 3 } }, message: 'unknown option "limits.nonsense": known are handlerMs,' },
  { content: { rtpm: 3 }, message: 'unknown option "rtpm": did you mean rtmp?' },
  {
    content: { limits: { heapMb: 'big' } },
    message: 'limits.heapMb is "big", expected a whole number from 8 to 4096',
  },
  {
    content: { limits: { heapMb: 1.5 } },
    message: 'limits.heapMb is 1.5, expected a whole number from 8 to 4096',
  },
  {
    content: { limits: { heapMb: 7 } },
    message: 'limits.heapMb is 7, expected a whole number from 8 to 4096',
  },
  { content: { limits: 4 }, message: 'limits is 4, expected a JSON object' },
  {
    content: { limits: { pingIdleMs: 60_000 } },
    message: 'limits.pingIdleMs is 60000, expected a number below',
  },
  { content: { rtmp: {} }, message: 'rtmp is {}, expected [HOST:]PORT' },
  { content: { apps: '' }, message: 'apps is "", expected a path' },
  { content: [], message: 'the content is [], expected a JSON object' },
  { content: '{"rtmp": ', message: 'is not JSON' },
] as const;

for (const { content, message } of wrongFiles) {
  test(`the file ${JSON.stringify(content)} is refused in one line that names the file`, () => {
    const file = writeConfig(content);
    expect(() => configOf('--config', file)).toThrow(failure('E_CONFIG', message));
    expect(() => configOf('--config', file)).toThrow(failure('E_CONFIG', /^\S*stagewire\.json.*$/));
  });
}

test('a file that is missing is named with its full path', () => {
  expect(() => configOf('--config', 'gone.json')).toThrow(failure('E_CONFIG', join(folder, 'gone.json')));
});

test('flags win over the file, the file over the defaults', () => {
  const file = writeConfig({ rtmp: '1936', http: '8081', limits: { heapMb: 32 } });
  const config = configOf('--config', file, '--rtmp', '1937');
  expect(config).toMatchObject({
    rtmp: { port: 1937 },
    http: { port: 8081 },
    limits: { heapMb: 32, handlerMs: 1000 },
  });
});

test('paths in the file start at its folder, paths on the command line where the command runs', () => {
  mkdirSync(join(folder, 'etc/apps'), { recursive: true });
  const content = { apps: 'apps', data: '../data', adminTokenFile: 'token' };
  expect(configOf('--config', writeConfig(content, 'etc/stagewire.json'))).toMatchObject({
    apps: join(folder, 'etc/apps'),
    data: join(folder, 'data'),
    adminTokenFile: join(folder, 'etc/token'),
  });
  const flags = ['--apps', 'sample-apps', '--admin-token-file', 'token'];
  expect(configOf('--config', 'etc/stagewire.json', ...flags)).toMatchObject({
    apps: join(folder, 'sample-apps'),
    adminTokenFile: join(folder, 'token'),
  });
});

test('an applications folder that is missing or a file is named with its full path', () => {
  expect(() => configOf('--apps', 'nope')).toThrow(
    failure('E_CONFIG', `${join(folder, 'nope')} does not exist`),
  );
  writeFileSync(join(folder, 'file'), '');
  expect(() => configOf('--apps', 'file')).toThrow(failure('E_CONFIG', 'is not a folder'));
  expect(() => configOf('--data', 'file')).toThrow(
    failure('E_CONFIG', `the data folder ${join(folder, 'file')}`),
  );
});

test('help names every flag, and asking for it needs no folders', () => {
  const parsed = parseCommandLine(['--help', '--apps', 'nope'], folder);
  expect(parsed).toHaveProperty('print', expect.stringMatching(/--admin-token-file FILE/));
  expect(parseCommandLine(['--version'], folder)).toHaveProperty(
    'print',
    expect.stringMatching(/^\d+\.\d+\.\d+/),
  );
});

test('TLS has its listeners, and paths that start at the file', () => {
  mkdirSync(join(folder, 'etc'));
  const content = { rtmps: '0.0.0.0:443', https: 8443, tlsCert: 'cert.pem', tlsKey: '../key.pem' };
  expect(configOf('--config', writeConfig(content, 'etc/stagewire.json'))).toMatchObject({
    rtmps: { host: '0.0.0.0', port: 443 },
    https: { host: '127.0.0.1', port: 8443 },
    tlsCert: join(folder, 'etc/cert.pem'),
    tlsKey: join(folder, 'key.pem'),
  });
  expect(() => configOf('--rtmps', 'x:y')).toThrow(
    failure('E_USAGE', '--rtmps is "x:y", expected [HOST:]PORT'),
  );
});

test('an edge has the address of its origin, and the secret', () => {
  const flags = ['--edge-secret-file', 'secret', '--edge-of'];
  expect(configOf(...flags, 'rtmp://origin.example')).toMatchObject({
    edgeOf: { host: 'origin.example', port: 1935, isSecure: false, app: undefined },
    edgeSecretFile: join(folder, 'secret'),
  });
  expect(configOf(...flags, 'RTMPS://[::1]:8443/live/')).toMatchObject({
    edgeOf: { host: '::1', port: 8443, isSecure: true, app: 'live' },
  });
  expect(configOf(...flags, 'rtmps://10.0.0.1', '--edge-name', 'paris-1')).toMatchObject({
    edgeOf: { host: '10.0.0.1', port: 443, isSecure: true },
    edgeName: 'paris-1',
  });
  for (const wrong of [
    'origin.example',
    'http://origin',
    'rtmp://',
    'rtmp://a/b/c',
    'rtmp://u:p@a',
    'rtmp://a?x',
  ])
    expect(() => configOf(...flags, wrong)).toThrow(
      failure('E_USAGE', `--edge-of is "${wrong}", expected the address`),
    );
  expect(() => configOf('--edge-of', 'rtmp://a')).toThrow(failure('E_USAGE', '--edge-secret-file FILE'));
  expect(() => configOf('--edge-name', 'a')).toThrow(failure('E_USAGE', '--edge-name is for --edge-of'));
  expect(() => configOf(...flags, 'rtmp://a', '--edge-name', 'a b')).toThrow(
    failure('E_USAGE', 'without spaces'),
  );
  mkdirSync(join(folder, 'etc'));
  expect(configOf('--config', writeConfig({ edgeSecretFile: 'secret' }, 'etc/stagewire.json'))).toMatchObject(
    {
      edgeSecretFile: join(folder, 'etc/secret'),
    },
  );
  // An edge in all applications has none of its own.
  expect(configOf(...flags, 'rtmp://a', '--apps', 'nope')).toMatchObject({ apps: join(folder, 'nope') });
  expect(() => configOf(...flags, 'rtmp://a/live', '--apps', 'nope')).toThrow(
    failure('E_CONFIG', 'does not exist'),
  );
});
