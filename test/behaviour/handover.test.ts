import { expect, test } from 'vitest';
import type { AppReport } from '../../host/web/api.ts';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { type AppFiles, startServer, temporaryFolder, useServer } from '../support/server.ts';

// New code has a core of its own: what is killed is one of the two.
const server = useServer({ limits: { cores: 100, quarantineMs: 1000 } });

const accept = 'application.onConnect = () => true;\n';

let apps = 0;
async function openApp(main: string, files: AppFiles = {}): Promise<{ app: string; client: RtmpClient }> {
  const app = `state${apps++}`;
  const from = server.log.mark;
  server.writeApp(app, { 'main.ts': main, ...files });
  await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'), from);
  return { app, client: await connect(`${server.rtmp}/${app}/room`) };
}

/** Saves new code and waits until `room` runs it. Returns where the log was before. */
async function save(app: string, main: string): Promise<number> {
  const from = server.log.mark;
  server.writeFile(`${app}/main.ts`, main);
  await server.waitForLog((r) => r.instance === `${app}/room` && r.message.startsWith('runs new code'), from);
  return from;
}

/** Saves code that cannot take over, and waits until the old has said that it goes on. */
async function saveInVain(app: string, main: string): Promise<string> {
  const from = server.log.mark;
  server.writeFile(`${app}/main.ts`, main);
  const { message } = await server.waitForLog(
    (r) => r.instance === `${app}/room` && r.level === 'error' && r.message.startsWith('does not take over'),
    from,
  );
  return message;
}

test('what handlers have put on application, and on clients, is there in the new code', async () => {
  const main = (n: number) => `
    application.onConnect = (client, name) => {
      client.name = 'ann'; client.score = 0;
      application.users ??= {};
      application.users[client.id] = client;
      return true;
    };
    application.onDisconnect = (client) => { delete application.users[client.id]; };
    Client.prototype.win = function () { return ++this.score; };
    Client.prototype.look = function () {
      const [first] = application.clients;
      return [${n}, this.name, this.score, application.users[this.id] === this, first === this, this.reconnected];
    };
    Client.prototype.count = () => Object.keys(application.users).length;`;
  const { app, client } = await openApp(main(1));
  expect(await client.call('win')).toBe(1);
  expect(await client.call('win')).toBe(2);
  await save(app, main(2));
  expect(await client.call('look')).toEqual([2, 'ann', 2, true, true, false]);
  const other = await connect(`${server.rtmp}/${app}/room`);
  expect(await client.call('count')).toBe(2);
  await save(app, main(3));
  other.destroy();
  await eventually('the other one to be forgotten', async () => (await client.call('count')) === 1);
});

test('a published stream is the same to the new code, and so is how it was published', async () => {
  const main = (n: number) => `
    application.onPublish = (client, stream) => { application.cam = stream; };
    Client.prototype.look = () => {
      const { name, publishQueryString, publishMode } = application.cam;
      return [${n}, name, publishQueryString, publishMode, application.cam === application.streams.cam];
    };`;
  const { app, client } = await openApp(main(1));
  await (await client.createStream()).publish('cam?key=1', 'append');
  expect(await client.call('look')).toEqual([1, 'cam', 'key=1', 'append', true]);
  await save(app, main(2));
  expect(await client.call('look')).toEqual([2, 'cam', 'key=1', 'append', true]);
});

