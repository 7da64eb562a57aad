import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const main = `
const refusals = [];
application.onStatus = (info) => { refusals.push(info.description); };
Client.prototype.refusals = () => refusals.splice(0);
Client.prototype.run = (code, ...args) => new Function('args', code)(args);`;

const server = useServer({
  limits: {
    files: 20,
    openFiles: 5,
    fileBytes: 256 * 1024,
    handlerMs: 10_000,
    logBytesPerSecond: 1024 * 1024,
  },
  pipes: ['guarded/pipe'],
  apps: {
    guarded: {
      'main.ts': `import texts from './texts.json';\nimport './lib/helper.ts';\nglobalThis.texts = texts;\n${main}`,
      'texts.json': '{"hello":"world"}',
      'lib/helper.ts': 'globalThis.helped = true;',
      'app.json': '{"config":{"colour":"red"}}',
      'package.json': '{"type":"module"}',
      'node_modules/pkg/data.txt': 'data',
      'free/notes.txt': 'notes',
    },
    quota: { 'main.ts': main },
    weight: {
      'main.ts': main,
      'app.json': '{"limits":{"appFileBytes":100000,"files":100}}',
      'old.txt': 'x'.repeat(50_000),
    },
    'open-weight': { 'main.ts': main, 'app.json': '{"limits":{"appFileBytes":100000}}' },
    open: { 'main.ts': main, 'app.json': '{"limits":{"handlerMs":1500}}' },
    big: { 'main.ts': main },
    swap: { 'main.ts': main, 'plain/sub/target.txt': 'inside' },
    shared: { 'main.ts': main },
    victim: { 'main.ts': main, 'sub/target.txt': 'of the victim' },
  },
});

const folder = (app: string) => join(server.appsFolder, app);

/** What the script heard was refused; it hears of it after the handler. */
async function refusals(client: RtmpClient, count: number): Promise<string[]> {
  const heard: string[] = [];
  await eventually(`${count} refusals`, async () => {
    heard.push(...((await client.call('refusals')) as string[]));
    return heard.length >= count;
  });
  return heard;
}

const WRITES = `
  const attempt = (path) => {
    const f = new File(path);
    const seen = ['write', 'append', 'create', 'readWrite'].map((mode) => f.open('text', mode));
    return [...seen, new File('free/notes.txt').copyTo(path), new File('free/notes.txt').renameTo(path),
      f.renameTo('free/moved.txt'), f.remove(), f.remove(true)];
  };
  return args.map(attempt);`;

test('code, settings, packages, and what the build was made of are not for scripts to change', async () => {
  const client = await connect(`${server.rtmp}/guarded`);
  symlinkSync('../main.ts', join(folder('guarded'), 'free/data.txt'));
  const before = Object.fromEntries(
    ['main.ts', 'texts.json', 'lib/helper.ts', 'app.json', 'package.json', 'node_modules/pkg/data.txt'].map(
      (name) => [name, server.readFile(`guarded/${name}`)],
    ),
  );
  const paths = [
    ...Object.keys(before),
    'MAIN.TS',
    'new.asc',
    'lib/other.mjs',
    'free/tsconfig.json',
    'node_modules/x.txt',
  ];
  const results = (await client.call('run', WRITES, ...paths)) as boolean[][];
  for (const [index, seen] of results.entries()) expect(seen, paths[index]).toEqual(Array(9).fill(false));
  for (const [name, content] of Object.entries(before))
    expect(server.readFile(`guarded/${name}`), name).toBe(content);
  for (const name of ['MAIN.TS', 'new.asc', 'lib/other.mjs', 'free/tsconfig.json', 'node_modules/x.txt'])
    expect(existsSync(join(folder('guarded'), name)), name).toBe(false);

  // A link to code is that code; a folder with code in it stays where it is, whole.
  expect(
    await client.call(
      'run',
      `return [new File('free/data.txt').open('text', 'append'), new File('lib').remove(true), new File('lib').renameTo('free/lib'),
        new File('node_modules').renameTo('packages'), new File('/').mkdir('evil.ts'), new File('free/data.txt').remove()];`,
    ),
  ).toEqual(Array(6).fill(false));
  expect(existsSync(join(folder('guarded'), 'lib/helper.ts'))).toBe(true);
  const heard = await refusals(client, paths.length * 9 + 6);
  expect(heard).toContain('File.open: main.ts: code is not for scripts to change');
  expect(heard).toContain('File.open: app.json: settings are not for scripts to change');
  expect(heard).toContain('File.open: texts.json: the running script was built from it');
  expect(heard).toContain('File.open: free/data.txt: code is not for scripts to change');

  // All of it can be read.
  expect(
    await client.call(
      'run',
      `const f = new File('app.json'); f.open('text', 'read'); const text = f.read(99); f.close(); return text;`,
    ),
  ).toBe('{"config":{"colour":"red"}}');
});

