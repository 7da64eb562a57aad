import { expect, test } from 'vitest';
import type { AmfValue } from '../../wire/values.ts';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { type Change, RemoteSharedObject } from '../support/shared-object.ts';
import { WireCutter } from '../support/wire-cutter.ts';

/** A script that has the object of another instance, and connects again as often as it takes. */
const sharing = (uri: string, more = '') => `
  ${runsCode}
  const heard = [];
  const statuses = [];
  const link = () => {
    const nc = new NetConnection();
    nc.onStatus = ({ code, description }) => {
      trace(code, description);
      if (code !== 'NetConnection.Connect.Success') setTimeout(link, 20);
    };
    nc.connect('${uri}');
    const so = SharedObject.get('board', false, nc);
    so.onSync = (list) => {
      if (list.length === 0) heard.push(['whole']);
      for (const { code, name, oldValue } of list) heard.push([code, name, oldValue]);
    };
    so.onStatus = ({ code, description }) => void statuses.push([code, description]);
    so.say = (...args) => void heard.push(['say', ...args]);
    Object.assign(application, { so, heard, statuses, nc });
  };
  application.onAppStart = link;
  ${more}`;

const hostsOf = (...urls: string[]) =>
  JSON.stringify({ connect: { hosts: urls.map((url) => new URL(url).host) } });

/** A server whose instance `room/b` has the object of that instance. */
const startProxy = (uri: string, more = '') =>
  startServer({ apps: { room: { 'main.js': sharing(uri, more), 'app.json': hostsOf(uri) } } });

const startOwner = (main = runsCode) => startServer({ apps: { room: { 'main.js': main } } });

async function come(server: TestServer, instance: string, encoding: 0 | 3 = 0): Promise<RemoteSharedObject> {
  const client = await connect(`${server.rtmp}/room/${instance}`, { objectEncoding: encoding });
  return new RemoteSharedObject(client, 'board', { encoding }).connect();
}

const sorted = (entries: Iterable<[string, AmfValue]>) =>
  JSON.stringify([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));

/** What the script's copy holds. */
const copyOf = async (client: RemoteSharedObject) =>
  sorted(
    (await run(
      client.client,
      'return application.so.getPropertyNames().map((name) => [name, application.so.getProperty(name)])',
    )) as [string, AmfValue][],
  );

/** Writes until that has been done; a connection may be about to come back. */
async function setSurely(object: RemoteSharedObject, name: string, value: number): Promise<void> {
  await eventually(`${name} to be written`, async () => {
    await object.setAndWait(name, value);
    return object.data.get(name) === value;
  });
}

/** The same numbers for the same seed (a linear congruential generator). */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function someChange(pick: (below: number) => number, round: number): Change {
  const name = `s${pick(12)}`;
  switch (pick(8)) {
    case 0:
      return { remove: name };
    case 1:
      return { send: ['say', round, `${round} of ${name}`] };
    case 2:
      return { set: { [name]: { round, list: [name, null, true], text: 'ü'.repeat(pick(30)) } } };
    default:
      return { set: { [name]: pick(3) === 0 ? 'the same' : round } };
  }
}

const messagesOf = (object: RemoteSharedObject) =>
  object.syncs.entries.flatMap(({ sends }) => sends.map((values) => JSON.stringify(values)));

const ROUNDS = 1800;

