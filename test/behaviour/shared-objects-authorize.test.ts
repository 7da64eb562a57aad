import { expect, test } from 'vitest';
import { dieUntilItWaits } from '../support/deaths.ts';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { startServer, useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** `rule` decides; all else is there to be looked at. */
const script = `${runsCode}
globalThis.so = SharedObject.get('guarded');
globalThis.asked = [];
globalThis.rule = () => true;
so.authorize = function ({ client, code, name, value, oldValue }) {
  asked.push([code, name, value, oldValue, application.clients.indexOf(client), this === so]);
  return rule({ client, code, name, value, oldValue });
};
export {};`;

const server = useServer({
  limits: { backOffMs: 30_000, handlerMs: 1500, idleInstanceMs: 60_000 },
  apps: {
    guarded: { 'main.js': script },
    tiny: { 'main.js': script, 'app.json': JSON.stringify({ limits: { mailboxRecords: 16 } }) },
    small: {
      'main.js': `${runsCode}
        globalThis.so = SharedObject.get('guarded');
        so.authorize = ({ name, value }) => (name === 'long' ? { value: 'x'.repeat(300) } : true);
        so.onSync = () => {};
        export {};`,
      'app.json': JSON.stringify({ limits: { slots: 3, slotBytes: 256 } }),
    },
  },
});

let room = 0;
const newRoom = (app = 'guarded') => `${app}/a${room++}`;

async function player(at: string, encoding: 0 | 3 = 0): Promise<RemoteSharedObject> {
  const client = await connect(`${server.rtmp}/${at}`, { objectEncoding: encoding });
  return new RemoteSharedObject(client, 'guarded', { encoding }).connect();
}

/** What the script knows, which is to be what there is. */
const copyOf = (client: RtmpClient) => run(client, 'return { ...so.data }');

/** Gives all rooms that code. Rooms that are made later begin with it. */
async function save(at: string, code: string): Promise<void> {
  const from = server.log.mark;
  server.writeFile('guarded/main.js', code);
  await server.waitForLog((r) => r.instance === at && r.message.startsWith('runs new code'), from);
}

test('whatever is not clearly allowed is refused, and what throws is told with its line', async () => {
  const at = newRoom();
  const so = await player(at);
  await so.setAndWait('k', 'kept');
  const refusals = [
    'undefined',
    'null',
    '0',
    '1',
    '"yes"',
    '{}',
    '[]',
    '() => true',
    'Promise.resolve(true)',
    '{ value: 1n }',
    '{ get value() { throw 1; } }',
    '{ value: "x".repeat(70_000) }',
  ];
  for (const each of refusals) {
    await run(so.client, `rule = () => (${each})`);
    expect(await so.setAndWait('k', each), each).toMatchObject({ code: 'reject', name: 'k' });
    expect(so.data.get('k')).toBe('kept');
  }
  await run(so.client, 'rule = () => { throw new RangeError("a bug"); }');
  expect(await so.setAndWait('k', 1)).toMatchObject({ code: 'reject' });
  expect(so.syncs.entries.flatMap(({ statuses }) => statuses)).toEqual([]);
  const said = (text: string) => server.waitForLog((r) => r.instance === at && r.message.includes(text));
  await said('so.authorize: RangeError: a bug');
  await said('so.authorize: TypeError: so.authorize: it has to decide at once, and returned a promise');
  await said('so.authorize: RangeError: so.authorize: "k": name and value measure');
  await run(
    so.client,
    'so.authorize = ({ name }) => { if (name === "x") throw new Error("thrown here"); return true; }',
  );
  await so.setAndWait('x', 1);
  await save(
    at,
    script.replace('return rule(', 'if (name === "bug") throw new Error("in a line");\n  return rule('),
  );
  await so.setAndWait('bug', 1);
  const line = script.split('\n').findIndex((each) => each.includes('return rule(')) + 1;
  await said(`so.authorize: in a line (main.js:${line}:`);
  await run(so.client, 'rule = () => ({ value: 5 }); so.authorize = null; return so.authorize');
  await so.setAndWait('k', 6);
  expect(so.data.get('k')).toBe(6);
  await run(so.client, 'so.authorize = undefined; so.data.k = 7');
  await eventually('the value of the script', () => so.data.get('k') === 7);
  await save(at, script);
});

test('each change is decided when those before it are done, whoever made them', async () => {
  const at = newRoom();
  const players = await Promise.all([0, 3, 0, 3].map((encoding) => player(at, encoding as 0 | 3)));
  const [first] = players;
  await run(first!.client, 'rule = ({ name }) => so.size() < 10 || name in so.data');
  for (let i = 0; i < 50; i++)
    for (const [who, so] of players.entries())
      so.change({ set: { [`${who}.${i}`]: i, [`${who}.${i}b`]: i } });
  await Promise.all(players.map((so, who) => so.setAndWait(`${who}.end`, 1)));
  const slots = (await copyOf(first!.client)) as Record<string, unknown>;
  expect(Object.keys(slots)).toHaveLength(10);
  for (const so of players) await so.holds(slots);
  // What the script does meanwhile comes after, in one order for all.
  await run(
    first!.client,
    'rule = ({ name }) => { so.setProperty("last", name); return name === "last" ? { value: "client" } : true; }',
  );
  first!.change({ set: { new: 1, last: 1 } });
  for (const so of players) await so.holds({ ...slots, new: 1, last: 'last' });
  expect(await copyOf(first!.client)).toEqual({ ...slots, new: 1, last: 'last' });
});

test('it is asked about nothing while it has the object locked, and then in order', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  await run(
    low.client,
    'so.lock(); so.data.n = 0; rule = ({ value }) => (asked.length, { value: [value, so.data.n] })',
  );
  for (let i = 1; i <= 20; i++) (i % 2 === 0 ? low : high).set(`k${i}`, i);
  // Some come while it unlocks and locks again.
  await run(low.client, 'so.data.n = 1; so.unlock(); so.lock()');
  for (let i = 21; i <= 30; i++) high.set(`k${i}`, i);
  await high.client.settled();
  expect(await run(low.client, 'return asked.length')).toBe(0);
  await run(low.client, 'so.data.n = 2; so.unlock()');
  await eventually('all', () => low.data.size === 31 && high.data.size === 31);
  expect(
    await run(
      low.client,
      'return asked.filter(([code, name]) => Number(name.slice(1)) > 20).map(([code, name]) => name)',
    ),
  ).toEqual(Array.from({ length: 10 }, (_, i) => `k${i + 21}`));
  expect(low.data.get('k30')).toEqual([30, 2]);
  for (const so of [low, high]) await so.holds((await copyOf(low.client)) as never);
});

