import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import {
  limitFileSize,
  startServer,
  type TestServer,
  temporaryFolder,
  useServer,
} from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** What the reference says of persistent shared objects; more of them in test/behaviour/shared-objects-persistent.test.ts. */
const classic = {
  'main.asc': `
    application.onConnect = function () { return true; };
    Client.prototype.run = function (code, ...args) { return new Function('client', 'args', code)(this, args); };
    so = SharedObject.get("rows/a", true);`,
};
const manual = { 'main.js': runsCode, 'app.json': '{ "sharedObjects": { "autoCommit": false } }' };
const shallow = { 'main.js': runsCode, 'app.json': '{ "sharedObjects": { "resyncDepth": 1 } }' };
const server = useServer({ apps: { rows: classic, manual, shallow } });

let room = 0;
const newRoom = (app = 'rows') => `${app}/d${room++}`;

async function player(at: string, from: TestServer = server, name = 'rows/a', version = 0) {
  const so = new RemoteSharedObject(await connect(`${from.rtmp}/${at}`), name, { isPersistent: true });
  so.version = version;
  return so.connect();
}

/** The instance goes, and comes back with who connects next. */
async function reloaded(at: string): Promise<void> {
  const answer = await fetch(`${server.http}/api/instances/${at}`, { method: 'DELETE' });
  expect(answer.status).toBe(200);
}

test('SO-01: get returns what is on disk or makes it; persistent and temporary objects of a name are two', async () => {
  const at = newRoom();
  const so = await player(at);
  await so.setAndWait('x', 1);
  const temporary = await new RemoteSharedObject(so.client, 'rows/a').connect();
  await temporary.setAndWait('x', 2);
  const code = `
    var both = [SharedObject.get("rows/a", true), SharedObject.get("rows/a", false)];
    return [both[0] === so, both[0] === both[1], both[0].getProperty("x"), both[1].getProperty("x"), SharedObject.get("new", true).size()];`;
  expect(await run(so.client, code)).toEqual([true, false, 1, 2, 0]);
  await reloaded(at);
  await (await player(at)).holds({ x: 1 });
});

test('SO-02: commit stores one, or all that have changed', async () => {
  const at = newRoom('manual');
  const client = await connect(`${server.rtmp}/${at}`);
  const code = `
    const [a, b, c] = ['a', 'b', 'c'].map((name) => SharedObject.get(name, true));
    for (const so of [a, b, c]) so.setProperty('x', 1);
    const one = [SharedObject.commit('a'), a.isDirty, b.isDirty];
    return [...one, SharedObject.commit(), b.isDirty, c.isDirty];`;
  expect(await run(client, code)).toEqual([true, false, true, true, false, false]);
  await reloaded(at);
  for (const name of ['a', 'b', 'c']) await (await player(at, server, name)).holds({ x: 1 });
});

test('SO-03: autoCommit false: what was not saved is lost at unload', async () => {
  const at = newRoom();
  const so = await player(at);
  expect(await run(so.client, 'return so.autoCommit')).toBe(true);
  await so.setAndWait('kept', 1);
  await run(so.client, 'so.autoCommit = false');
  await so.setAndWait('lost', 1);
  await reloaded(at);
  await (await player(at)).holds({ kept: 1 });
});

test('SO-06: resyncDepth says for how many versions deleted slots are known', async () => {
  const at = newRoom();
  const so = await player(at);
  expect(await run(so.client, 'return so.resyncDepth')).toBe(-1);
  so.change({ set: { a: 1, b: 1 } });
  await so.setAndWait('c', 1);
  const { version } = so;
  so.change({ remove: 'a' });
  await so.setAndWait('b', 2);
  await run(so.client, 'so.resyncDepth = 2');
  expect(codesOf(await player(at, server, 'rows/a', version))).toEqual(['change b', 'delete a']);
  await run(so.client, 'so.resyncDepth = 1');
  expect(codesOf(await player(at, server, 'rows/a', version))).toEqual(['change b', 'change c', 'clear']);
});

test('SO-08: clear removes all slots, tells subscribers, and empties what is on disk', async () => {
  const at = newRoom();
  const so = await player(at);
  so.change({ set: { a: 1, b: 2 } });
  await so.setAndWait('c', 3);
  const from = so.syncs.mark;
  expect(await run(so.client, 'return [so.clear(), so.size()]')).toEqual([true, 0]);
  await so.syncs.waitFor('a clear', ({ list }) => list.length === 1 && list[0]!.code === 'clear', from);
  await so.holds({});
  await reloaded(at);
  await (await player(at)).holds({});
});

test('SO-10: flush saves at once, and says whether it did', async () => {
  const at = newRoom('manual');
  const client = await connect(`${server.rtmp}/${at}`);
  const code = `
    const so = SharedObject.get('a', true);
    so.setProperty('x', 1);
    return [so.isDirty, so.flush(), so.isDirty, SharedObject.get('temporary').flush()]`;
  expect(await run(client, code)).toEqual([true, true, false, false]);
  await reloaded(at);
  await (await player(at, server, 'a')).holds({ x: 1 });
});

test('SO-15: purge forgets slots that were deleted before a version', async () => {
  const at = newRoom();
  const so = await player(at);
  await so.setAndWait('a', 1);
  const { version } = so;
  so.change({ remove: 'a' });
  await so.setAndWait('b', 1);
  expect(codesOf(await player(at, server, 'rows/a', version))).toEqual(['change b', 'delete a']);
  expect(await run(so.client, 'return so.purge(so.version)')).toBeUndefined();
  expect(codesOf(await player(at, server, 'rows/a', version))).toEqual(['change b', 'clear']);
});

