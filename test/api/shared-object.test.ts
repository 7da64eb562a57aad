import { expect, test } from 'vitest';
import { SharedObjectEventType as Event } from '../../wire/shared-object.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const server = useServer({
  apps: {
    rows: {
      'main.asc': `
        application.onConnect = function (client, rights) {
          for (var name in rights) client[name] = rights[name];
          return true;
        };
        Client.prototype.run = function (code, ...args) { return new Function('client', 'args', code)(this, args); };
        so = SharedObject.get("rows/a");
        heard = [];
        so.onSync = function (list) { heard.push(list.map(function (e) { return [e.code, e.name, e.oldValue]; })); };`,
    },
    locks: {
      'main.asc': `${runsCode} so = SharedObject.get("so", false);`,
      'app.json': JSON.stringify({ limits: { lockTimeoutMs: 300 } }),
    },
    modern: { 'main.ts': `application.expose({ names: () => SharedObject.get('x').getPropertyNames() });` },
    small: {
      'main.js': runsCode,
      'app.json': JSON.stringify({ limits: { slots: 2, slotBytes: 256, sharedObjects: 2 } }),
    },
  },
});

let room = 0;
const newRoom = () => `rows/r${room++}`;

async function visitor(at: string, rights: object = {}): Promise<RtmpClient> {
  return connect(`${server.rtmp}/${at}`, { args: [rights] });
}

async function player(at: string, name = 'rows/a'): Promise<RemoteSharedObject> {
  return new RemoteSharedObject(await visitor(at), name).connect();
}

test('SharedObject.get returns the object of that name, made if there is none, and the same one each time', async () => {
  const at = newRoom();
  const so = await player(at, 'other');
  await so.setAndWait('x', 1);
  const code =
    'const o = SharedObject.get("other", false); return [o === SharedObject.get("other"), o === so, o.getProperty("x"), SharedObject.get("new").size(), o instanceof SharedObject]';
  expect(await run(so.client, code)).toEqual([true, false, 1, 0, true]);
});

test('SO-04: isDirty of a temporary object is false', async () => {
  const client = await visitor(newRoom());
  expect(await run(client, 'so.setProperty("a", 1); return so.isDirty')).toBe(false);
});

test('SO-05: name, which may contain slashes and cannot be changed', async () => {
  const client = await visitor(newRoom());
  expect(await run(client, 'so.name = "x"; return so.name')).toBe('rows/a');
});

test('SO-07: version rises with every change, and not when somebody subscribes, reads, sends or locks', async () => {
  const at = newRoom();
  const so = await player(at);
  const first = so.version;
  await player(at);
  const quiet =
    'so.getProperty("a"); so.send("x"); so.lock(); so.unlock(); so.setProperty("none", null); return so.version';
  expect(await run(so.client, quiet)).toBe(first);
  expect(await run(so.client, 'so.setProperty("a", 1); return so.version')).toBe(first + 1);
  await so.setAndWait('b', 2);
  expect(await run(so.client, 'return so.version')).toBe(first + 2);
  expect(so.version).toBe(first + 2);
});

test('clear removes all slots, and tells subscribers', async () => {
  const so = await player(newRoom());
  so.change({ set: { a: 1, b: 2 } });
  await so.holds({ a: 1, b: 2 });
  const from = so.syncs.mark;
  expect(await run(so.client, 'return [so.clear(), so.size()]')).toEqual([true, 0]);
  await so.syncs.waitFor('a clear', ({ list }) => list.length === 1 && list[0]!.code === 'clear', from);
  await so.holds({});
});

test('SO-09: close ends what the script hears; subscribers go on', async () => {
  const so = await player(newRoom());
  expect(await run(so.client, 'return so.close()')).toBeUndefined();
  expect(await so.setAndWait('a', 1)).toMatchObject({ code: 'success' });
  expect(await run(so.client, 'return heard')).toEqual([]);
  expect(await run(so.client, 'return SharedObject.get("rows/a").getProperty("a")')).toBe(1);
});

test('SO-11: getProperty is a copy; of what is missing, undefined', async () => {
  const so = await player(newRoom());
  await so.setAndWait('o', { n: 1 });
  const code = 'so.getProperty("o").n = 2; return [so.getProperty("o"), so.getProperty("none")]';
  expect(await run(so.client, code)).toEqual([{ n: 1 }, undefined]);
});

test('SO-12: getPropertyNames lists live slots; none are null for classic scripts, and [] for modules', async () => {
  const so = await player(newRoom());
  expect(await run(so.client, 'return so.getPropertyNames()')).toBeNull();
  so.change({ set: { a: 1, b: 2 } }, { remove: 'a' }, { set: { c: 3 } });
  await so.holds({ b: 2, c: 3 });
  expect(await run(so.client, 'return so.getPropertyNames()')).toEqual(['b', 'c']);
  expect(await (await connect(`${server.rtmp}/modern/room`)).call('names')).toEqual([]);
});

