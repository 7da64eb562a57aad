import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const get = 'Client.prototype.get = function (text) { return eval(text); };';
const server = useServer({
  apps: {
    grows: {
      'main.asc': `parts = []; for (var i = 0; i < 2; i++) load("part" + i + ".asc"); ${get}`,
      'part0.asc': '',
      'app.json': '{ "reload": "keep" }',
    },
    lacks: { 'main.asc': `load("later.asc"); ${get}` },
    starts: { 'readme.txt': '', 'app.json': '{ "reload": "keep" }' },
    slow: {
      'main.asc': 'load("a.asc");',
      'a.asc': 'for (var i = 0; ; i++);',
    },
    patched: {
      'main.asc': `load("a.asc");
        Array.prototype.push = Object.assign = String.prototype.split = function () { throw new Error("patched"); };
        Object.defineProperty(Object.prototype, "name", { set: function () {}, configurable: true });
        Error.stackTraceLimit = 0;
        Object.defineProperty(Array.prototype, "1", { set: function () {}, configurable: true });
        load("b.asc"); load("c.asc");
        ${get}`,
      'a.asc': 'order = "a";',
      'b.asc': 'order += "b";',
      'c.asc': 'order += "c";',
    },
    forEachPatched: {
      'main.asc': `Object.prototype.everywhere = "inherited"; $_of = null; var seen = [];
        try { for each (var v in [1]) seen[seen.length] = v; } catch (e) { seen[seen.length] = e.name; }
        ${get}`,
    },
  },
  limits: { startMs: 500 },
});

const url = (app: string) => `${server.rtmp}/${app}`;
const saved = async (path: string, text: string, line: string, app: string) => {
  const from = server.log.mark;
  server.writeFile(path, text);
  return server.waitForLog((r) => r.instance?.startsWith(app) === true && r.message.startsWith(line), from);
};

test('files that are loaded by a reckoned name may appear and change while the server runs', async () => {
  await connectRefused(url('grows'));
  const { message } = await server.waitForLog(
    (r) => r.instance === 'grows/_definst_' && r.code === 'E_SCRIPT',
  );
  expect(message).toContain('load("part1.asc"): there is no such file; looked for part1.asc');
  await saved('grows/part1.asc', 'parts.push("one");', 'built', 'grows');
  const client = await connect(url('grows'));
  expect(await client.call('get', 'parts')).toEqual(['one']);
  await saved('grows/part0.asc', 'parts.push("zero");', 'runs new code', 'grows/_definst_');
  expect(await client.call('get', 'parts')).toEqual(['zero', 'one']);
});

test('a file that is missed by its name is built in when it comes', async () => {
  await connectRefused(url('lacks'));
  await saved('lacks/later.asc', 'later = "here";', 'built', 'lacks');
  expect(await (await connect(url('lacks'))).call('get', 'later')).toBe('here');
});

test('main scripts of every name that can be one start an application that had none', async () => {
  const names = ['scripts/starts.js', 'starts.asc', 'scripts/main.asc'];
  for (const name of names) {
    const line = name === names[0] ? 'built' : 'runs new code';
    await saved(`starts/${name}`, `which = "${name}"; ${get}`, line, 'starts');
    expect(await (await connect(url('starts'))).call('get', 'which')).toBe(name);
  }
});

test('a loaded file that does not come to its end is stopped, with its place', async () => {
  await connectRefused(url('slow'));
  const { message } = await server.waitForLog(
    (r) => r.instance === 'slow/_definst_' && r.code === 'E_SCRIPT',
  );
  expect(message).toMatch(/^top level: took longer than \d+ ms \(limits\.startMs\) \(a\.asc:1:\d+\)$/);
});

test('load is not moved by built-ins that the script has replaced', async () => {
  expect(await (await connect(url('patched'))).call('get', 'order')).toBe('abc');
});

test('a script that replaces what for each runs on breaks only itself', async () => {
  const client = await connect(url('forEachPatched'));
  expect(await client.call('get', 'seen')).toEqual(['TypeError']);
});
