import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused, RefusedError } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  apps: {
    classic: {
      'main.asc': `
        counter = 10; // undeclared: a global of the instance
        function helper(x) { return 'helped ' + x; }
        var declared = 'declared';
        application.onAppStart = function () { started = true; };
        application.onConnect = function (newClient, name) {
          undeclaredInHandler = name;
          newClient.name = name;
          this.seen = this === application;
          newClient.globals = function () {
            return [typeof helper, this.helperOnGlobal, counter++, declared, undeclaredInHandler, started];
          };
          newClient.sloppy = function () { return (function () { return this === global_; })(); };
          return true;
        };
        var global_ = this;
        Client.prototype.helperOnGlobal = 'proto';
        Client.prototype.viaThis = function () { return global_.helper === helper && global_.declared; };
        Client.prototype.octal = function () { with ({ a: 010 }) { return a; } };
        Client.prototype.args = function (a) { arguments[0] = 'aliased'; return a; };
        Client.prototype.boom = function () { undefinedFunction(); };`,
    },
    script: {
      'main.js': `
        loose = 'sloppy';
        application.onConnect = function () { return true; };
        Client.prototype.kind = function () { return loose; };`,
    },
    module: {
      'main.js': `
        import { kind } from './kind.js';
        application.onConnect = () => true;
        Client.prototype.kind = function () { return [kind, (function () { return this; })() === undefined]; };`,
      'kind.js': `export const kind = 'module';`,
    },
    exported: {
      'main.js': `application.onConnect = () => true; Client.prototype.kind = () => 'module'; export {};`,
    },
    typed: {
      'main.ts': `
        interface Named { name: string }
        const enumLike = { A: 1 } as const satisfies Record<string, number>;
        class Room<T extends Named> { #members: T[] = []; add(member: T) { this.#members.push(member); return this.#members.length; } }
        const room = new Room<Named>();
        application.onConnect = (client, name) => { room.add({ name: String(name) }); return true; };
        Object.assign(Client.prototype, { async a() { return await Promise.resolve(enumLike.A); }, n() { return room.add({ name: 'x' }); } });`,
    },
    brokenFirst: { 'main.ts': 'application.onConnect = (' },
    throwsFirst: { 'main.ts': "throw new Error('at the top');" },
    startFails: { 'main.ts': "application.onAppStart = () => { throw new Error('at start'); };" },
    both: { 'main.ts': 'application.onConnect = () => true;', 'main.asc': 'application.onConnect = null;' },
    three: { 'main.ts': '', 'main.asc': '', 'main.js': '' },
    api: { 'main.ts': '' },
    metrics: { 'main.ts': '' },
    healthz: { 'main.ts': '' },
  },
});

test('main.asc runs as a sloppy script whose names are globals', async () => {
  const client = await connect(`${server.rtmp}/classic`, { args: ['ann'] });
  expect(await client.call('globals')).toEqual(['function', 'proto', 10, 'declared', 'ann', true]);
  expect(await client.call('globals')).toEqual(['function', 'proto', 11, 'declared', 'ann', true]);
  expect(await client.call('sloppy')).toBe(true);
  expect(await client.call('viaThis')).toBe('declared');
  expect(await client.call('octal')).toBe(8);
  expect(await client.call('args', 'given')).toBe('aliased');
  const other = await connect(`${server.rtmp}/classic/other`, { args: ['bob'] });
  expect(await other.call('globals')).toEqual(['function', 'proto', 10, 'declared', 'bob', true]);
});

test('an error in main.asc is reported at its place', async () => {
  const client = await connect(`${server.rtmp}/classic/errors`, { args: ['ann'] });
  await client.callFails('boom');
  const record = await server.waitForLog((r) => r.code === 'E_SCRIPT' && r.instance === 'classic/errors');
  expect(record.message).toMatch(/undefinedFunction is not defined \(main\.asc:21:\d+\)/);
  expect(record.detail).toContain('undefinedFunction();');
});

const kinds = [
  { app: 'script', is: 'sloppy' },
  { app: 'module', is: ['module', true] },
  { app: 'exported', is: 'module' },
];
for (const { app, is } of kinds) {
  test(`main.js of "${app}" is what its syntax says`, async () => {
    const client = await connect(`${server.rtmp}/${app}`);
    expect(await client.call('kind')).toEqual(is);
  });
}

test('main.ts may use types, classes with private fields and async methods', async () => {
  const client = await connect(`${server.rtmp}/typed`, { args: ['x'] });
  expect(await client.call('a')).toBe(1);
  expect(await client.call('n')).toBe(2);
});

const failing = [
  { app: 'brokenFirst', description: 'does not build', log: 'main.ts:1:' },
  { app: 'throwsFirst', description: 'failed to start', log: 'at the top' },
  { app: 'startFails', description: 'failed to start', log: 'at start' },
];
for (const { app, description, log } of failing) {
  test(`${app}: clients are refused, the author is told, and a repaired file serves`, async () => {
    const info = await connectRefused(`${server.rtmp}/${app}`);
    expect(info.code).toBe('NetConnection.Connect.Rejected');
    expect(info.description).toContain(description);
    await server.waitForLog((r) => `${r.message} ${r.detail}`.includes(log));
    server.writeFile(
      `${app}/main.ts`,
      `application.onConnect = () => true; Client.prototype.ok = () => 'ok';`,
    );
    await eventually(`${app} to serve`, () => accepts(app));
  });
}

