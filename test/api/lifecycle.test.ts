import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** Rows of the API checklist on how an application's scripts are found, loaded and reported about. */
const get = 'Client.prototype.get = function (name) { return eval(name); };';

/** Main files that say which they are. */
const mains = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, `which = ${JSON.stringify(name)}; ${get}`]));

const server = useServer({
  scriptLib: {
    'shared.asc': 'shared = "from the library"; load("deep/own.asc");',
    'deep/own.asc': 'own = "from the library"; function fail() { nothing(); }',
    'hidden.asc': 'hidden = "from the library";',
  },
  apps: {
    order: {
      'secure.asc': 'order = ["secure"]; load("loaded.asc");',
      'main.asc': `order.push("main"); load("loaded.asc");
        application.onAppStart = function () { order.push("onAppStart"); };
        application.onConnect = function (client) { order.push("onConnect"); return true; };
        ${get}`,
      'loaded.asc': 'order.push("loaded");',
    },
    errors: {
      'main.asc': `// line 1
load("lib/rooms.asc");
load("old.asc");
load("async.asc");
statuses = [];
application.onStatus = function (info) { statuses.push(info); };
Client.prototype.boom = function (where) { return where == "main" ? fail() : where == "old" ? failOld() : where == "async" ? failAsync() : failRooms(); };
${get}
function fail() {
  throw new Error("in main");
}`,
      'lib/rooms.asc':
        '\n\nfunction failRooms() {\n\tvar a = null; for each (var b in [1]) { a.rooms(); }\n}',
      'old.asc': Buffer.from('// caf\u00e9\rfunction failOld() {\r  gone();\r}', 'latin1'),
      'async.asc': '\nasync function failAsync() {\n  await null;\n  neverThere();\n}',
    },
    loadfails: { 'main.asc': 'load("lib.asc");', 'lib.asc': 'var a = 1;\n\n  b.c = 2;' },
    both: mains('scripts/main.asc', 'main.asc', 'scripts/main.js', 'main.js', 'both.asc'),
    rootasc: mains('main.asc', 'scripts/main.js', 'main.js', 'scripts/rootasc.asc'),
    scriptsjs: mains('scripts/main.js', 'main.js', 'scripts/scriptsjs.asc'),
    rootjs: mains('main.js', 'scripts/rootjs.asc', 'rootjs.asc'),
    named: mains('scripts/named.asc', 'named.asc', 'scripts/named.js'),
    namedroot: mains('namedroot.asc', 'scripts/namedroot.js', 'namedroot.js'),
    namedjs: mains('scripts/namedjs.js', 'namedjs.js'),
    last: mains('last.js', 'other.asc'),
    secured: {
      'secure.asc': `
        var hidden = { secret: 42, load: load, add: function (a, b) { return a + b + this.secret; }, Deep: function () {} };
        getGlobal().system = protectObject(hidden);
        hidden = null;
        realLoad = null;
        load = function (name) { system.load("safe_" + name); };
        try { protectObject(7); } catch (e) { refusal = e.message; }`,
      'main.asc': `
        load("part.asc");
        system.secret = 1; system.add = null; delete system.add;
        seen = [typeof getGlobal, typeof protectObject, typeof hidden == "object" && hidden === null, refusal,
          system.add(1, 2), typeof system.secret, system.add == null];
        names = []; for (var name in system) names.push(name);
        ${get}`,
      'safe_part.asc': 'part = "safe";',
      'part.asc': 'part = "unsafe";',
    },
    archived: { 'main.far': 'PK' },
    archivedname: { 'archivedname.far': 'PK' },
    bytecode: { 'main.ase': 'x' },
    witharchive: { 'main.far': 'PK', ...mains('main.asc') },
    library: {
      'main.asc': `load("shared.asc"); load("hidden.asc"); load("netservices.asc");
        application.onStatus = function (info) { status = info; };
        ${get}
        Client.prototype.boom = function () { fail(); };`,
      'hidden.asc': 'hidden = "of the application";',
    },
  },
});

const connectTo = (app: string) => connect(`${server.rtmp}/${app}`);
const whyNot = async (app: string) => {
  await connectRefused(`${server.rtmp}/${app}`);
  return server.waitForLog((r) => r.instance?.startsWith(app) === true && r.level === 'error');
};

test('LIFE-02: secure.asc runs first, then the main script, what they load, onAppStart, onConnect', async () => {
  const client = await connectTo('order');
  const order = ['secure', 'main', 'loaded', 'loaded', 'onAppStart', 'onConnect'];
  expect(await client.call('get', 'order')).toEqual(order);
});