test.each([
  { shape: 'a star with the owner in the middle', isChain: false, seed: 7 },
  { shape: 'a chain of three', isChain: true, seed: 20_261_127 },
])(
  '3 servers x 10 clients, $shape: a connection is cut and healed, and all replicas are equal at rest',
  async ({ isChain, seed }) => {
    const pick = numbersFrom(seed);
    const owner = await startOwner();
    const near = await startProxy(`${owner.rtmp}/room/a`);
    const cutter = await WireCutter.to(isChain ? near.rtmpPort : owner.rtmpPort);
    const far = await startProxy(`rtmp://127.0.0.1:${cutter.port}/room/${isChain ? 'b' : 'a'}`);
    const places = [
      { server: owner, instance: 'a' },
      { server: near, instance: 'b' },
      { server: far, instance: 'c' },
    ];
    const people: { object: RemoteSharedObject; place: number }[] = [];
    for (const [place, { server, instance }] of places.entries())
      for (let n = 0; n < 10; n++)
        people.push({ object: await come(server, instance, n % 2 === 0 ? 0 : 3), place });

    const act = async (from: number, to: number) => {
      for (let round = from; round < to; round++) {
        const { object, place } = people[pick(people.length)]!;
        if (pick(200) === 0) object.change('clear');
        else if (place > 0 && pick(6) === 0)
          void run(object.client, 'application.so.setProperty(args[0], args[1])', `s${pick(12)}`, round);
        else object.change(...Array.from({ length: 1 + pick(3) }, () => someChange(pick, round)));
        if (pick(10) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await act(0, ROUNDS / 3);
    const from = far.log.mark;
    cutter.cut();
    await far.waitForLog('NetConnection.Connect.Closed', from);
    await act(ROUNDS / 3, (ROUNDS * 2) / 3);
    cutter.heal();
    await far.waitForLog('NetConnection.Connect.Success', from);
    await act((ROUNDS * 2) / 3, ROUNDS);

    // Whoever has an answer to this has been heard. Before that a clear of one could come after the end of another.
    await Promise.all(people.map(({ object }, n) => setSurely(object, `fence${n}`, n)));
    await Promise.all(people.map(({ object }, n) => setSurely(object, `end${n}`, n)));
    for (const { object } of people)
      await eventually('all ends', () => people.every((_, n) => object.data.get(`end${n}`) === n));
    const late = await Promise.all(places.map(({ server, instance }) => come(server, instance)));
    const expected = sorted(late[0]!.data);
    for (const { object } of [...people, ...late.map((object) => ({ object }))]) {
      await eventually('all to be equal', () => sorted(object.data) === expected);
      const versions = object.syncs.entries.map(({ version }) => version);
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
    }
    for (const object of late.slice(1))
      await eventually('the copy of the script', async () => (await copyOf(object)) === expected);

    // Those whose connection was there all the time have heard all messages, in one order.
    const heard = people.filter(({ place }) => place < 2).map(({ object }) => messagesOf(object));
    expect(heard[0]!.length).toBeGreaterThan(100);
    for (const each of heard) expect(each).toEqual(heard[0]);
  },
);

test('an object of 10,000 slots comes over: to the script, to those who wait for it, and to who comes later', async () => {
  const owner = await startOwner(`${runsCode}
    const so = SharedObject.get('board');
    application.onAppStart = () => { so.lock(); for (let n = 0; n < 10000; n++) so.setProperty('slot' + n, [n, 'a text']); so.unlock(); };`);
  const first = await come(owner, 'a');
  await eventually('the owner to have them', () => first.data.size === 10_000);
  const proxy = await startProxy(`${owner.rtmp}/room/a`);
  const people = await Promise.all([come(proxy, 'b'), come(proxy, 'b', 3), come(proxy, 'b')]);
  const late = await come(proxy, 'b');
  for (const object of [...people, late]) {
    await eventually('all slots', () => object.data.size === 10_000);
    expect(sorted(object.data)).toBe(sorted(first.data));
  }
  expect(await run(late.client, 'return application.so.size()')).toBe(10_000);
  first.set('slot77', 'new');
  await eventually('the change', () => people.every(({ data }) => data.get('slot77') === 'new'));
});

test('a connection comes back: clients are told only of what is different', async () => {
  const owner = await startOwner();
  const cutter = await WireCutter.to(owner.rtmpPort);
  const there = await come(owner, 'a');
  there.change({ set: { kept: 1, changed: 1, removed: 1 } });
  const proxy = await startProxy(`rtmp://127.0.0.1:${cutter.port}/room/a`);
  const here = await come(proxy, 'b');
  await here.holds({ kept: 1, changed: 1, removed: 1 });
  const from = proxy.log.mark;
  cutter.cut();
  await proxy.waitForLog('NetConnection.Connect.Closed', from);
  // It is as it was, and cannot be changed.
  expect(await here.setAndWait('kept', 2)).toMatchObject({ code: 'reject' });
  expect(here.syncs.entries.at(-1)!.statuses).toEqual([
    { code: 'SharedObject.NoWriteAccess', level: 'error' },
  ]);
  await here.holds({ kept: 1, changed: 1, removed: 1 });
  const late = await come(proxy, 'b');
  await late.holds({ kept: 1, changed: 1, removed: 1 });
  there.change({ set: { changed: 2, added: 2 } }, { remove: 'removed' });
  await there.setAndWait('done', true);
  const mark = here.syncs.mark;
  cutter.heal();
  await here.holds({ kept: 1, changed: 2, added: 2, done: true });
  const told = here.syncs.entries
    .slice(mark)
    .flatMap(({ list }) => list.map(({ code, name }) => [code, name]));
  expect(told.sort()).toEqual([
    ['change', 'added'],
    ['change', 'changed'],
    ['change', 'done'],
    ['delete', 'removed'],
  ]);
});

test('new code: clients stay, and have the object again when the new script has connected', async () => {
  const owner = await startOwner();
  const there = await come(owner, 'a');
  const uri = `${owner.rtmp}/room/a`;
  const proxy = await startProxy(uri);
  const here = await come(proxy, 'b');
  await here.setAndWait('x', 1);
  const from = proxy.log.mark;
  proxy.writeFile('room/main.js', sharing(uri, '// newer'));
  await proxy.waitForLog('NetConnection.Connect.Success', from);
  await setSurely(here, 'y', 2);
  await there.holds({ x: 1, y: 2 });
  there.set('x', 3);
  await here.holds({ x: 3, y: 2 });
  expect(await copyOf(here)).toBe(sorted(here.data));
  expect(here.client.isClosed).toBe(false);
});

test('the core of the script is killed: its clients keep the object, and have it again', async () => {
  const owner = await startOwner();
  const there = await come(owner, 'a');
  const proxy = await startProxy(`${owner.rtmp}/room/a`);
  const here = await come(proxy, 'b');
  await here.setAndWait('x', 1);
  const from = proxy.log.mark;
  process.kill((await proxy.instance('room', 'b')).core!, 'SIGKILL');
  await proxy.waitForLog('NetConnection.Connect.Success', from);
  await setSurely(here, 'y', 2);
  there.set('x', 2);
  await here.holds({ x: 2, y: 2 });
});

test('instances that would have the object of one another: who closes the circle is told, and nobody hangs', async () => {
  const code = `
    const nc = new NetConnection();
    const told = [];
    nc.connect(args[0]);
    const so = SharedObject.get('round', false, nc);
    so.onStatus = ({ code, description }) => void told.push([code, description]);
    application.told = told;`;
  const server = await startServer({ apps: { room: { 'main.js': runsCode } } });
  const told = (client: RemoteSharedObject['client']) => run(client, 'return application.told');
  const people = [];
  for (const name of ['a', 'b', 'c', 'self']) people.push(await connect(`${server.rtmp}/room/${name}`));
  const [a, b, c, self] = people as [(typeof people)[0], ...typeof people];
  await run(self!, code, 'rtmp:/room/self');
  await eventually('itself', async () => ((await told(self!)) as unknown[]).length > 0);
  const circle = '"round" would be its own owner: the connections lead in a circle';
  expect(await told(self!)).toEqual([['SharedObject.ObjectCreationFailed', circle]]);

  await run(a!, code, 'rtmp:/room/b');
  await run(b!, code, 'rtmp:/room/c');
  await run(c!, code, 'rtmp:/room/a');
  const all = async () =>
    (await Promise.all([a, b, c].map((client) => told(client!)))) as [string, string][][];
  await eventually('the circle', async () =>
    (await all()).some((list) => list.some(([, why]) => why === circle)),
  );
  for (const list of await all())
    for (const [status] of list) expect(status).toBe('SharedObject.ObjectCreationFailed');
  await server.stop();
});

test('clients who have the name before the script asks for it have the other object from then on', async () => {
  const owner = await startOwner();
  const there = await come(owner, 'a');
  await there.setAndWait('x', 1);
  const proxy = await startServer({
    apps: { room: { 'main.js': runsCode, 'app.json': hostsOf(owner.rtmp) } },
  });
  const here = await come(proxy, 'b');
  await here.setAndWait('mine', 1);
  const get = `
    const nc = new NetConnection();
    nc.connect(args[0]);
    application.so = SharedObject.get(args[1], args[2] === true, nc);`;
  await run(here.client, get, `${owner.rtmp}/room/a`, 'board');
  await here.holds({ x: 1 });
  await setSurely(here, 'y', 2);
  await there.holds({ x: 1, y: 2 });

  // What is the script's, or on disk, stays what it is.
  await run(
    here.client,
    `SharedObject.get('own'); const so = SharedObject.get('stored', true); so.setProperty('x', 1); so.flush(); so.close();`,
  );
  await expect(run(here.client, get, `${owner.rtmp}/room/a`, 'own')).rejects.toThrow(
    '"own" is open already, as an object of this instance',
  );
  await expect(
    run(
      here.client,
      `SharedObject.get('stored', true).close(); ${get}`,
      `${owner.rtmp}/room/a`,
      'stored',
      true,
    ),
  ).rejects.toThrow('"stored" is an object of this instance, and kept on its disk');
});
