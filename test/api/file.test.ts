import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AmfValue } from '../../wire/values.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** Rows of the API checklist on the class File. */
const main = `
statuses = [];
application.onStatus = function (info) { statuses.push(info); };
Client.prototype.run = function (code) { return new Function("client", code)(this); };
Client.prototype.heard = function () { return statuses; };
Client.prototype.outside = function () {
  return new File("../secret.txt").open("text", "read");
};`;

const server = useServer({
  apps: {
    files: {
      'main.asc': main,
      'app.json': '{}',
      'lines.txt': 'one\r\ntwo \u00fcber\nthree \u{1f600}\n\nlast',
      'marked.txt': '\ufeffmarked\n',
      'bytes.bin': Buffer.from([0, 1, 127, 128, 255]),
      'folder/a.txt': 'a',
      'folder/b.log': 'bb',
      'folder/deep/c.txt': 'ccc',
      'folder/.hidden': 'h',
    },
    other: { 'main.asc': 'x = 1;', 'secret.txt': 'secret of another' },
  },
  fileDirectories: {
    files: {
      '/videos': { 'a.txt': 'far', 'deep/b.txt': 'deep' },
      '/videos/new': { 'c.txt': 'newer' },
    },
  },
});

const folder = () => join(server.appsFolder, 'files');
const onDisk = (name: string) => readFileSync(join(folder(), name), 'latin1');

/** Runs code in the application; `f` is a File of that name. */
async function run(name: string, code: string): Promise<AmfValue> {
  const client = await connect(`${server.rtmp}/files`);
  return client.call('run', `var f = new File(${JSON.stringify(name)}); ${code}`);
}

/** In an instance of its own: what the code returns, and the first status that the application hears of it. */
async function refusal(instance: string, name: string, code: string) {
  const client = await connect(`${server.rtmp}/files/${instance}`);
  const value = await client.call('run', `var f = new File(${JSON.stringify(name)}); return ${code};`);
  let [info] = (await client.call('heard')) as Record<string, unknown>[];
  // The status is told after the handler is over.
  while (!info) [info] = (await client.call('heard')) as Record<string, unknown>[];
  return { value, info };
}

/** The message of what a wrong argument throws. */
const thrown = (code: string) => run('lines.txt', `try { ${code}; } catch (e) { return String(e); }`);

test('FIL-01: new File(path) names a file of the application, with or without a slash in front', async () => {
  expect(
    await run('lines.txt', 'return [f instanceof File, f.exists, new File("/lines.txt").exists];'),
  ).toEqual([true, true, true]);
  expect(await thrown('new File(7)')).toBe(
    "TypeError: File: expected a path in the application's folder, got 7",
  );
  expect(await thrown('new File()')).toMatch(/got undefined$/);
});

const modes = ['read', 'write', 'readWrite', 'append', 'create'];
/** What a property says in each mode, before and after. */
const inModes = (property: string) =>
  run(
    'modes.txt',
    `f.open("text", "create"); f.close();
     var seen = [f.${property}];
     ${JSON.stringify(modes)}.forEach(function (mode) { f.open("text", mode); seen.push(f.${property}); f.close(); });
     return seen.concat([f.${property}]);`,
  );

test('FIL-02: canAppend says whether the mode appends, undefined while closed', async () => {
  expect(await inModes('canAppend')).toEqual([undefined, false, false, false, true, false, undefined]);
});
test('FIL-03: canRead says whether the mode reads', async () => {
  expect(await inModes('canRead')).toEqual([undefined, true, false, true, false, false, undefined]);
});
test('FIL-04: canReplace says whether the mode replaces what is there', async () => {
  expect(await inModes('canReplace')).toEqual([undefined, false, false, false, false, true, undefined]);
});
test('FIL-05: canWrite says whether the mode writes', async () => {
  expect(await inModes('canWrite')).toEqual([undefined, false, true, true, true, true, undefined]);
});