test('pipes and sockets are refused at once, and nobody waits for them', async () => {
  const client = await connect(`${server.rtmp}/guarded`);
  const listener = execFileSync('python3', [
    '-c',
    `import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); print('made')`,
    join(folder('guarded'), 'socket'),
  ]);
  expect(listener.toString()).toBe('made\n');
  expect(
    await client.call(
      'run',
      `return ['pipe', 'socket'].map((name) => { const f = new File(name);
        return [f.exists, f.isFile, f.isDirectory, f.open('text', 'read'), f.open('text', 'append'), f.copyTo('free/copy'), f.renameTo('free/moved'), f.remove()]; });`,
    ),
  ).toEqual(Array(2).fill([true, false, false, false, false, false, false, false]));
  expect(await refusals(client, 10)).toContain('File.open: pipe: it is neither a file nor a folder');
});

const SWAPPER = `
  const { renameSync } = require('node:fs');
  for (const end = Date.now() + 30_000; Date.now() < end; )
    for (const name of ['plain', 'link']) {
      renameSync(name, 'door');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.3);
      renameSync('door', name);
    }`;

const THROUGH_THE_DOOR = `
  const seen = { inside: 0, refused: 0, outside: 0 };
  for (let i = 0; i < 20; i++) {
    const f = new File('door/sub/target.txt');
    if (!f.open('text', 'readWrite')) { seen.refused++; continue; }
    const text = f.read(100);
    if (text.startsWith('inside')) seen.inside++;
    else if (text !== '') seen.outside++;
    f.position = 0;
    f.write('inside, written');
    f.close();
    new File('door/sub/target.txt').copyTo('copy.txt');
    new File('copy.txt').renameTo('door/sub/moved.txt');
    new File('door/sub/moved.txt').remove();
    new File('door/sub').mkdir('made');
    new File('door/sub/made').remove();
  }
  return seen;`;

test('links that are swapped under way never lead out', async () => {
  const client = await connect(`${server.rtmp}/swap`);
  const at = (name: string) => join(folder('swap'), name);
  symlinkSync('../victim', at('link'));
  // `door` is now the folder, now the link: another process swaps them as fast as it can.
  const swapper = spawn(process.execPath, ['-e', SWAPPER], { cwd: folder('swap') });
  onTestFinished(() => void swapper.kill('SIGKILL'));
  const seen = { inside: 0, refused: 0 };
  await eventually('the door to be met open and shut', async () => {
    const tries = (await client.call('run', THROUGH_THE_DOOR)) as Record<
      'inside' | 'refused' | 'outside',
      number
    >;
    expect(tries.outside).toBe(0);
    seen.inside += tries.inside;
    seen.refused += tries.refused;
    return seen.inside > 50 && seen.refused > 50;
  });
  expect(readFileSync(join(folder('victim'), 'sub/target.txt'), 'utf8')).toBe('of the victim');
  expect(readdirSync(join(folder('victim'), 'sub'))).toEqual(['target.txt']);
});

