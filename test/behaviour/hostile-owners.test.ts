import { expect, test } from 'vitest';
import { type SharedObjectEvent, SharedObjectEventType as Type } from '../../wire/shared-object.ts';
import { sharedValueOf } from '../../wire/shared-values.ts';
import { FakeOwner } from '../support/fake-owner.ts';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** Owners of shared objects that lie, stall, flood, or are no Stagewire: the instance that asks them goes on. */
const server = useServer();

let apps = 0;
/** An instance of its own with the object `board` of that owner, and a client of it. */
async function shares(owner: FakeOwner, limits: object = {}) {
  const app = `app${++apps}`;
  const hosts = [new URL(owner.uri).host];
  server.writeFile(`${app}/app.json`, JSON.stringify({ connect: { hosts }, limits }));
  server.writeFile(`${app}/main.js`, runsCode);
  await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'));
  const client = await connect(`${server.rtmp}/${app}/room`);
  const code = `
    const nc = new NetConnection();
    const heard = [];
    const said = [];
    nc.onStatus = ({ code, description }) => void said.push([code, description]);
    nc.connect(args[0]);
    const so = SharedObject.get('board', false, nc);
    so.onSync = (list) => void heard.push(...list.map(({ code, name }) => code + ' ' + name));
    so.onStatus = ({ code, description }) => void said.push([code, description]);
    Object.assign(application, { so, nc, heard, said });`;
  await run(client, code, owner.uri);
  await owner.asked.waitFor('the question', ({ events }) => events.some(({ type }) => type === Type.Use));
  const object = new RemoteSharedObject(client, 'board');
  object.send([{ type: Type.Use }]);
  const says = async () => (await run(client, 'return application.said')) as [string, string][];
  const saidOf = async (code: string) => {
    await eventually(code, async () => (await says()).some(([each]) => each === code));
    return (await says()).find(([each]) => each === code)![1];
  };
  return { app, client, object, saidOf };
}

const change = (key: string, value: unknown) =>
  ({ type: Type.Change, key, value: sharedValueOf(value, 0) }) as const;
const whole: readonly SharedObjectEvent[] = [{ type: Type.UseSuccess }, { type: Type.Clear }];

test.each([
  ['an event without its end', '04 000000ff 0001 78'],
  ['a value that is none', '04 00000004 0001 78 ff'],
  ['a name that is too long', `09 00001002 1000 ${'61'.repeat(4096)}`],
])('%s: the connection ends with the reason, and what is here stays', async (_, hex) => {
  const owner = await FakeOwner.start();
  const { object, saidOf } = await shares(owner);
  owner.says(1, [...whole, change('x', 1)]);
  await object.holds({ x: 1 });
  const head = '0005 626f617264 00000002 00000000 00000000';
  owner.saysBytes(Buffer.from(`${head}${hex}`.replaceAll(' ', ''), 'hex'));
  expect(await saidOf('NetConnection.Connect.Closed')).not.toBe('');
  expect(await object.setAndWait('x', 2)).toMatchObject({ code: 'reject' });
  await object.holds({ x: 1 });
});

test('objects that nobody has asked for, and versions without sense: only what was asked for is there', async () => {
  const owner = await FakeOwner.start();
  const { app, object } = await shares(owner);
  for (let n = 0; n < 2000; n++) owner.says(n, [...whole, change('x', 'y'.repeat(1000))], `other${n}`);
  owner.says(0xffff_ffff, [...whole, change('x', 1)]);
  owner.says(1, [change('y', 1)]);
  owner.says(0, [
    { type: Type.UseSuccess },
    change('z', 1),
    { type: Type.Use },
    { ...change('w', 1), type: Type.RequestChange },
  ]);
  await object.holds({ x: 1, y: 1, z: 1 });
  const { sharedObjects } = await server.instance(app, 'room');
  expect(sharedObjects.map(({ name }) => name)).toEqual(['board']);
});

