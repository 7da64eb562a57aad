import { expect, test } from 'vitest';
import { SharedObjectEventType as Event } from '../../wire/shared-object.ts';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const server = useServer({
  limits: { idleInstanceMs: 60_000 },
  apps: {
    board: {
      'main.js': `${runsCode}
        var so = SharedObject.get('board', false);
        var heard = [];
        so.onSync = function (list) {
          heard.push(list.map((e) => [e.code, e.name, e.oldValue, e.client && e.client.id !== undefined]));
        };
        so.say = function (...args) { heard.push(['say', ...args]); };`,
    },
    large: { 'main.js': runsCode },
    plain: { 'README.md': 'No script here.' },
    slow: { 'main.js': runsCode, 'app.json': '{ "limits": { "handlerMs": 20000 } }' },
    tight: { 'main.js': runsCode, 'app.json': '{ "limits": { "sharedObjectBytes": 65536 } }' },
    small: {
      'main.js': `${runsCode} var so = SharedObject.get('small');`,
      'app.json': JSON.stringify({
        limits: { slots: 3, slotBytes: 256, sharedObjectBytes: 65_536, handlerMs: 3000 },
      }),
    },
    counting: {
      'main.js': `${runsCode}
        var so = SharedObject.get('count');
        var timer;
        application.onConnect = function () {
          // The one that was there before counts until the end; the next is asked what it has.
          if (!so.getProperty('n')) timer = setInterval(() => so.setProperty('n', (so.getProperty('n') || 0) + 1), 5);
          return true;
        };
        Client.prototype.stop = () => [so.getProperty('n'), SharedObject.get('count').getProperty('n')];`,
    },
    module: {
      'main.ts': `
        const so = SharedObject.get('count');
        application.expose({
          add() { const n = (so.getProperty('n') ?? 0) as number; so.setProperty('n', n + 1); return n + 1; },
          names: () => so.getPropertyNames(),
        });`,
    },
  },
});

let room = 0;
const newRoom = (app = 'board') => `${app}/so${room++}`;

async function pair(at: string, name = 'board'): Promise<{ client: RtmpClient; so: RemoteSharedObject }> {
  const client = await connect(`${server.rtmp}/${at}`);
  return { client, so: await new RemoteSharedObject(client, name).connect() };
}

const heardBy = (client: RtmpClient) => run(client, 'return heard.splice(0)');

test('V23: what a client changes reaches the script: its copy, and onSync with the value before', async () => {
  const at = newRoom();
  const [a, b] = [await pair(at), await pair(at)];
  await a.so.setAndWait('k', 1);
  await b.so.holds({ k: 1 });
  expect(await run(a.client, 'return [so.getProperty("k"), so.version, so.size(), so.name]')).toEqual([
    1,
    2,
    1,
    'board',
  ]);
  expect(await heardBy(a.client)).toEqual([[['change', 'k', undefined, true]]]);
  a.so.change({ set: { k: 2, l: { deep: [1] } } }, { remove: 'none' });
  b.so.change({ remove: 'k' });
  await a.so.holds({ l: { deep: [1] } });
  await b.so.setAndWait('m', 1);
  expect(await heardBy(a.client)).toEqual([
    [
      ['change', 'k', 1, true],
      ['change', 'l', undefined, true],
    ],
    [['delete', 'k', 2, true]],
    [['change', 'm', undefined, true]],
  ]);
});

test('V24: what the script sets reaches clients as one version, and raises no onSync of its own', async () => {
  const at = newRoom();
  const { client, so } = await pair(at);
  expect(
    await run(client, 'so.setProperty("k", { a: [1, "ü"] }); return [so.getProperty("k"), so.version]'),
  ).toEqual([{ a: [1, 'ü'] }, 2]);
  await so.holds({ k: { a: [1, 'ü'] } });
  expect(so.syncs.entries.at(-1)).toMatchObject({ version: 2, list: [{ code: 'change', name: 'k' }] });
  await run(client, 'so.setProperty("k", { a: [1, "ü"] })'); // what is there already
  await run(client, 'so.setProperty("k", null); so.setProperty("none", undefined)');
  await so.holds({});
  expect(so.syncs.entries.at(-1)).toMatchObject({ version: 3, list: [{ code: 'delete', name: 'k' }] });
  await run(client, 'so.setProperty("a", 1); so.setProperty("b", 2); so.clear(); so.setProperty("c", 3)');
  await so.holds({ c: 3 });
  expect(so.version).toBe(7);
  expect(await heardBy(client)).toEqual([]);
  // A copy: changing it changes nothing.
  await run(client, 'so.setProperty("o", { n: 1 }); so.getProperty("o").n = 2');
  await so.holds({ c: 3, o: { n: 1 } });
});

