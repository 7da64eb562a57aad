import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused, type RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const server = useServer({ classics: ['user-list', 'whiteboard', 'presence'] });

async function player(client: RtmpClient, name: string): Promise<RemoteSharedObject> {
  return new RemoteSharedObject(client, name).connect();
}

test('a user list: everybody sees who comes, is away and leaves, and nobody can forge it', async () => {
  const url = `${server.rtmp}/user-list/room`;
  const ann = await connect(url, { args: ['Ann'] });
  const list = await player(ann, 'users');
  const bob = await connect(url, { args: ['Bob'] });
  await eventually('two', () => list.data.size === 2);
  expect(await ann.call('names')).toEqual(['Ann', 'Bob']);
  expect((await connectRefused(url, { args: ['BOB'] })).application).toEqual({ msg: 'BOB is here already.' });
  expect((await connectRefused(url)).application).toEqual({ msg: 'A name, please.' });
  await list.syncs.waitFor('the news', ({ sends }) => sends.some((args) => args.join() === 'joined,Bob,2'));

  const version = await bob.call('away', true);
  await eventually('Bob to be away', () => (list.data.get('u2') as { away: boolean }).away);
  expect(list.version).toBe(version);
  list.change({ set: { u2: 'forged' } }, { remove: 'u1' }, { set: { u9: 'nobody' } });
  list.change({ send: ['nudge', 'Bob'] });
  await server.waitForLog((r) => r.message === 'nudge for Bob');
  await eventually('the list to be as it was', () => {
    const [one, two] = [list.data.get('u1'), list.data.get('u2')] as ({ name?: string } | undefined)[];
    return one?.name === 'Ann' && two?.name === 'Bob' && list.data.size === 2;
  });
  await bob.close();
  await list.syncs.waitFor('the news', ({ sends }) => sends.some((args) => args.join() === 'left,Bob,1'));
  expect(await ann.call('names')).toEqual(['Ann']);
});

test('a whiteboard: strokes of players and of the script, trimmed in one step, and whole for who comes late', async () => {
  const url = `${server.rtmp}/whiteboard/room`;
  const ann = await connect(url, { args: ['ann'] });
  const board = await player(ann, 'board');
  const line = [
    { x: 0, y: 0 },
    { x: 3, y: 4 },
  ];
  expect(await ann.call('draw', line)).toBe(5);
  await eventually('the stroke', () => board.data.has('ann_0'));
  expect(board.data.get('ann_0')).toEqual({ author: 'ann', points: line });
  for (let i = 1; i <= 6; i++) board.set(`mine${i}`, { author: 'ann', points: line });
  const trimmed = await board.syncs.waitFor('the trimming', ({ sends }) => sends[0]?.[0] === 'trimmed');
  expect(trimmed.list.every(({ code }) => code === 'delete')).toBe(true);
  await eventually('five strokes', () => board.data.size === 5);
  expect(board.data.has('ann_0')).toBe(false);

  const bob = await connect(url, { args: ['bob'] });
  const late = await player(bob, 'board');
  expect([...late.data.keys()].sort()).toEqual([...board.data.keys()].sort());
  late.change({ send: ['pointer', 'bob', 7, 8] }, { remove: 'mine6' });
  await board.syncs.waitFor('the pointer', ({ sends }) => sends[0]?.join() === 'pointer,bob,7,8');
  const version = late.version;
  expect(await bob.call('report')).toMatchObject({ size: 4, undone: 1, pointer: 'bob@7,8' });
  expect(version).toBeGreaterThan(1);
  expect(await bob.call('wipe')).toBe(true);
  await board.holds({});
});

test('presence: a move between rooms is one step for who watches the lobby', async () => {
  const url = `${server.rtmp}/presence/floor`;
  const ann = await connect(url, { args: ['ann', 'kitchen'] });
  const bob = await connect(url, { args: ['bob', 'kitchen'] });
  const lobby = await player(ann, 'lobby');
  await lobby.holds({ kitchen: 2 });
  const kitchen = await player(ann, 'rooms/kitchen');
  await kitchen.holds({ ann: 'here', bob: 'here' });
  const from = lobby.syncs.mark;
  await bob.call('move', 'garden');
  await lobby.holds({ kitchen: 1, garden: 1 });
  expect(lobby.syncs.entries.slice(from)).toMatchObject([
    {
      list: [
        { code: 'change', name: 'kitchen' },
        { code: 'change', name: 'garden' },
      ],
    },
  ]);
  await kitchen.holds({ ann: 'here' });
  expect(await ann.call('where')).toBe('garden:bob kitchen:ann');
  await bob.close();
  await lobby.holds({ kitchen: 1 });
});