/** A value as an expression, and what must be true of it, as `v`, in the new code. */
const values: { name: string; make: string; holds: string }[] = [
  { name: 'undefined', make: 'undefined', holds: `v === undefined && 'v' in application` },
  { name: 'null', make: 'null', holds: 'v === null' },
  {
    name: 'numbers',
    make: '[1.5, -0, NaN, Infinity, 2 ** 60]',
    holds: 'Object.is(v[1], -0) && Number.isNaN(v[2]) && v[4] === 2 ** 60',
  },
  { name: 'a bigint', make: '-(2n ** 100n)', holds: 'v === -(2n ** 100n)' },
  { name: 'text', make: `'\\u{1F600} \\u0000 z'`, holds: `v === '\\u{1F600} \\u0000 z'` },
  { name: 'a date', make: 'new Date(86400000)', holds: 'v instanceof Date && v.getTime() === 86400000' },
  {
    name: 'a regular expression',
    make: '/a(b)+/gi',
    holds: `v.test('ABB') && v.flags === 'gi' && v.lastIndex === 3`,
  },
  {
    name: 'a map',
    make: `new Map<unknown, unknown>([['a', { n: 1 }], [7, 'seven']])`,
    holds: `v.get('a').n === 1 && v.get(7) === 'seven' && v.size === 2`,
  },
  { name: 'a set', make: 'new Set([1, 2, 3])', holds: 'v.has(2) && v.size === 3 && v.add(4).size === 4' },
  {
    name: 'an array with holes',
    make: '(() => { const a: unknown[] = [1]; a[5] = 6; return a; })()',
    holds: 'v.length === 6 && !(2 in v) && v[5] === 6',
  },
  {
    name: 'an array with a name',
    make: `Object.assign([1, 2], { label: 'x' })`,
    holds: `Array.isArray(v) && v.length === 2 && v.label === 'x'`,
  },
  {
    name: 'bytes',
    make: 'new Uint8Array([1, 2, 255])',
    holds: 'v instanceof Uint8Array && v[2] === 255 && v.length === 3',
  },
  {
    name: 'views of one buffer',
    make: '(() => { const b = new ArrayBuffer(16); return { a: new Float64Array(b, 8, 1), d: new DataView(b, 4, 8), b }; })()',
    holds: 'v.a.buffer === v.b && v.d.buffer === v.b && v.d.byteOffset === 4 && v.a.byteOffset === 8',
  },
  {
    name: 'an error',
    make: `Object.assign(new RangeError('far'), { code: 7 })`,
    holds: `v instanceof RangeError && v.message === 'far' && v.code === 7 && v.stack.includes('main.ts') === false`,
  },
  {
    name: 'an object without a prototype',
    make: `Object.assign(Object.create(null), { a: 1 })`,
    holds: 'Object.getPrototypeOf(v) === null && v.a === 1',
  },
  {
    name: 'a property called __proto__',
    make: `JSON.parse('{"__proto__": {"evil": true}}')`,
    holds: `Object.hasOwn(v, '__proto__') && v.evil === undefined`,
  },
  {
    name: 'a circle',
    make: '(() => { const a: any = { n: 1 }; a.self = a; a.list = [a, { a }]; return a; })()',
    holds: 'v.self === v && v.list[0] === v && v.list[1].a === v',
  },
  {
    name: 'a long chain',
    make: '(() => { let a: any = null; for (let i = 0; i < 50000; i++) a = { a }; return a; })()',
    holds: '(() => { let n = 0; for (let a = v; a; a = a.a) n++; return n; })() === 50000',
  },
  { name: 'application itself', make: '{ app: application }', holds: 'v.app === application' },
  { name: 'a client', make: '[application.clients[0]]', holds: 'v[0] === application.clients[0]' },
  {
    name: 'a shared object',
    make: `SharedObject.get('board')`,
    holds: `v === SharedObject.get('board') && v.getProperty('x') === 5`,
  },
  { name: 'a stream', make: `Stream.get('song')`, holds: `v === Stream.get('song') && v.name === 'song'` },
];

