import { expect, test } from 'vitest';
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

test('classic scripts have none of it: what they call data is their own', async () => {
  const so = await player(newRoom('classic'));
  const own = 'so.data = { mine: 1 }; so.watch = 5; return [so.data, so.watch, "authorize" in so, so.size()]';
  expect(await run(so.client, own)).toEqual([{ mine: 1 }, 5, false, 0]);
});