test('V25: a lock makes the changes of the script one, and those of clients wait', async () => {
  const at = newRoom();
  const { client, so } = await pair(at);
  expect(await run(client, 'return [so.lock(), so.lock(), so.unlock()]')).toEqual([1, 2, 1]);
  await run(client, 'so.setProperty("a", 1)');
  so.set('a', 'client'); // the lock goes on from handler to handler
  so.change({ set: { mine: 1 } });
  await run(client, 'so.setProperty("b", 2); so.mark("marked", so.size()); so.setProperty("c", 3)');
  const before = so.syncs.mark;
  await client.settled();
  expect(so.syncs.mark).toBe(before);
  expect(await run(client, 'return so.unlock()')).toBe(0);
  await so.syncs.waitFor('the changes of the script', ({ list }) => list.length === 3, before);
  expect(so.syncs.entries[before]).toMatchObject({
    version: 2,
    list: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    sends: [['marked', 2]],
  });
  await so.holds({ a: 'client', b: 2, c: 3, mine: 1 });
  expect(await run(client, 'return [so.getProperty("a"), so.unlock()]')).toEqual(['client', 0]);
});

test('send goes to every subscriber and not to the script; what clients send reaches its handler', async () => {
  const at = newRoom();
  const { client, so } = await pair(at);
  const other = await pair(at);
  expect(await run(client, 'return so.send("say", "hello", { to: "all" })')).toBe(true);
  for (const each of [so, other.so]) {
    const { sends } = await each.syncs.waitFor('the message', (sync) => sync.sends.length > 0);
    expect(sends).toEqual([['say', 'hello', { to: 'all' }]]);
  }
  const shared = { x: 1 };
  so.change({ send: ['say', shared, [shared]] }, { send: ['setProperty', 'k', 1] }, { send: ['toString'] });
  await run(
    client,
    'SharedObject.prototype.later = function (x) { heard.push(["later", x, this === so]); }; so.send("later", 0)',
  );
  so.change({ send: ['later', 5] }, { send: ['nobody'] });
  so.set('last', 1);
  await other.so.holds({ last: 1 });
  expect(await heardBy(client)).toEqual([
    ['say', shared, [shared]],
    ['later', 5, true],
    [['change', 'last', undefined, true]],
  ]);
  expect(await run(client, 'return so.getProperty("k")')).toBeUndefined();
});

test('reading, computing and writing in a handler is atomic, with clients that write the same slots', async () => {
  const at = newRoom('module');
  const clients = await Promise.all(Array.from({ length: 6 }, () => pair(at, 'count')));
  const calls = Array.from({ length: 300 }, (_, i) => {
    clients[i % 6]!.so.set(`noise${i % 6}`, i);
    return clients[i % 6]!.client.call('add');
  });
  expect(new Set(await Promise.all(calls)).size).toBe(300);
  await eventually('300 for all', () => clients.every(({ so }) => so.data.get('n') === 300));
  expect(clients.every(({ so }) => so.data.size === 7)).toBe(true);
});

test('an object that only the script has stays; it outlives the script that dies, and one that is replaced', async () => {
  const at = newRoom();
  const client = await connect(`${server.rtmp}/${at}`);
  await run(client, 'so.setProperty("kept", 1); SharedObject.get("other").setProperty("x", 1); so.lock()');
  await client.callFails('run', 'for (;;);');
  await server.waitForLog((r) => r.instance === at && r.message.startsWith('started again'));
  expect(await run(client, 'return [so.getProperty("kept"), so.version]')).toEqual([1, 2]);
  // What the next script has not opened is gone, and the lock with its script.
  expect(await run(client, 'return SharedObject.get("other").size()')).toBe(0);
  const { so } = await pair(at);
  expect(await so.setAndWait('mine', 2)).toMatchObject({ code: 'success' });
  server.writeFile('board/main.js', `${server.readFile('board/main.js')}\n// newer`);
  await server.waitForLog((r) => r.instance === at && r.message.startsWith('runs new code'));
  expect(await run(client, 'return so.getPropertyNames().sort()')).toEqual(['kept', 'mine']);
  // The variables of the file came along.
  expect(await heardBy(client)).toEqual([[['change', 'mine', undefined, true]]]);
  await run(client, 'so.close(); heard.length = 0');
  await so.setAndWait('late', 3);
  expect(await heardBy(client)).toEqual([]);
});

