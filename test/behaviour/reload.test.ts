import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { type AppFiles, useServer } from '../support/server.ts';

const server = useServer({ limits: { pendingConnectMs: 2000 } });

const accept = 'application.onConnect = () => true;\n';
/** As after a death: the new code knows nothing of what the old one had. */
const reattach = { 'app.json': JSON.stringify({ reload: 'reattach' }) };
const version = (n: number | string) => `${accept}Client.prototype.version = () => ${JSON.stringify(n)};\n`;

let apps = 0;
/** A new application and a client of it. */
async function openApp(files: AppFiles, ...args: unknown[]): Promise<{ app: string; client: RtmpClient }> {
  const app = `app${apps++}`;
  server.writeApp(app, files);
  // The folder is found by the watcher: until then the application is unknown.
  await eventually(`${app} to be known`, async () => {
    const probe = await connect(`${server.rtmp}/${app}/probe`, { args }).catch(() => undefined);
    probe?.destroy();
    return probe !== undefined;
  });
  return { app, client: await connect(`${server.rtmp}/${app}/room`, { args }) };
}

/** Saves a file and waits until the instance `room` runs what came of it. */
async function save(app: string, file: string, content: string): Promise<void> {
  const from = server.log.mark;
  server.writeFile(`${app}/${file}`, content);
  await server.waitForLog((r) => r.instance === `${app}/room` && r.message.startsWith('runs new code'), from);
}

/** Saves a file that must fail and waits for the report. */
async function saveBroken(app: string, file: string, content: string) {
  const from = server.log.mark;
  server.writeFile(`${app}/${file}`, content);
  return server.waitForLog((r) => r.level === 'error' && (r.instance ?? '').startsWith(app), from);
}

test('a saved change answers with new code, and its client is still the same connection', async () => {
  const { app, client } = await openApp({ 'main.ts': version(1) });
  expect(await client.call('version')).toBe(1);
  for (const n of [2, 3, 4]) {
    await save(app, 'main.ts', version(n));
    expect(await client.call('version')).toBe(n);
  }
  expect(client.callsOf('close')).toEqual([]);
});

test('the new build is named in every line of the instance', async () => {
  const print = (n: number) => `${accept}Client.prototype.print = () => trace('version ${n}');\n`;
  const { app, client } = await openApp({ 'main.ts': print(1) });
  await client.call('print');
  await save(app, 'main.ts', print(2));
  await client.call('print');
  const second = await server.waitForLog((r) => r.instance === `${app}/room` && r.message === 'version 2');
  const first = await server.waitForLog((r) => r.instance === `${app}/room` && r.message === 'version 1');
  expect(first.build).toMatch(/^[0-9a-f]+$/);
  expect(second.build).toMatch(/^[0-9a-f]+$/);
  expect(second.build).not.toBe(first.build);
});

test('streams and viewers go on through a reload without a gap', async () => {
  const { app, client } = await openApp({ 'main.ts': version(1) });
  const publisher = await client.createStream();
  await publisher.publish('cam');
  const viewer = await (await connect(`${server.rtmp}/${app}/room`)).createStream();
  await viewer.play('cam');
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(0));
  const from = server.log.mark;
  server.writeFile(`${app}/main.ts`, version(2));
  let frame = 0;
  const isReloaded = () =>
    server.log.entries
      .slice(from)
      .some((r) => r.instance === `${app}/room` && r.message.startsWith('runs new code'));
  while (!isReloaded() || frame < 20) {
    frame++;
    publisher.video(frame * 40, interFrame(frame));
    await viewer.waitForMedia(interFrame(frame));
  }
  expect(await client.call('version')).toBe(2);
  expect(viewer.codes).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start']);
  expect(viewer.media.map(({ timestamp }) => timestamp)).toEqual([
    0,
    0,
    ...Array.from({ length: frame }, (_, index) => (index + 1) * 40),
  ]);
});

test('calls under way are answered by the old or the new code, none is lost', async () => {
  const { app, client } = await openApp({ 'main.ts': version(1) });
  const answers: unknown[] = [];
  let isDone = false;
  const caller = (async () => {
    while (!isDone) answers.push(await client.call('version'));
  })();
  await save(app, 'main.ts', version(2));
  isDone = true;
  await caller;
  const firstNew = answers.indexOf(2);
  expect(answers.slice(0, firstNew === -1 ? undefined : firstNew).every((answer) => answer === 1)).toBe(true);
  expect(await client.call('version')).toBe(2);
});

