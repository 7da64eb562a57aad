import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const server = useServer({
  apps: {
    rows: {
      'main.js': `${runsCode}
        globalThis.so = SharedObject.get('board');
        globalThis.heard = [];
        globalThis.asked = [];
        globalThis.thrown = (fn) => { try { fn(); return 'nothing'; } catch (error) { return error.name + ': ' + error.message; } };
        export {};`,
    },
    classic: { 'main.asc': `${runsCode} so = SharedObject.get("board", false);` },
  },
});

let room = 0;
const newRoom = (app = 'rows') => `${app}/m${room++}`;

async function player(at: string, encoding: 0 | 3 = 0): Promise<RemoteSharedObject> {
  const client = await connect(`${server.rtmp}/${at}`, { objectEncoding: encoding });
  return new RemoteSharedObject(client, 'board', { encoding }).connect();
}

/** What the script knows, which is to be what there is. */
const copyOf = (client: RtmpClient) => run(client, 'return { ...so.data }');

/** As a module has it: in strict mode. */
const strict = (client: RtmpClient, code: string, ...args: unknown[]) =>
  run(client, `'use strict'; ${code}`, ...args);

test('MOD-11: so.data has the slots as properties, to read, set, delete and list', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  high.change({ set: { list: [1, { two: 2 }], n: 7 } });
  await low.holds({ list: [1, { two: 2 }], n: 7 });
  const { client } = low;
  const seen = `return [so.data.n, so.data.list, 'n' in so.data, 'x' in so.data, so.data.x, Object.keys(so.data),
    { ...so.data }, JSON.stringify(so.data), so.data === so.data, so.data.list === so.data.list]`;
  const all = { list: [1, { two: 2 }], n: 7 };
  expect(await strict(client, seen)).toEqual([
    7,
    [1, { two: 2 }],
    true,
    false,
    undefined,
    ['list', 'n'],
    all,
    JSON.stringify(all),
    true,
    true,
  ]);
  await strict(client, 'so.data.n += 1; so.data.list = [...so.data.list, 3]; so.data.title = "new"');
  await high.holds({ list: [1, { two: 2 }, 3], n: 8, title: 'new' });
  expect(
    await strict(
      client,
      'delete so.data.list; so.data.n = undefined; so.data.title = null; return delete so.data.x',
    ),
  ).toBe(true);
  await high.holds({});
  expect(high.version).toBe(8);
});

test('a part of what so.data holds cannot be changed in the belief that it is the slot', async () => {
  const so = await player(newRoom());
  await so.setAndWait('o', { list: [1, { deep: [2] }], self: 'x' });
  const code = `return [() => so.data.o.list.push(2), () => { so.data.o.list[1].deep[0] = 3; }, () => { delete so.data.o.self; },
    () => { so.data.o.more = 1; }].map(thrown)`;
  const errors = (await strict(so.client, code)) as string[];
  for (const error of errors) expect(error).toMatch(/^TypeError: Cannot/);
  expect(errors).toHaveLength(4);
  // A Date cannot be frozen: who changes his own changes nobody else's.
  await so.setAndWait('when', { at: new Date(5) });
  const dates = 'so.data.when.at.setTime(9); return [so.data.when.at, Object.isFrozen(so.data.when)]';
  expect(await strict(so.client, dates)).toEqual([new Date(5), true]);
  await so.holds({ o: { list: [1, { deep: [2] }], self: 'x' }, when: { at: new Date(5) } });
  // Values with cycles, and getProperty, which is a copy to work on.
  const loop = 'const a = { n: 1 }; a.self = a; so.data.loop = a; return so.data.loop.self === so.data.loop';
  expect(await strict(so.client, loop)).toBe(true);
  expect(await strict(so.client, 'const o = so.getProperty("o"); o.list.push(3); return o.list.length')).toBe(
    3,
  );
});

