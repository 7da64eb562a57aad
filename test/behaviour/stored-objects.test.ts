import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { TypedObject } from '../../wire/values.ts';
import { connect } from '../support/rtmp-client.ts';
import { limitFileSize, startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** What an operator does with persistent shared objects: copies of the database, and its content as lines of JSON. */
const apps = { app: { 'README.md': 'No script here.' }, other: { 'README.md': 'Nor here.' } };

async function player(server: TestServer, at: string, name: string, encoding: 0 | 3 = 0) {
  const client = await connect(`${server.rtmp}/${at}`, { objectEncoding: encoding });
  return new RemoteSharedObject(client, name, { isPersistent: true, encoding }).connect();
}

const cyclic: Record<string, unknown> = { name: 'round' };
cyclic.self = cyclic;

async function furnished(): Promise<TestServer> {
  const server = await startServer({ apps });
  const ann = await player(server, 'app/room', 'notes');
  ann.change({
    set: {
      text: 'news',
      number: 1.5,
      nothing: [null, true],
      deep: { list: [1, { two: 'zwei' }] },
      '': 'without a name',
      ['__proto__']: 'a slot like others',
      when: new Date(86_400_000),
      typed: new TypedObject('com.example.Point', { x: 1 }),
      cyclic,
      notJson: Number.NaN,
    },
  });
  await ann.setAndWait('last', 1);
  expect(ann.data.get('__proto__')).toBe('a slot like others');
  const bob = await player(server, 'other/a/b', 'deep/er', 3);
  await bob.setAndWait('amf3', { x: [1, 2, 3] });
  return server;
}

async function exported(server: TestServer, query = ''): Promise<string> {
  const answer = await fetch(`${server.http}/api/shared-objects${query}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/jsonl');
  return answer.text();
}

const imported = (server: TestServer, body: string) =>
  fetch(`${server.http}/api/shared-objects`, { method: 'POST', body });

test('what is exported as JSON lines is the same in another server, where somebody has it open too', async () => {
  const server = await furnished();
  const text = await exported(server);
  const lines = text.trimEnd().split('\n');
  expect(lines[0]).toContain('"":{"json":"without a name"},"__proto__":{"json":"a slot like others"}');
  expect(lines.map((line) => JSON.parse(line.replace(/"":.*"when"/, '"when"')))).toEqual([
    {
      app: 'app',
      instance: 'room',
      object: 'notes',
      slots: {
        text: { json: 'news' },
        number: { json: 1.5 },
        nothing: { json: [null, true] },
        deep: { json: { list: [1, { two: 'zwei' }] } },
        when: { amf: expect.any(String) },
        typed: { amf: expect.any(String) },
        cyclic: { amf: expect.any(String) },
        notJson: { amf: expect.any(String) },
        last: { json: 1 },
      },
    },
    { app: 'other', instance: 'a/b', object: 'deep/er', slots: { amf3: { amf: expect.any(String) } } },
  ]);
  expect(await exported(server, '?app=other')).toBe(`${lines[1]}\n`);
  expect(await exported(server, '?app=none')).toBe('');

  const next = await startServer({ apps });
  const cyd = await player(next, 'app/room', 'notes');
  await cyd.setAndWait('own', 'is replaced');
  const answer = await imported(next, text);
  expect([answer.status, await answer.json()]).toEqual([200, { imported: 2 }]);
  await cyd.syncs.waitFor('what was imported', ({ list }) => list.some(({ name }) => name === 'last'));
  expect(cyd.data.has('own')).toBe(false);
  expect([cyd.data.get(''), cyd.data.get('__proto__')]).toEqual(['without a name', 'a slot like others']);
  expect(cyd.data.get('when')).toEqual(new Date(86_400_000));
  const round = cyd.data.get('cyclic') as { self: unknown };
  expect(round.self).toBe(round);
  expect(await exported(next)).toBe(text);
  const dan = await player(next, 'other/a/b', 'deep/er', 3);
  await dan.holds({ amf3: { x: [1, 2, 3] } });
  // What nobody has open is replaced on disk.
  dan.client.destroy();
  await fetch(`${next.http}/api/instances/other/a/b`, { method: 'DELETE' });
  const line = { app: 'other', instance: 'a/b', object: 'deep/er', slots: { now: { json: 2 } } };
  expect((await imported(next, JSON.stringify(line))).status).toBe(200);
  await (await player(next, 'other/a/b', 'deep/er')).holds({ now: 2 });
});

test.each([
  ['no JSON', '{"app":', /^line 2: is not JSON: /],
  [
    'an unknown key',
    '{"app":"a","instance":"b","object":"c","slots":{},"extra":1}',
    /unknown option "extra"/,
  ],
  ['no name', '{"app":"a","instance":"../b","object":"c","slots":{}}', /"\.\.\/b" is no name/],
  [
    'no value',
    '{"app":"a","instance":"b","object":"c","slots":{"x":1}}',
    /slots\.x is 1, expected \{"json": a value\}/,
  ],
  ['no AMF', '{"app":"a","instance":"b","object":"c","slots":{"x":{"amf":"////"}}}', /slots\.x: E_AMF/],
  [
    'too many slots',
    JSON.stringify({ app: 'a', instance: 'b', object: 'c', slots: many(11) }),
    /more than 10 slots/,
  ],
  [
    'a slot too large',
    JSON.stringify({ app: 'a', instance: 'b', object: 'c', slots: { x: { json: 'x'.repeat(300) } } }),
    /slots\.x measures more than 256 bytes/,
  ],
])('a line with %s is refused, and those before it are done', async (_, line, says) => {
  const server = await startServer({ apps, limits: { slots: 10, slotBytes: 256 } });
  const good = '{"app":"app","instance":"room","object":"notes","slots":{"x":{"json":1}}}\n';
  const answer = await imported(server, good + line);
  const body = (await answer.json()) as { error: string; message: string };
  expect([answer.status, body.error]).toEqual([400, 'E_IMPORT']);
  expect(body.message).toMatch(says);
  expect(body.message).toMatch(/^line 2: .*\(1 objects were imported\)$/);
  expect(await exported(server)).toBe(good);
});

test('an import that there is no room for changes nothing', async () => {
  const limits = {
    persistentObjects: 3,
    persistentBytes: 65_536,
    slotBytes: 65_536,
    sharedObjectBytes: 131_072,
  };
  const server = await startServer({ apps, limits });
  const ann = await player(server, 'app/room', 'notes');
  await ann.setAndWait('x', 1);
  const lineWith = (instance: string, object: string, kib: number) =>
    JSON.stringify({ app: 'app', instance, object, slots: { y: { json: 'x'.repeat(kib * 1024) } } });
  const refusal = async (line: string) =>
    ((await (await imported(server, line)).json()) as { message: string }).message;
  expect(await refusal(lineWith('room', 'notes', 63.9))).toContain('limits.persistentBytes: 65536');
  expect(await refusal(lineWith('asleep', 'notes', 63.9))).toContain('limits.persistentBytes: 65536');
  await ann.holds({ x: 1 });
  for (const name of ['a', 'b'])
    expect((await imported(server, lineWith('asleep', name, 1))).status).toBe(200);
  expect(await refusal(lineWith('asleep', 'c', 1))).toContain('limits.persistentObjects');
  expect((await imported(server, lineWith('asleep', 'b', 2))).status).toBe(200);
  const nothing = JSON.stringify({
    app: 'app',
    instance: 'room',
    object: 'notes',
    slots: { y: { json: null } },
  });
  expect(await refusal(nothing)).toContain('slots.y is nothing');
});

test('megabytes are imported in one request, and exported again', async () => {
  const server = await startServer({ apps });
  const lines = Array.from({ length: 2000 }, (_, n) => {
    const slots = { text: { json: `${n} ${'x'.repeat(1000)}` } };
    return `${JSON.stringify({ app: 'app', instance: 'room', object: `o${String(n).padStart(4, '0')}`, slots })}\n`;
  });
  const answer = await imported(server, lines.join(''));
  expect([answer.status, await answer.json()]).toEqual([200, { imported: 2000 }]);
  expect(await exported(server)).toBe(lines.join(''));
});

test('what takes long to read or to write as a line holds up nobody', async () => {
  const server = await startServer({ apps });
  const value = { json: Array.from({ length: 60 }, (_, index) => index) };
  const slots = Object.fromEntries(Array.from({ length: 9900 }, (_, index) => [`s${index}`, value]));
  const line = `${JSON.stringify({ app: 'app', instance: 'room', object: 'heavy', slots })}\n`;
  const read = await shareOfLongestWait(server, async () => (await imported(server, line)).text());
  expect(read.result).toBe('{"imported":1}');
  expect(read.share).toBeLessThan(0.5);
  const written = await shareOfLongestWait(server, () => exported(server));
  expect(JSON.parse(written.result)).toEqual(JSON.parse(line));
  expect(written.share).toBeLessThan(0.5);
});

/** How long whoever asks for something else meanwhile waits at most, as a share of the whole. */
async function shareOfLongestWait<T>(server: TestServer, work: () => Promise<T>) {
  let isDone = false;
  const startedAt = performance.now();
  const working = work().finally(() => {
    isDone = true;
  });
  let longestMs = 0;
  while (!isDone) {
    const askedAt = performance.now();
    await (await fetch(`${server.http}/healthz`)).text();
    longestMs = Math.max(longestMs, performance.now() - askedAt);
  }
  const result = await working;
  return { result, share: longestMs / (performance.now() - startedAt) };
}

test('a backup made while clients write is whole, and a server starts from it', async () => {
  const server = await furnished();
  const writer = await player(server, 'app/room', 'busy');
  let isOver = false;
  const writing = (async () => {
    for (let n = 1; !isOver; n++) {
      writer.change({ set: { a: n, b: n, pad: 'x'.repeat(5000) } });
      await writer.setAndWait('c', n);
    }
  })();
  const files: string[] = [];
  for (let i = 0; i < 5; i++) {
    const answer = await fetch(`${server.http}/api/backup`, { method: 'POST' });
    const body = (await answer.json()) as { file: string; bytes: number };
    expect([answer.status, body]).toEqual([201, { file: expect.any(String), bytes: expect.any(Number) }]);
    const { file } = body;
    files.push(file);
  }
  isOver = true;
  await writing;
  const both = await Promise.all([1, 2].map(() => fetch(`${server.http}/api/backup`, { method: 'POST' })));
  expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);

  for (const file of files) {
    const copy = new DatabaseSync(file);
    expect(copy.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    copy.close();
  }
  const data = join(temporaryFolder(), 'data');
  mkdirSync(data);
  copyFileSync(files.at(-1)!, join(data, 'shared-objects.db'));
  const next = await startServer({ apps, data });
  const busy = await player(next, 'app/room', 'busy');
  // Of one version: none of it is older than the rest, but for what came in a message of its own.
  expect(busy.data.get('a')).toBe(busy.data.get('b'));
  expect(Number(busy.data.get('a')) - Number(busy.data.get('c'))).toBeLessThanOrEqual(1);
  await (await player(next, 'other/a/b', 'deep/er')).holds({ amf3: { x: [1, 2, 3] } });
});

test('what there is, and how long the disk takes, is in the reports', async () => {
  const server = await furnished();
  const temporary = await new RemoteSharedObject(
    await connect(`${server.rtmp}/app/room`),
    'pointers',
  ).connect();
  await temporary.setAndWait('x', 1);
  const answer = await fetch(`${server.http}/api/instances/app/room`);
  const { sharedObjects } = (await answer.json()) as { sharedObjects: unknown };
  expect(sharedObjects).toEqual([
    { name: 'notes', persistent: true, version: 3, slots: 11, bytes: expect.any(Number), subscribers: 1 },
    { name: 'pointers', persistent: false, version: 2, slots: 1, bytes: 256 + 1 + 9, subscribers: 1 },
  ]);
  const metrics = async () => (await fetch(`${server.http}/metrics`)).text();
  expect(await metrics()).toMatch(/^stagewire_shared_object_commit_seconds_count [1-9]$/m);
  expect(await metrics()).toMatch(/^stagewire_shared_object_commit_failures_total 0$/m);
  limitFileSize(server.pid, 4096);
  temporary.client.destroy();
  const ann = await player(server, 'app/room', 'notes');
  ann.set('large', 'x'.repeat(60_000));
  await ann.syncs.waitFor('the status', ({ statuses }) => statuses.length > 0);
  expect(await metrics()).toMatch(/^stagewire_shared_object_commit_failures_total 1$/m);
});

test('slots that were removed do not fill the disk, where no limit counts them', async () => {
  const data = temporaryFolder();
  const server = await startServer({ apps, data });
  const ann = await player(server, 'app/room', 'names');
  const names = Array.from({ length: 1000 }, (_, index) => `s${index}`);
  ann.change({ set: Object.fromEntries(names.map((name) => [name, 1])) });
  ann.change(...names.map((name) => ({ remove: name })));
  await ann.setAndWait('last', 1);
  await server.stop();
  const database = new DatabaseSync(join(data, 'shared-objects.db'));
  const rows = database.prepare('SELECT count(*) AS count FROM slots').get();
  database.close();
  expect(rows?.count).toBeLessThanOrEqual(65);
});

test('the files are for nobody else to read', async () => {
  const server = await furnished();
  await fetch(`${server.http}/api/backup`, { method: 'POST' });
  const list = execFileSync('find', [server.dataFolder, '-perm', '/077'], { encoding: 'utf8' });
  expect(list).toBe('');
});

function many(count: number): Record<string, { json: number }> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, { json: index }]));
}