test('LIFE-02: an instance whose loaded file throws does not start, and its client is rejected', async () => {
  expect(await whyNot('loadfails')).toMatchObject({
    code: 'E_SCRIPT',
    message: 'top level: b is not defined (lib.asc:3:3)',
    detail: '3 |   b.c = 2;\n  |   ^',
  });
});

const places = [
  { where: 'main', filename: 'main.asc', lineno: 10, linebuf: '  throw new Error("in main");' },
  {
    where: 'rooms',
    filename: 'lib/rooms.asc',
    lineno: 4,
    linebuf: '  var a = null; for each (var b in [1]) { a.rooms(); }',
  },
  { where: 'old', filename: 'old.asc', lineno: 3, linebuf: '  gone();' },
  { where: 'async', filename: 'async.asc', lineno: 4, linebuf: '  neverThere();' },
];
for (const { where, ...place } of places) {
  test(`LIFE-11: application.onStatus hears of an error in ${place.filename} with file, line and text`, async () => {
    const client = await connect(`${server.rtmp}/errors/${where}`);
    expect(await client.callFails('boom', where)).toMatchObject({ code: 'NetConnection.Call.Failed' });
    let statuses: unknown[] = [];
    while (statuses.length === 0) statuses = (await client.call('get', 'statuses')) as unknown[];
    expect(statuses).toEqual([
      expect.objectContaining({ code: 'Application.Script.Error', level: 'error', ...place }),
    ]);
  });
}

const searched = [
  { app: 'both', first: 'scripts/main.asc' },
  { app: 'rootasc', first: 'main.asc' },
  { app: 'scriptsjs', first: 'scripts/main.js' },
  { app: 'rootjs', first: 'main.js' },
  { app: 'named', first: 'scripts/named.asc' },
  { app: 'namedroot', first: 'namedroot.asc' },
  { app: 'namedjs', first: 'scripts/namedjs.js' },
  { app: 'last', first: 'last.js' },
];
for (const { app, first } of searched) {
  test(`LIFE-13: of the scripts of ${app}, ${first} is the main one`, async () => {
    const client = await connectTo(app);
    expect(await client.call('get', 'which')).toBe(first);
  });
}

test('LIFE-13: main files that are passed over are named in the log', async () => {
  const warning = await server.waitForLog((r) => r.instance === 'both' && r.level === 'warn');
  expect(warning.detail).toBe('main.asc: is not run: scripts/main.asc comes before it');
});

test('LIFE-14: secure.asc hides what it protects, and secure mode ends with it', async () => {
  const client = await connectTo('secured');
  expect(await client.call('get', 'seen')).toEqual([
    'undefined',
    'undefined',
    true,
    'protectObject: expected an object, got number',
    45,
    'undefined',
    false,
  ]);
  expect(await client.call('get', 'names')).toEqual([]);
  expect(await client.call('get', 'part')).toBe('safe');
});

const archives = [
  { app: 'archived', name: 'main.far' },
  { app: 'archivedname', name: 'archivedname.far' },
  { app: 'bytecode', name: 'main.ase' },
];
for (const { app, name } of archives) {
  test(`LIFE-15: an application that has only ${name} is refused with a reason`, async () => {
    await whyNot(app);
    const { detail } = await server.waitForLog((r) => r.instance === app && r.code === 'E_BUILD');
    expect(detail).toContain(`${name} in `);
    expect(detail).toContain(
      'is a script archive or byte code, which this server does not read: unpack its .asc files',
    );
  });
}

test('LIFE-15: an archive beside a main script is warned of', async () => {
  expect(await (await connectTo('witharchive')).call('get', 'which')).toBe('main.asc');
  const { detail } = await server.waitForLog((r) => r.instance === 'witharchive' && r.level === 'warn');
  expect(detail).toContain('main.far: is a script archive');
});

test('CFG-04: load finds in scriptLibPath what the application has not, and the library of the server behind it', async () => {
  const client = await connectTo('library');
  expect(await client.call('get', '[shared, own, hidden, typeof NetServices]')).toEqual([
    'from the library',
    'from the library',
    'of the application',
    'object',
  ]);
  await client.callFails('boom');
  let status: unknown;
  while (!status) status = await client.call('get', 'typeof status == "undefined" ? null : status');
  expect(status).toMatchObject({ filename: 'scriptlib:deep/own.asc', lineno: 1 });
});
