import { createRequire } from 'node:module';
import { expect, onTestFinished, test } from 'vitest';
import { SharedObjectEventType as Event, encodeSharedObject } from '../../wire/shared-object.ts';
import { sharedValueOf } from '../../wire/shared-values.ts';
import { eventually } from '../support/journal.ts';
import {
  RtmpClient as Client,
  type ClientOptions,
  connect,
  type RtmpClient,
  Type,
} from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const server = useServer({
  limits: { malformedCommands: 4 },
  apps: {
    open: { 'README.md': 'No script here.' },
    rights: {
      'main.js': `${runsCode}
        application.onConnect = (client, rights = {}) => { Object.assign(client, rights); return true; };`,
    },
    small: {
      'main.js': runsCode,
      'app.json': JSON.stringify({
        limits: { sharedObjects: 2, slots: 3, slotBytes: 256, sharedObjectBytes: 65_536 },
      }),
    },
    slow: { 'main.js': runsCode },
    crowd: {
      'main.js': runsCode,
      'app.json': '{ "limits": { "sharedObjectBytes": 65536, "appSharedObjectBytes": 100000 } }',
    },
  },
});

let room = 0;
/** Somebody in a room of its own, or in the one of somebody else. */
async function visitor(at: string, options: ClientOptions = {}): Promise<RtmpClient> {
  return connect(`${server.rtmp}/${at}`, options);
}
const bare = (hex: string) => hex.replaceAll(' ', '');
const newRoom = (app = 'open') => `${app}/so${room++}`;

async function subscriber(at: string, name = 'chat', encoding: 0 | 3 = 0): Promise<RemoteSharedObject> {
  const client = await visitor(at, { objectEncoding: encoding });
  return new RemoteSharedObject(client, name, { encoding }).connect();
}

test('a change is confirmed to its writer and told to everybody else, in one version', async () => {
  const at = newRoom();
  const [ann, bob, cyd] = [await subscriber(at), await subscriber(at), await subscriber(at)];
  expect(ann.version).toBe(1);
  expect(ann.syncs.entries).toEqual([{ version: 1, list: [{ code: 'clear' }], sends: [], statuses: [] }]);
  ann.change({ set: { topic: 'news', n: 1, list: [1, { two: 2 }] } });
  await bob.holds({ topic: 'news', n: 1, list: [1, { two: 2 }] });
  await cyd.holds({ topic: 'news', n: 1, list: [1, { two: 2 }] });
  await ann.holds({ topic: 'news', n: 1, list: [1, { two: 2 }] });
  const names = ['topic', 'n', 'list'];
  expect(ann.syncs.entries[1]).toMatchObject({
    version: 2,
    list: names.map((name) => ({ code: 'success', name })),
  });
  expect(bob.syncs.entries[1]).toMatchObject({
    version: 2,
    list: names.map((name) => ({ code: 'change', name })),
  });
  bob.set('n', 2);
  await ann.holds({ topic: 'news', n: 2, list: [1, { two: 2 }] });
  expect(ann.syncs.entries.at(-1)).toEqual({
    version: 3,
    list: [{ code: 'change', name: 'n', oldValue: 1 }],
    sends: [],
    statuses: [],
  });
});

test('who comes later gets what there is: the answer, a clear, and each slot, in one message', async () => {
  const at = newRoom();
  const ann = await subscriber(at);
  await ann.setAndWait('a', 1);
  await ann.setAndWait('b', 'two');
  const late = await subscriber(at);
  expect(late.syncs.entries).toMatchObject([
    { version: 3, list: [{ code: 'clear' }, { code: 'change', name: 'a' }, { code: 'change', name: 'b' }] },
  ]);
  expect(Object.fromEntries(late.data)).toEqual({ a: 1, b: 'two' });
  // Asked twice, answered twice; and once told of a change.
  late.send([{ type: Event.Use }]);
  await late.syncs.waitFor('a second answer', ({ list }) => list.length === 3, 1);
  ann.set('a', 5);
  await late.holds({ a: 5, b: 'two' });
  expect(late.syncs.entries).toHaveLength(3);
});