test('the copy of a script is right again after a handler that clients did not wait for', async () => {
  const { client, so } = await pair(`slow/room${room++}`, 'copies');
  await run(client, 'globalThis.so = SharedObject.get("copies")');
  const writes = [
    'so.setProperty("a", "script"); so.setProperty("b", null)',
    'so.clear(); so.setProperty("c", "script")',
    'so.setProperty("d", "script"); so.setProperty("a", "again")',
    'so.lock(); so.setProperty("a", "locked")',
  ];
  for (const [i, write] of writes.entries()) {
    await run(client, 'so.setProperty("b", 1)');
    let from = so.syncs.mark;
    const code = `
      so.setProperty('busy', args[0]);
      SharedObject.get('other', true).isDirty; // the server has that by now
      ${write};
      while (!new File('/flag' + args[0]).exists);`;
    const busy = run(client, code, i);
    await so.syncs.waitFor('the beginning', ({ list }) => list.some(({ name }) => name === 'busy'), from);
    from = so.syncs.mark;
    so.change({ set: { a: 'client', b: i, e: i } });
    if (i === 2) so.change('clear', { set: { f: 1 } });
    await so.syncs.waitFor('an answer while the script is busy', ({ list }) => list.length > 0, from);
    server.writeFile(`slow/flag${i}`, '');
    await busy;
    if (write.startsWith('so.lock'))
      await run(client, 'so.setProperty("g", so.getProperty("a")); so.unlock()');
    await so.setAndWait('end', i);
    const held = Object.fromEntries(so.data);
    expect(held.end).toBe(i);
    expect(
      await run(
        client,
        'const all = {}; for (const name of so.getPropertyNames()) all[name] = so.getProperty(name); return all',
      ),
    ).toEqual(held);
  }
});

test('what a script sets beyond the limit of all objects is not in its copy either', async () => {
  const { client } = await pair(newRoom('small'), 'small');
  await run(
    client,
    'for (let i = 0; i < 60; i++) for (const name of ["a", "b", "c"]) SharedObject.get("o" + i).setProperty(name, "x".repeat(240))',
  );
  const sizes = (await run(
    client,
    'const all = []; for (let i = 0; i < 60; i++) all.push(SharedObject.get("o" + i).size()); return all',
  )) as number[];
  expect(sizes[0]).toBe(3);
  expect(sizes[59]).toBe(0);
  for (const i of [0, 59, sizes.lastIndexOf(3) + 1]) {
    const so = await new RemoteSharedObject(client, `o${i}`).connect();
    expect(so.data.size).toBe(sizes[i]);
  }
});

test('what the old script does while the new one starts is in the copy of the new', async () => {
  const at = newRoom('counting');
  const { client, so } = await pair(at, 'count');
  await eventually('it to count', () => Number(so.data.get('n')) > 5);
  server.writeFile(
    'counting/main.js',
    `${server.readFile('counting/main.js')}
    application.onAppStart = () => new Promise((resolve) => setTimeout(resolve, 300));`,
  );
  await server.waitForLog((r) => r.instance === at && r.message.startsWith('runs new code'));
  const [first, last] = (await client.call('stop')) as [number, number];
  expect(last).toBeGreaterThan(5);
  expect(first).toBe(last);
  await so.holds({ n: last });
});

test('getPropertyNames of an empty object is null for classic scripts, and an empty list for modules', async () => {
  expect(await run((await pair(newRoom())).client, 'return so.getPropertyNames()')).toBeNull();
  expect(await (await pair(newRoom('module'), 'count')).client.call('names')).toEqual([]);
});