test('every kind of data arrives as what it was', async () => {
  const cases = values.map(({ make }, index) => `  application['v' + ${index}] = ${make};`).join('\n');
  const main = (n: number) => `${accept}
    Client.prototype.version = () => ${n};
    Client.prototype.fill = () => {
      SharedObject.get('board').setProperty('x', 5);
      application.v = undefined;
    ${cases}
      (application.v6 as any).lastIndex = 0;
      return true;
    };
    Client.prototype.check = () => {
      const failed: string[] = [];
      ${values
        .map(
          ({ name, holds }, index) =>
            `try { const v: any = application['v' + ${index}]; if (!(${holds})) failed.push(${JSON.stringify(name)}); }
             catch (error) { failed.push(${JSON.stringify(name)} + ': ' + error); }`,
        )
        .join('\n')}
      return failed;
    };`;
  const { app, client } = await openApp(main(1));
  await client.call('fill');
  const from = await save(app, main(2));
  expect(await client.call('version')).toBe(2);
  expect(await client.call('check')).toEqual([]);
  expect(server.log.entries.slice(from).filter((r) => r.message.startsWith('not carried over'))).toEqual([]);
});

test('what is shared between application, clients and kept state stays shared', async () => {
  const main = `${accept}
    export const state = keep({ teams: new Map<string, object>() });
    Client.prototype.join = function () {
      const team = { players: [this] };
      state.teams.set('red', team);
      application.best = team;
      this.team = team;
    };
    Client.prototype.isShared = function () {
      return state.teams.get('red') === this.team && application.best === this.team && this.team.players[0] === this;
    };`;
  const { app, client } = await openApp(main);
  await client.call('join');
  expect(await client.call('isShared')).toBe(true);
  await save(app, `${main}\n    Client.prototype.version = () => 2;`);
  expect(await client.call('isShared')).toBe(true);
});

test("a value that nothing has changed since the code began is the new code's to say", async () => {
  const main = (motto: string, limit: number) => `${accept}
    const state = keep({ motto: '${motto}', count: 0, limits: { most: ${limit} } });
    application.motto = '${motto}';
    application.limits = { most: ${limit} };
    application.onAppStart = () => { application.from = '${motto}'; };
    Client.prototype.touch = () => { state.count++; application.limits.most++; };
    Client.prototype.look = () => [application.motto, application.from, application.limits.most, state.motto, state.count, state.limits.most];`;
  const { app, client } = await openApp(main('hello', 5));
  await client.call('touch');
  expect(await client.call('look')).toEqual(['hello', 'hello', 6, 'hello', 1, 5]);
  await save(app, main('goodbye', 50));
  expect(await client.call('look')).toEqual(['goodbye', 'goodbye', 6, 'goodbye', 1, 50]);
  await save(app, main('hello again', 60));
  expect(await client.call('look')).toEqual(['hello again', 'hello again', 6, 'hello again', 1, 60]);
});

test('what the old code had deleted is not there in the new', async () => {
  const main = (n: number) => `${accept}
    application.first = 'yes';
    const state = keep({ list: [1], first: true });
    Client.prototype.drop = () => { delete application.first; delete (state as any).first; };
    Client.prototype.look = () => [${n}, 'first' in application, 'first' in state];`;
  const { app, client } = await openApp(main(1));
  await client.call('drop');
  await save(app, main(2));
  expect(await client.call('look')).toEqual([2, false, false]);
});

test('state of several modules is kept by file and variable, wherever the call stands', async () => {
  const rooms = (n: number) => `
    // ${n}
    export const state: { open: string[] } =
      keep({ open: [] as string[] });
    export const other = keep({ n: 0 }, 'other rooms');`;
  const main = (n: number) => `${accept}
    import { other, state as rooms } from './rooms.ts';
    ${n === 2 ? 'const first = keep({ nothing: true });' : ''}
    const state = keep<{ names: string[] }>({ names: [] });
    Client.prototype.fill = () => { rooms.open.push('blue'); state.names.push('ann'); other.n = 7; };
    Client.prototype.look = () => [${n}, rooms.open, state.names, other.n];`;
  const { app, client } = await openApp(main(1), { 'rooms.ts': rooms(1) });
  await client.call('fill');
  server.writeFile(`${app}/rooms.ts`, rooms(2));
  await save(app, main(2));
  await eventually('the new code', async () => ((await client.call('look')) as unknown[])[0] === 2);
  expect(await client.call('look')).toEqual([2, ['blue'], ['ann'], 7]);
});