test('the messages are those of the reference, byte for byte', async () => {
  const at = newRoom();
  const first = await visitor(at);
  const second = await visitor(at);
  const bodies = (client: RtmpClient) =>
    client.received.entries
      .filter(({ type }) => type === Type.SharedObjectAmf0)
      .map(({ payload }) => toHex(payload));
  const send = (client: RtmpClient, hex: string) =>
    client.message({ type: Type.SharedObjectAmf0, streamId: 0, timestamp: 0, payload: fromHex(hex) });
  const until = (client: RtmpClient, count: number) =>
    eventually(`${count} messages`, () => bodies(client).length >= count);
  const head = (version: number) => `0004 63686174 0000000${version} 00000000 00000000`;
  const five = '0001 6e 00 4014000000000000';
  const six = '0001 6e 00 4018000000000000';

  send(first, `${head(0)} 01 00000000`);
  await until(first, 1);
  expect(bodies(first)[0]).toBe(bare(`${head(1)} 0b 00000000 08 00000000`));
  send(first, `${head(1)} 03 0000000c ${five}`);
  await until(first, 2);
  expect(bodies(first)[1]).toBe(bare(`${head(2)} 05 00000003 0001 6e`));
  send(second, `${head(0)} 01 00000000`);
  await until(second, 1);
  expect(bodies(second)[0]).toBe(bare(`${head(2)} 0b 00000000 08 00000000 04 0000000c ${five}`));
  send(second, `${head(2)} 03 0000000c ${six}`);
  await until(first, 3);
  await until(second, 2);
  expect(bodies(second)[1]).toBe(bare(`${head(3)} 05 00000003 0001 6e`));
  expect(bodies(first)[2]).toBe(bare(`${head(3)} 04 0000000c ${six}`));
  const say = '06 0000000b 02 0003 736179 02 0002 6869';
  send(first, `${head(3)} ${say}`);
  await until(first, 4);
  await until(second, 3);
  expect(bodies(first)[3]).toBe(bare(`${head(3)} ${say}`));
  expect(bodies(second)[2]).toBe(bare(`${head(3)} ${say}`));
  send(first, `${head(3)} 0a 00000003 0001 6e`);
  await until(first, 5);
  await until(second, 4);
  expect(bodies(first)[4]).toBe(bare(`${head(4)} 09 00000003 0001 6e`));
  expect(bodies(second)[3]).toBe(bare(`${head(4)} 09 00000003 0001 6e`));
});

test('deleting: asked for, by null and by undefined; of what is not there too', async () => {
  const at = newRoom();
  const [ann, bob] = [await subscriber(at), await subscriber(at)];
  ann.change({ set: { a: 1, b: 2, c: 3, d: 4 } });
  await bob.holds({ a: 1, b: 2, c: 3, d: 4 });
  bob.change({ remove: 'a' });
  await ann.holds({ b: 2, c: 3, d: 4 });
  ann.set('b', null);
  ann.set('c', undefined);
  await bob.holds({ d: 4 });
  await ann.holds({ d: 4 });
  expect(bob.syncs.entries.at(-1)).toMatchObject({ version: 5, list: [{ code: 'delete', name: 'c' }] });
  const before = bob.syncs.mark;
  ann.change({ remove: 'nothing' });
  await ann.syncs.waitFor('an answer', ({ list }) => list[0]?.name === 'nothing');
  await ann.setAndWait('e', 5);
  await bob.holds({ d: 4, e: 5 });
  expect(bob.syncs.entries.slice(before)).toHaveLength(1);
});

test('a value that is there already is confirmed, and told to nobody', async () => {
  const at = newRoom();
  const [ann, bob] = [await subscriber(at), await subscriber(at)];
  expect(await ann.setAndWait('a', { x: 1 })).toMatchObject({ code: 'success' });
  expect(await ann.setAndWait('a', { x: 1 })).toMatchObject({ code: 'success' });
  expect(ann.version).toBe(2);
  await ann.setAndWait('a', { x: 2 });
  await bob.holds({ a: { x: 2 } });
  expect(bob.syncs.entries).toHaveLength(3);
});

test('who writes before it hears that there was nothing to delete, or that it may not write, keeps what it wrote', async () => {
  const at = newRoom();
  const ann = await subscriber(at);
  ann.change({ remove: 'a' });
  ann.set('a', 1);
  ann.set('b', null);
  ann.set('b', 2);
  const isLast = (code: string) => code !== 'delete';
  await ann.syncs.waitFor('the last answer', ({ list }) => list[0]?.name === 'b' && isLast(list[0].code));
  expect(Object.fromEntries(ann.data)).toEqual({ a: 1, b: 2 });
  const cyd = await new RemoteSharedObject(await visitor(newRoom('small')), 'chat').connect();
  cyd.set('a', 'x'.repeat(300));
  cyd.set('a', 'short');
  cyd.set('end', 1);
  await cyd.syncs.waitFor('the last answer', ({ list }) => list[0]?.name === 'end');
  expect(Object.fromEntries(cyd.data)).toEqual({ a: 'short', end: 1 });
});