for (const { app, names } of [
  { app: 'both', names: ['main.asc', 'main.ts'] },
  { app: 'three', names: ['main.asc', 'main.js', 'main.ts'] },
]) {
  test(`${names.join(' and ')} in one folder are refused by name`, async () => {
    const info = await connectRefused(`${server.rtmp}/${app}`);
    expect(info.code).toBe('NetConnection.Connect.Rejected');
    const record = await server.waitForLog((r) => r.instance === app && r.level === 'error');
    for (const name of names) expect(`${record.message} ${record.detail}`).toContain(name);
  });
}

for (const app of ['api', 'metrics', 'healthz']) {
  test(`an application named ${app} is refused`, async () => {
    expect(await connectRefused(`${server.rtmp}/${app}`)).toMatchObject({
      code: 'NetConnection.Connect.Rejected',
      description: expect.stringContaining(`(${app})`),
    });
    await server.waitForLog((r) => r.level === 'warn' && r.message.includes(`folder ${app} `));
  });
}

test('a folder that is added serves, and one that is removed says good-bye', async () => {
  expect((await connectRefused(`${server.rtmp}/guest`)).description).toContain('not defined');
  server.writeApp('guest', {
    'main.ts': `
      application.onConnect = () => true;
      application.onAppStop = (info) => trace('stopped by ' + info.code);
      Client.prototype.hello = () => 'hello';`,
  });
  await eventually('the new folder to serve', () => accepts('guest'));
  const client = await connect(`${server.rtmp}/guest`);
  expect(await client.call('hello')).toBe('hello');

  server.remove('guest');
  await client.closed;
  const status = client.received.entries.find(({ name }) => name === 'onStatus');
  expect(status?.args[0]).toMatchObject({ level: 'error', code: 'NetConnection.Connect.AppShutdown' });
  await server.waitForLog((r) => r.message.startsWith('stopped by Application.'));
  expect((await connectRefused(`${server.rtmp}/guest`)).description).toContain('not defined');
});

test('a script that appears in a folder without one takes over', async () => {
  server.writeApp('later', { 'README.md': 'nothing yet' });
  await eventually('the folder to serve', () => accepts('later'));
  const client = await connect(`${server.rtmp}/later/room`);
  await client.callFails('hello');
  server.writeFile(
    'later/main.ts',
    `application.onConnect = () => true; Client.prototype.hello = () => 'hello';`,
  );
  await eventually('the script to answer', async () => {
    const answer = await client.startCall('hello');
    return answer.name === '_result';
  });
});

test('a script that vanishes leaves its application guarded by the code it had', async () => {
  const guard = (word: string) => `
    application.authorizePublish = () => false;
    Client.prototype.word = () => '${word}';`;
  server.writeApp('guarded', { 'main.ts': guard('first') });
  await eventually('the application', () => accepts('guarded'));
  const client = await connect(`${server.rtmp}/guarded/room`);
  const from = server.log.mark;
  server.remove('guarded/main.ts');
  await server.waitForLog(
    (r) => r.instance === 'guarded' && r.message.includes('its main file is gone'),
    from,
  );

  for (const url of [`${server.rtmp}/guarded/room`, `${server.rtmp}/guarded/another`]) {
    const stranger = await (await connect(url)).createStream();
    stranger.command('publish', 'cam', 'live');
    expect(await stranger.status('NetStream.Publish.BadName')).toMatchObject({ level: 'error' });
  }
  expect(await client.call('word')).toBe('first');

  server.writeFile('guarded/main.ts', guard('second'));
  await eventually('the new script', async () => (await client.call('word')) === 'second');
});

test('a main file that cannot be read is an error, not an application without a script', async () => {
  const from = server.log.mark;
  server.writeApp('dangling', { 'README.md': 'see main.ts' });
  symlinkSync('nowhere.ts', join(server.appsFolder, 'dangling', 'main.ts'));
  await server.waitForLog((r) => r.instance === 'dangling' && r.code === 'E_BUILD', from);
  expect(await accepts('dangling')).toBe(false);
});

test('files outside of the applications folder cannot be imported', async () => {
  const from = server.log.mark;
  server.writeFile('../secret.txt', 'the secret');
  server.writeApp('thief', { 'main.ts': `import secret from '../../secret.txt'; trace(secret);` });
  const record = await server.waitForLog((r) => r.instance === 'thief' && r.code === 'E_BUILD', from);
  expect(record.detail).toContain(
    'only its own files, those of folders that are no applications, and npm packages can be imported',
  );
  expect(await accepts('thief')).toBe(false);
});

async function accepts(app: string): Promise<boolean> {
  try {
    (await connect(`${server.rtmp}/${app}/probe`)).destroy();
    return true;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}