test('kept state whose variable has another name in the new code is named in the log', async () => {
  const main = (name: string) => `${accept}
    const ${name} = keep({ topics: [] as string[] });
    Client.prototype.fill = () => { ${name}.topics.push('bridges'); };
    Client.prototype.look = () => ['${name}', ${name}.topics.length];`;
  const { app, client } = await openApp(main('state'));
  await client.call('fill');
  const from = await save(app, main('board'));
  const { message } = await server.waitForLog((r) => r.message.startsWith('not carried over'), from);
  expect(message).toContain('state (the new code keeps nothing by that name)');
  expect(await client.call('look')).toEqual(['board', 0]);
});

const misuses = [
  { code: 'keep(5);', says: 'keep: expected a plain object, got 5' },
  { code: 'keep([]);', says: 'keep: expected a plain object, got an array' },
  { code: `keep({}, '');`, says: 'keep: expected a name, got ""' },
  { code: 'const all = { state: keep({}) };', says: 'keep: what is it called?' },
  { code: `keep({}, 'a'); keep({}, 'a');`, says: 'keep: something is kept as "a" already' },
  { code: `const state = keep({}); keep(state, 'b');`, says: 'keep: that object is kept already' },
];
for (const { code, says } of misuses) {
  test(`\`${code}\` says what is wrong`, async () => {
    const { app, client } = await openApp(`${accept}Client.prototype.n = () => 1;`);
    const from = server.log.mark;
    server.writeFile(`${app}/main.ts`, `${accept}${code}`);
    const { message } = await server.waitForLog(
      (r) => r.level === 'error' && r.instance === `${app}/room` && r.message.includes('keep'),
      from,
    );
    expect(message).toContain(says);
    expect(await client.call('n')).toBe(1);
  });
}

test("what is no plain data is named in the log, once for all clients, and the new code's own stays", async () => {
  const main = (n: number) => `${accept}
    class Game { turns = ${n}; }
    application.game = new Game();
    application.tools = { add: () => ${n}, list: [] as number[], game: new Game() };
    Client.prototype.fill = function () {
      this.echo = () => 1;
      application.later = new Game();
      application.tools.list.push(1);
      application.pending = Promise.resolve();
      application.pairs = new Map([[new Game(), 1]]);
    };
    Client.prototype.look = () => [
      application.game.turns, application.tools.add(), application.tools.list.length, application.tools.game.turns, 'later' in application,
    ];`;
  const { app, client } = await openApp(main(1));
  const other = await connect(`${server.rtmp}/${app}/room`);
  await client.call('fill');
  await other.call('fill');
  const from = await save(app, main(2));
  expect(await client.call('look')).toEqual([2, 2, 2, 2, false]);
  const { message } = await server.waitForLog((r) => r.message.startsWith('not carried over'), from);
  expect(message).toContain('application.later (an instance of Game)');
  expect(message).toContain('application.pending (an instance of Promise)');
  expect(message).toContain('application.pairs: a key (an instance of Game)');
  expect(message.split('client.echo (a function)')).toHaveLength(2);
  expect(message).not.toContain('in all');
  expect(message).not.toContain('application.game');
  expect(message).not.toContain('application.tools');
});

test('a method that the new code has on Client.prototype is not missed', async () => {
  const before = `application.onConnect = (client) => { client.echo = (x) => ['old', x]; return true; };`;
  const after = `${accept}Client.prototype.echo = (x) => ['new', x];`;
  const { app, client } = await openApp(before);
  expect(await client.call('echo', 1)).toEqual(['old', 1]);
  const from = await save(app, after);
  expect(await client.call('echo', 2)).toEqual(['new', 2]);
  expect(server.log.entries.slice(from).filter((r) => r.message.startsWith('not carried over'))).toEqual([]);
});

