import { expect, test } from 'vitest';
import { connect, connectRefused } from '../../test/support/rtmp-client.ts';
import { useServer } from '../../test/support/server.ts';

const server = useServer({ samples: ['lobby'], limits: { rejectLingerMs: 100 } });

/** Two players who were sent to one table. */
async function seat() {
  const names = ['ann', 'ben'];
  const refusals = await Promise.all(
    names.map((name) => connectRefused(`${server.rtmp}/lobby`, { args: [name] })),
  );
  const urls = refusals.map((info) => String((info as unknown as { ex: { redirect: string } }).ex.redirect));
  expect(new Set(urls).size).toBe(1);
  expect(urls[0]).toMatch(/\/lobby\/game-\w+-\d+$/);
  const players = await Promise.all(names.map((name, i) => connect(urls[i] ?? '', { args: [name] })));
  return { players, url: urls[0] ?? '' };
}

test('players wait for one another, are sent to a table, and the highest number that is alone wins', async () => {
  const { players, url } = await seat();
  const [ann, ben] = players;
  for (const player of players)
    expect([...((await player.waitForCall('seated')).args[0] as string[])].sort()).toEqual(['ann', 'ben']);
  expect((await connectRefused(url, { args: ['cid'] })).description).toBe('This table is full.');
  expect((await ann!.callFails('guess', 11)).description).toBe('guess: the arguments were refused');
  await ann!.call('guess', 7);
  expect(await ann!.callFails('guess', 8)).toMatchObject({
    code: 'Lobby.Twice',
    description: 'You have named 7.',
  });
  await ben!.call('guess', 9);
  for (const player of players) {
    expect((await player.waitForCall('result')).args).toEqual(['ben', { ann: 7, ben: 9 }]);
    await player.closed;
  }
});

test('who names the same number as another has not won', async () => {
  const { players } = await seat();
  await Promise.all(players.map((player) => player.waitForCall('seated')));
  await Promise.all(players.map((player) => player.call('guess', 5)));
  expect((await players[0]!.waitForCall('result')).args[0]).toBeNull();
});

test('who has no name is refused', async () => {
  expect((await connectRefused(`${server.rtmp}/lobby`, { args: [' '] })).description).toContain(
    'a name of 1 to 32',
  );
});
