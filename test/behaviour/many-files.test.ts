import { mkdirSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, RtmpClient } from '../support/rtmp-client.ts';
import { type AppFiles, useServer } from '../support/server.ts';

/** Files do not change one at a time, nor always in place: the last state wins, and nothing half is ever run. */
const server = useServer();

const version = (n: number | string) =>
  `application.onConnect = () => true;\nClient.prototype.version = () => ${JSON.stringify(n)};\n`;
const at = (path: string) => join(server.appsFolder, path);

/** The watcher finds new folders in its own time. */
async function joinWhenKnown(path: string): Promise<RtmpClient> {
  for (;;) {
    const client = await connect(`${server.rtmp}/${path}`).catch(() => undefined);
    if (client) return client;
  }
}

async function open(app: string, files: AppFiles): Promise<RtmpClient> {
  const from = server.log.mark;
  server.writeApp(app, files);
  await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'), from);
  return connect(`${server.rtmp}/${app}/room`);
}

const answers = (client: RtmpClient, wanted: unknown) =>
  eventually(`${JSON.stringify(wanted)} to answer`, async () => {
    const answer = await client.call('version').catch(() => undefined);
    return JSON.stringify(answer) === JSON.stringify(wanted);
  });
const since = (from: number, text: string) =>
  server.log.entries.slice(from).filter((r) => r.message.includes(text));

test('of a hundred files that change one after the other no mixture ever runs', async () => {
  const names = Array.from({ length: 100 }, (_, index) => `part${index}`);
  const part = (n: number) => `export default ${n};`;
  const main = `${names.map((name) => `import ${name} from './parts/${name}.ts';`).join('\n')}
    const all = [...new Set([${names.join()}])];
    application.onConnect = () => true;
    Client.prototype.version = () => all.join();`;
  const files = (n: number) => Object.fromEntries(names.map((name) => [`parts/${name}.ts`, part(n)]));
  const client = await open('checkout', { 'main.ts': main, ...files(1) });
  const from = server.log.mark;
  let longestGapMs = 0;
  let longestMs = 0;
  const seen = new Set<unknown>();
  for (const n of [2, 3]) {
    const began = performance.now();
    let last = began;
    for (const [path, text] of Object.entries(files(n))) {
      server.writeFile(`checkout/${path}`, text);
      const now = performance.now();
      longestGapMs = Math.max(longestGapMs, now - last);
      last = now;
      seen.add(await client.call('version'));
      await new Promise((resolve) => setTimeout(resolve, 5)); // as a large checkout takes its time
    }
    longestMs = Math.max(longestMs, last - began);
    await answers(client, String(n));
  }
  // On a machine that made the checkout pause there was quiet in between; after a second the server waits no longer.
  if (longestGapMs < 80 && longestMs < 900)
    expect([...seen].filter((answer) => String(answer).includes(','))).toEqual([]);
  expect(since(from, 'runs new code').length).toBeLessThan(10);
});

const saves: { how: string; save: (path: string, text: string) => void }[] = [
  {
    how: 'moved to a backup and written anew',
    save: (path, text) => {
      renameSync(at(path), at(`${path}~`));
      server.writeFile(path, text);
      unlinkSync(at(`${path}~`));
    },
  },
  {
    how: 'written beside and renamed over it',
    save: (path, text) => {
      server.writeFile(`${path}.tmp`, text);
      renameSync(at(`${path}.tmp`), at(path));
    },
  },
  {
    how: 'removed and written anew',
    save: (path, text) => {
      unlinkSync(at(path));
      server.writeFile(path, text);
    },
  },
  {
    how: 'emptied, and written after a while',
    save: (path, text) => {
      server.writeFile(path, '');
      setTimeout(() => server.writeFile(path, text), 20);
    },
  },
];
for (const [index, { how, save }] of saves.entries()) {
  test(`a file that is ${how} is the new code, each time, and nothing is ever missing`, async () => {
    const app = `saved${index}`;
    const client = await open(app, { 'main.ts': version(0) });
    const from = server.log.mark;
    for (let n = 1; n <= 10; n++) {
      save(`${app}/main.ts`, version(n));
      await answers(client, n);
    }
    const bad = server.log.entries
      .slice(from)
      .filter((r) => r.instance?.startsWith(app) && (r.level === 'error' || r.level === 'warn'));
    expect(bad).toEqual([]);
    expect(client.callsOf('close')).toEqual([]);
  });
}

