import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../test/support/journal.ts';
import { keyFrame } from '../../test/support/media.ts';
import { connect, connectRefused, RefusedError, type RtmpClient } from '../../test/support/rtmp-client.ts';
import { useServer } from '../../test/support/server.ts';
import { RemoteSharedObject } from '../../test/support/shared-object.ts';

const server = useServer({ samples: ['videochat'] });

interface Member {
  client: RtmpClient;
  people: RemoteSharedObject;
  id: string;
}

async function enter(room: string, name: string, ...key: unknown[]): Promise<Member> {
  const client = await connect(`${server.rtmp}/videochat/${room}`, { args: [name, ...key] });
  const people = await new RemoteSharedObject(client, 'people').connect();
  return { client, people, id: String(await client.call('me')) };
}

const silent = { camera: false, microphone: false, screen: false };
const namesIn = ({ data }: RemoteSharedObject) =>
  [...data.values()].map((person) => (person as unknown as { name: string }).name);

test('who is here, and what they show, is told to all; who leaves is gone', async () => {
  const ann = await enter('lounge', 'Ann');
  const bob = await enter('lounge', ' Bob ');
  await ann.people.holds({
    [ann.id]: { name: 'Ann', ...silent, speaking: false },
    [bob.id]: { name: 'Bob', ...silent, speaking: false },
  });
  await bob.client.call('speak', true);
  await bob.client.call('show', { ...silent, microphone: true });
  await bob.client.call('speak', true);
  const speaking = { name: 'Bob', ...silent, microphone: true, speaking: true };
  await ann.people.holds({ [ann.id]: { name: 'Ann', ...silent, speaking: false }, [bob.id]: speaking });
  await bob.client.call('show', silent);
  await ann.people.holds({
    [ann.id]: { name: 'Ann', ...silent, speaking: false },
    [bob.id]: { name: 'Bob', ...silent, speaking: false },
  });
  await bob.client.close();
  await eventually('Bob to be gone', () => namesIn(ann.people).join() === 'Ann');
});

test('each publishes under the own name alone, and is played by those in the room', async () => {
  const ann = await enter('stage', 'Ann');
  const bob = await enter('stage', 'Bob');
  const hers = await ann.client.createStream();
  const his = await bob.client.createStream();
  for (const name of [ann.id, `${ann.id}?x`, `mp4:${ann.id}`, `${bob.id}/more`, 'people', 'anything', ''])
    expect((await his.publish(name)).code, name).toBe('NetStream.Publish.BadName');
  expect((await hers.publish(ann.id)).code).toBe('NetStream.Publish.Start');
  expect((await his.play('anything')).level).toBe('error');
  expect((await his.play(ann.id)).code).toBe('NetStream.Play.Start');
  hers.video(0, keyFrame(1));
  await his.waitForMedia(keyFrame(1));

  // Nobody who has not come in gets to see anything.
  const { status } = await fetch(`${server.http}/videochat/stage/${ann.id}.flv`);
  expect(status).toBe(403);
});

test('a room has an end, and a page that comes back takes its own place', async () => {
  const key = 'k'.repeat(16);
  const first = await enter('full', 'p0', key);
  const watcher = await enter('full', 'p1', 'l'.repeat(16));
  for (let i = 2; i < 8; i++) await enter('full', `p${i}`, i === 2 ? undefined : String(i).repeat(20));
  const url = `${server.rtmp}/videochat/full`;
  const { description, application } = await connectRefused(url, { args: ['late', 'm'.repeat(16)] });
  expect(description).toContain('This room is full: there is room for 8.');
  expect(application).toMatchObject({ code: 'FULL', data: { most: 8 } });
  // No key, or one that is none, is nobody's.
  for (const none of [undefined, '', 'short', 7, {}, null])
    await connectRefused(url, { args: ['late', none] });

  const again = await enter('full', 'p0', key);
  await first.client.closed;
  expect(again.id).not.toBe(first.id);
  await eventually('eight again', () => watcher.people.data.size === 8);
  expect(watcher.people.data.has(first.id)).toBe(false);
});

test('what is hostile changes nothing', async () => {
  const ann = await enter('hostile', 'Ann');
  const eve = await enter('hostile', 'Eve', 'e'.repeat(16));
  const before = { name: 'Ann', ...silent, speaking: false };
  const url = `${server.rtmp}/videochat/hostile`;
  for (const name of [undefined, null, '', '   ', 7, {}, ['Ann'], 'x'.repeat(33)]) {
    const { description } = await connectRefused(url, { args: [name] });
    expect(description).toContain('1 to 32');
  }
  eve.people.set(ann.id, { name: 'Mallory', ...silent, speaking: false });
  eve.people.set(eve.id, 'nonsense');
  eve.people.set('extra', 'x'.repeat(1000));
  eve.people.change({ remove: ann.id }, 'clear', { send: ['anything'] });
  const bad = [undefined, null, 7, 'camera', {}, { ...silent, camera: 'yes' }, { camera: true }, [true]];
  for (const shown of bad) await expect(eve.client.call('show', shown)).rejects.toThrow(RefusedError);
  for (const speaking of [undefined, null, 1, 'yes', {}])
    await expect(eve.client.call('speak', speaking)).rejects.toThrow(RefusedError);
  for (const method of ['set', 'change', 'constructor', 'toString', 'disconnect'])
    await expect(eve.client.call(method)).rejects.toThrow(RefusedError);
  await eve.client.call('show', { ...silent, name: 'Mallory', more: 'x'.repeat(10_000) });
  await ann.people.holds({ [ann.id]: before, [eve.id]: { ...before, name: 'Eve' } });
  await eve.people.holds({ [ann.id]: before, [eve.id]: { ...before, name: 'Eve' } });

  // Shared objects of one's own there are none, in memory or on disk.
  for (const isPersistent of [false, true])
    await expect(new RemoteSharedObject(eve.client, eve.id, { isPersistent }).connect()).rejects.toThrow();

  // A flood of changes reaches the others as the few that the script lets through.
  const from = ann.people.syncs.mark;
  const calls = Array.from({ length: 500 }, (_, i) =>
    eve.client.call('show', { ...silent, camera: i % 2 === 0 }).then(
      () => true,
      () => false,
    ),
  );
  const taken = (await Promise.all(calls)).filter((isTaken) => isTaken).length;
  expect(taken).toBeLessThan(100);
  expect(ann.people.syncs.mark - from).toBeLessThan(100);
  expect(server.log.entries.filter(({ level }) => level === 'error')).toEqual([]);
});

test('whoever asks for a recording fills no disk', async () => {
  const eve = await enter('records', 'Eve');
  const stream = await eve.client.createStream();
  await stream.publish(eve.id, 'record');
  for (let i = 0; i < 200; i++) stream.video(i * 40, Buffer.concat([keyFrame(i), Buffer.alloc(20_000)]));
  await eve.client.settled();
  await eve.client.close();
  const folder = join(server.appsFolder, 'videochat/streams/records');
  await eventually('nothing to be left', () => !existsSync(folder) || readdirSync(folder).length === 0);
});