test('whatever slots are called, they are slots and nothing else', async () => {
  const so = await player(newRoom());
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', '0', 'toJSON'];
  expect(
    await strict(so.client, 'return args[0].map((name) => [name in so.data, so.data[name]])', names),
  ).toEqual(names.map(() => [false, undefined]));
  await strict(so.client, 'for (const name of args[0]) so.data[name] = [name]', names);
  await so.holds(Object.fromEntries(names.map((name) => [name, [name]])));
  const seen =
    'return [Object.keys(so.data).sort(), args[0].every((name) => so.data[name][0] === name), Object.getPrototypeOf(so.data), {}.polluted]';
  expect(await strict(so.client, seen, names)).toEqual([[...names].sort(), true, null, undefined]);
  const wrong = `return [() => { so.data[''] = 1; }, () => { so.data[Symbol('s')] = 1; }, () => { so.data.f = 1n; },
    () => { so.data.long = 'x'.repeat(70000); }, () => Object.defineProperty(so.data, 'x', { get() {} }), () => Object.freeze(so.data),
    () => { so.data = {}; }, () => { const o = SharedObject.get('gone'); const { data } = o; o.close(); data.x = 1; }].map(thrown)`;
  const errors = (await strict(so.client, wrong)) as string[];
  expect(errors.map((error) => error.split(':')[0])).toEqual([
    'TypeError',
    'TypeError',
    'TypeError',
    'RangeError',
    'TypeError',
    'TypeError',
    'TypeError',
    'TypeError',
  ]);
  expect(errors.slice(0, 4).every((error) => /Error: so\.data: /.test(error))).toBe(true);
});

test('MOD-12: so.transaction makes one change of what a function does, and none when it throws', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  await high.setAndWait('n', 1);
  await low.holds({ n: 1 });
  const { client } = low;
  const from = high.syncs.mark;
  const code =
    'return so.transaction(() => { so.data.n += 1; so.data.list = ["new"]; so.send("say", 1); delete so.data.n; return so.size(); })';
  expect(await strict(client, code)).toBe(1);
  await high.holds({ list: ['new'] });
  expect(high.syncs.entries.slice(from)).toMatchObject([
    { version: 3, list: [{}, {}, {}], sends: [['say', 1]] },
  ]);

  const failing =
    'return [thrown(() => so.transaction(() => { so.data.n = 9; so.send("say", 2); so.clear(); so.data.x = 1; throw new RangeError("no"); })), { ...so.data }, so.version]';
  expect(await strict(client, failing)).toEqual(['RangeError: no', { list: ['new'] }, 3]);
  // Nothing is locked afterwards.
  expect(await high.setAndWait('after', 1)).toMatchObject({ code: 'success' });
  await low.holds({ list: ['new'], after: 1 });
  expect(high.syncs.entries.flatMap(({ sends }) => sends)).toEqual([['say', 1]]);
  expect(high.version).toBe(4);
});

test('a transaction within a transaction, or a lock, is part of it; one that fails takes back its own only', async () => {
  const so = await player(newRoom());
  const nested = `
    so.lock();
    so.data.a = 1;
    const results = [];
    so.transaction(() => {
      so.data.b = 1;
      results.push(thrown(() => so.transaction(() => { so.data.a = 2; so.data.b = 2; so.lock(); throw new Error('inner'); })));
      results.push({ ...so.data }, so.unlock(), so.lock(), so.unlock());
      so.transaction(() => { so.data.c = 1; });
    });
    results.push(so.version, so.unlock(), so.version, { ...so.data });
    return results;`;
  expect(await strict(so.client, nested)).toEqual([
    'Error: inner',
    { a: 1, b: 1 },
    2,
    3,
    2,
    1,
    0,
    2,
    { a: 1, b: 1, c: 1 },
  ]);
  await so.holds({ a: 1, b: 1, c: 1 });
  expect(so.syncs.entries.at(-1)).toMatchObject({ version: 2 });
  const outer =
    'return [thrown(() => so.transaction(() => { so.transaction(() => { so.data.a = 5; delete so.data.b; }); throw new Error("outer"); })), { ...so.data }]';
  expect(await strict(so.client, outer)).toEqual(['Error: outer', { a: 1, b: 1, c: 1 }]);
  expect(await so.setAndWait('d', 1)).toMatchObject({ code: 'success' });
});

