import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { AmfValue } from '../../wire/values.ts';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import {
  limitFileSize,
  runMain,
  type ServerOptions,
  startServer,
  type TestServer,
  temporaryFolder,
} from '../support/server.ts';
import { RemoteSharedObject, type SyncEntry } from '../support/shared-object.ts';

/** Persistent shared objects: what is on disk, when clients hear of it, and what a server finds that comes after. */
const apps = { app: { 'main.js': `${runsCode}\nexport {};` }, bare: { 'README.md': 'No script here.' } };

async function serverOn(data: string, options: ServerOptions = {}): Promise<TestServer> {
  return startServer({ data, apps, ...options });
}

const visitor = (server: TestServer, at = 'app/room'): Promise<RtmpClient> => connect(`${server.rtmp}/${at}`);

async function player(
  server: TestServer,
  { name = 'notes', at = 'app/room', version = 0, encoding = 0 as 0 | 3 } = {},
): Promise<RemoteSharedObject> {
  const client = await connect(`${server.rtmp}/${at}`, { objectEncoding: encoding });
  const so = new RemoteSharedObject(client, name, { isPersistent: true, encoding });
  so.version = version;
  return so.connect();
}

async function killed(server: TestServer): Promise<void> {
  server.kill('SIGKILL');
  await server.exited;
}

test('what a client was told `success` for is there after a kill of the server', async () => {
  const data = temporaryFolder();
  const first = await serverOn(data);
  const ann = await player(first);
  expect(await ann.setAndWait('topic', { title: 'news', list: [1, 2] })).toMatchObject({ code: 'success' });
  const bob = await player(first, { encoding: 3 });
  await bob.setAndWait('cyd', [1, 'two', { three: 3 }]);
  await killed(first);

  const second = await serverOn(data);
  const after = await player(second);
  await after.holds({ topic: { title: 'news', list: [1, 2] }, cyd: [1, 'two', { three: 3 }] });
  // The one of that name that is temporary is another, and so is that of another instance, or application.
  await (await new RemoteSharedObject(await visitor(second), 'notes').connect()).holds({});
  await (await player(second, { at: 'app/other' })).holds({});
  await (await player(second, { at: 'bare/room' })).holds({});
});

test('an object lives on disk when nobody has it, and a script finds it there', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  await ann.setAndWait('n', 1);
  ann.client.destroy();
  await unloaded(server);
  const client = await visitor(server);
  const code = `
    const so = SharedObject.get('notes', true);
    const before = [so.getProperty('n'), so.version, so.isDirty, so === SharedObject.get('notes', true)];
    so.setProperty('n', 2);
    return [...before, so.flush(), so.isDirty, SharedObject.get('notes').getProperty('n')];`;
  expect(await run(client, code)).toEqual([1, 2, false, true, true, false, undefined]);
  await killed(server);
  const next = await serverOn(server.dataFolder);
  await (await player(next)).holds({ n: 2 });
});

test('`saved` resolves when it is on disk, `commit` writes all of the instance', async () => {
  const server = await serverOn(temporaryFolder());
  const client = await visitor(server);
  const code = `
    const so = SharedObject.get('notes', true);
    so.setProperty('a', 'x'.repeat(1000));
    return so.saved().then(async () => {
      const isSaved = !so.isDirty;
      SharedObject.get('more', true).setProperty('b', 1);
      await SharedObject.get('temporary').saved();
      return [isSaved, SharedObject.commit(), SharedObject.commit('more'), SharedObject.commit('none')];
    });`;
  expect(await run(client, code)).toEqual([true, true, true, false]);
  await killed(server);
  const next = await serverOn(server.dataFolder);
  await (await player(next)).holds({ a: 'x'.repeat(1000) });
  await (await player(next, { name: 'more' })).holds({ b: 1 });
});

test('without autoCommit only what was flushed is kept', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  await run(ann.client, "SharedObject.get('notes', true).autoCommit = false");
  await ann.setAndWait('a', 1);
  expect(await run(ann.client, "return SharedObject.get('notes', true).isDirty")).toBe(true);
  expect(await run(ann.client, "return SharedObject.get('notes', true).flush()")).toBe(true);
  await ann.setAndWait('a', 2);
  await ann.setAndWait('b', 2);
  const { version } = ann;
  ann.client.destroy();
  await unloaded(server);
  // What it holds now is older than what Ann had, and nobody may take it for what she had.
  const bob = await player(server, { version });
  await bob.holds({ a: 1 });
  expect(bob.version).toBeGreaterThanOrEqual(version);
  expect(bob.syncs.entries[0]?.list).toEqual([{ code: 'clear' }, expect.objectContaining({ name: 'a' })]);
});