test('FIL-06: creationTime is a Date', async () => {
  const time = await run('lines.txt', 'return f.creationTime instanceof Date ? f.creationTime : "no date";');
  expect(Math.abs((time as Date).getTime() - statSync(join(folder(), 'lines.txt')).birthtimeMs)).toBeLessThan(
    2,
  );
});

test('FIL-07: exists tells files and folders from what is not there', async () => {
  expect(
    await run(
      'lines.txt',
      'return [f.exists, new File("folder").exists, new File("no/such").exists, statuses.length];',
    ),
  ).toEqual([true, true, false, 0]);
});

test('FIL-08: isDirectory is true for folders, the application itself included', async () => {
  expect(
    await run(
      'folder',
      'return ["folder/", "/", "lines.txt", "none"].map(function (n) { return new File(n).isDirectory; });',
    ),
  ).toEqual([true, true, false, false]);
});

test('FIL-09: isFile is true for files', async () => {
  expect(
    await run('lines.txt', 'return [f.isFile, new File("folder").isFile, new File("none").isFile];'),
  ).toEqual([true, false, false]);
});

test('FIL-10: isOpen is true from open to close', async () => {
  expect(
    await run(
      'lines.txt',
      'var seen = [f.isOpen]; f.open("text", "read"); seen.push(f.isOpen); f.close(); return seen.concat(f.isOpen);',
    ),
  ).toEqual([false, true, false]);
});

test('FIL-11: lastModified is the Date of the last write', async () => {
  const time = (await run(
    'touched.txt',
    'f.open("text", "create"); f.write("x"); f.close(); return f.lastModified;',
  )) as Date;
  expect(Math.abs(time.getTime() - statSync(join(folder(), 'touched.txt')).mtimeMs)).toBeLessThan(2);
});

test('FIL-12: length is the bytes of a file, and the entries of a folder', async () => {
  expect(await run('bytes.bin', 'return [f.length, new File("folder").length];')).toEqual([5, 3]);
});

test('FIL-13: mode is as opened, undefined while closed', async () => {
  expect(
    await run(
      'lines.txt',
      'var seen = [f.mode]; f.open("text", "read"); seen.push(f.mode); f.close(); return seen;',
    ),
  ).toEqual([undefined, 'read']);
});

test('FIL-14: name is the path as given', async () => {
  expect(await run('/folder/a.txt', 'return [f.name, new File("lines.txt").name];')).toEqual([
    '/folder/a.txt',
    'lines.txt',
  ]);
});

test('FIL-15: position is where reading and writing go on; it can be set while open', async () => {
  expect(
    await run(
      'bytes.bin',
      `var seen = [f.position]; f.open("binary", "read"); seen.push(f.position, f.readByte(), f.position);
       f.position = 4; seen.push(f.readByte(), f.position); f.close(); return seen;`,
    ),
  ).toEqual([undefined, 0, 0, 1, 255, 5]);
  expect(await thrown('f.position = "x"')).toBe(
    'TypeError: File.position: expected a whole number from 0 on, got "x"',
  );
});

test('FIL-16: type is text or binary, undefined while closed', async () => {
  expect(
    await run(
      'lines.txt',
      'var seen = [f.type]; f.open("text", "read"); seen.push(f.type); f.close(); f.open("binary", "read"); seen.push(f.type); f.close(); return seen;',
    ),
  ).toEqual([undefined, 'text', 'binary']);
});