test('SO-21: onStatus hears that what has changed could not be stored', async () => {
  const own = await startServer({ apps: { rows: classic }, data: temporaryFolder() });
  const so = await player('rows/room', own);
  await run(
    so.client,
    'heard = []; so.onStatus = function (info) { heard.push([this === so, info.code, info.level]); }',
  );
  await so.setAndWait('x', 1);
  limitFileSize(own.pid, 4096);
  so.set('y', 'y'.repeat(60_000));
  await so.syncs.waitFor('the status', ({ statuses }) => statuses.length > 0);
  expect(await run(so.client, 'return heard')).toEqual([[true, 'SharedObject.Flush.Failed', 'error']]);
});

test('ST-28: SharedObject.Flush.Failed for whose change could not be stored, and the slot as it is', async () => {
  const own = await startServer({ apps: { rows: classic }, data: temporaryFolder() });
  const so = await player('rows/room', own);
  await so.setAndWait('x', 1);
  limitFileSize(own.pid, 4096);
  so.set('x', 'y'.repeat(60_000));
  const { statuses } = await so.syncs.waitFor('the status', (sync) => sync.statuses.length > 0);
  expect(statuses).toEqual([{ code: 'SharedObject.Flush.Failed', level: 'error' }]);
  await so.holds({ x: 1 });
});

test('SO-27: a client that was away is told what it has missed, or everything when that is too much', async () => {
  const at = newRoom();
  const so = await player(at);
  so.change({ set: { a: 1, b: 1 } });
  await so.setAndWait('c', 1);
  const { version } = so;
  await so.client.close();
  expect(codesOf(await player(at, server, 'rows/a', version))).toEqual([]);
  await reloaded(at);
  const back = await player(at, server, 'rows/a', version);
  expect(codesOf(back)).toEqual([]);
  await run(back.client, 'so.resyncDepth = 2');
  for (const n of [2, 3]) await back.setAndWait('b', n);
  expect(codesOf(await player(at, server, 'rows/a', version))).toEqual(['change b']);
  await back.setAndWait('b', 4);
  expect(codesOf(await player(at, server, 'rows/a', version))).toEqual([
    'change a',
    'change b',
    'change c',
    'clear',
  ]);
});

test('SO-29: a persistent object is saved by itself, and there again after the last has left and after an unload', async () => {
  const at = newRoom();
  const so = await player(at, server, 'left');
  await so.setAndWait('x', 1);
  so.release();
  const again = await player(at, server, 'left');
  await again.holds({ x: 1 });
  await run(again.client, 'so.setProperty("y", 2)');
  await reloaded(at);
  const after = await player(at);
  await after.holds({ y: 2 });
  await (await player(at, server, 'left')).holds({ x: 1 });
});

test('APP-13: clearSharedObjects empties what a path stands for, on disk and in use, and tells subscribers', async () => {
  const at = newRoom();
  for (const name of ['foo', 'foo/bar', 'foo/deep/er', 'other']) {
    const stored = await player(at, server, name);
    await stored.setAndWait('x', 1);
    stored.release();
  }
  const used = await player(at, server, 'foo/bar');
  const temporary = await new RemoteSharedObject(used.client, 'foo/bar').connect();
  await temporary.setAndWait('x', 1);
  const cleared = (path: string) => run(used.client, 'return application.clearSharedObjects(args[0])', path);
  expect(await cleared('/foo/deep')).toBe(false); // a folder
  expect(await cleared('/foo/ba?')).toBe(true);
  await used.holds({});
  await temporary.holds({});
  expect(used.syncs.entries.at(-1)!.list).toEqual([{ code: 'clear' }]);
  expect(await cleared('foo/*')).toBe(true);
  await reloaded(at);
  await (await player(at, server, 'foo/deep/er')).holds({});
  for (const name of ['foo', 'other']) await (await player(at, server, name)).holds({ x: 1 });
  const { client } = await player(at, server, 'foo/bar');
  expect(await run(client, 'return application.clearSharedObjects("/")')).toBe(true);
  for (const name of ['foo', 'other']) await (await player(at, server, name)).holds({});
});

test('CFG-07: shared objects are stored where --data says', async () => {
  const data = temporaryFolder();
  const first = await startServer({ apps: { rows: classic }, data });
  await (await player('rows/room', first)).setAndWait('x', 1);
  expect(existsSync(join(data, 'shared-objects.db'))).toBe(true);
  await first.stop();
  const second = await startServer({ apps: { rows: classic }, data });
  await (await player('rows/room', second)).holds({ x: 1 });
});

test('CFG-17: sharedObjects.autoCommit in app.json is what objects begin with', async () => {
  const at = newRoom('manual');
  const so = await player(at, server, 'a');
  expect(await run(so.client, 'return SharedObject.get("a", true).autoCommit')).toBe(false);
  await so.setAndWait('x', 1);
  await reloaded(at);
  await (await player(at, server, 'a')).holds({});
});

test('CFG-18: sharedObjects.resyncDepth in app.json is what objects begin with', async () => {
  const at = newRoom('shallow');
  const so = await player(at, server, 'a');
  expect(await run(so.client, 'return SharedObject.get("a", true).resyncDepth')).toBe(1);
  await so.setAndWait('x', 1);
  const { version } = so;
  await so.setAndWait('y', 1);
  expect(codesOf(await player(at, server, 'a', version))).toEqual(['change y']);
  await so.setAndWait('y', 2);
  expect(codesOf(await player(at, server, 'a', version))).toEqual(['change x', 'change y', 'clear']);
});

/** What it was told first, in the order of the alphabet. */
function codesOf(so: RemoteSharedObject): string[] {
  return so.syncs.entries[0]!.list.map(({ code, name }) => (name ? `${code} ${name}` : code)).sort();
}
