import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually } from '../../test/support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../../test/support/media.ts';
import { connect, connectRefused, type RtmpClient } from '../../test/support/rtmp-client.ts';
import { startServer, type TestServer } from '../../test/support/server.ts';
import { RemoteSharedObject } from '../../test/support/shared-object.ts';

const main = readFileSync(new URL('main.ts', import.meta.url), 'utf8');

function start(server: string, home?: TestServer, rtmp?: number): Promise<TestServer> {
  const config = { server, secret: 'for the test', ...(home && { home: home.rtmp }) };
  const hosts = home ? [`127.0.0.1:${home.rtmpPort}`] : [];
  return startServer({
    apps: { relay: { 'main.ts': main, 'app.json': JSON.stringify({ config, connect: { hosts } }) } },
    ...(rtmp !== undefined && { rtmp }),
  });
}

async function enter(server: TestServer, name: string) {
  const client = await connect(`${server.rtmp}/relay/room`, { args: [name] });
  const people = await new RemoteSharedObject(client, 'people').connect();
  return { client, people, id: String(await client.call('me')) };
}

const namesIn = ({ data }: RemoteSharedObject) =>
  [...data.values()].map((person) => (person as unknown as { name: string }).name).sort();

async function watch(client: RtmpClient, name: string) {
  const stream = await client.createStream();
  expect((await stream.play(name)).code).toBe('NetStream.Play.Start');
  return stream;
}

async function publish(client: RtmpClient, name: string) {
  const stream = await client.createStream();
  expect((await stream.publish(name)).code).toBe('NetStream.Publish.Start');
  stream.video(0, avcHeader);
  stream.video(0, keyFrame(1));
  return stream;
}

test('a room on two servers: who is here, and what they publish, on both; home goes and comes back', async () => {
  const first = await start('first');
  const second = await start('second', first);
  const ann = await enter(first, 'Ann');
  const bob = await enter(second, 'Bob');
  const cat = await enter(second, 'Cat');
  for (const { people } of [ann, bob, cat])
    await eventually('all three', () => namesIn(people).join() === 'Ann,Bob,Cat');
  expect(bob.people.data.get(bob.id)).toEqual({ name: 'Bob', server: 'second', live: false });

  // Each way, and on the same server.
  const ofAnn = await publish(ann.client, ann.id);
  const ofBob = await publish(bob.client, bob.id);
  await eventually('both live', () =>
    [ann.id, bob.id].every(
      (id) => (cat.people.data.get(id) as { live?: boolean } | undefined)?.live === true,
    ),
  );
  const seen = await watch(cat.client, ann.id);
  await seen.waitForMedia(avcHeader);
  await seen.waitForMedia(keyFrame(1));
  const there = await watch(ann.client, bob.id);
  await there.waitForMedia(keyFrame(1));
  const here = await watch(cat.client, bob.id);
  await here.waitForMedia(keyFrame(1));
  ofAnn.video(40, interFrame(2));
  ofBob.video(40, interFrame(3));
  await seen.waitForMedia(interFrame(2));
  await Promise.all([there, here].map((stream) => stream.waitForMedia(interFrame(3))));

  // Somebody else's name, the list, and the way of servers are nobody's.
  expect((await (await cat.client.createStream()).publish(bob.id)).code).toBe('NetStream.Publish.BadName');
  expect((await cat.people.setAndWait(cat.id, 1)).code).toBe('reject');
  await expect(cat.client.call('enter', 'second-x', 'X', true)).rejects.toThrow();
  await expect(ann.client.call('enter', 'second-x', 'X', true)).rejects.toThrow('Only for servers');
  expect(
    (await connectRefused(`${first.rtmp}/relay/room`, { args: [{ relay: 'x', secret: '?' }] })).code,
  ).toBe('NetConnection.Connect.Rejected');

  // She stops and goes on: whoever watches elsewhere goes on, too.
  ofAnn.command('closeStream');
  await eventually('her end', () => (bob.people.data.get(ann.id) as { live?: boolean }).live === false);
  const again = await publish(ann.client, ann.id);
  again.video(80, keyFrame(4));
  await seen.waitForMedia(keyFrame(4));
  bob.client.destroy();
  await eventually('Bob to be gone', () => namesIn(ann.people).join() === 'Ann,Cat');

  first.kill('SIGKILL');
  await first.exited;
  const home = await start('first', undefined, first.rtmpPort);
  const dan = await enter(home, 'Dan');
  await eventually('Cat to be back', () => namesIn(dan.people).join() === 'Cat,Dan');
  await eventually('Dan at Cat', () => namesIn(cat.people).join() === 'Cat,Dan');
  await publish(dan.client, dan.id);
  const late = await watch(cat.client, dan.id);
  await late.waitForMedia(keyFrame(1));
  expect(cat.client.isClosed).toBe(false);
});

test('new code at the other server: people stay, and streams go on', async () => {
  const first = await start('first');
  const second = await start('second', first);
  const ann = await enter(first, 'Ann');
  const bob = await enter(second, 'Bob');
  const ofBob = await publish(bob.client, bob.id);
  const seen = await watch(ann.client, bob.id);
  await seen.waitForMedia(keyFrame(1));
  second.writeFile('relay/main.ts', `${main}\ntrace('new code');\n`);
  await second.waitForLog((r) => r.message.startsWith('runs new code'));
  ofBob.video(40, interFrame(2));
  await seen.waitForMedia(interFrame(2));
  await eventually('Bob in the list', () => namesIn(ann.people).join() === 'Ann,Bob');
  const cat = await enter(second, 'Cat');
  await eventually('Cat in the list', () => namesIn(ann.people).join() === 'Ann,Bob,Cat');
  await eventually('all at Cat', () => namesIn(cat.people).join() === 'Ann,Bob,Cat');
  ofBob.video(80, keyFrame(5));
  await seen.waitForMedia(keyFrame(5));
});