const who = `
  Client.prototype.who = function () {
    return [this.name, this.reconnected, application.clients.length, application.clients.includes(this)];
  };\n`;

test('"reload": "reattach": without onReattach, onConnect is called again with the same arguments', async () => {
  const script = (n: number) => `
    application.onConnect = (client, name, more) => {
      client.name = name + ${n} + more.x + ' ' + application.clients.includes(client);
      return true;
    };${who}`;
  const { app, client } = await openApp({ 'main.ts': script(1), ...reattach }, 'ann', { x: 7 });
  expect(await client.call('who')).toEqual(['ann17 false', false, 1, true]);
  await save(app, 'main.ts', script(2));
  expect(await client.call('who')).toEqual([expect.stringMatching(/^ann27/), 'reload', 1, true]);
});

test('onReattach is called in place of onConnect', async () => {
  const script = (n: number) => `
    application.onConnect = (client, name) => { client.name = name + ${n}; return true; };
    application.onReattach = (client, reason) => { client.name = 'kept by ' + ${n} + ' ' + reason; };${who}`;
  const { app, client } = await openApp({ 'main.ts': script(1) }, 'ann');
  expect(await client.call('who')).toEqual(['ann1', false, 1, true]);
  await save(app, 'main.ts', script(2));
  expect(await client.call('who')).toEqual(['kept by 2 reload', 'reload', 1, true]);
});

const refusals = [
  { name: 'onConnect says false', code: 'application.onConnect = () => false;' },
  { name: 'onConnect throws', code: 'application.onConnect = () => { throw new Error("no"); };' },
  {
    name: 'onConnect rejects the client',
    code: 'application.onConnect = (client) => { application.rejectConnection(client, "no"); };',
  },
  {
    name: 'async onConnect resolves to false',
    code: 'application.onConnect = async () => { await null; return false; };',
  },
  { name: 'async onConnect rejects', code: 'application.onConnect = async () => { await null; throw 1; };' },
  { name: 'onReattach says false', code: 'application.onReattach = () => false;' },
  { name: 'onReattach throws', code: 'application.onReattach = () => { throw new Error("no"); };' },
];
for (const { name, code } of refusals) {
  test(`${name}: the client is disconnected, onDisconnect is called`, async () => {
    const { app, client } = await openApp({ 'main.ts': accept, ...reattach });
    await save(app, 'main.ts', `application.onDisconnect = () => trace('gone');\n${code}`);
    await client.closed;
    await server.waitForLog((r) => r.instance === `${app}/room` && r.message === 'gone');
  });
}

const keeps = [
  { name: 'onConnect returns nothing', code: 'application.onConnect = () => {};' },
  { name: 'onReattach returns nothing', code: `application.onReattach = () => {};` },
  { name: 'there is no onConnect', code: '' },
];
for (const { name, code } of keeps) {
  test(`${name}: the client stays accepted`, async () => {
    const { app, client } = await openApp({ 'main.ts': accept, ...reattach });
    await save(app, 'main.ts', `${code}\nClient.prototype.n = () => application.clients.length;`);
    expect(await client.call('n')).toBe(1);
  });
}

test('calls wait for an asynchronous verdict', async () => {
  const { app, client } = await openApp({ 'main.ts': version(1), ...reattach });
  const slow = `
    let isDecided = false;
    application.onConnect = () => new Promise((resolve) => setTimeout(() => { isDecided = true; resolve(true); }, 150));
    Client.prototype.version = () => isDecided;`;
  await save(app, 'main.ts', slow);
  expect(await client.call('version')).toBe(true);
});