test('limits hold for scripts; objects of many slots open whole', async () => {
  const at = newRoom('small');
  const { client, so } = await pair(at, 'small');
  const thrown = (code: string) =>
    run(client, `try { ${code} } catch (error) { return error.name + ': ' + error.message }`);
  await run(client, 'for (const name of ["a", "b", "c"]) so.setProperty(name, 1)');
  expect(await thrown('so.setProperty("d", 1)')).toBe(
    'RangeError: so.setProperty: 3 slots are there, and that is the limit (limits.slots)',
  );
  expect(await thrown('so.setProperty("a", "x".repeat(300))')).toMatch(
    /^RangeError: so\.setProperty: "a": .*limits\.slotBytes/,
  );
  await so.holds({ a: 1, b: 1, c: 1 });

  const large = newRoom();
  const writer = await pair(large, 'large');
  const text = 'x'.repeat(10_000);
  for (let i = 0; i < 300; i++) writer.so.set(`slot${i}`, `${i} ${text}`);
  await writer.so.setAndWait('end', 1);
  const sum =
    'const large = SharedObject.get("large"); let n = 0; for (const name of large.getPropertyNames()) n += String(large.getProperty(name)).length; return [large.size(), n]';
  const digits = Array.from({ length: 300 }, (_, i) => `${i} `.length).reduce((a, b) => a + b);
  expect(await run(writer.client, sum)).toEqual([301, 300 * 10_000 + digits + 1]);
});

test.each([
  ['new SharedObject()', 'SharedObject.get opens them'],
  ['SharedObject.get()', 'SharedObject.get: expected a name, got undefined'],
  ['SharedObject.get("a//b")', 'is no name of a shared object'],
  ['SharedObject.get("x", "path")', 'persistence: expected true or false, got "path"'],
  ['so.setProperty()', 'so.setProperty: expected the name of a slot, got undefined'],
  ['so.setProperty("a", 1n)', 'so.setProperty: '],
  ['so.getProperty({})', 'so.getProperty: expected the name of a slot, got an object'],
  ['so.send()', 'so.send: expected the name of a method, got undefined'],
  ['so.send("clear")', 'so.send: expected the name of a method, got "clear"'],
  ['so.purge("x")', 'so.purge: expected a version, got "x"'],
  [
    'const o = SharedObject.get("gone"); o.close(); o.setProperty("a", 1)',
    'the shared object "gone" is closed',
  ],
])('%s says what is wrong', async (code, says) => {
  const { client } = await pair(newRoom());
  expect(await run(client, `try { ${code} } catch (error) { return error.message }`)).toContain(says);
});

test('a handler that takes longer than clients wait comes last, and finds out about it afterwards', async () => {
  const client = await connect(`${server.rtmp}/slow/room`);
  const so = await new RemoteSharedObject(client, 'so').connect();
  await run(client, 'globalThis.so = SharedObject.get("so"); so.setProperty("both", "nobody");');
  const code = `
    so.setProperty('began', true);
    SharedObject.get('other', true).isDirty; // the server has that by now
    so.setProperty('x', 'script');
    so.setProperty('gone', 1);
    while (!new File('/flag').exists);
    so.setProperty('y', 'script');
    so.setProperty('gone', null);`;
  const call = run(client, code);
  await so.syncs.waitFor('the beginning', ({ list }) => list.some(({ name }) => name === 'began'));
  const from = so.syncs.mark;
  so.change({ set: { x: 'client', y: 'client', gone: 'client', own: 1 } }, { remove: 'both' });
  await so.syncs.waitFor('the answer', ({ list }) => list.some(({ name }) => name === 'own'), from);
  server.writeFile('slow/flag', '');
  await call;
  await so.holds({ began: true, x: 'script', y: 'script', own: 1 });
  const copy = 'return args.map((name) => so.getProperty(name))';
  const names = ['began', 'x', 'y', 'gone', 'own', 'both'];
  expect(await run(client, copy, ...names)).toEqual([true, 'script', 'script', undefined, 1, undefined]);
});

test('a script that opens a large object has all of it, whatever goes meanwhile', async () => {
  const at = `large/room${room++}`;
  const { client, so } = await pair(at, 'large');
  for (let n = 0; n < 3000; n += 100) {
    const set = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`s${n + i}`, 'x'.repeat(600)]));
    so.change({ set });
  }
  await so.setAndWait('end', 1);
  // What goes while it is read page by page moves what comes after.
  const reader = await connect(`${server.rtmp}/${at}`);
  const opened = run(reader, "globalThis.so = SharedObject.get('large'); return so.size()");
  for (let n = 0; n < 3000; n += 2) so.change({ remove: `s${n}` });
  await opened;
  await so.setAndWait('end', 2);
  const names = (await run(client, 'return so.getPropertyNames().sort()')) as string[];
  expect(names).toEqual([...so.data.keys()].sort());
});

