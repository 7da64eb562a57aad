import { renameSync, symlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { type LogRecord, startServer, type TestServer } from '../support/server.ts';

/** Builds that kill the bundler, never end, or take all memory: what comes of them, and of the others meanwhile. */
const version = (n: number | string) =>
  `application.onConnect = () => true;\nClient.prototype.version = () => ${JSON.stringify(n)};\n`;
/** The bundler reads what is in its way to a file, such as a package.json, by itself. */
const importing = `import text from './lib/a.txt';\n${version('read')}export { text };\n`;
const inItsWay = 'lib/package.json';
/** More than the bundler's stack of 1 GB can hold. */
const deep = `export const deep = ${'['.repeat(300_000)}${']'.repeat(300_000)};\n`;
const files = { 'main.ts': version(1), 'lib/a.txt': 'a' };
const apps = { app: files, calm: files };

/** Resolves when the bundler has opened the pipe: it reads on until this is closed. */
async function whenRead(server: TestServer, path: string): Promise<FileHandle> {
  const writer = await open(join(server.appsFolder, path), 'w');
  onTestFinished(() => writer.close());
  return writer;
}

/** Whoever looks from now on finds a whole file: of a pipe the next bundler could read `{}` twice. */
function replacePipe(server: TestServer, path: string): void {
  server.writeFile('../whole.json', '{}');
  renameSync(join(server.appsFolder, '../whole.json'), join(server.appsFolder, path));
}

async function answersRead(client: RtmpClient): Promise<void> {
  await eventually('the code that was read', async () => (await client.call('version')) === 'read');
}

function failureOf(server: TestServer, app: string, from = 0): Promise<LogRecord> {
  return server.waitForLog((r) => r.instance === app && r.code === 'E_BUILD', from);
}

/** Saves a main file and waits until the instance `room` runs it. */
async function save(server: TestServer, app: string, content: string): Promise<void> {
  const from = server.log.mark;
  server.writeFile(`${app}/main.ts`, content);
  await server.waitForLog((r) => r.instance === `${app}/room` && r.message.startsWith('runs new code'), from);
}

const bundlers = (server: TestServer) => server.childPids('--service=');

/** The one that there is, or that is just being started. Never 0, which would be everybody here. */
async function bundlerOf(server: TestServer): Promise<number> {
  await eventually('a bundler', () => bundlers(server).length > 0);
  const [pid] = bundlers(server);
  if (!pid) throw new Error('the bundler has just ended');
  return pid;
}

test('a build that never ends is given up with its name, and holds up no other', async (context) => {
  if (process.platform === 'win32') return context.skip('Windows has no such pipes');
  const server = await startServer({ apps, pipes: [`app/${inItsWay}`], limits: { buildMs: 4000 } });
  const client = await connect(`${server.rtmp}/app/room`);
  const neighbour = await connect(`${server.rtmp}/calm/room`);
  const from = server.log.mark;
  server.writeFile('app/main.ts', importing);
  await whenRead(server, `app/${inItsWay}`);
  await save(server, 'calm', version(2));
  expect(await neighbour.call('version')).toBe(2);
  expect(server.log.entries.slice(from).filter((r) => r.code === 'E_BUILD')).toEqual([]);

  const { message, detail } = await failureOf(server, 'app', from);
  expect(message).toMatch(/^does not build; app goes on with build [0-9a-f]{8}$/);
  expect(detail).toBe('main.ts: is not bundled within 4 s (limits.buildMs)');
  expect(await client.call('version')).toBe(1);
  await save(server, 'calm', version(3));
  await save(server, 'app', version(2));
  expect(await client.call('version')).toBe(2);
  await server.stop();
});

test('code that kills the bundler fails alone: a build under way beside it is tried again', async (context) => {
  if (process.platform === 'win32') return context.skip('Windows has no such pipes');
  const server = await startServer({ apps, pipes: [`calm/${inItsWay}`] });
  const client = await connect(`${server.rtmp}/app/room`);
  const neighbour = await connect(`${server.rtmp}/calm/room`);
  const [bundler = 0] = bundlers(server);
  server.writeFile('calm/main.ts', importing);
  const first = await whenRead(server, `calm/${inItsWay}`);
  server.writeFile('app/main.ts', deep);
  replacePipe(server, `calm/${inItsWay}`);
  await eventually('the bundler to be gone', () => !bundlers(server).includes(bundler));
  await first.close();
  await answersRead(neighbour);

  const { message, detail } = await failureOf(server, 'app');
  expect(message).toContain('goes on with build');
  expect(detail).toBe('main.ts: ended the process that was to bundle it: stack overflow');
  expect(await client.call('version')).toBe(1);
  await save(server, 'app', version(2));
  expect(await client.call('version')).toBe(2);
  expect(server.log.entries.filter((r) => r.code === 'E_BUILD')).toHaveLength(1);
  await server.stop(); // which finds no trace on the server's terminal
});

test('code that kills the bundler while nothing else is built is not tried twice', async () => {
  const server = await startServer({ apps });
  const [bundler] = bundlers(server);
  server.writeFile('app/main.ts', deep);
  const seen = new Set<number>();
  await eventually('the failure', () => {
    for (const pid of bundlers(server)) seen.add(pid);
    return server.log.entries.some((r) => r.instance === 'app' && r.code === 'E_BUILD');
  });
  expect([...seen]).toEqual([bundler]);
  await server.stop();
});

test('a link to an endless file ends the bundler before it has taken all memory', async (context) => {
  if (process.platform !== 'linux') return context.skip('memory is read in /proc');
  const server = await startServer({ apps, limits: { buildMb: 256 } });
  symlinkSync('/dev/zero', join(server.appsFolder, 'app', inItsWay));
  server.writeFile('app/main.ts', importing);
  const { detail } = await failureOf(server, 'app');
  expect(detail).toContain('main.ts: ended the process that was to bundle it: it needed more than 256 MB');
  await server.stop();
});

test('a bundler that is killed from outside costs nobody a build', async () => {
  const server = await startServer({ apps, pipes: [`app/${inItsWay}`] });
  const client = await connect(`${server.rtmp}/app/room`);
  const atRest = await bundlerOf(server);
  process.kill(atRest, 'SIGKILL');
  await save(server, 'app', version(2));
  expect(await client.call('version')).toBe(2);

  server.writeFile('app/main.ts', importing);
  const first = await whenRead(server, `app/${inItsWay}`);
  const atWork = await bundlerOf(server);
  process.kill(atWork, 'SIGKILL');
  replacePipe(server, `app/${inItsWay}`);
  await eventually('it to be gone', () => !bundlers(server).includes(atWork));
  await first.close();
  await answersRead(client);
  expect(server.log.entries.filter((r) => r.code === 'E_BUILD')).toEqual([]);
  await server.stop();
});

test('a bundler that is frozen from outside costs nobody a build', async (context) => {
  if (process.platform !== 'linux') return context.skip('whether a process is frozen is read in /proc');
  const server = await startServer({ apps, limits: { buildMs: 4000 } });
  const client = await connect(`${server.rtmp}/app/room`);
  const calm = await connect(`${server.rtmp}/calm/room`);
  const frozen = await bundlerOf(server);
  process.kill(frozen, 'SIGSTOP');
  await Promise.all([save(server, 'app', version(2)), save(server, 'calm', version(3))]);
  expect(await Promise.all([client, calm].map((each) => each.call('version')))).toEqual([2, 3]);
  await eventually('it to be gone', () => !bundlers(server).includes(frozen));
  expect(server.log.entries.filter((r) => r.code === 'E_BUILD')).toEqual([]);
  await server.stop();
});

test('a build that never ends keeps neither the start nor the end of the server waiting', async (context) => {
  if (process.platform === 'win32') return context.skip('Windows has no such pipes');
  const slow = { ...files, 'main.ts': importing };
  const server = await startServer({
    apps: { ...apps, slow },
    pipes: [`slow/${inItsWay}`],
    limits: { buildMs: 600_000 },
  });
  await whenRead(server, `slow/${inItsWay}`);
  const client = await connect(`${server.rtmp}/app/room`);
  expect(await client.call('version')).toBe(1);
  await server.stop();
});