test.each([
  [
    'too many slots',
    { slots: 100 },
    Array.from({ length: 101 }, (_, n) => change(`n${n}`, n)),
    'limits.slots is 100',
  ],
  ['a slot that is too large', { slotBytes: 300 }, [change('x', 'y'.repeat(300))], 'limits.slotBytes is 300'],
  [
    'too much of all',
    { sharedObjectBytes: 65536 },
    Array.from({ length: 100 }, (_, n) => change(`n${n}`, 'y'.repeat(1000))),
    'limits.sharedObjectBytes is 65536',
  ],
] as const)('%s: the object is given up, with the limit in the status', async (_, limits, events, why) => {
  const owner = await FakeOwner.start();
  const { object, saidOf, client } = await shares(owner, limits);
  owner.says(1, [...whole, ...events]);
  expect(await saidOf('SharedObject.ObjectCreationFailed')).toBe(
    `The owner's "board" has no room here: ${why}.`,
  );
  await owner.asked.waitFor('the release', ({ events }) => events[0]?.type === Type.Release);
  // Who has waited for it hears that there is nothing.
  await object.syncs.waitFor(
    'the status',
    ({ statuses }) => statuses[0]?.code === 'SharedObject.ObjectCreationFailed',
  );
  expect(await run(client, 'return application.nc.isConnected')).toBe(true);
});

test.each([
  ['never answers', () => {}],
  [
    'never comes to an end',
    (owner: FakeOwner) => {
      for (let n = 0; n < 50; n++) owner.says(0, [...whole, change(`n${n}`, n)]);
    },
  ],
])('an owner that %s is given up after limits.outgoingConnectMs', async (_, answer) => {
  const owner = await FakeOwner.start();
  const { saidOf } = await shares(owner, { outgoingConnectMs: 700 });
  answer(owner);
  expect(await saidOf('SharedObject.ObjectCreationFailed')).toBe(
    'The owner of "board" has not given it within 700 ms (limits.outgoingConnectMs).',
  );
});

test('a flood of changes is read as fast as the script takes it, and ends where the owner ends', async () => {
  const owner = await FakeOwner.start();
  const { object, client } = await shares(owner, { mailboxRecords: 100 });
  owner.says(1, [...whole, change('x', 0)]);
  await object.holds({ x: 0 });
  for (let n = 1; n <= 20_000; n++) owner.says(n, [change('x', n)]);
  await object.holds({ x: 20_000 });
  await eventually(
    'the script',
    async () => (await run(client, 'return application.so.getProperty("x")')) === 20_000,
  );
  expect(await run(client, 'return application.heard.length')).toBe(20_001);
});

test('a server that treats it like a player: what it says with values and what it says without come to the same', async () => {
  const owner = await FakeOwner.start();
  const { object, client } = await shares(owner);
  owner.says(1, [...whole], 'board', false);
  await eventually('the content', () => object.isConnected);
  object.set('x', 'mine');
  const isSet = ({ events }: { events: readonly SharedObjectEvent[] }) =>
    events[0]?.type === Type.RequestChange;
  await owner.asked.waitFor('the change', isSet);
  owner.says(2, [{ type: Type.Success, key: 'x' }], 'board', false);
  expect((await object.syncs.waitFor('success', ({ list }) => list[0]?.code === 'success')).list).toEqual([
    { code: 'success', name: 'x' },
  ]);
  expect(await run(client, 'return application.so.getProperty("x")')).toBe('mine');

  const from = owner.asked.mark;
  object.set('x', 'again');
  await owner.asked.waitFor('the change', isSet, from);
  owner.says(3, [change('x', 'theirs')], 'board', false);
  await owner.asked.waitFor(
    'the question for everything',
    ({ events }) => events[0]?.type === Type.Use,
    from,
  );
  owner.says(4, [...whole, change('x', 'theirs')], 'board', false);
  await object.holds({ x: 'theirs' });
});
