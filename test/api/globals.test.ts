import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** Rows GLB-01 to GLB-04 and GLB-07 of the API checklist: the functions that are just there. */
const echo = `
application.onConnect = function (client) { return true; };
Client.prototype.get = function (name) { return eval(name); };`;

const server = useServer({
  apps: {
    ordered: {
      'main.asc': `
        order = ["main begins"];
        load("lib/first.asc");
        load("lib\\\\second.js");
        load("lib/first.asc");
        order.push("first is " + typeof first);
        application.onAppStart = function () { order.push("onAppStart"); };
        ${echo}`,
      'lib/first.asc': `
        function first() { return this === undefined ? "strict" : "sloppy"; }
        order.push("first");
        if (typeof third == "undefined") load("third.asc");`,
      'lib/second.js': 'order.push("second sees " + first());',
      'third.asc': 'third = "third"; order.push("third");',
    },
    places: {
      'scripts/main.asc': `found = [];
        load("a.asc"); load("b.asc"); load("./sub/../sub/c.asc"); load("/d.js"); load("../b.asc");
        var name = "e"; load(name + ".asc");
        ${echo}`,
      'scripts/a.asc': 'found.push("scripts/a");',
      'a.asc': 'found.push("a");',
      'b.asc': 'found.push("b");',
      'scripts/sub/c.asc': 'found.push("scripts/sub/c");',
      'd.js': 'found.push("d");',
      'e.asc': 'found.push("e");',
      'never.js': 'this does not compile and is not loaded',
    },
    late: {
      'main.asc': `
        load("lib.asc");
        application.onAppStart = function () { refusals = [refusal("lib.asc")]; };
        function refusal(name) { try { load(name); return "loaded"; } catch (e) { return e.message; } }
        refusals2 = [refusal(), refusal(""), refusal(7)];
        ${echo}
        Client.prototype.lateLoad = function () { return refusal("lib.asc"); };`,
      'lib.asc': '',
    },
    attributes: {
      'main.asc': `
        function Tools() {}
        Tools.prototype.hidden = function () { return "hidden"; };
        Tools.prototype.kept = function () { return "kept"; };
        Tools.prototype.free = 1;
        setAttributes(Tools.prototype, "hidden", false, true, true);
        setAttributes(Tools.prototype, "kept", true, false, true);
        setAttributes(Tools.prototype, "free", false, true, false);
        setAttributes(Tools.prototype, "neverThere", true, true, true);
        Client.prototype.shown = function () { var names = []; for (var name in new Tools) names.push(name); return names; };
        Client.prototype.tryAll = function () {
          var gone = delete Tools.prototype.free;
          Tools.prototype.hidden = function () { return "another"; };
          delete Tools.prototype.hidden; delete Tools.prototype.kept;
          var own = new Tools; own.kept = function () { return "mine"; };
          return [gone, new Tools().hidden(), own.kept(), new Tools().kept(), "free" in Tools.prototype ? "there" : "free"];
        };
        Client.prototype.again = function () { setAttributes(Tools.prototype, "hidden", true, false, false); };`,
    },
    missing: { 'main.asc': 'var a = 1;\n  load("lib/gone.asc");\nload("there.asc");', 'there.asc': '' },
    misspelled: { 'main.asc': 'load("lib/Utils.asc");', 'lib/utils.asc': '' },
    outside: { 'main.asc': 'load("../../etc/x.asc");' },
    strange: { 'main.asc': 'load("data.txt");', 'data.txt': '' },
    endless: { 'main.asc': 'load("a.asc");', 'a.asc': 'load("a.asc");' },
    unloadable: {
      'main.asc': 'var which = "bro"; load(which + "ken.asc");',
      'broken.asc': 'var a = 1;\nvar b = <b/>;',
    },
    module: {
      'main.ts': `application.onConnect = () => true;
        Client.prototype.tryLoad = () => { try { (globalThis as any).load('x.asc'); } catch (error) { return String(error); } };`,
    },
    traces: {
      'main.asc': `trace("top level"); trace(1.5); trace(null); trace(); trace({ toString: function () { return "an object"; } });
        ${echo}`,
    },
    ticks: {
      'main.asc': `
        seen = []; args = [];
        clock = { label: "clock", tick: function (a, b) { seen.push(this.label); args.push(a, b); } };
        application.onAppStart = function () {
          plain = setInterval(function (x) { seen.push("plain " + x); }, 5, "x");
          object = setInterval(clock, "tick", 5, 1, "two");
          function Ticker() { seen.push("made"); }
          Ticker.tick = function (x) { seen.push("ticker " + x + (this === Ticker)); };
          ticker = setInterval(Ticker, "tick", 5, "y");
          seen.push("set");
        };
        ${echo}
        Client.prototype.swap = function () { clock.tick = function () { seen.push("swapped"); }; };
        Client.prototype.stop = function () { clearInterval(plain); clearInterval(object); clearInterval(ticker); seen.length = 0; return [typeof plain, typeof object]; };`,
    },
  },
});