test('app.json says what persistent objects begin with', async () => {
  const files = {
    'main.js': runsCode,
    'app.json': '{ "sharedObjects": { "autoCommit": false, "resyncDepth": 3 } }',
  };
  const server = await serverOn(temporaryFolder(), { apps: { app: files } });
  const client = await visitor(server);
  const code = "const so = SharedObject.get('notes', true); return [so.autoCommit, so.resyncDepth]";
  expect(await run(client, code)).toEqual([false, 3]);
});

test('who comes back is told what it has missed, while the server knows', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  ann.change({ set: { a: 1, b: 2, c: 3 } });
  await ann.setAndWait('d', 4);
  const { version } = ann;
  const away = new Map(ann.data);
  ann.change({ remove: 'a' }, { set: { b: 'two' } });
  await ann.setAndWait('d', 5);
  ann.client.destroy();
  await unloaded(server);

  const back = await returning(server, away, version);
  expect(back.syncs.entries[0]?.list.map(({ code, name }) => [code, name])).toEqual(
    expect.arrayContaining([
      ['change', 'b'],
      ['change', 'd'],
      ['delete', 'a'],
    ]),
  );
  expect(back.syncs.entries[0]?.list).toHaveLength(3);
  await back.holds({ b: 'two', c: 3, d: 5 });

  // Beyond resyncDepth it is told everything.
  await run(back.client, "SharedObject.get('notes', true).resyncDepth = 1");
  const far = await returning(server, away, version);
  expect(far.syncs.entries[0]?.list[0]).toEqual({ code: 'clear' });
  await far.holds({ b: 'two', c: 3, d: 5 });
  const near = await returning(server, new Map(far.data), far.version);
  expect(near.syncs.entries[0]?.list).toEqual([]);
});

test('who has seen what a killed server could not write is told everything', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  await ann.setAndWait('a', 1);
  await ann.setAndWait('b', 1);
  const { version } = ann;
  await killed(server);
  const next = await serverOn(server.dataFolder);
  // It may have been told more than is on disk: of another version of that number, as it were.
  const seen = await returning(next, new Map([['a', 'never written']]), version + 1);
  expect(seen.syncs.entries[0]?.list[0]).toEqual({ code: 'clear' });
  await seen.holds({ a: 1, b: 1 });
  expect(seen.version).toBeGreaterThan(version + 1);
});

test('a disk that is full: what changed is taken back, for all, and nobody is told it succeeded', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  const bob = await player(server);
  const heard = `
    globalThis.so = SharedObject.get('notes', true);
    globalThis.heard = [];
    so.onStatus = ({ code, level }) => heard.push([code, level]);
    so.onSync = (list) => heard.push(...list.map(({ code, name, client }) => [code, name, client !== undefined]));`;
  await run(ann.client, heard);
  await ann.setAndWait('kept', 'small');
  const { version } = ann;
  limitFileSize(server.pid, 4096);
  ann.change({ set: { kept: 'x'.repeat(60_000), more: 'y'.repeat(60_000) } });
  const failure = await ann.syncs.waitFor('the status', ({ statuses }) => statuses.length > 0);
  expect(failure.statuses).toEqual([{ code: 'SharedObject.Flush.Failed', level: 'error' }]);
  await ann.holds({ kept: 'small' });
  await bob.holds({ kept: 'small' });
  expect(ann.syncs.entries.flatMap(({ list }) => list.filter(({ code }) => code === 'success'))).toHaveLength(
    1,
  );
  expect(ann.version).toBeGreaterThan(version + 1);
  await server.waitForLog(({ code, message }) => code === 'E_DATA' && message.includes('"notes"'));
  const all = [
    ['change', 'kept', true],
    ['change', 'kept', true],
    ['change', 'more', true],
    ['change', 'kept', false],
    ['delete', 'more', false],
    ['SharedObject.Flush.Failed', 'error'],
  ];
  expect(await run(ann.client, 'return heard')).toEqual(all);
  const failing = "so.setProperty('s', 'z'.repeat(60000)); return [so.getProperty('kept'), so.flush()]";
  expect(await run(ann.client, failing)).toEqual(['small', false]);
  const rejected = "so.setProperty('s', 'z'.repeat(60000)); return so.saved().catch(({ code }) => code)";
  expect(await run(ann.client, rejected)).toBe('SharedObject.Flush.Failed');
  expect(await run(ann.client, "return so.getProperty('s')")).toBeUndefined();

  limitFileSize(server.pid, 'unlimited');
  expect(await ann.setAndWait('again', 1)).toMatchObject({ code: 'success' });
  await killed(server);
  const next = await serverOn(server.dataFolder);
  await (await player(next)).holds({ kept: 'small', again: 1 });
});