test('FIL-17: open(type, mode) reads, writes, appends, and creates or empties', async () => {
  const write = (mode: string) =>
    run('opened.txt', `var ok = f.open("text", "${mode}"); f.write("<${mode}>"); f.close(); return ok;`);
  expect(await write('create')).toBe(true);
  expect(onDisk('opened.txt')).toBe('<create>');
  expect(await write('append')).toBe(true);
  expect(onDisk('opened.txt')).toBe('<create><append>');
  expect(await write('write')).toBe(true);
  expect(onDisk('opened.txt')).toBe('<write>><append>');
  expect(await write('create')).toBe(true);
  expect(onDisk('opened.txt')).toBe('<create>');
  expect(
    await run(
      'opened.txt',
      'f.open("text", "readWrite"); f.read(4); f.write("XX"); f.position = 0; var t = f.read(99); f.close(); return t;',
    ),
  ).toBe('<creXXe>');
  expect(await refusal('open', 'missing.txt', 'f.open("text", "read")')).toMatchObject({
    value: false,
    info: { description: 'File.open: missing.txt: there is no such file or folder' },
  });
  expect(
    await refusal('twice', 'lines.txt', '[f.open("text", "read"), f.open("text", "read"), f.close()]'),
  ).toMatchObject({
    value: [true, false, true],
    info: { description: 'File.open: lines.txt: it is open already' },
  });
  expect(await thrown('f.open("text", "rewrite")')).toBe(
    'TypeError: File.open: expected "read", "write", "readWrite", "append" or "create" as mode, got "rewrite"',
  );
  expect(await thrown('f.open("ascii", "read")')).toBe(
    'TypeError: File.open: expected "text" or "binary" as type, got "ascii"',
  );
});

test('FIL-18: close() ends it; open files are closed with the script', async () => {
  expect(await run('lines.txt', 'f.open("text", "read"); return [f.close(), f.isOpen];')).toEqual([
    true,
    false,
  ]);
  expect(await refusal('close', 'lines.txt', 'f.close()')).toMatchObject({
    value: false,
    info: { description: 'File.close: lines.txt: it is not open' },
  });
});

test('FIL-19: copyTo(path) copies a file over another or to a new name', async () => {
  expect(
    await run(
      'lines.txt',
      'return [f.copyTo("copied.txt"), f.copyTo("copied.txt"), f.copyTo(new File("/folder/copied.txt")), f.name];',
    ),
  ).toEqual([true, true, true, 'lines.txt']);
  expect(onDisk('copied.txt')).toBe(onDisk('lines.txt'));
  expect(onDisk('folder/copied.txt')).toBe(onDisk('lines.txt'));
  server.remove('files/folder/copied.txt');
  expect(await refusal('copy', 'lines.txt', 'f.copyTo("lines.txt")')).toMatchObject({
    value: false,
    info: { description: 'File.copyTo: lines.txt: it is the file itself' },
  });
  expect(onDisk('lines.txt')).toContain('one');
  expect(await thrown('f.copyTo({})')).toMatch(/^TypeError: File.copyTo: .* got an object$/);
});

test('FIL-20: eof() is true at the end, and for a closed file', async () => {
  expect(
    await run(
      'bytes.bin',
      'var seen = [f.eof()]; f.open("binary", "read"); seen.push(f.eof()); f.read(5); seen.push(f.eof()); f.close(); return seen;',
    ),
  ).toEqual([true, false, true]);
});

test('FIL-21: flush() hands what was written to the operating system', async () => {
  const client = await connect(`${server.rtmp}/files/flush`);
  expect(
    await client.call(
      'run',
      'g = new File("flushed.txt"); g.open("text", "create"); g.write("here"); return g.flush();',
    ),
  ).toBe(true);
  expect(onDisk('flushed.txt')).toBe('here');
  expect(await client.call('run', 'g.close(); return g.flush();')).toBe(false);
});

test('FIL-22: list(filter) gives File objects for the entries of a folder', async () => {
  expect(
    await run(
      'folder',
      'return f.list().map(function (g) { return [g instanceof File, g.name, g.isDirectory]; });',
    ),
  ).toEqual([
    [true, 'folder/a.txt', false],
    [true, 'folder/b.log', false],
    [true, 'folder/deep', true],
  ]);
  expect(
    await run('/folder/', 'return f.list(function (name) { return /txt$/.test(name); }).map(String);'),
  ).toEqual(['/folder/a.txt']);
  expect(await refusal('list', 'lines.txt', 'f.list()')).toMatchObject({
    value: false,
    info: { description: 'File.list: lines.txt: it is no folder' },
  });
  expect(await thrown('f.list("txt")')).toBe(
    'TypeError: File.list: expected a function that takes a name, got "txt"',
  );
});

