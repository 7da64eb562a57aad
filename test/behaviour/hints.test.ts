import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';

const server = useServer({
  limits: { pendingConnectMs: 1500 },
  apps: {
    misspelled: {
      'main.ts': `
        application.authorizePubish = () => false;
        application.onAppStart = () => { application.onConect = () => true; };`,
    },
    helpers: {
      'main.ts': `
        Object.assign(application, {
          onConnect: () => true,
          onConnected() {}, onMessage() {}, onClose() {}, onMove() {}, authorizeUser() {}, tick() {},
          onConnecting: 1,
        });`,
    },
    undecided: { 'main.ts': 'application.onConnect = (client, name) => { trace(name); };' },
    slow: {
      'main.ts': 'application.onAppStart = () => new Promise(() => {});',
      'app.json': '{ "limits": { "startMs": 200 } }',
    },
    endless: { 'main.ts': 'for (;;);', 'app.json': '{ "limits": { "startMs": 200 } }' },
    rejects: {
      'main.ts': `
        application.onConnect = () => true;
        Client.prototype.fail = () => Promise.reject({ code: 'E_FULL', why: 'no seats' });`,
    },
    module: { 'main.asc': 'import x from "./x.js";' },
    node: { 'main.ts': `import fs from 'node:fs';\nfs.x();` },
    greedy: { 'main.ts': '', 'app.json': '{ "limits": { "connections": 5 } }' },
    classic: { 'main.asc': 'load("lib/util.asc"); function noop() {}', 'lib/util.asc': 'var version = 1;' },
    waiting: { 'main.ts': 'application.onConnect = () => new Promise(() => {});' },
  },
});

const warnings = (app: string) =>
  server.log.entries.filter((r) => r.level === 'warn' && r.instance?.startsWith(`${app}/`));

test('a handler whose name is misspelled is a warning, once for a build', async () => {
  await connect(`${server.rtmp}/misspelled/one`);
  await server.waitForLog('application.onConect is no handler of the server: did you mean onConnect?');
  await connect(`${server.rtmp}/misspelled/two`);
  const texts = warnings('misspelled').map(({ message }) => message);
  expect(texts).toEqual([
    'application.authorizePubish is no handler of the server: did you mean authorizePublish?',
    'application.onConect is no handler of the server: did you mean onConnect?',
  ]);
});

test('functions of its own are none', async () => {
  await connect(`${server.rtmp}/helpers/room`);
  expect(warnings('helpers')).toEqual([]);
});

for (const app of ['undecided', 'waiting']) {
  test(`an onConnect that decides nothing is a warning, once for a build: ${app}`, async () => {
    await connectRefused(`${server.rtmp}/${app}/room`, { args: ['ada'] });
    const { message } = await server.waitForLog((r) => r.level === 'warn' && r.instance === `${app}/room`);
    expect(message).toContain('application.onConnect had not decided about it after 1500 ms');
    expect(message).toContain('Return true, false or a promise of one');
    await connectRefused(`${server.rtmp}/${app}/room`, { args: ['bob'] });
    expect(warnings(app)).toHaveLength(1);
  });
}

for (const [app, says] of [
  ['slow', 'application.onAppStart took longer than 200 ms (limits.startMs)'],
  ['endless', 'top level: took longer than 200 ms (limits.startMs)'],
] as const) {
  test(`a start that takes too long names its limit: ${app}`, async () => {
    await connectRefused(`${server.rtmp}/${app}/room`);
    await server.waitForLog(says);
  });
}

test('a classic script that is saved says why its clients are gone, and the other way', async () => {
  const client = await connect(`${server.rtmp}/classic/room`);
  server.writeFile('classic/lib/util.asc', 'var version = 2;');
  await client.closed;
  const { message } = await server.waitForLog(
    (r) => r.instance === 'classic/room' && /^ended/.test(r.message),
  );
  expect(message).toBe(
    'ended: new code ends a classic script and disconnects its clients, unless app.json says "reload": "keep"',
  );
});

test('a folder of applications that is an application itself is a warning', async () => {
  const own = await startServer({ apps: { '.': { 'main.ts': '' }, public: { 'index.html': '' } } });
  const { message } = await own.waitForLog('looks like an application');
  expect(message).toContain(`${own.appsFolder} has a main.ts`);
  expect(message).toMatch(/Give --apps the folder that it is in: \/\S+$/);
  expect(server.log.entries.filter((r) => r.message.includes('looks like an application'))).toEqual([]);
});

test('what is thrown and no error is shown, to the log and to the caller', async () => {
  const client = await connect(`${server.rtmp}/rejects/room`);
  const shown = 'thrown: { code: "E_FULL", why: "no seats" }';
  await expect(client.call('fail')).rejects.toMatchObject({ info: { description: shown } });
  await server.waitForLog(`fail: ${shown}`);
});

for (const [app, says] of [
  ['module', 'rename main.asc to main.ts, or use load("file.asc")'],
  ['node', 'of their own, but File (docs/scripting.md) and fetch'],
  ['greedy', 'limits.connections": it is a limit of the server, and belongs in the server\'s configuration'],
] as const) {
  test(`what does not belong there says what does: ${app}`, async () => {
    const { message, detail } = await server.waitForLog((r) => r.level === 'error' && r.instance === app);
    expect(`${message}\n${detail}`).toContain(says);
  });
}

test('a name that is none says what a name is', async () => {
  const client = await connect(`${server.rtmp}/rejects/names`);
  const stream = await client.createStream();
  expect((await stream.play('/abs')).description).toMatch(
    /^That is no name of a stream: .*no slash at its ends/,
  );
});
