import { expect, test } from 'vitest';
import { type Change, type Info, type NetConnection, SharedObject } from '../../client/index.ts';
import { eventually, Journal } from '../support/journal.ts';
import { connectClient, openClient } from '../support/own-client.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** Rows of the API checklist on the client's SharedObject. */
const server = useServer({
  apps: {
    open: {
      'main.ts': `
        application.onConnect = () => true;
        Client.prototype.say = (method, ...args) => SharedObject.get('board').send(method, ...args);`,
    },
    closed: {
      'main.ts': `
        application.onConnect = (client) => {
          client.readAccess = 'open';
          client.writeAccess = '';
          return true;
        };`,
    },
  },
});

const enter = (room: string) => connectClient(`${server.http}/open/${room}`);
const shared = (connection: NetConnection) => SharedObject.getRemote('board', connection).ready;
const has = (object: SharedObject, slots: object) =>
  eventually(JSON.stringify(slots), () => JSON.stringify(object.data) === JSON.stringify(slots));

/** What each message of the server has changed, from now on. */
function changesOf(object: SharedObject): Journal<readonly Change[]> {
  const lists = new Journal<readonly Change[]>('lists of changes', (list) => JSON.stringify(list));
  object.addEventListener('sync', (event) => lists.add(event.changeList));
  return lists;
}