test('clear empties it for all, and what follows in the message stays', async () => {
  const at = newRoom();
  const [ann, bob] = [await subscriber(at), await subscriber(at)];
  ann.change({ set: { a: 1, b: 2 } });
  await bob.holds({ a: 1, b: 2 });
  bob.change('clear', { set: { c: 3 } });
  await ann.holds({ c: 3 });
  await bob.holds({ c: 3 });
  expect(ann.syncs.entries.at(-1)).toMatchObject({
    version: 3,
    list: [{ code: 'clear' }, { code: 'change', name: 'c' }],
  });
});

test('send reaches every subscriber, the sender too, in its place among changes, and is not kept', async () => {
  const at = newRoom();
  const [ann, bob] = [await subscriber(at), await subscriber(at)];
  ann.change({ set: { a: 1 } }, { send: ['say', 'hello', { to: 'all' }] }, { set: { b: 2 } });
  const heard = await bob.syncs.waitFor('the message', ({ sends }) => sends.length > 0);
  expect(heard).toMatchObject({ version: 2, sends: [['say', 'hello', { to: 'all' }]] });
  await ann.syncs.waitFor('the message', ({ sends }) => sends.length > 0);
  expect((await subscriber(at)).syncs.entries[0]!.sends).toEqual([]);
  // Whose name is none reaches nobody.
  ann.change({ send: [] }, { send: [5] }, { send: [''] }, { send: ['x'.repeat(300)] });
  ann.change({ send: ['last'] });
  await bob.syncs.waitFor('the last', ({ sends }) => sends[0]?.[0] === 'last');
  expect(bob.syncs.entries.flatMap(({ sends }) => sends.map(([name]) => name))).toEqual(['say', 'last']);
});

test('AMF0 and AMF3 meet in one object, each in its own messages', async () => {
  const at = newRoom();
  const [low, high] = [await subscriber(at, 'mixed', 0), await subscriber(at, 'mixed', 3)];
  const value = { n: 7, list: ['x', 'x', { deep: true }], when: new Date(86_400_000) };
  high.set('high', value);
  await low.holds({ high: value });
  low.set('low', value);
  await high.holds({ high: value, low: value });
  const loop: { name: string; self?: unknown } = { name: 'loop' };
  loop.self = loop;
  high.change({ set: { one: value, loop, two: [value, value] } });
  await eventually('all of them', () => low.data.size === 5);
  const seen = low.data.get('loop') as { self: unknown };
  expect(seen.self).toBe(seen);
  const lateLow = await subscriber(at, 'mixed', 0);
  const lateHigh = await subscriber(at, 'mixed', 3);
  for (const late of [lateLow, lateHigh]) {
    expect(late.data.get('two')).toEqual([value, value]);
    expect((late.data.get('loop') as { self: unknown }).self).toBe(late.data.get('loop'));
  }
});

test('objects are of one instance, and gone with their last subscriber', async () => {
  const [here, there] = [newRoom(), newRoom()];
  const ann = await subscriber(here);
  await ann.setAndWait('a', 1);
  expect((await subscriber(there)).data.size).toBe(0);
  const bob = await subscriber(here);
  expect(bob.data.get('a')).toBe(1);
  ann.release();
  bob.set('b', 2);
  await bob.holds({ a: 1, b: 2 });
  expect(ann.data.get('b')).toBeUndefined();
  const last = await visitor(here);
  bob.release();
  await bob.client.settled();
  const fresh = await new RemoteSharedObject(last, 'chat').connect();
  expect(fresh.data.size).toBe(0);
  expect(fresh.version).toBe(bob.version + 1);
});

test('a client that leaves, or is cut off, is no subscriber any more', async () => {
  const at = newRoom();
  const ann = await subscriber(at);
  for (const end of ['close', 'reset'] as const) {
    const client = await visitor(at);
    await new RemoteSharedObject(client, 'chat').connect();
    await client[end]();
  }
  expect(await ann.setAndWait('a', 1)).toMatchObject({ code: 'success' });
});