test('limits hold for what is allowed and for what is put in its place', async () => {
  const so = await player(newRoom('small'));
  expect(await so.setAndWait('a', 'x'.repeat(300))).toMatchObject({ code: 'delete' });
  expect(await so.setAndWait('long', 1)).toMatchObject({ code: 'delete' });
  so.change({ set: { a: 1, b: 1, c: 1, d: 1 } });
  await so.holds({ a: 1, b: 1, c: 1 });
  expect(await copyOf(so.client)).toEqual({ a: 1, b: 1, c: 1 });
  // Too many for one handler.
  so.change(
    { set: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => ['a', i])) },
    ...Array.from({ length: 1000 }, () => ({ set: { a: 2 } })),
  );
  await so.holds({ a: 1, b: 1, c: 1 });
});

test('kill -9 of the core while changes wait: each is decided, none is lost', async (context) => {
  if (process.platform !== 'linux') return context.skip('core processes are found in /proc');
  const server = await startServer({
    limits: { handlerMs: 20_000 },
    apps: {
      even: {
        'main.js': `${runsCode}
          globalThis.so = SharedObject.get('guarded');
          so.authorize = ({ value }) => { for (let i = 0; i < 300_000; i++); return value % 2 === 0; };
          export {};`,
      },
    },
  });
  const enter = async (encoding: 0 | 3) => {
    const client = await connect(`${server.rtmp}/even/room`, { objectEncoding: encoding });
    return new RemoteSharedObject(client, 'guarded', { encoding }).connect();
  };
  const players = [await enter(0), await enter(3)];
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 100; i++)
      for (const [who, so] of players.entries()) so.set(`${who}.${round}.${i}`, i);
    await eventually('some', () => players[0]!.data.has(`1.${round}.2`));
    server.killCores();
    for (const [who, so] of players.entries()) await so.setAndWait(`${who}.end`, round * 2);
  }
  const expected = Object.fromEntries(
    [0, 1].flatMap((who) => [
      ...Array.from({ length: 5 * 50 }, (_, i) => [
        `${who}.${Math.floor(i / 50)}.${(i % 50) * 2}`,
        (i % 50) * 2,
      ]),
      [`${who}.end`, 8],
    ]),
  );
  for (const so of players) await so.holds(expected);
  expect(await copyOf(players[0]!.client)).toEqual(expected);
});

test('what kills the script is refused, and what waits is decided by the next', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  const rule = 'if (name === "loop") for (;;);\n  if (name === "bad") return false;\n  return rule(';
  await save(at, script.replace('return rule(', rule));
  low.set('before', 1);
  low.set('loop', 1);
  low.set('after', 1);
  high.set('bad', 1);
  high.set('last', 1);
  for (const so of [low, high]) await so.holds({ before: 1, after: 1, last: 1 });
  const { message } = await server.waitForLog((r) => r.instance === at && r.code === 'E_HANDLER_TIMEOUT');
  expect(message).toMatch(/^authorize of a shared object ran for 1500 ms/);
  expect(await copyOf(low.client)).toEqual({ before: 1, after: 1, last: 1 });
  await save(at, script);
});