test('onSave and onRestore carry what is no plain data, and the old build is named', async () => {
  const main = (n: number) => `${accept}
    class Game { constructor(public score: number) {} }
    let game = new Game(${n});
    application.onSave = () => ({ score: game.score, who: application.clients[0] });
    application.onRestore = (state, from) => {
      game = new Game(state.score);
      application.seen = [from, state.who === application.clients[0]];
    };
    Client.prototype.win = () => { game.score += 10; };
    Client.prototype.look = () => [${n}, game.score, application.seen];`;
  const { app, client } = await openApp(main(1));
  await client.call('win');
  await save(app, main(2));
  expect(await client.call('look')).toEqual([2, 11, [expect.stringMatching(/^[0-9a-f]{8}$/), true]]);
});

test('onReattach has what the old code knew of the client', async () => {
  const main = (n: number) => `
    application.onConnect = (client) => { client.name = 'ann'; return true; };
    application.onReattach = (client, reason) => { client.greeting = client.name + ${n} + reason; };
    Client.prototype.look = function () { return [this.greeting, this.reconnected]; };`;
  const { app, client } = await openApp(main(1));
  await save(app, main(2));
  expect(await client.call('look')).toEqual(['ann2reload', 'reload']);
});

const works = `${accept}
  application.count = 0;
  application.onSave = () => ({ count: application.count });
  Client.prototype.add = () => ++application.count;
  Client.prototype.version = () => 'old';\n`;

/** Code that cannot take over, and what its author is told. */
const failures = [
  {
    name: 'onRestore throws',
    code: `application.onRestore = () => { throw new Error('no way'); };`,
    says: 'application.onRestore failed: no way',
  },
  {
    name: 'onRestore is async',
    code: 'application.onRestore = async () => {};',
    says: 'application.onRestore returned a promise',
  },
  {
    name: 'onRestore is no function',
    code: 'application.onRestore = 5;',
    says: 'application.onRestore: expected a function, got 5',
  },
  {
    name: 'onRestore loops',
    code: 'application.onRestore = () => { for (;;); };',
    says: 'the script died while it took over the state',
  },
  {
    name: 'onRestore fills the heap',
    code: 'application.onRestore = () => { const a = []; for (;;) a.push({ a: {} }); };',
    says: 'the script died while it took over the state',
  },
];
for (const { name, code, says } of failures) {
  test(`${name}: the old code goes on as if nothing had happened`, async () => {
    const { app, client } = await openApp(works);
    expect(await client.call('add')).toBe(1);
    const said = await saveInVain(app, `${works}${code}\nClient.prototype.version = () => 'new';`);
    expect(said).toContain(says);
    expect([await client.call('version'), await client.call('add')]).toEqual(['old', 2]);
    await save(app, `${works}\nClient.prototype.version = () => 'mended';`);
    expect([await client.call('version'), await client.call('add')]).toEqual(['mended', 3]);
    expect(client.callsOf('close')).toEqual([]);
  });
}