test('FIL-23: mkdir(name) makes a folder in this folder', async () => {
  expect(
    await run(
      '/',
      'return [f.mkdir("made"), new File("made").mkdir("inner"), new File("made/inner").isDirectory];',
    ),
  ).toEqual([true, true, true]);
  expect(await refusal('mkdir', '/', 'f.mkdir("made")')).toMatchObject({
    value: false,
    info: { description: 'File.mkdir: /made: it exists already' },
  });
});

test('FIL-24: read(n) reads characters of a text and bytes of a binary file', async () => {
  expect(
    await run(
      'lines.txt',
      'f.open("text", "read"); var seen = [f.read(5), f.read(10), f.read(7), f.position, f.read(100), f.read(1)]; f.close(); return seen;',
    ),
  ).toEqual(['one\r\n', 'two \u00fcber\nt', 'hree \u{1f600}\n', 26, '\nlast', '']);
  expect(
    await run(
      'bytes.bin',
      'f.open("binary", "read"); var text = f.read(100); f.close(); return text.split("").map(function (c) { return c.charCodeAt(0); });',
    ),
  ).toEqual([0, 1, 127, 128, 255]);
  expect(await run('marked.txt', 'f.open("text", "read"); var t = f.read(6); f.close(); return t;')).toBe(
    'marked',
  );
  expect(await thrown('f.open("text", "read"); f.read("all")')).toBe(
    'TypeError: File.read: expected how many characters to read, got "all"',
  );
});

test('FIL-25: readAll() gives the lines from the position on', async () => {
  expect(
    await run(
      'lines.txt',
      'f.open("text", "read"); f.readln(); var all = f.readAll(); f.close(); return all;',
    ),
  ).toEqual(['two \u00fcber', 'three \u{1f600}', '', 'last']);
});

test('FIL-26: readByte() gives one byte of a binary file, -1 at the end', async () => {
  expect(
    await run(
      'bytes.bin',
      'f.open("binary", "read"); f.seek(3); var seen = [f.readByte(), f.readByte(), f.readByte()]; f.close(); return seen;',
    ),
  ).toEqual([128, 255, -1]);
  expect(await refusal('byte', 'lines.txt', '[f.open("text", "read"), f.readByte()]')).toMatchObject({
    value: [true, -1],
    info: { description: 'File.readByte: lines.txt: it is open as text' },
  });
});

test('FIL-27: readln() gives one line without its end, undefined at the end', async () => {
  expect(
    await run(
      'lines.txt',
      'f.open("text", "read"); var seen = []; while (!f.eof()) seen.push(f.readln()); seen.push(f.readln()); f.close(); return seen;',
    ),
  ).toEqual(['one', 'two \u00fcber', 'three \u{1f600}', '', 'last', undefined]);
  const long = `${'x'.repeat(200_000)}\u00fc\nshort`;
  server.writeFile('files/long.txt', long);
  expect(
    await run(
      'long.txt',
      'f.open("text", "read"); var seen = [f.readln().length, f.readln()]; f.close(); return seen;',
    ),
  ).toEqual([200_001, 'short']);
});

test('FIL-28: remove(recursive) deletes a file, and a folder with what is in it', async () => {
  for (const name of ['x.txt', 'gone/a.txt', 'gone/deeper/b.txt']) server.writeFile(`files/${name}`, 'x');
  expect(await run('x.txt', 'return [f.remove(), f.exists];')).toEqual([true, false]);
  expect(await refusal('remove', 'gone', 'f.remove()')).toMatchObject({
    value: false,
    info: { description: 'File.remove: gone: the folder is not empty' },
  });
  expect(await run('gone', 'return [f.remove(true), f.exists];')).toEqual([true, false]);
});