test('who does not read is told of its successes later', async () => {
  const server = await serverOn(temporaryFolder(), { limits: { sharedObjectQueueBytes: 16_384 } });
  const ann = await player(server);
  const bob = await player(server);
  ann.client.pauseReading();
  for (let i = 0; i < 200; i++) bob.change({ send: ['noise', 'x'.repeat(50_000)] });
  for (let i = 0; i < 100; i++) ann.set(`n${i}`, i);
  await bob.syncs.waitFor('the last change', ({ list }) => list.some(({ name }) => name === 'n99'));
  ann.client.resumeReading();
  await ann.syncs.waitFor('the last success', ({ list }) => list.some(isSuccessOf('n99')));
  for (let i = 0; i < 100; i++)
    expect(ann.syncs.entries.some(({ list }) => list.some(isSuccessOf(`n${i}`)))).toBe(true);
});

test('an application has no more objects and bytes on disk than it may', async () => {
  const limits = { persistentObjects: 2, persistentBytes: 65_536 };
  const server = await serverOn(temporaryFolder(), { limits });
  const ann = await player(server);
  await ann.setAndWait('a', 'x'.repeat(60_000));
  // Of all instances together, in memory or not.
  const other = await player(server, { at: 'app/other' });
  expect(await other.setAndWait('a', 'x'.repeat(6000))).toMatchObject({ code: 'delete' });
  await server.waitForLog(({ message }) =>
    message.includes('slot "a" of the shared object "notes": limits.persistentBytes is 65536'),
  );
  expect(await other.setAndWait('b', 'small')).toMatchObject({ code: 'success' });
  await expect(player(server, { at: 'app/third' })).rejects.toThrow('SharedObject.ObjectCreationFailed');
  await expect(player(server, { name: 'third' })).rejects.toThrow('SharedObject.ObjectCreationFailed');
  expect(await (await player(server, { at: 'bare/room' })).setAndWait('a', 1)).toMatchObject({
    code: 'success',
  });
  for (const { client } of [ann, other]) client.destroy();
  await unloaded(server);
  await unloaded(server, 'app/other');
  await expect(player(server, { name: 'third' })).rejects.toThrow('SharedObject.ObjectCreationFailed');
  const again = await player(server);
  expect(await again.setAndWait('c', 'x'.repeat(6000))).toMatchObject({ code: 'delete' });
  again.change({ remove: 'a' });
  await again.setAndWait('d', 1);
  expect(await again.setAndWait('c', 'x'.repeat(6000))).toMatchObject({ code: 'success' });
  // One that is empty and that nobody has is none.
  again.change({ remove: 'c' }, { remove: 'd' });
  await again.setAndWait('gone', null);
  again.client.destroy();
  await unloaded(server);
  expect(await (await player(server, { name: 'third' })).setAndWait('a', 1)).toMatchObject({
    code: 'success',
  });
});