/** Old code that cannot hand over. */
const misers = [
  {
    name: 'onSave throws',
    code: `application.onSave = () => { throw new Error('not now'); };`,
    says: 'application.onSave failed: not now',
    dies: false,
  },
  {
    name: 'onSave is async',
    code: 'application.onSave = async () => ({});',
    says: 'application.onSave returned a promise',
    dies: false,
  },
  {
    name: 'there is too much',
    code: `application.onConnect = () => { application.big = 'x'.repeat(100_000); return true; };`,
    says: 'limits.stateBytes',
    dies: false,
  },
  {
    name: 'there is so much that a text of it would not be made in time',
    code: `application.onConnect = () => { application.big = 'x'.repeat(20_000_000); return true; };`,
    says: 'limits.stateBytes',
    dies: false,
  },
  {
    name: 'onSave loops',
    code: 'application.onSave = () => { for (;;); };',
    says: 'the script died while its state was read',
    dies: true,
  },
  {
    name: 'onSave fills the heap',
    code: 'application.onSave = () => { const a = []; for (;;) a.push({ a: {} }); };',
    says: 'the script died while its state was read',
    dies: true,
  },
];
for (const { name, code, says, dies } of misers) {
  test(`${name}: the old code goes on${dies ? ', after recovery' : ''}, and no client is lost`, async () => {
    const { app, client } = await openApp(`${works}${code}`, {
      'app.json': JSON.stringify({ limits: { stateBytes: 65_536, handlerMs: 300, heapMb: 32 } }),
    });
    expect(await client.call('add')).toBe(1);
    const said = await saveInVain(app, `${works}Client.prototype.version = () => 'new';`);
    expect(said).toContain(says);
    expect([await client.call('version'), await client.call('add')]).toEqual(['old', dies ? 1 : 2]);
    expect(client.callsOf('close')).toEqual([]);
  });
}

test('there is so much that reading it takes too long: the old code goes on as if nothing had happened', async () => {
  const { app, client } = await openApp(
    `${works}application.onConnect = () => {
      application.many = Array.from({ length: 20 }, () => Array.from({ length: 100_000 }, (_, n) => n % 7));
      return true;
    };
    Client.prototype.grow = () => {
      application.many = new Array(5_000_000).fill(1);
    };`,
    { 'app.json': JSON.stringify({ limits: { handlerMs: 500, stateBytes: 32 * 1024 * 1024 } }) },
  );
  expect(await client.call('add')).toBe(1);
  const tooLong = 'reading the state of the application takes more than 250 ms, half of limits.handlerMs';
  expect(await saveInVain(app, `${works}Client.prototype.version = () => 'new';`)).toContain(tooLong);
  // To ask V8 for the names of so many items would take longer, and could not be interrupted.
  await client.call('grow');
  expect(await saveInVain(app, `${works}Client.prototype.version = () => 'newer';`)).toContain(tooLong);
  expect(await client.call('add')).toBe(2);
  expect(client.callsOf('close')).toEqual([]);
});

test('what the new code sends before it takes over is done when it does, and not when it fails', async () => {
  const main = (n: number, fails: boolean) => `${accept}
    const board = SharedObject.get('board');
    application.onAppStart = () => {
      board.setProperty('starts', ${n});
      application.broadcastMsg('started', ${n});
    };
    application.onRestore = () => {
      for (const client of application.clients) client.call('hello', null, ${n});
      ${fails ? "throw new Error('no');" : ''}
    };
    Client.prototype.version = () => ${n};
    Client.prototype.starts = () => board.getProperty('starts');`;
  const { app, client } = await openApp(main(1, false));
  expect(await client.call('starts')).toBe(1);
  await saveInVain(app, main(2, true));
  expect([await client.call('version'), await client.call('starts')]).toEqual([1, 1]);
  expect(client.callsOf('hello')).toEqual([]);
  await save(app, main(3, false));
  expect([await client.call('version'), await client.call('starts')]).toEqual([3, 3]);
  await client.waitForCall('hello');
  expect(client.callsOf('hello')).toEqual([[3]]);
  expect(client.callsOf('started')).toEqual([[3]]);
});