test('SO-13: lock nests, and has changes of clients wait', async () => {
  const so = await player(newRoom());
  expect(await run(so.client, 'return [so.lock(), so.lock()]')).toEqual([1, 2]);
  so.set('a', 'client');
  const from = so.syncs.mark;
  await run(so.client, 'so.unlock()');
  await so.client.settled();
  expect(so.syncs.mark).toBe(from);
  expect(await run(so.client, 'return so.getProperty("a")')).toBeUndefined();
  await run(so.client, 'so.unlock()');
  await so.syncs.waitFor('the answer', ({ list }) => list[0]?.code === 'success', from);
});

test('SO-14: mark keeps its place among the changes of a lock', async () => {
  const so = await player(newRoom());
  const from = so.syncs.mark;
  await run(so.client, 'so.lock(); so.setProperty("a", 1); so.mark("done", 5); so.unlock()');
  const sync = await so.syncs.waitFor('the lock', () => true, from);
  expect(sync).toMatchObject({ list: [{ code: 'change', name: 'a' }], sends: [['done', 5]] });
});

test('SO-16: send calls subscribers, is not kept, and is not for the script itself', async () => {
  const at = newRoom();
  const so = await player(at);
  const code = 'so.say = function () { heard.push("own"); }; return so.send("say", 1, { two: 2 })';
  expect(await run(so.client, code)).toBe(true);
  await so.syncs.waitFor('the message', ({ sends }) => sends.length > 0);
  expect(so.syncs.entries.at(-1)!.sends).toEqual([['say', 1, { two: 2 }]]);
  expect((await player(at)).syncs.entries.flatMap(({ sends }) => sends)).toEqual([]);
  expect(await run(so.client, 'return heard')).toEqual([]);
});

test('SO-17: setProperty sets, deletes with null, and raises no onSync of the script', async () => {
  const so = await player(newRoom());
  await run(so.client, 'so.setProperty("a", [1, { b: 2 }]); so.setProperty("c", 1)');
  await so.holds({ a: [1, { b: 2 }], c: 1 });
  await run(so.client, 'so.setProperty("a", null)');
  await so.holds({ c: 1 });
  expect(so.syncs.entries.at(-1)).toMatchObject({ list: [{ code: 'delete', name: 'a' }] });
  expect(await run(so.client, 'return heard')).toEqual([]);
});

test('SO-18: size counts live slots', async () => {
  const so = await player(newRoom());
  so.change({ set: { a: 1, b: 2 } }, { remove: 'a' });
  await so.holds({ b: 2 });
  expect(await run(so.client, 'return so.size()')).toBe(1);
});

test('SO-19: unlock sends the changes of the script as one', async () => {
  const so = await player(newRoom());
  const from = so.syncs.mark;
  expect(
    await run(so.client, 'so.lock(); so.setProperty("a", 1); so.setProperty("b", 2); return so.unlock()'),
  ).toBe(0);
  await so.holds({ a: 1, b: 2 });
  expect(so.syncs.entries.slice(from)).toMatchObject([{ list: [{ name: 'a' }, { name: 'b' }] }]);
});

test('SO-20: a function on the object runs when a client sends its name; what JavaScript put there does not', async () => {
  const so = await player(newRoom());
  await run(
    so.client,
    'so.say = function () { heard.push([this === so].concat([].slice.call(arguments))); }',
  );
  so.change(
    { send: ['say', 1, { two: 2 }] },
    { send: ['setProperty', 'a', 1] },
    { send: ['valueOf'] },
    { send: ['none'] },
  );
  await so.setAndWait('z', 1);
  expect(await run(so.client, 'return [heard[0], so.getProperty("a")]')).toEqual([
    [true, 1, { two: 2 }],
    undefined,
  ]);
});

test('SO-22: onSync has change, delete and clear with name and old value; on the prototype it is not found', async () => {
  const so = await player(newRoom());
  await run(so.client, 'SharedObject.prototype.onSync = function () { heard.push("prototype"); }');
  so.change({ set: { a: 1 } });
  so.change({ set: { a: 2, b: { x: 1 } } });
  so.change({ remove: 'a' });
  so.change('clear');
  await so.setAndWait('z', 1);
  expect(await run(so.client, 'delete SharedObject.prototype.onSync; return heard')).toEqual([
    [['change', 'a', undefined]],
    [
      ['change', 'a', 1],
      ['change', 'b', undefined],
    ],
    [['delete', 'a', 2]],
    [['clear', '', undefined]],
    [['change', 'z', undefined]],
  ]);
});