test('a transaction cannot be async: a promise is refused, with what was done before it', async () => {
  const so = await player(newRoom());
  await so.setAndWait('a', 1);
  const code =
    'return [thrown(() => so.transaction(async () => { so.data.a = 2; await null; so.data.late = 1; })), so.data.a]';
  expect(await strict(so.client, code)).toEqual([
    'TypeError: so.transaction: the function has returned a promise: what it changes after an await needs lock and unlock',
    1,
  ]);
  await so.holds({ a: 1, late: 1 });
  const closed =
    'const o = SharedObject.get("gone"); o.transaction(() => o.close()); return thrown(() => o.transaction(() => {}))';
  expect(await strict(so.client, closed)).toBe(
    'TypeError: so.transaction: the shared object "gone" is closed',
  );
});

test('so.watch tells of what clients do to a slot, with who it was, until it is ended', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  await strict(
    low.client,
    `globalThis.end = so.watch('k', function (value, { code, name, oldValue, client: by }) {
       heard.push([value, code, name, oldValue, by === application.clients[1], this === so]);
     });
     so.watch('other', () => { throw new Error('a bug'); });
     so.watch('k', (value) => { if (value === 'end') end(); });`,
  );
  await high.setAndWait('k', { n: 1 });
  await strict(low.client, 'return 0'); // it tells what the slot holds by then
  await high.setAndWait('noise', 1);
  await high.setAndWait('other', 1);
  high.change({ remove: 'k' });
  await low.holds({ noise: 1, other: 1 });
  await strict(low.client, 'so.data.k = "mine"');
  await high.holds({ noise: 1, other: 1, k: 'mine' });
  high.change('clear');
  await low.holds({});
  await strict(low.client, 'return 0');
  await high.setAndWait('k', 'end');
  await strict(low.client, 'return 0');
  await high.setAndWait('k', 'unheard');
  await low.holds({ k: 'unheard' });
  const by = [true, true];
  expect(await strict(low.client, 'return heard')).toEqual([
    [{ n: 1 }, 'change', 'k', undefined, ...by],
    [undefined, 'delete', 'k', { n: 1 }, ...by],
    [undefined, 'clear', 'k', undefined, ...by],
    ['end', 'change', 'k', undefined, ...by],
  ]);
  await server.waitForLog((r) => r.instance === at && r.message.startsWith('so.watch("other"): a bug'));
  const many =
    'for (let i = 0; i < 2000; i++) { const end = so.watch("x", () => {}); if (i % 2) { end(); end(); } }';
  expect(await strict(low.client, `return thrown(() => { ${many} })`)).toBe(
    'RangeError: so.watch: 1000 functions watch, and that is the limit',
  );
});

test('MOD-13: onSync tells which client has made a change', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  await strict(
    low.client,
    'so.onSync = (list) => { for (const { code, client: by } of list) heard.push([code, application.clients.indexOf(by)]); }',
  );
  await low.setAndWait('a', 1);
  high.change({ set: { a: 2 } }, { remove: 'a' });
  await low.holds({});
  low.change('clear');
  await low.setAndWait('b', 1);
  expect(await strict(low.client, 'return heard')).toEqual([
    ['change', 0],
    ['change', 1],
    ['delete', 1],
    ['clear', 0],
    ['change', 0],
  ]);
});