test('FIL-29: renameTo(path) moves a file or folder, never the root', async () => {
  for (const name of ['old.txt', 'oldfolder/in.txt']) server.writeFile(`files/${name}`, name);
  expect(await run('old.txt', 'return [f.renameTo("oldfolder/new.txt"), f.name, f.exists];')).toEqual([
    true,
    'oldfolder/new.txt',
    true,
  ]);
  expect(
    await run('oldfolder', 'return [f.renameTo("newfolder"), new File("newfolder/new.txt").exists];'),
  ).toEqual([true, true]);
  expect(onDisk('newfolder/in.txt')).toBe('oldfolder/in.txt');
  for (const [instance, code] of [
    ['rootname', 'f.renameTo("elsewhere")'],
    ['rootremove', 'f.remove(true)'],
  ] as const)
    expect(await refusal(instance, '/', code)).toMatchObject({
      value: false,
      info: {
        description: expect.stringContaining('/: the folder itself stays where it is') as string,
      },
    });
});

test('FIL-30: seek(n) moves the position by so many bytes and returns it, -1 when it cannot', async () => {
  expect(
    await run(
      'bytes.bin',
      'f.open("binary", "read"); var seen = [f.seek(4), f.readByte(), f.seek(-2), f.readByte()]; f.close(); return seen;',
    ),
  ).toEqual([4, 255, 3, 128]);
  expect(await refusal('seek', 'bytes.bin', '[f.seek(1)]')).toMatchObject({
    value: [-1],
    info: { description: 'File.seek: bytes.bin: it is not open' },
  });
});

test('FIL-31: toString() is the path', async () => {
  expect(await run('folder/a.txt', 'return [f.toString(), "" + f];')).toEqual([
    'folder/a.txt',
    'folder/a.txt',
  ]);
});

test('FIL-32: write(p1, p2 ...) writes values as text, bytes into a binary file', async () => {
  expect(
    await run(
      'written.txt',
      'f.open("text", "create"); var ok = f.write("\u00fc", 1, true, null, [1, 2]); f.close(); return ok;',
    ),
  ).toBe(true);
  expect(readFileSync(join(folder(), 'written.txt'), 'utf8')).toBe('\u00fc1truenull1,2');
  expect(
    await run(
      'written.bin',
      'f.open("binary", "create"); var ok = f.write("a\u00ff"); f.close(); return ok;',
    ),
  ).toBe(true);
  expect(onDisk('written.bin')).toBe('a\u00ff');
  expect(await thrown('var g = new File("written.bin"); g.open("binary", "create"); g.write("\u20ac")')).toBe(
    'TypeError: File.write: a binary file takes characters up to code 255, and this one has 8364',
  );
  expect(await refusal('write', 'lines.txt', '[f.open("text", "read"), f.write("x")]')).toMatchObject({
    value: [true, false],
    info: { description: 'File.write: lines.txt: it is open to read' },
  });
});

test('FIL-33: writeAll(lines) writes each with a line end', async () => {
  expect(
    await run(
      'all.txt',
      'f.open("text", "create"); var ok = f.writeAll(["a", 2, "c"]); f.close(); return ok;',
    ),
  ).toBe(true);
  expect(onDisk('all.txt')).toBe('a\n2\nc\n');
  expect(await thrown('f.writeAll("a")')).toBe(
    'TypeError: File.writeAll: expected an array of lines, got "a"',
  );
});

test('FIL-34: writeByte(n) writes one byte into a binary file', async () => {
  expect(
    await run(
      'byte.bin',
      'f.open("binary", "create"); var ok = [f.writeByte(0), f.writeByte(255)]; f.close(); return ok;',
    ),
  ).toEqual([true, true]);
  expect(onDisk('byte.bin')).toBe('\u0000\u00ff');
  expect(await thrown('f.writeByte(256)')).toBe(
    'TypeError: File.writeByte: expected a whole number from 0 to 255, got 256',
  );
});

test('FIL-35: writeln(p1, p2 ...) writes a line', async () => {
  expect(
    await run(
      'ln.txt',
      'f.open("text", "create"); var ok = [f.writeln("a", 1), f.writeln()]; f.close(); return ok;',
    ),
  ).toEqual([true, true]);
  expect(onDisk('ln.txt')).toBe('a1\n\n');
});