test('SO-23: success for who wrote it, change for the others, and never both', async () => {
  const at = newRoom();
  const [a, b] = [await player(at), await player(at)];
  await a.setAndWait('x', 1);
  await b.holds({ x: 1 });
  expect(a.syncs.entries.slice(1).flatMap(({ list }) => list)).toEqual([{ code: 'success', name: 'x' }]);
  expect(b.syncs.entries.slice(1).flatMap(({ list }) => list)).toMatchObject([{ code: 'change', name: 'x' }]);
});

test('SO-24: the first sync is a clear and a change for each slot, in one list', async () => {
  const at = newRoom();
  const so = await player(at);
  so.change({ set: { a: 1, b: 2 } });
  await so.holds({ a: 1, b: 2 });
  const late = await player(at);
  expect(late.syncs.entries.map(({ list }) => list.map(({ code, name }) => [code, name]))).toEqual([
    [
      ['clear', undefined],
      ['change', 'a'],
      ['change', 'b'],
    ],
  ]);
});

test('SO-25: a slot that is deleted is told without its value', async () => {
  const at = newRoom();
  const [a, b] = [await player(at), await player(at)];
  await a.setAndWait('x', 'secret');
  await b.holds({ x: 'secret' });
  const from = b.client.received.mark;
  a.change({ remove: 'x' });
  await b.holds({});
  for (const { payload } of b.client.received.entries.slice(from))
    expect(Buffer.from(payload).includes('secret')).toBe(false);
});

test('SO-26: a value that is there already is told to nobody', async () => {
  const at = newRoom();
  const [a, b] = [await player(at), await player(at)];
  await a.setAndWait('x', { y: 1 });
  await b.holds({ x: { y: 1 } });
  const from = b.syncs.mark;
  expect(await a.setAndWait('x', { y: 1 })).toMatchObject({ code: 'success' });
  await a.setAndWait('end', 1);
  await b.holds({ x: { y: 1 }, end: 1 });
  expect(b.syncs.entries.slice(from)).toHaveLength(1);
});

test('SO-28: a temporary object is gone with the last who has it, script or client', async () => {
  const at = newRoom();
  const so = await player(at, 'brief');
  await so.setAndWait('x', 1);
  await run(so.client, 'brief = SharedObject.get("brief")');
  so.release();
  expect((await player(at, 'brief')).data.get('x')).toBe(1); // the script has it
  await run(so.client, 'brief.close()');
  const again = await player(at, 'brief');
  expect(again.data.get('x')).toBe(1); // another client has it
  await again.client.close();
  expect(await run(so.client, 'return SharedObject.get("brief").size()')).toBe(1);
  await run(so.client, 'SharedObject.get("brief").close()');
  const lone = await player(at, 'lone');
  await lone.setAndWait('x', 1);
  lone.release();
  expect((await player(at, 'lone')).data.size).toBe(0);
});

test('SO-30: a lock is broken when a client has waited for long: what was done in it comes first, and it may be made anew', async () => {
  const client = await connect(`${server.rtmp}/locks/broken`);
  const so = await new RemoteSharedObject(client, 'so').connect();
  await run(client, 'so.lock(); so.lock(); so.setProperty("a", 1); so.setProperty("b", 1)');
  so.change({ set: { a: 'client', c: 1 } });
  await so.holds({ a: 'client', b: 1, c: 1 });
  expect(so.syncs.entries.map(({ version, list }) => [version, list.length])).toEqual([
    [1, 1],
    [2, 2],
    [3, 2],
  ]);
  // The script knows: it has what the clients have, and unlocking once more is nothing.
  expect(await run(client, 'return [so.getProperty("a"), so.version, so.unlock(), so.lock()]')).toEqual([
    'client',
    3,
    0,
    1,
  ]);
  so.set('d', 1);
  await run(client, 'so.setProperty("e", 1); so.unlock()');
  await so.holds({ a: 'client', b: 1, c: 1, d: 1, e: 1 });
  expect(so.syncs.entries.slice(3).map(({ list }) => list[0]!.name)).toEqual(['e', 'd']);
});

test('SO-31: what is over the limits is refused, and its writer told what there is', async () => {
  const client = await connect(`${server.rtmp}/small/room`);
  const so = await new RemoteSharedObject(client, 's').connect();
  so.change({ set: { a: 1, b: 2, c: 3 } });
  await so.syncs.waitFor('the answers', ({ list }) => list.length === 3);
  expect(so.syncs.entries.at(-1)!.list).toMatchObject([
    { code: 'success' },
    { code: 'success' },
    { code: 'delete' },
  ]);
  expect(await so.setAndWait('a', 'x'.repeat(300))).toMatchObject({ code: 'reject' });
  await so.holds({ a: 1, b: 2 });
});