/** Each in a round of the event loop of its own. */
async function setInRounds(object: SharedObject, values: readonly number[]): Promise<void> {
  for (const value of values) {
    object.setProperty('x', value);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('CSO-02: an object is connected with its connection, now or later', async () => {
  const one = await shared(await enter('connect'));
  one.setProperty('x', 1);
  const later = openClient();
  const two = SharedObject.getRemote('board', later);
  expect(two.data).toEqual({});
  await later.connect(`${server.http}/open/connect`);
  await two.ready;
  await has(two, { x: 1 });
  one.setProperty('x', 2);
  await has(two, { x: 2 });
});

test('CSO-03: setProperty changes a slot here at once and then for all, and null deletes it', async () => {
  const one = await shared(await enter('set'));
  const two = await shared(await enter('set'));
  one.setProperty('x', { deep: [1] });
  one.setProperty('y', 'text');
  expect(one.data).toEqual({ x: { deep: [1] }, y: 'text' });
  await has(two, { x: { deep: [1] }, y: 'text' });
  one.setProperty('x', null);
  expect(one.data).toEqual({ y: 'text' });
  await has(two, { y: 'text' });
});

test('CSO-04: setDirty sends what was changed inside a slot', async () => {
  const one = await shared(await enter('dirty'));
  const two = await shared(await enter('dirty'));
  one.setProperty('list', [1]);
  await has(two, { list: [1] });
  one.data.list.push(2);
  one.setProperty('other', true);
  await has(two, { list: [1], other: true });
  one.setDirty('list');
  await has(two, { list: [1, 2], other: true });
});

test('CSO-07: clear deletes all slots, for everybody', async () => {
  const one = await shared(await enter('clear'));
  const two = await shared(await enter('clear'));
  one.setProperty('x', 1);
  one.setProperty('y', 2);
  await has(two, { x: 1, y: 2 });
  two.clear();
  expect(two.data).toEqual({});
  await has(one, {});
  expect((await shared(await enter('clear'))).data).toEqual({});
});

test('CSO-09: fps bounds the messages of a second, of which each has the last values', async () => {
  const one = await shared(await enter('fps'));
  const two = await shared(await enter('fps'));
  const lists = changesOf(two);
  one.fps = 1;
  await setInRounds(one, [1, 2, 3, 4, 5]);
  one.setProperty('y', 1);
  expect(one.data).toEqual({ x: 5, y: 1 });
  expect(two.data).toEqual({});
  const own = changesOf(one);
  await has(two, { x: 5, y: 1 });
  expect(lists.entries.map((list) => list.map(({ name }) => name))).toEqual([['x', 'y']]);
  await own.waitFor('the answer', (list) => list.length === 2);
  // What others write meanwhile comes before, and what was written here stays.
  one.setProperty('x', 6);
  two.setProperty('x', 0);
  await own.waitFor('theirs', (list) => list[0]?.code === 'change');
  await has(two, { x: 6, y: 1 });
  await has(one, { x: 6, y: 1 });
  // Whoever leaves has said all.
  one.setProperty('x', 7);
  one.close();
  await has(two, { x: 7, y: 1 });
});

test('CSO-13: fps is 0, with which each round of the event loop is a message', async () => {
  const one = await shared(await enter('rounds'));
  const two = await shared(await enter('rounds'));
  const lists = changesOf(two);
  expect(one.fps).toBe(0);
  one.setProperty('x', -1); // of the same round as the first of these
  await setInRounds(one, [1, 2, 3]);
  await has(two, { x: 3 });
  expect(lists.entries).toHaveLength(3);
  one.fps = 5;
  await setInRounds(one, [4, 5]);
  one.fps = 0;
  await has(two, { x: 5 });
  expect(lists.entries).toHaveLength(4);
});

test('CSO-10: data has the slots and nothing else', async () => {
  const first = await enter('data');
  (await shared(first)).setProperty('x', 1);
  const { data } = await shared(await enter('data'));
  await eventually('the slot', () => 'x' in data);
  expect(Object.entries(data)).toEqual([['x', 1]]);
  expect('toString' in data).toBe(false);
  // The object stays the same one.
  (await shared(first)).setProperty('y', 2);
  await eventually('the other', () => data.y === 2);
});

test('CSO-11: client has the methods that send calls, by the application or by others', async () => {
  const connection = await enter('client');
  const one = await shared(connection);
  const calls = new Journal<unknown[]>('calls', JSON.stringify);
  class Page {
    readonly name = 'page';
    heard(...args: unknown[]): void {
      calls.add([this.name, ...args]);
    }
  }
  one.client = new Page();
  await connection.invoke('say', 'heard', 'script', { a: 1 });
  await calls.waitFor('that of the script', ([, who]) => who === 'script');
  (await shared(await enter('client'))).send('heard', 'other');
  await calls.waitFor('that of another', ([, who]) => who === 'other');
  expect(calls.entries).toEqual([
    ['page', 'script', { a: 1 }],
    ['page', 'other'],
  ]);
});

test('CSO-14: objectEncoding is 3: slots may have what only AMF3 has, and old clients see them', async () => {
  const one = await shared(await enter('amf'));
  const two = await shared(await enter('amf'));
  const client = await connect(`${server.rtmp}/open/amf`, { objectEncoding: 3 });
  const old = await new RemoteSharedObject(client, 'board', { encoding: 3 }).connect();
  expect(one.objectEncoding).toBe(3);
  const values = { bytes: new Uint8Array([1, 2]), map: new Map([['k', 1]]) };
  one.setProperty('values', values);
  await eventually('they are seen', () => two.data.values !== undefined && old.data.has('values'));
  expect(two.data.values).toEqual(values);
  expect(old.data.get('values')).toEqual(values);
});

test('CSO-16: netStatus tells what is refused: to onStatus, or that of the connection, and as an event', async () => {
  const connection = await connectClient(`${server.http}/closed/status`);
  const told: string[] = [];
  connection.onStatus = ({ code }) => told.push(`connection ${code}`);
  const codes = new Journal<string>('statuses', String);
  const readable = SharedObject.getRemote('open/board', connection);
  readable.addEventListener('netStatus', (event) => codes.add(event.info.code));
  await readable.ready;
  readable.setProperty('x', 1);
  await codes.waitFor('a refusal', (code) => code === 'SharedObject.NoWriteAccess');
  expect(told).toEqual(['connection SharedObject.NoWriteAccess']);
  const hidden = SharedObject.getRemote('board', connection);
  const infos: Info[] = [];
  hidden.onStatus = (info) => infos.push(info);
  await expect(hidden.ready).rejects.toThrow('SharedObject.NoReadAccess');
  expect(infos).toMatchObject([{ level: 'error', code: 'SharedObject.NoReadAccess' }]);
  expect(told).toHaveLength(1);
});

test('CSO-17: asyncError tells that a method which send called is missing, or throws', async () => {
  const one = await shared(await enter('errors'));
  const errors = new Journal<string>('errors', String);
  one.addEventListener('asyncError', (event) => {
    event.preventDefault();
    errors.add((event.error as Error).message);
  });
  one.on('breaks', () => {
    throw new Error('oops');
  });
  one.send('missing');
  one.send('breaks');
  await errors.waitFor('the second', (message) => message === 'oops');
  expect(errors.entries).toEqual(['Method not found (missing).', 'oops']);
});