test('MOD-08: so.authorize allows, refuses or exchanges what a client does before anybody sees it', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  await strict(
    low.client,
    `so.authorize = function ({ client, code, name, value, oldValue }) {
       asked.push([code, name, oldValue, application.clients.indexOf(client), this === so]);
       return rule({ name, code, value });
     };
     so.say = (...args) => heard.push(['say', ...args]);
     const rule = ({ name, code, value }) => {
       if (name === 'no' || code === 'clear') return false;
       if (name === 'other') return { value: { was: value } };
       if (name === 'gone') return { value: null };
       if (name === 'shout') return { value: [String(value[0]).toUpperCase(), 'and more'] };
       return true;
     };`,
  );
  const from = low.syncs.mark;
  high.change(
    { set: { yes: [1, { two: 2 }], no: 1, other: 'x', gone: 1 } },
    { send: ['say', 'hello'] },
    { send: ['shout', 'hello'] },
    { send: ['no', 1] },
  );
  const held = { yes: [1, { two: 2 }], other: { was: 'x' } };
  await low.holds(held);
  await high.holds(held);
  const list = ['yes', 'other'].map((name) => ({ code: 'change', name, oldValue: undefined }));
  const sends = [
    ['say', 'hello'],
    ['shout', 'HELLO', 'and more'],
  ];
  await low.syncs.waitFor('the messages', (sync) => sync.sends.length === 2);
  expect(low.syncs.entries.slice(from)).toEqual([{ version: 2, list, sends, statuses: [] }]);
  expect(await copyOf(low.client)).toEqual(held);
  expect(await run(low.client, 'return [so.version, heard]')).toEqual([2, [['say', 'hello']]]);

  // Who deletes or clears and may not gets it back; who writes something else than it comes to gets that.
  low.change({ remove: 'other' }, 'clear');
  low.set('other', 'y');
  low.set('other', 'y');
  await high.setAndWait('end', 1);
  const now = { yes: [1, { two: 2 }], other: { was: 'y' }, end: 1 };
  for (const each of [low, high]) await each.holds(now);
  expect(await copyOf(low.client)).toEqual(now);
  expect(await run(low.client, 'return asked.slice(-5)')).toEqual([
    ['delete', 'other', { was: 'x' }, 0, true],
    ['clear', '', undefined, 0, true],
    ['change', 'other', { was: undefined }, 0, true],
    ['change', 'other', { was: 'y' }, 0, true],
    ['change', 'end', undefined, 1, true],
  ]);
});

test('MOD-14: a slot that is set until a client leaves goes with it, for all, and the script is told', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  await strict(
    low.client,
    'so.onSync = (list) => { for (const { code, name, oldValue, client: by } of list) heard.push([code, name, oldValue, by?.id === undefined]); }',
  );
  for (const end of ['close', 'destroy'] as const) {
    const guest = await connect(`${server.rtmp}/${at}`); // who has not opened the object
    const code =
      'so.setProperty(args[0], { here: true }, { until: client }); so.setProperty(args[0] + "2", 2, { until: client })';
    await run(guest, code, end);
    await low.holds({ [end]: { here: true }, [`${end}2`]: 2 });
    const from = high.syncs.mark;
    await guest[end]();
    await low.holds({});
    await high.holds({});
    expect(high.syncs.entries.slice(from).map(({ list }) => list)).toEqual([
      [end, `${end}2`].map((name) => ({ code: 'delete', name })),
    ]);
  }
  await eventually(
    'the script to hear of it',
    async () => (await run(low.client, 'return heard.length')) === 4,
  );
  expect(await run(low.client, 'return [heard[0], so.size(), so.version]')).toEqual([
    ['delete', 'close', { here: true }, false],
    0,
    high.version,
  ]);
});

test('classic scripts have none of it: what they call data is their own', async () => {
  const so = await player(newRoom('classic'));
  const own = 'so.data = { mine: 1 }; so.watch = 5; return [so.data, so.watch, "authorize" in so, so.size()]';
  expect(await run(so.client, own)).toEqual([{ mine: 1 }, 5, false, 0]);
});