const refusedWith = async (app: string) => {
  await connectRefused(`${server.rtmp}/${app}`);
  return server.waitForLog((r) => r.instance === `${app}/_definst_` && r.level === 'error');
};

test('GLB-01: load runs files after the main script, in call order, before onAppStart, as often as it is called', async () => {
  const client = await connect(`${server.rtmp}/ordered`);
  expect(await client.call('get', 'order')).toEqual([
    'main begins',
    'first is undefined',
    'first',
    'second sees sloppy',
    'first',
    'third',
    'third',
    'onAppStart',
  ]);
});

test('GLB-01: load looks in the folder of the main script, in scripts/ and in the application, for names reckoned too', async () => {
  const client = await connect(`${server.rtmp}/places`);
  expect(await client.call('get', 'found')).toEqual(['scripts/a', 'b', 'scripts/sub/c', 'd', 'b', 'e']);
});

test('GLB-01: load after loading, and of what is no name, throws and says why', async () => {
  const client = await connect(`${server.rtmp}/late`);
  const late = expect.stringMatching(
    /^load\("lib\.asc"\): scripts are loaded only while an instance .* starts/,
  );
  expect(await client.call('get', 'refusals')).toEqual([late]);
  expect(await client.call('lateLoad')).toEqual(late);
  expect(await client.call('get', 'refusals2')).toEqual([
    'load: expected the name of a script, got undefined',
    'load: expected the name of a script, got ""',
    'load: expected the name of a script, got 7',
  ]);
  const module = await connect(`${server.rtmp}/module`);
  expect(await module.call('tryLoad')).toContain('of a classic application');
});

const failures = [
  {
    app: 'missing',
    message:
      'top level: load("lib/gone.asc"): there is no such file; looked for lib/gone.asc, scripts/lib/gone.asc, lib/gone.asc in the script library (main.asc:2:3)',
  },
  {
    app: 'outside',
    message:
      'top level: load("../../etc/x.asc"): the name leads out of the application\'s folder (main.asc:1:1)',
  },
  {
    app: 'strange',
    message: 'top level: load("data.txt"): only files ending in .asc or .js can be loaded (main.asc:1:1)',
  },
  {
    app: 'endless',
    message:
      'top level: load("a.asc"): 1000 files are loaded already; does one of them load itself? (a.asc:1:1)',
  },
  {
    app: 'unloadable',
    message: expect.stringMatching(/XML literal \(E4X\): .* \(broken\.asc:2:9\)$/),
  },
];
for (const { app, message } of failures) {
  test(`GLB-01: load that cannot be done (${app}) stops the start and says what and where`, async () => {
    expect(await refusedWith(app)).toMatchObject({ code: 'E_SCRIPT', message });
  });
}

test('GLB-01: load of a name in other letters names the file that is there', async () => {
  const { message } = await refusedWith('misspelled');
  expect(message).toContain('script library; there is lib/utils.asc, and case matters (main.asc:1:1)');
});

test('GLB-02: trace prints one value a line to the log of the instance', async () => {
  await connect(`${server.rtmp}/traces`);
  await server.expectTraces('traces/_definst_', ['top level', '1.5', 'null', 'undefined', 'an object']);
});

test('GLB-03: setInterval calls a function, or a method that it looks up at each tick, with arguments', async () => {
  const client = await connect(`${server.rtmp}/ticks`);
  const has = async (what: string) => ((await client.call('get', 'seen')) as string[]).includes(what);
  while (!(await has('plain x')) || !(await has('clock'))) await client.settled();
  const seen = (await client.call('get', 'seen')) as string[];
  expect(seen[0]).toBe('set');
  while (!(await has('ticker ytrue'))) await client.settled();
  expect(await has('made')).toBe(false);
  expect((await client.call('get', 'args')) as unknown[]).toEqual(expect.arrayContaining([1, 'two']));
  await client.call('swap');
  while (!(await has('swapped'))) await client.settled();
});

test('GLB-04: clearInterval ends what setInterval gave a number for', async () => {
  const client = await connect(`${server.rtmp}/ticks/cleared`);
  expect(await client.call('stop')).toEqual(['number', 'number']);
  await client.call('get', 'setTimeout(function () { seen.push("later"); }, 50)');
  let seen: unknown[] = [];
  while (seen.length === 0) seen = (await client.call('get', 'seen')) as unknown[];
  expect(seen).toEqual(['later']);
});

test('GLB-07: setAttributes hides a property, keeps it from being assigned to, and keeps it there', async () => {
  const client = await connect(`${server.rtmp}/attributes`);
  expect(await client.call('shown')).toEqual(['kept']);
  expect(await client.call('tryAll')).toEqual([true, 'hidden', 'mine', 'kept', 'free']);
  const info = await client.callFails('again');
  expect(info.description).toBe('TypeError: setAttributes: "hidden" is permanent already');
});