test('access strings decide who reads and who writes', async () => {
  const at = newRoom('rights');
  const writer = await visitor(at);
  const all = await new RemoteSharedObject(writer, 'pub/a').connect();
  await all.setAndWait('x', 1);
  const blind = await visitor(at, { args: [{ readAccess: 'pub/b' }] });
  await expect(new RemoteSharedObject(blind, 'pub/a').connect()).rejects.toThrow('SharedObject.NoReadAccess');
  await new RemoteSharedObject(blind, 'pub/b').connect();

  const guest = await visitor(at, { args: [{ writeAccess: 'mine' }] });
  const reads = await new RemoteSharedObject(guest, 'pub/a').connect();
  reads.change({ set: { x: 2, y: 3 } }, { send: ['say', 'no'] }, { remove: 'x' }, 'clear');
  const refusal = await reads.syncs.waitFor('a refusal', ({ statuses }) => statuses.length > 0);
  expect(refusal.statuses).toEqual([{ code: 'SharedObject.NoWriteAccess', level: 'error' }]);
  await reads.holds({ x: 1 });
  await all.setAndWait('z', 1);
  await all.holds({ x: 1, z: 1 });
  expect(all.syncs.entries.flatMap(({ sends }) => sends)).toEqual([]);
  await (await new RemoteSharedObject(guest, 'mine').connect()).setAndWait('ok', 1);
  // Rights that are given later count from then on.
  await run(writer, 'for (const each of application.clients) each.writeAccess = "/"');
  reads.set('x', 2);
  await all.holds({ x: 2, z: 1 });
});

test('who has not asked for an object cannot change it', async () => {
  const at = newRoom();
  const ann = await subscriber(at);
  const stranger = new RemoteSharedObject(await visitor(at), 'chat');
  stranger.set('a', 1);
  const refusal = await stranger.syncs.waitFor('a refusal', ({ statuses }) => statuses.length > 0);
  expect(refusal.statuses[0]!.code).toBe('SharedObject.NoWriteAccess');
  await ann.setAndWait('b', 1);
  await ann.holds({ b: 1 });
  // In the order in which it was sent: the same message may ask first.
  stranger.send([{ type: Event.Use }, { type: Event.Release }, { type: Event.Use }]);
  await stranger.holds({ b: 1 });
});

test('limits: slots, their size, all together, and how many objects', async () => {
  const at = newRoom('small');
  const [ann, bob] = [await subscriber(at), await subscriber(at)];
  ann.change({ set: { a: 1, b: 2, c: 3, d: 4 } });
  await bob.holds({ a: 1, b: 2, c: 3 });
  await ann.holds({ a: 1, b: 2, c: 3 });
  expect(ann.syncs.entries[1]!.list.at(-1)).toMatchObject({ code: 'delete', name: 'd' });
  expect(await ann.setAndWait('a', 'x'.repeat(300))).toMatchObject({ code: 'reject', name: 'a' });
  expect(ann.data.get('a')).toBe(1);
  await ann.setAndWait('a', 'x'.repeat(200));
  await bob.holds({ a: 'x'.repeat(200), b: 2, c: 3 });
  ann.set('a', null);
  await bob.holds({ b: 2, c: 3 });
  expect(await ann.setAndWait('d', 4)).toMatchObject({ code: 'success' });

  const client = await visitor(at);
  await new RemoteSharedObject(client, 'second').connect();
  await expect(new RemoteSharedObject(client, 'third').connect()).rejects.toThrow(
    'SharedObject.ObjectCreationFailed',
  );
  await new RemoteSharedObject(client, 'second').connect();
});

test.each(['', '/', 'a//b', '../x', '.hidden', 'a/.b', 'a\u0000b', 'a\\b', 'x'.repeat(300)])(
  'an object cannot be called %j',
  async (name) => {
    const client = await visitor(newRoom());
    await expect(new RemoteSharedObject(client, name).connect()).rejects.toThrow(
      'SharedObject.ObjectCreationFailed',
    );
  },
);

test('malformed messages change nothing and disturb nobody; who sends many is dropped', async () => {
  const at = newRoom();
  const ann = await subscriber(at);
  const bad = await visitor(at);
  const own = await new RemoteSharedObject(bad, 'chat').connect();
  const send = (hex: string) =>
    bad.message({ type: Type.SharedObjectAmf0, streamId: 0, timestamp: 0, payload: fromHex(hex) });
  const head = '0004 63686174 00000000 00000000 00000000';
  send(`${head} 03 0000000c 0001 61 00 3ff0000000000000 03 00000006 0001 62 0a 000000ff`); // one good change in it
  send(`${head} 03 00000099 0001`);
  send('0004 6368');
  await bad.settled();
  await own.setAndWait('ok', 1);
  await ann.holds({ ok: 1 });
  for (let i = 0; i < 3; i++) send('00');
  await bad.closed;
  await ann.setAndWait('still', 1);
});