test('clearSharedObjects empties what its path stands for, in memory and on disk', async () => {
  const server = await serverOn(temporaryFolder());
  const names = ['chat', 'rooms/a', 'rooms/b/deep', 'rooms/XX12', 'rooms/XX123'];
  for (const name of names) {
    const so = await player(server, { name });
    await so.setAndWait('n', name);
    so.client.destroy();
  }
  await unloaded(server);
  const open = await player(server, { name: 'rooms/a' });
  const { client } = open;
  const temporary = await new RemoteSharedObject(client, 'rooms/a').connect();
  await temporary.setAndWait('n', 'temporary');
  const cleared = (path: string) =>
    run(client, `return application.clearSharedObjects(${JSON.stringify(path)})`);
  const left = async () => {
    const code = `return args.map((name) => SharedObject.get(name, true).size() === 1)`;
    const isLeft = (await run(client, code, ...names)) as boolean[];
    return names.filter((_, index) => isLeft[index]);
  };
  expect(await cleared('/rooms')).toBe(false);
  expect(await cleared('/rooms/none')).toBe(false);
  expect(await cleared('/rooms/XX??')).toBe(true);
  expect(await left()).toEqual(['chat', 'rooms/a', 'rooms/b/deep', 'rooms/XX123']);
  const here =
    "const so = SharedObject.get('rooms/a', true); application.clearSharedObjects('rooms/*'); return so.size()";
  expect(await run(client, here)).toBe(0);
  await open.holds({});
  await temporary.holds({});
  expect(await left()).toEqual(['chat']);
  expect(await cleared('/')).toBe(true);
  await killed(server);
  const next = await serverOn(server.dataFolder);
  for (const name of names) await (await player(next, { name })).holds({});
});

test('an instance that is unloaded while it writes loses nothing of it', async () => {
  const server = await serverOn(temporaryFolder());
  for (let round = 1; round <= 20; round++) {
    const client = await visitor(server);
    const code = `
      const so = SharedObject.get('notes', true);
      const before = so.getProperty('n') ?? 0;
      for (let i = 0; i < 50; i++) so.setProperty('n' + i, args[0]);
      so.setProperty('n', args[0]);
      return before;`;
    expect(await run(client, code, round)).toBe(round - 1);
    await unloaded(server);
  }
});

test('a data folder has one server', async () => {
  const data = temporaryFolder();
  const first = await serverOn(data);
  const second = await runMain('--apps', first.appsFolder, '--data', data, '--rtmp', '0', '--http', '0');
  expect(second.code).toBe(1);
  expect(second.errors).toMatch(
    /^stagewire: E_DATA_IN_USE {2}the data folder \S+ is in use by another server \(process \d+ on \S+ since \S+\): stop it, or choose another folder with --data DIR\n$/,
  );
  expect(second.errors).toContain(`process ${first.pid} `);
  await killed(first);
  await (await serverOn(data)).stop();
});

test('who is here stays here, and who leaves goes, though the disk is full', async () => {
  const server = await serverOn(temporaryFolder());
  const [ann, bob] = [await player(server), await player(server)];
  const come = "SharedObject.get('notes', true).setProperty(args[0], 'here', { until: client })";
  await run(ann.client, come, 'ann');
  await run(bob.client, come, 'bob');
  await ann.holds({ ann: 'here', bob: 'here' });
  limitFileSize(server.pid, 4096);
  ann.set('large', 'x'.repeat(60_000));
  await ann.syncs.waitFor('the status', ({ statuses }) => statuses.length > 0);
  await ann.holds({ ann: 'here', bob: 'here' });
  bob.client.destroy();
  await ann.holds({ ann: 'here' });
  const from = ann.syncs.mark;
  ann.set('large', 'x'.repeat(60_000));
  await ann.syncs.waitFor('another status', ({ statuses }) => statuses.length > 0, from);
  await ann.holds({ ann: 'here' });
  limitFileSize(server.pid, 'unlimited');
  await ann.setAndWait('small', 1);
  await ann.holds({ ann: 'here', small: 1 });
  await killed(server);
  await (await player(await serverOn(server.dataFolder))).holds({ small: 1 });
});

test('whether a slot goes with a client is on disk, though its value is the same', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  const code = `
    globalThis.so = SharedObject.get('notes', true);
    so.setProperty('going', 1);
    so.setProperty('staying', 1, { until: client });
    return so.flush();`;
  expect(await run(ann.client, code)).toBe(true);
  const again = "so.setProperty('going', 1, { until: client }); so.setProperty('staying', 1);";
  await run(ann.client, again);
  await eventually('it to be on disk', async () => (await run(ann.client, 'return so.isDirty')) === false);
  await killed(server);
  await (await player(await serverOn(server.dataFolder))).holds({ staying: 1 });
});

