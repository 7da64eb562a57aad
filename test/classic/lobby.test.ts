import { expect, test } from 'vitest';
import { connect, connectRefused, type RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['lobby'] });

test('players meet in the lobby, invite each other, play to the end, and leave tables behind clean', async () => {
  const url = `${server.rtmp}/lobby`;
  const join = (name: string, says: boolean) =>
    connect(url, { args: [name], methods: { invited: () => says } });
  const ann = await join('ann', true);
  const bob = await join('bob', true);
  const cid = await join('cid', false);
  await ann.settled();
  expect(ann.callsOf('lobby/enter')).toEqual([['ann'], ['bob'], ['cid']]);
  expect((await connectRefused(url, { args: ['bob'] })).application).toEqual({
    code: 'NAME_TAKEN',
    suggestion: 'bob3',
  });

  expect(await ann.call('lobby.invite', 'nobody')).toBe('nobody');
  expect(await ann.call('lobby/invite', 'cid')).toBe('asked');
  expect((await ann.waitForCall('declined')).args).toEqual(['cid']);
  cid.methods = {};
  await ann.call('lobby.invite', 'cid');
  await ann.received.waitFor('a failure', (r) => r.args[1] === 'NetConnection.Call.Failed');

  expect(await ann.call('lobby.invite', 'bob')).toBe('asked');
  for (const player of [ann, bob])
    expect((await player.waitForCall('begin')).args).toEqual(['table1', 'ann']);
  expect(await cid.call('lobby.invite', 'ann')).toBe('busy');
  expect(await cid.call('lobby.list')).toEqual([
    { name: 'ann', playing: true },
    { name: 'bob', playing: true },
    { name: 'cid', playing: false },
  ]);
  expect(await bob.call('move', 0)).toBe('not your turn');
  expect(await cid.call('move', 0)).toBe('no table');
  const moves: [RtmpClient, number][] = [
    [ann, 0],
    [bob, 3],
    [ann, 1],
    [bob, 4],
  ];
  for (const [player, at] of moves) expect(await player.call('move', at)).toBe(true);
  expect(await ann.call('move', 4)).toBe(false);
  expect(await ann.call('move', 2)).toBe(true);
  expect((await bob.waitForCall('over')).args).toEqual(['ann']);
  expect(bob.callsOf('board').at(-1)).toEqual(['XXXOO----', 'bob']);
  expect(await cid.call('tables')).toBe(0);

  await bob.call('lobby.invite', 'ann');
  await ann.received.waitFor('the second table', (r) => r.name === 'begin' && r.args[0] === 'table2');
  const from = ann.received.mark;
  await bob.close();
  await ann.received.waitFor('the forfeit', (r) => r.name === 'over', from);
  expect(ann.callsOf('over')).toEqual([['ann'], ['ann']]);
  await cid.waitForCall('lobby/exit');
  expect(await cid.call('tables')).toBe(0);
});
