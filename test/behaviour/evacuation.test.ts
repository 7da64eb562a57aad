import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** A core that will go is left by those who live in it, with their state. Each test has a server of its own. */
const script = `
  export const kept = keep({ calls: 0 });
  application.users = {};
  application.onConnect = (client, name) => { client.name = name; application.users[name] = client; return true; };
  application.onDisconnect = (client) => { delete application.users[client.name]; };
  Object.assign(Client.prototype, {
    count(n) { kept.calls++; this.last = n; return [n, kept.calls, this.name, Object.keys(application.users).length]; },
    state() { return [kept.calls, this.last, application.users[this.name] === this, this.reconnected]; },
    stuck() { let x = 3n ** 100_000n; for (;;) x *= x; },
    never: () => new Promise(() => {}),
    loop() { for (;;); },
  });`;
/** As old scripts have it: variables of the file, and what lies in them. */
const classic = `
  var users = {};
  var total = 0;
  application.onConnect = function (client, name) { client.name = name; users[name] = client; return true; };
  Client.prototype.count = function (n) { total++; this.last = n; return [n, total]; };
  Client.prototype.state = function () { return [total, this.last, users[this.name] == this, this.reconnected]; };
  function unused() {}`;
/** More than data, in several ways; and where the author sees to it, or nothing is lost. */
const odd = (connect: string, more = '') => `
  class Game { round = 1; }
  application.onConnect = (client) => { client.calls = 0; ${connect}; return true; };
  Client.prototype.count = function (n) { return [n, ++this.calls, this.reconnected]; };
  ${more}`;
const restores = `application.onSave = () => 5;
  application.onRestore = (state) => { for (const client of application.clients) client.calls += state; };`;
const ticks = `application.onAppStart = () => { const tick = () => setTimeout(tick, 10); tick(); setInterval(tick, 1e6); };`;
const stubborn = `${script}
  application.onRestore = () => { throw new Error('not with me'); };`;
const apps = {
  app: { 'main.ts': script },
  classic: { 'main.asc': classic },
  methods: { 'main.ts': odd('client.count = (n) => [n, ++client.calls, client.reconnected]') },
  instance: { 'main.ts': odd('application.game = new Game()') },
  started: { 'main.ts': odd('', 'application.game = new Game();') },
  timer: { 'main.ts': odd('client.timer = setInterval(() => {}, 1e6)') },
  seenTo: { 'main.ts': odd('application.game = new Game()', restores) },
  ticks: { 'main.ts': odd('', ticks) },
  stubborn: { 'main.ts': stubborn },
};
/** With one core for all, code that has never run moves in with the others. */
const limits = { handlerMs: 200, heapMb: 16, backOffMs: 50, cores: 1 };

const coreOf = async (server: TestServer, name: string): Promise<number> => {
  const answer = await fetch(`${server.http}/api/instances/${name}`);
  return ((await answer.json()) as { core: number }).core;
};
const endsOf = async (server: TestServer, name: string): Promise<Record<string, number>> => {
  const answer = await fetch(`${server.http}/api/instances/${name}`);
  return ((await answer.json()) as { ends: Record<string, number> }).ends;
};

/** Calls one after the other until it is told to stop; each must be answered in order by a script that knows the last. */
class Caller {
  readonly room: string;
  readonly client: RtmpClient;
  calls = 0;
  #isOver = false;
  readonly #loop: Promise<void>;

  static async open(server: TestServer, room: string, name: string): Promise<Caller> {
    return new Caller(room, await connect(`${server.rtmp}/${room}`, { args: [name] }));
  }