const broken = [
  {
    name: 'a syntax error',
    code: `${accept}\nconst good = 1;\nconst broken = ;\n`,
    says: ['main.ts:4:16', 'const broken = ;', '^'],
  },
  {
    name: 'a throw at top level',
    code: `${accept}\nthrow new Error('top trouble');\n`,
    says: ['main.ts:3:', 'top trouble', 'throw new Error'],
  },
  {
    name: 'a throw in onAppStart',
    code: `${accept}\napplication.onAppStart = () => { throw new Error('start trouble'); };\n`,
    says: ['main.ts:3:', 'start trouble', 'application.onAppStart'],
  },
  {
    name: 'a rejection of onAppStart',
    code: `${accept}\napplication.onAppStart = async () => { await null; throw new Error('late trouble'); };\n`,
    says: ['main.ts:3:', 'late trouble'],
  },
  {
    name: 'a missing import',
    code: `import './missing.ts';\n${accept}`,
    says: ['main.ts:1:8', './missing.ts'],
  },
  { name: 'an import of Node', code: `import 'node:fs';\n${accept}`, says: ['main.ts:1:8', 'node:fs'] },
];
for (const { name, code, says } of broken) {
  test(`${name} keeps the old code serving and shows place and source; the repaired file takes over`, async () => {
    const { app, client } = await openApp({ 'main.ts': version('old') });
    const from = server.log.mark;
    const record = await saveBroken(app, 'main.ts', code);
    for (const text of says) expect(`${record.message}\n${record.detail}`).toContain(text);
    expect(await client.call('version')).toBe('old');
    await save(app, 'main.ts', version('repaired'));
    expect(await client.call('version')).toBe('repaired');
    expect(client.isClosed).toBe(false);
    expect(server.log.entries.slice(from).filter((r) => r.message.includes('closed: its script'))).toEqual(
      [],
    );
  });
}

test('a change of an imported file or of JSON is a change of the application', async () => {
  const { app, client } = await openApp({
    'main.ts': `
      import { word } from './lib/word.ts';
      import settings from './settings.json';
      ${accept}
      Client.prototype.both = () => [word, settings.n];`,
    'lib/word.ts': `export const word: string = 'one';`,
    'settings.json': '{ "n": 1 }',
  });
  expect(await client.call('both')).toEqual(['one', 1]);
  await save(app, 'lib/word.ts', `export const word: string = 'two';`);
  expect(await client.call('both')).toEqual(['two', 1]);
  await save(app, 'settings.json', '{ "n": 2 }');
  expect(await client.call('both')).toEqual(['two', 2]);
});

const packages = {
  'node_modules/tiny/package.json': '{ "name": "tiny", "type": "module", "exports": "./index.js" }',
  'node_modules/tiny/index.js': 'export const double = (n) => n * 2;',
  'node_modules/common/package.json': '{ "name": "common", "main": "lib.js" }',
  'node_modules/common/lib.js': 'exports.half = function (n) { return n / 2; };',
};
const usesPackages = `import { double } from 'tiny'; import whole from 'common'; ${accept}
  Client.prototype.double = (n) => [double(n), whole.half(n)];`;

test('npm packages of the application are bundled', async () => {
  const { client } = await openApp({ ...packages, 'main.ts': usesPackages });
  expect(await client.call('double', 21)).toEqual([42, 10.5]);
});

test('a missing package keeps the old code serving until it is installed', async () => {
  const { app, client } = await openApp({ 'main.ts': version('old') });
  const record = await saveBroken(app, 'main.ts', usesPackages);
  expect(record.detail).toContain('is the package installed');
  expect(await client.call('version')).toBe('old');
  const from = server.log.mark;
  server.writeApp(app, packages);
  // The last that npm writes.
  server.writeFile(`${app}/package-lock.json`, '{}');
  await server.waitForLog((r) => r.instance === `${app}/room` && r.message.startsWith('runs new code'), from);
  expect(await client.call('double', 2)).toEqual([4, 1]);
});

test('timers of the old code stop with it', async () => {
  const ticking = (n: number) => `${accept}
    setInterval(() => application.broadcastMsg('tick', ${n}), 10);`;
  const { app, client } = await openApp({ 'main.ts': ticking(1) });
  await client.waitForCall('tick');
  await save(app, 'main.ts', ticking(2));
  await client.received.waitFor('a tick of the new code', (r) => r.name === 'tick' && r.args[0] === 2);
  const from = client.received.mark;
  await eventually('three more ticks', () => client.received.entries.slice(from).length >= 3);
  expect(client.received.entries.slice(from).map(({ args }) => args[0])).not.toContain(1);
});

test('a pending client is asked again and can be accepted by the new code', async () => {
  const { app } = await openApp({ 'main.ts': accept });
  await save(app, 'main.ts', `application.onConnect = (client, name) => { trace('pending'); };`);
  const client = connect(`${server.rtmp}/${app}/room`, { args: ['late'] });
  await server.waitForLog((r) => r.instance === `${app}/room` && r.message === 'pending');
  await save(app, 'main.ts', version('decided'));
  expect(await (await client).call('version')).toBe('decided');
});