test('a database that has lost its file takes no more changes', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  await ann.setAndWait('a', 1);
  rmSync(join(server.dataFolder, 'shared-objects.db'));
  ann.set('b', 1);
  await ann.syncs.waitFor('the status', ({ statuses }) => statuses.length > 0);
  await ann.holds({ a: 1 });
  await server.waitForLog(
    ({ code, message }) => code === 'E_DATA' && message.includes('was removed or replaced'),
  );
});

test.each([
  ['of a newer server', 'PRAGMA user_version = 1000', /was written by a newer server \(schema 1000, /],
  ['of another program', 'PRAGMA application_id = 1', /is a database of another program/],
  ['that is damaged', undefined, /is no SQLite database/],
])('a database %s is left alone', async (_, sql, says) => {
  const data = temporaryFolder();
  const first = await serverOn(data);
  await (await player(first)).setAndWait('a', 1);
  await first.stop();
  const file = join(data, 'shared-objects.db');
  if (sql) {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
  } else writeFileSync(file, 'no database, but long enough to be taken for something. '.repeat(100));
  const before = readFileSync(file);
  const { code, errors } = await runMain(
    '--apps',
    first.appsFolder,
    '--data',
    data,
    '--rtmp',
    '0',
    '--http',
    '0',
  );
  expect({ code, errors }).toEqual({ code: 1, errors: expect.stringMatching(says) });
  expect(readFileSync(file).equals(before)).toBe(true);
});

/** Comes with what it has kept. */
async function returning(
  server: TestServer,
  data: ReadonlyMap<string, AmfValue>,
  version: number,
): Promise<RemoteSharedObject> {
  const so = new RemoteSharedObject(await visitor(server), 'notes', { isPersistent: true });
  for (const [name, value] of data) so.data.set(name, value);
  so.version = version;
  return so.connect();
}

async function unloaded(server: TestServer, at = 'app/room'): Promise<void> {
  const answer = await fetch(`${server.http}/api/instances/${at}`, { method: 'DELETE' });
  expect(answer.status).toBe(200);
}

const isSuccessOf = (slot: string) => (entry: SyncEntry) => entry.code === 'success' && entry.name === slot;

test('one that nobody has stays in memory for a while, unless there is no room for others', async () => {
  const server = await serverOn(temporaryFolder(), { limits: { sharedObjects: 2 } });
  const keeper = await player(server, { name: 'keeper' });
  const inMemory = async () => {
    const answer = await fetch(`${server.http}/api/instances/app/room`);
    const { sharedObjects } = (await answer.json()) as { sharedObjects: { name: string }[] };
    return sharedObjects.map(({ name }) => name).sort();
  };
  for (const name of ['a', 'b']) {
    const so = await player(server, { name });
    await so.setAndWait('x', name);
    so.release();
    await so.client.settled();
    expect(await inMemory()).toEqual([name, 'keeper']);
  }
  await eventually('it to be gone', async () => !(await inMemory()).includes('b'));
  expect(await inMemory()).toEqual(['keeper']);
  for (const name of ['a', 'b']) {
    const so = await player(server, { name });
    await so.holds({ x: name });
    so.client.destroy();
  }
  keeper.release();
});

test('slots that go with a client are not on disk, and gone after a kill', async () => {
  const server = await serverOn(temporaryFolder());
  const ann = await player(server);
  const code = `
    const so = SharedObject.get('notes', true);
    so.setProperty('plain', 1);
    so.setProperty('mine', 1, { until: client });
    so.setProperty('kept', 1, { until: client });
    so.setProperty('kept', 1);
    so.setProperty('bound', 1);
    so.setProperty('bound', 2, { until: client });
    return so.flush();`;
  expect(await run(ann.client, code)).toBe(true);
  await ann.holds({ plain: 1, mine: 1, kept: 1, bound: 2 });
  await killed(server);
  const next = await serverOn(server.dataFolder);
  const bob = await player(next);
  await bob.holds({ plain: 1, kept: 1 });
  await run(
    bob.client,
    "SharedObject.get('notes', true).setProperty('mine', 2, { until: client }); return 1",
  );
  await bob.holds({ plain: 1, kept: 1, mine: 2 });
  const { version } = bob;
  const away = new Map(bob.data);
  await unloaded(next);
  const back = await returning(next, away, version);
  await back.holds({ plain: 1, kept: 1 });
});