test('names of slots are what clients can have', async () => {
  const { client, so } = await pair(newRoom());
  const long = "try { so.setProperty('€'.repeat(342), 1) } catch (error) { return error.message }";
  expect(await run(client, long)).toContain('1024 bytes at the most, and this one 1026');
  await run(client, "so.setProperty('€'.repeat(341), 1); so.setProperty('half \\ud800', 2)");
  await so.holds({ ['€'.repeat(341)]: 1, 'half \ufffd': 2 });
  so.change({ remove: 'half \ufffd' });
  await so.setAndWait('end', 1);
  expect(await run(client, "return [so.getProperty('half \\ud800'), so.size()]")).toEqual([undefined, 2]);
});

test('clearSharedObjects within a lock: what the lock has is set after it', async () => {
  const { client, so } = await pair(newRoom());
  await so.setAndWait('old', 1);
  const code =
    "so.lock(); so.setProperty('a', 1); application.clearSharedObjects('/'); so.unlock(); return so.getPropertyNames()";
  expect(await run(client, code)).toEqual(['a']);
  await so.holds({ a: 1 });
});

test('who writes to the next object of a name before it hears of it gets its own back', async () => {
  const at = newRoom('plain');
  const ann = (await pair(at, 'brief')).so;
  for (let n = 0; n < 20; n++) await ann.setAndWait('a', n);
  const { version } = ann;
  ann.release();
  const bob = new RemoteSharedObject(await connect(`${server.rtmp}/${at}`), 'brief');
  bob.version = version;
  bob.send([{ type: Event.Use }]);
  bob.set('a', 'mine');
  await bob.syncs.waitFor('an answer', ({ list }) => list.some(({ name }) => name === 'a'));
  await bob.holds({ a: 'mine' });
  expect(bob.version).toBeGreaterThan(version);
});

test('what there is no room for is not in the copy of the script either, and its author hears of it', async () => {
  const client = await connect(`${server.rtmp}/tight/room${room++}`);
  const code = `
    globalThis.so = SharedObject.get('so');
    for (let i = 0; i < 100; i++) so.setProperty('s' + i, 'x'.repeat(1000));
    return so.size();`;
  expect(await run(client, code)).toBe(100);
  const size = (await run(client, 'return so.size()')) as number;
  expect(size).toBeGreaterThan(40);
  expect(size).toBeLessThan(66);
  await server.waitForLog(
    ({ message }) => message.includes('has no room for its slot') && message.includes('65536'),
  );
});

test('a lock holds so many changes: the host carries them out in one piece', async () => {
  const client = await connect(`${server.rtmp}/${newRoom()}`);
  const code = `
    so.lock();
    try { for (let i = 0; i < 30000; i++) so.setProperty('k', i); }
    catch (e) { return [e.name, e.message, so.getProperty('k')]; }
    finally { so.unlock(); }`;
  expect(await run(client, code)).toEqual([
    'RangeError',
    'so.setProperty: 20000 changes wait for so.unlock, and that is the limit',
    19_999,
  ]);
  // As the host has it.
  const so = await new RemoteSharedObject(client, 'board').connect();
  await so.holds({ k: 19_999 });
});

test('what a turn had no room to send has not happened in the copy of the script either', async () => {
  const { client, so } = await pair(newRoom());
  await so.setAndWait('k0', 'before');
  const code = `
    const { version } = so;
    const failed = [];
    for (let i = 0; i < 80; i++) {
      try { so.setProperty('k' + i, 'x'.repeat(60000)); } catch { failed.push(i); break; }
    }
    const copy = so.getPropertyNames();
    try { for (;;) so.send('noise', 'x'.repeat(250000)); } catch {}
    try { so.transaction(() => { so.clear(); so.setProperty('new', 'x'.repeat(60000)); }); } catch { failed.push('clear'); }
    return [failed, copy.length, so.size(), so.version - version];`;
  const [failed, copied, size, versions] = (await run(client, code)) as [unknown[], number, number, number];
  expect(failed).toEqual([copied, 'clear']);
  expect([size, versions]).toEqual([copied, copied]);
  await so.setAndWait('end', 1);
  expect(so.data.size).toBe(copied + 1);
  expect(await run(client, 'return so.lock() + so.unlock()')).toBe(1);
  expect(so.version).toBe(await run(client, 'return so.version'));
});