test('a folder that is renamed ends for its clients under the old name, and serves under the new', async () => {
  const client = await open('oldname', { 'main.ts': version('moved') });
  renameSync(at('oldname'), at('newname'));
  await client.closed;
  const other = await joinWhenKnown('newname/room');
  expect(await other.call('version')).toBe('moved');
  server.writeFile('newname/main.ts', version('edited'));
  await answers(other, 'edited');
});

test('a folder that is put in the place of another, by renames, is the application from then on', async () => {
  const client = await open('swapped', { 'main.ts': version('first') });
  server.writeApp('.next', { 'main.ts': version('second') });
  renameSync(at('swapped'), at('.last'));
  renameSync(at('.next'), at('swapped'));
  await eventually('the second to serve', async () => {
    const who = client.isClosed
      ? await connect(`${server.rtmp}/swapped/room`).catch(() => undefined)
      : client;
    const answer = await who?.call('version').catch(() => undefined);
    if (who !== client) who?.destroy();
    return answer === 'second';
  });
  server.writeFile('swapped/main.ts', version('third'));
  await eventually('the third to serve', async () => {
    const who = await connect(`${server.rtmp}/swapped/room`).catch(() => undefined);
    const answer = await who?.call('version').catch(() => undefined);
    who?.destroy();
    return answer === 'third';
  });
});

test('a folder that is removed and written anew at once serves again', async () => {
  await open('again', { 'main.ts': version('first') });
  server.remove('again');
  server.writeApp('again', { 'main.ts': version('second') });
  await eventually('the second to serve', async () => {
    const who = await connect(`${server.rtmp}/again/room`).catch(() => undefined);
    const answer = await who?.call('version').catch(() => undefined);
    who?.destroy();
    return answer === 'second';
  });
});

test('a link to a release is followed: to what changes there, and to another release', async () => {
  for (const n of [1, 2]) {
    mkdirSync(at(`../releases/${n}`), { recursive: true });
    server.writeFile(`../releases/${n}/main.ts`, version(`release ${n}`));
  }
  symlinkSync(at('../releases/1'), at('linked'));
  const client = await joinWhenKnown('linked/room');
  expect(await client.call('version')).toBe('release 1');
  server.writeFile('../releases/1/main.ts', version('release 1.1'));
  await answers(client, 'release 1.1');
  symlinkSync(at('../releases/2'), at('.linked'));
  renameSync(at('.linked'), at('linked'));
  const serves = (wanted: string) =>
    eventually(`${wanted} to serve`, async () => {
      const who = await connect(`${server.rtmp}/linked/room`).catch(() => undefined);
      const answer = await who?.call('version').catch(() => undefined);
      who?.destroy();
      return answer === wanted;
    });
  await serves('release 2');
  server.writeFile('../releases/2/main.ts', version('release 2.1'));
  await serves('release 2.1');
});

test('a link to a file is followed: to what changes there, and to another file', async () => {
  server.writeApp('common', { 'one.ts': `export default 'one';`, 'two.ts': `export default 'two';` });
  mkdirSync(at('linking'));
  symlinkSync('../common/one.ts', at('linking/word.ts'));
  const client = await open('linking', {
    'main.ts': `import word from './word.ts'; ${version(0)} Client.prototype.version = () => word;`,
  });
  expect(await client.call('version')).toBe('one');
  server.writeFile('common/one.ts', `export default 'one, edited';`);
  await answers(client, 'one, edited');
  symlinkSync('../common/two.ts', at('linking/.word'));
  renameSync(at('linking/.word'), at('linking/word.ts'));
  await answers(client, 'two');
  server.writeFile('common/two.ts', `export default 'two, edited';`);
  await answers(client, 'two, edited');
});

for (const [index, missing] of ['./late.ts', './deep/er/late.ts', '../beside/late.ts'].entries()) {
  test(`${missing}, which was not there to be imported, is built in when it appears`, async () => {
    const app = `missing${index}`;
    const client = await open(app, { 'main.ts': version('before') });
    const from = server.log.mark;
    server.writeFile(
      `${app}/main.ts`,
      `import word from '${missing}'; ${version(0)} Client.prototype.version = () => word;`,
    );
    await server.waitForLog((r) => r.instance === app && r.code === 'E_BUILD', from);
    server.writeFile(`${app}/${missing}`, `export default 'after';`);
    await answers(client, 'after');
  });
}