  constructor(room: string, client: RtmpClient) {
    this.room = room;
    this.client = client;
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    let before = 0;
    while (!this.#isOver) {
      const [n, all] = (await this.client.call('count', ++this.calls)) as number[];
      expect(n).toBe(this.calls);
      expect(all).toBeGreaterThan(before);
      before = all!;
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
  }
}

test('the neighbours of a script that cannot be interrupted move with their state, and miss no call', async () => {
  const server = await startServer({ apps, limits });
  const culprit = await connect(`${server.rtmp}/app/bad`, { args: ['culprit'] });
  const rooms = ['a', 'b', 'c', 'd', 'e', 'f'];
  const callers: Caller[] = [];
  for (const room of rooms)
    for (let i = 0; i < 5; i++) callers.push(await Caller.open(server, `app/${room}`, `${room}${i}`));
  const core = await coreOf(server, 'app/bad');
  for (const room of rooms) expect(await coreOf(server, `app/${room}`)).toBe(core);
  const from = server.log.mark;

  expect(await culprit.callFails('stuck')).toMatchObject({ code: 'NetConnection.Call.Failed' });
  await eventually('the core to be gone', () => !server.corePids().includes(core));
  for (const caller of callers) await caller.stop();

  for (const room of rooms) {
    expect(await coreOf(server, `app/${room}`)).not.toBe(core);
    expect(await endsOf(server, `app/${room}`)).toEqual({ move: 1 });
    const own = callers.filter((caller) => caller.room === `app/${room}`);
    const all = own.reduce((sum, { calls }) => sum + calls, 0);
    for (const { client, calls } of own)
      expect(await client.call('state')).toEqual([all, calls, true, false]);
  }
  expect(await culprit.call('state')).toEqual([0, undefined, true, 'stuck']);
  const told = server.log.entries.slice(from).map((r) => r.message);
  expect(told.filter((text) => text.startsWith('moved to another core, 5 clients kept'))).toHaveLength(6);
  expect(
    told.filter((text) => text.includes('its 6 neighbours move to another core before it is killed')),
  ).toHaveLength(1);
  await server.stop();
}, 60_000);

/** A culprit and the neighbours of these applications, all in one core. */
async function openHouse(server: TestServer, names: readonly string[]) {
  const culprit = await connect(`${server.rtmp}/app/bad`, { args: ['culprit'] });
  const core = await coreOf(server, 'app/bad');
  const neighbours: RtmpClient[] = [];
  for (const name of names) {
    neighbours.push(await connect(`${server.rtmp}/${name}/room`, { args: ['ann'] }));
    expect(await coreOf(server, `${name}/room`)).toBe(core);
  }
  return { culprit, core, neighbours };
}

test('a classic script keeps the variables of its file', async () => {
  const server = await startServer({ apps, limits });
  const { culprit, core, neighbours } = await openHouse(server, ['classic']);
  const [ann] = neighbours;
  for (let n = 1; n <= 3; n++) expect(await ann!.call('count', n)).toEqual([n, n]);
  await culprit.callFails('stuck');
  await eventually('the core to be gone', () => !server.corePids().includes(core));
  expect(await ann!.call('state')).toEqual([3, 3, true, false]);
  expect(await endsOf(server, 'classic/room')).toEqual({ move: 1 });
});

const more = [
  { app: 'methods', what: '(functions and instances of classes: 1, timers: 0)' },
  { app: 'instance', what: '(functions and instances of classes: 1, timers: 0)' },
  { app: 'started', what: '(functions and instances of classes: 1, timers: 0)' },
  { app: 'timer', what: '(functions and instances of classes: 0, timers: 1)' },
];

test('whose state is more than data begins anew, with clients that come to onConnect again', async () => {
  const server = await startServer({ apps, limits });
  const whole = ['seenTo', 'ticks'];
  const { culprit, core, neighbours } = await openHouse(server, [...more.map(({ app }) => app), ...whole]);
  for (const client of neighbours) expect(await client.call('count', 7)).toEqual([7, 1, false]);
  await culprit.callFails('stuck');
  await eventually('the core to be gone', () => !server.corePids().includes(core));
  for (const [index, { app, what }] of more.entries()) {
    expect(await neighbours[index]!.call('count', 8)).toEqual([8, 1, 'move']);
    const told = await server.waitForLog((r) => r.instance === `${app}/room` && r.level === 'warn');
    expect(told.message).toContain(what);
  }
  const [seenTo, ticking] = neighbours.slice(more.length);
  expect(await seenTo!.call('count', 8)).toEqual([8, 7, false]);
  expect(await ticking!.call('count', 8)).toEqual([8, 2, false]);
});

test('who cannot take its state along stays, and starts again with the others when the core is killed', async () => {
  const server = await startServer({ apps, limits: { ...limits, evacuationMs: 1000 } });
  const { culprit, core, neighbours } = await openHouse(server, ['stubborn', 'classic']);
  const [ann, cat] = neighbours;
  await ann!.call('count', 1);
  await cat!.call('count', 1);
  await culprit.callFails('stuck');
  expect(server.corePids()).toContain(core);
  await server.waitForLog((r) => r.instance === 'stubborn/room' && r.message.startsWith('started again'));
  expect(server.corePids()).not.toContain(core);
  expect(await ann!.call('state')).toEqual([0, undefined, true, 'crash']);
  expect(await cat!.call('state')).toEqual([1, 1, true, false]);
  const messages = server.log.entries.filter((r) => r.instance === 'stubborn/room').map((r) => r.message);
  expect(messages).toContainEqual(expect.stringContaining('not with me'));
  expect(messages).toContain('stays where it is');
});

test('a second script that does not stop is given up too; who is in a turn moves after it', async () => {
  const server = await startServer({ apps, limits: { ...limits, handlerMs: 2000 } });
  const { culprit, core, neighbours } = await openHouse(server, ['app', 'classic']);
  const [second, cat] = neighbours;
  const failed = [culprit.callFails('stuck'), second!.callFails('stuck')];
  await cat!.call('count', 1);
  for (const info of await Promise.all(failed))
    expect(info).toMatchObject({ code: 'NetConnection.Call.Failed' });
  await server.waitForLog((r) => r.code === 'E_CORE_GONE' && r.message.includes(`core ${core} ended`));
  expect(await cat!.call('state')).toEqual([1, 1, true, false]);
  expect(await endsOf(server, 'app/bad')).toEqual({ stuck: 1 });
  expect(await endsOf(server, 'app/room')).toEqual({ stuck: 1 });
  const gone = server.log.entries.filter((r) => r.instance === undefined && r.code === 'E_CORE_GONE');
  expect(gone).toHaveLength(1);
}, 60_000);

test('a core that is killed while it is left: the rest starts again, the moved go on', async () => {
  const server = await startServer({ apps, limits: { ...limits, evacuationMs: 30_000 } });
  const { culprit, core, neighbours } = await openHouse(server, ['stubborn', 'classic']);
  const [ann, cat] = neighbours;
  await cat!.call('count', 1);
  await culprit.callFails('stuck');
  await server.waitForLog((r) => r.instance === 'stubborn/room' && r.message === 'stays where it is');
  await server.waitForLog((r) => r.instance === 'classic/room' && r.message.startsWith('moved'));
  process.kill(core, 'SIGKILL');
  await server.waitForLog((r) => r.instance === 'stubborn/room' && r.message.startsWith('started again'));
  expect(await ann!.call('state')).toEqual([0, undefined, true, 'crash']);
  expect(await cat!.call('state')).toEqual([1, 1, true, false]);
});

test('a core that has held many is left by its last ones, with their state', async () => {
  const server = await startServer({
    apps,
    limits: { ...limits, coreRetireInstances: 4, idleInstanceMs: 100 },
  });
  const stays = await connect(`${server.rtmp}/app/stays`, { args: ['ann'] });
  const core = await coreOf(server, 'app/stays');
  await stays.call('count', 1);
  for (const room of ['b', 'c']) {
    await (await connect(`${server.rtmp}/app/${room}`, { args: ['x'] })).close();
    await server.waitForLog((r) => r.instance === `app/${room}` && r.message.startsWith('unloaded'));
  }
  expect(await coreOf(server, 'app/stays')).toBe(core);
  const last = await connect(`${server.rtmp}/app/d`, { args: ['x'] });
  await eventually('the old core to be gone', () => !server.corePids().includes(core));
  expect(await stays.call('state')).toEqual([1, 1, true, false]);
  expect(await last.call('count', 1)).toEqual([1, 1, 'x', 1]);
  expect(server.log.entries.filter((r) => r.code === 'E_CORE_GONE')).toEqual([]);
});