test('one that does not read is told later, in one go, and holds up nobody', async () => {
  const at = newRoom('slow');
  const fast = await subscriber(at, 'flood');
  const slowClient = await visitor(at);
  const slow = await new RemoteSharedObject(slowClient, 'flood').connect();
  slowClient.pauseReading();
  const text = 'x'.repeat(30_000);
  const writer = await subscriber(at, 'flood');
  // More than a socket holds: 60 MB.
  for (let round = 0; round < 2000; round++)
    writer.change({ set: { [`s${round % 20}`]: `${round} ${text}` } });
  writer.change({ remove: 's0' }, { set: { done: true } });
  await eventually('the other one to have all', () => fast.data.get('done') === true);
  expect(fast.data.size).toBe(20);
  // What waits for it is bounded, by the limit and what one round of changes brings.
  const helper = await visitor(at);
  const queued = await run(
    helper,
    'return Math.max(...application.clients.map((c) => c.getStats().queue_bytes))',
  );
  expect(queued).toBeGreaterThan(100_000);
  expect(queued).toBeLessThan(8_000_000);
  slowClient.resumeReading();
  await eventually('the slow one to have all', () => slow.data.get('done') === true && slow.data.size === 20);
  expect([...slow.data].sort()).toEqual([...fast.data].sort());
  expect(slow.syncs.entries.length).toBeLessThan(1000);
});

test('a large object comes in pieces, as fast as it is read, and what is written meanwhile holds', async () => {
  const at = newRoom('rights');
  const writer = await subscriber(at);
  const text = 'x'.repeat(30_000);
  for (let i = 0; i < 400; i++) writer.set(`s${i}`, text);
  await writer.client.settled();
  const joiners = await Promise.all(
    Array.from({ length: 8 }, async () => new RemoteSharedObject(await visitor(at), 'chat')),
  );
  for (const joiner of joiners) {
    joiner.client.pauseReading();
    joiner.send([{ type: Event.Use }]);
    joiner.set('s399', `of ${joiners.indexOf(joiner)}`);
  }
  const helper = await visitor(at);
  const longest = 'return Math.max(...application.clients.map((c) => c.getStats().queue_bytes))';
  for (let i = 0; i < 20; i++) expect(await run(helper, longest)).toBeLessThan(2_500_000);
  for (const { client } of joiners) client.resumeReading();
  const [first] = joiners;
  await eventually('a piece', () => first!.data.size > 0);
  first!.change({ set: { s1: 'mine' } }, { remove: 's0' });
  writer.change({ remove: 's2' }, { set: { s3: 3 } });
  for (const joiner of joiners) {
    await eventually('all to see the same', () => joiner.data.size === 398 && joiner.data.get('s3') === 3);
    expect([...joiner.data].sort()).toEqual([...writer.data].sort());
    expect(joiner.syncs.entries.filter(({ list }) => list[0]?.code === 'clear')).toHaveLength(1);
  }
});

test('whoever asks for a large object thousands of times is answered once', async () => {
  const at = newRoom();
  const ann = await subscriber(at);
  for (let i = 0; i < 3; i++)
    ann.change({ set: Object.fromEntries(Array.from({ length: 1000 }, (_, k) => [`s${i}.${k}`, k])) });
  await ann.client.settled();
  const client = await visitor(at);
  const bob = new RemoteSharedObject(client, 'chat');
  bob.send(Array.from({ length: 4000 }, () => ({ type: Event.Use })));
  await eventually('the content', () => bob.data.size === 3000);
  await client.settled();
  expect(client.receivedBytes).toBeLessThan(200_000);
});

test('all instances of an application have room for so much together', async () => {
  const [ann, bob] = [await subscriber(newRoom('crowd')), await subscriber(newRoom('crowd'))];
  const large = 'x'.repeat(60_000);
  expect(await ann.setAndWait('a', large)).toMatchObject({ code: 'success' });
  expect(await bob.setAndWait('b', large)).toMatchObject({ code: 'delete' });
  await run(bob.client, 'SharedObject.get("own").setProperty("c", "x".repeat(60000))');
  const reason = ({ message }: { message: string }) =>
    message.includes('limits.appSharedObjectBytes is 100000');
  await server.waitForLog(reason);
  await bob.setAndWait('b', 'small');
  await bob.holds({ b: 'small' });
  // An object that nobody has any more leaves its room to others.
  await ann.client.close();
  await eventually('there is room', async () => {
    await bob.setAndWait('b', large);
    return bob.data.get('b') === large;
  });
});