test('FIL-36: the sandbox refuses what is no path in the folder and links that leave it, and says so with file and line', async () => {
  mkdirSync(join(folder(), 'links'));
  symlinkSync('../../other/secret.txt', join(folder(), 'links/secret.txt'));
  symlinkSync('../../other', join(folder(), 'links/other'));
  symlinkSync('../lines.txt', join(folder(), 'links/inside.txt'));
  writeFileSync(join(folder(), '.token'), 'hidden');
  const refusals: Record<string, string> = {
    '../other/secret.txt': '".." is no component',
    'folder/../lines.txt': '".." is no component',
    './lines.txt': '"." is no component',
    'folder\\a.txt': 'paths are written with "/", not with "\\"',
    'folder//a.txt': 'a path has no empty components',
    '': 'a path has no empty components',
    '//etc/passwd': 'a path has no empty components',
    'lines.txt\0.flv': 'a path has no zero characters',
    'file:/etc/passwd': 'a name has no ":"',
    '.token': 'names with a leading dot are hidden from scripts',
    'links/secret.txt': "it leads out of the application's folder",
    'links/other/secret.txt': "it leads out of the application's folder",
  };
  for (const [index, [path, why]] of Object.entries(refusals).entries()) {
    const { value, info } = await refusal(`s${index}`, path, '[f.open("text", "read"), f.exists]');
    expect(value, path).toEqual([false, false]);
    expect(info, path).toMatchObject({ code: 'Application.Script.Error', level: 'error' });
    expect(info?.description, path).toContain(why);
  }
  expect(
    await run('links/inside.txt', 'f.open("text", "read"); var line = f.readln(); f.close(); return line;'),
  ).toBe('one');

  const client = await connect(`${server.rtmp}/files/line`);
  expect(await client.call('outside')).toBe(false);
  const [info] = (await client.call('heard')) as Record<string, unknown>[];
  expect(info).toMatchObject({
    description: 'File.open: ../secret.txt: paths begin at the application\'s folder: ".." is no component',
    filename: 'main.asc',
    lineno: 7,
    linebuf: '  return new File("../secret.txt").open("text", "read");',
  });
  await server.waitForLog(
    ({ code, message }) =>
      code === 'E_SCRIPT' &&
      message.startsWith('outside: File.open: ../secret.txt:') &&
      message.includes('(main.asc:7:'),
  );
});

test('CFG-23: fileDirectories show folders that are elsewhere, the longest path first; what is outside stays out', async () => {
  const elsewhere = (name: string) => join(server.appsFolder, '../elsewhere/files/videos', name);
  const read = (name: string) =>
    run(name, 'return f.open("text", "read") ? [f.readAll(), f.close()][0] : null');
  expect(await read('/videos/a.txt')).toEqual(['far']);
  expect(await read('videos/deep/b.txt')).toEqual(['deep']);
  expect(await read('/videos/new/c.txt')).toEqual(['newer']);
  expect(await read('/videos/c.txt')).toBeNull();
  expect(await read('/videosa.txt')).toBeNull();
  expect(await run('/videos', 'return f.list().map((each) => each.name).sort()')).toEqual([
    '/videos/a.txt',
    '/videos/deep',
    '/videos/new',
  ]);
  expect(await run('/videos/made.txt', 'f.open("text", "create"); f.write("x"); return f.close()')).toBe(
    true,
  );
  expect(readFileSync(elsewhere('made.txt'), 'latin1')).toBe('x');
  expect(await run('/videos/made.txt', 'return f.copyTo("/copied.txt")')).toBe(true);
  expect(onDisk('copied.txt')).toBe('x');
  // Each is a root: it stays where it is, and links do not lead out of it.
  expect(await run('/videos', 'return f.remove(true)')).toBe(false);
  symlinkSync(join(server.appsFolder, 'other'), elsewhere('link'));
  expect(await read('/videos/link/secret.txt')).toBeNull();
  expect(await run('/videos/code.js', 'return f.open("text", "create")')).toBe(false);
});