test('the API tells which instance runs what, and goes back to the build before, which keeps the state too', async () => {
  const main = (n: number) => `${accept}
    Client.prototype.add = () => { application.count = (application.count ?? 0) + 1; return [${n}, application.count]; };`;
  const { app, client } = await openApp(main(1));
  const read = async () => (await (await fetch(`${server.http}/api/apps/${app}`)).json()) as AppReport;
  const rollback = () => fetch(`${server.http}/api/apps/${app}/rollback`, { method: 'POST' });
  const [first] = (await read()).instances.filter(({ instance }) => instance === 'room');
  expect(first).toMatchObject({ clients: 1, switched: null });
  const nothing = await rollback();
  expect([nothing.status, await nothing.json()]).toEqual([
    409,
    { error: 'E_NO_BUILD', message: `no earlier build of ${app} is kept` },
  ]);

  expect(await client.call('add')).toEqual([1, 1]);
  await save(app, main(2));
  expect(await client.call('add')).toEqual([2, 2]);
  const after = await read();
  const room = after.instances.find(({ instance }) => instance === 'room')!;
  expect(room.build).toBe(after.build);
  expect(room.build).not.toBe(first!.build);
  expect(room.switched).toMatchObject({ from: first!.build, objects: 2 });
  expect(room.switched!.pausedMs).toBeGreaterThan(0);
  expect(room.switched!.bytes).toBeGreaterThan(0);
  expect(Date.parse(room.since!)).toBeGreaterThanOrEqual(Date.parse(first!.since!));
  await eventually('both builds to be kept', async () => (await read()).kept.length === 2);

  expect(await (await rollback()).json()).toEqual({ app, build: first!.build });
  expect(await client.call('add')).toEqual([1, 3]);
  await eventually(
    'the older build to come first',
    async () => (await read()).kept[0]?.build === first!.build,
  );
  expect(await (await rollback()).json()).toEqual({ app, build: room.build });
  expect(await client.call('add')).toEqual([2, 4]);
  expect((await fetch(`${server.http}/api/apps/nothing`)).status).toBe(404);
  expect((await fetch(`${server.http}/api/apps/nothing/rollback`, { method: 'POST' })).status).toBe(404);
  const all = (await (await fetch(`${server.http}/api/apps`)).json()) as { apps: string[] };
  expect(all.apps).toContain(app);
});

test('after a build that never started, the way back leads to the one before the one that runs', async () => {
  const main = (n: number) => `${accept} Client.prototype.version = () => ${n};`;
  const { app, client } = await openApp(main(1));
  await save(app, main(2));
  await saveInVain(app, `${main(3)} application.onRestore = () => { throw new Error('no'); };`);
  expect(await client.call('version')).toBe(2);
  expect((await fetch(`${server.http}/api/apps/${app}/rollback`, { method: 'POST' })).status).toBe(200);
  expect(await client.call('version')).toBe(1);
});

test('builds are kept over a new start of the server', async () => {
  const data = temporaryFolder();
  const main = (n: number) => `${accept}Client.prototype.version = () => ${n};`;
  const before = await startServer({ data, apps: { kept: { 'main.ts': main(1) } } });
  const client = await connect(`${before.rtmp}/kept/room`);
  const from = before.log.mark;
  before.writeFile('kept/main.ts', main(2));
  await before.waitForLog((r) => r.instance === 'kept/room' && r.message.startsWith('runs new code'), from);
  expect(await client.call('version')).toBe(2);
  await eventually('both builds to be kept', async () => {
    const report = (await (await fetch(`${before.http}/api/apps/kept`)).json()) as AppReport;
    return report.kept.length === 2;
  });
  await before.stop();

  const after = await startServer({ data, apps: { kept: { 'main.ts': main(2) } } });
  const again = await connect(`${after.rtmp}/kept/room`);
  expect(await again.call('version')).toBe(2);
  const rolled = await fetch(`${after.http}/api/apps/kept/rollback`, { method: 'POST' });
  expect(rolled.status).toBe(200);
  expect(await again.call('version')).toBe(1);
});