test('while there is no script what clients do waits: for the rules of the next, or for a script that has none', async () => {
  const at = newRoom();
  const [low, high, guest] = [await player(at, 0), await player(at, 3), await player(at)];
  await low.setAndWait('here', 1);
  await dieUntilItWaits(server, at, low.client);
  const seen = low.syncs.mark;
  guest.set('guest', 1);
  low.set('waits', 1);
  low.set('bad', 2);
  await guest.client.createStream(); // answered behind what was sent before, without a script
  await guest.client.close();
  await low.client.createStream();
  await high.client.createStream();
  expect([...high.data]).toEqual([['here', 1]]);
  expect(low.syncs.mark).toBe(seen);
  const rule = 'if (name === "bad") return { value: "better" };\n  return rule(';
  await save(at, script.replace('return rule(', rule));
  // Who has left by then is not asked about.
  const decided = { here: 1, waits: 1, bad: 'better' };
  for (const so of [low, high]) await so.holds(decided);
  expect(await copyOf(low.client)).toEqual(decided);

  await dieUntilItWaits(server, at, low.client);
  low.set('bad', 3);
  await low.client.createStream();
  await high.client.createStream();
  expect(high.data.get('bad')).toBe('better');
  await save(at, script.replace('so.authorize =', 'so.unused ='));
  for (const so of [low, high]) await so.holds({ ...decided, bad: 3 });
  expect(await copyOf(low.client)).toEqual({ ...decided, bad: 3 });
  await save(at, script);
});

test('so much waits for a script and no more', async () => {
  const at = newRoom();
  const so = await player(at);
  await dieUntilItWaits(server, at, so.client);
  const from = so.syncs.mark;
  for (let i = 0; i < 4100; i++) so.set(`s${i % 100}`, i);
  const refused = () =>
    so.syncs.entries.slice(from).flatMap(({ list }) => list.map(({ code, name }) => `${code} ${name}`));
  await eventually('four refusals', () => refused().length >= 4);
  expect(refused()).toEqual(['delete s96', 'delete s97', 'delete s98', 'delete s99']);
  await save(at, `${script} // mended\ntrace('mended');`);
  // Those were not among what waited.
  await eventually('the others', () => so.data.get('s95') === 4095);
  await eventually('what was there before', () => so.data.get('s96') === 3996);
  await save(at, script);
});

test('a script is asked as fast as it comes after, and its mailbox does not overflow', async () => {
  const at = newRoom('tiny');
  const players = [await player(at, 0), await player(at, 3)];
  await run(players[0]!.client, 'rule = ({ value }) => ({ value: [value, asked.length] })');
  for (let i = 0; i < 1000; i++) for (const [who, so] of players.entries()) so.set(`${who}.${i % 50}`, i);
  for (const [who, so] of players.entries()) await so.setAndWait(`${who}.end`, 'end');
  for (const so of players) await so.holds((await copyOf(players[0]!.client)) as never);
  expect(players[0]!.data.size).toBe(102);
  expect(await run(players[0]!.client, 'return asked.length')).toBe(2002);
  expect(server.log.entries.filter((r) => r.instance === at && r.level !== 'info')).toEqual([]);
});

test('who writes faster than a script decides is read more slowly, and nothing is refused', async () => {
  const at = newRoom();
  const players = [await player(at, 0), await player(at, 3)];
  await run(players[0]!.client, 'rule = () => { for (let i = 0; i < 30_000; i++); return true; }');
  for (let i = 0; i < 8000; i++) for (const [who, so] of players.entries()) so.set(`${who}.${i % 50}`, i);
  for (const [who, so] of players.entries()) await so.setAndWait(`${who}.end`, 'end');
  for (const [who, so] of players.entries()) {
    const answers = so.syncs.entries.flatMap(({ list }) =>
      list.filter(({ name }) => name?.startsWith(`${who}.`)),
    );
    expect(answers).toHaveLength(8001);
    expect(answers.every(({ code }) => code === 'success')).toBe(true);
  }
});

test('new code decides about what the old had not come to', async () => {
  const at = newRoom();
  const [low, high] = [await player(at, 0), await player(at, 3)];
  const wrapping = (round: number) =>
    script.replace(
      'return rule(',
      `if (typeof value === 'number') return { value: [value, ${round}] };\n  return rule(`,
    );
  await save(at, wrapping(0));
  let last = 0;
  for (let round = 1; round <= 2; round++) {
    let isOver = false;
    const saved = save(at, wrapping(round)).then(() => {
      isOver = true;
    });
    do {
      low.set(`k${last % 50}`, ++last);
      high.change({ set: { [`h${last % 50}`]: last } }, { remove: `k${(last * 7) % 50}` });
      // Now and then until all is answered, or a machine that is busy would fall behind without a bound.
      if (last % 200 === 0) await low.setAndWait('low', `beat ${last}`);
      else await new Promise((resolve) => setImmediate(resolve));
    } while (!isOver);
    await saved;
  }
  await low.setAndWait('low', 'end');
  await high.setAndWait('high', 'end');
  const copy = (await copyOf(low.client)) as Record<string, unknown>;
  for (const so of [low, high]) await so.holds(copy);
  // None of them is as its writer had it.
  const { low: _, high: __, ...numbers } = copy;
  expect(Object.values(numbers).length).toBeGreaterThanOrEqual(50);
  for (const value of Object.values(numbers)) expect(value).toEqual([expect.any(Number), expect.any(Number)]);
  await save(at, script);
});