test('SO-32: without rights: a status, and what there is', async () => {
  const at = newRoom();
  const so = await player(at);
  await so.setAndWait('x', 1);
  const guest = await visitor(at, { writeAccess: 'other' });
  const reads = await new RemoteSharedObject(guest, 'rows/a').connect();
  expect(await reads.setAndWait('x', 2)).toMatchObject({ code: 'reject' });
  expect(reads.syncs.entries.at(-1)!.statuses).toEqual([
    { code: 'SharedObject.NoWriteAccess', level: 'error' },
  ]);
  expect(reads.data.get('x')).toBe(1);
});

test('SO-34: what a client sends reaches all subscribers, itself among them, and the script', async () => {
  const at = newRoom();
  const [a, b] = [await player(at), await player(at)];
  await run(a.client, 'so.say = function (text) { heard.push(text); }');
  a.change({ send: ['say', 'hello'] });
  for (const each of [a, b])
    await each.syncs.waitFor('the message', ({ sends }) => sends[0]?.[1] === 'hello');
  expect(await run(a.client, 'return heard')).toEqual(['hello']);
});

test('ST-12: SharedObject.NoReadAccess for a client that may not open it', async () => {
  const client = await visitor(newRoom(), { readAccess: 'rows/b' });
  await expect(new RemoteSharedObject(client, 'rows/a').connect()).rejects.toThrow(
    'SharedObject.NoReadAccess',
  );
});

test('ST-13: SharedObject.NoWriteAccess for a client that may not change it, and one that has not opened it', async () => {
  const at = newRoom();
  const guest = await new RemoteSharedObject(await visitor(at, { writeAccess: '' }), 'rows/a').connect();
  guest.change({ send: ['say'] });
  const code = 'SharedObject.NoWriteAccess';
  await guest.syncs.waitFor('a refusal', ({ statuses }) => statuses[0]?.code === code);
  const stranger = new RemoteSharedObject(await visitor(at), 'rows/a');
  stranger.send([{ type: Event.RequestRemove, key: 'x' }]);
  await stranger.syncs.waitFor('a refusal', ({ statuses }) => statuses[0]?.code === code);
});

test('ST-14: SharedObject.ObjectCreationFailed for what cannot be made', async () => {
  const client = await visitor(newRoom());
  for (const name of ['', 'a/../b', '.x'])
    await expect(new RemoteSharedObject(client, name).connect()).rejects.toThrow(
      'SharedObject.ObjectCreationFailed',
    );
});

test('CFG-19: limits.lockTimeoutMs says after how long, and the log that it was so', async () => {
  const client = await connect(`${server.rtmp}/locks/told`);
  const so = await new RemoteSharedObject(client, 'so').connect();
  await run(client, 'so.lock()');
  const from = Date.now();
  await so.setAndWait('a', 1);
  expect(Date.now() - from).toBeGreaterThanOrEqual(290);
  const { level } = await server.waitForLog(
    (r) =>
      r.instance === 'locks/told' &&
      r.message ===
        'the lock of the shared object "so" was broken: a client has waited for 300 ms (limits.lockTimeoutMs)',
  );
  expect(level).toBe('warn');
});

test('CFG-20: limits.slots bounds the slots of an object', async () => {
  const client = await connect(`${server.rtmp}/small/slots`);
  const code = 'const so = SharedObject.get("s"); for (let i = 0; i < 3; i++) so.setProperty("s" + i, i)';
  expect((await client.callFails('run', code)).description).toContain(
    '2 slots are there, and that is the limit',
  );
});

test('CFG-21: limits.slotBytes bounds the size of a slot', async () => {
  const client = await connect(`${server.rtmp}/small/bytes`);
  const code = 'SharedObject.get("s").setProperty("a", "x".repeat(300))';
  expect((await client.callFails('run', code)).description).toContain('256 are allowed (limits.slotBytes)');
});

test('CFG-39: limits.sharedObjects bounds the objects of an instance', async () => {
  const client = await connect(`${server.rtmp}/small/objects`);
  await run(client, 'SharedObject.get("a"); SharedObject.get("b")');
  expect((await client.callFails('run', 'SharedObject.get("c")')).description).toContain(
    'limits.sharedObjects',
  );
  await expect(new RemoteSharedObject(client, 'd').connect()).rejects.toThrow(
    'SharedObject.ObjectCreationFailed',
  );
});