test('what a script writes, and what is recorded, builds nothing, after a failure neither', async () => {
  const main = `${version('good')}
    Client.prototype.write = (n) => {
      for (const name of ['/data.json', '/notes.txt', '/data/list.csv']) {
        const file = new File(name);
        file.open('text', 'append');
        file.write('line ' + n);
        file.close();
      }
      return n;
    };`;
  const client = await open('writes', { 'main.ts': main, 'data/empty.txt': '' });
  const stream = await client.createStream();
  await stream.publish('rec', 'record');
  const from = server.log.mark;
  server.writeFile('writes/main.ts', 'const broken = ;');
  await server.waitForLog((r) => r.instance === 'writes' && r.code === 'E_BUILD', from);
  for (let n = 0; n < 20; n++) {
    expect(await client.call('write', n)).toBe(n);
    await new Promise((resolve) => setTimeout(resolve, 60)); // so that each is news of its own
  }
  server.writeFile('writes/main.ts', `${version('mended')}`);
  await answers(client, 'mended');
  const failed = server.log.entries
    .slice(from)
    .filter((r) => r.instance === 'writes' && r.code === 'E_BUILD');
  expect(failed).toHaveLength(1);
  expect(server.readFile('writes/notes.txt')).toContain('line 19');
});

test('app.json and script that change together are both there in the end', async () => {
  const files = (n: number) => ({
    'app.json': JSON.stringify({ config: { n } }),
    'main.ts': `${version(0)} Client.prototype.version = () => [${n}, application.config.n];`,
  });
  const client = await open('both', files(0));
  for (let n = 1; n <= 6; n++) {
    const entries = Object.entries(files(n));
    for (const [file, text] of n % 2 ? entries : entries.reverse()) server.writeFile(`both/${file}`, text);
    await answers(client, [n, n]);
  }
});

/** Code that says that it has come here, and stays until it may go on. */
const stay = (n: number) =>
  `trace('here ${n}'); SharedObject.get('fence', true).isDirty; while (!new File('/goOn').exists);`;
for (const [index, { where, own }] of [
  { where: 'at its top level', own: stay },
  { where: 'in onAppStart', own: (n: number) => `application.onAppStart = () => { ${stay(n)} };` },
  { where: 'in onRestore', own: (n: number) => `application.onRestore = () => { ${stay(n)} };` },
].entries()) {
  test(`what is saved while new code is ${where} is what runs in the end`, async () => {
    const app = `during${index}`;
    const limits = { handlerMs: 20_000, startMs: 20_000 };
    const client = await open(app, { 'main.ts': version('old'), 'app.json': JSON.stringify({ limits }) });
    server.writeFile(`${app}/main.ts`, version('slow') + own(1));
    await server.waitForLog((r) => r.instance === `${app}/room` && r.message === 'here 1');
    const from = server.log.mark;
    server.writeFile(`${app}/main.ts`, 'const broken = ;');
    await server.waitForLog((r) => r.instance === app && r.code === 'E_BUILD', from);
    server.writeFile(`${app}/main.ts`, version('last'));
    await server.waitForLog((r) => r.instance === app && r.message === 'built', from);
    server.writeFile(`${app}/goOn`, '');
    await answers(client, 'last');
    expect(client.callsOf('close')).toEqual([]);
  });
}

test('app.json that is saved while the first script of an instance starts holds for it', async () => {
  const limits = { startMs: 20_000, handlerMs: 20_000 };
  const settings = (n: number) =>
    JSON.stringify({ config: { n }, limits: { ...limits, clientsPerInstance: 3 - n } });
  const main = `${version(0)} application.onAppStart = () => { if (application.config.n === 1) { ${stay(1)} } };
    Client.prototype.version = () => application.config.n;`;
  const from = server.log.mark;
  server.writeApp('early', { 'main.ts': main, 'app.json': settings(1) });
  await server.waitForLog((r) => r.instance === 'early' && r.message.startsWith('new application'), from);
  const connecting = connect(`${server.rtmp}/early/room`);
  await server.waitForLog((r) => r.instance === 'early/room' && r.message === 'here 1', from);
  server.writeFile('early/app.json', settings(2));
  await eventually('the server to have read it', async () => {
    const probe = await RtmpClient.open(`${server.rtmp}/early/room`);
    const isRefused = probe.connect().then(
      () => false,
      (error: unknown) => String(error).includes('too many clients'),
    );
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), 200));
    return Promise.race([isRefused, late]).finally(() => probe.destroy());
  });
  server.writeFile('early/goOn', '');
  await answers(await connecting, 2);
});