/** Code that says that it has come here, and stays until it may go on. */
const stay = `trace('here'); SharedObject.get('fence', true).isDirty; while (!new File('/goOn').exists);`;
/** More than one instalment has, and in what only a later one comes to, code that stays when it is looked at. */
const stayBetween = `setTimeout(() => {
  application.many = Array.from({ length: 3000 }, (_, n) => ({ n }));
  application.late = [[[[new Proxy({}, { ownKeys() { ${stay} return []; } })]]]];
}, 0);`;
const kills = [
  { name: 'the new core, at its top level', inOld: '', inNew: stay, kill: 'new', ends: ['old', 2] },
  {
    name: 'the new core, in onAppStart',
    inOld: '',
    inNew: `application.onAppStart = () => { ${stay} };`,
    kill: 'new',
    ends: ['old', 2],
  },
  {
    name: 'the new core, in onRestore',
    inOld: '',
    inNew: `application.onRestore = () => { ${stay} };`,
    kill: 'new',
    ends: ['old', 2],
  },
  {
    name: 'the old core, while the new code starts',
    inOld: '',
    inNew: `application.onAppStart = () => { ${stay} };`,
    kill: 'old',
    ends: ['new', 1],
  },
  {
    name: 'the new core, between two instalments',
    inOld: stayBetween,
    inNew: '',
    kill: 'new',
    ends: ['old', 2],
  },
  {
    name: 'the old core, between two instalments',
    inOld: stayBetween,
    inNew: '',
    kill: 'old',
    ends: ['new', 1],
  },
  {
    name: 'the old core, in onSave',
    inOld: `application.onSave = () => { ${stay} };`,
    inNew: '',
    kill: 'old',
    ends: ['old', 1],
  },
];
for (const { name, inOld, inNew, kill, ends } of kills) {
  test(`killed: ${name}; no client is lost, and somebody answers`, async () => {
    const code = (version: string, own: string) => `${accept}
      Client.prototype.add = () => { application.count = (application.count ?? 0) + 1; return ['${version}', application.count]; };
      ${own}`;
    const { app, client } = await openApp(code('old', inOld), {
      'app.json': JSON.stringify({ limits: { handlerMs: 20_000, startMs: 20_000 } }),
    });
    expect(await client.call('add')).toEqual(['old', 1]);
    const { core } = await server.instance(app, 'room');
    const from = server.log.mark;
    server.writeFile(`${app}/main.ts`, code('new', inNew));
    await server.waitForLog((r) => r.instance === `${app}/room` && r.message === 'here', from);
    for (const pid of server.corePids())
      if ((pid === core) === (kill === 'old')) process.kill(pid, 'SIGKILL');
    server.writeFile(`${app}/goOn`, '');
    await eventually('somebody to answer', async () => {
      const answer = await client.call('add').catch(() => undefined);
      return (answer as unknown[] | undefined)?.[0] === ends[0];
    });
    const [version, count] = (await client.call('add')) as [string, number];
    expect(version).toBe(ends[0]);
    // From the beginning where the state died with its core.
    if (ends[1] === 1) expect(count).toBe(2);
    else expect(count).toBeGreaterThan(2);
    expect(client.callsOf('close')).toEqual([]);
  });
}

test('the variables of a classic file are kept where app.json wants data kept', async () => {
  const main = (n: number) => `
    var total = 0;
    var users = {};
    var version = ${n};
    application.onConnect = function (client, name) { client.name = name; users[name] = client; return true; };
    Client.prototype.count = function () { return [version, ++total, users[this.name] == this]; };
    function helper() { return version; }
    Client.prototype.help = function () { return helper(); };`;
  const app = `state${apps++}`;
  const from = server.log.mark;
  server.writeApp(app, { 'main.asc': main(1), 'app.json': '{"reload":"keep"}' });
  await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'), from);
  const client = await connect(`${server.rtmp}/${app}/room`, { args: ['ann'] });
  expect(await client.call('count')).toEqual([1, 1, true]);
  const saved = server.log.mark;
  server.writeFile(`${app}/main.asc`, main(2));
  await server.waitForLog(
    (r) => r.instance === `${app}/room` && r.message.startsWith('runs new code'),
    saved,
  );
  expect(await client.call('count')).toEqual([2, 2, true]);
  expect(await client.call('help')).toBe(2);
});