test('files of any size are read and written within limits.fileBytes', async () => {
  const client = await connect(`${server.rtmp}/big`);
  server.writeFile('big/huge.txt', '');
  truncateSync(join(folder('big'), 'huge.txt'), 8 * 1024 * 1024 * 1024);
  expect(
    await client.call(
      'run',
      `const f = new File('huge.txt');
      f.open('text', 'read');
      const seen = [f.length, f.read(1e12), f.readAll(), f.readln(), f.copyTo('copy.txt'), f.seek(5e9)];
      f.close();
      const g = new File('own.txt');
      g.open('text', 'create');
      seen.push(g.write('x'.repeat(256 * 1024)), g.write('y'), g.length);
      g.position = 5e9;
      seen.push(g.write('z'), g.length);
      g.close();
      return seen;`,
    ),
  ).toEqual([8 * 1024 ** 3, undefined, undefined, undefined, false, 5e9, true, false, 262144, false, 262144]);
  const heard = await refusals(client, 6);
  expect(heard).toContain('File.readAll: at most 262144 bytes are read at once (limits.fileBytes)');
  expect(heard).toContain(
    'File.write: own.txt: it would have 262145 bytes, more than the 262144 of limits.fileBytes',
  );
});

/** How many files below that folder the server has open. */
function openBelow(app: string): number {
  const fds = `/proc/${server.pid}/fd`;
  return readdirSync(fds).filter((fd) => {
    try {
      return readlinkSync(join(fds, fd)).startsWith(join(folder(app), 'files'));
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

test('a script has few files open at once, and none after its end', async () => {
  for (let i = 0; i < 10; i++) server.writeFile(`open/files/${i}.txt`, String(i));
  const room = await connect(`${server.rtmp}/open/room`);
  const other = await connect(`${server.rtmp}/open/other`);
  const openAll = `
    globalThis.files = [];
    let opened = 0;
    for (let i = 0; i < 500; i++) {
      const f = new File('files/' + (i % 10) + '.txt');
      files.push(f);
      if (f.open('text', 'read')) opened++;
    }
    return [opened, files[0].close(), new File('files/9.txt').open('text', 'read')];`;
  expect(await room.call('run', openAll)).toEqual([5, true, true]);
  expect(await other.call('run', openAll)).toEqual([5, true, true]);
  expect((await refusals(room, 1))[0]).toBe(
    'File.open: files/5.txt: 5 files are open, and that is the limit (limits.openFiles)',
  );
  expect(openBelow('open')).toBe(10);
  await other.close();
  const from = server.log.mark;
  await expect(room.call('run', 'for (;;);')).rejects.toThrow('NetConnection.Call.Failed');
  await server.waitForLog(
    ({ instance, message }) => instance === 'open/room' && message.startsWith('started again'),
    from,
  );
  await eventually('the files of the dead script to be closed', () => openBelow('open') === 5);
  server.writeApp('open', { 'main.ts': `${main}\nglobalThis.isNew = true;` });
  await eventually('the files of the old script to be closed', () => openBelow('open') === 0);
  expect(await room.call('run', openAll)).toEqual([5, true, true]);
});

test('a file that has a second name is read, and not written', async () => {
  const client = await connect(`${server.rtmp}/open/hard`);
  linkSync(join(folder('open'), 'app.json'), join(folder('open'), 'settings.txt'));
  linkSync(join(folder('victim'), 'sub/target.txt'), join(folder('open'), 'theirs.txt'));
  const write = `return ['settings.txt', 'theirs.txt'].flatMap((name) => { const f = new File(name);
    return [f.open('text', 'append'), f.open('text', 'create'), f.open('text', 'write'), new File('theirs.txt').copyTo(name)]; });`;
  expect(await client.call('run', write)).toEqual(Array(8).fill(false));
  expect((await refusals(client, 8))[0]).toMatch(
    /settings\.txt: the file has another name, .*\(a hard link\)$/,
  );
  expect(readFileSync(join(folder('victim'), 'sub/target.txt'), 'utf8')).toBe('of the victim');
  const read = `const f = new File('settings.txt'); f.open('text', 'read'); return [f.read(3), f.close(), f.remove()];`;
  expect(await client.call('run', read)).toEqual(['{"l', true, true]);
});

test('scripts make so many files and folders, and more when they have removed some', async () => {
  const client = await connect(`${server.rtmp}/quota`);
  const make = `
    let made = 0;
    for (let i = 0; i < 30; i++) {
      const f = new File('made' + i);
      if (i % 2) { if (f.open('text', 'append')) { made++; f.close(); } }
      else if (new File('/').mkdir('made' + i)) made++;
    }
    return made;`;
  expect(await client.call('run', make)).toBe(20);
  expect((await refusals(client, 1))[0]).toMatch(
    /: scripts have made 20 files and folders, and that is the limit \(limits\.files\): remove some$/,
  );
  expect(
    await client.call(
      'run',
      `return [new File('made1').remove(), new File('made2').renameTo('made0/inner'), new File('made0').remove(true),
        [0, 1, 2, 3].map((i) => new File('again' + i).open('text', 'create'))];`,
    ),
  ).toEqual([true, true, true, [true, true, true, false]]);
  const toItself = `return [new File('again0').renameTo('/again0'), new File('again3').open('text', 'create')];`;
  expect(await client.call('run', toItself)).toEqual([true, false]);
});

test('folders with very many entries are refused, not read', async () => {
  const client = await connect(`${server.rtmp}/big/crowd`);
  const crowd = join(folder('big'), 'streams/crowd');
  mkdirSync(crowd, { recursive: true });
  for (let i = 0; i <= 10_000; i++) writeFileSync(join(crowd, `${i}`), '');
  const look = `const f = new File('streams/crowd'); return [f.list(), f.length, f.remove(true), f.renameTo('streams/other')];`;
  expect(await client.call('run', look)).toEqual([false, -1, false, false]);
  expect((await refusals(client, 4))[0]).toBe('File.list: streams/crowd: it has more than 10000 entries');
  rmSync(join(crowd, '0'));
  expect(await client.call('run', `return new File('streams/crowd').list().length;`)).toBe(10_000);
  expect(await client.call('run', `return new File('streams/crowd').remove(true);`)).toBe(true);
  expect(existsSync(crowd)).toBe(false);
});

test('lines that several instances append to one file at once stay whole', async () => {
  const rooms = await Promise.all(
    ['a', 'b', 'c', 'd'].map((room) => connect(`${server.rtmp}/shared/${room}`)),
  );
  const log = `
    const f = new File('log.txt');
    if (!f.open('text', 'append')) return false;
    for (let i = 0; i < 50; i++) f.writeln(args[0].repeat(500), i);
    return f.close();`;
  const done = await Promise.all(rooms.map((room, index) => room.call('run', log, 'abcd'[index])));
  expect(done).toEqual([true, true, true, true]);
  const lines = server.readFile('shared/log.txt').split('\n');
  expect(lines.pop()).toBe('');
  expect(lines).toHaveLength(200);
  for (const line of lines) expect(line).toMatch(/^([a-d])\1{499}\d+$/);
});

test("what an argument does while it becomes text is the script's own business", async () => {
  const client = await connect(`${server.rtmp}/shared/hostile`);
  expect(
    await client.call(
      'run',
      `const seen = [];
      const f = new File('hostile.txt');
      const attempt = (act) => { try { seen.push(act()); } catch (error) { seen.push(String(error)); } };
      const closing = { toString() { f.close(); return 'closed'; } };
      const throwing = { toString() { throw 'no text'; } };
      f.open('text', 'create');
      attempt(() => f.write(throwing));
      attempt(() => f.write('a', closing));
      f.open('text', 'append');
      attempt(() => f.writeAll(new Proxy(['x'], { get(list, name) { if (name === '0') f.close(); return list[name]; } })));
      attempt(() => f.write(Symbol('s')));
      for (const odd of [null, {}, [], throwing, new Proxy({}, {}), Symbol('s'), 1n, () => {}])
        attempt(() => new File(odd));
      attempt(() => File('x'));
      attempt(() => f.open({ toString: () => 'text' }, 'read'));
      attempt(() => f.open('text', 'constructor'));
      attempt(() => f.open('text', 'read,,append'));
      attempt(() => f.remove('yes'));
      attempt(() => new File('x'.repeat(5e6)).exists);
      return seen;`,
    ),
  ).toEqual([
    'TypeError: File.write: expected text, got an object: thrown: no text',
    false,
    false,
    false,
    ...['null', 'an object', 'an array', 'an object', 'an object', 'a symbol', '1', 'a function'].map(
      (what) => `TypeError: File: expected a path in the application's folder, got ${what}`,
    ),
    "TypeError: Class constructor File cannot be invoked without 'new'",
    'TypeError: File.open: expected "text" or "binary" as type, got an object',
    'TypeError: File.open: expected "read", "write", "readWrite", "append" or "create" as mode, got "constructor"',
    'TypeError: File.open: expected "read", "write", "readWrite", "append" or "create" as mode, got "read,,append"',
    'TypeError: File.remove: expected true for all that is in it, got "yes"',
    false,
  ]);
});

test('scripts make the files of an application so much longer, and more when they have removed something', async () => {
  const [client, other] = [
    await connect(`${server.rtmp}/weight/a`),
    await connect(`${server.rtmp}/weight/b`),
  ];
  const run = (code: string, by = client) =>
    by.call(
      'run',
      `const put = (name, bytes, mode = 'append') => {
        const f = new File(name);
        const isDone = f.open('text', mode) && f.write('x'.repeat(bytes));
        f.close();
        return isDone;
      };
      ${code}`,
    );
  expect(await run("return [put('a', 60000), put('b', 50000), put('a', 40000), put('b', 1)]")).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect((await refusals(client, 2))[0]).toBe(
    'File.write: scripts have written 60000 bytes, and 50000 more are over the limit (limits.appFileBytes: 100000): remove some',
  );
  // All instances together; what is written over what is there takes nothing.
  expect(
    await run("return [put('c', 1), new File('/a').copyTo('/d'), put('a', 100000, 'write')]", other),
  ).toEqual([false, false, true]);
  // By emptying, by moving something to its place, by removing, with its folder too.
  const steps = [
    ["put('a', 100000, 'create')", [true]],
    [
      "put('a', 90000, 'create'), new File('/b').renameTo('/a'), put('c', 100000, 'create')",
      [true, true, true],
    ],
    [
      "new File('/c').remove(), new File('/').mkdir('sub'), put('sub/e', 100000), new File('/sub').remove(true)",
      [true, true, true, true],
    ],
    ["new File('/old.txt').copyTo('/f'), new File('/f').copyTo('/g')", [true, true]],
    ["new File('/f').copyTo('/h'), new File('/f').remove(), new File('/g').remove()", [false, true, true]],
    ["put('i', 100000), put('i', 1)", [true, false]],
  ] as const;
  for (const [code, expected] of steps) expect(await run(`return [${code}]`)).toEqual(expected);
});

test('a file that is removed while it is open takes room until it is closed', async () => {
  const client = await connect(`${server.rtmp}/open-weight`);
  const code = `
    const open = () => { const f = new File('gone'); f.open('text', 'create'); return f; };
    const f = open();
    const seen = [f.write('x'.repeat(40000)), new File('gone').remove(), f.write('x'.repeat(40000))];
    const g = open();
    seen.push(g.write('x'.repeat(40000)));
    f.close();
    seen.push(g.write('x'.repeat(100000)), g.write('x'));
    g.close();
    return seen;`;
  expect(await client.call('run', code)).toEqual([true, true, true, false, true, false]);
});