test('changes that are refused bring back no more than there is', async () => {
  const at = newRoom('rights');
  const owner = await subscriber(at);
  owner.set('long', 'x'.repeat(50_000));
  owner.set('short', 1);
  const client = await visitor(at, { args: [{ writeAccess: 'nowhere' }] });
  const guest = await new RemoteSharedObject(client, 'chat').connect();
  guest.send(Array.from({ length: 4000 }, () => ({ type: Event.RequestRemove, key: 'long' })));
  guest.change({ set: { short: 2, own: 3 } });
  await guest.holds({ long: 'x'.repeat(50_000), short: 1 });
  await client.settled();
  expect(client.receivedBytes).toBeLessThan(300_000);
});

test('few bytes of AMF3 do not become megabytes of AMF0, and end nobody', async () => {
  const at = newRoom();
  const [ann, bob] = [await subscriber(at, 'chat', 3), await subscriber(at)];
  const text = 'x'.repeat(1000);
  const long = sharedValueOf(
    Array.from({ length: 1000 }, () => text),
    3,
  );
  const handler = sharedValueOf('say', 3);
  ann.send(Array.from({ length: 30 }, () => ({ type: Event.Send, values: [handler, long] })));
  ann.send([{ type: Event.RequestChange, key: 'long', value: long }]);
  ann.set('done', true);
  await eventually('the end', () => bob.data.get('done') === true);
  expect(bob.data.get('long')).toBeUndefined();
  const sends = bob.syncs.entries.flatMap((sync) => sync.sends);
  expect(sends).toEqual(Array.from({ length: 30 }, () => ['say', undefined]));
  expect(bob.client.receivedBytes).toBeLessThan(10_000);
});

test('slots whose values refer to parts of their own have no limit together', async () => {
  const at = newRoom();
  const ann = await subscriber(at);
  const part = { n: 1 };
  const values = [
    [part, part, ...Array<null>(40_000).fill(null)],
    [part, part, ...Array<null>(40_000).fill(null)],
  ];
  for (const [i, value] of values.entries()) ann.set(`s${i}`, value);
  await ann.client.settled();
  // More than our own decoder takes at once.
  const bob = await visitor(at);
  const type = Type.SharedObjectAmf0;
  const events = [{ type: Event.Use }];
  const payload = encodeSharedObject(type, { name: 'chat', version: 0, isPersistent: false, events });
  bob.message({ type, streamId: 0, timestamp: 0, payload });
  await eventually('both', () => bob.receivedBytes > 80_000);
});

test('what is sent before the client is accepted waits for that', async () => {
  const client = await Client.open(`${server.rtmp}/${newRoom('rights')}`);
  const answer = client.startConnect();
  const object = new RemoteSharedObject(client, 'early');
  const connected = object.connect();
  object.set('a', 1);
  expect((await answer).name).toBe('_result');
  await connected;
  await object.holds({ a: 1 });
});

test('the npm package rtmp-client uses, reads, sets and deletes slots', async () => {
  const at = newRoom();
  const ann = await subscriber(at, 'foo');
  await ann.setAndWait('before', 'here');
  const { NetConnection, SharedObject } = createRequire(import.meta.url)('rtmp-client');
  const nc = new NetConnection();
  const connected = new Promise<void>((resolve) => {
    nc.onStatus = (info: { code: string }) => {
      if (info.code === 'NetConnection.Connect.Success') resolve();
    };
  });
  nc.connect(`${server.rtmp}/${at}`);
  onTestFinished(() => nc.close());
  await connected;
  const lists: { code: string; name?: string }[][] = [];
  const foreign = SharedObject.get('foo', false, nc);
  foreign.onSync = (list: []) => lists.push(list);
  await eventually('the first sync', () => lists.length > 0);
  expect(foreign.getProperty('before')).toBe('here');
  foreign.setProperty('theirs', { deep: [1, 2] });
  await ann.holds({ before: 'here', theirs: { deep: [1, 2] } });
  await eventually('its own change', () => foreign.getProperty('theirs') !== null);
  expect(lists.at(-1)).toMatchObject([{ code: 'success', name: 'theirs' }]);
  ann.set('ours', 5);
  await eventually('our change', () => foreign.getProperty('ours') === 5);
  foreign.setProperty('before', null);
  await ann.holds({ theirs: { deep: [1, 2] }, ours: 5 });
});
